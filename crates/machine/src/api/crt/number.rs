//! Numbers and text, random numbers, characters.

use pagefault_cpu::Reg;

use crate::api::crt::errno;
use crate::api::text::{Ansi, Text, Wide};
use crate::api::{Call, Stop};
use crate::decimal;
use crate::watch::Watch;

/// An integer at the front of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer {
    /// Its magnitude; the largest one if it is larger.
    pub(super) magnitude: u64,
    pub(super) is_negative: bool,
    pub(super) overflows: bool,
    /// How many bytes of the text belong to it; 0 if there is none.
    pub(super) len: usize,
}

/// Reads an integer as `strtol` does; base 0 tells the base by the prefix.
pub(super) fn integer(text: &[u8], base: u32) -> Integer {
    let spaces = text.iter().take_while(|byte| is_space(**byte)).count();
    let mut at = spaces;
    let is_negative = text.get(at) == Some(&b'-');
    at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
    let rest = text.get(at..).unwrap_or_default();
    let is_hex = matches!(rest, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    let base = match base {
        0 if is_hex => 16,
        0 if rest.first() == Some(&b'0') => 8,
        0 => 10,
        base => base.clamp(2, 36),
    };
    if base == 16 && is_hex {
        at += 2;
    }
    let digits = text.get(at..).unwrap_or_default().iter();
    let digits: Vec<u32> = digits
        .map_while(|&byte| char::from(byte).to_digit(base))
        .collect();
    let exact = digits.iter().try_fold(0_u64, |value, &digit| {
        value.checked_mul(base.into())?.checked_add(digit.into())
    });
    Integer {
        magnitude: exact.unwrap_or(u64::MAX),
        is_negative,
        overflows: exact.is_none(),
        len: if digits.is_empty() {
            0
        } else {
            at + digits.len()
        },
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

impl Integer {
    /// Returns the value cut to 32 bits, as `atoi` does.
    fn wrapped(self) -> u64 {
        if self.is_negative {
            self.magnitude.wrapping_neg()
        } else {
            self.magnitude
        }
    }
}

/// Returns the integer at the front of a text, cut to 32 bits.
pub(in crate::api) fn integer_of(text: &[u8], base: u32) -> u32 {
    low_half(integer(text, base).wrapped())
}

/// `atoi` and `atol`.
pub(in crate::api) fn atoi<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = call.characters::<Ansi>(string)?;
    let value = integer(&text, 10);
    Ok(low_half(signed_limited(value).0))
}

fn low_half(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// `_atoi64`: the high half goes to EDX.
pub(in crate::api) fn atoi64<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = call.characters::<Ansi>(string)?;
    let value = integer(&text, 10).wrapped();
    let registers = call.machine.cpu.registers_mut();
    registers.set_gpr(Reg::Edx, low_half(value >> u32::BITS));
    Ok(low_half(value))
}

/// Returns a value as `long`, and whether it had to be cut.
fn signed_limited(value: Integer) -> (u64, bool) {
    let limit = if value.is_negative {
        u64::from(i32::MIN.unsigned_abs())
    } else {
        u64::from(i32::MAX.unsigned_abs())
    };
    let is_cut = value.overflows || value.magnitude > limit;
    let magnitude = value.magnitude.min(limit);
    let value = Integer { magnitude, ..value };
    (value.wrapped(), is_cut)
}

/// `strtol`.
pub(in crate::api) fn strtol<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    converted(call, signed_limited)
}

/// `strtoul`.
pub(in crate::api) fn strtoul<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    converted(call, |value| {
        let is_cut = value.overflows || value.magnitude > u64::from(u32::MAX);
        if is_cut {
            (u64::from(u32::MAX), true)
        } else {
            (value.wrapped(), false)
        }
    })
}

fn converted<W: Watch>(
    call: &mut Call<'_, W>,
    limited: fn(Integer) -> (u64, bool),
) -> Result<u32, Stop> {
    let [string, end, base] = call.arguments();
    let text = call.characters::<Ansi>(string)?;
    let value = integer(&text, base);
    if end != 0 {
        let len = u32::try_from(value.len).unwrap_or(0);
        call.put_u32(end, string.wrapping_add(len))?;
    }
    if value.len == 0 {
        return Ok(0);
    }
    let (result, is_cut) = limited(value);
    if is_cut {
        call.set_errno(errno::RANGE)?;
    }
    Ok(low_half(result))
}

