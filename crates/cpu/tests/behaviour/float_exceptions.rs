//! Which exceptions are reported, and what is left, when some are not masked. What a real CPU did.

use crate::machine::{CODE, DATA, Machine};
use pagefault_cpu::{Exit, F80, NoObserver, Reg, Vector};

/// MXCSR with all exceptions masked; the masks of the denormal operand and of underflow in it.
const MASKED: u32 = 0x1F80;
const DENORMAL_MASK: u32 = 1 << 8;
const UNDERFLOW_MASK: u32 = 1 << 11;
/// MXCSR.DAZ.
const DENORMALS_ARE_ZERO: u32 = 1 << 6;

const ONE: u32 = 0x3F80_0000;
/// The smallest denormal, a negative one, and the smallest normal number.
const TINY: u32 = 1;
const NEGATIVE_TINY: u32 = 0x8000_0001;
const SMALLEST_NORMAL: u32 = 0x0080_0000;
const THIRD: u32 = 0x3EAA_AAAB;

/// IE, DE, ZE, UE, PE.
const IE: u32 = 1;
const DE: u32 = 1 << 1;
const ZE: u32 = 1 << 2;
const UE: u32 = 1 << 4;
const PE: u32 = 1 << 5;

/// The opcode byte behind `F3 0F` of scalar single precision.
const SQRT: u8 = 0x51;
const ADD: u8 = 0x58;
const MUL: u8 = 0x59;
const MIN: u8 = 0x5D;
const DIV: u8 = 0x5E;

#[test]
fn masked_exceptions_are_those_of_the_operation() {
    for (opcode, lhs, rhs, mxcsr, result, raised) in [
        (ADD, TINY, ONE, MASKED, ONE, DE | PE),
        // What is invalid or a division by zero reports no denormal beside it.
        (SQRT, 0, NEGATIVE_TINY, MASKED, 0xFFC0_0000, IE),
        (DIV, TINY, 0, MASKED, 0x7F80_0000, ZE),
        // Flushed operands are zeros, also where one is the result.
        (MIN, TINY, ONE, MASKED | DENORMALS_ARE_ZERO, 0, 0),
        (
            SQRT,
            0,
            NEGATIVE_TINY,
            MASKED | DENORMALS_ARE_ZERO,
            0x8000_0000,
            0,
        ),
        // An exact denormal is no underflow while that is masked.
        (MUL, SMALLEST_NORMAL, 0x3F00_0000, MASKED, 0x0040_0000, 0),
        (MUL, SMALLEST_NORMAL, THIRD, MASKED, 0x002A_AAAB, UE | PE),
    ] {
        let mut machine = scalar(opcode, lhs, rhs, mxcsr);

        assert_eq!(machine.run(1), Exit::Budget);

        let registers = machine.cpu.registers();
        let low = u32::from_le_bytes(*registers.xmm(Reg::Eax).to_le_bytes().first_chunk().unwrap());
        let found = (low, registers.mxcsr() & !mxcsr);
        assert_eq!(
            found,
            (result, raised),
            "{opcode:x} {lhs:x} {rhs:x} {mxcsr:x}"
        );
    }
}

#[test]
fn an_unmasked_exception_of_an_operand_is_reported_alone_and_changes_no_register() {
    for (opcode, lhs, rhs, unmasked, raised) in [
        (ADD, TINY, ONE, DENORMAL_MASK, DE),
        (MUL, TINY, THIRD, DENORMAL_MASK, DE),
        // Without an operand to complain of, the result is known; an exact one is tiny, too.
        (MUL, SMALLEST_NORMAL, 0x3F00_0000, UNDERFLOW_MASK, UE),
        (MUL, SMALLEST_NORMAL, THIRD, UNDERFLOW_MASK, UE),
        (MUL, SMALLEST_NORMAL + 1, THIRD, UNDERFLOW_MASK, UE | PE),
    ] {
        let mxcsr = MASKED & !unmasked;
        let mut machine = scalar(opcode, lhs, rhs, mxcsr);

        let exit = machine.run(1);

        let Exit::Exception { exception, .. } = exit else {
            panic!("{exit:?}")
        };
        assert_eq!(exception.vector, Vector::SIMD);
        let registers = machine.cpu.registers();
        assert_eq!(registers.xmm(Reg::Eax), u128::from(lhs));
        let found = registers.mxcsr() & !mxcsr;
        assert_eq!(found & !PE, raised & !PE, "{opcode:x} {lhs:x} {rhs:x}");
        assert_ne!(found & (DE | PE), DE | PE, "{opcode:x} {lhs:x} {rhs:x}");
    }
}

