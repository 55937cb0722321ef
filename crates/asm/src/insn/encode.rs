//! The bytes of a form with its operands.

use iced_x86::{OpCodeOperandKind as Kind, Register};

use super::operand::{Immediate, Memory, Operand, SymbolRef};
use super::table::Form;
use crate::source::to_u32;
use crate::words::Prefix;

/// A reference inside an encoded instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fixup {
    /// Offset of the 32-bit field from the start of the instruction.
    pub(crate) offset: u32,
    pub(crate) reference: SymbolRef,
}

/// An encoded instruction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fixups: Vec<Fixup>,
}

/// Operand-size prefix.
pub(crate) const OPERAND_SIZE: u8 = 0x66;
/// Address-size prefix.
pub(crate) const ADDRESS_SIZE: u8 = 0x67;
const WAIT: u8 = 0x9B;

/// The byte of a repeat or lock prefix.
pub(crate) fn prefix_byte(prefix: Prefix) -> u8 {
    match prefix {
        Prefix::Rep => 0xF3,
        Prefix::Repne => 0xF2,
        Prefix::Lock => 0xF0,
    }
}

/// The byte of a segment-override prefix.
pub(crate) fn segment_byte(segment: Register) -> Option<u8> {
    Some(match segment {
        Register::ES => 0x26,
        Register::CS => 0x2E,
        Register::SS => 0x36,
        Register::DS => 0x3E,
        Register::FS => 0x64,
        Register::GS => 0x65,
        _ => return None,
    })
}

/// Encodes `form` with operands that it accepts.
pub(crate) fn encode(form: &Form, prefix: Option<Prefix>, operands: &[Operand]) -> Encoded {
    let mut out = Encoded::default();
    out.bytes.extend(prefix.map(prefix_byte));
    if form.has_wait {
        out.bytes.push(WAIT);
    }
    if form.is_16_bit {
        out.bytes.push(OPERAND_SIZE);
    }
    let memory = operands.iter().find_map(|operand| match operand {
        Operand::Memory(memory) => Some(memory),
        _ => None,
    });
    out.bytes
        .extend(memory.and_then(needed_segment).and_then(segment_byte));
    out.bytes.extend(form.mandatory);
    let (opcode_register, reg, rm) = registers(form, operands);
    out.bytes.extend_from_slice(&form.opcode);
    if let (Some(number), Some(last)) = (opcode_register, out.bytes.last_mut()) {
        *last = last.wrapping_add(number);
    }
    let reg = form.extension.unwrap_or(reg);
    match rm {
        Some(Rm::Register(number)) => out.bytes.push(0xC0 | reg << 3 | number),
        Some(Rm::Memory(memory)) => push_memory(&mut out, reg, memory),
        Some(Rm::Absolute(memory)) => push_displacement(&mut out, memory),
        None => {}
    }
    for (&kind, operand) in form.operands.iter().zip(operands) {
        if let Operand::Immediate(immediate) = operand {
            push_immediate(&mut out, kind, immediate);
        }
    }
    out
}

/// What the rm part of an instruction names.
#[derive(Clone, Copy, Debug)]
enum Rm<'o> {
    Register(u8),
    Memory(&'o Memory),
    /// A bare address after the opcode, without `ModRM` byte.
    Absolute(&'o Memory),
}

/// Returns the register number to add to the opcode, the reg field, and the rm part.
fn registers<'o>(form: &Form, operands: &'o [Operand]) -> (Option<u8>, u8, Option<Rm<'o>>) {
    use Kind as K;
    let mut opcode = None;
    let mut reg = 0;
    let mut rm = None;
    for (&kind, operand) in form.operands.iter().zip(operands) {
        match (kind, operand) {
            (
                K::r8_opcode | K::r16_opcode | K::r32_opcode | K::sti_opcode,
                Operand::Register(register),
            ) => opcode = Some(number(*register)),
            (
                K::r8_reg
                | K::r16_reg
                | K::r32_reg
                | K::seg_reg
                | K::mm_reg
                | K::xmm_reg
                | K::cr_reg
                | K::dr_reg,
                Operand::Register(register),
            ) => reg = number(*register),
            (
                K::r8_or_mem
                | K::r16_or_mem
                | K::r32_or_mem
                | K::mm_or_mem
                | K::xmm_or_mem
                | K::r16_rm
                | K::r32_rm
                | K::mm_rm
                | K::xmm_rm,
                Operand::Register(register),
            ) => rm = Some(Rm::Register(number(*register))),
            (K::mem_offs, Operand::Memory(memory)) => rm = Some(Rm::Absolute(memory)),
            (_, Operand::Memory(memory)) => rm = Some(Rm::Memory(memory)),
            _ => {}
        }
    }
    (opcode, reg, rm)
}

/// The three-bit number of a register.
fn number(register: Register) -> u8 {
    // AH to BH follow AL to BL; all other registers here have numbers below 8.
    u8::try_from(register.number() & 7).unwrap_or(0)
}

/// Returns the override that differs from the segment used anyway.
fn needed_segment(memory: &Memory) -> Option<Register> {
    let by_stack = matches!(memory.base, Some(Register::EBP | Register::ESP));
    let default = if by_stack { Register::SS } else { Register::DS };
    memory.segment.filter(|&segment| segment != default)
}

const MOD_DISP8: u8 = 0x40;
const MOD_DISP32: u8 = 0x80;
/// rm: a SIB byte follows; also base ESP, and index "none".
const ESP: u8 = 4;
/// rm or base without displacement: a bare disp32.
const EBP: u8 = 5;

