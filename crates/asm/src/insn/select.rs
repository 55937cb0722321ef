//! Choosing the form of an instruction that fits its operands.

use iced_x86::{OpCodeOperandKind as Kind, Register};
use thiserror::Error;

use super::operand::{Immediate, Memory, Operand};
use super::table::{Form, Mnemonic};

/// Why no form fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum SelectError {
    /// No instruction has operands of these kinds.
    #[error("invalid instruction operands")]
    Operands,
    /// Operands of kinds that fit have sizes that do not.
    #[error("operands must be the same size: {first} and {second} bytes")]
    Sizes { first: u32, second: u32 },
    /// A constant does not fit.
    #[error("a constant of {bytes} bytes does not fit the operand")]
    Constant { bytes: u32 },
    /// A memory operand could have several sizes.
    #[error("the size of the memory operand is not known")]
    UnknownSize,
}

/// Returns the best form for the operands.
pub(crate) fn select<'m>(
    mnemonic: &'m Mnemonic,
    operands: &[Operand],
) -> Result<&'m Form, SelectError> {
    let mut fitting = mnemonic.forms.iter().filter(|form| fits(form, operands));
    let Some(best) = fitting.next() else {
        return Err(diagnose(mnemonic, operands));
    };
    if has_unsized_memory(operands) && !takes_doubleword_by_default(&mnemonic.name) {
        let size = memory_size(best);
        let mut others = fitting.filter(|form| !form.is_16_bit);
        if !best.is_16_bit && others.any(|form| memory_size(form) != size) {
            return Err(SelectError::UnknownSize);
        }
    }
    Ok(best)
}

fn has_unsized_memory(operands: &[Operand]) -> bool {
    operands
        .iter()
        .any(|operand| matches!(operand, Operand::Memory(Memory { size: None, .. })))
}

/// `push [eax]` and the like take a doubleword.
fn takes_doubleword_by_default(name: &str) -> bool {
    matches!(name, "push" | "pop" | "jmp" | "call")
}

/// The size of the memory operand of a form.
fn memory_size(form: &Form) -> Option<u32> {
    form.operands.iter().find_map(|&kind| match kind {
        Kind::r8_or_mem => Some(Some(1)),
        Kind::r16_or_mem => Some(Some(2)),
        Kind::r32_or_mem => Some(Some(4)),
        Kind::mem | Kind::mem_offs | Kind::mm_or_mem | Kind::xmm_or_mem => Some(form.memory_size),
        _ => None,
    })?
}

fn fits(form: &Form, operands: &[Operand]) -> bool {
    // Nothing can be loaded into CS.
    let loads_code_segment = form.operands.first() == Some(&Kind::seg_reg)
        && operands.first() == Some(&Operand::Register(Register::CS));
    form.operands.len() == operands.len()
        && !loads_code_segment
        && form
            .operands
            .iter()
            .zip(operands)
            .all(|(&kind, operand)| accepts(form, kind, operand))
}

fn accepts(form: &Form, kind: Kind, operand: &Operand) -> bool {
    match operand {
        Operand::Register(register) => accepts_register(kind, *register),
        Operand::Memory(memory) => accepts_memory(form, kind, memory),
        Operand::Immediate(immediate) => accepts_immediate(kind, immediate),
    }
}

fn accepts_register(kind: Kind, register: Register) -> bool {
    use Kind as K;
    match kind {
        K::r8_or_mem | K::r8_reg | K::r8_opcode => register.is_gpr8(),
        K::r16_or_mem | K::r16_reg | K::r16_rm | K::r16_opcode => register.is_gpr16(),
        K::r32_or_mem | K::r32_reg | K::r32_rm | K::r32_opcode => register.is_gpr32(),
        K::seg_reg => register.is_segment_register(),
        K::mm_reg | K::mm_rm | K::mm_or_mem => register.is_mm(),
        K::xmm_reg | K::xmm_rm | K::xmm_or_mem => register.is_xmm(),
        K::cr_reg => register.is_cr(),
        K::dr_reg => register.is_dr(),
        K::al => register == Register::AL,
        K::cl => register == Register::CL,
        K::ax => register == Register::AX,
        K::dx => register == Register::DX,
        K::eax => register == Register::EAX,
        K::es => register == Register::ES,
        K::cs => register == Register::CS,
        K::ss => register == Register::SS,
        K::ds => register == Register::DS,
        K::fs => register == Register::FS,
        K::gs => register == Register::GS,
        K::st0 => register == Register::ST0,
        K::sti_opcode => register.is_st(),
        _ => false,
    }
}

