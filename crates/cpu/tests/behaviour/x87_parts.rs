//! FPREM, FPREM1, FSCALE and FXTRACT on numbers whose results are known.

#![expect(clippy::float_cmp, reason = "the results are exact")]

use pagefault_cpu::{Exit, NoObserver};

use crate::machine::{CODE, DATA, Machine};

/// Condition bits of the status word.
const C0: u16 = 1 << 8;
const C1: u16 = 1 << 9;
const C2: u16 = 1 << 10;
const C3: u16 = 1 << 14;
const CONDITION: u16 = C0 | C1 | C2 | C3;

#[test]
fn remainders_have_the_low_bits_of_the_quotient() {
    // 17 = 3 * 5 + 2; 17 = 3 * 6 - 1; 5/2 is half way between 2 and 3, 7/2 between 3 and 4.
    for (opcode, lhs, rhs, rest, condition) in [
        (0xF8, 17.0, 3.0, 2.0, C0 | C1),
        (0xF5, 17.0, 3.0, -1.0, C0 | C3),
        (0xF8, -17.0, 3.0, -2.0, C0 | C1),
        (0xF5, 5.0, 2.0, 1.0, C3),
        (0xF5, 7.0, 2.0, -1.0, C0),
        (0xF5, 0.75, 1.0, -0.25, C1),
        (0xF8, 0.75, 1.0, 0.75, 0),
        (0xF8, 2.0_f64.powi(100), 3.0, 2.0_f64.powi(32), C2),
    ] {
        let (value, status) = run(opcode, lhs, rhs);

        if condition == C2 {
            assert_eq!(status & C2, C2, "one step does not reach from 2^100 to 3");
            continue;
        }
        assert_eq!(
            (value, status & CONDITION),
            (rest, condition),
            "{lhs} {rhs} {opcode:x}"
        );
    }
}

#[test]
fn scaling_truncates_its_exponent() {
    for (value, exponent, result) in [
        (1.5, 3.9, 12.0),
        (1.5, -3.9, 0.1875),
        (-1.0, 0.5, -1.0),
        (3.0, f64::INFINITY, f64::INFINITY),
    ] {
        assert_eq!(run(0xFD, value, exponent).0, result, "{value} {exponent}");
    }
}

#[test]
fn extraction_gives_exponent_and_significand() {
    // FXTRACT leaves the significand on top.
    for (value, significand) in [(12.0, 1.5), (-0.25, -1.0), (1.0, 1.0)] {
        assert_eq!(run(0xF4, value, 1.0).0, significand, "{value}");
    }
}

/// Executes `D9 opcode` with ST(0) and ST(1), and returns ST(0) and the status word.
fn run(opcode: u8, st0: f64, st1: f64) -> (f64, u16) {
    let mut machine = Machine::new(NoObserver);
    // fninit; fld [DATA + 8]; fld [DATA]; op; fnstsw [DATA + 16]; fstp [DATA]; int3
    let code = [
        0xDB, 0xE3, 0xDD, 0x05, 0x08, 0x00, 0x02, 0x00, 0xDD, 0x05, 0x00, 0x00, 0x02, 0x00, 0xD9,
        opcode, 0xDD, 0x3D, 0x10, 0x00, 0x02, 0x00, 0xDD, 0x1D, 0x00, 0x00, 0x02, 0x00, 0xCC,
    ];
    machine.load(DATA, &st0.to_le_bytes());
    machine.load(DATA + 8, &st1.to_le_bytes());
    machine.load(CODE, &code);

    let exit = machine.run(100);

    assert!(
        matches!(exit, Exit::Exception { at, .. } if at == CODE + 28),
        "{exit:?}"
    );
    let frame = machine.frame_of(DATA);
    let bits = machine.mmu.mem().read::<u64>(frame.start());
    (
        f64::from_bits(bits),
        machine.mmu.mem().read::<u16>(frame.byte(16)),
    )
}
