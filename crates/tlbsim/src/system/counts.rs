//! What a TLB has counted, and what it costs.

use crate::record::Op;

/// Kinds of accesses: fetches, reads, writes, and reads and writes of one operand.
pub const OPS: usize = Op::Modify as usize + 1;

/// What one level has counted, by kind of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelCounts {
    /// Look-ups that found their page.
    pub hits: [u64; OPS],
    /// Look-ups that did not.
    pub misses: [u64; OPS],
    pub(super) compulsory: u64,
    pub(super) full_misses: u64,
}

/// Misses by their reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally3C {
    /// First look-ups of a page.
    pub compulsory: u64,
    /// Misses that a fully associative LRU array of as many entries would have too, less the
    /// compulsory ones.
    pub capacity: i64,
    /// The other misses. Negative where the array misses less than the fully associative one, as on
    /// loops over more pages than there are entries.
    pub conflict: i64,
}

impl LevelCounts {
    /// Returns all hits.
    pub fn total_hits(&self) -> u64 {
        self.hits.iter().sum()
    }

    /// Returns all misses.
    pub fn total_misses(&self) -> u64 {
        self.misses.iter().sum()
    }

    /// Returns all look-ups.
    pub fn look_ups(&self) -> u64 {
        self.total_hits() + self.total_misses()
    }

    /// Returns the misses by their reason, where they were told apart.
    pub fn by_reason(&self) -> Tally3C {
        let full = self.full_misses.cast_signed();
        Tally3C {
            compulsory: self.compulsory,
            capacity: full - self.compulsory.cast_signed(),
            conflict: self.total_misses().cast_signed() - full,
        }
    }
}

/// The sizes of the pages that walks end at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkSize {
    /// 4 KiB, and all that are smaller than 2 MiB.
    Small,
    /// 2 or 4 MiB.
    Large,
    /// 1 GiB.
    Huge,
}

/// How many there are.
pub const WALK_SIZES: usize = WalkSize::Huge as usize + 1;

impl WalkSize {
    pub(super) fn of(page_shift: u8) -> Self {
        match page_shift {
            0..21 => Self::Small,
            21..30 => Self::Large,
            _ => Self::Huge,
        }
    }
}

/// What a TLB has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Look-ups by kind of access.
    pub accesses: [u64; OPS],
    /// The levels, by [`Level`](super::Level).
    pub levels: [LevelCounts; 3],
    /// Walks by [`WalkSize`].
    pub walks: [u64; WALK_SIZES],
    /// Pages that were invalidated.
    pub invalidations: u64,
    /// Flushes of everything.
    pub flushes: u64,
}

/// How page tables are built: how many entries a walk reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// 32-bit: directory and table.
    TwoLevel,
    /// PAE: directory and table; the entries above them are in registers.
    Pae,
    /// 64-bit, 48-bit addresses.
    FourLevel,
    /// 64-bit, 57-bit addresses.
    FiveLevel,
}

impl Paging {
    /// Returns how many entries a walk to a page of this size reads, without a paging-structure
    /// cache.
    pub fn references(self, size: WalkSize) -> u64 {
        let levels: u64 = match self {
            Self::TwoLevel | Self::Pae => 2,
            Self::FourLevel => 4,
            Self::FiveLevel => 5,
        };
        levels.saturating_sub(size as u64).max(1)
    }
}

/// What things cost, in cycles. A formula, not a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// An access whose translation the first level has.
    pub access: f64,
    /// More, for a hit in the second level.
    pub second_level: f64,
    /// More, for each entry that a walk reads.
    pub reference: f64,
}

impl Default for Costs {
    /// 1 for an access, 9 for the second level and 15 for a reference: of the order that
    /// Skylake-class processors show when the tables are in the second-level cache.
    fn default() -> Self {
        Self {
            access: 1.0,
            second_level: 9.0,
            reference: 15.0,
        }
    }
}

impl Counts {
    /// Returns all look-ups.
    pub fn total_accesses(&self) -> u64 {
        self.accesses.iter().sum()
    }

    /// Returns the misses of the first level, split or not.
    pub fn first_misses(&self) -> u64 {
        let [data, instruction, _] = &self.levels;
        data.total_misses() + instruction.total_misses()
    }

    /// Returns all walks.
    pub fn total_walks(&self) -> u64 {
        self.walks.iter().sum()
    }

    /// Returns the entries that all walks read.
    pub fn references(&self, paging: Paging) -> u64 {
        let sizes = [WalkSize::Small, WalkSize::Large, WalkSize::Huge];
        let references = sizes.iter().zip(self.walks);
        references
            .map(|(&size, walks)| walks * paging.references(size))
            .sum()
    }

    /// Returns the cycles that walks cost.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn walk_cycles(&self, costs: &Costs, paging: Paging) -> f64 {
        self.references(paging) as f64 * costs.reference
    }

    /// Returns the effective access time in cycles: the cost of an access, and of what it misses,
    /// on average.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn access_cycles(&self, costs: &Costs, paging: Paging) -> f64 {
        let accesses = self.total_accesses().max(1) as f64;
        let second_hits = self.levels[2].total_hits() as f64;
        let misses = second_hits * costs.second_level + self.walk_cycles(costs, paging);
        costs.access + misses / accesses
    }
}
