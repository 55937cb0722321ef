//! The x87 functions against results computed elsewhere, and their special cases.

use pagefault_cpu::{Exit, F80, NoObserver};

use crate::machine::{CODE, Machine};
use crate::x87_reference::{ATAN, COS, LOG, LOG_OF_SUM, SIN, TAN, TWO_TO_X_LESS_ONE};

/// The second opcode byte behind D9.
const F2XM1: u8 = 0xF0;
const FYL2X: u8 = 0xF1;
const FPTAN: u8 = 0xF2;
const FPATAN: u8 = 0xF3;
const FYL2XP1: u8 = 0xF9;
const FSINCOS: u8 = 0xFB;
const FSIN: u8 = 0xFE;
const FCOS: u8 = 0xFF;

/// Bits of the status word.
const INVALID: u16 = 1;
const DENORMAL: u16 = 1 << 1;
const ZERO_DIVIDE: u16 = 1 << 2;
const UNDERFLOW: u16 = 1 << 4;
const PRECISION: u16 = 1 << 5;
const STACK_FAULT: u16 = 1 << 6;
const C1: u16 = 1 << 9;
const C2: u16 = 1 << 10;
/// The exceptions and the stack fault.
const RAISED: u16 = 0x7F;

const ZERO: F80 = number(0, 0);
const MINUS_ZERO: F80 = number(0, 0x8000);
const ONE: F80 = number(1 << 63, 0x3FFF);
const MINUS_ONE: F80 = number(1 << 63, 0xBFFF);
const INFINITY: F80 = number(1 << 63, 0x7FFF);
const MINUS_INFINITY: F80 = number(1 << 63, 0xFFFF);
const NAN: F80 = number(0xC000_0000_0000_0000, 0xFFFF);
const TWO_TO_63: F80 = number(1 << 63, 0x403E);
const SMALLEST: F80 = number(1, 0);
/// pi and its half, rounded.
const PI: F80 = number(0xC90F_DAA2_2168_C235, 0x4000);
const HALF_PI: F80 = number(0xC90F_DAA2_2168_C235, 0x3FFF);
const THREE_QUARTERS_PI: F80 = number(0x96CB_E3F9_990E_91A8, 0x4000);

#[test]
fn functions_of_one_number_are_rounded_correctly() {
    for (opcode, rows) in [
        (FSIN, SIN),
        (FCOS, COS),
        (FPTAN, TAN),
        (F2XM1, TWO_TO_X_LESS_ONE),
    ] {
        for &(x, result) in rows {
            let mut machine = with_stack(&[number(x.0, x.1)]);

            run(&mut machine, opcode);

            let place = u8::from(opcode == FPTAN);
            let found = machine.cpu.registers().fpu().st(place);
            assert_eq!(found, number(result.0, result.1), "{opcode:x} {x:x?}");
            assert_eq!(raised(&machine), PRECISION, "{opcode:x} {x:x?}");
        }
    }
}

#[test]
fn functions_of_two_numbers_are_rounded_correctly_and_pop() {
    for (opcode, rows) in [(FPATAN, ATAN), (FYL2X, LOG), (FYL2XP1, LOG_OF_SUM)] {
        for &([top, below], result) in rows {
            let below = number(below.0, below.1);
            let mut machine = with_stack(&[number(top.0, top.1), below]);

            run(&mut machine, opcode);

            let fpu = machine.cpu.registers().fpu();
            let context = format!("{opcode:x} {below:x?} {top:x?}");
            assert_eq!(fpu.st(0), number(result.0, result.1), "{context}");
            assert_eq!(fpu.used().count_ones(), 1, "{context}");
        }
    }
}

#[test]
fn special_arguments_of_one_number_have_special_results() {
    let denormal = DENORMAL | UNDERFLOW | PRECISION;
    for (opcode, x, result, expected) in [
        (FSIN, MINUS_ZERO, MINUS_ZERO, 0),
        (FSIN, INFINITY, NAN, INVALID),
        (FSIN, SMALLEST, SMALLEST, denormal),
        (FCOS, ZERO, ONE, 0),
        (FCOS, MINUS_INFINITY, NAN, INVALID),
        (FCOS, SMALLEST, ONE, DENORMAL | PRECISION),
        (F2XM1, ZERO, ZERO, 0),
        (F2XM1, INFINITY, INFINITY, 0),
        (F2XM1, MINUS_INFINITY, MINUS_ONE, 0),
        (F2XM1, ONE, ONE, PRECISION),
        (F2XM1, MINUS_ONE, number(1 << 63, 0xBFFE), PRECISION),
    ] {
        let mut machine = with_stack(&[x]);

        run(&mut machine, opcode);

        let found = machine.cpu.registers().fpu().st(0);
        assert_eq!(
            (found, raised(&machine)),
            (result, expected),
            "{opcode:x} {x:x?}"
        );
    }
}

