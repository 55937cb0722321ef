//! Addresses and page numbers, one type for each kind of number that can be confused.
//!
//! ```text
//!  31          22 21          12 11           0
//! +--------------+--------------+--------------+
//! |  directory   |    table     |    offset    |   a linear address in two-level paging
//! +--------------+--------------+--------------+
//! ```

use std::fmt;

/// The size of a small page and of a frame, in bytes.
pub const PAGE_SIZE: u32 = 1 << PAGE_SHIFT;
/// The number of address bits inside a small page.
pub const PAGE_SHIFT: u32 = 12;
/// Selects the offset of an address inside its small page.
pub(crate) const OFFSET_MASK: u32 = PAGE_SIZE - 1;
/// Entries of a two-level directory or table: 1024 words of 32 bits.
pub(crate) const ENTRIES_32: u32 = 1024;
/// Entries of a PAE directory or table: 512 words of 64 bits.
pub(crate) const ENTRIES_PAE: u32 = 512;
/// The widest physical address that is modelled, in bits: what PSE-36's entry format can name.
pub const MAX_PHYSICAL_BITS: u32 = 40;

/// A 32-bit linear address: what a program's effective address becomes after segmentation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinearAddr(u32);

impl LinearAddr {
    /// Returns the address with these bits; each 32-bit value is one.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns the address as a number.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the page that holds the addressed byte.
    #[inline(always)]
    pub const fn page(self) -> PageNumber {
        PageNumber(self.0 >> PAGE_SHIFT)
    }

    /// Returns the offset inside the small page, in bytes, 0 to 4095.
    #[inline(always)]
    pub const fn page_offset(self) -> u32 {
        self.0 & OFFSET_MASK
    }

    /// Returns bits 31:22, the index into a two-level page directory.
    #[inline(always)]
    pub const fn directory_index(self) -> u32 {
        self.0 >> 22
    }

    /// Returns bits 21:12, the index into a two-level page table.
    #[inline(always)]
    pub const fn table_index(self) -> u32 {
        self.0 >> PAGE_SHIFT & (ENTRIES_32 - 1)
    }

    /// Returns the address `len_bytes` further, or `None` past 4 GiB.
    pub const fn checked_add(self, len_bytes: u32) -> Option<Self> {
        match self.0.checked_add(len_bytes) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Returns the address `len_bytes` further, wrapping at 4 GiB as the processor does.
    #[inline]
    #[must_use]
    pub const fn wrapping_add(self, len_bytes: u32) -> Self {
        Self(self.0.wrapping_add(len_bytes))
    }
}

/// A physical address of at most [`MAX_PHYSICAL_BITS`] bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(u64);

impl PhysAddr {
    /// Returns the address with these bits, or `None` past 40 bits.
    pub const fn new(bits: u64) -> Option<Self> {
        if bits >> MAX_PHYSICAL_BITS == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Returns the address as a number.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the address of a number that was one's.
    #[inline(always)]
    pub(crate) const fn from_whole(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the frame that holds the addressed byte.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "40 bits less 12 fit in 32")]
    pub const fn frame(self) -> FrameNumber {
        FrameNumber((self.0 >> PAGE_SHIFT) as u32)
    }

    /// Returns the offset inside the frame, in bytes, 0 to 4095.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "masked to 12 bits")]
    pub const fn page_offset(self) -> u32 {
        self.0 as u32 & OFFSET_MASK
    }
}

/// The number of a 4 KiB page of linear memory, 0 to 0xFFFFF.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageNumber(u32);

impl PageNumber {
    /// The page at the top of linear memory.
    pub const LAST: Self = Self(u32::MAX >> PAGE_SHIFT);

    /// Returns the page with this number, or `None` past 20 bits.
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::LAST.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Returns the page that holds the byte at `addr`.
    pub const fn containing(addr: LinearAddr) -> Self {
        addr.page()
    }

    /// Returns the page as a number.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the address of the page's first byte.
    #[inline(always)]
    pub const fn start(self) -> LinearAddr {
        LinearAddr(self.0 << PAGE_SHIFT)
    }

    /// Returns the index into a two-level page table.
    #[inline(always)]
    pub(crate) const fn table_index(self) -> u32 {
        self.start().table_index()
    }

    /// Returns the page above this one, or `None` at the top of linear memory.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

/// The number of a 4 KiB frame of physical memory, at most 28 bits wide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(u32);

impl FrameNumber {
    /// Returns the frame with this number, or `None` past 28 bits (40-bit addresses).
    pub const fn new(number: u32) -> Option<Self> {
        if number >> (MAX_PHYSICAL_BITS - PAGE_SHIFT) == 0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Returns the frame as a number.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the physical address of the frame's first byte.
    #[inline(always)]
    pub const fn start(self) -> PhysAddr {
        PhysAddr((self.0 as u64) << PAGE_SHIFT)
    }

    /// Returns the physical address of the byte at `offset`, taken modulo the frame's 4096 bytes.
    #[inline(always)]
    pub const fn byte(self, offset: u32) -> PhysAddr {
        PhysAddr((self.0 as u64) << PAGE_SHIFT | (offset & OFFSET_MASK) as u64)
    }

    /// Returns the entry's address in a two-level directory or table held by this frame.
    #[inline(always)]
    pub(crate) const fn entry_32(self, index: u32) -> PhysAddr {
        self.byte((index & (ENTRIES_32 - 1)) * 4)
    }

    /// Returns the entry's address in a PAE directory or table held by this frame.
    #[inline(always)]
    pub(crate) const fn entry_pae(self, index: u32) -> PhysAddr {
        self.byte((index & (ENTRIES_PAE - 1)) * 8)
    }

    /// Returns the frame whose number is the low 28 bits of `number`.
    #[inline(always)]
    pub(crate) const fn truncate(number: u32) -> Self {
        Self(number & ((1 << (MAX_PHYSICAL_BITS - PAGE_SHIFT)) - 1))
    }
}

/// Prints addresses at the width a reader expects: `LinearAddr(0x00403123)`.
macro_rules! hex_debug {
    ($($name:ident $width:literal),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#0", $width, "x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:#0", $width, "x}"), self.0)
            }
        }
    )*};
}
hex_debug!(LinearAddr 10, PhysAddr 10, PageNumber 7, FrameNumber 7);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_splits_into_directory_table_and_offset() {
        let addr = LinearAddr::new(0x0040_3123);

        assert_eq!((addr.directory_index(), addr.table_index()), (1, 3));
        assert_eq!(addr.page_offset(), 0x123);
        assert_eq!(addr.page().start(), LinearAddr::new(0x0040_3000));
        assert_eq!(format!("{addr:?}"), "LinearAddr(0x00403123)");
    }

    #[test]
    fn constructors_refuse_what_does_not_fit() {
        assert_eq!(PageNumber::new(0x10_0000), None);
        assert_eq!(FrameNumber::new(0x1000_0000), None);
        assert_eq!(PhysAddr::new(1 << 40), None);
        assert_eq!(PageNumber::LAST.next(), None);
        assert_eq!(LinearAddr::new(u32::MAX).checked_add(1), None);
        assert_eq!(
            LinearAddr::new(u32::MAX).wrapping_add(1),
            LinearAddr::new(0)
        );
    }
}
