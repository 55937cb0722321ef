//! Guest RAM.

use thiserror::Error;

use crate::addr::{ENTRIES_32, FrameNumber, PAGE_SIZE, PhysAddr};
use crate::word::Word;

/// The most RAM that can be configured: what a 32-bit physical address reaches.
pub const MAX_RAM_BYTES: u64 = 1 << 32;

/// Why guest RAM could not be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PhysMemoryError {
    /// The size is zero, no multiple of 4 KiB, or more than 4 GiB.
    #[error("RAM of {size_bytes:#x} bytes: the size must be a multiple of 4 KiB, 4 KiB to 4 GiB")]
    Size {
        /// The size asked for.
        size_bytes: u64,
    },
    /// The host has no address space for it.
    #[error("the host cannot provide {size_bytes:#x} bytes of address space for guest RAM")]
    Host {
        /// The size asked for.
        size_bytes: u64,
    },
}

/// Guest RAM, zero at the start, from physical address 0 upwards.
///
/// The host commits it lazily: a frame costs host memory once it has been touched. As on a PC, an
/// address without RAM reads as ones, and a write to it goes nowhere.
#[derive(Debug)]
pub struct PhysMemory {
    bytes: backing::Bytes,
}

impl PhysMemory {
    /// Returns zeroed RAM of `size_bytes`.
    ///
    /// # Errors
    ///
    /// [`PhysMemoryError::Size`] unless the size is a multiple of 4 KiB from 4 KiB to 4 GiB;
    /// [`PhysMemoryError::Host`] if the host refuses the mapping.
    pub fn new(size_bytes: u64) -> Result<Self, PhysMemoryError> {
        let whole_frames = size_bytes.is_multiple_of(u64::from(PAGE_SIZE));
        if size_bytes == 0 || !whole_frames || size_bytes > MAX_RAM_BYTES {
            return Err(PhysMemoryError::Size { size_bytes });
        }
        let bytes = usize::try_from(size_bytes).ok().and_then(backing::zeroed);
        bytes
            .map(|bytes| Self { bytes })
            .ok_or(PhysMemoryError::Host { size_bytes })
    }

    /// Returns the size of RAM in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns how many 4 KiB frames there are.
    #[expect(clippy::cast_possible_truncation, reason = "at most 2^20 frames")]
    pub fn frame_count(&self) -> u32 {
        (self.bytes.len() / PAGE_SIZE as usize) as u32
    }

    /// Returns whether RAM stands behind the frame.
    #[inline]
    pub fn is_backed(&self, frame: FrameNumber) -> bool {
        frame.start().bits() < self.bytes.len() as u64
    }

    /// Returns the word at `at`; bytes without RAM read as ones.
    #[inline(always)]
    pub fn read<T: Word>(&self, at: PhysAddr) -> T {
        // Quirk: no-ram
        // A word that is cut by the end of RAM is not split: no bus returns half of one.
        self.load(at.bits()).unwrap_or(T::ALL_ONES)
    }

    /// Returns an entry of the directory or table of 32-bit entries that the frame holds; without
    /// RAM there it reads as ones.
    #[inline(always)]
    pub(crate) fn read_entry_32(&self, frame: FrameNumber, index: u32) -> u32 {
        let (entries, _) = self.bytes.as_chunks();
        let entry = entry_32(frame, index).and_then(|at| entries.get(at));
        entry.map_or(u32::ALL_ONES, |&bytes| u32::from_le_bytes(bytes))
    }

    /// Writes such an entry; without RAM there, nothing happens.
    #[inline(always)]
    pub(crate) fn write_entry_32(&mut self, frame: FrameNumber, index: u32, entry: u32) {
        let (entries, _) = self.bytes.as_chunks_mut();
        if let Some(bytes) = entry_32(frame, index).and_then(|at| entries.get_mut(at)) {
            *bytes = entry.to_le_bytes();
        }
    }

    /// Writes the word at `at`; without RAM there, nothing happens.
    #[inline(always)]
    pub fn write<T: Word>(&mut self, at: PhysAddr, value: T) {
        self.store(at.bits(), value);
    }

