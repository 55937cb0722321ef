//! Record and replay: a program that can go back.
//!
//! The machine is deterministic, so that an old state is had again from a [`Snapshot`] before it and
//! an exact count of instructions. A [`Recording`] makes snapshots as the program runs, so far apart
//! that they cost little, and more where somebody goes back; what comes from outside is kept in a
//! journal. What is shown of an old moment is what was there: registers, memory, TLB and counts.

mod journal;
mod look;
mod search;
mod snapshot;
mod stops;
mod timeline;

use pagefault_cpu::{Exit, Registers, Watchpoint};
use pagefault_vmm::PeekError;
use pagefault_vmm::mmu::{FrameNumber, LinearAddr, PAGE_SIZE, PageFault, Privilege};
use thiserror::Error;

pub use look::ThreadState;
pub use snapshot::SnapshotError;
pub use stops::{Change, EntryChange, Exceptions, FaultStops, Stop, Stops};

use crate::files::NoFiles;
use crate::machine::{Machine, Outcome, Raise};
use crate::watch::{Listener, Watch};
use journal::{JournalHandle, Story};
use timeline::{Checkpoint, Timeline};

/// A moment of a run.
///
/// Between two instructions the system may do several things: resolve a page fault, answer a call,
/// begin the next thread's turn. Each of them is a moment of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Instructions that have been completed.
    pub instructions: u64,
    /// What the system has done since the last of them.
    pub events: u32,
}

impl Moment {
    /// Returns the moment right behind this many instructions.
    pub const fn behind(instructions: u64) -> Self {
        Self {
            instructions,
            events: 0,
        }
    }
}

/// What a recording may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordOptions {
    /// Host memory for snapshots and the journal, in bytes. When it is used up snapshots of long ago
    /// are thinned out, and if that does not do the beginning is forgotten. At least two snapshots
    /// are kept.
    pub memory_bytes: u64,
    /// The fewest instructions between two snapshots, at least 1.
    pub spacing: u64,
}

/// The memory of a recording, unless told otherwise: 512 MiB.
pub const DEFAULT_RECORD_BYTES: u64 = 512 << 20;
/// Instructions between two snapshots, unless they cost more than that is worth.
const DEFAULT_SPACING: u64 = 2_000_000;

impl Default for RecordOptions {
    fn default() -> Self {
        Self {
            memory_bytes: DEFAULT_RECORD_BYTES,
            spacing: DEFAULT_SPACING,
        }
    }
}

/// Why memory cannot be changed from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PokeError {
    /// The page is not mapped, and no access makes it so.
    #[error("no memory at {0}")]
    NotMapped(LinearAddr),
    /// The recording could not keep the change.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// A machine whose run is recorded.
#[derive(Debug)]
pub struct Recording {
    machine: Machine<Listener>,
    journal: JournalHandle,
    timeline: Timeline,
    here: Moment,
    /// An exception that the program is told next.
    pending: Option<Raise>,
    /// How the program has ended, if it has.
    ended: Option<Outcome>,
    /// What the processor looks for now.
    armed: Stops,
    /// A call that a run has stopped for, and that is to be answered now.
    passed_call: Option<Moment>,
    /// The arrival at a breakpoint that a run goes on from.
    passed: Option<Arrival>,
    /// Where a run ended for no reason but its budget: the next one is the same run.
    unfinished: Option<Moment>,
    /// Where the program, run again, has done something else than before.
    diverged: Option<Moment>,
}

/// An arrival at an instruction. Page faults there, and turns of other threads, make no new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arrival {
    eip: u32,
    thread: u32,
    instructions: u64,
}

/// What one turn of the loop did.
enum Turn {
    /// As many instructions as allowed were executed.
    Done,
    /// The system did something of which the program sees nothing.
    Went,
    /// The system answered a call, or told the program of an exception.
    Answered,
    /// A reason to stop.
    Stopped(Stop),
}

