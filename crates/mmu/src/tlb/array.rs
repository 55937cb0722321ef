//! One set-associative array of translations, with exact replacement state.

use crate::tlb::geometry::{Geometry, Index};
use crate::tlb::policy::Policy;

/// A key of an array: a page number and, with it, whatever tells pages of different sizes apart.
///
/// Zero is no key: it marks an invalid way.
pub(crate) type Key = u32;

/// Ways that are looked at together.
const QUAD: usize = 4;

/// What an invalid way holds.
const INVALID: Key = 0;

/// The stamp of a way that fills a quad and is none of the array's: it never makes room.
const PADDING: u64 = u64::MAX;

/// The ways of all arrays: what a look-up compares, what a hit stamps and what it answers lie each
/// in a row of their own. A set begins on a quad.
#[derive(Clone, Debug)]
pub(crate) struct Ways<P> {
    keys: Vec<[Key; QUAD]>,
    /// When a way was last used, by the caller's clock: exact LRU order. 0 while it is invalid,
    /// which is before any use. Policies that keep no stamps let hits write here all the same.
    stamps: Vec<[u64; QUAD]>,
    payloads: Vec<[P; QUAD]>,
}

impl<P> Ways<P> {
    /// Returns how many slots an array of so many entries takes at most.
    pub(crate) const fn most_slots(entries: u32) -> u64 {
        entries as u64 * QUAD as u64
    }
}

impl<P: Copy + Default> Ways<P> {
    pub(crate) fn new() -> Self {
        Self {
            keys: Vec::new(),
            stamps: Vec::new(),
            payloads: Vec::new(),
        }
    }

    /// Returns an array whose ways follow those that there are.
    pub(crate) fn array(&mut self, geometry: Geometry, seed: u64) -> Array {
        let sets = Sets::new(geometry, self.keys.len());
        let len = self.keys.len() + geometry.sets() as usize * sets.quads as usize;
        self.keys.resize(len, [INVALID; QUAD]);
        self.stamps.resize(len, [PADDING; QUAD]);
        self.payloads.resize(len, [P::default(); QUAD]);
        let mut array = Array::new(geometry, sets, seed);
        array.reset(self);
        array
    }

    /// Returns the slot in the set of the page number that holds the key.
    #[inline(always)]
    pub(crate) fn find(&self, sets: Sets, number: u32, key: Key) -> Option<usize> {
        let first = sets.first_quad(number);
        if sets.quads == 1 {
            let way = position(self.keys.get(first)?, key)?;
            return Some(first * QUAD + way);
        }
        self.find_in_quads(first, sets.quads, key)
    }

    #[inline(never)]
    fn find_in_quads(&self, first: usize, quads: u32, key: Key) -> Option<usize> {
        let set = self.keys.get(first..first + quads as usize)?;
        let way = set.as_flattened().iter().position(|&held| held == key)?;
        Some(first * QUAD + way)
    }

    /// As [`Self::find`], in a set of one quad.
    #[inline(always)]
    pub(crate) fn find_in(&self, set: Quad, key: Key) -> Option<usize> {
        let way = position(self.keys.get(set.0)?, key)?;
        Some(set.0 * QUAD + way)
    }

    /// Puts a translation in the way of the quad that was not used for the longest time, and
    /// returns the slot, and the key that was displaced. The quad must be a set in which stamps
    /// decide.
    #[inline(always)]
    pub(crate) fn replace_oldest(
        &mut self,
        set: Quad,
        key: Key,
        payload: P,
        clock: u64,
    ) -> Option<(usize, Option<Key>)> {
        let keys = self.keys.get_mut(set.0)?;
        let stamps = self.stamps.get_mut(set.0)?;
        let payloads = self.payloads.get_mut(set.0)?;
        let way = oldest_of_quad(stamps);
        let old = std::mem::replace(&mut keys[way], key);
        stamps[way] = clock;
        payloads[way] = payload;
        Some((set.0 * QUAD + way, (old != INVALID).then_some(old)))
    }

    #[inline(always)]
    pub(crate) fn payload(&self, slot: usize) -> P {
        self.payloads
            .as_flattened()
            .get(slot)
            .copied()
            .unwrap_or_default()
    }

    #[inline]
    pub(crate) fn set_payload(&mut self, slot: usize, payload: P) {
        self.payloads.as_flattened_mut()[slot] = payload;
    }

    /// Returns where the time of the slot's last use is kept, or `None` past the last slot.
    #[inline(always)]
    pub(crate) fn stamp_mut(&mut self, slot: usize) -> Option<&mut u64> {
        self.stamps.as_flattened_mut().get_mut(slot)
    }

