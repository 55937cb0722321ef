//! The format language of C's `printf`, as `msvcrt.dll` has it.
//!
//! It differs from the standard's: exponents have three digits, `%p` prints eight hexadecimal
//! digits, and infinities are `1.#INF`.

use crate::decimal;
use crate::format::Form;
use crate::limits::PRINTED_CHARACTERS;

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

    /// Stores a number of so many bytes at an address.
    fn store(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// The longest field: what a hostile width or precision is cut to.
const MAX_FIELD: usize = 1 << 16;
/// The longest string that is read without a precision.
const MAX_STRING: usize = 1 << 20;
/// What a NULL string prints as.
const NULL_TEXT: &[u8] = b"(null)";
/// Digits behind the point unless the format says how many.
const DEFAULT_PRECISION: usize = 6;

bitflags::bitflags! {
    /// The flags in front of a conversion.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Flags: u8 {
        const LEFT = 1 << 0;
        const PLUS = 1 << 1;
        const SPACE = 1 << 2;
        const ALTERNATE = 1 << 3;
        const ZEROS = 1 << 4;
    }
}

/// The size prefix of a conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Size {
    #[default]
    Plain,
    Byte,
    Short,
    Long,
    Wide,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spec {
    flags: Flags,
    width: usize,
    precision: Option<usize>,
    size: Size,
}

/// A converted argument: sign or prefix, and what follows it.
struct Piece {
    prefix: Vec<u16>,
    body: Vec<u16>,
    /// Whether zeros may fill the field.
    fill: Fill,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Spaces,
    /// As the flag says.
    AsAsked,
}

/// Returns what `printf` makes of a format; what would be too long is cut.
pub(crate) fn printf<A: Arguments>(
    format: &[u16],
    form: Form,
    arguments: &mut A,
) -> Result<Vec<u16>, A::Error> {
    let mut output = Vec::new();
    let mut rest = format;
    while let Some((&unit, tail)) = rest.split_first() {
        if output.len() >= PRINTED_CHARACTERS {
            break;
        }
        rest = tail;
        if unit != u16::from(b'%') {
            output.push(unit);
            continue;
        }
        let (spec, tail) = parse(rest, arguments)?;
        let Some((&letter, tail)) = tail.split_first() else {
            break;
        };
        rest = tail;
        let conversion = u8::try_from(letter).unwrap_or(0);
        if conversion == b'n' {
            let count = u64::try_from(output.len())
                .unwrap_or(u64::MAX)
                .to_le_bytes();
            let addr = arguments.next()?;
            arguments.store(addr, &count[..count_bytes(spec.size)])?;
        } else if let Some(piece) = convert(conversion, &spec, form, arguments)? {
            pad(&mut output, piece, &spec);
        } else {
            output.push(letter);
        }
    }
    output.truncate(PRINTED_CHARACTERS);
    Ok(output)
}

fn count_bytes(size: Size) -> usize {
    match size {
        Size::Byte => 1,
        Size::Short => 2,
        Size::Plain | Size::Long => 4,
        Size::Wide => 8,
    }
}

fn parse<'a, A: Arguments>(
    format: &'a [u16],
    arguments: &mut A,
) -> Result<(Spec, &'a [u16]), A::Error> {
    let mut spec = Spec::default();
    let mut rest = format;
    while let Some((&unit, tail)) = rest.split_first() {
        spec.flags |= match u8::try_from(unit).unwrap_or(0) {
            b'-' => Flags::LEFT,
            b'+' => Flags::PLUS,
            b' ' => Flags::SPACE,
            b'#' => Flags::ALTERNATE,
            b'0' => Flags::ZEROS,
            _ => break,
        };
        rest = tail;
    }
    let (width, tail) = amount(rest, arguments)?;
    rest = tail;
    if width < 0 {
        spec.flags |= Flags::LEFT;
    }
    spec.width = field(width.unsigned_abs());
    if let Some(tail) = rest.strip_prefix(&[u16::from(b'.')]) {
        let (precision, tail) = amount(tail, arguments)?;
        rest = tail;
        spec.precision = u32::try_from(precision).ok().map(field);
    }
    (spec.size, rest) = size(rest);
    Ok((spec, rest))
}

fn field(value: u32) -> usize {
    usize::try_from(value).map_or(MAX_FIELD, |value| value.min(MAX_FIELD))
}

