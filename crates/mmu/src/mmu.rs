//! The MMU: translation through the TLB, walks, A and D, and the accesses themselves.

use thiserror::Error;

use crate::addr::{FrameNumber, LinearAddr, MAX_PHYSICAL_BITS, PAGE_SIZE, PageNumber, PhysAddr};
use crate::control::check_physical_bits;
use crate::control::{AcFlag, Control, ControlFault, Cr0, Cr4, PhysicalBitsError};
use crate::directory::DirectoryCache;
use crate::entry::{PageSize, PteFlags, Rights};
use crate::fault::{Access, AccessKind, PageFault, Privilege};
use crate::front::{Front, FrontArray, Line, tag, tag_of};
use crate::observer::{DropCause, NoObserver, Observer};
use crate::phys::PhysMemory;
use crate::tlb::statistics::{ByKind, Statistics};
use crate::tlb::{Cached, Filled, LevelId, Place, Tlb, TlbConfig};
use crate::tracked::TrackedFrames;
use crate::walk::{Leaf, Level, Walk, walk, walk_below};
use crate::word::Word;

/// What an MMU is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MmuConfig {
    /// The TLB.
    pub tlb: TlbConfig,
    /// MAXPHYADDR: the width of physical addresses in bits, 32 to 40.
    pub physical_bits: u32,
    /// Whether hits take the host-side shortcut. It changes nothing but speed.
    pub front: FrontArray,
}

impl Default for MmuConfig {
    /// A unified 64-entry 4-way TLB with true LRU, and 40-bit physical addresses.
    fn default() -> Self {
        Self {
            tlb: TlbConfig::default(),
            physical_bits: MAX_PHYSICAL_BITS,
            front: FrontArray::On,
        }
    }
}

/// Why an MMU cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MmuError {
    /// The physical address width is not modelled.
    #[error(transparent)]
    PhysicalBits(#[from] PhysicalBitsError),
    /// There is a second level, or one for instructions, but none for data.
    #[error("a TLB needs a first level for data")]
    NoDataLevel,
    /// A level is made of too many arrays.
    #[error("{arrays} arrays in one level: at most {}", MmuConfig::MAX_ARRAYS)]
    Arrays {
        /// How many were asked for.
        arrays: usize,
    },
    /// The paging-structure cache is too large.
    #[error(
        "{entries} directory entries cached: at most {}",
        MmuConfig::MAX_DIRECTORY_ENTRIES
    )]
    DirectoryEntries {
        /// How many were asked for.
        entries: u32,
    },
}

impl MmuConfig {
    /// The most arrays of one level.
    pub const MAX_ARRAYS: usize = 8;
    /// The most entries of the paging-structure cache.
    pub const MAX_DIRECTORY_ENTRIES: u32 = 1024;

    fn check(&self) -> Result<(), MmuError> {
        check_physical_bits(self.physical_bits)?;
        let TlbConfig {
            data,
            instruction,
            second,
            directory_entries: entries,
            ..
        } = &self.tlb;
        if data.is_empty() && !(instruction.is_empty() && second.is_empty()) {
            return Err(MmuError::NoDataLevel);
        }
        let arrays = data.len().max(instruction.len()).max(second.len());
        if arrays > Self::MAX_ARRAYS {
            return Err(MmuError::Arrays { arrays });
        }
        if *entries > Self::MAX_DIRECTORY_ENTRIES {
            return Err(MmuError::DirectoryEntries { entries: *entries });
        }
        Ok(())
    }
}

/// Where a store went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Into a frame that nobody tracks.
    Plain,
    /// Into a frame whose writes are tracked; [`Mmu::take_tracked_writes`] names it.
    Tracked,
}

/// A page that the first level holds, for many accesses in a row; see [`Mmu::peek_hit`].
#[derive(Clone, Copy, Debug)]
pub struct HitRun {
    at: PhysAddr,
    place: Place,
    kind: AccessKind,
    addr: LinearAddr,
}

impl HitRun {
    /// Returns the physical address of the first access.
    pub fn at(&self) -> PhysAddr {
        self.at
    }
}

