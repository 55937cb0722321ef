//! What the panes say, as lines of text.

use std::fmt::Write;
use std::rc::Rc;

use pagefault_machine::cpu::{Eflags, Reg, Registers, SegmentRegister};
use pagefault_machine::vmm::mmu::{LevelId, LinearAddr, Step};
use pagefault_machine::vmm::{MemoryInfo, MemoryState};
use pagefault_machine::{ExceptionReport, ThreadState};

use crate::model::{Debugger, Mark, Pane};

/// A line, and whether it is to stand out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) stress: Stress,
}

/// Whether a line stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stress {
    #[default]
    Plain,
    Marked,
}

impl Line {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            stress: Stress::Plain,
        }
    }

    fn marked(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            stress: Stress::Marked,
        }
    }
}

/// The names of the general registers in the order of their numbers.
const REGISTERS: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
/// The status flags with their letters.
const FLAGS: [(&str, Eflags); 7] = [
    ("of", Eflags::OVERFLOW),
    ("df", Eflags::DIRECTION),
    ("sf", Eflags::SIGN),
    ("zf", Eflags::ZERO),
    ("af", Eflags::ADJUST),
    ("pf", Eflags::PARITY),
    ("cf", Eflags::CARRY),
];

/// Registers and flags; what has changed since the last command has a star.
pub(crate) fn registers(debugger: &Debugger) -> Vec<Line> {
    let machine = debugger.recording.machine();
    let (now, old) = (machine.registers(), &debugger.before);
    let star = |changed: bool| if changed { '*' } else { ' ' };
    let mut lines: Vec<Line> = Reg::ALL
        .into_iter()
        .zip(REGISTERS)
        .map(|(reg, name)| {
            let value = now.gpr(reg);
            let changed = value != old.gpr(reg);
            let text = format!("{name} {value:08x}{}", star(changed));
            if changed {
                Line::marked(text)
            } else {
                Line::plain(text)
            }
        })
        .collect();
    lines.push(Line::plain(format!("eip {:08x}", now.eip())));
    lines.push(flags(now, old));
    let segment = now.segment(SegmentRegister::Fs).base();
    lines.push(Line::plain(format!("fs: {:08x}", segment.bits())));
    let control = machine.mmu().control();
    lines.push(Line::plain(format!("cr2 {:08x}", control.cr2().bits())));
    lines.push(Line::plain(format!("cr3 {:08x}", control.cr3())));
    lines
}

/// Flags that are set are written large.
fn flags(now: &Registers, old: &Registers) -> Line {
    let (now, old) = (now.eflags(), old.eflags());
    let shown = FLAGS.map(|(name, flag)| {
        if now.contains(flag) {
            name.to_uppercase()
        } else {
            name.to_owned()
        }
    });
    let text = shown.join(" ");
    if now == old {
        Line::plain(text)
    } else {
        Line::marked(text + "*")
    }
}

/// Instructions around EIP, with labels and sources.
pub(crate) fn code(debugger: &mut Debugger, height: usize) -> Vec<Line> {
    let eip = debugger.recording.machine().eip();
    if let Some(name) = debugger.recording.function_here() {
        return vec![
            Line::marked(format!("> {eip:08x}  {name} is about to be answered")),
            Line::plain("  s lets the system answer it"),
        ];
    }
    let breakpoints = debugger.breakpoints();
    let first = first_shown(debugger, height);
    let mut lines = Vec::new();
    for place in debugger.recording.places(first, height) {
        let label = place.symbol.as_ref().filter(|symbol| symbol.offset == 0);
        if let Some(label) = label {
            lines.push(Line::plain(format!("{}:", label.name)));
        }
        let here = if place.addr == eip { '>' } else { ' ' };
        let stop = if breakpoints.contains(&place.addr) {
            '*'
        } else {
            ' '
        };
        let instruction = place.instruction.as_deref().unwrap_or("?");
        let source = place.source.as_ref();
        let source = source.map(|line| line.text.trim()).unwrap_or_default();
        let text = format!("{here}{stop}{:08x}  {instruction:<28} {source}", place.addr);
        lines.push(if place.addr == eip {
            Line::marked(text)
        } else {
            Line::plain(text)
        });
    }
    lines.truncate(height);
    lines
}

