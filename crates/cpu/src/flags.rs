//! EFLAGS: the status flags kept lazily, the others as bits.

use crate::width::Width;

bitflags::bitflags! {
    /// The EFLAGS register (SDM Vol. 1, "EFLAGS Register").
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Eflags: u32 {
        /// CF: carry or borrow out of the most significant bit.
        const CARRY = 1 << 0;
        /// Bit 1, which always reads as one.
        const ALWAYS_ONE = 1 << 1;
        /// PF: the low byte of the result has an even number of ones.
        const PARITY = 1 << 2;
        /// AF: carry or borrow out of bit 3.
        const ADJUST = 1 << 4;
        /// ZF: the result is zero.
        const ZERO = 1 << 6;
        /// SF: the most significant bit of the result.
        const SIGN = 1 << 7;
        /// TF: trap after each instruction.
        const TRAP = 1 << 8;
        /// IF: maskable interrupts are allowed.
        const INTERRUPT = 1 << 9;
        /// DF: string instructions go downwards.
        const DIRECTION = 1 << 10;
        /// OF: the signed result does not fit.
        const OVERFLOW = 1 << 11;
        /// IOPL: the privilege level that may do I/O, two bits.
        const IO_PRIVILEGE = 3 << 12;
        /// NT: the task was entered from another one.
        const NESTED_TASK = 1 << 14;
        /// RF: instruction breakpoints are off for one instruction.
        const RESUME = 1 << 16;
        /// VM: virtual-8086 mode.
        const VIRTUAL_8086 = 1 << 17;
        /// AC: misaligned accesses at CPL 3 fault.
        const ALIGNMENT_CHECK = 1 << 18;
        /// VIF: the virtual interrupt flag.
        const VIRTUAL_INTERRUPT = 1 << 19;
        /// VIP: a virtual interrupt is pending.
        const VIRTUAL_INTERRUPT_PENDING = 1 << 20;
        /// ID: a program that can change it has CPUID.
        const ID = 1 << 21;
    }
}

impl Eflags {
    /// The six flags that arithmetic sets.
    pub const STATUS: Self = Self::CARRY
        .union(Self::PARITY)
        .union(Self::ADJUST)
        .union(Self::ZERO)
        .union(Self::SIGN)
        .union(Self::OVERFLOW);

    /// What a program at CPL 3 can change by POPF and IRET: not IF, IOPL, VM, nor the virtual
    /// interrupt flags.
    pub const USER: Self = Self::STATUS
        .union(Self::TRAP)
        .union(Self::DIRECTION)
        .union(Self::NESTED_TASK)
        .union(Self::ALIGNMENT_CHECK)
        .union(Self::ID);

    /// The flags that exist beside the status flags and are not constant.
    const SYSTEM: Self = Self::all()
        .difference(Self::STATUS)
        .difference(Self::ALWAYS_ONE)
        .difference(Self::RESUME);
}

/// Bit of the carry vector that is CF: the carry out of the operand.
const CARRY_OUT: u32 = 32;
/// Bit of the carry vector that holds the carry into the most significant bit.
const CARRY_IN: u32 = 31;
/// Bit of the carry vector that is AF: the carry into bit 4.
const CARRY_HALF: u32 = 4;

/// The flags of a running processor.
///
/// The status flags are not computed by an instruction but kept as what they follow from: the
/// result, and the vector of carries *into* each bit (`a ^ b ^ sum`, where bit `n` of the vector is
/// the carry into bit `n`). Narrow results are stored sign-extended, and the two upper carries of
/// narrow operands are moved up to where those of a 32-bit operand are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags {
    /// ZF is set when this is zero.
    zero: u32,
    /// SF is bit 31, PF the parity of bits 7:0. The result again, unless the flags were loaded:
    /// no single result is both zero and negative.
    sign: u32,
    /// CF is bit 32, OF bit 32 xor bit 31, AF bit 4.
    carry: u64,
    /// Everything else, except bit 1 and RF.
    system: Eflags,
}

impl Flags {
    /// Returns the flags with all status flags clear and interrupts on, as a program starts.
    pub(crate) const fn new() -> Self {
        Self {
            zero: 1,
            sign: 1,
            carry: 0,
            system: Eflags::INTERRUPT,
        }
    }

