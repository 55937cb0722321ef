//! `pagefault replay`: the driver files of course labs on our memory manager.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use pagefault_lab::course::replay::{Done, Effect, Replay, ReplayConfig};
use pagefault_lab::course::{self, Parsed, Step, tracker};
use pagefault_lab::{parse_ram, parse_size};
use pagefault_machine::MapEntry;
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::vmm::{MapRun, MemoryState, StreamStore};
use serde_json::{Value, json};

use crate::args::Profile;
use crate::json::SCHEMA;
use crate::output::WholeFile;
use crate::{files, map, output};

/// The file has lines that are no steps.
const EXIT_MALFORMED: u8 = 1;
/// The file cannot be read, or is refused.
const EXIT_NO_FILE: u8 = 123;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line or record that is malformed is reported with its number and skipped; --strict refuses the file.
Exit codes: 0; 1 something was skipped; 2 the command line is wrong; 123 the file cannot be read or is refused;
125 a file that was asked for cannot be written.")]
pub(crate) struct ReplayArguments {
    /// Whose file it is.
    #[arg(long, value_enum)]
    format: Format,
    /// The driver file.
    file: PathBuf,
    /// Write what the tracker of the opfile lab writes after each step.
    #[arg(long, value_name = "FILE")]
    tracker: Option<PathBuf>,
    /// When to show the address space.
    #[arg(long, value_enum, default_value_t)]
    map: Shown,
    /// Refuse a file with a malformed line or record.
    #[arg(long)]
    strict: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// The size of RAM: bytes, or a number with K, M or G.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = parse_ram)]
    ram: u64,
    /// The size of the paging file, in a temporary file.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pagefile: Option<u64>,
    /// Whose rules hold.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines `time vmOp vmAddress units access` of the `VMdriver` lab.
    Vmdriver,
    /// Binary records `time block oper protection` of the Windows 2000 lab.
    Opfile,
    /// Lines `time op address pages access` with absolute times in milliseconds.
    Script,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shown {
    /// After each operation.
    #[default]
    Each,
    /// At the end.
    End,
    /// Not at all.
    None,
}

/// A step with what came of it.
struct Row<'a> {
    step: &'a Step,
    done: Done,
    /// The address space after it, if it is to be shown.
    map: Option<Vec<MapRun>>,
    load_percent: u32,
}

/// Replays a file and returns the exit code.
///
/// # Errors
///
/// What was asked for cannot be written, or the machine cannot be made.
pub(crate) fn run(arguments: &ReplayArguments) -> anyhow::Result<u8> {
    let name = arguments.file.display();
    let bytes = match files::read(&arguments.file) {
        Ok(bytes) => bytes,
        Err(reason) => {
            anstream::eprintln!("error: cannot read {name}: {reason}");
            return Ok(EXIT_NO_FILE);
        }
    };
    let parsed = course::parse(format(arguments.format), &bytes);
    for problem in &parsed.problems {
        anstream::eprintln!("{name}: {problem}");
    }
    if arguments.strict && !parsed.problems.is_empty() {
        anstream::eprintln!("error: {name} is refused: --strict");
        return Ok(EXIT_NO_FILE);
    }
    let mut replay = machine(arguments)?;
    let tracker = arguments.tracker.as_deref().map(Tracker::begin);
    let mut tracker = tracker.transpose()?;
    if let Some(tracker) = &mut tracker {
        tracker.add(&replay, 0, replay.user_space().lowest())?;
    }
    if arguments.json {
        output::print(&json_head(&parsed))?;
    }
    for (number, step) in (1..).zip(&parsed.steps) {
        let done = replay.step(step);
        if let Some(tracker) = &mut tracker {
            tracker.add(&replay, number, done.about)?;
        }
        let row = Row {
            step,
            done,
            map: (arguments.map == Shown::Each).then(|| replay.map()),
            load_percent: replay.memory_status().load_percent,
        };
        // Step by step: all their maps together can be far larger than the file.
        output::print(&if arguments.json {
            json_step(number, &row)
        } else {
            text(&row)
        })?;
    }
    output::print(&if arguments.json {
        json_tail(&replay, arguments.map)
    } else {
        closing(&replay, &parsed, arguments.map)
    })?;
    if let Some(tracker) = tracker {
        tracker.0.finish()?;
    }
    Ok(if parsed.problems.is_empty() {
        0
    } else {
        EXIT_MALFORMED
    })
}

/// The file of the tracker's reports.
struct Tracker(WholeFile);

impl Tracker {
    fn begin(path: &Path) -> anyhow::Result<Self> {
        WholeFile::create("the tracker's report to ", path).map(Self)
    }

    fn add(&mut self, replay: &Replay, number: usize, about: LinearAddr) -> anyhow::Result<()> {
        let report = tracker::report(replay, number, about);
        let written = self.0.write_all(report.as_bytes());
        written.context("cannot write the tracker's report")
    }
}

fn format(format: Format) -> course::Format {
    match format {
        Format::Vmdriver => course::Format::Driver,
        Format::Opfile => course::Format::OperationFile,
        Format::Script => course::Format::Script,
    }
}

