//! Page-table entries as values.
//!
//! An entry is `Copy`; its edits are pure, and storing one is a separate, visible step
//! ([`crate::tables`]). The layouts are those of SDM Vol. 3A, "Paging-Structure Entries" of 32-bit
//! and of PAE paging. The low 12 bits mean the same in both.

use bitflags::bitflags;

use crate::addr::{FrameNumber, PAGE_SHIFT};

/// Selects the frame bits of a 32-bit entry that maps a small page or names a table.
pub(crate) const FRAME_MASK: u32 = 0xFFFF_F000;
/// Selects the frame bits of a PAE entry, up to the architecture's 52 bits.
const PAE_FRAME_MASK: u64 = 0x000F_FFFF_FFFF_F000;
/// XD, bit 63 of a PAE entry.
const NO_EXECUTE: u64 = 1 << 63;

bitflags! {
    /// The flag bits of a page-table entry that maps a 4 KiB page.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct PteFlags: u32 {
        /// P: the entry maps a page. With P clear, the other bits belong to software.
        const PRESENT = 1 << 0;
        /// R/W: writes are allowed, as far as the directory entry agrees.
        const WRITABLE = 1 << 1;
        /// U/S: accesses at CPL 3 are allowed, as far as the directory entry agrees.
        const USER = 1 << 2;
        /// PWT: bit 0 of the memory type's PAT index.
        const WRITE_THROUGH = 1 << 3;
        /// PCD: bit 1 of the memory type's PAT index.
        const CACHE_DISABLE = 1 << 4;
        /// A: the processor has used the entry.
        const ACCESSED = 1 << 5;
        /// D: the processor has written to the page.
        const DIRTY = 1 << 6;
        /// PAT: bit 2 of the memory type's PAT index.
        const PAT = 1 << 7;
        /// G: with CR4.PGE=1, the translation survives a load of CR3.
        const GLOBAL = 1 << 8;
        /// Bit 9, left to software.
        const SOFTWARE_9 = 1 << 9;
        /// Bit 10, left to software.
        const SOFTWARE_10 = 1 << 10;
        /// Bit 11, left to software.
        const SOFTWARE_11 = 1 << 11;
    }
}

bitflags! {
    /// The flag bits of a page-directory entry.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct PdeFlags: u32 {
        /// P: the entry names a table or maps a large page.
        const PRESENT = 1 << 0;
        /// R/W: writes are allowed below this entry, as far as the table entries agree.
        const WRITABLE = 1 << 1;
        /// U/S: accesses at CPL 3 are allowed below this entry, as far as the table entries agree.
        const USER = 1 << 2;
        /// PWT: of the table, or bit 0 of the large page's PAT index.
        const WRITE_THROUGH = 1 << 3;
        /// PCD: of the table, or bit 1 of the large page's PAT index.
        const CACHE_DISABLE = 1 << 4;
        /// A: the processor has used the entry.
        const ACCESSED = 1 << 5;
        /// D: the processor has written to the large page; ignored where the entry names a table.
        const DIRTY = 1 << 6;
        /// PS: the entry maps a large page. In two-level paging only with CR4.PSE=1.
        const LARGE = 1 << 7;
        /// G: of a large page; ignored where the entry names a table.
        const GLOBAL = 1 << 8;
        /// Bit 9, left to software.
        const SOFTWARE_9 = 1 << 9;
        /// Bit 10, left to software.
        const SOFTWARE_10 = 1 << 10;
        /// Bit 11, left to software.
        const SOFTWARE_11 = 1 << 11;
    }
}

const _: () = assert!(
    PteFlags::all().bits() & FRAME_MASK == 0,
    "a flag overlaps the frame"
);
const _: () = assert!(
    PdeFlags::all().bits() & FRAME_MASK == 0,
    "a flag overlaps the frame"
);

bitflags! {
    /// What a translation allows: the entries of all levels combined.
    ///
    /// The bits lie as they do in the low 12 of an entry; XD has one that software may use there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Rights: u16 {
        /// R/W is set in every entry.
        const WRITABLE = 1 << 1;
        /// U/S is set in every entry: a user-mode page.
        const USER = 1 << 2;
        /// D is set in the leaf.
        const DIRTY = 1 << 6;
        /// G is set in the leaf, and CR4.PGE=1.
        const GLOBAL = 1 << 8;
        /// XD is set in one entry (PAE with EFER.NXE=1 only).
        const NO_EXECUTE = 1 << 9;
    }
}

