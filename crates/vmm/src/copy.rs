//! How the kernel touches a program's memory: at supervisor privilege, through the MMU, resolving
//! page faults on the way, and with an error in place of a crash.

use pagefault_mmu::{AccessKind, LinearAddr, Mmu, Observer, PAGE_SIZE, PageNumber, Privilege};
use thiserror::Error;

use crate::outcome::{AccessViolation, GuardPage, InPageError, Resolution, StackOverflow};
use crate::space::{Backing, PageState, ProcessId};
use crate::vmm::Vmm;
use crate::win32::Win32Code;

/// Why a byte of a program's memory cannot be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CopyError {
    /// The access is not allowed.
    #[error("{} cannot be accessed: {}", .0.addr, .0.rule)]
    AccessViolation(AccessViolation),
    /// A guard page was hit, and is one no longer.
    #[error("{} is in a guard page", .0.addr)]
    GuardPage(GuardPage),
    /// The stack is used up.
    #[error("{} is past the end of the stack", .0.addr)]
    StackOverflow(StackOverflow),
    /// The contents cannot be had.
    #[error("{} cannot be brought in: {}", .0.addr, .0.cause)]
    InPageError(InPageError),
}

impl CopyError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::AccessViolation(_) => Win32Code::NOACCESS,
            Self::GuardPage(_) => Win32Code::GUARD_PAGE_VIOLATION,
            Self::StackOverflow(_) => Win32Code::STACK_OVERFLOW,
            Self::InPageError(_) => Win32Code::SWAPERROR,
        }
    }

    /// Returns the first byte that could not be touched.
    pub const fn addr(self) -> LinearAddr {
        match self {
            Self::AccessViolation(violation) => violation.addr,
            Self::GuardPage(guard) => guard.addr,
            Self::StackOverflow(overflow) => overflow.addr,
            Self::InPageError(error) => error.addr,
        }
    }
}

/// How many bytes the kernel moves at a time, for the counts of the MMU.
const WORD_BYTES: usize = size_of::<u32>();

