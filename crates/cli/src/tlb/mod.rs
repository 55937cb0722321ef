//! `pagefault tlb`: traces and patterns against TLBs.

mod args;
mod chart;
mod compare;
mod curve;
mod html;
pub(crate) mod input;
mod merge;
mod metrics;
mod perf_stat;
mod presets;
mod regions;
mod sampled;
mod sim;
mod spec;
mod sweep;
pub(crate) mod table;

use crate::interrupt::{self, EXIT_INTERRUPTED};
pub(crate) use crate::tlb::args::TlbCommand;
use crate::tlb::args::{Form, OutputArguments};
use crate::tlb::table::Table;
use crate::{look, output};

/// The trace, or the program that makes it, cannot be read.
const EXIT_NO_TRACE: u8 = 123;
/// The command line asks for what cannot be had.
const EXIT_USAGE: u8 = 2;

/// Why a command ends without a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The trace cannot be read.
    Trace(anyhow::Error),
    /// What is asked for makes no sense together.
    Usage(String),
    /// The result cannot be written.
    Output(anyhow::Error),
}

/// Runs a command and returns its exit code.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(command: &TlbCommand) -> anyhow::Result<u8> {
    interrupt::listen()?;
    let result = match command {
        TlbCommand::Sim(arguments) => sim::run(arguments),
        TlbCommand::Sweep(arguments) => sweep::run(arguments),
        TlbCommand::Curve(arguments) => curve::run(arguments),
        TlbCommand::Presets(arguments) => presets::run(arguments),
        TlbCommand::Compare(arguments) => compare::run(arguments),
        TlbCommand::Show(arguments) => return look::tlb(arguments),
        TlbCommand::Merge(arguments) => merge::run(arguments),
    };
    match result {
        Ok(()) if interrupt::is_requested() => Ok(EXIT_INTERRUPTED),
        Ok(()) => Ok(0),
        Err(Failure::Trace(error)) => {
            anstream::eprintln!("error: {error:#}");
            Ok(EXIT_NO_TRACE)
        }
        Err(Failure::Usage(message)) => {
            anstream::eprintln!("error: {message}");
            Ok(EXIT_USAGE)
        }
        Err(Failure::Output(error)) => Err(error),
    }
}

/// Writes the tables of a result in the form that was asked for.
fn write(output: &OutputArguments, tables: &[Table]) -> Result<(), Failure> {
    let text = match output.form() {
        Form::Text => tables
            .iter()
            .map(Table::text)
            .collect::<Vec<_>>()
            .join("\n"),
        Form::Csv => tables.first().map(Table::csv).unwrap_or_default(),
        Form::Json => format!("{:#}\n", table::json(tables)),
        Form::Jsonl => tables.first().map(Table::json_lines).unwrap_or_default(),
    };
    let written = match &output.out {
        Some(path) => output::write_file(path, text.as_bytes()),
        None => output::print(&text),
    };
    written.map_err(Failure::Output)
}

/// Writes a picture or a report.
fn write_file(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    output::write_file(path, text.as_bytes()).map_err(Failure::Output)
}
