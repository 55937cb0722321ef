//! The page-fault handler: what the entry and the region say is done.

use pagefault_mmu::{
    AccessKind, FrameNumber, LinearAddr, Mmu, Observer, PAGE_SIZE, PageEntry, PageFault,
    PageNumber, PteFlags,
};

use crate::frames::{Contents, FrameOwner};
use crate::ops::query::Allocation;
use crate::outcome::{
    AccessViolation, GuardPage, InPageCause, InPageError, Resolution, Resumed, Rule, StackOverflow,
};
use crate::protection::{Protection, Rights};
use crate::range::{PageRange, page as page_of};
use crate::region::{Vad, Watched};
use crate::section::{Prototype, SectionId};
use crate::software::{Slot, SoftwarePte};
use crate::space::{Backing, PageState, ProcessId};
use crate::store::PageBytes;
use crate::vmm::Vmm;

/// An access that faulted, in the space it was made in.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    process: ProcessId,
    addr: LinearAddr,
    kind: AccessKind,
}

/// A committed page that an allowed access wants.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    vad: Vad,
    page: PageNumber,
    protection: Protection,
}

impl Vmm {
    /// Decides what becomes of a page fault of the process whose tables are loaded.
    ///
    /// On [`Resolution::Resumed`] the faulting instruction restarts; each other answer is what the
    /// program is told.
    ///
    /// # Panics
    ///
    /// If no process is loaded.
    pub fn handle_fault<O: Observer>(&mut self, mmu: &mut Mmu<O>, fault: &PageFault) -> Resolution {
        let process = self
            .current
            .expect("a page fault is handled for the loaded process");
        self.resolve(mmu, process, fault.addr, fault.access.kind)
    }