/// Returns a number of the format, or the argument that `*` stands for.
fn amount<'a, A: Arguments>(
    format: &'a [u16],
    arguments: &mut A,
) -> Result<(i32, &'a [u16]), A::Error> {
    if let Some(tail) = format.strip_prefix(&[u16::from(b'*')]) {
        return Ok((arguments.next()?.cast_signed(), tail));
    }
    let mut value = 0_i32;
    let mut rest = format;
    while let Some((&unit, tail)) = rest.split_first() {
        let Some(digit) = char::from_u32(unit.into()).and_then(|digit| digit.to_digit(10)) else {
            break;
        };
        value = value.saturating_mul(10).saturating_add(digit.cast_signed());
        rest = tail;
    }
    Ok((value, rest))
}

/// Returns the size prefix in front, and what follows.
fn size(format: &[u16]) -> (Size, &[u16]) {
    for (prefix, size) in [
        ("I64", Size::Wide),
        ("I32", Size::Plain),
        ("ll", Size::Wide),
        ("hh", Size::Byte),
        ("h", Size::Short),
        ("l", Size::Long),
        ("w", Size::Long),
        ("L", Size::Plain),
        ("I", Size::Plain),
        ("F", Size::Plain),
        ("N", Size::Plain),
    ] {
        let prefix: Vec<u16> = prefix.encode_utf16().collect();
        if let Some(tail) = format.strip_prefix(prefix.as_slice()) {
            return (size, tail);
        }
    }
    (Size::Plain, format)
}

fn convert<A: Arguments>(
    conversion: u8,
    spec: &Spec,
    form: Form,
    arguments: &mut A,
) -> Result<Option<Piece>, A::Error> {
    Ok(Some(match conversion {
        b'd' | b'i' => {
            let value = signed(spec, arguments)?;
            let digits = value.unsigned_abs().to_string();
            number(sign(value < 0, spec), &digits, spec)
        }
        b'u' => number("", &unsigned(spec, arguments)?.to_string(), spec),
        b'o' => {
            let mut digits = format!("{:o}", unsigned(spec, arguments)?);
            let is_short = spec
                .precision
                .is_none_or(|precision| precision <= digits.len());
            if spec.flags.contains(Flags::ALTERNATE) && is_short && digits != "0" {
                digits.insert(0, '0');
            }
            number("", &digits, spec)
        }
        b'x' | b'X' => {
            let value = unsigned(spec, arguments)?;
            let (digits, prefix) = if conversion == b'x' {
                (format!("{value:x}"), "0x")
            } else {
                (format!("{value:X}"), "0X")
            };
            let shown = spec.flags.contains(Flags::ALTERNATE) && value != 0;
            number(if shown { prefix } else { "" }, &digits, spec)
        }
        b'p' => {
            let digits = format!("{:08X}", arguments.next()?);
            number("", &digits, spec)
        }
        b'c' | b'C' => text(character(conversion, spec, form, arguments)?),
        b's' | b'S' => text(string(conversion, spec, form, arguments)?),
        b'e' | b'E' | b'f' | b'g' | b'G' | b'a' | b'A' => {
            let low = u64::from(arguments.next()?);
            let high = u64::from(arguments.next()?);
            floating(f64::from_bits(low | high << u32::BITS), conversion, spec)
        }
        _ => return Ok(None),
    }))
}

fn text(body: Vec<u16>) -> Piece {
    Piece {
        prefix: Vec::new(),
        body,
        fill: Fill::AsAsked,
    }
}

fn sign(is_negative: bool, spec: &Spec) -> &'static str {
    match is_negative {
        true => "-",
        false if spec.flags.contains(Flags::PLUS) => "+",
        false if spec.flags.contains(Flags::SPACE) => " ",
        false => "",
    }
}

fn signed<A: Arguments>(spec: &Spec, arguments: &mut A) -> Result<i64, A::Error> {
    let low = arguments.next()?;
    let [first, second, ..] = low.to_le_bytes();
    Ok(match spec.size {
        Size::Wide => {
            let high = arguments.next()?;
            (u64::from(low) | u64::from(high) << u32::BITS).cast_signed()
        }
        Size::Byte => i64::from(first.cast_signed()),
        Size::Short => i64::from(i16::from_le_bytes([first, second])),
        Size::Plain | Size::Long => i64::from(low.cast_signed()),
    })
}

