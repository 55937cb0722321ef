//! Any page, by a seeded generator.

use pagefault_mmu::FrameNumber;

use super::{Candidates, Replacement};

/// Random replacement.
#[derive(Clone, Debug)]
pub(super) struct Random {
    frames: Vec<FrameNumber>,
    /// By frame: its place in `frames`.
    places: Vec<Option<usize>>,
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // The generator never leaves a state of zero.
        Self {
            frames: Vec::new(),
            places: Vec::new(),
            state: seed.max(1),
        }
    }

    /// Returns the next number of Marsaglia's xorshift generator with shifts 13, 7 and 17.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

impl Replacement for Random {
    fn boxed(&self) -> Box<dyn Replacement> {
        Box::new(self.clone())
    }

    fn admit(&mut self, frame: FrameNumber) {
        let index = frame.bits() as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, None);
        }
        self.places[index] = Some(self.frames.len());
        self.frames.push(frame);
    }

    fn remove(&mut self, frame: FrameNumber) {
        let place = self
            .places
            .get_mut(frame.bits() as usize)
            .and_then(Option::take);
        let Some(place) = place else { return };
        self.frames.swap_remove(place);
        if let Some(moved) = self.frames.get(place) {
            self.places[moved.bits() as usize] = Some(place);
        }
    }

    fn victim(&mut self, candidates: &mut dyn Candidates) -> Option<FrameNumber> {
        let len = self.frames.len() as u64;
        if len == 0 {
            return None;
        }
        let start = usize::try_from(self.next() % len).ok()?;
        let (before, after) = self.frames.split_at(start);
        after
            .iter()
            .chain(before)
            .copied()
            .find(|&frame| candidates.may_take(frame))
    }
}
