//! Every 8-bit operation on every operand, against what the manual says of a bit, a nibble or the
//! whole at a time. SDM Vol. 2, each instruction's "Flags Affected".

use super::*;
use crate::flags::Eflags;

/// An operation on two bytes.
type Operation = fn(&mut Flags, u8, u8) -> u8;

/// What an operation gives: the result and the flags that it defines.
type Outcome = (u8, Eflags);

const CARRIES: [bool; 2] = [false, true];

fn flags_with(carry: bool) -> Flags {
    let mut flags = Flags::new();
    flags.set_eflags(if carry {
        Eflags::CARRY
    } else {
        Eflags::empty()
    });
    flags
}

/// Runs an operation and keeps the status flags that are looked at.
fn run(carry: bool, looked_at: Eflags, operation: impl FnOnce(&mut Flags) -> u8) -> Outcome {
    let mut flags = flags_with(carry);
    let result = operation(&mut flags);
    (result, flags.eflags() & looked_at)
}

/// SF, ZF and PF of a result.
fn of_result(result: u8) -> Eflags {
    let mut flags = Eflags::empty();
    flags.set(Eflags::SIGN, result > 127);
    flags.set(Eflags::ZERO, result == 0);
    let ones = (0..8).filter(|bit| result >> bit & 1 == 1).count();
    flags.set(Eflags::PARITY, ones % 2 == 0);
    flags
}

/// What a sum or a difference has, by its value without bounds: unsigned, signed, and of the low
/// halves of the bytes.
fn arithmetic(unsigned: i32, signed: i32, low_half: i32) -> Outcome {
    let result = u8::try_from(unsigned.rem_euclid(256)).unwrap();
    let mut flags = of_result(result);
    flags.set(Eflags::CARRY, !(0..=255).contains(&unsigned));
    flags.set(Eflags::OVERFLOW, !(-128..=127).contains(&signed));
    flags.set(Eflags::ADJUST, !(0..=15).contains(&low_half));
    (result, flags)
}

fn signed(value: u8) -> i32 {
    i32::from(value.cast_signed())
}

#[test]
fn sums_and_differences_of_all_bytes_have_the_flags_of_their_values() {
    for lhs in 0..=u8::MAX {
        for rhs in 0..=u8::MAX {
            for carry in CARRIES {
                let (a, b) = (i32::from(lhs), i32::from(rhs));
                let (low_a, low_b) = (a % 16, b % 16);
                let sum = |c| {
                    let signed = signed(lhs) + signed(rhs) + c;
                    arithmetic(a + b + c, signed, low_a + low_b + c)
                };
                let difference = |c| {
                    let signed = signed(lhs) - signed(rhs) - c;
                    arithmetic(a - b - c, signed, low_a - low_b - c)
                };
                let run = |operation: Operation| {
                    run(carry, Eflags::STATUS, |flags| operation(flags, lhs, rhs))
                };
                let case = format!("{lhs:#x} {rhs:#x} {carry}");
                assert_eq!(run(add), sum(0), "add {case}");
                assert_eq!(run(adc), sum(i32::from(carry)), "adc {case}");
                assert_eq!(run(sub), difference(0), "sub {case}");
                assert_eq!(run(sbb), difference(i32::from(carry)), "sbb {case}");
            }
        }
    }
}

#[test]
fn inc_and_dec_are_a_sum_and_a_difference_that_keep_the_carry() {
    for value in 0..=u8::MAX {
        for carry in CARRIES {
            let kept = |(result, mut flags): Outcome| {
                flags.set(Eflags::CARRY, carry);
                (result, flags)
            };
            let (wide, low) = (i32::from(value), i32::from(value % 16));
            let up = kept(arithmetic(wide + 1, signed(value) + 1, low + 1));
            let down = kept(arithmetic(wide - 1, signed(value) - 1, low - 1));
            let case = format!("{value:#x} {carry}");
            assert_eq!(
                run(carry, Eflags::STATUS, |flags| inc(flags, value)),
                up,
                "inc {case}"
            );
            assert_eq!(
                run(carry, Eflags::STATUS, |flags| dec(flags, value)),
                down,
                "dec {case}"
            );
        }
    }
}

#[test]
fn bitwise_operations_clear_carry_and_overflow() {
    let looked_at = Eflags::STATUS - Eflags::ADJUST;
    for lhs in 0..=u8::MAX {
        for rhs in 0..=u8::MAX {
            let operations: [(Operation, u8); 3] =
                [(and, lhs & rhs), (or, lhs | rhs), (xor, lhs ^ rhs)];
            for (operation, result) in operations {
                let outcome = run(true, looked_at, |flags| operation(flags, lhs, rhs));
                assert_eq!(outcome, (result, of_result(result)), "{lhs:#x} {rhs:#x}");
            }
        }
    }
}