fn unsigned<A: Arguments>(spec: &Spec, arguments: &mut A) -> Result<u64, A::Error> {
    let low = arguments.next()?;
    Ok(match spec.size {
        Size::Wide => {
            let high = arguments.next()?;
            u64::from(low) | u64::from(high) << u32::BITS
        }
        Size::Byte => u64::from(low & 0xFF),
        Size::Short => u64::from(low & 0xFFFF),
        Size::Plain | Size::Long => u64::from(low),
    })
}

/// Returns an integer; a precision is the least number of digits and turns off filling by zeros.
fn number(prefix: &str, digits: &str, spec: &Spec) -> Piece {
    let mut body = String::new();
    if let Some(precision) = spec.precision {
        let zeros = precision.saturating_sub(digits.len());
        body.extend(std::iter::repeat_n('0', zeros));
    }
    // No digits at all for zero with precision zero.
    if !(spec.precision == Some(0) && digits == "0") {
        body.push_str(digits);
    }
    Piece {
        prefix: prefix.encode_utf16().collect(),
        body: body.encode_utf16().collect(),
        fill: if spec.precision.is_some() {
            Fill::Spaces
        } else {
            Fill::AsAsked
        },
    }
}

/// Returns whether a character or string has 16 bits.
fn is_wide(conversion: u8, spec: &Spec, form: Form) -> bool {
    match spec.size {
        Size::Byte | Size::Short => false,
        Size::Long | Size::Wide => true,
        Size::Plain => (form == Form::Wide) == conversion.is_ascii_lowercase(),
    }
}

fn character<A: Arguments>(
    conversion: u8,
    spec: &Spec,
    form: Form,
    arguments: &mut A,
) -> Result<Vec<u16>, A::Error> {
    let [first, second, ..] = arguments.next()?.to_le_bytes();
    Ok(if is_wide(conversion, spec, form) {
        form.of_wide(&[u16::from_le_bytes([first, second])])
    } else {
        form.of_narrow(&[first])
    })
}

fn string<A: Arguments>(
    conversion: u8,
    spec: &Spec,
    form: Form,
    arguments: &mut A,
) -> Result<Vec<u16>, A::Error> {
    let addr = arguments.next()?;
    let limit = spec.precision.unwrap_or(MAX_STRING);
    if addr == 0 {
        let shown = NULL_TEXT.get(..limit).unwrap_or(NULL_TEXT);
        return Ok(form.of_narrow(shown));
    }
    Ok(if is_wide(conversion, spec, form) {
        form.of_wide(&arguments.wide_string(addr, limit)?)
    } else {
        form.of_narrow(&arguments.string(addr, limit)?)
    })
}

fn floating(value: f64, conversion: u8, spec: &Spec) -> Piece {
    let precision = spec.precision.unwrap_or(DEFAULT_PRECISION);
    let keeps_point = spec.flags.contains(Flags::ALTERNATE);
    let is_finite = value.is_finite();
    let magnitude = value.abs();
    let mut body = match conversion.to_ascii_lowercase() {
        _ if !is_finite => decimal::special(value, conversion, precision),
        b'e' => decimal::scientific(magnitude, precision, keeps_point),
        b'f' => decimal::fixed(magnitude, precision, keeps_point),
        b'a' => decimal::hexadecimal(magnitude, spec.precision),
        _ => decimal::general(magnitude, precision, keeps_point),
    };
    if conversion.is_ascii_uppercase() && is_finite {
        body = body.to_ascii_uppercase();
    }
    let mut prefix = sign(value.is_sign_negative(), spec).to_owned();
    if let Some(digits) = body.strip_prefix("0x").or(body.strip_prefix("0X")) {
        prefix += body.get(..2).unwrap_or_default();
        body = digits.to_owned();
    }
    Piece {
        prefix: prefix.encode_utf16().collect(),
        body: body.encode_utf16().collect(),
        fill: Fill::AsAsked,
    }
}

