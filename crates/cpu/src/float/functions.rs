//! Sine, cosine, tangent, arc tangent, powers and logarithms of two, correctly rounded but for one
//! case in 2^50.
//!
//! Arguments of trigonometric functions are reduced by the processor's own pi, which has 66 bits
//! (SDM Vol. 1, "Approximation of Pi"): near multiples of pi that is not what mathematics gives.

use super::wide::Wide;
use super::{Env, FloatExceptions, Format, Kind, Value, nan_result, operand};

/// The processor's pi, in units of 2^-66.
const PI: u128 = 0xC_90FD_AA22_168C_234C;
/// A quarter of a turn is `PI` units of this power of two.
const QUARTER_SCALE: i32 = -67;
/// Sine, cosine and tangent take arguments below 2^63.
const RANGE: i32 = 63;

/// An angle: quarter turns, and the rest, at most half a quarter either way.
#[derive(Debug, Clone, Copy)]
struct Angle {
    quarters: u32,
    rest: Wide,
}

/// The result of a trigonometric function whose argument may be too large for it.
pub(crate) type InRange<T> = Option<T>;

/// Returns the sine; `None` if the argument is out of range.
pub(crate) fn sine(env: &mut Env, value: Value) -> InRange<Value> {
    trigonometric(env, value, |env, angle| sine_of(angle).inexact().round(env))
}

/// Returns the cosine; `None` if the argument is out of range.
pub(crate) fn cosine(env: &mut Env, value: Value) -> InRange<Value> {
    if value.kind == Kind::Zero {
        return Some(Wide::ONE.round(env));
    }
    trigonometric(env, value, |env, angle| {
        cosine_of(angle).inexact().round(env)
    })
}

/// Returns the tangent; `None` if the argument is out of range.
pub(crate) fn tangent(env: &mut Env, value: Value) -> InRange<Value> {
    trigonometric(env, value, |env, angle| {
        let tangent = sine_of(angle).over(cosine_of(angle));
        tangent.inexact().round(env)
    })
}

/// Treats arguments that have no angle, and zero, which is its own sine and tangent.
fn trigonometric(
    env: &mut Env,
    value: Value,
    function: impl FnOnce(&mut Env, Angle) -> Value,
) -> InRange<Value> {
    if value.is_nan() {
        return Some(nan_result(env, value, value));
    }
    match value.kind {
        Kind::Infinity => return Some(env.invalid()),
        Kind::Finite { exponent, .. } if exponent >= RANGE => return None,
        Kind::Zero => return Some(value),
        _ => {}
    }
    let value = operand(env, value);
    let angle = reduce(Wide::of(value));
    Some(function(env, angle))
}

/// Takes quarter turns off an argument.
fn reduce(value: Wide) -> Angle {
    /// Below half a quarter turn nothing is to be done.
    const SMALL: i32 = -1;
    if value.exponent() < SMALL {
        return Angle {
            quarters: 0,
            rest: value,
        };
    }
    let (rest, quarters) = divide_by_quarter(value.abs());
    let (rest, quarters) = if 2 * rest > PI {
        let beyond = Wide::scaled(PI - rest, QUARTER_SCALE);
        (beyond.negated(), quarters.wrapping_add(1))
    } else {
        (Wide::scaled(rest, QUARTER_SCALE), quarters)
    };
    if value.is_negative() {
        return Angle {
            quarters: quarters.wrapping_neg(),
            rest: rest.negated(),
        };
    }
    Angle { quarters, rest }
}

/// Divides a number of 64 bits by a quarter turn: the rest in units, and the low bits of the
/// quotient.
fn divide_by_quarter(value: Wide) -> (u128, u32) {
    let steps = value.exponent() - 63 - QUARTER_SCALE;
    let (mut rest, mut quotient) = (value.leading_64(), 0_u32);
    for _ in 0..steps {
        rest <<= 1;
        quotient <<= 1;
        if rest >= PI {
            rest -= PI;
            quotient |= 1;
        }
    }
    (rest, quotient)
}

fn sine_of(angle: Angle) -> Wide {
    let sine = match angle.quarters % 2 {
        0 => sine_series(angle.rest),
        _ => cosine_series(angle.rest),
    };
    if angle.quarters % 4 >= 2 {
        sine.negated()
    } else {
        sine
    }
}

fn cosine_of(angle: Angle) -> Wide {
    sine_of(Angle {
        quarters: angle.quarters.wrapping_add(1),
        ..angle
    })
}

/// x - x^3/3! + x^5/5! - ...
fn sine_series(x: Wide) -> Wide {
    alternating_factorials(x, x.times(x), 1)
}

/// 1 - x^2/2! + x^4/4! - ...
fn cosine_series(x: Wide) -> Wide {
    alternating_factorials(Wide::ONE, x.times(x), 0)
}

fn alternating_factorials(first: Wide, square: Wide, degree: u32) -> Wide {
    let (mut sum, mut term, mut degree) = (first, first, degree);
    while !term.is_negligible(sum) {
        let divisor = (degree + 1) * (degree + 2);
        term = term.times(square).over_integer(divisor).negated();
        degree += 2;
        sum = sum.plus(term);
    }
    sum
}

