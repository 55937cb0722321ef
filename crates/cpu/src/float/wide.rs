//! Numbers of 128 bits, on which functions are computed before their result is rounded once.
//!
//! Each operation is off by at most a unit or two in the last place. After the hundred of them that
//! the longest series takes, more than fifty bits below those of extended precision are right.

use super::{Env, Format, Kind, LEADING, Value, round, shift_right_sticky};

/// A number with a significand of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wide {
    negative: bool,
    exponent: i32,
    /// `significand` / 2^127 is from one to less than two, or the number is zero.
    significand: u128,
}

/// The leading bit of a significand.
const TOP: u128 = 1 << 127;
/// Terms of a series that are smaller than its sum by so many bits do not count.
const NEGLIGIBLE: i32 = 132;

impl Wide {
    pub(super) const ZERO: Self = Self::new(0, 0);
    pub(super) const ONE: Self = Self::new(0, TOP);
    /// ln 2.
    pub(super) const LN_2: Self = Self::new(-1, 0xB172_17F7_D1CF_79AB_C9E3_B398_03F2_F6AF);
    /// log2 e.
    pub(super) const LOG2_E: Self = Self::new(0, 0xB8AA_3B29_5C17_F0BB_BE87_FED0_691D_3E89);
    /// pi, and parts of it, to the last bit: what inverse functions give.
    pub(super) const PI: Self = Self::new(1, 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1);
    pub(super) const HALF_PI: Self = Self::new(0, Self::PI.significand);
    pub(super) const QUARTER_PI: Self = Self::new(-1, Self::PI.significand);
    pub(super) const THREE_QUARTERS_PI: Self =
        Self::new(1, 0x96CB_E3F9_990E_91A7_9394_C9E8_A0A5_159D);

    /// Returns a positive number.
    pub(super) const fn new(exponent: i32, significand: u128) -> Self {
        Self {
            negative: false,
            exponent,
            significand,
        }
    }

    /// Returns a finite number exactly, and zero for everything else.
    pub(super) fn of(value: Value) -> Self {
        match value.kind {
            Kind::Finite {
                exponent,
                significand,
            } => Self {
                negative: value.negative,
                exponent,
                significand: u128::from(significand) << 64,
            },
            _ => Self::ZERO,
        }
    }

    /// Returns `integer` * 2^`scale`, whose integer is not negative.
    pub(super) fn scaled(integer: u128, scale: i32) -> Self {
        if integer == 0 {
            return Self::ZERO;
        }
        let shift = integer.leading_zeros();
        Self::new(127 - shift.cast_signed() + scale, integer << shift)
    }

    /// Rounds to extended precision.
    pub(super) fn round(self, env: &mut Env) -> Value {
        let Self {
            negative,
            exponent,
            significand,
        } = self;
        round(env, negative, exponent, significand, Format::EXTENDED)
    }

    /// Returns the number, known not to be what its bits say but a little away from it.
    pub(super) const fn inexact(self) -> Self {
        Self {
            significand: self.significand | 1,
            ..self
        }
    }

    pub(super) const fn is_zero(self) -> bool {
        self.significand == 0
    }

    pub(super) const fn is_negative(self) -> bool {
        self.negative
    }

    pub(super) const fn exponent(self) -> i32 {
        self.exponent
    }

    pub(super) const fn abs(self) -> Self {
        Self {
            negative: false,
            ..self
        }
    }

    pub(super) const fn negated(self) -> Self {
        self.with_sign(!self.negative)
    }

    pub(super) const fn with_sign(self, negative: bool) -> Self {
        Self { negative, ..self }
    }

