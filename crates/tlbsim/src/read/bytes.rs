//! Numbers in text, eight digits at a time.

/// One in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The top bit of every byte.
const TOPS: u64 = ONES << 7;
/// Digits that are read at once.
pub(crate) const HEX_BLOCK: usize = 8;
/// The most digits of a 64-bit number.
const MAX_HEX_DIGITS: usize = 16;

/// Returns the number that eight hexadecimal digits spell; `None` if one is no digit.
#[inline(always)]
pub(crate) fn hex8(digits: [u8; HEX_BLOCK]) -> Option<u64> {
    let text = u64::from_be_bytes(digits);
    // In every byte: the distance from '0' is at most 9, or that from '`' is 1 to 6 in lower case.
    let from_zero = text ^ (ONES * 0x30);
    let from_letters = (text | (ONES * 0x20)) ^ (ONES * 0x60);
    let is_digit = !from_zero.wrapping_add(ONES * 0x76);
    let is_letter =
        from_letters.wrapping_add(ONES * 0x7F) & !from_letters.wrapping_add(ONES * 0x79);
    // Bytes from 0x80 up would carry into their neighbours: no digits either.
    if (is_digit | is_letter) & !text & TOPS != TOPS {
        return None;
    }
    let letters = (is_letter & TOPS) >> 7;
    let nibbles = (text & (ONES * 0x0F)) + letters * 9;
    let pairs = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    let quads = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    Some((quads | quads >> 16) & 0xFFFF_FFFF)
}

/// Returns the number that 1 to 16 hexadecimal digits spell.
pub(crate) fn hex(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > MAX_HEX_DIGITS {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}

/// Returns the number that hexadecimal digits behind `0x` spell, or without it.
pub(crate) fn hex_maybe_prefixed(text: &[u8]) -> Option<u64> {
    hex(text
        .strip_prefix(b"0x")
        .or_else(|| text.strip_prefix(b"0X"))
        .unwrap_or(text))
}

/// Returns the number that decimal digits spell.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let value = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(value))
    })
}

/// Returns a number that is hexadecimal behind `0x` and decimal otherwise.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    match text
        .strip_prefix(b"0x")
        .or_else(|| text.strip_prefix(b"0X"))
    {
        Some(digits) => hex(digits),
        None => decimal(text),
    }
}

/// Returns the words of a line.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_read_as_one_by_one() {
        for text in [
            b"0123abcd",
            b"FEDC9876",
            b"ffffffff",
            b"00000000",
            b"aAbBfF09",
        ] {
            assert_eq!(hex8(*text), hex(text), "{}", text.escape_ascii());
        }
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"12345678";
                text[place] = byte;
                assert_eq!(hex8(text), hex(&text), "{}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn numbers_past_64_bits_are_none() {
        assert_eq!(hex(b"ffffffffffffffff"), Some(u64::MAX));
        assert_eq!(hex(b"10000000000000000"), None);
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
    }
}
