//! Reservations of address space: what Windows keeps in a virtual address descriptor.

use bitvec::order::Lsb0;
use bitvec::vec::BitVec;
use pagefault_mmu::{LinearAddr, PageNumber};

use crate::history::{Origin, RegionHistory};
use crate::protection::{Protection, Rights};
use crate::range::PageRange;
use crate::section::SectionId;
use crate::software::SoftwarePte;

/// What `VirtualQuery` calls the type of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionType {
    /// `MEM_PRIVATE`
    Private,
    /// `MEM_MAPPED`
    Mapped,
    /// `MEM_IMAGE`
    Image,
}

impl RegionType {
    /// Returns the `MEM_*` constant.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Private => 0x2_0000,
            Self::Mapped => 0x4_0000,
            Self::Image => 0x100_0000,
        }
    }

    /// Returns the constant's name without `MEM_`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE",
            Self::Mapped => "MAPPED",
            Self::Image => "IMAGE",
        }
    }
}

/// Where the pages of a region come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Zeros, for this process alone.
    Private,
    /// The same, placed by the loader.
    Image,
    /// A section, from page `first` of it.
    View {
        section: SectionId,
        first: u32,
        rights: Rights,
    },
    /// Frames that the program allocates and maps by itself (AWE).
    Physical,
    /// Large pages, resident from the start.
    Large,
}

/// What an entry of [`SoftwarePte::AskRegion`](crate::SoftwarePte::AskRegion) means in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsaid {
    /// Reserved.
    Reserved,
    /// Committed with this protection and never touched; of a view, as committed as the section.
    Committed(Protection),
}

/// Whether writes to a region are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    No,
    Yes,
}

/// A virtual address descriptor: all that is known of a page beside its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vad {
    pub(crate) pages: PageRange,
    pub(crate) source: Source,
    pub(crate) allocation_protection: Protection,
    pub(crate) unsaid: Unsaid,
    pub(crate) watched: Watched,
}

impl Vad {
    pub(crate) fn base(&self) -> LinearAddr {
        self.pages.start().start()
    }

    pub(crate) fn kind(&self) -> RegionType {
        match self.source {
            Source::Private | Source::Physical | Source::Large => RegionType::Private,
            Source::Image => RegionType::Image,
            Source::View { .. } => RegionType::Mapped,
        }
    }

    /// Returns `protection` as a page of this allocation has it: caching belongs to the allocation.
    pub(crate) fn cached(&self, protection: Protection) -> Protection {
        protection.with_caching(self.allocation_protection.caching())
    }

    /// Returns the section page behind `page`.
    pub(crate) fn section_page(&self, page: PageNumber) -> Option<(SectionId, u32)> {
        match self.source {
            Source::View { section, first, .. } => Some((section, first + self.index(page))),
            _ => None,
        }
    }

    /// Returns the number of the page counted from the region's start.
    pub(crate) fn index(&self, page: PageNumber) -> u32 {
        page.bits() - self.pages.start().bits()
    }

    /// Returns `entry`, or "ask the region" if the region would answer just that.
    pub(crate) fn shortest(&self, entry: SoftwarePte) -> SoftwarePte {
        let said = match (entry, self.source) {
            (SoftwarePte::DemandZero(protection), Source::Private | Source::Image)
            | (SoftwarePte::Prototype(protection), Source::View { .. }) => {
                Unsaid::Committed(protection)
            }
            (SoftwarePte::Decommitted, _) => Unsaid::Reserved,
            _ => return entry,
        };
        if said == self.unsaid {
            SoftwarePte::AskRegion
        } else {
            entry
        }
    }
}

/// A run of pages that one call reserved.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) vad: Vad,
    /// Pages committed here that count against the commit limit.
    pub(crate) charged_pages: u32,
    /// The record of writes; there if `vad` says that the region is watched.
    pub(crate) watch: Option<Box<WriteWatch>>,
    pub(crate) history: RegionHistory,
}

impl Region {
    /// Returns a region in which nothing has happened yet.
    pub(crate) fn new(vad: Vad, reserved_by: Origin) -> Self {
        let watch = match vad.watched {
            Watched::Yes => Some(Box::new(WriteWatch::new(vad.pages.len_pages()))),
            Watched::No => None,
        };
        Self {
            vad,
            charged_pages: 0,
            watch,
            history: RegionHistory::new(reserved_by),
        }
    }

    /// Returns whether a write to `page` must be noticed before it happens.
    pub(crate) fn awaits_write(&self, page: PageNumber) -> bool {
        self.watch
            .as_ref()
            .is_some_and(|watch| !watch.is_dirty(self.vad.index(page)))
    }
}

/// Which pages of a `MEM_WRITE_WATCH` region were written to since the last reset.
#[derive(Clone, Debug)]
pub(crate) struct WriteWatch {
    dirty: BitVec<u32, Lsb0>,
}

impl WriteWatch {
    pub(crate) fn new(len_pages: u32) -> Self {
        Self {
            dirty: BitVec::repeat(false, len_pages as usize),
        }
    }

    pub(crate) fn is_dirty(&self, index: u32) -> bool {
        self.dirty.get(index as usize).is_some_and(|dirty| *dirty)
    }

    pub(crate) fn mark(&mut self, index: u32) {
        self.dirty.set(index as usize, true);
    }

    pub(crate) fn clear(&mut self, index: u32) {
        self.dirty.set(index as usize, false);
    }
}
