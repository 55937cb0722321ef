//! What was read, and what could not be.

use std::fmt;

/// Bad records that are kept to be shown.
const SHOWN: usize = 5;
/// Bytes of a bad record that are shown.
const SHOWN_BYTES: usize = 80;

/// What has been read of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// Lines that are no records and are not meant to be: banners, headers, comments, and what the
    /// traced program wrote in between.
    pub skipped: u64,
    /// Records that could not be understood; they are left out.
    pub bad: u64,
    /// Lines so far; of binary traces, records.
    pub(crate) line: u64,
    shown: Vec<BadRecord>,
}

impl Tally {
    /// Returns the first bad records.
    pub fn shown(&self) -> &[BadRecord] {
        &self.shown
    }

    pub(crate) fn first_bad(&self) -> Option<&BadRecord> {
        self.shown.first()
    }

    /// Counts a bad record, at the line where reading is.
    pub(crate) fn note_bad(&mut self, text: &[u8]) {
        self.bad += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(BadRecord {
                line: self.line,
                text: text[..text.len().min(SHOWN_BYTES)].to_vec(),
            });
        }
    }
}

/// A record that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its line, from 1; in binary traces the number of the record.
    pub line: u64,
    /// How it begins.
    pub text: Vec<u8>,
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text.escape_ascii())
    }
}
