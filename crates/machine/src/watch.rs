//! Who watches a run: the MMU and the processor report to values of one type.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use pagefault_cpu as cpu;
use pagefault_vmm::mmu;

use crate::console::Console;
use crate::debug::DebugInfo;
use crate::load::LoadError;

use crate::machine::{Machine, MachineConfig};
use crate::program::Program;
use crate::stops::Pause;
use crate::trace::{Event, Topics, TraceSink, Tracer};

/// An observer of the machine, the MMU and the processor: a [`Listener`] or a [`Tracer`].
///
/// The interpreter and the functions of Windows are compiled once for each, in this crate: they are
/// most of what there is to compile. Whoever wants to hear of a run gives one of the two a sink.
pub trait Watch: mmu::Observer + cpu::Observer + Clone + fmt::Debug + Compiled + 'static {
    /// The program is loaded and about to run: what was done for that is not the program's.
    fn start(&self);

    /// The run has ended: what has been told so far is complete.
    fn stop(&self);

    /// Takes an event of the machine itself; building it is left out if nobody wants the topic.
    fn tell(&self, topic: Topics, event: impl FnOnce() -> Event);
}

/// What is compiled here for an observer, and only called from elsewhere.
pub trait Compiled: Sized {
    /// As [`Machine::load_program`].
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    #[doc(hidden)]
    fn load(
        program: &Program,
        debug: DebugInfo,
        config: &MachineConfig,
        console: Box<dyn Console>,
        watch: Self,
    ) -> Result<Machine<Self>, LoadError>
    where
        Self: Watch;

    /// As [`Machine::run_to_pause`].
    #[doc(hidden)]
    fn advance(machine: &mut Machine<Self>, budget: u64) -> Pause
    where
        Self: Watch;
}

/// Implements [`Compiled`] by functions without parameters, of which there is one copy.
macro_rules! compile {
    ($($watch:ty),*) => {$(
        impl Compiled for $watch {
            #[inline(never)]
            fn load(
                program: &Program,
                debug: DebugInfo,
                config: &MachineConfig,
                console: Box<dyn Console>,
                watch: Self,
            ) -> Result<Machine<Self>, LoadError> {
                Machine::load_here(program, debug, config, console, watch)
            }

            #[inline(never)]
            fn advance(machine: &mut Machine<Self>, budget: u64) -> Pause {
                machine.advance_here(budget)
            }
        }
    )*};
}

compile!(Listener, Tracer);

/// Hears what the machine itself has to tell, such as calls, and nothing of single instructions and
/// accesses: the interpreter pays nothing for it.
#[derive(Clone)]
pub struct Listener {
    topics: Topics,
    sink: Option<Rc<RefCell<dyn TraceSink>>>,
}

impl Listener {
    /// Returns one that hears nothing.
    pub fn deaf() -> Self {
        Self {
            topics: Topics::empty(),
            sink: None,
        }
    }

    /// Returns one that passes events of `topics` on to `sink`.
    pub fn new(topics: Topics, sink: impl TraceSink + 'static) -> Self {
        Self {
            topics,
            sink: Some(Rc::new(RefCell::new(sink))),
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

impl mmu::Observer for Listener {}

impl cpu::Observer for Listener {}

impl Watch for Listener {
    fn start(&self) {}

    fn stop(&self) {
        if let Some(sink) = &self.sink {
            sink.borrow_mut().flush();
        }
    }

    fn tell(&self, topic: Topics, event: impl FnOnce() -> Event) {
        if let Some(sink) = &self.sink
            && self.topics.contains(topic)
        {
            sink.borrow_mut().event(&event());
        }
    }
}

impl Watch for Tracer {
    fn start(&self) {
        self.unmute();
    }

    fn stop(&self) {
        self.flush();
    }

    fn tell(&self, topic: Topics, event: impl FnOnce() -> Event) {
        self.pass(topic, event);
    }
}
