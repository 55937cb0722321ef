//! Translation, access by access: everything that a line of the front array does not answer.

use super::{HitRun, Mmu};
use crate::addr::{FrameNumber, LinearAddr, PAGE_SHIFT, PageNumber, PhysAddr};
use crate::entry::{PageSize, PteFlags, Rights};
use crate::fault::{Access, AccessKind, FaultCause, PageFault, Privilege};
use crate::front::{FrontArray, Line, NO_TAG, tag};
use crate::observer::{DropCause, Observer};
use crate::packed::Packed;
use crate::tlb::array::Key;
use crate::tlb::{Filled, Found, LevelId, Place, Refreshed, held_by};
use crate::walk::Trail;
use crate::word::Word;

/// The slow paths: everything that a line of the front array does not answer.
impl<O: Observer> Mmu<O> {
    /// Translates one access.
    ///
    /// The model is [`Self::translate_as`]; here it is compiled once for each kind of access, since
    /// the kind decides much of what is to be done.
    #[inline(always)]
    pub(super) fn translate(
        &mut self,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        match access.kind {
            AccessKind::Read => self.translate_read(addr, access.privilege),
            AccessKind::Write => self.translate_write(addr, access.privilege),
            AccessKind::Fetch => self.translate_fetch(addr, access.privilege),
        }
    }

