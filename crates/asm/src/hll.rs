//! Run-time control flow: `.if`, `.while`, `.repeat` and their relatives.
//!
//! A directive is translated to compare and jump instructions, which are assembled as if they
//! stood in the source.

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::expr::Value;
use crate::lex::{Punct, TokenKind};
use crate::line::Line;
use crate::source::Span;
use crate::types::Type;
use crate::words::{Directive, Word};

/// A generated label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Label(u32);

impl Label {
    fn name(self) -> String {
        format!("@C{:04X}", self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BlockKind {
    If,
    While,
    Repeat,
}

/// An open block.
#[derive(Clone, Debug)]
struct Block {
    kind: BlockKind,
    /// Where the condition fails to (`.if`), or the condition is tested (loops).
    test: Option<Label>,
    /// Behind the block.
    exit: Option<Label>,
    /// Start of a loop's body.
    start: Option<Label>,
    /// The test of a `.while`, which stands at its end.
    condition: Vec<Vec<u8>>,
    has_else: bool,
    span: Span,
}

/// The open blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    blocks: Vec<Block>,
    labels: u32,
}

impl Flow {
    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    /// The place of the innermost block that is still open.
    pub(crate) fn open_block(&self) -> Option<(Span, &'static [u8])> {
        let block = self.blocks.last()?;
        let name: &[u8] = match block.kind {
            BlockKind::If => b".if",
            BlockKind::While => b".while",
            BlockKind::Repeat => b".repeat",
        };
        Some((block.span, name))
    }
}

/// A condition.
#[derive(Clone, Debug)]
enum Condition {
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

/// Deepest nesting of parentheses.
const MAX_DEPTH: u32 = 48;

/// Which way a jump is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    True,
    False,
}

impl When {
    fn other(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
        }
    }
}

impl Assembler<'_> {
    /// Handles a control-flow directive at token `at`.
    pub(crate) fn flow_directive(
        &mut self,
        line: &Line,
        directive: Directive,
        at: usize,
    ) -> Result<(), Reported> {
        match directive {
            Directive::IfFlow => self.flow_if(line, at),
            Directive::WhileFlow => self.flow_while(line, at),
            Directive::RepeatFlow => self.flow_repeat(line, at),
            Directive::Else | Directive::ElseIf => self.flow_else(line, directive, at),
            Directive::Break | Directive::Continue => self.flow_leave(line, directive, at),
            _ => self.flow_end(line, directive, at),
        }
    }

    fn code(&mut self, line: &Line, lines: Vec<Vec<u8>>) {
        for code in lines {
            self.generated_bytes(line, code);
        }
    }

    fn put_label(&mut self, line: &Line, label: Option<Label>) {
        if let Some(label) = label {
            self.generated(line, &format!("{}:", label.name()));
        }
    }

    fn open(&mut self, line: &Line, kind: BlockKind) {
        self.flow.blocks.push(Block {
            kind,
            test: None,
            exit: None,
            start: None,
            condition: Vec::new(),
            has_else: false,
            span: line.span(0, 1),
        });
    }

    fn innermost(&mut self) -> Option<&mut Block> {
        self.flow.blocks.last_mut()
    }

    fn flow_if(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        self.open(line, BlockKind::If);
        let test = self.flow.label();
        let lines = self.jumps(line, at + 1, test, When::False)?;
        if !lines.is_empty()
            && let Some(block) = self.innermost()
        {
            block.test = Some(test);
        }
        self.code(line, lines);
        Ok(())
    }

    fn flow_while(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        self.open(line, BlockKind::While);
        let start = self.flow.label();
        let result = if at + 1 < line.len() {
            self.jumps(line, at + 1, start, When::True)
        } else {
            Ok(Vec::new())
        };
        let lines = result.clone().unwrap_or_default();
        let is_endless = lines
            .first()
            .is_some_and(|first| first.starts_with(b"jmp "));
        let test = (!is_endless).then(|| self.flow.label());
        if let Some(block) = self.innermost() {
            block.start = Some(start);
            block.test = test;
            block.condition = lines;
        }
        if let Some(test) = test {
            self.generated(line, &format!("jmp {}", test.name()));
        }
        self.put_label(line, Some(start));
        result.map(|_| ())
    }

