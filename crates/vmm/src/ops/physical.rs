//! Address Windowing Extensions: physical pages that a program owns and maps by itself.

use std::collections::BTreeSet;

use pagefault_mmu::{FrameNumber, LinearAddr, Mmu, Observer, PageNumber};
use thiserror::Error;

use crate::config::Held;
use crate::frames::FrameOwner;
use crate::protection::Protection;
use crate::range::PageRange;
use crate::region::{Source, Vad};
use crate::software::SoftwarePte;
use crate::space::{Backing, PageState, ProcessId};
use crate::vmm::{Caller, NoFrame, Vmm};
use crate::win32::Win32Code;

/// Why a call on physical pages refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PhysicalError {
    /// `SeLockMemoryPrivilege` is not held.
    #[error("SeLockMemoryPrivilege is not held")]
    Privilege,
    /// The range is not inside one `MEM_PHYSICAL` reservation.
    #[error("the range at {address} is not inside one MEM_PHYSICAL reservation")]
    NotPhysical {
        /// The address given.
        address: LinearAddr,
    },
    /// A page is not the process's.
    #[error("{frame:?} is no physical page of the process")]
    NotOwned {
        /// The page's frame.
        frame: FrameNumber,
    },
    /// A page is mapped already, here or elsewhere.
    #[error("{frame:?} is mapped at page {at}")]
    Mapped {
        /// The page's frame.
        frame: FrameNumber,
        /// Where it is mapped.
        at: PageNumber,
    },
    /// No frame for a page table.
    #[error(transparent)]
    NoFrame(#[from] NoFrame),
}

impl PhysicalError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Privilege => Win32Code::PRIVILEGE_NOT_HELD,
            Self::NotPhysical { .. } | Self::NotOwned { .. } | Self::Mapped { .. } => {
                Win32Code::INVALID_PARAMETER
            }
            Self::NoFrame(error) => error.win32_code(),
        }
    }
}

/// What `MapUserPhysicalPages` puts into the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window<'a> {
    /// These pages, one after another.
    Show(&'a [FrameNumber]),
    /// Nothing, in so many pages.
    Clear {
        /// How many.
        len_pages: u32,
    },
}

impl Vmm {
    /// `AllocateUserPhysicalPages`: returns up to `count` pages of zeros that are now the
    /// process's; fewer if RAM or the commit limit give no more.
    ///
    /// # Errors
    ///
    /// [`PhysicalError::Privilege`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn allocate_physical<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        count: u32,
    ) -> Result<Vec<FrameNumber>, PhysicalError> {
        if self.config.lock_memory_privilege == Held::No {
            return Err(PhysicalError::Privilege);
        }
        let mut frames = Vec::new();
        for _ in 0..count.min(self.commit.available_pages()) {
            let owner = FrameOwner::Physical { process, at: None };
            let Ok(frame) = self.take_zeroed_frame(mmu, owner) else {
                break;
            };
            self.commit.charge(1);
            frames.push(frame);
        }
        Ok(frames)
    }

    /// `FreeUserPhysicalPages`: gives pages back; those that are mapped are unmapped.
    ///
    /// # Errors
    ///
    /// [`PhysicalError::NotOwned`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn free_physical<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        frames: &[FrameNumber],
    ) -> Result<(), PhysicalError> {
        for &frame in frames {
            self.physical_place(process, frame)?;
        }
        for &frame in frames {
            // A page that is named twice is the process's only once.
            let Ok(at) = self.physical_place(process, frame) else {
                continue;
            };
            if let Some(page) = at {
                self.unmap_physical(mmu, process, page);
            }
            self.frames.free(frame);
            self.commit.release(1);
        }
        Ok(())
    }

    /// `MapUserPhysicalPages`: maps pages into a window made with `MEM_PHYSICAL`, in place of what
    /// it showed.
    ///
    /// # Errors
    ///
    /// [`PhysicalError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn map_physical<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        address: LinearAddr,
        window: Window<'_>,
    ) -> Result<(), PhysicalError> {
        let process = caller.process;
        let not_physical = PhysicalError::NotPhysical { address };
        let (frames, len_pages) = match window {
            Window::Show(frames) => (frames, u32::try_from(frames.len()).unwrap_or(u32::MAX)),
            Window::Clear { len_pages } => (&[][..], len_pages),
        };
        let first = address.page();
        let end = first.bits().checked_add(len_pages).ok_or(not_physical)?;
        let pages = PageRange::from_bits(first.bits(), end).ok_or(not_physical)?;
        let region = self
            .space(process)
            .region_around(pages)
            .ok_or(not_physical)?;
        let vad = region.vad;
        if vad.source != Source::Physical {
            return Err(not_physical);
        }
        let mut seen = BTreeSet::new();
        for &frame in frames {
            let place = self.physical_place(process, frame)?;
            let is_outside = |at: &PageNumber| !pages.contains(*at);
            if let Some(at) = place.filter(is_outside) {
                return Err(PhysicalError::Mapped { frame, at });
            }
            if !seen.insert(frame) {
                return Err(PhysicalError::Mapped { frame, at: first });
            }
        }
        self.add_tables(mmu, process, pages)?;
        // Nothing below can fail.
        for page in pages.pages() {
            self.unmap_physical(mmu, process, page);
        }
        for (page, &frame) in pages.pages().zip(frames) {
            let entry = self.entry_for(process, &vad, page, frame, Protection::READ_WRITE);
            self.editor(mmu, process).set_page(page, entry);
            let info = self.frames.info_mut(frame);
            info.owner = FrameOwner::Physical {
                process,
                at: Some(page),
            };
            info.mappings = 1;
        }
        Ok(())
    }

    /// Returns where a physical page of the process is mapped.
    fn physical_place(
        &self,
        process: ProcessId,
        frame: FrameNumber,
    ) -> Result<Option<PageNumber>, PhysicalError> {
        match self.frames.info(frame).owner {
            FrameOwner::Physical { process: owner, at } if owner == process => Ok(at),
            _ => Err(PhysicalError::NotOwned { frame }),
        }
    }

    /// Takes whatever page of a window shows out of it.
    fn unmap_physical<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
    ) {
        let space = self.space(process);
        let Some(vad) = space.region(page).map(|region| region.vad) else {
            return;
        };
        let state = self.page_state(mmu, space, &vad, page);
        let PageState::Committed(_, Backing::Mapped(entry)) = state else {
            return;
        };
        self.editor(mmu, process)
            .set_software(page, SoftwarePte::AskRegion);
        self.space_mut(process).locked.remove(&page);
        let info = self.frames.info_mut(entry.frame);
        info.owner = FrameOwner::Physical { process, at: None };
        info.mappings = 0;
        info.locks = 0;
    }

    /// Unmaps all of a window.
    pub(crate) fn clear_window<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
    ) {
        for page in self.space(process).said(mmu.mem(), vad.pages) {
            self.unmap_physical(mmu, process, page);
        }
    }

    /// Gives back every physical page of a process that ends.
    pub(crate) fn free_all_physical<O: Observer>(&mut self, mmu: &mut Mmu<O>, process: ProcessId) {
        let is_own =
            |owner| matches!(owner, FrameOwner::Physical { process: of, .. } if of == process);
        let frames = self.frames.in_use().filter(|(_, info)| is_own(info.owner));
        let frames: Vec<_> = frames.map(|(frame, _)| frame).collect();
        let freed = self.free_physical(mmu, process, &frames);
        debug_assert_eq!(freed, Ok(()), "they are the process's");
    }
}
