//! The data of a report: what the page shows, as one JSON object.

use std::collections::BTreeMap;

use pagefault_machine::vmm::Protection;
use pagefault_machine::vmm::mmu::{FrameNumber, PAGE_SIZE, PhysMemory, Root};
use pagefault_machine::{ExceptionReport, Machine, MapEntry, Outcome, SourceLine, Watch};
use serde_json::{Value, json};

use crate::explain;
use crate::json::{self as objects, SCHEMA};
use crate::look::report::book::{Book, Counts, Kind, Picture, Row};

/// The bit P of an entry.
const PRESENT: u64 = 1;
/// The bit PS of a directory entry.
const LARGE: u64 = 1 << 7;
/// The address in a PAE entry.
const PAE_FRAME: u64 = 0x000F_FFFF_FFFF_F000;
/// The address in a two-level entry.
const FRAME: u64 = 0xFFFF_F000;
/// The most entries of the tables that are shown.
const MAX_ENTRIES: usize = 100_000;

/// Returns the object.
pub(crate) fn of<W: Watch>(
    book: &Book,
    machine: &Machine<W>,
    outcome: &Outcome,
    program: &str,
) -> Value {
    json!({
        "schema": SCHEMA,
        "program": program,
        "outcome": ended(outcome),
        "instructions": machine.instructions(),
        "statistics": objects::statistics(&machine.statistics()),
        "left_out": book.left_out,
        "rows": book.rows.iter().map(|row| row_json(row, machine)).collect::<Vec<_>>(),
        "misses": book.misses,
        "maps": book.maps.iter().map(picture).collect::<Vec<_>>(),
        "regions": regions(book),
        "instructions_by_count": instructions(book, machine),
        "source": source(book, machine),
        "exceptions": book.exceptions.iter().map(exception).collect::<Vec<_>>(),
        "tables": tables(machine),
    })
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("exits with {code}"),
        Outcome::Exception(report) => format!("is ended by: {}", report.status.name()),
        Outcome::BudgetExceeded => "uses up its instructions".to_owned(),
        other => objects::name(other).replace('_', " "),
    }
}

fn row_json<W: Watch>(row: &Row, machine: &Machine<W>) -> Value {
    let kind = match row.kind {
        Kind::Call => "call",
        Kind::Fault => "fault",
        Kind::Exception => "exception",
    };
    let line = machine.debug().line(row.eip).map(|line| line.line);
    json!({ "at": row.at, "kind": kind, "text": row.text, "addr": row.addr, "line": line })
}

fn picture(picture: &Picture) -> Value {
    let runs: Vec<_> = picture.entries.iter().map(run).collect();
    json!({ "at": picture.at, "why": picture.why, "runs": runs })
}

fn run(entry: &MapEntry) -> Value {
    let info = &entry.run.info;
    json!({
        "base": info.base.bits(),
        "size": info.size_bytes,
        "state": info.state.name(),
        "protection": info.protection.map(|protection: Protection| protection.to_string()),
        "type": info.allocation.as_ref().map(|allocation| allocation.kind.name()),
        "resident": entry.run.resident_pages,
        "locked": entry.run.locked_pages,
        "purpose": entry.purpose,
    })
}

