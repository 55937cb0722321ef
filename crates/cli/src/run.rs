//! `pagefault run`.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use anyhow::Context;
use pagefault_machine::vmm::mmu::{LinearAddr, MmuConfig};
use pagefault_machine::vmm::{StreamStore, VmmConfig};
use pagefault_machine::{
    Aslr, Console, DebugInfo, Listener, Machine, MachineConfig, Outcome, Program, Stream, Tracer,
    Turns, Watch,
};

use crate::args::{ExitCodeOf, RunArguments};
use crate::folder::Folder;
use crate::interrupt::{self, EXIT_INTERRUPTED};
use crate::look::Look;
use crate::look::report::Reporter;
use crate::program::{Loadable, read};
use crate::record::Recording;
use crate::trace::{Form, TraceOutput, Writer};
use crate::{explain, json, map, progress};

/// The program was ended by an exception that nobody handled.
const EXIT_EXCEPTION: u8 = 120;
/// The program reached an instruction or a function that is not emulated.
const EXIT_NOT_EMULATED: u8 = 121;
/// The budget of instructions was used up, or would never be.
const EXIT_BUDGET: u8 = 122;
/// The command line is wrong.
const EXIT_USAGE: u8 = 2;
/// The program cannot be read, assembled or loaded.
pub(crate) const EXIT_NO_PROGRAM: u8 = 123;

/// What the guest has written to its standard output, for `--json`.
type Captured = Rc<RefCell<Output>>;

/// The beginning of an output.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// How many bytes came after what is kept.
    pub(crate) left_out_bytes: u64,
}

impl Output {
    /// What of an output is kept, in bytes: a program can write without end.
    const MAX_BYTES: usize = 64 << 20;

    fn add(&mut self, bytes: &[u8]) {
        let room = Self::MAX_BYTES.saturating_sub(self.bytes.len());
        let (kept, left_out) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        let left_out = u64::try_from(left_out.len()).unwrap_or(u64::MAX);
        self.left_out_bytes = self.left_out_bytes.saturating_add(left_out);
    }
}

/// What the command prints on standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    /// The program's output.
    Run,
    /// What it is at a moment; its output is dropped.
    Look(Look<'a>),
}

/// Runs the program and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(arguments: &RunArguments, shown: Shown<'_>) -> anyhow::Result<u8> {
    let look = matches!(shown, Shown::Look(_));
    if let Some(option) = arguments.unfit_for_a_look().filter(|_| look) {
        anstream::eprintln!("error: {option} is for `pagefault run`: here, one moment is shown");
        return Ok(EXIT_USAGE);
    }
    let Some(Loadable {
        program,
        debug,
        symbols,
    }) = read(arguments)
    else {
        return Ok(EXIT_NO_PROGRAM);
    };
    let captured = Captured::default();
    let console: Box<dyn Console> = match (look, arguments.json) {
        (true, _) => Box::new(Mute),
        (false, true) => Box::new(Capture(Rc::clone(&captured))),
        (false, false) => Box::new(Terminal::default()),
    };
    if let Some(path) = &arguments.record_trace {
        let recording = Recording::create(path, arguments.paging)?;
        let job = Job {
            arguments,
            shown,
            program: &program,
            captured: &captured,
            reporter: None,
        };
        let tracer = Tracer::new(Recording::TOPICS, recording.clone());
        let code = job.run(debug, console, tracer)?;
        recording.finish(&program, &symbols)?;
        return Ok(code);
    }
    if let Some(path) = &arguments.report {
        let reporter = Reporter::create(path)?;
        let job = Job {
            arguments,
            shown,
            program: &program,
            captured: &captured,
            reporter: Some(&reporter),
        };
        let tracer = Tracer::new(Reporter::TOPICS, reporter.clone());
        return job.run(debug, console, tracer);
    }
    match arguments.trace {
        None => {
            let job = Job {
                arguments,
                shown,
                program: &program,
                captured: &captured,
                reporter: None,
            };
            job.run(debug, console, Listener::deaf())
        }
        Some(topics) => {
            let output = TraceOutput::open(arguments.trace_out.as_deref())?;
            let form = if arguments.json {
                Form::Json
            } else {
                Form::Text
            };
            let tracer = Tracer::new(topics, Writer::new(output.clone(), form, &program, &debug));
            let job = Job {
                arguments,
                shown,
                program: &program,
                captured: &captured,
                reporter: None,
            };
            let code = job.run(debug, console, tracer)?;
            output.finish()?;
            Ok(code)
        }
    }
}

/// What is to be run, and what of it is shown.
struct Job<'a> {
    arguments: &'a RunArguments,
    shown: Shown<'a>,
    program: &'a Program,
    captured: &'a Captured,
    /// Who writes the report of the run.
    reporter: Option<&'a Reporter>,
}

