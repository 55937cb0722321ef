//! Programs: sources and executables with the results that they must give.
//!
//! The format is told in `fixtures/golden/programs/README.md`: `asm/NAME.asm` with what a
//! MASM-compatible assembler makes of it, `c/NAME.exe`, and `err/NAME.asm` with its mistakes.

mod coff;
mod files;
mod run;

use std::path::Path;

use pagefault_asm::{Assembled, Failure, IncludeFiles, Options, assemble, write_coff};
use pagefault_vmm::PagingMode;

use crate::golden::GoldenError;
use crate::golden::programs::files::Folder;
use crate::golden::programs::run::{Expected, Start};
use crate::golden::report::{FileReport, Report};

/// Checks every program of a directory.
///
/// # Errors
///
/// [`GoldenError`] if a folder or a file cannot be read.
pub fn run(dir: &Path, paging: PagingMode) -> Result<Report, GoldenError> {
    let mut report = Report::default();
    let asm = Folder::read(&dir.join("asm"))?;
    let mut source = FileReport::new("asm: source");
    let mut executable = FileReport::new("asm: executable");
    let mut object = FileReport::new("asm: object");
    let mut written = FileReport::new("asm: own executable");
    for name in asm.names(".asm") {
        match assembled(&asm, name) {
            Ok(assembled) => {
                let expected = Expected::of(&asm, name);
                let direct = Start::Source(&assembled);
                note(&mut source, name, run::check(direct, &expected, paging));
                let own = Start::Written(&assembled);
                note(&mut written, name, run::check(own, &expected, paging));
                note(&mut object, name, same_object(&asm, name, &assembled));
            }
            Err(errors) => {
                for check in [&mut source, &mut object, &mut written] {
                    note(check, name, Err(format!("does not assemble\n{errors}")));
                }
            }
        }
        check_executable(&mut executable, &asm, name, paging);
    }
    let c = Folder::read(&dir.join("c"))?;
    let mut compiled = FileReport::new("c: executable");
    for name in c.names(".exe") {
        check_executable(&mut compiled, &c, name, paging);
    }
    let err = Folder::read(&dir.join("err"))?;
    let mut errors = FileReport::new("err: lines reported");
    for name in err.names(".asm") {
        note(&mut errors, name, mistakes(&err, name));
    }
    report
        .files
        .extend([source, executable, object, written, compiled, errors]);
    report
        .files
        .retain(|file| file.passed > 0 || !file.failures.is_empty());
    Ok(report)
}

/// Counts what came of a check.
fn note(report: &mut FileReport, name: &str, result: Result<(), String>) {
    match result {
        Ok(()) => report.passed += 1,
        Err(difference) => {
            let check = &report.name;
            report
                .failures
                .push(format!("{check} {name}: {difference}"));
        }
    }
}

fn check_executable(report: &mut FileReport, folder: &Folder, name: &str, paging: PagingMode) {
    let expected = Expected::of(folder, name);
    let result = match folder.get(name, ".exe") {
        Some(bytes) => run::check(Start::Executable(bytes), &expected, paging),
        None => Err("there is no executable".to_owned()),
    };
    note(report, name, result);
}

/// Assembles a source; the errors become text.
fn assembled(folder: &Folder, name: &str) -> Result<Assembled, String> {
    assemble_in(folder, name).map_err(|failure| {
        let lines = failure.diagnostics.iter();
        let lines = lines.map(|diagnostic| format!("    {}", diagnostic.one_line(&failure.files)));
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn assemble_in(folder: &Folder, name: &str) -> Result<Assembled, Box<Failure>> {
    let source = folder.get(name, ".asm").unwrap_or_default();
    let path = format!("{name}.asm");
    assemble(&path, source, folder, &Options::default()).map_err(Box::new)
}

impl IncludeFiles for Folder {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = std::str::from_utf8(name).ok()?;
        let (name, bytes) = self.find(name)?;
        Some((name.to_owned(), bytes.to_vec()))
    }
}

/// Compares our COFF object with the sections, relocations and symbols that are recorded.
fn same_object(folder: &Folder, name: &str, assembled: &Assembled) -> Result<(), String> {
    let written = write_coff(&assembled.object).map_err(|error| error.to_string())?;
    let object = coff::Coff::read(&written).ok_or("the object that was written is cut short")?;
    for section in [".text", ".data", ".rdata"] {
        let wanted = folder
            .get(name, &format!("{section}.bin"))
            .unwrap_or_default();
        let found = object.contents(section);
        if let Some(at) = first_difference(wanted, found) {
            let around = |bytes: &[u8]| {
                let from = at.saturating_sub(AROUND);
                let bytes = bytes.get(from..(at + AROUND).min(bytes.len()));
                bytes.unwrap_or_default().to_vec()
            };
            let (wanted, found) = (around(wanted), around(found));
            return Err(format!(
                "{section} differs at {at:#x}\n    expected {wanted:02X?}\n    found    {found:02X?}"
            ));
        }
    }
    let wanted = folder.get(name, ".sections.txt").unwrap_or_default();
    let wanted = String::from_utf8_lossy(wanted);
    let found = object.listing();
    let mut found = found.lines();
    for wanted in wanted.lines() {
        let found = found.next().unwrap_or("nothing");
        if wanted.trim_end() != found {
            return Err(format!("\n    expected {wanted}\n    found    {found}"));
        }
    }
    match found.next() {
        Some(more) => Err(format!("\n    expected nothing more\n    found    {more}")),
        None => Ok(()),
    }
}

/// Bytes shown before and after a difference.
const AROUND: usize = 8;

/// Returns where two byte strings begin to differ.
fn first_difference(wanted: &[u8], found: &[u8]) -> Option<usize> {
    let same = wanted.iter().zip(found).take_while(|(a, b)| a == b).count();
    (same < wanted.len().max(found.len())).then_some(same)
}

/// A line that the assembler must complain of.
fn is_mistake(severity: &str, number: &str) -> bool {
    severity == "error" || (severity == "warning" && number == "A4073")
}

/// Checks that something is reported on each line with a mistake.
fn mistakes(folder: &Folder, name: &str) -> Result<(), String> {
    let reported: Vec<u32> = match assemble_in(folder, name) {
        Ok(assembled) => lines(&assembled.warnings),
        Err(failure) => lines(&failure.diagnostics),
    };
    let text = String::from_utf8_lossy(folder.get(name, ".err").unwrap_or_default());
    let mut rows = 0;
    for row in text.lines().filter(|row| !row.starts_with('#')) {
        let mut fields = row.split('\t');
        let (line, severity, number) = (fields.next(), fields.next(), fields.next());
        let line = line.and_then(|line| line.parse::<u32>().ok());
        let line = line.ok_or_else(|| format!("no line number: {row}"))?;
        if !is_mistake(severity.unwrap_or_default(), number.unwrap_or_default()) {
            continue;
        }
        rows += 1;
        // Line 0 stands for no line in particular.
        let is_reported = reported.contains(&line) || (line == 0 && !reported.is_empty());
        if !is_reported {
            return Err(format!(
                "nothing on line {line}: {row}\n    reported {reported:?}"
            ));
        }
    }
    if rows == 0 {
        return Err("no mistake is recorded".to_owned());
    }
    Ok(())
}

fn lines(diagnostics: &[pagefault_asm::Diagnostic]) -> Vec<u32> {
    diagnostics.iter().map(|found| found.span.line).collect()
}
