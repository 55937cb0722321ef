//! Expressions over the names of a MASM program.
//!
//! Registers, labels and numbers as MASM writes them, with its operators; `[X]` is the dword at X,
//! and `byte ptr [X]`, `word ptr [X]` are smaller ones. A label stands for its address.

use thiserror::Error;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// There is neither a register nor a label of this name.
    #[error("there is no register and no label `{0}`")]
    Unknown(Name),
    /// Something else was expected.
    #[error("expected {expected} before `{found}`")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// The rest of the expression.
        found: Name,
    },
    /// The expression ends too early.
    #[error("expected {0} at the end")]
    Ends(&'static str),
    /// A number does not fit into 32 bits, or has a digit that its base has not.
    #[error("`{0}` is no number of 32 bits")]
    Number(Name),
    /// Nothing is readable at an address.
    #[error("no memory at {0:#010x}")]
    Memory(u32),
    /// A division by zero.
    #[error("a division by zero")]
    Division,
    /// Parentheses or operators in each other, deeper than anybody writes them.
    #[error("the expression is nested too deeply")]
    Depth,
}

/// A piece of an expression, for an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Box<str>);

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names and memory hold.
pub(crate) trait Scope {
    /// Returns the value of a register, or the address of a label.
    fn name(&self, name: &str) -> Option<u32>;

    /// Fills `bytes` from memory; `None` where there is none.
    fn memory(&mut self, addr: u32, bytes: &mut [u8]) -> Option<()>;
}

/// The most levels of nesting.
const MAX_DEPTH: u32 = 64;

/// Returns the value of an expression.
pub(crate) fn evaluate(text: &str, scope: &mut dyn Scope) -> Result<u32, ExpressionError> {
    let mut parser = Parser {
        rest: text,
        scope,
        depth: 0,
    };
    let value = parser.binary(0)?;
    match parser.rest.trim_start() {
        "" => Ok(value),
        rest => Err(ExpressionError::Expected {
            expected: "an operator",
            found: Name(rest.into()),
        }),
    }
}

struct Parser<'a> {
    rest: &'a str,
    scope: &'a mut dyn Scope,
    depth: u32,
}

/// An operator of two operands.
#[derive(Clone, Copy)]
enum Operator {
    Or,
    Xor,
    And,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Left,
    Right,
}

/// The operators with their ranks, as MASM has them: a higher one binds tighter.
const OPERATORS: [(&str, Operator, u32); 10] = [
    ("or", Operator::Or, 0),
    ("xor", Operator::Xor, 0),
    ("and", Operator::And, 1),
    ("+", Operator::Add, 2),
    ("-", Operator::Subtract, 2),
    ("*", Operator::Multiply, 3),
    ("/", Operator::Divide, 3),
    ("mod", Operator::Remainder, 3),
    ("shl", Operator::Left, 3),
    ("shr", Operator::Right, 3),
];

impl<'a> Parser<'a> {
    fn binary(&mut self, rank: u32) -> Result<u32, ExpressionError> {
        let mut left = self.unary()?;
        while let Some((operator, own, rest)) = self.operator().filter(|&(_, own, _)| own >= rank) {
            self.rest = rest;
            let right = self.binary(own + 1)?;
            left = apply(operator, left, right)?;
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(Operator, u32, &'a str)> {
        let rest = self.rest.trim_start();
        OPERATORS.into_iter().find_map(|(text, operator, rank)| {
            let (head, tail) = rest.split_at_checked(text.len())?;
            let is_word = text.starts_with(|first: char| first.is_alphabetic());
            let ends = !is_word || !tail.starts_with(is_name);
            (head.eq_ignore_ascii_case(text) && ends).then_some((operator, rank, tail))
        })
    }

    /// Every nesting passes here, whatever makes it.
    fn unary(&mut self) -> Result<u32, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpressionError::Depth);
        }
        let value = self.operand()?;
        self.depth -= 1;
        Ok(value)
    }

    fn operand(&mut self) -> Result<u32, ExpressionError> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.chars().next() else {
            return Err(ExpressionError::Ends("a value"));
        };
        match first {
            '-' => self.after_sign().map(u32::wrapping_neg),
            '+' => self.after_sign(),
            '(' => self.enclosed(')'),
            '[' => {
                let addr = self.enclosed(']')?;
                self.dword(addr, 4)
            }
            _ if first.is_ascii_digit() => self.number(),
            _ if is_name(first) => self.named(),
            _ => Err(ExpressionError::Expected {
                expected: "a value",
                found: Name(self.rest.into()),
            }),
        }
    }

    fn after_sign(&mut self) -> Result<u32, ExpressionError> {
        self.rest = &self.rest[1..];
        self.unary()
    }

    fn enclosed(&mut self, end: char) -> Result<u32, ExpressionError> {
        self.rest = &self.rest[1..];
        let value = self.binary(0)?;
        let rest = self.rest.trim_start();
        match rest.strip_prefix(end) {
            Some(rest) => {
                self.rest = rest;
                Ok(value)
            }
            None if rest.is_empty() => Err(ExpressionError::Ends("a closing bracket")),
            None => Err(ExpressionError::Expected {
                expected: "a closing bracket",
                found: Name(rest.into()),
            }),
        }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let len = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(len);
        self.rest = rest;
        word
    }

    fn number(&mut self) -> Result<u32, ExpressionError> {
        let word = self.word();
        let lower = word.to_ascii_lowercase();
        let (digits, base) = match lower.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => match lower.char_indices().next_back() {
                Some((at, 'h')) => (&lower[..at], 16),
                Some((at, 'b' | 'y')) => (&lower[..at], 2),
                Some((at, 'o' | 'q')) => (&lower[..at], 8),
                Some((at, 'd' | 't')) => (&lower[..at], 10),
                _ => (lower.as_str(), 10),
            },
        };
        let value = u32::from_str_radix(digits, base);
        value.map_err(|_| ExpressionError::Number(Name(word.into())))
    }

    fn named(&mut self) -> Result<u32, ExpressionError> {
        let word = self.word();
        let size = match word.to_ascii_lowercase().as_str() {
            "byte" => 1,
            "word" => 2,
            "dword" => 4,
            "offset" | "addr" => return self.unary(),
            "not" => return self.unary().map(|value| !value),
            _ => {
                let value = self.scope.name(word);
                return value.ok_or(ExpressionError::Unknown(Name(word.into())));
            }
        };
        let before = self.rest;
        if !self.word().eq_ignore_ascii_case("ptr") {
            return Err(ExpressionError::Expected {
                expected: "`ptr`",
                found: Name(before.trim_start().into()),
            });
        }
        self.rest = self.rest.trim_start();
        let addr = if self.rest.starts_with('[') {
            self.enclosed(']')?
        } else {
            self.unary()?
        };
        self.dword(addr, size)
    }

    /// Returns what memory holds at an address.
    fn dword(&mut self, addr: u32, size: usize) -> Result<u32, ExpressionError> {
        let mut bytes = [0; 4];
        let read = self.scope.memory(addr, &mut bytes[..size]);
        read.ok_or(ExpressionError::Memory(addr))?;
        Ok(u32::from_le_bytes(bytes))
    }
}

