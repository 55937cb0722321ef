//! Formats of records of a fixed length.

use crate::read::{Decode, End, Output};
use crate::record::{Op, Record};

/// ChampSim, little-endian: u64 ip; u8 `is_branch`, `branch_taken`; u8 destination registers (2) and
/// source registers (4); u64 destination memory (2) and source memory (4). Address 0 is no address.
pub(super) struct ChampSim;

/// Bytes of a ChampSim record.
pub(super) const CHAMPSIM_BYTES: usize = 64;
/// Where its addresses are: two that are written, then four that are read.
const WRITTEN: usize = 16;
const READ: usize = 32;
/// Its two flags.
const FLAGS: std::ops::Range<usize> = 8..10;

impl Decode for ChampSim {
    fn decode(&mut self, bytes: &[u8], end: End, out: &mut Output<'_>) -> usize {
        decode(bytes, end, out, |record: &[u8; CHAMPSIM_BYTES], out| {
            if !is_champsim(record) {
                return false;
            }
            out.push(Record::new(Op::Fetch, word(record, 0), 1));
            push_all(&record[READ..], Op::Read, out);
            push_all(&record[WRITTEN..READ], Op::Write, out);
            true
        })
    }
}

/// Returns whether these bytes can be a ChampSim record: an instruction somewhere, flags that are 0
/// or 1.
pub(super) fn is_champsim(record: &[u8; CHAMPSIM_BYTES]) -> bool {
    word(record, 0) != 0 && record[FLAGS].iter().all(|&flag| flag <= 1)
}

fn push_all(addresses: &[u8], op: Op, out: &mut Vec<Record>) {
    let (words, _) = addresses.as_chunks::<8>();
    let addresses = words.iter().map(|&word| u64::from_le_bytes(word));
    out.extend(
        addresses
            .filter(|&addr| addr != 0)
            .map(|addr| Record::new(op, addr, 1)),
    );
}

/// libCacheSim's oracleGeneral, little-endian and packed: u32 time; u64 object; u32 size; i64 index
/// of the next access, -1 for never. The object is the page number.
pub(super) struct OracleGeneral;

/// Bytes of an oracleGeneral record.
pub(super) const ORACLE_BYTES: usize = 24;
const OBJECT: usize = 4;

impl Decode for OracleGeneral {
    fn decode(&mut self, bytes: &[u8], end: End, out: &mut Output<'_>) -> usize {
        decode(bytes, end, out, |record: &[u8; ORACLE_BYTES], out| {
            let object = word(record, OBJECT);
            // The engines mark empty places by the number that is left out here.
            let is_page = object != u64::MAX;
            out.extend(is_page.then(|| Record::new(Op::Read, object, 1)));
            is_page
        })
    }
}

/// Decodes all complete records; `decode` says whether one was good.
fn decode<const N: usize>(
    bytes: &[u8],
    end: End,
    out: &mut Output<'_>,
    decode: impl Fn(&[u8; N], &mut Vec<Record>) -> bool,
) -> usize {
    let (records, rest) = bytes.as_chunks::<N>();
    for record in records {
        out.tally.line += 1;
        if !decode(record, out.records) {
            out.tally.note_bad(record);
        }
    }
    if end == End::Yes && !rest.is_empty() {
        out.tally.line += 1;
        out.tally.note_bad(rest);
        return bytes.len();
    }
    bytes.len() - rest.len()
}

fn word(record: &[u8], at: usize) -> u64 {
    record[at..]
        .first_chunk()
        .map_or(0, |word| u64::from_le_bytes(*word))
}