/// Returns what was counted of each allocation: that which was at the address last.
fn regions(book: &Book) -> Vec<Value> {
    let mut sums: BTreeMap<u32, (Counts, &'static str)> = BTreeMap::new();
    for (page, counts) in &book.by_page {
        let addr = page.wrapping_mul(PAGE_SIZE);
        let found = book.maps.iter().rev().find_map(|picture| {
            picture.entries.iter().find(|entry| {
                let info = &entry.run.info;
                addr.wrapping_sub(info.base.bits()) < info.size_bytes
            })
        });
        let allocation = found.and_then(|entry| entry.run.info.allocation);
        let base = allocation.map_or(0, |allocation| allocation.base.bits());
        let purpose = match found {
            Some(entry) => entry.purpose.unwrap_or("the program's own"),
            None => "nothing there",
        };
        let (sum, _) = sums.entry(base).or_insert((Counts::default(), purpose));
        sum.misses += counts.misses;
        sum.faults += counts.faults;
    }
    let each = sums.into_iter().map(|(base, (sum, purpose))| {
        json!({ "base": base, "purpose": purpose, "misses": sum.misses, "faults": sum.faults })
    });
    each.collect()
}

/// Returns the instructions that missed or faulted most.
fn instructions<W: Watch>(book: &Book, machine: &Machine<W>) -> Vec<Value> {
    /// How many are shown.
    const SHOWN: usize = 100;
    let mut list: Vec<_> = book
        .by_instruction
        .iter()
        .filter(|(_, counts)| counts.misses + counts.faults > 0)
        .collect();
    list.sort_by_key(|&(eip, counts)| (std::cmp::Reverse(counts.misses + counts.faults), *eip));
    let each = list.into_iter().take(SHOWN).map(|(eip, counts)| {
        let symbol = machine.debug().symbol(*eip);
        let symbol = symbol.map(|symbol| format!("{}+{:X}h", symbol.name, symbol.offset));
        let line = machine.debug().line(*eip);
        json!({
            "eip": eip, "symbol": symbol, "line": line.map(|line| line.line),
            "text": line.map(|line| line.text.trim()),
            "runs": counts.runs, "misses": counts.misses, "faults": counts.faults,
        })
    });
    each.collect()
}

/// Returns the lines of source that have code, with what was counted of them.
fn source<W: Watch>(book: &Book, machine: &Machine<W>) -> Vec<Value> {
    let mut lines: BTreeMap<(&str, u32), (Counts, &SourceLine)> = BTreeMap::new();
    let all = machine.debug().lines();
    for line in all {
        let key = (line.file.as_str(), line.line);
        lines.entry(key).or_insert((Counts::default(), line));
    }
    for (eip, counts) in &book.by_instruction {
        let Some(line) = machine.debug().line(*eip) else {
            continue;
        };
        let key = (line.file.as_str(), line.line);
        if let Some((sum, _)) = lines.get_mut(&key) {
            // A line of several instructions ran as often as the one that ran most.
            sum.runs = sum.runs.max(counts.runs);
            sum.misses += counts.misses;
            sum.faults += counts.faults;
        }
    }
    let each = lines.into_iter().map(|((file, number), (sum, line))| {
        json!({
            "file": file, "line": number, "text": line.text,
            "runs": sum.runs, "misses": sum.misses, "faults": sum.faults,
        })
    });
    each.collect()
}

fn exception((at, report): &(u64, Box<ExceptionReport>)) -> Value {
    let text = explain::exception(report);
    let text = anstream::adapter::strip_str(&text).to_string();
    json!({ "at": at, "name": report.status.name(), "text": text })
}

/// Returns the entries of the tables that are not zero, as a tree from CR3.
fn tables<W: Watch>(machine: &Machine<W>) -> Value {
    let mem = machine.mmu().mem();
    let root = machine.vmm().root(machine.process());
    let mut left = MAX_ENTRIES;
    match root {
        Root::TwoLevel(frame) => {
            let directory = table(mem, frame, 4, 1, &mut left);
            json!({ "cr3": root.cr3(), "levels": ["PDE", "PTE"], "entries": directory })
        }
        Root::Pae(pdpt) => {
            let each = (0..4_u64).filter_map(|index| {
                let at = pagefault_machine::vmm::mmu::PhysAddr::new(pdpt.bits() + index * 8)?;
                let value = mem.read::<u64>(at);
                let frame = FrameNumber::new(u32::try_from((value & PAE_FRAME) >> 12).ok()?)?;
                let below = (value & PRESENT != 0).then(|| table(mem, frame, 8, 1, &mut left));
                let is_shown = value != 0;
                is_shown.then(|| entry_json(index, at.bits(), value, below))
            });
            let entries: Vec<_> = each.collect();
            json!({ "cr3": root.cr3(), "levels": ["PDPTE", "PDE", "PTE"], "entries": entries })
        }
    }
}

/// Returns the entries of a table, and of those below.
fn table(
    mem: &PhysMemory,
    frame: FrameNumber,
    entry_bytes: u32,
    below: u32,
    left: &mut usize,
) -> Vec<Value> {
    let mut entries = Vec::new();
    for index in 0..PAGE_SIZE / entry_bytes {
        let at = frame.byte(index * entry_bytes);
        let value = if entry_bytes == 4 {
            u64::from(mem.read::<u32>(at))
        } else {
            mem.read::<u64>(at)
        };
        if value == 0 || *left == 0 {
            continue;
        }
        *left -= 1;
        let mask = if entry_bytes == 4 { FRAME } else { PAE_FRAME };
        let next = u32::try_from((value & mask) >> 12).ok();
        let next = next.and_then(FrameNumber::new);
        let is_table = below > 0 && value & PRESENT != 0 && value & LARGE == 0;
        let children = next
            .filter(|_| is_table)
            .map(|next| table(mem, next, entry_bytes, below - 1, left));
        entries.push(entry_json(index.into(), at.bits(), value, children));
    }
    entries
}

/// Returns an entry. Values of 64 bits are text: numbers of the page have 53.
fn entry_json(index: u64, at: u64, value: u64, below: Option<Vec<Value>>) -> Value {
    json!({ "i": index, "at": at, "v": format!("{value:08x}"), "c": below.map_or(Value::Null, Value::Array) })
}
