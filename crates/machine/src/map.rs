//! The address space as a list of runs, as `VMMap` shows it.

use pagefault_vmm::mmu::tables::{Entry, TableView, table};
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE, PageNumber};
use pagefault_vmm::{MemoryInfo, MemoryState};

use crate::machine::Machine;
use crate::watch::Watch;

/// A run of pages with equal state, protection and allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// What `VirtualQuery` says of it.
    pub info: MemoryInfo,
    /// How many of its pages are in RAM and mapped.
    pub resident_pages: u32,
    /// How many of its pages are locked.
    pub locked_pages: u32,
    /// What the loader has put there.
    pub purpose: Option<&'static str>,
}

impl<W: Watch> Machine<W> {
    /// Returns the runs of the address space from the lowest address up; free ones are left out.
    pub fn address_map(&self) -> Vec<MapEntry> {
        let user = self.vmm.config().user_space;
        let mut entries = Vec::new();
        let mut next = Some(user.lowest());
        while let Some(addr) = next {
            let Ok(info) = self.vmm.query(&self.mmu, self.process, addr) else {
                break;
            };
            if info.state != MemoryState::Free {
                entries.push(self.map_entry(info));
            }
            next = addr
                .checked_add(info.size_bytes)
                .filter(|&addr| addr <= user.highest());
        }
        entries
    }

    fn map_entry(&self, info: MemoryInfo) -> MapEntry {
        let first = info.base.page().bits();
        let pages = || (first..first + info.size_bytes / PAGE_SIZE).filter_map(PageNumber::new);
        let locked = pages()
            .filter(|&page| self.vmm.is_locked(self.process, page))
            .count();
        let locked_pages = u32::try_from(locked).unwrap_or(u32::MAX);
        let resident_pages = self.resident(info.base, info.size_bytes / PAGE_SIZE);
        MapEntry {
            info,
            resident_pages,
            locked_pages,
            purpose: self.purpose(info.base),
        }
    }

    /// Returns how many pages of a run are mapped, a table at a time.
    fn resident(&self, base: LinearAddr, len_pages: u32) -> u32 {
        let root = self.vmm.root(self.process);
        let per_table = root.pages_per_table();
        let (mut page, end) = (base.page().bits(), base.page().bits() + len_pages);
        let mut resident = 0;
        while page < end {
            let table_end = (page / per_table + 1) * per_table;
            let until = table_end.min(end);
            let view = PageNumber::new(page).and_then(|page| table(self.mmu.mem(), root, page));
            resident += view.map_or(0, |view| mapped(&view, page, until));
            page = until;
        }
        resident
    }
}

fn mapped(view: &TableView<'_>, first: u32, end: u32) -> u32 {
    (first..end)
        .map(|page| u32::from(matches!(view.entry(page), Entry::Page(_))))
        .sum()
}
