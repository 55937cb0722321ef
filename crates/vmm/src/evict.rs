//! Finding frames: free ones first, then those of pages that can be had back.

use std::collections::BTreeSet;

use pagefault_mmu::{FrameNumber, Mmu, Observer, PageEntry, PageNumber, PteFlags};

use crate::frames::{Contents, FrameOwner};
use crate::region::Vad;
use crate::replacement::{Candidates, Replacement};
use crate::section::{Prototype, SectionId};
use crate::software::{Slot, SoftwarePte};
use crate::space::{Backing, PageState, ProcessId};
use crate::store::PageBytes;
use crate::vmm::{NoFrame, Vmm};

/// An entry that maps a frame.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    process: ProcessId,
    page: PageNumber,
    vad: Vad,
    entry: PageEntry,
}

/// What happens to contents that lose their frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They were all zero, and will be again.
    Zero,
    /// They are in this slot.
    Kept(Slot),
    /// Nobody wants them since `MEM_RESET`.
    Lost,
    /// The section's file has them.
    InFile,
}

/// The frames as a policy sees them.
struct View<'a, O: Observer> {
    vmm: &'a mut Vmm,
    mmu: &'a mut Mmu<O>,
    /// Frames that have turned out to have nowhere to go.
    stuck: &'a BTreeSet<FrameNumber>,
}

impl<O: Observer> Candidates for View<'_, O> {
    fn may_take(&self, frame: FrameNumber) -> bool {
        self.vmm.frames.info(frame).locks == 0 && !self.stuck.contains(&frame)
    }

    fn take_referenced(&mut self, frame: FrameNumber) -> bool {
        let mut was_referenced = false;
        for mapping in self.vmm.mappings(self.mmu, frame) {
            if mapping.entry.flags.contains(PteFlags::ACCESSED) {
                was_referenced = true;
                let unused = mapping.entry.without(PteFlags::ACCESSED);
                self.vmm
                    .editor(self.mmu, mapping.process)
                    .set_page(mapping.page, unused);
            }
        }
        was_referenced
    }

    fn is_modified(&self, frame: FrameNumber) -> bool {
        self.vmm.is_modified(self.mmu, frame)
    }
}

