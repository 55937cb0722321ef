//! The TLB: levels of set-associative arrays.
//!
//! The first level is one for everything, or split into instructions and data; a second level,
//! when there is one, serves both. It is looked up only when the first level misses; a walk fills
//! both; what the first level displaces stays in the second.

pub(crate) mod array;
pub(crate) mod clock;
pub(crate) mod geometry;
pub(crate) mod policy;
pub mod presets;
pub(crate) mod statistics;
pub(crate) mod view;
pub(crate) mod ways;

use crate::addr::{LinearAddr, PAGE_SHIFT, PageNumber};
use crate::entry::{PageSize, Rights};
use crate::fault::AccessKind;
use crate::mmu::MmuConfig;
use crate::packed::Packed;
use crate::tlb::array::{Array, Sets, Touch};
use crate::tlb::clock::{Clock, Tick};
use crate::tlb::geometry::{Geometry, PageSizes};
use crate::tlb::policy::Policy;
use crate::tlb::statistics::ByKind;
use crate::tlb::ways::{Key, Quad, Ways};

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

    /// Returns whether there is a first level, and nothing behind it but the tables.
    pub(crate) fn has_one_level(&self) -> bool {
        !self.data.is_empty() && self.second.is_empty() && self.directory_entries == 0
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

/// Where a translation is held: the slot among those of all arrays, and whether a hit there changes
/// more than a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// Set in a [`Place`] whose policy keeps a state. No array of stamps reaches that far, so that the
/// one test for the end of the stamps tells both kinds apart.
const KEEPS_STATE: u32 = Touch::State as u32;

impl Place {
    /// The first slot.
    pub(crate) const FIRST: Self = Self(0);

    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "few arrays, of at most 2^16 entries"
    )]
    fn new(slot: usize, touch: Touch) -> Self {
        Self(slot as u32 | touch as u32)
    }

    /// Returns where the stamp is; past all of them if a hit changes more.
    #[inline(always)]
    fn stamp(self) -> usize {
        self.0 as usize
    }

    /// Returns whether a hit there changes no more than a stamp.
    pub(crate) fn keeps_stamp(self) -> bool {
        self.0 & KEEPS_STATE == 0
    }

    #[inline(always)]
    fn slot(self) -> usize {
        (self.0 & !KEEPS_STATE) as usize
    }
}

const _: () = assert!(
    (MmuConfig::MAX_ARRAYS * LevelId::COUNT) as u64 * Ways::most_slots(Geometry::MAX_ENTRIES)
        < KEEPS_STATE as u64,
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
    arrays: Vec<Array>,
    ways: Ways,
    /// The arrays of each level, as a range of `arrays`.
    levels: [std::ops::Range<usize>; LevelId::COUNT],
    /// The array of each level that takes small pages, and where it has them.
    for_small: [usize; LevelId::COUNT],
    small_sets: [Sets; LevelId::COUNT],
    /// Advances with every look-up in a first level.
    clock: Clock,
    /// Whether a large page may be held, whole or in pieces, since the last full flush.
    holds_large: bool,
    /// Whether there is no level but the first one for data, which then serves all accesses.
    is_unified: bool,
    /// Whether that level's sets are plain quads, too, and hold small pages only: a page is in its quad
    /// then, or nowhere.
    is_plain: bool,
}

