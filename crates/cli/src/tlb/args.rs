//! The command lines of `pagefault tlb`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pagefault_tlbsim::{DEFAULT_SEED, Format, PageShift, Pattern};

use crate::look::TlbShowArguments;
use crate::tlb::spec::TlbSpec;

/// How TLBs are written.
const TLBS: &str = "\
TLBs:
  64x4:lru                         64 entries in 4 ways; policies: lru, fifo, plru, plru_ptr,
                                   bit_plru, random, mru3plru4
  1536x12:mru3plru4:xor            sets indexed by the low bits xor the bits above them
  d=64x4:lru,i=32x4:plru,l2=512x4  a first level for data and one for instructions, and a second
  preset:skylake                   that of a processor; see `pagefault tlb presets`

Patterns:
  uniform:PAGES hot:PAGES:HOT loop:PAGES stride:BYTES chase:PAGES sequential rows:ORDER
  columns:ORDER zipf:PAGES:HUNDREDTHS";

#[derive(Debug, Subcommand)]
pub(crate) enum TlbCommand {
    /// Counts hits and misses of any number of TLBs.
    #[command(after_help = TLBS)]
    Sim(SimArguments),
    /// Counts the misses of all geometries: 1 to 512 sets of 1 to 16 ways.
    #[command(after_help = TLBS)]
    Sweep(SweepArguments),
    /// Draws the exact miss-ratio curve of fully associative LRU, and policies beside it.
    #[command(after_help = TLBS)]
    Curve(CurveArguments),
    /// Lists the TLBs of real processors, with the source of each.
    Presets(PresetsArguments),
    /// Runs a trace or a program through the TLBs of real processors.
    Compare(CompareArguments),
    /// Shows what the TLB of a program holds, at the end or at another moment.
    Show(TlbShowArguments),
    /// Joins results that were computed apart, as JSON Lines.
    Merge(MergeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// The trace, plain, .gz or .zst; `-` is standard input.
    #[arg(required_unless_present = "pattern")]
    pub(crate) trace: Option<PathBuf>,
    /// A generated stream in place of a trace.
    #[arg(long, value_name = "PATTERN", conflicts_with = "trace")]
    pub(crate) pattern: Option<Pattern>,
    /// The look-ups of a generated stream.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) accesses: u64,
    /// The seed of a generated stream, and of random replacement.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    pub(crate) seed: u64,
    /// The format of the trace, where it cannot be told by its first bytes.
    #[arg(long, value_name = "FORMAT", value_parser = Format::named)]
    pub(crate) trace_format: Option<Format>,
    /// How many bad records are left out before it is an error.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) bad_limit: u64,
    /// Which accesses are looked up.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) stream: StreamChoice,
    /// What an access looks up that touches more than one page.
    #[arg(long, value_enum, default_value_t, value_name = "PAGES")]
    pub(crate) straddle: StraddleChoice,
    /// How often a read and write of the same operand looks up.
    #[arg(long, value_enum, default_value_t, value_name = "TIMES")]
    pub(crate) modify: ModifyChoice,
    /// The size of pages: 4K to 1G; without it, what the trace tells, or 4K.
    #[arg(long, value_name = "SIZE", value_parser = page_size)]
    pub(crate) page_size: Option<PageShift>,
    /// Pass over so many records at the beginning.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) skip: u64,
    /// Take so many records after those.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Leave flushes, invalidations and page sizes of the trace out.
    #[arg(long)]
    pub(crate) ignore_events: bool,
    /// Show no progress.
    #[arg(long)]
    pub(crate) no_progress: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Where the result goes, in place of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl OutputArguments {
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { self.format }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SimArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// A TLB; can be given any number of times.
    #[arg(long, value_name = "TLB", default_value = "64x4:lru")]
    pub(crate) tlb: Vec<TlbSpec>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// Show so many pages, instructions and regions with the most misses, of each TLB.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) top: usize,
    /// Names of address ranges: CSV with the columns name, start, bytes.
    #[arg(long, value_name = "FILE")]
    pub(crate) regions: Option<PathBuf>,
    /// Count only every nth of the TLBs, beginning with the ith: `i/n`, from 1.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Draw the misses by their reason into an SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write a report with curve, heat map and misses by reason into an HTML file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Fill the TLBs with so many look-ups before counting.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) warm_up: u64,
    /// Empty the TLBs every so many look-ups.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) flush_every: Option<u64>,
    /// The page tables that misses walk; without it, by the width of the addresses.
    #[arg(long, value_enum, value_name = "TABLES")]
    pub(crate) paging: Option<PagingChoice>,
    /// Cycles of an access whose translation the first level has.
    #[arg(long, value_name = "CYCLES", default_value_t = 1.0)]
    pub(crate) access_cycles: f64,
    /// Cycles more of a hit in the second level.
    #[arg(long, value_name = "CYCLES", default_value_t = 9.0)]
    pub(crate) l2_cycles: f64,
    /// Cycles more of each entry that a walk reads.
    #[arg(long, value_name = "CYCLES", default_value_t = 15.0)]
    pub(crate) reference_cycles: f64,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// More policies, as a comma list, as "fifo,plru,random".
    #[arg(long, value_name = "POLICIES", value_delimiter = ',', value_parser = crate::tlb::spec::policy)]
    pub(crate) policies: Vec<pagefault_machine::vmm::mmu::Policy>,
    /// Name the cheapest geometry that misses at most so many look-ups: a number, or per cent.
    #[arg(long, value_name = "MISSES", value_parser = budget)]
    pub(crate) budget: Option<Budget>,
    /// Compute only the ith of n parts of the other policies: `i/n`, from 1.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Draw the heat map into an SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CurveArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// What else is drawn, as a comma list: opt, fifo, plru. These run at powers of two; opt
    /// keeps 17 bytes of memory for each look-up.
    #[arg(long = "with", value_name = "POLICIES", value_delimiter = ',')]
    pub(crate) with: Vec<CurvePolicy>,
    /// Every size at which the curve steps, in place of powers of two and halfway between.
    #[arg(long)]
    pub(crate) all_sizes: bool,
    /// Draw the curve into an SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CurvePolicy {
    Opt,
    Fifo,
    Plru,
}

#[derive(Debug, Args)]
pub(crate) struct PresetsArguments {
    /// Which ones; without a name, all.
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Which TLBs, as a comma list; all: those of all processors, by age.
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "all",
        value_delimiter = ','
    )]
    pub(crate) presets: Vec<String>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// What `perf stat -x,` has counted of the same program, to be shown beside.
    #[arg(long, value_name = "FILE")]
    pub(crate) perf_stat: Option<PathBuf>,
    /// Draw the miss ratios into an SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// Results of `sim` or `sweep` with --format jsonl.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[default]
    Text,
    /// The first table, with a line of names.
    Csv,
    /// One object.
    Json,
    /// The first table, an object each line.
    Jsonl,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StreamChoice {
    #[default]
    Data,
    Instruction,
    /// Both: in one TLB, or in the two halves of a split one.
    Unified,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StraddleChoice {
    /// The page of its first byte.
    First,
    /// Each page, as the processor does.
    #[default]
    Each,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModifyChoice {
    #[default]
    Once,
    Twice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PagingChoice {
    TwoLevel,
    Pae,
    FourLevel,
    FiveLevel,
}

/// One of several parts of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Returns whether the part has the item of this number, from 0.
    pub(crate) fn has(self, item: usize) -> bool {
        item % self.count == self.index
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected I/N with I from 1 to N, as in 2/8".to_owned();
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let index: usize = index.parse().map_err(|_| wrong())?;
        let count: usize = count.parse().map_err(|_| wrong())?;
        if index == 0 || index > count {
            return Err(wrong());
        }
        Ok(Self {
            index: index - 1,
            count,
        })
    }
}

/// How many misses are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Budget {
    Misses(u64),
    Ratio(f64),
}

fn budget(text: &str) -> Result<Budget, String> {
    let wrong = || "expected a number of misses, or per cent, as in 1.5%".to_owned();
    match text.strip_suffix('%') {
        None => text.parse().map(Budget::Misses).map_err(|_| wrong()),
        Some(percent) => {
            let percent: f64 = percent.parse().map_err(|_| wrong())?;
            let is_share = (0.0..=100.0).contains(&percent);
            is_share
                .then_some(Budget::Ratio(percent / 100.0))
                .ok_or_else(wrong)
        }
    }
}

fn page_size(text: &str) -> Result<PageShift, String> {
    let bytes = pagefault_lab::parse_size(text).map_err(|error| error.to_string())?;
    if !bytes.is_power_of_two() {
        return Err("expected a power of two, as 4K, 2M or 4M".to_owned());
    }
    PageShift::new(bytes.trailing_zeros()).map_err(|error| error.to_string())
}
