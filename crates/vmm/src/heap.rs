//! Heaps (`HeapCreate`, `HeapAlloc`, …) over reserved and committed memory.

use std::collections::{BTreeMap, BTreeSet};

use pagefault_mmu::{LinearAddr, Mmu, Observer};
use thiserror::Error;

use crate::copy::CopyError;
use crate::ops::alloc::{AllocError, AllocRequest, AllocationType};
use crate::protection::Protection;
use crate::vmm::{Caller, Vmm};
use crate::win32::Win32Code;

/// A heap: the address of its first segment, which is what `HeapCreate` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeapHandle(pub LinearAddr);

/// What new bytes of a block hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewBytes {
    /// Whatever was there.
    Stale,
    /// `HEAP_ZERO_MEMORY`: zeros.
    Zeroed,
}

/// Whether `HeapReAlloc` may give the block another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It may.
    Allowed,
    /// `HEAP_REALLOC_IN_PLACE_ONLY`
    Forbidden,
}

/// Why a heap call refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeapError {
    /// There is no such heap.
    #[error("there is no heap at {}", .0.0)]
    NoHeap(HeapHandle),
    /// The address is that of no block in use.
    #[error("{address} is no block of the heap")]
    NoBlock {
        /// The address given.
        address: LinearAddr,
    },
    /// The heap has no room, and cannot grow.
    #[error("the heap cannot grow by {size_bytes:#x} bytes")]
    NoRoom {
        /// The size given.
        size_bytes: u32,
    },
    /// Memory for the heap cannot be had.
    #[error(transparent)]
    Alloc(#[from] AllocError),
    /// The block cannot be written to.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl HeapError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NoHeap(_) => Win32Code::INVALID_HANDLE,
            Self::NoBlock { .. } => Win32Code::INVALID_PARAMETER,
            // Why the kernel has no memory to give is lost on the way: STATUS_NO_MEMORY is all that
            // the heap says.
            Self::NoRoom { .. } | Self::Alloc(_) => Win32Code::NOT_ENOUGH_MEMORY,
            Self::Copy(error) => error.win32_code(),
        }
    }
}

/// Blocks start on multiples of this many bytes.
const BLOCK_ALIGNMENT: u32 = 8;
/// Bytes before each block that no program may use: its header on Windows.
const HEADER_BYTES: u32 = 8;
/// The least that a segment reserves.
const SEGMENT_BYTES: u32 = 0x10_0000;

/// How large a heap may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// By further segments.
    Free,
    /// Not past its first segment.
    Fixed,
}

/// A piece of a segment, in use or not.
#[derive(Clone, Copy, Debug)]
struct Piece {
    len_bytes: u32,
    /// What the program asked for, if it is in use.
    used_bytes: Option<u32>,
    /// The first address of the segment.
    segment: u32,
}

/// A heap. What is where is kept here and not in the program's memory, so that a program that
/// overruns a block corrupts its own data and not the allocator.
#[derive(Clone, Debug)]
pub(crate) struct Heap {
    growth: Growth,
    /// First address of each segment, and how far it is committed.
    segments: BTreeMap<u32, u32>,
    /// By address; the pieces of a segment follow one another without a gap.
    pieces: BTreeMap<u32, Piece>,
    /// Unused pieces by size and address.
    free: BTreeSet<(u32, u32)>,
}

impl Heap {
    fn new(growth: Growth) -> Self {
        let (segments, pieces) = (BTreeMap::new(), BTreeMap::new());
        Self {
            growth,
            segments,
            pieces,
            free: BTreeSet::new(),
        }
    }

    fn add_segment(&mut self, base: u32, len_bytes: u32, committed: u32) {
        self.segments.insert(base, committed);
        self.put_free(
            base,
            Piece {
                len_bytes,
                used_bytes: None,
                segment: base,
            },
        );
    }

    /// Forgets a segment that the program has released by itself, and its blocks.
    pub(crate) fn forget_segment(&mut self, base: u32) {
        if self.segments.remove(&base).is_none() {
            return;
        }
        self.pieces.retain(|_, piece| piece.segment != base);
        let pieces = &self.pieces;
        self.free.retain(|(_, at)| pieces.contains_key(at));
    }

