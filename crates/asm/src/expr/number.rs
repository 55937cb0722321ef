//! Numbers in the source: integers in any radix, characters, reals.

use crate::types::Type;

/// Returns the value of an integer, or `None` if a digit does not fit the radix.
pub(crate) fn parse_number(text: &[u8], default_radix: u32) -> Option<i128> {
    let (&last, head) = text.split_last()?;
    let suffix = match last.to_ascii_lowercase() {
        b'h' => Some(16),
        b'o' | b'q' => Some(8),
        b't' => Some(10),
        b'y' => Some(2),
        b'd' if default_radix <= 13 => Some(10),
        b'b' if default_radix <= 11 => Some(2),
        _ => None,
    };
    match suffix {
        Some(radix) => digits(head, radix),
        None => digits(text, default_radix),
    }
}

fn digits(text: &[u8], radix: u32) -> Option<i128> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_i128, |value, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        value
            .checked_mul(i128::from(radix))?
            .checked_add(i128::from(digit))
    })
}

/// Longest string that is a number.
const MAX_CHARACTERS: usize = 16;

/// Returns the value of a character constant: the first byte is the most significant one.
pub(crate) fn char_constant(bytes: &[u8]) -> Option<i128> {
    if bytes.len() >= MAX_CHARACTERS {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0_i128, |value, &byte| value << 8 | i128::from(byte)),
    )
}

/// Returns the bytes of a real number as a datum of this type, least significant first.
pub(crate) fn real_bits(text: &[u8], is_negative: bool, ty: Type) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(hex) = text.strip_suffix(['r', 'R']) {
        return hex_real(hex, ty);
    }
    match ty {
        Type::Real4 | Type::DWord | Type::SDWord => {
            let value: f32 = text.parse().ok()?;
            Some(
                if is_negative { -value } else { value }
                    .to_le_bytes()
                    .to_vec(),
            )
        }
        Type::Real8 | Type::QWord | Type::SQWord => {
            let value: f64 = text.parse().ok()?;
            Some(
                if is_negative { -value } else { value }
                    .to_le_bytes()
                    .to_vec(),
            )
        }
        Type::Real10 | Type::TByte => extended(text, is_negative).map(|bits| bits.to_vec()),
        _ => None,
    }
}

/// `3F800000r`: the bit pattern itself.
fn hex_real(hex: &str, ty: Type) -> Option<Vec<u8>> {
    let size = ty.scalar_size()? as usize;
    let digits = hex
        .strip_prefix('0')
        .filter(|rest| rest.len() == size * 2)
        .unwrap_or(hex);
    let bits = u128::from_str_radix(digits, 16).ok()?;
    let bytes = bits.to_le_bytes();
    bytes
        .get(size..)?
        .iter()
        .all(|&byte| byte == 0)
        .then(|| bytes.get(..size).map(<[u8]>::to_vec))?
}

/// Powers of ten outside of this range overflow or vanish in any case.
const MAX_POWER: i64 = 5200;
const EXTENDED_SIZE: usize = 10;
const EXTENDED_BIAS: i64 = 16383;
const EXTENDED_MAX_EXPONENT: i64 = 0x7FFE;

/// Converts a decimal number to the 80-bit format, rounded to nearest even.
///
/// The number is scaled to an integer quotient of more than 64 bits with exact arithmetic on
/// decimal digits, so that the rounding is right for any input.
fn extended(text: &str, is_negative: bool) -> Option<[u8; EXTENDED_SIZE]> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .map(|b| b.wrapping_sub(b'0'))
        .collect();
    if digits.iter().any(|&digit| digit > 9) || digits.is_empty() {
        return None;
    }
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let mut numerator = Big::from_decimal(&digits);
    if numerator.is_zero() {
        return Some(pack(0, 0, is_negative));
    }
    if power.abs() > MAX_POWER {
        return None;
    }
    let mut denominator = Big::one();
    let scaled = if power < 0 {
        &mut denominator
    } else {
        &mut numerator
    };
    for _ in 0..power.unsigned_abs() {
        scaled.multiply_add(10, 0);
    }
    let (mantissa, exponent) = divide(numerator, denominator);
    let biased = exponent + EXTENDED_BIAS;
    (1..=EXTENDED_MAX_EXPONENT)
        .contains(&biased)
        .then(|| pack(mantissa, biased, is_negative))
}

