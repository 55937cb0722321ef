//! Rounding: the one place where a result becomes a number of its format.

use super::{Denormals, Env, FloatExceptions, Format, Kind, LEADING, Rounding, Value};

/// Rounds `significand` / 2^127 * 2^`exponent`, whose lowest bit may stand for any bits below it.
pub(crate) fn round(
    env: &mut Env,
    negative: bool,
    exponent: i32,
    significand: u128,
    format: Format,
) -> Value {
    let shift = significand.leading_zeros();
    if significand == 0 {
        return Value::zero(negative);
    }
    let (significand, exponent) = (significand << shift, exponent - shift.cast_signed());
    let precision = format.precision.cast_signed();
    let normal = cut(env.rounding, negative, significand, precision);
    let tiny_by = format.min_exponent - (exponent + normal.carry);
    if tiny_by > 0 {
        if env.unmasked.contains(FloatExceptions::UNDERFLOW) {
            return reported(
                env,
                FloatExceptions::UNDERFLOW,
                negative,
                exponent,
                normal,
                format,
            );
        }
        if env.results == Denormals::Zero {
            env.raised |= FloatExceptions::UNDERFLOW | FloatExceptions::PRECISION;
            return Value::zero(negative);
        }
        let lost = format.min_exponent - exponent;
        let cut = cut(env.rounding, negative, significand, precision - lost);
        if cut.is_inexact {
            env.raised |= FloatExceptions::UNDERFLOW | FloatExceptions::PRECISION;
        }
        return place(env, negative, exponent, cut);
    }
    let lost = (format.min_exponent - exponent).max(0);
    let cut = if lost > 0 {
        cut(env.rounding, negative, significand, precision - lost)
    } else {
        normal
    };
    if exponent + cut.carry > format.max_exponent {
        if env.unmasked.contains(FloatExceptions::OVERFLOW) {
            return reported(
                env,
                FloatExceptions::OVERFLOW,
                negative,
                exponent,
                cut,
                format,
            );
        }
        return overflow(env, negative, format);
    }
    if cut.is_inexact {
        env.raised |= FloatExceptions::PRECISION;
    }
    place(env, negative, exponent, cut)
}

/// An overflow or underflow that is not masked: the result as if exponents had no bounds, moved
/// into the range of extended precision (SDM Vol. 1, "Numeric Overflow Exception (#O)"). Only x87
/// registers take it.
fn reported(
    env: &mut Env,
    exception: FloatExceptions,
    negative: bool,
    exponent: i32,
    cut: Cut,
    format: Format,
) -> Value {
    /// How far exponents are moved.
    const BIAS: i32 = 24_576;
    env.raised |= exception;
    if cut.is_inexact {
        env.raised |= FloatExceptions::PRECISION;
    }
    if format.max_exponent != Format::EXTENDED.max_exponent {
        // Nobody takes it.
        return Value::zero(negative);
    }
    let is_overflow = exception == FloatExceptions::OVERFLOW;
    let exponent = if is_overflow {
        exponent - BIAS
    } else {
        exponent + BIAS
    };
    let Format {
        min_exponent,
        max_exponent,
        ..
    } = Format::EXTENDED;
    if (min_exponent..=max_exponent).contains(&(exponent + cut.carry)) {
        return place(env, negative, exponent, cut);
    }
    // Only FSCALE goes so far.
    env.raised |= FloatExceptions::PRECISION;
    env.rounded_up = is_overflow;
    if is_overflow {
        Value::infinity(negative)
    } else {
        Value::zero(negative)
    }
}

fn overflow(env: &mut Env, negative: bool, format: Format) -> Value {
    env.raised |= FloatExceptions::OVERFLOW | FloatExceptions::PRECISION;
    let is_infinite = match env.rounding {
        Rounding::Nearest => true,
        Rounding::Up => !negative,
        Rounding::Down => negative,
        Rounding::TowardZero => false,
    };
    env.rounded_up = is_infinite;
    if is_infinite {
        return Value::infinity(negative);
    }
    let significand = u64::MAX << (64 - format.precision);
    Value::of(
        negative,
        Kind::Finite {
            exponent: format.max_exponent,
            significand,
        },
    )
}

/// A significand cut to fewer bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// The upper 64 bits; only the leading bit counts when it moved up.
    pub(super) significand: u64,
    /// How far the leading bit moved up.
    pub(super) carry: i32,
    pub(super) is_inexact: bool,
    pub(super) is_up: bool,
}

/// Keeps the upper `keep` bits, at most 64 and possibly none.
pub(super) fn cut(rounding: Rounding, negative: bool, significand: u128, keep: i32) -> Cut {
    let dropped_bits = (128 - keep).unsigned_abs();
    let (kept, half, rest) = match dropped_bits {
        0..=127 => {
            let kept = significand >> dropped_bits << dropped_bits;
            let half = 1_u128 << (dropped_bits - 1);
            (kept, significand & half != 0, significand & (half - 1) != 0)
        }
        128 => (0, significand >> 127 != 0, significand << 1 != 0),
        _ => (0, false, significand != 0),
    };
    let is_odd = dropped_bits < 128 && significand >> dropped_bits & 1 != 0;
    let is_inexact = half || rest;
    let is_up = is_inexact
        && match rounding {
            Rounding::Nearest => half && (rest || is_odd),
            Rounding::Up => !negative,
            Rounding::Down => negative,
            Rounding::TowardZero => false,
        };
    if !is_up {
        let significand = (kept >> 64) as u64;
        return Cut {
            significand,
            carry: 0,
            is_inexact,
            is_up,
        };
    }
    // One unit in the last place; without kept bits that is above the significand.
    let unit = 1_u128.checked_shl(dropped_bits);
    let sum = unit.and_then(|unit| kept.checked_add(unit));
    let carried = (128 - keep).max(128) - 127;
    Cut {
        significand: sum.map_or(LEADING, |sum| (sum >> 64) as u64),
        carry: if sum.is_some() { 0 } else { carried },
        is_inexact,
        is_up,
    }
}

pub(super) fn place(env: &mut Env, negative: bool, exponent: i32, cut: Cut) -> Value {
    env.rounded_up = cut.is_up;
    if cut.significand == 0 {
        return Value::zero(negative);
    }
    let exponent = exponent + cut.carry;
    Value::of(
        negative,
        Kind::Finite {
            exponent,
            significand: cut.significand,
        },
    )
}
