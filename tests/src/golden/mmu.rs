//! Paging cases: what a walk, a TLB and the rights checks must do.
//!
//! Each case says which entries lie in memory, how the control registers stand and which accesses
//! follow; it is replayed on an [`Mmu`](pagefault_mmu::Mmu) of its own,
//! where it takes instructions with a [`Cpu`](pagefault_cpu::Cpu). The topic of a file is told
//! by its columns, not by its name.

mod alias;
mod implicit;
mod instruction;
mod judge;
mod matrix;
mod misc;
mod pdpte;
mod program;
mod rmw;
mod stack;
mod stage;
mod straddle;
mod string;
mod text;
mod tlb;
mod trace;

use std::path::Path;

use pagefault_mmu::MmuConfig;

use crate::golden::GoldenError;
use crate::golden::mmu::judge::{NotRun, Verdict};
use crate::golden::report::{FileReport, Report};
use crate::golden::table::{self, Row, Table};

/// The form of a file's cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    /// One access through one pair of entries.
    Matrix,
    /// One instruction's access to one page.
    ReadModifyWrite,
    /// An access or an instruction across a page boundary.
    Straddle,
    /// A string instruction.
    String,
    /// A stack instruction.
    Stack,
    /// An access of the processor itself.
    Implicit,
    /// Two ways to the same frame.
    Alias,
    /// Accesses around a change of entries.
    Tlb,
    /// Loads of PDPTEs.
    Pdpte,
    /// Single instructions and corner cases.
    Misc,
    /// Long sequences, one step a line.
    Trace,
    /// None of these.
    Unknown,
}

/// The columns by which topics are told, the most telling first.
const SIGNS: [(&[&str], Topic); 11] = [
    (&["trace", "step", "op", "args"], Topic::Trace),
    (&["sequence", "architecture"], Topic::Tlb),
    (&["sequence", "bochs"], Topic::Pdpte),
    (&["case", "bochs"], Topic::Misc),
    (&["first", "second", "r1", "r2"], Topic::Alias),
    (&["desc_accessed", "lin"], Topic::Implicit),
    (&["ins", "pteA", "pteB"], Topic::Straddle),
    (&["ins", "esi"], Topic::String),
    (&["ins", "esp"], Topic::Stack),
    (&["ins", "lin", "pde", "pte"], Topic::ReadModifyWrite),
    (&["access", "lin", "pde", "pte"], Topic::Matrix),
];

impl Topic {
    fn of(table: &Table) -> Self {
        let sign = SIGNS.iter().find(|(columns, _)| table.has(columns));
        sign.map_or(Self::Unknown, |&(_, topic)| topic)
    }

    fn replay(self, row: Row<'_>, config: &MmuConfig) -> Verdict {
        match self {
            Self::Matrix => matrix::replay(row, config),
            Self::ReadModifyWrite => rmw::replay(row, config),
            Self::Straddle => straddle::replay(row, config),
            Self::Implicit => implicit::replay(row, config),
            Self::Alias => alias::replay(row, config),
            Self::Tlb => tlb::replay(row, config),
            Self::Pdpte => pdpte::replay(row, config),
            Self::Misc => misc::replay(row, config),
            Self::String => string::replay(row, config),
            Self::Stack => stack::replay(row, config),
            Self::Trace | Self::Unknown => {
                Err(NotRun::Skipped("a topic that the runner does not know"))
            }
        }
    }
}

/// Returns the MMU that the data is replayed on unless another is asked for: 64 entries in 4 ways.
pub fn default_config() -> MmuConfig {
    MmuConfig::default()
}

/// Replays every file of a directory on MMUs of this configuration.
///
/// # Errors
///
/// [`GoldenError`] if the directory or a file in it cannot be read.
pub fn run(dir: &Path, config: &MmuConfig) -> Result<Report, GoldenError> {
    let tables = table::read_dir(dir)?;
    let files = tables
        .iter()
        .map(|table| run_table(table, config))
        .collect();
    Ok(Report { files })
}

fn run_table(table: &Table, config: &MmuConfig) -> FileReport {
    let mut report = FileReport::new(table.name());
    match Topic::of(table) {
        Topic::Trace => trace::replay(table, config, &mut report),
        topic => {
            for row in table.rows() {
                judge::record(&mut report, row, topic.replay(row, config));
            }
        }
    }
    report
}
