//! Which format a trace is in, by its first bytes.

use crate::read::binary_formats::{CHAMPSIM_BYTES, ORACLE_BYTES, is_champsim};
use crate::read::recorded::ANY_VERSION;
use crate::read::{End, Format, Output, Tally};

/// The formats of lines, those that are hardest to mistake first.
const TEXT: [Format; 8] = [
    Format::DrView,
    Format::Execlog,
    Format::Pinatrace,
    Format::Lackey,
    Format::Csv,
    Format::Perf,
    Format::Xdin,
    Format::Din,
];
/// Bytes that are looked at.
pub(super) const LOOKED_AT: usize = 1 << 16;
/// Good records for each bad one in a trace that is in a format: whole traces must be good, but a
/// trace can begin in the middle of a line.
const GOOD_PER_BAD: u64 = 20;
/// Records of a fixed length that are looked at.
const FIXED_RECORDS: usize = 64;
/// The largest step between times of one oracleGeneral record and the next, in its unit, seconds.
const MAX_STEP: u32 = 86_400;

/// Returns the format that the bytes are in.
pub(super) fn format_of(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(ANY_VERSION) {
        return Some(Format::Recorded);
    }
    let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
    if bytes.contains(&0) {
        return fixed(bytes);
    }
    TEXT.into_iter().find(|&format| is_text(bytes, format))
}

fn is_text(bytes: &[u8], format: Format) -> bool {
    let (mut records, mut tally) = (Vec::new(), Tally::default());
    let mut output = Output {
        records: &mut records,
        tally: &mut tally,
    };
    // The last line may be cut off: it is left alone.
    let complete = bytes.iter().rposition(|&byte| byte == b'\n');
    let (bytes, end) = match complete {
        Some(last) => (&bytes[..=last], End::No),
        None => (bytes, End::Yes),
    };
    format.decoder().decode(bytes, end, &mut output);
    !records.is_empty() && tally.bad * GOOD_PER_BAD <= records.len() as u64
}

fn fixed(bytes: &[u8]) -> Option<Format> {
    let (champsim, _) = bytes.as_chunks::<CHAMPSIM_BYTES>();
    let (oracle, _) = bytes.as_chunks::<ORACLE_BYTES>();
    let champsim = &champsim[..champsim.len().min(FIXED_RECORDS)];
    if !champsim.is_empty() && champsim.iter().all(is_champsim) {
        return Some(Format::ChampSim);
    }
    let oracle = &oracle[..oracle.len().min(FIXED_RECORDS)];
    let is_oracle = !oracle.is_empty()
        && oracle.iter().all(is_oracle)
        && oracle.windows(2).all(|pair| {
            let step = time(&pair[1]).checked_sub(time(&pair[0]));
            step.is_some_and(|step| step <= MAX_STEP)
        });
    is_oracle.then_some(Format::OracleGeneral)
}

fn time(record: &[u8; ORACLE_BYTES]) -> u32 {
    record
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word))
}

/// Returns whether the record has a size, and a next access after the first, or none.
fn is_oracle(record: &[u8; ORACLE_BYTES]) -> bool {
    let size = record[12..]
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word));
    let next = record[16..]
        .first_chunk()
        .map_or(0, |word| i64::from_le_bytes(*word));
    size != 0 && (next > 0 || next == -1)
}
