//! What `sim` and `compare` say of a TLB.

use pagefault_tlbsim::session::Planner;
use pagefault_tlbsim::system::{Counts, Level, LevelCounts, Paging, System};

use crate::tlb::args::{PagingChoice, RunArguments};
use crate::tlb::table::Cell;

/// The columns behind the name of the TLB.
pub(crate) const COLUMNS: [&str; 34] = [
    "accesses",
    "fetches",
    "reads",
    "writes",
    "modifies",
    "l1_hits",
    "l1_misses",
    "l1_miss_ratio",
    "l1_data_misses",
    "l1_instruction_misses",
    "fetch_misses",
    "read_misses",
    "write_misses",
    "modify_misses",
    "l1_compulsory",
    "l1_capacity",
    "l1_conflict",
    "l1_reach_bytes",
    "l2_hits",
    "l2_misses",
    "l2_miss_ratio",
    "l2_compulsory",
    "l2_capacity",
    "l2_conflict",
    "l2_reach_bytes",
    "walks",
    "walk_references",
    "walk_cycles",
    "instructions",
    "l1_mpki",
    "walk_mpki",
    "effective_access_cycles",
    "flushes",
    "invalidations",
];

/// What the numbers of a TLB depend on.
pub(crate) struct Context {
    pub(crate) paging: Paging,
    pub(crate) costs: pagefault_tlbsim::system::Costs,
    pub(crate) instructions: Option<u64>,
    pub(crate) page_shift: u8,
}

/// The widest 32-bit address.
const MAX_NARROW: u64 = u32::MAX as u64;

impl Context {
    pub(crate) fn new(run: &RunArguments, planner: &Planner, page_shift: u8) -> Self {
        let paging = match run.paging {
            Some(PagingChoice::TwoLevel) => Paging::TwoLevel,
            Some(PagingChoice::Pae) => Paging::Pae,
            Some(PagingChoice::FiveLevel) => Paging::FiveLevel,
            None if planner.highest_address() <= MAX_NARROW => Paging::TwoLevel,
            Some(PagingChoice::FourLevel) | None => Paging::FourLevel,
        };
        let costs = pagefault_tlbsim::system::Costs {
            access: run.access_cycles,
            second_level: run.l2_cycles,
            reference: run.reference_cycles,
        };
        Self {
            paging,
            costs,
            instructions: planner.instructions(),
            page_shift,
        }
    }

    /// Returns the formula of the effective access time.
    pub(crate) fn formula(&self) -> String {
        let tables = match self.paging {
            Paging::TwoLevel => "two-level tables: 2 references for a walk, 1 for a large page",
            Paging::Pae => "PAE tables: 2 references for a walk, 1 for a large page",
            Paging::FourLevel => "four-level tables: 4 references for a walk, 3 for 2 MiB",
            Paging::FiveLevel => "five-level tables: 5 references for a walk, 4 for 2 MiB",
        };
        let costs = self.costs;
        format!(
            "effective access time = {} + (L2 hits x {} + walk references x {}) / accesses; {tables}",
            costs.access, costs.second_level, costs.reference
        )
    }

    /// Returns the values of all columns.
    pub(crate) fn row(&self, system: &System) -> Vec<Cell> {
        let counts = system.counts();
        let [data, instruction, second] = &counts.levels;
        let is_split = !system.config().instruction.is_empty();
        let has_second = !system.config().second.is_empty();
        let misses = counts.first_misses();
        let accesses = counts.total_accesses();
        let split = |count: u64| {
            if is_split {
                Cell::Count(count)
            } else {
                Cell::None
            }
        };
        let mut row: Vec<Cell> = std::iter::once(accesses)
            .chain(counts.accesses)
            .map(Cell::Count)
            .collect();
        row.extend([
            Cell::Count(accesses - misses),
            Cell::Count(misses),
            ratio(misses, accesses),
            split(data.total_misses()),
            split(instruction.total_misses()),
        ]);
        let by_kind = data.misses.iter().zip(instruction.misses);
        row.extend(by_kind.map(|(data, instruction)| Cell::Count(data + instruction)));
        row.extend(reasons(&[data, instruction]));
        let reach = |level| system.reach_bytes(level, self.page_shift);
        row.push(Cell::Count(reach(Level::Data) + reach(Level::Instruction)));
        row.extend(second_level(second, has_second));
        row.push(if has_second {
            Cell::Count(reach(Level::Second))
        } else {
            Cell::None
        });
        row.extend(self.costs(counts));
        row.extend([
            Cell::Count(counts.flushes),
            Cell::Count(counts.invalidations),
        ]);
        row
    }

    fn costs(&self, counts: &Counts) -> [Cell; 7] {
        let mpki = |count: u64| {
            self.instructions
                .map_or(Cell::None, |all| ratio(count * 1000, all))
        };
        [
            Cell::Count(counts.total_walks()),
            Cell::Count(counts.references(self.paging)),
            Cell::Number(counts.walk_cycles(&self.costs, self.paging)),
            Cell::maybe(self.instructions),
            mpki(counts.first_misses()),
            mpki(counts.total_walks()),
            Cell::Number(counts.access_cycles(&self.costs, self.paging)),
        ]
    }
}

fn second_level(counts: &LevelCounts, is_there: bool) -> Vec<Cell> {
    if !is_there {
        return vec![Cell::None; 6];
    }
    let mut cells = vec![
        Cell::Count(counts.total_hits()),
        Cell::Count(counts.total_misses()),
        ratio(counts.total_misses(), counts.look_ups()),
    ];
    cells.extend(reasons(&[counts]));
    cells
}

/// Returns compulsory, capacity and conflict misses.
fn reasons(levels: &[&LevelCounts]) -> [Cell; 3] {
    let sums = levels.iter().map(|level| level.by_reason());
    let (compulsory, capacity, conflict) = sums.fold((0, 0, 0), |sums, reason| {
        let (compulsory, capacity, conflict) = sums;
        (
            compulsory + reason.compulsory,
            capacity + reason.capacity,
            conflict + reason.conflict,
        )
    });
    [
        Cell::Count(compulsory),
        Cell::Signed(capacity),
        Cell::Signed(conflict),
    ]
}

/// Returns a ratio; of nothing, nothing.
#[expect(clippy::cast_precision_loss, reason = "shown with six digits")]
pub(crate) fn ratio(part: u64, whole: u64) -> Cell {
    if whole == 0 {
        Cell::None
    } else {
        Cell::Number(part as f64 / whole as f64)
    }
}
