//! Plain accesses, packed into four bytes each.

use crate::record::{Op, Record};

pub(super) const PACKED_BYTES: usize = 4;
/// Bits 11:0: the offset of the address in its page.
pub(super) const PAGE_SHIFT: u32 = 12;
pub(super) const OFFSET_MASK: u64 = (1 << PAGE_SHIFT) - 1;
/// Bits 19:12: the number of the page in the block.
pub(super) const MAX_PAGES: usize = 256;
const PAGE_MASK: u32 = 0xFF << PAGE_SHIFT;
/// Bits 25:20: what of the record is not its address.
const KIND_SHIFT: u32 = 20;
const KINDS: u32 = 64;
/// Bits 25:22, in a kind: the code of the size. Bits 21:20 are the operation.
const SIZE_SHIFT: u32 = 2;
const OPS: [Op; 4] = [Op::Fetch, Op::Read, Op::Write, Op::Modify];
/// Sizes of fetches, and of accesses to data, by their code.
const FETCH_SIZES: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const DATA_SIZES: [u32; 16] = [1, 2, 4, 8, 16, 32, 64, 10, 6, 3, 14, 28, 94, 108, 512, 12];

/// An access whose page has a number and whose size has a code.
#[derive(Clone, Copy)]
pub(super) struct Packed(u32);

impl Packed {
    pub(super) fn from_bytes(bytes: [u8; PACKED_BYTES]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> [u8; PACKED_BYTES] {
        self.0.to_le_bytes()
    }

    /// Packs what is left of an access without its page: [`on`](Self::on) adds that. `None` if it is
    /// none, or of an unusual size.
    #[inline(always)]
    pub(super) fn of(record: &Record) -> Option<Self> {
        let code = match record.op {
            Op::Fetch => fetch_code(record.size_bytes),
            Op::Read | Op::Write | Op::Modify => data_code(record.size_bytes),
            Op::Site | Op::Invalidate | Op::LoadCr3 | Op::Flush => None,
        }?;
        let kind = code << SIZE_SHIFT | record.op as u32;
        let offset = (record.addr & OFFSET_MASK) as u32;
        Some(Self(kind << KIND_SHIFT | offset))
    }

    #[inline(always)]
    pub(super) fn on(self, page: u8) -> Self {
        Self(self.0 | u32::from(page) << PAGE_SHIFT)
    }

    /// Returns the number of its page.
    #[inline(always)]
    pub(super) fn page(self) -> u8 {
        (self.0 >> PAGE_SHIFT).to_le_bytes()[0]
    }

    /// Returns whether there is an access that a block with that many pages cannot hold.
    pub(super) fn is_any_bad(accesses: impl Iterator<Item = Self>, pages: usize) -> bool {
        let end = u32::try_from(pages).map_or(0, |pages| pages << PAGE_SHIFT);
        // No early exit: several are looked at at once.
        accesses.fold(0, |bad, Self(bits)| {
            bad | u32::from(bits & PAGE_MASK >= end) | bits >> KIND_SHIFT & !(KINDS - 1)
        }) != 0
    }

    /// Returns the record, without the size of its page.
    #[inline(always)]
    pub(super) fn record(self, pages: &[u64; MAX_PAGES]) -> Record {
        let mut record = RECORDS[(self.0 >> KIND_SHIFT) as usize % KINDS as usize];
        record.addr = pages[usize::from(self.page())] + (u64::from(self.0) & OFFSET_MASK);
        record
    }
}

/// Records at address 0, by their kinds.
const RECORDS: [Record; KINDS as usize] = {
    let mut records = [Record {
        addr: 0,
        size_bytes: 1,
        op: Op::Fetch,
        page_shift: 0,
    }; KINDS as usize];
    let mut kind = 0;
    while kind < records.len() {
        let code = kind >> SIZE_SHIFT;
        records[kind].op = OPS[kind % OPS.len()];
        records[kind].size_bytes = match records[kind].op {
            Op::Fetch => FETCH_SIZES[code],
            _ => DATA_SIZES[code],
        };
        kind += 1;
    }
    records
};

/// Returns the place of a size in [`FETCH_SIZES`].
#[inline(always)]
fn fetch_code(size_bytes: u32) -> Option<u32> {
    let code = size_bytes.wrapping_sub(1);
    ((code as usize) < FETCH_SIZES.len()).then_some(code)
}

/// Returns the place of a size in [`DATA_SIZES`].
#[inline(always)]
fn data_code(size_bytes: u32) -> Option<u32> {
    match size_bytes {
        1 => Some(0),
        2 => Some(1),
        4 => Some(2),
        8 => Some(3),
        other => {
            let found = (0..).zip(DATA_SIZES).find(|&(_, size)| size == other);
            found.map(|(code, _)| code)
        }
    }
}
