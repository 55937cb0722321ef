//! The expression parser: precedence climbing over MASM's fourteen levels.

use iced_x86::Register;

use super::number::{char_constant, parse_number};
use super::value::{RealToken, Scaled, Value};
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{Punct, TokenKind, unquote};
use crate::line::Line;
use crate::symbol::{SymbolId, SymbolKind};
use crate::types::Type;
use crate::words::{Operator, Word};

/// Binding powers, loosest first.
mod power {
    pub(super) const LOOSEST: u8 = 0;
    pub(super) const SHORT: u8 = 5;
    pub(super) const OR: u8 = 10;
    pub(super) const AND: u8 = 20;
    pub(super) const NOT: u8 = 30;
    pub(super) const COMPARE: u8 = 40;
    pub(super) const SUM: u8 = 50;
    pub(super) const PRODUCT: u8 = 60;
    pub(super) const SIGN: u8 = 70;
    pub(super) const HIGH_LOW: u8 = 80;
    pub(super) const OFFSET: u8 = 90;
    pub(super) const PTR: u8 = 100;
    pub(super) const SIZE: u8 = 120;
}

/// Deepest nesting of parentheses and prefix operators.
const MAX_DEPTH: u32 = 64;
/// Names that stand for names that stand for names.
const MAX_ALIASES: u32 = 64;

/// Parses expressions of one line.
pub(super) struct Parser<'p, 'a> {
    pub(super) asm: &'p mut Assembler<'a>,
    pub(super) line: &'p Line,
    pub(super) at: usize,
    end: usize,
    brackets: u32,
    depth: u32,
}

impl Assembler<'_> {
    /// Evaluates the expression at token `start`, reading no further than `end`, and returns its
    /// value and the token after it.
    pub(crate) fn evaluate(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
    ) -> Result<(Value, usize), Reported> {
        let mut parser = Parser {
            asm: self,
            line,
            at: start,
            end: end.min(line.len()),
            brackets: 0,
            depth: 0,
        };
        let value = parser.expression(power::LOOSEST)?;
        let at = parser.at;
        Ok((value, at))
    }

    /// Evaluates a constant expression.
    pub(crate) fn evaluate_constant(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
    ) -> Result<(i128, usize), Reported> {
        let (value, next) = self.evaluate(line, start, end)?;
        match value.constant() {
            Some(number) if !value.is_forward => Ok((number, next)),
            _ => {
                let undefined = value
                    .symbol
                    .filter(|&id| !self.symbols.get(id).is_defined());
                let kind = match undefined {
                    Some(id) => Kind::UndefinedSymbol {
                        name: (&*self.symbols.get(id).name).into(),
                    },
                    None => Kind::ConstantExpected,
                };
                Err(self.error(kind, line.span(start, next)))
            }
        }
    }
}

impl Parser<'_, '_> {
    fn peek(&self) -> Option<TokenKind> {
        if self.at >= self.end {
            None
        } else {
            self.line.token(self.at).map(|token| token.kind)
        }
    }

    fn next_is(&self, punct: Punct) -> bool {
        self.peek() == Some(TokenKind::Punct(punct))
    }

    fn word(&self) -> Word {
        if self.at >= self.end {
            Word::Name
        } else {
            self.line.word(self.at)
        }
    }

    pub(super) fn fail(&mut self, kind: Kind, start: usize) -> Reported {
        let span = self.line.span(start, self.at.max(start + 1));
        self.asm.error(kind, span)
    }

    fn expect(&mut self, punct: Punct, what: &'static str) -> Result<(), Reported> {
        if self.next_is(punct) {
            self.at += 1;
            return Ok(());
        }
        Err(self.fail(Kind::Expected { what }, self.at))
    }

