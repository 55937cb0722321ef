//! `VirtualFree`: decommit, release.

use pagefault_mmu::{LinearAddr, Mmu, Observer};
use thiserror::Error;

use crate::config::Profile;
use crate::range::PageRange;
use crate::region::{Region, Source, Unsaid, Vad};
use crate::software::SoftwarePte;
use crate::space::{Over, PageState, ProcessId};
use crate::vmm::{Caller, NoFrame, Vmm};
use crate::win32::Win32Code;

/// `MEM_DECOMMIT`
pub const MEM_DECOMMIT: u32 = 0x4000;
/// `MEM_RELEASE`
pub const MEM_RELEASE: u32 = 0x8000;

/// The arguments of `VirtualFree`, as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeRequest {
    /// Where.
    pub address: LinearAddr,
    /// How many bytes; 0 means the whole allocation.
    pub size_bytes: u32,
    /// [`MEM_DECOMMIT`] or [`MEM_RELEASE`]; anything else is refused by the call.
    pub free_type: u32,
}

/// Why `VirtualFree` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FreeError {
    /// Neither decommit nor release, or both.
    #[error("free type {bits:#x} is neither MEM_DECOMMIT nor MEM_RELEASE")]
    Type {
        /// The bits given.
        bits: u32,
    },
    /// A release with a size.
    #[error("MEM_RELEASE takes the size 0, not {size_bytes:#x}")]
    SizeOnRelease {
        /// The size given.
        size_bytes: u32,
    },
    /// The range is not inside user space.
    #[error("{size_bytes:#x} bytes at {address} are not all in user space")]
    OutsideUserSpace {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
    /// There is no allocation at the address.
    #[error("nothing is allocated at {address}")]
    NotAllocated {
        /// The address given.
        address: LinearAddr,
    },
    /// The size is 0, and the address is not in the first page of the allocation.
    #[error("{address} is not in the first page of the allocation at {base}")]
    NotAtBase {
        /// The address given.
        address: LinearAddr,
        /// The allocation's base.
        base: LinearAddr,
    },
    /// The range goes past the end of the allocation.
    #[error("{pages} goes past the end of the allocation, {allocation}")]
    PastEnd {
        /// The pages that the request touches.
        pages: PageRange,
        /// The allocation.
        allocation: PageRange,
    },
    /// The address is in a view of a section, or in an image.
    #[error("{address} is in a view: unmap it")]
    View {
        /// The address given.
        address: LinearAddr,
    },
    /// Physical or large pages are not decommitted.
    #[error("{pages} cannot be decommitted page by page")]
    NotDecommittable {
        /// The pages that the request touches.
        pages: PageRange,
    },
    /// Windows 9x: a release of an allocation of which only a part is committed.
    #[error("only some pages of {allocation} are committed: decommit them first")]
    MixedStates {
        /// The allocation.
        allocation: PageRange,
    },
    /// No frame for a page table in which the decommitment would be noted.
    #[error(transparent)]
    NoFrame(#[from] NoFrame),
}

impl FreeError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Type { .. }
            | Self::SizeOnRelease { .. }
            | Self::OutsideUserSpace { .. }
            | Self::PastEnd { .. }
            | Self::View { .. }
            | Self::NotDecommittable { .. }
            | Self::MixedStates { .. } => Win32Code::INVALID_PARAMETER,
            Self::NotAllocated { .. } | Self::NotAtBase { .. } => Win32Code::INVALID_ADDRESS,
            Self::NoFrame(error) => error.win32_code(),
        }
    }
}

