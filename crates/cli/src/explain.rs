//! How a run ended, in words.

use std::fmt::Write;
use std::ops::Range;

use anstream::eprintln;
use pagefault_machine::vmm::mmu::{ErrorCode, LevelId, LinearAddr};
use pagefault_machine::vmm::{MemoryInfo, MemoryState};
use pagefault_machine::{
    ExceptionReport, HistoryLine, Machine, MemoryReport, MissingCall, Outcome, Place, SourceLine,
    Watch,
};

/// Names of the general registers in the order of a report.
const REGISTERS: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
/// Registers on one line.
const REGISTERS_PER_LINE: usize = 4;
/// Bytes of a kibibyte.
const KIB: u32 = 1024;

/// Prints on standard error how the run ended; nothing if the program ended by itself.
pub(crate) fn print<W: Watch>(machine: &Machine<W>, outcome: &Outcome) {
    match outcome {
        Outcome::Exited { .. } => {}
        Outcome::Exception(report) => anstream::eprint!("{}", exception(report)),
        Outcome::UnsupportedInstruction(instruction) => {
            eprintln!("{}: {instruction}", red("error"));
            let line = machine.debug().line(instruction.addr.bits());
            anstream::eprint!("{}", line.map(source_excerpt).unwrap_or_default());
            eprintln!(
                "{}: use another instruction, or report this one",
                green("help")
            );
        }
        Outcome::MissingFunction(call) => {
            let line = machine.debug().line(call.return_to.wrapping_sub(1));
            anstream::eprint!("{}", missing(call, line));
        }
        Outcome::Deadlock { threads } => {
            let who = match threads {
                1 => "the only thread waits".to_owned(),
                _ => format!("all {threads} threads wait"),
            };
            eprintln!("{}: {who}, and nobody can end it", red("error"));
            eprintln!(
                "{}: who should have signalled the object, or resumed the thread?",
                green("help")
            );
        }
        Outcome::Interrupted => {
            let count = machine.instructions();
            eprintln!("{}: interrupted after {count} instructions", red("error"));
            print_place(machine);
        }
        Outcome::EndlessCalls { calls } => {
            eprintln!(
                "{}: stopped after {calls} calls of the system without an instruction between them",
                red("error")
            );
            eprintln!(
                "{}: do return addresses on the stack, or a context, lead to functions?",
                green("help")
            );
        }
        Outcome::BudgetExceeded => {
            let count = machine.instructions();
            eprintln!(
                "{}: stopped after {count} instructions (--max-insns)",
                red("error")
            );
            print_place(machine);
            eprintln!(
                "{}: does this loop end? Raise the limit if it does",
                green("help")
            );
        }
    }
}

/// Shows where a program is that was stopped.
fn print_place<W: Watch>(machine: &Machine<W>) {
    let eip = machine.eip();
    match machine.debug().line(eip) {
        Some(line) => anstream::eprint!("{}", source_excerpt(line)),
        None => eprintln!("  at {eip:08x}"),
    }
}

fn missing(call: &MissingCall, line: Option<&SourceLine>) -> String {
    let function = match &call.function.library {
        Some(library) => format!("{library}!{}", call.function.name),
        None => call.function.name.clone(),
    };
    let mut text = format!("{}: {function} is not emulated\n", red("error"));
    match line {
        Some(line) => text += &source_excerpt(line),
        None => _ = writeln!(text, "  called before {:08x}", call.return_to),
    }
    let words: Vec<_> = call
        .stack
        .iter()
        .map(|word| format!("{word:08X}"))
        .collect();
    _ = writeln!(text, "stack        {}", words.join(" "));
    _ = writeln!(
        text,
        "{}: leave the call out, or replace it by one that is",
        green("help")
    );
    text
}

