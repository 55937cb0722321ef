//! The address space of a process: its regions, and what its page tables say of their pages.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pagefault_mmu::tables::{self, Entry, LeaveReason, Root, Stale};
use pagefault_mmu::{
    FrameNumber, LinearAddr, Mmu, Observer, PageEntry, PageNumber, PhysMemory, PteFlags,
};

use crate::config::{UserSpace, WorkingSetLimits};
use crate::global::Moveable;
use crate::granules::Granules;
use crate::handle::HandleTable;
use crate::heap::{Heap, HeapHandle};
use crate::protection::Protection;
use crate::range::{PageRange, page};
use crate::region::{Region, Unsaid, Vad};
use crate::section::Sections;
use crate::software::{Slot, SoftwarePte};

/// The number of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(crate) u32);

impl ProcessId {
    /// Returns the process as a number; the first one is 0.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Whether a space's tables are those that CR3 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    Yes,
    No,
}

/// An address space.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub(crate) root: Root,
    /// The frames of the directory level, which live as long as the space.
    pub(crate) directories: Vec<FrameNumber>,
    pub(crate) user: UserSpace,
    /// By first page.
    ///
    /// Boxed: the tree moves its values about, and there can be tens of thousands.
    pub(crate) regions: BTreeMap<u32, Box<Region>>,
    /// The page tables, by the number of the first page that each covers.
    pub(crate) tables: BTreeMap<u32, FrameNumber>,
    pub(crate) granules: Granules,
    pub(crate) limits: WorkingSetLimits,
    /// Present entries.
    pub(crate) resident_pages: u32,
    pub(crate) peak_resident_pages: u32,
    pub(crate) locked: BTreeSet<PageNumber>,
    /// The stack of the running thread, which grows by guard page.
    pub(crate) stack: Option<PageRange>,
    pub(crate) handles: HandleTable,
    pub(crate) heaps: BTreeMap<HeapHandle, Heap>,
    pub(crate) process_heap: Option<HeapHandle>,
    /// `GlobalAlloc`'s moveable blocks, by handle.
    pub(crate) moveable: BTreeMap<LinearAddr, Moveable>,
}

/// A page of a region, decoded: the entry's word and, where it says nothing, the region's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageState {
    Reserved,
    Committed(Protection, Backing),
}

/// Where the contents of a committed page are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// Nowhere: the first touch finds zeros.
    Zero,
    /// Nowhere, since `MEM_RESET` let them go.
    Discarded,
    PagingFile(Slot),
    /// In a frame that no entry of this space maps.
    Transition(FrameNumber),
    /// Where the section says.
    Section,
    /// In the frame that the entry maps.
    Mapped(PageEntry),
}

impl Space {
    pub(crate) fn new(
        root: Root,
        directories: Vec<FrameNumber>,
        user: UserSpace,
        limits: WorkingSetLimits,
    ) -> Self {
        Self {
            root,
            directories,
            user,
            regions: BTreeMap::new(),
            tables: BTreeMap::new(),
            granules: Granules::new(user.pages()),
            limits,
            resident_pages: 0,
            peak_resident_pages: 0,
            locked: BTreeSet::new(),
            stack: None,
            handles: HandleTable::default(),
            heaps: BTreeMap::new(),
            process_heap: None,
            moveable: BTreeMap::new(),
        }
    }

    /// Returns the region that `page` is in.
    #[inline]
    pub(crate) fn region(&self, page: PageNumber) -> Option<&Region> {
        let (_, region) = self.regions.range(..=page.bits()).next_back()?;
        region.vad.pages.contains(page).then_some(region)
    }

    #[inline]
    pub(crate) fn region_mut(&mut self, page: PageNumber) -> Option<&mut Region> {
        let (_, region) = self.regions.range_mut(..=page.bits()).next_back()?;
        region.vad.pages.contains(page).then_some(region)
    }

    /// Returns the region that all of `pages` are in.
    pub(crate) fn region_around(&self, pages: PageRange) -> Option<&Region> {
        self.region(pages.start())
            .filter(|region| region.vad.pages.contains_range(pages))
    }

    pub(crate) fn insert(&mut self, region: Region) {
        self.granules.take(region.vad.pages);
        self.regions
            .insert(region.vad.pages.start().bits(), Box::new(region));
    }

    pub(crate) fn remove(&mut self, base: PageNumber) -> Option<Box<Region>> {
        let region = self.regions.remove(&base.bits())?;
        self.granules.release(region.vad.pages);
        Some(region)
    }

    /// Returns whether every byte of the address range is the user's to name; the top of a range
    /// that would pass 4 GiB is not.
    pub(crate) fn is_user_range(&self, addr: LinearAddr, size_bytes: u32) -> bool {
        let last = addr.checked_add(size_bytes.saturating_sub(1));
        last.is_some_and(|last| last <= self.user.highest())
    }

    /// Returns the state of a page of the region that `vad` describes.
    pub(crate) fn page_state(
        &self,
        mem: &PhysMemory,
        sections: &Sections,
        vad: &Vad,
        page: PageNumber,
    ) -> PageState {
        decode(tables::entry(mem, self.root, page), sections, vad, page)
    }

