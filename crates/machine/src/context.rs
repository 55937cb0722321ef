//! `CONTEXT`: the registers of a thread as programs see them in memory.

use bitflags::bitflags;
use pagefault_cpu::{
    DescriptorTable, Eflags, F80, Fpu, Reg, Registers, Segment, SegmentRegister, Selector,
};

/// The size of a `CONTEXT` in bytes.
pub(crate) const CONTEXT_BYTES: usize = 0x2CC;

bitflags! {
    /// `ContextFlags`: which parts of a context count.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Parts: u32 {
        /// `CONTEXT_i386`, which each of the others contains.
        const I386 = 0x1_0000;
        /// EBP, EIP, CS, EFLAGS, ESP, SS.
        const CONTROL = 0x01;
        /// EDI, ESI, EBX, EDX, ECX, EAX.
        const INTEGER = 0x02;
        /// DS, ES, FS, GS.
        const SEGMENTS = 0x04;
        /// The x87 state, in the form of FNSAVE.
        const FLOATING_POINT = 0x08;
        /// The debug registers.
        const DEBUG_REGISTERS = 0x10;
        /// The x87 and SSE state, in the form of FXSAVE.
        const EXTENDED_REGISTERS = 0x20;
    }
}

impl Parts {
    /// `CONTEXT_ALL`: what an exception's context has.
    pub(crate) const ALL: Self = Self::all();

    /// Returns the parts that `ContextFlags` asks for: none unless it is a context of this
    /// processor.
    pub(crate) fn of(flags: u32) -> Self {
        let parts = Self::from_bits_truncate(flags);
        if parts.contains(Self::I386) {
            parts
        } else {
            Self::empty()
        }
    }
}

/// Offsets of the fields.
mod offset {
    pub(super) const FLAGS: usize = 0x00;
    pub(super) const DEBUG: usize = 0x04;
    pub(super) const FLOAT_SAVE: usize = 0x1C;
    pub(super) const GS: usize = 0x8C;
    pub(super) const FS: usize = 0x90;
    pub(super) const ES: usize = 0x94;
    pub(super) const DS: usize = 0x98;
    pub(super) const EDI: usize = 0x9C;
    pub(super) const ESI: usize = 0xA0;
    pub(super) const EBX: usize = 0xA4;
    pub(super) const EDX: usize = 0xA8;
    pub(super) const ECX: usize = 0xAC;
    pub(super) const EAX: usize = 0xB0;
    pub(super) const EBP: usize = 0xB4;
    pub(super) const EIP: usize = 0xB8;
    pub(super) const CS: usize = 0xBC;
    pub(super) const EFLAGS: usize = 0xC0;
    pub(super) const ESP: usize = 0xC4;
    pub(super) const SS: usize = 0xC8;
    pub(super) const EXTENDED: usize = 0xCC;
}

/// The general registers of the integer part.
const INTEGER: [(usize, Reg); 6] = [
    (offset::EDI, Reg::Edi),
    (offset::ESI, Reg::Esi),
    (offset::EBX, Reg::Ebx),
    (offset::EDX, Reg::Edx),
    (offset::ECX, Reg::Ecx),
    (offset::EAX, Reg::Eax),
];

/// The data segments.
const SEGMENTS: [(usize, SegmentRegister); 4] = [
    (offset::GS, SegmentRegister::Gs),
    (offset::FS, SegmentRegister::Fs),
    (offset::ES, SegmentRegister::Es),
    (offset::DS, SegmentRegister::Ds),
];

/// Within FNSAVE's form: the tag word, and the first register. Each word takes four bytes.
const SAVE_STATUS: usize = 4;
const SAVE_TAGS: usize = 8;
const SAVE_REGISTERS: usize = 28;
/// The upper half of FNSAVE's 16-bit fields reads as ones.
const SAVE_UPPER: u32 = 0xFFFF_0000;
/// The size of an x87 register in FNSAVE's form, in bytes.
const F80_BYTES: usize = 10;