    /// Makes the byte at `addr` accessible in a process, as a fault there would.
    pub(crate) fn resolve<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        addr: LinearAddr,
        kind: AccessKind,
    ) -> Resolution {
        self.counters.faults += 1;
        let attempt = Attempt {
            process,
            addr,
            kind,
        };
        let page = addr.page();
        let Some(vad) = self.space(process).region(page).map(|region| region.vad) else {
            let is_user = self.space(process).user.pages().contains(page);
            let rule = if is_user {
                Rule::Free
            } else {
                Rule::NotUserSpace
            };
            return self.violation(attempt, rule, None, None);
        };
        let state = self.page_state(mmu, self.space(process), &vad, page);
        let PageState::Committed(protection, backing) = state else {
            let history = self.history(process, addr);
            let rule = match history.decommitted_by {
                Some(_) => Rule::Decommitted,
                None => Rule::Reserved,
            };
            return self.violation(attempt, rule, Some(vad), None);
        };
        let wanted = Wanted {
            vad,
            page,
            protection,
        };
        if protection.is_guard() {
            return self.hit_guard(mmu, attempt, wanted, backing);
        }
        if !protection
            .rights()
            .allow(kind, self.config.paging.fetch_rule())
        {
            let rule = match (protection.rights(), kind) {
                (Rights::NoAccess, _) => Rule::NoAccess,
                (_, AccessKind::Write) => Rule::ReadOnly,
                (_, AccessKind::Read | AccessKind::Fetch) => Rule::NotExecutable,
            };
            return self.violation(attempt, rule, Some(vad), Some(protection));
        }
        match self.admit(mmu, attempt, wanted, backing) {
            Ok(resumed) => {
                self.count(resumed);
                Resolution::Resumed(resumed)
            }
            Err(cause) => Resolution::InPageError(InPageError { addr, kind, cause }),
        }
    }

    fn count(&mut self, resumed: Resumed) {
        let counters = &mut self.counters;
        match resumed {
            Resumed::DemandZero { .. } => counters.demand_zero += 1,
            Resumed::SoftFault { .. } | Resumed::AlreadyMapped => counters.soft_faults += 1,
            Resumed::PagedIn { .. } | Resumed::ReadFromFile { .. } => counters.hard_faults += 1,
            Resumed::CopiedOnWrite { .. } => counters.copies_on_write += 1,
            Resumed::WriteWatched | Resumed::StackGrown { .. } => {}
        }
    }

    fn violation(
        &mut self,
        attempt: Attempt,
        rule: Rule,
        vad: Option<Vad>,
        protection: Option<Protection>,
    ) -> Resolution {
        self.counters.access_violations += 1;
        Resolution::AccessViolation(AccessViolation {
            addr: attempt.addr,
            kind: attempt.kind,
            rule,
            protection,
            allocation: vad.map(|vad| Allocation {
                base: vad.base(),
                protection: vad.allocation_protection,
                kind: vad.kind(),
            }),
            pages: vad.map(|vad| vad.pages),
            history: self.history(attempt.process, attempt.addr),
            fetches: self.config.paging.fetch_rule(),
        })
    }

    /// Takes the guard off a page; on the running thread's stack, moves it one page down.
    fn hit_guard<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
        backing: Backing,
    ) -> Resolution {
        let Attempt {
            process,
            addr,
            kind,
        } = attempt;
        self.counters.guard_hits += 1;
        let bare = Protection::of(wanted.protection.rights());
        let protection = wanted.vad.cached(bare);
        // A guard page is never mapped and never unsaid by a region without tables: a table
        // covers it, unless the whole region was committed as guard pages.
        let page = PageRange::single(wanted.page);
        if self.add_tables(mmu, process, page).is_err() {
            let cause = InPageCause::NoFrame;
            return Resolution::InPageError(InPageError { addr, kind, cause });
        }
        debug_assert!(
            !matches!(backing, Backing::Mapped(_)),
            "a guard page is not mapped"
        );
        self.set_protection(mmu, process, &wanted.vad, wanted.page, protection);
        if let Some(stack) = self.space(process).stack
            && stack.contains(wanted.page)
        {
            return self.grow_stack(mmu, attempt, wanted, stack);
        }
        Resolution::GuardPage(GuardPage {
            addr,
            kind,
            protection,
            history: self.history(process, addr),
            fetches: self.config.paging.fetch_rule(),
        })
    }

    /// Commits the page below the one that was hit as the new guard page, or finds the stack used
    /// up: its lowest page is never given out.
    fn grow_stack<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
        stack: PageRange,
    ) -> Resolution {
        let limit = wanted.page.start();
        let overflow = StackOverflow {
            addr: attempt.addr,
            stack,
            limit,
        };
        let below = wanted.page.bits().saturating_sub(1);
        if below <= stack.start().bits() || !self.commit_guard(mmu, attempt, wanted, page_of(below))
        {
            return Resolution::StackOverflow(overflow);
        }
        Resolution::Resumed(Resumed::StackGrown {
            guard: page_of(below),
            limit,
        })
    }

    /// Commits a page of the stack as a guard page; `false` if it cannot be promised or noted.
    fn commit_guard<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
        page: PageNumber,
    ) -> bool {
        let process = attempt.process;
        let pages = PageRange::single(page);
        let fresh = self.count_reserved(mmu, process, &wanted.vad, pages);
        if self.commit.available_pages() < fresh || self.add_tables(mmu, process, pages).is_err() {
            return false;
        }
        let rights = wanted.protection.rights();
        let guard = Protection::guarded(rights);
        self.set_protection(mmu, process, &wanted.vad, page, guard);
        self.commit.charge(fresh);
        let region = self
            .space_mut(process)
            .region_mut(page)
            .expect("the stack is one region");
        region.charged_pages += fresh;
        true
    }

    /// Maps a page for an access that its protection allows.
    fn admit<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
        backing: Backing,
    ) -> Result<Resumed, InPageCause> {
        if let Backing::Mapped(entry) = backing {
            return self.admit_mapped(mmu, attempt, wanted, entry);
        }
        let process = attempt.process;
        let Wanted {
            vad,
            page,
            protection,
        } = wanted;
        // A new table can push the page's own frame out, so it comes first, and what was read of
        // the page before it counts no more.
        if self.needs_table(process, page) {
            self.add_tables(mmu, process, PageRange::single(page))
                .map_err(|_| InPageCause::NoFrame)?;
            return self.retry(mmu, attempt, wanted);
        }
        let (frame, resumed) = match backing {
            Backing::Zero | Backing::Discarded => {
                let owner = FrameOwner::Private { process, page };
                let frame = self
                    .take_zeroed_frame(mmu, owner)
                    .map_err(|_| InPageCause::NoFrame)?;
                (frame, Resumed::DemandZero { frame })
            }
            Backing::Transition(frame) => (frame, Resumed::SoftFault { frame }),
            Backing::PagingFile(slot) => {
                let owner = FrameOwner::Private { process, page };
                let frame = self.page_in(mmu, owner, slot)?;
                (frame, Resumed::PagedIn { frame, slot })
            }
            Backing::Section => {
                let (section, index) = vad.section_page(page).expect("only views ask sections");
                let (frame, resumed) = self.section_page_in(mmu, section, index)?;
                if attempt.kind == AccessKind::Write && protection.rights().is_copy_on_write() {
                    return self.copy_on_write(mmu, attempt, wanted, frame, None);
                }
                (frame, resumed)
            }
            Backing::Mapped(_) => unreachable!("answered above"),
        };
        self.note_watched_write(attempt, wanted);
        let entry = self.entry_for(process, &vad, page, frame, protection);
        self.map(mmu, process, page, entry);
        Ok(resumed)
    }

    /// Decides anew about a page whose entry may have changed.
    fn retry<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
    ) -> Result<Resumed, InPageCause> {
        let state = self.page_state(mmu, self.space(attempt.process), &wanted.vad, wanted.page);
        match state {
            PageState::Committed(_, backing) => self.admit(mmu, attempt, wanted, backing),
            PageState::Reserved => unreachable!("making room decommits nothing"),
        }
    }

    fn needs_table(&self, process: ProcessId, page: PageNumber) -> bool {
        !self.space(process).is_covered(page)
    }

    /// Answers a fault on a page that is mapped: only a write can need more than that.
    fn admit_mapped<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
        entry: PageEntry,
    ) -> Result<Resumed, InPageCause> {
        let is_write = attempt.kind == AccessKind::Write;
        if !is_write || entry.flags.contains(PteFlags::WRITABLE) {
            mmu.invalidate_page(attempt.addr);
            return Ok(Resumed::AlreadyMapped);
        }
        if wanted.protection.rights().is_copy_on_write() {
            return self.copy_on_write(mmu, attempt, wanted, entry.frame, Some(entry));
        }
        self.note_watched_write(attempt, wanted);
        let writable = entry.with(PteFlags::WRITABLE);
        self.editor(mmu, attempt.process)
            .set_page(wanted.page, writable);
        Ok(Resumed::WriteWatched)
    }

    /// Marks a page of a write-watch region as written, if the attempt writes.
    fn note_watched_write(&mut self, attempt: Attempt, wanted: Wanted) {
        if attempt.kind != AccessKind::Write || wanted.vad.watched == Watched::No {
            return;
        }
        let index = wanted.vad.index(wanted.page);
        let region = self.space_mut(attempt.process).region_mut(wanted.page);
        if let Some(watch) = region.and_then(|region| region.watch.as_mut()) {
            watch.mark(index);
        }
    }

    /// Gives the process a copy of a shared page, mapped by `old` if it is.
    fn copy_on_write<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        attempt: Attempt,
        wanted: Wanted,
        from: FrameNumber,
        old: Option<PageEntry>,
    ) -> Result<Resumed, InPageCause> {
        let process = attempt.process;
        let Wanted {
            vad,
            page,
            protection,
        } = wanted;
        // Quirk: copy-charge.
        if self.commit.available_pages() == 0 {
            return Err(InPageCause::CommitLimit);
        }
        // The source must not be stolen to make room for its own copy.
        self.frames.info_mut(from).locks += 1;
        let to = self.take_frame(mmu, FrameOwner::Private { process, page });
        self.frames.info_mut(from).locks -= 1;
        let to = to.map_err(|_| InPageCause::NoFrame)?;
        // Nothing below can fail.
        mmu.mem_mut().copy_frame(from, to);
        mmu.note_write(to);
        self.frames.info_mut(to).contents = Contents::Modified;
        if let Some(old) = old {
            self.unmap(mmu, process, page, old, SoftwarePte::Prototype(protection));
        }
        if self.space(process).locked.contains(&page) {
            self.frames.info_mut(from).locks -= 1;
            self.frames.info_mut(to).locks += 1;
        }
        self.commit.charge(1);
        let region = self
            .space_mut(process)
            .region_mut(page)
            .expect("the page has a region");
        region.charged_pages += 1;
        let own = protection.with_rights(protection.rights().after_copy());
        let entry = self.entry_for(process, &vad, page, to, own);
        self.map(mmu, process, page, entry);
        Ok(Resumed::CopiedOnWrite { from, to })
    }

    /// Returns a frame with the contents of a slot, which stays a copy of it.
    fn page_in<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        owner: FrameOwner,
        slot: Slot,
    ) -> Result<FrameNumber, InPageCause> {
        let mut bytes: PageBytes = [0; PAGE_SIZE as usize];
        self.paging_file
            .read(slot, &mut bytes)
            .map_err(InPageCause::Store)?;
        let frame = self
            .take_frame(mmu, owner)
            .map_err(|_| InPageCause::NoFrame)?;
        fill(mmu, frame, &bytes);
        self.frames.info_mut(frame).copy = Some(slot);
        self.counters.pages_in += 1;
        Ok(frame)
    }

    /// Returns the frame of a section's page, which it gets now if it has none.
    fn section_page_in<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        section: SectionId,
        index: u32,
    ) -> Result<(FrameNumber, Resumed), InPageCause> {
        let owner = FrameOwner::Section { section, index };
        let object = self
            .sections
            .get(section)
            .expect("a view keeps its section");
        let has_file = object.file.is_some();
        let prototype = object.prototype(index).expect("the page is committed");
        let (frame, resumed) = match prototype {
            Prototype::Resident(frame) => return Ok((frame, Resumed::SoftFault { frame })),
            Prototype::PagingFile(slot) => {
                let frame = self.page_in(mmu, owner, slot)?;
                (frame, Resumed::PagedIn { frame, slot })
            }
            Prototype::Untouched if has_file => {
                let mut bytes: PageBytes = [0; PAGE_SIZE as usize];
                let object = self.sections.get_mut(section).expect("found above");
                let file = object.file.as_mut().expect("found above");
                file.read(index, &mut bytes).map_err(InPageCause::Store)?;
                let frame = self
                    .take_frame(mmu, owner)
                    .map_err(|_| InPageCause::NoFrame)?;
                fill(mmu, frame, &bytes);
                self.counters.pages_in += 1;
                (frame, Resumed::ReadFromFile { frame })
            }
            Prototype::Untouched => {
                let frame = self
                    .take_zeroed_frame(mmu, owner)
                    .map_err(|_| InPageCause::NoFrame)?;
                (frame, Resumed::DemandZero { frame })
            }
        };
        let object = self.sections.get_mut(section).expect("found above");
        object.prototypes.insert(index, Prototype::Resident(frame));
        Ok((frame, resumed))
    }

    /// Maps a page that is not mapped. A table must cover it.
    fn map<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
        entry: PageEntry,
    ) {
        self.editor(mmu, process).set_page(page, entry);
        self.frames.info_mut(entry.frame).mappings += 1;
        self.space_mut(process).count_resident();
    }
}

/// Puts a page's bytes into a frame.
fn fill<O: Observer>(mmu: &mut Mmu<O>, frame: FrameNumber, bytes: &PageBytes) {
    if let Some(place) = mmu.mem_mut().frame_mut(frame) {
        place.copy_from_slice(bytes);
    }
    mmu.note_write(frame);
}
