//! The TLB: levels of set-associative arrays.
//!
//! The first level is one for everything, or split into instructions and data; a second level,
//! when there is one, serves both. It is looked up only when the first level misses; a walk fills
//! both; what the first level displaces stays in the second.

pub(crate) mod array;
pub(crate) mod geometry;
pub(crate) mod policy;
pub mod presets;
pub(crate) mod statistics;
pub(crate) mod view;

use crate::addr::PageNumber;
use crate::entry::{PageSize, Rights};
use crate::fault::AccessKind;
use crate::packed::Packed;
use crate::tlb::array::{Array, Key};
use crate::tlb::geometry::{Geometry, PageSizes};
use crate::tlb::policy::Policy;

/// A level of the TLB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LevelId {
    /// The first level for data, or for everything where it is not split.
    L1Data,
    /// The first level for instructions, where it is split.
    L1Instruction,
    /// The second level.
    L2,
}

impl LevelId {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [Self::L1Data, Self::L1Instruction, Self::L2];
}

/// What a TLB is made of. Each level is a list of arrays; an empty list is no such level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlbConfig {
    /// The first level for data, or for everything. Empty: there is no TLB at all.
    pub data: Vec<Geometry>,
    /// The first level for instructions. Empty: `data` serves them too.
    pub instruction: Vec<Geometry>,
    /// The second level.
    pub second: Vec<Geometry>,
    /// Entries of the paging-structure cache, which remembers directory entries. 0: there is none.
    pub directory_entries: u32,
    /// The seed of random replacement.
    pub seed: u64,
}

impl TlbConfig {
    /// Returns the choice of having no TLB: every access walks.
    pub fn none() -> Self {
        Self {
            data: Vec::new(),
            instruction: Vec::new(),
            second: Vec::new(),
            directory_entries: 0,
            seed: 0,
        }
    }

    /// Returns a TLB of one array for everything.
    pub fn unified(geometry: Geometry) -> Self {
        Self {
            data: vec![geometry],
            ..Self::none()
        }
    }
}

impl Default for TlbConfig {
    /// One array for everything: 64 entries in 4 ways, true LRU.
    fn default() -> Self {
        let geometry = Geometry::new(64, 4, Policy::Lru);
        Self {
            data: geometry.into_iter().collect(),
            ..Self::none()
        }
    }
}

/// Where a translation is held: the array and the slot in it, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// Bits of a [`Place`] that tell the slot; those above tell the array.
const SLOT_BITS: u32 = 16;

impl Place {
    /// The first slot of the first array.
    pub(crate) const FIRST: Self = Self(0);

    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "few arrays, of at most 2^16 entries"
    )]
    fn new(array: usize, slot: usize) -> Self {
        Self((array as u32) << SLOT_BITS | slot as u32)
    }

    #[inline(always)]
    fn array(self) -> usize {
        (self.0 >> SLOT_BITS) as usize
    }

    #[inline(always)]
    pub(crate) fn slot(self) -> usize {
        (self.0 & ((1 << SLOT_BITS) - 1)) as usize
    }
}

const _: () = assert!(
    Geometry::MAX_ENTRIES <= 1 << SLOT_BITS,
    "a slot has its bits"
);

/// A translation that was found, for the page that was looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) leaf: Packed,
}

/// What a fill did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled {
    pub(crate) place: Place,
    /// How much is held: a large page whole, or a small page or piece.
    pub(crate) size: PageSize,
    /// The key that made room.
    pub(crate) displaced: Option<Key>,
}

/// What came of bringing a level up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// The level holds nothing of the page.
    Absent,
    /// The level holds a page of another size there, and still does.
    OtherSize,
    /// What the place holds is up to date.
    At(Place),
}

/// The page, or piece of one, that a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) first: PageNumber,
    pub(crate) size: PageSize,
}

/// The arrays of all levels.
#[derive(Clone, Debug)]
pub(crate) struct Tlb {
    arrays: Vec<Array<Packed>>,
    /// The arrays of each level, as a range of `arrays`.
    levels: [std::ops::Range<usize>; LevelId::COUNT],
    /// The array of each level that takes small pages.
    for_small: [usize; LevelId::COUNT],
    /// Advances with every look-up in a first level: the stamps of true LRU come from it.
    clock: u64,
    /// Whether a large page may be held, whole or in pieces, since the last full flush.
    holds_large: bool,
}

