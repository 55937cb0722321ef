//! What real processors were seen to do, where the manual says something else, or little.

use pagefault_cpu::{Eflags, Exit, F80, NoObserver, Reg, Registers, Vector};
use pagefault_mmu::{FrameNumber, PteFlags};

use crate::machine::{CODE, DATA, Machine};

/// Condition bits of the status word.
const C0: u16 = 1 << 8;
const C1: u16 = 1 << 9;
const C2: u16 = 1 << 10;
const C3: u16 = 1 << 14;
/// IE and SF.
const STACK_FAULT: u16 = 1 << 6 | 1;
/// The top of the stack.
const TOP: u16 = 7 << 11;
const TOP_SHIFT: u16 = 11;

#[test]
fn fcmov_and_fcomi_leave_c1() {
    for code in [[0xDA, 0xC1], [0xDB, 0xC1], [0xDB, 0xF1], [0xDB, 0xE9]] {
        let mut machine = floats(C1, 0xFF);
        run(&mut machine, &code);
        assert_eq!(status(&machine) & C1, C1, "{code:x?}");

        // An empty register clears it.
        let mut machine = floats(C1, 0xFD);
        run(&mut machine, &code);
        assert_eq!(status(&machine), STACK_FAULT, "{code:x?}");
    }
}

#[test]
fn fcomi_sets_its_flags_also_where_the_exception_is_not_masked() {
    let mut machine = floats(0, 0);
    let invalid_unmasked = 0x37E;
    let registers = machine.cpu.registers_mut();
    registers.fpu_mut().set_control(invalid_unmasked);
    registers.set_eflags(Eflags::SIGN | Eflags::OVERFLOW);

    // fcomip st(0), st(1)
    run(&mut machine, &[0xDF, 0xF1]);

    let flags = machine.cpu.registers().eflags() & Eflags::STATUS;
    assert_eq!(flags, Eflags::ZERO | Eflags::PARITY | Eflags::CARRY);
    assert_eq!(status(&machine) & TOP, 0, "nothing is popped");
}

#[test]
fn a_remainder_that_is_invalid_clears_c2_and_leaves_c0_and_c3() {
    for used in [0xFF, 0] {
        for opcode in [0xF8, 0xF5] {
            let mut machine = floats(C0 | C1 | C2 | C3, used);
            // ST(0) is 1, ST(1) becomes zero.
            machine
                .cpu
                .registers_mut()
                .fpu_mut()
                .set_st(1, F80::default());
            machine.cpu.registers_mut().fpu_mut().set_used(used);

            run(&mut machine, &[0xD9, opcode]);

            assert_eq!(status(&machine) & 1, 1, "{opcode:x} {used:x}");
            assert_eq!(
                status(&machine) & (C0 | C1 | C2 | C3),
                C0 | C3,
                "{opcode:x} {used:x}"
            );
        }
    }
}

#[test]
fn fstpnce_of_an_empty_register_only_pops() {
    let mut machine = floats(C1, 0b1111_1110);
    let before = machine.cpu.registers().fpu().st(2);

    run(&mut machine, &[0xD9, 0xDA]);

    let fpu = machine.cpu.registers().fpu();
    assert_eq!((fpu.status(), fpu.used()), (1 << TOP_SHIFT, 0b1111_1110));
    assert_eq!(fpu.st(1), before);

    let mut machine = floats(0, 0xFF);
    let copied = machine.cpu.registers().fpu().st(0);
    run(&mut machine, &[0xD9, 0xDA]);
    assert_eq!(machine.cpu.registers().fpu().st(1), copied);
}

#[test]
fn fld_of_an_empty_register_onto_a_full_stack_is_an_underflow() {
    // ST(1) is empty, ST(7), where the push goes, is not.
    let mut machine = floats(C1, 0b1111_1101);

    run(&mut machine, &[0xD9, 0xC1]);

    assert_eq!(status(&machine), STACK_FAULT | 7 << TOP_SHIFT);
}

