//! The format language of `wsprintf`.

use crate::codepage;

/// The longest result of `wsprintf` in bytes, without the terminating zero.
pub(crate) const MAX_OUTPUT_BYTES: usize = 1023;

/// Where the arguments of a format come from.
pub(crate) trait Arguments {
    /// Why an argument cannot be had.
    type Error;

    /// Returns the next argument of 32 bits.
    fn next(&mut self) -> Result<u32, Self::Error>;

    /// Returns the bytes of the string at `addr` up to its zero, at most `limit` of them.
    fn string(&mut self, addr: u32, limit: usize) -> Result<Vec<u8>, Self::Error>;

    /// Returns the 16-bit characters of the string at `addr` up to its zero, at most `limit`.
    fn wide_string(&mut self, addr: u32, limit: usize) -> Result<Vec<u16>, Self::Error>;
}

/// Which characters a format is made of. Either is worked on as numbers of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bytes in the ANSI code page.
    Ansi,
    /// UTF-16.
    Wide,
}

impl Form {
    /// Returns an 8-bit string in this form.
    pub(crate) fn of_narrow(self, bytes: &[u8]) -> Vec<u16> {
        match self {
            Self::Ansi => bytes.iter().map(|&byte| u16::from(byte)).collect(),
            Self::Wide => codepage::text(bytes).encode_utf16().collect(),
        }
    }

    /// Returns a 16-bit string in this form.
    pub(crate) fn of_wide(self, units: &[u16]) -> Vec<u16> {
        match self {
            Self::Ansi => self.of_narrow(&codepage::bytes(&String::from_utf16_lossy(units))),
            Self::Wide => units.to_vec(),
        }
    }

    /// Returns the size of the characters of a conversion: a small letter means the form's own, a capital the other one, unless a prefix says which.
    fn width(self, conversion: u8, size: Size) -> CharWidth {
        let is_own = conversion.is_ascii_lowercase();
        match size {
            Size::Long => CharWidth::Wide,
            Size::Plain | Size::Wide if (self == Self::Wide) == is_own => CharWidth::Wide,
            Size::Plain | Size::Wide | Size::Short => CharWidth::Narrow,
        }
    }
}

/// The size of the characters of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CharWidth {
    Narrow,
    Wide,
}

