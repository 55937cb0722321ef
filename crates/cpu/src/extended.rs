//! The state of x87, MMX and SSE as FXSAVE lays it out (SDM Vol. 2, "FXSAVE").

use thiserror::Error;

use crate::fpu::{Fpu, Pointers, from_bytes, to_bytes, word_at};
use crate::registers::{Reg, Registers};

/// MXCSR with a bit that the processor does not have; nothing was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("MXCSR {mxcsr:#010x} has bits that the processor does not have")]
pub struct ReservedMxcsrBit {
    /// The value.
    pub mxcsr: u32,
}

/// Where the parts are.
const CONTROL: usize = 0;
const STATUS: usize = 2;
const TAGS: usize = 4;
const OPCODE: usize = 6;
const INSTRUCTION: usize = 8;
const INSTRUCTION_SELECTOR: usize = 12;
const DATA: usize = 16;
const DATA_SELECTOR: usize = 20;
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
const ST: usize = 32;
const XMM: usize = 160;
/// Bytes of a register of either file.
const REGISTER: usize = 16;

impl Registers {
    /// Size of the image that FXSAVE stores.
    pub const EXTENDED_BYTES: usize = 512;
    /// Size of its part that is used; the rest is reserved, or for software.
    pub(crate) const EXTENDED_USED_BYTES: usize = XMM + 8 * REGISTER;
    /// The bits that MXCSR has.
    pub const MXCSR_BITS: u32 = 0xFFFF;

    /// Returns the state of x87, MMX and SSE as FXSAVE stores it, with zeros where nothing is.
    pub fn extended_image(&self) -> [u8; Self::EXTENDED_BYTES] {
        let mut image = [0; Self::EXTENDED_BYTES];
        let at = self.fpu.pointers();
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(CONTROL, &self.fpu.control().to_le_bytes());
        put(STATUS, &self.fpu.status().to_le_bytes());
        put(TAGS, &[self.fpu.used()]);
        put(OPCODE, &at.opcode.to_le_bytes());
        put(INSTRUCTION, &at.instruction.to_le_bytes());
        put(INSTRUCTION_SELECTOR, &at.instruction_selector.to_le_bytes());
        put(DATA, &at.data.to_le_bytes());
        put(DATA_SELECTOR, &at.data_selector.to_le_bytes());
        put(MXCSR, &self.mxcsr.to_le_bytes());
        put(MXCSR_MASK, &Self::MXCSR_BITS.to_le_bytes());
        for (place, reg) in (0..).zip(Reg::ALL) {
            let offset = usize::from(reg.number()) * REGISTER;
            put(ST + offset, &to_bytes(self.fpu.st(place)));
            put(XMM + offset, &self.xmm(reg).to_le_bytes());
        }
        image
    }

    /// Loads the state from such an image, as FXRSTOR does.
    ///
    /// # Errors
    ///
    /// [`ReservedMxcsrBit`], and nothing is loaded.
    pub fn load_extended_image(
        &mut self,
        image: &[u8; Self::EXTENDED_BYTES],
    ) -> Result<(), ReservedMxcsrBit> {
        let word = |at| word_at(image, at);
        let double = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
        let mxcsr = double(MXCSR);
        if mxcsr & !Self::MXCSR_BITS != 0 {
            return Err(ReservedMxcsrBit { mxcsr });
        }
        self.mxcsr = mxcsr;
        let fpu: &mut Fpu = &mut self.fpu;
        fpu.set_status(word(STATUS));
        fpu.set_control(word(CONTROL));
        fpu.set_pointers(Pointers {
            instruction: double(INSTRUCTION),
            instruction_selector: word(INSTRUCTION_SELECTOR),
            opcode: word(OPCODE),
            data: double(DATA),
            data_selector: word(DATA_SELECTOR),
        });
        for (place, reg) in (0..).zip(Reg::ALL) {
            let offset = usize::from(reg.number()) * REGISTER;
            fpu.set_st(place, from_bytes(&image[ST + offset..]));
            let xmm = image[XMM + offset..].first_chunk().copied();
            self.xmm[usize::from(reg.number())] = xmm.map_or(0, u128::from_le_bytes);
        }
        fpu.set_used(image[TAGS]);
        Ok(())
    }
}
