//! Words, numbers and texts of an expectation.

use crate::expect::error::{ExpectError, ExpectErrorKind, Word};

/// A stretch of one line of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The line, counted from 1.
    pub line: u32,
    /// The first byte of the stretch, counted from 1.
    pub column: u32,
    /// The length in bytes.
    pub len: u32,
}

impl Span {
    /// Returns the stretch from the start of this one to the end of another on the same line.
    #[must_use]
    pub(crate) fn to(self, other: Self) -> Self {
        let end = other.column.saturating_add(other.len);
        Self {
            len: end.saturating_sub(self.column),
            ..self
        }
    }

    /// Returns the bytes of the stretch within its line, from 0.
    pub fn range(self) -> std::ops::Range<usize> {
        let start = self.column.saturating_sub(1) as usize;
        start..start.saturating_add(self.len as usize)
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word(String),
    Number(u32),
    Text(Vec<u8>),
    Sign(&'static str),
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// Signs, longer ones before those that they begin with.
const SIGNS: [&str; 21] = [
    "==", "!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", "+", "-", "*", "/", "&", "|",
    "^", ",", ":",
];
/// The sign before a number of order.
const ORDINAL: &str = "#";

/// Takes a line apart. A semicolon outside of a text begins a comment.
///
/// # Errors
///
/// A number that is none, a text without an end, a character that means nothing here.
pub(crate) fn tokens(line: u32, first_column: u32, text: &[u8]) -> Result<Vec<Token>, ExpectError> {
    let mut lexer = Lexer {
        line,
        first_column,
        text,
        at: 0,
    };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        let is_end = token.kind == Kind::End;
        tokens.push(token);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    line: u32,
    first_column: u32,
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Token, ExpectError> {
        self.skip(|byte| byte.is_ascii_whitespace());
        let start = self.at;
        let kind = match self.peek() {
            None | Some(b';') => Kind::End,
            Some(b'"') => self.quoted()?,
            Some(byte) if byte.is_ascii_digit() => self.number()?,
            Some(byte) if is_word(byte) => {
                self.skip(|byte| is_word(byte) || byte.is_ascii_digit());
                Kind::Word(self.slice(start))
            }
            Some(_) => self.sign()?,
        };
        Ok(Token {
            kind,
            span: self.span(start),
        })
    }

    fn sign(&mut self) -> Result<Kind, ExpectError> {
        let rest = &self.text[self.at..];
        let found = SIGNS
            .into_iter()
            .chain([ORDINAL])
            .find(|sign| rest.starts_with(sign.as_bytes()));
        let start = self.at;
        if let Some(sign) = found {
            self.at += sign.len();
            return Ok(Kind::Sign(sign));
        }
        self.at += 1;
        Err(self.error(start, ExpectErrorKind::StrayCharacter))
    }

    fn number(&mut self) -> Result<Kind, ExpectError> {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let text = self.slice(start);
        number(&text).map(Kind::Number).ok_or_else(|| {
            let word = Word::new(&text);
            self.error(start, ExpectErrorKind::BadNumber { word })
        })
    }

    fn quoted(&mut self) -> Result<Kind, ExpectError> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.error(start, ExpectErrorKind::UnclosedText));
            };
            self.at += 1;
            match byte {
                b'"' => return Ok(Kind::Text(bytes)),
                b'\\' => bytes.push(self.escaped()?),
                _ => bytes.push(byte),
            }
        }
    }

    fn escaped(&mut self) -> Result<u8, ExpectError> {
        let start = self.at.saturating_sub(1);
        let letter = self.peek();
        self.at += usize::from(letter.is_some());
        match letter {
            Some(b'n') => Ok(b'\n'),
            Some(b'r') => Ok(b'\r'),
            Some(b't') => Ok(b'\t'),
            Some(b'0') => Ok(0),
            Some(byte @ (b'"' | b'\\')) => Ok(byte),
            Some(b'x') => {
                let digits = self.text.get(self.at..self.at + 2);
                let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                self.at = self.text.len().min(self.at + 2);
                byte.ok_or_else(|| self.error(start, ExpectErrorKind::BadEscape))
            }
            _ => Err(self.error(start, ExpectErrorKind::BadEscape)),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&is_part) {
            self.at += 1;
        }
    }

    fn slice(&self, start: usize) -> String {
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    fn span(&self, start: usize) -> Span {
        span_of(self.line, self.first_column, start, self.at)
    }

    fn error(&self, start: usize, kind: ExpectErrorKind) -> ExpectError {
        ExpectError {
            span: self.span(start),
            kind,
        }
    }
}

/// Returns the stretch of `start..end` of a text that begins at a column.
pub(crate) fn span_of(line: u32, first_column: u32, start: usize, end: usize) -> Span {
    let to_u32 = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Span {
        line,
        column: first_column.saturating_add(to_u32(start)),
        len: to_u32(end.saturating_sub(start)),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@' | b'$' | b'?' | b'.')
}

/// Returns the value of a number as assembly or C programs write it: `4096`, `1000h`, `0x1000`,
/// `101b`, `4K`, `1M`.
pub(crate) fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase().replace('_', "");
    if let Some(digits) = lower.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = lower.strip_suffix('h') {
        return u32::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = lower.strip_suffix('b') {
        return u32::from_str_radix(digits, 2).ok();
    }
    let units = [('k', 1_u32 << 10), ('m', 1 << 20), ('g', 1 << 30)];
    for (letter, factor) in units {
        if let Some(digits) = lower.strip_suffix(letter) {
            return digits.parse::<u32>().ok()?.checked_mul(factor);
        }
    }
    lower.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_assembly_and_c_write_them() {
        let read = ["10", "10h", "0FFh", "0x1_0", "101b", "4K", "1M"].map(number);

        let expected = [10, 16, 255, 16, 5, 4096, 1 << 20].map(Some);
        assert_eq!(read, expected);
        for wrong in ["", "12z", "0x", "4294967296", "5G", "2b"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_knows_its_columns() {
        let found = tokens(7, 4, b"  eax >= \"a\\n\" ; why").unwrap();

        let columns: Vec<_> = found.iter().map(|token| token.span.column).collect();
        assert_eq!(columns, [6, 10, 13, 19]);
        assert_eq!(found[1].kind, Kind::Sign(">="));
        assert_eq!(found[2].kind, Kind::Text(b"a\n".to_vec()));
        assert_eq!(found[2].span.len, 5);
    }
}
