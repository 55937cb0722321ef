//! Operators applied to values.

use super::parse::{Infix, Parser};
use super::value::{Distance, RealToken, Value};
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::insn::operand::RefKind;
use crate::symbol::{Shape, SymbolKind};
use crate::types::Type;
use crate::words::Operator;

/// What a true comparison yields.
const TRUE: i128 = -1;
/// Constants are evaluated in this many bits.
const WORD_BITS: i128 = 64;

impl Parser<'_, '_> {
    pub(super) fn negate(&mut self, mut value: Value, start: usize) -> Result<Value, Reported> {
        if let Some(real) = &mut value.real {
            *real = RealToken {
                is_negative: !real.is_negative,
                ..*real
            };
            return Ok(value);
        }
        if !value.is_constant() {
            return Err(self.not_constant(&value, start));
        }
        Ok(Value::number(value.number.wrapping_neg()))
    }

    fn not_constant(&mut self, value: &Value, start: usize) -> Reported {
        let kind = if value.register.is_some() || value.has_registers() {
            Kind::InvalidUseOfRegister
        } else if value.real.is_some() {
            Kind::RealNotAllowed
        } else {
            Kind::ConstantExpected
        };
        self.fail(kind, start)
    }

    /// `TYPE ptr value`.
    pub(super) fn cast(
        &mut self,
        ty: &Value,
        mut value: Value,
        start: usize,
    ) -> Result<Value, Reported> {
        let Some(target) = ty.ty.filter(|_| ty.is_type) else {
            return Err(self.fail(Kind::TypeExpected, start));
        };
        match target {
            Type::Near => value.distance = Some(Distance::Near),
            Type::Far => value.distance = Some(Distance::Far),
            _ => {}
        }
        if let (Some(register), Some(size)) = (value.register, target.scalar_size())
            && register.size() != size as usize
        {
            let first = size;
            let second = u32::try_from(register.size()).unwrap_or(0);
            return Err(self.fail(Kind::SizesDiffer { first, second }, start));
        }
        value.ty = Some(target);
        value.is_cast = true;
        value.is_type = false;
        Ok(value)
    }

    /// `value[inner]`.
    pub(super) fn index(
        &mut self,
        value: &Value,
        inner: &Value,
        start: usize,
    ) -> Result<Value, Reported> {
        if value.register.is_some() {
            return Err(self.fail(Kind::InvalidUseOfRegister, start));
        }
        let was_memory = value.is_memory || inner.is_memory;
        let ty = value.ty;
        let mut sum = self.binary(Infix::Add, value, inner, start)?;
        sum.is_memory = was_memory;
        sum.in_brackets = true;
        sum.ty = ty.or(sum.ty);
        sum.is_type = false;
        Ok(sum)
    }

    pub(super) fn binary(
        &mut self,
        operator: Infix,
        left: &Value,
        right: &Value,
        start: usize,
    ) -> Result<Value, Reported> {
        match operator {
            Infix::Add => return self.add(left, right, start),
            Infix::Subtract => return self.subtract(left, right, start),
            Infix::Multiply => {
                if let Some(value) = Self::scale(left, right) {
                    return Ok(value);
                }
            }
            _ => {}
        }
        let (left, right) = match self.asm.comparable(left, right) {
            Some(numbers) if is_comparison(operator) => numbers,
            _ => {
                let is_forward = left.is_forward || right.is_forward;
                if !left.is_constant() && !left.is_forward {
                    return Err(self.not_constant(left, start));
                }
                if !right.is_constant() && !right.is_forward {
                    return Err(self.not_constant(right, start));
                }
                if is_forward {
                    // The next pass knows the number.
                    return Ok(Value {
                        is_forward,
                        ..Value::default()
                    });
                }
                (left.number, right.number)
            }
        };
        match compute(operator, left, right) {
            Some(number) => Ok(Value::number(number)),
            None => Err(self.fail(Kind::DivideByZero, start)),
        }
    }