/// Returns where the listing begins: at the label before EIP, if EIP is still shown then.
fn first_shown(debugger: &mut Debugger, height: usize) -> u32 {
    /// Lines that are shown before EIP at most, and bytes that they may take.
    const BEFORE: usize = 5;
    const FAR: u32 = 0x400;
    let recording = &mut debugger.recording;
    let eip = recording.machine().eip();
    let Some(symbol) = recording.machine().debug().symbol(eip) else {
        return eip;
    };
    if symbol.offset == 0 || symbol.offset > FAR {
        return eip;
    }
    let start = eip.wrapping_sub(symbol.offset);
    let count = usize::try_from(symbol.offset).unwrap_or(0);
    let places = recording.places(start, count);
    let at = places.iter().position(|place| place.addr == eip);
    let Some(at) = at else { return eip };
    let before = at.saturating_sub(BEFORE.min(height / 2));
    places.get(before).map_or(eip, |place| place.addr)
}

/// The lines of the lower pane that `height` of them show, from where it is scrolled to.
pub(crate) fn lower(debugger: &mut Debugger, height: usize) -> Vec<Line> {
    let lines = match debugger.pane {
        Pane::Memory => memory(debugger),
        Pane::Stack => stack(debugger),
        Pane::Regions => regions(debugger),
        Pane::Tables => tables(debugger),
        Pane::Tlb => tlb(debugger),
        Pane::Explain => explain(debugger),
        Pane::Stops => stops(debugger),
        Pane::Output => return output(debugger, height),
    };
    scroll_at_most(debugger, lines.len(), height);
    let visible = lines.into_iter().skip(debugger.scroll).take(height);
    visible.collect()
}

/// Keeps the lower pane from being scrolled beyond its last lines.
fn scroll_at_most(debugger: &mut Debugger, count: usize, height: usize) {
    debugger.scroll = debugger.scroll.min(count.saturating_sub(height));
}

/// Lines of memory that can be scrolled through.
const MEMORY_LINES: u32 = 256;
/// Bytes on a line of memory.
const LINE_BYTES: u32 = 16;

fn memory(debugger: &mut Debugger) -> Vec<Line> {
    let start = debugger.memory_at & !(LINE_BYTES - 1);
    let line = |index: u32| {
        let addr = start.wrapping_add(index * LINE_BYTES);
        let mut bytes = [0; LINE_BYTES as usize];
        let read = debugger.recording.peek(LinearAddr::new(addr), &mut bytes);
        if read.is_err() {
            return Line::plain(format!("{addr:08x}  no memory"));
        }
        let digits = bytes.map(|byte| format!("{byte:02x}")).join(" ");
        let text: String = bytes.iter().map(|&byte| printable(byte)).collect();
        Line::plain(format!("{addr:08x}  {digits}  {text}"))
    };
    (0..MEMORY_LINES).map(line).collect()
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte)
    } else {
        '.'
    }
}

fn stack(debugger: &mut Debugger) -> Vec<Line> {
    let registers = debugger.recording.machine().registers();
    let (esp, ebp) = (registers.gpr(Reg::Esp), registers.gpr(Reg::Ebp));
    let mut lines = Vec::new();
    for index in 0..MEMORY_LINES {
        let addr = esp.wrapping_add(index * 4);
        let mut bytes = [0; 4];
        let read = debugger.recording.peek(LinearAddr::new(addr), &mut bytes);
        if read.is_err() {
            lines.push(Line::plain(format!("{addr:08x}  no memory")));
            break;
        }
        let value = u32::from_le_bytes(bytes);
        let near = debugger.recording.machine().debug().symbol(value);
        let near = near.map(|near| match near.offset {
            0 => near.name,
            offset => format!("{}+{offset:#x}", near.name),
        });
        let here = match addr {
            _ if addr == esp => "esp",
            _ if addr == ebp => "ebp",
            _ => "   ",
        };
        let text = format!(
            "{here} {addr:08x}  {value:08x}  {}",
            near.unwrap_or_default()
        );
        lines.push(Line::plain(text.trim_end()));
    }
    lines
}

fn regions(debugger: &mut Debugger) -> Vec<Line> {
    let entries = debugger.recording.machine().address_map();
    let line = |entry: &pagefault_machine::MapEntry| {
        let info = &entry.run.info;
        let first = info.base.bits();
        let last = first.wrapping_add(info.size_bytes.wrapping_sub(1));
        let purpose = entry.purpose.unwrap_or_default();
        let text = format!("{first:08x}-{last:08x}  {:<24} {purpose}", region(info));
        Line::plain(text.trim_end())
    };
    entries.iter().map(line).collect()
}

