//! A TLB of several levels, fed with look-ups.
//!
//! The second level is looked up where the first misses; a miss of both walks and fills both; what
//! the first level displaces does not touch the second. So each level depends on the misses of the
//! level before alone, and a stretch of look-ups goes through one level at a time.

mod counts;

use std::ops::RangeInclusive;

use pagefault_mmu::{Geometry, PageSizes, Policy, TlbConfig};

use crate::engine::array::Array;
use crate::engine::page::PageMap;
use crate::record::Op;

pub use crate::system::counts::{
    Costs, Counts, LevelCounts, OPS, Paging, Tally3C, WALK_SIZES, WalkSize,
};

/// One look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// An address on the page; of traces of page numbers, the number.
    pub addr: u64,
    /// The instruction that made the access; 0 if the trace does not tell.
    pub site: u64,
    /// The base-2 logarithm of the page's size.
    pub page_shift: u8,
    /// The kind of access.
    pub op: Op,
}

/// Where keys tell sizes apart, above the numbers of all pages that have a size: by how many bits the
/// page is larger than the smallest.
const SIZE_SHIFT: u32 = 58;
/// The smallest page.
const SMALL_SHIFT: u8 = 12;
const MIB2_SHIFT: u8 = 21;

/// Returns which kind of array takes a page.
fn size_of(shift: u8) -> PageSizes {
    match shift {
        0..MIB2_SHIFT => PageSizes::SMALL,
        MIB2_SHIFT => PageSizes::MIB2,
        _ => PageSizes::MIB4,
    }
}

/// A level of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The first level for data, or for everything where it is not split.
    Data,
    /// The first level for instructions, where it is split.
    Instruction,
    /// The second level.
    Second,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Data, Self::Instruction, Self::Second];
}

/// One array, with what tells its misses apart.
#[derive(Clone, Debug)]
struct Part {
    sizes: PageSizes,
    array: Array<u64>,
    /// Fully associative LRU of the same number of entries; `None` if misses are not classified.
    full: Option<Array<u64>>,
    seen: PageMap<u64>,
    /// What is looked up next: keys, and which look-ups they belong to.
    keys: Vec<u64>,
    from: Vec<u32>,
}

/// Whether misses are told apart as compulsory, of capacity, and of conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Classify {
    /// They are: a second array runs beside each.
    #[default]
    Yes,
    /// They are not, which takes half the time.
    No,
}

/// A TLB that counts.
#[derive(Clone, Debug)]
pub struct System {
    config: TlbConfig,
    levels: [Vec<Part>; 3],
    counts: Counts,
    missed: Vec<u32>,
    walked: Vec<u32>,
}

impl System {
    /// Returns an empty TLB.
    pub fn new(config: &TlbConfig, classify: Classify) -> Self {
        let part = |&geometry: &Geometry| Part::new(geometry, config.seed, classify);
        let parts = |list: &[Geometry]| list.iter().map(part).collect();
        let levels = [
            parts(&config.data),
            parts(&config.instruction),
            parts(&config.second),
        ];
        Self {
            config: config.clone(),
            levels,
            counts: Counts::default(),
            missed: Vec::new(),
            walked: Vec::new(),
        }
    }

    /// Returns what the TLB is made of.
    pub fn config(&self) -> &TlbConfig {
        &self.config
    }

    /// Looks up everything in order. `walked` is told of each look-up that missed all levels, and
    /// `missed` of each that missed the first.
    pub fn run(
        &mut self,
        look_ups: &[LookUp],
        mut missed: impl FnMut(&LookUp),
        mut walked: impl FnMut(&LookUp),
    ) {
        let accesses = count_ops(look_ups);
        for (sum, count) in self.counts.accesses.iter_mut().zip(accesses) {
            *sum += count;
        }
        self.first_level(look_ups, &accesses);
        for &index in &self.missed {
            missed(&look_ups[index as usize]);
        }
        self.second_level(look_ups);
        for &index in &self.walked {
            let look_up = &look_ups[index as usize];
            self.counts.walks[WalkSize::of(look_up.page_shift) as usize] += 1;
            walked(look_up);
        }
    }

