//! Registers as gdb has them, to and from the processor's own.

use gdbstub_arch::x86::reg::{X86CoreRegs, X86SegmentRegs, X87FpuInternalRegs};
use pagefault_machine::cpu::{Eflags, F80, Reg, Registers, SegmentRegister};

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

/// Returns the processor's registers with what gdb has changed. Segment registers stay: gdb knows no
/// descriptors.
pub(crate) fn from_gdb(old: &Registers, new: &X86CoreRegs) -> Registers {
    let mut registers = old.clone();
    let known = to_gdb(old);
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
    if new.eflags != known.eflags {
        registers.set_eflags(Eflags::from_bits_truncate(new.eflags));
    }
    for (reg, &value) in Reg::ALL.into_iter().zip(&new.xmm) {
        registers.set_xmm(reg, value);
    }
    registers.set_mxcsr(new.mxcsr);
    let places = (0..).zip(new.st.iter().zip(&known.st));
    for (place, (value, old)) in places {
        if value != old {
            registers.fpu_mut().set_st(place, number_of(value));
        }
    }
    if new.fpu.fctrl != known.fpu.fctrl {
        let [low, high, ..] = new.fpu.fctrl.to_le_bytes();
        let control = u16::from_le_bytes([low, high]);
        registers.fpu_mut().set_control(control);
    }
    registers
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
