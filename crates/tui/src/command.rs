//! The commands that are typed behind a colon.

use pagefault_machine::cpu::{WatchKind, Watchpoint};
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::{Moment, SnapshotError, Stops};
use thiserror::Error;

use crate::expression::ExpressionError;
use crate::model::{Debugger, Mark, Pane, Place};

/// Why a command cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CommandError {
    #[error("there is no command `{0}`: ? shows them")]
    Unknown(Box<str>),
    #[error("{0}")]
    Usage(&'static str),
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    #[error("there is no stop number {0}")]
    NoStop(usize),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The most bytes of a watchpoint.
const MAX_WATCHED_BYTES: u32 = 1 << 16;
/// The size of a dword in bytes.
const DWORD_BYTES: u32 = 4;

/// Does a command, and returns what to tell.
pub(crate) fn run(debugger: &mut Debugger, line: &str) -> Result<String, CommandError> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match name {
        "" => Ok(String::new()),
        "break" | "b" => add_break(debugger, rest),
        "watch" | "w" => add_watch(debugger, rest),
        "delete" | "d" => delete(debugger, rest),
        "print" | "p" => {
            let value = debugger.value(rest)?;
            Ok(shown(value))
        }
        "until" | "u" => {
            let eip = debugger.value(rest)?;
            let place = Place { eip, least_esp: 0 };
            debugger.start(debugger.stops(), Some(place));
            Ok(debugger.message.clone())
        }
        "back" => back(debugger, rest),
        "goto" | "g" => go_to(debugger, rest),
        "memory" | "m" => {
            debugger.memory_at = debugger.value(rest)?;
            debugger.show(Pane::Memory);
            Ok(String::new())
        }
        "tables" | "t" => {
            debugger.tables_at = Some(debugger.value(rest)?);
            debugger.show(Pane::Tables);
            Ok(String::new())
        }
        "quit" | "q" => {
            debugger.press(crate::Key::Char('q'));
            Ok(String::new())
        }
        _ => Err(CommandError::Unknown(name.into())),
    }
}

/// Returns a value in both bases.
fn shown(value: u32) -> String {
    match value.cast_signed() {
        signed @ ..0 => format!("{value:08X}h = {value} = {signed}"),
        _ => format!("{value:08X}h = {value}"),
    }
}

fn add_break(debugger: &mut Debugger, rest: &str) -> Result<String, CommandError> {
    let (kind, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mark = match (kind, argument.trim()) {
        ("", _) => {
            let usage = "break EXPR, break api NAME, break fault, break exception, break pte EXPR";
            return Err(CommandError::Usage(usage));
        }
        ("api", "") => return Err(CommandError::Usage("break api NAME")),
        ("api", name) => Mark::Call(name.to_owned()),
        ("fault", "") => Mark::Faults,
        ("exception", "") => Mark::Exceptions,
        ("pte", addr) => Mark::Entry(LinearAddr::new(debugger.value(addr)?)),
        _ => Mark::Code(debugger.value(rest)?),
    };
    Ok(add(debugger, mark))
}

fn add(debugger: &mut Debugger, mark: Mark) -> String {
    if !debugger.marks.contains(&mark) {
        debugger.marks.push(mark);
    }
    debugger.show(Pane::Stops);
    format!("{} stops", debugger.marks.len())
}

fn add_watch(debugger: &mut Debugger, rest: &str) -> Result<String, CommandError> {
    const USAGE: CommandError =
        CommandError::Usage("watch EXPR[, BYTES][, read|write|access], at most 65536 bytes");
    let mut parts = rest.split(',').map(str::trim);
    let addr = match parts.next() {
        Some(expression) if !expression.is_empty() => debugger.value(expression)?,
        _ => return Err(USAGE),
    };
    let size_bytes = match parts.next() {
        Some(expression) => debugger.value(expression)?,
        None => DWORD_BYTES,
    };
    let kind = match parts.next() {
        None | Some("write") => WatchKind::Write,
        Some("read") => WatchKind::Read,
        Some("access") => WatchKind::Access,
        Some(_) => return Err(USAGE),
    };
    if !(1..=MAX_WATCHED_BYTES).contains(&size_bytes) || parts.next().is_some() {
        return Err(USAGE);
    }
    let point = Watchpoint {
        addr: LinearAddr::new(addr),
        size_bytes,
        kind,
    };
    Ok(add(debugger, Mark::Watch(point)))
}

fn delete(debugger: &mut Debugger, rest: &str) -> Result<String, CommandError> {
    let number = rest.parse::<usize>();
    let number =
        number.map_err(|_| CommandError::Usage("delete NUMBER, as in the list of stops"))?;
    let index = number
        .checked_sub(1)
        .filter(|&index| index < debugger.marks.len());
    let index = index.ok_or(CommandError::NoStop(number))?;
    debugger.marks.remove(index);
    debugger.show(Pane::Stops);
    Ok(format!("{} stops", debugger.marks.len()))
}

/// Goes back to the last write of bytes, or the last change of an entry.
fn back(debugger: &mut Debugger, rest: &str) -> Result<String, CommandError> {
    const USAGE: CommandError = CommandError::Usage("back write EXPR, back pte EXPR");
    let (what, argument) = rest.split_once(char::is_whitespace).ok_or(USAGE)?;
    let addr = LinearAddr::new(debugger.value(argument)?);
    let stops = match what {
        "write" => Stops {
            watchpoints: vec![Watchpoint {
                addr,
                size_bytes: DWORD_BYTES,
                kind: WatchKind::Write,
            }],
            ..Stops::NONE
        },
        "pte" => Stops {
            entries: vec![addr],
            ..Stops::NONE
        },
        _ => return Err(USAGE),
    };
    debugger.run_back(&stops);
    Ok(debugger.message.clone())
}

fn go_to(debugger: &mut Debugger, rest: &str) -> Result<String, CommandError> {
    let instructions = rest.parse::<u64>();
    let instructions =
        instructions.map_err(|_| CommandError::Usage("goto N: a number of instructions"))?;
    debugger.remember();
    debugger.recording.go_to(Moment::behind(instructions))?;
    let here = debugger.recording.here().instructions;
    Ok(match here.cmp(&instructions) {
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Less => format!("the program ends after {here} instructions"),
        std::cmp::Ordering::Greater => format!("the history begins after {here} instructions"),
    })
}
