//! What came of the cases, by file.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// What came of the cases of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// The file's name.
    pub name: String,
    /// Cases with the expected outcome.
    pub passed: u64,
    /// The cases with another outcome, each in full.
    pub failures: Vec<String>,
    /// How many cases were not run, by reason.
    pub skipped: BTreeMap<String, u64>,
}

impl FileReport {
    /// Returns the report of a file of which no case has run yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Counts a case that was not run.
    pub fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    /// Returns how many cases were not run.
    pub fn skipped(&self) -> u64 {
        self.skipped.values().sum()
    }
}

/// What came of a directory of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The files, by name.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Returns how many cases had the expected outcome.
    pub fn passed(&self) -> u64 {
        self.files.iter().map(|file| file.passed).sum()
    }

    /// Returns how many cases had another outcome.
    pub fn failed(&self) -> usize {
        self.files.iter().map(|file| file.failures.len()).sum()
    }

    /// Returns how many cases were not run.
    pub fn skipped(&self) -> u64 {
        self.files.iter().map(FileReport::skipped).sum()
    }

    /// Returns whether cases were found and none failed.
    pub fn is_good(&self) -> bool {
        self.passed() + self.skipped() > 0 && self.failed() == 0
    }

    /// Writes a line for each file, its reasons for skips, its first `show` failures in full, and
    /// the sums.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl Write, show: usize) -> io::Result<()> {
        for file in &self.files {
            let (passed, failed, skipped) = (file.passed, file.failures.len(), file.skipped());
            writeln!(
                out,
                "{}: {passed} passed, {failed} failed, {skipped} skipped",
                file.name
            )?;
            for (reason, count) in &file.skipped {
                writeln!(out, "    {count} skipped: {reason}")?;
            }
            for failure in file.failures.iter().take(show) {
                writeln!(out, "{failure}")?;
            }
        }
        let (passed, failed, skipped) = (self.passed(), self.failed(), self.skipped());
        writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
