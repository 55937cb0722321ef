//! Our own format: binary, made to be decoded at memory speed.
//!
//! A file is [`MAGIC`] and then blocks; all numbers are little-endian. A block of records is
//!
//! ```text
//! u8 'R'   u8 0   u16 events   u16 accesses   u16 pages   u32 0
//! pages:    u64 each, 256 at most
//! accesses: u32 each
//! events:   u16 accesses before it   u8 kind   u8 page size   u32 size   u64 address
//! ```
//!
//! An access is coded as its distance from the beginning of its page, in bits 11:0, and the number
//! of the page in the block, in bits 19:12; bits 21:20 are the operation (fetch, read, write,
//! modify), and bits 25:22 a code of the size. A page is its address, with the base-2 logarithm of
//! the size of the page in bits 5:0 if it is a large one. So no access depends on the one before it.
//!
//! Events are what is no plain access: the kinds are those of [`Op`] in order, so that an access
//! with an unusual size is an event, too. `'N'` blocks name regions (their number in place of that of
//! events, the bytes of data in the last word; data: u64 start, u64 bytes, u32 length of the name,
//! name). An `'E'` block ends the file, and holds the number of records in 8 bytes of data.
//!
//! There is a record for every access, so that the number of instructions is that of fetches.

mod packed;
mod recorder;

use std::ops::{Range, RangeInclusive};

use crate::read::recorded::packed::{MAX_PAGES, OFFSET_MASK, PACKED_BYTES, Packed};
use crate::read::{BATCH, Decode, End, Output};
use crate::record::{MAX_SIZE_BYTES, Op, Record, Region};

pub use crate::read::recorded::recorder::Recorder;

/// The first bytes of a file.
pub const MAGIC: [u8; 8] = *b"PFTRACE2";
/// What those of every version begin with.
pub(super) const ANY_VERSION: &[u8] = b"PFTRACE";

/// Kinds of blocks.
const RECORDS: u8 = b'R';
const REGIONS: u8 = b'N';
const END: u8 = b'E';

const HEADER_BYTES: usize = 12;
const EVENT_BYTES: usize = 16;
const PAGE_BYTES: usize = 8;
/// Accesses of a block, and events.
const BLOCK: usize = 4096;
/// The most regions of a block, and the most bytes of a name.
const NAMES: usize = 1024;
const MAX_NAME_BYTES: usize = 1 << 12;
/// The most regions of a recording.
const MAX_REGIONS: usize = 1 << 20;
/// The most data of a block: more than its regions can have.
const MAX_DATA_BYTES: usize = 1 << 23;
/// Base-2 logarithms of sizes of pages.
const PAGE_SHIFTS: RangeInclusive<u8> = 12..=30;
/// Bits 5:0 of a page.
const SHIFT_MASK: u8 = 0x3F;

/// Operations by the kind of an event.
const KINDS: [Op; 8] = [
    Op::Fetch,
    Op::Read,
    Op::Write,
    Op::Modify,
    Op::Site,
    Op::Invalidate,
    Op::LoadCr3,
    Op::Flush,
];

/// The decoder.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    regions: Vec<Region>,
    stage: Stage,
    /// Records put out.
    records: u64,
}

/// How far a recording has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Beginning,
    Blocks,
    Ended,
    /// It is damaged: nothing behind that is looked at.
    GivenUp,
}

/// What is found where a block should begin.
enum Found<'a> {
    /// A block of records, its pages, its accesses and its events.
    Records(Records<'a>),
    /// That many regions.
    Regions(usize, &'a [u8]),
    /// The end of a recording of that many records.
    End(u64),
    /// The beginning of a block.
    Part,
    /// No block.
    Damage,
}

/// The parts of a block of records, as they are stored.
struct Records<'a> {
    pages: &'a [[u8; PAGE_BYTES]],
    accesses: &'a [[u8; PACKED_BYTES]],
    events: &'a [[u8; EVENT_BYTES]],
}

