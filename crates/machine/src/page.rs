//! What is known of a page at this moment: for debuggers, explanations and pictures.

use std::ops::Range;

use pagefault_vmm::mmu::{FrameNumber, LinearAddr, TlbEntry, Walk};
use pagefault_vmm::{FrameOwner, MemoryInfo, PagingMode, Slot, SoftwarePte};

use crate::machine::Machine;
use crate::report::{HistoryLine, entry_meaning, software_entry};
use crate::watch::Watch;

/// Everything that is known of an address and its page.
#[derive(Clone, Debug)]
pub struct PageReport {
    /// The address.
    pub addr: LinearAddr,
    /// CR3.
    pub cr3: u32,
    /// Whether the tables are those of two-level paging.
    pub is_two_level: bool,
    /// The walk of the address.
    pub walk: Walk,
    /// What the entry at which the walk stopped means to the memory manager.
    pub entry_meaning: Option<String>,
    /// The translations of the page that the TLB holds, by level.
    pub cached: Vec<TlbEntry>,
    /// The frame that the entry maps, and whose contents it holds.
    pub frame: Option<(FrameNumber, FrameOwner)>,
    /// Where in the paging file the contents are.
    pub slot: Option<Slot>,
    /// What `VirtualQuery` says of the page; `None` outside of user space.
    pub region: Option<MemoryInfo>,
    /// The addresses of the whole allocation.
    pub allocation: Option<Range<u32>>,
    /// What the loader has put there, if it is its doing.
    pub purpose: Option<&'static str>,
    /// The calls that made the page what it is, in the order in which they matter.
    pub history: Vec<HistoryLine>,
}

impl<W: Watch> Machine<W> {
    /// Returns what is known of an address and its page. Looking changes nothing.
    pub fn page_report(&self, addr: LinearAddr) -> PageReport {
        let walk = self.mmu.walk(addr);
        let number = addr.page().bits();
        let holds = |entry: &TlbEntry| {
            let first = entry.page.bits();
            (first..first.saturating_add(entry.size.small_pages())).contains(&number)
        };
        let frame = walk.leaf().ok().map(|leaf| leaf.frame);
        let slot = software_entry(&walk).and_then(|entry| match entry {
            SoftwarePte::PagingFile(slot, _) => Some(slot),
            _ => None,
        });
        let allocation = self.allocation_around(addr);
        // Freed memory is nobody's any more.
        let purpose = allocation.as_ref().and_then(|_| self.purpose(addr));
        PageReport {
            addr,
            cr3: self.mmu.control().cr3(),
            is_two_level: self.vmm.config().paging == PagingMode::TwoLevel,
            walk,
            entry_meaning: entry_meaning(&walk),
            cached: self.mmu.tlb_entries().filter(holds).collect(),
            frame: frame.map(|frame| (frame, self.vmm.frame_owner(frame))),
            slot,
            region: self.vmm.query(&self.mmu, self.process, addr).ok(),
            allocation,
            purpose,
            history: self.history_of(addr),
        }
    }
}
