//! Instructions: operands from values, branches, and output.

use iced_x86::Register;

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::expr::{Scaled, Value};
use crate::insn::encode::{Encoded, OPERAND_SIZE, encode, prefix_byte, segment_byte};
use crate::insn::operand::{Immediate, Memory, Operand, RefKind, SymbolRef};
use crate::insn::select::{SelectError, select};
use crate::insn::table::{self, Mnemonic, Needs, Special};
use crate::lex::Punct;
use crate::line::Line;
use crate::section::Target;
use crate::source::Span;
use crate::symbol::{SymbolId, SymbolKind};
use crate::types::Type;
use crate::words::{CpuOption, Prefix, Word, lookup};

/// No IA-32 instruction has more operands in its source.
const MAX_OPERANDS: usize = 4;

impl Assembler<'_> {
    /// Assembles the instruction at token `start`.
    pub(crate) fn instruction(&mut self, line: &Line, start: usize) -> Result<(), Reported> {
        let mut at = start;
        let mut prefix = None;
        if let Word::Prefix(found) = line.word(at) {
            prefix = Some(found);
            at += 1;
            if at >= line.len() {
                return self.write(&[prefix_byte(found)], line.span(start, at));
            }
        }
        let name = line.bytes(at);
        let Some(mnemonic) = mnemonic_at(line, at) else {
            let word = name.into();
            return Err(self.error(Kind::UnknownStatement { word }, line.span(at, at + 1)));
        };
        let span = line.span(start, line.len());
        if prefix.is_some_and(|prefix| !takes_prefix(mnemonic, prefix)) {
            let prefix = line.bytes(start).into();
            return Err(self.error(Kind::PrefixNotAllowed { prefix }, span));
        }
        let values = self.operands(line, at + 1)?;
        match mnemonic.special {
            Special::Jump | Special::Call | Special::ConditionalJump(_) if values.len() == 1 => {
                self.branch(mnemonic, prefix, &values, line, at)
            }
            Special::ShortJump {
                opcode,
                address_prefix,
            } if values.len() == 1 => {
                self.short_branch(opcode, address_prefix, &values[0], line, at)
            }
            Special::Text { opcode, element } if is_text(&values) => {
                self.text_instruction(opcode, element, prefix, &values, span)
            }
            Special::UnsizedText { opcode } => {
                let size = values.iter().find_map(|value| self.memory_size(value));
                let wide = u8::from(size != Some(1));
                if size.is_none() {
                    return Err(self.error(Kind::UnknownSize, span));
                }
                self.text_instruction(opcode + wide, size.unwrap_or(1), prefix, &values, span)
            }
            Special::SizedPush(size) => self.sized_push(size, &values, line, at),
            _ => self.plain(mnemonic, prefix, &values, line, at),
        }
    }

    fn operands(&mut self, line: &Line, start: usize) -> Result<Vec<Value>, Reported> {
        let mut values = Vec::new();
        let mut at = start;
        while at < line.len() {
            let (value, next) = self.evaluate(line, at, line.len())?;
            if value.in_brackets && value.is_constant() && !value.is_memory && !value.is_forward {
                let text = value.number.to_string();
                let kind = Kind::NumberInBrackets {
                    value: text.as_bytes().into(),
                };
                self.warn(kind, line.span(at, next));
            }
            values.push(value);
            at = next;
            match line.token(at) {
                None => break,
                Some(token) if token.is(Punct::Comma) && values.len() < MAX_OPERANDS => at += 1,
                Some(_) => {
                    let token = line.bytes(at).into();
                    return Err(self.error(Kind::Unexpected { token }, line.span(at, at + 1)));
                }
            }
            if at >= line.len() {
                let kind = Kind::Expected {
                    what: "an operand after the comma",
                };
                return Err(self.error(kind, line.span(at, at)));
            }
        }
        Ok(values)
    }

    pub(crate) fn plain(
        &mut self,
        mnemonic: &'static Mnemonic,
        prefix: Option<Prefix>,
        values: &[Value],
        line: &Line,
        at: usize,
    ) -> Result<(), Reported> {
        let span = line.span(at, line.len());
        let mut operands = Vec::with_capacity(values.len());
        for value in values {
            let by_address = &*mnemonic.name == "lea" && value.symbol.is_some();
            operands.push(if by_address {
                // `lea eax,label` takes the address of code as of data.
                Operand::Memory(self.memory(value, span)?)
            } else {
                self.operand(value, span)?
            });
        }
        let is_return =
            mnemonic.special == Special::Return || mnemonic.special == Special::PlainReturn;
        if is_return
            && matches!(
                operands[..],
                [Operand::Immediate(Immediate {
                    value: 0,
                    symbol: None,
                    ..
                })]
            )
        {
            operands.clear();
        }
        let mnemonic = if operands.is_empty() {
            stack_form(mnemonic)
        } else {
            mnemonic
        };
        let encoded = Self::choose(mnemonic, prefix, &mut operands);
        match encoded {
            Ok((needs, _)) if !self.is_later_pass() && !self.cpu_has(needs) => {
                let mnemonic = mnemonic.name.as_bytes().into();
                Err(self.error(Kind::NotInCpu { mnemonic }, span))
            }
            Ok((_, encoded)) => self.emit(&encoded, span),
            Err(error) => {
                let kind = select_error(error, mnemonic);
                Err(self.error(kind, span))
            }
        }
    }

    /// Encodes with the operands as written, or else as MASM understands them.
    fn choose(
        mnemonic: &Mnemonic,
        prefix: Option<Prefix>,
        operands: &mut [Operand],
    ) -> Result<(Needs, Encoded), SelectError> {
        if let (b"int", [Operand::Immediate(Immediate { value: 3, .. })]) =
            (mnemonic.name.as_bytes(), &operands[..])
        {
            const BREAKPOINT: u8 = 0xCC;
            let bytes = vec![BREAKPOINT];
            return Ok((
                Needs::I386,
                Encoded {
                    bytes,
                    fixups: Vec::new(),
                },
            ));
        }
        swap_exchanged(&mnemonic.name, operands);
        let first = select(mnemonic, operands);
        let error = match first {
            Ok(form) => return Ok((form.needs, encode(form, prefix, operands))),
            Err(error) => error,
        };
        for variant in variants(&mnemonic.name, operands) {
            if let Ok(form) = select(mnemonic, &variant) {
                return Ok((form.needs, encode(form, prefix, &variant)));
            }
        }
        Err(error)
    }

    /// Whether the selected processor has an instruction.
    pub(crate) fn cpu_has(&self, needs: Needs) -> bool {
        use CpuOption as C;
        match needs {
            Needs::I386 => true,
            Needs::I486 => matches!(self.cpu, C::I486 | C::I586 | C::I686),
            Needs::I586 => matches!(self.cpu, C::I586 | C::I686),
            Needs::I686 => self.cpu == C::I686,
            Needs::Mmx => self.has_mmx || self.has_xmm,
            Needs::Xmm => self.has_xmm,
            Needs::Privilege => self.is_privileged,
        }
    }

    /// Turns a value into an operand.
    pub(crate) fn operand(&mut self, value: &Value, span: Span) -> Result<Operand, Reported> {
        if let Some(register) = value.register {
            return Ok(Operand::Register(register));
        }
        if value.real.is_some() {
            return Err(self.error(Kind::RealNotAllowed, span));
        }
        let is_code = value
            .symbol
            .is_some_and(|_| value.ty.is_some_and(Type::is_code));
        let is_address = value.is_offset || (is_code && !value.in_brackets && !value.is_cast);
        let is_memory = value.has_registers()
            || value.segment.is_some()
            || (value.symbol.is_some() && !is_address);
        if is_memory {
            return self.memory(value, span).map(Operand::Memory);
        }
        let symbol = Self::symbol_ref(value);
        let size = value
            .ty
            .filter(|_| value.is_cast)
            .and_then(Type::scalar_size);
        Ok(Operand::Immediate(Immediate {
            value: value.number,
            symbol,
            size,
        }))
    }

    fn symbol_ref(value: &Value) -> Option<SymbolRef> {
        let symbol = value.symbol?;
        let kind = value.ref_kind.unwrap_or(RefKind::Address);
        Some(SymbolRef { symbol, kind })
    }

    /// The size of a memory operand, as far as its type tells it.
    fn memory_size(&self, value: &Value) -> Option<u32> {
        let ty = value.effective_type()?;
        match ty {
            Type::Near | Type::Far | Type::Proc(_) => None,
            Type::Struct(_) if !value.is_cast => {
                let size = self.types.size_of(ty);
                matches!(size, 1 | 2 | 4)
                    .then_some(size)
                    .filter(|_| value.ty.is_some())
            }
            _ => Some(self.types.size_of(ty)),
        }
    }

    fn memory(&mut self, value: &Value, span: Span) -> Result<Memory, Reported> {
        let (base, index) = self.address_registers(value, span)?;
        let scale = index.map_or(1, |index| index.scale);
        let Some(scale) = u8::try_from(scale)
            .ok()
            .filter(|s| matches!(s, 1 | 2 | 4 | 8))
        else {
            return Err(self.error(Kind::BadScale, span));
        };
        let Some(displacement) = wrap_i32(value.number) else {
            return Err(self.error(Kind::ConstantTooLarge, span));
        };
        Ok(Memory {
            base: base.map(|scaled| scaled.register),
            index: index.map(|scaled| scaled.register),
            scale,
            displacement,
            symbol: Self::symbol_ref(value),
            segment: value.segment,
            size: self.memory_size(value),
        })
    }

    /// Decides which register is the base and which the index, as the reference does: a scaled one
    /// is the index; of two plain ones the second is the base, except that ESP must be one and
    /// that a local variable's EBP is one.
    fn address_registers(
        &mut self,
        value: &Value,
        span: Span,
    ) -> Result<(Option<Scaled>, Option<Scaled>), Reported> {
        let is_index = |scaled: &Scaled| scaled.is_explicit;
        let (base, index) = match value.registers {
            [Some(only), None] | [None, Some(only)] if only.scale != 1 => (None, Some(only)),
            [only, None] | [None, only] => (only, None),
            [Some(first), Some(second)] => {
                let must_be_base = first.is_frame || first.register == Register::ESP;
                match (is_index(&first), is_index(&second)) {
                    (true, true) => return Err(self.error(Kind::MultipleIndexRegisters, span)),
                    (false, second_scaled) if second_scaled || must_be_base => {
                        (Some(first), Some(second))
                    }
                    _ => (Some(second), Some(first)),
                }
            }
        };
        if index.is_some_and(|index| index.register == Register::ESP) {
            let register = b"esp"[..].into();
            return Err(self.error(Kind::BadIndexRegister { register }, span));
        }
        Ok((base, index))
    }

    /// Writes an encoded instruction and its references.
    fn emit(&mut self, encoded: &Encoded, span: Span) -> Result<(), Reported> {
        let start = self.out.place().map_or(0, |place| place.offset);
        let mut bytes = encoded.bytes.clone();
        for fixup in &encoded.fixups {
            let field = start.wrapping_add(fixup.offset);
            let place = fixup.offset as usize;
            let symbol = fixup.reference.symbol;
            self.reference(
                symbol,
                fixup.reference.kind,
                field,
                bytes.get_mut(place..place + 4),
                span,
            )?;
        }
        self.write(&bytes, span)
    }

    /// Notes a reference to a symbol; the field may get the offset of `$` added.
    pub(crate) fn reference(
        &mut self,
        symbol: SymbolId,
        kind: RefKind,
        field: u32,
        bytes: Option<&mut [u8]>,
        span: Span,
    ) -> Result<(), Reported> {
        if kind == RefKind::Truncated {
            return Err(self.error(Kind::NotRelocatable, span));
        }
        if symbol == self.here {
            let SymbolKind::Label {
                section, offset, ..
            } = self.symbols.get(symbol).kind
            else {
                return Ok(());
            };
            if let Some(Ok(word)) = bytes.map(<&mut [u8; 4]>::try_from) {
                *word = u32::from_le_bytes(*word).wrapping_add(offset).to_le_bytes();
            }
            self.out.refer(field, Target::Section(section), kind);
            return Ok(());
        }
        self.use_symbol(symbol);
        self.out.refer(field, Target::Symbol(symbol), kind);
        Ok(())
    }

    fn text_instruction(
        &mut self,
        opcode: u8,
        element: u32,
        prefix: Option<Prefix>,
        values: &[Value],
        span: Span,
    ) -> Result<(), Reported> {
        let mut bytes = Vec::new();
        bytes.extend(prefix.map(prefix_byte));
        if element == 2 {
            bytes.push(OPERAND_SIZE);
        }
        let source = text_source(opcode).and_then(|place| values.get(place));
        let segment = source.and_then(|value| value.segment);
        let overridden = segment.filter(|&segment| segment != Register::DS);
        bytes.extend(overridden.and_then(segment_byte));
        bytes.push(opcode);
        self.write(&bytes, span)
    }

    fn sized_push(
        &mut self,
        size: u32,
        values: &[Value],
        line: &Line,
        at: usize,
    ) -> Result<(), Reported> {
        let Some(Word::Mnemonic(push)) = Some(lookup(b"push")) else {
            return Ok(());
        };
        let span = line.span(at, line.len());
        let mut operands = Vec::new();
        for value in values {
            let operand = match self.operand(value, span)? {
                Operand::Memory(memory) => Operand::Memory(Memory {
                    size: Some(size),
                    ..memory
                }),
                other => other,
            };
            operands.push(operand);
        }
        let push = table::mnemonic(push);
        let wants_16_bit = size == 2;
        let is_constant = matches!(operands[..], [Operand::Immediate(_)]);
        if !is_constant {
            let encoded = Self::choose(push, None, &mut operands);
            return match encoded {
                Ok((_, encoded)) => self.emit(&encoded, span),
                Err(error) => Err(self.error(select_error(error, push), span)),
            };
        }
        let forms = push
            .forms
            .iter()
            .filter(|form| form.is_16_bit == wants_16_bit);
        let narrowed = Mnemonic {
            forms: forms.cloned().collect(),
            ..push.clone()
        };
        match select(&narrowed, &operands) {
            Ok(form) => {
                let encoded = encode(form, None, &operands);
                self.emit(&encoded, span)
            }
            Err(error) => Err(self.error(select_error(error, push), span)),
        }
    }
}

