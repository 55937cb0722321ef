//! Copies of the whole memory manager, for whoever goes back in time.

use pagefault_mmu::FrameNumber;
use thiserror::Error;

use crate::section::SectionId;
use crate::vmm::Vmm;

/// Why the memory manager cannot be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CopyManagerError {
    /// There cannot be two of the paging file.
    #[error("the paging file cannot be copied")]
    PagingFile,
    /// There cannot be two of the file behind a section.
    #[error("the file behind {0:?} cannot be copied")]
    Section(SectionId),
}

impl Vmm {
    /// Returns a manager that knows what this one knows, for a copy of the MMU and its RAM.
    ///
    /// # Errors
    ///
    /// [`CopyManagerError`] if pages are kept in something that there cannot be two of.
    pub fn copy(&self) -> Result<Self, CopyManagerError> {
        let paging_file = self.paging_file.copy();
        Ok(Self {
            config: self.config,
            frames: self.frames.clone(),
            paging_file: paging_file.ok_or(CopyManagerError::PagingFile)?,
            commit: self.commit,
            counters: self.counters,
            spaces: self.spaces.clone(),
            sections: self.sections.copy().map_err(CopyManagerError::Section)?,
            current: self.current,
        })
    }

    /// Returns the frames whose contents matter, in order: those that are in use.
    pub fn frames_in_use(&self) -> impl Iterator<Item = FrameNumber> + '_ {
        self.frames.in_use().map(|(frame, _)| frame)
    }

    /// Returns how many allocations there are in all processes.
    pub fn region_count(&self) -> usize {
        let spaces = self.spaces.iter().flatten();
        spaces.map(|space| space.regions.len()).sum()
    }
}