/// The sizes of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageSize {
    /// 4 KiB, mapped by a page-table entry.
    Small,
    /// 2 MiB, mapped by a PAE directory entry.
    Mib2,
    /// 4 MiB, mapped by a two-level directory entry.
    Mib4,
}

impl PageSize {
    /// Every size, smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Mib2, Self::Mib4];

    /// Returns how many address bits select a byte of the page.
    #[inline]
    pub const fn shift(self) -> u32 {
        match self {
            Self::Small => PAGE_SHIFT,
            Self::Mib2 => 21,
            Self::Mib4 => 22,
        }
    }

    /// Returns how many 4 KiB pages it spans: 1, 512 or 1024.
    #[inline]
    pub const fn small_pages(self) -> u32 {
        1 << (self.shift() - PAGE_SHIFT)
    }
}

/// Whether instructions may be fetched from a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Execute {
    /// Fetches are allowed. In two-level paging there is nothing else.
    Allowed,
    /// Fetches are refused: XD, which PAE paging has with EFER.NXE=1.
    Never,
}

/// A 32-bit page-table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pte(u32);

impl Pte {
    /// Returns the entry with these bits; each 32-bit value is one.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns the entry as it stands in memory.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the flag bits.
    pub const fn flags(self) -> PteFlags {
        PteFlags::from_bits_truncate(self.0)
    }

    /// Returns the frame that the entry maps, or `None` with P=0.
    pub fn frame(self) -> Option<FrameNumber> {
        self.flags()
            .contains(PteFlags::PRESENT)
            .then(|| FrameNumber::truncate(self.0 >> PAGE_SHIFT))
    }
}

/// A 32-bit page-directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pde(u32);

/// Bit 21 of an entry that maps a 4 MiB page: always reserved.
const LARGE_RESERVED_21: u32 = 1 << 21;
/// Where the physical address bits 39:32 of a 4 MiB page stand in its entry: bits 20:13 (PSE-36).
const PSE36_SHIFT: u32 = 13;
const PSE36_MASK: u32 = 0xFF;

impl Pde {
    /// Returns the entry with these bits; each 32-bit value is one.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns the entry as it stands in memory.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the flag bits.
    pub const fn flags(self) -> PdeFlags {
        PdeFlags::from_bits_truncate(self.0)
    }

    /// Returns the frame of the table that the entry names, or `None` with P=0.
    ///
    /// Meaningful where the entry does not map a large page.
    pub fn table(self) -> Option<FrameNumber> {
        self.flags()
            .contains(PdeFlags::PRESENT)
            .then(|| FrameNumber::truncate(self.0 >> PAGE_SHIFT))
    }

    /// Returns whether the entry, if it is present, maps a 4 MiB page.
    #[inline(always)]
    pub(crate) fn is_large(self, large: LargePages) -> bool {
        self.0 & large as u32 != 0
    }

    /// Returns the first frame of the 4 MiB page that the entry maps.
    pub(crate) fn large_frame(self) -> FrameNumber {
        let high = (self.0 >> PSE36_SHIFT & PSE36_MASK) << (u32::BITS - PAGE_SHIFT);
        let low = self.0 >> PageSize::Mib4.shift() << (PageSize::Mib4.shift() - PAGE_SHIFT);
        FrameNumber::truncate(high | low)
    }

    /// Returns whether a bit is set that an entry for a 4 MiB page reserves.
    pub(crate) fn large_has_reserved(self, physical_bits: u32) -> bool {
        let past_32 = physical_bits.saturating_sub(u32::BITS);
        let too_wide = (self.0 >> PSE36_SHIFT & PSE36_MASK) >> past_32 != 0;
        too_wide || self.0 & LARGE_RESERVED_21 != 0
    }
}

/// A 64-bit entry of a PAE directory or table. The low 12 bits are those of [`Pde`] and [`Pte`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaeEntry(u64);

/// Bits 20:13 of a PAE directory entry that maps a 2 MiB page: reserved.
const PAE_LARGE_RESERVED: u64 = 0x001F_E000;
/// The lowest bit of a PAE entry that no physical address reaches on any model: 62:MAXPHYADDR.
const PAE_RESERVED_TOP: u64 = !(NO_EXECUTE);

