//! `GlobalMemoryStatus`, and the map of an address space.

use pagefault_mmu::{LinearAddr, Mmu, Observer, PAGE_SIZE};

use crate::ops::query::{MemoryInfo, MemoryState};
use crate::range::PageRange;
use crate::space::ProcessId;
use crate::vmm::Vmm;

/// What `GlobalMemoryStatusEx` tells, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStatus {
    /// How much of RAM is in use, in percent.
    pub load_percent: u32,
    /// RAM.
    pub total_physical_bytes: u64,
    /// RAM that is free, or holds only what can be had back from a file.
    pub available_physical_bytes: u64,
    /// The commit limit.
    pub total_page_file_bytes: u64,
    /// What can still be committed.
    pub available_page_file_bytes: u64,
    /// User space.
    pub total_virtual_bytes: u64,
    /// User space that is not reserved.
    pub available_virtual_bytes: u64,
}

/// A run of pages of a memory map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRun {
    /// What `VirtualQuery` says of it.
    pub info: MemoryInfo,
    /// Pages of it that are mapped.
    pub resident_pages: u32,
    /// Pages of it that are locked.
    pub locked_pages: u32,
}

impl Vmm {
    /// `GlobalMemoryStatusEx`, as a process sees it.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn memory_status(&self, process: ProcessId) -> MemoryStatus {
        let bytes = |pages: u32| u64::from(pages) * u64::from(PAGE_SIZE);
        let (total, free) = (self.frame_count(), self.free_frames());
        let user = self.space(process).user.pages().len_pages();
        let reserved: u32 = self
            .space(process)
            .regions
            .values()
            .map(|region| region.vad.pages.len_pages())
            .sum();
        let used = u64::from(total - free) * 100 / u64::from(total.max(1));
        MemoryStatus {
            load_percent: u32::try_from(used).unwrap_or(100),
            total_physical_bytes: bytes(total),
            available_physical_bytes: bytes(free),
            total_page_file_bytes: bytes(self.commit.limit_pages),
            available_page_file_bytes: bytes(self.commit.available_pages()),
            total_virtual_bytes: bytes(user),
            available_virtual_bytes: bytes(user.saturating_sub(reserved)),
        }
    }

    /// Returns the address space of a process run by run, free ranges left out.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn memory_map<O: Observer>(&self, mmu: &Mmu<O>, process: ProcessId) -> Vec<MapRun> {
        let space = self.space(process);
        let resident = self.resident_pages(mmu, process);
        let mut runs = Vec::new();
        let mut at = Some(LinearAddr::new(0));
        while let Some(address) = at {
            let Ok(info) = self.query(mmu, process, address) else {
                break;
            };
            let next = info.base.checked_add(info.size_bytes);
            let pages = PageRange::touched(info.base, info.size_bytes);
            if let (Some(pages), true) = (pages, info.state != MemoryState::Free) {
                let first = resident.partition_point(|&(page, _)| page < pages.start());
                let last = resident.partition_point(|&(page, _)| page < pages.end());
                let locked = space.locked.range(pages.start()..pages.end()).count();
                runs.push(MapRun {
                    info,
                    resident_pages: u32::try_from(last - first).unwrap_or(u32::MAX),
                    locked_pages: u32::try_from(locked).unwrap_or(u32::MAX),
                });
            }
            at = next;
        }
        runs
    }
}
