//! Parameters and arguments of macros, as bytes.

use super::word_at;
use crate::lex::{angle_len, is_space, quoted_len, trim};

/// A parameter of a macro.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: Vec<u8>,
    pub(super) default: Vec<u8>,
    pub(super) is_required: bool,
    pub(super) is_vararg: bool,
}

/// Parses the parameters of a macro.
pub(super) fn parameters(bytes: &[u8]) -> Option<Vec<Parameter>> {
    let mut list = Vec::new();
    let mut rest = trim(bytes);
    while !rest.is_empty() {
        let end = argument_end(rest);
        list.push(parameter(trim(rest.get(..end)?))?);
        rest = trim(rest.get(end + 1..).unwrap_or_default());
    }
    Some(list)
}

/// Parses `name[:req|:vararg|:=default]`.
pub(super) fn parameter(bytes: &[u8]) -> Option<Parameter> {
    let (start, end) = word_at(bytes, 0);
    let name = bytes
        .get(start..end)
        .filter(|name| !name.is_empty())?
        .to_vec();
    let rest = trim(bytes.get(end..)?);
    let mut parameter = Parameter {
        name,
        default: Vec::new(),
        is_required: false,
        is_vararg: false,
    };
    if let Some(qualifier) = rest.strip_prefix(b":") {
        let qualifier = trim(qualifier);
        match qualifier.strip_prefix(b"=") {
            Some(default) => parameter.default = plain_argument(trim(default)),
            None if qualifier.eq_ignore_ascii_case(b"req") => parameter.is_required = true,
            None if qualifier.eq_ignore_ascii_case(b"vararg") => parameter.is_vararg = true,
            None => return None,
        }
    } else if let Some(default) = rest.strip_prefix(b"=") {
        parameter.default = plain_argument(trim(default));
    } else if !rest.is_empty() {
        return None;
    }
    Some(parameter)
}

/// Returns where the argument at the start ends: at a comma outside of quotes and brackets.
pub(super) fn argument_end(bytes: &[u8]) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b',' if depth == 0 => return at,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => at += quoted_len(rest).map_or(0, |len| len - 1),
            b'<' => at += angle_len(rest).map_or(0, |len| len - 1),
            b'!' => at += 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The value of an argument: brackets around parts are removed and `!` takes the next byte as is.
pub(super) fn plain_argument(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        let rest = raw.get(at..).unwrap_or_default();
        match byte {
            b'"' | b'\'' => {
                let len = quoted_len(rest).unwrap_or(1);
                out.extend_from_slice(rest.get(..len).unwrap_or_default());
                at += len;
            }
            b'<' => {
                if let Some(len) = angle_len(rest) {
                    out.extend(literal(rest.get(1..len - 1).unwrap_or_default()));
                    at += len;
                } else {
                    out.push(byte);
                    at += 1;
                }
            }
            b'!' if at + 1 < raw.len() => {
                out.extend(raw.get(at + 1));
                at += 2;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    let end = out
        .iter()
        .rposition(|&byte| !is_space(byte))
        .map_or(0, |last| last + 1);
    out.truncate(end);
    out
}

/// The text between angle brackets: `!` takes the next byte as it is; inner brackets stay.
pub(super) fn literal(inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    let mut depth = 0_u32;
    while let Some(&byte) = inner.get(at) {
        match byte {
            b'!' if at + 1 < inner.len() => {
                // Inside of inner brackets it stays, for the one who removes those.
                if depth > 0 {
                    out.push(byte);
                }
                at += 1;
                out.extend(inner.get(at));
            }
            b'<' => {
                depth += 1;
                out.push(byte);
            }
            b'>' => {
                depth = depth.saturating_sub(1);
                out.push(byte);
            }
            b'"' | b'\'' => {
                let rest = inner.get(at..).unwrap_or_default();
                let len = quoted_len(rest).unwrap_or(1);
                out.extend_from_slice(rest.get(..len).unwrap_or_default());
                at += len - 1;
            }
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Writes a number in a radix, so that reading it gives the number again.
pub(super) fn in_radix(number: i128, radix: u32) -> Vec<u8> {
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(rest % u128::from(radix)).unwrap_or(0);
        let character = char::from_digit(digit, radix)
            .unwrap_or('0')
            .to_ascii_uppercase();
        digits.push(u8::try_from(character).unwrap_or(b'0'));
        rest /= u128::from(radix);
        if rest == 0 {
            break;
        }
    }
    if digits.last().is_some_and(u8::is_ascii_alphabetic) {
        digits.push(b'0');
    }
    if number < 0 {
        digits.push(b'-');
    }
    digits.reverse();
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_at_commas_outside_of_quotes_and_brackets() {
        assert_eq!(argument_end(b"<a,b>,c"), 5);
        assert_eq!(argument_end(b"\"a,b\",c"), 5);
        assert_eq!(argument_end(b"f(a,b),c"), 6);
        assert_eq!(argument_end(b"a!,b,c"), 4);
    }

    #[test]
    fn brackets_and_exclamation_marks_are_taken_off() {
        assert_eq!(plain_argument(b"<a <b> c>"), b"a <b> c");
        assert_eq!(plain_argument(b"<!,>"), b",");
        assert_eq!(plain_argument(b"x!>y"), b"x>y");
    }

    #[test]
    fn numbers_are_written_in_the_radix() {
        assert_eq!(in_radix(255, 16), b"0FF");
        assert_eq!(in_radix(-10, 10), b"-10");
        assert_eq!(in_radix(0, 10), b"0");
    }
}
