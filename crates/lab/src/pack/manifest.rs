//! `lab.txt`: what a lab asks for.
//!
//! Lines `KEY: VALUE`; empty ones, and those that begin with `#`, say nothing.

use thiserror::Error;

use super::Work;
use super::parameters::{Operand, Operator, Rule};
use super::report::Visibility;
use crate::paging::Policy;
use crate::quiz::Topic;

/// What a program is looked at for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, without blanks.
    pub name: String,
    /// The points that it gives.
    pub points: u32,
    /// Who sees it.
    pub visibility: Visibility,
    /// What it looks for, in words that do not give the answer away.
    pub says: String,
    /// Expectations, line by line, with places for parameters.
    pub expectations: Vec<String>,
}

/// A line of a manifest that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {kind}")]
pub struct ManifestError {
    /// Which, from 1 on; the last line for what is missing.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ManifestErrorKind,
}

/// What is wrong with a line of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ManifestErrorKind {
    /// It is no `KEY: VALUE`.
    #[error("expected KEY: VALUE")]
    NoKey,
    /// There is no such key.
    #[error("unknown key; there are title, submission, topics, run, param, check, says, expect")]
    Key,
    /// There is no such topic of exercises.
    #[error("unknown topic of exercises")]
    Topic,
    /// A parameter's rule cannot be understood.
    #[error(
        "expected NAME = FIRST..LAST, NAME = FIRST..LAST * UNIT, NAME = WORD | WORD or NAME = A + B"
    )]
    Rule,
    /// A rule uses a parameter that is no number, or stands below it.
    #[error("the rule uses a name that is no number above it")]
    Operand,
    /// A check's line cannot be understood.
    #[error("expected check: NAME POINTS VISIBILITY")]
    Check,
    /// A line belongs to a check, and there is none above it.
    #[error("there is no check above this line")]
    NoCheck,
    /// A check expects nothing, or does not say what it looks for.
    #[error("the check above has no `says` or no `expect`")]
    EmptyCheck,
    /// The lab has no title, no file to hand in, or neither topics nor checks; or both.
    #[error("a lab has a title, a submission, and either topics or checks")]
    Incomplete,
}

use ManifestErrorKind as Kind;

/// What a manifest says.
pub(super) struct Manifest {
    pub(super) title: String,
    pub(super) submission: String,
    pub(super) rules: Vec<(String, Rule)>,
    pub(super) work: Work,
}

#[derive(Default)]
struct Reader {
    title: String,
    submission: String,
    rules: Vec<(String, Rule)>,
    topics: Vec<Topic>,
    /// Expectations that each check begins with.
    run: Vec<String>,
    checks: Vec<Check>,
}

/// Reads a manifest.
pub(super) fn read(text: &str) -> Result<Manifest, ManifestError> {
    let mut reader = Reader::default();
    let mut last = 0;
    for (line, content) in (1..).zip(text.lines()) {
        last = line;
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let read = match content.split_once(':') {
            Some((key, value)) => reader.line(key.trim(), value.trim()),
            None => Err(Kind::NoKey),
        };
        read.map_err(|kind| ManifestError { line, kind })?;
    }
    reader
        .finish()
        .map_err(|kind| ManifestError { line: last, kind })
}

impl Reader {
    fn line(&mut self, key: &str, value: &str) -> Result<(), Kind> {
        match key {
            "title" => value.clone_into(&mut self.title),
            "submission" => value.clone_into(&mut self.submission),
            "topics" => {
                for name in value.split(',') {
                    let topic = Topic::named(name.trim()).ok_or(Kind::Topic)?;
                    self.topics.push(topic);
                }
            }
            "run" => self.run.push(format!("run {value}")),
            "param" => {
                let (name, rule) = value.split_once('=').ok_or(Kind::Rule)?;
                let rule = self.rule(rule.trim())?;
                self.rules.push((name.trim().to_owned(), rule));
            }
            "check" => {
                self.check_above()?;
                self.checks.push(check(value, &self.run)?);
            }
            "says" => value.clone_into(&mut self.checks.last_mut().ok_or(Kind::NoCheck)?.says),
            "expect" => {
                let above = self.checks.last_mut().ok_or(Kind::NoCheck)?;
                above.expectations.push(value.to_owned());
            }
            _ => return Err(Kind::Key),
        }
        Ok(())
    }