/// Explains an exception.
pub(crate) fn exception(report: &ExceptionReport) -> String {
    let mut text = String::new();
    let what = match &report.memory {
        Some(memory) => {
            format!(
                ": {} at 0x{:08X}",
                memory.operation(),
                memory.fault.addr.bits()
            )
        }
        None => String::new(),
    };
    let status = report.status;
    let by = report
        .function
        .map(|function| format!(" in {function}"))
        .unwrap_or_default();
    _ = writeln!(
        text,
        "{}: {}{what}{by} ({:#010X})",
        red("error"),
        status.name(),
        status.bits()
    );
    text += &place(&report.place);
    text += &registers(&report.registers);
    if let Some(memory) = &report.memory {
        text += &memory_lines(memory);
    }
    _ = writeln!(text, "{}: {}", green("help"), report.advice);
    text
}

fn place(place: &Place) -> String {
    let mut text = place
        .source
        .as_ref()
        .map(source_excerpt)
        .unwrap_or_default();
    _ = write!(text, "instruction  {:08X}", place.addr);
    if let Some(symbol) = &place.symbol {
        _ = write!(text, " {}+{:X}h", symbol.name, symbol.offset);
    }
    match &place.instruction {
        Some(instruction) => _ = write!(text, "  {instruction}"),
        None => text += "  (no instruction can be read there)",
    }
    if !place.bytes.is_empty() && place.instruction.is_some() {
        let bytes: Vec<_> = place
            .bytes
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        _ = write!(text, "  ({})", bytes.join(" "));
    }
    text + "\n"
}

fn source_excerpt(line: &SourceLine) -> String {
    let number = line.line.to_string();
    let gap = " ".repeat(number.len());
    let (arrow, bar) = (blue("-->"), blue("|"));
    let shown: String = line.text.trim_end().chars().map(visible).collect();
    format!(
        "{gap}{arrow} {}:{number}\n{gap} {bar}\n{} {bar} {shown}\n{gap} {bar}\n",
        line.file,
        blue(&number),
    )
}

fn visible(character: char) -> char {
    if character == '\t' || character.is_control() {
        ' '
    } else {
        character
    }
}

fn registers(values: &[u32; 8]) -> String {
    let pairs: Vec<_> = REGISTERS
        .iter()
        .zip(values)
        .map(|(name, value)| format!("{name} {value:08X}"))
        .collect();
    let lines: Vec<_> = pairs
        .chunks(REGISTERS_PER_LINE)
        .map(|line| line.join("  "))
        .collect();
    format!("registers    {}\n", lines.join("\n             "))
}

fn memory_lines(memory: &MemoryReport) -> String {
    let mut text = String::from("\n");
    let addr = memory.fault.addr;
    _ = writeln!(
        text,
        "page walk    CR3 {:08X}, address {}",
        memory.cr3,
        split(memory.is_two_level, addr)
    );
    for line in memory.walk.to_string().lines() {
        _ = writeln!(text, "  {line}");
    }
    if let Some(entry) = &memory.entry_meaning {
        _ = writeln!(text, "  to the memory manager, this entry means: {entry}");
    }
    _ = writeln!(text, "error code   {}", error_code(memory.fault.code));
    _ = writeln!(
        text,
        "\nregion       {}",
        region(
            memory.region.as_ref(),
            memory.allocation.as_ref(),
            memory.purpose
        )
    );
    text += &history(&memory.history);
    text
}

/// Shows an address as its walk takes it apart.
pub(crate) fn split(is_two_level: bool, addr: LinearAddr) -> String {
    if is_two_level {
        format!(
            "{:08X} = directory entry {}, table entry {}, offset {:03X}h",
            addr.bits(),
            addr.directory_index(),
            addr.table_index(),
            addr.page_offset(),
        )
    } else {
        format!("{:08X}, offset {:03X}h", addr.bits(), addr.page_offset())
    }
}

