//! TLB simulation: counts on which independent simulators agree.
//!
//! The tables of a directory say by their columns what they are about. Traces lie in `traces`, in
//! lackey's text, plain or compressed (or in `../../traces`, where the repository has them for other
//! uses too); samples of trace formats lie in `formats`.

mod formats;
mod row;
mod traces;

use std::path::Path;

use pagefault_mmu::{Geometry, Policy};
use pagefault_tlbsim::engine::all_lru::AllLru;
use pagefault_tlbsim::engine::array::Array;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::engine::opt::Future;

use crate::golden::GoldenError;
use crate::golden::report::{FileReport, Report};
use crate::golden::table::{self, Row, Table};
use crate::golden::tlb::row::{Counted, RowError, Rule, count, expect, geometry, number, text};
use crate::golden::tlb::traces::{Selection, Traces};

/// Where the repository keeps the traces, as seen from its golden data.
const SHARED_TRACES: &str = "../../traces";

/// What a table is about, and how its rows are judged.
type Judge = fn(Row<'_>, &mut Traces) -> Result<(), RowError>;

/// Tables by the columns that tell them apart, the more special ones first.
const KINDS: [(&[&str], Judge); 7] = [
    (&["pattern", "args", "seed"], synthetic),
    (&["l1_sets", "l2_sets"], two_level),
    (&["l1", "stlb_misses"], skylake),
    (&["flush_period"], flush),
    (&["stream", "split", "entries", "policy"], single),
    (&["sets", "ways", "lru_misses"], all_lru),
    (&["entries", "lru_misses"], curve),
];

/// Replays every table of a directory, and the samples of formats under it.
///
/// # Errors
///
/// [`GoldenError`] if a file cannot be read.
pub fn run(dir: &Path) -> Result<Report, GoldenError> {
    let own = dir.join("traces");
    let mut traces = if own.is_dir() {
        Traces::new(&own)
    } else {
        Traces::new(&dir.join(SHARED_TRACES))
    };
    let mut report = Report::default();
    for table in table::read_dir(dir)? {
        report.files.push(replay(&table, &mut traces)?);
    }
    let formats = dir.join("formats");
    if formats.is_dir() {
        report.files.push(formats::run(&formats)?);
    }
    Ok(report)
}

fn replay(table: &Table, traces: &mut Traces) -> Result<FileReport, GoldenError> {
    let mut report = FileReport::new(table.name());
    let kind = KINDS.iter().find(|(columns, _)| table.has(columns));
    let Some((_, judge)) = kind else {
        report
            .failures
            .push("its columns are those of no known kind".to_owned());
        return Ok(report);
    };
    for row in table.rows() {
        match judge(row, traces) {
            Ok(()) => report.passed += 1,
            Err(RowError::Golden(error)) => return Err(error),
            Err(error) => report.failures.push(format!("{row}\n    {error}")),
        }
    }
    Ok(report)
}

/// One array, on a stream of a trace.
fn single(row: Row<'_>, traces: &mut Traces) -> Result<(), RowError> {
    let selection = Selection::of(row)?;
    let rule = Rule::of(text(row, "policy")?)?;
    let geometry = geometry(text(row, "sets")?, number(row, "ways")?, rule)?;
    expect(row, "entries", u64::from(geometry.entries()))?;

    let distances = traces.distances(selection)?;
    let (compulsory, full) = (
        distances.compulsory(),
        distances.misses(u64::from(geometry.entries())),
    );
    let counted = traces.count(selection, geometry, rule)?;

    counted.expect(row)?;
    expect(row, "hits", counted.accesses - counted.misses)?;
    expect(row, "compulsory", compulsory)?;
    if row.get("capacity").is_some() {
        expect(row, "capacity", full - compulsory)?;
        let conflict = counted.misses.cast_signed() - full.cast_signed();
        let expected: Option<i64> = text(row, "conflict")?.parse().ok();
        if expected != Some(conflict) {
            return Err(RowError::other("conflict", conflict));
        }
    }
    Ok(())
}

/// One array that is emptied every so many look-ups.
fn flush(row: Row<'_>, traces: &mut Traces) -> Result<(), RowError> {
    let selection = Selection::of(row)?;
    let rule = Rule::of(text(row, "policy")?)?;
    let geometry = geometry(text(row, "sets")?, number(row, "ways")?, rule)?;
    let period: usize = number(row, "flush_period")?;
    let pages = traces.pages(selection)?;

    let mut array = Array::new(geometry, 0);
    let mut misses = 0;
    for pages in pages.chunks(period.max(1)) {
        misses += array.run(pages);
        array.flush();
    }

    let accesses = pages.len() as u64;
    Counted { accesses, misses }.expect(row)
}

/// Two levels.
fn two_level(row: Row<'_>, traces: &mut Traces) -> Result<(), RowError> {
    let selection = Selection::of(row)?;
    let level = |sets, ways, policy| {
        let rule = Rule::of(text(row, policy)?)?;
        geometry(text(row, sets)?, number(row, ways)?, rule)
    };
    let first = level("l1_sets", "l1_ways", "l1_policy")?;
    let second = level("l2_sets", "l2_ways", "l2_policy")?;
    let pages = traces.pages(selection)?;

    let (l1_misses, l2_misses) = through(pages, first, second);

    expect(row, "accesses", pages.len() as u64)?;
    expect(row, "l1_misses", l1_misses)?;
    expect(row, "l2_misses", l2_misses)
}

/// Skylake's second level, alone or behind a first level.
fn skylake(row: Row<'_>, traces: &mut Traces) -> Result<(), RowError> {
    let selection = Selection::of(row)?;
    let l1 = text(row, "l1")?;
    let pages = traces.pages(selection)?;
    let skylake = geometry("128 xor7", 12, Rule::Kept(Policy::Mru3Plru4))?;
    expect(row, "accesses", pages.len() as u64)?;
    match l1 {
        "none" => expect(row, "stlb_misses", Array::new(skylake, 0).run(pages)),
        "none; one set of 12" => {
            let one_set = geometry("1", 12, Rule::Kept(Policy::Mru3Plru4))?;
            expect(row, "stlb_misses", Array::new(one_set, 0).run(pages))
        }
        _ => {
            let (shape, policy) = l1.split_once(' ').ok_or(RowError::Value { column: "l1" })?;
            let (sets, ways) = shape
                .split_once('x')
                .ok_or(RowError::Value { column: "l1" })?;
            let ways = ways.parse().map_err(|_| RowError::Value { column: "l1" })?;
            let first = geometry(sets, ways, Rule::of(policy)?)?;
            let (l1_misses, stlb_misses) = through(pages, first, skylake);
            expect(row, "l1_misses", l1_misses)?;
            expect(row, "stlb_misses", stlb_misses)
        }
    }
}

/// A size of the miss-ratio curve.
fn curve(row: Row<'_>, traces: &mut Traces) -> Result<(), RowError> {
    let selection = Selection::of(row)?;
    let entries = number(row, "entries")?;
    let distances: &StackDistances<u32> = traces.distances(selection)?;

    expect(row, "accesses", distances.accesses())?;
    expect(row, "compulsory", distances.compulsory())?;
    expect(row, "lru_misses", distances.misses(entries))
}

/// One of all LRU geometries.
fn all_lru(row: Row<'_>, traces: &mut Traces) -> Result<(), RowError> {
    let selection = Selection::of(row)?;
    let (sets, ways): (u32, usize) = (number(row, "sets")?, number(row, "ways")?);
    let all: &AllLru<u32> = traces.all_lru(selection)?;

    expect(row, "accesses", all.accesses())?;
    let by_ways = all.misses().get(sets.trailing_zeros() as usize).copied();
    let misses = by_ways
        .filter(|_| sets.is_power_of_two())
        .and_then(|by_ways| by_ways.get(ways.wrapping_sub(1)).copied());
    if let Some(misses) = misses {
        return expect(row, "lru_misses", misses);
    }
    // Beyond the geometries of the pass.
    let rule = Rule::Kept(Policy::Lru);
    let ways = u32::try_from(ways).map_err(|_| RowError::Value { column: "ways" })?;
    let geometry = geometry(&sets.to_string(), ways, rule)?;
    let counted = traces.count(selection, geometry, rule)?;
    expect(row, "lru_misses", counted.misses)
}

/// One array, on a generated stream.
fn synthetic(row: Row<'_>, _traces: &mut Traces) -> Result<(), RowError> {
    let rule = Rule::of(text(row, "policy")?)?;
    let geometry = geometry(text(row, "sets")?, number(row, "ways")?, rule)?;
    let accesses: usize = number(row, "accesses")?;
    let pages = traces::generated(row, accesses)?;

    let future = (rule == Rule::Opt).then(|| Future::of(&pages));
    let needed = "made for the rule that needs it";
    let counted = count(&pages, geometry, rule, &|| future.as_ref().expect(needed));

    counted.expect(row)?;
    let mut distances = StackDistances::new();
    distances.run(&pages);
    expect(row, "compulsory", distances.compulsory())
}

/// Returns the misses of two levels: the second is looked up where the first misses, and filled as
/// well.
fn through(pages: &[u32], first: Geometry, second: Geometry) -> (u64, u64) {
    let mut missed = Vec::new();
    let l1_misses = Array::new(first, 0).run_noting(pages, |index| missed.push(pages[index]));
    (l1_misses, Array::new(second, 0).run(&missed))
}