/// How one argument is to be printed.
#[derive(Clone, Copy, Debug, Default)]
struct Spec {
    align: Align,
    alternate: Alternate,
    fill: Fill,
    width: usize,
    precision: Option<usize>,
    size: Size,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Align {
    #[default]
    Right,
    Left,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Alternate {
    #[default]
    Plain,
    Prefixed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fill {
    #[default]
    Spaces,
    Zeros,
}

/// The size prefix of a specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Size {
    #[default]
    Plain,
    /// `h`: characters and strings of 8 bits.
    Short,
    /// `l`, `w`: characters and strings of 16 bits; numbers are 32 bits wide anyway.
    Long,
    /// `I64`: numbers of 64 bits.
    Wide,
}

/// Returns what `wsprintfA` makes of a format, cut to [`MAX_OUTPUT_BYTES`].
///
/// A specification that is none is copied without its `%`, as Windows does.
pub(crate) fn wsprintf<A: Arguments>(
    format: &[u16],
    form: Form,
    arguments: &mut A,
) -> Result<Vec<u16>, A::Error> {
    let mut output = Vec::new();
    let mut rest = format;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if output.len() >= MAX_OUTPUT_BYTES {
            break;
        }
        if byte != u16::from(b'%') {
            output.push(byte);
            continue;
        }
        let (spec, tail) = parse_spec(rest);
        let Some((&conversion, tail)) = tail.split_first() else {
            break;
        };
        let letter = u8::try_from(conversion).unwrap_or(0);
        if let Some(text) = convert(letter, &spec, form, arguments)? {
            pad(&mut output, &text, &spec);
            rest = tail;
        } else if letter == b'%' {
            output.push(conversion);
            rest = tail;
        }
    }
    output.truncate(MAX_OUTPUT_BYTES);
    Ok(output)
}

fn parse_spec(format: &[u16]) -> (Spec, &[u16]) {
    let mut spec = Spec::default();
    let mut rest = format;
    while let Some((&flag, tail)) = rest.split_first() {
        match u8::try_from(flag).unwrap_or(0) {
            b'-' => spec.align = Align::Left,
            b'#' => spec.alternate = Alternate::Prefixed,
            b'0' => spec.fill = Fill::Zeros,
            _ => break,
        }
        rest = tail;
    }
    (spec.width, rest) = number(rest);
    if let Some(tail) = rest.strip_prefix(&[u16::from(b'.')]) {
        let (precision, tail) = number(tail);
        (spec.precision, rest) = (Some(precision), tail);
    }
    for (prefix, size) in [
        (&b"I64"[..], Size::Wide),
        (b"h", Size::Short),
        (b"l", Size::Long),
        (b"w", Size::Long),
    ] {
        let prefix: Vec<_> = prefix.iter().map(|&byte| u16::from(byte)).collect();
        if let Some(tail) = rest.strip_prefix(prefix.as_slice()) {
            spec.size = size;
            return (spec, tail);
        }
    }
    (spec, rest)
}

/// Returns the number in front, at most [`MAX_OUTPUT_BYTES`], and what follows.
fn number(text: &[u16]) -> (usize, &[u16]) {
    let digit = |unit: &u16| u8::try_from(*unit).ok().filter(u8::is_ascii_digit);
    let count = text.iter().take_while(|unit| digit(unit).is_some()).count();
    let (digits, rest) = text.split_at(count);
    let value = digits
        .iter()
        .filter_map(digit)
        .fold(0_usize, |value, digit| {
            (value * 10 + usize::from(digit - b'0')).min(MAX_OUTPUT_BYTES)
        });
    (value, rest)
}

/// Returns the converted argument, or `None` if there is no such conversion.
fn convert<A: Arguments>(
    conversion: u8,
    spec: &Spec,
    form: Form,
    arguments: &mut A,
) -> Result<Option<Vec<u16>>, A::Error> {
    let width = form.width(conversion, spec.size);
    let text = match conversion {
        b'd' | b'i' => signed(integer(spec, Signed::Yes, arguments)?, spec),
        b'u' => digits(integer(spec, Signed::No, arguments)?.to_string(), spec),
        b'x' => hexadecimal(
            format!("{:x}", integer(spec, Signed::No, arguments)?),
            "0x",
            spec,
        ),
        b'X' => hexadecimal(
            format!("{:X}", integer(spec, Signed::No, arguments)?),
            "0X",
            spec,
        ),
        b'p' => format!("{:08X}", arguments.next()?).into_bytes(),
        b'c' | b'C' => {
            let argument = arguments.next()?;
            return Ok(Some(if width == CharWidth::Wide {
                form.of_wide(&[low_half(argument)])
            } else {
                form.of_narrow(&[low_byte(argument)])
            }));
        }
        b's' | b'S' => return string(spec, form, width, arguments).map(Some),
        _ => return Ok(None),
    };
    Ok(Some(form.of_narrow(&text)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Yes,
    No,
}

/// Returns the number; 32-bit ones are extended as their conversion wants it.
fn integer<A: Arguments>(spec: &Spec, sign: Signed, arguments: &mut A) -> Result<i128, A::Error> {
    let low = arguments.next()?;
    if spec.size != Size::Wide {
        let extended = i128::from(low.cast_signed());
        return Ok(if sign == Signed::Yes {
            extended
        } else {
            i128::from(low)
        });
    }
    let value = u64::from(low) | u64::from(arguments.next()?) << u32::BITS;
    let extended = i128::from(value.cast_signed());
    Ok(if sign == Signed::Yes {
        extended
    } else {
        i128::from(value)
    })
}

fn signed(value: i128, spec: &Spec) -> Vec<u8> {
    let magnitude = digits(value.unsigned_abs().to_string(), spec);
    if value >= 0 {
        return magnitude;
    }
    // Zeros stand between the sign and the digits.
    let mut text = b"-".to_vec();
    let zeros = spec.zeros().saturating_sub(magnitude.len() + 1);
    text.extend(std::iter::repeat_n(b'0', zeros));
    text.extend(magnitude);
    text
}

fn hexadecimal(value: String, prefix: &str, spec: &Spec) -> Vec<u8> {
    let mut text = match spec.alternate {
        Alternate::Prefixed => prefix.as_bytes().to_vec(),
        Alternate::Plain => Vec::new(),
    };
    text.extend(digits(value, spec));
    text
}

/// Returns the digits, with zeros in front up to the precision.
fn digits(value: String, spec: &Spec) -> Vec<u8> {
    let zeros = spec.precision.unwrap_or(0).saturating_sub(value.len());
    let mut text = vec![b'0'; zeros];
    text.extend(value.into_bytes());
    text
}

fn string<A: Arguments>(
    spec: &Spec,
    form: Form,
    width: CharWidth,
    arguments: &mut A,
) -> Result<Vec<u16>, A::Error> {
    let addr = arguments.next()?;
    let limit = spec.precision.unwrap_or(MAX_OUTPUT_BYTES);
    Ok(match (addr, width) {
        (0, _) => form.of_narrow(&null_text(spec)),
        (_, CharWidth::Narrow) => form.of_narrow(&arguments.string(addr, limit)?),
        (_, CharWidth::Wide) => form.of_wide(&arguments.wide_string(addr, limit)?),
    })
}

/// What a NULL string prints as.
fn null_text(spec: &Spec) -> Vec<u8> {
    let mut text = b"(null)".to_vec();
    text.truncate(spec.precision.unwrap_or(MAX_OUTPUT_BYTES));
    text
}

fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

fn low_half(value: u32) -> u16 {
    let [low, high, ..] = value.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn pad(output: &mut Vec<u16>, text: &[u16], spec: &Spec) {
    let missing = spec.width.saturating_sub(text.len());
    let fill = match spec.fill {
        Fill::Zeros if spec.align == Align::Right => b'0',
        _ => b' ',
    };
    if spec.align == Align::Right {
        output.extend(std::iter::repeat_n(u16::from(fill), missing));
    }
    output.extend(text);
    if spec.align == Align::Left {
        output.extend(std::iter::repeat_n(u16::from(b' '), missing));
    }
}

impl Spec {
    /// Returns up to which width zeros stand in front of the digits.
    fn zeros(&self) -> usize {
        match (self.fill, self.align) {
            (Fill::Zeros, Align::Right) => self.width,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Arguments from a list; every string is the same.
    struct List<'a>(std::slice::Iter<'a, u32>);

    impl Arguments for List<'_> {
        type Error = Infallible;

        fn next(&mut self) -> Result<u32, Infallible> {
            Ok(self.0.next().copied().unwrap_or_default())
        }

        fn string(&mut self, _addr: u32, limit: usize) -> Result<Vec<u8>, Infallible> {
            Ok(b"text"[..limit.min(4)].to_vec())
        }

        fn wide_string(&mut self, _addr: u32, limit: usize) -> Result<Vec<u16>, Infallible> {
            Ok([u16::from(b'w'), 0x416][..limit.min(2)].to_vec())
        }
    }

    fn formatted(format: &str, arguments: &[u32]) -> String {
        in_form(Form::Ansi, format, arguments)
    }

    fn in_form(form: Form, format: &str, arguments: &[u32]) -> String {
        let mut list = List(arguments.iter());
        let format: Vec<_> = format.encode_utf16().collect();
        let Ok(output) = wsprintf(&format, form, &mut list);
        String::from_utf16(&output).unwrap()
    }

    #[test]
    fn numbers_are_printed_in_width_precision_and_case() {
        for (format, arguments, expected) in [
            ("%d|%i|%u", &[u32::MAX, 5, u32::MAX][..], "-1|5|4294967295"),
            ("%08lX|%x|%#x", &[0x0040_1000, 255, 255], "00401000|ff|0xff"),
            ("%5d|%-5d|%05d", &[42, 42, 42], "   42|42   |00042"),
            ("%06d|%.3u", &[(-42_i32).cast_unsigned(), 7], "-00042|007"),
            ("%I64u", &[1, 1], "4294967297"),
            ("%p", &[0xABC], "00000ABC"),
        ] {
            assert_eq!(formatted(format, arguments), expected, "{format}");
        }
    }

    #[test]
    fn strings_and_characters_respect_precision() {
        assert_eq!(
            formatted("%s|%.2s|%6s|%c", &[1, 1, 1, 65]),
            "text|te|  text|A"
        );
        assert_eq!(formatted("%s|%S", &[0, 1]), "(null)|w?");
        assert_eq!(
            in_form(Form::Wide, "%s|%S|%hs|%ls", &[1; 4]),
            "w\u{416}|text|text|w\u{416}"
        );
    }

    #[test]
    fn a_percent_sign_and_an_unknown_conversion_are_copied() {
        assert_eq!(formatted("100%%|%y|%", &[1]), "100%|y|");
    }

    #[test]
    fn output_is_cut_at_the_limit() {
        assert_eq!(formatted("%2000d", &[1]).len(), MAX_OUTPUT_BYTES);
    }
}
