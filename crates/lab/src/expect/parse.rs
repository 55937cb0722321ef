//! From lines to claims.

use crate::expect::claim::{
    Attribute, CallClaim, Claim, Comparison, Condition, Ending, Expectation, FaultClaim, FaultKind,
    OutputStream, OutputTest, Point, Sense, Times,
};
use crate::expect::counter::Counter;
use crate::expect::error::{ExpectError, ExpectErrorKind, Word};
use crate::expect::expr::{Expr, Node, Operator, Register, Width};
use crate::expect::lex::{Kind, Span, Token, span_of, tokens};
use crate::expect::settings::{Settings, below};
use pagefault_machine::vmm::MemoryState;

/// What begins a line with an expectation.
const MARK: &[u8] = b";!";

/// The words that begin a claim.
pub(crate) const CLAIMS: [&str; 11] = [
    "exit", "end", "stdout", "stderr", "fault", "no fault", "at", "call", "count", "visits", "run",
];

/// How deep expressions can be nested.
const MAX_DEPTH: u32 = 50;

/// What a source expects of its run.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    pub(crate) list: Vec<Expectation>,
    pub(crate) settings: Settings,
}

impl Expectations {
    /// Reads the lines of a source that begin with `;!`.
    ///
    /// # Errors
    ///
    /// Every line that cannot be understood, in order.
    pub fn from_source(source: &[u8]) -> Result<Self, Vec<ExpectError>> {
        let lines = (1..).zip(lines_of(source));
        let marked = lines.filter_map(|(number, line)| {
            let blanks = line.iter().take_while(|byte| byte.is_ascii_whitespace());
            let start = blanks.count();
            let text = line[start..].strip_prefix(MARK)?;
            Some((number, start + MARK.len(), text))
        });
        Self::read(marked)
    }

    /// Reads lines that hold an expectation each, or nothing, or a comment after a semicolon.
    ///
    /// # Errors
    ///
    /// Every line that cannot be understood, in order.
    pub fn from_lines(text: &str) -> Result<Self, Vec<ExpectError>> {
        Self::read((1..).zip(text.lines()).map(|(number, line)| {
            // The mark may stand there, too, so that lines can be moved from a source.
            let stripped = line.as_bytes().strip_prefix(MARK);
            match stripped {
                Some(text) => (number, MARK.len(), text),
                None => (number, 0, line.as_bytes()),
            }
        }))
    }

    /// Returns the expectations, in order.
    pub fn list(&self) -> &[Expectation] {
        &self.list
    }

    /// Returns how the program wants to be run.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the names of the files that hold expected output, relative to the source.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.list
            .iter()
            .filter_map(|expectation| match &expectation.claim {
                Claim::Output(_, OutputTest::File(name)) => Some(name.as_str()),
                _ => None,
            })
    }

    fn read<'a>(
        lines: impl Iterator<Item = (u32, usize, &'a [u8])>,
    ) -> Result<Self, Vec<ExpectError>> {
        let mut read = Self::default();
        let mut errors = Vec::new();
        for (number, start, text) in lines {
            let column = u32::try_from(start + 1).unwrap_or(u32::MAX);
            if let Err(error) = read.line(number, column, text) {
                errors.push(error);
            }
        }
        if errors.is_empty() {
            Ok(read)
        } else {
            Err(errors)
        }
    }

    fn line(&mut self, line: u32, column: u32, text: &[u8]) -> Result<(), ExpectError> {
        let shown = String::from_utf8_lossy(text);
        let trimmed = shown.trim_start();
        if let Some(options) = trimmed.strip_prefix("run ") {
            let start = shown.len() - options.len();
            let column = column.saturating_add(u32::try_from(start).unwrap_or(0));
            return self.settings.read(line, column, options);
        }
        let mut parser = Parser {
            tokens: tokens(line, column, text)?,
            at: 0,
            depth: 0,
        };
        if parser.peek() == &Kind::End {
            return Ok(());
        }
        let claim = parser.claim()?;
        parser.end()?;
        let leading = text.len() - text.trim_ascii_start().len();
        let end = leading + text.trim_ascii().len();
        self.list.push(Expectation {
            claim,
            span: span_of(line, column, leading, end),
            text: String::from_utf8_lossy(text.trim_ascii()).into_owned(),
        });
        Ok(())
    }
}

