//! What an entry with P=0 means: its other 31 bits belong to software.
//!
//! ```text
//!  31                            9 8              4 3      1 0
//! +-------------------------------+----------------+--------+---+
//! |            payload            |   protection   |  kind  | 0 |
//! +-------------------------------+----------------+--------+---+
//! ```
//!
//! | kind | meaning | payload |
//! | ---: | --- | --- |
//! | 0 | ask the region (the whole word is zero) | 0 |
//! | 1 | demand zero: committed, never touched | 0 |
//! | 2 | in the paging file | slot number |
//! | 3 | transition: not mapped, contents still in a frame | frame number |
//! | 4 | prototype: the section knows where the contents are | 0 |
//! | 5 | decommitted, in a region that was committed as a whole | 0 |
//! | 6 | discarded: demand zero, after `MEM_RESET` let the contents go | 0 |
//!
//! The protection field holds the rights (bits 6:4, numbered as in [`Rights`](crate::Rights)) and
//! the modifier (bits 8:7: none, no-cache, guard, write-combine). A guard page or a page without
//! access that has contents in a frame is a transition entry, so that each touch of it faults. The
//! same 32 bits stand in the low half of a PAE entry; its high half is zero.

use pagefault_mmu::{FrameNumber, SoftwareEntry};

use crate::protection::{FIELD_BITS, Protection};

const KIND_SHIFT: u32 = 1;
const KIND_MASK: u32 = 0b111;
const PROTECTION_SHIFT: u32 = 4;
const PROTECTION_MASK: u32 = (1 << FIELD_BITS) - 1;
/// Below this bit an entry says what a page is; above it, where its contents are.
pub(crate) const PAYLOAD_SHIFT: u32 = PROTECTION_SHIFT + FIELD_BITS;
/// How many bits name a paging-file slot or a frame.
const PAYLOAD_BITS: u32 = u32::BITS - PAYLOAD_SHIFT;

const _: () = assert!(PAYLOAD_BITS >= 20, "a payload names each frame of 4 GiB");

/// The number of a page-sized slot of the paging file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// How many slots an entry can tell apart.
    pub const LIMIT: u32 = 1 << PAYLOAD_BITS;

    /// Returns the slot with this number, or `None` past [`Slot::LIMIT`].
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::LIMIT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Returns the slot as a number.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// The meaning of an entry that is not present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SoftwarePte {
    /// The entry says nothing of its own: the region's commitment and protection hold.
    AskRegion,
    /// Committed; the first touch gets a frame of zeros.
    DemandZero(Protection),
    /// Committed; the contents are in the paging file.
    PagingFile(Slot, Protection),
    /// Committed; the contents are in a frame that this entry does not map.
    Transition(FrameNumber, Protection),
    /// A page of a view; the section says where the contents are.
    Prototype(Protection),
    /// Reserved again, though the region was committed as a whole.
    Decommitted,
    /// Committed; the contents were given up after `MEM_RESET`, and the next touch finds zeros.
    Discarded(Protection),
}

/// The number in the kind field.
#[repr(u32)]
enum Kind {
    AskRegion = 0,
    DemandZero = 1,
    PagingFile = 2,
    Transition = 3,
    Prototype = 4,
    Decommitted = 5,
    Discarded = 6,
}

impl SoftwarePte {
    /// Returns the entry's word, bit 0 clear.
    pub const fn bits(self) -> u32 {
        let (kind, protection, payload) = match self {
            Self::AskRegion => (Kind::AskRegion, 0, 0),
            Self::DemandZero(protection) => (Kind::DemandZero, protection.to_field(), 0),
            Self::PagingFile(slot, protection) => (Kind::PagingFile, protection.to_field(), slot.0),
            Self::Transition(frame, protection) => {
                (Kind::Transition, protection.to_field(), frame.bits())
            }
            Self::Prototype(protection) => (Kind::Prototype, protection.to_field(), 0),
            Self::Decommitted => (Kind::Decommitted, 0, 0),
            Self::Discarded(protection) => (Kind::Discarded, protection.to_field(), 0),
        };
        (kind as u32) << KIND_SHIFT | protection << PROTECTION_SHIFT | payload << PAYLOAD_SHIFT
    }

    /// Returns the meaning of a word with bit 0 clear.
    ///
    /// A kind that this crate never writes is read as [`Self::AskRegion`]: page tables lie in guest
    /// RAM, where a bare-metal program or a debugger may have written anything.
    pub const fn from_bits(bits: u32) -> Self {
        let protection = Protection::from_field(bits >> PROTECTION_SHIFT & PROTECTION_MASK);
        let payload = bits >> PAYLOAD_SHIFT;
        match (bits >> KIND_SHIFT & KIND_MASK, FrameNumber::new(payload)) {
            (1, _) => Self::DemandZero(protection),
            (2, _) => Self::PagingFile(Slot(payload), protection),
            (3, Some(frame)) => Self::Transition(frame, protection),
            (4, _) => Self::Prototype(protection),
            (5, _) => Self::Decommitted,
            (6, _) => Self::Discarded(protection),
            _ => Self::AskRegion,
        }
    }

    /// Returns whether nothing has to be given back when the entry is overwritten.
    pub(crate) const fn is_empty(self) -> bool {
        match self {
            Self::AskRegion | Self::DemandZero(_) | Self::Decommitted | Self::Discarded(_) => true,
            // A view's page may be locked in the section's frame.
            Self::PagingFile(..) | Self::Transition(..) | Self::Prototype(_) => false,
        }
    }

    /// Returns the entry as the table editor takes it.
    pub(crate) fn entry(self) -> SoftwareEntry {
        SoftwareEntry::from_bits(self.bits()).expect("bit 0 of a software entry is clear")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_layout_is_the_layout() {
        let frame = FrameNumber::new(0x12345).unwrap();
        let guard = Protection::from_bits(0x104).unwrap();

        assert_eq!(SoftwarePte::AskRegion.bits(), 0);
        assert_eq!(
            SoftwarePte::DemandZero(Protection::READ_WRITE).bits(),
            0x0000_0042
        );
        assert_eq!(SoftwarePte::Transition(frame, guard).bits(), 0x0246_8b46);
        assert_eq!(SoftwarePte::Decommitted.bits(), 0x0000_000a);
    }

    #[test]
    fn every_meaning_survives_its_encoding() {
        let slots = [0, 1, Slot::LIMIT - 1].map(|number| Slot::new(number).unwrap());
        let frames = [0, 0xf_ffff].map(|number| FrameNumber::new(number).unwrap());
        for field in 0..1 << FIELD_BITS {
            let protection = Protection::from_field(field);
            let mut meanings = vec![
                SoftwarePte::DemandZero(protection),
                SoftwarePte::Prototype(protection),
                SoftwarePte::Discarded(protection),
                SoftwarePte::Decommitted,
                SoftwarePte::AskRegion,
            ];
            meanings.extend(slots.map(|slot| SoftwarePte::PagingFile(slot, protection)));
            meanings.extend(frames.map(|frame| SoftwarePte::Transition(frame, protection)));
            for meaning in meanings {
                assert_eq!(meaning.bits() & 1, 0, "{meaning:?}");
                assert_eq!(SoftwarePte::from_bits(meaning.bits()), meaning);
            }
        }
    }

    #[test]
    fn any_word_decodes() {
        for word in (0..=u32::MAX).step_by(0x1357 * 2) {
            let meaning = SoftwarePte::from_bits(word & !1);
            assert_eq!(SoftwarePte::from_bits(meaning.bits()), meaning);
        }
    }
}
