//! One set-associative array under any policy, fast where look-ups hit.
//!
//! A direct-mapped front table remembers where pages are held. Most look-ups find their page there
//! and only note the use: a compare, and a store that nothing waits for. The set is searched when
//! the front table does not know the page. Whatever the front table names is held by the array, so
//! that it can never change a count; a property test holds the engine against the TLB of
//! `pagefault-mmu`.

use std::ops::RangeInclusive;

use pagefault_mmu::{Geometry, Index, Policy};

use crate::engine::page::{Page, low_bits};
use crate::pattern::next_random;

/// Entries of the front table.
const FRONT: usize = 1 << 12;
/// The most entries of an array: what a slot number counts.
const MAX_ENTRIES: usize = Geometry::MAX_ENTRIES as usize;
/// The most ways of a set whose state is one word.
const MAX_STATE_WAYS: usize = u64::BITS as usize;

const _: () = assert!(MAX_ENTRIES - 1 <= u16::MAX as usize, "a slot has its bits");

/// A set-associative array that counts hits and misses.
#[derive(Clone, Debug)]
pub struct Array<P> {
    geometry: Geometry,
    front: Box<[Front<P>; FRONT]>,
    /// The pages held, set by set.
    keys: Vec<P>,
    /// When each slot was last used (true LRU) or filled (FIFO); 0 where it is empty.
    stamps: Box<[u64; MAX_ENTRIES]>,
    /// A word a set: trees and bits of the PLRU policies.
    states: Vec<u64>,
    touches: Touches,
    clock: u64,
    random: u64,
}

/// Where a page is held.
#[derive(Clone, Copy, Debug)]
struct Front<P> {
    page: P,
    slot: u16,
    set: u16,
}

/// What a use of each way does to the state of its set: bits that stay, and bits that are set.
///
/// All policies that keep a state, but bit-PLRU, do no more.
#[derive(Clone, Debug)]
struct Touches {
    kept: [u64; MAX_STATE_WAYS],
    set: [u64; MAX_STATE_WAYS],
}

impl Touches {
    fn new(geometry: Geometry) -> Self {
        let mut touches = Self {
            kept: [u64::MAX; MAX_STATE_WAYS],
            set: [0; MAX_STATE_WAYS],
        };
        let (policy, ways) = (geometry.policy(), geometry.ways());
        if matches!(note(policy), Note::State) {
            for way in 0..ways {
                touches.kept[way as usize] = policy.touched(u64::MAX, way, ways);
                touches.set[way as usize] = policy.touched(0, way, ways);
            }
        }
        touches
    }
}

/// What a hit notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    Stamp,
    State,
    BitState,
    Nothing,
}

fn note(policy: Policy) -> Note {
    match policy {
        Policy::Lru => Note::Stamp,
        Policy::TreePlru | Policy::TreePlruPointed | Policy::Mru3Plru4 => Note::State,
        Policy::BitPlru => Note::BitState,
        Policy::Fifo | Policy::Random => Note::Nothing,
    }
}

impl<P: Page> Array<P> {
    /// Returns an empty array. The seed is that of random replacement.
    pub fn new(geometry: Geometry, seed: u64) -> Self {
        let nothing = Front {
            page: P::NONE,
            slot: 0,
            set: 0,
        };
        Self {
            geometry,
            front: boxed(nothing),
            keys: vec![P::NONE; geometry.entries() as usize],
            stamps: boxed(0),
            states: vec![0; geometry.sets() as usize],
            touches: Touches::new(geometry),
            clock: 0,
            // The generator must not stand at 0, which it would never leave.
            random: seed | 1 << 63,
        }
    }

    /// Returns what the array is made of.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Looks up every page in order, fills what misses, and returns the number of misses.
    pub fn run(&mut self, pages: &[P]) -> u64 {
        self.run_noting(pages, |_| {})
    }

    /// Does what [`Array::run`] does and tells the index of each look-up that missed.
    pub fn run_noting(&mut self, pages: &[P], missed: impl FnMut(usize)) -> u64 {
        match note(self.geometry.policy()) {
            Note::Stamp => self.run_stamping(pages, missed),
            Note::State => self.run_marking(pages, missed),
            Note::BitState => self.run_bits(pages, missed),
            Note::Nothing => self.run_silent(pages, missed),
        }
    }

    fn run_stamping(&mut self, pages: &[P], mut missed: impl FnMut(usize)) -> u64 {
        let mut misses = 0;
        let start = self.clock;
        for (index, (&page, clock)) in pages.iter().zip(start + 1..).enumerate() {
            let front = self.front[low_bits(page.number()) % FRONT];
            if front.page == page {
                self.stamps[front.slot as usize] = clock;
            } else if self.search(page, clock) {
                misses += 1;
                missed(index);
            }
        }
        self.clock = start + pages.len() as u64;
        misses
    }

    fn run_marking(&mut self, pages: &[P], mut missed: impl FnMut(usize)) -> u64 {
        let mut misses = 0;
        let start = self.clock;
        for (index, (&page, clock)) in pages.iter().zip(start + 1..).enumerate() {
            let front = self.front[low_bits(page.number()) % FRONT];
            if front.page == page {
                self.mark(front);
            } else if self.search(page, clock) {
                misses += 1;
                missed(index);
            }
        }
        self.clock = start + pages.len() as u64;
        misses
    }

