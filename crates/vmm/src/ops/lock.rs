//! `VirtualLock`, `VirtualUnlock`.

use pagefault_mmu::{FrameNumber, LinearAddr, Mmu, Observer, PageNumber};
use thiserror::Error;

use crate::config::Profile;
use crate::copy::CopyError;
use crate::range::PageRange;
use crate::space::{PageState, ProcessId};
use crate::vmm::{Caller, Vmm};
use crate::win32::Win32Code;

/// Why `VirtualLock` refuses. Nothing is locked that was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    /// The size is 0.
    #[error("the size is 0")]
    ZeroSize,
    /// The range is not inside user space.
    #[error("{size_bytes:#x} bytes at {address} are not all in user space")]
    OutsideUserSpace {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
    /// A page cannot be read, so that it cannot be brought in. A guard page has lost its guard.
    #[error("a page cannot be brought in: {0}")]
    Inaccessible(CopyError),
    /// More pages than the working set's minimum leaves room for.
    #[error("{wanted_pages} locked pages exceed the limit of {limit_pages}")]
    Quota {
        /// Pages that would be locked.
        wanted_pages: u32,
        /// Pages that may be.
        limit_pages: u32,
    },
}

impl LockError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::ZeroSize | Self::OutsideUserSpace { .. } => Win32Code::INVALID_PARAMETER,
            Self::Inaccessible(error) => error.win32_code(),
            Self::Quota { .. } => Win32Code::WORKING_SET_QUOTA,
        }
    }
}

/// Why `VirtualUnlock` refuses. What is locked stays locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnlockError {
    /// The size is 0.
    #[error("the size is 0")]
    ZeroSize,
    /// The range is not inside user space.
    #[error("{size_bytes:#x} bytes at {address} are not all in user space")]
    OutsideUserSpace {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
    /// A page of the range is not locked.
    #[error("page {page} is not locked")]
    NotLocked {
        /// The first such page.
        page: PageNumber,
    },
}

impl UnlockError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::ZeroSize | Self::OutsideUserSpace { .. } => Win32Code::INVALID_PARAMETER,
            Self::NotLocked { .. } => Win32Code::NOT_LOCKED,
        }
    }
}

impl Vmm {
    /// `VirtualLock`: brings pages in and keeps them in RAM until they are unlocked.
    ///
    /// There is no count: one unlock undoes any number of locks.
    ///
    /// # Errors
    ///
    /// [`LockError`]; nothing is locked that was not.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn lock<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), LockError> {
        if self.config.profile == Profile::Win9x {
            return Ok(()); // Quirk: win9x-lock. The call exists there and does nothing.
        }
        let process = caller.process;
        if size_bytes == 0 {
            return Err(LockError::ZeroSize);
        }
        let outside = LockError::OutsideUserSpace {
            address,
            size_bytes,
        };
        let space = self.space(process);
        let pages = PageRange::touched(address, size_bytes)
            .filter(|_| space.is_user_range(address, size_bytes))
            .ok_or(outside)?;
        // Bringing pages in can steal those that came first, unless they are locked: so each is
        // locked as it comes, and the new ones are let go if one cannot come.
        let mut new = Vec::new();
        let brought = self.bring_and_lock(mmu, process, pages, &mut new);
        if let Err(error) = brought {
            for page in new {
                self.unlock_page(mmu, process, page);
            }
            return Err(error);
        }
        for page in pages.pages() {
            if let Some(region) = self.space_mut(process).region_mut(page) {
                region.history.lock(PageRange::single(page), caller.origin);
            }
        }
        Ok(())
    }

    /// Touches each page and locks it; `new` gets those that were not locked before.
    fn bring_and_lock<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        pages: PageRange,
        new: &mut Vec<PageNumber>,
    ) -> Result<(), LockError> {
        let limit_pages = self.space(process).limits.lockable_pages();
        let already = u32::try_from(self.space(process).locked.len()).unwrap_or(u32::MAX);
        let is_new = |page: &PageNumber| !self.space(process).locked.contains(page);
        let wanted = u32::try_from(pages.pages().filter(is_new).count()).unwrap_or(u32::MAX);
        let wanted_pages = already.saturating_add(wanted);
        let fits = wanted_pages <= limit_pages;
        for page in pages.pages() {
            self.bring_in(mmu, process, page)
                .map_err(LockError::Inaccessible)?;
            if fits && self.lock_page(mmu, process, page) {
                new.push(page);
            }
        }
        if fits {
            Ok(())
        } else {
            Err(LockError::Quota {
                wanted_pages,
                limit_pages,
            })
        }
    }

    /// Locks a page that has a frame, and returns whether it was not locked before.
    fn lock_page<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        process: ProcessId,
        page: PageNumber,
    ) -> bool {
        let frame = self.locked_frame(mmu, process, page);
        let frame = frame.expect("a page that was just touched has a frame");
        let is_new = self.space_mut(process).locked.insert(page);
        if is_new {
            self.frames.info_mut(frame).locks += 1;
        }
        is_new
    }

    fn unlock_page<O: Observer>(&mut self, mmu: &Mmu<O>, process: ProcessId, page: PageNumber) {
        if self.space_mut(process).locked.remove(&page)
            && let Some(frame) = self.locked_frame(mmu, process, page)
        {
            self.frames.info_mut(frame).locks -= 1;
        }
    }

    fn locked_frame<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        page: PageNumber,
    ) -> Option<FrameNumber> {
        let space = self.space(process);
        let vad = space.region(page)?.vad;
        match self.page_state(mmu, space, &vad, page) {
            PageState::Committed(_, backing) => self.frame_behind(process, page, backing),
            PageState::Reserved => None,
        }
    }

    /// `VirtualUnlock`: lets pages be paged out again.
    ///
    /// # Errors
    ///
    /// [`UnlockError`]; what is locked stays locked.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn unlock<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        caller: Caller,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), UnlockError> {
        if self.config.profile == Profile::Win9x {
            return Ok(()); // Quirk: win9x-lock.
        }
        let process = caller.process;
        if size_bytes == 0 {
            return Err(UnlockError::ZeroSize);
        }
        let outside = UnlockError::OutsideUserSpace {
            address,
            size_bytes,
        };
        let space = self.space(process);
        let pages = PageRange::touched(address, size_bytes)
            .filter(|_| space.is_user_range(address, size_bytes))
            .ok_or(outside)?;
        if let Some(page) = pages.pages().find(|page| !space.locked.contains(page)) {
            return Err(UnlockError::NotLocked { page });
        }
        for page in pages.pages() {
            self.unlock_page(mmu, process, page);
            if let Some(region) = self.space_mut(process).region_mut(page) {
                region.history.unlock(PageRange::single(page));
            }
        }
        Ok(())
    }

    /// Returns how many pages the process has locked.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn locked_pages(&self, process: ProcessId) -> u32 {
        u32::try_from(self.space(process).locked.len()).unwrap_or(u32::MAX)
    }

    /// Returns whether the page is locked.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn is_locked(&self, process: ProcessId, page: PageNumber) -> bool {
        self.space(process).locked.contains(&page)
    }
}