#[test]
fn emms_puts_the_top_of_the_stack_to_zero() {
    let mut machine = floats(3 << TOP_SHIFT, 0xFF);

    run(&mut machine, &[0x0F, 0x77]);

    let fpu = machine.cpu.registers().fpu();
    assert_eq!((fpu.status() & TOP, fpu.used()), (0, 0));
}

#[test]
fn conversions_of_mmx_integers_leave_x87_alone_if_the_operand_is_in_memory() {
    for (code, is_mmx) in [
        (&[0x0F, 0x2A, 0xC1][..], true),
        (&[0x66, 0x0F, 0x2A, 0xC1], true),
        (&[0x0F, 0x2A, 0x03], false),
        (&[0x66, 0x0F, 0x2A, 0x03], false),
    ] {
        let mut machine = floats(5 << TOP_SHIFT, 0x11);

        run(&mut machine, code);

        let fpu = machine.cpu.registers().fpu();
        let expected = if is_mmx {
            (0, 0xFF)
        } else {
            (5 << TOP_SHIFT, 0x11)
        };
        assert_eq!((fpu.status() & TOP, fpu.used()), expected, "{code:x?}");
    }
}

#[test]
fn arpl_reads_and_writes_only_what_changes() {
    let read_only = DATA + 0x1000;
    // arpl [ebx], ax
    let code = [0x63, 0x03];
    for (address, level, fault) in [
        (read_only, 0, None),
        (read_only, 3, Some(0b111)),
        (0, 0, Some(0b100)),
        (0, 3, Some(0b100)),
    ] {
        let mut machine = machine();
        let frame: FrameNumber = machine.frame_of(read_only);
        machine.mmu.mem_mut().write(frame.byte(0), 0x10_u16);
        machine.map(read_only, frame, PteFlags::empty());
        machine.cpu.registers_mut().set_gpr(Reg::Ebx, address);
        machine.cpu.registers_mut().set_gpr(Reg::Eax, level);
        machine.load(CODE, &code);

        let exit = machine.run(1);

        let raised = match exit {
            Exit::Exception { exception, .. } => Some(exception.error_code),
            _ => None,
        };
        assert_eq!(raised, fault, "{address:#x} {level}");
    }
}

#[test]
fn misaligned_vectors_raise_gp_also_with_the_alignment_check() {
    // addps xmm0, [ebx]; movaps [ebx], xmm0
    for code in [[0x0F, 0x58, 0x03], [0x0F, 0x29, 0x03]] {
        let mut machine = machine();
        let registers = machine.cpu.registers_mut();
        registers.set_eflags(Eflags::ALIGNMENT_CHECK);
        registers.set_gpr(Reg::Ebx, DATA + 4);
        machine.load(CODE, &code);

        let Exit::Exception { exception, .. } = machine.run(1) else {
            panic!("it is misaligned");
        };

        assert_eq!(exception.vector, Vector::GENERAL_PROTECTION);
    }
}

#[test]
fn bound_compares_with_the_lower_bound_before_it_reads_the_upper_one() {
    for (index, vector) in [(5, Vector::BOUND_RANGE), (7, Vector::PAGE)] {
        let mut machine = machine();
        // The lower bound is the last dword that there is.
        let last = DATA + 0x3FFC;
        let frame = machine.frame_of(last);
        machine.mmu.mem_mut().write(frame.byte(0xFFC), 6_u32);
        machine.cpu.registers_mut().set_gpr(Reg::Ebx, last);
        machine.cpu.registers_mut().set_gpr(Reg::Eax, index);
        // bound eax, [ebx]
        machine.load(CODE, &[0x62, 0x03]);

        let Exit::Exception { exception, .. } = machine.run(1) else {
            panic!("there is no upper bound");
        };

        assert_eq!(exception.vector, vector, "{index}");
    }
}

