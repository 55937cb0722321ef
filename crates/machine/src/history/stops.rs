//! What a run stops for, and how it stopped.

use std::collections::BTreeSet;

use pagefault_cpu::{Exit, Watchpoint};
use pagefault_vmm::mmu::{AccessKind, LinearAddr, PageFault, Walk};

use crate::api::Target;
use crate::history::{Moment, Recording, Turn};
use crate::machine::{Outcome, Raise};
use crate::record::Record;
use crate::status::Status;
use crate::watch::Listener;

/// Which page faults end a run, once the system has resolved them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultStops {
    /// None.
    #[default]
    None,
    /// All.
    All,
}

/// Whether exceptions end a run, before the program is told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exceptions {
    /// None does.
    #[default]
    None,
    /// Each does.
    All,
}

/// What a run stops for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// Instructions, by EIP: before they are executed.
    pub breakpoints: BTreeSet<u32>,
    /// Accesses: behind the instruction that makes one, and behind a call in which the system
    /// changes the bytes.
    pub watchpoints: Vec<Watchpoint>,
    /// Functions of the system by name, when they are called.
    pub calls: BTreeSet<String>,
    /// Page faults that the system resolves.
    pub faults: FaultStops,
    /// Exceptions.
    pub exceptions: Exceptions,
    /// Addresses whose leaf entry in the page tables changes: by the processor, which sets A and D,
    /// or by the system.
    pub entries: Vec<LinearAddr>,
}

impl Stops {
    /// Nothing.
    pub const NONE: Self = Self {
        breakpoints: BTreeSet::new(),
        watchpoints: Vec::new(),
        calls: BTreeSet::new(),
        faults: FaultStops::None,
        exceptions: Exceptions::None,
        entries: Vec::new(),
    };

    /// Exceptions alone.
    pub const EXCEPTIONS: Self = Self {
        breakpoints: BTreeSet::new(),
        watchpoints: Vec::new(),
        calls: BTreeSet::new(),
        faults: FaultStops::None,
        exceptions: Exceptions::All,
        entries: Vec::new(),
    };
}

/// An access to watched bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first byte.
    pub addr: LinearAddr,
    /// How many.
    pub size_bytes: u32,
    /// What the access was.
    pub kind: AccessKind,
    /// The instruction that made it; `None` if the system did, in a call.
    pub by: Option<u32>,
}

impl Change {
    pub(super) fn by_system(point: Watchpoint) -> Self {
        Self {
            addr: point.addr,
            size_bytes: point.size_bytes,
            kind: AccessKind::Write,
            by: None,
        }
    }
}

/// A change of an entry of the page tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// The address that the entry translates.
    pub addr: LinearAddr,
    /// The walk before.
    pub old: Walk,
    /// The walk after.
    pub new: Walk,
    /// Before the change.
    pub(super) from: Moment,
    /// After it.
    pub(super) to: Moment,
}

/// Why a run stopped.
#[derive(Clone, Debug)]
pub enum Stop {
    /// One step was done.
    Stepped,
    /// As many instructions as allowed were executed.
    Budget,
    /// EIP is at a breakpoint.
    Breakpoint,
    /// Watched bytes were accessed.
    Watch(Change),
    /// A function of the system is about to be answered.
    Call(String),
    /// A page fault was resolved.
    Fault(PageFault),
    /// The program is about to be told of an exception.
    Exception(Status),
    /// An entry of the page tables has changed.
    Entries(Box<EntryChange>),
    /// The program has ended.
    Ended(Box<Outcome>),
    /// There is nothing before this moment.
    Beginning,
}

impl Recording {
    /// Returns how a turn ends at an exit of the processor that is not to be answered.
    pub(super) fn stop_at(&mut self, exit: &Exit, end: u64, stops: &Stops) -> Option<Turn> {
        match *exit {
            Exit::Budget if self.here.instructions >= end => Some(Turn::Done),
            Exit::Breakpoint { .. } => {
                self.pass_here();
                Some(Turn::Stopped(Stop::Breakpoint))
            }
            Exit::Watchpoint {
                addr,
                size_bytes,
                kind,
                at,
            } => Some(Turn::Stopped(Stop::Watch(Change {
                addr,
                size_bytes,
                kind,
                by: Some(at),
            }))),
            Exit::HostCall { .. } => {
                let is_first = self.passed_call.take() != Some(self.here);
                let name = self.function_here().filter(|_| is_first)?;
                stops.calls.contains(&name).then(|| {
                    self.passed_call = Some(self.here);
                    Turn::Stopped(Stop::Call(name))
                })
            }
            _ => None,
        }
    }

    /// Returns the name of the system's function that EIP is at.
    pub fn function_here(&self) -> Option<String> {
        let at = LinearAddr::new(self.machine.eip());
        match self.machine.modules.target::<Listener>(at) {
            Target::Function(function) => Some(function.name.to_owned()),
            Target::Missing(missing) => Some(missing.name.clone()),
            Target::Return | Target::Nothing => None,
        }
    }

    pub(super) fn exception_stop(&self, raise: &Raise, stops: &Stops) -> Option<Stop> {
        (stops.exceptions == Exceptions::All).then(|| Stop::Exception(self.status_of(raise)))
    }

    /// Returns the code of the exception that the program is about to be told of.
    pub fn pending_status(&self) -> Option<Status> {
        self.pending.as_ref().map(|raise| self.status_of(raise))
    }

    fn status_of(&self, raise: &Raise) -> Status {
        match raise {
            Raise::Refused(refused, at) => Record::of_refused(refused, *at).status,
            Raise::Exception(exception, at) => self.machine.status_of(exception, *at),
            Raise::NoFunction(_) => Status::ILLEGAL_INSTRUCTION,
        }
    }

    /// Returns the walks of the watched addresses.
    pub(super) fn entries(&self, stops: &Stops) -> Vec<Walk> {
        let walks = stops.entries.iter();
        walks.map(|&addr| self.machine.mmu.walk(addr)).collect()
    }

    /// Returns the first entry that is not what it was at `from`.
    pub(super) fn entry_span(
        &self,
        from: Moment,
        old: Vec<Walk>,
        stops: &Stops,
    ) -> Option<EntryChange> {
        let (&addr, old) = stops
            .entries
            .iter()
            .zip(old)
            .find(|(addr, old)| has_changed(old, &self.machine.mmu.walk(**addr)))?;
        Some(EntryChange {
            addr,
            new: self.machine.mmu.walk(addr),
            old,
            from,
            to: self.here,
        })
    }
}

/// Returns whether the leaf entry, or the entry at which a walk ends, is another one.
pub(super) fn has_changed(old: &Walk, new: &Walk) -> bool {
    old.steps().last() != new.steps().last()
}
