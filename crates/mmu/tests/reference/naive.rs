//! A TLB level by level as one would explain it: lists of ways, searched from the front.

use std::collections::BTreeMap;

use pagefault_mmu::{Geometry, Index, PageNumber, PageSize, PageSizes, Policy, Rights};

/// A translation that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) first: u32,
    pub(crate) size: PageSize,
    pub(crate) frame: u32,
    pub(crate) rights: Rights,
    pub(crate) memory_type: u8,
    /// The size of the page in the tables.
    pub(crate) mapped: PageSize,
}

impl Held {
    fn covers(&self, page: u32) -> bool {
        self.first / self.size.small_pages() == page / self.size.small_pages()
    }

    /// Whether an invalidation of the page drops it: all of a large page goes, pieces included.
    fn goes_with(&self, page: u32) -> bool {
        let span = self.size.max(self.mapped).small_pages();
        self.first / span == page / span
    }
}

#[derive(Clone, Debug)]
struct Set {
    ways: Vec<Option<Held>>,
    /// Ways in the order of their last use, and of their last fill; the oldest is first.
    used: Vec<usize>,
    filled: Vec<usize>,
    /// For each node of each tree, by the ways it spans: whether it points to the upper half.
    trees: BTreeMap<(usize, usize), bool>,
    used_bits: Vec<bool>,
    used_group: usize,
}

impl Set {
    fn new(ways: usize) -> Self {
        Self {
            ways: vec![None; ways],
            used: (0..ways).collect(),
            filled: (0..ways).collect(),
            trees: BTreeMap::new(),
            used_bits: vec![false; ways],
            used_group: 0,
        }
    }

    fn forget_uses(&mut self) {
        self.trees.clear();
        self.used_bits.fill(false);
        self.used_group = 0;
    }

    fn touch(&mut self, policy: Policy, way: usize) {
        to_the_end(&mut self.used, way);
        match policy {
            Policy::TreePlru | Policy::TreePlruPointed => {
                self.turn_away(0, self.ways.len(), way);
            }
            Policy::BitPlru => {
                self.used_bits[way] = true;
                if self.used_bits.iter().all(|&used| used) {
                    self.used_bits.fill(false);
                    self.used_bits[way] = true;
                }
            }
            Policy::Mru3Plru4 => {
                self.used_group = way / 4;
                self.turn_away(way / 4 * 4, 4, way);
            }
            Policy::Lru | Policy::Fifo | Policy::Random => {}
        }
    }

    /// Turns the bits on the way's path away from it.
    fn turn_away(&mut self, first: usize, len: usize, way: usize) {
        if len > 1 {
            let middle = first + len / 2;
            self.trees.insert((first, len), way < middle);
            let half = if way < middle { first } else { middle };
            self.turn_away(half, len / 2, way);
        }
    }

    /// Follows the bits.
    fn pointed(&self, first: usize, len: usize) -> usize {
        if len == 1 {
            return first;
        }
        let is_upper = self.trees.get(&(first, len)).copied().unwrap_or(false);
        let half = if is_upper { first + len / 2 } else { first };
        self.pointed(half, len / 2)
    }

    fn victim(&self, policy: Policy, random: &mut u64) -> usize {
        let invalid = self.ways.iter().position(Option::is_none);
        let len = self.ways.len();
        match (policy, invalid) {
            (Policy::TreePlruPointed, _) | (Policy::TreePlru, None) => self.pointed(0, len),
            (Policy::Mru3Plru4, _) => self.pointed((self.used_group + 1) % 3 * 4, 4),
            (_, Some(way)) => way,
            (Policy::Lru, None) => self.used[0],
            (Policy::Fifo, None) => self.filled[0],
            (Policy::BitPlru, None) => {
                let clear = self.used_bits.iter().position(|&used| !used);
                clear.unwrap_or(len - 1)
            }
            (Policy::Random, None) => {
                *random ^= *random << 13;
                *random ^= *random >> 7;
                *random ^= *random << 17;
                (*random >> 32) as usize % len
            }
        }
    }
}

fn to_the_end(order: &mut Vec<usize>, way: usize) {
    order.retain(|&other| other != way);
    order.push(way);
}

#[derive(Clone, Debug)]
pub(crate) struct Array {
    geometry: Geometry,
    sets: Vec<Set>,
    random: u64,
}