    /// Drops what the slot holds; the replacement state of its set stays.
    #[inline(always)]
    pub(crate) fn clear(&mut self, slot: usize) {
        let (quad, way) = (slot / QUAD, slot % QUAD);
        if let (Some(keys), Some(stamps)) = (self.keys.get_mut(quad), self.stamps.get_mut(quad)) {
            keys[way] = INVALID;
            stamps[way] = 0;
        }
    }
}

/// A set of no more ways than are looked at together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quad(usize);

/// How a page number selects a set, as a run of quads among those of all arrays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sets {
    base: u32,
    quads: u32,
    mask: u32,
    /// How far the page number is shifted before it is folded into itself: out of sight where
    /// nothing is folded.
    fold_shift: u32,
    touch: Touch,
    room: Room,
}

/// How a set makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// The smallest stamp of its only quad tells.
    OldestOfQuad,
    /// The earliest time of entry tells.
    FirstIn,
    /// The array decides.
    ByPolicy,
}

impl Sets {
    /// No sets: nothing is found there.
    pub(crate) const NONE: Self = Self {
        base: 0,
        quads: 0,
        mask: 0,
        fold_shift: 0,
        touch: Touch::Stamp,
        room: Room::ByPolicy,
    };

    #[expect(clippy::cast_possible_truncation, reason = "at most 2^16 entries")]
    fn new(geometry: Geometry, base: usize) -> Self {
        let quads = geometry.ways().div_ceil(QUAD as u32);
        Self {
            base: base as u32,
            quads,
            room: match geometry.policy() {
                Policy::Lru if quads == 1 => Room::OldestOfQuad,
                Policy::Fifo => Room::FirstIn,
                _ => Room::ByPolicy,
            },
            mask: geometry.sets() - 1,
            fold_shift: match geometry.index() {
                Index::LowBits => u32::BITS - 1,
                Index::XorFold => geometry.sets().trailing_zeros(),
            },
            touch: match geometry.policy() {
                Policy::Lru | Policy::Fifo | Policy::Random => Touch::Stamp,
                Policy::TreePlru
                | Policy::TreePlruPointed
                | Policy::BitPlru
                | Policy::Mru3Plru4 => Touch::State,
            },
        }
    }

    /// Returns whether the array notes when its ways were filled, besides their stamps.
    #[inline(always)]
    pub(crate) fn keep_entry_times(self) -> bool {
        self.room == Room::FirstIn
    }

    /// Returns whether there are any.
    #[inline(always)]
    pub(crate) fn exist(self) -> bool {
        self.quads != 0
    }

    #[inline(always)]
    fn first_quad(self, number: u32) -> usize {
        let number = number ^ (number >> self.fold_shift);
        (self.base + (number & self.mask) * self.quads) as usize
    }

    /// Returns whether each is one quad.
    pub(crate) fn are_quads(self) -> bool {
        self.quads == 1
    }

    /// Returns the set of the page number, where each is one quad.
    #[inline(always)]
    pub(crate) fn quad(self, number: u32) -> Quad {
        let number = number ^ (number >> self.fold_shift);
        Quad((self.base + (number & self.mask)) as usize)
    }

    /// Returns what a hit changes.
    #[inline(always)]
    pub(crate) fn touch(self) -> Touch {
        self.touch
    }

    /// Returns whether [`Ways::replace_oldest`] is all that a fill takes.
    #[inline(always)]
    pub(crate) fn replaces_oldest(self) -> bool {
        self.room == Room::OldestOfQuad
    }
}

/// What a hit changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// A stamp, or nothing that the policy would see.
    Stamp,
    /// The state of the set.
    State,
}

/// What a use of a way does to the state of its set.
#[derive(Clone, Copy, Debug)]
struct Mark {
    kept: u64,
    set: u64,
}

impl Mark {
    /// Returns what a use of each way does under a policy with trees: it turns some bits one way or
    /// the other, whatever they were.
    fn of(policy: Policy, ways: u32) -> Vec<Self> {
        let mark = |way| {
            let set = policy.touched(0, way, ways);
            let kept = policy.touched(u64::MAX, way, ways) & !set;
            Self { kept, set }
        };
        match policy {
            Policy::TreePlru | Policy::TreePlruPointed | Policy::Mru3Plru4 => {
                (0..ways).map(mark).collect()
            }
            Policy::Lru | Policy::Fifo | Policy::Random | Policy::BitPlru => Vec::new(),
        }
    }
}

