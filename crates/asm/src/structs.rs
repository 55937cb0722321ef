//! Definitions of structures, unions, records and type names.

use std::rc::Rc;

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{Punct, TokenKind};
use crate::line::Line;
use crate::section::{Output, SectionKind};
use crate::source::{SourceText, Span};
use crate::symbol::SymbolKind;
use crate::types::{
    Aggregate, BitField, Field, FieldInit, RecordDef, Signature, StructDef, Type, TypeTable,
};
use crate::words::{Directive, Operator, Word};

/// A structure whose fields are being read.
#[derive(Debug)]
pub(crate) struct StructBuilder {
    /// The type's or the field's name; `None` for an anonymous inner structure.
    name: Option<Box<[u8]>>,
    def: StructDef,
    /// Widest alignment of fields.
    alignment: u32,
    span: Span,
}

impl StructBuilder {
    /// The name and the place of the opening line.
    pub(crate) fn opened(&self) -> (SourceText, Span) {
        (self.name.as_deref().unwrap_or(b"struct").into(), self.span)
    }
}

/// Pointers to pointers; more make no difference.
const MAX_POINTERS: u32 = 4;

/// Bytes that count as one value where they are thrown away: the limit of output does not see them.
const SCRATCH_BYTES_PER_VALUE: u64 = 16;

/// Widest record in bits.
const MAX_RECORD_BITS: u32 = 32;