fn pack(mantissa: u64, biased: i64, is_negative: bool) -> [u8; EXTENDED_SIZE] {
    const SIGN: u16 = 0x8000;
    let sign = if is_negative { SIGN } else { 0 };
    let head = u16::try_from(biased).unwrap_or(0) | sign;
    let mut bytes = [0; EXTENDED_SIZE];
    bytes[..8].copy_from_slice(&mantissa.to_le_bytes());
    bytes[8..].copy_from_slice(&head.to_le_bytes());
    bytes
}

/// Returns the quotient as a mantissa with its top bit set and the power of two of that bit.
fn divide(mut numerator: Big, mut denominator: Big) -> (u64, i64) {
    let mut exponent = numerator.bits() - denominator.bits();
    if exponent > 0 {
        denominator.shift_left(exponent.unsigned_abs());
    } else {
        numerator.shift_left(exponent.unsigned_abs());
    }
    if numerator.less_than(&denominator) {
        numerator.shift_left(1);
        exponent -= 1;
    }
    let mut mantissa = 0_u64;
    for _ in 0..u64::BITS {
        mantissa <<= 1;
        if !numerator.less_than(&denominator) {
            numerator.subtract(&denominator);
            mantissa |= 1;
        }
        numerator.shift_left(1);
    }
    let above_half = !numerator.less_than(&denominator);
    let exactly_half = above_half && {
        let mut rest = numerator;
        rest.subtract(&denominator);
        rest.is_zero()
    };
    if above_half && (!exactly_half || mantissa & 1 == 1) {
        return match mantissa.checked_add(1) {
            Some(rounded) => (rounded, exponent),
            None => (1 << 63, exponent + 1),
        };
    }
    (mantissa, exponent)
}

/// A natural number of any size, least significant word first.
#[derive(Clone, Debug)]
struct Big(Vec<u32>);

impl Big {
    fn one() -> Self {
        Self(vec![1])
    }

    fn from_decimal(digits: &[u8]) -> Self {
        let mut big = Self(Vec::new());
        for &digit in digits {
            big.multiply_add(10, u32::from(digit));
        }
        big
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = low_word(carry);
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(low_word(carry));
        }
    }

    fn bits(&self) -> i64 {
        let Some(top) = self.0.last() else { return 0 };
        i64::try_from(self.0.len()).unwrap_or(0) * 32 - i64::from(top.leading_zeros())
    }

    fn shift_left(&mut self, count: u64) {
        let bits = count % 32;
        if bits != 0 {
            self.multiply_add(1 << bits, 0);
        }
        let words = usize::try_from(count / 32).unwrap_or(0);
        if !self.is_zero() && words > 0 {
            self.0.splice(0..0, std::iter::repeat_n(0, words));
        }
    }

    fn less_than(&self, other: &Self) -> bool {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
            == std::cmp::Ordering::Less
    }

    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (place, word) in self.0.iter_mut().enumerate() {
            let take = other.0.get(place).copied().unwrap_or(0);
            let (value, first) = word.overflowing_sub(take);
            let (value, second) = value.overflowing_sub(u32::from(borrow));
            *word = value;
            borrow = first || second;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

fn low_word(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_letter_tells_the_radix() {
        assert_eq!(parse_number(b"0FFh", 10), Some(255));
        assert_eq!(parse_number(b"10101010b", 10), Some(170));
        assert_eq!(parse_number(b"17o", 10), Some(15));
        assert_eq!(parse_number(b"99d", 10), Some(99));
        assert_eq!(parse_number(b"1b", 16), Some(0x1B));
        assert_eq!(parse_number(b"34G", 10), None);
        assert_eq!(
            parse_number(b"0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFh", 10),
            None
        );
    }

    #[test]
    fn reals_have_ieee_bits_in_every_width() {
        assert_eq!(
            real_bits(b"1.0", false, Type::Real4),
            Some(vec![0, 0, 0x80, 0x3F])
        );
        assert_eq!(
            real_bits(b"7F800000r", false, Type::Real4),
            Some(vec![0, 0, 0x80, 0x7F])
        );
        let ten = |text: &[u8], negative| {
            let bits = real_bits(text, negative, Type::Real10).expect("a number");
            bits.iter()
                .rev()
                .fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
        };
        assert_eq!(ten(b"1.0", true), "BFFF8000000000000000");
        assert_eq!(
            ten(b"3.14159265358979323846", false),
            "4000C90FDAA22168C235"
        );
        assert_eq!(ten(b"0.1", false), "3FFBCCCCCCCCCCCCCCCD");
        assert_eq!(ten(b"0.0", false), "00000000000000000000");
    }
}