/// An array: a run of sets, and by what rules they are used.
///
/// Slots are counted over the ways of all arrays, with those that fill up quads.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    geometry: Geometry,
    sets: Sets,
    /// A word a set: the trees and bits of the PLRU policies.
    states: Vec<u64>,
    /// What a use of each way does to the state, where that does not depend on the state.
    marks: Vec<Mark>,
    /// FIFO's time of entry, by slot from the first one; hits do not touch it.
    entered: Vec<u64>,
    random: u64,
}

impl Array {
    fn new(geometry: Geometry, sets: Sets, seed: u64) -> Self {
        let slots = geometry.sets() as usize * sets.quads as usize * QUAD;
        let entered = match geometry.policy() {
            Policy::Fifo => vec![0; slots],
            _ => Vec::new(),
        };
        Self {
            geometry,
            sets,
            states: vec![0; geometry.sets() as usize],
            marks: Mark::of(geometry.policy(), geometry.ways()),
            entered,
            // The generator must not stand at 0, which it would never leave.
            random: seed | 1 << 63,
        }
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Returns how a page number selects a set.
    #[inline(always)]
    pub(crate) fn sets(&self) -> Sets {
        self.sets
    }

    /// Returns the first slot.
    pub(crate) fn base(&self) -> usize {
        self.sets.base as usize * QUAD
    }

    /// Returns the set and the way of a slot.
    #[expect(clippy::cast_possible_truncation, reason = "at most 2^16 entries")]
    pub(crate) fn set_and_way(&self, slot: usize) -> (u32, u32) {
        let in_array = (slot - self.base()) as u32;
        let in_set = self.sets.quads * QUAD as u32;
        (in_array / in_set, in_array % in_set)
    }

    /// Returns the slots, set by set, without those that fill up quads.
    fn slots(&self) -> impl Iterator<Item = usize> + use<> {
        let (base, sets) = (self.base(), self.geometry.sets() as usize);
        let (in_set, ways) = (
            self.sets.quads as usize * QUAD,
            self.geometry.ways() as usize,
        );
        (0..sets).flat_map(move |set| {
            let first = base + set * in_set;
            first..first + ways
        })
    }

    /// Notes a use of the slot in the state of its set.
    pub(crate) fn touch_state(&mut self, slot: usize) {
        let (set, way) = self.set_and_way(slot);
        let state = &mut self.states[set as usize];
        *state = if let Some(mark) = self.marks.get(way as usize) {
            *state & mark.kept | mark.set
        } else {
            let ways = self.geometry.ways();
            self.geometry.policy().touched(*state, way, ways)
        };
    }

    /// Puts a translation in, which is not there yet; returns where, and whose key it displaced.
    pub(crate) fn fill<P: Copy + Default>(
        &mut self,
        ways: &mut Ways<P>,
        number: u32,
        key: Key,
        payload: P,
        clock: u64,
    ) -> (usize, Option<Key>) {
        let slot = self.make_room(ways, self.sets.first_quad(number), clock);
        let (quad, way) = (slot / QUAD, slot % QUAD);
        let old = std::mem::replace(&mut ways.keys[quad][way], key);
        ways.stamps[quad][way] = clock;
        ways.payloads[quad][way] = payload;
        (slot, (old != INVALID).then_some(old))
    }

    /// Returns the slot that makes room by any policy, in the set that begins at this quad, and
    /// notes that it is used.
    fn make_room<P>(&mut self, ways: &Ways<P>, quad: usize, clock: u64) -> usize {
        let first = quad * QUAD;
        let policy = self.geometry.policy();
        let in_set = first..first + self.geometry.ways() as usize;
        let way = match policy {
            Policy::Lru => oldest(&ways.stamps.as_flattened()[in_set]),
            Policy::Fifo => {
                let base = self.base();
                oldest(&self.entered[in_set.start - base..in_set.end - base])
            }
            _ => {
                let keys = &ways.keys.as_flattened()[in_set];
                let invalid = keys.iter().position(|&key| key == INVALID);
                match invalid.filter(|_| policy.prefers_invalid()) {
                    Some(way) => way,
                    None => self.pointed(first, policy),
                }
            }
        };
        let slot = first + way;
        match self.sets.touch {
            Touch::State => self.touch_state(slot),
            Touch::Stamp => {
                let in_array = slot - self.base();
                if let Some(entered) = self.entered.get_mut(in_array) {
                    *entered = clock;
                }
            }
        }
        slot
    }

    /// Returns the way that makes room by a policy that keeps no stamps.
    fn pointed(&mut self, first: usize, policy: Policy) -> usize {
        let ways = self.geometry.ways();
        if policy == Policy::Random {
            self.random = next_random(self.random);
            return ((self.random >> 32) % u64::from(ways)) as usize;
        }
        let (set, _) = self.set_and_way(first);
        policy.pointed(self.states[set as usize], ways) as usize
    }

    /// Notes that the slot was cleared, where the policy remembers more than stamps of it.
    pub(crate) fn forget(&mut self, slot: usize) {
        let in_array = slot - self.base();
        if let Some(entered) = self.entered.get_mut(in_array) {
            *entered = 0;
        }
    }

    /// Drops the translations of which `drop` says so.
    pub(crate) fn clear_where<P: Copy + Default>(
        &mut self,
        ways: &mut Ways<P>,
        mut drop: impl FnMut(Key, &P) -> bool,
    ) {
        for slot in self.slots() {
            let (quad, way) = (slot / QUAD, slot % QUAD);
            let key = ways.keys[quad][way];
            if key != INVALID && drop(key, &ways.payloads[quad][way]) {
                ways.clear(slot);
                self.forget(slot);
            }
        }
    }

    /// Empties the array and resets its replacement state.
    pub(crate) fn reset<P: Copy + Default>(&mut self, ways: &mut Ways<P>) {
        self.slots().for_each(|slot| ways.clear(slot));
        self.entered.fill(0);
        self.states.fill(0);
    }

    /// Returns how many ways of the slot's set were used (FIFO: filled) later, where that is known.
    pub(crate) fn age<P>(&self, ways: &Ways<P>, slot: usize) -> Option<u32> {
        let (base, (_, way)) = (self.base(), self.set_and_way(slot));
        let time = |slot: usize| match self.geometry.policy() {
            Policy::Lru => Some(ways.stamps.as_flattened()[slot]),
            Policy::Fifo => Some(self.entered[slot - base]),
            _ => None,
        };
        let own = time(slot)?;
        // An invalid way has the earliest time of all.
        let first = slot - way as usize;
        let mut others = first..first + self.geometry.ways() as usize;
        let later = |count, other| Some(count + u32::from(time(other)? > own));
        others.try_fold(0, later)
    }

    /// Returns the keys and payloads that are valid, by slot.
    pub(crate) fn iter<'a, P: Copy>(
        &self,
        ways: &'a Ways<P>,
    ) -> impl Iterator<Item = (usize, Key, P)> + 'a {
        self.slots().filter_map(|slot| {
            let (quad, way) = (slot / QUAD, slot % QUAD);
            let key = ways.keys[quad][way];
            (key != INVALID).then_some((slot, key, ways.payloads[quad][way]))
        })
    }
}

