//! `perf script -F comm,tid,time,event,addr,ip`: samples.

use crate::read::bytes::{decimal, hex_maybe_prefixed, words};
use crate::read::lines::{Line, LineFormat};
use crate::record::{Op, Record};

/// `comm tid time: event: addr ip`. The name of a program may hold blanks, so that the fields are
/// counted from the word that is a time.
#[derive(Default)]
pub(super) struct Perf {
    site: Option<u64>,
}

impl LineFormat for Perf {
    fn line(&mut self, line: &[u8], records: &mut Vec<Record>) -> Line {
        if line.trim_ascii().is_empty() || line.starts_with(b"#") {
            return Line::Other;
        }
        let Some((event, addr, site)) = parts(line) else {
            return Line::Bad;
        };
        if let Some(site) = site.filter(|&site| self.site.replace(site) != Some(site)) {
            records.push(Record::new(Op::Site, site, 1));
        }
        let is_store = event.windows(5).any(|part| part == b"store");
        let op = if is_store { Op::Write } else { Op::Read };
        records.push(Record::new(op, addr, 1));
        Line::Records
    }
}

/// Returns event, data address and instruction.
fn parts(line: &[u8]) -> Option<(&[u8], u64, Option<u64>)> {
    let words: Vec<&[u8]> = words(line).collect();
    let time = words.iter().position(|word| is_time(word))?;
    let event = words.get(time + 1)?.strip_suffix(b":")?;
    let addr = hex_maybe_prefixed(words.get(time + 2)?)?;
    let site = words
        .get(time + 3)
        .and_then(|word| hex_maybe_prefixed(word));
    Some((event, addr, site))
}

/// Returns whether a word is seconds, a point, digits and a colon.
fn is_time(word: &[u8]) -> bool {
    let digits = word.strip_suffix(b":").unwrap_or_default();
    let point = digits.iter().position(|&byte| byte == b'.');
    point.is_some_and(|point| {
        decimal(&digits[..point]).is_some() && decimal(&digits[point + 1..]).is_some()
    })
}
