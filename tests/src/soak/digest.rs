//! Numbers for all that can be seen of a machine.

use std::cell::RefCell;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use pagefault_machine::{Event, Machine, Outcome, TraceSink, Watch};
use pagefault_mmu::PAGE_SIZE;

/// Hashes events as they come.
#[derive(Clone, Default)]
pub(super) struct Ear(Rc<RefCell<DefaultHasher>>);

impl Ear {
    pub(super) fn digest(&self) -> u64 {
        self.0.borrow().finish()
    }
}

impl TraceSink for Ear {
    fn event(&mut self, event: &Event) {
        format!("{event:?}").hash(&mut *self.0.borrow_mut());
    }
}

/// A number for each part of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest {
    instructions: u64,
    outcome: u64,
    registers: u64,
    statistics: u64,
    regions: u64,
    tlb: u64,
    memory: u64,
}

/// Returns the numbers of a machine, and of how its run ended.
pub(super) fn machine<W: Watch>(machine: &Machine<W>, outcome: Option<&Outcome>) -> Digest {
    let mem = machine.mmu().mem();
    let mut memory = DefaultHasher::new();
    // What is left in a free frame nobody sees: it is cleared before it is used again.
    for number in machine.vmm().frames_in_use() {
        let frame = mem.frame(number).map(|frame| &frame[..]);
        (number, frame.unwrap_or(&[0; PAGE_SIZE as usize])).hash(&mut memory);
    }
    let tlb: Vec<_> = machine.mmu().tlb_entries().collect();
    Digest {
        instructions: machine.instructions(),
        outcome: shown(&outcome),
        registers: shown(machine.registers()),
        statistics: shown(&machine.statistics()),
        regions: shown(&machine.address_map()),
        tlb: shown(&tlb),
        memory: memory.finish(),
    }
}

/// Returns the number of what is shown of a value.
fn shown(value: &impl Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{value:?}").hash(&mut hasher);
    hasher.finish()
}
