//! A translation in one word.

use crate::addr::{FrameNumber, MAX_PHYSICAL_BITS, OFFSET_MASK, PageNumber, PhysAddr};
use crate::entry::{PageSize, Pte, PteFlags, Rights};
use crate::fault::AccessKind;
use crate::walk::Leaf;

/// A page that a walk has found or the TLB holds, in one word: it travels in a register, where a
/// structure of small fields would go through memory in pieces.
///
/// ```text
///  63    62 61  60        39    12 11          0
/// +--------+------+------+--------+-------------+
/// | mapped | size |  0   | frame  | attributes  |
/// +--------+------+------+--------+-------------+
/// ```
///
/// The low half lies as in an entry. The attributes are the [`Rights`] and, at their places in a
/// page-table entry, PAT, PCD and PWT, and A if the entries of all levels have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed(u64);

/// Returns what an access sets in the entry that maps the page.
#[inline(always)]
pub(crate) fn marks_of(kind: AccessKind) -> PteFlags {
    match kind {
        AccessKind::Write => PteFlags::ACCESSED | PteFlags::DIRTY,
        AccessKind::Read | AccessKind::Fetch => PteFlags::ACCESSED,
    }
}

const ATTRIBUTES_MASK: u64 = OFFSET_MASK as u64;
const FRAME_MASK: u64 = ((1 << MAX_PHYSICAL_BITS) - 1) & !ATTRIBUTES_MASK;
const SIZE_SHIFT: u32 = 60;
const MAPPED_SHIFT: u32 = 62;
const SIZE_MASK: u64 = 0b11;

impl Packed {
    /// Returns a page of this size. `kept` are the flags of the leaf that nothing else decides:
    /// D, G, PAT, PCD and PWT.
    #[inline(always)]
    pub(crate) fn new(frame: FrameNumber, size: PageSize, rights: Rights, kept: PteFlags) -> Self {
        let size = size as u64;
        Self(
            frame.start().bits()
                | u64::from(rights.bits())
                | u64::from(kept.bits())
                | size << SIZE_SHIFT
                | size << MAPPED_SHIFT,
        )
    }

    /// Returns the small page of a page-table entry of 32 bits, less what `kept` masks out, with
    /// these rights and marks of all levels.
    #[inline(always)]
    pub(crate) fn small(pte: Pte, kept: u32, combined: u32) -> Self {
        Self(u64::from(pte.bits() & kept | combined))
    }

    /// Returns the translation of a word that was one.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the word.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Returns the frame: of the addressed page, or of the first page in what the TLB holds.
    #[inline(always)]
    pub(crate) fn frame(self) -> FrameNumber {
        PhysAddr::from_whole(self.0 & FRAME_MASK).frame()
    }

    /// Returns the rights.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the attributes are the low 12 bits"
    )]
    pub(crate) fn rights(self) -> Rights {
        Rights::from_bits_truncate(self.0 as u16)
    }

    /// Returns the rights with whatever else is in the lowest bits left between them: for a test,
    /// which looks at the rights that it asks for.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the attributes are the low 12 bits"
    )]
    pub(crate) fn attributes(self) -> Rights {
        Rights::from_bits_retain(self.0 as u16)
    }

    /// Returns how much may be, or is, held: no more than [`Self::mapped`].
    #[inline(always)]
    pub(crate) fn size(self) -> PageSize {
        size_of(self.0 >> SIZE_SHIFT)
    }

    /// Returns whether the tables map a large page.
    #[inline(always)]
    pub(crate) fn is_large(self) -> bool {
        self.0 >> MAPPED_SHIFT & SIZE_MASK != 0
    }

    /// Returns the size of the page in the tables.
    #[inline(always)]
    pub(crate) fn mapped(self) -> PageSize {
        size_of(self.0 >> MAPPED_SHIFT)
    }

    /// Returns PAT, PCD and PWT as an index into the PAT, 0 to 7.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the attributes are the low 12 bits"
    )]
    pub(crate) fn memory_type(self) -> u8 {
        let flags = PteFlags::from_bits_truncate(self.0 as u32);
        u8::from(flags.contains(PteFlags::PAT)) << 2
            | u8::from(flags.contains(PteFlags::CACHE_DISABLE)) << 1
            | u8::from(flags.contains(PteFlags::WRITE_THROUGH))
    }

    /// Returns the translation after an access of this kind: A is set, and by a write D.
    #[inline(always)]
    pub(crate) fn after(self, kind: AccessKind) -> Self {
        Self(self.0 | u64::from(marks_of(kind).bits()))
    }

    /// Returns what is held for the page's surroundings of this size: their first frame.
    #[inline(always)]
    pub(crate) fn held_as(self, page: PageNumber, size: PageSize) -> Self {
        let within = page.bits() & (size.small_pages() - 1);
        let first = FrameNumber::truncate(self.frame().bits().wrapping_sub(within));
        let size_bits = SIZE_MASK << SIZE_SHIFT;
        Self(self.with_frame(first).0 & !size_bits | (size as u64) << SIZE_SHIFT)
    }

    /// Returns the translation of the page, from what is held for its surroundings.
    #[inline(always)]
    pub(crate) fn of_page(self, page: PageNumber, size: PageSize) -> Self {
        let within = page.bits() & (size.small_pages() - 1);
        self.with_frame(FrameNumber::truncate(self.frame().bits() + within))
    }

    /// Returns the leaf as others see it.
    pub(crate) fn leaf(self) -> Leaf {
        Leaf {
            frame: self.frame(),
            size: self.mapped(),
            rights: self.rights(),
            memory_type: self.memory_type(),
        }
    }

    #[inline(always)]
    fn with_frame(self, frame: FrameNumber) -> Self {
        Self(self.0 & !FRAME_MASK | frame.start().bits())
    }
}

#[inline(always)]
fn size_of(bits: u64) -> PageSize {
    match bits & SIZE_MASK {
        0 => PageSize::Small,
        1 => PageSize::Mib2,
        _ => PageSize::Mib4,
    }
}

const _: () = assert!(
    PageSize::Small as u64 == 0 && PageSize::Mib2 as u64 == 1 && PageSize::Mib4 as u64 == 2,
    "the sizes are packed by their numbers"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_large_page_is_held_and_found_again() {
        let page = PageNumber::new(0x401).unwrap();
        let frame = FrameNumber::new(0x0ABC_D401).unwrap();
        let rights = Rights::USER | Rights::DIRTY;
        let large = Packed::new(
            frame,
            PageSize::Mib4,
            rights,
            PteFlags::PAT | PteFlags::WRITE_THROUGH,
        );

        let held = large.held_as(page, PageSize::Mib4);
        let piece = large.held_as(page, PageSize::Small);

        assert_eq!(held.frame(), FrameNumber::new(0x0ABC_D400).unwrap());
        assert_eq!(held.of_page(page, PageSize::Mib4), large);
        assert_eq!((piece.frame(), piece.size()), (frame, PageSize::Small));
        assert_eq!(
            (piece.mapped(), piece.leaf().rights),
            (PageSize::Mib4, rights)
        );
        assert_eq!(piece.memory_type(), 5);
    }
}