/// A translation that is allowed.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    frame: FrameNumber,
    rights: Rights,
    /// Where the first level holds it; `None` without paging or without a TLB.
    place: Option<Place>,
}

/// How often a pair of pages is touched in turn before the state of every policy is settled.
const SETTLING_TOUCHES: u64 = 4;

/// A 32-bit x86 MMU with its RAM.
///
/// Paging is off until CR0.PG is set. Every access goes through the modelled TLB, when there is
/// one; entries that have been changed in memory keep translating as they were cached.
#[derive(Debug)]
pub struct Mmu<O: Observer = NoObserver> {
    front: Front,
    tlb: Tlb,
    mem: PhysMemory,
    /// Writes and fetches that were looked up; reads are the rest of the TLB's clock.
    looked_up: ByKind,
    /// The clock when the statistics were reset.
    clock_at_reset: u64,
    use_front: FrontArray,
    control: Control,
    tracked: TrackedFrames,
    directory: DirectoryCache,
    statistics: Statistics,
    observer: O,
}

impl Mmu {
    /// Returns an MMU over this RAM.
    ///
    /// # Errors
    ///
    /// [`MmuError`] if the configuration is none that can be modelled.
    pub fn new(mem: PhysMemory, config: &MmuConfig) -> Result<Self, MmuError> {
        Self::with_observer(mem, config, NoObserver)
    }
}

impl<O: Observer> Mmu<O> {
    /// Returns an MMU over this RAM that tells `observer` what it does.
    ///
    /// # Errors
    ///
    /// [`MmuError`] if the configuration is none that can be modelled.
    pub fn with_observer(
        mem: PhysMemory,
        config: &MmuConfig,
        observer: O,
    ) -> Result<Self, MmuError> {
        config.check()?;
        Ok(Self {
            front: Front::new(),
            tlb: Tlb::new(&config.tlb),
            looked_up: ByKind::default(),
            clock_at_reset: 0,
            use_front: config.front,
            control: Control::new(config.physical_bits),
            tracked: TrackedFrames::new(mem.frame_count()),
            directory: DirectoryCache::new(config.tlb.directory_entries),
            statistics: Statistics::default(),
            observer,
            mem,
        })
    }

    /// Returns RAM.
    #[inline]
    pub fn mem(&self) -> &PhysMemory {
        &self.mem
    }

    /// Returns RAM for writing as a device or a table editor does: no translation, no counting.
    ///
    /// Who rewrites present entries owes [`Mmu::invalidate_page`]; who rewrites a frame that may
    /// hold code owes [`Mmu::note_write`].
    #[inline]
    pub fn mem_mut(&mut self) -> &mut PhysMemory {
        &mut self.mem
    }

    /// Returns the registers that govern paging.
    #[inline]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Returns the observer.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Returns the observer for changes.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Walks the tables for an address. Nothing is counted, marked or cached.
    pub fn walk(&self, addr: LinearAddr) -> Walk {
        walk(&self.mem, &self.control, addr)
    }

    /// Reads a word.
    ///
    /// # Errors
    ///
    /// The page fault of the first byte that may not be read. Nothing has been read.
    #[inline(always)]
    pub fn read<T: Word>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<T, PageFault> {
        let line = *self.front.data(addr);
        if line.read == tag_of::<T>(addr, privilege) {
            self.count_hit(line.place, addr, AccessKind::Read);
            return Ok(self.load_at(line.base + addr.page_offset()));
        }
        self.read_slow(addr, privilege)
    }

    /// Writes a word.
    ///
    /// # Errors
    ///
    /// The page fault of the first byte that may not be written. Nothing has been written.
    #[inline(always)]
    pub fn write<T: Word>(
        &mut self,
        addr: LinearAddr,
        value: T,
        privilege: Privilege,
    ) -> Result<Stored, PageFault> {
        let line = *self.front.data(addr);
        if line.write == tag_of::<T>(addr, privilege) {
            self.count_hit(line.place, addr, AccessKind::Write);
            self.store_at(line.base + addr.page_offset(), value);
            return Ok(Stored::Plain);
        }
        self.write_slow(addr, value, privilege)
    }

