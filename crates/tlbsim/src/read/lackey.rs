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

/// The prefixes by place, as numbers: an access is found without a branch, which would be predicted
/// wrong too often. Other places repeat a prefix that does not belong there.
const BY_PLACE: [(u32, Op); PLACES] = {
    let mut table = [(number(&PREFIXES[0].0), PREFIXES[0].1); PLACES];
    let mut index = 0;
    while index < PREFIXES.len() {
        let (prefix, op) = &PREFIXES[index];
        table[place(number(prefix))] = (number(prefix), *op);
        index += 1;
    }
    table
};

#[inline(always)]
const fn number(prefix: &[u8; PREFIX]) -> u32 {
    u32::from_le_bytes([prefix[0], prefix[1], prefix[2], 0])
}

/// Returns the place of a prefix: one of its first two bytes is a blank, the other a letter.
#[inline(always)]
const fn place(prefix: u32) -> usize {
    (prefix ^ prefix >> u8::BITS) as usize % PLACES
}

#[inline(always)]
fn op(prefix: &[u8; PREFIX]) -> Option<Op> {
    let prefix = number(prefix);
    let (expected, op) = BY_PLACE[place(prefix)];
    (prefix == expected).then_some(op)
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
    let addr = hex8(*digits)?;
    if let Some(size) = size(line, PREFIX + HEX_BLOCK) {
        return Some((Record::new(op, addr, size), PREFIX + HEX_BLOCK + SIZE_BYTES));
    }
    longer(line, op, addr)
}

/// Bytes of a comma, a size of one digit and a line end.
const SIZE_BYTES: usize = 3;

/// Returns the size that stands behind a comma at this place, if its one digit ends the line.
#[inline(always)]
fn size(line: &[u8; PLAIN_BYTES], at: usize) -> Option<u32> {
    let is_plain = line[at] == b',' && line[at + 2] == b'\n';
    let size = line[at + 1].wrapping_sub(b'0');
    (is_plain && (1..=9).contains(&size)).then_some(u32::from(size))
}

/// Goes on with an address that has more than eight digits.
fn longer(line: &[u8; PLAIN_BYTES], op: Op, high: u64) -> Option<(Record, usize)> {
    let mut addr = high;
    for at in PREFIX + HEX_BLOCK..PREFIX + 2 * HEX_BLOCK {
        let digit = char::from(line[at]).to_digit(16)?;
        addr = addr << 4 | u64::from(digit);
        if let Some(size) = size(line, at + 1) {
            return Some((Record::new(op, addr, size), at + 1 + SIZE_BYTES));
        }
    }
    None
}
