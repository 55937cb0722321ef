//! Frames whose writes somebody wants to hear of.

use crate::addr::FrameNumber;

/// A set of frames of RAM, and those of them that were written.
#[derive(Clone, Debug)]
pub(crate) struct TrackedFrames {
    /// A bit a frame.
    words: Vec<u32>,
    /// How many frames there are in RAM: no other is tracked.
    frame_count: u32,
    len: usize,
    /// Where the frames lie that were tracked since there were none: the first, and how many there
    /// are from it to the last. Every translation that may be written to is looked up here, and code is most
    /// often far from data.
    first: u32,
    span: u32,
    written: Vec<FrameNumber>,
}

impl TrackedFrames {
    pub(crate) fn new(frame_count: u32) -> Self {
        Self {
            words: vec![0; frame_count.div_ceil(u32::BITS) as usize],
            frame_count,
            len: 0,
            first: 0,
            span: 0,
            written: Vec::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn contains(&self, frame: FrameNumber) -> bool {
        frame.bits().wrapping_sub(self.first) < self.span && self.holds(frame)
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
        let word = self.words.get_mut((frame.bits() / u32::BITS) as usize);
        let Some(word) = word.filter(|_| frame.bits() < self.frame_count) else {
            return;
        };
        let bit = 1 << (frame.bits() % u32::BITS);
        *word = if tracked { *word | bit } else { *word & !bit };
        self.len = self.len + usize::from(tracked) - usize::from(old);
        self.bound(frame, tracked);
    }

    /// Brings the bounds up to date for a frame that was, or was not, added.
    fn bound(&mut self, frame: FrameNumber, added: bool) {
        if self.len == 0 {
            self.span = 0;
        } else if added && self.span == 0 {
            (self.first, self.span) = (frame.bits(), 1);
        } else if added {
            let end = (self.first + self.span).max(frame.bits() + 1);
            self.first = self.first.min(frame.bits());
            self.span = end - self.first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tracked_is_told_from_what_lies_around_it() {
        let frame = |number| FrameNumber::new(number).unwrap();
        let told = |tracked: &TrackedFrames| -> Vec<u32> {
            let all = (0..200).filter(|&number| tracked.contains(frame(number)));
            all.collect()
        };
        let mut tracked = TrackedFrames::new(100);
        assert_eq!(told(&tracked), []);

        for number in [40, 42, 7, 99, 42] {
            tracked.track(frame(number));
        }
        // Without RAM.
        tracked.track(frame(100));
        tracked.track(frame(128));
        assert_eq!(told(&tracked), [7, 40, 42, 99]);

        for number in [7, 99, 8] {
            tracked.untrack(frame(number));
        }
        assert_eq!(told(&tracked), [40, 42]);

        for number in [40, 42] {
            tracked.untrack(frame(number));
        }
        assert_eq!(told(&tracked), []);

        tracked.track(frame(3));
        assert_eq!(told(&tracked), [3]);
    }
}
