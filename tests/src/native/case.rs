//! What a run begins with: registers, code, data.

use pagefault_cpu::{Eflags, Reg, Registers};

use super::layout::{DATA_BLOCK, REQUEST_BYTES, WINDOW_BYTES};

/// What a run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// The state of x87, MMX and SSE, as FXSAVE stores it.
    pub(super) extended: [u8; Registers::EXTENDED_BYTES],
    /// The general registers, in the order of the encoding.
    pub(super) registers: [u32; Reg::ALL.len()],
    /// EFLAGS.
    pub(super) flags: u32,
    /// EIP.
    pub(super) eip: u32,
    /// Where the code is; a multiple of 4, and all of it inside of the code pages.
    pub(super) code_at: u32,
    /// The code.
    pub(super) code: [u8; WINDOW_BYTES],
    /// What is at `DATA_BLOCK`.
    pub(super) data: [u8; WINDOW_BYTES],
}

impl Case {
    /// Returns the case as it goes to the native side.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REQUEST_BYTES);
        bytes.extend_from_slice(&self.extended);
        let words = self.registers.iter();
        let words = words.chain([&self.flags, &self.eip, &self.code_at]);
        bytes.extend(words.flat_map(|word| word.to_le_bytes()));
        bytes.extend_from_slice(&self.code);
        bytes.extend_from_slice(&self.data);
        bytes
    }

    /// Sets what the case says of the registers.
    pub(super) fn set(&self, registers: &mut Registers) {
        for (reg, value) in Reg::ALL.into_iter().zip(self.registers) {
            registers.set_gpr(reg, value);
        }
        registers.set_eflags(Eflags::from_bits_truncate(self.flags));
        registers.set_eip(self.eip);
        let loaded = registers.load_extended_image(&self.extended);
        loaded.expect("MXCSR has only bits that there are");
    }

    /// Sets, in the bytes of the page at `start`, what the case sets there.
    pub(super) fn apply_to(&self, start: u32, page: &mut [u8]) {
        for (at, bytes) in [(self.code_at, &self.code), (DATA_BLOCK, &self.data)] {
            for (index, byte) in (0_u32..).zip(bytes) {
                let offset = at.wrapping_add(index).wrapping_sub(start);
                if let Some(target) = page.get_mut(offset as usize) {
                    *target = *byte;
                }
            }
        }
    }

    /// Puts a byte of code at an address; returns whether it is in the code.
    #[must_use]
    pub(super) fn put(&mut self, addr: u32, byte: u8) -> bool {
        let offset = addr.wrapping_sub(self.code_at);
        let place = self.code.get_mut(offset as usize);
        place.map(|place| *place = byte).is_some()
    }
}