    /// Returns the register image.
    pub(crate) fn eflags(&self) -> Eflags {
        let mut flags = self.system | Eflags::ALWAYS_ONE;
        flags.set(Eflags::CARRY, self.cf());
        flags.set(Eflags::PARITY, self.pf());
        flags.set(Eflags::ADJUST, self.af());
        flags.set(Eflags::ZERO, self.zf());
        flags.set(Eflags::SIGN, self.sf());
        flags.set(Eflags::OVERFLOW, self.of());
        flags
    }

    /// Sets every flag that the register has; RF is not kept.
    pub(crate) fn set_eflags(&mut self, flags: Eflags) {
        self.system = flags & Eflags::SYSTEM;
        self.set_status(flags);
    }

    /// Sets the six status flags from an image and leaves the others.
    pub(crate) fn set_status(&mut self, flags: Eflags) {
        let [cf, zf, sf, pf, af, of] = [
            Eflags::CARRY,
            Eflags::ZERO,
            Eflags::SIGN,
            Eflags::PARITY,
            Eflags::ADJUST,
            Eflags::OVERFLOW,
        ]
        .map(|flag| flags.contains(flag));
        self.zero = u32::from(!zf);
        self.sign = u32::from(sf) << 31 | u32::from(!pf);
        self.carry = carry_vector(cf, of) | u64::from(af) << CARRY_HALF;
    }

    /// Returns the flags that are not status flags.
    pub(crate) const fn system(&self) -> Eflags {
        self.system
    }

    /// Sets or clears one flag that is not a status flag.
    pub(crate) fn set_system(&mut self, flag: Eflags, state: State) {
        self.system.set(flag & Eflags::SYSTEM, state == State::Set);
    }

    #[inline(always)]
    pub(crate) const fn cf(&self) -> bool {
        self.carry >> CARRY_OUT & 1 != 0
    }

    #[inline(always)]
    pub(crate) const fn zf(&self) -> bool {
        self.zero == 0
    }

    #[inline(always)]
    pub(crate) const fn sf(&self) -> bool {
        self.sign >> 31 != 0
    }

    #[inline(always)]
    pub(crate) const fn of(&self) -> bool {
        (self.carry >> CARRY_OUT ^ self.carry >> CARRY_IN) & 1 != 0
    }

    #[inline(always)]
    pub(crate) const fn af(&self) -> bool {
        self.carry >> CARRY_HALF & 1 != 0
    }

    #[inline(always)]
    pub(crate) const fn pf(&self) -> bool {
        (self.sign & 0xFF).count_ones().is_multiple_of(2)
    }

    /// DF as the step of a string instruction on elements of `size_bytes`.
    #[inline(always)]
    pub(crate) const fn is_downwards(&self) -> bool {
        self.system.contains(Eflags::DIRECTION)
    }

    /// Sets all status flags after an addition or subtraction with this result and these carries.
    #[inline(always)]
    pub(crate) fn set_arithmetic<T: Width>(&mut self, result: T, carries: u64) {
        self.zero = result.sign_extend();
        self.sign = self.zero;
        self.carry = align_carries::<T>(carries);
    }

    /// Sets all status flags after INC or DEC, which keep CF.
    #[inline(always)]
    pub(crate) fn set_arithmetic_keep_carry<T: Width>(&mut self, result: T, carries: u64) {
        let cf = self.carry & 1 << CARRY_OUT;
        self.set_arithmetic(result, carries);
        // OF is the difference of the two upper carries: exchange CF and keep the difference.
        let differs = (self.carry ^ cf) & 1 << CARRY_OUT;
        self.carry ^= differs | differs >> 1;
    }

    /// Sets the status flags after a bitwise operation: CF, OF and AF are clear.
    #[inline(always)]
    pub(crate) fn set_logic<T: Width>(&mut self, result: T) {
        self.zero = result.sign_extend();
        self.sign = self.zero;
        self.carry = 0;
    }

    /// Sets SF, ZF and PF from a result, CF and OF as given, and clears AF.
    #[inline(always)]
    pub(crate) fn set_result<T: Width>(&mut self, result: T, cf: bool, of: bool) {
        self.zero = result.sign_extend();
        self.sign = self.zero;
        self.carry = carry_vector(cf, of);
    }