/// Returns the angle of the point with ordinate `y` and abscissa `x`: FPATAN.
pub(crate) fn arc_tangent(env: &mut Env, y: Value, x: Value) -> Value {
    if y.is_nan() || x.is_nan() {
        return nan_result(env, x, y);
    }
    let (y, x) = (operand(env, y), operand(env, x));
    let angle = match (y.kind, x.kind) {
        (Kind::Infinity, Kind::Infinity) if x.negative => Wide::THREE_QUARTERS_PI,
        (Kind::Infinity, Kind::Infinity) => Wide::QUARTER_PI,
        (Kind::Infinity, _) => Wide::HALF_PI,
        (_, Kind::Infinity) | (Kind::Zero, _) if x.negative => Wide::PI,
        (_, Kind::Infinity) | (Kind::Zero, _) => return Value::zero(y.negative),
        (_, Kind::Zero) => Wide::HALF_PI,
        _ => angle_of(Wide::of(y).abs(), Wide::of(x)),
    };
    angle.with_sign(y.negative).inexact().round(env)
}

/// The angle of a point above the axis.
fn angle_of(y: Wide, x: Wide) -> Wide {
    let is_steep = x.is_smaller(y);
    let acute = if is_steep {
        arc_tangent_up_to_one(x.abs().over(y))
    } else {
        arc_tangent_up_to_one(y.over(x.abs()))
    };
    match (is_steep, x.is_negative()) {
        (false, false) => acute,
        (false, true) => Wide::PI.minus(acute),
        (true, false) => Wide::HALF_PI.minus(acute),
        (true, true) => Wide::HALF_PI.plus(acute),
    }
}

/// The arc tangents of sixteenths: exponent and significand.
const ARC_TANGENTS: [(i32, u128); 17] = [
    (0, 0),
    (-5, 0xFFAA_DDB9_67EF_4E36_CB27_92DC_0E2E_0D51),
    (-4, 0xFEAD_D4D5_617B_6E32_C897_989F_3E88_8EF8),
    (-3, 0xBDCB_DA5E_72D8_1134_7B0B_4F88_1C9C_7488),
    (-3, 0xFADB_AFC9_6406_EB15_6DC7_9EF5_F7A2_17E6),
    (-2, 0x9B13_B9B8_3F5E_5E69_C5AB_B498_D27A_F328),
    (-2, 0xB7B0_CA0F_26F7_8473_8AA3_2122_DCFE_4483),
    (-2, 0xD327_761E_611F_E5B6_427C_95E9_001E_7136),
    (-2, 0xED63_382B_0DDA_7B45_6FE4_45EC_BC3A_8D03),
    (-1, 0x832B_F4A6_D986_7E2A_4B6A_09CB_61A5_15C1),
    (-1, 0x8F00_5D5E_F7F5_9F9B_5C83_5E16_65C4_3748),
    (-1, 0x9A2F_80E6_71BD_DA20_4226_F8E2_204F_F3BD),
    (-1, 0xA4BC_7D19_34F7_0924_19A8_7F2A_457D_AC9F),
    (-1, 0xAEAC_4C38_B4D8_C080_1472_5E2F_3E52_070A),
    (-1, 0xB805_3E2B_C231_9E73_CB2D_A552_10A4_443D),
    (-1, 0xC0CE_85B8_AC52_6640_89DD_62C4_6E92_FA25),
    (-1, 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1),
];

/// By the arc tangent of the next sixteenth, and a series for what is left.
fn arc_tangent_up_to_one(z: Wide) -> Wide {
    let index = z.sixteenths().min(ARC_TANGENTS.len() - 1);
    let near = Wide::scaled(index as u128, -4);
    let (exponent, significand) = ARC_TANGENTS[index];
    let left = z.minus(near).over(Wide::ONE.plus(z.times(near)));
    Wide::new(exponent, significand).plus(odd_powers(left, Sign::Alternating))
}

/// Whether the terms of a series change their signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Alternating,
    Same,
}

/// x ± x^3/3 + x^5/5 ± ...
fn odd_powers(x: Wide, sign: Sign) -> Wide {
    let square = match sign {
        Sign::Alternating => x.times(x).negated(),
        Sign::Same => x.times(x),
    };
    let (mut sum, mut power, mut degree) = (x, x, 1);
    while !power.is_negligible(sum) {
        power = power.times(square);
        degree += 2;
        sum = sum.plus(power.over_integer(degree));
    }
    sum
}