/// What `strtod` and `atof` are made of: stores the number where the system's code loads it from.
pub(in crate::api) fn parse_double<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, end, result] = call.arguments();
    let text = call.characters::<Ansi>(string)?;
    let spaces = text.iter().take_while(|byte| is_space(**byte)).count();
    let (value, len) = decimal::parse(text.get(spaces..).unwrap_or_default());
    if end != 0 {
        let len = if len == 0 { 0 } else { spaces + len };
        let len = u32::try_from(len).unwrap_or(0);
        call.put_u32(end, string.wrapping_add(len))?;
    }
    call.put_bytes(result, &value.to_le_bytes())?;
    Ok(0)
}

/// What the mathematical functions are made of: the number of the function, where its operands
/// are, and where the result goes.
pub(in crate::api) fn math<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [function, operands, result] = call.arguments();
    let first = double(call, operands)?;
    let value = match function {
        0 => first.sin(),
        1 => first.cos(),
        2 => first.tan(),
        3 => first.asin(),
        4 => first.acos(),
        5 => first.atan(),
        6 => first.sinh(),
        7 => first.cosh(),
        8 => first.tanh(),
        9 => first.exp(),
        10 => first.ln(),
        11 => first.log10(),
        12 => first.sqrt(),
        13 => first.floor(),
        14 => first.ceil(),
        15 => first.abs(),
        _ => {
            let second = double(call, operands.wrapping_add(8))?;
            match function {
                16 => first.powf(second),
                17 => first.atan2(second),
                18 => first % second,
                _ => first.hypot(second),
            }
        }
    };
    call.put_bytes(result, &value.to_le_bytes())?;
    Ok(0)
}

fn double<W: Watch>(call: &mut Call<'_, W>, addr: u32) -> Result<f64, Stop> {
    let bytes = call.get_bytes(addr, 8)?;
    Ok(bytes.try_into().map_or(0.0, f64::from_le_bytes))
}

/// `_itoa` and `_ltoa`: only base 10 has a sign.
pub(in crate::api) fn itoa<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, buffer, base] = call.arguments();
    let is_negative = base == 10 && value.cast_signed() < 0;
    let magnitude = if is_negative {
        value.wrapping_neg()
    } else {
        value
    };
    let mut text = digits(magnitude.into(), base);
    if is_negative {
        text.insert(0, b'-');
    }
    call.put_characters::<Ansi>(buffer, &text)?;
    Ok(buffer)
}

/// `_ultoa`.
pub(in crate::api) fn ultoa<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, buffer, base] = call.arguments();
    call.put_characters::<Ansi>(buffer, &digits(value.into(), base))?;
    Ok(buffer)
}

/// `_i64toa`: only base 10 has a sign.
pub(in crate::api) fn i64toa<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [low, high, buffer, base] = call.arguments();
    let value = (u64::from(high) << u32::BITS | u64::from(low)).cast_signed();
    let is_negative = base == 10 && value < 0;
    let magnitude = if is_negative {
        value.unsigned_abs()
    } else {
        value.cast_unsigned()
    };
    let mut text = digits(magnitude, base);
    if is_negative {
        text.insert(0, b'-');
    }
    call.put_characters::<Ansi>(buffer, &text)?;
    Ok(buffer)
}

/// `_ui64toa`.
pub(in crate::api) fn ui64toa<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [low, high, buffer, base] = call.arguments();
    let value = u64::from(high) << u32::BITS | u64::from(low);
    call.put_characters::<Ansi>(buffer, &digits(value, base))?;
    Ok(buffer)
}

/// `_wtoi` and `_wtol`.
pub(in crate::api) fn wtoi<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = Ansi::encode(&call.text::<Wide>(string)?);
    Ok(low_half(signed_limited(integer(&text, 10)).0))
}

/// `div` and `ldiv`: the quotient is in EAX, the remainder in EDX. Both are 0
/// where the division has no result.
pub(in crate::api) fn div<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [dividend, divisor] = call.arguments().map(u32::cast_signed);
    let quotient = dividend.checked_div(divisor).unwrap_or(0);
    let remainder = dividend.checked_rem(divisor).unwrap_or(0);
    let registers = call.machine.cpu.registers_mut();
    registers.set_gpr(pagefault_cpu::Reg::Edx, remainder.cast_unsigned());
    Ok(quotient.cast_unsigned())
}

/// `_rotl` and `_lrotl`.
pub(in crate::api) fn rotl<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, count] = call.arguments();
    Ok(value.rotate_left(count % u32::BITS))
}

