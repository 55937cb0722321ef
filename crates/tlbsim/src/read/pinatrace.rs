//! Pin's example tool pinatrace, and copies of it.

use crate::read::bytes::hex_maybe_prefixed;
use crate::read::lines::{Line, LineFormat};
use crate::record::{Op, Record};

/// `"0x" hex ": " ("R"|"W"|"RW") " 0x" hex`: the instruction, and what it accesses. Copies append
/// size or value, in no fixed order: what follows is passed over.
#[derive(Default)]
pub(super) struct Pinatrace {
    /// The last instruction that was put out.
    site: Option<u64>,
}

impl LineFormat for Pinatrace {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        if line.is_empty() || line.starts_with(b"#") {
            return Line::Other;
        }
        let Some((site, op, addr)) = parts(line) else {
            return Line::Bad;
        };
        if self.site.replace(site) != Some(site) {
            records.push(Record::new(Op::Site, site, 1));
        }
        records.push(Record::new(op, addr, 1));
        Line::Records
    }
}

fn parts(line: &[u8]) -> Option<(u64, Op, u64)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let site = hex_maybe_prefixed(&line[..colon])?;
    let mut words = crate::read::bytes::words(&line[colon + 1..]);
    let op = match words.next()? {
        b"R" => Op::Read,
        b"W" => Op::Write,
        b"RW" => Op::Modify,
        _ => return None,
    };
    Some((site, op, hex_maybe_prefixed(words.next()?)?))
}