    /// Tells whether the magnitude is below that of another number.
    pub(super) fn is_smaller(self, other: Self) -> bool {
        if self.is_zero() || other.is_zero() {
            return !other.is_zero();
        }
        (self.exponent, self.significand) < (other.exponent, other.significand)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        if other.is_zero() {
            return self;
        }
        if self.is_zero() {
            return other;
        }
        let (large, small) = if self.is_smaller(other) {
            (other, self)
        } else {
            (self, other)
        };
        let distance = (large.exponent - small.exponent).unsigned_abs();
        // One bit of room above.
        let a = large.significand >> 1 | large.significand & 1;
        let b = shift_right_sticky(small.significand, distance.saturating_add(1));
        let sum = if large.negative == small.negative {
            a + b
        } else {
            a - b
        };
        Self::scaled(sum, large.exponent - 126).with_sign(large.negative)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    pub(super) fn times(self, other: Self) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::ZERO;
        }
        let product = high_product(self.significand, other.significand);
        let exponent = self.exponent + other.exponent;
        Self::scaled(product, exponent - 126).with_sign(self.negative != other.negative)
    }

    pub(super) fn over(self, other: Self) -> Self {
        if self.is_zero() {
            return Self::ZERO;
        }
        let divisor = other.significand;
        let (mut rest, mut quotient) = (self.significand, 0_u128);
        let mut exponent = self.exponent - other.exponent;
        let mut carry = false;
        if rest < divisor {
            exponent -= 1;
            carry = rest & TOP != 0;
            rest <<= 1;
        }
        for _ in 0..u128::BITS {
            quotient <<= 1;
            if carry || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                quotient |= 1;
            }
            carry = rest & TOP != 0;
            rest <<= 1;
        }
        let sticky = u128::from(carry || rest != 0);
        Self {
            negative: self.negative != other.negative,
            exponent,
            significand: quotient | sticky,
        }
    }

    /// Divides by a small positive integer.
    pub(super) fn over_integer(self, divisor: u32) -> Self {
        let divisor = u128::from(divisor);
        let (quotient, rest) = (self.significand / divisor, self.significand % divisor);
        let shift = quotient.leading_zeros().min(u128::BITS - 1);
        let low = (rest << shift) / divisor;
        Self {
            exponent: self.exponent - shift.cast_signed(),
            significand: quotient << shift | low,
            ..self
        }
    }

    /// Tells whether adding a term would not change the sum.
    pub(super) fn is_negligible(self, sum: Self) -> bool {
        self.is_zero() || self.exponent < sum.exponent - NEGLIGIBLE
    }

    /// Returns the number times sixteen, rounded to an integer, for a number from zero to one.
    pub(super) fn sixteenths(self) -> usize {
        let shift = 127 - 5 - self.exponent;
        if self.is_zero() || shift > 127 {
            return 0;
        }
        // In halves of sixteenths, with one more half to round.
        let halves = self.significand >> shift.unsigned_abs();
        usize::try_from(halves.div_ceil(2)).unwrap_or(usize::MAX)
    }

    /// Returns the significand as a number from one to less than two, and the exponent.
    pub(super) const fn split(self) -> (Self, i32) {
        (Self::new(0, self.significand), self.exponent)
    }

    /// Returns half the number.
    pub(super) const fn halved(self) -> Self {
        Self {
            exponent: self.exponent - 1,
            ..self
        }
    }

    /// Returns the upper half of the significand, all there is of a number of 64 bits.
    pub(super) const fn leading_64(self) -> u128 {
        self.significand >> 64
    }
}

const _: () = assert!(TOP >> 64 == LEADING as u128, "64 bits are the upper half");

/// Returns the upper 128 bits of a product, with the lowest one set if any below is.
fn high_product(a: u128, b: u128) -> u128 {
    const HALF: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & HALF);
    let (b_high, b_low) = (b >> 64, b & HALF);
    let low = a_low * b_low;
    let (first, second) = (a_high * b_low, a_low * b_high);
    let middle = (low >> 64) + (first & HALF) + (second & HALF);
    let high = a_high * b_high + (first >> 64) + (second >> 64) + (middle >> 64);
    high | u128::from(middle & HALF != 0 || low & HALF != 0)
}