fn push_memory(out: &mut Encoded, reg: u8, memory: &Memory) {
    let reg = reg << 3;
    let base = memory.base.map(number);
    let Some(index) = memory.index else {
        let Some(base) = base else {
            out.bytes.push(reg | EBP);
            return push_displacement(out, memory);
        };
        let mode = mode(memory, base);
        out.bytes.push(mode | reg | base);
        if base == ESP {
            out.bytes.push(ESP << 3 | ESP);
        }
        return push_sized_displacement(out, memory, mode);
    };
    let scale = match memory.scale {
        2 => 0x40,
        4 => 0x80,
        8 => 0xC0,
        _ => 0x00,
    };
    let sib = scale | number(index) << 3;
    match base {
        None => {
            out.bytes.extend([reg | ESP, sib | EBP]);
            push_displacement(out, memory);
        }
        Some(base) => {
            let mode = mode(memory, base);
            out.bytes.extend([mode | reg | ESP, sib | base]);
            push_sized_displacement(out, memory, mode);
        }
    }
}

fn mode(memory: &Memory, base: u8) -> u8 {
    if memory.symbol.is_some() {
        return MOD_DISP32;
    }
    match memory.displacement {
        0 if base != EBP => 0,
        -128..=127 => MOD_DISP8,
        _ => MOD_DISP32,
    }
}

fn push_sized_displacement(out: &mut Encoded, memory: &Memory, mode: u8) {
    match mode {
        0 => {}
        MOD_DISP8 => out.bytes.push(memory.displacement.to_le_bytes()[0]),
        _ => push_displacement(out, memory),
    }
}

fn push_displacement(out: &mut Encoded, memory: &Memory) {
    if let Some(reference) = memory.symbol {
        out.fixups.push(Fixup {
            offset: to_u32(out.bytes.len()),
            reference,
        });
    }
    out.bytes.extend(memory.displacement.to_le_bytes());
}

fn push_immediate(out: &mut Encoded, kind: Kind, immediate: &Immediate) {
    let len = match kind {
        Kind::imm8 | Kind::imm8sex16 | Kind::imm8sex32 => 1,
        Kind::imm16 => 2,
        Kind::imm32 => 4,
        _ => 0,
    };
    if let (Some(reference), 4) = (immediate.symbol, len) {
        out.fixups.push(Fixup {
            offset: to_u32(out.bytes.len()),
            reference,
        });
    }
    out.bytes
        .extend(immediate.value.to_le_bytes().into_iter().take(len));
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions};

    use super::*;
    use crate::insn::table::{self, Special};

    /// An operand that only this kind accepts.
    fn sample(kind: Kind) -> Operand {
        use Kind as K;
        let immediate = |value| {
            Operand::Immediate(Immediate {
                value,
                symbol: None,
                size: None,
            })
        };
        let memory = |base, size| {
            Operand::Memory(Memory {
                base,
                index: None,
                scale: 1,
                displacement: 0x10,
                symbol: None,
                segment: None,
                size,
            })
        };
        let base = Some(Register::EBX);
        match kind {
            K::mem_offs => memory(None, None),
            K::r8_or_mem => memory(base, Some(1)),
            K::r16_or_mem => memory(base, Some(2)),
            K::r32_or_mem => memory(base, Some(4)),
            K::mem | K::mm_or_mem | K::xmm_or_mem => memory(base, None),
            K::r8_reg | K::r8_opcode => Operand::Register(Register::DL),
            K::r16_reg | K::r16_rm | K::r16_opcode | K::dx => Operand::Register(Register::DX),
            K::r32_reg | K::r32_rm | K::r32_opcode => Operand::Register(Register::EDX),
            K::seg_reg | K::fs => Operand::Register(Register::FS),
            K::mm_reg | K::mm_rm => Operand::Register(Register::MM2),
            K::xmm_reg | K::xmm_rm => Operand::Register(Register::XMM2),
            K::cr_reg => Operand::Register(Register::CR2),
            K::dr_reg => Operand::Register(Register::DR2),
            K::al => Operand::Register(Register::AL),
            K::cl => Operand::Register(Register::CL),
            K::ax => Operand::Register(Register::AX),
            K::eax => Operand::Register(Register::EAX),
            K::es => Operand::Register(Register::ES),
            K::cs => Operand::Register(Register::CS),
            K::ss => Operand::Register(Register::SS),
            K::ds => Operand::Register(Register::DS),
            K::gs => Operand::Register(Register::GS),
            K::st0 => Operand::Register(Register::ST0),
            K::sti_opcode => Operand::Register(Register::ST2),
            K::imm8_const_1 => immediate(1),
            _ => immediate(5),
        }
    }

    #[test]
    fn every_form_decodes_to_its_mnemonic_with_all_its_bytes() {
        let mut count = 0;
        let mut wrong = Vec::new();
        for (name, id) in table::mnemonics() {
            let mnemonic = table::mnemonic(id);
            if *mnemonic.name != *name || mnemonic.special == Special::PlainReturn {
                continue;
            }
            for form in &mnemonic.forms {
                let operands: Vec<_> = form.operands.iter().map(|&kind| sample(kind)).collect();
                let encoded = encode(form, None, &operands);
                // WAIT is an instruction of its own to a decoder.
                let bytes = &encoded.bytes[usize::from(form.has_wait)..];
                let mut decoder = Decoder::new(32, bytes, DecoderOptions::NONE);
                let instruction = decoder.decode();
                let decoded = format!("{:?}", instruction.mnemonic()).to_ascii_lowercase();
                let wanted = name.strip_prefix('f').filter(|_| form.has_wait);
                let wanted = wanted.map_or(name.to_string(), |rest| format!("fn{rest}"));
                if instruction.len() != bytes.len() || decoded != wanted {
                    wrong.push(format!(
                        "{name} {:?}: {bytes:02X?} is {decoded}",
                        form.operands
                    ));
                }
                count += 1;
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        assert!(count > 1000, "only {count} forms");
    }
}
