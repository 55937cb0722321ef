//! Binary floating point in software: what x87 and SSE agree on, exact to the last bit and flag.
//!
//! Every number is unpacked to a significand of 64 bits, computed on with enough bits below, and
//! rounded once to the format asked for. Host arithmetic is not used: it has no access to flags,
//! rounding modes, or 80 bits.

use std::cmp::Ordering;

mod encode;
mod functions;
mod parts;
mod round;
mod wide;

pub(crate) use encode::{from_f32, from_f64, to_f32, to_f64};
pub(crate) use functions::{
    arc_tangent, cosine, logarithm, logarithm_of_sum, power_less_one, sine, tangent,
};
pub(crate) use parts::{Quotient, extract, remainder, scale};
pub(crate) use round::round;
use round::{cut, place};

bitflags::bitflags! {
    /// The floating-point exceptions, at their places in both status registers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct FloatExceptions: u8 {
        /// IE: an operand or operation that has no result.
        const INVALID = 1 << 0;
        /// DE: a denormal operand.
        const DENORMAL = 1 << 1;
        /// ZE: a finite number divided by zero.
        const ZERO_DIVIDE = 1 << 2;
        /// OE: a result above the format.
        const OVERFLOW = 1 << 3;
        /// UE: a result below the format's normal numbers.
        const UNDERFLOW = 1 << 4;
        /// PE: a result that had to be rounded.
        const PRECISION = 1 << 5;
    }
}

impl FloatExceptions {
    /// Those found before the operation, from its operands.
    pub(crate) const BEFORE: Self = Self::INVALID.union(Self::DENORMAL).union(Self::ZERO_DIVIDE);
}

/// Where a result goes that lies between two numbers, in the order of the control fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    Nearest,
    Down,
    Up,
    TowardZero,
}

impl Rounding {
    /// Returns the mode that a two-bit field encodes.
    pub(crate) const fn from_field(field: u32) -> Self {
        match field & 3 {
            0 => Self::Nearest,
            1 => Self::Down,
            2 => Self::Up,
            _ => Self::TowardZero,
        }
    }
}

/// Which of two NaN operands becomes the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NanRule {
    /// The one with the larger significand: x87.
    Larger,
    /// The first: SSE.
    First,
}

/// Whether a denormal counts as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denormals {
    Kept,
    Zero,
}

/// The precision and range of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// Bits of the significand, with the leading one.
    pub(crate) precision: u32,
    /// The exponent of the smallest normal number.
    pub(crate) min_exponent: i32,
    /// The exponent of the largest number.
    pub(crate) max_exponent: i32,
}

impl Format {
    pub(crate) const SINGLE: Self = Self {
        precision: 24,
        min_exponent: -126,
        max_exponent: 127,
    };
    pub(crate) const DOUBLE: Self = Self {
        precision: 53,
        min_exponent: -1022,
        max_exponent: 1023,
    };
    pub(crate) const EXTENDED: Self = Self {
        precision: 64,
        min_exponent: -16382,
        max_exponent: 16383,
    };
}

/// The environment of an operation: its control, and the exceptions it raised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Env {
    pub(crate) rounding: Rounding,
    pub(crate) nan_rule: NanRule,
    /// What becomes of denormal operands.
    pub(crate) operands: Denormals,
    /// What becomes of denormal results.
    pub(crate) results: Denormals,
    /// Exceptions that stop the program: an underflow that does is also one when it is exact.
    pub(crate) unmasked: FloatExceptions,
    pub(crate) raised: FloatExceptions,
    /// Whether the newest rounding went away from zero.
    pub(crate) rounded_up: bool,
}

impl Env {
    /// Returns an environment that keeps denormals.
    pub(crate) const fn new(rounding: Rounding, nan_rule: NanRule) -> Self {
        Self {
            rounding,
            nan_rule,
            operands: Denormals::Kept,
            results: Denormals::Kept,
            unmasked: FloatExceptions::empty(),
            raised: FloatExceptions::empty(),
            rounded_up: false,
        }
    }

    fn invalid(&mut self) -> Value {
        self.raised |= FloatExceptions::INVALID;
        Value::DEFAULT_NAN
    }
}

/// The most significant bit of a significand: set in every number but zero.
const LEADING: u64 = 1 << 63;
/// The bit that tells a quiet NaN from a signalling one.
const QUIET: u64 = 1 << 62;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Zero,
    /// `significand` / 2^63 * 2^`exponent`.
    Finite {
        exponent: i32,
        significand: u64,
    },
    Infinity,
    /// A NaN; `significand` has the leading bit, and the quiet bit unless it signals.
    Nan {
        significand: u64,
    },
    /// An 80-bit encoding that the processor does not take.
    Unsupported,
}