fn region(info: &MemoryInfo) -> String {
    match (info.state, info.protection) {
        (MemoryState::Free, _) => "free".to_owned(),
        (MemoryState::Reserve, _) => "reserved".to_owned(),
        (MemoryState::Commit, Some(protection)) => protection.to_string(),
        (MemoryState::Commit, None) => "committed".to_owned(),
    }
}

fn tables(debugger: &mut Debugger) -> Vec<Line> {
    let fault = debugger
        .recording
        .pending_fault()
        .map(|fault| fault.addr.bits());
    let machine = debugger.recording.machine();
    let addr = debugger
        .tables_at
        .or(fault)
        .unwrap_or_else(|| machine.eip());
    let addr = LinearAddr::new(addr);
    let walk = machine.mmu().walk(addr);
    let mut lines = vec![
        Line::plain(format!(
            "{addr} = directory index {}, table index {}, offset {:#x}",
            addr.directory_index(),
            addr.table_index(),
            addr.page_offset()
        )),
        Line::plain(format!("cr3 {:08x}", machine.mmu().control().cr3())),
    ];
    lines.extend(walk.steps().iter().map(|step| Line::plain(step_line(step))));
    lines.push(Line::plain(match walk.leaf() {
        Ok(leaf) => format!("frame {}, {:?}", leaf.frame, leaf.rights),
        Err(cause) => format!("the walk ends here: {cause}"),
    }));
    let entries = machine.mmu().tlb_entries();
    let held = entries.filter(|entry| entry.page == addr.page());
    lines.extend(held.map(|entry| {
        Line::plain(format!(
            "held by the TLB: {:?} set {} way {}, frame {}",
            entry.level, entry.set, entry.way, entry.frame
        ))
    }));
    lines.push(Line::plain(":tables EXPR shows another address"));
    lines
}

fn step_line(step: &Step) -> String {
    /// The flags of an entry, lowest first.
    const FLAGS: [&str; 9] = ["P", "R/W", "U/S", "PWT", "PCD", "A", "D", "PS", "G"];
    let set = (0..)
        .zip(FLAGS)
        .filter(|(bit, _)| step.value >> bit & 1 == 1);
    let set: Vec<_> = set.map(|(_, name)| name).collect();
    let flags = if step.value & 1 == 1 {
        set.join(" ")
    } else {
        "P=0".to_owned()
    };
    let level = format!("{:?}", step.level);
    format!(
        "{level:<10} at {:08x} = {:08x}  {flags}",
        step.at.bits(),
        step.value
    )
}

fn tlb(debugger: &mut Debugger) -> Vec<Line> {
    let entries = debugger.recording.machine().mmu().tlb_entries();
    let mut lines = vec![Line::plain(
        "level array set way  page   frame  age  rights",
    )];
    lines.extend(entries.map(|entry| {
        let level = match entry.level {
            LevelId::L1Data => "L1D",
            LevelId::L1Instruction => "L1I",
            LevelId::L2 => "L2",
        };
        let age = entry.age.map_or("?".to_owned(), |age| age.to_string());
        Line::plain(format!(
            "{level:<5} {:>5} {:>3} {:>3}  {:<6} {:<6} {age:>3}  {:?}",
            entry.array,
            entry.set,
            entry.way,
            entry.page.to_string(),
            entry.frame.to_string(),
            entry.rights
        ))
    }));
    if lines.len() == 1 {
        lines.push(Line::plain("empty, or there is no TLB"));
    }
    lines
}

fn explain(debugger: &mut Debugger) -> Vec<Line> {
    match debugger.recording.explain() {
        Some(report) => explanation(&report),
        None => vec![Line::plain("no exception is about to be raised here")],
    }
}

fn explanation(report: &ExceptionReport) -> Vec<Line> {
    let status = report.status;
    let mut head = format!("{} ({:#010X})", status.name(), status.bits());
    if let Some(memory) = &report.memory {
        let addr = memory.fault.addr.bits();
        _ = write!(head, ": {} at 0x{addr:08X}", memory.operation());
    }
    let place = &report.place;
    let instruction = place.instruction.as_deref().unwrap_or("?");
    let mut lines = vec![
        Line::marked(head),
        Line::plain(format!("at {:08x}  {instruction}", place.addr)),
    ];
    if let Some(line) = &place.source {
        let text = line.text.trim();
        lines.push(Line::plain(format!("{}:{}: {text}", line.file, line.line)));
    }
    if let Some(memory) = &report.memory {
        let code = memory.fault.error_code();
        lines.push(Line::plain(format!("error code {code:#x}")));
        let steps = memory.walk.steps().iter();
        lines.extend(steps.map(|step| Line::plain(step_line(step))));
        if let Some(meaning) = &memory.entry_meaning {
            lines.push(Line::plain(format!("the entry means: {meaning}")));
        }
        if let Some(info) = &memory.region {
            let purpose = memory.purpose.unwrap_or_default();
            lines.push(Line::plain(format!("region: {} {purpose}", region(info))));
        }
        for line in &memory.history {
            let call = line.call.as_ref().map(ToString::to_string);
            let what = line.deed.participle();
            lines.push(Line::plain(format!(
                "{what} by {}",
                call.unwrap_or_default()
            )));
        }
    }
    lines.push(Line::plain(format!("help: {}", report.advice)));
    lines
}

