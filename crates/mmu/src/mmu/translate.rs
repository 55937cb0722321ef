//! Translation, access by access: everything that a line of the front array does not answer.

mod short;

use super::{HitRun, Mmu};
use crate::addr::{FrameNumber, LinearAddr, OFFSET_MASK, PAGE_SHIFT, PageNumber, PhysAddr};
use crate::entry::{PageSize, PteFlags, Rights};
use crate::fault::{Access, AccessKind, FaultCause, PageFault, Privilege};
use crate::front::{FrontArray, Line, Tag};
use crate::observer::{DropCause, Observer};
use crate::packed::{Packed, marks_of};
use crate::tlb::clock::Tick;
use crate::tlb::statistics::FULL_WALK_REFERENCES;
use crate::tlb::ways::Key;
use crate::tlb::{Filled, Found, LevelId, Place, Refreshed, held_by};
use crate::walk::Trail;
use crate::word::Word;

pub(super) use short::{Fetching, Kind, Reading, Writing};

/// Where the frame of an access that is allowed begins, or that it was refused: [`Mmu`] keeps the
/// page fault.
///
/// In one register, however it is compiled, so that functions can end in others.
#[derive(Clone, Copy, Debug)]
struct Answer(u64);

impl Answer {
    /// Set where the access was refused. No frame begins there.
    ///
    /// The error code goes with it: an answer that is always the same would be known to whoever
    /// calls, and a call whose answer is known is not the last thing that a function does.
    const REFUSED: u64 = 1 << 63;

    #[inline(always)]
    fn refused(fault: PageFault) -> Self {
        Self(Self::REFUSED | u64::from(fault.error_code()))
    }

    #[inline(always)]
    fn allowed(frame: FrameNumber) -> Self {
        Self(frame.start().bits())
    }

    /// As [`Self::allowed`], for a page whose frame 32 bits can address.
    #[inline(always)]
    fn allowed_below_4_gib(leaf: Packed) -> Self {
        Self(leaf.bits() & u64::from(!OFFSET_MASK))
    }

    /// Returns where the frame begins, as an offset into RAM.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "RAM ends at 4 GiB")]
    fn base(self) -> u32 {
        self.0 as u32
    }

    /// Returns where the byte at `addr` is, if the access is allowed.
    #[inline(always)]
    fn at(self, addr: LinearAddr) -> Option<PhysAddr> {
        let at = self.0 | u64::from(addr.page_offset());
        (self.0 & Self::REFUSED == 0).then_some(PhysAddr::from_whole(at))
    }
}

/// The slow paths: everything that a line of the front array does not answer.
impl<O: Observer> Mmu<O> {
    /// Translates one access and returns where its first byte is.
    #[inline(always)]
    pub(super) fn translate(
        &mut self,
        addr: LinearAddr,
        access: Access,
    ) -> Result<PhysAddr, PageFault> {
        let Access { kind, privilege } = access;
        let tag = Tag::new(addr, privilege);
        match kind {
            AccessKind::Read => self.translate_for::<Reading>(addr, tag, privilege),
            AccessKind::Write => self.translate_for::<Writing>(addr, tag, privilege),
            AccessKind::Fetch => self.translate_for::<Fetching>(addr, tag, privilege),
        }
    }

    /// Translates one access of a kind that is known and returns where its first byte is. `tag` is
    /// that of the page.
    #[inline(always)]
    pub(super) fn translate_for<K: Kind>(
        &mut self,
        addr: LinearAddr,
        tag: Tag,
        privilege: Privilege,
    ) -> Result<PhysAddr, PageFault> {
        let kind = K::KIND;
        let answer = match privilege {
            Privilege::User => self.translate_for_user::<K>(tag, addr),
            _ => self.translate_otherwise(addr, Access { kind, privilege }),
        };
        answer.at(addr).ok_or_else(|| self.last_fault())
    }

    /// Translates an access that the TLB has nothing for: any mode, any page size.
    #[cold]
    #[inline(never)]
    fn translate_missed(&mut self, level: LevelId, addr: LinearAddr, access: Access) -> Answer {
        match self.walk_for(addr, access) {
            Ok(leaf) => self.fill_and_remember(level, addr, access, leaf),
            Err(cause) => self.refuse(addr, access, cause),
        }
    }