    fn add(&mut self, left: &Value, right: &Value, start: usize) -> Result<Value, Reported> {
        if left.register.is_some() || right.register.is_some() {
            return Err(self.fail(Kind::InvalidUseOfRegister, start));
        }
        if left.real.is_some() || right.real.is_some() {
            return Err(self.fail(Kind::RealNotAllowed, start));
        }
        let mut registers = left.registers.into_iter().chain(right.registers).flatten();
        let merged = [registers.next(), registers.next()];
        if registers.next().is_some() {
            return Err(self.fail(Kind::MultipleIndexRegisters, start));
        }
        if left.symbol.is_some() && right.symbol.is_some() && !left.is_forward && !right.is_forward
        {
            return Err(self.fail(Kind::NotRelocatable, start));
        }
        let left_typed = !left.is_constant() || left.is_cast;
        let right_typed = !right.is_constant() || right.is_cast;
        let ty = left
            .ty
            .filter(|_| left_typed)
            .or(right.ty.filter(|_| right_typed));
        Ok(Value {
            number: left.number.wrapping_add(right.number),
            symbol: left.symbol.or(right.symbol),
            registers: merged,
            ty,
            is_cast: left.is_cast || right.is_cast,
            assumed: left.assumed.or(right.assumed),
            is_memory: left.is_memory || right.is_memory,
            in_brackets: left.in_brackets && right.in_brackets,
            is_offset: left.is_offset || right.is_offset,
            segment: left.segment.or(right.segment),
            distance: left.distance.or(right.distance),
            shape: left.shape.or(right.shape),
            is_forward: left.is_forward || right.is_forward,
            ref_kind: left.ref_kind.or(right.ref_kind),
            ..Value::default()
        })
    }

    fn subtract(&mut self, left: &Value, right: &Value, start: usize) -> Result<Value, Reported> {
        if right.is_constant() {
            let negative = Value::number(right.number.wrapping_neg());
            return self.add(left, &negative, start);
        }
        if right.register.is_some() || right.has_registers() {
            return Err(self.fail(Kind::InvalidUseOfRegister, start));
        }
        if left.is_forward || right.is_forward {
            return Ok(Value {
                is_forward: true,
                ..Value::default()
            });
        }
        match self.asm.comparable(left, right) {
            Some((first, second)) if right.symbol.is_some() => Ok(Value {
                number: first.wrapping_sub(second),
                registers: left.registers,
                is_memory: left.has_registers(),
                ..Value::default()
            }),
            _ => Err(self.fail(Kind::NotOneSection, start)),
        }
    }

    /// `register * number`.
    fn scale(left: &Value, right: &Value) -> Option<Value> {
        let (mut value, factor) = match (left.registers, right.registers) {
            ([Some(_), None], [None, None]) => (left.clone(), right.constant()?),
            ([None, None], [Some(_), None]) => (right.clone(), left.constant()?),
            _ => return None,
        };
        let scaled = value.registers[0].as_mut()?;
        scaled.scale = scaled.scale.wrapping_mul(factor);
        scaled.is_explicit = true;
        value.number = value.number.wrapping_mul(factor);
        Some(value)
    }

    pub(super) fn apply_prefix(
        &mut self,
        operator: Operator,
        mut value: Value,
        start: usize,
    ) -> Result<Value, Reported> {
        use Operator as O;
        match operator {
            O::Not | O::High | O::Low | O::HighWord | O::LowWord => {
                self.bitwise(operator, &value, start)
            }
            O::Offset => self.offset(value, start),
            O::ImageRel => {
                value = self.offset(value, start)?;
                value.ref_kind = Some(RefKind::ImageRelative);
                Ok(value)
            }
            O::Short => {
                value.distance = Some(Distance::Short);
                Ok(value)
            }
            O::Addr => {
                value.is_offset = true;
                Ok(value)
            }
            O::This => {
                let Some(ty) = value.ty else {
                    return Err(self.fail(Kind::TypeExpected, start));
                };
                let mut here = self.asm.here_value();
                here.ty = Some(ty);
                Ok(here)
            }
            O::OpAttr => Ok(Value::number(self.asm.attributes(&value))),
            O::TypeOf => {
                let ty = value.effective_type();
                let register = value.register.map(iced_x86::Register::size);
                let size = match (ty, register) {
                    (_, Some(size)) => i128::try_from(size).unwrap_or(0),
                    (Some(ty), None) => self.asm.types.size_of(ty).into(),
                    (None, None) => 0,
                };
                Ok(Value {
                    number: size,
                    ty,
                    is_type: ty.is_some(),
                    ..Value::default()
                })
            }
            O::Size | O::SizeOf | O::Length | O::LengthOf => self.extent(operator, &value, start),
            O::Mask | O::Width => self.record_operator(operator, &value, start),
            O::Seg => Ok(Value {
                ref_kind: Some(RefKind::Truncated),
                ..value
            }),
            _ => Err(self.fail(Kind::BadExpression, start)),
        }
    }

