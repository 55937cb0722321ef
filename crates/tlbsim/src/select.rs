//! From records to look-ups: the conventions that change the numbers.

use thiserror::Error;

use crate::record::{Op, Record};

/// Which accesses are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Data accesses.
    #[default]
    Data,
    /// Instruction fetches.
    Instruction,
    /// Both, in one TLB.
    Unified,
}

impl Stream {
    /// Returns whether accesses of this kind belong to the stream.
    #[inline(always)]
    pub fn takes(self, op: Op) -> bool {
        match self {
            Self::Data => op.is_access() && op != Op::Fetch,
            Self::Instruction => op == Op::Fetch,
            Self::Unified => op.is_access(),
        }
    }
}

/// What an access does that touches more than one page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Straddle {
    /// One look-up, of the page of its first byte.
    FirstPage,
    /// One look-up for each page, as the processor does.
    #[default]
    EachPage,
}

/// How a read and write of the same operand counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Modify {
    /// One look-up.
    #[default]
    Once,
    /// Two look-ups, a read and a write. Accesses differ, misses do not.
    Twice,
}

/// The conventions by which records become look-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conventions {
    /// Which accesses are looked up.
    pub stream: Stream,
    /// What an access does that touches more than one page.
    pub straddle: Straddle,
    /// How a read and write of the same operand counts.
    pub modify: Modify,
    /// The size of pages, where the trace does not tell.
    pub page_size: PageShift,
}

/// The size of a page as a power of two: 4 KiB to 1 GiB. Or one byte, for traces of page numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageShift(u8);

/// A page size that no TLB has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("pages are of 2^12 (4 KiB) to 2^30 (1 GiB) bytes, not of 2^{0}")]
pub struct PageShiftError(pub u32);

impl PageShift {
    /// Addresses are page numbers already.
    pub const NUMBERS: Self = Self(0);
    /// 4 KiB.
    pub const KIB4: Self = Self(12);
    /// 2 MiB.
    pub const MIB2: Self = Self(21);
    /// 4 MiB.
    pub const MIB4: Self = Self(22);

    /// Returns pages of 2^`bits` bytes.
    ///
    /// # Errors
    ///
    /// [`PageShiftError`] outside of 12 to 30.
    pub fn new(bits: u32) -> Result<Self, PageShiftError> {
        match u8::try_from(bits) {
            Ok(small @ 12..=30) => Ok(Self(small)),
            _ => Err(PageShiftError(bits)),
        }
    }

    /// Returns the base-2 logarithm of the size in bytes.
    #[inline(always)]
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }
}

impl Default for PageShift {
    fn default() -> Self {
        Self::KIB4
    }
}

impl Conventions {
    /// Calls `look_up` with the page number of every look-up that a record makes, all pages being
    /// of the size of the conventions.
    #[inline(always)]
    pub fn look_ups(&self, record: &Record, mut look_up: impl FnMut(u64)) {
        if !self.stream.takes(record.op) {
            return;
        }
        let PageShift(shift) = self.page_size;
        self.each_page(record, shift, |addr| look_up(addr >> shift));
    }

    /// Calls `look_up` with an address on each page of 2^`shift` bytes that an access looks up, as
    /// often as it does. An access at the end of the address space goes on at its beginning.
    #[inline(always)]
    pub(crate) fn each_page(self, record: &Record, shift: u8, mut look_up: impl FnMut(u64)) {
        let last = self.last_byte(record) >> shift;
        let mut addr = record.addr;
        loop {
            (0..self.times(record.op)).for_each(|_| look_up(addr));
            if addr >> shift == last {
                return;
            }
            addr = (addr >> shift).wrapping_add(1) << shift;
        }
    }

    /// Returns how many look-ups an access makes on each page.
    #[inline(always)]
    pub fn times(&self, op: Op) -> u32 {
        match (op, self.modify) {
            (Op::Modify, Modify::Twice) => 2,
            _ => 1,
        }
    }

    /// Returns the last address whose page an access looks up.
    #[inline(always)]
    pub fn last_byte(&self, record: &Record) -> u64 {
        match self.straddle {
            Straddle::FirstPage => record.addr,
            Straddle::EachPage => {
                let more = record.size_bytes.saturating_sub(1);
                record.addr.wrapping_add(u64::from(more))
            }
        }
    }

    /// Returns the page numbers of all look-ups; `None` if one needs more than 32 bits.
    pub fn narrow_pages(&self, records: &[Record]) -> Option<Vec<u32>> {
        let mut pages = Vec::with_capacity(records.len());
        let mut fits = true;
        for record in records {
            self.look_ups(record, |page| match u32::try_from(page) {
                Ok(page) if page != u32::MAX => pages.push(page),
                _ => fits = false,
            });
        }
        fits.then_some(pages)
    }

    /// Appends the page numbers of all look-ups.
    pub fn wide_pages(&self, records: &[Record], pages: &mut Vec<u64>) {
        for record in records {
            self.look_ups(record, |page| pages.push(page));
        }
    }
}
