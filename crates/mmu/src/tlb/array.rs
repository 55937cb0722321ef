//! One set-associative array of translations, with exact replacement state.

use crate::tlb::geometry::{Geometry, Index, PageSizes};
use crate::tlb::policy::Policy;

/// A key of an array: a page number and, with it, whatever tells pages of different sizes apart.
///
/// Zero is no key: it marks an invalid way.
pub(crate) type Key = u64;

/// Ways of most arrays: loops over them are unrolled.
const COMMON_WAYS: usize = 4;

/// What an invalid way holds.
const INVALID: Key = 0;

/// The ways of an array, with a payload each.
#[derive(Clone, Debug)]
pub(crate) struct Array<P> {
    geometry: Geometry,
    /// The geometry's ways and its sets less one, ready for the look-up.
    ways_per_set: usize,
    set_mask: u64,
    /// How far the page number is shifted before it is folded into itself to choose a set: out of
    /// sight where nothing is folded.
    fold_shift: u32,
    /// Whether the array holds small pages.
    holds_small: bool,
    ways: Vec<Way<P>>,
    /// A word a set: the trees and bits of the PLRU policies, or FIFO's next way.
    states: Vec<u64>,
    touch: Touch,
    random: u64,
}

#[derive(Clone, Copy, Debug)]
struct Way<P> {
    key: Key,
    /// When the way was last used, by the caller's clock: exact LRU order. 0 while it is invalid,
    /// which is before any use.
    stamp: u64,
    payload: P,
}

impl<P> Way<P> {
    #[inline(always)]
    fn invalidate(&mut self) {
        self.key = INVALID;
        self.stamp = 0;
    }
}

/// What a hit changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    Stamp,
    State,
    Nothing,
}

impl<P: Copy + Default> Array<P> {
    pub(crate) fn new(geometry: Geometry, seed: u64) -> Self {
        let empty = Way {
            key: INVALID,
            stamp: 0,
            payload: P::default(),
        };
        let touch = match geometry.policy() {
            Policy::Lru => Touch::Stamp,
            Policy::TreePlru | Policy::TreePlruPointed | Policy::BitPlru | Policy::Mru3Plru4 => {
                Touch::State
            }
            Policy::Fifo | Policy::Random => Touch::Nothing,
        };
        Self {
            geometry,
            ways_per_set: geometry.ways() as usize,
            set_mask: u64::from(geometry.sets() - 1),
            fold_shift: match geometry.index() {
                Index::LowBits => u64::BITS - 1,
                Index::XorFold => geometry.sets().trailing_zeros(),
            },
            holds_small: geometry.sizes().contains(PageSizes::SMALL),
            ways: vec![empty; geometry.entries() as usize],
            states: vec![0; geometry.sets() as usize],
            touch,
            // The generator must not stand at 0, which it would never leave.
            random: seed | 1 << 63,
        }
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Returns whether the array holds small pages.
    #[inline(always)]
    pub(crate) fn holds_small(&self) -> bool {
        self.holds_small
    }

    /// Returns the first slot of the set that holds this page number.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "masked by the number of sets"
    )]
    fn first_slot(&self, number: u64) -> usize {
        let number = number ^ (number >> self.fold_shift);
        (number & self.set_mask) as usize * self.ways_per_set
    }

    /// Returns the slot that holds `key`, whose page number selects the set.
    #[inline(always)]
    pub(crate) fn find(&self, number: u64, key: Key) -> Option<usize> {
        let first = self.first_slot(number);
        let set = self.ways.get(first..first + self.ways_per_set)?;
        let way = match <&[Way<P>; COMMON_WAYS]>::try_from(set) {
            Ok(four) => position(four, key)?,
            Err(_) => position(set, key)?,
        };
        Some(first + way)
    }

    /// Notes a use of the slot at the time `clock`.
    #[inline(always)]
    pub(crate) fn touch(&mut self, slot: usize, clock: u64) {
        match self.touch {
            Touch::Stamp => self.ways[slot].stamp = clock,
            Touch::Nothing => {}
            Touch::State => self.touch_state(slot),
        }
    }

    /// Notes a use of the slot, if that changes no more than its stamp.
    #[inline(always)]
    pub(crate) fn touch_stamp(&mut self, slot: usize, clock: u64) -> Option<()> {
        match self.touch {
            Touch::Stamp => self.ways.get_mut(slot)?.stamp = clock,
            Touch::Nothing => {}
            Touch::State => return None,
        }
        Some(())
    }

    fn touch_state(&mut self, slot: usize) {
        let ways = self.geometry.ways();
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^16 slots")]
        let (set, way) = (slot / ways as usize, slot as u32 % ways);
        self.states[set] = self.geometry.policy().touched(self.states[set], way, ways);
    }

    /// Puts a translation in, which is not there yet; returns where, and whose key it displaced.
    #[inline(always)]
    pub(crate) fn fill(
        &mut self,
        number: u64,
        key: Key,
        payload: P,
        clock: u64,
    ) -> (usize, Option<Key>) {
        let first = self.first_slot(number);
        let slot = first + self.victim(first);
        let old = self.ways[slot].key;
        self.ways[slot] = Way {
            key,
            stamp: clock,
            payload,
        };
        if self.touch == Touch::State {
            self.touch_state(slot);
        }
        (slot, (old != INVALID).then_some(old))
    }

    /// Returns the way that makes room, of the set whose first slot this is.
    #[inline(always)]
    fn victim(&mut self, first: usize) -> usize {
        let in_set = &self.ways[first..first + self.ways_per_set];
        match self.geometry.policy() {
            Policy::Lru | Policy::Fifo => match <&[Way<P>; COMMON_WAYS]>::try_from(in_set) {
                Ok(four) => oldest(four),
                Err(_) => oldest(in_set),
            },
            policy => {
                let invalid = in_set.iter().position(|way| way.key == INVALID);
                match invalid.filter(|_| policy.prefers_invalid()) {
                    Some(way) => way,
                    None => self.pointed(first, policy),
                }
            }
        }
    }

    /// Returns the way that makes room by a policy that keeps no stamps.
    fn pointed(&mut self, first: usize, policy: Policy) -> usize {
        let ways = self.geometry.ways();
        if policy == Policy::Random {
            self.random = next_random(self.random);
            return ((self.random >> 32) % u64::from(ways)) as usize;
        }
        policy.pointed(self.states[first / self.ways_per_set], ways) as usize
    }

    #[inline(always)]
    pub(crate) fn payload(&self, slot: usize) -> P {
        self.ways[slot].payload
    }

    #[inline]
    pub(crate) fn set_payload(&mut self, slot: usize, payload: P) {
        self.ways[slot].payload = payload;
    }

    /// Drops the slot's translation; the replacement state stays.
    pub(crate) fn clear(&mut self, slot: usize) {
        self.ways[slot].invalidate();
    }

    /// Drops the translations of which `drop` says so, and returns how many.
    pub(crate) fn clear_where(&mut self, mut drop: impl FnMut(Key, &P) -> bool) -> u64 {
        let mut dropped = 0;
        for way in &mut self.ways {
            if way.key != INVALID && drop(way.key, &way.payload) {
                way.invalidate();
                dropped += 1;
            }
        }
        dropped
    }

    /// Empties the array and resets its replacement state.
    pub(crate) fn reset(&mut self) {
        self.ways.iter_mut().for_each(Way::invalidate);
        self.states.fill(0);
    }

    /// Returns how many valid ways of the slot's set have a later stamp, where stamps are kept.
    pub(crate) fn age(&self, slot: usize) -> Option<u32> {
        if !matches!(self.geometry.policy(), Policy::Lru | Policy::Fifo) {
            return None;
        }
        let ways = self.geometry.ways() as usize;
        let first = slot / ways * ways;
        let stamp = self.ways[slot].stamp;
        let later = |way: &&Way<P>| way.key != INVALID && way.stamp > stamp;
        let count = self.ways[first..first + ways].iter().filter(later).count();
        u32::try_from(count).ok()
    }

    /// Returns the keys and payloads that are valid, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Key, P)> + '_ {
        let valid = |(slot, way): (usize, &Way<P>)| {
            (way.key != INVALID).then_some((slot, way.key, way.payload))
        };
        self.ways.iter().enumerate().filter_map(valid)
    }
}

