//! Data definitions: `name type value, value dup (value), <fields>`.

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::expr::{RealToken, Value, real_bits};
use crate::insn::operand::RefKind;
use crate::insn::select::fits_wrapped;
use crate::insn::table;
use crate::lex::{Punct, TokenKind, unquote};
use crate::line::Line;
use crate::section::Progress;
use crate::source::{Span, to_u32};
use crate::symbol::Shape;
use crate::types::{Aggregate, Field, RecordId, StructId, Type};
use crate::words::{Operator, Word};

/// Deepest nesting of `dup` and of structure values.
const MAX_DEPTH: u32 = 32;

/// Bits of a byte.
const BYTE_BITS: u32 = 8;

impl Assembler<'_> {
    /// Defines data at the current place.
    pub(crate) fn data(
        &mut self,
        line: &Line,
        name: Option<usize>,
        ty: Type,
        values: usize,
    ) -> Result<(), Reported> {
        let start = self.out.place();
        let mut label = None;
        if let Some(name) = name {
            let span = line.span(name, name + 1);
            self.check_reserved(line, name)?;
            let id = self.symbols.global(line.bytes(name));
            self.check_new(id, span)?;
            let size = self.types.size_of(ty);
            self.place_label(id, Shape { ty, count: 1, size }, span);
            label = Some(id);
        }
        if values >= line.len() {
            let kind = Kind::Expected {
                what: "a value; `?` leaves it open",
            };
            return Err(self.error(kind, line.span(values, values)));
        }
        let (count, next) = self.items(line, values, line.len(), ty, 0)?;
        if let (Some(start), Some(end)) = (start, self.out.place()) {
            let size = end.offset.wrapping_sub(start.offset);
            if let Some(id) = label
                && let crate::symbol::SymbolKind::Label { shape, .. } =
                    &mut self.symbols.get_mut(id).kind
            {
                *shape = Shape { ty, count, size };
            }
        }
        self.expect_end(line, next)
    }

    /// Refuses the name of a register or of an instruction of the selected processor.
    fn check_reserved(&mut self, line: &Line, name: usize) -> Result<(), Reported> {
        let is_reserved = match line.word(name) {
            Word::Register(_) => true,
            Word::Mnemonic(id) => {
                let forms = &table::mnemonic(id).forms;
                forms.iter().any(|form| self.cpu_has(form.needs))
            }
            _ => line.bytes(name).eq_ignore_ascii_case(b"st"),
        };
        if is_reserved {
            let name_text = line.bytes(name).into();
            let kind = Kind::ReservedWord { name: name_text };
            return Err(self.error(kind, line.span(name, name + 1)));
        }
        Ok(())
    }

    /// Reports tokens after the end of a statement.
    pub(crate) fn expect_end(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        let Some(token) = line.token(at) else {
            return Ok(());
        };
        let starts_operand = matches!(
            token.kind,
            TokenKind::Ident | TokenKind::Number | TokenKind::Str
        );
        let kind = match (starts_operand, token.kind) {
            (true, _) => Kind::MissingOperator,
            (_, TokenKind::OpenStr) => Kind::OpenString,
            _ => Kind::Unexpected {
                token: line.bytes(at).into(),
            },
        };
        Err(self.error(kind, line.span(at, at + 1)))
    }

    /// Writes items separated by commas; returns the number of elements and the next token.
    pub(crate) fn items(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
        ty: Type,
        depth: u32,
    ) -> Result<(u32, usize), Reported> {
        let mut count = 0_u32;
        let mut at = start;
        loop {
            let (items, next) = self.item(line, at, end, ty, depth)?;
            count = count.saturating_add(items);
            at = next;
            if at < end && line.token(at).is_some_and(|token| token.is(Punct::Comma)) {
                at += 1;
            } else {
                return Ok((count, at));
            }
        }
    }

    fn item(
        &mut self,
        line: &Line,
        at: usize,
        end: usize,
        ty: Type,
        depth: u32,
    ) -> Result<(u32, usize), Reported> {
        if depth > MAX_DEPTH {
            return Err(self.error(
                Kind::NestedTooDeep { limit: MAX_DEPTH },
                line.span(at, at + 1),
            ));
        }
        let span = line.span(at, at + 1);
        self.count_values(1, span)?;
        let token = line.token(at).filter(|_| at < end);
        let next_is_operator = line.token(at + 1).is_some_and(|next| {
            at + 1 < end && !next.is(Punct::Comma) && !next.is(Punct::RightParen)
        });
        match token.map(|token| token.kind) {
            None => Err(self.error(Kind::Expected { what: "a value" }, span)),
            Some(TokenKind::Punct(Punct::Question)) => {
                self.reserve(self.types.size_of(ty).into(), span)?;
                Ok((1, at + 1))
            }
            Some(TokenKind::Punct(Punct::Less | Punct::LeftBrace)) => {
                self.aggregate(line, at, end, ty, depth)
            }
            Some(TokenKind::Str) if is_byte(ty) && !next_is_operator => {
                let bytes = unquote(line.bytes(at));
                self.write(&bytes, span)?;
                Ok((to_u32(bytes.len()), at + 1))
            }
            Some(_) => {
                let (value, next) = self.evaluate(line, at, end)?;
                if next < end && line.word(next) == Word::Operator(Operator::Dup) {
                    return self.duplicate(line, at, &value, next + 1, end, ty, depth);
                }
                self.value(&value, ty, line, line.span(at, next))?;
                Ok((1, next))
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a position in a line takes three of them"
    )]
    fn duplicate(
        &mut self,
        line: &Line,
        at: usize,
        count: &Value,
        open: usize,
        end: usize,
        ty: Type,
        depth: u32,
    ) -> Result<(u32, usize), Reported> {
        let span = line.span(at, open);
        let Some(count) = count.constant().filter(|_| !count.is_forward) else {
            return Err(self.error(Kind::ConstantExpected, span));
        };
        let Some(count) = u32::try_from(count).ok() else {
            return Err(self.error(Kind::ConstantTooLarge, span));
        };
        self.expect_punct(line, open, end, Punct::LeftParen, "`(` after DUP")?;
        let Some(before) = self.out.progress() else {
            self.reserve(0, span)?;
            return Ok((0, end));
        };
        let values = |asm: &mut Self| asm.items(line, open + 1, end, ty, depth + 1);
        let (inner, next) = match count {
            // They have to be right all the same.
            0 => self.in_scratch(span, values)?.0,
            _ => values(self)?,
        };
        let what = "`)` after the values of DUP";
        self.expect_punct(line, next, end, Punct::RightParen, what)?;
        let after = self.out.progress().unwrap_or(before);
        if self.must_write_again(before, after) {
            for _ in 1..count {
                values(self)?;
            }
        } else {
            self.repeat_bytes(before, after, count.saturating_sub(1), span)?;
        }
        Ok((inner.saturating_mul(count), next + 1))
    }

    fn expect_punct(
        &mut self,
        line: &Line,
        at: usize,
        end: usize,
        punct: Punct,
        what: &'static str,
    ) -> Result<(), Reported> {
        if at < end && line.token(at).is_some_and(|token| token.is(punct)) {
            return Ok(());
        }
        Err(self.error(Kind::Expected { what }, line.span(at, at + 1)))
    }

    /// Whether copies of the bytes between two looks at the section are not what the values give:
    /// because of references, or of bytes without a value on top of others.
    fn must_write_again(&self, before: Progress, after: Progress) -> bool {
        let written = after.written.saturating_sub(before.written);
        let is_mixed = written > 0 && written < after.len_from(before).into();
        after.references > before.references || is_mixed && self.is_over_others(after)
    }

    /// Whether there are bytes already behind the current place: an ORG went back.
    fn is_over_others(&self, place: Progress) -> bool {
        let len = self.out.current().map_or(0, |section| section.bytes.len());
        len > place.offset as usize
    }

    /// Appends `count` copies of what was added to the section between two looks at it.
    fn repeat_bytes(
        &mut self,
        before: Progress,
        after: Progress,
        count: u32,
        span: Span,
    ) -> Result<(), Reported> {
        let total = u64::from(after.len_from(before)) * u64::from(count);
        let is_open = after.written == before.written;
        if is_open || total > self.options.max_output_bytes {
            return self.reserve(total, span);
        }
        let added = self.out.current().and_then(|section| {
            section
                .bytes
                .get(before.offset as usize..after.offset as usize)
        });
        // Zeros are there without being written, except on top of other bytes.
        let are_written = self.is_over_others(after);
        match added.filter(|bytes| are_written || bytes.iter().any(|&byte| byte != 0)) {
            Some(pattern) => {
                let copies = pattern.repeat(count as usize);
                self.write(&copies, span)
            }
            None => self.reserve(total, span),
        }
    }

    /// Writes one value as a datum of type `ty`.
    fn value(&mut self, value: &Value, ty: Type, line: &Line, span: Span) -> Result<(), Reported> {
        let size = self.types.size_of(ty);
        if matches!(ty, Type::Struct(_) | Type::Near | Type::Far | Type::Proc(_)) {
            return Err(self.error(Kind::BadInitializer, span));
        }
        if value.register.is_some() || value.has_registers() {
            return Err(self.error(Kind::InvalidUseOfRegister, span));
        }
        if let Some(real) = value.real {
            return self.real(real, ty, line, span);
        }
        if matches!(ty, Type::Real4 | Type::Real8 | Type::Real10) && !value.is_forward {
            let text = value.number.unsigned_abs().to_string();
            let bits = real_bits(text.as_bytes(), value.number < 0, ty);
            return match bits {
                Some(bits) => self.write(&bits, span),
                None => Err(self.error(Kind::BadInitializer, span)),
            };
        }
        if let Some(symbol) = value.symbol {
            const ADDRESS_SIZE: u32 = 4;
            if size < ADDRESS_SIZE && !value.is_forward {
                return Err(self.error(Kind::AddressDoesNotFit, span));
            }
            let mut bytes = value.number.to_le_bytes().to_vec();
            bytes.resize(ADDRESS_SIZE as usize, 0);
            bytes.resize(size as usize, 0);
            let field = self.out.place().map_or(0, |place| place.offset);
            let kind = value.ref_kind.unwrap_or(RefKind::Address);
            self.reference(
                symbol,
                kind,
                field,
                bytes.get_mut(..ADDRESS_SIZE as usize),
                span,
            )?;
            return self.write(&bytes, span);
        }
        if !fits_wrapped(value.number, size.saturating_mul(BYTE_BITS)) {
            return Err(self.error(Kind::InitializerTooLarge { size }, span));
        }
        let bytes = value.number.to_le_bytes();
        self.write(bytes.get(..size as usize).unwrap_or(&bytes), span)
    }

    fn real(&mut self, real: RealToken, ty: Type, line: &Line, span: Span) -> Result<(), Reported> {
        let text = line.bytes(real.token);
        match real_bits(text, real.is_negative, ty) {
            Some(bits) => self.write(&bits, span),
            None if matches!(ty.scalar_size(), Some(4 | 8 | 10)) => {
                Err(self.error(Kind::BadReal { text: text.into() }, span))
            }
            None => Err(self.error(Kind::RealNotAllowed, span)),
        }
    }

    // Structures and records.

    fn aggregate(
        &mut self,
        line: &Line,
        at: usize,
        end: usize,
        ty: Type,
        depth: u32,
    ) -> Result<(u32, usize), Reported> {
        let close = self.closing(line, at, end)?;
        match ty {
            Type::Struct(id) => self.structure(line, at + 1, close, id, depth + 1)?,
            Type::Record(id) => self.record_value(line, at + 1, close, id)?,
            _ => return Err(self.error(Kind::BadInitializer, line.span(at, close + 1))),
        }
        Ok((1, close + 1))
    }

    /// Returns the token that closes the bracket at `open`.
    fn closing(&mut self, line: &Line, open: usize, end: usize) -> Result<usize, Reported> {
        let mut depth = 0_u32;
        for at in open..end {
            match line.token(at).map(|token| token.kind) {
                Some(TokenKind::Punct(Punct::Less | Punct::LeftBrace)) => depth += 1,
                Some(TokenKind::Punct(Punct::Greater | Punct::RightBrace)) => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(at);
                    }
                }
                _ => {}
            }
        }
        Err(self.error(Kind::OpenText, line.span(open, open + 1)))
    }

    /// Writes a structure with the values in tokens `start..end`; fields without a value get the
    /// ones of the definition.
    fn structure(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
        id: StructId,
        depth: u32,
    ) -> Result<(), Reported> {
        if depth > MAX_DEPTH {
            let kind = Kind::NestedTooDeep { limit: MAX_DEPTH };
            return Err(self.error(kind, line.span(start, start + 1)));
        }
        let Some(def) = self.types.structure(id).cloned() else {
            return Ok(());
        };
        let span = line.span(start.min(end), end);
        self.count_values(1, span)?;
        let origin = self.out.place().map_or(0, |place| place.offset);
        let fields = match def.kind {
            Aggregate::Struct => &def.fields[..],
            Aggregate::Union => def.fields.get(..1).unwrap_or_default(),
        };
        let mut at = start;
        for field in fields {
            self.pad_to(origin.wrapping_add(field.offset), span)?;
            let stop = value_end(line, at, end);
            if stop > at {
                self.field_value(line, at, stop, field, depth)?;
            } else {
                self.field_default(field, span, depth)?;
            }
            at = if stop < end { stop + 1 } else { end };
        }
        if at < end {
            return Err(self.error(Kind::TooManyInitializers, line.span(at, end)));
        }
        self.pad_to(origin.wrapping_add(def.size), span)
    }

    fn field_value(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
        field: &Field,
        depth: u32,
    ) -> Result<(), Reported> {
        let origin = self.out.place().map_or(0, |place| place.offset);
        let is_list = line
            .token(start)
            .is_some_and(|token| token.is(Punct::Less) || token.is(Punct::LeftBrace));
        let is_array = field.count > 1;
        let span = line.span(start, end);
        if is_list && is_array {
            let close = self.closing(line, start, end)?;
            if close > start + 1 {
                self.items(line, start + 1, close, field.ty, depth)?;
            }
        } else {
            let (_, next) = self.items(line, start, end, field.ty, depth)?;
            if next < end {
                return self.expect_end(line, next);
            }
        }
        let written = self
            .out
            .place()
            .map_or(0, |place| place.offset)
            .wrapping_sub(origin);
        if written > field.size {
            return Err(self.error(Kind::InitializerTooLarge { size: field.size }, span));
        }
        let mut rest = field.size - written;
        if let Type::Struct(id) = field.ty {
            let element = self.types.size_of(field.ty).max(1);
            while rest >= element {
                self.structure(line, end, end, id, depth + 1)?;
                rest -= element;
            }
        }
        let default = field
            .init
            .as_ref()
            .and_then(|init| init.line.token(init.start));
        if is_byte(field.ty) && default.is_some_and(|token| token.kind == TokenKind::Str) {
            // A text field is filled up with spaces.
            let spaces = vec![b' '; rest as usize];
            return self.write(&spaces, span);
        }
        self.reserve(rest.into(), span)
    }

    /// Writes a field as its definition says.
    fn field_default(&mut self, field: &Field, span: Span, depth: u32) -> Result<(), Reported> {
        match &field.init {
            Some(init) => {
                let line = std::rc::Rc::clone(&init.line);
                self.items(&line, init.start, init.end, field.ty, depth + 1)
                    .map(|_| ())
            }
            None => match field.ty {
                Type::Struct(id) => {
                    let blank = Line::new(crate::line::Text::generated(Vec::new(), site_of(span)));
                    for _ in 0..field.count {
                        self.structure(&blank, 0, 0, id, depth + 1)?;
                    }
                    Ok(())
                }
                _ => self.reserve(field.size.into(), span),
            },
        }
    }

    fn pad_to(&mut self, offset: u32, span: Span) -> Result<(), Reported> {
        let here = self.out.place().map_or(offset, |place| place.offset);
        self.reserve(offset.saturating_sub(here).into(), span)
    }

    fn record_value(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
        id: RecordId,
    ) -> Result<(), Reported> {
        let Some(def) = self.types.record(id).cloned() else {
            return Ok(());
        };
        let mut number = 0_i128;
        let mut at = start;
        for field in &def.fields {
            let stop = value_end(line, at, end);
            let value = if stop > at {
                self.evaluate_constant(line, at, stop)?.0
            } else {
                field.initial
            };
            if !fits_wrapped(value, field.width) {
                return Err(self.error(Kind::ConstantTooLarge, line.span(at, stop)));
            }
            number |= (value & ((1 << field.width) - 1)) << field.shift;
            at = if stop < end { stop + 1 } else { end };
        }
        let bytes = number.to_le_bytes();
        let span = line.span(start.min(end), end);
        self.write(bytes.get(..def.size as usize).unwrap_or(&bytes), span)
    }
}

fn is_byte(ty: Type) -> bool {
    matches!(ty, Type::Byte | Type::SByte)
}

/// Returns the token of the comma that ends the value at `start`, or `end`.
fn value_end(line: &Line, start: usize, end: usize) -> usize {
    let mut depth = 0_u32;
    for at in start..end {
        match line.token(at).map(|token| token.kind) {
            Some(TokenKind::Punct(Punct::Less | Punct::LeftBrace | Punct::LeftParen)) => {
                depth += 1;
            }
            Some(TokenKind::Punct(Punct::Greater | Punct::RightBrace | Punct::RightParen)) => {
                depth = depth.saturating_sub(1);
            }
            Some(TokenKind::Punct(Punct::Comma)) if depth == 0 => return at,
            _ => {}
        }
    }
    end
}

fn site_of(span: Span) -> crate::line::Site {
    crate::line::Site {
        file: span.file,
        line: span.line,
        expansion: None,
    }
}