impl Tlb {
    pub(crate) fn new(config: &TlbConfig) -> Self {
        let mut arrays = Vec::new();
        let lists = [&config.data, &config.instruction, &config.second];
        let levels = lists.map(|list| {
            let first = arrays.len();
            arrays.extend(
                list.iter()
                    .map(|&geometry| Array::new(geometry, config.seed)),
            );
            first..arrays.len()
        });
        let for_small = levels.clone().map(|mut level| {
            let first = level.start;
            level
                .find(|&index| arrays[index].holds_small())
                .unwrap_or(first)
        });
        Self {
            arrays,
            levels,
            for_small,
            clock: 0,
            holds_large: false,
        }
    }

    #[inline(always)]
    pub(crate) fn has(&self, level: LevelId) -> bool {
        !self.levels[level as usize].is_empty()
    }

    #[inline(always)]
    pub(crate) fn is_present(&self) -> bool {
        self.has(LevelId::L1Data)
    }

    /// Returns the first level that serves this kind of access.
    #[inline(always)]
    pub(crate) fn first_level(&self, kind: AccessKind) -> LevelId {
        if kind == AccessKind::Fetch && self.has(LevelId::L1Instruction) {
            LevelId::L1Instruction
        } else {
            LevelId::L1Data
        }
    }

    #[inline(always)]
    pub(crate) fn clock(&self) -> u64 {
        self.clock
    }

    /// Counts a look-up in a first level.
    #[inline(always)]
    pub(crate) fn tick(&mut self) {
        self.clock += 1;
    }

    /// Counts look-ups whose order among others no longer matters.
    pub(crate) fn advance(&mut self, count: u64) {
        self.clock += count;
    }

    /// Notes a use of what the place holds, at the present time.
    #[inline(always)]
    pub(crate) fn touch(&mut self, place: Place) {
        self.arrays[place.array()].touch(place.slot(), self.clock);
    }

    /// Counts a look-up that uses what the place holds; `None`, and nothing changes, if its policy
    /// keeps more than stamps.
    #[inline(always)]
    pub(crate) fn touch_stamp(&mut self, place: Place) -> Option<()> {
        let time = self.clock + 1;
        self.arrays
            .get_mut(place.array())?
            .touch_stamp(place.slot(), time)?;
        self.clock = time;
        Some(())
    }

    /// Finds what the level holds of the page: by array, smaller pages first.
    #[inline(always)]
    pub(crate) fn find(&self, level: LevelId, page: PageNumber) -> Option<Found> {
        let range = &self.levels[level as usize];
        for index in range.start..range.end {
            let array = &self.arrays[index];
            if array.holds_small() {
                let number = u64::from(page.bits());
                if let Some(slot) = array.find(number, key_of(number, PageSize::Small)) {
                    return Some(self.found(index, slot, page, PageSize::Small));
                }
            }
            if self.holds_large
                && let Some(found) = self.find_large(index, page)
            {
                return Some(found);
            }
        }
        None
    }

    #[inline(never)]
    fn find_large(&self, index: usize, page: PageNumber) -> Option<Found> {
        let array = &self.arrays[index];
        let held = array.geometry().sizes();
        let large = [PageSize::Mib2, PageSize::Mib4].into_iter();
        let mut large = large.filter(|&size| held.contains(PageSizes::of(size)));
        large.find_map(|size| {
            let number = number_of(page, size);
            let slot = array.find(number, key_of(number, size))?;
            Some(self.found(index, slot, page, size))
        })
    }

    #[inline(always)]
    fn found(&self, index: usize, slot: usize, page: PageNumber, size: PageSize) -> Found {
        Found {
            place: Place::new(index, slot),
            leaf: self.arrays[index].payload(slot).of_page(page, size),
        }
    }

    /// Puts the page into the level, which does not hold it.
    #[inline(always)]
    pub(crate) fn fill(&mut self, level: LevelId, page: PageNumber, leaf: Packed) -> Filled {
        if leaf.is_large() {
            return self.fill_large(level, page, leaf);
        }
        self.fill_array(self.for_small[level as usize], page, PageSize::Small, leaf)
    }

    /// Puts a large page in; where no array takes it, a piece is kept as a small page.
    #[inline(never)]
    fn fill_large(&mut self, level: LevelId, page: PageNumber, leaf: Packed) -> Filled {
        self.holds_large = true;
        let mut indices = self.levels[level as usize].clone();
        let sizes = PageSizes::of(leaf.size());
        let index = indices.find(|&index| self.arrays[index].geometry().sizes().contains(sizes));
        match index {
            Some(index) => self.fill_array(index, page, leaf.size(), leaf),
            None => self.fill_array(self.for_small[level as usize], page, PageSize::Small, leaf),
        }
    }