impl Decode for Recorded {
    fn decode(&mut self, bytes: &[u8], end: End, out: &mut Output<'_>) -> usize {
        if self.stage == Stage::GivenUp {
            return bytes.len();
        }
        let mut at = 0;
        if self.stage == Stage::Beginning {
            at = MAGIC.len();
            match bytes.first_chunk() {
                Some(&MAGIC) => self.stage = Stage::Blocks,
                Some(other) if other.starts_with(ANY_VERSION) => {
                    return self.give_up(b"the recording is of another version", bytes, out);
                }
                None if end == End::No => return 0,
                _ => return self.give_up(b"this is no recording", bytes, out),
            }
        }
        while at < bytes.len() && self.stage == Stage::Blocks && out.records.len() < BATCH {
            let (found, len) = block(&bytes[at..]);
            match found {
                Found::Records(block) => self.records += block.decode(out),
                Found::Regions(count, data) => self.name(count, data, out),
                Found::End(records) if records == self.records || out.tally.bad > 0 => {
                    self.stage = Stage::Ended;
                }
                Found::End(_) => {
                    return self.give_up(b"blocks of the recording are missing", bytes, out);
                }
                Found::Part if end == End::No => return at,
                Found::Part | Found::Damage => return self.give_up(DAMAGE, bytes, out),
            }
            at += len;
        }
        let is_short = end == End::Yes && at == bytes.len() && self.stage == Stage::Blocks;
        let is_long = self.stage == Stage::Ended && at < bytes.len();
        if is_short || is_long {
            return self.give_up(DAMAGE, bytes, out);
        }
        at
    }

    fn regions(&self) -> &[Region] {
        &self.regions
    }
}

/// What is said of a recording that cannot be read on.
const DAMAGE: &[u8] = b"the recording ends early or is damaged";

impl Recorded {
    /// Gives the rest up, and returns its length.
    fn give_up(&mut self, why: &[u8], bytes: &[u8], out: &mut Output<'_>) -> usize {
        self.stage = Stage::GivenUp;
        out.tally.line += 1;
        out.tally.note_bad(why);
        bytes.len()
    }

    fn name(&mut self, count: usize, data: &[u8], out: &mut Output<'_>) {
        let mut rest = data;
        for _ in 0..count {
            let found = region(rest).filter(|_| self.regions.len() < MAX_REGIONS);
            let Some((region, after)) = found else {
                out.tally
                    .note_bad(b"a block has fewer regions than it says, or too many");
                return;
            };
            self.regions.push(region);
            rest = after;
        }
    }
}

/// Finds the block at the beginning of the bytes, and its length.
fn block(bytes: &[u8]) -> (Found<'_>, usize) {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return (Found::Part, 0);
    };
    let count = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let (events, accesses, pages) = (count(2), count(4), count(6));
    let [.., a, b, c, d] = *header;
    let data_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
    let kind = header[0];
    let body = match kind {
        RECORDS if pages <= MAX_PAGES => {
            pages * PAGE_BYTES + accesses * PACKED_BYTES + events * EVENT_BYTES
        }
        REGIONS if data_bytes <= MAX_DATA_BYTES => data_bytes,
        END if data_bytes == size_of::<u64>() => data_bytes,
        _ => return (Found::Damage, 0),
    };
    let len = HEADER_BYTES + body;
    let Some(body) = bytes.get(HEADER_BYTES..len) else {
        return (Found::Part, 0);
    };
    let found = match kind {
        RECORDS => {
            let (pages, rest) = body.split_at(pages * PAGE_BYTES);
            let (accesses, events) = rest.split_at(accesses * PACKED_BYTES);
            Found::Records(Records {
                pages: pages.as_chunks().0,
                accesses: accesses.as_chunks().0,
                events: events.as_chunks().0,
            })
        }
        REGIONS => Found::Regions(events, body),
        _ => Found::End(
            body.first_chunk()
                .map_or(0, |count| u64::from_le_bytes(*count)),
        ),
    };
    (found, len)
}

