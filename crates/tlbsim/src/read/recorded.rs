//! Our own format: binary, delta-coded, made to be decoded at memory speed.
//!
//! A file is [`MAGIC`] and then blocks; all numbers are little-endian. A block of records is
//!
//! ```text
//! u8 'R'   u8 width   u16 events   u16 accesses   u16 0   u32 bytes of data
//! events:   u16 accesses before it   u8 kind   u8 0   u32 size   u64 address      (16 bytes each)
//! accesses: a control byte each
//! data:     the differences of the accesses' addresses, and 4 bytes of padding
//! ```
//!
//! A control byte has in bits 1:0 how many bytes its difference has (0, 1, 2, 4), in bits 3:2 the
//! access (fetch, read, write, modify), and in bits 7:4 a code of the size. The difference is to the
//! end of the last fetch, or to the address of the last data access, and is stored with half of its
//! range added, so that it is never negative. Both begin at 0 with every block. In a block of width 0
//! all addresses have 32 bits, and sums are taken modulo 2^32, those of fetches over its end by an
//! event; in one of width 1 they have 64.
//!
//! Events are what is no plain access: the kinds are those of [`Op`] in order, so that an access
//! with an unusual size or a distant address is an event too, and 8, a large page: its size is the
//! base-2 logarithm of the page's. `'N'` blocks name regions (u16 count in place of the events;
//! data: u64 start, u64 bytes, u32 length of the name, name). An `'E'` block ends the file, and
//! holds the number of records in 8 bytes of data.
//!
//! There is a record for every access, so that the number of instructions is that of fetches.

mod bases;
mod control;
mod recorder;

use crate::read::recorded::bases::{Bases, Narrow, Sums, Wide, Width};
use crate::read::recorded::control::CONTROLS;
use crate::read::{BATCH, Decode, End, Output};
use crate::record::{MAX_SIZE_BYTES, Op, Record, Region};

pub use crate::read::recorded::recorder::Recorder;

/// The first bytes of a file.
pub const MAGIC: [u8; 8] = *b"PFTRACE1";

/// Kinds of blocks.
const RECORDS: u8 = b'R';
const REGIONS: u8 = b'N';
const END: u8 = b'E';

const HEADER_BYTES: usize = 12;
const EVENT_BYTES: usize = 16;
/// Accesses of a block.
const BLOCK: usize = 4096;
/// What a difference can have at most, and the padding that lets it be read as a whole.
const MAX_DELTA_BYTES: usize = 4;
/// The kind of event that says where a large page is.
const LARGE_PAGE: u8 = 8;

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
    /// First addresses and sizes of large pages.
    large: Vec<(u64, u8)>,
    has_begun: bool,
    has_ended: bool,
}

/// The parts of a block of records.
struct Block<'a> {
    events: &'a [[u8; EVENT_BYTES]],
    controls: &'a [u8],
    data: &'a [u8],
    width: Width,
}

impl Decode for Recorded {
    fn decode(&mut self, bytes: &[u8], end: End, out: &mut Output<'_>) -> usize {
        let mut at = 0;
        if !self.has_begun {
            at = MAGIC.len().min(bytes.len());
            self.has_begun = true;
        }
        while let Some(len) = self.block(&bytes[at..], out) {
            at += len;
            if out.records.len() >= BATCH {
                return at;
            }
        }
        if end == End::No && !self.is_hopeless(&bytes[at..]) {
            return at;
        }
        if at < bytes.len() || !self.has_ended {
            out.tally.line += 1;
            out.tally
                .note_bad(b"the recording ends early or is damaged");
        }
        bytes.len()
    }

    fn regions(&self) -> &[Region] {
        &self.regions
    }
}

impl Recorded {
    /// Returns whether no further bytes can make a block of these.
    fn is_hopeless(&self, bytes: &[u8]) -> bool {
        let is_block = |kind: &u8| [RECORDS, REGIONS, END].contains(kind);
        bytes
            .first()
            .is_some_and(|kind| self.has_ended || !is_block(kind))
    }

    /// Decodes the first block and returns its length; `None` if it is not complete or is none.
    fn block(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Option<usize> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let count = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let [.., a, b, c, d] = *header;
        let (events, accesses) = (count(2), count(4));
        let data_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
        let kind = header[0];
        let head = if kind == RECORDS {
            events * EVENT_BYTES + accesses
        } else {
            0
        };
        let len = HEADER_BYTES.checked_add(head)?.checked_add(data_bytes)?;
        let body = bytes.get(HEADER_BYTES..len)?;
        let (head, data) = body.split_at(head);
        match kind {
            RECORDS => {
                let (events, controls) = head.split_at(events * EVENT_BYTES);
                let (events, _) = events.as_chunks();
                let width = if header[1] == Width::Bits32 as u8 {
                    Width::Bits32
                } else {
                    Width::Bits64
                };
                let block = Block {
                    events,
                    controls,
                    data,
                    width,
                };
                self.records(&block, out);
            }
            REGIONS => self.name(events, data),
            END => self.has_ended = true,
            _ => return None,
        }
        Some(len)
    }

