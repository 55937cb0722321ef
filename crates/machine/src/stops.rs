//! Pauses: places at which a run gives control back before the program has ended.

use std::collections::{BTreeSet, VecDeque};

use crate::context::Context;
use crate::machine::{Machine, Outcome};
use crate::record::Record;
use crate::report::ExceptionReport;
use crate::thread::ThreadId;
use crate::watch::Watch;

/// Why a run gave control back.
#[derive(Clone, Debug)]
pub enum Pause {
    /// Control has come to a breakpoint; the instruction there has not been executed.
    Breakpoint {
        /// Its address.
        eip: u32,
    },
    /// An exception was raised and is about to be dispatched: nobody has been asked yet whether it
    /// is handled. The report has the registers as they were at the instruction.
    Raised(Box<ExceptionReport>),
    /// An imported function has been called and has returned.
    Called {
        /// Its name.
        function: &'static str,
    },
    /// The run has ended.
    Ended(Outcome),
}

/// At what else a run pauses than at breakpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Catch {
    /// At nothing else.
    #[default]
    Nothing,
    /// At exceptions, before the program's handlers are asked.
    Exceptions,
    /// At exceptions, and behind each call of an imported function.
    ExceptionsAndCalls,
}

/// Where a run pauses, and where it has.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    breakpoints: BTreeSet<u32>,
    catch: Catch,
    /// The pause at a breakpoint that a run goes on from.
    passed: Option<Passed>,
    /// Exceptions that no pause has told yet.
    raised: VecDeque<Box<ExceptionReport>>,
    /// The function that has just returned.
    called: Option<&'static str>,
    /// The end of the run, which is told after them.
    ended: Option<Outcome>,
}

/// The moment of a pause: the same breakpoint counts again only later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passed {
    eip: u32,
    thread: ThreadId,
    instructions: u64,
}

impl<W: Watch> Machine<W> {
    /// Adds a breakpoint: [`Machine::run_to_pause`] pauses before the instruction there.
    pub fn add_breakpoint(&mut self, eip: u32) {
        self.stops.breakpoints.insert(eip);
        self.cpu.add_breakpoint(eip);
    }

    /// Removes a breakpoint.
    pub fn remove_breakpoint(&mut self, eip: u32) {
        self.stops.breakpoints.remove(&eip);
        self.cpu.remove_breakpoint(eip);
    }

    /// Says at what [`Machine::run_to_pause`] pauses.
    pub fn set_catch(&mut self, catch: Catch) {
        self.stops.catch = catch;
    }

    /// Runs until there is a pause, the program ends, or `budget` instructions have been executed,
    /// which is the outcome [`Outcome::BudgetExceeded`].
    pub fn run_to_pause(&mut self, budget: u64) -> Pause {
        self.run_to_pause_while(budget, |_| true)
    }

    /// Does it, and asks whether to go on as [`Machine::run_while`] does.
    pub fn run_to_pause_while(
        &mut self,
        budget: u64,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Pause {
        /// Some hundredths of a second of the host's time.
        const SLICE: u64 = 10_000_000;
        let end = self.instructions().saturating_add(budget);
        let pause = loop {
            let left = end.saturating_sub(self.instructions());
            match self.advance(left.min(SLICE)) {
                Pause::Ended(Outcome::BudgetExceeded) if left > SLICE => {
                    if !goes_on(self.instructions()) {
                        break Pause::Ended(Outcome::Interrupted);
                    }
                }
                pause => break pause,
            }
        };
        if matches!(pause, Pause::Ended(_)) {
            self.watch.stop();
        }
        pause
    }

    /// Notes that an exception is about to be dispatched.
    pub(crate) fn note_raised(&mut self, record: &Record, context: &Context) {
        if self.stops.catch != Catch::Nothing {
            let report = self.explain(record, context);
            self.stops.raised.push_back(report);
        }
    }

    /// Notes that an imported function has returned.
    pub(crate) fn note_called(&mut self, function: &'static str) {
        if self.stops.catch == Catch::ExceptionsAndCalls {
            self.stops.called = Some(function);
        }
    }

    /// Notes that the run has ended.
    pub(crate) fn note_end(&mut self, outcome: Outcome) {
        self.stops.ended = Some(outcome);
    }

    /// Returns what no pause has told yet: exceptions, a call, and then the end.
    pub(crate) fn untold(&mut self) -> Option<Pause> {
        let raised = self.stops.raised.pop_front().map(Pause::Raised);
        let stops = &mut self.stops;
        raised
            .or_else(|| {
                stops
                    .called
                    .take()
                    .map(|function| Pause::Called { function })
            })
            .or_else(|| stops.ended.take().map(Pause::Ended))
    }

    /// Returns the pause at a breakpoint that control has come to, once.
    ///
    /// The processor does not stop where a run of its own begins, which may be anywhere: behind a
    /// call, or where a thread goes on.
    pub(crate) fn at_breakpoint(&mut self) -> Option<Pause> {
        if self.stops.breakpoints.is_empty() {
            return None;
        }
        let eip = self.eip();
        let here = Passed {
            eip,
            thread: self.threads.current_id(),
            instructions: self.instructions(),
        };
        let is_new = self.stops.passed != Some(here);
        if !is_new || !self.stops.breakpoints.contains(&eip) {
            return None;
        }
        self.stops.passed = Some(here);
        Some(Pause::Breakpoint { eip })
    }
}