/// The pages of a block.
struct Pages {
    addrs: [u64; MAX_PAGES],
    /// `None` if no page is large.
    shifts: Option<[u8; MAX_PAGES]>,
}

impl Pages {
    fn of(stored: &[[u8; PAGE_BYTES]]) -> Self {
        let (mut addrs, mut shifts) = ([0; MAX_PAGES], [0; MAX_PAGES]);
        for ((addr, shift), page) in addrs.iter_mut().zip(&mut shifts).zip(stored) {
            *addr = u64::from_le_bytes(*page) & !OFFSET_MASK;
            *shift = page_shift(page[0] & SHIFT_MASK);
        }
        let is_any_large = shifts.iter().any(|&shift| shift != 0);
        let shifts = is_any_large.then_some(shifts);
        Self { addrs, shifts }
    }
}

impl Records<'_> {
    /// Puts the records out, and returns how many there were.
    fn decode(&self, out: &mut Output<'_>) -> u64 {
        let first = out.records.len();
        let before = out.tally.line;
        let accesses = self.accesses.iter().copied().map(Packed::from_bytes);
        if Packed::is_any_bad(accesses, self.pages.len()) {
            out.tally.line += 1;
            out.tally
                .note_bad(b"a block has accesses to pages that it has not");
            return 0;
        }
        let pages = Pages::of(self.pages);
        let mut done = 0;
        for event in self.events {
            let place = usize::from(u16::from_le_bytes([event[0], event[1]]));
            let place = place.clamp(done, self.accesses.len());
            self.put_accesses(done..place, &pages, out.records);
            done = place;
            out.tally.line = before + (out.records.len() - first) as u64 + 1;
            put_event(event, out);
        }
        self.put_accesses(done..self.accesses.len(), &pages, out.records);
        let put = (out.records.len() - first) as u64;
        out.tally.line = before + put;
        put
    }

    fn put_accesses(&self, which: Range<usize>, pages: &Pages, records: &mut Vec<Record>) {
        let first = records.len();
        let accesses = self.accesses[which].iter().copied().map(Packed::from_bytes);
        records.extend(accesses.clone().map(|access| access.record(&pages.addrs)));
        if let Some(shifts) = &pages.shifts {
            for (record, access) in records[first..].iter_mut().zip(accesses) {
                record.page_shift = shifts[usize::from(access.page())];
            }
        }
    }
}

fn put_event(event: &[u8; EVENT_BYTES], out: &mut Output<'_>) {
    let [_, _, kind, shift, a, b, c, d, addr @ ..] = *event;
    let (size, addr) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(addr));
    match KINDS.get(usize::from(kind)) {
        Some(&op) if size <= MAX_SIZE_BYTES => out.records.push(Record {
            page_shift: page_shift(shift),
            ..Record::new(op, addr, size.max(1))
        }),
        _ => out.tally.note_bad(event),
    }
}

/// Returns the base-2 logarithm of the size of a page if it is one; 0 otherwise.
fn page_shift(shift: u8) -> u8 {
    if PAGE_SHIFTS.contains(&shift) {
        shift
    } else {
        0
    }
}

fn region(data: &[u8]) -> Option<(Region, &[u8])> {
    let (start, rest) = data.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<8>()?;
    let (name_len, rest) = rest.split_first_chunk::<4>()?;
    let name_len = u32::from_le_bytes(*name_len) as usize;
    if name_len > MAX_NAME_BYTES {
        return None;
    }
    let (name, rest) = rest.split_at_checked(name_len)?;
    let region = Region {
        name: String::from_utf8_lossy(name).into_owned(),
        start: u64::from_le_bytes(*start),
        len_bytes: u64::from_le_bytes(*len),
    };
    Some((region, rest))
}
