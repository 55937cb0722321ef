//! Policies that keep the frames in the order in which they were filled.

use std::collections::VecDeque;

use pagefault_mmu::FrameNumber;

use super::{Candidates, Replacement};

/// Frames in order. One that is removed stays in the queue until it comes to the front, where its
/// stamp tells that it is stale; so each operation takes constant time.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    order: VecDeque<(FrameNumber, u32)>,
    /// By frame: the stamp of its valid entry, 0 if there is none.
    stamps: Vec<u32>,
    last_stamp: u32,
    len: usize,
}

impl Queue {
    pub(super) fn push(&mut self, frame: FrameNumber) {
        let index = frame.bits() as usize;
        if index >= self.stamps.len() {
            self.stamps.resize(index + 1, 0);
        }
        debug_assert_eq!(self.stamps[index], 0, "{frame:?} is queued twice");
        // A stamp comes again after 2^32 pages; by then its stale entry has left the queue.
        self.last_stamp = self.last_stamp.wrapping_add(1).max(1);
        self.stamps[index] = self.last_stamp;
        self.order.push_back((frame, self.last_stamp));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, frame: FrameNumber) {
        if let Some(stamp) = self.stamps.get_mut(frame.bits() as usize)
            && *stamp != 0
        {
            *stamp = 0;
            self.len -= 1;
        }
    }

    /// Returns how many frames are queued.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the front, which stays there.
    pub(super) fn front(&mut self) -> Option<FrameNumber> {
        while let Some(&(frame, stamp)) = self.order.front() {
            if self.stamps[frame.bits() as usize] == stamp {
                return Some(frame);
            }
            self.order.pop_front();
        }
        None
    }

    /// Moves the front to the back.
    pub(super) fn rotate(&mut self) {
        if self.front().is_some() {
            self.order.rotate_left(1);
        }
    }

    /// Returns the frames in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = FrameNumber> {
        let is_valid =
            |&&(frame, stamp): &&(FrameNumber, u32)| self.stamps[frame.bits() as usize] == stamp;
        self.order.iter().filter(is_valid).map(|&(frame, _)| frame)
    }
}

/// First in, first out.
#[derive(Clone, Debug, Default)]
pub(super) struct Fifo(Queue);

impl Replacement for Fifo {
    fn boxed(&self) -> Box<dyn Replacement> {
        Box::new(self.clone())
    }

    fn admit(&mut self, frame: FrameNumber) {
        self.0.push(frame);
    }

    fn remove(&mut self, frame: FrameNumber) {
        self.0.remove(frame);
    }

    fn victim(&mut self, candidates: &mut dyn Candidates) -> Option<FrameNumber> {
        // A frame that may not be taken keeps its age: it is looked past, not moved.
        self.0.front()?;
        self.0.iter().find(|&frame| candidates.may_take(frame))
    }
}

/// Second chance.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Queue);

impl Replacement for Clock {
    fn boxed(&self) -> Box<dyn Replacement> {
        Box::new(self.clone())
    }

    fn admit(&mut self, frame: FrameNumber) {
        self.0.push(frame);
    }

    fn remove(&mut self, frame: FrameNumber) {
        self.0.remove(frame);
    }

    fn victim(&mut self, candidates: &mut dyn Candidates) -> Option<FrameNumber> {
        // Once around clears every flag; the second round finds what there is.
        for _ in 0..2 * self.0.len() {
            let frame = self.0.front()?;
            if candidates.may_take(frame) && !candidates.take_referenced(frame) {
                return Some(frame);
            }
            self.0.rotate();
        }
        None
    }
}
