//! Conditional assembly: IF and its relatives, and `.err`.

use super::{Leading, directive};
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::trim;
use crate::line::{Line, Text};
use crate::source::Span;
use crate::words::{Directive, ErrTest, IfTest, Word, lookup};

/// What becomes of the lines of a conditional block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// They are assembled.
    Active,
    /// They are skipped, and an ELSE may change that.
    Waiting,
    /// They are skipped up to ENDIF: a branch was taken, or the block itself is skipped.
    Done,
}

/// An open conditional block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditional {
    state: State,
    had_else: bool,
    pub(super) span: Span,
}

impl Assembler<'_> {
    /// Whether lines are skipped.
    pub(super) fn is_skipping(&self) -> bool {
        self.pre
            .conditionals
            .last()
            .is_some_and(|block| block.state != State::Active)
    }

    /// Looks at a skipped line: only conditional directives count.
    pub(super) fn skip(&mut self, text: &Text, leading: Leading, first: Option<Directive>) {
        match first {
            Some(Directive::If(_)) => {
                let span = text.span(leading.first.0, leading.first.1);
                let block = Conditional {
                    state: State::Done,
                    had_else: false,
                    span,
                };
                self.pre.conditionals.push(block);
            }
            Some(
                first @ (Directive::ElseIfCond(_) | Directive::ElseCond | Directive::EndIfCond),
            ) => self.change_conditional(text, leading, first),
            _ => {}
        }
    }

    /// IF in any form.
    pub(super) fn open_conditional(&mut self, text: &Text, rest_at: usize, test: IfTest) {
        let span = text.span(0, text.bytes.len());
        let state = match self.test(text, rest_at, test) {
            Ok(true) => State::Active,
            Ok(false) => State::Waiting,
            // After an error neither branch is assembled.
            Err(Reported) => State::Done,
        };
        self.pre.conditionals.push(Conditional {
            state,
            had_else: false,
            span,
        });
    }

    /// ELSEIF, ELSE or ENDIF.
    pub(super) fn change_conditional(&mut self, text: &Text, leading: Leading, first: Directive) {
        let span = text.span(leading.first.0, leading.first.1);
        let floor = self.conditional_floor();
        let Some(block) = self
            .pre
            .conditionals
            .get(floor..)
            .and_then(<[_]>::last)
            .copied()
        else {
            let name = leading.first(&text.bytes).into();
            self.error(Kind::NoConditional { name }, span);
            return;
        };
        let mut next = block;
        match first {
            Directive::EndIfCond => {
                self.pre.conditionals.pop();
                return;
            }
            _ if block.had_else => {
                let name = leading.first(&text.bytes).into();
                self.error(Kind::NoConditional { name }, span);
                return;
            }
            Directive::ElseCond => {
                next.had_else = true;
                next.state = match block.state {
                    State::Waiting => State::Active,
                    State::Active | State::Done => State::Done,
                };
            }
            Directive::ElseIfCond(test) => {
                next.state = match block.state {
                    State::Waiting => match self.test(text, leading.first.1, test) {
                        Ok(true) => State::Active,
                        Ok(false) => State::Waiting,
                        Err(Reported) => State::Done,
                    },
                    State::Active | State::Done => State::Done,
                };
            }
            _ => {}
        }
        if let Some(block) = self.pre.conditionals.last_mut() {
            *block = next;
        }
    }

    /// Number of blocks that were open before the innermost expansion began.
    fn conditional_floor(&self) -> usize {
        match self.pre.sources.last() {
            Some(super::Source::Expansion(expanded)) => expanded.conditionals,
            _ => 0,
        }
    }

    fn test(&mut self, text: &Text, rest_at: usize, test: IfTest) -> Result<bool, Reported> {
        let span = text.span(0, text.bytes.len());
        match test {
            IfTest::NonZero => Ok(self.condition_number(text, rest_at)? != 0),
            IfTest::Zero => Ok(self.condition_number(text, rest_at)? == 0),
            IfTest::Defined | IfTest::NotDefined => {
                let name = trim(text.bytes.get(rest_at..).unwrap_or_default());
                if name.is_empty() {
                    return Err(self.error(Kind::Expected { what: "a name" }, span));
                }
                Ok(self.is_known(name) == (test == IfTest::Defined))
            }
            IfTest::Pass1 => Ok(true),
            IfTest::Pass2 => Ok(false),
            IfTest::Blank | IfTest::NotBlank => {
                let items = self.text_items(text, rest_at)?;
                let is_blank = items.first().is_none_or(|item| trim(item).is_empty());
                Ok(is_blank == (test == IfTest::Blank))
            }
            IfTest::Same | IfTest::SameFolded | IfTest::Different | IfTest::DifferentFolded => {
                let items = self.text_items(text, rest_at)?;
                let (Some(first), Some(second)) = (items.first(), items.get(1)) else {
                    return Err(self.error(Kind::TextExpected, span));
                };
                Ok(match test {
                    IfTest::Same => first == second,
                    IfTest::SameFolded => first.eq_ignore_ascii_case(second),
                    IfTest::Different => first != second,
                    _ => !first.eq_ignore_ascii_case(second),
                })
            }
        }
    }

    fn condition_number(&mut self, text: &Text, rest_at: usize) -> Result<i128, Reported> {
        let Some(expanded) = self.expand_from(text, rest_at) else {
            return Err(Reported);
        };
        let line = Line::new(expanded);
        if line.len() < 2 {
            let span = line.span(0, 1);
            return Err(self.error(
                Kind::Expected {
                    what: "a condition",
                },
                span,
            ));
        }
        let (number, next) = self.evaluate_constant(&line, 1, line.len())?;
        self.expect_end(&line, next)?;
        Ok(number)
    }

    /// Whether a name means anything.
    fn is_known(&mut self, name: &[u8]) -> bool {
        let known = self.symbols.find(self.proc, name);
        if known.is_some_and(|id| self.symbols.get(id).is_defined()) {
            return true;
        }
        self.builtin_symbol(name).is_some() || lookup(name) != Word::Name
    }

    /// `.err` and its relatives.
    pub(super) fn forced_error(&mut self, text: &Text, rest_at: usize, test: ErrTest) {
        let rest = trim(text.bytes.get(rest_at..).unwrap_or_default());
        let applies = match test {
            ErrTest::Always => Ok(true),
            ErrTest::If(test) => self.err_test(text, rest_at, test),
        };
        if applies == Ok(true) {
            let message = rest.into();
            self.error(
                Kind::ForcedError { message },
                text.span(0, text.bytes.len()),
            );
        }
    }

    /// As an IF test, but a message may follow after a comma.
    fn err_test(&mut self, text: &Text, rest_at: usize, test: IfTest) -> Result<bool, Reported> {
        match test {
            IfTest::NonZero | IfTest::Zero => {
                let Some(expanded) = self.expand_from(text, rest_at) else {
                    return Err(Reported);
                };
                let line = Line::new(expanded);
                let (number, _) = self.evaluate_constant(&line, 1, line.len())?;
                Ok((number == 0) == (test == IfTest::Zero))
            }
            IfTest::Defined | IfTest::NotDefined => {
                let rest = text.bytes.get(rest_at..).unwrap_or_default();
                let name =
                    trim(rest.split(|&byte| byte == b',').next().unwrap_or_default()).to_vec();
                Ok(self.is_known(&name) == (test == IfTest::Defined))
            }
            _ => self.test(text, rest_at, test),
        }
    }

    /// Whether a line inside a skipped macro body or block opens another one.
    pub(super) fn opens_block(line: &[u8]) -> bool {
        let line = super::without_percent(line);
        let leading = Leading::of(line);
        let first = directive(leading.first(line));
        matches!(
            first,
            Some(Directive::For | Directive::ForC | Directive::RepeatMacro | Directive::WhileMacro)
        ) || directive(leading.second(line)) == Some(Directive::Macro)
            && !matches!(first, Some(Directive::Echo | Directive::Comment))
    }

    /// Whether a line is ENDM.
    pub(super) fn closes_block(line: &[u8]) -> bool {
        let line = super::without_percent(line);
        directive(Leading::of(line).first(line)) == Some(Directive::EndM)
    }
}