    /// Returns whether every entry of `pages` leaves the say to the region.
    pub(crate) fn is_unsaid(&self, mem: &PhysMemory, pages: PageRange) -> bool {
        self.table_parts(pages).all(|(first, part)| {
            let table = tables::table(mem, self.root, page(first));
            table.is_none_or(|table| table.set_entries(part).next().is_none())
        })
    }

    /// Returns the first page from `from` on, below `end`, that a table covers.
    pub(crate) fn next_covered(&self, from: u32, end: u32) -> Option<u32> {
        if from >= end {
            return None;
        }
        let first = from - from % self.root.pages_per_table();
        let (&start, _) = self.tables.range(first..end).next()?;
        Some(start.max(from))
    }

    /// Returns whether a table covers the page.
    pub(crate) fn is_covered(&self, page: PageNumber) -> bool {
        self.tables
            .contains_key(&(page.bits() - page.bits() % self.root.pages_per_table()))
    }

    /// Returns the first page of the lowest table from that of page `from` on that should cover one
    /// of `pages`, and does not exist.
    pub(crate) fn missing_table(&self, pages: PageRange, from: u32) -> Option<PageNumber> {
        let rest = PageRange::from_bits(from.max(pages.start().bits()), pages.end().bits())?;
        table_starts(self.root, rest)
            .find(|start| !self.tables.contains_key(start))
            .map(page)
    }

    /// Returns the pages of `pages` whose entries say something, in order.
    pub(crate) fn said(&self, mem: &PhysMemory, pages: PageRange) -> Vec<PageNumber> {
        self.pages_where(mem, pages, |raw| raw != 0)
    }

    /// Returns the pages of `pages` that have contents to be given back, in order.
    pub(crate) fn holding(&self, mem: &PhysMemory, pages: PageRange) -> Vec<PageNumber> {
        self.pages_where(mem, pages, |raw| !is_empty(raw))
    }

    fn pages_where(
        &self,
        mem: &PhysMemory,
        pages: PageRange,
        wanted: impl Fn(u64) -> bool,
    ) -> Vec<PageNumber> {
        let mut found = Vec::new();
        for (first, part) in self.table_parts(pages) {
            let Some(table) = tables::table(mem, self.root, page(first)) else {
                continue;
            };
            let wanted = table.set_entries(part).filter(|&(_, raw)| wanted(raw));
            found.extend(wanted.map(|(index, _)| page(first + index)));
        }
        found
    }

    /// Returns the states of those of `pages` whose entries say something, in order; the pages are
    /// of the region that `vad` describes.
    pub(crate) fn said_states<'a>(
        &'a self,
        mem: &'a PhysMemory,
        sections: &'a Sections,
        vad: &'a Vad,
        pages: PageRange,
    ) -> impl Iterator<Item = PageState> + 'a {
        self.table_parts(pages).flat_map(move |(first, part)| {
            let table = tables::table(mem, self.root, page(first));
            table.into_iter().flat_map(move |table| {
                let said = table.set_entries(part.clone());
                said.map(move |(index, _)| {
                    decode(table.entry(index), sections, vad, page(first + index))
                })
            })
        })
    }

    /// Returns the first page of each table over `pages` that exists, and which of its entries are
    /// theirs.
    fn table_parts(&self, pages: PageRange) -> impl Iterator<Item = (u32, Range<u32>)> + '_ {
        let per_table = self.root.pages_per_table();
        let (start, end) = (pages.start().bits(), pages.end().bits());
        let tables = self.tables.range(start - start % per_table..end);
        tables.map(move |(&first, _)| {
            let part = start.max(first) - first..end.min(first + per_table) - first;
            (first, part)
        })
    }

    /// Returns the first page of each table over `pages` in which no entry says anything.
    pub(crate) fn empty_tables(&self, mem: &PhysMemory, pages: PageRange) -> Vec<PageNumber> {
        let per_table = self.root.pages_per_table();
        let first = pages.start().bits() - pages.start().bits() % per_table;
        let starts = self
            .tables
            .range(first..pages.end().bits())
            .map(|(&start, _)| page(start));
        let is_empty = |&start: &PageNumber| {
            let table = tables::table(mem, self.root, start);
            table.is_some_and(|table| table.set_entries(0..per_table).next().is_none())
        };
        starts.filter(is_empty).collect()
    }

    pub(crate) fn count_resident(&mut self) {
        self.resident_pages += 1;
        self.peak_resident_pages = self.peak_resident_pages.max(self.resident_pages);
    }
}