/// Returns the way that holds the key.
#[inline(always)]
fn position<P>(set: &[Way<P>], key: Key) -> Option<usize> {
    set.iter().position(|way| way.key == key)
}

/// Returns the way with the smallest stamp: the lowest invalid one, if there is one. Under FIFO only
/// fills set stamps.
#[inline(always)]
fn oldest<P>(set: &[Way<P>]) -> usize {
    let mut oldest = 0;
    let mut least = u64::MAX;
    for (way, candidate) in set.iter().enumerate() {
        if candidate.stamp < least {
            (oldest, least) = (way, candidate.stamp);
        }
    }
    oldest
}

/// Marsaglia's xorshift64 with the shifts 13, 7, 17.
fn next_random(mut x: u64) -> u64 {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlb::geometry::Index;

    /// Runs a stream of page numbers through an array and returns the misses.
    fn misses(geometry: Geometry, pages: impl Iterator<Item = u64>) -> u64 {
        let mut array = Array::<()>::new(geometry, 1);
        let mut misses = 0;
        for (clock, page) in pages.enumerate() {
            let (key, clock) = (page << 1 | 1, clock as u64 + 1);
            if let Some(slot) = array.find(page, key) {
                array.touch(slot, clock);
            } else {
                misses += 1;
                array.fill(page, key, (), clock);
            }
        }
        misses
    }

    fn uniform(pages: u64) -> impl Iterator<Item = u64> {
        let mut x = 88_172_645_463_325_252;
        std::iter::repeat_with(move || {
            x = next_random(x);
            (x >> 20) % pages
        })
        .take(200_000)
    }

    #[test]
    fn misses_equal_those_on_which_independent_simulators_agree() {
        let geometry = |entries, ways, policy| Geometry::new(entries, ways, policy).unwrap();
        let skylake = geometry(1536, 12, Policy::Mru3Plru4).indexed(Index::XorFold);

        assert_eq!(misses(geometry(64, 4, Policy::Lru), uniform(256)), 150_413);
        assert_eq!(misses(geometry(64, 4, Policy::Fifo), uniform(256)), 150_404);
        assert_eq!(
            misses(geometry(64, 4, Policy::TreePlru), uniform(256)),
            150_408
        );
        assert_eq!(
            misses(geometry(64, 64, Policy::TreePlru), uniform(256)),
            150_280
        );
        assert_eq!(
            misses(geometry(64, 64, Policy::TreePlruPointed), uniform(256)),
            150_284
        );
        assert_eq!(misses(skylake, uniform(4096)), 125_142);
        assert_eq!(misses(skylake, (0..200_000).map(|i| i % 2048)), 200_000);
    }

    #[test]
    fn random_replacement_is_the_same_on_every_run() {
        let geometry = Geometry::new(64, 4, Policy::Random).unwrap();

        assert_eq!(
            misses(geometry, uniform(256)),
            misses(geometry, uniform(256))
        );
    }
}
