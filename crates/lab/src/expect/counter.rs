//! What a run counts.

use pagefault_machine::vmm::mmu::{LevelId, LevelStatistics};
use pagefault_machine::{Machine, Watch};

/// Something that a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Instructions,
    Accesses,
    Reads,
    Writes,
    Fetches,
    Hits,
    Misses,
    L1Hits,
    L1Misses,
    L2Hits,
    L2Misses,
    Evictions,
    Walks,
    WalkReads,
    Invalidations,
    Flushes,
    PageFaults,
    DemandZero,
    SoftFaults,
    HardFaults,
    Copies,
    PagesIn,
    PagesOut,
    CommittedPages,
}

use Counter::{
    Accesses, CommittedPages, Copies, DemandZero, Evictions, Fetches, Flushes, HardFaults, Hits,
    Instructions, Invalidations, L1Hits, L1Misses, L2Hits, L2Misses, Misses, PageFaults, PagesIn,
    PagesOut, Reads, SoftFaults, WalkReads, Walks, Writes,
};

impl Counter {
    /// The counters by name, in the order of the document.
    const ALL: [(&'static str, Self); 24] = [
        ("instructions", Instructions),
        ("accesses", Accesses),
        ("reads", Reads),
        ("writes", Writes),
        ("fetches", Fetches),
        ("hits", Hits),
        ("misses", Misses),
        ("l1.hits", L1Hits),
        ("l1.misses", L1Misses),
        ("l2.hits", L2Hits),
        ("l2.misses", L2Misses),
        ("evictions", Evictions),
        ("walks", Walks),
        ("walk.reads", WalkReads),
        ("invalidations", Invalidations),
        ("flushes", Flushes),
        ("page.faults", PageFaults),
        ("demand.zero", DemandZero),
        ("soft.faults", SoftFaults),
        ("hard.faults", HardFaults),
        ("copies", Copies),
        ("pages.in", PagesIn),
        ("pages.out", PagesOut),
        ("committed.pages", CommittedPages),
    ];

    /// Returns the names.
    pub(crate) fn names() -> [&'static str; Self::ALL.len()] {
        Self::ALL.map(|(name, _)| name)
    }

    /// Returns the counter of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, counter)| counter)
    }

    /// Returns the name.
    pub(crate) fn name(self) -> &'static str {
        let known = Self::ALL.into_iter().find(|&(_, known)| known == self);
        known.map_or("", |(name, _)| name)
    }

    /// Returns what a machine has counted so far.
    pub(crate) fn value<W: Watch>(self, machine: &Machine<W>) -> u64 {
        let counted = machine.statistics();
        let manager = *machine.vmm().counters();
        let level = |level| *counted.level(level);
        let first = [LevelId::L1Data, LevelId::L1Instruction];
        let all = LevelId::ALL;
        let sum = |levels: &[LevelId], part: fn(&LevelStatistics) -> u64| {
            levels.iter().map(|&id| part(&level(id))).sum::<u64>()
        };
        let hits = |level: &LevelStatistics| level.hits.total();
        let misses = |level: &LevelStatistics| level.misses.total();
        match self {
            Instructions => machine.instructions(),
            Accesses => counted.accesses.total(),
            Reads => counted.accesses.reads,
            Writes => counted.accesses.writes,
            Fetches => counted.accesses.fetches,
            Hits => sum(&all, hits),
            // Each walk answers a look-up that no level could, but for those made in spite of a hit.
            Misses => counted.walks.saturating_sub(counted.rewalks),
            L1Hits => sum(&first, hits),
            L1Misses => sum(&first, misses),
            L2Hits => hits(&level(LevelId::L2)),
            L2Misses => misses(&level(LevelId::L2)),
            Evictions => sum(&all, |level| level.evictions),
            Walks => counted.walks,
            WalkReads => counted.walk_references,
            Invalidations => counted.invalidations,
            Flushes => counted
                .flushes_all
                .saturating_add(counted.flushes_non_global),
            PageFaults => counted.faults(),
            DemandZero => manager.demand_zero,
            SoftFaults => manager.soft_faults,
            HardFaults => manager.hard_faults,
            Copies => manager.copies_on_write,
            PagesIn => manager.pages_in,
            PagesOut => manager.pages_out,
            CommittedPages => u64::from(machine.vmm().commit().charged_pages),
        }
    }
}