#[test]
fn an_exact_result_out_of_range_that_is_not_masked_is_not_inexact() {
    const UNDERFLOW: u32 = 1 << 4;
    const OVERFLOW: u32 = 1 << 3;
    const INEXACT: u32 = 1 << 5;
    // All but underflow and overflow masked.
    let masks = 0x1F80 & !((UNDERFLOW | OVERFLOW) << 7);
    for (value, raised) in [
        (2.0_f64.powi(-140), UNDERFLOW),
        (
            2.0_f64.powi(-140) * (1.0 + f64::EPSILON),
            UNDERFLOW | INEXACT,
        ),
        (2.0_f64.powi(140), OVERFLOW),
        (2.0_f64.powi(140) * (1.0 + f64::EPSILON), OVERFLOW | INEXACT),
    ] {
        let mut machine = machine();
        let registers = machine.cpu.registers_mut();
        registers.set_mxcsr(masks);
        registers.set_xmm(Reg::Ecx, u128::from(value.to_bits()));
        // cvtsd2ss xmm0, xmm1
        machine.load(CODE, &[0xF2, 0x0F, 0x5A, 0xC1]);

        let Exit::Exception { exception, .. } = machine.run(1) else {
            panic!("{value} is out of range");
        };

        assert_eq!(exception.vector, Vector::SIMD);
        assert_eq!(machine.cpu.registers().mxcsr(), masks | raised, "{value}");
    }
}

#[test]
fn masked_stores_with_short_addresses_use_di() {
    for code in [
        &[0x67, 0x0F, 0xF7, 0xC0][..],
        &[0x67, 0x66, 0x0F, 0xF7, 0xC0],
    ] {
        let mut machine = machine();
        let registers = machine.cpu.registers_mut();
        registers.fpu_mut().set_mmx(0, u64::MAX);
        registers.set_xmm(Reg::Eax, u128::MAX);
        registers.set_gpr(Reg::Edi, DATA + 0x10);
        machine.load(CODE, code);

        let Exit::Exception { exception, .. } = machine.run(1) else {
            panic!("there is nothing at 10h");
        };

        let fault = exception.page_fault.unwrap();
        assert_eq!(fault.addr.bits(), 0x10, "{code:x?}");
    }
}

#[test]
fn masked_stores_never_touch_what_the_mask_leaves_out() {
    for code in [&[0x0F, 0xF7, 0xC1][..], &[0x66, 0x0F, 0xF7, 0xC1]] {
        let mut machine = machine();
        let registers = machine.cpu.registers_mut();
        // The first byte of each; the others would lie behind the last page.
        registers.fpu_mut().set_mmx(1, 0x80);
        registers.set_xmm(Reg::Ecx, 0x80);
        registers.set_gpr(Reg::Edi, DATA + 0x3FFF);
        machine.load(CODE, code);

        assert_eq!(machine.run(1), Exit::Budget, "{code:x?}");
    }
}

fn machine() -> Machine<NoObserver> {
    let mut machine = Machine::new(NoObserver);
    *machine.cpu.registers_mut() = Registers::new();
    machine
}

/// Returns a machine with a status word, and with registers of x87 of which those that hold something
/// are given by number; EBX points to data. ST(n) is n + 1, where TOP is 0.
fn floats(status: u16, used: u8) -> Machine<NoObserver> {
    const ONE: u16 = 0x3FFF;
    let mut machine = machine();
    let registers = machine.cpu.registers_mut();
    registers.set_gpr(Reg::Ebx, DATA);
    let fpu = registers.fpu_mut();
    fpu.set_status(status);
    for place in 0..8 {
        let value = u64::from(place) + 1;
        let shift = value.leading_zeros();
        let exponent = ONE + 63 - u16::try_from(shift).unwrap();
        let value = F80 {
            mantissa: value << shift,
            sign_exponent: exponent,
        };
        fpu.set_st(place, value);
    }
    fpu.set_used(used);
    machine
}

fn status(machine: &Machine<NoObserver>) -> u16 {
    machine.cpu.registers().fpu().status()
}

fn run(machine: &mut Machine<NoObserver>, code: &[u8]) {
    machine.load(CODE, code);
    let exit = machine.run(1);
    assert_eq!(exit, Exit::Budget, "{code:x?}");
}
