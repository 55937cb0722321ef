//! Which frames of RAM are free.

use bitvec::order::Lsb0;
use bitvec::vec::BitVec;

use crate::addr::FrameNumber;

/// Hands out frames of RAM, lowest free number first from where it last stopped.
///
/// One bit a frame; a search looks at whole 32-bit words, which every host has, and the count of
/// free frames is kept.
#[derive(Clone, Debug)]
pub struct FrameAllocator {
    /// A set bit is a free frame.
    free: BitVec<u32, Lsb0>,
    free_count: u32,
    /// Every word of the bitmap below this one is known to hold no free frame.
    first_word: usize,
}

impl FrameAllocator {
    /// Returns an allocator over frames 0 to `frame_count` - 1, all free.
    pub fn new(frame_count: u32) -> Self {
        let free = BitVec::repeat(true, frame_count as usize);
        Self {
            free,
            free_count: frame_count,
            first_word: 0,
        }
    }

    /// Returns a frame that is now the caller's, or `None` when no frame is free.
    ///
    /// Its contents are whatever was there.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bitmap has at most 2^28 bits"
    )]
    pub fn allocate(&mut self) -> Option<FrameNumber> {
        let words = self.free.as_raw_slice();
        let word = (self.first_word..words.len()).find(|&word| words[word] != 0)?;
        let index = word * u32::BITS as usize + words[word].trailing_zeros() as usize;
        self.first_word = word;
        self.take(index as u32)
    }

    /// Takes this very frame; `None` if it is taken already or does not exist.
    pub fn reserve(&mut self, frame: FrameNumber) -> Option<FrameNumber> {
        self.take(frame.bits())
    }

    /// Gives a frame back.
    ///
    /// # Panics
    ///
    /// If the frame was not allocated: its owner has lost track, and going on would hand one frame
    /// to two owners.
    pub fn free(&mut self, frame: FrameNumber) {
        let index = frame.bits() as usize;
        assert!(
            self.free.get(index).is_some_and(|free| !*free),
            "{frame:?} is not allocated"
        );
        self.free.set(index, true);
        self.free_count += 1;
        self.first_word = self.first_word.min(index / u32::BITS as usize);
    }

    /// Returns how many frames are free.
    pub fn free_count(&self) -> u32 {
        self.free_count
    }

    /// Returns how many frames there are, free and allocated.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bitmap has at most 2^28 bits"
    )]
    pub fn frame_count(&self) -> u32 {
        self.free.len() as u32
    }

    /// Returns whether the frame exists and is allocated.
    pub fn is_allocated(&self, frame: FrameNumber) -> bool {
        self.free
            .get(frame.bits() as usize)
            .is_some_and(|free| !*free)
    }

    fn take(&mut self, index: u32) -> Option<FrameNumber> {
        if !*self.free.get(index as usize)? {
            return None;
        }
        self.free.set(index as usize, false);
        self.free_count -= 1;
        FrameNumber::new(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_handed_out_once_and_the_count_is_exact() {
        let mut frames = FrameAllocator::new(130);
        let taken: Vec<_> = std::iter::from_fn(|| frames.allocate()).collect();

        let numbers: Vec<_> = taken.iter().map(|frame| frame.bits()).collect();
        assert_eq!(numbers, (0..130).collect::<Vec<_>>());
        assert_eq!(frames.free_count(), 0);

        frames.free(taken[70]);
        frames.free(taken[3]);
        assert_eq!(frames.free_count(), 2);
        assert_eq!(frames.allocate(), Some(taken[3]));
        assert_eq!(frames.allocate(), Some(taken[70]));
        assert_eq!(frames.allocate(), None);
    }

    #[test]
    fn a_reserved_frame_is_not_handed_out() {
        let mut frames = FrameAllocator::new(2);
        let first = FrameNumber::new(0).unwrap();

        assert_eq!(frames.reserve(first), Some(first));
        assert_eq!(frames.reserve(first), None);
        assert_eq!(frames.reserve(FrameNumber::new(2).unwrap()), None);

        assert_eq!(frames.allocate(), FrameNumber::new(1));
        assert!(frames.is_allocated(first));
    }
}
