//! Readers of traces: bytes in, records out, whatever tracer wrote them.

mod binary_formats;
pub(crate) mod bytes;
mod csv;
mod detect;
mod dinero;
mod drview;
mod execlog;
mod input;
mod lackey;
mod lines;
mod perf;
mod pinatrace;
pub mod recorded;
mod tally;

use std::io::{self, BufRead};

use thiserror::Error;

use crate::read::binary_formats::{ChampSim, OracleGeneral};
use crate::read::input::Input;
use crate::read::lines::Lines;
use crate::record::{Record, Region};

pub use crate::read::tally::{BadRecord, Tally};

/// A format of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `valgrind --tool=lackey --trace-mem=yes`; also the traces of CS:APP's cache lab.
    Lackey,
    /// Dinero III: label and address.
    Din,
    /// Dinero IV: letter, address and size.
    Xdin,
    /// The view tool of DynamoRIO's drmemtrace.
    DrView,
    /// Pin's example tool pinatrace.
    Pinatrace,
    /// ChampSim: records of 64 bytes.
    ChampSim,
    /// libCacheSim: records of 24 bytes whose objects are page numbers.
    OracleGeneral,
    /// The execlog plugin of QEMU.
    Execlog,
    /// Comma-separated values, whose first line names the columns.
    Csv,
    /// `perf script -F comm,tid,time,event,addr,ip`: samples, of which no miss ratio can be had.
    Perf,
    /// What `pagefault run --record-trace` writes.
    Recorded,
}

impl Format {
    /// The formats by the names that users write.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("lackey", Self::Lackey),
        ("din", Self::Din),
        ("xdin", Self::Xdin),
        ("drview", Self::DrView),
        ("pinatrace", Self::Pinatrace),
        ("champsim", Self::ChampSim),
        ("oracleGeneral", Self::OracleGeneral),
        ("execlog", Self::Execlog),
        ("csv", Self::Csv),
        ("perf", Self::Perf),
        ("recorded", Self::Recorded),
    ];

    /// Returns the format of that name.
    ///
    /// # Errors
    ///
    /// [`UnknownFormat`], whose message lists the names.
    pub fn named(name: &str) -> Result<Self, UnknownFormat> {
        let mut names = Self::NAMES.iter();
        let found = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, format)| format).ok_or(UnknownFormat)
    }

    /// Returns the name that users write.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, format)| *format == self);
        named.map_or("", |(name, _)| name)
    }

    /// Returns whether the trace holds samples only, so that it has no miss ratio.
    pub fn is_sampled(self) -> bool {
        self == Self::Perf
    }

    /// Returns whether its addresses are page numbers already.
    pub fn holds_page_numbers(self) -> bool {
        self == Self::OracleGeneral
    }

    /// Returns whether it tells the sizes of accesses, so that straddling can be seen.
    pub fn tells_sizes(self) -> bool {
        match self {
            Self::Lackey | Self::Xdin | Self::DrView | Self::Csv | Self::Recorded => true,
            Self::Din
            | Self::Pinatrace
            | Self::ChampSim
            | Self::OracleGeneral
            | Self::Execlog
            | Self::Perf => false,
        }
    }

    fn decoder(self) -> Box<dyn Decode> {
        match self {
            Self::Lackey => Box::new(Lines::new(lackey::Lackey)),
            Self::Din => Box::new(Lines::new(dinero::Din)),
            Self::Xdin => Box::new(Lines::new(dinero::Xdin)),
            Self::DrView => Box::new(Lines::new(drview::DrView::default())),
            Self::Pinatrace => Box::new(Lines::new(pinatrace::Pinatrace::default())),
            Self::Execlog => Box::new(Lines::new(execlog::Execlog)),
            Self::Csv => Box::new(Lines::new(csv::Csv::default())),
            Self::Perf => Box::new(Lines::new(perf::Perf::default())),
            Self::ChampSim => Box::new(ChampSim),
            Self::OracleGeneral => Box::new(OracleGeneral),
            Self::Recorded => Box::new(recorded::Recorded::default()),
        }
    }
}

/// A name that is no format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unknown trace format; there are {}", Format::NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownFormat;

/// Why a trace cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The source failed, as compressed data that ends early does.
    #[error("the source fails after {records} records")]
    Source {
        /// What was read before.
        records: u64,
        /// What it says.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("the trace is empty")]
    Empty,
    /// It is in no format that is known.
    #[error(
        "this is no trace in a known format (its first bytes are {}); if it is, name the format: {}",
        start.escape_ascii(),
        Format::NAMES.map(|(name, _)| name).join(", ")
    )]
    UnknownFormat {
        /// How it begins.
        start: Vec<u8>,
    },
    /// It has too many records that cannot be understood.
    #[error(
        "{count} records are not in the format {}, more than the limit of {limit}; the first is {first}",
        format.name()
    )]
    TooManyBad {
        /// The format that was expected.
        format: Format,
        /// How many there were.
        count: u64,
        /// How many are allowed.
        limit: u64,
        /// The first of them.
        first: BadRecord,
    },
    /// It has no record in the expected format.
    #[error(
        "no record in the format {} was found, in {skipped} lines of other text",
        format.name()
    )]
    NoRecords {
        /// The format that was expected.
        format: Format,
        /// Lines that were passed over.
        skipped: u64,
    },
}