    fn bitwise(
        &mut self,
        operator: Operator,
        value: &Value,
        start: usize,
    ) -> Result<Value, Reported> {
        if value.is_forward {
            return Ok(Value {
                is_forward: true,
                ..Value::default()
            });
        }
        if !value.is_constant() {
            return Err(self.not_constant(value, start));
        }
        let n = value.number;
        Ok(Value::number(match operator {
            Operator::Not => !n,
            Operator::High => n >> 8 & 0xFF,
            Operator::Low => n & 0xFF,
            Operator::HighWord => n >> 16 & 0xFFFF,
            _ => n & 0xFFFF,
        }))
    }

    fn offset(&mut self, mut value: Value, start: usize) -> Result<Value, Reported> {
        if value.register.is_some() || value.has_registers() || value.real.is_some() {
            return Err(self.fail(Kind::InvalidUseOfRegister, start));
        }
        let on_stack = value
            .symbol
            .is_some_and(|id| matches!(self.asm.symbols.get(id).kind, SymbolKind::Stack { .. }));
        if on_stack {
            return Err(self.fail(Kind::NotRelocatable, start));
        }
        value.is_offset = true;
        value.is_memory = false;
        value.ty = None;
        value.shape = None;
        Ok(value)
    }

    fn extent(
        &mut self,
        operator: Operator,
        value: &Value,
        start: usize,
    ) -> Result<Value, Reported> {
        if value.is_forward {
            return Ok(Value {
                is_forward: true,
                ..Value::default()
            });
        }
        if value.register.is_some() && matches!(operator, Operator::Length | Operator::LengthOf) {
            return Err(self.fail(Kind::InvalidUseOfRegister, start));
        }
        let ty = value.effective_type();
        let shape = value.shape.or_else(|| {
            let ty = ty?;
            Some(Shape {
                ty,
                count: 1,
                size: self.asm.types.size_of(ty),
            })
        });
        match (operator, shape) {
            (Operator::Size | Operator::SizeOf, Some(shape)) => {
                Ok(Value::number(shape.size.into()))
            }
            (_, Some(shape)) => Ok(Value::number(shape.count.into())),
            (Operator::Size | Operator::SizeOf, None) if value.register.is_some() => {
                let size = value.register.map_or(0, iced_x86::Register::size);
                Ok(Value::number(i128::try_from(size).unwrap_or(0)))
            }
            _ => Err(self.fail(Kind::TypeExpected, start)),
        }
    }

    fn record_operator(
        &mut self,
        operator: Operator,
        value: &Value,
        start: usize,
    ) -> Result<Value, Reported> {
        let ((Some((record, _)), _) | (None, Some(Type::Record(record)))) =
            (value.bit_field, value.ty)
        else {
            return Err(self.fail(Kind::TypeExpected, start));
        };
        let wanted = value.bit_field.map(|(_, index)| index as usize);
        let fields = self.asm.types.record(record).map(|def| def.fields.clone());
        let selected = fields.unwrap_or_default().into_iter().enumerate();
        let selected = selected.filter(|(place, _)| wanted.is_none_or(|wanted| wanted == *place));
        let number = selected.fold(0_i128, |sum, (_, field)| match operator {
            Operator::Width => sum + i128::from(field.width),
            _ => sum | ((1_i128 << field.width) - 1) << field.shift,
        });
        Ok(Value::number(number))
    }
}

fn is_comparison(operator: Infix) -> bool {
    use Infix as I;
    matches!(
        operator,
        I::Equal | I::NotEqual | I::Less | I::LessEqual | I::Greater | I::GreaterEqual
    )
}

