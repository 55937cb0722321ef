//! Regions that the loader makes: `MEM_IMAGE`.

use pagefault_mmu::LinearAddr;

use crate::ops::alloc::{AllocError, Search, place};
use crate::protection::Protection;
use crate::region::{Region, Source, Unsaid, Vad, Watched};
use crate::vmm::{Caller, Vmm};

impl Vmm {
    /// Reserves and commits room for a program file, and returns where it is.
    ///
    /// The pages are zero and `PAGE_EXECUTE_WRITECOPY` in name; the loader gives each section of
    /// the file its own protection with [`Vmm::protect`], and fills them with [`Vmm::copy_out`]
    /// while they can be written to. `VirtualFree` refuses them, as it does an image's on Windows.
    ///
    /// # Errors
    ///
    /// [`AllocError`], as for a reservation that commits; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn map_image(
        &mut self,
        caller: Caller,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<LinearAddr, AllocError> {
        if size_bytes == 0 {
            return Err(AllocError::ZeroSize);
        }
        let space = self.space(caller.process);
        if !space.is_user_range(address, size_bytes) {
            return Err(AllocError::OutsideUserSpace {
                address,
                size_bytes,
            });
        }
        let pages = place(space, address, size_bytes, Search::Lowest)?;
        self.check_commit(pages.len_pages())?;
        let vad = Vad {
            pages,
            // Quirk: image-private.
            source: Source::Image,
            allocation_protection: Protection::EXECUTE_WRITE_COPY,
            unsaid: Unsaid::Committed(Protection::EXECUTE_READ_WRITE),
            watched: Watched::No,
        };
        let mut region = Region::new(vad, caller.origin);
        region.charged_pages = pages.len_pages();
        region.history.commit_at_birth();
        self.commit.charge(pages.len_pages());
        self.space_mut(caller.process).insert(region);
        Ok(vad.base())
    }
}