    fn flow_repeat(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        self.open(line, BlockKind::Repeat);
        let start = self.flow.label();
        if let Some(block) = self.innermost() {
            block.start = Some(start);
        }
        self.put_label(line, Some(start));
        self.expect_end(line, at + 1)
    }

    fn flow_else(&mut self, line: &Line, directive: Directive, at: usize) -> Result<(), Reported> {
        let span = line.span(at, at + 1);
        let Some(block) = self.flow.blocks.last() else {
            return Err(self.error(Kind::NotInControlBlock, span));
        };
        if block.kind != BlockKind::If {
            let name = line.bytes(at).into();
            return Err(self.error(Kind::UnmatchedBlock { name }, span));
        }
        if block.has_else {
            return Err(self.error(Kind::ElseAfterElse, span));
        }
        let test = block.test;
        let exit = block.exit.unwrap_or_else(|| self.flow.label());
        self.generated(line, &format!("jmp {}", exit.name()));
        self.put_label(line, test);
        if let Some(block) = self.innermost() {
            block.exit = Some(exit);
            block.test = None;
            block.has_else = directive == Directive::Else;
        }
        if directive == Directive::Else {
            return self.expect_end(line, at + 1);
        }
        let test = self.flow.label();
        let lines = self.jumps(line, at + 1, test, When::False)?;
        if let Some(block) = self.innermost() {
            block.test = Some(test);
        }
        self.code(line, lines);
        Ok(())
    }

    fn flow_leave(&mut self, line: &Line, directive: Directive, at: usize) -> Result<(), Reported> {
        let place = self
            .flow
            .blocks
            .iter()
            .rposition(|block| block.kind != BlockKind::If);
        let Some(place) = place else {
            return Err(self.error(Kind::NotInControlBlock, line.span(at, at + 1)));
        };
        let fresh = self.flow.label();
        let Some(block) = self.flow.blocks.get_mut(place) else {
            return Ok(());
        };
        let target = match (directive, block.kind) {
            (Directive::Break, _) => *block.exit.get_or_insert(fresh),
            (_, BlockKind::Repeat) => *block.test.get_or_insert(fresh),
            _ => block.test.or(block.start).unwrap_or(fresh),
        };
        if at + 1 >= line.len() {
            self.generated(line, &format!("jmp {}", target.name()));
            return Ok(());
        }
        // The `.` of a directive in the middle of a line is a token of its own.
        let word = line.rest(at + 1);
        let is_if = line.token(at + 1).is_some_and(|token| token.is(Punct::Dot))
            && word
                .get(..3)
                .is_some_and(|word| word.eq_ignore_ascii_case(b".if"));
        if !is_if {
            return self.expect_end(line, at + 1);
        }
        let lines = self.jumps(line, at + 3, target, When::True)?;
        self.code(line, lines);
        Ok(())
    }

    fn flow_end(&mut self, line: &Line, directive: Directive, at: usize) -> Result<(), Reported> {
        let span = line.span(at, at + 1);
        let wanted = match directive {
            Directive::EndIf => BlockKind::If,
            Directive::EndW => BlockKind::While,
            _ => BlockKind::Repeat,
        };
        let Some(block) = self.flow.blocks.last() else {
            return Err(self.error(Kind::NotInControlBlock, span));
        };
        if block.kind != wanted {
            let name = line.bytes(at).into();
            return Err(self.error(Kind::UnmatchedBlock { name }, span));
        }
        let Some(block) = self.flow.blocks.pop() else {
            return Ok(());
        };
        self.put_label(line, block.test);
        let result = match (directive, block.start) {
            (Directive::EndW, _) => {
                self.code(line, block.condition);
                self.expect_end(line, at + 1)
            }
            (Directive::Until, Some(start)) if at + 1 < line.len() => {
                let lines = self.jumps(line, at + 1, start, When::False);
                lines.map(|lines| self.code(line, lines))
            }
            (Directive::UntilCxz, Some(start)) => self.until_cxz(line, at, start),
            _ => self.expect_end(line, at + 1),
        };
        self.put_label(line, block.exit);
        result
    }