#[test]
fn special_arguments_of_two_numbers_have_special_results() {
    for (opcode, below, top, result, expected) in [
        (FPATAN, ZERO, ONE, ZERO, 0),
        (FPATAN, MINUS_ZERO, ZERO, MINUS_ZERO, 0),
        (FPATAN, ZERO, MINUS_ZERO, PI, PRECISION),
        (FPATAN, MINUS_ZERO, MINUS_ONE, negated(PI), PRECISION),
        (FPATAN, ONE, ZERO, HALF_PI, PRECISION),
        (
            FPATAN,
            INFINITY,
            MINUS_INFINITY,
            THREE_QUARTERS_PI,
            PRECISION,
        ),
        (FPATAN, ONE, INFINITY, ZERO, 0),
        (FPATAN, ONE, MINUS_INFINITY, PI, PRECISION),
        (FYL2X, ONE, ZERO, MINUS_INFINITY, ZERO_DIVIDE),
        (FYL2X, MINUS_ONE, MINUS_ZERO, INFINITY, ZERO_DIVIDE),
        (FYL2X, ZERO, ZERO, NAN, INVALID),
        (FYL2X, ONE, MINUS_ONE, NAN, INVALID),
        (FYL2X, INFINITY, ONE, NAN, INVALID),
        (FYL2X, ZERO, INFINITY, NAN, INVALID),
        (FYL2X, MINUS_ONE, ONE, MINUS_ZERO, 0),
        (FYL2X, MINUS_ONE, INFINITY, MINUS_INFINITY, 0),
        (
            FYL2X,
            ONE,
            number(1 << 63, 0x4001),
            number(1 << 63, 0x4000),
            PRECISION,
        ),
        (FYL2XP1, ONE, MINUS_ZERO, MINUS_ZERO, 0),
        (FYL2XP1, INFINITY, ZERO, NAN, INVALID),
        (FYL2XP1, ZERO, INFINITY, NAN, INVALID),
        (FYL2XP1, ONE, MINUS_INFINITY, NAN, INVALID),
        (FYL2XP1, MINUS_ONE, INFINITY, MINUS_INFINITY, 0),
        (FYL2XP1, ONE, ONE, ONE, PRECISION),
    ] {
        let mut machine = with_stack(&[top, below]);

        run(&mut machine, opcode);

        let found = machine.cpu.registers().fpu().st(0);
        let context = format!("{opcode:x} {below:x?} {top:x?}");
        assert_eq!((found, raised(&machine)), (result, expected), "{context}");
    }
}

#[test]
fn arguments_out_of_range_set_c2_and_change_nothing_else() {
    for opcode in [FSIN, FCOS, FSINCOS, FPTAN] {
        let mut machine = with_stack(&[TWO_TO_63]);

        run(&mut machine, opcode);

        let fpu = machine.cpu.registers().fpu();
        assert_eq!(fpu.status() & (C2 | RAISED), C2, "{opcode:x}");
        assert_eq!(
            (fpu.st(0), fpu.used().count_ones()),
            (TWO_TO_63, 1),
            "{opcode:x}"
        );
    }
}

#[test]
fn sine_and_cosine_together_are_those_alone() {
    for &(x, sine) in SIN {
        let mut machine = with_stack(&[number(x.0, x.1)]);

        run(&mut machine, FSINCOS);

        let fpu = machine.cpu.registers().fpu();
        let cosine = COS.iter().find(|(other, _)| *other == x).unwrap().1;
        assert_eq!(fpu.st(1), number(sine.0, sine.1), "{x:x?}");
        assert_eq!(fpu.st(0), number(cosine.0, cosine.1), "{x:x?}");
    }
}

#[test]
fn a_missing_argument_or_a_full_stack_is_a_stack_fault() {
    let full = [ONE; 8];
    for (opcode, stack, c1) in [
        (FSIN, &full[..0], 0),
        (F2XM1, &full[..0], 0),
        (FPATAN, &full[..1], 0),
        (FYL2X, &full[..0], 0),
        (FSINCOS, &full[..0], 0),
        (FSINCOS, &full[..], C1),
        (FPTAN, &full[..], C1),
    ] {
        let mut machine = with_stack(stack);

        run(&mut machine, opcode);

        let fpu = machine.cpu.registers().fpu();
        let expected = INVALID | STACK_FAULT | c1;
        assert_eq!(fpu.status() & (RAISED | C1), expected, "{opcode:x}");
        assert_eq!(fpu.st(0), NAN, "{opcode:x}");
    }
}

#[test]
fn an_unmasked_exception_before_the_result_leaves_the_stack_alone() {
    let mut machine = with_stack(&[INFINITY]);
    machine.cpu.registers_mut().fpu_mut().set_control(0x37E);

    run(&mut machine, FSINCOS);

    let fpu = machine.cpu.registers().fpu();
    assert_eq!((fpu.st(0), fpu.used().count_ones()), (INFINITY, 1));
    assert_eq!(raised(&machine), INVALID);
}

const fn number(mantissa: u64, sign_exponent: u16) -> F80 {
    F80 {
        mantissa,
        sign_exponent,
    }
}

const fn negated(value: F80) -> F80 {
    number(value.mantissa, value.sign_exponent ^ 0x8000)
}

/// Returns a machine whose register stack holds these numbers, the first on top.
fn with_stack(numbers: &[F80]) -> Machine<NoObserver> {
    let mut machine = Machine::new(NoObserver);
    let fpu = machine.cpu.registers_mut().fpu_mut();
    let top = 8 - u16::try_from(numbers.len()).unwrap();
    fpu.set_status((top % 8) << 11);
    for (place, number) in (0..).zip(numbers) {
        fpu.set_st(place, *number);
    }
    machine
}

fn run(machine: &mut Machine<NoObserver>, opcode: u8) {
    machine.load(CODE, &[0xD9, opcode]);
    assert_eq!(machine.run(1), Exit::Budget);
}

fn raised(machine: &Machine<NoObserver>) -> u16 {
    machine.cpu.registers().fpu().status() & RAISED
}