    fn run_bits(&mut self, pages: &[P], mut missed: impl FnMut(usize)) -> u64 {
        let mut misses = 0;
        let start = self.clock;
        for (index, (&page, clock)) in pages.iter().zip(start + 1..).enumerate() {
            let front = self.front[low_bits(page.number()) % FRONT];
            if front.page == page {
                self.mark_bit(front);
            } else if self.search(page, clock) {
                misses += 1;
                missed(index);
            }
        }
        self.clock = start + pages.len() as u64;
        misses
    }

    fn run_silent(&mut self, pages: &[P], mut missed: impl FnMut(usize)) -> u64 {
        let mut misses = 0;
        let start = self.clock;
        for (index, (&page, clock)) in pages.iter().zip(start + 1..).enumerate() {
            let front = self.front[low_bits(page.number()) % FRONT];
            if front.page != page && self.search(page, clock) {
                misses += 1;
                missed(index);
            }
        }
        self.clock = start + pages.len() as u64;
        misses
    }

    /// Empties the array and resets its replacement state.
    pub fn flush(&mut self) {
        for slot in 0..self.keys.len() {
            self.drop_slot(slot);
        }
        self.states.fill(0);
    }

    /// Drops a page, if it is held; the replacement state stays.
    pub fn invalidate(&mut self, page: P) {
        let first = self.set_of(page) * self.geometry.ways() as usize;
        let ways = self.geometry.ways() as usize;
        let held = self.keys[first..first + ways].iter();
        if let Some(way) = held.copied().position(|key| key == page) {
            self.drop_slot(first + way);
        }
    }

    /// Drops all pages of a range; the replacement state stays.
    pub fn invalidate_range(&mut self, pages: RangeInclusive<P>) {
        for slot in 0..self.keys.len() {
            if pages.contains(&self.keys[slot]) {
                self.drop_slot(slot);
            }
        }
    }

    /// Returns the pages held, set by set.
    pub fn held(&self) -> impl Iterator<Item = P> + '_ {
        self.keys.iter().copied().filter(|&page| page != P::NONE)
    }

    fn drop_slot(&mut self, slot: usize) {
        let page = self.keys[slot];
        self.keys[slot] = P::NONE;
        self.stamps[slot % MAX_ENTRIES] = 0;
        self.forget(page);
    }

    /// Takes a page out of the front table.
    fn forget(&mut self, page: P) {
        let front = &mut self.front[low_bits(page.number()) % FRONT];
        if front.page == page {
            front.page = P::NONE;
        }
    }

    #[inline(always)]
    fn mark(&mut self, at: Front<P>) {
        let way = at.slot as usize - at.set as usize * self.geometry.ways() as usize;
        let state = &mut self.states[at.set as usize];
        let way = way % MAX_STATE_WAYS;
        *state = *state & self.touches.kept[way] | self.touches.set[way];
    }

    #[inline(always)]
    fn mark_bit(&mut self, at: Front<P>) {
        let ways = self.geometry.ways();
        let way = u32::from(at.slot) - u32::from(at.set) * ways;
        let state = &mut self.states[at.set as usize];
        *state = Policy::BitPlru.touched(*state, way, ways);
    }

    /// Searches the set of a page that the front table does not know, notes the use, and fills it
    /// in if it is not held. Returns whether it missed.
    #[inline(never)]
    fn search(&mut self, page: P, clock: u64) -> bool {
        let ways = self.geometry.ways() as usize;
        let set = self.set_of(page);
        let first = set * ways;
        let keys = &self.keys[first..first + ways];
        let held = keys.iter().position(|&key| key == page);
        let way = held.unwrap_or_else(|| self.victim(set, first));
        let slot = first + way;
        if held.is_none() {
            let old = std::mem::replace(&mut self.keys[slot], page);
            self.forget(old);
        }
        let policy = self.geometry.policy();
        if held.is_none() || policy == Policy::Lru {
            self.stamps[slot % MAX_ENTRIES] = clock;
        }
        let state = &mut self.states[set];
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^16 ways")]
        let way = way as u32;
        *state = policy.touched(*state, way, self.geometry.ways());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 2^16 slots and sets"
        )]
        let (slot, set) = (slot as u16, set as u16);
        self.front[low_bits(page.number()) % FRONT] = Front { page, slot, set };
        held.is_none()
    }

    /// Returns the way that makes room.
    fn victim(&mut self, set: usize, first: usize) -> usize {
        let ways = self.geometry.ways();
        let policy = self.geometry.policy();
        let slots = first..first + ways as usize;
        match policy {
            Policy::Lru | Policy::Fifo => oldest(&self.stamps[slots]),
            policy => {
                let mut keys = self.keys[slots].iter();
                let empty = keys.position(|&key| key == P::NONE);
                match empty.filter(|_| policy.prefers_invalid()) {
                    Some(way) => way,
                    None if policy == Policy::Random => {
                        self.random = next_random(self.random);
                        low_bits((self.random >> 32) % u64::from(ways))
                    }
                    None => policy.pointed(self.states[set], ways) as usize,
                }
            }
        }
    }

    fn set_of(&self, page: P) -> usize {
        let number = page.number();
        let sets = u64::from(self.geometry.sets());
        let number = match self.geometry.index() {
            Index::LowBits => number,
            Index::XorFold => number ^ number >> sets.trailing_zeros(),
        };
        low_bits(number & (sets - 1))
    }
}

/// Returns the index of the smallest stamp: the lowest empty way, if there is one.
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

/// Returns an array on the heap that was never on the stack.
fn boxed<T: Clone + std::fmt::Debug, const N: usize>(value: T) -> Box<[T; N]> {
    let boxed: Result<Box<[T; N]>, _> = vec![value; N].into_boxed_slice().try_into();
    boxed.expect("the vector has the length of the array")
}