/// Returns 2^x - 1 for x from -1 to 1: F2XM1. Beyond, where the manual leaves it open, x itself.
pub(crate) fn power_less_one(env: &mut Env, value: Value) -> Value {
    if value.is_nan() {
        return nan_result(env, value, value);
    }
    match value.kind {
        Kind::Infinity if value.negative => return Wide::ONE.negated().round(env),
        Kind::Finite { exponent, .. } if exponent < 0 => {}
        Kind::Finite { .. } => {
            // Exact, and reported as if it were not.
            env.raised |= FloatExceptions::PRECISION;
            let is_minus_one = Wide::of(value) == Wide::ONE.negated();
            return if is_minus_one {
                Wide::ONE.halved().negated().round(env)
            } else {
                value
            };
        }
        _ => return value,
    }
    let value = operand(env, value);
    let x = Wide::of(value).times(Wide::LN_2);
    let (mut sum, mut term, mut degree) = (x, x, 1);
    while !term.is_negligible(sum) {
        degree += 1;
        term = term.times(x).over_integer(degree);
        sum = sum.plus(term);
    }
    sum.inexact().round(env)
}

/// Returns `y` * log2 `x`: FYL2X.
pub(crate) fn logarithm(env: &mut Env, y: Value, x: Value) -> Value {
    if y.is_nan() || x.is_nan() {
        return nan_result(env, x, y);
    }
    if x.negative && x.kind != Kind::Zero {
        return env.invalid();
    }
    match (y.kind, x.kind) {
        (Kind::Zero, Kind::Zero | Kind::Infinity) => return env.invalid(),
        (Kind::Finite { .. }, Kind::Zero) => {
            env.raised |= FloatExceptions::ZERO_DIVIDE;
            return Value::infinity(!y.negative);
        }
        (Kind::Infinity, Kind::Zero) => return Value::infinity(!y.negative),
        _ => {}
    }
    let (y, x) = (operand(env, y), operand(env, x));
    if x.kind == Kind::Infinity {
        return Value::infinity(y.negative);
    }
    let logarithm = log2_of(Wide::of(x));
    scaled_logarithm(env, y, logarithm)
}

/// Returns `y` * log2 (1 + `x`): FYL2XP1. The manual leaves open what is beyond 1 - sqrt(1/2);
/// here the formula holds for every x above -1.
pub(crate) fn logarithm_of_sum(env: &mut Env, y: Value, x: Value) -> Value {
    /// Up to a quarter the logarithm is that of the sum by its distance from one.
    const NEAR: i32 = -2;
    if y.is_nan() || x.is_nan() {
        return nan_result(env, x, y);
    }
    match (y.kind, x.kind) {
        (_, Kind::Infinity) if x.negative => return env.invalid(),
        (Kind::Zero, Kind::Infinity) | (Kind::Infinity, Kind::Zero) => return env.invalid(),
        _ => {}
    }
    let (y, x) = (operand(env, y), operand(env, x));
    match x.kind {
        Kind::Infinity => return Value::infinity(y.negative),
        Kind::Zero => return Value::zero(x.negative != y.negative),
        _ => {}
    }
    let x = Wide::of(x);
    let sum = Wide::ONE.plus(x);
    if sum.is_negative() || sum.is_zero() {
        return env.invalid();
    }
    let logarithm = if x.exponent() < NEAR {
        let ratio = x.over(Wide::ONE.plus(sum));
        from_ratio(ratio).inexact()
    } else {
        log2_of(sum)
    };
    scaled_logarithm(env, y, logarithm)
}

/// Multiplies by a logarithm that may be zero, and by a factor that may not be finite.
fn scaled_logarithm(env: &mut Env, y: Value, logarithm: Wide) -> Value {
    let negative = y.negative != logarithm.is_negative();
    match y.kind {
        Kind::Infinity if logarithm.is_zero() => env.invalid(),
        Kind::Infinity => Value::infinity(negative),
        Kind::Zero => Value::zero(negative),
        _ if logarithm.is_zero() => Value::zero(negative),
        _ => {
            // Also exact products, of powers of two, are reported as if they were not.
            env.raised |= FloatExceptions::PRECISION;
            let product = Wide::of(y).times(logarithm);
            if product.exponent() < Format::EXTENDED.min_exponent {
                env.raised |= FloatExceptions::UNDERFLOW;
            }
            product.round(env)
        }
    }
}

/// The logarithm of a positive number: exact for powers of two, and marked as inexact otherwise.
fn log2_of(value: Wide) -> Wide {
    /// sqrt 2, near enough to choose the nearer power of two.
    const ROOT: Wide = Wide::new(0, 0xB504_F333_F9DE_6484_597D_89B3_754A_BE9F);
    let (mut part, mut exponent) = value.split();
    if ROOT.is_smaller(part) {
        part = part.halved();
        exponent += 1;
    }
    let whole = Wide::scaled(u128::from(exponent.unsigned_abs()), 0).with_sign(exponent < 0);
    let above = part.minus(Wide::ONE);
    if above.is_zero() {
        return whole;
    }
    let ratio = above.over(part.plus(Wide::ONE));
    whole.plus(from_ratio(ratio)).inexact()
}

/// log2 ((1 + r) / (1 - r)).
fn from_ratio(ratio: Wide) -> Wide {
    let half = odd_powers(ratio, Sign::Same);
    half.plus(half).times(Wide::LOG2_E)
}
