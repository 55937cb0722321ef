//! Tokens of one logical line. Works on bytes: string contents may be in any code page.

use crate::source::to_u32;

/// What a token is. Texts are ranges of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenKind {
    /// A name, a directive with its dot, or a keyword.
    Ident,
    /// Digits with an optional radix letter; also reals.
    Number,
    /// A quoted string with both quotes.
    Str,
    /// A string without a closing quote.
    OpenStr,
    /// An operator or a separator.
    Punct(Punct),
    /// A byte that starts nothing.
    Bad,
}

/// Operators and separators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Punct {
    Comma,
    Colon,
    DoubleColon,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    Plus,
    Minus,
    Star,
    Slash,
    Dot,
    Assign,
    Percent,
    Less,
    Greater,
    Ampersand,
    AndAnd,
    OrOr,
    Bang,
    Equal,
    NotEqual,
    LessEqual,
    GreaterEqual,
    Question,
    Dollar,
}

/// A token: its kind and the bytes of the line that it covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Token {
    pub(crate) fn is(self, punct: Punct) -> bool {
        self.kind == TokenKind::Punct(punct)
    }

    pub(crate) fn text(self, line: &[u8]) -> &[u8] {
        line.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// Whether a byte can start a name.
pub(crate) fn is_ident_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@' | b'$' | b'?')
}

/// Whether a byte can continue a name.
pub(crate) fn is_ident_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b'$' | b'?')
}

/// Whether a byte separates tokens.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0B' | b'\x0C' | 0)
}

/// Returns the length of the leading name, 0 if there is none.
pub(crate) fn ident_len(text: &[u8]) -> usize {
    match text.first() {
        Some(&first) if is_ident_start(first) => text
            .iter()
            .position(|&b| !is_ident_byte(b))
            .unwrap_or(text.len()),
        _ => 0,
    }
}

/// Returns `text` without the spaces at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .position(|&b| !is_space(b))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|&b| !is_space(b))
        .map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// Splits a line into tokens; a comment must already be cut off.
pub(crate) fn tokenize(line: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        if is_space(byte) {
            at += 1;
            continue;
        }
        let rest = line.get(at..).unwrap_or_default();
        let (kind, len) = next_token(rest, tokens.is_empty());
        let end = at + len;
        tokens.push(Token {
            kind,
            start: to_u32(at),
            end: to_u32(end),
        });
        at = end;
    }
    tokens
}

fn next_token(rest: &[u8], at_line_start: bool) -> (TokenKind, usize) {
    let byte = rest.first().copied().unwrap_or_default();
    match byte {
        b'0'..=b'9' => (TokenKind::Number, number_len(rest)),
        b'"' | b'\'' => quoted(rest),
        b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) && !at_line_start => {
            (TokenKind::Number, number_len(rest))
        }
        b'.' if at_line_start => match dot_word_len(rest) {
            1 => (TokenKind::Punct(Punct::Dot), 1),
            len => (TokenKind::Ident, len),
        },
        _ => match ident_len(rest) {
            0 => punct(rest),
            1 if byte == b'$' => (TokenKind::Punct(Punct::Dollar), 1),
            1 if byte == b'?' => (TokenKind::Punct(Punct::Question), 1),
            len => (TokenKind::Ident, len),
        },
    }
}

fn dot_word_len(rest: &[u8]) -> usize {
    1 + rest
        .iter()
        .skip(1)
        .take_while(|&&b| is_ident_byte(b))
        .count()
}

fn number_len(rest: &[u8]) -> usize {
    let word = |from: usize| {
        rest.iter()
            .skip(from)
            .take_while(|b| b.is_ascii_alphanumeric())
            .count()
            + from
    };
    let mut len = word(0);
    let is_decimal = rest
        .get(..len)
        .unwrap_or_default()
        .iter()
        .all(|b| b.is_ascii_digit() || *b == b'_');
    if is_decimal && rest.get(len) == Some(&b'.') {
        len = word(len + 1);
        let exponent = rest.get(len - 1).is_some_and(|b| matches!(b, b'e' | b'E'));
        if exponent && rest.get(len).is_some_and(|b| matches!(b, b'+' | b'-')) {
            len = word(len + 1);
        }
    }
    len
}

fn quoted(rest: &[u8]) -> (TokenKind, usize) {
    let len = quoted_len(rest);
    match len {
        Some(len) => (TokenKind::Str, len),
        None => (TokenKind::OpenStr, rest.len()),
    }
}

/// Returns the length of the quoted string at the start, or `None` if it is not closed.
pub(crate) fn quoted_len(rest: &[u8]) -> Option<usize> {
    let quote = *rest.first()?;
    let mut at = 1;
    loop {
        let close = at + rest.get(at..)?.iter().position(|&b| b == quote)?;
        if rest.get(close + 1) != Some(&quote) {
            return Some(close + 1);
        }
        at = close + 2;
    }
}

/// Returns the bytes between the quotes of a string token, doubled quotes made single.
pub(crate) fn unquote(token: &[u8]) -> Vec<u8> {
    let Some((&quote, rest)) = token.split_first() else {
        return Vec::new();
    };
    let body = rest.strip_suffix(&[quote]).unwrap_or(rest);
    let mut bytes = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        bytes.push(byte);
        at += if byte == quote && body.get(at + 1) == Some(&quote) {
            2
        } else {
            1
        };
    }
    bytes
}