    /// Refuses a check that is left empty.
    fn check_above(&self) -> Result<(), Kind> {
        let is_empty =
            |check: &Check| check.says.is_empty() || check.expectations.len() <= self.run.len();
        if self.checks.last().is_some_and(is_empty) {
            return Err(Kind::EmptyCheck);
        }
        Ok(())
    }

    fn finish(self) -> Result<Manifest, Kind> {
        self.check_above()?;
        let is_named = !self.title.is_empty() && !self.submission.is_empty();
        let work = match (self.topics.is_empty(), self.checks.is_empty()) {
            (false, true) => Work::Answers(self.topics),
            (true, false) => Work::Program(self.checks),
            _ => return Err(Kind::Incomplete),
        };
        if !is_named {
            return Err(Kind::Incomplete);
        }
        Ok(Manifest {
            title: self.title,
            submission: self.submission,
            rules: self.rules,
            work,
        })
    }

    fn rule(&self, text: &str) -> Result<Rule, Kind> {
        if text.contains('|') {
            let words = text.split('|').map(|word| word.trim().to_owned());
            return Ok(Rule::Choice(words.collect()));
        }
        if let Some((first, rest)) = text.split_once("..") {
            let (last, unit) = rest.split_once('*').unwrap_or((rest, "1"));
            let numbers = [first, last, unit].map(|word| number(word.trim()));
            let [Some(first), Some(last), Some(unit)] = numbers else {
                return Err(Kind::Rule);
            };
            if first > last || last.checked_mul(unit).is_none() {
                return Err(Kind::Rule);
            }
            return Ok(Rule::Range { first, last, unit });
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        if let ["faults", policy, frames, references @ ..] = &words[..] {
            let references = references.iter().map(|word| self.operand(word));
            return Ok(Rule::Faults {
                policy: Policy::named(policy).ok_or(Kind::Rule)?,
                frames: self.operand(frames)?,
                references: references.collect::<Result<_, _>>()?,
            });
        }
        let (first, rest) = words.split_first().ok_or(Kind::Rule)?;
        let (pairs, odd) = rest.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(Kind::Rule);
        }
        let pairs = pairs
            .iter()
            .map(|[operator, operand]| Ok((self::operator(operator)?, self.operand(operand)?)));
        Ok(Rule::Computed(
            self.operand(first)?,
            pairs.collect::<Result<_, Kind>>()?,
        ))
    }

    fn operand(&self, word: &str) -> Result<Operand, Kind> {
        if let Some(number) = number(word) {
            return Ok(Operand::Number(number));
        }
        let mut rules = self.rules.iter();
        let named = rules.find(|(name, _)| name == word);
        match named {
            Some((_, Rule::Range { .. } | Rule::Computed(..) | Rule::Faults { .. })) => {
                Ok(Operand::Name(word.to_owned()))
            }
            _ => Err(Kind::Operand),
        }
    }
}

fn operator(word: &str) -> Result<Operator, Kind> {
    match word {
        "+" => Ok(Operator::Add),
        "-" => Ok(Operator::Subtract),
        "*" => Ok(Operator::Multiply),
        "/" => Ok(Operator::Divide),
        _ => Err(Kind::Rule),
    }
}

fn check(value: &str, run: &[String]) -> Result<Check, Kind> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let [name, points, visibility] = words[..] else {
        return Err(Kind::Check);
    };
    Ok(Check {
        name: name.to_owned(),
        points: points.parse().map_err(|_| Kind::Check)?,
        visibility: Visibility::named(visibility).ok_or(Kind::Check)?,
        says: String::new(),
        expectations: run.to_vec(),
    })
}

fn number(word: &str) -> Option<u32> {
    const HEX: u32 = 16;
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, HEX).ok(),
        None => word.parse().ok(),
    }
}
