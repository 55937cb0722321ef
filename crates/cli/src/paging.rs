//! `pagefault paging`: reference strings under replacement policies.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pagefault_lab::paging::{
    CurvePoint, Hit, Moment, Policy, Reference, ReferenceError, ReferenceString, TimeLine, Use,
    anomalies, fault_curve, time_line, working_set,
};
use pagefault_lab::picture::{self, NamedCurve};
use pagefault_tlbsim::{Conventions, Limits, Modify, Op, Record, Straddle, Stream, TraceReader};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::files;
use crate::output;
use crate::tlb::input;
use crate::tlb::table::{self, Cell, Table};

/// The reference string cannot be read.
const EXIT_NO_STRING: u8 = 123;
/// The command line asks for what cannot be had.
const EXIT_USAGE: u8 = 2;
/// The most frame counts of a curve.
const MAX_FRAME_COUNTS: u32 = 4096;
/// The frame counts of a curve that is asked for without any.
const DEFAULT_FRAMES: u32 = 8;
/// The most references that a time line shows.
const MAX_MOMENTS: usize = 400;
/// The exit code of a wrong command line, from `Result`'s error side.
type Refusal = (u8, String);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A reference is a page number, 7 or 0x1f; 7w writes to the page. A program's references are recorded with
`pagefault run PROG --record-trace FILE`, and read with --trace FILE; references to the same page in a row
count once.
Policies: fifo, lru, clock, aging, wsclock, random, opt.
Exit codes: 0; 2 the command line is wrong; 123 the references cannot be read; 125 a file cannot be written.")]
pub(crate) struct PagingArguments {
    /// The pages that are used, in order.
    #[arg(required_unless_present_any = ["file", "trace"])]
    references: Vec<String>,
    /// Read the references from a file of page numbers.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["references", "trace"])]
    file: Option<PathBuf>,
    /// Read the data accesses of a trace, in any format that `pagefault tlb` reads.
    #[arg(long, value_name = "FILE", conflicts_with = "references")]
    trace: Option<PathBuf>,
    /// How many frames there are: 3, or 1-8.
    #[arg(long, value_name = "FRAMES", value_parser = frames)]
    frames: Option<(u32, u32)>,
    /// Which policies, as a comma list.
    #[arg(long, value_name = "POLICIES", value_delimiter = ',', value_parser = policy,
        default_value = "fifo,lru,clock,aging,wsclock,random,opt")]
    policies: Vec<Policy>,
    /// What random replacement depends on.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Show the frames after each reference, under POLICY with FRAMES frames.
    #[arg(long, value_name = "POLICY:FRAMES", value_parser = line)]
    timeline: Option<(Policy, NonZeroU32)>,
    /// Write the time line as a picture.
    #[arg(long, value_name = "FILE", requires = "timeline")]
    timeline_svg: Option<PathBuf>,
    /// Write the fault curves as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Count the working set of a window of N references, too; of a trace, references to the same
    /// page in a row are one.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    window: Vec<NonZeroUsize>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    #[default]
    Text,
    /// The faults by frames alone, as one table.
    Csv,
    Json,
}

/// Runs the command and returns its exit code.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(arguments: &PagingArguments) -> anyhow::Result<u8> {
    let refused = |(code, message): Refusal| {
        anstream::eprintln!("error: {message}");
        code
    };
    if let Err(refusal) = refuse_more_than_a_table(arguments) {
        return Ok(refused(refusal));
    }
    let string = match string(arguments) {
        Ok(string) => string,
        Err(refusal) => return Ok(refused(refusal)),
    };
    if arguments.timeline.is_some() && string.references().len() > MAX_MOMENTS {
        let message = format!("a time line shows {MAX_MOMENTS} references at most");
        return Ok(refused((EXIT_USAGE, message)));
    }
    let frames = range(arguments, &string);
    let policies: Vec<Policy> = arguments
        .policies
        .iter()
        .map(|&policy| seeded(policy, arguments.seed))
        .collect();
    let curves: Vec<Vec<CurvePoint>> = policies
        .par_iter()
        .map(|&policy| fault_curve(policy, &string, frames.clone()))
        .collect();
    if let Some(path) = &arguments.svg {
        save(path, &curves_picture(&policies, &curves))?;
    }
    let tables = tables(arguments, &string, &policies, &curves);
    let line = arguments.timeline.map(|(policy, frames)| {
        let policy = seeded(policy, arguments.seed);
        time_line(policy, &string, frames)
    });
    if let (Some(path), Some(line)) = (&arguments.timeline_svg, &line) {
        save(path, &picture::time_line(line))?;
    }
    let text = match arguments.format {
        Form::Text => {
            let parts = tables.iter().map(Table::text);
            parts
                .chain(line.as_ref().map(shown))
                .collect::<Vec<_>>()
                .join("\n")
        }
        Form::Csv => tables[0].csv(),
        Form::Json => {
            let mut object = table::json(&tables);
            if let Some(line) = &line {
                object["timeline"] = line_object(line);
            }
            format!("{object:#}\n")
        }
    };
    output::print(&text)?;
    Ok(0)
}

