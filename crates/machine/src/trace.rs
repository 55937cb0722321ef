//! The guest trace: events of the processor, the MMU and the API, in the order in which they happen.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bitflags::bitflags;
use pagefault_cpu as cpu;
use pagefault_vmm::mmu::{
    self, AccessKind, DropCause, LevelId, LinearAddr, PageFault, PhysAddr, Step,
};

bitflags! {
    /// The kinds of events that can be traced.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Topics: u8 {
        /// Calls of imported functions, and what they return.
        const API = 1 << 0;
        /// Page faults, and how they were resolved.
        const FAULT = 1 << 1;
        /// The entries that walks read and mark.
        const WALK = 1 << 2;
        /// Look-ups of the TLB, fills and evictions: most events of a run are these.
        const LOOK_UP = 1 << 3;
        /// Instructions.
        const INSN = 1 << 4;
        /// Data accesses.
        const MEM = 1 << 5;
        /// Invalidations and flushes of the TLB.
        const DROP = 1 << 6;
        /// Everything of the TLB.
        const TLB = Self::LOOK_UP.bits() | Self::DROP.bits();
    }
}

impl Topics {
    /// The topics by the names that users write.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("api", Self::API),
        ("fault", Self::FAULT),
        ("walk", Self::WALK),
        ("tlb", Self::TLB),
        ("insn", Self::INSN),
        ("mem", Self::MEM),
    ];
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An instruction is about to run.
    Instruction {
        /// Its address.
        eip: u32,
        /// Its length in bytes.
        len: u8,
    },
    /// Data was accessed.
    Access {
        /// Where.
        addr: LinearAddr,
        /// How many bytes.
        size_bytes: u32,
        /// How.
        kind: AccessKind,
    },
    /// A level of the TLB was asked.
    LookUp {
        /// Which level.
        level: LevelId,
        /// For which address.
        addr: LinearAddr,
        /// By which kind of access.
        kind: AccessKind,
        /// Whether it had the page.
        hit: bool,
    },
    /// A translation entered a level.
    Fill {
        /// Which level.
        level: LevelId,
        /// An address on the page.
        addr: LinearAddr,
    },
    /// A translation was displaced.
    Evict {
        /// From which level.
        level: LevelId,
        /// The page's first address.
        first: LinearAddr,
    },
    /// Translations were dropped.
    Drop {
        /// Why.
        cause: DropCause,
        /// The page that was named; `None` for a flush.
        addr: Option<LinearAddr>,
    },
    /// A walk read an entry.
    WalkStep {
        /// The address that is walked.
        addr: LinearAddr,
        /// The entry.
        step: Step,
    },
    /// The processor set A or D in an entry.
    Mark {
        /// The entry's physical address.
        at: PhysAddr,
        /// What it reads now.
        value: u32,
    },
    /// An access page-faulted.
    Fault {
        /// The fault.
        fault: PageFault,
    },
    /// The memory manager dealt with a page fault and the instruction goes on.
    Resolved {
        /// Where the fault was.
        addr: LinearAddr,
        /// What was done, in a few words.
        how: String,
    },
    /// An imported function is called.
    ApiCall {
        /// Its name.
        function: &'static str,
        /// Its arguments, first one first; of a function with a variable number, those that are
        /// fixed.
        arguments: Vec<u32>,
        /// The address behind the call instruction.
        return_to: u32,
    },
    /// It returns.
    ApiReturn {
        /// Its name.
        function: &'static str,
        /// The result, in EAX.
        result: u32,
        /// The last error, if the call set it.
        last_error: Option<u32>,
    },
}

/// Who takes the events.
pub trait TraceSink {
    /// Takes an event of a topic that was asked for.
    fn event(&mut self, event: &Event);

    /// A run has ended: events that were held back should go out now.
    fn flush(&mut self) {}
}

/// A handle to a sink, for the observers of the processor and of the MMU alike.
///
/// It is mute until a machine has been loaded.
#[derive(Clone)]
pub struct Tracer {
    topics: Topics,
    /// The topics that are passed on: none while the machine is loaded. Shared by all handles.
    passed: Rc<Cell<Topics>>,
    sink: Rc<RefCell<dyn TraceSink>>,
}

impl Tracer {
    /// Returns a tracer that passes events of `topics` on to `sink`.
    pub fn new(topics: Topics, sink: impl TraceSink + 'static) -> Self {
        let passed = Rc::new(Cell::new(Topics::empty()));
        Self {
            topics,
            passed,
            sink: Rc::new(RefCell::new(sink)),
        }
    }

    pub(crate) fn unmute(&self) {
        self.passed.set(self.topics);
    }

    pub(crate) fn flush(&self) {
        self.sink.borrow_mut().flush();
    }

    /// Passes an event on if its topic was asked for. Building it is left out otherwise.
    pub(crate) fn pass(&self, topic: Topics, event: impl FnOnce() -> Event) {
        if self.passed.get().contains(topic) {
            self.sink.borrow_mut().event(&event());
        }
    }
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer")
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

impl mmu::Observer for Tracer {
    fn look_up(&mut self, level: LevelId, addr: LinearAddr, kind: AccessKind, hit: bool) {
        self.pass(Topics::LOOK_UP, || Event::LookUp {
            level,
            addr,
            kind,
            hit,
        });
    }

    fn walk_step(&mut self, addr: LinearAddr, step: &Step) {
        self.pass(Topics::WALK, || Event::WalkStep { addr, step: *step });
    }

    fn fill(&mut self, level: LevelId, addr: LinearAddr) {
        self.pass(Topics::LOOK_UP, || Event::Fill { level, addr });
    }

    fn evict(&mut self, level: LevelId, first: LinearAddr) {
        self.pass(Topics::LOOK_UP, || Event::Evict { level, first });
    }

    fn drop_translations(&mut self, cause: DropCause, addr: Option<LinearAddr>) {
        self.pass(Topics::DROP, || Event::Drop { cause, addr });
    }

    fn mark(&mut self, at: PhysAddr, value: u32) {
        self.pass(Topics::WALK, || Event::Mark { at, value });
    }

    fn fault(&mut self, fault: &PageFault) {
        self.pass(Topics::FAULT, || Event::Fault { fault: *fault });
    }
}

impl cpu::Observer for Tracer {
    const INSTRUCTIONS: bool = true;
    const ACCESSES: bool = true;

    fn instruction(&mut self, eip: u32, len: u8) {
        self.pass(Topics::INSN, || Event::Instruction { eip, len });
    }

    fn access(&mut self, addr: LinearAddr, size_bytes: u32, kind: AccessKind) {
        self.pass(Topics::MEM, || Event::Access {
            addr,
            size_bytes,
            kind,
        });
    }
}