impl Assembler<'_> {
    /// `name struct [alignment]`, `name union`.
    pub(crate) fn open_structure(
        &mut self,
        line: &Line,
        kind: Aggregate,
        name: Option<usize>,
        at: usize,
    ) -> Result<(), Reported> {
        let span = line.span(name.unwrap_or(at), at + 1);
        let limit = self.options.max_depth;
        if self.struct_stack.len() >= limit as usize {
            let reported = self.error(Kind::NestedTooDeep { limit }, span);
            self.is_stopped = true;
            return Err(reported);
        }
        let is_inner = !self.struct_stack.is_empty();
        let mut next = at + 1;
        let mut own_name = name.map(|name| line.bytes(name).into());
        if is_inner && own_name.is_none() {
            if line
                .token(next)
                .is_some_and(|token| token.kind == TokenKind::Ident)
            {
                own_name = Some(line.bytes(next).into());
                next += 1;
            }
        } else if own_name.is_none() {
            return Err(self.error(Kind::NameMissing, span));
        }
        let mut alignment = self
            .struct_stack
            .last()
            .map_or(self.struct_alignment, |s| s.alignment);
        if line
            .token(next)
            .is_some_and(|token| token.kind == TokenKind::Number)
        {
            let (value, after) = self.evaluate_constant(line, next, line.len())?;
            match u32::try_from(value)
                .ok()
                .filter(|align| align.is_power_of_two() && *align <= 32)
            {
                Some(value) => alignment = value,
                None => return Err(self.error(Kind::BadAlignment, line.span(next, after))),
            }
        }
        let def = StructDef::new(kind);
        self.struct_stack.push(StructBuilder {
            name: own_name,
            def,
            alignment,
            span,
        });
        Ok(())
    }

    /// A line inside of a structure.
    pub(crate) fn structure_line(&mut self, line: &Rc<Line>) -> Result<(), Reported> {
        if line.len() == 0 {
            return Ok(());
        }
        let is_name = line
            .token(0)
            .is_some_and(|token| token.kind == TokenKind::Ident);
        match (line.word(0), line.word(1)) {
            (Word::Directive(Directive::Ends), _) => return self.close_structure(line, 0),
            (_, Word::Directive(Directive::Ends)) if is_name => {
                return self.close_structure(line, 1);
            }
            (Word::Directive(Directive::Struct), _) => {
                return self.open_structure(line, Aggregate::Struct, None, 0);
            }
            (Word::Directive(Directive::Union), _) => {
                return self.open_structure(line, Aggregate::Union, None, 0);
            }
            (_, Word::Directive(Directive::Struct)) if is_name => {
                return self.open_structure(line, Aggregate::Struct, Some(0), 1);
            }
            (_, Word::Directive(Directive::Union)) if is_name => {
                return self.open_structure(line, Aggregate::Union, Some(0), 1);
            }
            (Word::Directive(Directive::Align), _) => return self.align_field(line),
            (Word::Directive(Directive::Even), _) => return self.pad_structure(2, line.span(0, 1)),
            _ => {}
        }
        let typed = |asm: &Self, at: usize| match line.word(at) {
            Word::Type(ty) => Some(ty),
            Word::Operator(Operator::Ptr) => Some(Type::Ptr(None)),
            _ => asm.user_type(line, at),
        };
        if let Some(ty) = typed(self, 1).filter(|_| is_name) {
            return self.field(line, Some(0), ty, 2);
        }
        if let Some(ty) = typed(self, 0) {
            return self.field(line, None, ty, 1);
        }
        let token = line.bytes(usize::from(is_name && line.len() > 1)).into();
        Err(self.error(Kind::Unexpected { token }, line.span(0, line.len())))
    }

    fn field(
        &mut self,
        line: &Rc<Line>,
        name: Option<usize>,
        mut ty: Type,
        mut values: usize,
    ) -> Result<(), Reported> {
        if ty == Type::Ptr(None) && line.word(values - 1) == Word::Operator(Operator::Ptr) {
            let (pointer, next) = self.parse_type(line, values - 1)?;
            ty = pointer;
            values = next;
        }
        let end = line.len();
        let (count, size) = self.measure(line, values, end, ty)?;
        let init = Some(FieldInit {
            line: Rc::clone(line),
            start: values,
            end,
        });
        let keys: Vec<_> = name
            .map(|name| self.symbols.key(line.bytes(name)))
            .into_iter()
            .collect();
        let own_name = name.map(|name| Box::from(line.bytes(name)));
        let field = Field {
            name: own_name,
            offset: 0,
            ty,
            count,
            size,
            init,
        };
        self.add_field(
            field,
            &keys,
            line.span(name.unwrap_or(0), name.map_or(1, |n| n + 1)),
        )
    }

    fn add_field(
        &mut self,
        mut field: Field,
        keys: &[Box<[u8]>],
        span: Span,
    ) -> Result<(), Reported> {
        let Some(mut builder) = self.struct_stack.pop() else {
            return Ok(());
        };
        if field.name.is_none() && keys.is_empty() {
            // A field without a name takes room only; nothing finds it.
            field.name = Some(Box::default());
        }
        let fitted = self
            .types
            .push_field(&mut builder.def, field, builder.alignment);
        let known = TypeTable::name_last_field(&mut builder.def, keys).map(Box::from);
        self.struct_stack.push(builder);
        if !fitted {
            return Err(self.error(Kind::StructureTooLarge, span));
        }
        match known {
            Some(name) => {
                let name: Box<[u8]> = name;
                Err(self.error(
                    Kind::AlreadyDefined {
                        name: (&*name).into(),
                    },
                    span,
                ))
            }
            None => Ok(()),
        }
    }

    /// Returns the number of elements and the size of a field, without writing it.
    fn measure(
        &mut self,
        line: &Line,
        values: usize,
        end: usize,
        ty: Type,
    ) -> Result<(u32, u32), Reported> {
        if values >= end {
            let kind = Kind::Expected {
                what: "a value; `?` leaves it open",
            };
            return Err(self.error(kind, line.span(values, values)));
        }
        let span = line.span(values, end);
        let items = |asm: &mut Self| asm.items(line, values, end, ty, 0);
        let ((count, next), size) = self.in_scratch(span, items)?;
        self.expect_end(line, next)?;
        Ok((count, size))
    }

    /// Writes into a section that is thrown away; returns what `action` does, and the size.
    pub(crate) fn in_scratch<T>(
        &mut self,
        span: Span,
        action: impl FnOnce(&mut Self) -> Result<T, Reported>,
    ) -> Result<(T, u32), Reported> {
        let mut scratch = Output::default();
        let section = scratch.add(b"scratch", SectionKind::Data, 1);
        scratch.current = Some(section);
        let saved = std::mem::replace(&mut self.out, scratch);
        let result = action(self);
        let size = self.out.place().map_or(0, |place| place.offset);
        self.out = saved;
        self.count_values(u64::from(size) / SCRATCH_BYTES_PER_VALUE, span)?;
        Ok((result?, size))
    }

    fn align_field(&mut self, line: &Line) -> Result<(), Reported> {
        let (value, next) = self.evaluate_constant(line, 1, line.len())?;
        match u32::try_from(value)
            .ok()
            .filter(|align| align.is_power_of_two() && *align <= 32)
        {
            Some(align) => self.pad_structure(align, line.span(0, next)),
            None => Err(self.error(Kind::BadAlignment, line.span(1, next))),
        }
    }

    fn pad_structure(&mut self, align: u32, span: Span) -> Result<(), Reported> {
        let Some(builder) = self.struct_stack.last_mut() else {
            return Ok(());
        };
        match builder.def.size.checked_next_multiple_of(align) {
            Some(size) => {
                builder.def.size = size;
                Ok(())
            }
            None => Err(self.error(Kind::StructureTooLarge, span)),
        }
    }

    fn close_structure(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        let Some(mut builder) = self.struct_stack.pop() else {
            return Ok(());
        };
        if let (Some(0), Some(name)) = (at.checked_sub(1), &builder.name)
            && self.symbols.key(line.bytes(0)) != self.symbols.key(name)
        {
            let name = line.bytes(0).into();
            self.struct_stack.push(builder);
            return Err(self.error(Kind::UnmatchedBlock { name }, line.span(0, 1)));
        }
        let align = builder.def.align.min(builder.alignment).max(1);
        builder.def.size = builder
            .def
            .size
            .checked_next_multiple_of(align)
            .unwrap_or(builder.def.size);
        let size = builder.def.size;
        let id = self.types.add_struct(builder.def);
        if self.struct_stack.is_empty() {
            let Some(name) = builder.name else {
                return Ok(());
            };
            return self.define_type(&name, Type::Struct(id), builder.span);
        }
        let keys = match &builder.name {
            Some(name) => vec![self.symbols.key(name)],
            None => self.types.member_names(id),
        };
        let ty = Type::Struct(id);
        let field = Field {
            name: builder.name,
            offset: 0,
            ty,
            count: 1,
            size,
            init: None,
        };
        self.add_field(field, &keys, builder.span)
    }

    /// Gives a type a name.
    pub(crate) fn define_type(
        &mut self,
        name: &[u8],
        ty: Type,
        span: Span,
    ) -> Result<(), Reported> {
        let id = self.symbols.global(name);
        let is_same = matches!(self.symbols.get(id).kind, SymbolKind::Type(known) if known == ty);
        if is_same {
            return Ok(());
        }
        if !self.is_builtin_definition(id) {
            self.check_new(id, span)?;
        }
        let pass = self.pass;
        let symbol = self.symbols.get_mut(id);
        symbol.kind = SymbolKind::Type(ty);
        symbol.pass = pass;
        symbol.span = Some(span);
        self.note_definition(id, span.file);
        Ok(())
    }

    /// `name typedef type`.
    pub(crate) fn typedef(&mut self, line: &Line, name: usize, at: usize) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let ty = if line.word(at + 1) == Word::Directive(Directive::Proto) {
            let signature: Signature = self.prototype(line, at + 2)?;
            Type::Proc(self.types.add_signature(signature))
        } else {
            let (ty, next) = self.parse_type(line, at + 1)?;
            self.expect_end(line, next)?;
            ty
        };
        let bytes: Box<[u8]> = line.bytes(name).into();
        self.define_type(&bytes, ty, span)
    }

    /// Reads a type: `[near|far] ptr [type]`, a keyword or a name.
    pub(crate) fn parse_type(
        &mut self,
        line: &Line,
        start: usize,
    ) -> Result<(Type, usize), Reported> {
        let mut at = start;
        let mut pointers = 0;
        loop {
            let is_pointer = |at: usize| line.word(at) == Word::Operator(Operator::Ptr);
            let is_distance = matches!(line.word(at), Word::Type(Type::Near | Type::Far));
            if is_pointer(at) {
                pointers += 1;
            } else if !(is_distance && is_pointer(at + 1)) {
                break;
            }
            at += 1;
        }
        let has_target = line
            .token(at)
            .is_some_and(|token| token.kind == TokenKind::Ident);
        if pointers > 0 && !has_target {
            return Ok((Type::Ptr(None), at));
        }
        let target = match line.word(at) {
            Word::Type(ty) => Some(ty),
            Word::Name if pointers > 0 => {
                // The target may be defined later.
                let known = self.user_type(line, at);
                Some(known.unwrap_or_else(|| Type::Named(self.symbols.global(line.bytes(at)))))
            }
            _ => self.user_type(line, at),
        };
        let Some(mut ty) = target else {
            return Err(self.error(Kind::TypeExpected, line.span(at, at + 1)));
        };
        for _ in 0..pointers.min(MAX_POINTERS) {
            ty = self.types.pointer_to(ty);
        }
        Ok((ty, at + 1))
    }

    /// `name record field:width[=value], ...`.
    pub(crate) fn record(&mut self, line: &Line, name: usize, at: usize) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let mut names = Vec::new();
        let mut fields: Vec<BitField> = Vec::new();
        let mut at = at + 1;
        loop {
            if !line
                .token(at + 1)
                .is_some_and(|token| token.is(Punct::Colon))
            {
                let kind = Kind::Expected {
                    what: "`field:width`",
                };
                return Err(self.error(kind, line.span(at, at + 1)));
            }
            let (width, mut next) = self.evaluate_constant(line, at + 2, line.len())?;
            let Some(width) = u32::try_from(width)
                .ok()
                .filter(|w| (1..=MAX_RECORD_BITS).contains(w))
            else {
                return Err(self.error(Kind::ConstantTooLarge, line.span(at + 2, next)));
            };
            let mut initial = 0;
            if line
                .token(next)
                .is_some_and(|token| token.is(Punct::Assign))
            {
                (initial, next) = self.evaluate_constant(line, next + 1, line.len())?;
            }
            names.push(at);
            fields.push(BitField {
                shift: 0,
                width,
                initial,
            });
            if !line.token(next).is_some_and(|token| token.is(Punct::Comma)) {
                self.expect_end(line, next)?;
                break;
            }
            at = next + 1;
        }
        let mut shift = 0;
        for field in fields.iter_mut().rev() {
            field.shift = shift;
            shift += field.width;
        }
        let Some(size) = record_size(shift) else {
            return Err(self.error(Kind::ConstantTooLarge, span));
        };
        let record = self.types.add_record(RecordDef { size, fields });
        for (index, &at) in (0_u32..).zip(&names) {
            let id = self.symbols.global(line.bytes(at));
            self.check_new(id, line.span(at, at + 1))?;
            self.symbols.get_mut(id).kind = SymbolKind::BitField { record, index };
        }
        let bytes: Box<[u8]> = line.bytes(name).into();
        self.define_type(&bytes, Type::Record(record), span)
    }
}

/// Returns the bytes of a record with that many bits.
fn record_size(bits: u32) -> Option<u32> {
    match bits {
        0..=8 => Some(1),
        9..=16 => Some(2),
        17..=MAX_RECORD_BITS => Some(4),
        _ => None,
    }
}