fn curves_picture(policies: &[Policy], curves: &[Vec<CurvePoint>]) -> String {
    let named = policies.iter().zip(curves);
    let named = named.map(|(policy, points)| NamedCurve {
        name: policy.name(),
        points,
    });
    picture::fault_curves(&named.collect::<Vec<_>>())
}

/// Refuses what the one table of a CSV file has no place for.
fn refuse_more_than_a_table(arguments: &PagingArguments) -> Result<(), Refusal> {
    let is_drawn = arguments.timeline_svg.is_some();
    let option = match arguments {
        _ if !matches!(arguments.format, Form::Csv) => return Ok(()),
        PagingArguments { window, .. } if !window.is_empty() => "--window",
        PagingArguments { timeline, .. } if timeline.is_some() && !is_drawn => "--timeline",
        _ => return Ok(()),
    };
    let message = format!(
        "{option} has no place in --format csv, which is one table: use --format text or json"
    );
    Err((EXIT_USAGE, message))
}

fn shown(line: &TimeLine) -> String {
    let (name, frames, faults) = (line.policy.name(), line.frames, line.faults());
    format!("{name}, {frames} frames: {faults} faults\n{line}\n")
}

fn line_object(line: &TimeLine) -> Value {
    let moment = |moment: &Moment| {
        let (frame, evicted) = match moment.outcome {
            Hit::Hit => (None, None),
            Hit::Fault { frame, evicted } => (Some(frame), evicted),
        };
        json!({
            "page": moment.reference.page,
            "is_write": moment.reference.kind == Use::Write,
            "filled_frame": frame,
            "evicted": evicted,
            "frames": moment.frames,
        })
    };
    json!({
        "policy": line.policy.name(),
        "frames": line.frames,
        "faults": line.faults(),
        "moments": line.moments.iter().map(moment).collect::<Vec<_>>(),
    })
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    output::write_file(path, text.as_bytes())
}

fn seeded(policy: Policy, seed: u64) -> Policy {
    match policy {
        Policy::Random { .. } => Policy::Random { seed },
        other => other,
    }
}

fn string(arguments: &PagingArguments) -> Result<ReferenceString, Refusal> {
    if let Some(path) = &arguments.trace {
        return trace(path);
    }
    let (text, name) = match &arguments.file {
        Some(path) => {
            let name = path.display().to_string();
            let bytes = files::read(path);
            let bytes = bytes
                .map_err(|reason| (EXIT_NO_STRING, format!("cannot read {name}: {reason}")))?;
            (String::from_utf8_lossy(&bytes).into_owned(), name)
        }
        None => (
            arguments.references.join(" "),
            "the reference string".to_owned(),
        ),
    };
    let code = if arguments.file.is_some() {
        EXIT_NO_STRING
    } else {
        EXIT_USAGE
    };
    text.parse()
        .map_err(|error| (code, format!("{name}: {error}")))
}

/// Reads the data accesses of a trace.
fn trace(path: &Path) -> Result<ReferenceString, Refusal> {
    let wrong = |reason: &dyn std::fmt::Display| {
        let message = format!("cannot read {}: {reason}", path.display());
        (EXIT_NO_STRING, message)
    };
    let source = input::decompressed(path, true).map_err(|error| wrong(&error))?;
    let reader = TraceReader::new(source, None, Limits::default());
    let mut reader = reader.map_err(|error| wrong(&error))?;
    let format = reader.format();
    input::refuse_samples(format).map_err(|reason| (EXIT_USAGE, reason.to_owned()))?;
    let conventions = Conventions {
        stream: Stream::Data,
        straddle: Straddle::EachPage,
        modify: Modify::Once,
        page_size: input::page_size(Some(format), None),
    };
    let mut string = ReferenceString::default();
    let mut records = Vec::new();
    loop {
        reader.read(&mut records).map_err(|error| wrong(&error))?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            add(&mut string, record, conventions)
                .map_err(|page| wrong(&format!("page number {page:#x} has more than 32 bits")))?;
        }
        if string.references().len() > ReferenceString::MAX_REFERENCES {
            return Err(wrong(&ReferenceError::TooMany));
        }
    }
    input::warn(&path.display().to_string(), reader.tally());
    if string.references().is_empty() {
        return Err(wrong(&"it has no data access"));
    }
    Ok(string)
}

/// Adds the pages that a record touches, if it is a data access; fails with the first number that
/// is none of a page here.
fn add(string: &mut ReferenceString, record: &Record, conventions: Conventions) -> Result<(), u64> {
    let kind = match record.op {
        Op::Write | Op::Modify => Use::Write,
        _ => Use::Read,
    };
    let mut added = Ok(());
    conventions.look_ups(record, |number| match u32::try_from(number) {
        Ok(page) => string.push_merged(Reference { page, kind }),
        Err(_) => added = Err(number),
    });
    added
}