impl Vmm {
    /// Reads a program's memory, in the process whose tables are loaded.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; `bytes` may have been filled up to the byte that could not be read.
    pub fn copy_in<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
        bytes: &mut [u8],
    ) -> Result<(), CopyError> {
        let mut at = addr;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at_mut(rest.len().min(left_in_page(at)));
            self.with_faults(mmu, |mmu| {
                mmu.read::<u8>(at, Privilege::Supervisor).map(|_| ())
            })?;
            self.read_part(mmu, at, part)?;
            at = at.wrapping_add(truncate(part.len()));
            rest = after;
        }
        Ok(())
    }

    /// Writes a program's memory, in the process whose tables are loaded.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; bytes before the one that could not be written may have been.
    pub fn copy_out<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
        bytes: &[u8],
    ) -> Result<(), CopyError> {
        let mut at = addr;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(left_in_page(at)));
            self.with_faults(mmu, |mmu| mmu.probe_write::<u8>(at, Privilege::Supervisor))?;
            self.write_part(mmu, at, part)?;
            at = at.wrapping_add(truncate(part.len()));
            rest = after;
        }
        Ok(())
    }

    /// Reads a little-endian 32-bit word of a program's memory.
    ///
    /// # Errors
    ///
    /// As [`Vmm::copy_in`].
    pub fn read_u32<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
    ) -> Result<u32, CopyError> {
        let mut bytes = [0; WORD_BYTES];
        self.copy_in(mmu, addr, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Checks that all of a range can be written, resolving page faults, and writes nothing.
    ///
    /// # Errors
    ///
    /// As [`Vmm::copy_out`]; nothing has been written.
    pub fn probe_write<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), CopyError> {
        self.probe(mmu, addr, size_bytes, AccessKind::Write)
    }

    /// Checks that all of a range can be read, resolving page faults.
    ///
    /// # Errors
    ///
    /// As [`Vmm::copy_in`].
    pub fn probe_read<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), CopyError> {
        self.probe(mmu, addr, size_bytes, AccessKind::Read)
    }

    fn probe<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<(), CopyError> {
        let mut at = addr;
        let mut left = size_bytes;
        while left > 0 {
            self.with_faults(mmu, |mmu| match kind {
                AccessKind::Write => mmu.probe_write::<u8>(at, Privilege::Supervisor),
                AccessKind::Read | AccessKind::Fetch => {
                    mmu.read::<u8>(at, Privilege::Supervisor).map(|_| ())
                }
            })?;
            let part = left.min(PAGE_SIZE - at.page_offset());
            at = at.wrapping_add(part);
            left -= part;
        }
        Ok(())
    }

    /// Makes an access until it no longer faults, or a fault is refused.
    pub(crate) fn with_faults<O: Observer, T>(
        &mut self,
        mmu: &mut Mmu<O>,
        mut access: impl FnMut(&mut Mmu<O>) -> Result<T, pagefault_mmu::PageFault>,
    ) -> Result<T, CopyError> {
        loop {
            match access(mmu) {
                Ok(value) => return Ok(value),
                Err(fault) => accepted(self.handle_fault(mmu, &fault))?,
            }
        }
    }

    /// Makes a page of any process resident, as a read would.
    pub(crate) fn bring_in<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
    ) -> Result<(), CopyError> {
        loop {
            let space = self.space(process);
            let state = space
                .region(page)
                .map(|region| space.page_state(mmu.mem(), &self.sections, &region.vad, page));
            if let Some(PageState::Committed(_, Backing::Mapped(_))) = state {
                return Ok(());
            }
            accepted(self.resolve(mmu, process, page.start(), AccessKind::Read))?;
        }
    }

    /// Reads bytes of one page that was just touched.
    fn read_part<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        at: LinearAddr,
        part: &mut [u8],
    ) -> Result<(), CopyError> {
        let Some(hit) = mmu.peek_hit(at, AccessKind::Read, Privilege::Supervisor) else {
            for (addr, byte) in bytes_from(at).zip(part) {
                *byte = self.with_faults(mmu, |mmu| mmu.read(addr, Privilege::Supervisor))?;
            }
            return Ok(());
        };
        mmu.count_hits(hit, truncate(part.len() / WORD_BYTES));
        let offset = hit.at().page_offset() as usize;
        let frame = mmu.mem().frame(hit.at().frame());
        if let Some(bytes) = frame.and_then(|frame| frame.get(offset..offset + part.len())) {
            part.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Writes bytes of one page that was just probed.
    fn write_part<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        at: LinearAddr,
        part: &[u8],
    ) -> Result<(), CopyError> {
        let Some(hit) = mmu.peek_hit(at, AccessKind::Write, Privilege::Supervisor) else {
            for (addr, &byte) in bytes_from(at).zip(part) {
                self.with_faults(mmu, |mmu| mmu.write(addr, byte, Privilege::Supervisor))?;
            }
            return Ok(());
        };
        mmu.count_hits(hit, truncate(part.len() / WORD_BYTES));
        let offset = hit.at().page_offset() as usize;
        let frame = hit.at().frame();
        let place = mmu.mem_mut().frame_mut(frame);
        if let Some(place) = place.and_then(|bytes| bytes.get_mut(offset..offset + part.len())) {
            place.copy_from_slice(part);
        }
        mmu.note_write(frame);
        Ok(())
    }
}

fn accepted(resolution: Resolution) -> Result<(), CopyError> {
    match resolution {
        Resolution::Resumed(_) => Ok(()),
        Resolution::AccessViolation(violation) => Err(CopyError::AccessViolation(violation)),
        Resolution::GuardPage(guard) => Err(CopyError::GuardPage(guard)),
        Resolution::StackOverflow(overflow) => Err(CopyError::StackOverflow(overflow)),
        Resolution::InPageError(error) => Err(CopyError::InPageError(error)),
    }
}

fn bytes_from(at: LinearAddr) -> impl Iterator<Item = LinearAddr> {
    (0..PAGE_SIZE).map(move |offset| at.wrapping_add(offset))
}

fn left_in_page(at: LinearAddr) -> usize {
    (PAGE_SIZE - at.page_offset()) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a page")]
fn truncate(len: usize) -> u32 {
    len as u32
}
