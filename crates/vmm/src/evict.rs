//! Finding frames: free ones first, then those of pages that can be had back.

use pagefault_mmu::{FrameNumber, Mmu, Observer};

use crate::frames::FrameOwner;
use crate::vmm::{NoFrame, Vmm};

impl Vmm {
    /// Returns a frame for `owner`; its bytes are whatever they were.
    pub(crate) fn take_frame<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        owner: FrameOwner,
    ) -> Result<FrameNumber, NoFrame> {
        let _ = mmu;
        self.frames.allocate(owner).ok_or(NoFrame)
    }

    /// Tells the replacement policy that a page came into the frame.
    pub(crate) fn note_resident(&mut self, frame: FrameNumber) {
        let _ = (self, frame);
    }
}
