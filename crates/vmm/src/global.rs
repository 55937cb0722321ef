//! `GlobalAlloc` and its kin: fixed blocks, and moveable ones behind a handle.

use bitflags::bitflags;
use pagefault_mmu::{LinearAddr, Mmu, Observer};
use thiserror::Error;

use crate::heap::{HeapError, HeapHandle, Move, NewBytes};
use crate::space::ProcessId;
use crate::vmm::{Caller, Vmm};
use crate::win32::Win32Code;

bitflags! {
    /// The flags of `GlobalAlloc`; others are taken and mean nothing today.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct GlobalFlags: u32 {
        /// `GMEM_MOVEABLE`: the block has a handle, and an address while it is locked.
        const MOVEABLE = 0x0002;
        /// `GMEM_ZEROINIT`
        const ZEROINIT = 0x0040;
        /// `GMEM_MODIFY`: `GlobalReAlloc` changes attributes, not the size.
        const MODIFY = 0x0080;
        /// `GMEM_DISCARDABLE`
        const DISCARDABLE = 0x0100;
    }
}

/// What `GlobalFlags` says of a block whose memory is gone.
const GMEM_DISCARDED: u32 = 0x4000;
/// Moveable handles end so, which no block's address does.
const HANDLE_TAG: u32 = 4;

/// A moveable block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moveable {
    /// Where it is; `None` if it has no memory.
    block: Option<LinearAddr>,
    locks: u8,
    /// `GMEM_DISCARDABLE`, or nothing.
    attributes: GlobalFlags,
}

/// Why a `Global` call refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GlobalError {
    /// Neither the address of a fixed block nor the handle of a moveable one.
    #[error("{0} is no global memory handle")]
    NoHandle(LinearAddr),
    /// The block is not locked.
    #[error("the block at {0} is not locked")]
    NotLocked(LinearAddr),
    /// The block has no memory.
    #[error("the block of {0} is discarded")]
    Discarded(LinearAddr),
    /// The block is locked, or may not move, and would have to.
    #[error("the block of {0} cannot move")]
    CannotMove(LinearAddr),
    /// The heap has no room.
    #[error(transparent)]
    Heap(#[from] HeapError),
}

impl GlobalError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NoHandle(_) => Win32Code::INVALID_HANDLE,
            Self::NotLocked(_) => Win32Code::NOT_LOCKED,
            Self::Discarded(_) => Win32Code::DISCARDED,
            Self::CannotMove(_) => Win32Code::NOT_ENOUGH_MEMORY,
            Self::Heap(error) => error.win32_code(),
        }
    }
}

/// What `GlobalUnlock` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// The block is locked still, or is fixed (`TRUE`).
    StillLocked,
    /// The block is not locked any more (`FALSE`, and no error).
    Now,
}

