//! Conditions of run-time control flow: parsing, and the compare instructions they need.

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::expr::Value;
use crate::lex::{Punct, TokenKind};
use crate::line::Line;
use crate::types::Type;

/// Deepest nesting of parentheses.
const MAX_DEPTH: u32 = 48;

/// A condition.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// Instructions that set flags, and the jump that is taken if it holds or does not.
    Simple {
        code: Vec<u8>,
        when_true: &'static str,
        when_false: &'static str,
    },
    Constant(bool),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Assembler<'_> {
    /// Parses the condition at token `start`; returns the token after it as well.
    pub(crate) fn condition(
        &mut self,
        line: &Line,
        start: usize,
    ) -> Result<(Condition, usize), Reported> {
        let mut parser = ConditionParser {
            asm: self,
            line,
            at: start,
            depth: 0,
        };
        let condition = parser.any()?;
        Ok((condition, parser.at))
    }
}

/// Parses the condition of a directive.
struct ConditionParser<'p, 'a> {
    asm: &'p mut Assembler<'a>,
    line: &'p Line,
    at: usize,
    depth: u32,
}

impl ConditionParser<'_, '_> {
    fn fail(&mut self) -> Reported {
        let span = self.line.span(self.at, self.line.len().max(self.at + 1));
        self.asm.error(Kind::BadCondition, span)
    }

    fn next_is(&self, punct: Punct) -> bool {
        self.line
            .token(self.at)
            .is_some_and(|token| token.is(punct))
    }

    fn any(&mut self) -> Result<Condition, Reported> {
        let mut parts = vec![self.all()?];
        while self.next_is(Punct::OrOr) {
            self.at += 1;
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Condition::Any(parts)
        })
    }

    fn all(&mut self) -> Result<Condition, Reported> {
        let mut parts = vec![self.simple()?];
        while self.next_is(Punct::AndAnd) {
            self.at += 1;
            parts.push(self.simple()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Condition::All(parts)
        })
    }

    fn simple(&mut self) -> Result<Condition, Reported> {
        let mut is_negated = false;
        while self.next_is(Punct::Bang) {
            is_negated = !is_negated;
            self.at += 1;
        }
        let condition = self.unnegated()?;
        Ok(if is_negated {
            Condition::Not(Box::new(condition))
        } else {
            condition
        })
    }

    fn unnegated(&mut self) -> Result<Condition, Reported> {
        if self.next_is(Punct::LeftParen) && self.is_condition_group() {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.fail());
            }
            self.at += 1;
            let inner = self.any()?;
            if !self.next_is(Punct::RightParen) {
                return Err(self.fail());
            }
            self.at += 1;
            self.depth -= 1;
            return Ok(inner);
        }
        if let Some((when_true, when_false)) = flag(self.line.bytes(self.at)) {
            self.at += 1;
            return Ok(Condition::Simple {
                code: Vec::new(),
                when_true,
                when_false,
            });
        }
        let start = self.at;
        let left = self.operand()?;
        let left_end = self.at;
        let operator = self.line.token(self.at).and_then(|token| match token.kind {
            TokenKind::Punct(punct) => comparison(punct),
            _ => None,
        });
        match operator {
            None => Ok(self.bare(&left, start, left_end)),
            Some(operator) => {
                self.at += 1;
                let right_start = self.at;
                let right = self.operand()?;
                let sides = Sides {
                    start,
                    left_end,
                    right_start,
                    right_end: self.at,
                };
                Ok(self.compare(operator, &left, &right, sides))
            }
        }
    }

    /// Whether the parenthesis holds a condition, not an operand.
    fn is_condition_group(&self) -> bool {
        let mut depth = 0_u32;
        for at in self.at..self.line.len() {
            let Some(token) = self.line.token(at) else {
                return false;
            };
            match token.kind {
                TokenKind::Punct(Punct::LeftParen) => depth += 1,
                TokenKind::Punct(Punct::RightParen) => {
                    depth -= 1;
                    if depth == 0 {
                        return false;
                    }
                }
                TokenKind::Punct(punct) if is_condition_punct(punct) => return true,
                TokenKind::Ident if flag(self.line.bytes(at)).is_some() => return true,
                _ => {}
            }
        }
        false
    }

    fn operand(&mut self) -> Result<Value, Reported> {
        let limit = (self.at..self.line.len())
            .find(|&at| match self.line.token(at).map(|token| token.kind) {
                Some(TokenKind::Punct(punct)) => is_condition_punct(punct),
                Some(TokenKind::Ident) => flag(self.line.bytes(at)).is_some(),
                _ => false,
            })
            .unwrap_or(self.line.len());
        if limit == self.at {
            return Err(self.fail());
        }
        let (value, next) = self.asm.evaluate(self.line, self.at, limit)?;
        self.at = next;
        Ok(value)
    }

    /// An operand alone: whether it is not zero.
    fn bare(&self, value: &Value, start: usize, end: usize) -> Condition {
        if let Some(number) = value.constant().filter(|_| !value.is_forward) {
            return Condition::Constant(number != 0);
        }
        let text = self.line.range(start, end);
        let code = if value.register.is_some() {
            [b"or ", text, b",", text].concat()
        } else {
            [b"cmp ", text, b",0"].concat()
        };
        Condition::Simple {
            code,
            when_true: "jnz",
            when_false: "jz",
        }
    }

    fn compare(&self, operator: Comparison, left: &Value, right: &Value, at: Sides) -> Condition {
        let first = self.line.range(at.start, at.left_end);
        let second = self.line.range(at.right_start, at.right_end);
        let is_zero = right.constant() == Some(0) && !right.is_forward;
        let code = match operator {
            Comparison::Test => [b"test ", first, b",", second].concat(),
            Comparison::Equal | Comparison::NotEqual if left.register.is_some() && is_zero => {
                [b"or ", first, b",", first].concat()
            }
            _ => [b"cmp ", first, b",", second].concat(),
        };
        let is_signed = |value: &Value| value.effective_type().is_some_and(Type::is_signed);
        let (when_true, when_false) = jumps(operator, is_signed(left) || is_signed(right));
        Condition::Simple {
            code,
            when_true,
            when_false,
        }
    }
}

