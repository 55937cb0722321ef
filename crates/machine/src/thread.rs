//! Threads: what the machine keeps of each.

use std::ops::Range;

/// A thread by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ThreadId(pub(crate) u32);

/// A thread.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) id: ThreadId,
    /// The linear address of its TEB.
    pub(crate) teb: u32,
    /// Its stack, all of the reservation.
    pub(crate) stack: Range<u32>,
}

/// The threads of the process.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    running: Thread,
}

impl Threads {
    /// Returns the threads of a new process: its first one.
    pub(crate) fn new(first: Thread) -> Self {
        Self { running: first }
    }

    /// Returns the thread that runs.
    pub(crate) fn current(&self) -> &Thread {
        &self.running
    }

    /// Returns the thread that runs, to change it.
    pub(crate) fn current_mut(&mut self) -> &mut Thread {
        &mut self.running
    }
}
