//! Looking at memory as a debugger does: no fault, no count, no guard page lost.

use pagefault_mmu::{FrameNumber, LinearAddr, Mmu, Observer, PAGE_SIZE, PageNumber};
use thiserror::Error;

use crate::region::Source;
use crate::section::Prototype;
use crate::space::{Backing, PageState, ProcessId};
use crate::store::{PageBytes, StoreError};
use crate::vmm::Vmm;

/// Why a byte cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeekError {
    /// The page is not committed.
    #[error("page {page} is not committed")]
    NotCommitted {
        /// The page.
        page: PageNumber,
    },
    /// The range goes past 4 GiB.
    #[error("the range goes past the end of linear memory")]
    Wraps,
    /// The page is in a file that cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Vmm {
    /// Fills `bytes` from a process's memory, whatever its protection, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`PeekError`]; `bytes` may have been filled up to the page that could not be read.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn peek<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        bytes: &mut [u8],
    ) -> Result<(), PeekError> {
        let mut at = Some(address);
        let mut rest = bytes;
        while !rest.is_empty() {
            let addr = at.ok_or(PeekError::Wraps)?;
            let offset = addr.page_offset() as usize;
            let len = rest.len().min(PAGE_SIZE as usize - offset);
            let (part, after) = rest.split_at_mut(len);
            let mut page: PageBytes = [0; PAGE_SIZE as usize];
            self.peek_page(mmu, process, addr.page(), &mut page)?;
            part.copy_from_slice(&page[offset..offset + len]);
            at = addr.page().next().map(PageNumber::start);
            rest = after;
        }
        Ok(())
    }

    fn peek_page<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        process: ProcessId,
        page: PageNumber,
        bytes: &mut PageBytes,
    ) -> Result<(), PeekError> {
        let not_committed = PeekError::NotCommitted { page };
        let space = self.space(process);
        let vad = space.region(page).ok_or(not_committed)?.vad;
        let PageState::Committed(_, backing) = self.page_state(mmu, space, &vad, page) else {
            return Err(not_committed);
        };
        if let Some(frame) = self.frame_behind(process, page, backing) {
            // A large page's entry names its first frame.
            let offset = match vad.source {
                Source::Large => page.bits() % (self.large_page_bytes() / PAGE_SIZE),
                _ => 0,
            };
            let frame = FrameNumber::new(frame.bits() + offset);
            if let Some(contents) = frame.and_then(|frame| mmu.mem().frame(frame)) {
                *bytes = *contents;
            }
            return Ok(());
        }
        match backing {
            Backing::PagingFile(slot) => Ok(self.paging_file.read(slot, bytes)?),
            Backing::Section => {
                let (id, index) = vad.section_page(page).ok_or(not_committed)?;
                let section = self.sections.get_mut(id).ok_or(not_committed)?;
                match (section.prototype(index), &mut section.file) {
                    (Some(Prototype::PagingFile(slot)), _) => {
                        Ok(self.paging_file.read(slot, bytes)?)
                    }
                    (Some(Prototype::Untouched), Some(file)) => Ok(file.read(index, bytes)?),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
