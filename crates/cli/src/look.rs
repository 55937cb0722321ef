//! Looking at a stopped program: explanations, walks, the TLB, the address space.

mod bits;
mod dump;
mod explain;
mod page;
pub(crate) mod report;
mod stop;
mod svg;
mod tlb;
mod walk;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use pagefault_lab::expect::{Expression, Subject};
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::{Machine, Program, Watch};

use crate::args::{NO_PROGRAM, RunArguments};
use crate::look::stop::{Stopped, Until, with_help};
use crate::run::{self, Shown};
use crate::{map, output};

/// The moment or the exception that was asked for does not come.
pub(crate) const EXIT_NOTHING: u8 = 1;
/// The command line is wrong.
const EXIT_USAGE: u8 = 2;

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "\
Exit codes:
    0  it is shown
    1  the run ends before the moment that was asked for, or there is nothing to explain
    2  the command line is wrong, as an address that the program has not
  123  the program, or the dump, cannot be read, assembled or loaded
  125  a file that was asked for cannot be written";

/// How `--until` is written.
const UNTIL: &str = "When to look: exit, fault, fault:N, insns:N, or a label, as `again`, \
                     `start+5` or `again#3` for the third time";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// Which exception to explain, from 1; without it, the last one.
    #[arg(long, value_name = "N", conflicts_with_all = ["address", "until"],
        value_parser = clap::value_parser!(u32).range(1..))]
    at: Option<u32>,
    /// Explain this address, as 0x410000 or [page]+4, in place of an exception.
    #[arg(long, value_name = "ADDR")]
    address: Option<String>,
    #[arg(long, value_name = "WHEN", default_value = "exit", help = UNTIL)]
    until: Until,
    /// Write a picture of the walk.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct WalkArguments {
    /// The address, as 0x410000, start+4 or [page]; `all` for every page that is present.
    address: String,
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[arg(long, value_name = "WHEN", default_value = "exit", help = UNTIL)]
    until: Until,
    /// Walk the tables in a file with the bytes of physical memory, in place of a program's.
    #[arg(long, value_name = "FILE", requires = "cr3")]
    pub(crate) dump: Option<PathBuf>,
    /// CR3 of the tables in the dump.
    #[arg(long, value_name = "CR3", requires = "dump")]
    cr3: Option<String>,
    /// How `all` is shown: as ranges, or a line for each page as xv6's `dumppagetable` does.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    tables: TablesForm,
    /// Write a picture of the walk.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum TablesForm {
    /// A line for each range of equal entries.
    #[default]
    Ranges,
    /// A line for each page: its number, P, U or -, W or -, its frame.
    Xv6,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct TlbShowArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[arg(long, value_name = "WHEN", default_value = "exit", help = UNTIL)]
    until: Until,
    /// Write a picture of the sets and ways.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MapArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[arg(long, value_name = "WHEN", default_value = "exit", help = UNTIL)]
    until: Until,
    /// Write a picture of the address space.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What a stopped program is looked at for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look<'a> {
    Explain(&'a ExplainArguments),
    Walk(&'a WalkArguments),
    Tlb(&'a TlbShowArguments),
    Map(&'a MapArguments),
}

/// `pagefault explain`.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn explain(arguments: &ExplainArguments) -> anyhow::Result<u8> {
    run::run(&arguments.run, Shown::Look(Look::Explain(arguments)))
}

/// `pagefault walk`.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn walk(arguments: &WalkArguments) -> anyhow::Result<u8> {
    if let Some(path) = &arguments.dump {
        return dump::walk(arguments, path);
    }
    if arguments.run.program.as_os_str() == NO_PROGRAM {
        anstream::eprintln!(
            "error: which program? Name one behind the address, or give --dump FILE --cr3 CR3"
        );
        return Ok(EXIT_USAGE);
    }
    run::run(&arguments.run, Shown::Look(Look::Walk(arguments)))
}

/// `pagefault tlb show`.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn tlb(arguments: &TlbShowArguments) -> anyhow::Result<u8> {
    run::run(&arguments.run, Shown::Look(Look::Tlb(arguments)))
}

/// `pagefault map`.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn map(arguments: &MapArguments) -> anyhow::Result<u8> {
    run::run(&arguments.run, Shown::Look(Look::Map(arguments)))
}

impl WalkArguments {
    /// Exchanges address and program if they are given the wrong way round: where no file is, but
    /// the address is one.
    pub(crate) fn put_in_order(&mut self) {
        let program = &self.run.program;
        let is_named = program.as_os_str() != NO_PROGRAM;
        if !is_named || program.exists() || !Path::new(&self.address).is_file() {
            return;
        }
        if let Some(address) = program.to_str().map(str::to_owned) {
            let program = std::mem::replace(&mut self.address, address);
            self.run.program = program.into();
        }
    }
}

impl Look<'_> {
    /// Runs a machine to the moment that is looked at, shows what is there, and returns the exit
    /// code of the command.
    ///
    /// # Errors
    ///
    /// What was asked for cannot be written.
    pub(crate) fn show<W: Watch>(
        self,
        machine: &mut Machine<W>,
        program: &Program,
    ) -> anyhow::Result<u8> {
        let debug = machine.debug().clone();
        let subject = Subject {
            program,
            debug: &debug,
        };
        let (run, until) = match self {
            Self::Explain(arguments) => {
                let number = arguments.at.map(Until::Fault);
                (&arguments.run, number.unwrap_or(arguments.until.clone()))
            }
            Self::Walk(arguments) => (&arguments.run, arguments.until.clone()),
            Self::Tlb(arguments) => (&arguments.run, arguments.until.clone()),
            Self::Map(arguments) => (&arguments.run, arguments.until.clone()),
        };
        let stopped = match stop::run(machine, subject, &until, run.max_insns) {
            Ok(stopped) => stopped,
            Err(message) => {
                anstream::eprintln!("error: {message}");
                return Ok(EXIT_NOTHING);
            }
        };
        let code = match self {
            Self::Explain(arguments) => explain::show(arguments, machine, subject, &stopped),
            Self::Walk(arguments) => walk::show(arguments, machine, subject),
            Self::Tlb(arguments) => tlb::show(arguments, machine),
            Self::Map(arguments) => show_map(arguments, machine, &stopped),
        };
        if run.stats && !run.json {
            anstream::eprint!("{}", crate::explain::statistics(machine));
        }
        code
    }
}

fn show_map<W: Watch>(
    arguments: &MapArguments,
    machine: &Machine<W>,
    stopped: &Stopped,
) -> anyhow::Result<u8> {
    if let Some(path) = &arguments.svg {
        write(path, &svg::map(&machine.address_map()))?;
    }
    if arguments.run.json {
        let ended = stopped.outcome.as_ref();
        print(&format!("{:#}\n", map::json(machine, ended)))?;
        return Ok(0);
    }
    print(&map::text(machine))?;
    if let Some(outcome) = &stopped.outcome {
        crate::explain::print(machine, outcome);
    }
    Ok(0)
}

/// Returns the address that a user means, or the message why it is none.
fn address<W: Watch>(
    text: &str,
    machine: &mut Machine<W>,
    subject: Subject<'_>,
) -> Result<LinearAddr, String> {
    let expression = Expression::new(text, subject).map_err(|error| with_help(&error, text))?;
    let value = expression.value(machine);
    let value = value.map_err(|error| format!("\"{text}\" has no value: {error}"))?;
    Ok(LinearAddr::new(value))
}

/// Prints; a reader that has gone away, as `head` does, is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the result")
        }
        _ => Ok(()),
    }
}

/// Writes a picture or a report.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    output::write_file(path, text.as_bytes())
}
