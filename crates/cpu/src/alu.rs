//! Arithmetic on values, with flags: what an instruction computes, without where its operands are.

use crate::flags::Flags;
use crate::width::Width;

/// The part of a shift count that the processor looks at, at every operand size.
const COUNT_MASK: u32 = 31;

/// ADD.
#[inline(always)]
pub(crate) fn add<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    add_with_carry(flags, lhs, rhs, false)
}

/// ADC.
#[inline(always)]
pub(crate) fn adc<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    let carry = flags.cf();
    add_with_carry(flags, lhs, rhs, carry)
}

#[inline(always)]
fn add_with_carry<T: Width>(flags: &mut Flags, lhs: T, rhs: T, carry: bool) -> T {
    let (a, b) = (u64::from(lhs.zero_extend()), u64::from(rhs.zero_extend()));
    let sum = a + b + u64::from(carry);
    let result = T::truncate(low(sum));
    flags.set_arithmetic(result, a ^ b ^ sum);
    result
}

/// SUB, and CMP without its result.
#[inline(always)]
pub(crate) fn sub<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    sub_with_borrow(flags, lhs, rhs, false)
}

/// SBB.
#[inline(always)]
pub(crate) fn sbb<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    let borrow = flags.cf();
    sub_with_borrow(flags, lhs, rhs, borrow)
}

#[inline(always)]
fn sub_with_borrow<T: Width>(flags: &mut Flags, lhs: T, rhs: T, borrow: bool) -> T {
    let (a, b) = (u64::from(lhs.zero_extend()), u64::from(rhs.zero_extend()));
    let difference = a.wrapping_sub(b).wrapping_sub(u64::from(borrow));
    let result = T::truncate(low(difference));
    flags.set_arithmetic(result, a ^ b ^ difference);
    result
}

/// AND, and TEST without its result.
#[inline(always)]
pub(crate) fn and<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    logic(flags, T::truncate(lhs.zero_extend() & rhs.zero_extend()))
}

/// OR.
#[inline(always)]
pub(crate) fn or<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    logic(flags, T::truncate(lhs.zero_extend() | rhs.zero_extend()))
}

/// XOR.
#[inline(always)]
pub(crate) fn xor<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
    logic(flags, T::truncate(lhs.zero_extend() ^ rhs.zero_extend()))
}

#[inline(always)]
fn logic<T: Width>(flags: &mut Flags, result: T) -> T {
    flags.set_logic(result);
    result
}

/// INC: CF stays.
#[inline(always)]
pub(crate) fn inc<T: Width>(flags: &mut Flags, value: T) -> T {
    let a = u64::from(value.zero_extend());
    let result = T::truncate(low(a + 1));
    flags.set_arithmetic_keep_carry(result, a ^ 1 ^ (a + 1));
    result
}

/// DEC: CF stays.
#[inline(always)]
pub(crate) fn dec<T: Width>(flags: &mut Flags, value: T) -> T {
    let a = u64::from(value.zero_extend());
    let difference = a.wrapping_sub(1);
    let result = T::truncate(low(difference));
    flags.set_arithmetic_keep_carry(result, a ^ 1 ^ difference);
    result
}

/// NEG: CF tells that the operand was not zero.
#[inline(always)]
pub(crate) fn neg<T: Width>(flags: &mut Flags, value: T) -> T {
    sub(flags, T::truncate(0), value)
}

/// NOT: no flags.
#[inline(always)]
pub(crate) fn not<T: Width>(value: T) -> T {
    T::truncate(!value.zero_extend())
}

/// SHL. A masked count of zero changes nothing, flags included.
#[inline(always)]
pub(crate) fn shl<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let original = u64::from(value.zero_extend());
    let wide = original << count;
    let result = T::truncate(low(wide));
    // Undefined for counts above 1, where processors show OF as if the count were 1.
    let of = (original ^ original << 1) >> (T::BITS - 1) & 1 != 0;
    flags.set_result(result, wide >> T::BITS & 1 != 0, of);
    result
}

/// SHR.
#[inline(always)]
pub(crate) fn shr<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let original = value.zero_extend();
    let result = T::truncate(original >> count);
    flags.set_result(
        result,
        original >> (count - 1) & 1 != 0,
        value.is_negative(),
    );
    result
}

/// SAR.
#[inline(always)]
pub(crate) fn sar<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let original = value.sign_extend().cast_signed();
    let result = T::truncate((original >> count).cast_unsigned());
    flags.set_result(result, original >> (count - 1) & 1 != 0, false);
    result
}

/// ROL: CF is the lowest bit of the result, also when the count is a multiple of the width.
#[inline(always)]
pub(crate) fn rol<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let result = rotate_left(value, count % T::BITS);
    let cf = result.zero_extend() & 1 != 0;
    flags.set_cf_of(cf, cf != result.is_negative());
    result
}

/// ROR: CF is the highest bit of the result.
#[inline(always)]
pub(crate) fn ror<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let result = rotate_left(value, (T::BITS - count % T::BITS) % T::BITS);
    let below_sign = result.zero_extend() & T::SIGN >> 1 != 0;
    flags.set_cf_of(result.is_negative(), result.is_negative() != below_sign);
    result
}

