//! Golden data: cases on which independent machines, manuals and programs agree.
//!
//! A kind of data is a directory of files in one format. The runner replays every case through the
//! public interface of the crate in question and compares the whole outcome. `cargo test` runs the
//! public data, which lies in `fixtures/golden`; the `golden` binary runs any directory.

pub mod cpu;
pub mod mmu;
pub mod programs;
pub mod report;
pub mod table;
pub mod tlb;
pub mod vmm;

use std::path::{Path, PathBuf};

use pagefault_vmm::PagingMode;
use thiserror::Error;

use crate::golden::report::Report;

/// A kind of golden data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Paging: matrices of entries and accesses, sequences, traces.
    Mmu,
    /// Instructions: vectors of a real CPU.
    Cpu,
    /// Virtual memory: scenarios of Win32 calls, in this paging mode.
    Vmm(PagingMode),
    /// Programs with their results, in this paging mode.
    Programs(PagingMode),
    /// TLB simulation: miss counts of traces and generated streams, samples of trace formats.
    Tlb,
}

impl Kind {
    /// The kinds with the names that users write.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("mmu", Self::Mmu),
        ("vmm", Self::Vmm(PagingMode::TwoLevel)),
        ("cpu", Self::Cpu),
        ("programs", Self::Programs(PagingMode::TwoLevel)),
        ("tlb", Self::Tlb),
    ];

    /// Returns the kind of that name.
    ///
    /// # Errors
    ///
    /// [`UnknownKind`], whose message lists the names.
    pub fn named(name: &str) -> Result<Self, UnknownKind> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, kind)| kind).ok_or(UnknownKind)
    }

    /// Returns the kind in another paging mode, if its cases can run in it.
    #[must_use]
    pub fn in_mode(self, paging: PagingMode) -> Option<Self> {
        match self {
            Self::Vmm(_) => Some(Self::Vmm(paging)),
            Self::Programs(_) => Some(Self::Programs(paging)),
            Self::Mmu | Self::Cpu | Self::Tlb => None,
        }
    }

    /// Replays every file of a directory.
    ///
    /// # Errors
    ///
    /// [`GoldenError`] if the directory or a file in it cannot be read.
    pub fn run(self, dir: &Path) -> Result<Report, GoldenError> {
        match self {
            Self::Mmu => mmu::run(dir, &mmu::default_config()),
            Self::Vmm(paging) => vmm::run(dir, paging),
            Self::Cpu => cpu::run(dir),
            Self::Programs(paging) => programs::run(dir, paging),
            Self::Tlb => tlb::run(dir),
        }
    }
}

/// A name that is no kind's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unknown kind of golden data; there are {}", Kind::NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownKind;

/// Why golden data cannot be read.
#[derive(Debug, Error)]
pub enum GoldenError {
    /// The directory or a file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file is not JSON in the format of its kind.
    #[error("{} is not in the format of its kind: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A trace cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pagefault_tlbsim::ReadError,
    },
    /// A file is not in the format of its kind.
    #[error("{} is not CSV with a header line: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: csv::Error,
    },
}
