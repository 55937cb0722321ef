//! Traces and patterns: opened, decompressed, read piece by piece.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use pagefault_tlbsim::session::{Events, Plan};
use pagefault_tlbsim::{
    Conventions, Format, Limits, Modify, Op, PageShift, Record, Region, Straddle, Stream, Tally,
    TraceReader,
};

use crate::interrupt;
use crate::tlb::Failure;
use crate::tlb::args::{InputArguments, ModifyChoice, StraddleChoice, StreamChoice};
use crate::tlb::table::Table;

/// The first bytes of compressed files.
const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const XZ: [u8; 6] = [0xFD, b'7', b'z', b'X', b'Z', 0];
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 18;
/// Records of a pattern that are made at once.
const BATCH: u64 = 1 << 15;
/// Where the page numbers of patterns begin in an address.
const PAGE_BITS: u32 = 12;

/// Where records come from.
pub(crate) enum Input {
    /// A trace.
    Trace {
        name: String,
        reader: Box<TraceReader<Box<dyn BufRead>>>,
    },
    /// A pattern.
    Pattern {
        name: String,
        pages: pagefault_tlbsim::Pages,
        left: u64,
    },
}

impl Input {
    /// Opens what the command line names.
    pub(crate) fn open(arguments: &InputArguments) -> Result<Self, Failure> {
        if let Some(pattern) = arguments.pattern {
            return Ok(Self::Pattern {
                name: format!(
                    "{pattern}, {} look-ups, seed {}",
                    arguments.accesses, arguments.seed
                ),
                pages: pattern.pages(arguments.seed),
                left: arguments.accesses,
            });
        }
        let path = arguments.trace.as_deref().unwrap_or(Path::new("-"));
        Self::open_trace(path, arguments)
    }

    /// Opens a trace.
    pub(crate) fn open_trace(path: &Path, arguments: &InputArguments) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let what = || format!("cannot read {name}");
        let source = decompressed(path, arguments.no_progress)
            .with_context(what)
            .map_err(Failure::Trace)?;
        let limits = Limits {
            bad_records: arguments.bad_limit,
        };
        let reader = TraceReader::new(source, arguments.trace_format, limits)
            .with_context(what)
            .map_err(Failure::Trace)?;
        Ok(Self::Trace {
            name,
            reader: Box::new(reader),
        })
    }

    /// Returns the format of a trace.
    pub(crate) fn format(&self) -> Option<Format> {
        match self {
            Self::Trace { reader, .. } => Some(reader.format()),
            Self::Pattern { .. } => None,
        }
    }

    /// Puts the next records in place of what is in `records`; none at all at the end.
    pub(crate) fn read(&mut self, records: &mut Vec<Record>) -> Result<(), Failure> {
        // What was read so far is the whole of it: its counts are shown.
        if interrupt::is_requested() {
            records.clear();
            return Ok(());
        }
        match self {
            Self::Trace { name, reader } => reader
                .read(records)
                .with_context(|| format!("cannot read {name}"))
                .map_err(Failure::Trace),
            Self::Pattern { pages, left, .. } => {
                let count = (*left).min(BATCH);
                *left -= count;
                records.clear();
                let pages = pages.by_ref().take(usize::try_from(count).unwrap_or(0));
                records.extend(pages.map(|page| Record::new(Op::Read, page << PAGE_BITS, 1)));
                Ok(())
            }
        }
    }

    /// Returns what was read, in words.
    pub(crate) fn description(&self) -> String {
        let cut = if interrupt::is_requested() {
            ", interrupted there"
        } else {
            ""
        };
        match self {
            Self::Pattern { name, left, .. } if !cut.is_empty() => {
                format!("{name}, interrupted with {left} to go")
            }
            Self::Pattern { name, .. } => name.clone(),
            Self::Trace { name, reader } => {
                let Tally {
                    records,
                    skipped,
                    bad,
                    ..
                } = reader.tally();
                let format = reader.format().name();
                format!(
                    "{name}: {format}, {records} records, {skipped} other lines, {bad} bad records{cut}"
                )
            }
        }
    }

    /// Complains of bad records.
    pub(crate) fn warn(&self) {
        if let Self::Trace { name, reader } = self {
            warn(name, reader.tally());
        }
    }

    /// Returns the regions that the trace names.
    pub(crate) fn regions(&self) -> &[Region] {
        match self {
            Self::Trace { reader, .. } => reader.regions(),
            Self::Pattern { .. } => &[],
        }
    }

    /// Refuses samples, of which counts would say nothing.
    pub(crate) fn refuse_samples(&self) -> Result<(), Failure> {
        let told = self.format().map_or(Ok(()), refuse_samples);
        told.map_err(|message| Failure::Usage(message.to_owned()))
    }
}

/// Complains of the bad records of a trace.
pub(crate) fn warn(name: &str, tally: &Tally) {
    if tally.bad > 0 {
        anstream::eprintln!("warning: {name}: {} bad records were left out:", tally.bad);
        for bad in tally.shown() {
            anstream::eprintln!("  {bad}");
        }
    }
}