/// Within FXSAVE's form.
const FX_STATUS: usize = 2;
const FX_USED: usize = 4;
const FX_MXCSR: usize = 24;
const FX_MXCSR_MASK: usize = 28;
const FX_REGISTERS: usize = 32;
const FX_XMM: usize = 160;
/// The distance of two registers in FXSAVE's form, in bytes.
const FX_STEP: usize = 16;

/// A `CONTEXT` as it stands in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context(Box<[u8; CONTEXT_BYTES]>);

impl Context {
    /// Returns a context of zeros, which sets nothing.
    pub(crate) fn empty() -> Self {
        Self(Box::new([0; CONTEXT_BYTES]))
    }

    /// Returns the registers as a context with all parts.
    pub(crate) fn of(registers: &Registers) -> Self {
        let mut context = Self::empty();
        context.set(offset::FLAGS, Parts::ALL.bits());
        context.save(registers, Parts::ALL);
        context
    }

    /// Returns the bytes.
    pub(crate) fn bytes(&self) -> &[u8; CONTEXT_BYTES] {
        &self.0
    }

    /// Returns the bytes, to fill them from memory.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; CONTEXT_BYTES] {
        &mut self.0
    }

    /// Returns the parts that its flags name.
    pub(crate) fn parts(&self) -> Parts {
        Parts::of(self.word(offset::FLAGS))
    }

    /// Sets EIP.
    pub(crate) fn set_eip(&mut self, eip: u32) {
        self.set(offset::EIP, eip);
    }

    /// Returns ESP.
    pub(crate) fn esp(&self) -> u32 {
        self.word(offset::ESP)
    }

    /// Clears TF.
    pub(crate) fn clear_trap(&mut self) {
        let flags = self.word(offset::EFLAGS) & !Eflags::TRAP.bits();
        self.set(offset::EFLAGS, flags);
    }

    /// Stores the parts of a thread's registers.
    pub(crate) fn save(&mut self, registers: &Registers, parts: Parts) {
        if parts.contains(Parts::CONTROL) {
            self.set(offset::EBP, registers.gpr(Reg::Ebp));
            self.set(offset::EIP, registers.eip());
            self.set(offset::ESP, registers.gpr(Reg::Esp));
            self.set(offset::EFLAGS, registers.eflags().bits());
            self.set(offset::CS, selector(registers, SegmentRegister::Cs));
            self.set(offset::SS, selector(registers, SegmentRegister::Ss));
        }
        if parts.contains(Parts::INTEGER) {
            for (at, reg) in INTEGER {
                self.set(at, registers.gpr(reg));
            }
        }
        if parts.contains(Parts::SEGMENTS) {
            for (at, register) in SEGMENTS {
                self.set(at, selector(registers, register));
            }
        }
        if parts.contains(Parts::FLOATING_POINT) {
            self.save_float(registers.fpu());
        }
        if parts.contains(Parts::EXTENDED_REGISTERS) {
            self.save_extended(registers);
        }
        if parts.contains(Parts::DEBUG_REGISTERS) {
            // Quirk: debug-registers.
            self.0[offset::DEBUG..offset::FLOAT_SAVE].fill(0);
        }
    }

    /// Returns whether it loads a segment register with another selector.
    pub(crate) fn changes_segments(&self, registers: &Registers) -> bool {
        self.parts().contains(Parts::SEGMENTS)
            && SEGMENTS
                .iter()
                .any(|&(at, register)| low(self.word(at)) != low(selector(registers, register)))
    }

    /// Loads the parts that the context names into a thread's registers. What a program may not
    /// set stays, and a selector that refers to nothing loads as an empty one.
    pub(crate) fn load(&self, registers: &mut Registers, descriptors: &DescriptorTable) {
        let parts = self.parts();
        if parts.contains(Parts::CONTROL) {
            registers.set_gpr(Reg::Ebp, self.word(offset::EBP));
            registers.set_gpr(Reg::Esp, self.word(offset::ESP));
            registers.set_eip(self.word(offset::EIP));
            let wanted = Eflags::from_bits_truncate(self.word(offset::EFLAGS)) & Eflags::USER;
            registers.set_eflags((registers.eflags() - Eflags::USER) | wanted);
        }
        if parts.contains(Parts::INTEGER) {
            for (at, reg) in INTEGER {
                registers.set_gpr(reg, self.word(at));
            }
        }
        if parts.contains(Parts::SEGMENTS) {
            for (at, register) in SEGMENTS {
                let selector = Selector::new(low(self.word(at)));
                if selector != registers.segment(register).selector() {
                    let loaded = descriptors.load(register, selector);
                    let empty = Segment::null(Selector::new(0));
                    registers.set_segment(register, loaded.unwrap_or(empty));
                }
            }
        }
        if parts.contains(Parts::EXTENDED_REGISTERS) {
            self.load_extended(registers);
        }
        if parts.contains(Parts::FLOATING_POINT) {
            self.load_float(registers.fpu_mut());
        }
    }

    fn save_float(&mut self, fpu: &Fpu) {
        let at = offset::FLOAT_SAVE;
        self.set(at, u32::from(fpu.control()) | SAVE_UPPER);
        self.set(at + SAVE_STATUS, u32::from(fpu.status()) | SAVE_UPPER);
        self.set(at + SAVE_TAGS, u32::from(fpu.tags()) | SAVE_UPPER);
        for (place, step) in (0..8).zip(0_usize..) {
            let start = at + SAVE_REGISTERS + step * F80_BYTES;
            self.0[start..start + F80_BYTES].copy_from_slice(&f80_bytes(fpu.st(place)));
        }
    }

    fn load_float(&self, fpu: &mut Fpu) {
        let at = offset::FLOAT_SAVE;
        let tags = low(self.word(at + SAVE_TAGS));
        fpu.set_control(low(self.word(at)));
        // The status has the top of the stack, by which the registers are numbered.
        fpu.set_status(low(self.word(at + SAVE_STATUS)));
        for (place, step) in (0..8).zip(0_usize..) {
            let start = at + SAVE_REGISTERS + step * F80_BYTES;
            fpu.set_st(place, f80(&self.0[start..start + F80_BYTES]));
        }
        let used = (0..8).filter(|number| tags >> (2 * number) & EMPTY_TAG != EMPTY_TAG);
        fpu.set_used(used.fold(0, |used, number| used | 1 << number));
    }

    fn save_extended(&mut self, registers: &Registers) {
        let at = offset::EXTENDED;
        let fpu = registers.fpu();
        self.0[at..at + FX_STATUS].copy_from_slice(&fpu.control().to_le_bytes());
        self.0[at + FX_STATUS..at + FX_USED].copy_from_slice(&fpu.status().to_le_bytes());
        self.0[at + FX_USED] = fpu.used();
        self.set(at + FX_MXCSR, registers.mxcsr());
        self.set(at + FX_MXCSR_MASK, Registers::MXCSR_BITS);
        for (place, step) in (0..8).zip(0_usize..) {
            let start = at + FX_REGISTERS + step * FX_STEP;
            self.0[start..start + F80_BYTES].copy_from_slice(&f80_bytes(fpu.st(place)));
        }
        for (step, reg) in Reg::ALL.into_iter().enumerate() {
            let start = at + FX_XMM + step * FX_STEP;
            self.0[start..start + FX_STEP].copy_from_slice(&registers.xmm(reg).to_le_bytes());
        }
    }

    fn load_extended(&self, registers: &mut Registers) {
        let at = offset::EXTENDED;
        registers.set_mxcsr(self.word(at + FX_MXCSR) & Registers::MXCSR_BITS);
        let fpu = registers.fpu_mut();
        fpu.set_control(low(self.word(at)));
        fpu.set_status(low(self.word(at + FX_STATUS)));
        for (place, step) in (0..8).zip(0_usize..) {
            let start = at + FX_REGISTERS + step * FX_STEP;
            fpu.set_st(place, f80(&self.0[start..start + F80_BYTES]));
        }
        fpu.set_used(self.0[at + FX_USED]);
        for (step, reg) in Reg::ALL.into_iter().enumerate() {
            let start = at + FX_XMM + step * FX_STEP;
            let mut bytes = [0; FX_STEP];
            bytes.copy_from_slice(&self.0[start..start + FX_STEP]);
            registers.set_xmm(reg, u128::from_le_bytes(bytes));
        }
    }

    fn word(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_le_bytes(bytes)
    }

    fn set(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

/// The tag of an empty x87 register.
const EMPTY_TAG: u16 = 3;

fn selector(registers: &Registers, register: SegmentRegister) -> u32 {
    u32::from(registers.segment(register).selector().bits())
}

fn low(word: u32) -> u16 {
    let [first, second, ..] = word.to_le_bytes();
    u16::from_le_bytes([first, second])
}

fn f80_bytes(value: F80) -> [u8; F80_BYTES] {
    let mut bytes = [0; F80_BYTES];
    let (mantissa, rest) = bytes.split_at_mut(8);
    mantissa.copy_from_slice(&value.mantissa.to_le_bytes());
    rest.copy_from_slice(&value.sign_exponent.to_le_bytes());
    bytes
}

fn f80(bytes: &[u8]) -> F80 {
    let mut padded = [0; 16];
    padded[..F80_BYTES].copy_from_slice(&bytes[..F80_BYTES]);
    let bits = u128::from_le_bytes(padded);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mantissa is the low 64 bits, the rest fits 16"
    )]
    F80 {
        mantissa: bits as u64,
        sign_exponent: (bits >> 64) as u16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_brings_back_every_register_that_it_has_saved() {
        let mut registers = Registers::new();
        for (value, reg) in (0x1000_u32..).zip(Reg::ALL) {
            registers.set_gpr(reg, value);
            registers.set_xmm(reg, u128::from(value) << 64 | 7);
        }
        registers.set_eip(0x0040_1000);
        registers.set_eflags(Eflags::CARRY | Eflags::DIRECTION | Eflags::INTERRUPT);
        registers.set_mxcsr(0x1F00);
        registers.fpu_mut().set_status(5 << 11);
        registers.fpu_mut().set_control(0x27F);
        let pi = F80 {
            mantissa: 0xC90F_DAA2_2168_C235,
            sign_exponent: 0x4000,
        };
        registers.fpu_mut().set_st(0, pi);
        let context = Context::of(&registers);

        let mut restored = Registers::new();
        context.load(&mut restored, &DescriptorTable::new());

        assert_eq!(restored.fpu().st(0), pi);
        assert_eq!(restored.fpu().used(), 1 << 5);
        assert_eq!(Context::of(&restored), context);
        assert_eq!(context.word(0xB8), 0x0040_1000);
        assert_eq!(context.word(0xC4), 0x1004);
    }

    #[test]
    fn a_context_without_the_processors_bit_sets_nothing() {
        let mut registers = Registers::new();
        let mut context = Context::of(&registers);
        context.set(offset::FLAGS, 0x3F);
        context.set_eip(0x1234);

        context.load(&mut registers, &DescriptorTable::new());

        assert_eq!(registers.eip(), 0);
    }

    #[test]
    fn a_selector_without_a_descriptor_loads_as_an_empty_one() {
        let mut registers = Registers::new();
        let mut context = Context::of(&registers);
        context.set(offset::DS, 0x4443);

        context.load(&mut registers, &DescriptorTable::new());

        assert_eq!(registers.segment(SegmentRegister::Ds).descriptor(), None);
    }
}