/// `_rotr` and `_lrotr`.
pub(in crate::api) fn rotr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, count] = call.arguments();
    Ok(value.rotate_right(count % u32::BITS))
}

/// `_finite`.
pub(in crate::api) fn finite<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [low, high] = call.arguments();
    let value = f64::from_bits(u64::from(high) << u32::BITS | u64::from(low));
    Ok(u32::from(value.is_finite()))
}

/// `_isnan`.
pub(in crate::api) fn isnan<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [low, high] = call.arguments();
    let value = f64::from_bits(u64::from(high) << u32::BITS | u64::from(low));
    Ok(u32::from(value.is_nan()))
}

fn digits(value: u64, base: u32) -> Vec<u8> {
    let base = base.clamp(2, 36);
    let mut text = Vec::new();
    let mut rest = value;
    loop {
        let digit = u32::try_from(rest % u64::from(base)).unwrap_or(0);
        let digit = char::from_digit(digit, base).unwrap_or('0');
        text.extend(u8::try_from(digit));
        rest /= u64::from(base);
        if rest == 0 {
            break;
        }
    }
    text.reverse();
    text
}

/// `abs` and `labs`.
pub(in crate::api) fn abs<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value] = call.arguments();
    Ok(value.cast_signed().unsigned_abs())
}

/// `srand`: for the thread that calls.
pub(in crate::api) fn srand<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [seed] = call.arguments();
    call.machine.threads.current_mut().seed = seed;
    Ok(0)
}

/// `rand`: the generator of the library, whose numbers programs may count on.
pub(in crate::api) fn rand<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const FACTOR: u32 = 214_013;
    const ADDEND: u32 = 2_531_011;
    const SHIFT: u32 = 16;
    const MAXIMUM: u32 = 0x7FFF;
    let seed = &mut call.machine.threads.current_mut().seed;
    *seed = seed.wrapping_mul(FACTOR).wrapping_add(ADDEND);
    Ok(*seed >> SHIFT & MAXIMUM)
}

/// Which characters a function is about.
macro_rules! character_tests {
    ($($name:ident $bit:literal $test:expr;)*) => {$(
        #[doc = concat!("`", stringify!($name), "`: returns the bit of the class, or 0.")]
        pub(in crate::api) fn $name<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
            let [character] = call.arguments();
            let test: fn(&u8) -> bool = $test;
            let is_one = u8::try_from(character).is_ok_and(|byte| test(&byte));
            Ok(if is_one { $bit } else { 0 })
        }
    )*};
}

character_tests! {
    isalnum 0x107 u8::is_ascii_alphanumeric;
    isalpha 0x103 u8::is_ascii_alphabetic;
    iscntrl 0x20 u8::is_ascii_control;
    isdigit 0x04 u8::is_ascii_digit;
    isgraph 0x117 u8::is_ascii_graphic;
    islower 0x02 u8::is_ascii_lowercase;
    isprint 0x157 |byte| matches!(byte, b' '..=b'~');
    ispunct 0x10 u8::is_ascii_punctuation;
    isspace 0x08 |byte| is_space(*byte);
    isupper 0x01 u8::is_ascii_uppercase;
    isxdigit 0x80 u8::is_ascii_hexdigit;
}

/// `toupper`.
pub(in crate::api) fn toupper<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [character] = call.arguments();
    Ok(u8::try_from(character).map_or(character, |byte| byte.to_ascii_uppercase().into()))
}

/// `tolower`.
pub(in crate::api) fn tolower<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [character] = call.arguments();
    Ok(u8::try_from(character).map_or(character, |byte| byte.to_ascii_lowercase().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_by_prefix_and_base() {
        for (text, base, magnitude, is_negative, len) in [
            ("  -42x", 10, 42, true, 5),
            ("0x1F", 0, 31, false, 4),
            ("0x1F", 16, 31, false, 4),
            ("017", 0, 15, false, 3),
            ("0x", 0, 0, false, 1),
            ("zz", 36, 35 * 36 + 35, false, 2),
            ("+", 10, 0, false, 0),
            ("", 10, 0, false, 0),
        ] {
            let value = integer(text.as_bytes(), base);
            let expected = Integer {
                magnitude,
                is_negative,
                overflows: false,
                len,
            };
            assert_eq!(value, expected, "{text:?} in base {base}");
        }
        assert!(integer(b"99999999999999999999", 10).overflows);
    }
}
