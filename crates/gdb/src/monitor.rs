//! The monitor commands: what gdb does not know of memory management.

use std::fmt::Write;

use pagefault_machine::vmm::mmu::{LevelId, LinearAddr, Rights, Step};
use pagefault_machine::vmm::{MemoryInfo, MemoryState};
use pagefault_machine::{ExceptionReport, Listener, Machine, MemoryReport, Recording};

const HELP: &str = "\
vmmap         the address space: regions with state, protection and use
walk ADDR     the walk of an address through the page tables (a number or a label)
tlb           what the TLB holds, by level, set and way, and how old it is
explain       the exception that the program is about to be told of
moment        how many instructions have been executed, and how far back one can go
";

/// Returns the answer to a command, which ends with a line feed.
pub(crate) fn answer(recording: &mut Recording, command: &str) -> String {
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or("help");
    let argument = words.next();
    match (name, argument) {
        ("help", _) => HELP.to_owned(),
        ("vmmap", None) => map(recording.machine()),
        ("walk", Some(place)) => match address(recording.machine(), place) {
            Some(addr) => walk(recording.machine(), addr),
            None => format!("{place} is neither a number nor a label\n"),
        },
        ("walk", None) => "walk needs an address: a number or a label\n".to_owned(),
        ("tlb", None) => tlb(recording.machine()),
        ("explain", None) => match recording.explain() {
            Some(report) => explanation(&report),
            None => "no exception is about to be raised here\n".to_owned(),
        },
        ("moment", None) => moment(recording),
        _ => format!("there is no monitor command `{command}`; these are:\n{HELP}"),
    }
}

fn moment(recording: &Recording) -> String {
    let (count, bytes) = recording.cost();
    format!(
        "{} instructions; back to {} with {count} snapshots, {} KiB\n",
        recording.here().instructions,
        recording.beginning().instructions,
        bytes >> 10
    )
}

fn address(machine: &Machine<Listener>, place: &str) -> Option<LinearAddr> {
    let number = match place
        .strip_prefix("0x")
        .or_else(|| place.strip_prefix("0X"))
    {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => place.parse().ok(),
    };
    let addr = number.or_else(|| machine.debug().address(place))?;
    Some(LinearAddr::new(addr))
}

fn map(machine: &Machine<Listener>) -> String {
    let mut text = String::new();
    for entry in machine.address_map() {
        let info = &entry.run.info;
        let first = info.base.bits();
        let last = first.wrapping_add(info.size_bytes.wrapping_sub(1));
        let purpose = entry.purpose.unwrap_or_default();
        let line = format!("{first:08x}-{last:08x} {:<22} {purpose}", region(info));
        _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn region(info: &MemoryInfo) -> String {
    match (info.state, info.protection) {
        (MemoryState::Free, _) => "free".to_owned(),
        (MemoryState::Reserve, _) => "reserved".to_owned(),
        (MemoryState::Commit, Some(protection)) => format!("{protection}"),
        (MemoryState::Commit, None) => "committed".to_owned(),
    }
}

fn walk(machine: &Machine<Listener>, addr: LinearAddr) -> String {
    let walk = machine.mmu().walk(addr);
    let mut text = format!(
        "{addr}: directory index {}, table index {}, offset 0x{:x}; cr3 0x{:08x}\n",
        addr.directory_index(),
        addr.table_index(),
        addr.page_offset(),
        machine.mmu().control().cr3()
    );
    for step in walk.steps() {
        _ = writeln!(text, "  {}", step_line(step));
    }
    match walk.leaf() {
        Ok(leaf) => {
            _ = writeln!(
                text,
                "  frame {}, physical 0x{:08x}, {}",
                leaf.frame,
                leaf.frame.byte(addr.page_offset()).bits(),
                rights(leaf.rights)
            );
        }
        Err(cause) => _ = writeln!(text, "  the walk ends here: {cause}"),
    }
    text
}

fn step_line(step: &Step) -> String {
    /// The flags of an entry by bit, lowest first.
    const FLAGS: [&str; 9] = ["P", "R/W", "U/S", "PWT", "PCD", "A", "D", "PS/PAT", "G"];
    let set = (0..)
        .zip(FLAGS)
        .filter(|(bit, _)| step.value >> bit & 1 == 1)
        .map(|(_, name)| name);
    let set: Vec<_> = set.collect();
    let flags = if step.value & 1 == 1 {
        set.join(" ")
    } else {
        "P=0".to_owned()
    };
    format!(
        "{:?} at 0x{:08x} = 0x{:08x}  {flags}",
        step.level,
        step.at.bits(),
        step.value
    )
}

fn rights(rights: Rights) -> String {
    format!("{rights:?}")
}

fn tlb(machine: &Machine<Listener>) -> String {
    let mut text = String::new();
    for entry in machine.mmu().tlb_entries() {
        let level = match entry.level {
            LevelId::L1Data => "L1D",
            LevelId::L1Instruction => "L1I",
            LevelId::L2 => "L2 ",
        };
        let age = match entry.age {
            Some(age) => format!("age {age}"),
            None => "age unknown".to_owned(),
        };
        _ = writeln!(
            text,
            "{level} array {} set {:>3} way {:>2}: page {} -> frame {}  {}  {age}",
            entry.array,
            entry.set,
            entry.way,
            entry.page,
            entry.frame,
            rights(entry.rights)
        );
    }
    if text.is_empty() {
        text.push_str("the TLB is empty, or there is none\n");
    }
    text
}

fn explanation(report: &ExceptionReport) -> String {
    let status = report.status;
    let mut text = format!("{} ({:#010X})", status.name(), status.bits());
    if let Some(memory) = &report.memory {
        let addr = memory.fault.addr.bits();
        _ = write!(text, ": {} at 0x{addr:08X}", memory.operation());
    }
    text.push('\n');
    if let Some(function) = report.function {
        _ = writeln!(text, "  in {function}");
    }
    let place = &report.place;
    let instruction = place.instruction.as_deref().unwrap_or("?");
    _ = writeln!(text, "  {:08x}  {instruction}", place.addr);
    if let Some(line) = &place.source {
        _ = writeln!(text, "  {}:{}: {}", line.file, line.line, line.text.trim());
    }
    if let Some(memory) = &report.memory {
        text += &memory_lines(memory);
    }
    _ = writeln!(text, "help: {}", report.advice);
    text
}

fn memory_lines(memory: &MemoryReport) -> String {
    let mut text = format!("  error code {:#x}\n", memory.fault.error_code());
    for step in memory.walk.steps() {
        _ = writeln!(text, "  {}", step_line(step));
    }
    if let Some(meaning) = &memory.entry_meaning {
        _ = writeln!(text, "  the entry means: {meaning}");
    }
    if let Some(info) = &memory.region {
        let purpose = memory.purpose.unwrap_or_default();
        _ = writeln!(text, "  region: {} {purpose}", region(info));
    }
    for line in &memory.history {
        let what = line.deed.participle();
        let call = line.call.as_ref().map(ToString::to_string);
        let at = line.source.as_ref();
        let at = at.map(|line| format!(" ({}:{})", line.file, line.line));
        _ = writeln!(
            text,
            "  {what} by {}{}",
            call.unwrap_or_default(),
            at.unwrap_or_default()
        );
    }
    text
}
