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
//! all addresses have 32 bits, and sums are taken modulo 2^32; in one of width 1 they have 64.
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

/// By bits 1:0 of a control byte: the bytes of the difference, a mask of them, and what was added.
const DELTA_BYTES: [u32; 4] = [0, 1, 2, 4];
const DELTA_MASKS: [u32; 4] = [0, 0xFF, 0xFFFF, u32::MAX];
const DELTA_BIASES: [u64; 4] = [0, 0x80, 0x8000, 0x8000_0000];
/// Sizes of data accesses by their code; those of fetches are their codes. No access has code 0.
const DATA_SIZES: [u32; 16] = [1, 1, 2, 4, 8, 16, 32, 64, 10, 6, 3, 14, 28, 94, 108, 512];
const FETCH_SIZES: [u32; 16] = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const OP_SHIFT: u32 = 2;
/// Bits 3:2 of a control byte, and what they are for a fetch.
const OP_MASK: usize = 0b11 << OP_SHIFT;
const FETCH: usize = (Op::Fetch as usize) << OP_SHIFT;
const SIZE_SHIFT: u32 = 4;

/// What a control byte says.
#[derive(Clone, Copy)]
struct Control {
    /// The record, but for its address.
    template: Record,
    mask: u32,
    bytes: u32,
    bias: u64,
    /// All ones for a fetch, and its size.
    fetch_mask: u64,
    fetch_size: u64,
}

const CONTROLS: [Control; 256] = {
    let mut controls = [Control {
        template: Record {
            addr: 0,
            size_bytes: 0,
            op: Op::Fetch,
            page_shift: 0,
        },
        mask: 0,
        bytes: 0,
        bias: 0,
        fetch_mask: 0,
        fetch_size: 0,
    }; 256];
    let mut index = 0;
    while index < controls.len() {
        let control = &mut controls[index];
        let (delta, op, size) = (index & 3, index & OP_MASK, index >> SIZE_SHIFT);
        control.mask = DELTA_MASKS[delta];
        control.bytes = DELTA_BYTES[delta];
        control.bias = DELTA_BIASES[delta];
        control.template.op = ACCESSES[op >> OP_SHIFT];
        if op == FETCH {
            control.template.size_bytes = FETCH_SIZES[size];
            control.fetch_mask = u64::MAX;
            control.fetch_size = FETCH_SIZES[size] as u64;
        } else {
            control.template.size_bytes = DATA_SIZES[size];
        }
        index += 1;
    }
    controls
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

/// The width of the addresses of a block, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Width {
    Bits32 = 0,
    Bits64 = 1,
}

impl Width {
    fn of(addr: u64) -> Self {
        if addr <= Self::Bits32.mask() {
            Self::Bits32
        } else {
            Self::Bits64
        }
    }

    fn mask(self) -> u64 {
        match self {
            Self::Bits32 => u64::from(u32::MAX),
            Self::Bits64 => u64::MAX,
        }
    }

    /// Returns the difference between two addresses, the short way round.
    #[inline(always)]
    fn difference(self, addr: u64, base: u64) -> u64 {
        let delta = addr.wrapping_sub(base);
        match self {
            Self::Bits64 => delta,
            #[expect(clippy::cast_possible_truncation, reason = "sums are modulo 2^32")]
            Self::Bits32 => i64::from((delta as u32).cast_signed()).cast_unsigned(),
        }
    }
}

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
    mask: u64,
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
                    mask: width.mask(),
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
            mask: block.mask,
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
    mask: u64,
    /// Where the next difference is.
    at: u32,
    is_short: bool,
}

impl Plain<'_> {
    #[inline(always)]
    fn next(&mut self, control: u8) -> Record {
        let control = &CONTROLS[usize::from(control)];
        let at = self.at as usize;
        let word = if let Some(&[a, b, c, d]) = self.data.get(at..at + MAX_DELTA_BYTES) {
            u32::from_le_bytes([a, b, c, d])
        } else {
            self.is_short = true;
            0
        };
        self.at = self.at.wrapping_add(control.bytes);
        let delta = u64::from(word & control.mask).wrapping_sub(control.bias);
        // Each base is the sum of what was added to it: nothing waits for a choice between them.
        let Bases { fetch, data } = self.bases;
        let base = data ^ (fetch ^ data) & control.fetch_mask;
        let of_fetch = delta & control.fetch_mask;
        self.bases = Bases {
            fetch: fetch
                .wrapping_add(of_fetch)
                .wrapping_add(control.fetch_size),
            data: data.wrapping_add(delta.wrapping_sub(of_fetch)),
        };
        let mut record = control.template;
        record.addr = base.wrapping_add(delta) & self.mask;
        record
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

/// Returns the code of a difference and the number that is stored for it; `None` if it needs more
/// than 32 bits.
#[inline(always)]
fn fold(delta: u64) -> Option<(u8, u32)> {
    let code = match delta.cast_signed() {
        0 => 0,
        -0x80..0x80 => 1,
        -0x8000..0x8000 => 2,
        -0x8000_0000..0x8000_0000 => 3,
        _ => return None,
    };
    let stored = delta.wrapping_add(DELTA_BIASES[usize::from(code)]);
    u32::try_from(stored).ok().map(|stored| (code, stored))
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    sink: W,
    width: Width,
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
            width: Width::Bits32,
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
        if record.addr > self.width.mask() {
            self.write_block();
        }
        if self.controls.is_empty() && self.events.is_empty() {
            self.width = Width::of(record.addr);
        }
        self.records += 1;
        let is_fetch = record.op == Op::Fetch;
        let base = self.bases.of(is_fetch);
        let delta = fold(self.width.difference(record.addr, base));
        let code = size_code(is_fetch, record.size_bytes);
        match (delta, code) {
            (Some((delta_code, delta)), Some(code)) if record.op.is_access() => {
                let control = delta_code | (record.op as u8) << OP_SHIFT | code << SIZE_SHIFT;
                self.controls.push(control);
                let bytes = DELTA_BYTES[usize::from(delta_code)] as usize;
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
            self.write_header(REGIONS, Width::Bits64, regions.len(), 0, data.len());
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
        self.write_header(END, Width::Bits64, 0, 0, size_of::<u64>());
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
        self.write_header(
            RECORDS,
            self.width,
            events,
            self.controls.len(),
            self.data.len(),
        );
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

    fn write_header(
        &mut self,
        kind: u8,
        width: Width,
        events: usize,
        accesses: usize,
        data_bytes: usize,
    ) {
        let [events_low, events_high, ..] = events.to_le_bytes();
        let [low, high, ..] = accesses.to_le_bytes();
        let [a, b, c, d] = word(data_bytes).to_le_bytes();
        let width = width as u8;
        self.write(&[
            kind,
            width,
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
