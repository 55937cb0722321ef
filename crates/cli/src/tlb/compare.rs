//! `pagefault tlb compare`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};
use pagefault_machine::vmm::mmu::tlb::presets::{self, Preset};

use crate::tlb::args::{CompareArguments, StreamChoice};
use crate::tlb::input::{self, Input};
use crate::tlb::presets::confidence;
use crate::tlb::sim::{self, Bench};
use crate::tlb::spec::TlbSpec;
use crate::tlb::table::{Cell, Table};
use crate::tlb::{Failure, chart, perf_stat, write, write_file};

/// All presets.
const ALL: &str = "all";

/// Runs the command.
pub(crate) fn run(arguments: &CompareArguments) -> Result<(), Failure> {
    let presets = chosen(&arguments.presets)?;
    let specs: Result<Vec<TlbSpec>, Failure> = presets
        .iter()
        .map(|preset| sim::preset(preset.name()))
        .collect();
    let specs = specs?;
    // Presets are split into instructions and data: without a choice, both are looked up.
    let recording = match arguments.input.trace.as_deref() {
        Some(program) if sim::is_program(program) => Some(record(program)?),
        _ => None,
    };
    let mut input = match &recording {
        Some(file) => Input::open_trace(file.path(), &arguments.input)?,
        None => Input::open(&arguments.input)?,
    };
    input.refuse_samples()?;
    let mut plan = input::plan(&arguments.input, &input);
    if arguments.input.stream == StreamChoice::Data {
        plan.conventions.stream = pagefault_tlbsim::Stream::Unified;
    }
    plan.warm_up = arguments.run.warm_up;
    plan.flush_every = arguments.run.flush_every;
    let mut bench = Bench::new(&specs.iter().collect::<Vec<_>>(), &arguments.input, None);
    let planner = bench.run(&mut input, plan)?;
    input.warn();

    let context = sim::context(&arguments.run, &planner, &plan);
    let mut table = described(bench.table(&context), &presets);
    input::note(&mut table, &input, &plan);
    table.notes.push(("formula", context.formula()));
    table.notes.push((
        "caution",
        "arrays whose policy, ways or index no source tells are modelled by assumption: see \
         `pagefault tlb presets`"
            .to_owned(),
    ));
    if let Some(path) = &arguments.svg {
        let bars: Vec<(String, f64)> = table.rows.iter().map(|row| bar(row, &table)).collect();
        write_file(
            path,
            &chart::bars(&bars, "misses of the first level, per cent of look-ups"),
        )?;
    }
    let mut tables = vec![table];
    if let Some(path) = &arguments.perf_stat {
        tables.push(perf_stat::read(path)?);
    }
    write(&arguments.output, &tables)
}

/// Returns the presets of these names, by age.
fn chosen(names: &[String]) -> Result<Vec<Preset>, Failure> {
    let mut presets: Vec<Preset> = if names.iter().any(|name| name == ALL) {
        presets::all()
    } else {
        let named: Result<_, _> = names.iter().map(|name| presets::named(name)).collect();
        named.map_err(|error| Failure::Usage(error.to_string()))?
    };
    presets.retain(|preset| !preset.config().data.is_empty());
    presets.sort_by_key(|preset| (preset.year(), preset.name()));
    if presets.is_empty() {
        return Err(Failure::Usage("there is no TLB to compare".to_owned()));
    }
    Ok(presets)
}

/// The columns of the comparison.
const COLUMNS: [&str; 12] = [
    "accesses",
    "l1_misses",
    "l1_miss_ratio",
    "l1_data_misses",
    "l1_instruction_misses",
    "l2_hits",
    "l2_misses",
    "walks",
    "walk_cycles",
    "l1_mpki",
    "walk_mpki",
    "effective_access_cycles",
];

/// Returns the table with year and confidence, and without the columns that matter less.
fn described(table: Table, presets: &[Preset]) -> Table {
    let place = |name: &&str| table.columns.iter().position(|column| column == name);
    let kept: Vec<usize> = COLUMNS.iter().filter_map(place).collect();
    let rows = table.rows.iter().zip(presets).map(|(row, preset)| {
        let mut cells = vec![
            Cell::text(preset.name()),
            Cell::Count(u64::from(preset.year())),
            preset
                .confidence()
                .map_or(Cell::None, |trust| Cell::text(confidence(trust))),
        ];
        cells.extend(kept.iter().map(|&column| row[column].clone()));
        cells
    });
    let columns = ["tlb", "year", "confidence"].into_iter().chain(COLUMNS);
    Table {
        rows: rows.collect(),
        columns: columns.collect(),
        across: crate::tlb::table::Across::Rows,
        ..table
    }
}

fn bar(row: &[Cell], table: &Table) -> (String, f64) {
    let place = table
        .columns
        .iter()
        .position(|column| *column == "l1_miss_ratio");
    let ratio = place.map(|place| &row[place]);
    let percent = match ratio {
        Some(Cell::Number(ratio)) => ratio * 100.0,
        _ => 0.0,
    };
    let name = match &row[0] {
        Cell::Text(name) => name.clone(),
        _ => String::new(),
    };
    (name, percent)
}

/// Runs a program and records it into a temporary file; its output is dropped.
fn record(program: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let what = || format!("cannot record {}", program.display());
    let file = tempfile::NamedTempFile::new()
        .with_context(what)
        .map_err(Failure::Output)?;
    let this = std::env::current_exe()
        .with_context(what)
        .map_err(Failure::Output)?;
    let mut command = Command::new(this);
    command
        .arg("run")
        .arg(program)
        .arg("--record-trace")
        .arg(file.path());
    command.args(["--exit-code", "tool"]).stdout(Stdio::null());
    let status = command
        .status()
        .with_context(what)
        .map_err(Failure::Output)?;
    match status.code() {
        // A program that ends by an exception has run up to there.
        Some(0 | 120..=122) => Ok(file),
        code => Err(Failure::Trace(
            anyhow!("the program was not run: exit code {code:?}").context(what()),
        )),
    }
}
