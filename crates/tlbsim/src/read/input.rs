//! Bytes of a source: where they lie while they can be, gathered where more are wanted at once.

use std::io::{self, BufRead, ErrorKind};

use crate::read::End;

/// The most bytes that are shown where they lie.
const MAX_SHOWN: usize = 1 << 18;
/// How many bytes are gathered at once.
const STEP: usize = 1 << 14;

/// Bytes of a source, which are decoded from where the source has them. What a decoder cannot use
/// without what comes behind it is copied.
pub(super) struct Input<R> {
    source: R,
    /// Bytes that are copied, and behind them some that the source shows, too.
    gathered: Vec<u8>,
    /// How many of the last of them the source shows, too.
    shown: usize,
}

impl<R: BufRead> Input<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            gathered: Vec::new(),
            shown: 0,
        }
    }

    /// Returns bytes that have not been used: at least as many as are wanted, or all that are left.
    pub(super) fn bytes(&mut self, wanted: usize) -> io::Result<(&[u8], End)> {
        if self.gathered.is_empty() {
            let shown = fill(&mut self.source)?.len();
            if shown >= wanted.max(1) {
                // Borrowed again: what is returned would be borrowed on the other way, too.
                let bytes = fill(&mut self.source)?;
                return Ok((&bytes[..shown.min(MAX_SHOWN.max(wanted))], End::No));
            }
        }
        self.gather(wanted)
    }

    /// Copies bytes until there are as many as are wanted.
    fn gather(&mut self, wanted: usize) -> io::Result<(&[u8], End)> {
        while self.gathered.len() < wanted.max(1) {
            self.source.consume(self.shown);
            self.shown = 0;
            let bytes = fill(&mut self.source)?;
            if bytes.is_empty() {
                return Ok((&self.gathered, End::Yes));
            }
            let bytes = &bytes[..bytes.len().min(STEP)];
            self.gathered.extend_from_slice(bytes);
            self.shown = bytes.len();
        }
        Ok((&self.gathered, End::No))
    }

    /// Leaves the first of the bytes that were returned last behind.
    pub(super) fn use_up(&mut self, count: usize) {
        if self.gathered.is_empty() {
            self.source.consume(count);
            return;
        }
        let left = self.gathered.len() - count;
        if left <= self.shown {
            self.source.consume(self.shown - left);
            self.shown = 0;
            self.gathered.clear();
        } else {
            self.gathered.drain(..count);
        }
    }
}

/// Returns what the source shows, none at its end.
fn fill(source: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match source.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    source.fill_buf()
}