/// One step of a shift or rotate: returns the value and the bit that leaves, which becomes CF.
type Step = fn(u8, bool) -> (u8, bool);

/// Does a shift or rotate one bit at a time. `None` stands for a count of zero.
fn stepwise(value: u8, carry: bool, count: u32, step: Step) -> Option<(u8, bool)> {
    let mut state = None;
    for _ in 0..count {
        let (value, carry) = state.unwrap_or((value, carry));
        state = Some(step(value, carry));
    }
    state
}

const MSB: u8 = 0x80;

const SHL: Step = |value, _| (value << 1, value & MSB != 0);
const SHR: Step = |value, _| (value >> 1, value & 1 != 0);
const SAR: Step = |value, _| (value >> 1 | value & MSB, value & 1 != 0);
const ROL: Step = |value, _| (value.rotate_left(1), value & MSB != 0);
const ROR: Step = |value, _| (value.rotate_right(1), value & 1 != 0);
const RCL: Step = |value, carry| (value << 1 | u8::from(carry), value & MSB != 0);
const RCR: Step = |value, carry| (value >> 1 | u8::from(carry) << 7, value & 1 != 0);

/// OF of a count of 1: left, that the sign and CF differ; right, that the two upper bits do, except
/// that SAR clears it and SHR takes the sign that was.
fn left_overflow(_: u8, result: u8, carry: bool) -> bool {
    (result & MSB != 0) != carry
}

fn right_overflow(_: u8, result: u8, _: bool) -> bool {
    (result ^ result << 1) & MSB != 0
}

fn sign_overflow(value: u8, _: u8, _: bool) -> bool {
    value & MSB != 0
}

fn no_overflow(_: u8, _: u8, _: bool) -> bool {
    false
}

/// What a rotate does to SF, ZF and PF, which were clear: nothing.
fn untouched(_: u8) -> Eflags {
    Eflags::empty()
}

/// A shift or rotate, and what is expected of it.
struct Case {
    name: &'static str,
    operation: fn(&mut Flags, u8, u32) -> u8,
    step: Step,
    overflow: fn(u8, u8, bool) -> bool,
    of_result: fn(u8) -> Eflags,
}

#[rustfmt::skip]
const CASES: [Case; 7] = [
    Case { name: "shl", operation: shl, step: SHL, overflow: left_overflow, of_result },
    Case { name: "shr", operation: shr, step: SHR, overflow: sign_overflow, of_result },
    Case { name: "sar", operation: sar, step: SAR, overflow: no_overflow, of_result },
    Case { name: "rol", operation: rol, step: ROL, overflow: left_overflow, of_result: untouched },
    Case { name: "ror", operation: ror, step: ROR, overflow: right_overflow, of_result: untouched },
    Case { name: "rcl", operation: rcl, step: RCL, overflow: left_overflow, of_result: untouched },
    Case { name: "rcr", operation: rcr, step: RCR, overflow: right_overflow, of_result: untouched },
];

#[test]
fn shifts_move_bit_by_bit_and_a_count_of_zero_changes_nothing() {
    for case in &CASES {
        for value in 0..=u8::MAX {
            for (count, carry) in (0..64).flat_map(|count| CARRIES.map(|carry| (count, carry))) {
                let unchanged = (value, flags_with(carry).eflags());
                let (result, flags) = expect(case, value, carry, count).unwrap_or(unchanged);
                let looked_at = defined(count);

                let outcome = run(carry, looked_at, |flags| {
                    (case.operation)(flags, value, count)
                });

                let expected = (result, flags & looked_at);
                assert_eq!(
                    outcome, expected,
                    "{} {value:#x} {count} {carry}",
                    case.name
                );
            }
        }
    }
}

/// Returns the result and its flags; `None` if the processor sees a count of zero.
fn expect(case: &Case, value: u8, carry: bool, count: u32) -> Option<Outcome> {
    // Five bits of the count are looked at.
    let (result, carry) = stepwise(value, carry, count % 32, case.step)?;
    let mut flags = (case.of_result)(result);
    flags.set(Eflags::CARRY, carry);
    flags.set(Eflags::OVERFLOW, (case.overflow)(value, result, carry));
    Some((result, flags))
}

/// Returns which flags a count defines: OF only with a count of 1, and AF never.
fn defined(count: u32) -> Eflags {
    match count % 32 {
        0 | 1 => Eflags::STATUS - Eflags::ADJUST,
        _ => Eflags::STATUS - Eflags::ADJUST - Eflags::OVERFLOW,
    }
}
