//! Operand widths: how 8-, 16- and 32-bit values sit in the general registers.

use pagefault_mmu::Word;

use crate::registers::{Gprs, Reg};

/// An integer operand of an instruction: `u8`, `u16` or `u32`.
pub(crate) trait Width: Word {
    /// Number of bits.
    const BITS: u32;
    /// The most significant bit.
    const SIGN: u32 = 1 << (Self::BITS - 1);
    /// All bits of the width.
    const MASK: u32 = u32::MAX >> (32 - Self::BITS);

    /// Returns the low bits of `value`.
    fn truncate(value: u32) -> Self;

    /// Returns the value with zeros above it.
    fn zero_extend(self) -> u32;

    /// Returns the value with copies of its sign above it.
    fn sign_extend(self) -> u32;

    /// Returns register `reg` of this width; 8-bit registers 4 to 7 are AH, CH, DH and BH.
    fn get(gprs: &Gprs, reg: Reg) -> Self;

    /// Sets register `reg` of this width and leaves the bits around it.
    fn set(gprs: &mut Gprs, reg: Reg, value: Self);

    /// Tells whether the most significant bit is set.
    fn is_negative(self) -> bool {
        self.zero_extend() & Self::SIGN != 0
    }
}

impl Width for u8 {
    const BITS: u32 = 8;

    #[inline(always)]
    fn truncate(value: u32) -> Self {
        value.to_le_bytes()[0]
    }

    #[inline(always)]
    fn zero_extend(self) -> u32 {
        u32::from(self)
    }

    #[inline(always)]
    fn sign_extend(self) -> u32 {
        i32::from(self.cast_signed()).cast_unsigned()
    }

    #[inline(always)]
    fn get(gprs: &Gprs, reg: Reg) -> Self {
        let (word, shift) = byte_register(reg);
        Self::truncate(gprs.get(word) >> shift)
    }

    #[inline(always)]
    fn set(gprs: &mut Gprs, reg: Reg, value: Self) {
        let (word, shift) = byte_register(reg);
        let kept = gprs.get(word) & !(0xFF << shift);
        gprs.set(word, kept | u32::from(value) << shift);
    }
}

impl Width for u16 {
    const BITS: u32 = 16;

    #[inline(always)]
    fn truncate(value: u32) -> Self {
        let [low, high, ..] = value.to_le_bytes();
        Self::from_le_bytes([low, high])
    }

    #[inline(always)]
    fn zero_extend(self) -> u32 {
        u32::from(self)
    }

    #[inline(always)]
    fn sign_extend(self) -> u32 {
        i32::from(self.cast_signed()).cast_unsigned()
    }

    #[inline(always)]
    fn get(gprs: &Gprs, reg: Reg) -> Self {
        Self::truncate(gprs.get(reg))
    }

    #[inline(always)]
    fn set(gprs: &mut Gprs, reg: Reg, value: Self) {
        gprs.set(reg, gprs.get(reg) & 0xFFFF_0000 | u32::from(value));
    }
}

impl Width for u32 {
    const BITS: u32 = 32;

    #[inline(always)]
    fn truncate(value: u32) -> Self {
        value
    }

    #[inline(always)]
    fn zero_extend(self) -> u32 {
        self
    }

    #[inline(always)]
    fn sign_extend(self) -> u32 {
        self
    }

    #[inline(always)]
    fn get(gprs: &Gprs, reg: Reg) -> Self {
        gprs.get(reg)
    }

    #[inline(always)]
    fn set(gprs: &mut Gprs, reg: Reg, value: Self) {
        gprs.set(reg, value);
    }
}

/// Returns the 32-bit register that holds an 8-bit one, and how far up it lies.
#[inline(always)]
fn byte_register(reg: Reg) -> (Reg, u32) {
    let number = reg.number();
    (Reg::from_low_bits(number & 3), u32::from(number & 4) * 2)
}
