//! `pagefault tlb show`: what the TLB holds.

use std::fmt::Write;

use pagefault_machine::vmm::mmu::TlbEntry;
use pagefault_machine::{Machine, Watch};
use serde_json::{Value, json};

use crate::json::SCHEMA;
use crate::look::page::{level_name, rights};
use crate::look::{TlbShowArguments, print, svg, write};

/// Shows the entries, and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn show<W: Watch>(
    arguments: &TlbShowArguments,
    machine: &Machine<W>,
) -> anyhow::Result<u8> {
    let entries: Vec<_> = machine.mmu().tlb_entries().collect();
    if let Some(path) = &arguments.svg {
        write(path, &svg::tlb(&entries))?;
    }
    if arguments.run.json {
        let entries: Vec<_> = entries.iter().map(entry_json).collect();
        let object = json!({
            "schema": SCHEMA, "instructions": machine.instructions(), "entries": entries,
        });
        print(&format!("{object:#}\n"))?;
    } else {
        print(&text(machine, &entries))?;
    }
    Ok(0)
}

fn text<W: Watch>(machine: &Machine<W>, entries: &[TlbEntry]) -> String {
    let mut text = String::from("level    array  set  way  page     frame    size  age  rights\n");
    for entry in entries {
        let size = match entry.size.shift() {
            12 => "4K",
            21 => "2M",
            _ => "4M",
        };
        let age = entry.age.map_or("-".to_owned(), |age| age.to_string());
        let purpose = machine.page_report(entry.page.start());
        let purpose = purpose
            .purpose
            .map(|purpose| format!("; {purpose}"))
            .unwrap_or_default();
        _ = writeln!(
            text,
            "{:<8} {:>5} {:>4} {:>4}  {:<7}  {:<7}  {size:>4} {age:>4}  {}{purpose}",
            level_name(entry.level),
            entry.array,
            entry.set,
            entry.way,
            entry.page.to_string(),
            entry.frame.to_string(),
            rights(entry.rights),
        );
    }
    _ = writeln!(
        text,
        "{} translations after {} instructions; age: how many of the set were used later",
        entries.len(),
        machine.instructions()
    );
    text
}

fn entry_json(entry: &TlbEntry) -> Value {
    json!({
        "level": level_name(entry.level), "array": entry.array, "set": entry.set,
        "way": entry.way, "page": entry.page.bits(), "pages": entry.size.small_pages(),
        "frame": entry.frame.bits(), "rights": rights(entry.rights), "age": entry.age,
    })
}