impl Recording {
    /// Begins to record a machine, usually one that has just been loaded.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the machine uses something that there cannot be two of: open files, or
    /// a paging file in anything but memory.
    pub fn new(
        mut machine: Machine<Listener>,
        options: RecordOptions,
    ) -> Result<Self, SnapshotError> {
        let console = std::mem::replace(&mut machine.console, Box::new(NoConsole));
        let files = std::mem::replace(&mut machine.services.files, Box::new(NoFiles));
        let journal = JournalHandle::new(console, files);
        machine.console = Box::new(journal.clone());
        machine.services.files = Box::new(journal.clone());
        let here = Moment::behind(machine.instructions());
        let mut recording = Self {
            machine,
            journal,
            timeline: Timeline::new(options),
            here,
            pending: None,
            ended: None,
            armed: Stops::default(),
            passed_call: None,
            passed: None,
            unfinished: None,
            diverged: None,
        };
        recording.keep(timeline::Keep::Thin)?;
        Ok(recording)
    }

    /// Returns the machine as it is at this moment.
    pub fn machine(&self) -> &Machine<Listener> {
        &self.machine
    }

    /// Returns the moment.
    pub fn here(&self) -> Moment {
        self.here
    }

    /// Returns the first moment that can be gone back to.
    pub fn beginning(&self) -> Moment {
        self.timeline.first()
    }

    /// Returns how the program has ended, if this is its end.
    pub fn ended(&self) -> Option<&Outcome> {
        self.ended.as_ref()
    }

    /// Returns the page fault that the program is about to be told of, if there is one.
    pub fn pending_fault(&self) -> Option<&PageFault> {
        match &self.pending {
            Some(Raise::Refused(refused, _)) => Some(&refused.fault),
            Some(Raise::Exception(..) | Raise::NoFunction(_)) | None => None,
        }
    }

    /// Returns how many snapshots there are, and about how many bytes they and the journal take.
    pub fn cost(&self) -> (usize, u64) {
        let journal = self.journal.size_bytes();
        (self.timeline.len(), self.timeline.bytes() + journal)
    }

    /// Fills `bytes` from the program's memory, whatever its protection. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`PeekError`].
    pub fn peek(&mut self, addr: LinearAddr, bytes: &mut [u8]) -> Result<(), PeekError> {
        let Machine {
            vmm, mmu, process, ..
        } = &mut self.machine;
        self.journal
            .looking(|| vmm.peek(mmu, *process, addr, bytes))
    }

    /// Changes memory from outside, whatever its protection, and records that: to go back before
    /// this moment undoes it.
    ///
    /// # Errors
    ///
    /// [`PokeError`]; if a page is not committed, nothing has changed.
    pub fn poke(&mut self, addr: LinearAddr, bytes: &[u8]) -> Result<(), PokeError> {
        self.check_committed(addr, bytes.len())?;
        // What is known of later moments is another story from here on, also if a page that is
        // committed cannot be had and only a part is written.
        self.forget_later();
        let poked = (0..)
            .zip(bytes)
            .try_for_each(|(at, &byte)| self.poke_byte(addr.wrapping_add(at), byte));
        self.keep(timeline::Keep::Edit)?;
        poked
    }

    /// Looks at each page of a range without changing anything.
    fn check_committed(&mut self, addr: LinearAddr, len_bytes: usize) -> Result<(), PokeError> {
        let not_mapped = PokeError::NotMapped;
        let len_bytes = u32::try_from(len_bytes).map_err(|_| not_mapped(addr))?;
        let mut done = 0;
        while done < len_bytes {
            let at = addr.checked_add(done).ok_or(not_mapped(addr))?;
            self.peek(at, &mut [0]).map_err(|_| not_mapped(at))?;
            done = done.saturating_add(PAGE_SIZE - at.page_offset());
        }
        Ok(())
    }

