//! `GetWriteWatch`, `ResetWriteWatch`.

use pagefault_mmu::{LinearAddr, Mmu, Observer, PageNumber, PteFlags};
use thiserror::Error;

use crate::range::PageRange;
use crate::region::Vad;
use crate::space::{Backing, PageState, ProcessId};
use crate::vmm::Vmm;
use crate::win32::Win32Code;

/// Whether the pages that `GetWriteWatch` reports count as unwritten from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetAfter {
    /// They stay marked.
    No,
    /// `WRITE_WATCH_FLAG_RESET`
    Yes,
}

impl ResetAfter {
    /// Returns what the flags of `GetWriteWatch` say.
    ///
    /// # Errors
    ///
    /// [`WriteWatchError::Flags`] unless they are 0 or `WRITE_WATCH_FLAG_RESET`.
    pub const fn from_bits(bits: u32) -> Result<Self, WriteWatchError> {
        match bits {
            0 => Ok(Self::No),
            1 => Ok(Self::Yes),
            bits => Err(WriteWatchError::Flags { bits }),
        }
    }
}

/// Why `GetWriteWatch` or `ResetWriteWatch` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteWatchError {
    /// Unknown flags.
    #[error("{bits:#x} are no flags of GetWriteWatch")]
    Flags {
        /// The flags given.
        bits: u32,
    },
    /// The size is 0, or there is no room for an answer.
    #[error("the range or the room for addresses is empty")]
    Empty,
    /// The range is not inside one allocation made with `MEM_WRITE_WATCH`.
    #[error("{size_bytes:#x} bytes at {address} are not inside one watched allocation")]
    NotWatched {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
}

impl WriteWatchError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Flags { .. } | Self::Empty | Self::NotWatched { .. } => {
                Win32Code::INVALID_PARAMETER
            }
        }
    }
}

impl Vmm {
    /// `GetWriteWatch`: returns up to `count` pages of the range that were written to since they
    /// were last reset, in ascending order.
    ///
    /// # Errors
    ///
    /// [`WriteWatchError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn write_watch<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        size_bytes: u32,
        reset: ResetAfter,
        count: u32,
    ) -> Result<Vec<PageNumber>, WriteWatchError> {
        if count == 0 {
            return Err(WriteWatchError::Empty);
        }
        let (vad, pages) = self.watched_range(process, address, size_bytes)?;
        let region = self
            .space(process)
            .region(pages.start())
            .expect("found above");
        let watch = region.watch.as_ref().expect("the range is watched");
        let written = pages
            .pages()
            .filter(|&page| watch.is_dirty(vad.index(page)));
        let written: Vec<_> = written.take(count as usize).collect();
        if reset == ResetAfter::Yes {
            for &page in &written {
                self.rearm(mmu, process, &vad, page);
            }
        }
        Ok(written)
    }

    /// `ResetWriteWatch`: from now on no page of the range counts as written to.
    ///
    /// # Errors
    ///
    /// [`WriteWatchError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn reset_write_watch<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), WriteWatchError> {
        let (vad, pages) = self.watched_range(process, address, size_bytes)?;
        for page in pages.pages() {
            self.rearm(mmu, process, &vad, page);
        }
        Ok(())
    }

    fn watched_range(
        &self,
        process: ProcessId,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<(Vad, PageRange), WriteWatchError> {
        if size_bytes == 0 {
            return Err(WriteWatchError::Empty);
        }
        let not_watched = WriteWatchError::NotWatched {
            address,
            size_bytes,
        };
        let pages = PageRange::touched(address, size_bytes).ok_or(not_watched)?;
        let region = self
            .space(process)
            .region_around(pages)
            .ok_or(not_watched)?;
        if region.watch.is_none() {
            return Err(not_watched);
        }
        Ok((region.vad, pages))
    }

    /// Forgets that a page was written to, and has the next write fault.
    fn rearm<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        page: PageNumber,
    ) {
        let region = self
            .space_mut(process)
            .region_mut(page)
            .expect("found above");
        region
            .watch
            .as_mut()
            .expect("the range is watched")
            .clear(vad.index(page));
        let state = self.page_state(mmu, self.space(process), vad, page);
        if let PageState::Committed(_, Backing::Mapped(entry)) = state
            && entry.flags.contains(PteFlags::WRITABLE)
        {
            let guarded = entry.without(PteFlags::WRITABLE);
            self.editor(mmu, process).set_page(page, guarded);
        }
    }
}
