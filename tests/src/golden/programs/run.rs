//! Running a program and comparing what it gives.

use std::cell::RefCell;
use std::rc::Rc;

use pagefault_asm::{Assembled, LinkOptions, PeOptions, link, write_pe};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, Outcome, Program, Stream,
};
use pagefault_vmm::{PagingMode, VmmConfig};

use crate::golden::programs::files::Folder;

/// What is started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'a> {
    /// A source, directly.
    Source(&'a Assembled),
    /// The executable that our assembler writes of it.
    Written(&'a Assembled),
    /// An executable.
    Executable(&'a [u8]),
}

/// What a program must give.
#[derive(Debug)]
pub(super) struct Expected {
    name: String,
    arguments: String,
    output: Vec<u8>,
    code: Option<u32>,
}

/// Instructions after which a program is taken to run for ever.
const BUDGET: u64 = 2_000_000_000;

impl Expected {
    /// Returns what is recorded of a program.
    pub(super) fn of(folder: &Folder, name: &str) -> Self {
        let text = |ending| {
            let bytes = folder.get(name, ending).unwrap_or_default();
            String::from_utf8_lossy(bytes).trim().to_owned()
        };
        Self {
            name: name.to_owned(),
            arguments: text(".args"),
            output: folder.get(name, ".out").unwrap_or_default().to_vec(),
            code: u32::from_str_radix(&text(".code"), 16).ok(),
        }
    }
}

/// Keeps what a program writes to its standard output.
#[derive(Debug)]
struct Capture(Rc<RefCell<Vec<u8>>>);

impl Console for Capture {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Output {
            self.0.borrow_mut().extend_from_slice(bytes);
        }
    }
}

/// Runs a program and compares its output and exit code.
pub(super) fn check(
    start: Start<'_>,
    expected: &Expected,
    paging: PagingMode,
) -> Result<(), String> {
    let output = Rc::new(RefCell::new(Vec::new()));
    let console = Box::new(Capture(Rc::clone(&output)));
    let program = program(start)?;
    let config = MachineConfig {
        program_name: format!("{}.exe", expected.name),
        arguments: expected.arguments.clone(),
        vmm: VmmConfig {
            paging,
            ..VmmConfig::default()
        },
        ..MachineConfig::default()
    };
    let debug = DebugInfo::default();
    let machine = Machine::load_program(&program, debug, &config, console, Listener::deaf());
    let mut machine = machine.map_err(|error| format!("cannot be loaded: {error}"))?;
    let ended = code(machine.run(BUDGET));
    let wanted = expected.code.ok_or("no exit code is recorded")?;
    let output = output.borrow();
    let shown = || {
        let (expected, found) = (
            String::from_utf8_lossy(&expected.output),
            String::from_utf8_lossy(&output),
        );
        format!("    expected output:\n{expected}\n    found output:\n{found}")
    };
    let found = ended.map_err(|reason| format!("{reason}\n{}", shown()))?;
    if found != wanted {
        return Err(format!(
            "exit code {found:08X}, expected {wanted:08X}\n{}",
            shown()
        ));
    }
    if *output != expected.output {
        return Err(format!("the output differs\n{}", shown()));
    }
    Ok(())
}

fn program(start: Start<'_>) -> Result<Program, String> {
    match start {
        Start::Executable(bytes) => Program::from_pe(bytes).map_err(|error| error.to_string()),
        Start::Source(assembled) => {
            let image = link(&assembled.object, &LinkOptions::default());
            let image = image.map_err(|error| error.to_string())?;
            Program::from_image(&image).map_err(|error| error.to_string())
        }
        Start::Written(assembled) => {
            let image = link(&assembled.object, &LinkOptions::default());
            let image = image.map_err(|error| error.to_string())?;
            let bytes = write_pe(&image, &PeOptions::default());
            let bytes = bytes.map_err(|error| error.to_string())?;
            Program::from_pe(&bytes).map_err(|error| error.to_string())
        }
    }
}

/// Returns the exit code of a run, or why it has none.
fn code(outcome: Outcome) -> Result<u32, String> {
    match outcome {
        Outcome::Exited { code } => Ok(code),
        // The exit code of a process that nobody saves is that of the exception.
        Outcome::Exception(report) => Ok(report.status.bits()),
        Outcome::UnsupportedInstruction(instruction) => Err(instruction.to_string()),
        Outcome::MissingFunction(call) => {
            let function = &call.function;
            let library = function.library.as_deref().unwrap_or("?");
            let name = &function.name;
            let from = call.return_to;
            Err(format!(
                "{library}!{name} is not emulated (called before {from:08x})"
            ))
        }
        Outcome::Deadlock { threads } => Err(format!("all {threads} threads wait for ever")),
        Outcome::EndlessCalls { calls } => Err(format!("{calls} calls without an instruction")),
        Outcome::BudgetExceeded | Outcome::Interrupted => {
            Err(format!("still running after {BUDGET} instructions"))
        }
    }
}