/// Turns bytes into records.
trait Decode {
    /// Decodes what is complete at the start of `bytes` and returns how many bytes that was. At the
    /// end of the trace everything is complete, or bad. A decoder may stop at [`BATCH`] records.
    fn decode(&mut self, bytes: &[u8], end: End, out: &mut Output<'_>) -> usize;

    /// Returns the named ranges that the trace has told by now.
    fn regions(&self) -> &[Region] {
        &[]
    }
}

/// Whether more bytes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    No,
    Yes,
}

/// Where records go, and what is told of the others.
struct Output<'a> {
    records: &'a mut Vec<Record>,
    tally: &'a mut Tally,
}

/// Records that are wanted before the source is asked again.
const BATCH: usize = 1 << 14;
/// Bytes of the start of an unknown trace that its error shows.
const SHOWN_START: usize = 24;

/// How much is tolerated of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most records that may be bad.
    pub bad_records: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bad_records: 100 }
    }
}

/// Reads a trace, piece by piece.
pub struct TraceReader<R> {
    input: Input<R>,
    format: Format,
    decoder: Box<dyn Decode>,
    limits: Limits,
    tally: Tally,
}

impl<R> std::fmt::Debug for TraceReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceReader")
            .field("format", &self.format)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

impl<R: BufRead> TraceReader<R> {
    /// Begins to read a trace. Without a format, its first bytes decide.
    ///
    /// # Errors
    ///
    /// [`ReadError::Source`], [`ReadError::Empty`] and [`ReadError::UnknownFormat`].
    pub fn new(source: R, format: Option<Format>, limits: Limits) -> Result<Self, ReadError> {
        let mut input = Input::new(source);
        let wrong = |source| ReadError::Source { records: 0, source };
        let (start, _) = input.bytes(detect::LOOKED_AT).map_err(wrong)?;
        if start.is_empty() {
            return Err(ReadError::Empty);
        }
        let found = format.or_else(|| detect::format_of(start));
        let format = found.ok_or_else(|| ReadError::UnknownFormat {
            start: start[..start.len().min(SHOWN_START)].to_vec(),
        })?;
        Ok(Self {
            input,
            format,
            decoder: format.decoder(),
            limits,
            tally: Tally::default(),
        })
    }

    /// Returns the format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns what has been read so far, and what was wrong with it.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns the named ranges that the trace has told by now.
    pub fn regions(&self) -> &[Region] {
        self.decoder.regions()
    }

    /// Puts the next records in place of what is in `records`. None at all: the trace has ended.
    ///
    /// # Errors
    ///
    /// [`ReadError`], except for an empty or unknown trace.
    pub fn read(&mut self, records: &mut Vec<Record>) -> Result<(), ReadError> {
        records.clear();
        let mut wanted = 1;
        loop {
            let before = self.tally.records;
            let wrong = |source| ReadError::Source {
                records: before,
                source,
            };
            let (bytes, end) = self.input.bytes(wanted).map_err(wrong)?;
            let (had, len) = (records.len(), bytes.len());
            let mut output = Output {
                records,
                tally: &mut self.tally,
            };
            let used = self.decoder.decode(bytes, end, &mut output);
            self.input.use_up(used);
            self.tally.records += (records.len() - had) as u64;
            self.check_bad()?;
            if end == End::Yes && used == len {
                return self.check_records();
            }
            if records.len() >= BATCH {
                return Ok(());
            }
            // What cannot be used alone is asked for with more behind it.
            wanted = if used == 0 { len + 1 } else { 1 };
        }
    }

    fn check_bad(&self) -> Result<(), ReadError> {
        match self.tally.first_bad() {
            Some(first) if self.tally.bad > self.limits.bad_records => Err(ReadError::TooManyBad {
                format: self.format,
                count: self.tally.bad,
                limit: self.limits.bad_records,
                first: first.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn check_records(&self) -> Result<(), ReadError> {
        if self.tally.records > 0 {
            return Ok(());
        }
        match self.tally.first_bad() {
            Some(first) => Err(ReadError::TooManyBad {
                format: self.format,
                count: self.tally.bad,
                limit: 0,
                first: first.clone(),
            }),
            None => Err(ReadError::NoRecords {
                format: self.format,
                skipped: self.tally.skipped,
            }),
        }
    }
}