    fn put_free(&mut self, at: u32, piece: Piece) {
        self.pieces.insert(
            at,
            Piece {
                used_bytes: None,
                ..piece
            },
        );
        self.free.insert((piece.len_bytes, at));
    }

    fn take_free(&mut self, at: u32) -> Option<Piece> {
        let piece = *self
            .pieces
            .get(&at)
            .filter(|piece| piece.used_bytes.is_none())?;
        self.pieces.remove(&at);
        self.free.remove(&(piece.len_bytes, at));
        Some(piece)
    }

    /// Returns the smallest free piece of at least this size.
    fn best(&self, len_bytes: u32) -> Option<u32> {
        self.free.range((len_bytes, 0)..).next().map(|&(_, at)| at)
    }

    /// Uses the front of a free piece, and leaves the rest free.
    fn split(&mut self, at: u32, len_bytes: u32, used_bytes: u32) {
        let piece = self.take_free(at).expect("the piece was found free");
        let rest = piece.len_bytes - len_bytes;
        if rest > 0 {
            self.put_free(
                at + len_bytes,
                Piece {
                    len_bytes: rest,
                    ..piece
                },
            );
        }
        self.pieces.insert(
            at,
            Piece {
                len_bytes,
                used_bytes: Some(used_bytes),
                ..piece
            },
        );
    }

    /// Frees a piece, and joins it with its free neighbours.
    fn release(&mut self, at: u32) {
        let mut piece = self.pieces.remove(&at).expect("the piece was found in use");
        let mut start = at;
        if let Some(next) = self.mate(at + piece.len_bytes, piece.segment) {
            piece.len_bytes += self.take_free(next).map_or(0, |next| next.len_bytes);
        }
        let before = self
            .pieces
            .range(..at)
            .next_back()
            .map(|(&before, _)| before);
        if let Some(before) = before.and_then(|before| self.mate(before, piece.segment)) {
            piece.len_bytes += self.take_free(before).map_or(0, |before| before.len_bytes);
            start = before;
        }
        self.put_free(start, piece);
    }

    /// Returns `at` if a free piece of the segment is there.
    fn mate(&self, at: u32, segment: u32) -> Option<u32> {
        let piece = self.pieces.get(&at)?;
        (piece.used_bytes.is_none() && piece.segment == segment).then_some(at)
    }
}

/// Returns the size of the piece that holds a block.
fn piece_bytes(size_bytes: u32) -> Option<u32> {
    size_bytes
        .max(1)
        .checked_next_multiple_of(BLOCK_ALIGNMENT)?
        .checked_add(HEADER_BYTES)
}

