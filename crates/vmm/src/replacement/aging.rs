//! Least recently used, approximated by a byte of history.

use std::collections::BTreeMap;

use pagefault_mmu::FrameNumber;

use super::queue::Queue;
use super::{Candidates, Replacement};

/// The age of a page that was used in the last interval and never before.
const JUST_USED: u8 = 0x80;
/// A sweep is due when this fraction of the frames has been taken since the last one.
const SWEEP_FRACTION: usize = 8;

/// Aging: at each sweep every age is shifted right by one and the accessed flag comes in at the
/// top; the lowest age goes first, and the longest resident among equals.
///
/// A sweep costs time in proportion to the frames, and comes once for an eighth of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Aging {
    frames: Queue,
    ages: BTreeMap<FrameNumber, u8>,
    /// What the last sweep put up for taking, the best victim last.
    ranked: Vec<FrameNumber>,
    taken_since_sweep: usize,
}

impl Aging {
    fn sweep(&mut self, candidates: &mut dyn Candidates) {
        let mut ranked = Vec::with_capacity(self.frames.len());
        for frame in self.frames.iter() {
            let used = if candidates.take_referenced(frame) {
                JUST_USED
            } else {
                0
            };
            let age = self.ages.entry(frame).or_default();
            *age = *age >> 1 | used;
            ranked.push((*age, frame));
        }
        // The sort is stable: among equal ages the order of filling holds.
        ranked.sort_by_key(|&(age, _)| age);
        self.ranked = ranked.into_iter().rev().map(|(_, frame)| frame).collect();
        self.taken_since_sweep = 0;
    }

    fn best(&mut self, candidates: &dyn Candidates) -> Option<FrameNumber> {
        while let Some(frame) = self.ranked.pop() {
            if self.ages.contains_key(&frame) && candidates.may_take(frame) {
                return Some(frame);
            }
        }
        None
    }
}

impl Replacement for Aging {
    fn boxed(&self) -> Box<dyn Replacement> {
        Box::new(self.clone())
    }

    fn admit(&mut self, frame: FrameNumber) {
        self.frames.push(frame);
        self.ages.insert(frame, JUST_USED);
    }

    fn remove(&mut self, frame: FrameNumber) {
        self.frames.remove(frame);
        self.ages.remove(&frame);
    }

    fn victim(&mut self, candidates: &mut dyn Candidates) -> Option<FrameNumber> {
        let interval = (self.frames.len() / SWEEP_FRACTION).max(1);
        if self.taken_since_sweep < interval
            && let Some(frame) = self.best(candidates)
        {
            self.taken_since_sweep += 1;
            return Some(frame);
        }
        self.frames.front()?;
        self.sweep(candidates);
        self.taken_since_sweep = 1;
        self.best(candidates)
    }
}