fn pad(output: &mut Vec<u16>, piece: Piece, spec: &Spec) {
    let missing = spec
        .width
        .saturating_sub(piece.prefix.len() + piece.body.len());
    let spaces = std::iter::repeat_n(u16::from(b' '), missing);
    if spec.flags.contains(Flags::LEFT) {
        output.extend(piece.prefix);
        output.extend(piece.body);
        output.extend(spaces);
    } else if spec.flags.contains(Flags::ZEROS) && piece.fill == Fill::AsAsked {
        output.extend(piece.prefix);
        output.extend(std::iter::repeat_n(u16::from(b'0'), missing));
        output.extend(piece.body);
    } else {
        output.extend(spaces);
        output.extend(piece.prefix);
        output.extend(piece.body);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

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

        fn store(&mut self, _addr: u32, _bytes: &[u8]) -> Result<(), Infallible> {
            Ok(())
        }
    }

    fn formatted(format: &str, arguments: &[u32]) -> String {
        let format: Vec<u16> = format.encode_utf16().collect();
        let Ok(output) = printf(&format, Form::Ansi, &mut List(arguments.iter()));
        String::from_utf16(&output).unwrap()
    }

    fn float(format: &str, value: f64) -> String {
        let bits = value.to_bits();
        let halves = [bits & 0xFFFF_FFFF, bits >> 32].map(|half| u32::try_from(half).unwrap());
        formatted(format, &halves)
    }

    #[test]
    fn integers_are_printed_by_flags_width_and_precision() {
        for (format, argument, expected) in [
            ("[%5d] [%-5d]", 42, "[   42] [0    ]"),
            ("%05d", 42, "00042"),
            ("%+d", 42, "+42"),
            ("% d", 42, " 42"),
            ("[%5.3d]", 7, "[  007]"),
            ("[%05.3d]", 7, "[  007]"),
            ("%.0d", 0, ""),
            ("%#x", 255, "0xff"),
            ("%#X", 255, "0XFF"),
            ("%#o", 8, "010"),
            ("%#x", 0, "0"),
            ("%hd", 70_000, "4464"),
            ("%hhd", 300, "44"),
            ("%p", 0xABC, "00000ABC"),
            ("%08X|%%|%y", 0xBEEF, "0000BEEF|%|y"),
            ("%ld", u32::MAX, "-1"),
        ] {
            assert_eq!(formatted(format, &[argument]), expected, "{format}");
        }
        assert_eq!(
            formatted("%I64d %lld", &[0, 1, u32::MAX, u32::MAX]),
            "4294967296 -1"
        );
        assert_eq!(formatted("[%*d] [%-*d]", &[4, 1, 4, 1]), "[   1] [1   ]");
    }

    #[test]
    fn strings_and_characters_are_printed() {
        assert_eq!(
            formatted("%s|%.2s|%6s|%-6s|%c", &[1, 1, 1, 1, 65]),
            "text|te|  text|text  |A"
        );
        assert_eq!(formatted("%s|%S|%.3s", &[0, 1, 0]), "(null)|w?|(nu");
    }

    #[test]
    fn floating_point_numbers_are_printed_as_msvcrt_does() {
        for (format, value, expected) in [
            ("%f", 3.5, "3.500000"),
            ("%.2f", 2.675, "2.67"),
            ("%.0f", 0.5, "1"),
            ("%.0f", 2.5, "3"),
            ("%.1f", 0.25, "0.3"),
            ("%e", 12345.678, "1.234568e+004"),
            ("%.3E", 0.000_012_345, "1.234E-005"),
            ("%g", 100_000.0, "100000"),
            ("%g", 1_000_000.0, "1e+006"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 0.000_01, "1e-005"),
            ("%G", 1e-10, "1E-010"),
            ("%#g", 1.5, "1.50000"),
            ("%10.3f|", -1.5, "    -1.500|"),
            ("%010.3f|", -1.5, "-00001.500|"),
            ("%+g", 0.0, "+0"),
            ("%f", f64::INFINITY, "1.#INF00"),
            ("%g", f64::NEG_INFINITY, "-1.#INF"),
            ("%.2f", f64::INFINITY, "1.#J"),
            ("%f", f64::NAN, "1.#QNAN0"),
            ("%a", 1.0, "0x1.0000000000000p+0"),
            ("%.17g", 0.1, "0.10000000000000001"),
            ("%f", 1e20, "100000000000000000000.000000"),
        ] {
            assert_eq!(float(format, value), expected, "{format} of {value}");
        }
    }
}