    /// Reads a word and writes what `edit` makes of it: one access, with write intent.
    ///
    /// # Errors
    ///
    /// The page fault of the first byte that may not be written. `edit` has not been called.
    #[inline(always)]
    pub fn modify<T: Word>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
        edit: impl FnOnce(T) -> T,
    ) -> Result<Stored, PageFault> {
        let line = *self.front.data(addr);
        if line.write == tag_of::<T>(addr, privilege) {
            self.count_hit(line.place, addr, AccessKind::Write);
            let at = line.base + addr.page_offset();
            let value = edit(self.load_at(at));
            self.store_at(at, value);
            return Ok(Stored::Plain);
        }
        let span = self.translate_span::<T>(addr, AccessKind::Write, privilege)?;
        let value = edit(self.load_span(span));
        Ok(self.store_span(span, value))
    }

    /// Makes the checks and marks of a write, and writes nothing.
    ///
    /// # Errors
    ///
    /// The page fault of the first byte that may not be written.
    pub fn probe_write<T: Word>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<(), PageFault> {
        self.translate_span::<T>(addr, AccessKind::Write, privilege)
            .map(|_| ())
    }

    /// Makes the instruction-side look-up of a block of code and returns where its first byte is.
    ///
    /// The count of fetches is exact if it is called once for each block executed, and once more
    /// for each further page that the block reaches.
    ///
    /// # Errors
    ///
    /// The page fault of the fetch.
    #[inline(always)]
    pub fn fetch_page(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<PhysAddr, PageFault> {
        let line = *self.front.fetch(addr);
        if line.read == tag(addr, privilege) {
            self.count_hit(line.place, addr, AccessKind::Fetch);
            return Ok(ram_addr(line.base + addr.page_offset()));
        }
        self.fetch_slow(addr, privilege)
    }

    /// Returns the page of `addr` if accesses of this kind are hits that need nothing but to be
    /// counted, and changes nothing.
    ///
    /// For string instructions: while every page they use answers, none of their accesses displaces
    /// another's translation, so that they may be made in one go and counted with
    /// [`Mmu::count_hits`] or [`Mmu::count_hit_pairs`].
    #[inline]
    pub fn peek_hit(
        &self,
        addr: LinearAddr,
        kind: AccessKind,
        privilege: Privilege,
    ) -> Option<HitRun> {
        let (line, held) = match kind {
            AccessKind::Read => (self.front.data(addr), self.front.data(addr).read),
            AccessKind::Write => (self.front.data(addr), self.front.data(addr).write),
            AccessKind::Fetch => (self.front.fetch(addr), self.front.fetch(addr).read),
        };
        let at = ram_addr(line.base + addr.page_offset());
        let run = HitRun {
            at,
            place: line.place,
            kind,
            addr,
        };
        (held == tag(addr, privilege)).then_some(run)
    }

    /// Counts `count` accesses to a page, as if they had been made one by one.
    #[inline]
    pub fn count_hits(&mut self, run: HitRun, count: u32) {
        let touches = u64::from(count).min(SETTLING_TOUCHES);
        for _ in 0..touches {
            self.count_hit(run.place, run.addr, run.kind);
        }
        self.count_untouched(run, u64::from(count) - touches);
    }

    /// Counts `count` accesses to each of two pages, made in turn, `first` before `second`.
    #[inline]
    pub fn count_hit_pairs(&mut self, first: HitRun, second: HitRun, count: u32) {
        let touches = u64::from(count).min(SETTLING_TOUCHES);
        self.count_untouched(first, u64::from(count) - touches);
        self.count_untouched(second, u64::from(count) - touches);
        for _ in 0..touches {
            self.count_hit(first.place, first.addr, first.kind);
            self.count_hit(second.place, second.addr, second.kind);
        }
    }

    /// Has stores into the frame reported from now on, as whoever caches decoded code needs it.
    pub fn track_writes(&mut self, frame: FrameNumber) {
        self.tracked.track(frame);
        if let Some(base) = self.ram_base(frame) {
            self.front.forbid_writes(base);
        }
    }

    /// Ends the reports on the frame.
    pub fn untrack_writes(&mut self, frame: FrameNumber) {
        self.tracked.untrack(frame);
    }

    /// Returns whether stores into the frame are reported.
    pub fn is_tracked(&self, frame: FrameNumber) -> bool {
        self.tracked.contains(frame)
    }

    /// Returns whether stores into tracked frames wait to be taken.
    #[inline]
    pub fn has_tracked_writes(&self) -> bool {
        self.tracked.has_written()
    }

    /// Returns the tracked frames that were written since this was last asked; a frame may be
    /// named more than once.
    pub fn take_tracked_writes(&mut self) -> Vec<FrameNumber> {
        self.tracked.take_written()
    }

    /// Reports that the host has written to a frame without an access.
    pub fn note_write(&mut self, frame: FrameNumber) {
        self.tracked.note(frame);
    }

    /// Loads CR0. PG from 1 to 0 flushes everything, and so does a change of WP.
    ///
    /// The manual only permits the latter; processor models agree on it.
    ///
    /// # Errors
    ///
    /// [`ControlFault`]: the processor raises #GP(0), and nothing has changed.
    pub fn set_cr0(&mut self, bits: u32) -> Result<(), ControlFault> {
        let new = self.control.with_cr0(bits, &self.mem)?;
        let was_paging = self.control.is_paging();
        let changed = new.cr0() ^ self.control.cr0();
        self.control = new;
        self.front.clear();
        // Quirk: wp-change-flushes
        if was_paging && changed.intersects(Cr0::PAGING | Cr0::WRITE_PROTECT) {
            self.flush_all();
        }
        Ok(())
    }

    /// Loads CR2, which page faults load with their address.
    pub fn set_cr2(&mut self, addr: LinearAddr) {
        self.control.set_cr2(addr);
    }

    /// Loads CR3 and flushes what is not global. In PAE mode the PDPTEs are loaded.
    ///
    /// # Errors
    ///
    /// [`ControlFault::Pdpte`]: the processor raises #GP(0), and nothing has changed.
    pub fn set_cr3(&mut self, bits: u32) -> Result<(), ControlFault> {
        self.control = self.control.with_cr3(bits, &self.mem)?;
        self.flush_non_global();
        Ok(())
    }

    /// Loads CR4. A change of PGE or PAE, and SMEP from 0 to 1, flush everything.
    ///
    /// # Errors
    ///
    /// [`ControlFault`]: the processor raises #GP(0), and nothing has changed.
    pub fn set_cr4(&mut self, bits: u32) -> Result<(), ControlFault> {
        let new = self.control.with_cr4(bits, &self.mem)?;
        let changed = new.cr4() ^ self.control.cr4();
        let gains_smep = changed.contains(Cr4::SMEP) && new.cr4().contains(Cr4::SMEP);
        let flushing = Cr4::PAGE_GLOBAL | Cr4::PHYSICAL_ADDRESS_EXTENSION;
        self.control = new;
        self.front.clear();
        if gains_smep || changed.intersects(flushing) {
            self.flush_all();
        }
        Ok(())
    }

    /// Loads `IA32_EFER`.
    ///
    /// # Errors
    ///
    /// [`ControlFault::Efer`]: the processor raises #GP(0), and nothing has changed.
    pub fn set_efer(&mut self, bits: u32) -> Result<(), ControlFault> {
        self.control = self.control.with_efer(bits, &self.mem)?;
        self.front.clear();
        Ok(())
    }

    /// Tells the MMU of EFLAGS.AC, by which SMAP judges supervisor accesses.
    pub fn set_alignment_check(&mut self, ac: AcFlag) {
        if ac != self.control.alignment_check() {
            self.control.set_alignment_check(ac);
            self.front.clear();
        }
    }

    /// Drops what is cached of the page: INVLPG.
    ///
    /// Of a large page all of it goes, global or not, and with it all remembered directory
    /// entries. SDM Vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
    pub fn invalidate_page(&mut self, addr: LinearAddr) {
        self.statistics.invalidations += 1;
        self.observer
            .drop_translations(DropCause::Invalidated, Some(addr));
        self.directory.clear();
        self.drop_page(addr.page());
    }

    /// Drops everything, global translations too.
    pub fn flush_all(&mut self) {
        self.statistics.flushes_all += 1;
        self.observer.drop_translations(DropCause::FlushedAll, None);
        self.tlb.flush_all();
        self.directory.clear();
        self.front.clear();
    }

    /// Drops everything that is not global.
    pub fn flush_non_global(&mut self) {
        self.statistics.flushes_non_global += 1;
        self.observer
            .drop_translations(DropCause::FlushedNonGlobal, None);
        self.tlb.flush_non_global();
        self.directory.clear();
        self.front.clear();
    }

    /// Returns what has been counted since the last reset.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.statistics;
        if self.tlb.is_present() {
            let total = self.tlb.clock() - self.clock_at_reset;
            let ByKind {
                writes, fetches, ..
            } = self.looked_up;
            let looked_up = ByKind {
                reads: total - writes - fetches,
                writes,
                fetches,
            };
            let fetch_level = self.tlb.first_level(AccessKind::Fetch);
            statistics.derive_first_level_hits(&looked_up, fetch_level);
            for kind in [AccessKind::Read, AccessKind::Write, AccessKind::Fetch] {
                *statistics.accesses.of_mut(kind) += looked_up.of(kind);
            }
        }
        statistics
    }

    /// Begins to count anew. What is cached stays.
    pub fn reset_statistics(&mut self) {
        self.statistics = Statistics::default();
        self.looked_up = ByKind::default();
        self.clock_at_reset = self.tlb.clock();
    }

    pub(crate) fn tlb(&self) -> &Tlb {
        &self.tlb
    }
}