/// Returns the mnemonic at a token; `and`, `or` and the like are operators elsewhere.
fn mnemonic_at(line: &Line, at: usize) -> Option<&'static Mnemonic> {
    match line.word(at) {
        Word::Mnemonic(id) => Some(table::mnemonic(id)),
        Word::Operator(_) => {
            let name = line.bytes(at).to_ascii_lowercase();
            let id = table::find(std::str::from_utf8(&name).ok()?)?;
            Some(table::mnemonic(id))
        }
        _ => None,
    }
}

/// `fadd` and its kind without operands work on the two topmost registers and pop one.
fn stack_form(mnemonic: &'static Mnemonic) -> &'static Mnemonic {
    let popping = match &*mnemonic.name {
        "fadd" => "faddp",
        "fmul" => "fmulp",
        "fsub" => "fsubp",
        "fsubr" => "fsubrp",
        "fdiv" => "fdivp",
        "fdivr" => "fdivrp",
        _ => return mnemonic,
    };
    table::find(popping).map_or(mnemonic, table::mnemonic)
}

/// The place of the operand at ESI (or EBX), the only one whose segment can change.
fn text_source(opcode: u8) -> Option<usize> {
    match opcode {
        // MOVS and OUTS.
        0xA4 | 0xA5 | 0x6E | 0x6F => Some(1),
        // CMPS, LODS and XLAT.
        0xA6 | 0xA7 | 0xAC | 0xAD | 0xD7 => Some(0),
        _ => None,
    }
}

/// Whether an instruction can have a prefix.
fn takes_prefix(mnemonic: &Mnemonic, prefix: Prefix) -> bool {
    match prefix {
        Prefix::Rep | Prefix::Repne => {
            matches!(
                mnemonic.special,
                Special::Text { .. } | Special::UnsizedText { .. }
            )
        }
        Prefix::Lock => matches!(
            &*mnemonic.name,
            "adc"
                | "add"
                | "and"
                | "btc"
                | "btr"
                | "bts"
                | "cmpxchg"
                | "cmpxchg8b"
                | "dec"
                | "inc"
                | "neg"
                | "not"
                | "or"
                | "sbb"
                | "sub"
                | "xadd"
                | "xchg"
                | "xor"
        ),
    }
}

/// Whether the operands are those of a string instruction, not of the vector instruction of the
/// same name.
fn is_text(values: &[Value]) -> bool {
    values
        .iter()
        .all(|value| value.register.is_none_or(|register| !register.is_xmm()))
        && (values.is_empty()
            || values
                .iter()
                .all(|value| value.is_memory || value.register.is_some()))
}

/// `xchg` and `test` have one direction only: the first register goes into the reg field. An
/// exchange with the accumulator has a short form whichever operand that is.
fn swap_exchanged(name: &str, operands: &mut [Operand]) {
    let is_exchange = name == "xchg";
    let accumulator =
        |operand: &Operand| matches!(operand, Operand::Register(Register::EAX | Register::AX));
    match operands {
        [Operand::Register(_), second @ Operand::Register(_)]
            if is_exchange && accumulator(second) => {}
        [
            Operand::Register(_),
            Operand::Register(_) | Operand::Memory(_),
        ] if is_exchange || name == "test" => {
            operands.swap(0, 1);
        }
        _ => {}
    }
}

/// Other readings of the operands that MASM accepts.
fn variants(name: &str, operands: &[Operand]) -> Vec<Vec<Operand>> {
    let st = |number: u32| Operand::Register(Register::ST0 + number);
    let is_float = name.starts_with('f');
    let mut list = Vec::new();
    match operands {
        [] if is_float => {
            list.push(vec![st(1), st(0)]);
            list.push(vec![st(0), st(1)]);
            list.push(vec![st(1)]);
        }
        [] if matches!(name, "aam" | "aad") => {
            const TEN: Immediate = Immediate {
                value: 10,
                symbol: None,
                size: None,
            };
            list.push(vec![Operand::Immediate(TEN)]);
        }
        [only] if is_float => {
            list.push(vec![st(0), *only]);
            list.push(vec![*only, st(0)]);
        }
        [first, second] if name == "imul" => list.push(vec![*first, *first, *second]),
        [first, second] if matches!(name, "xchg" | "test") => list.push(vec![*second, *first]),
        _ => {}
    }
    list
}

fn select_error(error: SelectError, mnemonic: &Mnemonic) -> Kind {
    match error {
        SelectError::Operands => Kind::InvalidOperands {
            mnemonic: mnemonic.name.as_bytes().into(),
        },
        SelectError::Sizes { first, second } => Kind::SizesDiffer { first, second },
        SelectError::Constant { bytes } => Kind::ConstantDoesNotFit { bytes },
        SelectError::UnknownSize => Kind::UnknownSize,
    }
}

/// Returns the number as 32 bits, signed or unsigned.
pub(crate) fn wrap_i32(number: i128) -> Option<i32> {
    let signed = i32::try_from(number).ok();
    signed.or_else(|| u32::try_from(number).ok().map(u32::cast_signed))
}