impl Job<'_> {
    fn run<W: Watch>(
        &self,
        debug: DebugInfo,
        console: Box<dyn Console>,
        watch: W,
    ) -> anyhow::Result<u8> {
        let arguments = self.arguments;
        let config = config(arguments);
        let loaded = Machine::load_program(self.program, debug, &config, console, watch);
        let mut machine = match loaded {
            Ok(machine) => machine,
            Err(error) => {
                anstream::eprintln!(
                    "error: cannot load {}: {error}",
                    arguments.program.display()
                );
                return Ok(EXIT_NO_PROGRAM);
            }
        };
        if let Some(limit_bytes) = arguments.pagefile {
            let file = tempfile::tempfile().context("cannot make a paging file")?;
            machine.set_paging_file(Box::new(StreamStore::new(file)), limit_bytes);
        }
        if let Err(reason) = prepare(arguments, &mut machine) {
            anstream::eprintln!("error: {reason}");
            return Ok(EXIT_NO_PROGRAM);
        }
        if let Some(folder) = &arguments.files {
            let opened = Folder::open(folder);
            let what = || format!("cannot use the folder {}", folder.display());
            machine.set_files(Box::new(opened.with_context(what)?));
        }
        if let Shown::Look(look) = self.shown {
            return look.show(&mut machine, self.program);
        }
        interrupt::listen()?;
        let outcome = match self.reporter {
            Some(reporter) => reporter.drive(&mut machine, arguments.max_insns),
            None => progress::run(&mut machine, arguments.max_insns),
        };
        if let Some(reporter) = self.reporter {
            let program = arguments.program.display().to_string();
            reporter.finish(&machine, &outcome, &program)?;
        }
        self.show(&machine, &outcome)
            .context("cannot write the result")?;
        Ok(exit_code(&outcome, arguments.exit_code))
    }

    fn show<W: Watch>(&self, machine: &Machine<W>, outcome: &Outcome) -> io::Result<()> {
        let mut output = io::stdout().lock();
        match (self.shown, self.arguments.json) {
            (Shown::Run, true) => {
                let object = json::result(machine, outcome, &self.captured.borrow());
                return writeln!(output, "{object:#}");
            }
            (Shown::Run, false) | (Shown::Look(_), _) => {}
        }
        explain::print(machine, outcome);
        if self.arguments.map_at_exit {
            anstream::eprint!("{}", map::text(machine));
        }
        if self.arguments.stats {
            anstream::eprint!("{}", explain::statistics(machine));
        }
        Ok(())
    }
}

/// Gives the program the registers and the memory that were asked for; returns why that cannot be.
fn prepare<W: Watch>(arguments: &RunArguments, machine: &mut Machine<W>) -> Result<(), String> {
    for &(register, value) in &arguments.reg {
        machine.set_register(register, value);
    }
    for mapping in &arguments.map {
        let addr = LinearAddr::new(mapping.addr);
        machine
            .map_memory(addr, mapping.size_bytes, mapping.protect)
            .map_err(|error| format!("cannot map memory at {:#010x}: {error}", mapping.addr))?;
    }
    Ok(())
}

pub(crate) fn config(arguments: &RunArguments) -> MachineConfig {
    let stem = arguments.program.file_stem().unwrap_or_default();
    MachineConfig {
        program_name: format!("{}.exe", stem.to_string_lossy()),
        arguments: arguments.command_line(),
        aslr: arguments.aslr.map_or(Aslr::Off, Aslr::Seeded),
        ram_bytes: arguments.ram,
        mmu: MmuConfig {
            tlb: arguments.tlb.clone(),
            ..MmuConfig::default()
        },
        vmm: VmmConfig {
            paging: arguments.paging.mode(),
            profile: arguments.profile.rules(),
            replacement: arguments.replacement,
            ..VmmConfig::default()
        },
        turns: Turns {
            quantum: arguments.quantum,
            seed: arguments.seed,
        },
        ..MachineConfig::default()
    }
}

pub(crate) fn exit_code(outcome: &Outcome, whose: ExitCodeOf) -> u8 {
    match outcome {
        Outcome::Exited { .. } if whose == ExitCodeOf::Tool => 0,
        Outcome::Exited { code } => code.to_le_bytes()[0],
        Outcome::Exception(_) => EXIT_EXCEPTION,
        Outcome::UnsupportedInstruction(_) | Outcome::MissingFunction(_) => EXIT_NOT_EMULATED,
        Outcome::BudgetExceeded | Outcome::Deadlock { .. } | Outcome::EndlessCalls { .. } => {
            EXIT_BUDGET
        }
        Outcome::Interrupted => EXIT_INTERRUPTED,
    }
}

/// Passes the guest's output on as it comes.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    /// Whether standard output has gone away, as with `| head`: the guest goes on without it.
    is_closed: bool,
}

impl Console for Terminal {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let written = match stream {
            Stream::Output if self.is_closed => Ok(()),
            Stream::Output => {
                let mut output = io::stdout().lock();
                output.write_all(bytes).and_then(|()| output.flush())
            }
            Stream::Error => io::stderr().lock().write_all(bytes),
        };
        self.is_closed |= written.is_err();
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        // An input that cannot be read has ended.
        io::stdin().lock().read(bytes).unwrap_or(0)
    }
}

/// Keeps the guest's output for the JSON object.
#[derive(Debug)]
struct Capture(Captured);

impl Console for Capture {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Output {
            self.0.borrow_mut().add(bytes);
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        io::stdin().lock().read(bytes).unwrap_or(0)
    }
}

/// Drops the guest's output.
#[derive(Debug)]
struct Mute;

impl Console for Mute {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        io::stdin().lock().read(bytes).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_output_is_kept_and_the_rest_is_counted() {
        let mut output = Output::default();

        output.add(&vec![b'a'; Output::MAX_BYTES - 1]);
        output.add(b"bc");
        output.add(b"d");

        assert_eq!(output.bytes.len(), Output::MAX_BYTES);
        assert!(output.bytes.ends_with(b"ab"));
        assert_eq!(output.left_out_bytes, 2);
    }
}
