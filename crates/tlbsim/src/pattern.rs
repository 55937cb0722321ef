//! Generated streams of page numbers.
//!
//! A [`Pattern`] names a stream, [`Pattern::pages`] generates it: the same for the same seed, on
//! every machine, without end.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The seed of patterns, unless told otherwise.
pub const DEFAULT_SEED: u64 = 88_172_645_463_325_252;

/// A generated stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every page of `pages` with the same probability.
    Uniform {
        /// How many pages there are.
        pages: u64,
    },
    /// Three quarters of the look-ups repeat the page before, a fifth go to hot pages, the rest
    /// anywhere.
    Hot {
        /// How many pages there are.
        pages: u64,
        /// How many of them are hot; they lie 37 pages apart.
        hot: u64,
    },
    /// `pages` pages one after the other, over and over.
    Loop {
        /// How many pages there are.
        pages: u64,
    },
    /// Addresses `stride_bytes` apart, modulo 4 GiB.
    Stride {
        /// The distance in bytes.
        stride_bytes: u64,
    },
    /// One page after the other along a random cycle through all of them, as a linked list does.
    Chase {
        /// How many pages there are.
        pages: u64,
    },
    /// Words of 4 bytes one after the other, modulo 4 GiB.
    Sequential,
    /// An n by n matrix of 8-byte numbers, row by row.
    MatrixRows {
        /// The order of the matrix.
        order: u64,
    },
    /// An n by n matrix of 8-byte numbers, stored by rows and walked column by column.
    MatrixColumns {
        /// The order of the matrix.
        order: u64,
    },
    /// Page k of `pages` with a probability proportional to 1 / k^(`hundredths` / 100).
    Zipf {
        /// How many pages there are.
        pages: u64,
        /// The exponent in hundredths.
        hundredths: u64,
    },
}

/// The most pages of a pattern that has to remember them.
pub const MAX_REMEMBERED: u64 = 1 << 24;
/// The largest argument of the others: what keeps every product in 64 bits.
const MAX_ARGUMENT: u64 = 1 << 30;

/// Why a pattern cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// The name is no pattern's.
    #[error("unknown pattern {name:?}; there are {}", FORMS.map(|(_, form)| form).join(", "))]
    Unknown {
        /// The name.
        name: Box<str>,
    },
    /// It has too few or too many arguments, or one is no number.
    #[error("expected {form}, with numbers")]
    Arguments {
        /// How the pattern is written.
        form: &'static str,
    },
    /// An argument is 0 or too large.
    #[error("the arguments of {form} are numbers from 1 to {limit}")]
    Range {
        /// How the pattern is written.
        form: &'static str,
        /// The largest one.
        limit: u64,
    },
}

/// Names and how patterns are written.
const FORMS: [(&str, &str); 9] = [
    ("uniform", "uniform:PAGES"),
    ("hot", "hot:PAGES:HOT"),
    ("loop", "loop:PAGES"),
    ("stride", "stride:BYTES"),
    ("chase", "chase:PAGES"),
    ("sequential", "sequential"),
    ("rows", "rows:ORDER"),
    ("columns", "columns:ORDER"),
    ("zipf", "zipf:PAGES:HUNDREDTHS"),
];

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let unknown = || PatternError::Unknown { name: name.into() };
        let form = FORMS.iter().find(|(known, _)| *known == name);
        let &(_, form) = form.ok_or_else(unknown)?;
        let arguments: Option<Vec<u64>> = parts.map(|part| part.parse().ok()).collect();
        let pattern = match (name, arguments.as_deref()) {
            ("uniform", Some(&[pages])) => Self::Uniform { pages },
            ("hot", Some(&[pages, hot])) => Self::Hot { pages, hot },
            ("loop", Some(&[pages])) => Self::Loop { pages },
            ("stride", Some(&[stride_bytes])) => Self::Stride { stride_bytes },
            ("chase", Some(&[pages])) => Self::Chase { pages },
            ("sequential", Some(&[])) => Self::Sequential,
            ("rows", Some(&[order])) => Self::MatrixRows { order },
            ("columns", Some(&[order])) => Self::MatrixColumns { order },
            ("zipf", Some(&[pages, hundredths])) => Self::Zipf { pages, hundredths },
            _ => return Err(PatternError::Arguments { form }),
        };
        let limit = match pattern {
            Self::Chase { .. } | Self::Zipf { .. } => MAX_REMEMBERED,
            _ => MAX_ARGUMENT,
        };
        let is_in_range = pattern
            .arguments()
            .iter()
            .all(|&argument| (1..=limit).contains(&argument));
        is_in_range
            .then_some(pattern)
            .ok_or(PatternError::Range { form, limit })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.arguments()
            .iter()
            .try_for_each(|argument| write!(f, ":{argument}"))
    }
}