#[test]
fn an_unmasked_underflow_of_x87_moves_the_exponent_of_the_result() {
    // fninit; fldcw [ebx] with underflow unmasked; the operands; fmul st, st(1)
    let mut machine = Machine::new(NoObserver);
    let fpu = machine.cpu.registers_mut().fpu_mut();
    fpu.set_control(0x37F & !0x10);
    fpu.set_status(0x3000);
    // 1.5 * 2^-10000, squared: 2.25 * 2^-20000.
    for place in 0..2 {
        fpu.set_st(place, number(3 << 62, 16_383 - 10_000));
    }
    machine.load(CODE, &[0xD8, 0xC9]);

    assert_eq!(machine.run(1), Exit::Budget);

    let fpu = machine.cpu.registers().fpu();
    let exponent = 16_383 + 24_576 + 1 - 20_000;
    assert_eq!(fpu.st(0), number(9 << 60, exponent));
    // ES and UE; the next instruction that looks raises #MF.
    assert_eq!(fpu.status() & 0xBF, 0x90);
}

#[test]
fn a_store_that_an_unmasked_exception_forbids_leaves_memory_and_stack() {
    let mut machine = Machine::new(NoObserver);
    let fpu = machine.cpu.registers_mut().fpu_mut();
    fpu.set_control(0x37F & !0x08);
    fpu.set_status(0x3800);
    fpu.set_st(0, number(u64::MAX, 0x7000));
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    // fstp dword [ebx]
    machine.load(CODE, &[0xD9, 0x1B]);

    assert_eq!(machine.run(1), Exit::Budget);

    let fpu = machine.cpu.registers().fpu();
    assert_eq!(fpu.used().count_ones(), 1);
    // ES and OE, and no PE.
    assert_eq!(fpu.status() & 0xBF, 0x88);
    let stored = machine
        .mmu
        .mem()
        .read::<u32>(machine.frame_of(DATA).byte(0));
    assert_eq!(stored, 0xCCCC_CCCC);
}

#[test]
fn an_unmasked_invalid_operation_of_x87_leaves_its_operands() {
    let signaling = number(0xA000_0000_0000_0000, 0x7FFF);
    let quiet = number(0xE000_0000_0000_0000, 0x7FFF);
    for (control, left, flags) in [(0x37E, signaling, 0x81), (0x37F, quiet, 0x01)] {
        let mut machine = Machine::new(NoObserver);
        let fpu = machine.cpu.registers_mut().fpu_mut();
        fpu.set_control(control);
        fpu.set_status(0x3000);
        fpu.set_st(0, signaling);
        fpu.set_st(1, number(1 << 63, 16_383));
        // fadd st, st(1)
        machine.load(CODE, &[0xD8, 0xC1]);

        assert_eq!(machine.run(1), Exit::Budget);

        let fpu = machine.cpu.registers().fpu();
        assert_eq!(
            (fpu.st(0), fpu.status() & 0xBF),
            (left, flags),
            "{control:#x}"
        );
    }
}

#[test]
fn a_push_onto_a_full_stack_is_a_stack_fault() {
    let default_nan = number(3 << 62, 0xFFFF);
    let one = number(1 << 63, 16_383);
    for (control, top) in [(0x37F, default_nan), (0x37E, one)] {
        let mut machine = Machine::new(NoObserver);
        let fpu = machine.cpu.registers_mut().fpu_mut();
        fpu.set_control(control);
        fpu.set_status(0);
        // fld1, nine times
        machine.load(CODE, &[0xD9, 0xE8].repeat(9));

        machine.run(9);

        let fpu = machine.cpu.registers().fpu();
        // IE and SF, and C1 for an overflow.
        assert_eq!(
            (fpu.st(0), fpu.status() & 0x241),
            (top, 0x241),
            "{control:#x}"
        );
        assert_eq!(fpu.used().count_ones(), 8);
    }
}

const fn number(mantissa: u64, sign_exponent: u16) -> F80 {
    F80 {
        mantissa,
        sign_exponent,
    }
}

/// Returns a machine about to execute `OPss xmm0, xmm1`.
fn scalar(opcode: u8, lhs: u32, rhs: u32, mxcsr: u32) -> Machine<NoObserver> {
    let mut machine = Machine::new(NoObserver);
    let registers = machine.cpu.registers_mut();
    registers.set_mxcsr(mxcsr);
    registers.set_xmm(Reg::Eax, u128::from(lhs));
    registers.set_xmm(Reg::Ecx, u128::from(rhs));
    machine.load(CODE, &[0xF3, 0x0F, opcode, 0xC1]);
    machine
}