fn apply(operator: Operator, left: u32, right: u32) -> Result<u32, ExpressionError> {
    Ok(match operator {
        Operator::Or => left | right,
        Operator::Xor => left ^ right,
        Operator::And => left & right,
        Operator::Add => left.wrapping_add(right),
        Operator::Subtract => left.wrapping_sub(right),
        Operator::Multiply => left.wrapping_mul(right),
        Operator::Divide => left.checked_div(right).ok_or(ExpressionError::Division)?,
        Operator::Remainder => left.checked_rem(right).ok_or(ExpressionError::Division)?,
        Operator::Left => left.checked_shl(right).unwrap_or(0),
        Operator::Right => left.checked_shr(right).unwrap_or(0),
    })
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '@' | '$' | '?' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Scope for Fixed {
        fn name(&self, name: &str) -> Option<u32> {
            match name {
                "eax" => Some(5),
                "block" => Some(0x40_3000),
                _ => None,
            }
        }

        fn memory(&mut self, addr: u32, bytes: &mut [u8]) -> Option<()> {
            let known = addr
                .checked_sub(0x40_3000)
                .filter(|offset| *offset < 0x100)?;
            for (at, byte) in (known..).zip(bytes) {
                *byte = u8::try_from(at).ok()?;
            }
            Some(())
        }
    }

    #[test]
    fn masm_expressions_have_the_values_that_masm_gives_them() {
        for (text, expected) in [
            ("0FFh + 1", 0x100),
            ("0x10 * 2 + 3", 35),
            ("3 + 2 * 0x10", 35),
            ("10 - 3 - 2", 5),
            ("1010b or 101b", 15),
            ("not 0 and 0FFh", 0xFF),
            ("-1 shr 28", 15),
            ("(eax + 2) * 3", 21),
            ("offset block + eax", 0x40_3005),
            ("[block]", 0x0302_0100),
            ("byte ptr [block + eax]", 5),
            ("word ptr block", 0x0100),
            ("17 mod 5", 2),
            ("1 shl 40", 0),
        ] {
            assert_eq!(evaluate(text, &mut Fixed), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_says_why() {
        for (text, expected) in [
            ("nobody", "there is no register and no label `nobody`"),
            ("1 +", "expected a value at the end"),
            ("(1", "expected a closing bracket at the end"),
            ("1 2", "expected an operator before `2`"),
            ("0FFFFFFFFFh", "`0FFFFFFFFFh` is no number of 32 bits"),
            ("[0]", "no memory at 0x00000000"),
            ("1 / 0", "a division by zero"),
            ("byte [block]", "expected `ptr` before `[block]`"),
            ("", "expected a value at the end"),
            ("\u{e9}", "there is no register and no label `\u{e9}`"),
        ] {
            let error = evaluate(text, &mut Fixed).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn whatever_nests_has_a_limit() {
        let deepest = usize::try_from(MAX_DEPTH).unwrap() - 1;
        for nested in [
            "(",
            "-",
            "[",
            "not ",
            "offset ",
            "addr ",
            "dword ptr ",
            "byte ptr [",
        ] {
            let error = evaluate(&nested.repeat(1_000_000), &mut Fixed).unwrap_err();
            assert_eq!(error, ExpressionError::Depth, "{nested}");
        }
        for (nested, end) in [("not ", ""), ("- ", ""), ("(", ")")] {
            let text = |count| format!("{}7{}", nested.repeat(count), end.repeat(count));
            assert!(evaluate(&text(deepest), &mut Fixed).is_ok(), "{nested}");
            assert!(
                evaluate(&text(deepest + 1), &mut Fixed).is_err(),
                "{nested}"
            );
        }
    }
}