/// Reads an expression that stands alone.
pub(crate) fn parse_expression(text: &str) -> Result<Expr, ExpectError> {
    let mut parser = Parser {
        tokens: tokens(1, 1, text.as_bytes())?,
        at: 0,
        depth: 0,
    };
    let expr = parser.expr()?;
    parser.end()?;
    Ok(expr)
}

/// Returns the lines of a source, whichever way they end.
fn lines_of(source: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(source);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.iter().position(|&byte| byte == b'\n' || byte == b'\r');
        let Some(end) = end else {
            rest = None;
            return Some(text);
        };
        let is_pair = text[end..].starts_with(b"\r\n");
        rest = Some(&text[end + 1 + usize::from(is_pair)..]);
        Some(&text[..end])
    })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

impl Parser {
    fn claim(&mut self) -> Result<Claim, ExpectError> {
        let span = self.span();
        let Kind::Word(word) = self.peek().clone() else {
            return Err(self.expected("an expectation, as `exit 0`"));
        };
        self.advance();
        match word.as_str() {
            "exit" => Ok(Claim::Exit(self.expr()?)),
            "end" => self.ending().map(Claim::End),
            "stdout" => self.output(OutputStream::Output),
            "stderr" => self.output(OutputStream::Error),
            "fault" => self.fault(Times::Some),
            "no" => {
                self.keyword("fault", "`fault`")?;
                self.fault(Times::None)
            }
            "at" => self.at_point(),
            "call" => self.call(),
            "count" => self.count(),
            "visits" => {
                let place = self.expr()?;
                let comparison = self.comparison()?;
                Ok(Claim::Visits(place, comparison, self.expr()?))
            }
            _ => {
                let word = Word::new(&word);
                let kind = ExpectErrorKind::UnknownClaim { word };
                Err(ExpectError { span, kind })
            }
        }
    }

    fn ending(&mut self) -> Result<Ending, ExpectError> {
        let known = |word: &str| Ending::NAMES.into_iter().find(|(name, _)| *name == word);
        let ending = match self.peek() {
            Kind::Word(word) => known(word),
            _ => None,
        };
        let what = "`exception`, `budget`, `deadlock` or `unemulated`";
        let (_, ending) = ending.ok_or_else(|| self.expected(what))?;
        self.advance();
        Ok(ending)
    }

    fn output(&mut self, stream: OutputStream) -> Result<Claim, ExpectError> {
        let what = "a text in quotes, or `contains`, `lacks` or `file` before one";
        let test: fn(Vec<u8>, Span) -> OutputTest = if self.take_word("contains") {
            |text, _| OutputTest::Contains(text)
        } else if self.take_word("lacks") {
            |text, _| OutputTest::Lacks(text)
        } else if self.take_word("file") {
            |text, _| OutputTest::File(String::from_utf8_lossy(&text).into_owned())
        } else {
            OutputTest::Is
        };
        let span = self.span();
        let Kind::Text(text) = self.peek().clone() else {
            return Err(self.expected(what));
        };
        self.advance();
        let test = test(text, span);
        if let OutputTest::File(path) = &test {
            below(path).map_err(|kind| ExpectError { span, kind })?;
        }
        Ok(Claim::Output(stream, test))
    }