/// Where a translation is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    array: usize,
    set: usize,
    way: usize,
}

/// A level: arrays, asked in order.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    arrays: Vec<Array>,
}

impl Level {
    pub(crate) fn new(geometries: &[Geometry], seed: u64) -> Self {
        let array = |&geometry: &Geometry| Array {
            geometry,
            sets: vec![Set::new(geometry.ways() as usize); geometry.sets() as usize],
            random: seed | 1 << 63,
        };
        Self {
            arrays: geometries.iter().map(array).collect(),
        }
    }

    pub(crate) fn exists(&self) -> bool {
        !self.arrays.is_empty()
    }

    /// Finds what is held of the page: by array, smaller pages first.
    pub(crate) fn find(&self, page: PageNumber) -> Option<(Spot, Held)> {
        let page = page.bits();
        for (array_index, array) in self.arrays.iter().enumerate() {
            for size in PageSize::ALL {
                for (set_index, set) in array.sets.iter().enumerate() {
                    for (way, held) in set.ways.iter().enumerate() {
                        if let Some(held) =
                            held.filter(|held| held.size == size && held.covers(page))
                        {
                            let spot = Spot {
                                array: array_index,
                                set: set_index,
                                way,
                            };
                            return Some((spot, held));
                        }
                    }
                }
            }
        }
        None
    }

    pub(crate) fn touch(&mut self, spot: Spot) {
        let array = &mut self.arrays[spot.array];
        array.sets[spot.set].touch(array.geometry.policy(), spot.way);
    }

    pub(crate) fn replace(&mut self, spot: Spot, held: Held) {
        self.arrays[spot.array].sets[spot.set].ways[spot.way] = Some(held);
    }

    /// Puts the page in and returns what made room. `frame` is the page's, `size` the most that may
    /// be kept.
    pub(crate) fn fill(&mut self, page: PageNumber, size: PageSize, held: Held) -> Option<Held> {
        let holds = |size| {
            let sizes = PageSizes::of(size);
            self.arrays
                .iter()
                .position(|array| array.geometry.sizes().contains(sizes))
        };
        let (array, size) = match holds(size) {
            Some(array) => (array, size),
            None => (
                holds(PageSize::Small).expect("every level holds small pages"),
                PageSize::Small,
            ),
        };
        let first = page.bits() / size.small_pages() * size.small_pages();
        let within = page.bits() - first;
        let held = Held {
            first,
            size,
            frame: held.frame.wrapping_sub(within) & 0x0FFF_FFFF,
            ..held
        };
        let array = &mut self.arrays[array];
        let policy = array.geometry.policy();
        let set = &mut array.sets[set_of(array.geometry, first / size.small_pages())];
        let way = set.victim(policy, &mut array.random);
        to_the_end(&mut set.filled, way);
        set.touch(policy, way);
        set.ways[way].replace(held)
    }

    pub(crate) fn drop_where(&mut self, mut drop: impl FnMut(&Held) -> bool) {
        for set in self.arrays.iter_mut().flat_map(|array| &mut array.sets) {
            for way in &mut set.ways {
                *way = way.filter(|held| !drop(held));
            }
        }
    }

    pub(crate) fn invalidate(&mut self, page: PageNumber) {
        self.drop_where(|held| held.goes_with(page.bits()));
    }

    pub(crate) fn flush_all(&mut self) {
        self.drop_where(|_| true);
        let sets = self.arrays.iter_mut().flat_map(|array| &mut array.sets);
        sets.for_each(Set::forget_uses);
    }

    /// Returns everything that is held, by array, set and way.
    pub(crate) fn contents(&self) -> Vec<(u32, u32, u32, Held)> {
        let mut contents = Vec::new();
        for (array, sets) in self.arrays.iter().enumerate() {
            for (set, ways) in sets.sets.iter().enumerate() {
                for (way, held) in ways.ways.iter().enumerate() {
                    if let Some(held) = held {
                        contents.push((array as u32, set as u32, way as u32, *held));
                    }
                }
            }
        }
        contents
    }
}

fn set_of(geometry: Geometry, number: u32) -> usize {
    let sets = geometry.entries() / geometry.ways();
    let number = match geometry.index() {
        Index::LowBits => number,
        Index::XorFold => number ^ (number / sets),
    };
    (number % sets) as usize
}
