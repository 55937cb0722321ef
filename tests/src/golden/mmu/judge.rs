//! Comparing what happened with what a row says, column by column.

use std::fmt::{Display, Write};

use pagefault_mmu::{Mmu, PageFault};

use crate::golden::mmu::text::{EntryText, error_code, error_text};
use crate::golden::report::FileReport;
use crate::golden::table::Row;

/// Why a case has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRun {
    /// It needs something that this runner does not have.
    Skipped(&'static str),
    /// A column is missing or cannot be read. Counts as a failure.
    Unreadable(&'static str),
}

/// What came of a case: the differences, none if it passed.
pub(super) type Verdict = Result<Differences, NotRun>;

/// Where the outcome differs from the row.
#[derive(Clone, Debug, Default)]
pub(super) struct Differences {
    lines: Vec<String>,
}

impl Differences {
    /// Notes a difference unless the two are equal.
    pub(super) fn compare(&mut self, what: &str, expected: &str, found: &str) {
        if expected != found {
            self.note(what, &expected, &found);
        }
    }

    /// Notes a difference unless the two numbers are equal.
    pub(super) fn compare_hex(&mut self, what: &str, expected: u32, found: u32) {
        if expected != found {
            self.note(what, &format!("{expected:08x}"), &format!("{found:08x}"));
        }
    }

    /// Notes a difference unless the entry is one that the text allows.
    pub(super) fn compare_entry(&mut self, what: &str, expected: EntryText, found: u64) {
        if !expected.allows(found) {
            self.note(
                what,
                &format!("{:x}", expected.bits()),
                &format!("{found:x}"),
            );
        }
    }

    /// Notes a difference.
    pub(super) fn note(&mut self, what: &str, expected: &dyn Display, found: &dyn Display) {
        self.lines
            .push(format!("{what}: expected {expected}, found {found}"));
    }

    /// Returns whether there is no difference.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Compares the result, the error code and CR2 with the row's columns of these names.
    pub(super) fn compare_result(
        &mut self,
        row: Row<'_>,
        mmu: &Mmu,
        result: Result<(), PageFault>,
    ) -> Result<(), NotRun> {
        let expected = row.get("result").ok_or(NotRun::Unreadable("result"))?;
        self.compare(
            "result",
            expected,
            if result.is_ok() { "ok" } else { "#PF" },
        );
        let cr2 = mmu.control().cr2().bits();
        match (expected, result) {
            ("#PF", Err(fault)) => {
                let code = row.get("err").and_then(error_code);
                let code = code.ok_or(NotRun::Unreadable("err"))?;
                self.compare("err", &error_text(code), &error_text(fault.error_code()));
                self.compare_hex("cr2", hex(row, "cr2")?, cr2);
                self.compare_hex("fault.addr", cr2, fault.addr.bits());
            }
            (_, Ok(())) => self.compare_hex("cr2 after success", 0, cr2),
            _ => {}
        }
        Ok(())
    }
}

/// Adds a case's verdict to the file's report.
pub(super) fn record(report: &mut FileReport, row: impl Display, verdict: Verdict) {
    match verdict {
        Ok(differences) if differences.is_empty() => report.passed += 1,
        Ok(differences) => {
            let mut failure = format!("  {row}");
            for line in &differences.lines {
                let _ = write!(failure, "\n    {line}");
            }
            report.failures.push(failure);
        }
        Err(NotRun::Skipped(reason)) => report.skip(reason),
        Err(NotRun::Unreadable(column)) => {
            report
                .failures
                .push(format!("  {row}\n    column {column} cannot be read"));
        }
    }
}

/// Returns a column's hexadecimal number.
pub(super) fn hex(row: Row<'_>, column: &'static str) -> Result<u32, NotRun> {
    let digits = row.get(column).map(|text| text.trim_start_matches("0x"));
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or(NotRun::Unreadable(column))
}

/// Returns a column's decimal number.
pub(super) fn number(row: Row<'_>, column: &'static str) -> Result<u32, NotRun> {
    row.get(column)
        .and_then(|text| text.parse().ok())
        .ok_or(NotRun::Unreadable(column))
}

/// Returns a column's entry, or `None` where the column says that it is not used.
pub(super) fn entry(row: Row<'_>, column: &'static str) -> Result<Option<EntryText>, NotRun> {
    match row.get(column) {
        Some("-") => Ok(None),
        Some(text) => EntryText::parse(text)
            .map(Some)
            .ok_or(NotRun::Unreadable(column)),
        None => Err(NotRun::Unreadable(column)),
    }
}