/// An unpacked number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) negative: bool,
    pub(crate) kind: Kind,
    /// Whether it was unpacked from a denormal.
    pub(crate) is_denormal: bool,
}

impl Value {
    /// The NaN that an invalid operation gives.
    pub(crate) const DEFAULT_NAN: Self = Self::of(
        true,
        Kind::Nan {
            significand: LEADING | QUIET,
        },
    );

    pub(crate) const fn of(negative: bool, kind: Kind) -> Self {
        Self {
            negative,
            kind,
            is_denormal: false,
        }
    }

    pub(crate) const fn zero(negative: bool) -> Self {
        Self::of(negative, Kind::Zero)
    }

    pub(crate) const fn infinity(negative: bool) -> Self {
        Self::of(negative, Kind::Infinity)
    }

    /// Returns an integer, which 64 bits always hold exactly.
    pub(crate) fn from_integer(value: i64) -> Self {
        let magnitude = value.unsigned_abs();
        if magnitude == 0 {
            return Self::zero(false);
        }
        let shift = magnitude.leading_zeros();
        let exponent = 63 - shift.cast_signed();
        Self::of(
            value < 0,
            Kind::Finite {
                exponent,
                significand: magnitude << shift,
            },
        )
    }

    pub(crate) const fn is_nan(&self) -> bool {
        matches!(self.kind, Kind::Nan { .. } | Kind::Unsupported)
    }

    pub(crate) const fn is_signaling(&self) -> bool {
        matches!(self.kind, Kind::Nan { significand } if significand & QUIET == 0)
    }

    /// Returns the number with the other sign.
    pub(crate) const fn negated(self) -> Self {
        Self {
            negative: !self.negative,
            ..self
        }
    }

    fn quieted(self) -> Self {
        match self.kind {
            Kind::Nan { significand } => Self::of(
                self.negative,
                Kind::Nan {
                    significand: significand | QUIET,
                },
            ),
            _ => Self::DEFAULT_NAN,
        }
    }

    fn significand(&self) -> u64 {
        match self.kind {
            Kind::Nan { significand } | Kind::Finite { significand, .. } => significand,
            _ => 0,
        }
    }
}

/// Rounds a number to a format; a signalling NaN becomes quiet and raises.
pub(crate) fn convert(env: &mut Env, value: Value, format: Format) -> Value {
    let value = operand(env, value);
    match value.kind {
        Kind::Finite {
            exponent,
            significand,
        } => round(
            env,
            value.negative,
            exponent,
            u128::from(significand) << 64,
            format,
        ),
        Kind::Nan { .. } | Kind::Unsupported => nan_result(env, value, value),
        Kind::Zero | Kind::Infinity => value,
    }
}

/// Returns zero for a denormal, if operands are flushed.
pub(crate) fn flushed(env: Env, value: Value) -> Value {
    if value.is_denormal && env.operands == Denormals::Zero {
        return Value::zero(value.negative);
    }
    value
}

/// Applies what happens to denormal operands.
fn operand(env: &mut Env, value: Value) -> Value {
    let value = flushed(*env, value);
    if value.is_denormal {
        env.raised |= FloatExceptions::DENORMAL;
    }
    value
}

/// Unpacked operands, or the NaN that the operation gives because of one of them.
fn operands(env: &mut Env, lhs: Value, rhs: Value) -> Result<(Value, Value), Value> {
    if lhs.is_nan() || rhs.is_nan() {
        return Err(nan_result(env, lhs, rhs));
    }
    Ok((operand(env, lhs), operand(env, rhs)))
}

fn nan_result(env: &mut Env, lhs: Value, rhs: Value) -> Value {
    if lhs.kind == Kind::Unsupported || rhs.kind == Kind::Unsupported {
        return env.invalid();
    }
    if lhs.is_signaling() || rhs.is_signaling() {
        env.raised |= FloatExceptions::INVALID;
    }
    if !rhs.is_nan() {
        return lhs.quieted();
    }
    if !lhs.is_nan() {
        return rhs.quieted();
    }
    match env.nan_rule {
        NanRule::First => lhs.quieted(),
        NanRule::Larger => larger_nan(lhs, rhs),
    }
}