impl Tlb {
    pub(crate) fn new(config: &TlbConfig) -> Self {
        let mut arrays = Vec::new();
        let mut ways = Ways::default();
        let lists = [&config.data, &config.instruction, &config.second];
        let levels = lists.map(|list| {
            let first = arrays.len();
            arrays.extend(
                list.iter()
                    .map(|&geometry| Array::new(&mut ways, geometry, config.seed)),
            );
            first..arrays.len()
        });
        let for_small = levels.clone().map(|mut level| {
            let first = level.start;
            level
                .find(|&index| holds_small(&arrays[index]))
                .unwrap_or(first)
        });
        let mut small_sets = [Sets::NONE; LevelId::COUNT];
        for level in LevelId::ALL.map(|level| level as usize) {
            if !levels[level].is_empty() {
                small_sets[level] = arrays[for_small[level]].sets();
            }
        }
        let is_unified = config.instruction.is_empty() && config.second.is_empty();
        let is_plain = is_unified && small_sets[LevelId::L1Data as usize].are_plain_quads();
        Self {
            is_unified,
            is_plain,
            arrays,
            ways,
            levels,
            for_small,
            small_sets,
            clock: Clock::default(),
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

    /// Returns whether one level, if any, serves all accesses.
    #[inline(always)]
    pub(crate) fn is_unified(&self) -> bool {
        self.is_unified
    }

    /// Returns whether a page is in its quad of the first level, or nowhere.
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Returns the levels whose misses make walks.
    pub(crate) fn last_levels(&self) -> &'static [LevelId] {
        if self.has(LevelId::L2) {
            &[LevelId::L2]
        } else {
            &[LevelId::L1Data, LevelId::L1Instruction]
        }
    }

    /// Returns the first level that serves this kind of access.
    #[inline(always)]
    pub(crate) fn first_level(&self, kind: AccessKind) -> LevelId {
        if kind == AccessKind::Fetch && !self.is_unified && self.has(LevelId::L1Instruction) {
            LevelId::L1Instruction
        } else {
            LevelId::L1Data
        }
    }

    /// Returns the look-ups in first levels since they were counted anew.
    pub(crate) fn looked_up(&self) -> ByKind {
        self.clock.counts()
    }

    pub(crate) fn count_anew(&mut self) {
        self.clock.count_anew();
    }

    /// Counts a look-up in a first level.
    #[inline(always)]
    pub(crate) fn tick(&mut self, tick: Tick) {
        let time = self.next_time(tick);
        self.clock.set(time);
    }

    /// As [`Self::tick`]; `None`, and nothing changes, if the clock must be wound before.
    #[inline(always)]
    pub(crate) fn try_tick(&mut self, tick: Tick) -> Option<()> {
        self.clock.set(self.clock.next(tick)?);
        Some(())
    }

    /// Returns the time of the next look-up.
    #[inline(always)]
    fn next_time(&mut self, tick: Tick) -> u64 {
        match self.clock.next(tick) {
            Some(time) => time,
            None => self.wind(tick),
        }
    }

    /// Has time begin anew, and returns that of the next look-up. No replacement changes by it.
    #[cold]
    #[inline(never)]
    fn wind(&mut self, tick: Tick) -> u64 {
        for array in &mut self.arrays {
            array.renumber(&mut self.ways);
        }
        self.clock.wind();
        self.clock.next(tick).unwrap_or_default()
    }

    /// Counts look-ups whose order among others no longer matters.
    pub(crate) fn count_untimed(&mut self, tick: Tick, kind: AccessKind, count: u64) {
        match self.clock.after(tick, count) {
            Some(time) => self.clock.set(time),
            None => self.clock.count(kind, count),
        }
    }

    /// Notes a use of what the place holds, at the present time.
    #[inline(always)]
    pub(crate) fn touch(&mut self, place: Place) {
        match self.ways.stamp_mut(place.stamp()) {
            Some(stamp) => *stamp = self.clock.now(),
            None => self.touch_state(place),
        }
    }

    #[cold]
    #[inline(never)]
    fn touch_state(&mut self, place: Place) {
        let index = self.array_of(place);
        self.arrays[index].touch_state(place.slot());
    }

    /// Counts a look-up that uses what the place holds; `None`, and nothing is counted, if its policy
    /// keeps more than stamps.
    #[inline(always)]
    pub(crate) fn touch_stamp(&mut self, place: Place, tick: Tick) -> Option<()> {
        let time = self.next_time(tick);
        self.stamp(place, time)
    }

    /// As [`Self::touch_stamp`]; also `None` if the clock must be wound before.
    #[inline(always)]
    pub(crate) fn try_touch_stamp(&mut self, place: Place, tick: Tick) -> Option<()> {
        let time = self.clock.next(tick)?;
        self.stamp(place, time)
    }

    /// Sets the time of the place and of the clock, if the policy keeps no more than stamps.
    #[inline(always)]
    fn stamp(&mut self, place: Place, time: u64) -> Option<()> {
        *self.ways.stamp_mut(place.stamp())? = time;
        self.clock.set(time);
        Some(())
    }

    /// Returns the index of the array that has the place.
    fn array_of(&self, place: Place) -> usize {
        let begins_before = |array: &Array| array.base() <= place.slot();
        self.arrays.partition_point(begins_before) - 1
    }

    /// Finds what the level holds of the page: by array, smaller pages first.
    #[inline(always)]
    pub(crate) fn find(&self, level: LevelId, page: PageNumber) -> Option<Found> {
        if self.holds_large {
            return self.find_any(level, page);
        }
        // Without large pages, one array of the level holds all that it holds.
        self.find_small(self.small_sets[level as usize], page)
    }

    #[inline(never)]
    fn find_any(&self, level: LevelId, page: PageNumber) -> Option<Found> {
        self.arrays[self.levels[level as usize].clone()]
            .iter()
            .find_map(|array| {
                let small = holds_small(array).then(|| self.find_small(array.sets(), page));
                small.flatten().or_else(|| self.find_large(array, page))
            })
    }

    #[inline(always)]
    fn find_small(&self, sets: Sets, page: PageNumber) -> Option<Found> {
        let number = page.bits();
        let key = key_of(number, PageSize::Small);
        let slot = sets.find(&self.ways, number, key)?;
        Some(Found {
            place: Place::new(slot, sets.touch()),
            leaf: self.ways.payload(slot),
        })
    }

    fn find_large(&self, array: &Array, page: PageNumber) -> Option<Found> {
        let held = array.geometry().sizes();
        let large = [PageSize::Mib2, PageSize::Mib4].into_iter();
        let mut large = large.filter(|&size| held.contains(PageSizes::of(size)));
        large.find_map(|size| {
            let number = number_of(page, size);
            let slot = array
                .sets()
                .find(&self.ways, number, key_of(number, size))?;
            Some(Found {
                place: Place::new(slot, array.sets().touch()),
                leaf: self.ways.payload(slot).of_page(page, size),
            })
        })
    }

    /// Returns whether first levels hold small pages only, in sets that are looked at together and
    /// that the low bits of a page number select: the short way is open.
    pub(crate) fn is_short(&self) -> bool {
        let first_levels = [LevelId::L1Data, LevelId::L1Instruction].into_iter();
        let mut first_levels = first_levels.filter(|&level| self.has(level));
        let are_plain = |level| self.small_sets[level as usize].are_plain_quads();
        self.is_present() && !self.holds_large && first_levels.all(are_plain)
    }

    /// Returns the page's set on the short way.
    #[inline(always)]
    pub(crate) fn quad(&self, level: LevelId, page: PageNumber) -> Quad {
        self.small_sets[level as usize].quad(page.bits())
    }

    /// As [`Self::find`], on the short way.
    #[inline(always)]
    pub(crate) fn find_in(&self, level: LevelId, set: Quad, key: Key) -> Option<Found> {
        let slot = self.ways.find_in(set, key)?;
        Some(Found {
            place: Place::new(slot, self.small_sets[level as usize].touch()),
            leaf: self.ways.payload(slot),
        })
    }

    /// Puts a small page into its set, which does not hold it, if the policy is to replace the
    /// oldest way; returns where, and the key that made room. On the short way.
    #[inline(always)]
    pub(crate) fn replace_oldest(
        &mut self,
        level: LevelId,
        set: Quad,
        key: Key,
        leaf: Packed,
    ) -> Option<(Place, Option<Key>)> {
        if !self.small_sets[level as usize].replaces_oldest() {
            return None;
        }
        let (slot, displaced) = self.ways.replace_oldest(set, key, leaf, self.clock.now())?;
        Some((Place::new(slot, Touch::Stamp), displaced))
    }

    /// Puts the page into the level, which does not hold it.
    pub(crate) fn fill(&mut self, level: LevelId, page: PageNumber, leaf: Packed) -> Filled {
        if leaf.is_large() {
            return self.fill_large(level, page, leaf);
        }
        self.fill_array(self.for_small[level as usize], page, PageSize::Small, leaf)
    }

    /// Puts a large page in; where no array takes it, a piece is kept as a small page.
    fn fill_large(&mut self, level: LevelId, page: PageNumber, leaf: Packed) -> Filled {
        self.holds_large = true;
        self.is_plain = false;
        let mut indices = self.levels[level as usize].clone();
        let sizes = PageSizes::of(leaf.size());
        let index = indices.find(|&index| self.arrays[index].geometry().sizes().contains(sizes));
        match index {
            Some(index) => self.fill_array(index, page, leaf.size(), leaf),
            // Quirk: pieces
            None => self.fill_array(self.for_small[level as usize], page, PageSize::Small, leaf),
        }
    }

    fn fill_array(
        &mut self,
        index: usize,
        page: PageNumber,
        size: PageSize,
        leaf: Packed,
    ) -> Filled {
        let number = number_of(page, size);
        let payload = leaf.held_as(page, size);
        let key = key_of(number, size);
        let array = &mut self.arrays[index];
        let (slot, displaced) = array.fill(&mut self.ways, number, key, payload, self.clock.now());
        Filled {
            place: Place::new(slot, array.sets().touch()),
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
        self.ways.set_payload(place.slot(), payload);
        Refreshed::At(place)
    }

    /// Drops what every level holds of the page: of a large page all of it, pieces included.
    #[inline(always)]
    pub(crate) fn invalidate(&mut self, page: PageNumber) {
        self.invalidate_small(LevelId::L1Data, page);
        if !self.is_unified {
            self.invalidate_small(LevelId::L1Instruction, page);
            self.invalidate_small(LevelId::L2, page);
        }
        if self.holds_large {
            self.invalidate_large(page);
        }
    }

    #[inline(always)]
    fn invalidate_small(&mut self, level: LevelId, page: PageNumber) {
        let sets = self.small_sets[level as usize];
        if !sets.exist() {
            return;
        }
        let key = key_of(page.bits(), PageSize::Small);
        if let Some(slot) = sets.find(&self.ways, page.bits(), key) {
            self.clear_small(level, slot);
        }
    }

    /// As [`Self::invalidate`], where a page is in its quad or nowhere; returns where it was held.
    #[inline(always)]
    pub(crate) fn drop_small(&mut self, level: LevelId, page: PageNumber) -> Option<Place> {
        let sets = self.small_sets[level as usize];
        let key = key_of(page.bits(), PageSize::Small);
        let slot = self.ways.find_in(sets.quad(page.bits()), key)?;
        self.clear_small(level, slot);
        Some(Place::new(slot, sets.touch()))
    }

    #[inline(always)]
    fn clear_small(&mut self, level: LevelId, slot: usize) {
        self.ways.clear(slot);
        if self.small_sets[level as usize].keep_entry_times() {
            self.arrays[self.for_small[level as usize]].forget(slot);
        }
    }

    #[inline(never)]
    fn invalidate_large(&mut self, page: PageNumber) {
        for array in &mut self.arrays {
            array.clear_where(&mut self.ways, |key, payload| {
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
        for array in &mut self.arrays {
            array.reset(&mut self.ways);
        }
        self.holds_large = false;
        let sets = self.small_sets[LevelId::L1Data as usize];
        self.is_plain = self.is_unified && sets.are_plain_quads();
    }

    pub(crate) fn flush_non_global(&mut self) {
        for array in &mut self.arrays {
            array.clear_where(&mut self.ways, |_, payload| {
                !payload.rights().contains(Rights::GLOBAL)
            });
        }
    }

    /// Returns everything that a level holds, by array and slot.
    pub(crate) fn contents(
        &self,
        level: LevelId,
    ) -> impl Iterator<Item = (Place, Held, Packed)> + '_ {
        let arrays = &self.arrays[self.levels[level as usize].clone()];
        arrays.iter().flat_map(move |array| {
            let place = move |slot| Place::new(slot, array.sets().touch());
            array
                .iter(&self.ways)
                .map(move |(slot, key, payload)| (place(slot), held_by(key), payload))
        })
    }

    /// Returns the number of the place's array, counted within its level.
    #[expect(clippy::cast_possible_truncation, reason = "few arrays")]
    pub(crate) fn array_in_level(&self, level: LevelId, place: Place) -> u32 {
        (self.array_of(place) - self.levels[level as usize].start) as u32
    }

    /// Returns the set and the way of the place within its array.
    pub(crate) fn set_and_way(&self, place: Place) -> (u32, u32) {
        self.arrays[self.array_of(place)].set_and_way(place.slot())
    }

    /// Returns how many ways of the place's set were used later, where the policy knows.
    pub(crate) fn age(&self, place: Place) -> Option<u32> {
        self.arrays[self.array_of(place)].age(&self.ways, place.slot())
    }
}

fn holds_small(array: &Array) -> bool {
    array.geometry().sizes().contains(PageSizes::SMALL)
}

/// Returns the number of the page of this size that covers the small page.
#[inline(always)]
fn number_of(page: PageNumber, size: PageSize) -> u32 {
    page.bits() / size.small_pages()
}

/// Bits of a key that tell the page's size; never all clear. The number of a small page lies where
/// an address has it.
const KEY_SIZE_BITS: u32 = PAGE_SHIFT;

/// Returns the key of the page of this size and number.
#[inline(always)]
pub(crate) const fn key_of(number: u32, size: PageSize) -> Key {
    number << KEY_SIZE_BITS | (size as u32 + 1)
}

#[inline(always)]
pub(crate) fn held_by(key: Key) -> Held {
    let size = match key & ((1 << KEY_SIZE_BITS) - 1) {
        1 => PageSize::Small,
        2 => PageSize::Mib2,
        _ => PageSize::Mib4,
    };
    let number = key >> KEY_SIZE_BITS;
    held_from(number * size.small_pages(), size)
}

/// Returns the page of a key that is known to name a small one.
#[inline(always)]
pub(crate) fn small_page(key: Key) -> PageNumber {
    held_from(key >> KEY_SIZE_BITS, PageSize::Small).first
}

#[inline(always)]
fn held_from(first: u32, size: PageSize) -> Held {
    Held {
        first: LinearAddr::new(first << PAGE_SHIFT).page(),
        size,
    }
}