    fn fault(&mut self, times: Times) -> Result<Claim, ExpectError> {
        let is_denied = matches!(times, Times::None);
        let kind = if self.peek() == &Kind::End && is_denied {
            FaultKind::Any
        } else {
            self.fault_kind()?
        };
        let mut claim = FaultClaim {
            kind,
            at: None,
            by: None,
            code: None,
            times,
        };
        loop {
            if self.take_word("at") {
                claim.at = Some(self.expr()?);
            } else if self.take_word("by") {
                claim.by = Some(self.expr()?);
            } else if self.take_word("code") {
                claim.code = Some(self.expr()?);
            } else if !is_denied && self.take_word("times") {
                claim.times = Times::Exactly(self.expr()?);
            } else {
                return Ok(Claim::Fault(claim));
            }
        }
    }

    fn fault_kind(&mut self) -> Result<FaultKind, ExpectError> {
        let what = "a kind of fault: read, write, execute, access, guard, stack overflow, in page, \
                    divide, illegal, privileged, breakpoint, step, overflow, bounds, misaligned, \
                    any, or the number of an exception";
        let word = match self.peek().clone() {
            Kind::Number(code) => {
                self.advance();
                return Ok(FaultKind::Code(code));
            }
            Kind::Word(word) => word,
            _ => return Err(self.expected(what)),
        };
        let wrong = self.expected(what);
        self.advance();
        let second = match word.as_str() {
            "stack" => "overflow",
            "in" => "page",
            _ => "",
        };
        let name = if second.is_empty() {
            word.clone()
        } else {
            self.take_sign("-");
            self.keyword(second, "`overflow` or `page`")?;
            format!("{word} {second}")
        };
        let known = FaultKind::NAMES
            .into_iter()
            .find(|(known, _)| *known == name);
        if let Some((_, kind)) = known {
            return Ok(kind);
        }
        let code = pagefault_machine::asm::windows_constant(&word);
        code.map(FaultKind::Code).ok_or(wrong)
    }

    fn at_point(&mut self) -> Result<Claim, ExpectError> {
        let point = if self.is_word("exit") && self.is_sign_next(":") {
            self.advance();
            Point::Exit
        } else if self.is_word("fault") && (self.is_sign_next(":") || self.is_sign_next("#")) {
            self.advance();
            Point::Fault(self.ordinal()?)
        } else {
            let place = self.expr()?;
            Point::Address(place, self.ordinal()?)
        };
        self.sign(":", "`:` and what holds there")?;
        Ok(Claim::At(point, self.condition()?))
    }

    fn condition(&mut self) -> Result<Condition, ExpectError> {
        let left = self.expr()?;
        let size = if self.take_word("for") {
            Some(self.expr()?)
        } else {
            None
        };
        if self.take_word("is") {
            let attributes = self.attributes()?;
            return Ok(Condition::Range {
                start: left,
                size,
                attributes,
            });
        }
        if size.is_some() {
            return Err(self.expected("`is` and what the pages are"));
        }
        let comparison = self.comparison()?;
        if let (Kind::Text(bytes), Node::Memory(_, addr)) = (self.peek().clone(), &left.node) {
            if comparison != Comparison::Equal {
                self.at = self.at.saturating_sub(1);
                return Err(self.expected("`=` before a text"));
            }
            let span = self.span();
            self.advance();
            return Ok(Condition::Bytes((**addr).clone(), bytes, span));
        }
        Ok(Condition::Compare(left, comparison, self.expr()?))
    }

    fn attributes(&mut self) -> Result<Vec<Attribute>, ExpectError> {
        let mut attributes = Vec::new();
        while self.peek() != &Kind::End {
            self.take_sign(",");
            let sense = if self.take_word("not") {
                Sense::IsNot
            } else {
                Sense::Is
            };
            let word = match self.peek() {
                Kind::Word(word) => word.clone(),
                _ => String::new(),
            };
            let attribute = match (word.as_str(), sense) {
                ("free", Sense::Is) => Attribute::State(MemoryState::Free),
                ("reserved", Sense::Is) => Attribute::State(MemoryState::Reserve),
                ("committed", Sense::Is) => Attribute::State(MemoryState::Commit),
                ("locked", _) => Attribute::Locked(sense),
                ("resident", _) => Attribute::Resident(sense),
                ("cached", _) => Attribute::Cached(sense),
                (_, Sense::Is) => {
                    attributes.push(Attribute::Protection(self.expr()?));
                    continue;
                }
                (_, Sense::IsNot) => {
                    return Err(self.expected("`locked`, `resident` or `cached`"));
                }
            };
            self.advance();
            attributes.push(attribute);
        }
        if attributes.is_empty() {
            let what = "`free`, `reserved`, `committed`, a protection, `locked`, `resident` or \
                        `cached`";
            return Err(self.expected(what));
        }
        Ok(attributes)
    }