    #[inline(always)]
    fn fill_array(
        &mut self,
        index: usize,
        page: PageNumber,
        size: PageSize,
        leaf: Packed,
    ) -> Filled {
        let number = number_of(page, size);
        let payload = leaf.held_as(page, size);
        let clock = self.clock;
        let (slot, displaced) =
            self.arrays[index].fill(number, key_of(number, size), payload, clock);
        Filled {
            place: Place::new(index, slot),
            size,
            displaced,
        }
    }

    /// Brings what the level holds of the page up to date, unless that is a page of another size.
    pub(crate) fn refresh(&mut self, level: LevelId, page: PageNumber, leaf: Packed) -> Refreshed {
        let Some(Found { place, leaf: old }) = self.find(level, page) else {
            return Refreshed::Absent;
        };
        if old.mapped() != leaf.mapped() {
            return Refreshed::OtherSize;
        }
        let payload = leaf.held_as(page, old.size());
        self.arrays[place.array()].set_payload(place.slot(), payload);
        Refreshed::At(place)
    }

    /// Drops what every level holds of the page: of a large page all of it, pieces included.
    pub(crate) fn invalidate(&mut self, page: PageNumber) {
        for array in &mut self.arrays {
            let number = number_of(page, PageSize::Small);
            if let Some(slot) = array.find(number, key_of(number, PageSize::Small)) {
                array.clear(slot);
            }
        }
        if self.holds_large {
            self.invalidate_large(page);
        }
    }

    fn invalidate_large(&mut self, page: PageNumber) {
        for array in &mut self.arrays {
            array.clear_where(|key, payload| {
                let size = held_by(key).size.max(payload.mapped());
                let covers = |page: PageNumber| number_of(page, size);
                size != PageSize::Small && covers(held_by(key).first) == covers(page)
            });
        }
    }

    pub(crate) fn holds_large(&self) -> bool {
        self.holds_large
    }

    pub(crate) fn flush_all(&mut self) {
        self.arrays.iter_mut().for_each(Array::reset);
        self.holds_large = false;
    }

    pub(crate) fn flush_non_global(&mut self) {
        for array in &mut self.arrays {
            array.clear_where(|_, payload| !payload.rights().contains(Rights::GLOBAL));
        }
    }

    /// Returns everything that a level holds, by array and slot.
    pub(crate) fn contents(
        &self,
        level: LevelId,
    ) -> impl Iterator<Item = (Place, Held, Packed)> + '_ {
        self.levels[level as usize].clone().flat_map(move |index| {
            self.arrays[index]
                .iter()
                .map(move |(slot, key, payload)| (Place::new(index, slot), held_by(key), payload))
        })
    }

    /// Returns the number of the place's array, counted within its level.
    #[expect(clippy::cast_possible_truncation, reason = "few arrays")]
    pub(crate) fn array_in_level(&self, level: LevelId, place: Place) -> u32 {
        (place.array() - self.levels[level as usize].start) as u32
    }

    /// Returns how many ways of the place's set were used later, where the policy knows.
    pub(crate) fn age(&self, place: Place) -> Option<u32> {
        self.arrays[place.array()].age(place.slot())
    }

    /// Returns the array's number of ways.
    pub(crate) fn ways_of(&self, place: Place) -> u32 {
        self.arrays[place.array()].geometry().ways()
    }
}

/// Returns the number of the page of this size that covers the small page.
#[inline(always)]
fn number_of(page: PageNumber, size: PageSize) -> u64 {
    u64::from(page.bits() / size.small_pages())
}

/// Bits of a key that tell the page's size; never all clear.
const KEY_SIZE_BITS: u32 = 2;

#[inline(always)]
fn key_of(number: u64, size: PageSize) -> Key {
    number << KEY_SIZE_BITS | (size as u64 + 1)
}

#[inline(always)]
pub(crate) fn held_by(key: Key) -> Held {
    let size = match key & ((1 << KEY_SIZE_BITS) - 1) {
        1 => PageSize::Small,
        2 => PageSize::Mib2,
        _ => PageSize::Mib4,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "keys are made from 20-bit page numbers"
    )]
    let number = (key >> KEY_SIZE_BITS) as u32;
    held_from(number * size.small_pages(), size)
}

#[inline(always)]
fn held_from(first: u32, size: PageSize) -> Held {
    Held {
        first: PageNumber::new(first).unwrap_or(PageNumber::LAST),
        size,
    }
}
