//! `valgrind --tool=lackey --trace-mem=yes`.

use crate::read::bytes::{HEX_BLOCK, decimal, hex, hex8};
use crate::read::lines::{Line, LineFormat};
use crate::record::{MAX_SIZE_BYTES, Op, Record};

/// `record = ( "I  " | " L " | " S " | " M " ) hex "," dec`. The trace shares its file with what
/// the traced program writes: every other line is passed over.
pub(super) struct Lackey;

/// Bytes before the address.
const PREFIX: usize = 3;
/// The longest plain line: prefix, sixteen digits, comma, three digits, line end.
const PLAIN_BYTES: usize = PREFIX + 2 * HEX_BLOCK + 1 + 3 + 1;

impl LineFormat for Lackey {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        let Some((prefix, rest)) = line.split_first_chunk::<PREFIX>() else {
            return Line::Other;
        };
        let Some(op) = op(prefix) else {
            return Line::Other;
        };
        match record(op, rest) {
            Some(record) => {
                records.push(record);
                Line::Records
            }
            None => Line::Bad,
        }
    }

    fn plain_lines(&mut self, bytes: &[u8], records: &mut Vec<Record>) -> (usize, u64) {
        let mut rest = bytes;
        let mut lines = 0;
        while let Some((line, _)) = rest.split_first_chunk::<PLAIN_BYTES>() {
            let Some((record, len)) = plain(line) else {
                break;
            };
            records.push(record);
            lines += 1;
            rest = &rest[len..];
        }
        (bytes.len() - rest.len(), lines)
    }
}

/// The prefixes of records, with what they mean.
const PREFIXES: [([u8; PREFIX], Op); 4] = [
    (*b"I  ", Op::Fetch),
    (*b" L ", Op::Read),
    (*b" S ", Op::Write),
    (*b" M ", Op::Modify),
];
/// Places of the table of prefixes.
const PLACES: usize = 32;

/// The prefixes by place: an access is found without a branch, which would be predicted wrong too
/// often. Other places repeat a prefix that does not belong there.
const BY_PLACE: [([u8; PREFIX], Op); PLACES] = {
    let mut table = [PREFIXES[0]; PLACES];
    let mut index = 0;
    while index < PREFIXES.len() {
        table[place(&PREFIXES[index].0)] = PREFIXES[index];
        index += 1;
    }
    table
};

/// Returns the place of a prefix: one of its first two bytes is a blank, the other a letter.
#[inline(always)]
const fn place(prefix: &[u8; PREFIX]) -> usize {
    (prefix[0] ^ prefix[1]) as usize % PLACES
}

#[inline(always)]
fn op(prefix: &[u8; PREFIX]) -> Option<Op> {
    let (expected, op) = BY_PLACE[place(prefix)];
    (*prefix == expected).then_some(op)
}

fn record(op: Op, rest: &[u8]) -> Option<Record> {
    let comma = rest.iter().position(|&byte| byte == b',')?;
    let addr = hex(&rest[..comma])?;
    let size = u32::try_from(decimal(&rest[comma + 1..])?).ok()?;
    (1..=MAX_SIZE_BYTES)
        .contains(&size)
        .then(|| Record::new(op, addr, size))
}

/// Decodes a line of eight or more digits and a size of one digit, with its end.
#[inline(always)]
fn plain(line: &[u8; PLAIN_BYTES]) -> Option<(Record, usize)> {
    let op = op(line.first_chunk()?)?;
    let digits = line[PREFIX..].first_chunk::<HEX_BLOCK>()?;
    let mut addr = hex8(*digits)?;
    let mut at = PREFIX + HEX_BLOCK;
    while line[at] != b',' {
        let digit = char::from(line[at]).to_digit(16)?;
        addr = addr << 4 | u64::from(digit);
        at += 1;
        if at == PREFIX + 2 * HEX_BLOCK {
            break;
        }
    }
    let [b',', size @ b'1'..=b'9', b'\n', ..] = line[at..] else {
        return None;
    };
    Some((Record::new(op, addr, u32::from(size - b'0')), at + 3))
}
