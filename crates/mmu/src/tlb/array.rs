//! One set-associative array of translations, with exact replacement state.

use crate::packed::Packed;
use crate::tlb::clock::Clock;
use crate::tlb::geometry::{Geometry, Index};
use crate::tlb::policy::Policy;
use crate::tlb::ways::{Key, QUAD, Quad, ROW, Ways, slot_of, way_at};

/// Shifts every page number out of sight.
const NO_FOLD: u32 = u32::BITS - 1;

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
                Index::LowBits => NO_FOLD,
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

    /// Returns whether each is one quad, which the low bits of a page number select.
    pub(crate) fn are_plain_quads(self) -> bool {
        self.quads == 1 && self.fold_shift == NO_FOLD
    }

    /// Returns the set of the page number, where sets are plain quads.
    #[inline(always)]
    pub(crate) fn quad(self, number: u32) -> Quad {
        Quad((self.base + (number & self.mask)) as usize)
    }

    /// Returns the slot in the set of the page number that holds the key.
    #[inline(always)]
    pub(crate) fn find(self, ways: &Ways, number: u32, key: Key) -> Option<usize> {
        let first = self.first_quad(number);
        if self.quads == 1 {
            return ways.find_in(Quad(first), key);
        }
        ways.find_in_quads(first, self.quads, key)
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

/// What a hit changes, as a [`Place`](super::Place) has it beside the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Touch {
    /// A stamp, or nothing that the policy would see.
    Stamp = 0,
    /// The state of the set.
    State = 1 << 31,
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
    /// Returns an array whose ways follow those that there are.
    pub(crate) fn new(ways: &mut Ways, geometry: Geometry, seed: u64) -> Self {
        let sets = Sets::new(geometry, ways.quads());
        let quads = geometry.sets() as usize * sets.quads as usize;
        ways.add_quads(quads);
        let slots = quads * ROW;
        let entered = match geometry.policy() {
            Policy::Fifo => vec![0; slots],
            _ => Vec::new(),
        };
        let mut array = Self {
            geometry,
            sets,
            states: vec![0; geometry.sets() as usize],
            marks: Mark::of(geometry.policy(), geometry.ways()),
            entered,
            // The generator must not stand at 0, which it would never leave.
            random: seed | 1 << 63,
        };
        array.reset(ways);
        array
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
        slot_of(self.sets.base as usize, 0)
    }

    /// Returns the set and the way of a slot.
    #[expect(clippy::cast_possible_truncation, reason = "at most 2^16 entries")]
    pub(crate) fn set_and_way(&self, slot: usize) -> (u32, u32) {
        let in_array = slot - self.base();
        let in_set = self.sets.quads as usize * ROW;
        ((in_array / in_set) as u32, way_at(in_array % in_set) as u32)
    }

    /// Returns the slots, set by set, without those that fill up quads.
    fn slots(&self) -> impl Iterator<Item = usize> + use<> {
        let (base, quads) = (self.sets.base as usize, self.sets.quads as usize);
        let (sets, ways) = (self.geometry.sets() as usize, self.geometry.ways() as usize);
        (0..sets).flat_map(move |set| (0..ways).map(move |way| slot_of(base + set * quads, way)))
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
    pub(crate) fn fill(
        &mut self,
        ways: &mut Ways,
        number: u32,
        key: Key,
        payload: Packed,
        clock: u64,
    ) -> (usize, Option<Key>) {
        let slot = self.make_room(ways, self.sets.first_quad(number), clock);
        (slot, ways.replace(slot, key, payload, clock))
    }

    /// Returns the slot that makes room by any policy, in the set that begins at this quad, and
    /// notes that it is used.
    fn make_room(&mut self, ways: &Ways, quad: usize, clock: u64) -> usize {
        let policy = self.geometry.policy();
        let in_set = 0..self.geometry.ways() as usize;
        let slots = in_set.clone().map(|way| slot_of(quad, way));
        let way = match policy {
            Policy::Lru => oldest(slots.map(|slot| ways.stamp(slot))),
            Policy::Fifo => {
                let base = self.base();
                oldest(slots.map(|slot| self.entered[slot - base]))
            }
            _ => {
                let invalid = slots
                    .map(|slot| ways.key(slot))
                    .position(|key| key.is_none());
                match invalid.filter(|_| policy.prefers_invalid()) {
                    Some(way) => way,
                    None => self.pointed(slot_of(quad, 0), policy),
                }
            }
        };
        let slot = slot_of(quad, way);
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
    pub(crate) fn clear_where(
        &mut self,
        ways: &mut Ways,
        mut drop: impl FnMut(Key, Packed) -> bool,
    ) {
        for slot in self.slots() {
            if ways
                .key(slot)
                .is_some_and(|key| drop(key, ways.payload(slot)))
            {
                ways.clear(slot);
                self.forget(slot);
            }
        }
    }

    /// Empties the array and resets its replacement state.
    pub(crate) fn reset(&mut self, ways: &mut Ways) {
        self.slots().for_each(|slot| ways.clear(slot));
        self.entered.fill(0);
        self.states.fill(0);
    }

    /// Returns how many ways of the slot's set were used (FIFO: filled) later, where that is known.
    pub(crate) fn age(&self, ways: &Ways, slot: usize) -> Option<u32> {
        let (_, way) = self.set_and_way(slot);
        let own = self.time(ways, slot)?;
        // An invalid way has the earliest time of all.
        let first = (slot - slot_of(0, way as usize)) / ROW;
        let mut others = (0..self.geometry.ways() as usize).map(|way| slot_of(first, way));
        let later = |count, other| Some(count + u32::from(self.time(ways, other)? > own));
        others.try_fold(0, later)
    }

    /// Returns when the slot was last used (FIFO: filled), where the policy goes by that; 0 of an
    /// invalid one.
    fn time(&self, ways: &Ways, slot: usize) -> Option<u64> {
        match self.geometry.policy() {
            Policy::Lru => Some(ways.stamp(slot)),
            Policy::Fifo => Some(self.entered[slot - self.base()]),
            _ => None,
        }
    }

    /// Makes all times early ones, in the same order within each set.
    pub(crate) fn renumber(&mut self, ways: &mut Ways) {
        let slots: Vec<_> = self.slots().collect();
        let mut in_order = Vec::new();
        for set in slots.chunks(self.geometry.ways() as usize) {
            let timed = |&slot: &usize| Some((self.time(ways, slot)?, slot));
            in_order.clear();
            in_order.extend(set.iter().filter_map(timed).filter(|&(time, _)| time != 0));
            in_order.sort_unstable();
            for (order, &(_, slot)) in in_order.iter().enumerate() {
                self.set_time(ways, slot, Clock::early(order));
            }
        }
    }

    /// Sets what [`Self::time`] returns.
    fn set_time(&mut self, ways: &mut Ways, slot: usize, time: u64) {
        let in_array = slot - self.base();
        let kept = match self.entered.get_mut(in_array) {
            Some(entered) => Some(entered),
            None => ways.stamp_mut(slot),
        };
        if let Some(kept) = kept {
            *kept = time;
        }
    }

    /// Returns the keys and payloads that are valid, by slot.
    pub(crate) fn iter<'a>(
        &self,
        ways: &'a Ways,
    ) -> impl Iterator<Item = (usize, Key, Packed)> + 'a {
        let entry = |slot| Some((slot, ways.key(slot)?, ways.payload(slot)));
        self.slots().filter_map(entry)
    }
}

/// Returns the way with the smallest stamp: the lowest invalid one, if there is one.
#[inline(always)]
fn oldest(stamps: impl Iterator<Item = u64>) -> usize {
    let mut oldest = 0;
    let mut least = u64::MAX;
    for (way, stamp) in stamps.enumerate() {
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
    use crate::tlb::ways::TICK;

    /// Runs a stream of page numbers through an array and returns the misses.
    fn misses(geometry: Geometry, pages: impl Iterator<Item = u32>) -> u64 {
        let mut ways = Ways::default();
        let mut array = Array::new(&mut ways, geometry, 1);
        let mut misses = 0;
        for (clock, page) in pages.enumerate() {
            let (key, clock) = (page << 1 | 1, (clock as u64 + 1) * TICK);
            match (array.sets().find(&ways, page, key), array.sets().touch()) {
                (Some(slot), Touch::Stamp) => *ways.stamp_mut(slot).unwrap() = clock,
                (Some(slot), Touch::State) => array.touch_state(slot),
                (None, _) => {
                    misses += 1;
                    array.fill(&mut ways, page, key, Packed::default(), clock);
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