impl PaeEntry {
    /// Returns the entry with these bits; each 64-bit value is one.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the entry as it stands in memory.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the flags of an entry that maps a 4 KiB page.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the flags are the low 12 bits"
    )]
    pub const fn pte_flags(self) -> PteFlags {
        PteFlags::from_bits_truncate(self.0 as u32)
    }

    /// Returns the flags of a directory entry.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the flags are the low 12 bits"
    )]
    pub const fn pde_flags(self) -> PdeFlags {
        PdeFlags::from_bits_truncate(self.0 as u32)
    }

    /// Returns XD, the right to fetch; it counts with EFER.NXE=1.
    pub const fn execute(self) -> Execute {
        if self.0 & NO_EXECUTE == 0 {
            Execute::Allowed
        } else {
            Execute::Never
        }
    }

    /// Returns the frame that the entry maps or names.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "truncated to the modelled 28 bits"
    )]
    pub(crate) fn frame(self) -> FrameNumber {
        FrameNumber::truncate(((self.0 & PAE_FRAME_MASK) >> PAGE_SHIFT) as u32)
    }

    /// Returns the first frame of the 2 MiB page that the entry maps.
    pub(crate) fn large_frame(self) -> FrameNumber {
        FrameNumber::truncate(self.frame().bits() & !(PageSize::Mib2.small_pages() - 1))
    }

    /// Returns whether a bit is set that every PAE entry reserves.
    pub(crate) fn has_reserved(self, physical_bits: u32, no_execute: NoExecute) -> bool {
        let too_wide = (self.0 & PAE_RESERVED_TOP) >> physical_bits != 0;
        too_wide || no_execute == NoExecute::Reserved && self.0 & NO_EXECUTE != 0
    }

    /// Returns whether a bit is set that an entry for a 2 MiB page reserves beyond those.
    pub(crate) fn large_has_reserved(self) -> bool {
        self.0 & PAE_LARGE_RESERVED != 0
    }
}

/// What PS=1 in a two-level directory entry means: CR4.PSE decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum LargePages {
    /// CR4.PSE=0: nothing.
    Ignored = 0,
    /// CR4.PSE=1: a large page. The value is the bit that says so.
    Enabled = PdeFlags::LARGE.bits(),
}

/// What bit 63 of a PAE entry is: EFER.NXE decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoExecute {
    /// EFER.NXE=0: reserved.
    Reserved,
    /// EFER.NXE=1: XD.
    Enabled,
}

/// A page-directory-pointer-table entry, as MOV CR3 loads it into a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Pdpte(u64);

/// P of a PDPTE.
const PDPTE_PRESENT: u64 = 1 << 0;
/// Bits 2:1 and 8:5, which a present PDPTE reserves.
const PDPTE_RESERVED: u64 = 0x1E6;

impl Pdpte {
    /// Returns the entry with these bits; each 64-bit value is one.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the entry as it stands in memory.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the frame of the directory that the entry names, or `None` with P=0.
    pub fn directory(self) -> Option<FrameNumber> {
        (self.0 & PDPTE_PRESENT != 0).then(|| PaeEntry(self.0).frame())
    }

    /// Returns whether a load of this entry is refused: present, with a reserved bit set.
    pub(crate) fn is_refused(self, physical_bits: u32) -> bool {
        let reserved = self.0 & PDPTE_RESERVED != 0 || self.0 >> physical_bits != 0;
        self.0 & PDPTE_PRESENT != 0 && reserved
    }
}

/// An entry with P=0, whose other 31 bits have a meaning that software gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SoftwareEntry(u32);

impl SoftwareEntry {
    /// The entry of a page of which nothing has been said.
    pub const EMPTY: Self = Self(0);

    /// Returns the entry with these bits, or `None` if bit 0, the P flag, is set.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits & PteFlags::PRESENT.bits() == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Returns the entry as it stands in memory.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// An entry that maps a page, in the form that both paging modes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageEntry {
    /// The frame; of a large page, the first one.
    pub frame: FrameNumber,
    /// The flags. P is implied: it is set when stored and when read. PAT is bit 7 of a small
    /// page's entry and bit 12 of a large page's.
    pub flags: PteFlags,
    /// Whether instructions may be fetched; `Never` needs PAE.
    pub execute: Execute,
}

/// PAT of an entry that maps a large page.
const LARGE_PAT: u32 = 1 << 12;

impl PageEntry {
    /// Returns the entry with these flags set.
    #[must_use]
    pub fn with(self, flags: PteFlags) -> Self {
        Self {
            flags: self.flags | flags,
            ..self
        }
    }

    /// Returns the entry with these flags clear.
    #[must_use]
    pub fn without(self, flags: PteFlags) -> Self {
        Self {
            flags: self.flags - flags,
            ..self
        }
    }