fn stops(debugger: &mut Debugger) -> Vec<Line> {
    let debug = debugger.recording.machine().debug();
    let near = |addr: u32| match debug.symbol(addr) {
        Some(symbol) if symbol.offset == 0 => format!("{addr:08x} {}", symbol.name),
        Some(symbol) => format!("{addr:08x} {}+{:#x}", symbol.name, symbol.offset),
        None => format!("{addr:08x}"),
    };
    let line = |(number, mark): (usize, &Mark)| {
        let what = match mark {
            Mark::Code(eip) => format!("instruction {}", near(*eip)),
            Mark::Call(name) => format!("call of {name}"),
            Mark::Faults => "page faults that the system resolves".to_owned(),
            Mark::Exceptions => "exceptions".to_owned(),
            Mark::Watch(point) => {
                let kind = format!("{:?}", point.kind).to_lowercase();
                let bytes = point.size_bytes;
                format!("{kind} of {bytes} bytes at {}", near(point.addr.bits()))
            }
            Mark::Entry(addr) => format!("change of the entry of {}", near(addr.bits())),
        };
        Line::plain(format!("{number}  {what}"))
    };
    let mut lines: Vec<_> = (1..).zip(&debugger.marks).map(line).collect();
    lines.push(Line::plain(
        ":break, :watch add one, :delete NUMBER removes one",
    ));
    for (thread, state) in debugger.recording.threads() {
        let state = match state {
            ThreadState::Current => "runs",
            ThreadState::Ready => "is ready",
            ThreadState::Waiting => "waits",
            ThreadState::Suspended => "is suspended",
        };
        lines.push(Line::plain(format!("thread {thread:#x} {state}")));
    }
    lines
}

fn output(debugger: &mut Debugger, height: usize) -> Vec<Line> {
    let output = Rc::clone(&debugger.output);
    let output = output.borrow();
    let head = match (output.left_out_bytes(), output.line_count()) {
        (0, 0) => Some("the program has written nothing yet".to_owned()),
        (0, _) => None,
        (bytes, _) => Some(format!("({bytes} bytes before these are not kept)")),
    };
    let heads = usize::from(head.is_some());
    scroll_at_most(debugger, heads + output.line_count(), height);
    let first = debugger.scroll.saturating_sub(heads);
    let lines = output.lines(first, height);
    let lines = lines.map(|line| Line::plain(line.replace('\t', " ")));
    let head = head.filter(|_| debugger.scroll == 0).map(Line::plain);
    head.into_iter().chain(lines).take(height).collect()
}

/// The help screen.
pub(crate) const HELP: [&str; 20] = [
    "s  step             n  step over a call      c  run to the next stop",
    "b  one step back    r  run back to a stop    Escape  stop a run",
    "1-8, Tab  the pane below: memory, stack, regions, tables, tlb, explain, stops, output",
    "Up, Down, PageUp, PageDown  scroll it        q  quit",
    "",
    ": takes a command:",
    "  break EXPR        stop before the instruction there    break api NAME",
    "  break fault       stop behind each page fault that the system resolves",
    "  break exception   stop before the program is told of an exception",
    "  break pte EXPR    stop when the entry that maps the address changes",
    "  watch EXPR, BYTES, read|write|access    stop when memory is touched",
    "  delete NUMBER     remove a stop             until EXPR    run to there",
    "  back write EXPR   back to the last write of the dword there",
    "  back pte EXPR     back to the last change of the entry that maps the address",
    "  goto N            to the moment after N instructions",
    "  print EXPR        memory EXPR        tables EXPR        quit",
    "",
    "Expressions are MASM's: eax + 4*ecx, [ebp+8], byte ptr label, 0FFh, not, and, shl",
    "A star stands behind what the last command has changed.",
    "Any key leaves this screen.",
];