fn compute(operator: Infix, left: i128, right: i128) -> Option<i128> {
    use Infix as I;
    let truth = |condition| if condition { TRUE } else { 0 };
    let count = |right: i128| {
        u32::try_from(right)
            .ok()
            .filter(|&n| i128::from(n) < WORD_BITS)
    };
    Some(match operator {
        I::Multiply => left.wrapping_mul(right),
        I::Divide => left.checked_div(right)?,
        I::Modulo => left.checked_rem(right)?,
        I::ShiftLeft => count(right).map_or(0, |n| wrap_word(left.wrapping_shl(n))),
        I::ShiftRight => count(right).map_or(0, |n| unsigned_word(left).wrapping_shr(n)),
        I::Equal => truth(left == right),
        I::NotEqual => truth(left != right),
        I::Less => truth(left < right),
        I::LessEqual => truth(left <= right),
        I::Greater => truth(left > right),
        I::GreaterEqual => truth(left >= right),
        I::And => left & right,
        I::Or => left | right,
        I::Xor => left ^ right,
        I::Add => left.wrapping_add(right),
        I::Subtract => left.wrapping_sub(right),
        I::Ptr => return None,
    })
}

/// Keeps what fits 64 bits, so that shifts lose their top bits as in the reference.
fn wrap_word(value: i128) -> i128 {
    let mask = (1_i128 << WORD_BITS) - 1;
    if value < 0 { value } else { value & mask }
}

/// A negative number of 32 bits shifts as the unsigned doubleword that it is stored as.
fn unsigned_word(value: i128) -> i128 {
    if value < 0 {
        value & i128::from(u32::MAX)
    } else {
        value
    }
}

impl Assembler<'_> {
    /// Returns both numbers if the operands can be compared: two constants, or two places in one
    /// section (or of one symbol).
    pub(crate) fn comparable(&self, left: &Value, right: &Value) -> Option<(i128, i128)> {
        match (left.symbol, right.symbol) {
            (None, None) => left.constant().zip(right.constant()),
            (Some(first), Some(second)) => {
                if first == second {
                    return Some((left.number, right.number));
                }
                let place = |id| match self.symbols.get(id).kind {
                    SymbolKind::Label {
                        section, offset, ..
                    } => Some((Some(section), i128::from(offset))),
                    SymbolKind::Stack { offset, .. } => Some((None, i128::from(offset))),
                    _ => None,
                };
                let (first_section, first_offset) = place(first)?;
                let (second_section, second_offset) = place(second)?;
                (first_section == second_section).then(|| {
                    (
                        left.number.wrapping_add(first_offset),
                        right.number.wrapping_add(second_offset),
                    )
                })
            }
            _ => None,
        }
    }

    /// `opattr`: what kind of operand this is, as bits.
    pub(crate) fn attributes(&self, value: &Value) -> i128 {
        const CODE: i128 = 1 << 0;
        const MEMORY: i128 = 1 << 1;
        const IMMEDIATE: i128 = 1 << 2;
        const DIRECT: i128 = 1 << 3;
        const REGISTER: i128 = 1 << 4;
        const DEFINED: i128 = 1 << 5;
        const STACK: i128 = 1 << 6;
        const EXTERNAL: i128 = 1 << 7;
        let mut bits = if value.is_forward { 0 } else { DEFINED };
        let kind = value.symbol.map(|id| &self.symbols.get(id).kind);
        match kind {
            Some(SymbolKind::Stack { .. }) => bits |= STACK | MEMORY,
            Some(SymbolKind::External { .. }) => bits |= EXTERNAL,
            _ => {}
        }
        let is_code = value.ty.is_some_and(Type::is_code);
        if is_code && value.symbol.is_some() {
            bits |= CODE;
        }
        if value.is_memory && !is_code && !value.is_forward {
            bits |= MEMORY;
            if value.symbol.is_some() && !value.has_registers() && bits & STACK == 0 {
                bits |= DIRECT;
            }
        }
        if value.register.is_some() {
            bits |= REGISTER;
        } else if value.is_offset || value.is_constant() || (is_code && !value.in_brackets) {
            bits |= IMMEDIATE;
        }
        bits
    }
}