impl Vmm {
    /// Returns the process's default heap: `GetProcessHeap`. The first call makes it.
    ///
    /// # Errors
    ///
    /// [`HeapError::Alloc`] if there is no room for it.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn process_heap<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
    ) -> Result<HeapHandle, HeapError> {
        if let Some(heap) = self.space(caller.process).process_heap {
            return Ok(heap);
        }
        let heap = self.default_heap(mmu, caller)?;
        self.space_mut(caller.process).process_heap = Some(heap);
        Ok(heap)
    }

    /// Returns the handle of the process's default heap if it has been made.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn made_process_heap(&self, process: ProcessId) -> Option<HeapHandle> {
        self.space(process).process_heap
    }

    /// `GlobalAlloc`: returns the address of a fixed block, or the handle of a moveable one.
    ///
    /// # Errors
    ///
    /// [`GlobalError::Heap`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_alloc<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        flags: u32,
        size_bytes: u32,
    ) -> Result<LinearAddr, GlobalError> {
        let flags = GlobalFlags::from_bits_truncate(flags);
        let heap = self.process_heap(mmu, caller)?;
        let new_bytes = new_bytes(flags);
        if !flags.contains(GlobalFlags::MOVEABLE) {
            return Ok(self.heap_alloc(mmu, caller, heap, size_bytes, new_bytes)?);
        }
        let block = match size_bytes {
            0 => None,
            _ => Some(self.heap_alloc(mmu, caller, heap, size_bytes, new_bytes)?),
        };
        // The handle's own place on the heap makes it unlike every block's address.
        let place = match self.heap_alloc(mmu, caller, heap, HANDLE_TAG, NewBytes::Stale) {
            Ok(place) => place,
            Err(error) => {
                if let Some(block) = block {
                    self.heap_free(caller, heap, block)?;
                }
                return Err(error.into());
            }
        };
        let handle = place.wrapping_add(HANDLE_TAG);
        let attributes = flags & GlobalFlags::DISCARDABLE;
        let entry = Moveable {
            block,
            locks: 0,
            attributes,
        };
        self.space_mut(caller.process)
            .moveable
            .insert(handle, entry);
        Ok(handle)
    }

    /// `GlobalSize`: returns the size in bytes, 0 for a block without memory.
    ///
    /// # Errors
    ///
    /// [`GlobalError::NoHandle`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_size(&mut self, caller: Caller, handle: LinearAddr) -> Result<u32, GlobalError> {
        let block = match self.space(caller.process).moveable.get(&handle) {
            Some(Moveable { block: None, .. }) => return Ok(0),
            Some(&Moveable {
                block: Some(block), ..
            }) => block,
            None => handle,
        };
        let no_handle = GlobalError::NoHandle(handle);
        let heap = self.space(caller.process).process_heap.ok_or(no_handle)?;
        self.heap_size(caller, heap, block).map_err(|_| no_handle)
    }

    /// `GlobalFlags`: returns the lock count and `GMEM_DISCARDED`, `GMEM_DISCARDABLE`.
    ///
    /// # Errors
    ///
    /// [`GlobalError::NoHandle`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_flags(&mut self, caller: Caller, handle: LinearAddr) -> Result<u32, GlobalError> {
        self.global_size(caller, handle)?;
        let entry = self.space(caller.process).moveable.get(&handle);
        Ok(entry.map_or(0, |entry| {
            let discarded = if entry.block.is_none() {
                GMEM_DISCARDED
            } else {
                0
            };
            u32::from(entry.locks) | entry.attributes.bits() | discarded
        }))
    }

    /// `GlobalLock`: returns the block's address.
    ///
    /// # Errors
    ///
    /// [`GlobalError::NoHandle`], [`GlobalError::Discarded`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_lock(
        &mut self,
        caller: Caller,
        handle: LinearAddr,
    ) -> Result<LinearAddr, GlobalError> {
        self.global_size(caller, handle)?;
        let Some(entry) = self.space_mut(caller.process).moveable.get_mut(&handle) else {
            return Ok(handle);
        };
        let block = entry.block.ok_or(GlobalError::Discarded(handle))?;
        entry.locks = entry.locks.saturating_add(1);
        Ok(block)
    }

    /// `GlobalUnlock`.
    ///
    /// # Errors
    ///
    /// [`GlobalError::NoHandle`], [`GlobalError::NotLocked`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_unlock(
        &mut self,
        caller: Caller,
        handle: LinearAddr,
    ) -> Result<Unlocked, GlobalError> {
        self.global_size(caller, handle)?;
        let Some(entry) = self.space_mut(caller.process).moveable.get_mut(&handle) else {
            return Ok(Unlocked::StillLocked);
        };
        entry.locks = entry
            .locks
            .checked_sub(1)
            .ok_or(GlobalError::NotLocked(handle))?;
        Ok(if entry.locks == 0 {
            Unlocked::Now
        } else {
            Unlocked::StillLocked
        })
    }

    /// `GlobalFree`.
    ///
    /// # Errors
    ///
    /// [`GlobalError::NoHandle`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_free(&mut self, caller: Caller, handle: LinearAddr) -> Result<(), GlobalError> {
        self.global_size(caller, handle)?;
        let heap = self.space(caller.process).process_heap;
        let heap = heap.ok_or(GlobalError::NoHandle(handle))?;
        let Some(entry) = self.space_mut(caller.process).moveable.remove(&handle) else {
            return Ok(self.heap_free(caller, heap, handle)?);
        };
        let place = LinearAddr::new(handle.bits() - HANDLE_TAG);
        self.heap_free(caller, heap, place)?;
        entry
            .block
            .map_or(Ok(()), |block| Ok(self.heap_free(caller, heap, block)?))
    }

    /// `GlobalReAlloc`: returns the address or the handle of the block in its new size.
    ///
    /// A fixed block moves only with `GMEM_MOVEABLE`, a moveable one only while it is not locked.
    ///
    /// # Errors
    ///
    /// [`GlobalError`]; the block is as it was.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn global_realloc<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        handle: LinearAddr,
        size_bytes: u32,
        flags: u32,
    ) -> Result<LinearAddr, GlobalError> {
        let flags = GlobalFlags::from_bits_truncate(flags);
        self.global_size(caller, handle)?;
        let heap = self.process_heap(mmu, caller)?;
        let entry = self.space(caller.process).moveable.get(&handle).copied();
        if flags.contains(GlobalFlags::MODIFY) {
            if let Some(entry) = self.space_mut(caller.process).moveable.get_mut(&handle) {
                entry.attributes = flags & GlobalFlags::DISCARDABLE;
            }
            return Ok(handle);
        }
        let may_move =
            flags.contains(GlobalFlags::MOVEABLE) || entry.is_some_and(|entry| entry.locks == 0);
        let moving = if may_move {
            Move::Allowed
        } else {
            Move::Forbidden
        };
        let new_bytes = new_bytes(flags);
        let Some(entry) = entry else {
            return self
                .heap_realloc(mmu, caller, heap, (handle, size_bytes), new_bytes, moving)
                .map_err(|error| match error {
                    HeapError::NoRoom { .. } => GlobalError::CannotMove(handle),
                    error => error.into(),
                });
        };
        let block = match (entry.block, size_bytes) {
            (None, 0) => None,
            (None, _) => Some(self.heap_alloc(mmu, caller, heap, size_bytes, new_bytes)?),
            (Some(_), 0) if entry.locks > 0 => return Err(GlobalError::CannotMove(handle)),
            (Some(block), 0) => {
                self.heap_free(caller, heap, block)?;
                None
            }
            (Some(block), _) => {
                let to = (block, size_bytes);
                Some(self.heap_realloc(mmu, caller, heap, to, new_bytes, moving)?)
            }
        };
        let entry = self.space_mut(caller.process).moveable.get_mut(&handle);
        entry.expect("found above").block = block;
        Ok(handle)
    }
}

fn new_bytes(flags: GlobalFlags) -> NewBytes {
    if flags.contains(GlobalFlags::ZEROINIT) {
        NewBytes::Zeroed
    } else {
        NewBytes::Stale
    }
}