/// Returns why samples cannot be counted, if the trace holds them.
pub(crate) fn refuse_samples(format: Format) -> Result<(), &'static str> {
    if format.is_sampled() {
        return Err("the trace holds samples: no miss ratio can be had of it; \
            `pagefault tlb sim` shows which pages were sampled");
    }
    Ok(())
}

/// Returns the size of pages: what was asked for, unless the trace holds page numbers.
pub(crate) fn page_size(format: Option<Format>, asked: Option<PageShift>) -> PageShift {
    if format.is_some_and(Format::holds_page_numbers) {
        PageShift::NUMBERS
    } else {
        asked.unwrap_or_default()
    }
}

/// Returns what the command line says of look-ups.
pub(crate) fn plan(arguments: &InputArguments, input: &Input) -> Plan {
    let ignores = arguments.ignore_events || arguments.page_size.is_some();
    Plan {
        conventions: Conventions {
            stream: match arguments.stream {
                StreamChoice::Data => Stream::Data,
                StreamChoice::Instruction => Stream::Instruction,
                StreamChoice::Unified => Stream::Unified,
            },
            straddle: match arguments.straddle {
                StraddleChoice::First => Straddle::FirstPage,
                StraddleChoice::Each => Straddle::EachPage,
            },
            modify: match arguments.modify {
                ModifyChoice::Once => Modify::Once,
                ModifyChoice::Twice => Modify::Twice,
            },
            page_size: page_size(input.format(), arguments.page_size),
        },
        events: if ignores {
            Events::Ignore
        } else {
            Events::Apply
        },
        skip: arguments.skip,
        limit: arguments.limit,
        ..Plan::default()
    }
}

/// Adds to a table what its numbers depend on.
pub(crate) fn note(table: &mut Table, input: &Input, plan: &Plan) {
    table.notes.push(("trace", input.description()));
    table.notes.push(("conventions", conventions(input, plan)));
}

fn conventions(input: &Input, plan: &Plan) -> String {
    let conventions = plan.conventions;
    let stream = match conventions.stream {
        Stream::Data => "data accesses",
        Stream::Instruction => "instruction fetches",
        Stream::Unified => "data accesses and instruction fetches",
    };
    let tells_sizes = input.format().is_some_and(Format::tells_sizes);
    let straddle = match conventions.straddle {
        _ if !tells_sizes => "no sizes: straddling cannot be seen",
        Straddle::FirstPage => "an access across pages looks up the first one",
        Straddle::EachPage => "an access across pages looks up each",
    };
    let modify = match conventions.modify {
        Modify::Once => "a read and write of one operand looks up once",
        Modify::Twice => "a read and write of one operand looks up twice",
    };
    let pages = match (conventions.page_size, plan.events) {
        (PageShift::NUMBERS, _) => "page numbers as the trace has them".to_owned(),
        (size, Events::Ignore) => format!("all pages of {}", bytes(1 << size.bits())),
        (size, Events::Apply) => {
            format!(
                "pages of {} unless the trace tells",
                bytes(1 << size.bits())
            )
        }
    };
    format!(
        "{stream}; {straddle}; {modify}; {pages}; a miss fills all levels and counts once; the \
         lowest empty way is filled first, but plru_ptr and mru3plru4 go where their bits point; \
         a flush resets them"
    )
}

/// Returns a size in words.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units
        .into_iter()
        .find(|&(_, shift)| bytes >= 1 << shift && bytes.trailing_zeros() >= shift);
    unit.map_or(format!("{bytes} bytes"), |(name, shift)| {
        format!("{} {name}", bytes >> shift)
    })
}

/// Opens a file, or standard input, and decompresses what is compressed.
pub(crate) fn decompressed(path: &Path, no_progress: bool) -> io::Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("it is a directory"));
        }
        if no_progress || !io::stderr().is_terminal() {
            Box::new(file)
        } else {
            Box::new(bar(metadata.len()).wrap_read(file))
        }
    };
    let mut start = Vec::new();
    let mut raw = raw;
    raw.by_ref().take(XZ.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start.starts_with(&GZIP);
    let is_zstd = start.starts_with(&ZSTD);
    if start.starts_with(&XZ) {
        return Err(io::Error::other(
            "it is compressed with xz: pipe `xz -dc FILE` into it",
        ));
    }
    let whole = BufReader::with_capacity(BUFFER_BYTES, io::Cursor::new(start).chain(raw));
    Ok(if is_gzip {
        let text = MultiGzDecoder::new(whole);
        Box::new(BufReader::with_capacity(BUFFER_BYTES, text))
    } else if is_zstd {
        let text = zstd::Decoder::with_buffer(whole)?;
        Box::new(BufReader::with_capacity(BUFFER_BYTES, text))
    } else {
        Box::new(whole)
    })
}

fn bar(len: u64) -> ProgressBar {
    let style = "{wide_bar} {bytes}/{total_bytes} at {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(style);
    ProgressBar::new(len).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
