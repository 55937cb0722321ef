//! Code pages: 8-bit characters and the Unicode characters that they stand for.

/// The Unicode characters of the bytes 80h to 9Fh in code page 1252. The five bytes that the page
/// leaves open stand for control characters, as Windows has it, so that every byte comes back.
const WINDOWS_1252: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];
/// The first byte of [`WINDOWS_1252`].
const FIRST: u8 = 0x80;
/// What a character becomes that a code page does not have.
const REPLACEMENT: u8 = b'?';

/// Returns the character of a byte in the ANSI code page, 1252.
pub(crate) fn decode(byte: u8) -> char {
    byte.checked_sub(FIRST)
        .and_then(|index| WINDOWS_1252.get(usize::from(index)).copied())
        .unwrap_or(char::from(byte))
}

/// Returns the byte of a character in the ANSI code page; `None` if it has none.
pub(crate) fn encode(character: char) -> Option<u8> {
    if let Some(index) = (0_u8..)
        .zip(WINDOWS_1252)
        .find(|(_, known)| *known == character)
    {
        return Some(FIRST + index.0);
    }
    u8::try_from(character)
        .ok()
        .filter(|byte| decode(*byte) == character)
}

/// Returns the text of bytes in the ANSI code page.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| decode(byte)).collect()
}

/// Returns a text in the ANSI code page; what that lacks becomes `?`.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| encode(character).unwrap_or(REPLACEMENT))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(encode(decode(byte)), Some(byte), "{byte:#x}");
        }
        assert_eq!(bytes("a\u{20AC}\u{416}"), b"a\x80?");
    }
}