    /// Sets CF and OF and leaves the others.
    #[inline(always)]
    pub(crate) fn set_cf_of(&mut self, cf: bool, of: bool) {
        self.carry = self.carry & 1 << CARRY_HALF | carry_vector(cf, of);
    }

    /// Sets CF and leaves the others.
    pub(crate) fn set_cf(&mut self, cf: bool) {
        self.set_cf_of(cf, self.of());
    }

    /// Sets AF and leaves the others.
    pub(crate) fn set_af(&mut self, af: bool) {
        self.carry = self.carry & !(1 << CARRY_HALF) | u64::from(af) << CARRY_HALF;
    }

    /// Sets ZF and leaves the others.
    pub(crate) fn set_zf(&mut self, zf: bool) {
        self.zero = u32::from(!zf);
    }

    /// Tells whether condition `code` of Jcc, `SETcc` and `CMOVcc` holds (SDM Vol. 1, "EFLAGS
    /// Condition Codes").
    #[inline(always)]
    pub(crate) const fn holds(&self, code: Condition) -> bool {
        match code {
            Condition::O => self.of(),
            Condition::No => !self.of(),
            Condition::B => self.cf(),
            Condition::Ae => !self.cf(),
            Condition::E => self.zf(),
            Condition::Ne => !self.zf(),
            Condition::Be => self.cf() || self.zf(),
            Condition::A => !(self.cf() || self.zf()),
            Condition::S => self.sf(),
            Condition::Ns => !self.sf(),
            Condition::P => self.pf(),
            Condition::Np => !self.pf(),
            Condition::L => self.sf() != self.of(),
            Condition::Ge => self.sf() == self.of(),
            Condition::Le => self.zf() || self.sf() != self.of(),
            Condition::G => !self.zf() && self.sf() == self.of(),
        }
    }
}

/// Whether a flag is to be set or cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Set,
    Clear,
}

/// The condition of a Jcc, `SETcc` or `CMOVcc`, in the order of its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Condition {
    O,
    No,
    B,
    Ae,
    E,
    Ne,
    Be,
    A,
    S,
    Ns,
    P,
    Np,
    L,
    Ge,
    Le,
    G,
}

impl Condition {
    /// All sixteen, in the order of their encoding.
    const ALL: [Self; 16] = [
        Self::O,
        Self::No,
        Self::B,
        Self::Ae,
        Self::E,
        Self::Ne,
        Self::Be,
        Self::A,
        Self::S,
        Self::Ns,
        Self::P,
        Self::Np,
        Self::L,
        Self::Ge,
        Self::Le,
        Self::G,
    ];

    /// Returns the condition that `CODE` encodes.
    #[inline(always)]
    pub(crate) const fn of<const CODE: u8>() -> Self {
        Self::ALL[CODE as usize]
    }
}

#[inline(always)]
const fn carry_vector(cf: bool, of: bool) -> u64 {
    (cf as u64) << CARRY_OUT | ((cf != of) as u64) << CARRY_IN
}

/// Moves the carries out of and into the sign bit to where they are for 32 bits.
#[inline(always)]
fn align_carries<T: Width>(carries: u64) -> u64 {
    if T::BITS == u32::BITS {
        return carries;
    }
    let upper = carries << (u32::BITS - T::BITS) & (3 << CARRY_IN);
    upper | carries & 1 << CARRY_HALF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_status_flags_survives_a_round_trip() {
        for bits in 0..1_u32 << 12 {
            let image = Eflags::from_bits_truncate(bits) & Eflags::STATUS;
            let mut flags = Flags::new();

            flags.set_eflags(image);

            assert_eq!(flags.eflags() & Eflags::STATUS, image, "{bits:#x}");
        }
    }

    #[test]
    fn keeping_the_carry_keeps_the_overflow_of_the_operation() {
        for (value, cf, of) in [
            (0x7F_u8, false, true),
            (0x7F, true, true),
            (0xFF, true, false),
        ] {
            let mut flags = Flags::new();
            flags.set_cf(cf);
            let sum = u64::from(value) + 1;

            flags.set_arithmetic_keep_carry(value.wrapping_add(1), u64::from(value) ^ 1 ^ sum);

            assert_eq!((flags.cf(), flags.of()), (cf, of), "{value:#x} {cf}");
        }
    }
}
