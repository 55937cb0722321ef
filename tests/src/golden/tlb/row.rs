//! The values of a row, and its verdict.

use std::fmt::Display;
use std::str::FromStr;

use pagefault_mmu::{Geometry, GeometryError, Index, Policy, UnknownPolicy};
use pagefault_tlbsim::engine::array::Array;
use pagefault_tlbsim::engine::opt::Future;
use pagefault_tlbsim::{PageShiftError, PatternError};
use thiserror::Error;

use crate::golden::GoldenError;
use crate::golden::table::Row;

/// Why a row does not pass.
#[derive(Debug, Error)]
pub(super) enum RowError {
    /// The row lacks a value, or has one that is none.
    #[error("column {column} has no value that can be understood")]
    Value {
        /// The column.
        column: &'static str,
    },
    /// Something else was counted.
    #[error("{column} is {counted}")]
    Other {
        /// The column.
        column: &'static str,
        /// What was counted.
        counted: i128,
    },
    /// The geometry cannot be built.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The policy is not known.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
    /// The pattern is not known.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The page size cannot be had.
    #[error(transparent)]
    PageShift(#[from] PageShiftError),
    /// The trace has addresses of more than 44 bits.
    #[error("the page numbers do not fit into 32 bits")]
    Wide,
    /// The trace is not there, or cannot be read.
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

impl RowError {
    pub(super) fn other(column: &'static str, counted: impl Into<i128>) -> Self {
        Self::Other {
            column,
            counted: counted.into(),
        }
    }
}

/// How ways are chosen: by a policy that can be built, or by the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Kept(Policy),
    Opt,
}

impl Rule {
    pub(super) fn of(name: &str) -> Result<Self, RowError> {
        match name {
            "opt" => Ok(Self::Opt),
            _ => Ok(Self::Kept(Policy::named(name)?)),
        }
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) accesses: u64,
    pub(super) misses: u64,
}

impl Counted {
    /// Compares with the row.
    pub(super) fn expect(self, row: Row<'_>) -> Result<(), RowError> {
        expect(row, "accesses", self.accesses)?;
        expect(row, "misses", self.misses)
    }
}

/// Counts the misses of one array; asks for the future only where the rule needs it.
pub(super) fn count<'a>(
    pages: &[u32],
    geometry: Geometry,
    rule: Rule,
    future: &dyn Fn() -> &'a Future,
) -> Counted {
    let misses = match rule {
        Rule::Kept(_) => Array::new(geometry, 0).run(pages),
        Rule::Opt => future().misses(pages, geometry),
    };
    let accesses = pages.len() as u64;
    Counted { accesses, misses }
}

/// Returns the array of a row. `sets` can name the index, as in `128 xor7`.
pub(super) fn geometry(sets: &str, ways: u32, rule: Rule) -> Result<Geometry, RowError> {
    let wrong = RowError::Value { column: "sets" };
    let (sets, index) = match sets.split_once(' ') {
        Some((sets, "xor7")) => (sets, Index::XorFold),
        Some(_) => return Err(wrong),
        None => (sets, Index::LowBits),
    };
    let sets: u32 = sets.parse().map_err(|_| wrong)?;
    let policy = match rule {
        Rule::Kept(policy) => policy,
        Rule::Opt => Policy::Lru,
    };
    Ok(Geometry::new(sets.saturating_mul(ways), ways, policy)?.indexed(index))
}

/// Returns the text in a column.
pub(super) fn text<'a>(row: Row<'a>, column: &'static str) -> Result<&'a str, RowError> {
    row.get(column).ok_or(RowError::Value { column })
}

/// Returns the number in a column.
pub(super) fn number<T: FromStr>(row: Row<'_>, column: &'static str) -> Result<T, RowError> {
    let text = text(row, column)?;
    text.parse().map_err(|_| RowError::Value { column })
}

/// Compares a count with the column that tells it.
pub(super) fn expect<T: FromStr + PartialEq + Display + Into<i128>>(
    row: Row<'_>,
    column: &'static str,
    counted: T,
) -> Result<(), RowError> {
    if number::<T>(row, column)? == counted {
        Ok(())
    } else {
        Err(RowError::other(column, counted))
    }
}