    #[inline(never)]
    pub(super) fn translate_read(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<FrameNumber, PageFault> {
        let kind = AccessKind::Read;
        self.translate_as(addr, Access { kind, privilege })
    }

    #[inline(never)]
    pub(super) fn translate_write(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<FrameNumber, PageFault> {
        let kind = AccessKind::Write;
        self.translate_as(addr, Access { kind, privilege })
    }

    #[inline(never)]
    pub(super) fn translate_fetch(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<FrameNumber, PageFault> {
        let kind = AccessKind::Fetch;
        self.translate_as(addr, Access { kind, privilege })
    }

    /// The model itself, on the short way: two-level tables and a TLB of one level. Fills the front
    /// array on the way.
    ///
    /// What happens often is done here, in registers; each rare turn is a function that finishes the
    /// access on its own.
    #[inline(always)]
    fn translate_as(&mut self, addr: LinearAddr, access: Access) -> Result<FrameNumber, PageFault> {
        let Some(tables) = self.short_way else {
            return self.translate_otherwise(addr, access);
        };
        let kind = access.kind;
        let page = addr.page();
        let level = self.tlb.first_level(kind);
        let set = self.tlb.quad(level, page);
        self.tlb.tick();
        self.count_kind(kind);
        let found = self.tlb.find_in(level, set, page);
        self.observer
            .look_up(level, addr, access.kind, found.is_some());
        if let Some(found) = found {
            return self.use_found(level, addr, access, found);
        }
        *self.statistics.levels[level as usize].misses.of_mut(kind) += 1;

        let paging = self.control.paging();
        let (trail, outcome) = Trail::descend_two_level(&self.mem, paging, tables, addr);
        let leaf = match (outcome, trail.table) {
            (Ok(leaf), Some(_)) => leaf,
            (Ok(_), None) => return self.translate_missed(level, addr, access),
            (Err(cause), _) => {
                self.count_walk(addr, &trail);
                return Err(self.refuse_missed(addr, access, cause));
            }
        };
        self.count_walk(addr, &trail);
        if !self.control.test(access).passes(leaf.attributes()) {
            return Err(self.refuse_missed(addr, access, FaultCause::Protection));
        }
        self.mark(&trail, kind);
        let leaf = leaf.after(kind);
        let Some((place, displaced)) = self.tlb.replace_oldest(level, set, page, leaf) else {
            return Ok(self.fill_and_remember(level, addr, access, leaf));
        };
        self.observer.fill(level, page.start());
        if let Some(key) = displaced {
            self.displace(level, key);
        }
        Ok(self.remember(addr, access, leaf, place))
    }

    /// Translates an access that the TLB has nothing for: any mode, any page size.
    #[inline(never)]
    fn translate_missed(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        match self.walk_for(addr, access) {
            Ok(leaf) => Ok(self.fill_and_remember(level, addr, access, leaf)),
            Err(cause) => Err(self.refuse(addr, access, cause)),
        }
    }

    /// The model of everything: any mode, any levels, and a paging-structure cache.
    #[inline(never)]
    fn translate_otherwise(
        &mut self,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        if !self.control.is_paging() || !self.tlb.is_present() {
            return self.translate_without_tlb(addr, access);
        }
        let level = self.tlb.first_level(access.kind);
        if let Some(outcome) = self.look_up_first(level, addr, access) {
            return outcome;
        }
        if self.tlb.has(LevelId::L2) {
            return self.look_up_second(level, addr, access);
        }
        self.translate_missed(level, addr, access)
    }

    /// Looks the page up in a first level. `None` is a miss.
    #[inline(always)]
    fn look_up_first(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
    ) -> Option<Result<FrameNumber, PageFault>> {
        self.tlb.tick();
        self.count_kind(access.kind);
        let found = self.tlb.find(level, addr.page());
        self.observer
            .look_up(level, addr, access.kind, found.is_some());
        let Some(found) = found else {
            let misses = &mut self.statistics.levels[level as usize].misses;
            *misses.of_mut(access.kind) += 1;
            return None;
        };
        Some(self.use_found(level, addr, access, found))
    }

    /// Uses what a first level holds of the page.
    #[inline(always)]
    fn use_found(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
        Found { place, leaf }: Found,
    ) -> Result<FrameNumber, PageFault> {
        // Quirk: stale-accessed
        self.tlb.touch(place);
        if !self.suffices(leaf.attributes(), access) {
            return self.rewalk(level, addr, access);
        }
        Ok(self.remember(addr, access, leaf, place))
    }

    #[inline(never)]
    fn translate_without_tlb(
        &mut self,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        *self.statistics.accesses.of_mut(access.kind) += 1;
        if !self.control.is_paging() {
            return Ok(FrameNumber::truncate(addr.page().bits()));
        }
        match self.walk_for(addr, access) {
            Ok(leaf) => Ok(leaf.frame()),
            Err(cause) => Err(self.refuse(addr, access, cause)),
        }
    }

    /// Asks the second level, then the tables, after a miss in the first.
    #[inline(never)]
    fn look_up_second(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        let page = addr.page();
        let found = self.tlb.find(LevelId::L2, page);
        self.observer
            .look_up(LevelId::L2, addr, access.kind, found.is_some());
        let counts = &mut self.statistics.levels[LevelId::L2 as usize];
        let leaf = if let Some(Found { place, leaf }) = found {
            *counts.hits.of_mut(access.kind) += 1;
            self.tlb.touch(place);
            if !self.suffices(leaf.attributes(), access) {
                return self.rewalk(level, addr, access);
            }
            leaf
        } else {
            *counts.misses.of_mut(access.kind) += 1;
            let leaf = match self.walk_for(addr, access) {
                Ok(leaf) => leaf,
                Err(cause) => return Err(self.refuse(addr, access, cause)),
            };
            self.fill(LevelId::L2, page, leaf);
            leaf
        };
        let place = self.fill(level, page, leaf);
        Ok(self.remember(addr, access, leaf, place))
    }

    /// Returns whether a cached translation serves the access as it is.
    ///
    /// A first write needs a walk that sets D. Missing rights need one too: the entry may have
    /// been changed since, and processors look before they fault.
    #[inline(always)]
    fn suffices(&self, rights: Rights, access: Access) -> bool {
        let test = self.control.test(access);
        match access.kind {
            AccessKind::Write => test.with_dirty().passes(rights),
            AccessKind::Read | AccessKind::Fetch => test.passes(rights),
        }
    }

    /// Walks although a translation is cached, and brings what is cached up to date.
    #[inline(never)]
    fn rewalk(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        // Quirk: rewalk-before-fault
        self.statistics.rewalks += 1;
        let leaf = match self.walk_for(addr, access) {
            Ok(leaf) => leaf,
            Err(cause) => return Err(self.refuse(addr, access, cause)),
        };
        let page = addr.page();
        // Lines that stand for the old translation must not outlive it.
        self.drop_front(page);
        let in_first = self.tlb.refresh(level, page, leaf);
        let in_second = self.tlb.refresh(LevelId::L2, page, leaf);
        let place = match (in_first, in_second) {
            (Refreshed::At(place), Refreshed::At(_) | Refreshed::Absent) => place,
            (Refreshed::Absent, Refreshed::At(_)) => self.fill(level, page, leaf),
            // A level holds a page of another size: all of it is out of date.
            _ => {
                self.drop_page(page);
                if self.tlb.has(LevelId::L2) {
                    self.fill(LevelId::L2, page, leaf);
                }
                self.fill(level, page, leaf)
            }
        };
        Ok(self.remember(addr, access, leaf, place))
    }

    /// Walks, judges and marks; says why the access is refused, if it is.
    #[inline(always)]
    fn walk_for(&mut self, addr: LinearAddr, access: Access) -> Result<Packed, FaultCause> {
        let (trail, outcome) = self.counted_walk(addr);
        let leaf = self.judge(&trail, outcome, access)?;
        if let (Some(directory), Some(_), true) =
            (trail.directory, trail.table, self.directory.exists())
        {
            let paging = self.control.paging();
            self.directory
                .remember(paging, addr.page(), directory.value);
        }
        Ok(leaf)
    }

    /// Returns the page that a walk found, marked as the access leaves it.
    #[inline(always)]
    fn judge(
        &mut self,
        trail: &Trail,
        outcome: Result<Packed, FaultCause>,
        access: Access,
    ) -> Result<Packed, FaultCause> {
        // Quirk: directory-unmarked
        let leaf = outcome?;
        if !self.control.test(access).passes(leaf.attributes()) {
            return Err(FaultCause::Protection);
        }
        self.mark(trail, access.kind);
        Ok(leaf.after(access.kind))
    }

    /// Raises a page fault: what is cached of the page goes.
    #[inline(never)]
    fn refuse(&mut self, addr: LinearAddr, access: Access, cause: FaultCause) -> PageFault {
        let fault = self.raise(addr, access, cause);
        if self.directory.exists() {
            self.directory.forget(self.control.paging(), addr.page());
        }
        self.drop_page(addr.page());
        fault
    }

    /// As [`Self::refuse`], on the short way behind a miss: what one level does not hold is not
    /// cached at all.
    #[inline(never)]
    fn refuse_missed(&mut self, addr: LinearAddr, access: Access, cause: FaultCause) -> PageFault {
        if self.tlb.is_unified() {
            self.raise(addr, access, cause)
        } else {
            self.refuse(addr, access, cause)
        }
    }

    /// Makes a page fault, counts it, and loads CR2.
    #[inline(always)]
    fn raise(&mut self, addr: LinearAddr, access: Access, cause: FaultCause) -> PageFault {
        let fault = PageFault::new(addr, access, cause, self.control.fetches());
        *self.statistics.faults_mut(cause).of_mut(access.kind) += 1;
        self.observer.fault(&fault);
        self.observer
            .drop_translations(DropCause::Faulted, Some(addr));
        self.control.set_cr2(addr);
        fault
    }

    #[inline(always)]
    fn counted_walk(&mut self, addr: LinearAddr) -> (Trail, Result<Packed, FaultCause>) {
        let paging = self.control.paging();
        let remembered = if self.directory.exists() {
            self.directory.find(paging, addr.page())
        } else {
            None
        };
        let (trail, outcome) = match remembered {
            Some(entry) => Trail::descend_from(&self.mem, paging, addr, entry),
            None => Trail::descend(&self.mem, paging, addr),
        };
        self.statistics.directory_hits += u64::from(remembered.is_some());
        self.count_walk(addr, &trail);
        (trail, outcome)
    }

    #[inline(always)]
    fn count_walk(&mut self, addr: LinearAddr, trail: &Trail) {
        self.statistics.walks += 1;
        self.statistics.walk_references += trail.memory_references();
        // Spelled out: an iterator over the three would keep them in memory.
        if let Some(step) = &trail.pdpt {
            self.observer.walk_step(addr, step);
        }
        if let Some(step) = &trail.directory {
            self.observer.walk_step(addr, step);
        }
        if let Some(step) = &trail.table {
            self.observer.walk_step(addr, step);
        }
    }

    /// Sets A in the entries that were used, and D in the leaf for a write.
    ///
    /// An entry that lacks a bit is read again before it is written: with a directory that maps
    /// itself, one word may serve as both entries.
    #[inline(always)]
    fn mark(&mut self, trail: &Trail, kind: AccessKind) {
        let of_leaf = match kind {
            AccessKind::Write => PteFlags::ACCESSED | PteFlags::DIRTY,
            AccessKind::Read | AccessKind::Fetch => PteFlags::ACCESSED,
        };
        let of_directory = match trail.table {
            Some(_) => PteFlags::ACCESSED,
            None => of_leaf,
        };
        if let Some(step) = trail.directory
            && !low_flags(step.value).contains(of_directory)
        {
            self.set_marks(step.at, of_directory);
        }
        if let Some(step) = trail.table
            && !low_flags(step.value).contains(of_leaf)
        {
            self.set_marks(step.at, of_leaf);
        }
    }

    #[inline(never)]
    fn set_marks(&mut self, at: PhysAddr, wanted: PteFlags) {
        let value = self.mem.read::<u32>(at);
        let missing = wanted - low_flags(u64::from(value));
        if missing.is_empty() {
            return;
        }
        let value = value | wanted.bits();
        self.mem.write(at, value);
        self.tracked.note(at.frame());
        self.statistics.accessed_marks += u64::from(missing.contains(PteFlags::ACCESSED));
        self.statistics.dirty_marks += u64::from(missing.contains(PteFlags::DIRTY));
        self.observer.mark(at, value);
    }

    /// Puts a translation into a first level, whatever that takes, and remembers it.
    #[inline(never)]
    fn fill_and_remember(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
        leaf: Packed,
    ) -> FrameNumber {
        // Quirk: no-speculation
        let place = self.fill(level, addr.page(), leaf);
        self.remember(addr, access, leaf, place)
    }

    /// Puts a translation into a level that does not hold the page, and returns where it is.
    #[inline(never)]
    fn fill(&mut self, level: LevelId, page: PageNumber, leaf: Packed) -> Place {
        let Filled {
            place,
            size,
            displaced,
        } = self.tlb.fill(level, page, leaf);
        self.observer.fill(level, page.start());
        if self.tlb.holds_large() {
            self.short_way = None;
        }
        if size != PageSize::Small && level != LevelId::L2 {
            // It may come before a small page that a line stands for, in the order of look-up.
            self.front.clear();
        }
        if let Some(key) = displaced {
            // Quirk: second-level
            self.displace(level, key);
        }
        place
    }

    /// Counts what made room, and drops the lines that stand for it.
    #[inline(always)]
    fn displace(&mut self, level: LevelId, key: Key) {
        let held = held_by(key);
        self.statistics.levels[level as usize].evictions += 1;
        self.observer.evict(level, held.first.start());
        if level != LevelId::L2 {
            match held.size {
                PageSize::Small => self.front.clear_page(held.first),
                PageSize::Mib2 | PageSize::Mib4 => self.front.clear(),
            }
        }
    }

    /// Drops the page from every level, with all lines that stand for it.
    #[inline(always)]
    pub(super) fn drop_page(&mut self, page: PageNumber) {
        self.drop_front(page);
        self.tlb.invalidate(page);
    }

    #[inline]
    fn drop_front(&mut self, page: PageNumber) {
        if self.tlb.holds_large() {
            self.front.clear();
        } else {
            self.front.clear_page(page);
        }
    }

    /// Remembers a translation in the front array, with the verdicts that hold until a setting
    /// changes, and returns its frame.
    #[inline(always)]
    fn remember(
        &mut self,
        addr: LinearAddr,
        access: Access,
        leaf: Packed,
        place: Place,
    ) -> FrameNumber {
        let frame = leaf.frame();
        let Some(base) = self.ram_base(frame) else {
            return frame;
        };
        if self.use_front == FrontArray::Off {
            return frame;
        }
        let tag = tag(addr, access.privilege);
        let tag_if = |allowed: bool| if allowed { tag } else { NO_TAG };
        let allow = |kind| self.suffices(leaf.attributes(), Access { kind, ..access });
        if access.kind == AccessKind::Fetch {
            let line = Line {
                read: tag,
                write: NO_TAG,
                base,
                place,
            };
            self.front.set_fetch(addr, line);
        } else {
            let may_read = access.kind == AccessKind::Read || allow(AccessKind::Read);
            let may_write = allow(AccessKind::Write) && !self.tracked.contains(frame);
            let line = Line {
                read: tag_if(may_read),
                write: tag_if(may_write),
                base,
                place,
            };
            self.front.set_data(addr, line);
        }
        frame
    }

    /// Returns the frame's offset into RAM, if RAM is there.
    pub(super) fn ram_base(&self, frame: FrameNumber) -> Option<u32> {
        let backed = self.mem.is_backed(frame);
        backed.then_some(frame.bits() << PAGE_SHIFT)
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
    pub(super) fn count_hit(&mut self, place: Place, addr: LinearAddr, kind: AccessKind) {
        self.tlb.tick();
        self.tlb.touch(place);
        self.count_kind(kind);
        self.observer
            .look_up(self.tlb.first_level(kind), addr, kind, true);
    }

    /// Counts a hit that changes no more than a stamp; `None`, and nothing is counted, otherwise.
    #[inline(always)]
    pub(super) fn count_plain_hit(
        &mut self,
        place: Place,
        addr: LinearAddr,
        kind: AccessKind,
    ) -> Option<()> {
        self.tlb.touch_stamp(place)?;
        self.count_kind(kind);
        self.observer
            .look_up(self.tlb.first_level(kind), addr, kind, true);
        Some(())
    }

    /// Counts hits that can no longer change any replacement state.
    pub(super) fn count_untouched(&mut self, run: HitRun, count: u64) {
        self.tlb.advance(count);
        if O::COUNTING && run.kind != AccessKind::Read {
            *self.looked_up.of_mut(run.kind) += count;
        }
    }

    /// Tells the observer of a hit that is counted elsewhere.
    pub(super) fn show_hit(&mut self, run: HitRun) {
        let level = self.tlb.first_level(run.kind);
        self.observer.look_up(level, run.addr, run.kind, true);
    }

    #[inline(always)]
    pub(super) fn load_at<T: Word>(&self, at: u32) -> T {
        self.mem.load(u64::from(at)).unwrap_or(T::ALL_ONES)
    }

    #[inline(always)]
    pub(super) fn store_at<T: Word>(&mut self, at: u32, value: T) {
        self.mem.store(u64::from(at), value);
    }
}

/// Returns the physical address of an offset into RAM.
#[inline(always)]
pub(super) fn ram_addr(offset: u32) -> PhysAddr {
    FrameNumber::truncate(offset >> PAGE_SHIFT).byte(offset)
}

/// Returns the flags of an entry of either mode.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the flags are the low 12 bits"
)]
fn low_flags(entry: u64) -> PteFlags {
    PteFlags::from_bits_truncate(entry as u32)
}
