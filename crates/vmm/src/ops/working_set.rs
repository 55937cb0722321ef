//! `GetProcessWorkingSetSize`, `SetProcessWorkingSetSize`.

use pagefault_mmu::{Mmu, Observer, PAGE_SIZE};
use thiserror::Error;

use crate::config::WorkingSetLimits;
use crate::frames::FrameOwner;
use crate::range::{PageRange, page};
use crate::software::SoftwarePte;
use crate::space::{Backing, PageState, ProcessId};
use crate::vmm::Vmm;
use crate::win32::Win32Code;

/// Why `SetProcessWorkingSetSize` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WorkingSetError {
    /// The minimum is less than a page.
    #[error("the minimum working set is 0")]
    ZeroMinimum,
    /// The minimum is more than the maximum.
    #[error("the minimum working set is more than the maximum")]
    MinimumAboveMaximum,
    /// The maximum leaves no room to run in, beside what is locked.
    #[error("the maximum working set is less than 13 pages and those that are locked")]
    MaximumTooSmall,
}

impl WorkingSetError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::ZeroMinimum | Self::MinimumAboveMaximum | Self::MaximumTooSmall => {
                Win32Code::INVALID_PARAMETER
            }
        }
    }
}

/// The value of both arguments that empties the working set.
const EMPTY: u32 = u32::MAX;

/// The resident pages of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingSet {
    /// The limits.
    pub limits: WorkingSetLimits,
    /// Pages that the process's tables map.
    pub resident_pages: u32,
    /// The most that they ever mapped.
    pub peak_resident_pages: u32,
}

impl Vmm {
    /// `GetProcessWorkingSetSize`, and how large the working set is.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn working_set(&self, process: ProcessId) -> WorkingSet {
        let space = self.space(process);
        WorkingSet {
            limits: space.limits,
            resident_pages: space.resident_pages,
            peak_resident_pages: space.peak_resident_pages,
        }
    }

    /// `SetProcessWorkingSetSize`: sets the limits, or, given `u32::MAX` for both, empties the
    /// working set of all that is not locked.
    ///
    /// # Errors
    ///
    /// [`WorkingSetError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn set_working_set<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        minimum_bytes: u32,
        maximum_bytes: u32,
    ) -> Result<(), WorkingSetError> {
        if (minimum_bytes, maximum_bytes) == (EMPTY, EMPTY) {
            self.empty_working_set(mmu, process);
            return Ok(());
        }
        let (minimum_pages, maximum_pages) = (minimum_bytes / PAGE_SIZE, maximum_bytes / PAGE_SIZE);
        if minimum_pages == 0 {
            return Err(WorkingSetError::ZeroMinimum);
        }
        if minimum_pages > maximum_pages {
            return Err(WorkingSetError::MinimumAboveMaximum);
        }
        let needed = WorkingSetLimits::LOWEST_MAXIMUM_PAGES + self.locked_pages(process);
        if maximum_pages < needed {
            return Err(WorkingSetError::MaximumTooSmall);
        }
        let minimum_pages = minimum_pages.max(WorkingSetLimits::LOWEST_MINIMUM_PAGES);
        self.space_mut(process).limits = WorkingSetLimits {
            minimum_pages,
            maximum_pages,
        };
        Ok(())
    }

    /// Unmaps every page that is not locked; their contents stay where they are until the frames
    /// are needed.
    fn empty_working_set<O: Observer>(&mut self, mmu: &mut Mmu<O>, process: ProcessId) {
        let vads: Vec<_> = self
            .space(process)
            .regions
            .values()
            .map(|region| region.vad)
            .collect();
        for vad in vads {
            let end = vad.pages.end().bits();
            let mut at = vad.pages.start().bits();
            while let Some(number) = self.space(process).next_covered(at, end) {
                at = number + 1;
                self.trim(mmu, process, PageRange::single(page(number)));
            }
        }
    }

    /// Unmaps the pages of the range that are mapped and not locked.
    pub(crate) fn trim<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        pages: PageRange,
    ) {
        for page in pages.pages() {
            let space = self.space(process);
            let Some(vad) = space.region(page).map(|region| region.vad) else {
                continue;
            };
            let state = self.page_state(mmu, space, &vad, page);
            let PageState::Committed(protection, Backing::Mapped(entry)) = state else {
                continue;
            };
            if space.locked.contains(&page) {
                continue;
            }
            let new = match self.frames.info(entry.frame).owner {
                FrameOwner::Section { .. } => SoftwarePte::Prototype(protection),
                FrameOwner::Private { .. } => SoftwarePte::Transition(entry.frame, protection),
                FrameOwner::Nobody | FrameOwner::Tables(_) | FrameOwner::Physical { .. } => {
                    continue;
                }
            };
            self.unmap(mmu, process, page, entry, vad.shortest(new));
        }
    }
}