fn range(arguments: &PagingArguments, string: &ReferenceString) -> RangeInclusive<u32> {
    let (first, last) = arguments.frames.unwrap_or_else(|| {
        let pages = u32::try_from(string.distinct_pages()).unwrap_or(u32::MAX);
        (1, pages.clamp(1, DEFAULT_FRAMES))
    });
    first..=last
}

fn tables(
    arguments: &PagingArguments,
    string: &ReferenceString,
    policies: &[Policy],
    curves: &[Vec<CurvePoint>],
) -> Vec<Table> {
    let mut faults = Table {
        name: "faults",
        columns: ["frames"]
            .into_iter()
            .chain(policies.iter().map(|policy| policy.name()))
            .collect(),
        ..Table::default()
    };
    let references = string.references().len();
    let pages = string.distinct_pages();
    faults
        .notes
        .push(("references", format!("{references}, to {pages} pages")));
    let rows = curves.first().map_or(0, Vec::len);
    faults.rows = (0..rows)
        .map(|row| {
            let frames = Cell::Count(u64::from(curves[0][row].frames.get()));
            let counts = curves.iter().map(|curve| Cell::Count(curve[row].faults));
            std::iter::once(frames).chain(counts).collect()
        })
        .collect();
    let mut tables = vec![faults];
    let is_written = string
        .references()
        .iter()
        .any(|used| used.kind == Use::Write);
    if is_written {
        let mut written = tables[0].clone();
        written.name = "write_backs";
        written.notes = vec![(
            "write backs",
            "pages that were written to, and made room".to_owned(),
        )];
        for (row, cells) in written.rows.iter_mut().enumerate() {
            for (cell, curve) in cells.iter_mut().skip(1).zip(curves) {
                *cell = Cell::Count(curve[row].write_backs);
            }
        }
        tables.push(written);
    }
    tables.push(anomaly_table(policies, curves));
    if !arguments.window.is_empty() {
        tables.push(window_table(string, &arguments.window));
    }
    tables
}

fn anomaly_table(policies: &[Policy], curves: &[Vec<CurvePoint>]) -> Table {
    let rows: Vec<Vec<Cell>> = policies
        .iter()
        .zip(curves)
        .flat_map(|(policy, curve)| {
            anomalies(curve).into_iter().map(|found| {
                vec![
                    Cell::text(policy.name()),
                    Cell::Count(u64::from(found.frames.get())),
                    Cell::Count(found.faults),
                    Cell::Count(found.faults_before),
                ]
            })
        })
        .collect();
    let note = if rows.is_empty() {
        "none: no policy faults more with more frames"
    } else {
        "a frame more, and yet more faults"
    };
    Table {
        name: "anomalies",
        notes: vec![("Belady's anomaly", note.to_owned())],
        columns: vec!["policy", "frames", "faults", "faults_with_fewer"],
        rows,
        ..Table::default()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a mean is shown with few digits"
)]
fn window_table(string: &ReferenceString, windows: &[NonZeroUsize]) -> Table {
    let references = string.references().len().max(1) as f64;
    let row = |&window| {
        let counted = working_set(string, window);
        vec![
            Cell::Count(window.get() as u64),
            Cell::Number(counted.total_pages as f64 / references),
            Cell::Count(counted.peak_pages as u64),
            Cell::Count(counted.faults),
        ]
    };
    Table {
        name: "working_set",
        notes: vec![(
            "working set",
            "pages of the last `window` references".to_owned(),
        )],
        columns: vec!["window", "mean_pages", "peak_pages", "faults"],
        rows: windows.iter().map(row).collect(),
        ..Table::default()
    }
}

fn policy(name: &str) -> Result<Policy, String> {
    let known = Policy::NAMES.map(|(name, _)| name).join(", ");
    Policy::named(name).ok_or_else(|| format!("unknown policy; there are {known}"))
}

fn frames(text: &str) -> Result<(u32, u32), String> {
    let wrong =
        || format!("expected a number of frames from 1 to {MAX_FRAME_COUNTS}, or a range as 1-8");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let (first, last) = (number(first)?, number(last)?);
    let is_range = first >= 1 && first <= last && last <= MAX_FRAME_COUNTS;
    is_range.then_some((first, last)).ok_or_else(wrong)
}

fn line(text: &str) -> Result<(Policy, NonZeroU32), String> {
    let wrong = || "expected POLICY:FRAMES, as lru:3".to_owned();
    let (name, count) = text.split_once(':').ok_or_else(wrong)?;
    let (count, _) = frames(count)?;
    let count = NonZeroU32::new(count).ok_or_else(wrong)?;
    Ok((policy(name)?, count))
}
