//! The execlog plugin of QEMU.

use crate::read::bytes::{decimal, hex_maybe_prefixed};
use crate::read::lines::{Line, LineFormat};
use crate::record::{Op, Record};

/// `cpu, 0xPC, 0xOPCODE, "disassembly" { , load|store, 0xADDR [, device] }`. No sizes.
pub(super) struct Execlog;

impl LineFormat for Execlog {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        if !line.first().is_some_and(u8::is_ascii_digit) {
            return Line::Other;
        }
        let before = records.len();
        if accesses(line, records).is_some() {
            Line::Records
        } else {
            records.truncate(before);
            Line::Bad
        }
    }
}

fn accesses(line: &[u8], records: &mut Vec<Record>) -> Option<()> {
    // There are commas inside of the disassembly, but no quotes.
    let open = line.iter().position(|&byte| byte == b'"')?;
    let close = line.iter().rposition(|&byte| byte == b'"')?;
    let mut head = fields(&line[..open]);
    decimal(head.next()?)?;
    records.push(Record::new(Op::Fetch, hex_maybe_prefixed(head.next()?)?, 1));
    let mut tail = fields(line.get(close + 1..)?);
    while let Some(field) = tail.next() {
        let op = match field {
            b"load" => Op::Read,
            b"store" => Op::Write,
            // The device, or nothing before the first comma.
            _ => continue,
        };
        records.push(Record::new(op, hex_maybe_prefixed(tail.next()?)?, 1));
    }
    Some(())
}

fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}
