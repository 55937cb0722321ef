//! Our own format: binary, delta-coded, made to be decoded at memory speed.
//!
//! A file is [`MAGIC`] and then blocks; all numbers are little-endian. A block of records is
//!
//! ```text
//! u8 'R'   u8 0   u16 events   u16 accesses   u16 0   u32 bytes of data
//! events:   u16 accesses before it   u8 kind   u8 0   u32 size   u64 address      (16 bytes each)
//! accesses: a control byte each
//! data:     the differences of the accesses' addresses, and 4 bytes of padding
//! ```
//!
//! A control byte has in bits 1:0 how many bytes its difference has (0, 1, 2, 4), in bits 3:2 the
//! access (fetch, read, write, modify), and in bits 7:4 a code of the size. The difference, in
//! zigzag order, is to the end of the last fetch, or to the address of the last data access. Both
//! begin at 0 with every block.
//!
//! Events are what is no plain access: the kinds are those of [`Op`] in order, so that an access
//! with an unusual size or a distant address is an event too, and 8, a large page: its size is the
//! base-2 logarithm of the page's. `'N'` blocks name regions (u16 count in place of the events;
//! data: u64 start, u64 bytes, u32 length of the name, name). An `'E'` block ends the file, and
//! holds the number of records in 8 bytes of data.
//!
//! There is a record for every access, so that the number of instructions is that of fetches.

use std::io::{self, Write};

use crate::read::{BATCH, Decode, End, Output};
use crate::record::{MAX_SIZE_BYTES, Op, Record, Region};

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

/// By bits 1:0 of a control byte: the bytes of the difference, and a mask of them.
const DELTA_BYTES: [u32; 4] = [0, 1, 2, 4];
const DELTA_MASKS: [u32; 4] = [0, 0xFF, 0xFFFF, u32::MAX];
/// Sizes of data accesses by their code; those of fetches are their codes. No access has code 0.
const DATA_SIZES: [u32; 16] = [1, 1, 2, 4, 8, 16, 32, 64, 10, 6, 3, 14, 28, 94, 108, 512];
const FETCH_SIZES: [u32; 16] = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const OP_SHIFT: u32 = 2;
/// Bits 3:2 of a control byte, and what they are for a fetch.
const OP_MASK: usize = 0b11 << OP_SHIFT;
const FETCH: usize = (Op::Fetch as usize) << OP_SHIFT;
const SIZE_SHIFT: u32 = 4;

/// The records of control bytes, but for their addresses.
const TEMPLATES: [Record; 256] = {
    let mut templates = [Record {
        addr: 0,
        size_bytes: 0,
        op: Op::Fetch,
        page_shift: 0,
    }; 256];
    let mut control = 0;
    while control < templates.len() {
        let code = control & OP_MASK;
        let sizes = if code == FETCH {
            FETCH_SIZES
        } else {
            DATA_SIZES
        };
        templates[control].size_bytes = sizes[control >> SIZE_SHIFT];
        templates[control].op = ACCESSES[code >> OP_SHIFT];
        control += 1;
    }
    templates
};

/// Operations by bits 3:2 of a control byte.
const ACCESSES: [Op; 4] = [Op::Fetch, Op::Read, Op::Write, Op::Modify];
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

/// What addresses are coded against.
#[derive(Clone, Copy, Debug, Default)]
struct Bases {
    fetch: u64,
    data: u64,
}

impl Bases {
    #[inline(always)]
    fn of(&mut self, is_fetch: bool) -> u64 {
        if is_fetch { self.fetch } else { self.data }
    }