    fn records(&mut self, block: &Block<'_>, out: &mut Output<'_>) {
        let first = out.records.len();
        let mut plain = Plain {
            bases: Bases::default(),
            data: block.data,
            at: 0,
            is_short: false,
        };
        let mut done = 0;
        for event in block.events {
            let before = usize::from(u16::from_le_bytes([event[0], event[1]]));
            let before = before.clamp(done, block.controls.len());
            plain.decode(block.width, &block.controls[done..before], out.records);
            done = before;
            self.event(event, block.width, &mut plain.bases, out);
        }
        plain.decode(block.width, &block.controls[done..], out.records);
        out.tally.line += (out.records.len() - first) as u64;
        if plain.is_short {
            out.tally
                .note_bad(b"a block has fewer differences than accesses");
        }
        if !self.large.is_empty() {
            out.records[first..]
                .iter_mut()
                .for_each(|record| self.size_page(record));
        }
    }

    fn event(
        &mut self,
        event: &[u8; EVENT_BYTES],
        width: Width,
        bases: &mut Bases,
        out: &mut Output<'_>,
    ) {
        let [_, _, kind, _, a, b, c, d, addr @ ..] = *event;
        let (size, addr) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(addr));
        if kind == LARGE_PAGE {
            let shift = u8::try_from(size)
                .ok()
                .filter(|shift| (12..=30).contains(shift));
            match shift {
                Some(shift) if !self.large.contains(&(addr, shift)) => {
                    self.large.push((addr, shift));
                }
                Some(_) => {}
                None => out.tally.note_bad(event),
            }
            return;
        }
        match KINDS.get(usize::from(kind)) {
            Some(&op) if size <= MAX_SIZE_BYTES => {
                if op.is_access() {
                    bases.note(width, (op == Op::Fetch).then_some(size), addr);
                }
                out.records.push(Record::new(op, addr, size.max(1)));
            }
            _ => out.tally.note_bad(event),
        }
    }

    fn size_page(&self, record: &mut Record) {
        let mut large = self.large.iter().rev();
        let page = large.find(|&&(start, shift)| record.addr >> shift == start >> shift);
        record.page_shift = page.map_or(0, |&(_, shift)| shift);
    }

    fn name(&mut self, count: usize, data: &[u8]) {
        let mut rest = data;
        for _ in 0..count {
            let Some((region, after)) = region(rest) else {
                return;
            };
            self.regions.push(region);
            rest = after;
        }
    }
}

/// Decodes plain accesses.
struct Plain<'a> {
    bases: Bases,
    data: &'a [u8],
    /// Where the next difference is.
    at: u32,
    is_short: bool,
}

impl Plain<'_> {
    /// Appends the accesses that these bytes control.
    fn decode(&mut self, width: Width, controls: &[u8], records: &mut Vec<Record>) {
        match width {
            Width::Bits32 => self.decode_with::<Narrow>(controls, records),
            Width::Bits64 => self.decode_with::<Wide>(controls, records),
        }
    }

    #[inline(never)]
    fn decode_with<S: Sums>(&mut self, controls: &[u8], records: &mut Vec<Record>) {
        // What the loop changes is copied, so that it stays in registers.
        let (mut sums, mut at, differences) = (S::of(self.bases), self.at, self.data);
        records.extend(controls.iter().map(|&control| {
            let control = &CONTROLS[usize::from(control)];
            let stored = four_bytes(differences, at).map_or(0, u32::from_le_bytes) & control.mask;
            let delta = u64::from(stored).wrapping_add(control.template.addr);
            at += control.bytes;
            let mut record = control.template;
            record.addr = sums.add(delta, control);
            record
        }));
        self.at = at;
        self.is_short |= four_bytes(differences, at).is_none();
        self.bases = sums.bases();
    }
}

/// Returns the bytes from a place on, as many as a difference can have.
#[inline(always)]
fn four_bytes(data: &[u8], at: u32) -> Option<[u8; MAX_DELTA_BYTES]> {
    let at = at as usize;
    data.get(at..at + MAX_DELTA_BYTES)?.try_into().ok()
}

fn region(data: &[u8]) -> Option<(Region, &[u8])> {
    let (start, rest) = data.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<8>()?;
    let (name_len, rest) = rest.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*name_len) as usize)?;
    let region = Region {
        name: String::from_utf8_lossy(name).into_owned(),
        start: u64::from_le_bytes(*start),
        len_bytes: u64::from_le_bytes(*len),
    };
    Some((region, rest))
}
