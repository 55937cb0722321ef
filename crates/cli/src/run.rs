//! `pagefault run`.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use anyhow::Context;
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, Outcome, Program, Stream, Topics, Tracer, Watch,
};

use crate::args::{ExitCodeOf, RunArguments, UNFIT_FOR_A_LOOK};
use crate::interrupt::{self, EXIT_INTERRUPTED};
use crate::load::{PagingFile, load};
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
    if let Some(option) = arguments.unfit(&UNFIT_FOR_A_LOOK).filter(|_| look) {
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
    let job = Job {
        arguments,
        shown,
        program: &program,
        captured: &captured,
        reporter: None,
    };
    if let Some(path) = &arguments.record_trace {
        let recording = Recording::create(path, arguments.paging)?;
        let tracer = Tracer::new(Recording::TOPICS, recording.clone());
        let code = job.run(debug, console, tracer)?;
        recording.finish(&program, &symbols)?;
        return Ok(code);
    }
    if let Some(path) = &arguments.report {
        let reporter = Reporter::create(path)?;
        let tracer = Tracer::new(Reporter::TOPICS, reporter.clone());
        let job = Job {
            reporter: Some(&reporter),
            ..job
        };
        return job.run(debug, console, tracer);
    }
    match arguments.trace {
        Some(topics) => job.traced(topics, debug, console),
        None => job.run(debug, console, Listener::deaf()),
    }
}

/// What is to be run, and what of it is shown.
#[derive(Clone, Copy)]
struct Job<'a> {
    arguments: &'a RunArguments,
    shown: Shown<'a>,
    program: &'a Program,
    captured: &'a Captured,
    /// Who writes the report of the run.
    reporter: Option<&'a Reporter>,
}

impl Job<'_> {
    /// Runs the program, and writes what happens in it.
    fn traced(
        &self,
        topics: Topics,
        debug: DebugInfo,
        console: Box<dyn Console>,
    ) -> anyhow::Result<u8> {
        let output = TraceOutput::open(self.arguments.trace_out.as_deref())?;
        let form = if self.arguments.json {
            Form::Json
        } else {
            Form::Text
        };
        let writer = Writer::new(output.clone(), form, self.program, &debug);
        let code = self.run(debug, console, Tracer::new(topics, writer))?;
        output.finish()?;
        Ok(code)
    }

    fn run<W: Watch>(
        &self,
        debug: DebugInfo,
        console: Box<dyn Console>,
        watch: W,
    ) -> anyhow::Result<u8> {
        let arguments = self.arguments;
        let paged = PagingFile::OnDisk;
        let loaded = load(arguments, self.program, debug, console, watch, paged)?;
        let Some(mut machine) = loaded else {
            return Ok(EXIT_NO_PROGRAM);
        };
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
        show_end(self.arguments, machine, outcome);
        Ok(())
    }
}

/// Shows on standard error how a run has ended, and what was asked for of its end.
pub(crate) fn show_end<W: Watch>(
    arguments: &RunArguments,
    machine: &Machine<W>,
    outcome: &Outcome,
) {
    explain::print(machine, outcome);
    if arguments.map_at_exit {
        anstream::eprint!("{}", map::text(machine));
    }
    if arguments.stats {
        anstream::eprint!("{}", explain::statistics(machine));
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
