//! The C library, `msvcrt.dll`: what of it runs on the host.
//!
//! What calls back into the program, such as `qsort`, is code of the system (`system/msvcrt.asm`).

pub(super) mod memory;
pub(super) mod number;
pub(super) mod output;
pub(super) mod scan;
pub(super) mod start;
pub(super) mod stream;
pub(super) mod string;
pub(super) mod time;

use crate::api::{Call, Stop};
use crate::layout::teb;
use crate::watch::Watch;

/// `EOF`, and what many functions return on failure.
const EOF: u32 = u32::MAX;

/// `errno` values.
mod errno {
    pub(super) const NOENT: u32 = 2;
    pub(super) const BADF: u32 = 9;
    pub(super) const NOMEM: u32 = 12;
    pub(super) const ACCES: u32 = 13;
    pub(super) const EXIST: u32 = 17;
    pub(super) const INVAL: u32 = 22;
    pub(super) const MFILE: u32 = 24;
    pub(super) const RANGE: u32 = 34;
}

impl<W: Watch> Call<'_, W> {
    /// Returns where `errno` of the thread that calls is.
    fn errno_place(&self) -> u32 {
        self.machine.threads.current().teb.wrapping_add(teb::ERRNO)
    }

    /// Sets `errno`.
    fn set_errno(&mut self, value: u32) -> Result<(), Stop> {
        self.put_u32(self.errno_place(), value)
    }

    /// Returns the address of a buffer that a function keeps between its calls.
    fn static_buffer(&mut self, name: &'static str, size_bytes: u32) -> u32 {
        if let Some(&known) = self.machine.services.buffers.get(name) {
            return known;
        }
        let buffer = self.allocate(size_bytes, pagefault_vmm::NewBytes::Zeroed);
        self.machine.services.buffers.insert(name, buffer);
        buffer
    }
}
