//! Parameters of a lab, drawn from a student's key, and the places in texts that they fill.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroU32;

use thiserror::Error;

use crate::paging::{Policy, Reference, ReferenceString, Use, count};
use crate::variant::Draws;

/// What opens and closes a place.
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u32),
    /// A word, as the name of a protection.
    Word(String),
}

/// How a parameter gets its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A multiple of `unit`, from `first` times on.
    Range { first: u32, last: u32, unit: u32 },
    /// One of these words.
    Choice(Vec<String>),
    /// Computed from left to right.
    Computed(Operand, Vec<(Operator, Operand)>),
    /// The page faults of a reference string under a policy.
    Faults {
        policy: Policy,
        frames: Operand,
        references: Vec<Operand>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Number(u32),
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// The parameters of a variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, Value>);

/// Why a place cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FillError {
    /// No parameter is called so.
    #[error("line {line}: there is no parameter of the place's name")]
    Unknown {
        /// Where, from 1 on.
        line: usize,
    },
    /// A place is not closed.
    #[error("line {line}: a place is not closed")]
    Open {
        /// Where, from 1 on.
        line: usize,
    },
    /// A form that there is not, or that a word does not have.
    #[error("line {line}: a place asks for a form that its value does not have; there are x and h")]
    Form {
        /// Where, from 1 on.
        line: usize,
    },
}

impl Parameters {
    /// Draws the parameters, in the order of their rules. A name that a rule uses stands above it.
    pub(super) fn draw(rules: &[(String, Rule)], draws: &mut Draws) -> Self {
        let mut drawn = Self::default();
        for (name, rule) in rules {
            let value = match rule {
                Rule::Range { first, last, unit } => {
                    Value::Number(draws.within(*first, *last).wrapping_mul(*unit))
                }
                Rule::Choice(words) => Value::Word(draws.pick(words).clone()),
                Rule::Faults {
                    policy,
                    frames,
                    references,
                } => Value::Number(drawn.faults(*policy, frames, references)),
                Rule::Computed(first, rest) => {
                    let start = drawn.operand(first);
                    Value::Number(rest.iter().fold(start, |left, (operator, right)| {
                        let right = drawn.operand(right);
                        match operator {
                            Operator::Add => left.wrapping_add(right),
                            Operator::Subtract => left.wrapping_sub(right),
                            Operator::Multiply => left.wrapping_mul(right),
                            Operator::Divide => left.checked_div(right).unwrap_or(0),
                        }
                    }))
                }
            };
            drawn.0.insert(name.clone(), value);
        }
        drawn
    }

    fn faults(&self, policy: Policy, frames: &Operand, references: &[Operand]) -> u32 {
        let kind = Use::Read;
        let used = references.iter().map(|page| Reference {
            page: self.operand(page),
            kind,
        });
        let string = ReferenceString::new(used.collect());
        let frames = NonZeroU32::new(self.operand(frames)).unwrap_or(NonZeroU32::MIN);
        u32::try_from(count(policy, &string, frames).faults).unwrap_or(u32::MAX)
    }

    fn operand(&self, operand: &Operand) -> u32 {
        match operand {
            Operand::Number(number) => *number,
            // The manifest was refused if the name is no number's.
            Operand::Name(name) => self.number(name).unwrap_or(0),
        }
    }

    /// Returns the parameters by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns a parameter that is a number.
    pub fn number(&self, name: &str) -> Option<u32> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Fills the places of a text: `{{name}}`; `{{name:x}}` is in hex as `0x1f`, `{{name:h}}` as
    /// assemblers write it, `01Fh`.
    ///
    /// # Errors
    ///
    /// [`FillError`], with the line.
    pub fn fill(&self, text: &str) -> Result<String, FillError> {
        let mut filled = String::with_capacity(text.len());
        for (line, content) in (1..).zip(text.split_inclusive('\n')) {
            let mut rest = content;
            while let Some((before, place)) = rest.split_once(OPEN) {
                let (place, after) = place.split_once(CLOSE).ok_or(FillError::Open { line })?;
                filled += before;
                self.place(place, line, &mut filled)?;
                rest = after;
            }
            filled += rest;
        }
        Ok(filled)
    }

    fn place(&self, place: &str, line: usize, filled: &mut String) -> Result<(), FillError> {
        let (name, form) = place.split_once(':').unwrap_or((place, ""));
        let value = self.0.get(name.trim()).ok_or(FillError::Unknown { line })?;
        let written = match (value, form.trim()) {
            (Value::Word(word), "") => {
                filled.push_str(word);
                Ok(())
            }
            (Value::Number(number), "") => write!(filled, "{number}"),
            (Value::Number(number), "x") => write!(filled, "{number:#x}"),
            (Value::Number(number), "h") => write!(filled, "0{number:X}h"),
            _ => return Err(FillError::Form { line }),
        };
        debug_assert!(written.is_ok(), "a string takes all text");
        Ok(())
    }
}
