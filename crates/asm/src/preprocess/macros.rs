//! Macros: definition, arguments, expansion.

use std::collections::HashMap;
use std::rc::Rc;

use super::argument::{Parameter, argument_end, in_radix, parameters, plain_argument};
use super::expand::is_name;
use super::loops::LoopHead;
use super::source::{Expanded, Source};
use super::{Leading, directive};
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{code_len, ident_len, is_ident_start, quoted_len, trim};
use crate::line::{Line, PART_COST, Site, Text};
use crate::source::{SourceText, Span, to_u32};
use crate::symbol::{MacroId, SymbolKind};
use crate::words::Directive;

/// A part of a line of a body.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(Vec<u8>),
    /// A parameter or, counted on, a LOCAL name.
    Name(usize),
}

/// A body with its parameters marked.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    lines: Vec<Vec<Piece>>,
    /// Number of LOCAL names.
    locals: usize,
    /// Number of pieces of all lines.
    pieces: usize,
}

impl Body {
    /// About the bytes of memory that its pieces take.
    pub(super) fn cost(&self) -> usize {
        self.pieces * PART_COST
    }
}

/// The places of parameters and LOCAL names.
#[derive(Debug, Default)]
struct Places {
    by_name: HashMap<Box<[u8]>, usize>,
    /// Number of names, the same ones included.
    count: usize,
}

/// A macro.
#[derive(Clone, Debug)]
pub(super) struct Macro {
    name: SourceText,
    parameters: Vec<Parameter>,
    body: Body,
    /// Whether it returns a text.
    pub(super) is_function: bool,
}

/// What the lines up to ENDM belong to.
#[derive(Debug)]
enum Purpose {
    Macro {
        name: Vec<u8>,
        parameters: Vec<Parameter>,
    },
    Loop(LoopHead),
    /// The head was wrong: the lines are dropped.
    Nothing,
}

/// Lines being collected up to ENDM.
#[derive(Debug)]
pub(super) struct Collector {
    purpose: Purpose,
    lines: Vec<Vec<u8>>,
    /// Blocks open inside of this one.
    depth: u32,
    pub(super) span: Span,
}

impl Collector {
    pub(super) fn name(&self) -> SourceText {
        match &self.purpose {
            Purpose::Macro { name, .. } => name.as_slice().into(),
            Purpose::Loop(_) | Purpose::Nothing => b"the repeat block"[..].into(),
        }
    }
}