impl Vmm {
    /// `VirtualFree`, `VirtualFreeEx`: decommits pages, or releases an allocation.
    ///
    /// # Errors
    ///
    /// [`FreeError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn free<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        request: &FreeRequest,
    ) -> Result<(), FreeError> {
        let &FreeRequest {
            address,
            size_bytes,
            free_type,
        } = request;
        let releases = match free_type {
            MEM_RELEASE => true,
            MEM_DECOMMIT => false,
            bits => return Err(FreeError::Type { bits }),
        };
        if releases && size_bytes != 0 {
            return Err(FreeError::SizeOnRelease { size_bytes });
        }
        let space = self.space(caller.process);
        let outside = FreeError::OutsideUserSpace {
            address,
            size_bytes,
        };
        if !space.is_user_range(address, size_bytes) {
            return Err(outside);
        }
        let not_allocated = FreeError::NotAllocated { address };
        let vad = space.region(address.page()).ok_or(not_allocated)?.vad;
        if matches!(vad.source, Source::View { .. } | Source::Image) {
            return Err(FreeError::View { address });
        }
        let pages = if size_bytes == 0 {
            if address.page() != vad.pages.start() {
                return Err(FreeError::NotAtBase {
                    address,
                    base: vad.base(),
                });
            }
            vad.pages
        } else {
            let pages = PageRange::touched(address, size_bytes).ok_or(outside)?;
            let past_end = FreeError::PastEnd {
                pages,
                allocation: vad.pages,
            };
            vad.pages
                .contains_range(pages)
                .then_some(pages)
                .ok_or(past_end)?
        };
        if releases {
            self.check_one_state(mmu, caller.process, &vad)?;
            self.remove_region(mmu, caller.process, &vad);
            return Ok(());
        }
        if matches!(vad.source, Source::Physical | Source::Large) {
            return Err(FreeError::NotDecommittable { pages });
        }
        self.decommit(mmu, caller, &vad, pages)
    }

    /// Refuses a release of mixed states where the profile does.
    fn check_one_state<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        vad: &Vad,
    ) -> Result<(), FreeError> {
        if self.config.profile != Profile::Win9x {
            return Ok(());
        }
        // Quirk: win9x-release-mixed.
        let reserved = self.count_reserved(mmu, process, vad, vad.pages);
        if reserved == 0 || reserved == vad.pages.len_pages() {
            Ok(())
        } else {
            Err(FreeError::MixedStates {
                allocation: vad.pages,
            })
        }
    }

    fn decommit<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        vad: &Vad,
        pages: PageRange,
    ) -> Result<(), FreeError> {
        let process = caller.process;
        let reserved = self.count_reserved(mmu, process, vad, pages);
        let mut vad = *vad;
        if pages == vad.pages {
            vad.unsaid = Unsaid::Reserved;
        } else if vad.unsaid != Unsaid::Reserved {
            self.add_tables(mmu, process, pages)?;
        }
        // Nothing below can fail.
        let new = vad.shortest(SoftwarePte::Decommitted);
        self.drop_pages(mmu, process, &vad, pages, new);
        let freed = pages.len_pages() - reserved;
        self.commit.release(freed);
        let region = self
            .space_mut(process)
            .region_mut(pages.start())
            .expect("found above");
        region.vad.unsaid = vad.unsaid;
        region.charged_pages -= freed;
        region.history.decommit(pages, caller.origin);
        if let Some(watch) = &mut region.watch {
            for page in pages.pages() {
                watch.clear(vad.index(page));
            }
        }
        Ok(())
    }

    /// Takes the contents of the pages away; where there are tables, the entries become `new`.
    pub(crate) fn drop_pages<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
        new: SoftwarePte,
    ) {
        for page in self.space(process).holding(mmu.mem(), pages) {
            let state = self.page_state(mmu, self.space(process), vad, page);
            if let PageState::Committed(_, backing) = state {
                self.drop_page(mmu, process, page, backing, new);
            }
        }
        self.fill(mmu, process, pages, Over::Empty, new);
    }

    /// Gives one meaning to entries of `pages`, where there are tables.
    pub(crate) fn fill<O: Observer>(
        &self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        pages: PageRange,
        over: Over,
        new: SoftwarePte,
    ) {
        let space = self.space(process);
        let per_table = space.root.pages_per_table();
        let (start, end) = (pages.start().bits(), pages.end().bits());
        let mut editor = self.editor(mmu, process);
        for (&first, &table) in space.tables.range(start - start % per_table..end) {
            let part = start.max(first) - first..end.min(first + per_table) - first;
            editor.fill(table, part, over, new);
        }
    }

    /// Takes a region out of its space, with its contents, its commit charge and, where nothing
    /// else needs them, its page tables.
    pub(crate) fn remove_region<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
    ) -> Option<Box<Region>> {
        match vad.source {
            Source::Large => self.drop_large(mmu, process, vad),
            Source::Physical => self.clear_window(mmu, process, vad),
            _ => self.drop_pages(mmu, process, vad, vad.pages, SoftwarePte::AskRegion),
        }
        let space = self.space_mut(process);
        // Large pages keep no count of their locks; the others' locks went with their contents.
        space.locked.retain(|&page| !vad.pages.contains(page));
        let base = vad.base().bits();
        space
            .heaps
            .values_mut()
            .for_each(|heap| heap.forget_segment(base));
        let region = space.remove(vad.pages.start())?;
        self.commit.release(region.charged_pages);
        self.remove_empty_tables(mmu, process, vad.pages);
        Some(region)
    }
}
