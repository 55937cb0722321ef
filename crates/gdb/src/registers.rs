//! Registers as gdb has them, to and from the processor's own.

use gdbstub_arch::x86::reg::{X86CoreRegs, X86SegmentRegs, X87FpuInternalRegs};
use pagefault_machine::cpu::{Eflags, F80, Fpu, Reg, Registers, SegmentRegister};

/// Returns gdb's registers.
pub(crate) fn to_gdb(registers: &Registers) -> X86CoreRegs {
    let gpr = |reg| registers.gpr(reg);
    let segment = |register| u32::from(registers.segment(register).selector().bits());
    let fpu = registers.fpu();
    let numbers = [0, 1, 2, 3, 4, 5, 6, 7];
    X86CoreRegs {
        eax: gpr(Reg::Eax),
        ecx: gpr(Reg::Ecx),
        edx: gpr(Reg::Edx),
        ebx: gpr(Reg::Ebx),
        esp: gpr(Reg::Esp),
        ebp: gpr(Reg::Ebp),
        esi: gpr(Reg::Esi),
        edi: gpr(Reg::Edi),
        eip: registers.eip(),
        eflags: registers.eflags().bits(),
        segments: X86SegmentRegs {
            cs: segment(SegmentRegister::Cs),
            ss: segment(SegmentRegister::Ss),
            ds: segment(SegmentRegister::Ds),
            es: segment(SegmentRegister::Es),
            fs: segment(SegmentRegister::Fs),
            gs: segment(SegmentRegister::Gs),
        },
        st: numbers.map(|place| bytes_of(fpu.st(place))),
        fpu: X87FpuInternalRegs {
            fctrl: u32::from(fpu.control()),
            fstat: u32::from(fpu.status()),
            ftag: u32::from(fpu.tags()),
            fioff: fpu.instruction_pointer(),
            ..X87FpuInternalRegs::default()
        },
        xmm: Reg::ALL.map(|reg| registers.xmm(reg)),
        mxcsr: registers.mxcsr(),
    }
}

/// Returns the processor's registers with what gdb has changed; `None` if it has changed one that
/// cannot be set: gdb knows no descriptors of segments, nor where an x87 instruction was.
///
/// As by `SetThreadContext`, flags and bits of MXCSR that a program cannot set stay.
pub(crate) fn from_gdb(old: &Registers, new: &X86CoreRegs) -> Option<Registers> {
    let known = to_gdb(old);
    if new.segments != known.segments || pointers(&new.fpu) != pointers(&known.fpu) {
        return None;
    }
    let mut registers = old.clone();
    let gprs = [
        (Reg::Eax, new.eax),
        (Reg::Ecx, new.ecx),
        (Reg::Edx, new.edx),
        (Reg::Ebx, new.ebx),
        (Reg::Esp, new.esp),
        (Reg::Ebp, new.ebp),
        (Reg::Esi, new.esi),
        (Reg::Edi, new.edi),
    ];
    for (reg, value) in gprs {
        registers.set_gpr(reg, value);
    }
    registers.set_eip(new.eip);
    let wanted = Eflags::from_bits_truncate(new.eflags) & Eflags::USER;
    registers.set_eflags((old.eflags() - Eflags::USER) | wanted);
    for (reg, &value) in Reg::ALL.into_iter().zip(&new.xmm) {
        registers.set_xmm(reg, value);
    }
    registers.set_mxcsr(new.mxcsr & Registers::MXCSR_BITS);
    if new.fpu != known.fpu || new.st != known.st {
        set_fpu(registers.fpu_mut(), new);
    }
    Some(registers)
}

/// Returns what gdb shows of the last x87 instruction.
fn pointers(fpu: &X87FpuInternalRegs) -> [u32; 5] {
    [fpu.fiseg, fpu.fioff, fpu.foseg, fpu.fooff, fpu.fop]
}

fn set_fpu(fpu: &mut Fpu, new: &X86CoreRegs) {
    /// The tag of an empty register.
    const EMPTY: u16 = 0b11;
    fpu.set_control(low(new.fpu.fctrl));
    // The status has the top of the stack, by which the registers are numbered.
    fpu.set_status(low(new.fpu.fstat));
    for (place, value) in (0..).zip(&new.st) {
        fpu.set_st(place, number_of(value));
    }
    let tags = low(new.fpu.ftag);
    let used = (0..8).filter(|number| tags >> (2 * number) & EMPTY != EMPTY);
    fpu.set_used(used.fold(0, |used, number| used | 1 << number));
}

fn low(word: u32) -> u16 {
    let [low, high, ..] = word.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn bytes_of(value: F80) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&value.mantissa.to_le_bytes());
    bytes[8..].copy_from_slice(&value.sign_exponent.to_le_bytes());
    bytes
}

fn number_of(bytes: &[u8; 10]) -> F80 {
    let mut mantissa = [0; 8];
    let (low, high) = bytes.split_at(mantissa.len());
    mantissa.copy_from_slice(low);
    let mut sign_exponent = [0; 2];
    sign_exponent.copy_from_slice(high);
    F80 {
        mantissa: u64::from_le_bytes(mantissa),
        sign_exponent: u16::from_le_bytes(sign_exponent),
    }
}
