//! The x87 floating-point unit's registers, which the MMX registers alias.

/// An 80-bit extended-precision number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct F80 {
    /// The significand, with its integer bit.
    pub mantissa: u64,
    /// Sign in bit 15, biased exponent below.
    pub sign_exponent: u16,
}

/// The floating-point unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fpu {
    /// The eight registers, by number and not by place on the stack.
    pub(crate) registers: [F80; 8],
    /// The register that is ST(0).
    pub(crate) top: u8,
    /// One bit for each register that holds a value.
    pub(crate) used: u8,
    pub(crate) control: u16,
    /// The status word, without the top of the stack.
    pub(crate) status: u16,
}

impl Fpu {
    /// The control word after FNINIT: all exceptions masked, 64-bit precision, to nearest.
    pub const CONTROL_RESET: u16 = 0x37F;

    pub(crate) fn new() -> Self {
        Self {
            registers: [F80::default(); 8],
            top: 0,
            used: 0,
            control: Self::CONTROL_RESET,
            status: 0,
        }
    }
}