    fn first_level(&mut self, look_ups: &[LookUp], accesses: &[u64; OPS]) {
        let is_split = !self.levels[Level::Instruction as usize].is_empty();
        self.missed.clear();
        if !is_split
            && let [part] = self.levels[Level::Data as usize].as_mut_slice()
            && part.sizes.is_all()
        {
            let counts = &mut self.counts.levels[Level::Data as usize];
            part.serve_all(look_ups, accesses, counts, &mut self.missed);
            return;
        }
        for (index, look_up) in (0..).zip(look_ups) {
            let level = if is_split && look_up.op == Op::Fetch {
                Level::Instruction
            } else {
                Level::Data
            };
            if !queue(&mut self.levels[level as usize], look_up, index) {
                self.missed.push(index);
            }
        }
        for level in [Level::Data, Level::Instruction] {
            let counts = &mut self.counts.levels[level as usize];
            let parts = &mut self.levels[level as usize];
            serve(parts, look_ups, counts, &mut self.missed);
        }
        self.missed.sort_unstable();
    }

    fn second_level(&mut self, look_ups: &[LookUp]) {
        self.walked.clear();
        let parts = &mut self.levels[Level::Second as usize];
        for &index in &self.missed {
            if !queue(parts, &look_ups[index as usize], index) {
                self.walked.push(index);
            }
        }
        let counts = &mut self.counts.levels[Level::Second as usize];
        serve(parts, look_ups, counts, &mut self.walked);
        self.walked.sort_unstable();
    }

    /// Drops the page of 2^`shift` bytes that holds the address, all of it: where an array keeps
    /// pieces of large pages, all of its pieces.
    pub fn invalidate(&mut self, addr: u64, shift: u8) {
        self.counts.invalidations += 1;
        let size = size_of(shift);
        for parts in &mut self.levels {
            let taking = parts.iter().position(|part| part.sizes.contains(size));
            if let Some(part) = taking.map(|taking| &mut parts[taking]) {
                part.invalidate(key(addr, shift)..=key(addr, shift));
            } else if let Some(part) = place_of_pieces(parts).map(|place| &mut parts[place]) {
                let first = addr >> shift << shift;
                let last = first | ((1 << shift) - 1);
                part.invalidate(key(first, SMALL_SHIFT)..=key(last, SMALL_SHIFT));
            }
        }
    }

    /// Empties all levels; trees and bits are reset.
    pub fn flush(&mut self) {
        self.counts.flushes += 1;
        for part in self.levels.iter_mut().flatten() {
            part.array.flush();
            part.full.iter_mut().for_each(Array::flush);
        }
    }

    /// Forgets what has been counted, as after a warm-up; what is held stays, and pages that were
    /// seen stay known.
    pub fn reset_counts(&mut self) {
        self.counts = Counts::default();
    }

    /// Returns what has been counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns how many bytes of pages of 2^`shift` bytes a level maps when it is full; pieces
    /// count as 4 KiB.
    pub fn reach_bytes(&self, level: Level, shift: u8) -> u64 {
        let parts = &self.levels[level as usize];
        let takes = |part: &&Part| part.sizes.contains(size_of(shift));
        let (part, shift) = match parts.iter().find(takes) {
            Some(part) => (Some(part), shift),
            None => (
                place_of_pieces(parts).map(|place| &parts[place]),
                SMALL_SHIFT,
            ),
        };
        part.map_or(0, |part| {
            u64::from(part.array.geometry().entries()) << shift
        })
    }
}

impl Part {
    fn new(geometry: Geometry, seed: u64, classify: Classify) -> Self {
        let entries = geometry.entries();
        let full = match classify {
            Classify::Yes => Geometry::new(entries, entries, Policy::Lru).ok(),
            Classify::No => None,
        };
        Self {
            sizes: geometry.sizes(),
            array: Array::new(geometry, seed),
            full: full.map(|full| Array::new(full, seed)),
            seen: PageMap::new(),
            keys: Vec::new(),
            from: Vec::new(),
        }
    }

    fn invalidate(&mut self, keys: RangeInclusive<u64>) {
        let full = self.full.as_mut();
        for array in std::iter::once(&mut self.array).chain(full) {
            if keys.start() == keys.end() {
                array.invalidate(*keys.start());
            } else {
                array.invalidate_range(keys.clone());
            }
        }
    }

