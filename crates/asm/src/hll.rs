//! Run-time control flow: `.if`, `.while`, `.repeat` and their relatives.
//!
//! A directive is translated to compare and jump instructions, which are assembled as if they
//! stood in the source.

use crate::asm::{Assembler, Reported};
use crate::condition::Condition;
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::Punct;
use crate::line::Line;
use crate::source::Span;
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
        let (condition, at) = self.condition(line, start)?;
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
