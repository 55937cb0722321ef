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

use crate::addr::{FrameNumber, PageNumber};
use crate::entry::{PageSize, Rights};
use crate::fault::AccessKind;
use crate::tlb::array::{Array, Key};
use crate::tlb::geometry::{Geometry, PageSizes};
use crate::tlb::policy::Policy;
use crate::walk::Leaf;

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

/// A cached translation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Translation {
    /// The first frame of the page, or of the 4 KiB piece.
    pub(crate) first: FrameNumber,
    pub(crate) rights: Rights,
    pub(crate) memory_type: u8,
    /// The size of the page that the leaf maps, which may be more than what is held here.
    pub(crate) mapped: PageSize,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            first: FrameNumber::truncate(0),
            rights: Rights::empty(),
            memory_type: 0,
            mapped: PageSize::Small,
        }
    }
}

/// Where a translation is held: the array and the slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) array: u8,
    pub(crate) slot: u16,
}

/// A translation that was found, for the page that was looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) cached: Cached,
}

/// What a level can keep of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached {
    /// The translation; its size is the largest that may be kept.
    pub(crate) leaf: Leaf,
    /// The size of the page that the tables map.
    pub(crate) mapped: PageSize,
}

impl From<Leaf> for Cached {
    fn from(leaf: Leaf) -> Self {
        Self {
            leaf,
            mapped: leaf.size,
        }
    }
}

/// What a fill did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled {
    pub(crate) place: Place,
    /// How much is held: a large page whole, or a small page or piece.
    pub(crate) size: PageSize,
    pub(crate) displaced: Option<Held>,
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
    arrays: Vec<Array<Translation>>,
    /// The arrays of each level, as a range of `arrays`.
    levels: [std::ops::Range<usize>; LevelId::COUNT],
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
        Self {
            arrays,
            levels,
            clock: 0,
            holds_large: false,
        }
    }

    pub(crate) fn has(&self, level: LevelId) -> bool {
        !self.levels[level as usize].is_empty()
    }

    pub(crate) fn is_present(&self) -> bool {
        self.has(LevelId::L1Data)
    }

    /// Returns the first level that serves this kind of access.
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
        self.arrays[usize::from(place.array)].touch(usize::from(place.slot), self.clock);
    }

    /// Counts a look-up that uses what the place holds; `None`, and nothing changes, if its policy
    /// keeps more than stamps.
    #[inline(always)]
    pub(crate) fn touch_stamp(&mut self, place: Place) -> Option<()> {
        let time = self.clock + 1;
        self.arrays
            .get_mut(usize::from(place.array))?
            .touch_stamp(usize::from(place.slot), time)?;
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
        let Translation {
            first,
            rights,
            memory_type,
            mapped,
        } = self.arrays[index].payload(slot);
        let within = page.bits() & (size.small_pages() - 1);
        let leaf = Leaf {
            frame: FrameNumber::truncate(first.bits() + within),
            size,
            rights,
            memory_type,
        };
        Found {
            place: place(index, slot),
            cached: Cached { leaf, mapped },
        }
    }

    /// Returns the array of the level that takes pages of this size. Where none does, a piece is
    /// kept as a small page.
    #[inline]
    fn array_for(&self, level: LevelId, size: PageSize) -> (usize, PageSize) {
        let range = &self.levels[level as usize];
        let holds = |size: PageSize| {
            let mut indices = range.start..range.end;
            let sizes = PageSizes::of(size);
            indices.find(|&index| self.arrays[index].geometry().sizes().contains(sizes))
        };
        match holds(size) {
            Some(index) => (index, size),
            None => (
                holds(PageSize::Small).unwrap_or(range.start),
                PageSize::Small,
            ),
        }
    }

    /// Puts the page into the level, which does not hold it.
    #[inline]
    pub(crate) fn fill(&mut self, level: LevelId, page: PageNumber, cached: &Cached) -> Filled {
        let (index, size) = self.array_for(level, cached.leaf.size);
        self.holds_large |= cached.mapped != PageSize::Small;

        let number = number_of(page, size);
        let payload = translation(page, size, cached);
        let clock = self.clock;
        let (slot, displaced) =
            self.arrays[index].fill(number, key_of(number, size), payload, clock);
        Filled {
            place: place(index, slot),
            size,
            displaced: displaced.map(held_by),
        }
    }

    /// Brings what the level holds of the page up to date, unless that is a page of another size.
    pub(crate) fn refresh(&mut self, level: LevelId, page: PageNumber, leaf: Leaf) -> Refreshed {
        let Some(found) = self.find(level, page) else {
            return Refreshed::Absent;
        };
        if found.cached.mapped != leaf.size {
            return Refreshed::OtherSize;
        }
        let payload = translation(page, found.cached.leaf.size, &Cached::from(leaf));
        let Place { array, slot } = found.place;
        self.arrays[usize::from(array)].set_payload(usize::from(slot), payload);
        Refreshed::At(found.place)
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
                let size = held_by(key).size.max(payload.mapped);
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
            array.clear_where(|_, payload| !payload.rights.contains(Rights::GLOBAL));
        }
    }

    /// Returns everything that a level holds, by array and slot.
    pub(crate) fn contents(
        &self,
        level: LevelId,
    ) -> impl Iterator<Item = (Place, Held, Translation)> + '_ {
        self.levels[level as usize].clone().flat_map(move |index| {
            self.arrays[index]
                .iter()
                .map(move |(slot, key, payload)| (place(index, slot), held_by(key), payload))
        })
    }

    /// Returns the number of the place's array, counted within its level.
    #[expect(clippy::cast_possible_truncation, reason = "few arrays")]
    pub(crate) fn array_in_level(&self, level: LevelId, place: Place) -> u32 {
        (usize::from(place.array) - self.levels[level as usize].start) as u32
    }

    /// Returns how many ways of the place's set were used later, where the policy knows.
    pub(crate) fn age(&self, place: Place) -> Option<u32> {
        self.arrays[usize::from(place.array)].age(usize::from(place.slot))
    }

    /// Returns the array's number of ways.
    pub(crate) fn ways_of(&self, place: Place) -> u32 {
        self.arrays[usize::from(place.array)].geometry().ways()
    }
}

