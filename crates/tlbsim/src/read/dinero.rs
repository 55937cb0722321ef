//! The text formats of Dinero III and IV.

use crate::read::bytes::{hex, hex_maybe_prefixed, words};
use crate::read::lines::{Line, LineFormat};
use crate::record::{MAX_SIZE_BYTES, Op, Record};

/// Dinero III: `label hex rest`, with labels 0 read, 1 write, 2 fetch, 3 ignored, 4 flush.
pub(super) struct Din;

impl LineFormat for Din {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        let mut words = words(line);
        let Some(label) = words.next() else {
            return Line::Other;
        };
        let op = match label {
            b"0" => Op::Read,
            b"1" => Op::Write,
            b"2" => Op::Fetch,
            b"3" => return Line::Other,
            b"4" => Op::Flush,
            _ => return Line::Bad,
        };
        let addr = words.next().and_then(hex);
        push(records, addr.map(|addr| Record::new(op, addr, 1)))
    }
}

/// Dinero IV: `letter hex hex rest`; address and size are both hexadecimal.
pub(super) struct Xdin;

impl LineFormat for Xdin {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        let mut words = words(line);
        let Some(letter) = words.next() else {
            return Line::Other;
        };
        let op = match letter {
            b"r" | b"R" => Op::Read,
            b"w" | b"W" => Op::Write,
            b"i" | b"I" => Op::Fetch,
            b"v" | b"V" => Op::Invalidate,
            // Miscellaneous and copy-back references concern caches, not translation.
            b"m" | b"M" | b"c" | b"C" => return Line::Other,
            _ => return Line::Bad,
        };
        let addr = words.next().and_then(hex_maybe_prefixed);
        let size = words.next().and_then(hex_maybe_prefixed);
        let size = size.and_then(|size| u32::try_from(size).ok());
        let size = size.filter(|&size| size <= MAX_SIZE_BYTES);
        let record = addr.zip(size);
        push(
            records,
            record.map(|(addr, size)| Record::new(op, addr, size.max(1))),
        )
    }
}

fn push(records: &mut Vec<Record>, record: Option<Record>) -> Line {
    match record {
        Some(record) => {
            records.push(record);
            Line::Records
        }
        None => Line::Bad,
    }
}
