//! `pagefault walk` on a program.

use std::fmt::Write;

use pagefault_lab::expect::Subject;
use pagefault_machine::vmm::mmu::tables::Entry;
use pagefault_machine::vmm::mmu::{Dump, EntryRange, PhysMemory, PteFlags, Root, ranges};
use pagefault_machine::{Machine, Watch};
use serde_json::{Value, json};

use crate::json::SCHEMA;
use crate::look::{EXIT_USAGE, TablesForm, WalkArguments, address, page, print, svg, write};

/// The word for every page, in place of an address.
const ALL: &str = "all";

/// Shows the walk of an address, and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn show<W: Watch>(
    arguments: &WalkArguments,
    machine: &mut Machine<W>,
    subject: Subject<'_>,
) -> anyhow::Result<u8> {
    if is_all(arguments) {
        let root = machine.vmm().root(machine.process());
        return tables(arguments, machine.mmu().mem(), root);
    }
    let addr = match address(&arguments.address, machine, subject) {
        Ok(addr) => addr,
        Err(message) => {
            anstream::eprintln!("error: {message}");
            return Ok(EXIT_USAGE);
        }
    };
    let report = machine.page_report(addr);
    if let Some(path) = &arguments.svg {
        write(path, &svg::walk(&report))?;
    }
    if arguments.run.json {
        let object = json!({ "schema": SCHEMA, "page": page::json(&report) });
        print(&format!("{object:#}\n"))?;
    } else {
        let (walk, place) = (page::walk_text(&report), page::place_text(&report));
        print(&format!("{walk}{place}{}", page::region_text(&report)))?;
    }
    Ok(0)
}

/// Returns whether every page is asked for.
pub(crate) fn is_all(arguments: &WalkArguments) -> bool {
    arguments.address == ALL
}

/// Shows all of the tables, and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn tables(
    arguments: &WalkArguments,
    mem: &PhysMemory,
    root: Root,
) -> anyhow::Result<u8> {
    if arguments.svg.is_some() {
        anstream::eprintln!("error: a picture shows the walk of one address, not of all");
        return Ok(EXIT_USAGE);
    }
    if arguments.run.json {
        let list: Vec<_> = ranges(mem, root)
            .filter(|range| range.entry != Entry::NoTable)
            .map(|range| range_json(&range))
            .collect();
        let object = json!({ "schema": SCHEMA, "cr3": root.cr3(), "ranges": list });
        print(&format!("{object:#}\n"))?;
        return Ok(0);
    }
    match arguments.tables {
        TablesForm::Ranges => print(&format!("{}\n", Dump::new(mem, root)))?,
        TablesForm::Xv6 => print(&xv6(mem, root))?,
    }
    Ok(0)
}

fn range_json(range: &EntryRange) -> Value {
    let (kind, frame, flags) = match range.entry {
        Entry::NoTable => ("no table", None, None),
        Entry::Software(entry) => ("not present", None, Some(entry.bits())),
        Entry::Page(page) => ("page", Some(page.frame.bits()), Some(page.flags.bits())),
        Entry::Large(page) => ("large", Some(page.frame.bits()), Some(page.flags.bits())),
    };
    json!({
        "first": range.first.start().bits(), "pages": range.len_pages,
        "kind": kind, "frame": frame, "flags": flags,
    })
}

/// Returns the tables as the lab's `dumppagetable` prints them: a line for each page that is
/// present, with its number, its bits and its frame, numbers in hexadecimal.
fn xv6(mem: &PhysMemory, root: Root) -> String {
    let mut text = String::from("START PAGE TABLE\n");
    for range in ranges(mem, root) {
        let (Entry::Page(page) | Entry::Large(page)) = range.entry else {
            continue;
        };
        let letter = |flag, letter| {
            if page.flags.contains(flag) {
                letter
            } else {
                '-'
            }
        };
        let user = letter(PteFlags::USER, 'U');
        let writable = letter(PteFlags::WRITABLE, 'W');
        for index in 0..range.len_pages {
            let number = range.first.bits().wrapping_add(index);
            let frame = page.frame.bits().wrapping_add(index);
            _ = writeln!(text, "{number:x} P {user} {writable} {frame:x}");
        }
    }
    text + "END PAGE TABLE\n"
}