    pub(crate) fn small_flags(self) -> u32 {
        (self.flags | PteFlags::PRESENT).bits()
    }

    pub(crate) fn large_flags(self) -> u32 {
        let pat = if self.flags.contains(PteFlags::PAT) {
            LARGE_PAT
        } else {
            0
        };
        let flags = (self.flags | PteFlags::PRESENT) - PteFlags::PAT;
        flags.bits() | pat | PdeFlags::LARGE.bits()
    }

    pub(crate) fn to_pte(self) -> u32 {
        self.frame.bits() << PAGE_SHIFT | self.small_flags()
    }

    pub(crate) fn to_pde(self) -> u32 {
        let high = self.frame.bits() >> (u32::BITS - PAGE_SHIFT) << PSE36_SHIFT;
        self.frame.bits() << PAGE_SHIFT | high | self.large_flags()
    }

    pub(crate) fn to_pae(self, flags: u32) -> u64 {
        let no_execute = if self.execute == Execute::Never {
            NO_EXECUTE
        } else {
            0
        };
        self.frame.start().bits() | u64::from(flags) | no_execute
    }

    pub(crate) fn from_pte(pte: Pte) -> Self {
        let frame = FrameNumber::truncate(pte.0 >> PAGE_SHIFT);
        Self {
            frame,
            flags: pte.flags(),
            execute: Execute::Allowed,
        }
    }

    pub(crate) fn from_pde(pde: Pde) -> Self {
        let flags = large_page_flags(pde.0);
        Self {
            frame: pde.large_frame(),
            flags,
            execute: Execute::Allowed,
        }
    }

    pub(crate) fn from_pae(entry: PaeEntry) -> Self {
        Self {
            frame: entry.frame(),
            flags: entry.pte_flags(),
            execute: entry.execute(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the flags are the low 13 bits"
    )]
    pub(crate) fn from_pae_large(entry: PaeEntry) -> Self {
        let flags = large_page_flags(entry.0 as u32);
        Self {
            frame: entry.large_frame(),
            flags,
            execute: entry.execute(),
        }
    }
}

/// Returns a large page's flags with PAT where a small page has it.
fn large_page_flags(bits: u32) -> PteFlags {
    let mut flags = PteFlags::from_bits_truncate(bits);
    flags.set(PteFlags::PAT, bits & LARGE_PAT != 0);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pte_maps_its_frame_only_when_present() {
        let pte = Pte::from_bits(0x0012_3005);

        assert_eq!(pte.frame(), FrameNumber::new(0x123));
        assert_eq!(pte.flags(), PteFlags::PRESENT | PteFlags::USER);
        assert_eq!(Pte::from_bits(0x0012_3004).frame(), None);
    }

    #[test]
    fn pse_36_takes_the_high_address_bits_from_bits_20_to_13() {
        let pde = Pde::from_bits(0x00C0_0083 | 0b101 << 13);

        assert_eq!(pde.large_frame(), FrameNumber::truncate(0x0050_0C00));
        assert!(!pde.large_has_reserved(40));
        assert!(pde.large_has_reserved(34));
        assert!(Pde::from_bits(0x0020_0083).large_has_reserved(40));
    }

    #[test]
    fn a_large_page_entry_survives_the_way_through_memory() {
        let flags = PteFlags::PRESENT | PteFlags::WRITABLE | PteFlags::PAT | PteFlags::GLOBAL;
        let frame = FrameNumber::new(0x0050_0C00).unwrap();
        let entry = PageEntry {
            frame,
            flags,
            execute: Execute::Allowed,
        };

        assert_eq!(entry.to_pde(), 0x00C0_0000 | 0b101 << 13 | 0x1183);
        let read = PageEntry::from_pde(Pde::from_bits(entry.to_pde()));
        assert_eq!(read.without(PteFlags::from_bits_retain(0x80)).frame, frame);
        assert_eq!(read, entry);
    }

    #[test]
    fn pdptes_reserve_bits_only_when_present() {
        for bit in [1, 2, 5, 6, 7, 8, 40, 63] {
            assert!(
                Pdpte::from_bits(0x1001 | 1 << bit).is_refused(40),
                "bit {bit}"
            );
            assert!(
                !Pdpte::from_bits(0x1000 | 1 << bit).is_refused(40),
                "bit {bit}"
            );
        }
        for bit in [3, 4, 9, 10, 11, 39] {
            assert!(
                !Pdpte::from_bits(0x1001 | 1 << bit).is_refused(40),
                "bit {bit}"
            );
        }
    }
}