    fn call(&mut self) -> Result<Claim, ExpectError> {
        let Kind::Word(function) = self.peek().clone() else {
            return Err(self.expected("the name of a function"));
        };
        self.advance();
        let mut claim = CallClaim {
            function,
            which: self.ordinal()?,
            by: None,
            arguments: None,
            result: None,
            error: None,
            times: Times::Some,
        };
        if self.take_sign("(") {
            claim.arguments = Some(self.arguments()?);
        }
        loop {
            if self.take_word("by") {
                claim.by = Some(self.expr()?);
            } else if self.take_word("error") {
                claim.error = Some(self.expr()?);
            } else if self.take_word("times") {
                claim.times = Times::Exactly(self.expr()?);
            } else if self.peek_comparison().is_some() && claim.result.is_none() {
                let comparison = self.comparison()?;
                claim.result = Some((comparison, self.expr()?));
            } else {
                return Ok(Claim::Call(claim));
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Option<Expr>>, ExpectError> {
        let mut arguments = Vec::new();
        if self.take_sign(")") {
            return Ok(arguments);
        }
        loop {
            let argument = if self.take_sign("*") {
                None
            } else {
                Some(self.expr()?)
            };
            arguments.push(argument);
            if self.take_sign(")") {
                return Ok(arguments);
            }
            self.sign(",", "`,` or `)`")?;
        }
    }

    fn count(&mut self) -> Result<Claim, ExpectError> {
        let Kind::Word(word) = self.peek().clone() else {
            return Err(self.expected("the name of a counter, as `misses`"));
        };
        let counter = Counter::named(&word).ok_or_else(|| ExpectError {
            span: self.span(),
            kind: ExpectErrorKind::UnknownCounter {
                word: Word::new(&word),
            },
        })?;
        self.advance();
        let comparison = self.comparison()?;
        Ok(Claim::Count(counter, comparison, self.expr()?))
    }

    fn ordinal(&mut self) -> Result<Option<u32>, ExpectError> {
        if !self.take_sign("#") {
            return Ok(None);
        }
        match *self.peek() {
            Kind::Number(number) if number > 0 => {
                self.advance();
                Ok(Some(number))
            }
            _ => Err(self.expected("a number from 1 on")),
        }
    }

    fn peek_comparison(&self) -> Option<Comparison> {
        let Kind::Sign(sign) = self.peek() else {
            return None;
        };
        let known = Comparison::SIGNS
            .into_iter()
            .find(|(known, _)| known == sign);
        known.map(|(_, comparison)| comparison)
    }

    fn comparison(&mut self) -> Result<Comparison, ExpectError> {
        let found = self.peek_comparison();
        let found = found.ok_or_else(|| self.expected("`=`, `!=`, `<`, `<=`, `>` or `>=`"))?;
        self.advance();
        Ok(found)
    }

    fn expr(&mut self) -> Result<Expr, ExpectError> {
        self.binary(0)
    }

    /// Reads operators that bind at least as strongly as `level` says.
    fn binary(&mut self, level: usize) -> Result<Expr, ExpectError> {
        /// Operators from the weakest to the strongest.
        const LEVELS: [&[(&str, Operator)]; 5] = [
            &[("|", Operator::Or)],
            &[("^", Operator::Xor)],
            &[("&", Operator::And)],
            &[("+", Operator::Add), ("-", Operator::Subtract)],
            &[("*", Operator::Multiply), ("/", Operator::Divide)],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.operand();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = operators.iter().find(|(sign, _)| self.is_sign(sign));
            let Some(&(_, operator)) = found else {
                return Ok(left);
            };
            self.advance();
            let right = self.binary(level + 1)?;
            let span = left.span.to(right.span);
            let node = Node::Binary(operator, Box::new(left), Box::new(right));
            left = Expr { node, span };
        }
    }

    fn operand(&mut self) -> Result<Expr, ExpectError> {
        let span = self.span();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let kind = ExpectErrorKind::TooDeep;
            return Err(ExpectError { span, kind });
        }
        let expr = self.operand_within(span);
        self.depth -= 1;
        expr
    }

    fn operand_within(&mut self, span: Span) -> Result<Expr, ExpectError> {
        let what = "a number, a label, a register or `[address]`";
        let kind = self.peek().clone();
        let node = match kind {
            Kind::Number(number) => Node::Number(number),
            Kind::Sign("-") => {
                self.advance();
                let value = self.operand()?;
                let zero = Expr {
                    node: Node::Number(0),
                    span,
                };
                let span = span.to(value.span);
                let node = Node::Binary(Operator::Subtract, Box::new(zero), Box::new(value));
                return Ok(Expr { node, span });
            }
            Kind::Sign("(") => {
                self.advance();
                let inner = self.expr()?;
                self.sign(")", "`)`")?;
                return Ok(inner);
            }
            Kind::Sign("[") => return self.memory(Width::Dword, span),
            Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "byte" => return self.sized(Width::Byte, span),
                "word" => return self.sized(Width::Word, span),
                "dword" => return self.sized(Width::Dword, span),
                _ => match Register::named(&word) {
                    Some(register) => Node::Register(register),
                    None => Node::Name(word),
                },
            },
            Kind::Sign(_) | Kind::Text(_) | Kind::End => return Err(self.expected(what)),
        };
        self.advance();
        Ok(Expr { node, span })
    }

    fn sized(&mut self, width: Width, span: Span) -> Result<Expr, ExpectError> {
        self.advance();
        self.take_word("ptr");
        if !self.is_sign("[") {
            return Err(self.expected("`[`"));
        }
        self.memory(width, span)
    }

    fn memory(&mut self, width: Width, span: Span) -> Result<Expr, ExpectError> {
        self.advance();
        let addr = self.expr()?;
        let end = self.span();
        self.sign("]", "`]`")?;
        Ok(Expr {
            node: Node::Memory(width, Box::new(addr)),
            span: span.to(end),
        })
    }

    fn token(&self) -> &Token {
        // The last token is the end, and nothing goes past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Kind::Word(word) if word == wanted)
    }

    fn is_sign(&self, wanted: &str) -> bool {
        matches!(self.peek(), Kind::Sign(sign) if *sign == wanted)
    }

    fn is_sign_next(&self, wanted: &str) -> bool {
        let next = self.tokens.get(self.at + 1);
        next.is_some_and(|next| matches!(next.kind, Kind::Sign(sign) if sign == wanted))
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let is_it = self.is_word(wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn take_sign(&mut self, wanted: &str) -> bool {
        let is_it = self.is_sign(wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn keyword(&mut self, wanted: &str, what: &'static str) -> Result<(), ExpectError> {
        let taken = self.take_word(wanted);
        taken.then_some(()).ok_or_else(|| self.expected(what))
    }

    fn sign(&mut self, wanted: &str, what: &'static str) -> Result<(), ExpectError> {
        let taken = self.take_sign(wanted);
        taken.then_some(()).ok_or_else(|| self.expected(what))
    }

    fn end(&self) -> Result<(), ExpectError> {
        if self.peek() == &Kind::End {
            return Ok(());
        }
        Err(ExpectError {
            span: self.span(),
            kind: ExpectErrorKind::Trailing,
        })
    }

    fn expected(&self, what: &'static str) -> ExpectError {
        ExpectError {
            span: self.span(),
            kind: ExpectErrorKind::Expected { what },
        }
    }
}
