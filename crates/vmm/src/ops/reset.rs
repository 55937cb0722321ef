//! `MEM_RESET`, `MEM_RESET_UNDO`: contents that no longer matter, and matter again.

use pagefault_mmu::{FrameNumber, Mmu, Observer, PteFlags};

use crate::frames::{Contents, FrameOwner};
use crate::ops::alloc::AllocError;
use crate::range::PageRange;
use crate::region::Vad;
use crate::software::SoftwarePte;
use crate::space::{Backing, PageState, ProcessId};
use crate::vmm::Vmm;

impl Vmm {
    /// Lets the contents of private pages go: nothing is written out for them, and if their frames
    /// are needed they are lost. Until then they can still be seen.
    pub(crate) fn reset<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
    ) {
        for page in pages.pages() {
            let state = self.page_state(mmu, self.space(process), vad, page);
            let PageState::Committed(protection, backing) = state else {
                continue;
            };
            match backing {
                Backing::Mapped(entry) if self.is_private(entry.frame) => {
                    let clean = entry.without(PteFlags::DIRTY);
                    self.editor(mmu, process).set_page(page, clean);
                    self.forget_contents(entry.frame);
                }
                Backing::Transition(frame) => self.forget_contents(frame),
                Backing::PagingFile(slot) => {
                    self.paging_file.free(slot);
                    let lost = SoftwarePte::Discarded(protection);
                    self.editor(mmu, process).set_software(page, lost);
                }
                Backing::Mapped(_) | Backing::Section | Backing::Zero | Backing::Discarded => {}
            }
        }
    }

    fn forget_contents(&mut self, frame: FrameNumber) {
        let info = self.frames.info_mut(frame);
        info.contents = Contents::Reset;
        if let Some(slot) = info.copy.take() {
            self.paging_file.free(slot);
        }
    }

    pub(crate) fn is_private(&self, frame: FrameNumber) -> bool {
        matches!(self.frames.info(frame).owner, FrameOwner::Private { .. })
    }

    /// Has the contents kept again, if they are all still there.
    pub(crate) fn reset_undo<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
    ) -> Result<(), AllocError> {
        let space = self.space(process);
        let backing_of = |page| match self.page_state(mmu, space, vad, page) {
            PageState::Committed(_, backing) => Some(backing),
            PageState::Reserved => None,
        };
        if let Some(page) = pages
            .pages()
            .find(|&page| backing_of(page) == Some(Backing::Discarded))
        {
            return Err(AllocError::ContentsLost { page });
        }
        let frames: Vec<_> = pages
            .pages()
            .filter_map(|page| self.frame_behind(process, page, backing_of(page)?))
            .collect();
        for frame in frames {
            let info = self.frames.info_mut(frame);
            if info.contents == Contents::Reset {
                info.contents = Contents::Modified;
            }
        }
        Ok(())
    }
}
