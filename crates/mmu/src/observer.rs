//! Who watches the MMU at work.

use crate::addr::{LinearAddr, PhysAddr};
use crate::fault::{AccessKind, PageFault};
use crate::tlb::LevelId;
use crate::walk::Step;

/// Why a translation left the TLB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropCause {
    /// INVLPG, or a host edit that owed one.
    Invalidated,
    /// A page fault at an address of the page.
    Faulted,
    /// A load of CR3, or another flush that spares global entries.
    FlushedNonGlobal,
    /// A flush of everything.
    FlushedAll,
}

/// Events of the MMU. Every method does nothing unless it is implemented, and costs nothing then.
pub trait Observer {
    /// Whether accesses are counted. Only a benchmark that measures what counting costs has a reason
    /// to say no: accesses and the hits of first levels stay 0 then. Misses, walks and replacement are
    /// exact all the same.
    const COUNTING: bool = true;

    /// A level of the TLB was asked for an address and had it, or not.
    fn look_up(&mut self, level: LevelId, addr: LinearAddr, kind: AccessKind, hit: bool) {
        let _ = (level, addr, kind, hit);
    }

    /// A walk read an entry.
    fn walk_step(&mut self, addr: LinearAddr, step: &Step) {
        let _ = (addr, step);
    }

    /// A translation entered a level.
    fn fill(&mut self, level: LevelId, addr: LinearAddr) {
        let _ = (level, addr);
    }

    /// A translation was displaced from a level; `first` is the first address of its page.
    fn evict(&mut self, level: LevelId, first: LinearAddr) {
        let _ = (level, first);
    }

    /// Translations were dropped; `addr` is the one that was named, or `None` for a flush.
    fn drop_translations(&mut self, cause: DropCause, addr: Option<LinearAddr>) {
        let _ = (cause, addr);
    }

    /// The processor set A or D: the entry at `at` now reads `value`.
    fn mark(&mut self, at: PhysAddr, value: u32) {
        let _ = (at, value);
    }

    /// An access page-faulted.
    fn fault(&mut self, fault: &PageFault) {
        let _ = fault;
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}