fn error_code(code: ErrorCode) -> String {
    let present = if code.contains(ErrorCode::PRESENT) {
        "P=1 the rights"
    } else {
        "P=0 not present"
    };
    let write = if code.contains(ErrorCode::WRITE) {
        "W=1 write"
    } else {
        "W=0 read"
    };
    let user = if code.contains(ErrorCode::USER) {
        "U=1 user"
    } else {
        "U=0 supervisor"
    };
    let mut text = format!("{} = {present}, {write}, {user}", code.bits());
    if code.contains(ErrorCode::RESERVED) {
        text += ", RSVD=1 reserved bit";
    }
    if code.contains(ErrorCode::FETCH) {
        text += ", I=1 fetch";
    }
    text
}

/// Shows the region of a page, and the run of pages in it that the page begins.
pub(crate) fn region(
    info: Option<&MemoryInfo>,
    allocation: Option<&Range<u32>>,
    purpose: Option<&str>,
) -> String {
    let Some(info) = info else {
        return "outside of the program's address space".to_owned();
    };
    let mut text = match allocation {
        Some(range) => format!("{:08X}-{:08X}", range.start, range.end - 1),
        None => "none".to_owned(),
    };
    if let Some(purpose) = purpose {
        _ = write!(text, ", {purpose}");
    }
    _ = write!(
        text,
        "; from {:08X} on, {} KiB are {}",
        info.base.bits(),
        info.size_bytes / KIB,
        state(info)
    );
    text
}

fn state(info: &MemoryInfo) -> String {
    let mut text = match info.state {
        MemoryState::Commit => "committed".to_owned(),
        MemoryState::Reserve => "reserved".to_owned(),
        MemoryState::Free => return "free".to_owned(),
    };
    if let Some(protection) = info.protection {
        _ = write!(text, ", {protection}");
    }
    if let Some(allocation) = &info.allocation {
        _ = write!(text, ", MEM_{}", allocation.kind.name());
    }
    text
}

/// Shows the calls that made a page what it is, a line each: one call may have done two things.
pub(crate) fn history(lines: &[HistoryLine]) -> String {
    let same = |a: &HistoryLine, b: &HistoryLine| a.call == b.call;
    let calls = lines.chunk_by(same).map(|lines| {
        let deeds: Vec<_> = lines.iter().map(|line| line.deed.participle()).collect();
        let deeds = deeds.join(" and ");
        let Some(call) = &lines[0].call else {
            return format!("  {deeds} by the loader\n");
        };
        let at = match &lines[0].source {
            Some(source) => format!("{}:{}", source.file, source.line),
            None => format!("before {:08X}", call.return_to),
        };
        format!("  {deeds} by {call} at {at}\n")
    });
    calls.collect()
}

/// Returns what the MMU has counted, as lines of text.
pub(crate) fn statistics<W: Watch>(machine: &Machine<W>) -> String {
    let counted = machine.statistics();
    let mut text = String::new();
    _ = writeln!(text, "instructions {:>14}", machine.instructions());
    let accesses = counted.accesses;
    _ = writeln!(
        text,
        "accesses     {:>14}  ({} reads, {} writes, {} fetches of blocks)",
        accesses.total(),
        accesses.reads,
        accesses.writes,
        accesses.fetches
    );
    for (name, level) in [
        ("TLB L1", LevelId::L1Data),
        ("TLB L1 insn", LevelId::L1Instruction),
        ("TLB L2", LevelId::L2),
    ] {
        let level = counted.level(level);
        let (hits, misses) = (level.hits.total(), level.misses.total());
        if hits + misses > 0 {
            let evictions = level.evictions;
            _ = writeln!(
                text,
                "{name:<12} {hits:>14} hits, {misses} misses, {evictions} evictions"
            );
        }
    }
    let (walks, references) = (counted.walks, counted.walk_references);
    _ = writeln!(
        text,
        "walks        {walks:>14}  ({references} entries read)"
    );
    _ = writeln!(text, "page faults  {:>14}", counted.faults());
    text
}

fn red(text: &str) -> String {
    format!("\x1b[1;31m{text}\x1b[0m")
}

fn green(text: &str) -> String {
    format!("\x1b[1;32m{text}\x1b[0m")
}

fn blue(text: &str) -> String {
    format!("\x1b[1;34m{text}\x1b[0m")
}
