//! Writes recordings.

use std::io::{self, Write};

use crate::read::recorded::bases::{Bases, Width};
use crate::read::recorded::control::{DELTA_BYTES, OP_SHIFT, SIZE_SHIFT, fold, size_code};
use crate::read::recorded::{
    BLOCK, END, EVENT_BYTES, LARGE_PAGE, MAGIC, MAX_DELTA_BYTES, RECORDS, REGIONS,
};
use crate::record::{Op, Record, Region};

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
        let fetch_bytes = is_fetch.then_some(record.size_bytes);
        let base = self.bases.of(is_fetch);
        let delta = self.width.difference(record.addr, base, fetch_bytes);
        let delta = delta.and_then(fold);
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
            self.bases.note(self.width, fetch_bytes, record.addr);
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