    fn until_cxz(&mut self, line: &Line, at: usize, start: Label) -> Result<(), Reported> {
        if at + 1 >= line.len() {
            self.generated(line, &format!("loop {}", start.name()));
            return Ok(());
        }
        let mut lines = self.jumps(line, at + 1, start, When::False)?;
        let looped = match &lines[..] {
            [_, jump] if jump.starts_with(b"jnz ") => Some("loopnz"),
            [_, jump] if jump.starts_with(b"jz ") => Some("loopz"),
            _ => None,
        };
        let (Some(looped), Some(last)) = (looped, lines.last_mut()) else {
            return Err(self.error(Kind::ConditionTooComplex, line.span(at, line.len())));
        };
        *last = format!("{looped} {}", start.name()).into_bytes();
        self.code(line, lines);
        Ok(())
    }

    /// Returns the instructions that jump to `target` when the condition at `start` holds or not.
    fn jumps(
        &mut self,
        line: &Line,
        start: usize,
        target: Label,
        when: When,
    ) -> Result<Vec<Vec<u8>>, Reported> {
        let mut parser = ConditionParser {
            asm: self,
            line,
            at: start,
            depth: 0,
        };
        let condition = parser.any()?;
        let at = parser.at;
        if at < line.len() {
            return Err(self.error(Kind::BadCondition, line.span(at, line.len())));
        }
        let mut lines = Vec::new();
        self.render(&condition, target, when, &mut lines);
        Ok(lines)
    }

    fn render(
        &mut self,
        condition: &Condition,
        target: Label,
        when: When,
        lines: &mut Vec<Vec<u8>>,
    ) {
        match condition {
            Condition::Simple {
                code,
                when_true,
                when_false,
            } => {
                if !code.is_empty() {
                    lines.push(code.clone());
                }
                let jump = if when == When::True {
                    when_true
                } else {
                    when_false
                };
                lines.push(format!("{jump} {}", target.name()).into_bytes());
            }
            Condition::Constant(value) => {
                if *value == (when == When::True) {
                    lines.push(format!("jmp {}", target.name()).into_bytes());
                }
            }
            Condition::Not(inner) => self.render(inner, target, when.other(), lines),
            Condition::All(parts) => self.render_chain(parts, target, when, When::True, lines),
            Condition::Any(parts) => self.render_chain(parts, target, when, When::False, lines),
        }
    }

    /// Short-circuit evaluation. The whole has the value `decided_late` only if all parts have it.
    fn render_chain(
        &mut self,
        parts: &[Condition],
        target: Label,
        when: When,
        decided_late: When,
        lines: &mut Vec<Vec<u8>>,
    ) {
        let Some((last, firsts)) = parts.split_last() else {
            return;
        };
        if when != decided_late {
            for part in parts {
                self.render(part, target, when, lines);
            }
            return;
        }
        let behind = self.flow.label();
        for part in firsts {
            self.render(part, behind, when.other(), lines);
        }
        self.render(last, target, when, lines);
        lines.push(format!("{}:", behind.name()).into_bytes());
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

/// Whether a word is one of the directives handled here.
pub(crate) fn is_flow(word: Word) -> bool {
    use Directive as D;
    matches!(
        word,
        Word::Directive(
            D::IfFlow
                | D::WhileFlow
                | D::RepeatFlow
                | D::Else
                | D::ElseIf
                | D::EndIf
                | D::EndW
                | D::Until
                | D::UntilCxz
                | D::Break
                | D::Continue
        )
    )
}
