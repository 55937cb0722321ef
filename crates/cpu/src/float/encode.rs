//! Single and double precision, to and from unpacked numbers.

use super::{Kind, LEADING, Value};
use crate::alu::low;

/// Unpacks a number of `exponent_bits` and `fraction_bits` with an implied leading bit.
fn unpack(bits: u64, exponent_bits: u32, fraction_bits: u32) -> Value {
    let negative = bits >> (exponent_bits + fraction_bits) & 1 != 0;
    let exponent_mask = (1 << exponent_bits) - 1;
    let biased = low(bits >> fraction_bits & exponent_mask).cast_signed();
    let fraction = bits << (64 - fraction_bits) >> 1;
    let bias = low(exponent_mask / 2).cast_signed();
    if biased == low(exponent_mask).cast_signed() {
        let nan = Kind::Nan {
            significand: LEADING | fraction,
        };
        return Value::of(negative, if fraction == 0 { Kind::Infinity } else { nan });
    }
    if biased != 0 {
        let significand = LEADING | fraction;
        return Value::of(
            negative,
            Kind::Finite {
                exponent: biased - bias,
                significand,
            },
        );
    }
    if fraction == 0 {
        return Value::zero(negative);
    }
    let shift = fraction.leading_zeros();
    let exponent = 1 - bias - shift.cast_signed();
    let kind = Kind::Finite {
        exponent,
        significand: fraction << shift,
    };
    Value {
        negative,
        kind,
        is_denormal: true,
    }
}

/// Packs a number that has been rounded to the format.
fn pack(value: Value, exponent_bits: u32, fraction_bits: u32) -> u64 {
    let sign = u64::from(value.negative) << (exponent_bits + fraction_bits);
    let exponent_mask = (1_u64 << exponent_bits) - 1;
    let bias = low(exponent_mask / 2).cast_signed();
    let magnitude = match value.kind {
        Kind::Zero => 0,
        Kind::Infinity | Kind::Unsupported => exponent_mask << fraction_bits,
        Kind::Nan { significand } => {
            exponent_mask << fraction_bits | significand << 1 >> (64 - fraction_bits)
        }
        Kind::Finite {
            exponent,
            significand,
        } if exponent > -bias => {
            let biased = u64::from((exponent + bias).unsigned_abs());
            biased << fraction_bits | significand << 1 >> (64 - fraction_bits)
        }
        Kind::Finite {
            exponent,
            significand,
        } => {
            let shift = (1 - bias - exponent).unsigned_abs();
            (significand >> 1 >> (62 - fraction_bits))
                .checked_shr(shift)
                .unwrap_or(0)
        }
    };
    sign | magnitude
}

/// Unpacks a single-precision number.
pub(crate) fn from_f32(bits: u32) -> Value {
    unpack(u64::from(bits), 8, 23)
}

/// Unpacks a double-precision number.
pub(crate) fn from_f64(bits: u64) -> Value {
    unpack(bits, 11, 52)
}

/// Packs a number rounded to single precision.
pub(crate) fn to_f32(value: Value) -> u32 {
    low(pack(value, 8, 23))
}

/// Packs a number rounded to double precision.
pub(crate) fn to_f64(value: Value) -> u64 {
    pack(value, 11, 52)
}