/// Returns what an entry of a region means.
pub(crate) fn decode(entry: Entry, sections: &Sections, vad: &Vad, page: PageNumber) -> PageState {
    let software = match entry {
        Entry::Page(entry) | Entry::Large(entry) => {
            let protection = Protection::from_entry_flags(entry.flags);
            return PageState::Committed(protection, Backing::Mapped(entry));
        }
        Entry::NoTable => SoftwarePte::AskRegion,
        Entry::Software(entry) => SoftwarePte::from_bits(entry.bits()),
    };
    let backing = match software {
        SoftwarePte::AskRegion => return unsaid(sections, vad, page),
        SoftwarePte::Decommitted => return PageState::Reserved,
        SoftwarePte::DemandZero(protection) => (protection, Backing::Zero),
        SoftwarePte::PagingFile(slot, protection) => (protection, Backing::PagingFile(slot)),
        SoftwarePte::Transition(frame, protection) => (protection, Backing::Transition(frame)),
        SoftwarePte::Prototype(protection) => (protection, Backing::Section),
        SoftwarePte::Discarded(protection) => (protection, Backing::Discarded),
    };
    PageState::Committed(backing.0, backing.1)
}

/// Returns the first page of each table over `pages`, whether it exists or not.
fn table_starts(root: Root, pages: PageRange) -> impl Iterator<Item = u32> {
    let per_table = root.pages_per_table();
    let first = pages.start().bits() / per_table;
    let last = (pages.end().bits() - 1) / per_table;
    (first..=last).map(move |table| table * per_table)
}

/// Returns the state of a page whose entry says nothing.
fn unsaid(sections: &Sections, vad: &Vad, page: PageNumber) -> PageState {
    match (vad.unsaid, vad.section_page(page)) {
        (Unsaid::Reserved, _) => PageState::Reserved,
        (Unsaid::Committed(protection), None) => PageState::Committed(protection, Backing::Zero),
        (Unsaid::Committed(protection), Some((section, index))) => {
            if sections.is_committed(section, index) {
                PageState::Committed(protection, Backing::Section)
            } else {
                PageState::Reserved
            }
        }
    }
}

/// Which entries are overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Those that say nothing.
    Silent,
    /// Those behind which there is nothing that would be lost.
    Empty,
}

/// Returns whether an entry as it stands in memory is not present, with nothing behind it.
fn is_empty(raw: u64) -> bool {
    let is_software = raw & u64::from(PteFlags::PRESENT.bits()) == 0;
    // The high half of a software entry is zero.
    is_software && u32::try_from(raw).is_ok_and(|bits| SoftwarePte::from_bits(bits).is_empty())
}

/// Rewrites entries of one space, and pays for what becomes stale.
pub(crate) struct Editor<'a, O: Observer> {
    mmu: &'a mut Mmu<O>,
    root: Root,
    loaded: Loaded,
}

impl<'a, O: Observer> Editor<'a, O> {
    pub(crate) fn new(mmu: &'a mut Mmu<O>, root: Root, loaded: Loaded) -> Self {
        Self { mmu, root, loaded }
    }

    /// Makes the entry software's. A table must cover the page, unless there is nothing to say.
    pub(crate) fn set_software(&mut self, page: PageNumber, new: SoftwarePte) {
        match tables::set_software(self.mmu.mem_mut(), self.root, page, new.entry()) {
            Ok(stale) => self.pay(stale),
            Err(missing) => assert!(new == SoftwarePte::AskRegion, "{missing}: {new:?}"),
        }
    }

    /// Overwrites entries of a table that are empty, or only those that say nothing.
    ///
    /// Absent before and absent after: nothing becomes stale.
    pub(crate) fn fill(
        &mut self,
        table: FrameNumber,
        indices: Range<u32>,
        over: Over,
        new: SoftwarePte,
    ) {
        let indices = indices.start as usize..indices.end as usize;
        let Some(bytes) = self.mmu.mem_mut().frame_mut(table) else {
            return;
        };
        let bits = new.bits();
        match self.root {
            Root::TwoLevel(_) => {
                let entries = bytes.as_chunks_mut().0[indices].iter_mut();
                match over {
                    Over::Silent => entries.for_each(|entry| {
                        let raw = u32::from_le_bytes(*entry);
                        *entry = if raw == 0 { bits } else { raw }.to_le_bytes();
                    }),
                    Over::Empty => entries
                        .filter(|entry| is_empty(u64::from(u32::from_le_bytes(**entry))))
                        .for_each(|entry| *entry = bits.to_le_bytes()),
                }
            }
            Root::Pae(_) => {
                let is_meant = |raw: u64| match over {
                    Over::Silent => raw == 0,
                    Over::Empty => is_empty(raw),
                };
                let entries = bytes.as_chunks_mut().0[indices].iter_mut();
                entries
                    .filter(|entry| is_meant(u64::from_le_bytes(**entry)))
                    .for_each(|entry| *entry = u64::from(bits).to_le_bytes());
            }
        }
    }

    /// Maps the page. A table must cover it.
    pub(crate) fn set_page(&mut self, page: PageNumber, new: PageEntry) {
        match tables::set_page(self.mmu.mem_mut(), self.root, page, new) {
            Ok(stale) => self.pay(stale),
            Err(missing) => unreachable!("{missing}: the caller made sure of one"),
        }
    }

    pub(crate) fn pay(&mut self, stale: Option<Stale>) {
        match (stale, self.loaded) {
            (None, _) => {}
            (Some(stale), Loaded::Yes) => stale.invalidate(self.mmu),
            (Some(stale), Loaded::No) => stale.leave(LeaveReason::SpaceNotLoaded),
        }
    }
}
