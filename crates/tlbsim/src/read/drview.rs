//! The view tool of DynamoRIO's drmemtrace.

use crate::read::bytes::{decimal, hex_maybe_prefixed, words};
use crate::read::lines::{Line, LineFormat};
use crate::record::{MAX_SIZE_BYTES, Op, Record};

/// Header lines, then `record instruction: W0.T1 kind N byte(s) @ 0xADDR ...` or
/// `<marker: text>`, and counts at the end.
#[derive(Default)]
pub(super) struct DrView {
    has_ended: bool,
}

/// The line before the counts.
const RESULTS: &[u8] = b"View tool results:";

impl LineFormat for DrView {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        if line.starts_with(RESULTS) {
            self.has_ended = true;
        }
        let is_record = line.first().is_some_and(u8::is_ascii_whitespace)
            && words(line)
                .next()
                .is_some_and(|word| decimal(word).is_some());
        if self.has_ended || !is_record {
            // A line in the middle that is no record is text of another program.
            return Line::Other;
        }
        let mut fields = words(line).skip(3);
        let kind = fields.next();
        match kind {
            Some(b"<marker:") => Line::Other,
            Some(kind) => {
                let size = fields.next().and_then(decimal);
                let addr = fields
                    .find(|&word| word == b"@")
                    .and_then(|_| fields.next());
                let addr = addr.and_then(hex_maybe_prefixed);
                access(kind, addr, size, records)
            }
            None => Line::Bad,
        }
    }
}

fn access(kind: &[u8], addr: Option<u64>, size: Option<u64>, records: &mut Vec<Record>) -> Line {
    let op = match kind {
        b"ifetch" => Op::Fetch,
        b"read" => Op::Read,
        b"write" => Op::Write,
        // Prefetches and cache flushes have an address too, and no translation that must succeed.
        _ => {
            return if addr.is_some() {
                Line::Other
            } else {
                Line::Bad
            };
        }
    };
    let size = size.and_then(|size| u32::try_from(size).ok());
    match addr.zip(size) {
        Some((addr, size @ 1..=MAX_SIZE_BYTES)) => {
            records.push(Record::new(op, addr, size));
            Line::Records
        }
        _ => Line::Bad,
    }
}