impl Vmm {
    /// `HeapCreate`: a heap of `maximum_bytes`, or one that grows if that is 0.
    ///
    /// # Errors
    ///
    /// [`HeapError::Alloc`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn heap_create<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        initial_bytes: u32,
        maximum_bytes: u32,
    ) -> Result<HeapHandle, HeapError> {
        let (growth, len_bytes) = if maximum_bytes == 0 {
            (Growth::Free, initial_bytes.max(SEGMENT_BYTES))
        } else {
            (Growth::Fixed, maximum_bytes.max(initial_bytes))
        };
        let place = AllocationType::empty();
        let (base, len_bytes) = self.reserve_segment(mmu, caller, len_bytes, place)?;
        Ok(self.add_heap(caller, growth, base, len_bytes))
    }

    /// Makes the heap of a new process, at the top: what the program allocates later is not moved.
    pub(crate) fn default_heap<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
    ) -> Result<HeapHandle, HeapError> {
        let place = AllocationType::TOP_DOWN;
        let (base, len_bytes) = self.reserve_segment(mmu, caller, SEGMENT_BYTES, place)?;
        Ok(self.add_heap(caller, Growth::Free, base, len_bytes))
    }

    fn add_heap(
        &mut self,
        caller: Caller,
        growth: Growth,
        base: u32,
        len_bytes: u32,
    ) -> HeapHandle {
        let mut heap = Heap::new(growth);
        heap.add_segment(base, len_bytes, base);
        let handle = HeapHandle(LinearAddr::new(base));
        self.space_mut(caller.process).heaps.insert(handle, heap);
        handle
    }

    /// `HeapDestroy`: releases every segment.
    ///
    /// # Errors
    ///
    /// [`HeapError::NoHeap`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn heap_destroy<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        handle: HeapHandle,
    ) -> Result<(), HeapError> {
        let heap = self.space_mut(caller.process).heaps.remove(&handle);
        for &base in heap.ok_or(HeapError::NoHeap(handle))?.segments.keys() {
            self.release_segment(mmu, caller, base);
        }
        Ok(())
    }

    /// `HeapAlloc`: returns the address of a new block.
    ///
    /// # Errors
    ///
    /// [`HeapError`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn heap_alloc<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        handle: HeapHandle,
        size_bytes: u32,
        new_bytes: NewBytes,
    ) -> Result<LinearAddr, HeapError> {
        let len_bytes = piece_bytes(size_bytes).ok_or(HeapError::NoRoom { size_bytes })?;
        let heap = self.heap(caller, handle)?;
        let at = match heap.best(len_bytes) {
            Some(at) => {
                self.commit_piece(mmu, caller, handle, at, len_bytes)?;
                at
            }
            None if heap.growth == Growth::Fixed => return Err(HeapError::NoRoom { size_bytes }),
            None => self.grow(mmu, caller, handle, len_bytes)?,
        };
        self.heap(caller, handle)?.split(at, len_bytes, size_bytes);
        let block = LinearAddr::new(at + HEADER_BYTES);
        if new_bytes == NewBytes::Zeroed
            && let Err(error) = self.zero(mmu, caller, block, size_bytes)
        {
            self.heap(caller, handle)?.release(at);
            return Err(error);
        }
        Ok(block)
    }

    /// Adds a segment whose first piece is committed for so many bytes, and returns where that is.
    fn grow<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        handle: HeapHandle,
        piece_bytes: u32,
    ) -> Result<u32, HeapError> {
        let wanted = piece_bytes.max(SEGMENT_BYTES);
        let (base, len_bytes) =
            self.reserve_segment(mmu, caller, wanted, AllocationType::empty())?;
        self.heap(caller, handle)?
            .add_segment(base, len_bytes, base);
        if let Err(error) = self.commit_piece(mmu, caller, handle, base, piece_bytes) {
            self.release_segment(mmu, caller, base);
            return Err(error);
        }
        Ok(base)
    }

    /// `HeapFree`.
    ///
    /// # Errors
    ///
    /// [`HeapError`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn heap_free(
        &mut self,
        caller: Caller,
        handle: HeapHandle,
        address: LinearAddr,
    ) -> Result<(), HeapError> {
        self.heap_size(caller, handle, address)?;
        self.heap(caller, handle)?
            .release(address.bits() - HEADER_BYTES);
        Ok(())
    }

    /// `HeapSize`: returns what was asked for when the block was made.
    ///
    /// # Errors
    ///
    /// [`HeapError`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn heap_size(
        &mut self,
        caller: Caller,
        handle: HeapHandle,
        address: LinearAddr,
    ) -> Result<u32, HeapError> {
        let no_block = HeapError::NoBlock { address };
        let heap = self.heap(caller, handle)?;
        let at = address.bits().checked_sub(HEADER_BYTES).ok_or(no_block)?;
        heap.pieces
            .get(&at)
            .and_then(|piece| piece.used_bytes)
            .ok_or(no_block)
    }

    /// `HeapReAlloc`: returns the address of the block in its new size, contents kept.
    ///
    /// # Errors
    ///
    /// [`HeapError`]; the block is as it was.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn heap_realloc<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        handle: HeapHandle,
        (address, size_bytes): (LinearAddr, u32),
        new_bytes: NewBytes,
        moving: Move,
    ) -> Result<LinearAddr, HeapError> {
        let old_bytes = self.heap_size(caller, handle, address)?;
        let no_room = HeapError::NoRoom { size_bytes };
        let len_bytes = piece_bytes(size_bytes).ok_or(no_room)?;
        let tail_bytes = match new_bytes {
            NewBytes::Zeroed => size_bytes.saturating_sub(old_bytes),
            NewBytes::Stale => 0,
        };
        let piece_at = address.bits() - HEADER_BYTES;
        let piece = self.heap(caller, handle)?.pieces.get_mut(&piece_at);
        let piece = piece.expect("a block that has a size has a piece");
        if len_bytes <= piece.len_bytes {
            self.zero(mmu, caller, address.wrapping_add(old_bytes), tail_bytes)?;
            let piece = self.heap(caller, handle)?.pieces.get_mut(&piece_at);
            piece.expect("found above").used_bytes = Some(size_bytes);
            return Ok(address);
        }
        if moving == Move::Forbidden {
            return Err(no_room);
        }
        let block = self.heap_alloc(mmu, caller, handle, size_bytes, NewBytes::Stale)?;
        let mut bytes = vec![0; old_bytes as usize];
        let copied = self.attached(mmu, caller.process, |vmm, mmu| {
            vmm.copy_in(mmu, address, &mut bytes)?;
            vmm.copy_out(mmu, block, &bytes)
        });
        let tail = block.wrapping_add(old_bytes);
        let filled = copied.map_err(HeapError::from);
        let filled = filled.and_then(|()| self.zero(mmu, caller, tail, tail_bytes));
        let spare = if filled.is_ok() { address } else { block };
        self.heap_free(caller, handle, spare)?;
        filled.map(|()| block)
    }

    fn heap(&mut self, caller: Caller, handle: HeapHandle) -> Result<&mut Heap, HeapError> {
        let heap = self.space_mut(caller.process).heaps.get_mut(&handle);
        heap.ok_or(HeapError::NoHeap(handle))
    }

    /// Reserves a segment; returns its base and its size, which is whole granules.
    fn reserve_segment<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        size_bytes: u32,
        place: AllocationType,
    ) -> Result<(u32, u32), HeapError> {
        let granularity = crate::config::ALLOCATION_GRANULARITY;
        let no_room = HeapError::NoRoom { size_bytes };
        let size_bytes = size_bytes
            .checked_next_multiple_of(granularity)
            .ok_or(no_room)?;
        let request = AllocRequest {
            address: LinearAddr::new(0),
            size_bytes,
            allocation_type: (AllocationType::RESERVE | place).bits(),
            protect: Protection::READ_WRITE.bits(),
        };
        Ok((self.alloc(mmu, caller, &request)?.bits(), size_bytes))
    }

    fn release_segment<O: Observer>(&mut self, mmu: &mut Mmu<O>, caller: Caller, base: u32) {
        let vad = self
            .space(caller.process)
            .region(LinearAddr::new(base).page())
            .expect("a segment that the program has released is forgotten")
            .vad;
        self.remove_region(mmu, caller.process, &vad);
    }

    /// Commits a segment up to the end of a piece.
    fn commit_piece<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        handle: HeapHandle,
        at: u32,
        len_bytes: u32,
    ) -> Result<(), HeapError> {
        let heap = self.heap(caller, handle)?;
        let segment = heap
            .pieces
            .get(&at)
            .expect("the piece was found free")
            .segment;
        let committed = *heap
            .segments
            .get(&segment)
            .expect("a piece is in a segment");
        let end = (at + len_bytes).next_multiple_of(pagefault_mmu::PAGE_SIZE);
        if end <= committed {
            return Ok(());
        }
        let request = AllocRequest {
            address: LinearAddr::new(committed),
            size_bytes: end - committed,
            allocation_type: AllocationType::COMMIT.bits(),
            protect: Protection::READ_WRITE.bits(),
        };
        self.alloc(mmu, caller, &request)?;
        self.heap(caller, handle)?.segments.insert(segment, end);
        Ok(())
    }

    fn zero<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        at: LinearAddr,
        len_bytes: u32,
    ) -> Result<(), HeapError> {
        if len_bytes == 0 {
            return Ok(());
        }
        let zeros = vec![0; len_bytes as usize];
        self.attached(mmu, caller.process, |vmm, mmu| {
            vmm.copy_out(mmu, at, &zeros)
        })?;
        Ok(())
    }
}