/// A quiet NaN wins over a signalling one, then the larger significand, then the positive one.
fn larger_nan(lhs: Value, rhs: Value) -> Value {
    let chosen = match (lhs.is_signaling(), rhs.is_signaling()) {
        (true, false) => rhs,
        (false, true) => lhs,
        _ => match lhs.significand().cmp(&rhs.significand()) {
            Ordering::Less => rhs,
            Ordering::Equal if lhs.negative => rhs,
            Ordering::Greater | Ordering::Equal => lhs,
        },
    };
    chosen.quieted()
}

/// Returns `lhs + rhs`.
pub(crate) fn add(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value {
    let (lhs, rhs) = match operands(env, lhs, rhs) {
        Ok(pair) => pair,
        Err(nan) => return nan,
    };
    match (lhs.kind, rhs.kind) {
        (Kind::Infinity, Kind::Infinity) if lhs.negative != rhs.negative => env.invalid(),
        (Kind::Infinity, _) => lhs,
        (_, Kind::Infinity) => rhs,
        (Kind::Zero, Kind::Zero) if lhs.negative == rhs.negative => lhs,
        (Kind::Zero, Kind::Zero) => Value::zero(env.rounding == Rounding::Down),
        (Kind::Zero, _) => reround(env, rhs, format),
        (_, Kind::Zero) => reround(env, lhs, format),
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
            let is_left_larger = (left, a) >= (right, b);
            let (large, small) = if is_left_larger {
                (lhs, rhs)
            } else {
                (rhs, lhs)
            };
            let distance = left.abs_diff(right);
            let (a, b) = if is_left_larger { (a, b) } else { (b, a) };
            let wide = u128::from(a) << 62;
            let other = shift_right_sticky(u128::from(b) << 62, distance);
            let is_sum = large.negative == small.negative;
            let result = if is_sum { wide + other } else { wide - other };
            if result == 0 {
                return Value::zero(env.rounding == Rounding::Down);
            }
            round(env, large.negative, left.max(right) + 2, result, format)
        }
        _ => env.invalid(),
    }
}

