//! Which page gives up its frame: replacement policies.
//!
//! A policy is told which frames hold pages, and is asked for a victim when none is free. What it
//! learns of their use it learns from accessed flags, through [`Candidates`]; [`simulate`] asks the
//! same policies about a recorded reference string.

mod aging;
mod queue;
mod random;
mod simulate;
mod ws_clock;

use std::fmt::Debug;

use pagefault_mmu::FrameNumber;

pub use simulate::{optimal_faults, simulate};

use aging::Aging;
use queue::{Clock, Fifo};
use random::Random;
use ws_clock::WorkingSetClock;

/// The policies that can be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyKind {
    /// Second chance: the oldest page that was not used since the hand last passed it.
    #[default]
    Clock,
    /// The page that has been resident longest.
    Fifo,
    /// An approximation of least recently used: a byte of use history for each page.
    Aging,
    /// The working-set clock: a page that was not used for a while, clean ones first.
    WorkingSetClock,
    /// Any page.
    Random {
        /// What the choices depend on: the same seed makes the same choices.
        seed: u64,
    },
}

impl PolicyKind {
    /// The policies with the names that users write; `random` has the seed 1.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("clock", Self::Clock),
        ("fifo", Self::Fifo),
        ("aging", Self::Aging),
        ("wsclock", Self::WorkingSetClock),
        ("random", Self::Random { seed: 1 }),
    ];

    /// Returns the policy of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, kind)| kind)
    }

    /// Returns a policy of this kind that knows of no frame yet.
    pub fn policy(self) -> Box<dyn Replacement> {
        match self {
            Self::Clock => Box::new(Clock::default()),
            Self::Fifo => Box::new(Fifo::default()),
            Self::Aging => Box::new(Aging::default()),
            Self::WorkingSetClock => Box::new(WorkingSetClock::default()),
            Self::Random { seed } => Box::new(Random::new(seed)),
        }
    }
}

/// Chooses the page that gives up its frame.
pub trait Replacement: Debug {
    /// A page came into the frame, which held none.
    fn admit(&mut self, frame: FrameNumber);

    /// The frame holds no page any more.
    fn remove(&mut self, frame: FrameNumber);

    /// Returns a frame that may be taken, or `None` if there is none.
    ///
    /// The frame stays admitted until [`Replacement::remove`] says otherwise.
    fn victim(&mut self, candidates: &mut dyn Candidates) -> Option<FrameNumber>;

    /// Returns a policy that knows what this one knows.
    fn boxed(&self) -> Box<dyn Replacement>;
}

/// What a policy can find out about frames.
pub trait Candidates {
    /// Returns whether the frame may be taken: not if it is locked, or has nowhere to go.
    fn may_take(&self, frame: FrameNumber) -> bool;

    /// Returns whether the page was used since this was last asked, and forgets it.
    fn take_referenced(&mut self, frame: FrameNumber) -> bool;

    /// Returns whether the page would have to be written out.
    fn is_modified(&self, frame: FrameNumber) -> bool;
}