impl Assembler<'_> {
    /// `name macro parameters`.
    pub(super) fn open_macro(&mut self, text: &Text, leading: Leading) {
        let span = text.span(leading.first.0, leading.first.1);
        let rest = text.bytes.get(leading.second.1..).unwrap_or_default();
        let parameters = parameters(rest.get(..code_len(rest)).unwrap_or(rest));
        let purpose = if let Some(parameters) = parameters {
            Purpose::Macro {
                name: leading.first(&text.bytes).to_vec(),
                parameters,
            }
        } else {
            self.error(
                Kind::Expected {
                    what: "a parameter name",
                },
                span,
            );
            Purpose::Nothing
        };
        self.start_collecting(purpose, span);
    }

    pub(super) fn collect_loop(&mut self, head: Option<LoopHead>, span: Span) {
        let purpose = head.map_or(Purpose::Nothing, Purpose::Loop);
        self.start_collecting(purpose, span);
    }

    fn start_collecting(&mut self, purpose: Purpose, span: Span) {
        let collector = Collector {
            purpose,
            lines: Vec::new(),
            depth: 0,
            span,
        };
        self.pre.collector = Some(collector);
    }

    /// A line of a body.
    pub(super) fn collect(&mut self, text: Text) {
        let Some(collector) = &mut self.pre.collector else {
            return;
        };
        let line = &text.bytes;
        if Self::closes_block(line) {
            if collector.depth > 0 {
                collector.depth -= 1;
            } else {
                self.finish_collecting(text.site);
                return;
            }
        } else if Self::opens_block(line) {
            collector.depth += 1;
        }
        collector.lines.push(text.bytes);
    }

    fn finish_collecting(&mut self, end: Site) {
        let Some(collector) = self.pre.collector.take() else {
            return;
        };
        match collector.purpose {
            Purpose::Macro { name, parameters } => {
                self.define_macro(&name, parameters, &collector.lines, collector.span);
            }
            // The place in the file is the ENDM, up to which it has been read.
            Purpose::Loop(head) => self.run_loop(head, &collector.lines, end),
            Purpose::Nothing => {}
        }
    }

    fn define_macro(
        &mut self,
        name: &[u8],
        parameters: Vec<Parameter>,
        lines: &[Vec<u8>],
        span: Span,
    ) {
        let id = self.symbols.global(name);
        let names: Vec<Vec<u8>> = parameters.iter().map(|p| p.name.clone()).collect();
        let body = self.body(names, lines);
        if self.count_source(body.cost(), span).is_err() {
            return;
        }
        let is_function = lines.iter().any(|line| returns_text(line));
        let found = Rc::new(Macro {
            name: name.into(),
            parameters,
            body,
            is_function,
        });
        if let SymbolKind::Macro(known) = self.symbols.get(id).kind {
            if let Some(known) = self.pre.macros.get_mut(known.0 as usize) {
                *known = found;
            }
        } else {
            if !self.is_builtin_definition(id) && self.check_new(id, span).is_err() {
                return;
            }
            let place = MacroId(to_u32(self.pre.macros.len()));
            self.pre.macros.push(found);
            let symbol = self.symbols.get_mut(id);
            symbol.kind = SymbolKind::Macro(place);
            symbol.span = Some(span);
        }
    }

    /// Marks the parameters in a body; LOCAL lines at its start add names.
    pub(super) fn body(&self, names: Vec<Vec<u8>>, lines: &[Vec<u8>]) -> Body {
        let mut body = Body::default();
        let mut places = Places::default();
        for name in names {
            self.add_place(&mut places, &name);
        }
        let mut in_head = true;
        for line in lines {
            let code = line.get(..code_len(line)).unwrap_or(line);
            let leading = Leading::of(code);
            if in_head && directive(leading.first(code)) == Some(Directive::Local) {
                let rest = code.get(leading.first.1..).unwrap_or_default();
                for name in rest.split(|&byte| byte == b',') {
                    self.add_place(&mut places, trim(name));
                    body.locals += 1;
                }
                continue;
            }
            in_head &= trim(code).is_empty();
            let is_echo = directive(leading.first(code)) == Some(Directive::Echo);
            let pieces = self.pieces(if is_echo { line } else { code }, &places);
            body.pieces += pieces.len();
            body.lines.push(pieces);
        }
        body
    }

    /// Gives a name the next place; of two that are the same the first one counts.
    fn add_place(&self, places: &mut Places, name: &[u8]) {
        let place = places.count;
        places.count += 1;
        places
            .by_name
            .entry(self.symbols.key(name))
            .or_insert(place);
    }

    fn pieces(&self, line: &[u8], places: &Places) -> Vec<Piece> {
        let find = |name: &[u8]| places.by_name.get(&self.symbols.key(name)).copied();
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut quote_end = 0;
        let mut at = 0;
        while let Some(&byte) = line.get(at) {
            let rest = line.get(at..).unwrap_or_default();
            let in_quotes = at < quote_end;
            if !in_quotes && matches!(byte, b'"' | b'\'') {
                quote_end = at + quoted_len(rest).unwrap_or(0);
            }
            if byte.is_ascii_digit() {
                let len = rest
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric())
                    .count();
                plain.extend_from_slice(rest.get(..len).unwrap_or_default());
                at += len;
                continue;
            }
            if !is_ident_start(byte) {
                plain.push(byte);
                at += 1;
                continue;
            }
            let len = ident_len(rest);
            let name = rest.get(..len).unwrap_or_default();
            let pasted = plain.last() == Some(&b'&') || rest.get(len) == Some(&b'&');
            if let Some(place) = find(name).filter(|_| !in_quotes || pasted) {
                if plain.last() == Some(&b'&') {
                    plain.pop();
                }
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Name(place));
                at += len;
                let doubled = rest.get(len..len + 2) == Some(b"&&");
                if rest.get(len) == Some(&b'&') && !doubled {
                    at += 1;
                }
            } else {
                plain.extend_from_slice(name);
                at += len;
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        pieces
    }

    /// Returns the lines of a body with `arguments` in place of the parameters and fresh names in
    /// place of the LOCAL ones.
    pub(super) fn fill(
        &mut self,
        body: &Body,
        arguments: &[Vec<u8>],
        span: Span,
    ) -> Result<Vec<Vec<u8>>, Reported> {
        // The bytes are counted by who reads them; all these can be many without a byte.
        let parts = body.pieces + body.locals + arguments.len();
        self.count_source(parts, span)?;
        let mut values = arguments.to_vec();
        for _ in 0..body.locals {
            values.push(format!("??{:04X}", self.pre.local_names).into_bytes());
            self.pre.local_names = self.pre.local_names.wrapping_add(1);
        }
        let line = |pieces: &Vec<Piece>| {
            let mut bytes = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => bytes.extend_from_slice(text),
                    Piece::Name(place) => {
                        bytes.extend_from_slice(values.get(*place).map_or(&[], Vec::as_slice));
                    }
                }
            }
            bytes
        };
        Ok(body.lines.iter().map(line).collect())
    }

    /// A macro called as a statement.
    pub(super) fn call_macro(&mut self, text: &Text, id: MacroId, rest_at: usize) {
        let Some(expanded) = self.expand_functions(text, rest_at) else {
            return;
        };
        let rest = expanded.bytes.get(rest_at..).unwrap_or_default().to_vec();
        // Reported already.
        let _ = self.push_macro(id, &rest, text.site, text.span(0, text.bytes.len()));
    }

    fn push_macro(
        &mut self,
        id: MacroId,
        arguments: &[u8],
        site: Site,
        span: Span,
    ) -> Result<(), Reported> {
        let limit = self.options.max_depth;
        if self.pre.sources.len() > limit as usize {
            let reported = self.error(Kind::NestedTooDeep { limit }, span);
            self.is_stopped = true;
            return Err(reported);
        }
        let Some(found) = self.pre.macros.get(id.0 as usize).cloned() else {
            return Ok(());
        };
        let arguments = self.bind(&found, arguments, site, span)?;
        let lines = self.fill(&found.body, &arguments, span)?;
        let Some(bytes) = self.count_bytes(&lines, span) else {
            return Err(Reported);
        };
        let expansion = self.add_expansion(Some(found.name.clone()));
        let site = Site {
            expansion: Some(expansion),
            ..site
        };
        let conditionals = self.pre.conditionals.len();
        let expanded = Expanded {
            lines,
            at: 0,
            site,
            conditionals,
            bytes,
            repetition: None,
        };
        self.pre.sources.push(Source::Expansion(expanded));
        Ok(())
    }

    /// A macro called inside an expression: returns its text.
    pub(super) fn call_function(
        &mut self,
        id: MacroId,
        arguments: &[u8],
        site: Site,
    ) -> Result<Vec<u8>, Reported> {
        let span = Text::generated(Vec::new(), site).span(0, 0);
        let inner = Text::generated(arguments.to_vec(), site);
        self.in_function(span, |asm| {
            let Some(inner) = asm.expand_functions(&inner, 0) else {
                return Err(Reported);
            };
            let level = asm.pre.sources.len();
            asm.push_macro(id, &inner.bytes, site, span)?;
            let shown = asm.shown.clone();
            let outer = asm.pre.result.take();
            asm.run_sources(level);
            asm.shown = shown;
            let result = std::mem::replace(&mut asm.pre.result, outer);
            Ok(result.unwrap_or_default())
        })
    }

    /// Matches arguments with parameters.
    fn bind(
        &mut self,
        found: &Macro,
        bytes: &[u8],
        site: Site,
        span: Span,
    ) -> Result<Vec<Vec<u8>>, Reported> {
        let mut values = Vec::with_capacity(found.parameters.len());
        let mut rest = trim(bytes);
        for parameter in &found.parameters {
            let value = if parameter.is_vararg {
                let all = self.variable_arguments(rest, site)?;
                rest = &[];
                all
            } else {
                let (value, after) = self.argument(rest, site)?;
                rest = after;
                value
            };
            if value.is_empty() {
                if parameter.is_required {
                    let name = parameter.name.as_slice().into();
                    return Err(self.error(Kind::MissingMacroArgument { name }, span));
                }
                values.push(parameter.default.clone());
            } else {
                values.push(value);
            }
        }
        if !trim(rest).is_empty() {
            let name = found.name.clone();
            self.warn(Kind::TooManyMacroArguments { name }, span);
        }
        Ok(values)
    }

    /// All remaining arguments: as written, but with `%` expressions evaluated.
    fn variable_arguments(&mut self, bytes: &[u8], site: Site) -> Result<Vec<u8>, Reported> {
        if !bytes.contains(&b'%') {
            return Ok(bytes.to_vec());
        }
        let mut parts = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let raw_end = argument_end(rest);
            let raw = trim(rest.get(..raw_end).unwrap_or(rest));
            if raw.first() == Some(&b'%') {
                parts.push(self.argument(raw, site)?.0);
            } else {
                parts.push(raw.to_vec());
            }
            rest = rest.get(raw_end + 1..).unwrap_or_default();
        }
        Ok(parts.join(&b","[..]))
    }

    /// Reads one argument; returns its value and what follows the comma.
    pub(super) fn argument<'b>(
        &mut self,
        bytes: &'b [u8],
        site: Site,
    ) -> Result<(Vec<u8>, &'b [u8]), Reported> {
        let bytes = trim(bytes);
        let end = argument_end(bytes);
        let raw = trim(bytes.get(..end).unwrap_or(bytes));
        let after = bytes.get(end + 1..).unwrap_or_default();
        let value = match raw.first() {
            Some(b'%') => self.evaluated_text(raw.get(1..).unwrap_or_default(), site)?,
            _ => plain_argument(raw),
        };
        Ok((value, after))
    }

    /// The text of `%expression`: of a text equate, or a number in the current radix.
    pub(super) fn evaluated_text(&mut self, bytes: &[u8], site: Site) -> Result<Vec<u8>, Reported> {
        let bytes = trim(bytes);
        if is_name(bytes) {
            let id = self.symbols.find(self.proc, bytes);
            if let Some(SymbolKind::Text(text)) = id.map(|id| &self.symbols.get(id).kind) {
                return Ok(text.to_vec());
            }
        }
        let text = Text::generated(bytes.to_vec(), site);
        let Some(expanded) = self.expand_from(&text, 0) else {
            return Err(Reported);
        };
        let line = Line::new(expanded);
        if line.len() == 0 {
            return Ok(Vec::new());
        }
        let (number, next) = self.evaluate_constant(&line, 0, line.len())?;
        self.expect_end(&line, next)?;
        Ok(in_radix(number, self.radix))
    }

    /// EXITM: ends the innermost expansion.
    pub(super) fn exit_macro(&mut self, text: &Text, rest_at: usize) {
        let is_expansion = matches!(self.pre.sources.last(), Some(Source::Expansion(_)));
        if !is_expansion {
            let name = b"exitm"[..].into();
            self.error(Kind::NotInMacro { name }, text.span(0, text.bytes.len()));
            return;
        }
        let rest = trim(text.bytes.get(rest_at..).unwrap_or_default());
        if !rest.is_empty() {
            let Ok(items) = self.text_items(text, rest_at) else {
                return;
            };
            self.pre.result = Some(items.concat());
        }
        self.leave_source();
    }

    /// GOTO: continues after the line `:label` of the macro.
    pub(super) fn goto_label(&mut self, text: &Text, rest_at: usize) {
        let label = trim(text.bytes.get(rest_at..).unwrap_or_default()).to_vec();
        let span = text.span(0, text.bytes.len());
        let Some(Source::Expansion(expanded)) = self.pre.sources.last_mut() else {
            let name = b"goto"[..].into();
            self.error(Kind::NotInMacro { name }, span);
            return;
        };
        let is_label = |line: &Vec<u8>| {
            let line = trim(line);
            line.strip_prefix(b":")
                .is_some_and(|name| trim(name).eq_ignore_ascii_case(&label))
        };
        let place = expanded.lines.iter().position(is_label);
        if let Some(place) = place {
            expanded.at = place + 1;
            let open = expanded.conditionals;
            self.pre.conditionals.truncate(open);
        } else {
            let name = label.as_slice().into();
            self.error(Kind::UnknownMacroLabel { name }, span);
        }
        // Past the limit everything ends.
        let _ = self.count_source(place.unwrap_or(0), span);
    }

    /// PURGE: forgets macros.
    pub(super) fn purge(&mut self, text: &Text, rest_at: usize) {
        let rest = text.bytes.get(rest_at..).unwrap_or_default();
        for name in rest.split(|&byte| byte == b',') {
            let id = self.symbols.find_global(trim(name));
            if let Some(id) = id
                && matches!(self.symbols.get(id).kind, SymbolKind::Macro(_))
            {
                self.symbols.forget(id);
            }
        }
    }
}

/// Whether a line of a body is EXITM with a text.
fn returns_text(line: &[u8]) -> bool {
    let code = super::without_percent(line.get(..code_len(line)).unwrap_or(line));
    let leading = Leading::of(code);
    directive(leading.first(code)) == Some(Directive::ExitM)
        && !trim(code.get(leading.first.1..).unwrap_or_default()).is_empty()
}
