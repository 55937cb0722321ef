//! The driver files of course labs, and what they ask for.
//!
//! Three labs are read: see [`Format`]. A file becomes [`Step`]s, and a [`Problem`] for each line or
//! record that cannot be one; [`replay::Replay`] does the steps on a memory manager of its own.

mod opfile;
pub mod replay;
mod text;
pub mod tracker;
mod warning;

use std::fmt;
use std::ops::ControlFlow;

use pagefault_machine::vmm::mmu::LinearAddr;
use thiserror::Error;

pub use warning::Warning;

/// The most lines or records of a file that are read, those that are no steps included.
pub const MAX_STEPS: usize = 100_000;

/// The regions that an operation file of lab 2 works on.
pub const REGION_COUNT: u32 = 5;

/// Whose files they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `VMdriver`: lines `time vmOp vmAddress units access`.
    ///
    /// Time is in seconds to wait, the address in hex; units are of 65,536 bytes to reserve and of
    /// 4,096 bytes otherwise. Operations 1 to 8: reserve, commit, touch, lock, unlock, guard page,
    /// decommit, release.
    Driver,
    /// The operation file of the Windows 2000 lab: records of four little-endian 32-bit numbers,
    /// `time block oper protection`.
    ///
    /// Time is in milliseconds to wait, a block in pages. Operations 0 to 5: reserve, commit, lock,
    /// unlock, decommit, release. Protection 0 begins again with the first of five regions.
    OperationFile,
    /// A script with absolute times in milliseconds: lines `time op address pages access`.
    ///
    /// Operations 1 to 7: reserve, commit, decommit, reset, release, lock, unlock.
    Script,
}

/// Where in a file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line, from 1 on.
    Line(u32),
    /// A record, from 0 on, as the lab counts them.
    Record(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Record(record) => write!(f, "record {record}"),
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reserves address space.
    Reserve,
    /// Commits pages.
    Commit,
    /// Reads a byte of each page.
    Touch,
    /// Locks pages.
    Lock,
    /// Unlocks pages.
    Unlock,
    /// Commits pages as guard pages.
    Guard,
    /// Decommits pages.
    Decommit,
    /// Releases a reservation.
    Release,
    /// Says that the contents no longer matter.
    Reset,
}

impl Operation {
    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Commit => "commit",
            Self::Touch => "touch",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Guard => "guard",
            Self::Decommit => "decommit",
            Self::Release => "release",
            Self::Reset => "reset",
        }
    }
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A range that the file names.
    Range {
        /// Where it begins.
        address: LinearAddr,
        /// How long it is in bytes.
        size_bytes: u32,
    },
    /// One of the regions that the file has reserved, the whole of it.
    Region(RegionIndex),
    /// A region that is now reserved, wherever the system puts it.
    NewRegion {
        /// The number that it gets.
        region: RegionIndex,
        /// How long it is in bytes.
        size_bytes: u32,
    },
}

/// The number of a region of lab 2, below [`REGION_COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionIndex(u32);

impl RegionIndex {
    /// Returns the region of that number, if there is one.
    pub const fn new(index: u32) -> Option<Self> {
        if index < REGION_COUNT {
            Some(Self(index))
        } else {
            None
        }
    }

    /// Returns the number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// One operation of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// When it is done, in milliseconds since the start.
    pub at_ms: u64,
    /// What is done.
    pub operation: Operation,
    /// What it is done to.
    pub target: Target,
    /// The `PAGE_*` bits; without `PAGE_GUARD`, which [`Operation::Guard`] adds.
    pub protect: u32,
    /// The count of units as the file has it.
    pub units: u32,
}

/// A field of a line or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// When.
    Time,
    /// What.
    Operation,
    /// Where.
    Address,
    /// How much.
    Units,
    /// With which protection.
    Access,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "the time",
            Self::Operation => "the operation",
            Self::Address => "the address",
            Self::Units => "the number of units",
            Self::Access => "the access",
        })
    }
}

/// Why a line or record is no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A line has too few numbers, or too many.
    #[error("five numbers are wanted, not {found}: time, operation, address, units, access")]
    Count {
        /// How many words there are.
        found: usize,
    },
    /// A word is no number, or one that does not fit.
    #[error("{field} is no number that fits")]
    Number {
        /// Which.
        field: Field,
    },
    /// The line is not text.
    #[error("the line is not text")]
    NotText,
    /// Commas, which the lab's own reader stops at.
    #[error("the numbers are separated by commas: the lab's program reads blanks only")]
    Commas,
    /// There is no such operation.
    #[error("there is no operation {code}: {first} to {last} are known")]
    Operation {
        /// The code given.
        code: u32,
        /// The lowest there is.
        first: u32,
        /// The highest there is.
        last: u32,
    },
    /// There is no such access.
    #[error("there is no access {code}: {first} to {last} are known")]
    Access {
        /// The code given.
        code: u32,
        /// The lowest there is.
        first: u32,
        /// The highest there is.
        last: u32,
    },
    /// A number is below 0.
    #[error("{field} is negative")]
    Negative {
        /// Which.
        field: Field,
    },
    /// The size does not fit in 32 bits.
    #[error("{units} units are more than the address space")]
    TooLarge {
        /// The units given.
        units: u32,
    },
    /// A script goes back in time.
    #[error("time {at_ms} ms is before the line above it, {before_ms} ms")]
    TimeGoesBack {
        /// The time given.
        at_ms: u64,
        /// The time before it.
        before_ms: u64,
    },
    /// The file ends inside a record.
    #[error("the file ends after {found_bytes} of the record's {wanted_bytes} bytes")]
    Truncated {
        /// The bytes that are there.
        found_bytes: usize,
        /// The bytes of a record.
        wanted_bytes: usize,
    },
    /// A record works on a sixth region.
    #[error(
        "the lab has {REGION_COUNT} regions; a record with protection 0 begins again with the first"
    )]
    Region,
    /// The file has more lines or records than are read.
    #[error(
        "a file has at most {MAX_STEPS} lines or records: this one and what follows is not read"
    )]
    TooMany,
}

/// A line or record that is no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub place: Place,
    /// What is wrong with it.
    pub malformed: Malformed,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.malformed)
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Its operations, in order.
    pub steps: Vec<Step>,
    /// What is none.
    pub problems: Vec<Problem>,
}

impl Parsed {
    /// Adds a line or record; breaks at the first one that is too many.
    fn push(&mut self, place: Place, step: Result<Step, Malformed>) -> ControlFlow<()> {
        if self.steps.len() + self.problems.len() >= MAX_STEPS {
            let malformed = Malformed::TooMany;
            self.problems.push(Problem { place, malformed });
            return ControlFlow::Break(());
        }
        match step {
            Ok(step) => self.steps.push(step),
            Err(malformed) => self.problems.push(Problem { place, malformed }),
        }
        ControlFlow::Continue(())
    }
}

/// Reads a file, up to [`MAX_STEPS`].
pub fn parse(format: Format, bytes: &[u8]) -> Parsed {
    match format {
        Format::Driver => text::parse(&text::DRIVER, bytes),
        Format::Script => text::parse(&text::SCRIPT, bytes),
        Format::OperationFile => opfile::parse(bytes),
    }
}
