//! The working-set clock.

use std::collections::BTreeMap;

use pagefault_mmu::FrameNumber;

use super::queue::Queue;
use super::{Candidates, Replacement};

/// Clock with times: a page is out of the working set once as many victims have been asked for as
/// there are frames, and it was not used meanwhile. Of those, a clean one goes first.
///
/// Time is counted in requests for a victim, so that a run is repeatable.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkingSetClock {
    frames: Queue,
    last_use: BTreeMap<FrameNumber, u64>,
    now: u64,
}

/// How far the hand looks for the best victim before it takes the best that it has met.
const SCAN_FRAMES: usize = 16;

/// What the hand has met on its way, to fall back on.
#[derive(Debug, Default)]
struct Fallback {
    old_modified: Option<FrameNumber>,
    clean: Option<FrameNumber>,
    any: Option<FrameNumber>,
    used: Option<FrameNumber>,
}

impl Fallback {
    /// Returns whether there is a page that was not used since the hand last passed it.
    fn is_some(&self) -> bool {
        self.old_modified.or(self.clean).or(self.any).is_some()
    }

    fn best(&self) -> Option<FrameNumber> {
        self.old_modified.or(self.clean).or(self.any).or(self.used)
    }
}

impl Replacement for WorkingSetClock {
    fn boxed(&self) -> Box<dyn Replacement> {
        Box::new(self.clone())
    }

    fn admit(&mut self, frame: FrameNumber) {
        self.frames.push(frame);
        self.last_use.insert(frame, self.now);
    }

    fn remove(&mut self, frame: FrameNumber) {
        self.frames.remove(frame);
        self.last_use.remove(&frame);
    }

    fn victim(&mut self, candidates: &mut dyn Candidates) -> Option<FrameNumber> {
        self.now += 1;
        let window = self.frames.len() as u64;
        let mut fallback = Fallback::default();
        for step in 0..2 * self.frames.len() {
            if step >= SCAN_FRAMES && fallback.is_some() {
                break;
            }
            let frame = self.frames.front()?;
            self.frames.rotate();
            if !candidates.may_take(frame) {
                continue;
            }
            if candidates.take_referenced(frame) {
                self.last_use.insert(frame, self.now);
                fallback.used.get_or_insert(frame);
                continue;
            }
            let used = self.last_use.get(&frame).copied().unwrap_or_default();
            let is_old = self.now.saturating_sub(used) > window;
            let is_modified = candidates.is_modified(frame);
            match (is_old, is_modified) {
                (true, false) => return Some(frame),
                (true, true) => fallback.old_modified.get_or_insert(frame),
                (false, false) => fallback.clean.get_or_insert(frame),
                (false, true) => fallback.any.get_or_insert(frame),
            };
        }
        fallback.best()
    }
}
