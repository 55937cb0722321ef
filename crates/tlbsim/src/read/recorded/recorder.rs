//! Writes recordings.

use std::io::{self, Write};

use crate::read::recorded::packed::{MAX_PAGES, OFFSET_MASK, PACKED_BYTES, PAGE_SHIFT, Packed};
use crate::read::recorded::{
    BLOCK, END, EVENT_BYTES, HEADER_BYTES, MAGIC, MAX_NAME_BYTES, NAMES, PAGE_SHIFTS, RECORDS,
    REGIONS,
};
use crate::record::{Op, Record, Region};

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    sink: W,
    pages: Pages,
    accesses: Vec<[u8; PACKED_BYTES]>,
    events: Vec<[u8; EVENT_BYTES]>,
    records: u64,
    /// The first error of the sink; nothing is written after it.
    error: Option<io::Error>,
}

/// The pages of a block.
#[derive(Debug)]
struct Pages {
    /// Their addresses, and in bits 5:0 the base-2 logarithms of their sizes where they are large.
    entries: Vec<u64>,
    /// Where pages are by low bits of their numbers. A page that another has displaced from here
    /// gets a second entry.
    places: [Place; MAX_PAGES],
    /// First addresses and sizes of large pages.
    large: Vec<(u64, u8)>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    page: u64,
    entry: u8,
}

/// No address of a page.
const NOWHERE: Place = Place {
    page: u64::MAX,
    entry: 0,
};

impl<W: Write> Recorder<W> {
    /// Begins a recording.
    pub fn new(sink: W) -> Self {
        let mut recorder = Self {
            sink,
            pages: Pages {
                entries: Vec::with_capacity(MAX_PAGES),
                places: [NOWHERE; MAX_PAGES],
                large: Vec::new(),
            },
            accesses: Vec::with_capacity(BLOCK),
            events: Vec::new(),
            records: 0,
            error: None,
        };
        recorder.write(&MAGIC);
        recorder
    }

    /// Records an access, or an event of the MMU.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        self.records += 1;
        let page = record.addr & !OFFSET_MASK;
        let Some(packed) = Packed::of(record) else {
            return self.event(record);
        };
        let entry = match self.pages.find(page) {
            Some(entry) if self.accesses.len() < BLOCK => entry,
            _ => self.make_room(page),
        };
        self.accesses.push(packed.on(entry).bytes());
    }

    /// Makes room for an access to a page, and returns the page's entry.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, page: u64) -> u8 {
        if self.accesses.len() == BLOCK || self.pages.entries.len() == MAX_PAGES {
            self.write_block();
        }
        let found = self.pages.find(page);
        found.unwrap_or_else(|| self.pages.add(page))
    }

    /// Notes that the address lies in a large page of 2^`shift` bytes, from here on.
    ///
    /// Pages of 4 KiB to 1 GiB can be noted; another shift is none of a page, and is ignored.
    pub fn large_page(&mut self, addr: u64, shift: u8) {
        if PAGE_SHIFTS.contains(&shift) {
            self.pages.large.push((addr >> shift << shift, shift));
            self.pages.forget_places();
        }
    }

    /// Names regions; can be done at any time.
    pub fn name(&mut self, regions: &[Region]) {
        for regions in regions.chunks(NAMES) {
            let mut data = Vec::new();
            for region in regions {
                data.extend_from_slice(&region.start.to_le_bytes());
                data.extend_from_slice(&region.len_bytes.to_le_bytes());
                let name = &region.name.as_bytes()[..region.name.len().min(MAX_NAME_BYTES)];
                data.extend_from_slice(&word(name.len()).to_le_bytes());
                data.extend_from_slice(name);
            }
            self.write_header(REGIONS, [regions.len(), 0, 0], data.len());
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
        self.write_header(END, [0; 3], size_of::<u64>());
        self.write(&self.records.to_le_bytes());
        if self.error.is_none() {
            self.error = self.sink.flush().err();
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.sink, self.records)),
        }
    }

    /// Puts what is no plain access between those before it and behind it.
    #[cold]
    #[inline(never)]
    fn event(&mut self, record: &Record) {
        if self.events.len() == BLOCK {
            self.write_block();
        }
        let shift = match record.op {
            Op::Site | Op::LoadCr3 | Op::Flush => 0,
            _ => self.pages.shift_of(record.addr),
        };
        let mut event = [0; EVENT_BYTES];
        event[..2].copy_from_slice(&self.accesses.len().to_le_bytes()[..2]);
        (event[2], event[3]) = (record.op as u8, shift);
        event[4..8].copy_from_slice(&record.size_bytes.to_le_bytes());
        event[8..].copy_from_slice(&record.addr.to_le_bytes());
        self.events.push(event);
    }

    fn write_block(&mut self) {
        if self.events.is_empty() && self.accesses.is_empty() {
            return;
        }
        let pages = self.pages.entries.len();
        self.write_header(RECORDS, [self.events.len(), self.accesses.len(), pages], 0);
        for page in &self.pages.entries {
            if self.error.is_none() {
                self.error = self.sink.write_all(&page.to_le_bytes()).err();
            }
        }
        for part in [self.accesses.as_flattened(), self.events.as_flattened()] {
            if self.error.is_none() {
                self.error = self.sink.write_all(part).err();
            }
        }
        self.pages.entries.clear();
        self.pages.forget_places();
        self.accesses.clear();
        self.events.clear();
    }

    fn write_header(&mut self, kind: u8, counts: [usize; 3], data_bytes: usize) {
        let mut header = [0; HEADER_BYTES];
        header[0] = kind;
        for (place, count) in header[2..].chunks_exact_mut(2).zip(counts) {
            place.copy_from_slice(&count.to_le_bytes()[..2]);
        }
        header[8..].copy_from_slice(&word(data_bytes).to_le_bytes());
        self.write(&header);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.sink.write_all(bytes).err();
        }
    }
}

impl Pages {
    /// Returns the entry of a page, if it is at its place.
    #[inline(always)]
    fn find(&self, page: u64) -> Option<u8> {
        let place = self.places[place_of(page)];
        (place.page == page).then_some(place.entry)
    }

    /// Adds a page; there must be room.
    fn add(&mut self, page: u64) -> u8 {
        let entry =
            u8::try_from(self.entries.len()).expect("a block of that many pages is written");
        self.entries.push(page | u64::from(self.shift_of(page)));
        self.places[place_of(page)] = Place { page, entry };
        entry
    }

    fn shift_of(&self, addr: u64) -> u8 {
        let mut large = self.large.iter().rev();
        let page = large.find(|&&(start, shift)| addr >> shift == start >> shift);
        page.map_or(0, |&(_, shift)| shift)
    }

    fn forget_places(&mut self) {
        self.places.fill(NOWHERE);
    }
}

#[inline(always)]
fn place_of(page: u64) -> usize {
    usize::from((page >> PAGE_SHIFT).to_le_bytes()[0])
}

/// Returns a length that the writer has made sure to be small.
fn word(len: usize) -> u32 {
    u32::try_from(len).expect("blocks are small")
}
