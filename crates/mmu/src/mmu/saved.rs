//! The MMU's state apart from RAM, to be kept and put back.

use crate::control::Control;
use crate::directory::DirectoryCache;
use crate::mmu::Mmu;
use crate::observer::Observer;
use crate::tlb::Tlb;
use crate::tlb::statistics::{Statistics, Tally};
use crate::tracked::TrackedFrames;

/// What an MMU is at a moment, less RAM: registers, TLB, counts, and whose writes are tracked.
#[derive(Clone, Debug)]
pub struct SavedMmu {
    tlb: Tlb,
    tally: Tally,
    control: Control,
    tracked: TrackedFrames,
    directory: DirectoryCache,
    statistics: Statistics,
}

impl<O: Observer> Mmu<O> {
    /// Returns what the MMU is now, less RAM.
    pub fn save(&self) -> SavedMmu {
        SavedMmu {
            tlb: self.tlb.clone(),
            tally: self.tally,
            control: self.control.clone(),
            tracked: self.tracked.clone(),
            directory: self.directory.clone(),
            statistics: self.statistics,
        }
    }

    /// Makes the MMU what it was when `saved` was made, less RAM, which the caller puts back.
    pub fn restore(&mut self, saved: &SavedMmu) {
        self.tlb = saved.tlb.clone();
        self.tally = saved.tally;
        self.control = saved.control.clone();
        self.tracked = saved.tracked.clone();
        self.directory = saved.directory.clone();
        self.statistics = saved.statistics;
        self.front.clear();
        self.settle_way();
    }
}
