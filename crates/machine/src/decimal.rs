//! Floating-point numbers in decimal digits, and back.

use std::fmt::Write as _;

/// Digits that are always exact: no double has more significant ones.
const ALL_DIGITS: usize = 767;
/// Digits beyond the wanted ones at which a tie can be told from its neighbours, as a rule.
const SPARE_DIGITS: usize = 20;

/// Digits that tell where a number's first one stands: with fewer, one that is all nines would round
/// up to the next power of ten.
const PLACING_DIGITS: usize = 40;

/// A number as decimal digits: `0.d1 d2 d3 … * 10^point`.
struct Digits {
    digits: Vec<u8>,
    point: i32,
}

/// Returns the digits of a finite number that is not negative, rounded to `count` significant
/// digits; ties go away from zero.
fn significant(value: f64, count: usize) -> Digits {
    if value == 0.0 {
        return Digits {
            digits: vec![b'0'; count],
            point: 1,
        };
    }
    let mut exact = split(value, (count + SPARE_DIGITS).min(ALL_DIGITS));
    let is_tie = |digits: &[u8]| {
        let tail = digits.get(count..).unwrap_or_default();
        tail.first() == Some(&b'5') && tail.iter().skip(1).all(|&digit| digit == b'0')
    };
    if is_tie(&exact.digits) {
        exact = split(value, ALL_DIGITS);
    }
    let rounds_up = exact.digits.get(count).is_some_and(|&digit| digit >= b'5');
    exact.digits.resize(count, b'0');
    if rounds_up {
        exact.increment();
    }
    exact
}

