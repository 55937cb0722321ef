//! The MMU: translation through the TLB, walks, A and D, and the accesses themselves.

mod config;
mod saved;
mod span;
mod translate;

use crate::addr::{FrameNumber, LinearAddr, PhysAddr};
use crate::control::{AcFlag, Control, ControlFault, Cr0, Cr4, Mode, TwoLevel};
use crate::directory::DirectoryCache;
use crate::fault::{Access, AccessKind, PageFault, Privilege};
use crate::front::{Front, FrontArray, Line, Tag};
use crate::observer::{DropCause, NoObserver, Observer};
use crate::phys::PhysMemory;
use crate::tlb::statistics::{Statistics, Tally};
use crate::tlb::{Place, Tlb};
use crate::tracked::TrackedFrames;
use crate::walk::{Walk, walk};
use crate::word::Word;

pub use config::{MmuConfig, MmuError};
pub use saved::SavedMmu;

use span::is_on_one_page;
use translate::{Fetching, Reading, Writing, ram_addr};

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
    tally: Tally,
    use_front: FrontArray,
    /// Whether the TLB is of one level, and there is no paging-structure cache.
    has_one_level: bool,
    /// The tables, as long as accesses of the program may take the short way: two levels of them, a
    /// TLB of one level that holds small pages only, in plain quads, and the front array in use.
    short_way: Option<TwoLevel>,
    control: Control,
    tracked: TrackedFrames,
    directory: DirectoryCache,
    statistics: Statistics,
    /// The page fault of the access that was refused last.
    fault: PageFault,
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
            tally: Tally::default(),
            use_front: config.front,
            has_one_level: config.tlb.has_one_level(),
            short_way: None,
            control: Control::new(config.physical_bits),
            tracked: TrackedFrames::new(mem.frame_count()),
            directory: DirectoryCache::new(config.tlb.directory_entries),
            statistics: Statistics::default(),
            fault: PageFault::NONE_YET,
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

    /// Returns the page fault of the access that was refused last; before any, that of a read at
    /// address zero.
    // A call, so that it comes in one register instead of byte by byte.
    #[cold]
    #[inline(never)]
    pub fn last_fault(&self) -> PageFault {
        self.fault
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
        let tag = Tag::of_word::<T>(addr, privilege);
        if line.read == tag && self.count_hit(line.place, addr, AccessKind::Read) {
            return Ok(self.load_at(line.base + addr.page_offset()));
        }
        if !is_on_one_page::<T>(addr) {
            return self.read_crossing(addr, privilege);
        }
        let at = self.translate_for::<Reading>(addr, tag, privilege)?;
        Ok(self.mem.read(at))
    }

    /// Reads a word if that is a hit that needs nothing but to be counted; otherwise does nothing.
    ///
    /// An interpreter tries this first: the code for it needs no room for a page fault, and calls
    /// nothing. Policies whose hits change more than a stamp are left to [`Mmu::read`], and so is a hit
    /// at which the clock of the TLB is full: one of some 500,000 accesses.
    #[inline(always)]
    pub fn read_hit<T: Word>(&mut self, addr: LinearAddr, privilege: Privilege) -> Option<T> {
        let line = *self.front.data(addr);
        if line.read != Tag::of_word::<T>(addr, privilege) {
            return None;
        }
        self.count_plain_hit(line.place, addr, AccessKind::Read)?;
        Some(self.load_at(line.base + addr.page_offset()))
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
        let tag = Tag::of_word::<T>(addr, privilege);
        if line.write == tag && self.count_hit(line.place, addr, AccessKind::Write) {
            self.store_at(line.base + addr.page_offset(), value);
            return Ok(Stored::Plain);
        }
        if !is_on_one_page::<T>(addr) {
            return self.write_crossing(addr, value, privilege);
        }
        let at = self.translate_for::<Writing>(addr, tag, privilege)?;
        self.mem.write(at, value);
        Ok(if self.tracked.note(at.frame()) {
            Stored::Tracked
        } else {
            Stored::Plain
        })
    }

    /// Writes a word if that is a hit that needs nothing but to be counted, into a frame that
    /// nobody tracks; otherwise does nothing.
    #[inline(always)]
    pub fn write_hit<T: Word>(
        &mut self,
        addr: LinearAddr,
        value: T,
        privilege: Privilege,
    ) -> Option<()> {
        let line = *self.front.data(addr);
        if line.write != Tag::of_word::<T>(addr, privilege) {
            return None;
        }
        self.count_plain_hit(line.place, addr, AccessKind::Write)?;
        self.store_at(line.base + addr.page_offset(), value);
        Some(())
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
        if line.write == Tag::of_word::<T>(addr, privilege)
            && self.count_hit(line.place, addr, AccessKind::Write)
        {
            self.modify_line(line, addr, edit);
            return Ok(Stored::Plain);
        }
        let span = self.translate_span::<T>(addr, write_access(privilege))?;
        let value = edit(self.load_span(span));
        Ok(self.store_span(span, value))
    }

    /// As [`Mmu::modify`], if that is a hit that needs nothing but to be counted; otherwise `edit`
    /// is not called.
    #[inline(always)]
    pub fn modify_hit<T: Word>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
        edit: impl FnOnce(T) -> T,
    ) -> Option<()> {
        let line = *self.front.data(addr);
        if line.write != Tag::of_word::<T>(addr, privilege) {
            return None;
        }
        self.count_plain_hit(line.place, addr, AccessKind::Write)?;
        self.modify_line(line, addr, edit);
        Some(())
    }

    #[inline(always)]
    fn modify_line<T: Word>(&mut self, line: Line, addr: LinearAddr, edit: impl FnOnce(T) -> T) {
        let at = line.base + addr.page_offset();
        let value = edit(self.load_at(at));
        self.store_at(at, value);
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
        self.translate_span::<T>(addr, write_access(privilege))
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
        let tag = Tag::new(addr, privilege);
        if line.read == tag && self.count_hit(line.place, addr, AccessKind::Fetch) {
            return Ok(ram_addr(line.base + addr.page_offset()));
        }
        self.translate_for::<Fetching>(addr, tag, privilege)
    }

    /// As [`Mmu::fetch_page`], if that is a hit that needs nothing but to be counted.
    #[inline(always)]
    pub fn fetch_hit(&mut self, addr: LinearAddr, privilege: Privilege) -> Option<PhysAddr> {
        let line = *self.front.fetch(addr);
        if line.read != Tag::new(addr, privilege) {
            return None;
        }
        self.count_plain_fetch(line.place, addr)?;
        Some(ram_addr(line.base + addr.page_offset()))
    }

    /// Returns what [`Mmu::fetch_hit`] does, and changes nothing.
    pub fn peek_fetch_hit(&self, addr: LinearAddr, privilege: Privilege) -> Option<PhysAddr> {
        let line = self.front.fetch(addr);
        let is_hit = line.read == Tag::new(addr, privilege) && line.place.keeps_stamp();
        is_hit.then(|| ram_addr(line.base + addr.page_offset()))
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
        let is_held = held == Tag::new(addr, privilege) && self.mem.is_backed(at.frame());
        is_held.then_some(run)
    }

    /// Counts `count` accesses to a page, as if they had been made one by one.
    #[inline]
    pub fn count_hits(&mut self, run: HitRun, count: u32) {
        let touches = u64::from(count).min(SETTLING_TOUCHES);
        for _ in 0..touches {
            self.count_in_run(run);
        }
        let rest = u64::from(count) - touches;
        self.count_untouched(run, rest);
        for _ in 0..rest {
            self.show_hit(run.addr, run.kind);
        }
    }

    /// Counts `count` accesses to each of two pages, made in turn, `first` before `second`.
    #[inline]
    pub fn count_hit_pairs(&mut self, first: HitRun, second: HitRun, count: u32) {
        let touches = u64::from(count).min(SETTLING_TOUCHES);
        let rest = u64::from(count) - touches;
        self.count_untouched(first, rest);
        self.count_untouched(second, rest);
        for _ in 0..rest {
            self.show_hit(first.addr, first.kind);
            self.show_hit(second.addr, second.kind);
        }
        for _ in 0..touches {
            self.count_in_run(first);
            self.count_in_run(second);
        }
    }

    /// Has the next access to the page go the long way, past the front array. No result and no count
    /// depends on it.
    ///
    /// For whoever looks at every access to some pages: an access that does not go the long way
    /// cannot be one to a page that was forgotten.
    pub fn forget_line(&mut self, addr: LinearAddr) {
        self.front.clear_page(addr.page());
    }

    /// As [`Mmu::forget_line`], for all pages.
    pub fn forget_lines(&mut self) {
        self.front.clear();
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
        self.settle(new);
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
        self.settle_way();
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
        self.settle(new);
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
        let new = self.control.with_efer(bits, &self.mem)?;
        self.settle(new);
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
        self.settle_way();
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
        statistics.derive_walks(self.tlb.last_levels(), &self.tally);
        if O::COUNTING && self.tlb.is_present() {
            let looked_up = self.tlb.looked_up();
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
        self.tally = Tally::default();
        self.tlb.count_anew();
    }

    /// Takes new registers: verdicts and directory entries that were judged by the old ones go.
    fn settle(&mut self, new: Control) {
        self.control = new;
        self.front.clear();
        self.directory.clear();
        self.settle_way();
    }

    /// Finds out whether the short way is open.
    fn settle_way(&mut self) {
        let is_short = self.has_one_level && self.tlb.is_short();
        self.short_way = match self.control.paging().mode {
            Mode::TwoLevel(tables) if is_short && self.use_front == FrontArray::On => Some(tables),
            _ => None,
        };
    }

    pub(crate) fn tlb(&self) -> &Tlb {
        &self.tlb
    }
}

/// Returns a write on this behalf.
fn write_access(privilege: Privilege) -> Access {
    Access {
        kind: AccessKind::Write,
        privilege,
    }
}