/// Returns `lhs - rhs`.
pub(crate) fn sub(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value {
    if rhs.is_nan() {
        return add(env, lhs, rhs, format);
    }
    add(env, lhs, rhs.negated(), format)
}

fn reround(env: &mut Env, value: Value, format: Format) -> Value {
    match value.kind {
        Kind::Finite {
            exponent,
            significand,
        } => round(
            env,
            value.negative,
            exponent,
            u128::from(significand) << 64,
            format,
        ),
        _ => value,
    }
}

/// Returns `lhs * rhs`.
pub(crate) fn mul(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value {
    let (lhs, rhs) = match operands(env, lhs, rhs) {
        Ok(pair) => pair,
        Err(nan) => return nan,
    };
    let negative = lhs.negative != rhs.negative;
    match (lhs.kind, rhs.kind) {
        (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity) => env.invalid(),
        (Kind::Infinity, _) | (_, Kind::Infinity) => Value::infinity(negative),
        (
            Kind::Finite {
                exponent: left,
                significand: a,
            },
            Kind::Finite {
                exponent: right,
                significand: b,
            },
        ) => round(
            env,
            negative,
            left + right + 1,
            u128::from(a) * u128::from(b),
            format,
        ),
        _ => Value::zero(negative),
    }
}

/// Returns `lhs / rhs`.
pub(crate) fn div(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value {
    /// Bits of the quotient below the first 64: guard bits.
    const GUARD: u32 = 32;
    let before = env.raised;
    let (lhs, rhs) = match operands(env, lhs, rhs) {
        Ok(pair) => pair,
        Err(nan) => return nan,
    };
    let negative = lhs.negative != rhs.negative;
    match (lhs.kind, rhs.kind) {
        (Kind::Infinity, Kind::Infinity) | (Kind::Zero, Kind::Zero) => env.invalid(),
        (Kind::Infinity, _) => Value::infinity(negative),
        (_, Kind::Infinity) | (Kind::Zero, _) => Value::zero(negative),
        (_, Kind::Zero) => {
            // A denormal dividend is not reported beside it.
            env.raised = before | FloatExceptions::ZERO_DIVIDE;
            Value::infinity(negative)
        }
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
            let divisor = u128::from(b);
            let dividend = u128::from(a) << 64;
            let (quotient, rest) = (dividend / divisor, dividend % divisor);
            let rest = rest << GUARD;
            let quotient = quotient << GUARD | (rest / divisor);
            let sticky = u128::from(!rest.is_multiple_of(divisor));
            round(env, negative, left - right + 31, quotient | sticky, format)
        }
        _ => env.invalid(),
    }
}

/// Returns the square root.
pub(crate) fn sqrt(env: &mut Env, value: Value, format: Format) -> Value {
    /// Bits of the root: those of the widest format, and guard bits.
    const ROOT_BITS: u32 = 68;
    if value.is_nan() {
        return nan_result(env, value, value);
    }
    let value = flushed(*env, value);
    match value.kind {
        Kind::Zero => return value,
        // A negative denormal is invalid and no denormal operand.
        _ if value.negative => return env.invalid(),
        _ => {}
    }
    let value = operand(env, value);
    match value.kind {
        Kind::Finite {
            exponent,
            significand,
        } => {
            // An even exponent, and the radicand's digits in pairs from the top.
            let is_odd = exponent & 1 != 0;
            let mut digits = u128::from(significand) << if is_odd { 64 } else { 63 };
            let (mut root, mut rest) = (0_u128, 0_u128);
            for _ in 0..ROOT_BITS {
                rest = rest << 2 | digits >> 126;
                digits <<= 2;
                let trial = root << 2 | 1;
                root <<= 1;
                if rest >= trial {
                    rest -= trial;
                    root |= 1;
                }
            }
            let wide = root << (128 - ROOT_BITS) | u128::from(rest != 0);
            round(env, false, exponent.div_euclid(2), wide, format)
        }
        _ => value,
    }
}

/// Returns how two numbers compare; `None` if one is a NaN.
pub(crate) fn compare(env: &mut Env, lhs: Value, rhs: Value) -> Option<Ordering> {
    if lhs.is_nan() || rhs.is_nan() {
        let is_bad = |value: Value| value.is_signaling() || value.kind == Kind::Unsupported;
        if is_bad(lhs) || is_bad(rhs) {
            env.raised |= FloatExceptions::INVALID;
        }
        return None;
    }
    let (lhs, rhs) = (operand(env, lhs), operand(env, rhs));
    Some(rank(lhs).cmp(&rank(rhs)))
}

/// Orders numbers that are not NaNs.
fn rank(value: Value) -> (i32, i32, i128) {
    let sign = if value.negative { -1 } else { 1 };
    match value.kind {
        Kind::Finite {
            exponent,
            significand,
        } => (
            sign,
            sign * exponent,
            i128::from(sign) * i128::from(significand),
        ),
        Kind::Infinity => (sign, sign * i32::MAX, 0),
        _ => (0, 0, 0),
    }
}

/// Rounds to an integer, as a number.
pub(crate) fn round_to_integer(env: &mut Env, value: Value) -> Value {
    if value.is_nan() {
        return nan_result(env, value, value);
    }
    let value = operand(env, value);
    let Kind::Finite {
        exponent,
        significand,
    } = value.kind
    else {
        return value;
    };
    if exponent >= 63 {
        return value;
    }
    let wide = u128::from(significand) << 64;
    let cut = cut(env.rounding, value.negative, wide, exponent + 1);
    if cut.is_inexact {
        env.raised |= FloatExceptions::PRECISION;
    }
    env.rounded_up = cut.is_up;
    if exponent < 0 {
        // Nothing or one, whatever the exponent was.
        let one = Kind::Finite {
            exponent: 0,
            significand: LEADING,
        };
        return Value::of(value.negative, if cut.is_up { one } else { Kind::Zero });
    }
    place(env, value.negative, exponent, cut)
}

/// Rounds to a signed integer of `bits` bits; `None`, with the exception raised, if it has none.
pub(crate) fn to_integer(env: &mut Env, value: Value, bits: u32) -> Option<i64> {
    let before = env.raised;
    let rounded = round_to_integer(env, value);
    // Storing an integer does not report denormals.
    env.raised -= FloatExceptions::DENORMAL - before;
    let integer = match rounded.kind {
        Kind::Zero => Some(0),
        Kind::Finite {
            exponent,
            significand,
        } if exponent <= 63 => {
            let magnitude = i128::from(significand >> (63 - exponent).unsigned_abs());
            Some(if rounded.negative {
                -magnitude
            } else {
                magnitude
            })
        }
        _ => None,
    };
    let limit = 1_i128 << (bits - 1);
    let fits = integer.filter(|integer| (-limit..limit).contains(integer));
    if fits.is_none() {
        env.raised = before | FloatExceptions::INVALID;
        env.rounded_up = false;
    }
    fits.and_then(|integer| i64::try_from(integer).ok())
}

fn shift_right_sticky(value: u128, distance: u32) -> u128 {
    if distance >= 128 {
        return u128::from(value != 0);
    }
    let lost = value & ((1 << distance) - 1);
    value >> distance | u128::from(lost != 0)
}
