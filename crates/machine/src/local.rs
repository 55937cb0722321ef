//! Data that a program has for each thread, as its TLS directory says.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{Caller, CopyError, HeapError, NewBytes};
use thiserror::Error;

use crate::layout::teb;
use crate::machine::Machine;
use crate::program::ThreadLocal;
use crate::watch::Watch;

/// The size of a word in bytes.
const WORD_BYTES: u32 = 4;
/// Blocks start on a multiple of so many bytes.
const BLOCK_ALIGN: u32 = 16;

/// Why a thread cannot have its data.
#[derive(Clone, Copy, Debug, Error)]
pub enum ThreadLocalError {
    /// There is no room for them.
    #[error(transparent)]
    Heap(#[from] HeapError),
    /// The initial bytes cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl<W: Watch> Machine<W> {
    /// Gives a new thread its data; returns where the list of functions to call is, if there are
    /// any. One block has the list, the array that the TEB points to, and the data.
    pub(crate) fn make_local(&mut self, teb: u32) -> Result<Option<u32>, ThreadLocalError> {
        let Some(local) = self.thread_local.clone() else {
            return Ok(None);
        };
        let base = self.image.start;
        let count = u32::try_from(local.callbacks.len()).unwrap_or(0);
        let list_bytes = (count + 1) * WORD_BYTES;
        let array_at = list_bytes;
        let data_at = (array_at + WORD_BYTES).next_multiple_of(BLOCK_ALIGN);
        let wanted = data_at.saturating_add(data_bytes(&local));
        let caller = Caller::of(self.process);
        let heap = self.vmm.process_heap(&mut self.mmu, caller)?;
        let mmu = &mut self.mmu;
        let block = self
            .vmm
            .heap_alloc(mmu, caller, heap, wanted, NewBytes::Zeroed)?
            .bits();
        for (slot, callback) in (0..).zip(&local.callbacks) {
            self.write_word(block + slot * WORD_BYTES, base.wrapping_add(*callback));
        }
        self.write_word(block + array_at, block + data_at);
        self.copy(
            base.wrapping_add(local.template),
            block + data_at,
            local.template_bytes,
        )?;
        if local.index != 0 {
            // The program is the only module with such data.
            self.write_word(base.wrapping_add(local.index), 0);
        }
        self.write_word(teb + teb::LOCAL_STORAGE, block + array_at);
        Ok((count > 0).then_some(block))
    }

    /// Copies bytes within the program's memory.
    fn copy(&mut self, from: u32, to: u32, len_bytes: u32) -> Result<(), CopyError> {
        /// How much is copied at a time, in bytes.
        const CHUNK_BYTES: u32 = 1 << 16;
        let mut done = 0;
        while done < len_bytes {
            let len = (len_bytes - done).min(CHUNK_BYTES);
            let mut chunk = vec![0; len as usize];
            let source = LinearAddr::new(from.wrapping_add(done));
            let target = LinearAddr::new(to.wrapping_add(done));
            self.vmm.copy_in(&mut self.mmu, source, &mut chunk)?;
            self.vmm.copy_out(&mut self.mmu, target, &chunk)?;
            done += len;
        }
        Ok(())
    }
}

fn data_bytes(local: &ThreadLocal) -> u32 {
    local.template_bytes.saturating_add(local.zero_bytes)
}