/// RCL: a rotation of width + 1 bits, CF above the operand.
pub(crate) fn rcl<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = (count & COUNT_MASK) % (T::BITS + 1);
    if count == 0 {
        return value;
    }
    let wide = with_carry(flags, value);
    let rotated = wide << count | wide >> (T::BITS + 1 - count);
    let result = T::truncate(low(rotated));
    let cf = rotated >> T::BITS & 1 != 0;
    flags.set_cf_of(cf, cf != result.is_negative());
    result
}

/// RCR: RCL the other way.
pub(crate) fn rcr<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
    let count = (count & COUNT_MASK) % (T::BITS + 1);
    if count == 0 {
        return value;
    }
    let wide = with_carry(flags, value);
    let rotated = wide >> count | wide << (T::BITS + 1 - count);
    let result = T::truncate(low(rotated));
    let below_sign = result.zero_extend() & T::SIGN >> 1 != 0;
    flags.set_cf_of(
        rotated >> T::BITS & 1 != 0,
        result.is_negative() != below_sign,
    );
    result
}

/// SHLD. Counts above the width leave an undefined result (16 bits only).
pub(crate) fn shld<T: Width>(flags: &mut Flags, value: T, from: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let joined = u64::from(value.zero_extend()) << T::BITS | u64::from(from.zero_extend());
    let wide = u128::from(joined) << count;
    let result = T::truncate(low(low_half(wide >> T::BITS)));
    let cf = wide >> (2 * T::BITS) & 1 != 0;
    flags.set_result(result, cf, result.is_negative() != value.is_negative());
    result
}

/// SHRD.
pub(crate) fn shrd<T: Width>(flags: &mut Flags, value: T, from: T, count: u32) -> T {
    let count = count & COUNT_MASK;
    if count == 0 {
        return value;
    }
    let joined = u64::from(from.zero_extend()) << T::BITS | u64::from(value.zero_extend());
    let result = T::truncate(low(joined >> count));
    let cf = joined >> (count - 1) & 1 != 0;
    flags.set_result(result, cf, result.is_negative() != value.is_negative());
    result
}

/// Returns the two halves, low first, of an unsigned product; CF and OF tell that the high half
/// counts.
#[inline(always)]
pub(crate) fn mul<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> (T, T) {
    let product = u64::from(lhs.zero_extend()) * u64::from(rhs.zero_extend());
    let (low_half, high_half) = halves::<T>(product);
    set_product_flags(flags, low_half, high_half.zero_extend() != 0);
    (low_half, high_half)
}

/// Returns the two halves, low first, of a signed product; CF and OF tell that the low half does
/// not hold it.
#[inline(always)]
pub(crate) fn imul<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> (T, T) {
    let signed = |value: T| i64::from(value.sign_extend().cast_signed());
    let product = signed(lhs) * signed(rhs);
    let (low_half, high_half) = halves::<T>(product.cast_unsigned());
    set_product_flags(flags, low_half, signed(low_half) != product);
    (low_half, high_half)
}

#[inline(always)]
fn set_product_flags<T: Width>(flags: &mut Flags, low_half: T, overflow: bool) {
    flags.set_result(low_half, overflow, overflow);
}

/// Returns quotient and remainder of an unsigned division of `high:low`, or `None` for #DE.
pub(crate) fn div<T: Width>(high: T, low: T, divisor: T) -> Option<(T, T)> {
    let dividend = u64::from(high.zero_extend()) << T::BITS | u64::from(low.zero_extend());
    let divisor = u64::from(divisor.zero_extend());
    let quotient = dividend.checked_div(divisor)?;
    if quotient > u64::from(T::MASK) {
        return None;
    }
    Some((truncate_wide(quotient), truncate_wide(dividend % divisor)))
}

/// Returns quotient and remainder of a signed division of `high:low`, or `None` for #DE.
pub(crate) fn idiv<T: Width>(high: T, low: T, divisor: T) -> Option<(T, T)> {
    let dividend =
        i64::from(high.sign_extend().cast_signed()) << T::BITS | i64::from(low.zero_extend());
    let divisor = i64::from(divisor.sign_extend().cast_signed());
    let quotient = dividend.checked_div(divisor)?;
    let limit = i64::from(T::SIGN);
    if !(-limit..limit).contains(&quotient) {
        return None;
    }
    let remainder = dividend.wrapping_rem(divisor);
    Some((
        truncate_wide(quotient.cast_unsigned()),
        truncate_wide(remainder.cast_unsigned()),
    ))
}

fn rotate_left<T: Width>(value: T, count: u32) -> T {
    let wide = u64::from(value.zero_extend()) << count;
    T::truncate(low(wide | wide >> T::BITS))
}

fn with_carry<T: Width>(flags: &Flags, value: T) -> u64 {
    u64::from(flags.cf()) << T::BITS | u64::from(value.zero_extend())
}

fn halves<T: Width>(product: u64) -> (T, T) {
    (truncate_wide(product), truncate_wide(product >> T::BITS))
}

fn truncate_wide<T: Width>(value: u64) -> T {
    T::truncate(low(value))
}

/// Returns the low 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
const fn low_half(value: u128) -> u64 {
    value as u64
}

/// Returns the low 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
#[inline(always)]
pub(crate) const fn low(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests;