    /// Changes the registers of the thread that runs, as [`Self::poke`] does memory.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn set_registers(&mut self, registers: Registers) -> Result<(), SnapshotError> {
        *self.machine.cpu.registers_mut() = registers;
        self.forget_later();
        self.keep(timeline::Keep::Edit)
    }

    /// Executes one instruction of the thread that runs, or lets the system answer the call that it
    /// is at. Page faults that the system resolves, and turns of threads, are no steps.
    pub fn step(&mut self) -> Stop {
        self.one_step(&Stops::EXCEPTIONS)
    }

    /// Steps as [`Self::step`] does, as a part of a run: unless one of `stops` comes before, of which
    /// a change of an entry of the page tables is none.
    pub fn step_of_run(&mut self, stops: &Stops) -> Stop {
        if self.unfinished.take() != Some(self.here) {
            self.pass_here();
        }
        let stop = self.one_step(stops);
        if matches!(stop, Stop::Stepped) {
            self.unfinished = Some(self.here);
        }
        stop
    }

    fn one_step(&mut self, stops: &Stops) -> Stop {
        self.arm(stops);
        let end = self.here.instructions.saturating_add(1);
        let stop = loop {
            match self.turn(end, stops) {
                Turn::Stopped(stop) => break stop,
                Turn::Done | Turn::Answered => break Stop::Stepped,
                Turn::Went => {}
            }
        };
        self.arm(&Stops::default());
        stop
    }

    /// Runs until one of `stops`, the end, or `budget` instructions.
    pub fn run(&mut self, stops: &Stops, budget: u64) -> Stop {
        let end = self.here.instructions.saturating_add(budget);
        if self.unfinished.take() != Some(self.here) {
            self.pass_here();
        }
        self.arm(stops);
        let stop = self.run_to(Moment::behind(end), stops);
        let stop = match stop {
            Some(Stop::Entries(span)) => self.find_entry_change(span),
            Some(stop) => stop,
            None => {
                self.unfinished = Some(self.here);
                Stop::Budget
            }
        };
        self.arm(&Stops::default());
        stop
    }

    /// Goes to a moment, forwards or back; to the end of the program if it ends before.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn go_to(&mut self, moment: Moment) -> Result<(), SnapshotError> {
        let moment = moment.max(self.beginning());
        self.arm(&Stops::default());
        self.diverged = None;
        let near = self.timeline.last_at_or_before(moment);
        if moment < self.here || near > self.here {
            self.put_back(near)?;
        }
        self.run_to(Moment::behind(moment.instructions), &Stops::NONE);
        while self.here < moment && self.ended.is_none() {
            let old = self.here;
            self.turn(moment.instructions.saturating_add(1), &Stops::NONE);
            if self.here == old {
                break;
            }
        }
        self.check_story()
    }

    /// Fails if the program, run again, has done something else than before.
    fn check_story(&mut self) -> Result<(), SnapshotError> {
        let diverged = self.diverged.take();
        diverged.map_or(Ok(()), |at| Err(SnapshotError::Diverged(at)))
    }

    /// Notes that what the system has just done is another story than what was known.
    fn note_story(&mut self) {
        if self.journal.take_story() == Story::Another {
            self.timeline.cut_behind(self.here);
            self.diverged = Some(self.here);
        }
    }

    /// Runs until `end`, making snapshots on the way. Returns why it ended earlier.
    fn run_to(&mut self, end: Moment, stops: &Stops) -> Option<Stop> {
        loop {
            if self.ended.is_none() && self.here.instructions >= end.instructions {
                return None;
            }
            self.keep_if_due();
            let limit = self.slice_end(end.instructions, stops);
            let watched = (!stops.entries.is_empty()).then(|| (self.here, self.entries(stops)));
            let turn = self.turn(limit, stops);
            if let Some((from, old)) = watched
                && let Some(span) = self.entry_span(from, old, stops)
            {
                return Some(Stop::Entries(Box::new(span)));
            }
            if let Turn::Stopped(stop) = turn {
                return Some(stop);
            }
        }
    }

    /// Returns how far the processor may run in one go.
    fn slice_end(&self, end: u64, stops: &Stops) -> u64 {
        /// Instructions after which entries of page tables are looked at.
        const LOOK: u64 = 50_000;
        let here = self.here.instructions;
        let mut limit = end.min(self.timeline.next_after(self.here));
        if !stops.entries.is_empty() {
            limit = limit.min(here.saturating_add(LOOK));
        }
        limit.max(here.saturating_add(1))
    }

    /// Runs the processor to its next exit, and answers that.
    fn turn(&mut self, end: u64, stops: &Stops) -> Turn {
        if let Some(outcome) = &self.ended {
            return Turn::Stopped(Stop::Ended(Box::new(outcome.clone())));
        }
        if let Some(raise) = self.pending.take() {
            let watched = self.watched_bytes(stops);
            let raised = self.machine.raise(raise);
            return self.happened(raised, stops, &watched, Turn::Answered);
        }
        if let Err(outcome) = self.machine.find_runnable() {
            return self.end(outcome);
        }
        if self.is_at_breakpoint(stops) {
            return Turn::Stopped(Stop::Breakpoint);
        }
        let exit = self.machine.run_slice(end);
        let now = self.machine.instructions();
        if now != self.here.instructions {
            self.here = Moment::behind(now);
        }
        if let Some(stop) = self.stop_at(&exit, end, stops) {
            return stop;
        }
        let watched = self.watched_bytes(stops);
        match self.machine.settle(exit) {
            Ok(None) => {
                let turn = match (exit, stops.faults) {
                    (Exit::HostCall { .. }, _) => Turn::Answered,
                    (Exit::Exception { exception, .. }, FaultStops::All) => {
                        let stop = exception.page_fault.map(Stop::Fault);
                        stop.map_or(Turn::Went, Turn::Stopped)
                    }
                    _ => Turn::Went,
                };
                self.happened(Ok(()), stops, &watched, turn)
            }
            Ok(Some(raise)) => {
                self.here.events = self.here.events.saturating_add(1);
                let stop = self.exception_stop(&raise, stops);
                self.pending = Some(raise);
                stop.map_or(Turn::Went, Turn::Stopped)
            }
            Err(outcome) => self.end(outcome),
        }
    }

    /// Makes one turn, and returns why it stopped.
    fn one_turn(&mut self, end: u64, stops: &Stops) -> Option<Stop> {
        match self.turn(end, stops) {
            Turn::Stopped(stop) => Some(stop),
            Turn::Done | Turn::Went | Turn::Answered => None,
        }
    }

    fn arrival(&self) -> Arrival {
        Arrival {
            eip: self.machine.eip(),
            thread: self.thread(),
            instructions: self.here.instructions,
        }
    }

    /// Has a run that begins here not stop at a breakpoint here.
    fn pass_here(&mut self) {
        self.passed = Some(self.arrival());
    }

    /// Returns whether the thread has come to a breakpoint, which is told once. The processor looks
    /// for one behind each instruction, but not where a run of its own begins.
    fn is_at_breakpoint(&mut self, stops: &Stops) -> bool {
        let is_new = self.passed != Some(self.arrival());
        let is_one = is_new && stops.breakpoints.contains(&self.machine.eip());
        if is_one {
            self.pass_here();
        }
        is_one
    }

    /// Counts what the system did, and makes the thread current that goes on.
    fn happened(
        &mut self,
        done: Result<(), Outcome>,
        stops: &Stops,
        watched: &[Option<Vec<u8>>],
        turn: Turn,
    ) -> Turn {
        self.note_story();
        self.here.events = self.here.events.saturating_add(1);
        match done.and_then(|()| self.machine.find_runnable()) {
            Ok(()) => match self.changed_bytes(stops, watched) {
                Some(point) => Turn::Stopped(Stop::Watch(Change::by_system(point))),
                None => turn,
            },
            Err(outcome) => self.end(outcome),
        }
    }

    fn end(&mut self, outcome: Outcome) -> Turn {
        self.machine.watch.stop();
        self.note_story();
        // The end is a moment of its own: the one before it can be gone back to.
        self.here.events = self.here.events.saturating_add(1);
        self.ended = Some(outcome.clone());
        Turn::Stopped(Stop::Ended(Box::new(outcome)))
    }

    /// Has the processor look for these stops, and for no others.
    fn arm(&mut self, stops: &Stops) {
        for &eip in self.armed.breakpoints.difference(&stops.breakpoints) {
            self.machine.cpu.remove_breakpoint(eip);
        }
        for &eip in stops.breakpoints.difference(&self.armed.breakpoints) {
            self.machine.cpu.add_breakpoint(eip);
        }
        for &point in &self.armed.watchpoints {
            if !stops.watchpoints.contains(&point) {
                self.machine.cpu.remove_watchpoint(point);
            }
        }
        for &point in &stops.watchpoints {
            self.machine.cpu.add_watchpoint(point);
        }
        self.armed = stops.clone();
    }

    /// Returns the watched bytes, as far as they can be read.
    fn watched_bytes(&mut self, stops: &Stops) -> Vec<Option<Vec<u8>>> {
        let points = stops.watchpoints.clone();
        points.iter().map(|point| self.bytes_of(point)).collect()
    }

    fn bytes_of(&mut self, point: &Watchpoint) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(point.size_bytes).ok()?];
        self.peek(point.addr, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Returns the first watchpoint whose bytes are not what they were.
    fn changed_bytes(&mut self, stops: &Stops, old: &[Option<Vec<u8>>]) -> Option<Watchpoint> {
        let points = stops.watchpoints.iter().zip(old);
        let points: Vec<_> = points.map(|(&point, old)| (point, old.clone())).collect();
        points
            .into_iter()
            .find(|(point, old)| self.bytes_of(point) != *old)
            .map(|(point, _)| point)
    }

    fn poke_byte(&mut self, addr: LinearAddr, byte: u8) -> Result<(), PokeError> {
        let Machine { vmm, mmu, .. } = &mut self.machine;
        // What no access has touched yet comes into being as by an access of the system's.
        if mmu.walk(addr).leaf().is_err() && vmm.copy_out(mmu, addr, &[byte]).is_ok() {
            return Ok(());
        }
        let leaf = mmu.walk(addr).leaf();
        let leaf = leaf.map_err(|_| PokeError::NotMapped(addr))?;
        let frame: FrameNumber = leaf.frame;
        mmu.mem_mut().write(frame.byte(addr.page_offset()), byte);
        mmu.note_write(frame);
        Ok(())
    }

    /// Forgets what was known of later moments, before a change from outside.
    fn forget_later(&mut self) {
        self.journal.cut(self.journal.mark());
        self.timeline.cut_behind(self.here);
        self.ended = None;
    }

    /// Makes a snapshot if it is time for one.
    fn keep_if_due(&mut self) {
        let is_settled = self.here.events == 0 && self.ended.is_none();
        if is_settled && self.timeline.is_due(self.here) {
            // It could be made at the beginning; if it cannot be now, going back takes longer.
            _ = self.keep(timeline::Keep::Thin);
        }
    }

    fn keep(&mut self, keep: timeline::Keep) -> Result<(), SnapshotError> {
        let before = self.timeline.snapshot_before(self.here);
        let checkpoint = Checkpoint {
            at: self.here,
            snapshot: snapshot::Snapshot::of(&self.machine, before)?,
            mark: self.journal.mark(),
            pending: self.pending.clone(),
            keep,
        };
        let forgotten = self.timeline.insert(checkpoint, self.journal.size_bytes());
        if let Some(mark) = forgotten {
            self.journal.forget_before(mark);
        }
        Ok(())
    }

    /// Goes to the moment of a checkpoint.
    fn put_back(&mut self, at: Moment) -> Result<(), SnapshotError> {
        // Going back before a change from outside undoes it.
        if let Some(mark) = self.timeline.undo_edits_behind(at) {
            self.journal.cut(mark);
        }
        let Some(checkpoint) = self.timeline.at(at) else {
            return Ok(());
        };
        checkpoint.snapshot.put_back(&mut self.machine)?;
        self.journal.go_to(checkpoint.mark);
        self.pending.clone_from(&checkpoint.pending);
        self.here = at;
        self.ended = None;
        self.passed_call = None;
        self.passed = None;
        Ok(())
    }

    /// Returns on whose behalf the program accesses memory, for a debugger's walks.
    pub fn privilege(&self) -> Privilege {
        self.machine.cpu.registers().privilege()
    }
}

/// Stands in for a console while it changes hands.
#[derive(Debug)]
struct NoConsole;

impl crate::console::Console for NoConsole {
    fn write(&mut self, _stream: crate::console::Stream, _bytes: &[u8]) {}
}
