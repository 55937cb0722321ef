//! Jumps and calls: short and long forms.
//!
//! A branch without a stated distance starts short and grows when a pass finds its target out of
//! reach; it never shrinks again. Thus the passes end, with the shortest forms.

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::expr::{Distance, Value};
use crate::insn::encode::ADDRESS_SIZE;
use crate::insn::operand::RefKind;
use crate::insn::table::{AddressPrefix, Mnemonic, Special};
use crate::instruction::wrap_i32;
use crate::line::Line;
use crate::source::{Span, to_u32};
use crate::symbol::SymbolKind;
use crate::types::Type;
use crate::words::Prefix;

/// Reach of a short jump, forward and backward.
const SHORT_REACH: std::ops::RangeInclusive<i64> = -128..=127;

impl Assembler<'_> {
    /// Gives all branches without a stated distance their long form.
    pub(crate) fn lengthen_branches(&mut self) {
        self.long_branches.fill(true);
    }

    /// A jump or a call with one operand.
    pub(crate) fn branch(
        &mut self,
        mnemonic: &'static Mnemonic,
        prefix: Option<Prefix>,
        values: &[Value],
        line: &Line,
        at: usize,
    ) -> Result<(), Reported> {
        let span = line.span(at, line.len());
        let Some(value) = values.first() else {
            return Ok(());
        };
        if !is_branch_target(value) {
            if matches!(mnemonic.special, Special::ConditionalJump(_)) {
                return Err(self.error(Kind::BadJumpTarget, span));
            }
            return self.plain(mnemonic, prefix, values, line, at);
        }
        let (short, long) = match mnemonic.special {
            Special::Call => (None, vec![0xE8]),
            Special::ConditionalJump(code) => (Some(0x70 | code), vec![0x0F, 0x80 | code]),
            _ => (Some(0xEB), vec![0xE9]),
        };
        let is_long = match (short, value.distance) {
            (None, _) | (Some(_), Some(Distance::Near | Distance::Far)) => true,
            (Some(_), Some(Distance::Short)) => false,
            (Some(_), None) => self.grows(value),
        };
        match short {
            Some(opcode) if !is_long => self.write_short(&[opcode], value, span),
            _ => self.write_near(&long, value, span),
        }
    }

    /// Distance from the end of an instruction of `len` bytes here to the target, if it is in this
    /// section.
    fn distance(&self, value: &Value, len: i64) -> Option<i64> {
        let here = self.out.place()?;
        let SymbolKind::Label {
            section, offset, ..
        } = self.symbols.get(value.symbol?).kind
        else {
            return None;
        };
        let target = i64::from(offset).wrapping_add(i64::try_from(value.number).ok()?);
        (section == here.section).then(|| target - i64::from(here.offset) - len)
    }

    /// Whether a branch without a stated distance needs its long form. It starts short, and once
    /// long it stays so: thus the passes end.
    fn grows(&mut self, value: &Value) -> bool {
        const SHORT_LEN: i64 = 2;
        let number = self.branch;
        self.branch += 1;
        if self.long_branches.len() <= number {
            self.long_branches.resize(number + 1, false);
        }
        if self.long_branches.get(number) == Some(&true) {
            return true;
        }
        let is_external = value
            .symbol
            .is_none_or(|id| matches!(self.symbols.get(id).kind, SymbolKind::External { .. }));
        let is_far = match self.distance(value, SHORT_LEN) {
            Some(distance) => !SHORT_REACH.contains(&distance),
            None => is_external || !value.is_forward,
        };
        if is_far {
            if let Some(long) = self.long_branches.get_mut(number) {
                *long = true;
            }
            self.changed = true;
        }
        is_far
    }

    fn write_short(&mut self, opcode: &[u8], value: &Value, span: Span) -> Result<(), Reported> {
        let len = i64::try_from(opcode.len()).unwrap_or(0) + 1;
        let distance = match self.distance(value, len) {
            Some(distance) => distance,
            None if value.is_forward => 0,
            None => return Err(self.error(Kind::BadJumpTarget, span)),
        };
        if !SHORT_REACH.contains(&distance) && self.is_later_pass() {
            let beyond = if distance < 0 {
                -128 - distance
            } else {
                distance - 127
            };
            let by = u32::try_from(beyond).unwrap_or(u32::MAX);
            return Err(self.error(Kind::JumpTooFar { by }, span));
        }
        let mut bytes = opcode.to_vec();
        bytes.push(distance.to_le_bytes()[0]);
        self.write(&bytes, span)
    }

    fn write_near(&mut self, opcode: &[u8], value: &Value, span: Span) -> Result<(), Reported> {
        const FIELD_LEN: usize = 4;
        let len = opcode.len() + FIELD_LEN;
        let field = self.out.place().map_or(0, |place| place.offset);
        let field = field.wrapping_add(to_u32(opcode.len()));
        let mut bytes = opcode.to_vec();
        if let Some(distance) = self.distance(value, i64::try_from(len).unwrap_or(0)) {
            bytes.extend(distance.to_le_bytes().into_iter().take(FIELD_LEN));
            return self.write(&bytes, span);
        }
        let addend = wrap_i32(value.number).unwrap_or(0);
        bytes.extend(addend.to_le_bytes());
        if let Some(symbol) = value.symbol {
            let place = opcode.len();
            self.reference(
                symbol,
                RefKind::Relative,
                field,
                bytes.get_mut(place..),
                span,
            )?;
        }
        self.write(&bytes, span)
    }

    /// A jump that has a short form only.
    pub(crate) fn short_branch(
        &mut self,
        opcode: u8,
        address_prefix: AddressPrefix,
        value: &Value,
        line: &Line,
        at: usize,
    ) -> Result<(), Reported> {
        let span = line.span(at, line.len());
        if !is_branch_target(value) {
            return Err(self.error(Kind::BadJumpTarget, span));
        }
        match address_prefix {
            AddressPrefix::No => self.write_short(&[opcode], value, span),
            AddressPrefix::Yes => self.write_short(&[ADDRESS_SIZE, opcode], value, span),
        }
    }
}

/// Whether a value names a place in code to jump to, rather than memory that holds one.
fn is_branch_target(value: &Value) -> bool {
    let is_code = value.ty.is_none_or(Type::is_code);
    value.symbol.is_some()
        && !value.has_registers()
        && value.segment.is_none()
        && (is_code || value.is_offset)
        && !value.in_brackets
}
