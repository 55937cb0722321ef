//! Who watches a run: the MMU and the processor report to values of one type.

use pagefault_cpu as cpu;
use pagefault_vmm::mmu;

use crate::trace::{Event, Topics, Tracer};

/// An observer of both the MMU and the processor.
pub trait Watch: mmu::Observer + cpu::Observer + Clone + 'static {
    /// The program is loaded and about to run: what was done for that is not the program's.
    fn start(&self);

    /// The run has ended: what has been told so far is complete.
    fn stop(&self);

    /// Takes an event of the machine itself; building it is left out if nobody wants the topic.
    fn tell(&self, topic: Topics, event: impl FnOnce() -> Event);
}

/// Watches nothing, at no cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl mmu::Observer for Unwatched {}

impl cpu::Observer for Unwatched {}

impl Watch for Unwatched {
    fn start(&self) {}

    fn stop(&self) {}

    fn tell(&self, _topic: Topics, _event: impl FnOnce() -> Event) {}
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
