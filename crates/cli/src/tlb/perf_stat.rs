//! What `perf stat -x,` has counted.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::tlb::Failure;
use crate::tlb::table::{Cell, Table};

/// Parts of the names of events, and what they count. The first that fits decides.
const EVENTS: [(&str, &str); 22] = [
    (
        "dtlb_load_misses.stlb_hit",
        "loads that miss L1 and hit L2: part of l2_hits",
    ),
    (
        "dtlb_store_misses.stlb_hit",
        "stores that miss L1 and hit L2: part of l2_hits",
    ),
    (
        "itlb_misses.stlb_hit",
        "fetches that miss L1 and hit L2: part of l2_hits",
    ),
    (
        "dtlb_load_misses.walk_completed",
        "walks of loads that ended: part of walks",
    ),
    (
        "dtlb_store_misses.walk_completed",
        "walks of stores that ended: part of walks",
    ),
    (
        "itlb_misses.walk_completed",
        "walks of fetches that ended: part of walks",
    ),
    (
        "dtlb_load_misses.miss_causes_a_walk",
        "walks of loads that began: part of walks",
    ),
    (
        "dtlb_store_misses.miss_causes_a_walk",
        "walks of stores that began: part of walks",
    ),
    (
        "itlb_misses.miss_causes_a_walk",
        "walks of fetches that began: part of walks",
    ),
    (
        "walk_pending",
        "cycles with a walk under way: compare walk_cycles",
    ),
    ("walk_duration", "cycles of walks: compare walk_cycles"),
    (
        "walk_active",
        "cycles with a walk under way: compare walk_cycles",
    ),
    (
        "mem_inst_retired.stlb_miss",
        "retired accesses that walked: part of walks",
    ),
    (
        "ls_l1_d_tlb_miss",
        "data misses of L1 (AMD): l1_data_misses",
    ),
    (
        "bp_l1_tlb_miss_l2_tlb_hit",
        "fetches that miss L1 and hit L2 (AMD): part of l2_hits",
    ),
    (
        "dtlb-load-misses",
        "loads that walk, on Intel; L1 misses elsewhere",
    ),
    (
        "dtlb-store-misses",
        "stores that walk, on Intel; L1 misses elsewhere",
    ),
    (
        "itlb-load-misses",
        "fetches that walk, on Intel; L1 misses elsewhere",
    ),
    ("dtlb-loads", "loads: reads in accesses"),
    ("dtlb-stores", "stores: writes in accesses"),
    (
        "itlb-loads",
        "fetches that miss L1 and hit L2, on Intel; look-ups elsewhere",
    ),
    ("instructions", "instructions: the base of the MPKI columns"),
];

/// Reads a file of `value,unit,event,…` lines; others are comments.
pub(crate) fn read(path: &Path) -> Result<Table, Failure> {
    let what = || format!("cannot read {}", path.display());
    let text = fs::read_to_string(path)
        .with_context(what)
        .map_err(Failure::Trace)?;
    let rows: Vec<Vec<Cell>> = text.lines().filter_map(row).collect();
    if rows.is_empty() {
        let nothing = anyhow::anyhow!("no line is value,unit,event as `perf stat -x,` writes");
        return Err(Failure::Trace(nothing.context(what())));
    }
    Ok(Table {
        name: "perf_stat",
        notes: vec![("measured by", format!("perf stat, {}", path.display()))],
        columns: vec!["event", "count", "level"],
        rows,
        ..Table::default()
    })
}

fn row(line: &str) -> Option<Vec<Cell>> {
    let mut fields = line.split(',');
    let (value, _unit, event) = (fields.next()?, fields.next()?, fields.next()?);
    if line.starts_with('#') || event.is_empty() {
        return None;
    }
    let count = match value.trim() {
        "<not supported>" | "<not counted>" => Cell::text(value.trim()),
        value => Cell::Count(value.parse().ok()?),
    };
    let lower = event.to_ascii_lowercase();
    let known = EVENTS.iter().find(|(part, _)| lower.contains(part));
    let meaning = known.map_or("not about the TLB, or not known here", |(_, meaning)| {
        meaning
    });
    Some(vec![Cell::text(event), count, Cell::text(meaning)])
}
