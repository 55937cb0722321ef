//! Comma-separated values whose first line names the columns.

use crate::read::bytes::number;
use crate::read::lines::{Line, LineFormat};
use crate::record::{MAX_SIZE_BYTES, Op, Record};

/// The columns, by any of their names. Numbers are hexadecimal behind `0x` and decimal otherwise.
/// Fields are separated by commas, semicolons or tabs, whichever the first line has.
#[derive(Default)]
pub(super) struct Csv {
    columns: Option<Columns>,
    site: Option<u64>,
}

struct Columns {
    separator: u8,
    address: usize,
    op: Option<usize>,
    size: Option<usize>,
    site: Option<usize>,
}

const ADDRESS: [&[u8]; 5] = [b"address", b"addr", b"vaddr", b"va", b"virtual_address"];
const OP: [&[u8]; 5] = [b"op", b"kind", b"type", b"access", b"rw"];
const SIZE: [&[u8]; 4] = [b"size", b"bytes", b"len", b"length"];
const SITE: [&[u8]; 4] = [b"ip", b"pc", b"rip", b"eip"];
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

impl Columns {
    fn of(header: &[u8]) -> Option<Self> {
        let find = |separator: u8, names: &[&[u8]]| {
            let mut fields = fields(header, separator);
            fields.position(|field| names.iter().any(|name| name.eq_ignore_ascii_case(field)))
        };
        let separator = SEPARATORS
            .into_iter()
            .find(|separator| header.contains(separator))
            .unwrap_or(b',');
        Some(Self {
            separator,
            address: find(separator, &ADDRESS)?,
            op: find(separator, &OP),
            size: find(separator, &SIZE),
            site: find(separator, &SITE),
        })
    }
}

impl LineFormat for Csv {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        if line.is_empty() || line.starts_with(b"#") {
            return Line::Other;
        }
        let Some(columns) = &self.columns else {
            let header = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
            self.columns = Columns::of(header);
            return if self.columns.is_some() {
                Line::Other
            } else {
                Line::Bad
            };
        };
        let Some((record, site)) = record(line, columns) else {
            return Line::Bad;
        };
        if let Some(site) = site.filter(|&site| self.site.replace(site) != Some(site)) {
            records.push(Record::new(Op::Site, site, 1));
        }
        records.push(record);
        Line::Records
    }
}

fn record(line: &[u8], columns: &Columns) -> Option<(Record, Option<u64>)> {
    let field = |column: usize| fields(line, columns.separator).nth(column);
    let addr = number(field(columns.address)?)?;
    let op = match columns.op {
        Some(column) => op(field(column)?)?,
        None => Op::Read,
    };
    let size = match columns.size {
        Some(column) => u32::try_from(number(field(column)?)?).ok()?,
        None => 1,
    };
    let site = match columns.site {
        Some(column) if op != Op::Fetch => Some(number(field(column)?)?),
        _ => None,
    };
    (1..=MAX_SIZE_BYTES)
        .contains(&size)
        .then(|| (Record::new(op, addr, size), site))
}

fn op(name: &[u8]) -> Option<Op> {
    let lower = name.to_ascii_lowercase();
    match lower.as_slice() {
        b"i" | b"fetch" | b"ifetch" | b"x" | b"instruction" => Some(Op::Fetch),
        b"l" | b"r" | b"read" | b"load" => Some(Op::Read),
        b"s" | b"w" | b"write" | b"store" => Some(Op::Write),
        b"m" | b"rw" | b"modify" => Some(Op::Modify),
        b"invalidate" | b"invlpg" => Some(Op::Invalidate),
        b"cr3" => Some(Op::LoadCr3),
        b"flush" => Some(Op::Flush),
        _ => None,
    }
}

fn fields(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    line.split(move |&byte| byte == separator).map(|field| {
        let field = field.trim_ascii();
        let inner = field
            .strip_prefix(b"\"")
            .and_then(|field| field.strip_suffix(b"\""));
        inner.unwrap_or(field)
    })
}