fn machine(arguments: &ReplayArguments) -> anyhow::Result<Replay> {
    let config = ReplayConfig {
        ram_bytes: arguments.ram,
        profile: arguments.profile.rules(),
    };
    let mut replay = Replay::new(&config).context("cannot make the machine")?;
    if let Some(limit_bytes) = arguments.pagefile {
        let file = tempfile::tempfile().context("cannot make a paging file")?;
        replay.set_paging_file(Box::new(StreamStore::new(file)), limit_bytes);
    }
    Ok(replay)
}

fn entries(runs: &[MapRun]) -> Vec<MapEntry> {
    let entry = |&run| MapEntry { run, purpose: None };
    runs.iter().map(entry).collect()
}

fn text(row: &Row<'_>) -> String {
    let mut text = format!(
        "{:>8} ms  {}: {}\n",
        row.step.at_ms, row.step.place, row.done.call
    );
    let _ = match row.done.result {
        Ok(Effect::Address(base)) => writeln!(text, "             = {base}"),
        Ok(Effect::Succeeded) => writeln!(text, "             = TRUE"),
        Ok(Effect::Touched { pages, brought_in }) => writeln!(
            text,
            "             = {pages} pages read, {brought_in} of them came in by a page fault"
        ),
        Err(error) => writeln!(
            text,
            "             failed with error {}: {error}",
            error.win32_code().get()
        ),
    };
    for warning in &row.done.warnings {
        let _ = writeln!(text, "             warning: {warning}");
    }
    if let Some(map) = &row.map {
        text += &map::table(&entries(map));
        let _ = writeln!(text, "memory load {} %\n", row.load_percent);
    }
    text
}

fn closing(replay: &Replay, parsed: &Parsed, shown: Shown) -> String {
    let mut text = String::new();
    if shown == Shown::End {
        text += &map::table(&entries(&replay.map()));
    }
    let _ = writeln!(
        text,
        "{} operations, {} skipped",
        parsed.steps.len(),
        parsed.problems.len()
    );
    for warning in replay.closing_warnings() {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// What one level of the JSON object is indented by.
const INDENT: &str = "  ";

/// Returns the beginning of the JSON object, up to its steps.
fn json_head(parsed: &Parsed) -> String {
    let skipped = parsed.problems.iter().map(ToString::to_string);
    let skipped = indented(&json!(skipped.collect::<Vec<_>>()), 1);
    format!(
        "{{\n{INDENT}\"schema\": {SCHEMA},\n{INDENT}\"skipped\": {skipped},\n{INDENT}\"steps\": ["
    )
}

/// Returns the JSON object of a step, and what stands before it.
fn json_step(number: usize, row: &Row<'_>) -> String {
    let comma = if number == 1 { "" } else { "," };
    let object = indented(&step_object(row), 2);
    format!("{comma}\n{INDENT}{INDENT}{object}")
}

/// Returns the end of the JSON object, behind its steps.
fn json_tail(replay: &Replay, shown: Shown) -> String {
    let closing = replay.closing_warnings();
    let warnings = closing.iter().map(ToString::to_string).collect::<Vec<_>>();
    let warnings = indented(&json!(warnings), 1);
    let map = if shown == Shown::End {
        let map = indented(&map_object(&replay.map()), 1);
        format!("{INDENT}\"map\": {map},\n")
    } else {
        String::new()
    };
    format!("\n{INDENT}],\n{map}{INDENT}\"warnings\": {warnings}\n}}\n")
}

/// Returns a value over several lines, each but the first indented by so many levels.
fn indented(value: &Value, levels: usize) -> String {
    format!("{value:#}").replace('\n', &format!("\n{}", INDENT.repeat(levels)))
}

fn step_object(row: &Row<'_>) -> Value {
    let (value, pages) = match row.done.result {
        Ok(Effect::Address(base)) => (json!(base.bits()), Value::Null),
        Ok(Effect::Succeeded) => (json!(1), Value::Null),
        Ok(Effect::Touched { pages, brought_in }) => (
            Value::Null,
            json!({ "read": pages, "brought_in": brought_in }),
        ),
        Err(_) => (json!(0), Value::Null),
    };
    let error = row.done.result.err();
    let mut object = json!({
        "place": row.step.place.to_string(),
        "at_ms": row.step.at_ms,
        "operation": row.step.operation.name(),
        "call": row.done.call,
        "returned": value,
        "pages": pages,
        "error": error.map(|error| error.win32_code().get()),
        "reason": error.map(|error| error.to_string()),
        "warnings": row.done.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "memory_load": row.load_percent,
    });
    if let Some(map) = &row.map {
        object["map"] = map_object(map);
    }
    object
}

fn map_object(map: &[MapRun]) -> Value {
    map.iter().map(run_object).collect()
}

fn run_object(run: &MapRun) -> Value {
    let info = &run.info;
    json!({
        "base": info.base.bits(),
        "size": info.size_bytes,
        "state": info.state.name(),
        "protect": match info.state {
            MemoryState::Commit => info.protection.map(|protection| protection.to_string()),
            MemoryState::Reserve | MemoryState::Free => None,
        },
        "resident_pages": run.resident_pages,
        "locked_pages": run.locked_pages,
    })
}
