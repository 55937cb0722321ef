//! Formats of one record a line.

use crate::read::{Decode, End, Output};
use crate::record::Record;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It was a record, or several: they have been put out.
    Records,
    /// It is no record and is not meant to be.
    Other,
    /// It looks like a record and is none.
    Bad,
}

/// A format of one record a line.
pub(super) trait LineFormat {
    /// Puts out the records of a line, which is without its end.
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line;

    /// Puts out the records of as many lines as are in the plainest form, and returns how many
    /// bytes and lines that was.
    fn plain_lines(&mut self, bytes: &[u8], records: &mut Vec<Record>) -> (usize, u64) {
        let _ = (bytes, records);
        (0, 0)
    }
}

/// The longest line; what is longer is no line of any trace.
const MAX_LINE_BYTES: usize = 1 << 16;

/// Decodes a format of lines.
pub(super) struct Lines<F> {
    format: F,
    /// A line that was too long is passed over up to its end.
    is_passing_over: bool,
}

impl<F: LineFormat> Lines<F> {
    pub(super) fn new(format: F) -> Self {
        Self {
            format,
            is_passing_over: false,
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output<'_>) {
        out.tally.line += 1;
        if std::mem::take(&mut self.is_passing_over) {
            return;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.format.line(line, out.records) {
            Line::Records => {}
            Line::Other => out.tally.skipped += 1,
            Line::Bad => out.tally.note_bad(line),
        }
    }
}

impl<F: LineFormat> Decode for Lines<F> {
    fn decode(&mut self, bytes: &[u8], end: End, out: &mut Output<'_>) -> usize {
        let mut at = 0;
        loop {
            if !self.is_passing_over {
                let (len, lines) = self.format.plain_lines(&bytes[at..], out.records);
                at += len;
                out.tally.line += lines;
            }
            let rest = &bytes[at..];
            match rest.iter().position(|&byte| byte == b'\n') {
                Some(len) => {
                    self.line(&rest[..len], out);
                    at += len + 1;
                }
                None if end == End::Yes => {
                    if !rest.is_empty() {
                        self.line(rest, out);
                    }
                    return bytes.len();
                }
                None if rest.len() > MAX_LINE_BYTES => {
                    if !self.is_passing_over {
                        out.tally.line += 1;
                        out.tally.note_bad(rest);
                        out.tally.line -= 1;
                    }
                    self.is_passing_over = true;
                    return bytes.len();
                }
                None => return at,
            }
        }
    }
}