    /// The model of everything: any mode, any levels, and a paging-structure cache.
    #[inline(never)]
    fn translate_otherwise(&mut self, addr: LinearAddr, access: Access) -> Answer {
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
    ) -> Option<Answer> {
        self.tlb.tick(Self::tick(access.kind));
        let found = self.tlb.find(level, addr.page());
        self.observer
            .look_up(level, addr, access.kind, found.is_some());
        let Some(Found { place, leaf }) = found else {
            let misses = &mut self.statistics.levels[level as usize].misses;
            *misses.of_mut(access.kind) += 1;
            return None;
        };
        Some(self.use_held(level, addr, access, place, leaf))
    }

    /// Uses what a first level holds of the page.
    #[inline(always)]
    fn use_held(
        &mut self,
        level: LevelId,
        addr: LinearAddr,
        access: Access,
        place: Place,
        leaf: Packed,
    ) -> Answer {
        // Quirk: stale-accessed
        self.tlb.touch(place);
        if !self.suffices(leaf.attributes(), access) {
            return self.rewalk(level, addr, access);
        }
        self.remember(addr, access, leaf, place)
    }

    #[inline(never)]
    fn translate_without_tlb(&mut self, addr: LinearAddr, access: Access) -> Answer {
        *self.statistics.accesses.of_mut(access.kind) += 1;
        if !self.control.is_paging() {
            return Answer::allowed(FrameNumber::truncate(addr.page().bits()));
        }
        self.tally.walks_without_tlb += 1;
        match self.walk_for(addr, access) {
            Ok(leaf) => Answer::allowed(leaf.frame()),
            Err(cause) => self.refuse(addr, access, cause),
        }
    }

