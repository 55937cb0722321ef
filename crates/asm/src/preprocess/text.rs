//! Text equates: EQU with a text, TEXTEQU, CATSTR, SUBSTR, INSTR, SIZESTR.

use super::Leading;
use super::argument::{argument_end, literal};
use super::expand::{Scope, closing_paren, is_name};
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{angle_len, ident_len, trim};
use crate::line::{Line, Text};
use crate::symbol::SymbolKind;

/// The longest text that a name can stand for, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 16;
/// The most that is ever assigned to names, in bytes: a loop could make texts without end.
const MAX_ALL_TEXT_BYTES: usize = 1 << 28;
/// Bytes that INSTR compares in the time that one byte of the source takes.
const COMPARED_AT_ONCE: usize = 64;

impl Assembler<'_> {
    /// Reads text items separated by commas: `<text>`, `%expression`, a text equate, a call.
    pub(super) fn text_items(
        &mut self,
        text: &Text,
        from: usize,
    ) -> Result<Vec<Vec<u8>>, Reported> {
        let mut items = Vec::new();
        let mut rest = trim(text.bytes.get(from..).unwrap_or_default());
        while !rest.is_empty() {
            let end = argument_end(rest);
            let raw = trim(rest.get(..end).unwrap_or(rest));
            let item = self.text_item(raw, text)?;
            self.count_source(item.len(), text.span(0, 1))?;
            items.push(item);
            if end + 1 == rest.len() {
                items.push(Vec::new());
            }
            rest = trim(rest.get(end + 1..).unwrap_or_default());
        }
        Ok(items)
    }

    fn text_item(&mut self, raw: &[u8], text: &Text) -> Result<Vec<u8>, Reported> {
        let span = text.span(0, text.bytes.len());
        match raw.first() {
            None => Ok(Vec::new()),
            Some(b'<') => match angle_len(raw) {
                Some(len) if len == raw.len() => {
                    Ok(literal(raw.get(1..len - 1).unwrap_or_default()))
                }
                Some(_) => Err(self.error(Kind::TextExpected, span)),
                None => Err(self.error(Kind::OpenText, span)),
            },
            Some(b'%') => self.evaluated_text(raw.get(1..).unwrap_or_default(), text.site),
            Some(_) if is_name(raw) => {
                let id = self
                    .symbols
                    .find(self.proc, raw)
                    .or_else(|| self.builtin_symbol(raw));
                match id.map(|id| &self.symbols.get(id).kind) {
                    Some(SymbolKind::Text(text)) => Ok(text.to_vec()),
                    _ => Err(self.error(Kind::TextExpected, span)),
                }
            }
            Some(_) => {
                let len = ident_len(raw);
                let open = raw.iter().position(|&byte| byte == b'(');
                let is_call = len > 0
                    && open.is_some_and(|open| closing_paren(raw, open) == Some(raw.len() - 1));
                if !is_call {
                    return Err(self.error(Kind::TextExpected, span));
                }
                self.expand_text(raw, text.site, Scope::Statement, 0)
            }
        }
    }

    fn define_text(&mut self, text: &Text, leading: Leading, value: Vec<u8>) {
        let span = text.span(leading.first.0, leading.first.1);
        self.pre.text_bytes = self.pre.text_bytes.saturating_add(value.len());
        if value.len() > MAX_TEXT_BYTES || self.pre.text_bytes > MAX_ALL_TEXT_BYTES {
            let limit = MAX_TEXT_BYTES;
            self.error(Kind::TextTooLong { limit }, span);
            self.is_stopped |= self.pre.text_bytes > MAX_ALL_TEXT_BYTES;
            return;
        }
        let id = self.symbols.global(leading.first(&text.bytes));
        let may_change = matches!(
            self.symbols.get(id).kind,
            SymbolKind::Text(_) | SymbolKind::Undefined
        ) || self.is_builtin_definition(id);
        if !may_change {
            // Reported already.
            let _ = self.check_new(id, span);
            return;
        }
        let symbol = self.symbols.get_mut(id);
        symbol.kind = SymbolKind::Text(value.into());
        symbol.span = Some(span);
    }

    fn define_number(&mut self, text: &Text, leading: Leading, number: usize) {
        let span = text.span(leading.first.0, leading.first.1);
        let id = self.symbols.global(leading.first(&text.bytes));
        let value = i128::try_from(number).unwrap_or(0);
        match self.symbols.get(id).kind {
            SymbolKind::Number { .. } | SymbolKind::Undefined => {
                self.symbols.get_mut(id).kind = SymbolKind::Number {
                    value,
                    is_variable: true,
                };
            }
            _ => {
                // Reported already.
                let _ = self.check_new(id, span);
            }
        }
    }

    /// `name equ value`: a number or an address if it evaluates to one, else a text.
    pub(super) fn text_or_number(&mut self, text: &Text, leading: Leading) -> bool {
        if !self.struct_stack.is_empty() {
            return false;
        }
        let rest_at = leading.second.1;
        let rest = trim(text.bytes.get(rest_at..).unwrap_or_default());
        if rest.first() == Some(&b'<') && angle_len(rest) == Some(rest.len()) {
            let value = literal(rest.get(1..rest.len() - 1).unwrap_or_default());
            self.define_text(text, leading, value);
            return true;
        }
        let known = self.symbols.find_global(leading.first(&text.bytes));
        let was_text =
            known.is_some_and(|id| matches!(self.symbols.get(id).kind, SymbolKind::Text(_)));
        if rest.is_empty() || was_text {
            let value = rest.to_vec();
            self.define_text(text, leading, value);
            return true;
        }
        let Some(expanded) = self.expand_from(text, rest_at) else {
            return true;
        };
        if self.is_value(&expanded) {
            self.first_pass(expanded);
        } else {
            let value = rest.to_vec();
            self.define_text(text, leading, value);
        }
        true
    }

    /// Whether what follows `name equ` is a number or an address.
    fn is_value(&mut self, text: &Text) -> bool {
        let line = Line::new(text.clone());
        let Ok((value, next)) = self.quietly(|asm| asm.evaluate(&line, 2, line.len())) else {
            return false;
        };
        let is_number = value.is_constant()
            && !value.is_type
            && value.string.is_none_or(|at| {
                // A string of more than four characters is a text.
                line.bytes(at).len() <= 6
            });
        let is_address =
            value.symbol.is_some() && !value.has_registers() && value.register.is_none();
        next == line.len() && !value.is_forward && value.real.is_none() && (is_number || is_address)
    }

    /// `name textequ item, ...` and `name catstr item, ...`.
    pub(super) fn cat_str(&mut self, text: &Text, leading: Leading, rest_at: usize) {
        if let Ok(items) = self.text_items(text, rest_at) {
            self.define_text(text, leading, items.concat());
        }
    }

    /// `name substr text, start[, length]`.
    pub(super) fn sub_str(&mut self, text: &Text, leading: Leading, rest_at: usize) {
        if let Ok(value) = self.substring(text, rest_at) {
            self.define_text(text, leading, value);
        }
    }

    /// `name instr [start,] text, part`.
    pub(super) fn in_str(&mut self, text: &Text, leading: Leading, rest_at: usize) {
        if let Ok(place) = self.find_in_text(text, rest_at) {
            self.define_number(text, leading, place);
        }
    }

    /// `name sizestr text`.
    pub(super) fn size_str(&mut self, text: &Text, leading: Leading, rest_at: usize) {
        if let Ok(items) = self.text_items(text, rest_at) {
            self.define_number(text, leading, items.first().map_or(0, Vec::len));
        }
    }

    /// The value of `text, start[, length]`.
    pub(super) fn substring(&mut self, text: &Text, from: usize) -> Result<Vec<u8>, Reported> {
        let rest = trim(text.bytes.get(from..).unwrap_or_default());
        let end = argument_end(rest);
        let source = self.text_item(trim(rest.get(..end).unwrap_or_default()), text)?;
        self.count_source(source.len(), text.span(0, 1))?;
        let rest = trim(rest.get(end + 1..).unwrap_or_default());
        let end = argument_end(rest);
        let start = self.number_of(rest.get(..end).unwrap_or_default(), text)?;
        let length = match rest.get(end + 1..) {
            Some(length) => self.number_of(length, text)?,
            None => source.len(),
        };
        let skipped = source.into_iter().skip(start.saturating_sub(1));
        Ok(skipped.take(length).collect())
    }

    /// The value of `[start,] text, part`: the place of the part from 1, or 0.
    pub(super) fn find_in_text(&mut self, text: &Text, from: usize) -> Result<usize, Reported> {
        let rest = trim(text.bytes.get(from..).unwrap_or_default());
        let mut parts = Vec::new();
        let mut tail = rest;
        while !tail.is_empty() {
            let end = argument_end(tail);
            parts.push(trim(tail.get(..end).unwrap_or(tail)));
            tail = trim(tail.get(end + 1..).unwrap_or_default());
        }
        let (start, source, part) = match parts[..] {
            [source, part] | [[], source, part] => (1, source, part),
            [start, source, part] => (self.number_of(start, text)?, source, part),
            _ => {
                let span = text.span(0, text.bytes.len());
                return Err(self.error(Kind::TextExpected, span));
            }
        };
        let source = self.text_item(source, text)?;
        let part = self.text_item(part, text)?;
        let compared = source.len().saturating_mul(part.len()) / COMPARED_AT_ONCE;
        self.count_source(source.len().saturating_add(compared), text.span(0, 1))?;
        if part.is_empty() {
            return Ok(0);
        }
        let skip = start.saturating_sub(1);
        let mut windows = source.windows(part.len()).skip(skip);
        Ok(windows
            .position(|window| window == part)
            .map_or(0, |place| place + skip + 1))
    }

    fn number_of(&mut self, bytes: &[u8], text: &Text) -> Result<usize, Reported> {
        let bytes = trim(bytes);
        let bytes = bytes.strip_prefix(b"%").unwrap_or(bytes);
        let value = Text::generated(bytes.to_vec(), text.site);
        let Some(expanded) = self.expand_from(&value, 0) else {
            return Err(Reported);
        };
        let line = Line::new(expanded);
        let (number, _) = self.evaluate_constant(&line, 0, line.len())?;
        usize::try_from(number)
            .map_err(|_| self.error(Kind::ConstantTooLarge, text.span(0, text.bytes.len())))
    }
}