    /// Returns the word at this many bytes into RAM, or `None` past its end.
    #[inline(always)]
    pub(crate) fn load<T: Word>(&self, at: u64) -> Option<T> {
        // Ends that are computed in 64 bits: addresses have 40 and cannot wrap.
        let end = at.checked_add(u64::from(T::SIZE))?;
        let range = usize::try_from(at).ok()?..usize::try_from(end).ok()?;
        self.bytes.get(range).and_then(T::load)
    }

    /// Writes the word at this many bytes into RAM; does nothing past its end.
    #[inline(always)]
    pub(crate) fn store<T: Word>(&mut self, at: u64, value: T) {
        let Some(end) = at.checked_add(u64::from(T::SIZE)) else {
            return;
        };
        if let (Ok(at), Ok(end)) = (usize::try_from(at), usize::try_from(end))
            && let Some(bytes) = self.bytes.get_mut(at..end)
        {
            value.store(bytes);
        }
    }

    /// Returns the frame's bytes, or `None` without RAM there.
    #[inline]
    pub fn frame(&self, frame: FrameNumber) -> Option<&[u8; PAGE_SIZE as usize]> {
        let at = usize::try_from(frame.start().bits()).ok()?;
        self.bytes.get(at..)?.first_chunk()
    }

    /// Returns the frame's bytes for writing, or `None` without RAM there.
    #[inline]
    pub fn frame_mut(&mut self, frame: FrameNumber) -> Option<&mut [u8; PAGE_SIZE as usize]> {
        let at = usize::try_from(frame.start().bits()).ok()?;
        self.bytes.get_mut(at..)?.first_chunk_mut()
    }

    /// Fills the frame with zeros.
    pub fn zero_frame(&mut self, frame: FrameNumber) {
        if let Some(bytes) = self.frame_mut(frame) {
            bytes.fill(0);
        }
    }

    /// Copies the contents of one frame to another.
    pub fn copy_frame(&mut self, from: FrameNumber, to: FrameNumber) {
        if let Some(bytes) = self.frame(from).copied()
            && let Some(target) = self.frame_mut(to)
        {
            *target = bytes;
        }
    }
}

/// Returns the place of an entry among all words of 32 bits.
#[inline(always)]
fn entry_32(frame: FrameNumber, index: u32) -> Option<usize> {
    let at = u64::from(frame.bits()) * u64::from(ENTRIES_32) + u64::from(index % ENTRIES_32);
    usize::try_from(at).ok()
}

/// Where the bytes live: an anonymous map, which the host commits page by page.
#[cfg(feature = "mmap")]
mod backing {
    pub(super) type Bytes = memmap2::MmapMut;

    pub(super) fn zeroed(len: usize) -> Option<Bytes> {
        // No swap is reserved: 4 GiB of guest RAM may be configured on a small host.
        memmap2::MmapOptions::new()
            .len(len)
            .no_reserve_swap()
            .map_anon()
            .ok()
    }
}

/// Where the bytes live on a host without memory maps: an ordinary zeroed allocation.
#[cfg(not(feature = "mmap"))]
mod backing {
    pub(super) type Bytes = Vec<u8>;

    pub(super) fn zeroed(len: usize) -> Option<Bytes> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        bytes.resize(len, 0);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_are_no_ram_are_refused() {
        for size_bytes in [0, 1, 4095, 4097, MAX_RAM_BYTES + 4096] {
            let refused = PhysMemory::new(size_bytes).unwrap_err();
            assert_eq!(refused, PhysMemoryError::Size { size_bytes });
        }
    }

    #[test]
    fn four_gibibytes_can_be_configured_and_used_at_both_ends() {
        let mut mem = PhysMemory::new(MAX_RAM_BYTES).unwrap();
        let last = FrameNumber::new(mem.frame_count() - 1).unwrap();

        mem.write(last.byte(4092), 0x1234_5678_u32);

        assert_eq!(mem.read::<u32>(last.byte(4092)), 0x1234_5678);
        assert_eq!(mem.read::<u32>(PhysAddr::new(0).unwrap()), 0);
    }

    #[test]
    fn addresses_without_ram_read_as_ones_and_swallow_writes() {
        let mut mem = PhysMemory::new(4096).unwrap();
        let beyond = PhysAddr::new(4096).unwrap();

        mem.write(beyond, 0_u32);

        assert_eq!(mem.read::<u32>(beyond), u32::MAX);
        assert_eq!(mem.frame(beyond.frame()), None);
    }
}
