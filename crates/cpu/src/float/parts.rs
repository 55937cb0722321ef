//! Remainders, scaling, and taking a number apart.

use super::{Env, FloatExceptions, Format, Kind, Value, nan_result, operands, reround, round};

/// The most bits by which one FPREM brings the exponents together.
const STEP: i32 = 64;
/// What an incomplete step leaves is below this, in bits: the manual allows 32 to 63.
const PARTIAL: i32 = 32;

/// Which integer the quotient is rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotient {
    /// Toward zero: FPREM.
    Truncated,
    /// To nearest, ties to even: FPREM1.
    Nearest,
}

/// Returns the remainder and the low bits of the quotient; `None` for these if the exponents are
/// so far apart that only a part of the way has been gone.
pub(crate) fn remainder(
    env: &mut Env,
    lhs: Value,
    rhs: Value,
    quotient: Quotient,
) -> (Value, Option<u64>) {
    if !lhs.is_nan() && !rhs.is_nan() && (lhs.kind == Kind::Infinity || rhs.kind == Kind::Zero) {
        // A denormal beside it is not reported.
        return (env.invalid(), Some(0));
    }
    let (lhs, rhs) = match operands(env, lhs, rhs) {
        Ok(pair) => pair,
        Err(nan) => return (nan, Some(0)),
    };
    match (lhs.kind, rhs.kind) {
        (
            Kind::Finite {
                exponent: left,
                significand: a,
            },
            Kind::Finite {
                exponent: right,
                significand: b,
            },
        ) => {
            let distance = left - right;
            if distance < -1 || (distance < 0 && quotient == Quotient::Truncated) {
                return (reround(env, lhs, Format::EXTENDED), Some(0));
            }
            if distance >= STEP {
                let steps = PARTIAL + distance % PARTIAL;
                let (rest, _) = divide(a, b, steps);
                let exponent = right + distance - steps;
                return (number(env, lhs.negative, exponent, rest), None);
            }
            let (rest, count) = if distance < 0 {
                (u128::from(a), 0)
            } else {
                divide(a, b, distance)
            };
            // With distance -1 the rest is counted in halves of the divisor's unit.
            let (exponent, unit) = (left.min(right), if distance < 0 { 2 } else { 1 });
            let divisor = u128::from(b) * unit;
            let rounds_up = quotient == Quotient::Nearest
                && (2 * rest > divisor || (2 * rest == divisor && count % 2 == 1));
            if rounds_up {
                let value = number(env, !lhs.negative, exponent, divisor - rest);
                return (value, Some(count.wrapping_add(1)));
            }
            let value = number(env, lhs.negative, exponent, rest);
            (value, Some(count))
        }
        _ => (lhs, Some(0)),
    }
}

/// Divides `a * 2^distance` by `b`: the rest, and the low bits of the quotient.
fn divide(a: u64, b: u64, distance: i32) -> (u128, u64) {
    let (mut rest, divisor, mut count) = (u128::from(a), u128::from(b), 0_u64);
    for step in 0..=distance {
        count <<= 1;
        if rest >= divisor {
            rest -= divisor;
            count |= 1;
        }
        if step < distance {
            rest <<= 1;
        }
    }
    (rest, count)
}

/// Returns `rest` / 2^63 * 2^`exponent`, which extended precision holds exactly.
fn number(env: &mut Env, negative: bool, exponent: i32, rest: u128) -> Value {
    if rest == 0 {
        return Value::zero(negative);
    }
    round(env, negative, exponent + 1, rest << 63, Format::EXTENDED)
}

/// Returns `lhs * 2^rhs`, with `rhs` truncated to an integer: FSCALE.
pub(crate) fn scale(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value {
    /// More than any exponent can move without leaving the range.
    const FARTHEST: i32 = 0x1_0000;
    let (lhs, rhs) = match operands(env, lhs, rhs) {
        Ok(pair) => pair,
        Err(nan) => return nan,
    };
    let distance = match rhs.kind {
        Kind::Infinity => {
            return match (lhs.kind, rhs.negative) {
                (Kind::Infinity, true) | (Kind::Zero, false) => env.invalid(),
                (_, true) => Value::zero(lhs.negative),
                (_, false) => Value::infinity(lhs.negative),
            };
        }
        Kind::Finite {
            exponent,
            significand,
        } if (0..17).contains(&exponent) => {
            let magnitude = significand >> (63 - exponent).unsigned_abs();
            let magnitude = i32::try_from(magnitude).unwrap_or(FARTHEST);
            if rhs.negative { -magnitude } else { magnitude }
        }
        Kind::Finite { exponent, .. } if exponent >= 17 => {
            if rhs.negative {
                -FARTHEST
            } else {
                FARTHEST
            }
        }
        _ => 0,
    };
    match lhs.kind {
        Kind::Finite {
            exponent,
            significand,
        } => {
            let exponent = exponent + distance;
            let wide = u128::from(significand) << 64;
            round(
                env,
                lhs.negative,
                exponent,
                wide,
                Format {
                    precision: 64,
                    ..format
                },
            )
        }
        _ => reround(env, lhs, format),
    }
}

/// Returns the exponent as a number, and the significand with exponent zero: FXTRACT.
pub(crate) fn extract(env: &mut Env, value: Value) -> (Value, Value) {
    if value.is_nan() {
        let nan = nan_result(env, value, value);
        return (nan, nan);
    }
    if value.is_denormal {
        env.raised |= FloatExceptions::DENORMAL;
    }
    match value.kind {
        Kind::Zero => {
            env.raised |= FloatExceptions::ZERO_DIVIDE;
            (Value::infinity(true), value)
        }
        Kind::Finite {
            exponent,
            significand,
        } => {
            let part = Kind::Finite {
                exponent: 0,
                significand,
            };
            (
                Value::from_integer(i64::from(exponent)),
                Value::of(value.negative, part),
            )
        }
        _ => (Value::infinity(false), value),
    }
}
