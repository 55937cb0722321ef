//! Reference strings under replacement policies: faults by policy and frame count, time lines,
//! Belady's anomaly, working sets.
//!
//! The policies are those of the memory manager, as far as they go by accessed flags; exact LRU and
//! the optimum, which no hardware can have, stand beside them.
//!
//! ```
//! use pagefault_lab::paging::{Policy, ReferenceString, fault_curve, anomalies};
//!
//! let string: ReferenceString = "1 2 3 4 1 2 5 1 2 3 4 5".parse()?;
//! let curve = fault_curve(Policy::Fifo, &string, 1..=5);
//! assert_eq!(curve[2].faults, 9);
//! assert_eq!(curve[3].faults, 10);
//! assert_eq!(anomalies(&curve)[0].frames.get(), 4);
//! # Ok::<(), pagefault_lab::paging::ReferenceError>(())
//! ```

mod memory;
mod window;

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;

use pagefault_machine::vmm::PolicyKind;
use thiserror::Error;

pub use memory::{Faults, Hit, Moment, TimeLine, count, time_line};
pub use window::{WorkingSetCount, working_set};

/// Which page makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The page that has been resident longest.
    Fifo,
    /// The page that was not used for longest, exactly.
    Lru,
    /// Second chance.
    Clock,
    /// A byte of use history for each page.
    Aging,
    /// The working-set clock.
    WorkingSetClock,
    /// Any page.
    Random {
        /// The same seed makes the same choices.
        seed: u64,
    },
    /// The page whose next use is farthest away.
    Optimal,
}

impl Policy {
    /// The policies with the names that users write; `random` has the seed 1.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("fifo", Self::Fifo),
        ("lru", Self::Lru),
        ("clock", Self::Clock),
        ("aging", Self::Aging),
        ("wsclock", Self::WorkingSetClock),
        ("random", Self::Random { seed: 1 }),
        ("opt", Self::Optimal),
    ];

    /// Returns the policy of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(known, _)| *known == name)
            .map(|(_, policy)| policy)
    }

    /// Returns the name that users write.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Lru => "lru",
            Self::Clock => "clock",
            Self::Aging => "aging",
            Self::WorkingSetClock => "wsclock",
            Self::Random { .. } => "random",
            Self::Optimal => "opt",
        }
    }

    /// Returns the memory manager's policy, where it has one.
    pub fn kind(self) -> Option<PolicyKind> {
        match self {
            Self::Fifo => Some(PolicyKind::Fifo),
            Self::Clock => Some(PolicyKind::Clock),
            Self::Aging => Some(PolicyKind::Aging),
            Self::WorkingSetClock => Some(PolicyKind::WorkingSetClock),
            Self::Random { seed } => Some(PolicyKind::Random { seed }),
            Self::Lru | Self::Optimal => None,
        }
    }
}

/// What a reference does to its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// Reads it.
    #[default]
    Read,
    /// Writes to it, so that it must be written back when it makes room.
    Write,
}

/// One use of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The page.
    pub page: u32,
    /// What is done to it.
    pub kind: Use,
}

/// The pages that a program uses, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceString {
    references: Vec<Reference>,
}

/// Why text is no reference string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// A word is no page number.
    #[error("word {word} is no page number: write 7, 0x1f, or 7w for a write")]
    Word {
        /// Which, from 1 on.
        word: usize,
    },
    /// There is no reference.
    #[error("there is no reference")]
    Empty,
    /// There are more references than a string can have.
    #[error("there are more than {} references", ReferenceString::MAX_REFERENCES)]
    TooMany,
}

impl ReferenceString {
    /// The most references of a string that is read: policies keep some 20 bytes for each.
    pub const MAX_REFERENCES: usize = 8 << 20;

    /// Returns the string of these references.
    pub fn new(references: Vec<Reference>) -> Self {
        Self { references }
    }

    /// Returns the references.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Appends a reference; one to the page that was used last only adds a write to it. No policy
    /// faults more or less for that; the window of a working set counts such a run of references as
    /// one.
    pub fn push_merged(&mut self, reference: Reference) {
        match self.references.last_mut() {
            Some(last) if last.page == reference.page => {
                if reference.kind == Use::Write {
                    last.kind = Use::Write;
                }
            }
            _ => self.references.push(reference),
        }
    }

    /// Returns how many pages there are.
    pub fn distinct_pages(&self) -> usize {
        let mut pages: Vec<u32> = self.references.iter().map(|used| used.page).collect();
        pages.sort_unstable();
        pages.dedup();
        pages.len()
    }
}

impl FromStr for ReferenceString {
    type Err = ReferenceError;

    /// Reads page numbers between blanks or commas; `w` behind one makes it a write.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`].
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let words = text.split([' ', ',', '\t', '\r', '\n']);
        let words = words.filter(|word| !word.is_empty());
        if words.clone().count() > Self::MAX_REFERENCES {
            return Err(ReferenceError::TooMany);
        }
        let references = (1..)
            .zip(words)
            .map(|(number, word)| reference(word).ok_or(ReferenceError::Word { word: number }))
            .collect::<Result<Vec<_>, _>>()?;
        if references.is_empty() {
            return Err(ReferenceError::Empty);
        }
        Ok(Self { references })
    }
}

fn reference(word: &str) -> Option<Reference> {
    const HEX: u32 = 16;
    let (digits, kind) = match word.strip_suffix(['w', 'W']) {
        Some(digits) => (digits, Use::Write),
        None => (word, Use::Read),
    };
    let page = match digits.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, HEX).ok()?,
        None => digits.parse().ok()?,
    };
    Some(Reference { page, kind })
}

/// What a policy costs with so many frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurvePoint {
    /// The frames.
    pub frames: NonZeroU32,
    /// Page faults, all frames being empty at the start.
    pub faults: u64,
    /// Pages that were written back to make room.
    pub write_backs: u64,
}

/// Counts faults for each frame count of a range; 0 frames are left out.
pub fn fault_curve(
    policy: Policy,
    string: &ReferenceString,
    frames: RangeInclusive<u32>,
) -> Vec<CurvePoint> {
    let point = |frames: NonZeroU32| {
        let Faults {
            faults,
            write_backs,
        } = count(policy, string, frames);
        CurvePoint {
            frames,
            faults,
            write_backs,
        }
    };
    frames.filter_map(NonZeroU32::new).map(point).collect()
}

/// A frame more, and yet more faults: Belady's anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// The larger frame count.
    pub frames: NonZeroU32,
    /// Faults with it.
    pub faults: u64,
    /// Faults with the frame count before it on the curve.
    pub faults_before: u64,
}

/// Returns where a curve rises.
pub fn anomalies(curve: &[CurvePoint]) -> Vec<Anomaly> {
    let pairs = curve.iter().zip(curve.iter().skip(1));
    pairs
        .filter(|(before, after)| after.faults > before.faults)
        .map(|(before, after)| Anomaly {
            frames: after.frames,
            faults: after.faults,
            faults_before: before.faults,
        })
        .collect()
}