    #[inline(always)]
    fn note(&mut self, is_fetch: bool, addr: u64, size_bytes: u32) {
        self.fetch = if is_fetch {
            addr.wrapping_add(u64::from(size_bytes))
        } else {
            self.fetch
        };
        self.data = if is_fetch { self.data } else { addr };
    }
}

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
                self.records(
                    &Block {
                        events,
                        controls,
                        data,
                    },
                    out,
                );
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
            out.records.extend(
                block.controls[done..before]
                    .iter()
                    .map(|&control| plain.next(control)),
            );
            done = before;
            self.event(event, &mut plain.bases, out);
        }
        out.records.extend(
            block.controls[done..]
                .iter()
                .map(|&control| plain.next(control)),
        );
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

    fn event(&mut self, event: &[u8; EVENT_BYTES], bases: &mut Bases, out: &mut Output<'_>) {
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
                    bases.note(op == Op::Fetch, addr, size);
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
    #[inline(always)]
    fn next(&mut self, control: u8) -> Record {
        let code = usize::from(control & 3);
        let at = self.at as usize;
        let word = match self.data.get(at..at + MAX_DELTA_BYTES) {
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => {
                self.is_short = true;
                0
            }
        };
        self.at = self.at.wrapping_add(DELTA_BYTES[code]);
        let delta = unfold(word & DELTA_MASKS[code]);
        let template = TEMPLATES[usize::from(control)];
        // Each base is the sum of what was added to it: nothing waits for a choice between them.
        let is_fetch = u64::from(usize::from(control) & OP_MASK != FETCH).wrapping_sub(1);
        let Bases { fetch, data } = self.bases;
        let addr = (fetch & is_fetch | data & !is_fetch).wrapping_add(delta);
        let behind = delta.wrapping_add(u64::from(template.size_bytes));
        self.bases = Bases {
            fetch: fetch.wrapping_add(behind & is_fetch),
            data: data.wrapping_add(delta & !is_fetch),
        };
        Record { addr, ..template }
    }
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

/// Undoes [`fold`].
#[inline(always)]
fn unfold(word: u32) -> u64 {
    let sign = (word & 1).wrapping_neg();
    let value = word >> 1 ^ sign;
    i64::from(value.cast_signed()).cast_unsigned()
}

/// Returns a difference in zigzag order, small ones of either sign first; `None` if it needs more
/// than 32 bits.
#[inline(always)]
fn fold(delta: u64) -> Option<u32> {
    let value = i32::try_from(delta.cast_signed()).ok()?;
    Some((value << 1 ^ value >> 31).cast_unsigned())
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    sink: W,
    bases: Bases,
    events: Vec<u8>,
    controls: Vec<u8>,
    data: Vec<u8>,
    records: u64,
    /// The first error of the sink; nothing is written after it.
    error: Option<io::Error>,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording.
    pub fn new(sink: W) -> Self {
        let mut recorder = Self {
            sink,
            bases: Bases::default(),
            events: Vec::new(),
            controls: Vec::with_capacity(BLOCK),
            data: Vec::with_capacity(BLOCK * (1 + MAX_DELTA_BYTES)),
            records: 0,
            error: None,
        };
        recorder.write(&MAGIC);
        recorder
    }

    /// Records an access, or an event of the MMU.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        if self.controls.len() == BLOCK || self.events.len() == BLOCK * EVENT_BYTES {
            self.write_block();
        }
        self.records += 1;
        let is_fetch = record.op == Op::Fetch;
        let delta = fold(record.addr.wrapping_sub(self.bases.of(is_fetch)));
        let code = size_code(is_fetch, record.size_bytes);
        match (delta, code) {
            (Some(delta), Some(code)) if record.op.is_access() => {
                let len = (32 - delta.leading_zeros()).div_ceil(8) as usize;
                let len_code = [0, 1, 2, 3, 3][len];
                self.controls
                    .push(len_code | (record.op as u8) << OP_SHIFT | code << SIZE_SHIFT);
                let bytes = DELTA_BYTES[usize::from(len_code)] as usize;
                self.data.extend_from_slice(&delta.to_le_bytes()[..bytes]);
            }
            _ => self.event(record.op as u8, record.size_bytes, record.addr),
        }
        if record.op.is_access() {
            self.bases.note(is_fetch, record.addr, record.size_bytes);
        }
    }

    /// Notes that the address lies in a large page of 2^`shift` bytes, from here on.
    pub fn large_page(&mut self, addr: u64, shift: u8) {
        if self.events.len() == BLOCK * EVENT_BYTES {
            self.write_block();
        }
        self.event(LARGE_PAGE, u32::from(shift), addr);
    }

    /// Names regions; can be done at any time.
    pub fn name(&mut self, regions: &[Region]) {
        for regions in regions.chunks(usize::from(u16::MAX)) {
            let mut data = Vec::new();
            for region in regions {
                data.extend_from_slice(&region.start.to_le_bytes());
                data.extend_from_slice(&region.len_bytes.to_le_bytes());
                let name = &region.name.as_bytes()[..region.name.len().min(usize::from(u16::MAX))];
                data.extend_from_slice(&word(name.len()).to_le_bytes());
                data.extend_from_slice(name);
            }
            self.write_header(REGIONS, regions.len(), 0, data.len());
            self.write(&data);
        }
    }

    /// Ends the recording and returns the sink and how many records were written.
    ///
    /// # Errors
    ///
    /// The first one of the sink.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.write_block();
        self.write_header(END, 0, 0, size_of::<u64>());
        self.write(&self.records.to_le_bytes());
        if self.error.is_none() {
            self.error = self.sink.flush().err();
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.sink, self.records)),
        }
    }

    fn event(&mut self, kind: u8, size_bytes: u32, addr: u64) {
        let [low, high, ..] = self.controls.len().to_le_bytes();
        self.events.extend_from_slice(&[low, high, kind, 0]);
        self.events.extend_from_slice(&size_bytes.to_le_bytes());
        self.events.extend_from_slice(&addr.to_le_bytes());
    }

    fn write_block(&mut self) {
        if self.events.is_empty() && self.controls.is_empty() {
            return;
        }
        self.data.extend_from_slice(&[0; MAX_DELTA_BYTES]);
        let events = self.events.len() / EVENT_BYTES;
        self.write_header(RECORDS, events, self.controls.len(), self.data.len());
        for part in [&self.events, &self.controls, &self.data] {
            if self.error.is_none() {
                self.error = self.sink.write_all(part).err();
            }
        }
        self.events.clear();
        self.controls.clear();
        self.data.clear();
        self.bases = Bases::default();
    }

    fn write_header(&mut self, kind: u8, events: usize, accesses: usize, data_bytes: usize) {
        let [events_low, events_high, ..] = events.to_le_bytes();
        let [low, high, ..] = accesses.to_le_bytes();
        let [a, b, c, d] = word(data_bytes).to_le_bytes();
        self.write(&[
            kind,
            0,
            events_low,
            events_high,
            low,
            high,
            0,
            0,
            a,
            b,
            c,
            d,
        ]);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.sink.write_all(bytes).err();
        }
    }
}

/// Returns a length that the writer has made sure to be small.
fn word(len: usize) -> u32 {
    u32::try_from(len).expect("blocks are small")
}

/// Returns the code of a size, if it has one.
#[inline(always)]
fn size_code(is_fetch: bool, size_bytes: u32) -> Option<u8> {
    if is_fetch {
        return u8::try_from(size_bytes)
            .ok()
            .filter(|size| (1..16).contains(size));
    }
    match size_bytes {
        1 => Some(1),
        2 => Some(2),
        4 => Some(3),
        8 => Some(4),
        other => {
            let mut sizes = DATA_SIZES.iter().skip(1);
            sizes
                .position(|&size| size == other)
                .and_then(|index| u8::try_from(index + 1).ok())
        }
    }
}