/// Returns which of the ways holds the key.
#[inline(always)]
fn position(ways: &[Key; QUAD], key: Key) -> Option<usize> {
    // All are compared at once: a loop that stops at the first takes a branch for each.
    let found = ways.map(|held| held == key);
    found.contains(&true).then(|| {
        let [first, second, third, _] = found;
        match (first, second, third) {
            (true, ..) => 0,
            (_, true, _) => 1,
            (.., true) => 2,
            _ => 3,
        }
    })
}

/// As [`oldest`], by pairs.
#[inline(always)]
fn oldest_of_quad(&[first, second, third, fourth]: &[u64; QUAD]) -> usize {
    let (low, low_stamp) = (usize::from(second < first), first.min(second));
    let (high, high_stamp) = (2 + usize::from(fourth < third), third.min(fourth));
    if high_stamp < low_stamp { high } else { low }
}

/// Returns the way with the smallest stamp: the lowest invalid one, if there is one.
#[inline(always)]
fn oldest(stamps: &[u64]) -> usize {
    let mut oldest = 0;
    let mut least = u64::MAX;
    for (way, &stamp) in stamps.iter().enumerate() {
        if stamp < least {
            (oldest, least) = (way, stamp);
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
    fn misses(geometry: Geometry, pages: impl Iterator<Item = u32>) -> u64 {
        let mut ways = Ways::<()>::new();
        let mut array = ways.array(geometry, 1);
        let mut misses = 0;
        for (clock, page) in pages.enumerate() {
            let (key, clock) = (page << 1 | 1, clock as u64 + 1);
            match (ways.find(array.sets(), page, key), array.sets().touch()) {
                (Some(slot), Touch::Stamp) => *ways.stamp_mut(slot).unwrap() = clock,
                (Some(slot), Touch::State) => array.touch_state(slot),
                (None, _) => {
                    misses += 1;
                    array.fill(&mut ways, page, key, (), clock);
                }
            }
        }
        misses
    }

    fn uniform(pages: u32) -> impl Iterator<Item = u32> {
        let mut x = 88_172_645_463_325_252;
        std::iter::repeat_with(move || {
            x = next_random(x);
            u32::try_from((x >> 20) % u64::from(pages)).unwrap()
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