impl Pattern {
    /// Returns how every pattern is written.
    pub fn forms() -> impl Iterator<Item = &'static str> {
        FORMS.iter().map(|&(_, form)| form)
    }

    /// Returns the page numbers, without end.
    pub fn pages(self, seed: u64) -> Pages {
        let mut state = seed | u64::from(seed == 0);
        let next = match self {
            Self::Chase { pages } => (0, cycle(pages, &mut state)),
            Self::Zipf { pages, hundredths } => (0, weights(pages, hundredths)),
            _ => (0, Vec::new()),
        };
        Pages {
            pattern: self,
            index: 0,
            state,
            last: next.0,
            table: next.1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Uniform { .. } => "uniform",
            Self::Hot { .. } => "hot",
            Self::Loop { .. } => "loop",
            Self::Stride { .. } => "stride",
            Self::Chase { .. } => "chase",
            Self::Sequential => "sequential",
            Self::MatrixRows { .. } => "rows",
            Self::MatrixColumns { .. } => "columns",
            Self::Zipf { .. } => "zipf",
        }
    }

    fn arguments(self) -> Vec<u64> {
        match self {
            Self::Uniform { pages } | Self::Loop { pages } | Self::Chase { pages } => vec![pages],
            Self::Hot { pages, hot } => vec![pages, hot],
            Self::Stride { stride_bytes } => vec![stride_bytes],
            Self::Sequential => Vec::new(),
            Self::MatrixRows { order } | Self::MatrixColumns { order } => vec![order],
            Self::Zipf { pages, hundredths } => vec![pages, hundredths],
        }
    }
}

/// The page numbers of a pattern.
#[derive(Clone, Debug)]
pub struct Pages {
    pattern: Pattern,
    index: u64,
    state: u64,
    last: u64,
    /// The successors along the cycle of a chase; the running sums of Zipf's weights.
    table: Vec<u64>,
}

/// Hot look-ups: per cent that repeat the page before, and up to which the page is a hot one.
const REPEATED: u64 = 75;
const HOT: u64 = 95;
/// Pages between hot ones.
const HOT_SPACING: u64 = 37;
/// Bits of the generator's state that are left out, the low ones being the weakest.
const DROPPED_BITS: u32 = 20;
const HOT_DROPPED_BITS: u32 = 16;
/// The size of a page, of a word and of a matrix element.
const PAGE_BITS: u32 = 12;
const WORD_BYTES: u64 = 4;
const ELEMENT_BYTES: u64 = 8;
/// Addresses of strides wrap here.
const ADDRESS_MASK: u64 = 0xFFFF_FFFF;

impl Iterator for Pages {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let index = self.index;
        self.index = index.wrapping_add(1);
        let page = match self.pattern {
            Pattern::Uniform { pages } => (self.random() >> DROPPED_BITS) % pages,
            Pattern::Hot { pages, hot } => self.hot(pages, hot),
            Pattern::Loop { pages } => index % pages,
            Pattern::Stride { stride_bytes } => page(index.wrapping_mul(stride_bytes)),
            Pattern::Sequential => page(index.wrapping_mul(WORD_BYTES)),
            Pattern::MatrixRows { order } => element_page(index % (order * order)),
            Pattern::MatrixColumns { order } => {
                let (column, row) = (index / order % order, index % order);
                element_page(row * order + column)
            }
            Pattern::Chase { .. } => {
                let page = self.last;
                self.last = usize::try_from(page)
                    .ok()
                    .map_or(0, |page| self.table[page]);
                page
            }
            Pattern::Zipf { .. } => self.zipf(),
        };
        Some(page)
    }
}

impl Pages {
    fn random(&mut self) -> u64 {
        self.state = next_random(self.state);
        self.state
    }

    fn hot(&mut self, pages: u64, hot: u64) -> u64 {
        let random = self.random() >> HOT_DROPPED_BITS;
        let share = random % 100;
        if share >= REPEATED {
            let pick = random >> 8;
            self.last = if share < HOT {
                pick % hot * HOT_SPACING
            } else {
                pick % pages
            };
        }
        self.last
    }

    fn zipf(&mut self) -> u64 {
        let total = self.table.last().copied().unwrap_or(1).max(1);
        let pick = (self.random() >> DROPPED_BITS) % total;
        self.table.partition_point(|&sum| sum <= pick) as u64
    }
}

fn element_page(index: u64) -> u64 {
    (index * ELEMENT_BYTES) >> PAGE_BITS
}

fn page(addr: u64) -> u64 {
    (addr & ADDRESS_MASK) >> PAGE_BITS
}

/// Returns the successors along one random cycle through all pages (Sattolo, 1986).
fn cycle(pages: u64, state: &mut u64) -> Vec<u64> {
    let mut next: Vec<u64> = (0..pages).collect();
    for last in (1..next.len()).rev() {
        *state = next_random(*state);
        let other = usize::try_from((*state >> DROPPED_BITS) % last as u64).unwrap_or(0);
        next.swap(last, other);
    }
    next
}

/// The weight of the most likely page. Sums of 2^24 weights stay far below the 44 bits that a
/// random number has.
const FIRST_WEIGHT: f64 = 1e9;

/// Returns the running sums of 1 / k^exponent, scaled to integers. Every page has some weight.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "weights are positive and below 2^31; a rounded weight is a weight"
)]
fn weights(pages: u64, hundredths: u64) -> Vec<u64> {
    let exponent = hundredths as f64 / 100.0;
    let mut sum = 0;
    (1..=pages)
        .map(|rank| {
            let weight = FIRST_WEIGHT / (rank as f64).powf(exponent);
            sum += (weight as u64).max(1);
            sum
        })
        .collect()
}

/// Marsaglia's xorshift64 with the shifts 13, 7, 17: one step.
#[inline]
pub(crate) fn next_random(mut x: u64) -> u64 {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    x
}
