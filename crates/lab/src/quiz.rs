//! Exercises that are generated, with answers that the models give.
//!
//! No answer is written down anywhere: the MMU walks, the TLB hits or misses, the memory manager
//! answers the query. A seed is an exercise; a seed and a number of exercises is an exam.
//!
//! ```
//! use pagefault_lab::quiz::{Exam, Topic};
//!
//! let exam = Exam::new(&[Topic::Translate], 1, 42);
//! let question = &exam.exercises[0].questions[0];
//! assert!(question.answer.accepts(&question.answer.to_string()));
//! ```

mod answer;
mod exam;
mod paging;
mod regions;
mod replacement;
mod stale;
mod stride;
mod tlb;

use crate::variant::{Draws, VariantKey};

pub use answer::Answer;
pub use exam::{AnswerSheet, Exam, Mark, Score};

/// What an exercise is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Translate addresses through a directory.
    Translate,
    /// Which accesses fault, with which error code.
    ErrorCode,
    /// Which set and way of the TLB.
    TlbPlace,
    /// Hits and misses of a TLB under a policy.
    TlbSequence,
    /// Which references fault under a replacement policy.
    Replacement,
    /// How many page faults, policy by policy.
    FaultCount,
    /// The effective access time.
    AccessTime,
    /// What `VirtualQuery` returns after some calls.
    Query,
    /// How far a TLB reaches, and what a stride costs.
    TlbReach,
    /// Where LRU loses to tree-PLRU.
    LruPlru,
    /// What is read through an entry whose invalidation was forgotten.
    Stale,
    /// The working set of a window.
    WorkingSet,
}

impl Topic {
    /// The topics with the names that users write.
    pub const NAMES: [(&'static str, Self); 12] = [
        ("translate", Self::Translate),
        ("error-code", Self::ErrorCode),
        ("tlb-place", Self::TlbPlace),
        ("tlb-sequence", Self::TlbSequence),
        ("tlb-reach", Self::TlbReach),
        ("lru-plru", Self::LruPlru),
        ("stale", Self::Stale),
        ("replacement", Self::Replacement),
        ("fault-count", Self::FaultCount),
        ("working-set", Self::WorkingSet),
        ("access-time", Self::AccessTime),
        ("query", Self::Query),
    ];

    /// Returns the topic of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(known, _)| *known == name)
            .map(|(_, topic)| topic)
    }

    /// Returns the name that users write.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, topic)| *topic == self);
        named.map_or("", |(name, _)| name)
    }
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is asked.
    pub text: String,
    /// The answer.
    pub answer: Answer,
    /// How one comes to it, line by line.
    pub worked: Vec<String>,
}

/// An exercise: a situation, and questions about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exercise {
    /// What it is about.
    pub topic: Topic,
    /// The title.
    pub title: String,
    /// What is given, line by line.
    pub given: Vec<String>,
    /// What is asked.
    pub questions: Vec<Question>,
}

impl Exercise {
    /// Returns the exercise of a key.
    pub fn new(topic: Topic, key: &VariantKey) -> Self {
        let mut draws = key.draws();
        Self::draw(topic, &mut draws)
    }

    fn draw(topic: Topic, draws: &mut Draws) -> Self {
        match topic {
            Topic::Translate => paging::translate(draws),
            Topic::ErrorCode => paging::error_code(draws),
            Topic::TlbPlace => tlb::place(draws),
            Topic::TlbSequence => tlb::sequence(draws),
            Topic::Replacement => replacement::sequence(draws),
            Topic::FaultCount => replacement::counts(draws),
            Topic::AccessTime => tlb::access_time(draws),
            Topic::Query => regions::query(draws),
            Topic::TlbReach => stride::reach(draws),
            Topic::LruPlru => stride::lru_plru(draws),
            Topic::Stale => stale::stale(draws),
            Topic::WorkingSet => replacement::working_set(draws),
        }
    }
}