fn accepts_memory(form: &Form, kind: Kind, memory: &Memory) -> bool {
    use Kind as K;
    let wanted = match kind {
        K::r8_or_mem => Some(1),
        K::r16_or_mem => Some(2),
        K::r32_or_mem => Some(4),
        K::mem | K::mm_or_mem | K::xmm_or_mem => form.memory_size,
        K::mem_offs => {
            if memory.base.is_some() || memory.index.is_some() {
                return false;
            }
            form.memory_size
        }
        _ => return false,
    };
    match (wanted, memory.size) {
        (Some(wanted), Some(size)) => wanted == size,
        _ => true,
    }
}

fn accepts_immediate(kind: Kind, immediate: &Immediate) -> bool {
    use Kind as K;
    let value = immediate.value;
    if immediate.symbol.is_some() {
        return kind == K::imm32 && immediate.size.is_none_or(|size| size == 4);
    }
    let given = |size: u32| immediate.size.is_none_or(|given| given <= size);
    match kind {
        K::imm8 => value.abs() <= i128::from(u8::MAX) && given(1),
        K::imm8_const_1 => value == 1,
        K::imm8sex16 => {
            fits_wrapped(value, u16::BITS)
                && i8::try_from(wrap(value, u16::BITS)).is_ok()
                && given(1)
        }
        K::imm8sex32 => {
            fits_wrapped(value, u32::BITS)
                && i8::try_from(wrap(value, u32::BITS)).is_ok()
                && given(1)
        }
        K::imm16 => fits_wrapped(value, u16::BITS) && given(2),
        K::imm32 => fits_wrapped(value, u32::BITS) && given(4),
        _ => false,
    }
}

/// Whether a constant fits `bits` bits, signed or unsigned; like MASM, -255 fits a byte.
pub(crate) fn fits_wrapped(value: i128, bits: u32) -> bool {
    value.unsigned_abs() < 1_u128.checked_shl(bits).unwrap_or(u128::MAX)
}

/// Returns the signed number of `bits` bits that has the low bits of `value`.
fn wrap(value: i128, bits: u32) -> i128 {
    let shift = i128::BITS - bits;
    value.wrapping_shl(shift).wrapping_shr(shift)
}

/// Finds the reason that helps most.
fn diagnose(mnemonic: &Mnemonic, operands: &[Operand]) -> SelectError {
    let kinds_fit = mnemonic.forms.iter().any(|form| {
        form.operands.len() == operands.len()
            && form
                .operands
                .iter()
                .zip(operands)
                .all(|(&kind, operand)| same_class(kind, operand))
    });
    if !kinds_fit {
        return SelectError::Operands;
    }
    let sizes: Vec<_> = operands.iter().map(Operand::size).collect();
    match (operands, &*sizes) {
        ([_, Operand::Immediate(immediate)], [Some(_), _])
        | ([Operand::Immediate(immediate)], _) => SelectError::Constant {
            bytes: constant_bytes(immediate.value),
        },
        (_, [Some(first), Some(second), ..]) if first != second => SelectError::Sizes {
            first: *first,
            second: *second,
        },
        _ => SelectError::Operands,
    }
}

fn constant_bytes(value: i128) -> u32 {
    [1, 2, 4, 8]
        .into_iter()
        .find(|bytes| fits_wrapped(value, bytes * 8))
        .unwrap_or(16)
}

/// Whether the operand would fit if its size did.
fn same_class(kind: Kind, operand: &Operand) -> bool {
    use Kind as K;
    let general = matches!(
        kind,
        K::r8_or_mem
            | K::r8_reg
            | K::r8_opcode
            | K::r16_or_mem
            | K::r16_reg
            | K::r16_rm
            | K::r16_opcode
            | K::r32_or_mem
            | K::r32_reg
            | K::r32_rm
            | K::r32_opcode
    );
    match operand {
        Operand::Register(register) if is_general(*register) => general,
        Operand::Register(register) => accepts_register(kind, *register),
        Operand::Memory(_) => matches!(
            kind,
            K::r8_or_mem | K::r16_or_mem | K::r32_or_mem | K::mem | K::mm_or_mem | K::xmm_or_mem
        ),
        Operand::Immediate(_) => matches!(
            kind,
            K::imm8 | K::imm8sex16 | K::imm8sex32 | K::imm16 | K::imm32 | K::imm8_const_1
        ),
    }
}

/// Whether a register is one of the general-purpose ones of any width.
pub(crate) fn is_general(register: Register) -> bool {
    register.is_gpr8() || register.is_gpr16() || register.is_gpr32()
}
