//! Long runs of random programs and calls under all invariants: what `soak` does.
//!
//! Every round is made from one number, so that a finding can be run again.

mod digest;
mod generate;
mod subject;

use std::fmt;
use std::time::{Duration, Instant};

use self::subject::Settings;
pub use self::subject::Subject;
use crate::random::Random;

/// What went wrong in a round.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The round, from which it can be repeated.
    pub round: u64,
    /// What was run.
    pub subject: String,
    /// What was not as it should be.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "round {}, {}: {}", self.round, self.subject, self.what)
    }
}

/// A soak.
#[derive(Debug)]
pub struct Soak {
    subjects: Vec<Subject>,
    round: u64,
    instructions: u64,
}

impl Soak {
    /// Begins a soak over these programs, and over random ones, at a round.
    pub fn new(subjects: Vec<Subject>, round: u64) -> Self {
        Self {
            subjects,
            round,
            instructions: 0,
        }
    }

    /// Returns the number of the next round.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// Returns the instructions that were executed so far in all runs.
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Runs one program three times: heard, unheard, and recorded, there and back.
    ///
    /// # Errors
    ///
    /// The [`Finding`].
    pub fn play_round(&mut self) -> Result<(), Finding> {
        let round = self.round;
        self.round += 1;
        let mut random = Random::new(round);
        let settings = Settings::random(&mut random);
        let made;
        let subject = match random.below(3) {
            0 if !self.subjects.is_empty() => {
                let index = random.below(self.subjects.len() as u64);
                &self.subjects[usize::try_from(index).unwrap_or(0)]
            }
            1 => {
                made = generate::calls(&mut random);
                &made
            }
            _ => {
                made = generate::bytes(&mut random);
                &made
            }
        };
        let found = subject::check(subject, &settings, &mut random);
        match found {
            Ok(instructions) => {
                self.instructions += instructions;
                Ok(())
            }
            Err(what) => Err(Finding {
                round,
                subject: format!("{}, {settings}", subject.name()),
                what,
            }),
        }
    }

    /// Runs rounds for a time; tells `each_minute` how it goes, and returns what was found.
    pub fn run(&mut self, time: Duration, mut each_minute: impl FnMut(&Self)) -> Vec<Finding> {
        /// What comes after so many findings says nothing new.
        const ENOUGH: usize = 10;
        const MINUTE: Duration = Duration::from_secs(60);
        let begin = Instant::now();
        let mut told = begin;
        let mut findings = Vec::new();
        while begin.elapsed() < time && findings.len() < ENOUGH {
            findings.extend(self.play_round().err());
            if told.elapsed() >= MINUTE {
                told = Instant::now();
                each_minute(self);
            }
        }
        findings
    }
}

/// Returns a number for all that a program does under fixed settings, for each of them: to be
/// compared between builds.
pub fn digests(subjects: &[Subject]) -> Vec<(String, u64)> {
    let settings = Settings::fixed();
    let all = subjects.iter();
    all.map(|subject| {
        let number = subject::digest(subject, &settings);
        (subject.name().to_owned(), number.unwrap_or(0))
    })
    .collect()
}
