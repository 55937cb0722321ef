//! The address space as a table.

use std::fmt::Write;

use pagefault_machine::vmm::{MemoryState, Protection};
use pagefault_machine::{Machine, MapEntry, Outcome, Watch};
use serde_json::{Value, json};

use crate::json::{SCHEMA, name};

/// Bytes of a kibibyte.
const KIB: u32 = 1024;
/// Pages of a kibibyte: a page has four.
const KIB_PER_PAGE: u32 = 4;

/// Returns the table: a line for each run of pages, and the sums.
pub(crate) fn text<W: Watch>(machine: &Machine<W>) -> String {
    table(&machine.address_map())
}

/// Returns the table of these runs.
pub(crate) fn table(entries: &[MapEntry]) -> String {
    let mut text = String::from(
        "base      size KiB  state    protection                 type     resident  locked  for\n",
    );
    for entry in entries {
        text += &line(entry);
    }
    let sum = |part: fn(&MapEntry) -> u32| entries.iter().map(part).sum::<u32>();
    let committed = sum(|entry| match entry.run.info.state {
        MemoryState::Commit => entry.run.info.size_bytes / KIB,
        MemoryState::Reserve | MemoryState::Free => 0,
    });
    let resident = sum(|entry| entry.run.resident_pages) * KIB_PER_PAGE;
    let total = sum(|entry| entry.run.info.size_bytes / KIB);
    _ = writeln!(
        text,
        "{total} KiB in use, {committed} KiB committed, {resident} KiB resident"
    );
    text
}

fn line(entry: &MapEntry) -> String {
    let info = &entry.run.info;
    let protection = info
        .protection
        .map(|protection| protection.to_string())
        .unwrap_or_default();
    let kind = info
        .allocation
        .as_ref()
        .map_or("", |allocation| allocation.kind.name());
    let (resident, locked) = (
        entry.run.resident_pages * KIB_PER_PAGE,
        entry.run.locked_pages * KIB_PER_PAGE,
    );
    let line = format!(
        "{:08X}  {:>8}  {:<7}  {protection:<25}  {kind:<7}  {resident:>8}  {locked:>6}  {}",
        info.base.bits(),
        info.size_bytes / KIB,
        info.state.name(),
        entry.purpose.unwrap_or_default(),
    );
    format!("{}\n", line.trim_end())
}

/// Returns the object that `map --json` prints.
pub(crate) fn json<W: Watch>(machine: &Machine<W>, outcome: Option<&Outcome>) -> Value {
    let entry = |entry: &MapEntry| {
        let info = &entry.run.info;
        let allocation = info.allocation.as_ref();
        json!({
            "base": info.base.bits(),
            "size": info.size_bytes,
            "state": info.state.name(),
            "protect": info.protection.map_or(0, Protection::bits),
            "type": allocation.map(|allocation| allocation.kind.name()),
            "allocation_base": allocation.map(|allocation| allocation.base.bits()),
            "resident_pages": entry.run.resident_pages,
            "locked_pages": entry.run.locked_pages,
            "purpose": entry.purpose,
        })
    };
    json!({
        "schema": SCHEMA,
        "outcome": outcome.map_or("stopped", name),
        "map": machine.address_map().iter().map(entry).collect::<Vec<_>>(),
    })
}
