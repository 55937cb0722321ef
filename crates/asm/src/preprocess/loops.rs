//! Repeat blocks: REPEAT, WHILE, FOR, FORC.

use std::rc::Rc;

use super::argument::{argument_end, literal, parameter, plain_argument};
use super::macros::Body;
use super::source::{Expanded, Source};
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{angle_len, trim};
use crate::line::{Line, Site, Text};
use crate::words::Directive;

/// The first line of a repeat block.
#[derive(Debug)]
pub(super) enum LoopHead {
    Repeat(u64),
    While(Text),
    /// The name of the parameter and its values.
    For(Vec<u8>, Vec<Vec<u8>>),
    /// The name of the parameter and the text whose bytes are its values.
    ForC(Vec<u8>, Vec<u8>),
}

/// The rounds that are still to come.
#[derive(Clone, Debug)]
pub(super) struct Repetition {
    body: Rc<Body>,
    rounds: Rounds,
}

#[derive(Clone, Debug)]
enum Rounds {
    Count(u64),
    While(Rc<Text>),
    /// Values in reverse order.
    Values(Vec<Vec<u8>>),
    /// Values of one byte each, in reverse order.
    Bytes(Vec<u8>),
}

impl Assembler<'_> {
    /// A line that opens a repeat block.
    pub(super) fn open_loop(&mut self, text: &Text, rest_at: usize, kind: Directive) {
        let span = text.span(0, text.bytes.len());
        let head = match kind {
            Directive::RepeatMacro => self.repeat_head(text, rest_at),
            Directive::WhileMacro => Ok(LoopHead::While(text.clone())),
            _ => self.for_head(text, rest_at, kind),
        };
        self.collect_loop(head.ok(), span);
    }

    fn repeat_head(&mut self, text: &Text, rest_at: usize) -> Result<LoopHead, Reported> {
        let Some(expanded) = self.expand_from(text, rest_at) else {
            return Err(Reported);
        };
        let line = Line::new(expanded);
        let (count, next) = self.evaluate_constant(&line, 1, line.len())?;
        self.expect_end(&line, next)?;
        Ok(LoopHead::Repeat(u64::try_from(count).unwrap_or(0)))
    }

    fn for_head(
        &mut self,
        text: &Text,
        rest_at: usize,
        kind: Directive,
    ) -> Result<LoopHead, Reported> {
        let span = text.span(0, text.bytes.len());
        let Some(expanded) = self.expand_functions(text, rest_at) else {
            return Err(Reported);
        };
        let rest = trim(expanded.bytes.get(rest_at..).unwrap_or_default());
        let end = argument_end(rest);
        let Some(parameter) = parameter(trim(rest.get(..end).unwrap_or_default())) else {
            return Err(self.error(
                Kind::Expected {
                    what: "a parameter name",
                },
                span,
            ));
        };
        let list = trim(rest.get(end + 1..).unwrap_or_default());
        let inner = match angle_len(list) {
            Some(len) if list.first() == Some(&b'<') => list.get(1..len - 1).unwrap_or_default(),
            _ if kind == Directive::ForC => list,
            _ => return Err(self.error(Kind::TextExpected, span)),
        };
        if kind == Directive::ForC {
            return Ok(LoopHead::ForC(parameter.name, literal(inner)));
        }
        let mut values = Vec::new();
        let mut rest = inner;
        while !trim(rest).is_empty() {
            let end = argument_end(rest);
            let raw = trim(rest.get(..end).unwrap_or(rest));
            let value = plain_argument(raw);
            if value.is_empty() && parameter.is_required {
                let name = parameter.name.as_slice().into();
                return Err(self.error(Kind::MissingMacroArgument { name }, span));
            }
            values.push(if value.is_empty() {
                parameter.default.clone()
            } else {
                value
            });
            if end + 1 == rest.len() {
                // A comma at the end: one more, blank value.
                values.push(parameter.default.clone());
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        Ok(LoopHead::For(parameter.name, values))
    }

    /// Starts a repeat block whose lines are complete.
    pub(super) fn run_loop(&mut self, head: LoopHead, lines: &[Vec<u8>], site: Site) {
        let (names, rounds) = match head {
            LoopHead::Repeat(count) => (Vec::new(), Rounds::Count(count)),
            LoopHead::While(text) => (Vec::new(), Rounds::While(Rc::new(text))),
            LoopHead::For(name, mut values) => {
                values.reverse();
                (vec![name], Rounds::Values(values))
            }
            LoopHead::ForC(name, mut text) => {
                text.reverse();
                (vec![name], Rounds::Bytes(text))
            }
        };
        let span = Text::generated(Vec::new(), site).span(0, 0);
        let limit = self.options.max_depth;
        if self.pre.sources.len() > limit as usize {
            self.error(Kind::NestedTooDeep { limit }, span);
            self.is_stopped = true;
            return;
        }
        let body = Rc::new(self.body(names, lines));
        if self.count_source(body.cost(), span).is_err() {
            return;
        }
        let expansion = self.add_expansion(Some(b"a repeat block"[..].into()));
        let site = Site {
            expansion: Some(expansion),
            ..site
        };
        let conditionals = self.pre.conditionals.len();
        let repetition = Some(Repetition { body, rounds });
        let expanded = Expanded {
            lines: Vec::new(),
            at: 0,
            site,
            conditionals,
            bytes: 0,
            repetition,
        };
        self.pre.sources.push(Source::Expansion(expanded));
    }

    /// Starts the next round of the innermost source, if it has one.
    pub(super) fn next_round(&mut self) -> bool {
        let Some(Source::Expansion(expanded)) = self.pre.sources.last_mut() else {
            return false;
        };
        let site = expanded.site;
        let open = expanded.conditionals;
        let Some(mut repetition) = expanded.repetition.take() else {
            return false;
        };
        self.pre.conditionals.truncate(open);
        let span = Text::generated(Vec::new(), site).span(0, 0);
        if self.count_lines(1, span).is_none() {
            return false;
        }
        let arguments = match &mut repetition.rounds {
            Rounds::Count(0) => return false,
            Rounds::Count(count) => {
                *count -= 1;
                Vec::new()
            }
            Rounds::While(text) => {
                let text = Rc::clone(text);
                if !self.while_holds(&text) {
                    return false;
                }
                Vec::new()
            }
            Rounds::Values(values) => match values.pop() {
                Some(value) => vec![value],
                None => return false,
            },
            Rounds::Bytes(bytes) => match bytes.pop() {
                Some(byte) => vec![vec![byte]],
                None => return false,
            },
        };
        let body = Rc::clone(&repetition.body);
        let Ok(lines) = self.fill(&body, &arguments, span) else {
            return false;
        };
        let Some(bytes) = self.count_bytes(&lines, span) else {
            return false;
        };
        if let Some(Source::Expansion(expanded)) = self.pre.sources.last_mut() {
            self.pre.live_bytes = self.pre.live_bytes.saturating_sub(expanded.bytes);
            expanded.bytes = bytes;
            expanded.lines = lines;
            expanded.at = 0;
            expanded.repetition = Some(repetition);
        }
        true
    }

    fn while_holds(&mut self, text: &Text) -> bool {
        let Some(expanded) = self.expand_from(text, 0) else {
            return false;
        };
        let line = Line::new(expanded);
        let result = self.evaluate_constant(&line, 1, line.len());
        result.is_ok_and(|(number, _)| number != 0)
    }
}