/// Token positions of a comparison.
#[derive(Clone, Copy, Debug)]
struct Sides {
    start: usize,
    left_end: usize,
    right_start: usize,
    right_end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Test,
}

fn comparison(punct: Punct) -> Option<Comparison> {
    Some(match punct {
        Punct::Equal => Comparison::Equal,
        Punct::NotEqual => Comparison::NotEqual,
        Punct::Greater => Comparison::Greater,
        Punct::GreaterEqual => Comparison::GreaterEqual,
        Punct::Less => Comparison::Less,
        Punct::LessEqual => Comparison::LessEqual,
        Punct::Ampersand => Comparison::Test,
        _ => return None,
    })
}

fn is_condition_punct(punct: Punct) -> bool {
    comparison(punct).is_some() || matches!(punct, Punct::AndAnd | Punct::OrOr | Punct::Bang)
}

/// The jumps that are taken when the comparison holds and when it does not.
fn jumps(operator: Comparison, is_signed: bool) -> (&'static str, &'static str) {
    match (operator, is_signed) {
        (Comparison::Equal, _) => ("jz", "jnz"),
        (Comparison::NotEqual | Comparison::Test, _) => ("jnz", "jz"),
        (Comparison::Greater, false) => ("ja", "jbe"),
        (Comparison::GreaterEqual, false) => ("jae", "jb"),
        (Comparison::Less, false) => ("jb", "jae"),
        (Comparison::LessEqual, false) => ("jbe", "ja"),
        (Comparison::Greater, true) => ("jg", "jle"),
        (Comparison::GreaterEqual, true) => ("jge", "jl"),
        (Comparison::Less, true) => ("jl", "jge"),
        (Comparison::LessEqual, true) => ("jle", "jg"),
    }
}

fn flag(name: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match name.to_ascii_uppercase().as_slice() {
        b"ZERO?" => ("jz", "jnz"),
        b"CARRY?" => ("jc", "jnc"),
        b"SIGN?" => ("js", "jns"),
        b"PARITY?" => ("jp", "jnp"),
        b"OVERFLOW?" => ("jo", "jno"),
        _ => return None,
    })
}
