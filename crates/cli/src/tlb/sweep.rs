//! `pagefault tlb sweep`.

use pagefault_machine::vmm::mmu::{Geometry, Policy};
use pagefault_tlbsim::engine::all_lru::{AllLru, MAX_SETS, MAX_WAYS, SET_COUNTS};
use pagefault_tlbsim::engine::array::Array;
use rayon::prelude::*;

use crate::tlb::args::{Budget, SweepArguments};
use crate::tlb::input::{self, Input};
use crate::tlb::table::{Cell, Table};
use crate::tlb::{Failure, chart, metrics, write, write_file};

/// A geometry with its misses.
#[derive(Clone, Copy, Debug)]
struct Point {
    policy: Policy,
    sets: u32,
    ways: u32,
    misses: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: &SweepArguments) -> Result<(), Failure> {
    let mut input = Input::open(&arguments.input)?;
    input.refuse_samples()?;
    let plan = input::plan(&arguments.input, &input);
    let mut all = AllLru::new();
    let mut others = others(arguments);
    let mut misses = vec![0; others.len()];
    let mut pages = Vec::new();
    for_each_batch(&mut input, &plan, &mut pages, |pages| {
        all.run(pages);
        let both = others.par_iter_mut().zip(&mut misses);
        both.for_each(|(array, misses)| *misses += array.run(pages));
    })?;
    input.warn();

    let by_sets = all.misses();
    let lru = (0..SET_COUNTS).flat_map(|level| {
        let by_ways = &by_sets[level];
        (1..=MAX_WAYS)
            .zip(by_ways)
            .map(move |(ways, &misses)| Point {
                policy: Policy::Lru,
                sets: 1 << level,
                ways,
                misses,
            })
    });
    let others = others.iter().zip(&misses).map(|(array, &misses)| Point {
        policy: array.geometry().policy(),
        sets: array.geometry().sets(),
        ways: array.geometry().ways(),
        misses,
    });
    let points: Vec<Point> = lru.chain(others).collect();
    if let Some(path) = &arguments.svg {
        write_file(
            path,
            &chart::heat_map(&chart::ratios(&by_sets, all.accesses())),
        )?;
    }
    let mut table = table(&points, all.accesses(), all.compulsory());
    input::note(&mut table, &input, &plan);
    table.notes.push((
        "events",
        "flushes and invalidations of the trace are left out".to_owned(),
    ));
    if let Some(budget) = arguments.budget {
        table
            .notes
            .push(("cheapest", cheapest(&points, budget, all.accesses())));
    }
    if arguments.output.form() == crate::tlb::args::Form::Text {
        return write(&arguments.output, &[grid(&points, &table, all.accesses())]);
    }
    write(&arguments.output, &[table])
}

/// Feeds page numbers batch by batch.
pub(crate) fn for_each_batch(
    input: &mut Input,
    plan: &pagefault_tlbsim::session::Plan,
    pages: &mut Vec<u64>,
    mut take: impl FnMut(&[u64]),
) -> Result<(), Failure> {
    let mut records = Vec::new();
    let mut passed = 0;
    loop {
        input.read(&mut records)?;
        let end = plan.limit.map(|limit| plan.skip.saturating_add(limit));
        let count = records.len() as u64;
        if count == 0 || end.is_some_and(|end| passed >= end) {
            return Ok(());
        }
        let index =
            |record: u64| usize::try_from(record.saturating_sub(passed).min(count)).unwrap_or(0);
        let taken = index(plan.skip)..index(end.unwrap_or(u64::MAX));
        passed += count;
        pages.clear();
        plan.conventions.wide_pages(&records[taken], pages);
        take(pages);
    }
}

/// Returns the arrays of the other policies: those that can be built, and are this shard's.
fn others(arguments: &SweepArguments) -> Vec<Array<u64>> {
    let policies = arguments
        .policies
        .iter()
        .filter(|&&policy| policy != Policy::Lru);
    let geometries = policies.flat_map(|&policy| {
        (0..SET_COUNTS).flat_map(move |level| {
            let ways = 1..=MAX_WAYS;
            ways.filter_map(move |ways| Geometry::new(ways << level, ways, policy).ok())
        })
    });
    let mine = geometries
        .enumerate()
        .filter(|(item, _)| arguments.shard.is_none_or(|shard| shard.has(*item)));
    mine.map(|(_, geometry)| Array::new(geometry, arguments.input.seed))
        .collect()
}

fn table(points: &[Point], accesses: u64, compulsory: u64) -> Table {
    let rows = points.iter().map(|point| {
        vec![
            Cell::text(point.policy.name()),
            Cell::Count(u64::from(point.sets)),
            Cell::Count(u64::from(point.ways)),
            Cell::Count(u64::from(point.sets * point.ways)),
            Cell::Count(accesses),
            Cell::Count(point.misses),
            metrics::ratio(point.misses, accesses),
            Cell::Count(compulsory),
        ]
    });
    Table {
        name: "geometries",
        columns: vec![
            "policy",
            "sets",
            "ways",
            "entries",
            "accesses",
            "misses",
            "miss_ratio",
            "compulsory",
        ],
        rows: rows.collect(),
        ..Table::default()
    }
}

/// Names of the ways, for the columns of the grid.
const WAYS: [&str; MAX_WAYS as usize] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
];

/// Returns the misses by sets and ways, for people.
fn grid(points: &[Point], table: &Table, accesses: u64) -> Table {
    let mut rows = Vec::new();
    let mut policies: Vec<Policy> = Vec::new();
    for point in points {
        if !policies.contains(&point.policy) {
            policies.push(point.policy);
        }
    }
    for policy in policies {
        for sets in (0..SET_COUNTS).map(|level| 1 << level) {
            let cell = |ways| {
                let mut points = points.iter();
                let is_it =
                    |point: &&Point| (point.policy, point.sets, point.ways) == (policy, sets, ways);
                Cell::maybe(points.find(is_it).map(|point| point.misses))
            };
            let head = [Cell::text(policy.name()), Cell::Count(u64::from(sets))];
            rows.push(head.into_iter().chain((1..=MAX_WAYS).map(cell)).collect());
        }
    }
    let mut notes = table.notes.clone();
    let what = format!("misses of {accesses} look-ups, by sets (1 to {MAX_SETS}) and ways");
    notes.push(("table", what));
    Table {
        name: table.name,
        notes,
        columns: ["policy", "sets"].into_iter().chain(WAYS).collect(),
        rows,
        ..Table::default()
    }
}

/// Returns the geometry with the fewest entries that keeps the budget; of several, the one with the
/// fewest ways.
fn cheapest(points: &[Point], budget: Budget, accesses: u64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the accesses, rounded down"
    )]
    let allowed = match budget {
        Budget::Misses(misses) => misses,
        Budget::Ratio(ratio) => (accesses as f64 * ratio) as u64,
    };
    let within = points.iter().filter(|point| point.misses <= allowed);
    let best = within.min_by_key(|point| (point.sets * point.ways, point.ways));
    match best {
        Some(point) => format!(
            "{} sets of {} ways, {} ({} entries): {} misses, of {allowed} allowed",
            point.sets,
            point.ways,
            point.policy.name(),
            point.sets * point.ways,
            point.misses
        ),
        None => format!("no geometry misses at most {allowed} look-ups"),
    }
}