    /// Looks everything up, as the only array of the first level; appends what missed.
    fn serve_all(
        &mut self,
        look_ups: &[LookUp],
        accesses: &[u64; OPS],
        counts: &mut LevelCounts,
        missed: &mut Vec<u32>,
    ) {
        let key = |look_up: &LookUp| key(look_up.addr, look_up.page_shift);
        self.keys.extend(look_ups.iter().map(key));
        let (keys, seen) = (&self.keys, &mut self.seen);
        let is_classified = self.full.is_some();
        let mut misses = [0; OPS];
        self.array.run_noting(keys, |at| {
            misses[look_ups[at].op as usize] += 1;
            #[expect(clippy::cast_possible_truncation, reason = "a batch is short")]
            missed.push(at as u32);
            if is_classified && seen.insert(keys[at], 0).is_none() {
                counts.compulsory += 1;
            }
        });
        if let Some(full) = &mut self.full {
            counts.full_misses += full.run(keys);
        }
        for op in 0..OPS {
            counts.misses[op] += misses[op];
            counts.hits[op] += accesses[op] - misses[op];
        }
        self.keys.clear();
    }

    /// Looks up what is queued, and counts; appends what missed.
    fn serve(&mut self, look_ups: &[LookUp], counts: &mut LevelCounts, missed: &mut Vec<u32>) {
        let (keys, from, seen) = (&self.keys, &self.from, &mut self.seen);
        for &index in from {
            counts.hits[look_ups[index as usize].op as usize] += 1;
        }
        let is_classified = self.full.is_some();
        self.array.run_noting(keys, |at| {
            let op = look_ups[from[at] as usize].op as usize;
            counts.hits[op] -= 1;
            counts.misses[op] += 1;
            missed.push(from[at]);
            if is_classified && seen.insert(keys[at], 0).is_none() {
                counts.compulsory += 1;
            }
        });
        if let Some(full) = &mut self.full {
            counts.full_misses += full.run(keys);
        }
        self.keys.clear();
        self.from.clear();
    }
}

/// Counts look-ups by kind, in registers.
fn count_ops(look_ups: &[LookUp]) -> [u64; OPS] {
    let mut counts = [0; OPS];
    for look_up in look_ups {
        for (op, count) in counts.iter_mut().enumerate() {
            *count += u64::from(look_up.op as usize == op);
        }
    }
    counts
}

#[inline(always)]
fn key(addr: u64, shift: u8) -> u64 {
    addr >> shift | u64::from(shift.saturating_sub(SMALL_SHIFT)) << SIZE_SHIFT
}

/// Returns which array keeps pieces of pages that no array of the level takes.
fn place_of_pieces(parts: &[Part]) -> Option<usize> {
    let mut parts = parts.iter().map(|part| part.sizes);
    let any = parts.len().checked_sub(1).map(|_| 0);
    parts
        .position(|sizes| sizes.contains(PageSizes::SMALL))
        .or(any)
}

/// Queues a look-up at the array that takes it; `false` if the level has none.
#[inline(always)]
fn queue(parts: &mut [Part], look_up: &LookUp, index: u32) -> bool {
    let size = size_of(look_up.page_shift);
    let Some(taking) = parts.iter().position(|part| part.sizes.contains(size)) else {
        return queue_piece(parts, look_up, index);
    };
    let part = &mut parts[taking];
    part.keys.push(key(look_up.addr, look_up.page_shift));
    part.from.push(index);
    true
}

/// Queues a look-up of a page that no array takes: a piece of it is kept as a small page.
fn queue_piece(parts: &mut [Part], look_up: &LookUp, index: u32) -> bool {
    let Some(place) = place_of_pieces(parts) else {
        return false;
    };
    let part = &mut parts[place];
    part.keys.push(key(look_up.addr, SMALL_SHIFT));
    part.from.push(index);
    true
}

fn serve(parts: &mut [Part], look_ups: &[LookUp], counts: &mut LevelCounts, missed: &mut Vec<u32>) {
    for part in parts {
        part.serve(look_ups, counts, missed);
    }
}