    fn expression(&mut self, min: u8) -> Result<Value, Reported> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail(Kind::BadExpression, self.at));
        }
        let start = self.at;
        let mut left = self.prefix()?;
        while let Some((bp, operator)) = self.infix() {
            if bp < min {
                break;
            }
            self.at += 1;
            if operator == Infix::Ptr {
                let right = self.expression(power::PTR)?;
                left = self.cast(&left, right, start)?;
                continue;
            }
            let right = self.expression(bp + 1)?;
            left = self.binary(operator, &left, &right, start)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn infix(&self) -> Option<(u8, Infix)> {
        let operator = match self.peek()? {
            TokenKind::Punct(Punct::Plus) => (power::SUM, Infix::Add),
            TokenKind::Punct(Punct::Minus) => (power::SUM, Infix::Subtract),
            TokenKind::Punct(Punct::Star) => (power::PRODUCT, Infix::Multiply),
            TokenKind::Punct(Punct::Slash) => (power::PRODUCT, Infix::Divide),
            TokenKind::Ident => match self.word() {
                Word::Operator(operator) => infix_word(operator)?,
                _ => return None,
            },
            _ => return None,
        };
        Some(operator)
    }

    fn prefix(&mut self) -> Result<Value, Reported> {
        let start = self.at;
        match self.peek() {
            Some(TokenKind::Punct(Punct::Plus)) => {
                self.at += 1;
                self.expression(power::SIGN)
            }
            Some(TokenKind::Punct(Punct::Minus)) => {
                self.at += 1;
                let value = self.expression(power::SIGN)?;
                self.negate(value, start)
            }
            // `.type`: the dot is part of a word only where a line begins.
            Some(TokenKind::Punct(Punct::Dot))
                if self.line.bytes(start + 1).eq_ignore_ascii_case(b"type") =>
            {
                self.at += 1;
                self.prefix_word(Operator::OpAttr)
            }
            Some(TokenKind::Ident) => match self.word() {
                Word::Operator(operator) => self.prefix_word(operator),
                _ => self.postfix(),
            },
            _ => self.postfix(),
        }
    }

    fn prefix_word(&mut self, operator: Operator) -> Result<Value, Reported> {
        use Operator as O;
        let start = self.at;
        self.at += 1;
        let bp = match operator {
            O::Not => power::NOT,
            O::High | O::Low | O::HighWord | O::LowWord => power::HIGH_LOW,
            O::Offset | O::Seg | O::TypeOf | O::ImageRel | O::This => power::OFFSET,
            O::Short | O::OpAttr | O::Addr => power::SHORT,
            O::Length | O::LengthOf | O::Size | O::SizeOf | O::Mask | O::Width => power::SIZE,
            _ => return Err(self.fail(Kind::BadExpression, start)),
        };
        let value = if bp == power::SIZE {
            self.postfix()?
        } else {
            self.expression(bp)?
        };
        self.apply_prefix(operator, value, start)
    }

    fn postfix(&mut self) -> Result<Value, Reported> {
        let start = self.at;
        let mut value = self.primary()?;
        loop {
            match self.peek() {
                Some(TokenKind::Punct(Punct::LeftBracket)) => {
                    let inner = self.bracket()?;
                    value = self.index(&value, &inner, start)?;
                }
                Some(TokenKind::Punct(Punct::Dot)) => {
                    self.at += 1;
                    value = self.member(&value, start)?;
                }
                // Operands like `.5` after a bracket are lexed as reals: never members.
                _ => return Ok(value),
            }
        }
    }

    fn bracket(&mut self) -> Result<Value, Reported> {
        self.at += 1;
        self.brackets += 1;
        let inner = self.expression(power::LOOSEST);
        self.brackets -= 1;
        let mut inner = inner?;
        self.expect(Punct::RightBracket, "`]`")?;
        inner.in_brackets = true;
        if inner.has_registers() || inner.segment.is_some() {
            inner.is_memory = true;
        }
        Ok(inner)
    }

    fn primary(&mut self) -> Result<Value, Reported> {
        let at = self.at;
        match self.peek() {
            Some(TokenKind::Number) => self.number(),
            Some(TokenKind::Str) => {
                self.at += 1;
                let bytes = unquote(self.line.bytes(at));
                let number = char_constant(&bytes).unwrap_or(i128::MAX);
                Ok(Value {
                    number,
                    string: Some(at),
                    ..Value::default()
                })
            }
            Some(TokenKind::OpenStr) => Err(self.fail(Kind::OpenString, at)),
            Some(TokenKind::Punct(Punct::LeftParen)) => {
                self.at += 1;
                let value = self.expression(power::LOOSEST)?;
                self.expect(Punct::RightParen, "`)`")?;
                Ok(value)
            }
            Some(TokenKind::Punct(Punct::LeftBracket)) => self.bracket(),
            Some(TokenKind::Punct(Punct::Dollar)) => {
                self.at += 1;
                Ok(self.asm.here_value())
            }
            Some(TokenKind::Ident) => self.name(),
            Some(_) => {
                let token = self.line.bytes(at).into();
                Err(self.fail(Kind::Unexpected { token }, at))
            }
            None => Err(self.fail(Kind::Expected { what: "an operand" }, at)),
        }
    }

    fn number(&mut self) -> Result<Value, Reported> {
        let at = self.at;
        self.at += 1;
        let text = self.line.bytes(at);
        let is_real = text.contains(&b'.') || text.ends_with(b"r") || text.ends_with(b"R");
        if is_real {
            let real = Some(RealToken {
                token: at,
                is_negative: false,
            });
            return Ok(Value {
                real,
                ..Value::default()
            });
        }
        if let Some(number) = parse_number(text, self.asm.radix) {
            Ok(Value::number(number))
        } else {
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let kind = if digits > 0 && digits < text.len() || text.is_empty() {
                Kind::BadNumber { text: text.into() }
            } else {
                Kind::ConstantTooLarge
            };
            Err(self.fail(kind, at))
        }
    }

    fn name(&mut self) -> Result<Value, Reported> {
        let at = self.at;
        let name = self.line.bytes(at);
        self.at += 1;
        match self.line.word(at) {
            Word::Register(register) => self.register(register, at),
            Word::Type(ty) => {
                let size = self.asm.types.size_of(ty);
                Ok(Value {
                    number: size.into(),
                    ty: Some(ty),
                    is_type: true,
                    ..Value::default()
                })
            }
            Word::Operator(Operator::Ptr) => {
                // `ptr TYPE` as a type: a pointer to it.
                let is_type = self.peek() == Some(TokenKind::Ident)
                    && self.word() != Word::Operator(Operator::Ptr);
                let target = if is_type { self.name()?.ty } else { None };
                let ty = target.map_or(Type::Ptr(None), |target| self.asm.types.pointer_to(target));
                Ok(Value {
                    number: 4,
                    ty: Some(ty),
                    is_type: true,
                    ..Value::default()
                })
            }
            _ => self.user_name(name, at),
        }
    }

    fn register(&mut self, register: Register, at: usize) -> Result<Value, Reported> {
        if register.is_segment_register() && self.next_is(Punct::Colon) {
            self.at += 1;
            self.asm
                .check_segment(register, self.line.span(at, at + 1))?;
            let mut value = self.expression(power::PTR)?;
            value.segment = Some(register);
            value.is_memory = true;
            return Ok(value);
        }
        if register.is_st() && self.next_is(Punct::LeftParen) {
            self.at += 1;
            let number = self.expression(power::LOOSEST)?;
            self.expect(Punct::RightParen, "`)`")?;
            let number = number
                .constant()
                .and_then(|n| u32::try_from(n).ok())
                .filter(|&n| n < 8);
            let Some(number) = number else {
                return Err(self.fail(Kind::InvalidUseOfRegister, at));
            };
            return Ok(Value {
                register: Some(Register::ST0 + number),
                ..Value::default()
            });
        }
        self.asm
            .check_register(register, self.line.span(at, at + 1))?;
        let assumed = self.asm.assumed_type(register);
        if self.brackets == 0 {
            let ty = assumed.filter(|_| !self.next_is(Punct::Dot));
            return Ok(Value {
                register: Some(register),
                assumed: ty,
                ..Value::default()
            });
        }
        if !register.is_gpr32() {
            let name = self.line.bytes(at).into();
            return Err(self.fail(Kind::NotAnAddressRegister { register: name }, at));
        }
        let scaled = Scaled {
            register,
            scale: 1,
            is_explicit: false,
            is_frame: false,
        };
        let assumed = assumed.and_then(|ty| self.asm.pointee_of(ty));
        Ok(Value {
            registers: [Some(scaled), None],
            is_memory: true,
            assumed,
            ..Value::default()
        })
    }

    fn user_name(&mut self, name: &[u8], at: usize) -> Result<Value, Reported> {
        if name.first() == Some(&b'@') && name.len() == 2 {
            let step = match name.get(1) {
                Some(b'f' | b'F') => Some(1),
                Some(b'b' | b'B') => Some(0),
                _ => None,
            };
            if let Some(step) = step {
                let span = self.line.span(at, at + 1);
                return self
                    .asm
                    .anonymous_label(step, span)
                    .map(|id| self.asm.label_value(id));
            }
        }
        if name.eq_ignore_ascii_case(b"flat") && self.next_is(Punct::Colon) {
            self.at += 1;
            return self.expression(power::PTR);
        }
        if name.eq_ignore_ascii_case(b"st") {
            return self.register(Register::ST0, at);
        }
        let id = match self.asm.symbols.find(self.asm.proc, name) {
            Some(id) => id,
            None => self.asm.forward_reference(name),
        };
        self.symbol(id, at)
    }

    fn symbol(&mut self, id: SymbolId, at: usize) -> Result<Value, Reported> {
        match &self.asm.symbols.get(id).kind {
            SymbolKind::Number { value, .. } => Ok(Value::number(*value)),
            SymbolKind::Type(ty) => {
                let ty = *ty;
                let size = self.asm.types.size_of(ty);
                Ok(Value {
                    number: size.into(),
                    ty: Some(ty),
                    is_type: true,
                    ..Value::default()
                })
            }
            SymbolKind::BitField { record, index } => {
                let (record, index) = (*record, *index);
                let def = self.asm.types.record(record);
                let shift = def
                    .and_then(|def| def.fields.get(index as usize))
                    .map_or(0, |f| f.shift);
                let bit_field = Some((record, index));
                Ok(Value {
                    number: shift.into(),
                    bit_field,
                    ..Value::default()
                })
            }
            SymbolKind::Alias { .. } => self.alias(id, at),
            SymbolKind::Undefined => {
                if self.asm.is_later_pass() {
                    let name = std::rc::Rc::clone(&self.asm.symbols.get(id).name);
                    return Err(self.fail(undefined(&name), at));
                }
                Ok(Value {
                    symbol: Some(id),
                    is_forward: true,
                    is_memory: true,
                    ..Value::default()
                })
            }
            SymbolKind::Text(_) | SymbolKind::Macro(_) => {
                let token = self.line.bytes(at).into();
                Err(self.fail(Kind::Unexpected { token }, at))
            }
            SymbolKind::Label { .. } | SymbolKind::External { .. } | SymbolKind::Stack { .. } => {
                Ok(self.asm.label_value(id))
            }
        }
    }

    /// The value of a name that stands for another one.
    ///
    /// An alias stands for the last name of its chain, except where that one became an alias after
    /// it: each step here is a name that was external when it was used, and defined behind.
    fn alias(&mut self, id: SymbolId, at: usize) -> Result<Value, Reported> {
        let mut name = id;
        let mut sum = 0_i128;
        let mut own_type = None;
        for _ in 0..MAX_ALIASES {
            let SymbolKind::Alias { target, addend, ty } = self.asm.symbols.get(name).kind else {
                let mut value = self.symbol(name, at)?;
                value.number = value.number.wrapping_add(sum);
                value.ty = own_type.or(value.ty);
                return Ok(value);
            };
            name = target;
            sum = sum.wrapping_add(addend);
            own_type = own_type.or(ty);
        }
        let limit = MAX_ALIASES;
        Err(self.fail(Kind::NestedTooDeep { limit }, at))
    }

    fn member(&mut self, value: &Value, start: usize) -> Result<Value, Reported> {
        let at = self.at;
        if self.peek() == Some(TokenKind::Number) {
            let number = self.number()?;
            return self.index(value, &number, start);
        }
        if self.peek() != Some(TokenKind::Ident) {
            return Err(self.fail(
                Kind::Expected {
                    what: "a field name after the dot",
                },
                at,
            ));
        }
        self.at += 1;
        let name = self.line.bytes(at);
        self.asm
            .select_member(value, name)
            .map_err(|kind| self.fail(kind, at))
    }
}