impl Vmm {
    /// Returns a frame for `owner`; its bytes are whatever they were.
    pub(crate) fn take_frame<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        owner: FrameOwner,
    ) -> Result<FrameNumber, NoFrame> {
        // Quirk: soft-maximum
        if let Some(frame) = self.frames.allocate(owner) {
            return Ok(frame);
        }
        self.steal(mmu)?;
        self.frames.allocate(owner).ok_or(NoFrame)
    }

    /// Takes a frame away from a page, so that one is free.
    fn steal<O: Observer>(&mut self, mmu: &mut Mmu<O>) -> Result<(), NoFrame> {
        let mut stuck = BTreeSet::new();
        loop {
            let mut policy = self.frames.take_policy();
            let victim = self.choose(mmu, policy.as_mut(), &stuck);
            self.frames.put_policy(policy);
            let victim = victim.ok_or(NoFrame)?;
            if self.evict(mmu, victim) {
                self.counters.steals += 1;
                return Ok(());
            }
            stuck.insert(victim);
        }
    }

    fn choose<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        policy: &mut dyn Replacement,
        stuck: &BTreeSet<FrameNumber>,
    ) -> Option<FrameNumber> {
        policy.victim(&mut View {
            vmm: self,
            mmu,
            stuck,
        })
    }

    /// Returns each entry that maps the frame.
    fn mappings<O: Observer>(&self, mmu: &Mmu<O>, frame: FrameNumber) -> Vec<Mapping> {
        let info = self.frames.info(frame);
        if info.mappings == 0 {
            return Vec::new();
        }
        let mapping = |process: ProcessId, page: PageNumber| {
            let space = self.space(process);
            let vad = space.region(page)?.vad;
            match self.page_state(mmu, space, &vad, page) {
                PageState::Committed(_, Backing::Mapped(entry)) if entry.frame == frame => {
                    Some(Mapping {
                        process,
                        page,
                        vad,
                        entry,
                    })
                }
                _ => None,
            }
        };
        match info.owner {
            FrameOwner::Private { process, page } => mapping(process, page).into_iter().collect(),
            FrameOwner::Section { section, index } => {
                let section = self.sections.get(section);
                let showing = section
                    .into_iter()
                    .flat_map(|section| section.showing(index));
                showing
                    .filter_map(|(process, page)| mapping(process, page))
                    .collect()
            }
            FrameOwner::Nobody | FrameOwner::Tables(_) | FrameOwner::Physical { .. } => Vec::new(),
        }
    }

    /// Returns whether the frame holds something that is nowhere else.
    fn is_modified<O: Observer>(&self, mmu: &Mmu<O>, frame: FrameNumber) -> bool {
        let is_dirty = |mapping: &Mapping| mapping.entry.flags.contains(PteFlags::DIRTY);
        self.frames.info(frame).contents == Contents::Modified
            || self.mappings(mmu, frame).iter().any(is_dirty)
    }

    /// Sends a page away and frees its frame; `false` if its contents can go nowhere.
    fn evict<O: Observer>(&mut self, mmu: &mut Mmu<O>, frame: FrameNumber) -> bool {
        let owner = self.frames.info(frame).owner;
        let file_page = match owner {
            FrameOwner::Section { section, index } => {
                self.has_file(section).then_some((section, index))
            }
            _ => None,
        };
        let Some(fate) = self.save(mmu, frame, file_page) else {
            return false;
        };
        // Nothing below can fail.
        for Mapping {
            process,
            page,
            vad,
            entry,
        } in self.mappings(mmu, frame)
        {
            let protection = crate::protection::Protection::from_entry_flags(entry.flags);
            let new = match owner {
                FrameOwner::Section { .. } => SoftwarePte::Prototype(protection),
                _ => absent(fate, protection),
            };
            self.unmap(mmu, process, page, entry, vad.shortest(new));
        }
        match owner {
            FrameOwner::Private { process, page } => {
                self.forget_transition(mmu, process, page, frame, fate);
            }
            FrameOwner::Section { section, index } => {
                let prototype = match fate {
                    Fate::Kept(slot) => Prototype::PagingFile(slot),
                    Fate::Zero | Fate::Lost | Fate::InFile => Prototype::Untouched,
                };
                if let Some(section) = self.sections.get_mut(section) {
                    section.prototypes.insert(index, prototype);
                }
            }
            FrameOwner::Nobody | FrameOwner::Tables(_) | FrameOwner::Physical { .. } => {}
        }
        // The slot belongs to the entry now, not to the frame.
        self.frames.info_mut(frame).copy = None;
        self.frames.free(frame);
        true
    }

    fn has_file(&self, section: SectionId) -> bool {
        self.sections
            .get(section)
            .is_some_and(|section| section.file.is_some())
    }

    /// Makes sure that what the frame holds can be had again, and says where.
    fn save<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        frame: FrameNumber,
        file_page: Option<(SectionId, u32)>,
    ) -> Option<Fate> {
        let is_modified = self.is_modified(mmu, frame);
        let info = *self.frames.info(frame);
        if let Some((section, index)) = file_page {
            if is_modified {
                self.frames.info_mut(frame).contents = Contents::Modified;
                self.write_back(mmu, section, index).ok()?;
            }
            return Some(Fate::InFile);
        }
        match (is_modified, info.contents, info.copy) {
            (true, _, copy) => self.page_out(mmu, frame, copy).map(Fate::Kept),
            (false, Contents::Reset, _) => Some(Fate::Lost),
            (false, _, Some(slot)) => Some(Fate::Kept(slot)),
            (false, _, None) => Some(Fate::Zero),
        }
    }

    /// Writes a frame to the paging file, over its old copy if it has one.
    fn page_out<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        frame: FrameNumber,
        copy: Option<Slot>,
    ) -> Option<Slot> {
        let slot = match copy {
            Some(slot) => slot,
            None => self
                .paging_file
                .allocate()
                .or_else(|| self.reclaim_slot(frame))?,
        };
        let bytes: &PageBytes = mmu.mem().frame(frame)?;
        if self.paging_file.write(slot, bytes).is_err() {
            // The old copy may be damaged; the contents are in the frame alone.
            self.frames.info_mut(frame).copy = None;
            self.frames.info_mut(frame).contents = Contents::Modified;
            self.paging_file.free(slot);
            return None;
        }
        self.counters.pages_out += 1;
        Some(slot)
    }

    /// Takes the slot of a page that is in a frame as well: there the contents stay, as modified.
    fn reclaim_slot(&mut self, but: FrameNumber) -> Option<Slot> {
        let (frame, slot) = self
            .frames
            .in_use()
            .filter(|&(frame, _)| frame != but)
            .find_map(|(frame, info)| Some((frame, info.copy?)))?;
        let info = self.frames.info_mut(frame);
        info.copy = None;
        info.contents = Contents::Modified;
        Some(slot)
    }

    /// Rewrites the entry of a private page that was not mapped, but in transition.
    fn forget_transition<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
        frame: FrameNumber,
        fate: Fate,
    ) {
        let space = self.space(process);
        let Some(vad) = space.region(page).map(|region| region.vad) else {
            return;
        };
        let state = self.page_state(mmu, space, &vad, page);
        if let PageState::Committed(protection, Backing::Transition(held)) = state
            && held == frame
        {
            let new = vad.shortest(absent(fate, protection));
            self.editor(mmu, process).set_software(page, new);
        }
    }
}

/// Returns the entry of a private page whose contents have met this fate.
fn absent(fate: Fate, protection: crate::protection::Protection) -> SoftwarePte {
    match fate {
        Fate::Zero | Fate::InFile => SoftwarePte::DemandZero(protection),
        Fate::Kept(slot) => SoftwarePte::PagingFile(slot, protection),
        Fate::Lost => SoftwarePte::Discarded(protection),
    }
}