/// Returns the digits of a number, `count` of them and at least one.
fn split(value: f64, count: usize) -> Digits {
    let text = format!("{value:.*e}", count.max(1) - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    Digits {
        digits,
        point: exponent + 1,
    }
}

impl Digits {
    /// Adds one to the last digit.
    fn increment(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.digits.insert(0, b'1');
        self.digits.pop();
        self.point += 1;
        if self.digits.is_empty() {
            self.digits.push(b'1');
        }
    }
}

/// `%f`: `precision` digits behind the point.
pub(crate) fn fixed(value: f64, precision: usize, keeps_point: bool) -> String {
    let whole = if value == 0.0 {
        1
    } else {
        split(value, PLACING_DIGITS).point
    };
    let precision_signed = i32::try_from(precision).unwrap_or(i32::MAX);
    let count = whole.saturating_add(precision_signed);
    let digits = match usize::try_from(count) {
        Ok(count) => significant(value, count),
        // Even the first digit is too small to be seen.
        Err(_) => Digits {
            digits: Vec::new(),
            point: -precision_signed,
        },
    };
    let mut text = String::new();
    let point = digits.point;
    let place = |index: i32| -> char {
        let digit = usize::try_from(index)
            .ok()
            .and_then(|index| digits.digits.get(index));
        digit.map_or('0', |&digit| char::from(digit))
    };
    if point <= 0 {
        text.push('0');
    }
    for index in 0..point {
        text.push(place(index));
    }
    if precision > 0 || keeps_point {
        text.push('.');
    }
    for index in 0..precision_signed {
        text.push(place(point + index));
    }
    text
}

/// `%e`: one digit, the point, `precision` digits, and an exponent of at least three.
pub(crate) fn scientific(value: f64, precision: usize, keeps_point: bool) -> String {
    let digits = significant(value, precision + 1);
    let text: String = digits
        .digits
        .iter()
        .map(|&digit| char::from(digit))
        .collect();
    let (first, rest) = text.split_at(1.min(text.len()));
    let point = if rest.is_empty() && !keeps_point {
        ""
    } else {
        "."
    };
    format!("{first}{point}{rest}{}", exponent(digits.point - 1))
}

fn exponent(value: i32) -> String {
    let sign = if value < 0 { '-' } else { '+' };
    format!("e{sign}{:03}", value.unsigned_abs())
}

/// `%g`: the shorter of both, without zeros at the end.
pub(crate) fn general(value: f64, precision: usize, keeps_zeros: bool) -> String {
    /// No double has more digits that are not 0.
    const MAX_DIGITS: usize = 1100;
    let count = if keeps_zeros {
        precision
    } else {
        precision.min(MAX_DIGITS)
    };
    let count = count.max(1);
    let point = significant(value, count).point;
    let decimals = i32::try_from(count).unwrap_or(i32::MAX);
    // The exponent decides, as it is after rounding.
    let is_fixed = point > -4 && point - 1 < decimals;
    if is_fixed {
        let decimals = usize::try_from(decimals - point).unwrap_or(0);
        let text = fixed(value, decimals, keeps_zeros);
        return if keeps_zeros {
            text
        } else {
            trimmed(&text).to_owned()
        };
    }
    let text = scientific(value, count - 1, keeps_zeros);
    if keeps_zeros {
        return text;
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+000"));
    format!("{}e{exponent}", trimmed(mantissa))
}

/// Returns a number without zeros behind the point, and without the point if nothing follows it.
fn trimmed(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// `%a`: the mantissa in hexadecimal digits, the exponent of two in decimal ones.
pub(crate) fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    const MANTISSA_BITS: u32 = 52;
    const MANTISSA_DIGITS: usize = 13;
    const BIAS: i64 = 1023;
    let bits = value.to_bits();
    let mut mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = (bits >> MANTISSA_BITS).cast_signed() & 0x7FF;
    let (lead, exponent) = match (biased, mantissa) {
        (0, 0) => (0, 0),
        (0, _) => (0, 1 - BIAS),
        _ => (1, biased - BIAS),
    };
    let digits = precision.unwrap_or(MANTISSA_DIGITS);
    let mut whole = lead;
    if digits < MANTISSA_DIGITS {
        let dropped = u32::try_from((MANTISSA_DIGITS - digits) * 4).unwrap_or(0);
        let all = (lead << MANTISSA_BITS) + mantissa + (1 << (dropped - 1));
        mantissa = all & ((1 << MANTISSA_BITS) - 1) & !((1 << dropped) - 1);
        whole = all >> MANTISSA_BITS;
    }
    let mut fraction = format!("{mantissa:013x}");
    while fraction.len() < digits {
        fraction.push('0');
    }
    fraction.truncate(digits);
    let point = if digits > 0 { "." } else { "" };
    let mut text = format!("0x{whole}{point}{fraction}p");
    _ = write!(text, "{exponent:+}");
    text
}

/// Returns an infinity or what is no number, without its sign, as digits would be: cut to the
/// precision, and rounded by the letter that follows.
pub(crate) fn special(value: f64, conversion: u8, precision: usize) -> String {
    let name: &[u8] = if value.is_infinite() {
        b"#INF"
    } else if value.is_sign_negative() {
        b"#IND"
    } else {
        b"#QNAN"
    };
    let is_general = conversion.eq_ignore_ascii_case(&b'g');
    let places = if is_general {
        precision.max(1) - 1
    } else {
        precision
    };
    let mut shown = b"1".to_vec();
    shown.extend(name.get(..places).unwrap_or(name));
    if name.get(places).is_some_and(|&next| next >= b'5')
        && let Some(last) = shown.last_mut()
    {
        *last += 1;
    }
    if !is_general {
        shown.resize(places + 1, b'0');
    }
    if shown.len() > 1 {
        shown.insert(1, b'.');
    }
    let mut text: String = shown.iter().map(|&byte| char::from(byte)).collect();
    if conversion.eq_ignore_ascii_case(&b'e') {
        text += &exponent(0);
    }
    text
}

/// Returns the number at the front of a text, and how many bytes of it belong to the number; 0 if
/// there is none.
pub(crate) fn parse(text: &[u8]) -> (f64, usize) {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if text.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return (0.0, 0);
    }
    if matches!(text.get(end), Some(b'e' | b'E' | b'd' | b'D')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let number: String = text[..end].iter().map(|&byte| char::from(byte)).collect();
    let number = number.replace(['d', 'D'], "e");
    (number.parse().unwrap_or(0.0), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_from_the_front_of_a_text() {
        for (text, expected) in [
            ("1.5abc", (1.5, 3)),
            ("-2e3", (-2000.0, 4)),
            (".5", (0.5, 2)),
            ("7.", (7.0, 2)),
            ("1e", (1.0, 1)),
            ("+", (0.0, 0)),
            ("abc", (0.0, 0)),
            ("1d2", (100.0, 3)),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn small_numbers_round_to_the_last_digit_shown() {
        assert_eq!(fixed(0.006, 2, false), "0.01");
        assert_eq!(fixed(0.004, 2, false), "0.00");
        assert_eq!(fixed(0.000_4, 2, false), "0.00");
        assert_eq!(fixed(0.996, 2, false), "1.00");
        assert_eq!(fixed(9.999, 2, false), "10.00");
        assert_eq!(fixed(0.0, 0, true), "0.");
        assert_eq!(scientific(9.99, 1, false), "1.0e+001");
        assert_eq!(hexadecimal(1.5, Some(0)), "0x2p+0");
    }

    #[test]
    fn a_precision_beyond_all_digits_shows_them_all_and_no_zeros() {
        let smallest = general(f64::from_bits(1), usize::from(u16::MAX), false);

        assert_eq!(general(1.5, usize::from(u16::MAX), false), "1.5");
        assert!(smallest.starts_with("4.940656458412465441"), "{smallest}");
        assert!(smallest.ends_with("533447265625e-324"), "{smallest}");
        // The smallest double has 751 digits.
        assert_eq!(smallest.len(), "4.".len() + 750 + "e-324".len());
    }
}