/// The slow paths: everything that a line of the front array does not answer.
impl<O: Observer> Mmu<O> {
    #[cold]
    #[inline(never)]
    fn read_slow<T: Word>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<T, PageFault> {
        let span = self.translate_span::<T>(addr, AccessKind::Read, privilege)?;
        Ok(self.load_span(span))
    }

    #[cold]
    #[inline(never)]
    fn write_slow<T: Word>(
        &mut self,
        addr: LinearAddr,
        value: T,
        privilege: Privilege,
    ) -> Result<Stored, PageFault> {
        let span = self.translate_span::<T>(addr, AccessKind::Write, privilege)?;
        Ok(self.store_span(span, value))
    }

    #[cold]
    #[inline(never)]
    fn fetch_slow(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<PhysAddr, PageFault> {
        let mapped = self.translate(
            addr,
            Access {
                kind: AccessKind::Fetch,
                privilege,
            },
        )?;
        Ok(mapped.frame.byte(addr.page_offset()))
    }

    /// Translates every page that a word touches, first page first.
    #[inline(never)]
    fn translate_span<T: Word>(
        &mut self,
        addr: LinearAddr,
        kind: AccessKind,
        privilege: Privilege,
    ) -> Result<Span, PageFault> {
        let access = Access { kind, privilege };
        let first = self.translate(addr, access)?.frame.byte(addr.page_offset());
        let first_len = (PAGE_SIZE - addr.page_offset()).min(T::SIZE);
        let second = if first_len == T::SIZE {
            first
        } else {
            let next = addr.wrapping_add(first_len);
            self.translate(next, access)?.frame.start()
        };
        Ok(Span {
            first,
            first_len,
            second,
        })
    }

    /// Translates one access: the model itself. Fills the front array on the way.
    fn translate(&mut self, addr: LinearAddr, access: Access) -> Result<Mapped, PageFault> {
        if !self.control.is_paging() {
            *self.statistics.accesses.of_mut(access.kind) += 1;
            let frame = FrameNumber::truncate(addr.page().bits());
            return Ok(Mapped {
                frame,
                rights: Rights::all(),
                place: None,
            });
        }
        if !self.tlb.is_present() {
            *self.statistics.accesses.of_mut(access.kind) += 1;
            let leaf = self.walk_for(addr, access)?;
            return Ok(Mapped {
                frame: leaf.frame,
                rights: leaf.rights,
                place: None,
            });
        }
        let mapped = self.look_up(addr, access)?;
        self.fill_front(addr, access, &mapped);
        Ok(mapped)
    }

    /// Asks the levels of the TLB, then the tables.
    fn look_up(&mut self, addr: LinearAddr, access: Access) -> Result<Mapped, PageFault> {
        let kind = access.kind;
        let page = addr.page();
        let level = self.tlb.first_level(kind);
        self.tlb.tick();
        self.count_kind(kind);

        let found = self.tlb.find(level, page);
        self.observer.look_up(level, addr, kind, found.is_some());
        if let Some(found) = found {
            self.tlb.touch(found.place);
            let leaf = found.cached.leaf;
            if !self.suffices(leaf.rights, access) {
                return self.rewalk(level, addr, access);
            }
            return Ok(Mapped::at(leaf, found.place));
        }
        *self.statistics.levels[level as usize].misses.of_mut(kind) += 1;

        if self.tlb.has(LevelId::L2) {
            let found = self.tlb.find(LevelId::L2, page);
            self.observer
                .look_up(LevelId::L2, addr, kind, found.is_some());
            let counts = &mut self.statistics.levels[LevelId::L2 as usize];
            let counter = if found.is_some() {
                &mut counts.hits
            } else {
                &mut counts.misses
            };
            *counter.of_mut(kind) += 1;
            if let Some(found) = found {
                self.tlb.touch(found.place);
                if !self.suffices(found.cached.leaf.rights, access) {
                    return self.rewalk(level, addr, access);
                }
                return Ok(self.fill(level, page, &found.cached));
            }
        }

        let leaf = self.walk_for(addr, access)?;
        Ok(self.fill_levels(level, page, leaf))
    }

    /// Returns whether a cached translation serves the access as it is.
    ///
    /// A first write needs a walk that sets D. Missing rights need one too: the entry may have
    /// been changed since, and processors look before they fault.
    #[inline]
    fn suffices(&self, rights: Rights, access: Access) -> bool {
        let needs_dirty = access.kind == AccessKind::Write && !rights.contains(Rights::DIRTY);
        !needs_dirty && self.control.rules().allow(rights, access)
    }

    /// Walks although a translation is cached, and brings what is cached up to date.
    fn rewalk(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
    ) -> Result<Mapped, PageFault> {
        self.statistics.rewalks += 1;
        let leaf = self.walk_for(addr, access)?;
        let page = addr.page();
        // Lines that stand for the old translation must not outlive it.
        self.drop_front(page);
        let in_second = self.tlb.refresh(LevelId::L2, page, leaf);
        if let Some(place) = self.tlb.refresh(level, page, leaf) {
            return Ok(Mapped::at(leaf, place));
        }
        if in_second.is_some() {
            return Ok(self.fill(level, page, &Cached::from(leaf)));
        }
        self.drop_page(page);
        Ok(self.fill_levels(level, page, leaf))
    }

    /// Walks, judges and marks. Every page fault is raised here.
    fn walk_for(&mut self, addr: LinearAddr, access: Access) -> Result<Leaf, PageFault> {
        let walk = self.counted_walk(addr);
        match walk.check(&self.control, access) {
            Ok(mut leaf) => {
                self.mark(&walk, access.kind);
                if access.kind == AccessKind::Write {
                    leaf.rights |= Rights::DIRTY;
                }
                self.directory
                    .remember(self.control.paging(), &walk, leaf.size);
                Ok(leaf)
            }
            Err(fault) => {
                *self.statistics.faults_mut(fault.cause).of_mut(access.kind) += 1;
                self.observer.fault(&fault);
                self.observer
                    .drop_translations(DropCause::Faulted, Some(addr));
                self.directory.forget(self.control.paging(), addr.page());
                self.drop_page(addr.page());
                self.control.set_cr2(fault.addr);
                Err(fault)
            }
        }
    }

    fn counted_walk(&mut self, addr: LinearAddr) -> Walk {
        let remembered = self.directory.find(self.control.paging(), addr.page());
        let walk = match remembered {
            Some(entry) => walk_below(&self.mem, self.control.paging(), addr, entry),
            None => walk(&self.mem, &self.control, addr),
        };
        self.statistics.walks += 1;
        self.statistics.walk_references += u64::from(walk.memory_references());
        self.statistics.directory_hits += u64::from(remembered.is_some());
        for step in walk.steps() {
            self.observer.walk_step(addr, step);
        }
        walk
    }

    /// Sets A in the entries that were used, and D in the leaf for a write.
    ///
    /// An entry is read again before it is written: with a directory that maps itself, one word
    /// may serve as both entries.
    fn mark(&mut self, walk: &Walk, kind: AccessKind) {
        let last = walk.steps().len() - 1;
        for (index, step) in walk.steps().iter().enumerate() {
            let mut wanted = PteFlags::ACCESSED;
            wanted.set(PteFlags::DIRTY, index == last && kind == AccessKind::Write);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the flags are the low 12 bits"
            )]
            let missing = wanted - PteFlags::from_bits_truncate(step.value as u32);
            if step.level == Level::Pdpt || missing.is_empty() {
                continue;
            }
            let value = self.mem.read::<u32>(step.at) | wanted.bits();
            self.mem.write(step.at, value);
            self.tracked.note(step.at.frame());
            self.statistics.accessed_marks += u64::from(missing.contains(PteFlags::ACCESSED));
            self.statistics.dirty_marks += u64::from(missing.contains(PteFlags::DIRTY));
            self.observer.mark(step.at, value);
        }
    }

    /// Puts a leaf into the second level, if there is one, and into the first.
    fn fill_levels(&mut self, level: LevelId, page: PageNumber, leaf: Leaf) -> Mapped {
        let cached = Cached::from(leaf);
        if self.tlb.has(LevelId::L2) {
            self.fill(LevelId::L2, page, &cached);
        }
        self.fill(level, page, &cached)
    }

    fn fill(&mut self, level: LevelId, page: PageNumber, cached: &Cached) -> Mapped {
        let Filled { place, displaced } = self.tlb.fill(level, page, cached);
        self.observer.fill(level, page.start());
        if let Some(held) = displaced {
            self.statistics.levels[level as usize].evictions += 1;
            self.observer.evict(level, held.first.start());
            if level != LevelId::L2 {
                match held.size {
                    PageSize::Small => self.front.clear_page(held.first),
                    PageSize::Mib2 | PageSize::Mib4 => self.front.clear(),
                }
            }
        }
        Mapped::at(cached.leaf, place)
    }

    /// Drops the page from every level, with all lines that stand for it.
    fn drop_page(&mut self, page: PageNumber) {
        self.drop_front(page);
        self.tlb.invalidate(page);
    }

    fn drop_front(&mut self, page: PageNumber) {
        if self.tlb.holds_large() {
            self.front.clear();
        } else {
            self.front.clear_page(page);
        }
    }

    /// Remembers a translation in the front array, with the verdicts that hold until a setting
    /// changes.
    fn fill_front(&mut self, addr: LinearAddr, access: Access, mapped: &Mapped) {
        let Some(place) = mapped.place.filter(|_| self.use_front == FrontArray::On) else {
            return;
        };
        let Some(base) = self.ram_base(mapped.frame) else {
            return;
        };
        if access.privilege == Privilege::Implicit {
            return;
        }
        let tag = tag(addr, access.privilege);
        let tag_if = |allowed: bool| if allowed { tag } else { 0 };
        let allow = |kind| self.suffices(mapped.rights, Access { kind, ..access });
        if access.kind == AccessKind::Fetch {
            self.front.set_fetch(
                addr,
                Line {
                    read: tag,
                    write: 0,
                    base,
                    place,
                },
            );
        } else {
            let may_write = allow(AccessKind::Write) && !self.tracked.contains(mapped.frame);
            let (read, write) = (tag_if(allow(AccessKind::Read)), tag_if(may_write));
            self.front.set_data(
                addr,
                Line {
                    read,
                    write,
                    base,
                    place,
                },
            );
        }
    }

    /// Returns the frame's offset into RAM, if RAM is there.
    fn ram_base(&self, frame: FrameNumber) -> Option<u32> {
        let backed = self.mem.is_backed(frame);
        backed.then_some(frame.bits() << crate::addr::PAGE_SHIFT)
    }

    #[inline(always)]
    fn count_kind(&mut self, kind: AccessKind) {
        if O::COUNTING {
            match kind {
                // What the clock counts beyond writes and fetches.
                AccessKind::Read => {}
                AccessKind::Write => self.looked_up.writes += 1,
                AccessKind::Fetch => self.looked_up.fetches += 1,
            }
        }
    }

    #[inline(always)]
    fn count_hit(&mut self, place: Place, addr: LinearAddr, kind: AccessKind) {
        self.tlb.tick();
        self.tlb.touch(place);
        self.count_kind(kind);
        self.observer
            .look_up(self.tlb.first_level(kind), addr, kind, true);
    }

    /// Counts hits that can no longer change any replacement state.
    fn count_untouched(&mut self, run: HitRun, count: u64) {
        self.tlb.advance(count);
        if O::COUNTING && run.kind != AccessKind::Read {
            *self.looked_up.of_mut(run.kind) += count;
        }
    }

    #[inline(always)]
    fn load_at<T: Word>(&self, at: u32) -> T {
        self.mem
            .bytes()
            .get(at as usize..)
            .and_then(T::load)
            .unwrap_or(T::ALL_ONES)
    }

    #[inline(always)]
    fn store_at<T: Word>(&mut self, at: u32, value: T) {
        if let Some(bytes) = self.mem.bytes_mut().get_mut(at as usize..) {
            value.store(bytes);
        }
    }

    fn load_span<T: Word>(&self, span: Span) -> T {
        if span.first_len == T::SIZE {
            return self.mem.read(span.first);
        }
        let mut bytes = [0_u8; MAX_WORD];
        for index in 0..T::SIZE {
            bytes[index as usize] = self.mem.read(span.byte(index));
        }
        T::load(&bytes).unwrap_or(T::ALL_ONES)
    }

    fn store_span<T: Word>(&mut self, span: Span, value: T) -> Stored {
        if span.first_len == T::SIZE {
            self.mem.write(span.first, value);
        } else {
            let mut bytes = [0_u8; MAX_WORD];
            value.store(&mut bytes);
            for index in 0..T::SIZE {
                self.mem.write(span.byte(index), bytes[index as usize]);
            }
        }
        let first = self.tracked.note(span.first.frame());
        let second = self.tracked.note(span.second.frame());
        if first || second {
            Stored::Tracked
        } else {
            Stored::Plain
        }
    }
}

/// The widest word in bytes.
const MAX_WORD: usize = 16;

/// The bytes of a word, on one page or two.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: PhysAddr,
    first_len: u32,
    /// The start of the second page; where there is none, the first byte again.
    second: PhysAddr,
}

impl Span {
    fn byte(&self, index: u32) -> PhysAddr {
        match index.checked_sub(self.first_len) {
            None => self.first.frame().byte(self.first.page_offset() + index),
            Some(index) => self.second.frame().byte(index),
        }
    }
}

impl Mapped {
    #[inline]
    fn at(leaf: Leaf, place: Place) -> Self {
        Self {
            frame: leaf.frame,
            rights: leaf.rights,
            place: Some(place),
        }
    }
}

/// Returns the physical address of an offset into RAM.
#[inline(always)]
fn ram_addr(offset: u32) -> PhysAddr {
    FrameNumber::truncate(offset >> crate::addr::PAGE_SHIFT).byte(offset)
}
