//! Samples of trace formats: what a reader must get.

use std::fs;
use std::path::{Path, PathBuf};

use pagefault_mmu::Policy;
use pagefault_tlbsim::{Conventions, Format, Modify, PageShift, Straddle, Stream};

use crate::golden::GoldenError;
use crate::golden::report::FileReport;
use crate::golden::table::{self, Row};
use crate::golden::tlb::row::{RowError, Rule, count, expect, geometry, text};
use crate::golden::tlb::traces::read;

/// The table that says what the samples hold.
const COLUMNS: [&str; 3] = ["format", "lookups", "misses_16x4_lru"];

/// Reads every sample that the directory's table names: as its format, and by detection.
pub(super) fn run(dir: &Path) -> Result<FileReport, GoldenError> {
    let mut report = FileReport::new("formats");
    let tables = table::read_dir(dir)?;
    for table in tables.iter().filter(|table| table.has(&COLUMNS)) {
        for row in table.rows() {
            match judge(row, dir) {
                Ok(()) => report.passed += 1,
                Err(error) => report.failures.push(format!("{row}\n    {error}")),
            }
        }
    }
    Ok(report)
}

fn judge(row: Row<'_>, dir: &Path) -> Result<(), RowError> {
    let name = text(row, "format")?;
    let format = Format::named(name).map_err(|_| RowError::Value { column: "format" })?;
    let path = sample(dir, name)?;
    let records = read(&path, Some(format))?;
    if records != read(&path, None)? {
        return Err(RowError::Value { column: "format" });
    }

    let conventions = Conventions {
        stream: Stream::Data,
        straddle: Straddle::FirstPage,
        modify: Modify::Once,
        page_size: if format.holds_page_numbers() {
            PageShift::NUMBERS
        } else {
            PageShift::KIB4
        },
    };
    let pages = conventions.narrow_pages(&records).ok_or(RowError::Wide)?;
    let rule = Rule::Kept(Policy::Lru);
    let counted = count(&pages, geometry("16", 4, rule)?, rule, &|| {
        unreachable!("LRU")
    });
    expect(row, "lookups", counted.accesses)?;
    expect(row, "misses_16x4_lru", counted.misses)
}

/// Returns the sample of a format: its ending begins with the format's name.
fn sample(dir: &Path, name: &str) -> Result<PathBuf, GoldenError> {
    let wrong = |source| GoldenError::Read {
        path: dir.to_owned(),
        source,
    };
    let start = format!("sample.{name}");
    for entry in fs::read_dir(dir).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let file = path.file_name().and_then(|file| file.to_str());
        if file.is_some_and(|file| file.starts_with(&start)) {
            return Ok(path);
        }
    }
    Err(wrong(std::io::ErrorKind::NotFound.into()))
}
