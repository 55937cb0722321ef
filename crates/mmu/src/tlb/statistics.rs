//! What has been counted.

use crate::fault::{AccessKind, FaultCause};
use crate::tlb::LevelId;

/// A counter for each kind of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByKind {
    /// Data reads.
    pub reads: u64,
    /// Data writes; a read-modify-write counts once, here.
    pub writes: u64,
    /// Instruction fetches: one for each block of instructions and page.
    pub fetches: u64,
}

impl ByKind {
    /// Returns the sum.
    pub fn total(&self) -> u64 {
        self.reads + self.writes + self.fetches
    }

    /// Returns the counter of this kind.
    pub fn of(&self, kind: AccessKind) -> u64 {
        match kind {
            AccessKind::Read => self.reads,
            AccessKind::Write => self.writes,
            AccessKind::Fetch => self.fetches,
        }
    }

    #[inline]
    pub(crate) fn of_mut(&mut self, kind: AccessKind) -> &mut u64 {
        match kind {
            AccessKind::Read => &mut self.reads,
            AccessKind::Write => &mut self.writes,
            AccessKind::Fetch => &mut self.fetches,
        }
    }

    /// Returns what is left without those of `other`: nothing of a kind that was not counted.
    fn less(&self, other: &Self) -> Self {
        Self {
            reads: self.reads.saturating_sub(other.reads),
            writes: self.writes.saturating_sub(other.writes),
            fetches: self.fetches.saturating_sub(other.fetches),
        }
    }
}

/// What one level of the TLB has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelStatistics {
    /// Look-ups that found a translation, whether or not its rights sufficed.
    pub hits: ByKind,
    /// Look-ups that found none.
    pub misses: ByKind,
    /// Translations displaced to make room.
    pub evictions: u64,
}

/// What is counted of walks as they happen: with the misses it tells what [`Statistics`] do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Walks of accesses that no TLB was asked for.
    pub(crate) walks_without_tlb: u64,
    /// Entries that walks did not read, of [`FULL_WALK_REFERENCES`] each.
    pub(crate) spared_references: u64,
}

/// The entries that a walk to a small page reads from memory, in either mode.
pub(crate) const FULL_WALK_REFERENCES: u64 = 2;

/// What the MMU has done since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Accesses to pages: one that crosses a page boundary counts on each page.
    pub accesses: ByKind,
    /// The levels, by [`LevelId`].
    pub levels: [LevelStatistics; LevelId::COUNT],
    /// Walks, whether they succeeded or not.
    pub walks: u64,
    /// Entries that walks read from memory. PDPTEs come from registers and do not count.
    pub walk_references: u64,
    /// Walks made although a translation was found: its rights did not suffice, or it was the
    /// first write through it. Included in `walks`.
    pub rewalks: u64,
    /// Walks that began at a directory entry remembered by the paging-structure cache.
    pub directory_hits: u64,
    /// Entries in which A was set.
    pub accessed_marks: u64,
    /// Entries in which D was set.
    pub dirty_marks: u64,
    /// Single-page invalidations asked for: INVLPG and edits of tables.
    pub invalidations: u64,
    /// Flushes of everything.
    pub flushes_all: u64,
    /// Flushes that spared global translations.
    pub flushes_non_global: u64,
    /// Page faults for an entry that was not present.
    pub not_present_faults: ByKind,
    /// Page faults for missing rights.
    pub protection_faults: ByKind,
    /// Page faults for reserved bits.
    pub reserved_faults: ByKind,
}

/// The cycles of an L2 hit in the cost formula.
const L2_HIT_CYCLES: u64 = 9;
/// The cycles of a walk's memory reference in the cost formula.
const REFERENCE_CYCLES: u64 = 15;

impl Statistics {
    /// Returns what one level has done.
    pub fn level(&self, level: LevelId) -> &LevelStatistics {
        &self.levels[level as usize]
    }

    /// Returns the page faults of all causes.
    pub fn faults(&self) -> u64 {
        self.not_present_faults.total()
            + self.protection_faults.total()
            + self.reserved_faults.total()
    }

    /// Returns an estimate of the cycles that address translation cost:
    /// 9 for each hit of the second level and 15 for each entry that a walk read.
    ///
    /// A formula, not a measurement: the figures are of the order that Skylake-class processors
    /// show when the tables are in the second-level cache.
    pub fn estimated_cycles(&self) -> u64 {
        let l2_hits = self.level(LevelId::L2).hits.total();
        l2_hits * L2_HIT_CYCLES + self.walk_references * REFERENCE_CYCLES
    }

    pub(crate) fn faults_mut(&mut self, cause: FaultCause) -> &mut ByKind {
        match cause {
            FaultCause::NotPresent => &mut self.not_present_faults,
            FaultCause::Protection => &mut self.protection_faults,
            FaultCause::Reserved => &mut self.reserved_faults,
        }
    }

    /// Fills in the walks: every miss of the last level makes one, and every rewalk.
    ///
    /// A walk reads two entries, but where it ends before the second, or before both.
    pub(crate) fn derive_walks(&mut self, last_levels: &[LevelId], tally: &Tally) {
        let misses = |&level: &LevelId| self.level(level).misses.total();
        let behind_misses: u64 = last_levels.iter().map(misses).sum();
        self.walks = behind_misses + self.rewalks + tally.walks_without_tlb;
        self.walk_references = self.walks * FULL_WALK_REFERENCES - tally.spared_references;
    }

    /// Fills in the hits of the first levels: what was looked up there and did not miss.
    pub(crate) fn derive_first_level_hits(&mut self, looked_up: &ByKind, fetch_level: LevelId) {
        let data = &mut self.levels[LevelId::L1Data as usize];
        data.hits = looked_up.less(&data.misses);
        if fetch_level != LevelId::L1Data {
            data.hits.fetches = 0;
            let instruction = &mut self.levels[fetch_level as usize];
            instruction.hits.fetches = looked_up.fetches.saturating_sub(instruction.misses.fetches);
        }
    }
}
