//! `MEM_LARGE_PAGES`: pages of 4 MiB (2 MiB with PAE), resident from the start.

use pagefault_mmu::tables::{self, Root};
use pagefault_mmu::{FrameNumber, LinearAddr, Mmu, Observer, PAGE_SIZE, PteFlags};

use crate::frames::FrameOwner;
use crate::ops::alloc::{AllocError, AllocRequest};
use crate::protection::Protection;
use crate::range::PageRange;
use crate::region::{Region, Source, Unsaid, Vad, Watched};
use crate::space::ProcessId;
use crate::vmm::{Caller, NoFrame, Vmm};

impl Vmm {
    /// Returns the size of a large page in bytes: `GetLargePageMinimum`.
    pub fn large_page_bytes(&self) -> u32 {
        match self.config.paging {
            crate::config::PagingMode::TwoLevel => 1 << 22,
            crate::config::PagingMode::Pae => 1 << 21,
        }
    }

    pub(crate) fn reserve_large<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        request: &AllocRequest,
        protection: Protection,
    ) -> Result<LinearAddr, AllocError> {
        let &AllocRequest {
            address,
            size_bytes,
            ..
        } = request;
        let large = self.large_page_bytes();
        if !address.bits().is_multiple_of(large)
            || !size_bytes.is_multiple_of(large)
            || !protection.is_mappable()
        {
            return Err(AllocError::LargePageAlignment {
                address,
                size_bytes,
            });
        }
        let pages = self.place_large(caller.process, address, size_bytes)?;
        self.check_commit(pages.len_pages())?;
        let vad = Vad {
            pages,
            source: Source::Large,
            allocation_protection: protection,
            unsaid: Unsaid::Committed(protection),
            watched: Watched::No,
        };
        self.map_large(mmu, caller.process, &vad, protection)?;
        let mut region = Region::new(vad, caller.origin);
        region.charged_pages = pages.len_pages();
        region.history.commit_at_birth();
        self.commit.charge(pages.len_pages());
        self.space_mut(caller.process).insert(region);
        Ok(vad.base())
    }

    fn place_large(
        &self,
        process: ProcessId,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<PageRange, AllocError> {
        let no_room = AllocError::NoRoom { size_bytes };
        let granules = &self.space(process).granules;
        if address.bits() != 0 {
            let pages = PageRange::touched(address, size_bytes).ok_or(no_room)?;
            return match granules.first_taken(pages) {
                Some(taken) => Err(AllocError::Taken {
                    taken: taken.start(),
                }),
                None => Ok(pages),
            };
        }
        // Room for one more large page always has an aligned part that is large enough.
        let large_pages = self.large_page_bytes() / PAGE_SIZE;
        let len_pages = size_bytes / PAGE_SIZE;
        let roomy = granules
            .lowest_free(len_pages.saturating_add(large_pages))
            .ok_or(no_room)?;
        let start = roomy.start().bits().next_multiple_of(large_pages);
        PageRange::from_bits(start, start + len_pages).ok_or(no_room)
    }

    fn map_large<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        protection: Protection,
    ) -> Result<(), NoFrame> {
        let per_large = self.large_page_bytes() / PAGE_SIZE;
        let starts = vad.pages.pages().step_by(per_large as usize);
        let mut runs: Vec<FrameNumber> = Vec::new();
        for page in starts.clone() {
            let owner = FrameOwner::Private { process, page };
            let Some(first) = self.frames.allocate_run(per_large, owner) else {
                for first in runs {
                    self.free_run(first, per_large);
                }
                return Err(NoFrame);
            };
            runs.push(first);
        }
        // Nothing below can fail.
        let root = self.space(process).root;
        self.remove_empty_tables(mmu, process, vad.pages);
        for (page, first) in starts.zip(runs) {
            for frame in frames_of(first, per_large) {
                mmu.mem_mut().zero_frame(frame);
                mmu.note_write(frame);
                let info = self.frames.info_mut(frame);
                info.locks = 1;
                info.mappings = 1;
            }
            let mut entry = self.entry_for(process, vad, page, first, protection);
            entry.flags.remove(PteFlags::PAT);
            let set = tables::set_large_page(mmu.mem_mut(), root, page, entry);
            self.editor(mmu, process)
                .pay(set.expect("the directory exists"));
        }
        Ok(())
    }

    /// Unmaps and frees the large pages of a region.
    pub(crate) fn drop_large<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
    ) {
        let per_large = self.large_page_bytes() / PAGE_SIZE;
        let root: Root = self.space(process).root;
        for page in vad.pages.pages().step_by(per_large as usize) {
            let tables::Entry::Large(entry) = tables::entry(mmu.mem(), root, page) else {
                continue;
            };
            let cleared = tables::clear_directory_entry(mmu.mem_mut(), root, page);
            self.editor(mmu, process)
                .pay(cleared.expect("the directory exists"));
            self.free_run(entry.frame, per_large);
        }
    }

    fn free_run(&mut self, first: FrameNumber, count: u32) {
        for frame in frames_of(first, count) {
            self.frames.free(frame);
        }
    }
}

fn frames_of(first: FrameNumber, count: u32) -> impl Iterator<Item = FrameNumber> {
    (first.bits()..first.bits() + count).filter_map(FrameNumber::new)
}