    /// Asks the second level, then the tables, after a miss in the first.
    #[inline(never)]
    fn look_up_second(&mut self, level: LevelId, addr: LinearAddr, access: Access) -> Answer {
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
                Err(cause) => return self.refuse(addr, access, cause),
            };
            self.fill(LevelId::L2, page, leaf);
            leaf
        };
        let place = self.fill(level, page, leaf);
        self.remember(addr, access, leaf, place)
    }

    /// Returns whether a cached translation serves the access as it is.
    #[inline(always)]
    fn suffices(&self, rights: Rights, access: Access) -> bool {
        self.control.cached_test(access).passes(rights)
    }

    /// Walks although a translation is cached, and brings what is cached up to date.
    #[cold]
    #[inline(never)]
    fn rewalk(&mut self, level: LevelId, addr: LinearAddr, access: Access) -> Answer {
        // Quirk: rewalk-before-fault
        self.statistics.rewalks += 1;
        let leaf = match self.walk_for(addr, access) {
            Ok(leaf) => leaf,
            Err(cause) => return self.refuse(addr, access, cause),
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
        self.remember(addr, access, leaf, place)
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
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, addr: LinearAddr, access: Access, cause: FaultCause) -> Answer {
        if self.directory.exists() {
            self.directory.forget(self.control.paging(), addr.page());
        }
        self.drop_page(addr.page());
        self.raise(addr, access, cause)
    }

    /// Makes a page fault, counts it, and loads CR2.
    #[inline(always)]
    fn raise(&mut self, addr: LinearAddr, access: Access, cause: FaultCause) -> Answer {
        let fault = PageFault::new(addr, access, cause, self.control.fetches());
        *self.statistics.faults_mut(cause).of_mut(access.kind) += 1;
        self.observer.fault(&fault);
        self.observer
            .drop_translations(DropCause::Faulted, Some(addr));
        self.control.set_cr2(addr);
        self.fault = fault;
        Answer::refused(fault)
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
        self.tally.spared_references += FULL_WALK_REFERENCES - trail.memory_references();
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
        let of_leaf = marks_of(kind);
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
    ) -> Answer {
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
        self.count_displaced(level, held.first);
        if level != LevelId::L2 {
            match held.size {
                PageSize::Small => self.front.clear_page(held.first),
                PageSize::Mib2 | PageSize::Mib4 => self.front.clear(),
            }
        }
    }

    #[inline(always)]
    fn count_displaced(&mut self, level: LevelId, page: PageNumber) {
        self.statistics.levels[level as usize].evictions += 1;
        self.observer.evict(level, page.start());
    }

    /// Drops the page from every level, with all lines that stand for it.
    #[inline(always)]
    pub(super) fn drop_page(&mut self, page: PageNumber) {
        if self.tlb.is_plain() {
            // A line stands only for what the level holds.
            if let Some(place) = self.tlb.drop_small(LevelId::L1Data, page) {
                self.front.clear_held(page, place);
            }
            return;
        }
        self.drop_everywhere(page);
    }

    #[inline(never)]
    fn drop_everywhere(&mut self, page: PageNumber) {
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
    fn remember(&mut self, addr: LinearAddr, access: Access, leaf: Packed, place: Place) -> Answer {
        let frame = leaf.frame();
        if self.use_front == FrontArray::On
            && let Some(base) = self.ram_base(frame)
        {
            let tag = Tag::new(addr, access.privilege);
            self.set_line(tag, access, leaf, place, base);
        }
        Answer::allowed(frame)
    }

    /// Sets the line of a translation that serves the access and whose frame begins at `base`.
    #[inline(always)]
    fn set_line(&mut self, tag: Tag, access: Access, leaf: Packed, place: Place, base: u32) {
        let allow = |kind| self.suffices(leaf.attributes(), Access { kind, ..access });
        debug_assert!(allow(access.kind), "the translation serves the access");
        let may_write = match access.kind {
            AccessKind::Fetch => false,
            AccessKind::Read => allow(AccessKind::Write),
            AccessKind::Write => true,
        };
        let is_tracked = || self.tracked.contains(ram_addr(base).frame());
        let write = if may_write && !is_tracked() {
            tag
        } else {
            Tag::NONE
        };
        let line = Line {
            // Whoever may write may read.
            read: tag,
            write,
            base,
            place,
        };
        match access.kind {
            AccessKind::Fetch => self.front.set_fetch(tag.page(), line),
            AccessKind::Read | AccessKind::Write => self.front.set_data(tag.page(), line),
        }
    }

    /// Returns the frame's offset into RAM, if RAM is there.
    pub(super) fn ram_base(&self, frame: FrameNumber) -> Option<u32> {
        let backed = self.mem.is_backed(frame);
        backed.then_some(frame.bits() << PAGE_SHIFT)
    }

    /// Returns what a look-up adds to the clock.
    #[inline(always)]
    const fn tick(kind: AccessKind) -> Tick {
        if O::COUNTING {
            Tick::counting(kind)
        } else {
            Tick::UNCOUNTED
        }
    }

    /// Counts a hit and returns whether it has: if not, the hit is for the long way.
    #[inline(always)]
    #[must_use]
    pub(super) fn count_hit(&mut self, place: Place, addr: LinearAddr, kind: AccessKind) -> bool {
        let has_ticked = self.tlb.try_tick(Self::tick(kind)).is_some();
        if has_ticked {
            self.tlb.touch(place);
            self.show_hit(addr, kind);
        }
        has_ticked
    }

    /// Counts a hit that changes no more than a stamp; `None`, and nothing is counted, otherwise or
    /// if that is for the long way.
    #[inline(always)]
    pub(super) fn count_plain_hit(
        &mut self,
        place: Place,
        addr: LinearAddr,
        kind: AccessKind,
    ) -> Option<()> {
        self.tlb.try_touch_stamp(place, Self::tick(kind))?;
        self.show_hit(addr, kind);
        Some(())
    }

    /// Counts a fetch that changes no more than a stamp; `None`, and nothing is counted, otherwise.
    #[inline(always)]
    pub(super) fn count_plain_fetch(&mut self, place: Place, addr: LinearAddr) -> Option<()> {
        let kind = AccessKind::Fetch;
        self.tlb.touch_stamp(place, Self::tick(kind))?;
        self.show_hit(addr, kind);
        Some(())
    }

    /// Counts one hit of a run.
    pub(super) fn count_in_run(&mut self, run: HitRun) {
        self.tlb.tick(Self::tick(run.kind));
        self.tlb.touch(run.place);
        self.show_hit(run.addr, run.kind);
    }

    /// Counts hits that can no longer change any replacement state.
    pub(super) fn count_untouched(&mut self, run: HitRun, count: u64) {
        self.tlb
            .count_untimed(Self::tick(run.kind), run.kind, count);
    }

    /// Tells the observer of a hit.
    #[inline(always)]
    pub(super) fn show_hit(&mut self, addr: LinearAddr, kind: AccessKind) {
        let level = self.tlb.first_level(kind);
        self.observer.look_up(level, addr, kind, true);
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