/// An operator between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Infix {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    ShiftLeft,
    ShiftRight,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Xor,
    Ptr,
}

fn infix_word(operator: Operator) -> Option<(u8, Infix)> {
    use Operator as O;
    Some(match operator {
        O::Mod => (power::PRODUCT, Infix::Modulo),
        O::Shl => (power::PRODUCT, Infix::ShiftLeft),
        O::Shr => (power::PRODUCT, Infix::ShiftRight),
        O::Eq => (power::COMPARE, Infix::Equal),
        O::Ne => (power::COMPARE, Infix::NotEqual),
        O::Lt => (power::COMPARE, Infix::Less),
        O::Le => (power::COMPARE, Infix::LessEqual),
        O::Gt => (power::COMPARE, Infix::Greater),
        O::Ge => (power::COMPARE, Infix::GreaterEqual),
        O::And => (power::AND, Infix::And),
        O::Or => (power::OR, Infix::Or),
        O::Xor => (power::OR, Infix::Xor),
        O::Ptr => (power::PTR, Infix::Ptr),
        _ => return None,
    })
}

/// What is wrong with a name that nothing defines.
pub(super) fn undefined(name: &[u8]) -> Kind {
    let digits = name.strip_suffix(b"h").or_else(|| name.strip_suffix(b"H"));
    let is_hex =
        digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit));
    let name = name.into();
    if is_hex {
        Kind::HexWithoutDigit { name }
    } else {
        Kind::UndefinedSymbol { name }
    }
}
