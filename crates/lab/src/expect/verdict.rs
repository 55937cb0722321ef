//! What came of the expectations.

use pagefault_machine::{ExceptionReport, LoadError, Outcome};
use thiserror::Error;

use crate::expect::error::ExpectError;
use crate::expect::lex::Span;

/// What came of a run under expectations.
#[derive(Debug)]
pub struct Verdict {
    /// For each expectation, in order, what is wrong; `None` for one that is met.
    pub unmet: Vec<Option<Unmet>>,
    /// What is wrong with how the run ended, if no expectation speaks of it.
    pub ending: Option<Unmet>,
    /// How the run ended.
    pub outcome: Outcome,
    /// How many instructions were executed.
    pub instructions: u64,
    /// What the program wrote to standard output.
    pub output: Vec<u8>,
    /// What the program wrote to standard error.
    pub errors: Vec<u8>,
}

impl Verdict {
    /// Returns whether everything was as expected.
    pub fn is_met(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Returns everything that was not as expected, the ending last.
    pub fn failures(&self) -> impl Iterator<Item = &Unmet> {
        self.unmet.iter().flatten().chain(&self.ending)
    }
}

/// An expectation that is not met.
#[derive(Clone, Debug)]
pub struct Unmet {
    /// Where it stands; `None` for what goes without saying.
    pub span: Option<Span>,
    /// What was expected.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
    /// The exception that explains it, if one does.
    pub report: Option<Box<ExceptionReport>>,
    /// What to write in place of the expectation, so that it is met.
    pub update: Option<Update>,
}

/// A change that makes an exact expectation say what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A stretch of the source is replaced.
    Source {
        /// The stretch.
        span: Span,
        /// What to write there.
        text: String,
    },
    /// A file with expected output is rewritten.
    File {
        /// Its name, relative to the source.
        name: String,
        /// What to write.
        bytes: Vec<u8>,
    },
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The program cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Expectations that speak of what the program has not.
    #[error("{} of the expectations cannot be understood", .0.len())]
    Expectations(Vec<ExpectError>),
}
