//! The state of the unit as FNSAVE, FNSTENV and FXSAVE lay it out in memory.
//!
//! SDM Vol. 1, "Saving the x87 FPU State with FSTENV/FNSTENV and FSAVE/FNSAVE"; Vol. 2, "FXSAVE".

use super::{F80, Fpu};

/// The upper half of the words of control, status and tags.
const RESERVED_WORD: u32 = 0xFFFF_0000;
/// Where the registers begin behind an environment, and how far apart they are.
const REGISTER_BYTES: usize = 10;
/// Bits of the last opcode.
const OPCODE: u16 = 0x7FF;

// Quirk: x87-pointers
/// Where the last instruction was that is not one of control, and where its operand.
///
/// Current processors keep the operand and the opcode only of an instruction that raised an
/// unmasked exception, and no selectors (SDM Vol. 1, "x87 FPU Instruction and Data (Operand)
/// Pointers"). Here both stay what was last loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pointers {
    pub(crate) instruction: u32,
    pub(crate) instruction_selector: u16,
    pub(crate) opcode: u16,
    pub(crate) data: u32,
    pub(crate) data_selector: u16,
}

impl Fpu {
    /// Size of the environment: with 32-bit operands, and with 16-bit ones.
    pub(crate) const ENVIRONMENT_32: usize = 28;
    pub(crate) const ENVIRONMENT_16: usize = 14;
    /// Size of the eight registers behind it.
    pub(crate) const REGISTERS_BYTES: usize = 8 * REGISTER_BYTES;
    /// Size of the image that FNSAVE stores with 32-bit operands.
    pub const IMAGE_BYTES: usize = Self::ENVIRONMENT_32 + Self::REGISTERS_BYTES;

    /// Returns the state as FNSAVE stores it with 32-bit operands; nothing changes.
    pub fn image(&self) -> [u8; Self::IMAGE_BYTES] {
        let mut image = [0; Self::IMAGE_BYTES];
        image[..Self::ENVIRONMENT_32].copy_from_slice(&self.environment_32());
        image[Self::ENVIRONMENT_32..].copy_from_slice(&self.register_bytes());
        image
    }

    /// Loads the state from an image with 32-bit operands, as FRSTOR does.
    pub fn load_image(&mut self, image: &[u8; Self::IMAGE_BYTES]) {
        let (environment, registers) = image.split_at(Self::ENVIRONMENT_32);
        self.load_environment_32(environment);
        self.load_register_bytes(registers);
    }

    pub(crate) fn environment_32(&self) -> [u8; Self::ENVIRONMENT_32] {
        let at = self.pointers;
        let opcode = u32::from(at.opcode & OPCODE) << 16;
        let words = [
            RESERVED_WORD | u32::from(self.control()),
            RESERVED_WORD | u32::from(self.status()),
            RESERVED_WORD | u32::from(self.tags()),
            at.instruction,
            u32::from(at.instruction_selector) | opcode,
            at.data,
            RESERVED_WORD | u32::from(at.data_selector),
        ];
        let mut bytes = [0; Self::ENVIRONMENT_32];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn environment_16(&self) -> [u8; Self::ENVIRONMENT_16] {
        let at = self.pointers;
        let words = [
            self.control(),
            self.status(),
            self.tags(),
            low_half(at.instruction),
            at.instruction_selector,
            low_half(at.data),
            at.data_selector,
        ];
        let mut bytes = [0; Self::ENVIRONMENT_16];
        for (chunk, word) in bytes.chunks_exact_mut(2).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn load_environment_32(&mut self, bytes: &[u8]) {
        let word = |index: usize| word_at(bytes, 4 * index);
        let double =
            |index: usize| u32::from(word(index)) | u32::from(word_at(bytes, 4 * index + 2)) << 16;
        self.pointers = Pointers {
            instruction: double(3),
            instruction_selector: word(4),
            opcode: word_at(bytes, 4 * 4 + 2) & OPCODE,
            data: double(5),
            data_selector: word(6),
        };
        self.load_words(word(0), word(1), word(2));
    }

    pub(crate) fn load_environment_16(&mut self, bytes: &[u8]) {
        let word = |index: usize| word_at(bytes, 2 * index);
        self.pointers = Pointers {
            instruction: u32::from(word(3)),
            instruction_selector: word(4),
            opcode: 0,
            data: u32::from(word(5)),
            data_selector: word(6),
        };
        self.load_words(word(0), word(1), word(2));
    }

    /// Of the tags only matters which registers are empty: the other classes follow from what the
    /// registers hold.
    fn load_words(&mut self, control: u16, status: u16, tags: u16) {
        const EMPTY: u16 = 3;
        self.set_status(status);
        self.set_control(control);
        let used = (0..8).filter(|number| tags >> (2 * number) & EMPTY != EMPTY);
        self.set_used(used.fold(0, |used, number| used | 1 << number));
    }

    /// Returns the registers, ST(0) first.
    pub(crate) fn register_bytes(&self) -> [u8; Self::REGISTERS_BYTES] {
        let mut bytes = [0; Self::REGISTERS_BYTES];
        for (place, chunk) in (0..).zip(bytes.chunks_exact_mut(REGISTER_BYTES)) {
            chunk.copy_from_slice(&to_bytes(self.st(place)));
        }
        bytes
    }

    /// Loads the registers, ST(0) first; which of them are empty stays.
    pub(crate) fn load_register_bytes(&mut self, bytes: &[u8]) {
        let used = self.used();
        for (place, chunk) in (0..8).zip(bytes.chunks_exact(REGISTER_BYTES)) {
            self.set_st(place, from_bytes(chunk));
        }
        self.set_used(used);
    }
}

/// Returns the ten bytes of a number.
pub(crate) fn to_bytes(value: F80) -> [u8; REGISTER_BYTES] {
    let mut bytes = [0; REGISTER_BYTES];
    bytes[..8].copy_from_slice(&value.mantissa.to_le_bytes());
    bytes[8..].copy_from_slice(&value.sign_exponent.to_le_bytes());
    bytes
}

/// Returns the number in the first ten bytes.
pub(crate) fn from_bytes(bytes: &[u8]) -> F80 {
    let mantissa = bytes.first_chunk().copied().map_or(0, u64::from_le_bytes);
    F80 {
        mantissa,
        sign_exponent: word_at(bytes, 8),
    }
}

pub(crate) fn word_at(bytes: &[u8], at: usize) -> u16 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.copied().map_or(0, u16::from_le_bytes)
}

const fn low_half(value: u32) -> u16 {
    let [a, b, _, _] = value.to_le_bytes();
    u16::from_le_bytes([a, b])
}