/// Returns what is kept of the leaf in a way for pages of `size`.
fn translation(page: PageNumber, size: PageSize, cached: &Cached) -> Translation {
    let within = page.bits() & (size.small_pages() - 1);
    let Leaf {
        frame,
        rights,
        memory_type,
        ..
    } = cached.leaf;
    let first = FrameNumber::truncate(frame.bits().wrapping_sub(within));
    Translation {
        first,
        rights,
        memory_type,
        mapped: cached.mapped,
    }
}

/// Returns the number of the page of this size that covers the small page.
#[inline]
fn number_of(page: PageNumber, size: PageSize) -> u64 {
    u64::from(page.bits() / size.small_pages())
}

/// Bits of a key that tell the page's size; never all clear.
const KEY_SIZE_BITS: u32 = 2;

#[inline]
fn key_of(number: u64, size: PageSize) -> Key {
    number << KEY_SIZE_BITS | (size as u64 + 1)
}

fn held_by(key: Key) -> Held {
    let size = PageSize::ALL[(key & 0b11) as usize - 1];
    #[expect(
        clippy::cast_possible_truncation,
        reason = "keys are made from 20-bit page numbers"
    )]
    let number = (key >> KEY_SIZE_BITS) as u32;
    held_from(number * size.small_pages(), size)
}

fn held_from(first: u32, size: PageSize) -> Held {
    Held {
        first: PageNumber::new(first).unwrap_or(PageNumber::LAST),
        size,
    }
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "few arrays, of at most 2^16 entries"
)]
fn place(array: usize, slot: usize) -> Place {
    Place {
        array: array as u8,
        slot: slot as u16,
    }
}
