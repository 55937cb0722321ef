//! What a program sees of the processor: general, segment, floating-point and vector registers.

use pagefault_mmu::Privilege;

use crate::flags::{Eflags, Flags};
use crate::fpu::Fpu;
use crate::segment::{Segment, SegmentRegister, TableRegister};

/// A general register, or register number 0 to 7 of another file, in the order of the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reg {
    /// EAX, AX, AL, XMM0, MM0, ST(0).
    Eax,
    /// ECX, CX, CL.
    Ecx,
    /// EDX, DX, DL.
    Edx,
    /// EBX, BX, BL.
    Ebx,
    /// ESP, SP, AH.
    Esp,
    /// EBP, BP, CH.
    Ebp,
    /// ESI, SI, DH.
    Esi,
    /// EDI, DI, BH.
    Edi,
}

impl Reg {
    /// AH, whose encoding is that of ESP.
    pub(crate) const AH: Self = Self::Esp;
    /// All eight, in the order of the encoding.
    pub const ALL: [Self; 8] = [
        Self::Eax,
        Self::Ecx,
        Self::Edx,
        Self::Ebx,
        Self::Esp,
        Self::Ebp,
        Self::Esi,
        Self::Edi,
    ];

    /// Returns the number that encodes the register, 0 to 7.
    #[inline(always)]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the register that the low three bits of `bits` encode.
    #[inline(always)]
    pub const fn from_low_bits(bits: u8) -> Self {
        Self::ALL[(bits & 7) as usize]
    }
}

/// A register in an address, or none of them, which counts as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AddressReg {
    /// EAX.
    Eax,
    /// ECX.
    Ecx,
    /// EDX.
    Edx,
    /// EBX.
    Ebx,
    /// ESP.
    Esp,
    /// EBP.
    Ebp,
    /// ESI.
    Esi,
    /// EDI.
    Edi,
    /// No register.
    None,
}

impl AddressReg {
    /// Returns the register with the number that `reg` has.
    pub(crate) const fn new(reg: Reg) -> Self {
        match reg {
            Reg::Eax => Self::Eax,
            Reg::Ecx => Self::Ecx,
            Reg::Edx => Self::Edx,
            Reg::Ebx => Self::Ebx,
            Reg::Esp => Self::Esp,
            Reg::Ebp => Self::Ebp,
            Reg::Esi => Self::Esi,
            Reg::Edi => Self::Edi,
        }
    }
}

/// The general registers, with a ninth that is always zero: an absent base or index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gprs([u32; 9]);

impl Gprs {
    #[inline(always)]
    pub(crate) const fn get(&self, reg: Reg) -> u32 {
        self.0[reg as usize]
    }

    #[inline(always)]
    pub(crate) const fn set(&mut self, reg: Reg, value: u32) {
        self.0[reg as usize] = value;
    }

    #[inline(always)]
    pub(crate) const fn address_part(&self, reg: AddressReg) -> u32 {
        self.0[reg as usize]
    }
}

/// The registers of a processor. A copy of them is what a thread switch saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    pub(crate) gprs: Gprs,
    pub(crate) eip: u32,
    pub(crate) flags: Flags,
    pub(crate) segments: [Segment; SegmentRegister::COUNT],
    pub(crate) gdtr: TableRegister,
    pub(crate) idtr: TableRegister,
    pub(crate) mxcsr: u32,
    pub(crate) xmm: [u128; 8],
    pub(crate) fpu: Fpu,
}

impl Registers {
    /// The value of MXCSR after reset: all SIMD exceptions masked, rounding to nearest.
    pub const MXCSR_RESET: u32 = 0x1F80;

    /// Returns registers as a flat ring-3 program finds them: all zero, flat segments.
    pub fn new() -> Self {
        Self {
            gprs: Gprs([0; 9]),
            eip: 0,
            flags: Flags::new(),
            segments: SegmentRegister::ALL.map(Segment::flat),
            gdtr: TableRegister::RESET,
            idtr: TableRegister::RESET,
            mxcsr: Self::MXCSR_RESET,
            xmm: [0; 8],
            fpu: Fpu::new(),
        }
    }

    /// Returns a general register.
    pub const fn gpr(&self, reg: Reg) -> u32 {
        self.gprs.get(reg)
    }

    /// Sets a general register.
    pub const fn set_gpr(&mut self, reg: Reg, value: u32) {
        self.gprs.set(reg, value);
    }

    /// Returns the instruction pointer.
    pub const fn eip(&self) -> u32 {
        self.eip
    }

    /// Sets the instruction pointer.
    pub const fn set_eip(&mut self, eip: u32) {
        self.eip = eip;
    }

    /// Returns the flags register.
    pub fn eflags(&self) -> Eflags {
        self.flags.eflags()
    }

    /// Sets the flags register. RF is not modelled and not kept.
    pub fn set_eflags(&mut self, flags: Eflags) {
        self.flags.set_eflags(flags);
    }

    /// Returns a segment register with what it cached of its descriptor.
    pub const fn segment(&self, register: SegmentRegister) -> Segment {
        self.segments[register as usize]
    }

    /// Sets a segment register and its cached descriptor, without any check.
    pub const fn set_segment(&mut self, register: SegmentRegister, segment: Segment) {
        self.segments[register as usize] = segment;
    }

    /// Returns on whose behalf the program accesses memory: CPL, which CS holds.
    pub const fn privilege(&self) -> Privilege {
        self.segments[SegmentRegister::Cs as usize].privilege()
    }

    /// Returns GDTR, as SGDT shows it. Selectors refer to the table that the host fills.
    pub const fn gdtr(&self) -> TableRegister {
        self.gdtr
    }

    /// Sets GDTR.
    pub const fn set_gdtr(&mut self, value: TableRegister) {
        self.gdtr = value;
    }

    /// Returns IDTR, as SIDT shows it. Exceptions go to the host.
    pub const fn idtr(&self) -> TableRegister {
        self.idtr
    }

    /// Sets IDTR.
    pub const fn set_idtr(&mut self, value: TableRegister) {
        self.idtr = value;
    }

    /// Returns an XMM register.
    pub const fn xmm(&self, reg: Reg) -> u128 {
        self.xmm[reg as usize]
    }

    /// Sets an XMM register.
    pub const fn set_xmm(&mut self, reg: Reg, value: u128) {
        self.xmm[reg as usize] = value;
    }

    /// Returns MXCSR.
    pub const fn mxcsr(&self) -> u32 {
        self.mxcsr
    }

    /// Sets MXCSR.
    pub const fn set_mxcsr(&mut self, value: u32) {
        self.mxcsr = value;
    }

    /// Returns the floating-point unit.
    pub const fn fpu(&self) -> &Fpu {
        &self.fpu
    }

    /// Returns the floating-point unit, to change it.
    pub const fn fpu_mut(&mut self) -> &mut Fpu {
        &mut self.fpu
    }
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}
