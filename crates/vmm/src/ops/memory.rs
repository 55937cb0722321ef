//! `ReadProcessMemory`, `WriteProcessMemory`.

use pagefault_mmu::{LinearAddr, Mmu, Observer, PageNumber};
use thiserror::Error;

use crate::copy::CopyError;
use crate::protection::{Protection, Rights};
use crate::range::PageRange;
use crate::region::Source;
use crate::space::{PageState, ProcessId};
use crate::vmm::Vmm;
use crate::win32::Win32Code;

/// Why `ReadProcessMemory` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadMemoryError {
    /// A page of the range cannot be read. Nothing counts as copied.
    #[error("not all of the range can be read: {0}")]
    Partial(CopyError),
    /// The range goes past 4 GiB.
    #[error("{size_bytes:#x} bytes at {address} go past the end of linear memory")]
    Wraps {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
}

impl ReadMemoryError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Partial(_) | Self::Wraps { .. } => Win32Code::PARTIAL_COPY,
        }
    }
}

/// Why `WriteProcessMemory` fails. Nothing has been written, unless a page could not be brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteMemoryError {
    /// A page of the range is not committed, or its protection is neither writable nor executable.
    #[error("page {page} cannot be written")]
    NotWritable {
        /// The first such page.
        page: PageNumber,
    },
    /// The range goes past 4 GiB.
    #[error("{size_bytes:#x} bytes at {address} go past the end of linear memory")]
    Wraps {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
    /// A page was in the way that could not be brought in, or a guard page.
    #[error("not all of the range can be written: {0}")]
    Partial(CopyError),
}

impl WriteMemoryError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NotWritable { .. } | Self::Wraps { .. } => Win32Code::NOACCESS,
            Self::Partial(_) => Win32Code::PARTIAL_COPY,
        }
    }
}

impl Vmm {
    /// `ReadProcessMemory`: fills `bytes` from a process's memory.
    ///
    /// For another process than the loaded one, its tables are loaded meanwhile, as the kernel
    /// attaches to it: the TLB is flushed twice.
    ///
    /// # Errors
    ///
    /// [`ReadMemoryError`]; what `bytes` holds then does not count.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn read_process_memory<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        bytes: &mut [u8],
    ) -> Result<(), ReadMemoryError> {
        let size_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if size_bytes == 0 {
            return Ok(());
        }
        let wraps = ReadMemoryError::Wraps {
            address,
            size_bytes,
        };
        address.checked_add(size_bytes - 1).ok_or(wraps)?;
        let read = self.attached(mmu, process, |vmm, mmu| vmm.copy_in(mmu, address, bytes));
        read.map_err(ReadMemoryError::Partial)
    }

    /// `WriteProcessMemory`: puts `bytes` into a process's memory.
    ///
    /// Pages that are executable and not writable are written all the same, and keep their
    /// protection: this is how debuggers set breakpoints.
    ///
    /// # Errors
    ///
    /// [`WriteMemoryError`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn write_process_memory<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        bytes: &[u8],
    ) -> Result<(), WriteMemoryError> {
        let size_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let lifted = self.pages_to_lift(mmu, process, address, size_bytes)?;
        for &(page, rights, protection) in &lifted {
            self.reprotect(mmu, process, page, protection.with_rights(rights));
        }
        let written = self.attached(mmu, process, |vmm, mmu| vmm.copy_out(mmu, address, bytes));
        for &(page, _, protection) in &lifted {
            self.reprotect(mmu, process, page, protection);
        }
        written.map_err(WriteMemoryError::Partial)
    }

    /// Checks that [`Vmm::write_process_memory`] may write to a range, for a caller that writes it
    /// piece by piece.
    ///
    /// # Errors
    ///
    /// [`WriteMemoryError::NotWritable`], [`WriteMemoryError::Wraps`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn check_process_write<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), WriteMemoryError> {
        self.pages_to_lift(mmu, process, address, size_bytes)
            .map(|_| ())
    }

    /// Returns the pages of a range whose protection must be lifted for a write: to which rights,
    /// and what it is.
    fn pages_to_lift<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<Vec<(PageNumber, Rights, Protection)>, WriteMemoryError> {
        let mut lifted = Vec::new();
        if size_bytes == 0 {
            return Ok(lifted);
        }
        let wraps = WriteMemoryError::Wraps {
            address,
            size_bytes,
        };
        let pages = PageRange::touched(address, size_bytes).ok_or(wraps)?;
        for page in pages.pages() {
            match self.write_access(mmu, process, page) {
                Some(Lift::No) => {}
                Some(Lift::To(rights, protection)) => lifted.push((page, rights, protection)),
                None => return Err(WriteMemoryError::NotWritable { page }),
            }
        }
        Ok(lifted)
    }

    /// Returns how a page is to be written to, or `None` if it is not.
    fn write_access<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        page: PageNumber,
    ) -> Option<Lift> {
        let space = self.space(process);
        let vad = space.region(page)?.vad;
        let PageState::Committed(protection, _) = self.page_state(mmu, space, &vad, page) else {
            return None;
        };
        let lifted = match vad.source {
            Source::Private | Source::Image => Rights::ExecuteReadWrite,
            // The section may not be written through the view: its page is copied.
            Source::View { .. } => Rights::ExecuteWriteCopy,
            // The protection of a large page is that of all of it.
            Source::Physical | Source::Large => protection.rights(),
        };
        match protection.rights() {
            Rights::NoAccess | Rights::ReadOnly => None,
            Rights::Execute | Rights::ExecuteRead if lifted == protection.rights() => None,
            Rights::Execute | Rights::ExecuteRead => Some(Lift::To(lifted, protection)),
            Rights::ReadWrite
            | Rights::WriteCopy
            | Rights::ExecuteReadWrite
            | Rights::ExecuteWriteCopy => Some(Lift::No),
        }
    }

    /// Gives a committed page another protection, without a check and without a record.
    fn reprotect<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
        protection: Protection,
    ) {
        let vad = self
            .space(process)
            .region(page)
            .expect("the page is committed")
            .vad;
        // Without a frame for a table the page keeps its protection, and the write is refused.
        if self
            .add_tables(mmu, process, PageRange::single(page))
            .is_ok()
        {
            self.set_protection(mmu, process, &vad, page, protection);
        }
    }

    /// Does something with a process's tables loaded.
    pub(crate) fn attached<O: Observer, T>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        act: impl FnOnce(&mut Self, &mut Mmu<O>) -> T,
    ) -> T {
        let before = self.current;
        if before == Some(process) {
            return act(self, mmu);
        }
        self.switch_to(mmu, process);
        let done = act(self, mmu);
        if let Some(before) = before {
            self.switch_to(mmu, before);
        }
        done
    }
}

/// Whether a page's protection must be lifted for a write: to what, and what it is.
#[derive(Clone, Copy, Debug)]
enum Lift {
    No,
    To(Rights, Protection),
}