fn punct(rest: &[u8]) -> (TokenKind, usize) {
    use Punct as P;
    let pair = match rest.get(..2).unwrap_or_default() {
        b"::" => Some(P::DoubleColon),
        b"==" => Some(P::Equal),
        b"!=" => Some(P::NotEqual),
        b"<=" => Some(P::LessEqual),
        b">=" => Some(P::GreaterEqual),
        b"&&" => Some(P::AndAnd),
        b"||" => Some(P::OrOr),
        _ => None,
    };
    if let Some(pair) = pair {
        return (TokenKind::Punct(pair), 2);
    }
    let single = match rest.first().copied().unwrap_or_default() {
        b',' => P::Comma,
        b':' => P::Colon,
        b'(' => P::LeftParen,
        b')' => P::RightParen,
        b'[' => P::LeftBracket,
        b']' => P::RightBracket,
        b'{' => P::LeftBrace,
        b'}' => P::RightBrace,
        b'+' => P::Plus,
        b'-' => P::Minus,
        b'*' => P::Star,
        b'/' => P::Slash,
        b'.' => P::Dot,
        b'=' => P::Assign,
        b'%' => P::Percent,
        b'<' => P::Less,
        b'>' => P::Greater,
        b'&' => P::Ampersand,
        b'!' => P::Bang,
        _ => return (TokenKind::Bad, 1),
    };
    (TokenKind::Punct(single), 1)
}

/// Returns the length of the code of a line: all before the comment.
///
/// A `;` inside quotes is text, and so is one inside `<...>`, except on lines of run-time control
/// flow, where `<` is "less than".
pub(crate) fn code_len(line: &[u8]) -> usize {
    code_len_of(line, AngleTexts::of(line))
}

/// Whether angle brackets around a text can be in a line: in conditions they compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AngleTexts {
    Possible,
    Impossible,
}

impl AngleTexts {
    pub(crate) fn of(line: &[u8]) -> Self {
        if trim(line).first() == Some(&b'.') {
            Self::Impossible
        } else {
            Self::Possible
        }
    }
}

/// Returns the length of a part of a line up to its comment.
pub(crate) fn code_len_of(line: &[u8], angle_texts: AngleTexts) -> usize {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let rest = line.get(at..).unwrap_or_default();
        at += match byte {
            b';' => return at,
            b'"' | b'\'' => quoted_len(rest).unwrap_or(1),
            b'!' if is_escaped_angle(rest) => 2,
            b'<' if angle_texts == AngleTexts::Possible => angle_len(rest).unwrap_or(1),
            _ => 1,
        };
    }
    line.len()
}

/// Whether a text starts with `!<`, which opens nothing.
pub(crate) fn is_escaped_angle(text: &[u8]) -> bool {
    text.starts_with(b"!<")
}

/// Texts within texts; a limit keeps the search for closing brackets linear.
const MAX_ANGLE_DEPTH: i32 = 32;

/// Returns the length of the text in angle brackets at the start, with its brackets, or `None` if
/// it is not closed.
pub(crate) fn angle_len(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_i32;
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'!' => at += 1,
            b'<' if depth >= MAX_ANGLE_DEPTH => return None,
            b'<' => depth += 1,
            b'>' => {
                depth -= 1;
                if depth <= 0 {
                    return Some(at + 1);
                }
            }
            b'"' | b'\'' => {
                // A quote hides brackets only if it is closed before the text is.
                let tail = rest.get(at..).unwrap_or_default();
                at += quoted_len(tail).map_or(0, |len| len - 1);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        tokenize(line.as_bytes())
            .iter()
            .map(|t| String::from_utf8_lossy(t.text(line.as_bytes())).into_owned())
            .collect()
    }

    #[test]
    fn a_line_splits_into_names_numbers_strings_and_operators() {
        assert_eq!(
            texts("mov eax,[esi].val"),
            ["mov", "eax", ",", "[", "esi", "]", ".", "val"]
        );
        assert_eq!(
            texts(".if al>='a' && !cl"),
            [".if", "al", ">=", "'a'", "&&", "!", "cl"]
        );
        assert_eq!(
            texts("x real4 1.5e-3,0FFh"),
            ["x", "real4", "1.5e-3", ",", "0FFh"]
        );
        assert_eq!(
            texts("@@: dd $-x,?"),
            ["@@", ":", "dd", "$", "-", "x", ",", "?"]
        );
    }

    #[test]
    fn a_comment_starts_at_the_first_semicolon_outside_texts() {
        assert_eq!(code_len(b"db ';',1 ; x"), 9);
        assert_eq!(code_len(b"m <a;b> ; x"), 8);
        assert_eq!(code_len(b".if eax < 5 ; > x"), 12);
    }

    #[test]
    fn a_doubled_quote_stands_for_one() {
        assert_eq!(unquote(b"'it''s'"), b"it's");
        assert_eq!(quoted_len(b"'it''s' x"), Some(7));
        assert_eq!(quoted_len(b"'open"), None);
    }
}
