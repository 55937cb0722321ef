//! Frames whose writes somebody wants to hear of.

use crate::addr::FrameNumber;

/// A set of frames of RAM, and those of them that were written.
#[derive(Clone, Debug)]
pub(crate) struct TrackedFrames {
    /// A bit a frame. Every translation that may be written to is looked up here: plain words take
    /// a third of the instructions of a bit vector.
    words: Vec<u32>,
    /// How many there are: most often none, which is quick to tell.
    len: usize,
    written: Vec<FrameNumber>,
}

impl TrackedFrames {
    pub(crate) fn new(frame_count: u32) -> Self {
        Self {
            words: vec![0; frame_count.div_ceil(u32::BITS) as usize],
            len: 0,
            written: Vec::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn contains(&self, frame: FrameNumber) -> bool {
        self.len != 0 && self.holds(frame)
    }

    #[inline]
    fn holds(&self, frame: FrameNumber) -> bool {
        let word = self.words.get((frame.bits() / u32::BITS) as usize);
        word.is_some_and(|word| word >> (frame.bits() % u32::BITS) & 1 == 1)
    }

    pub(crate) fn track(&mut self, frame: FrameNumber) {
        self.set(frame, true);
    }

    pub(crate) fn untrack(&mut self, frame: FrameNumber) {
        self.set(frame, false);
    }

    /// Notes a write and returns whether the frame is tracked.
    #[inline]
    pub(crate) fn note(&mut self, frame: FrameNumber) -> bool {
        let is_tracked = self.contains(frame);
        if is_tracked && self.written.last() != Some(&frame) {
            self.written.push(frame);
        }
        is_tracked
    }

    #[inline]
    pub(crate) fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    pub(crate) fn take_written(&mut self) -> Vec<FrameNumber> {
        std::mem::take(&mut self.written)
    }

    fn set(&mut self, frame: FrameNumber, tracked: bool) {
        let old = self.contains(frame);
        if let Some(word) = self.words.get_mut((frame.bits() / u32::BITS) as usize) {
            let bit = 1 << (frame.bits() % u32::BITS);
            *word = if tracked { *word | bit } else { *word & !bit };
            self.len = self.len + usize::from(tracked) - usize::from(old);
        }
    }
}
