//! The address space as a list of runs, as `VMMap` shows it.

use pagefault_vmm::MapRun;

use crate::machine::Machine;
use crate::watch::Watch;

/// A run of pages with equal state, protection and allocation, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// The run, as the memory manager knows it.
    pub run: MapRun,
    /// What the loader has put there.
    pub purpose: Option<&'static str>,
}

impl<W: Watch> Machine<W> {
    /// Returns the runs of the address space from the lowest address up; free ones are left out.
    pub fn address_map(&self) -> Vec<MapEntry> {
        let runs = self.vmm.memory_map(&self.mmu, self.process);
        runs.into_iter()
            .map(|run| MapEntry {
                run,
                purpose: self.purpose(run.info.base),
            })
            .collect()
    }
}
