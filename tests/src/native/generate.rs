//! Instructions that are chosen by an input, and aimed at memory that is there.

use std::collections::BTreeMap;

use iced_x86::{
    Code, ConstantOffsets, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register,
};
use pagefault_cpu::{MAX_INSTRUCTION_BYTES, Reg, Registers, SegmentRegister};

use super::choices::Choices;
use super::exclude;
use super::layout::STACK_END;

/// A form of an instruction: its bytes up to the `ModRM` byte, and what this may be.
#[derive(Debug)]
struct Form {
    lead: Vec<u8>,
    modrms: Vec<u8>,
}

/// The forms of all instructions that may occur.
#[derive(Debug)]
pub(super) struct Forms(Vec<Form>);

/// Prefixes that make instructions of opcodes.
const PREFIXES: [&[u8]; 4] = [&[], &[0x66], &[0xF2], &[0xF3]];
const ESCAPES: [&[u8]; 3] = [&[], &[0x0F], &[0x0F, 0x38]];
/// Prefixes that change an instruction, or not.
const EXTRA: [u8; 12] = [
    0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66,
];
/// The part of a `ModRM` byte that tells a register from memory, and memory with 32 bits of
/// displacement.
const MOD: u8 = 0xC0;
const MOD_DISPLACEMENT: u8 = 0x80;
/// `mov r32, imm32`, with the register in the low bits.
const MOV_REG_IMM: u8 = 0xB8;
/// The most registers that are loaded for one instruction.
const MOST_LOADS: usize = 3;

impl Forms {
    /// Decodes all short byte sequences, and keeps one encoding of each form that may occur.
    pub(super) fn new() -> Self {
        let mut forms: BTreeMap<Code, Form> = BTreeMap::new();
        for prefix in PREFIXES {
            for escape in ESCAPES {
                for opcode in 0..=u8::MAX {
                    let lead = [prefix, escape, &[opcode]].concat();
                    add_forms(&mut forms, &lead);
                }
            }
        }
        Self(forms.into_values().collect())
    }

    /// Returns the next instruction for registers as they are; with some others before it that load
    /// registers for it.
    pub(super) fn next(&self, choices: &mut Choices, registers: &Registers) -> Vec<u8> {
        if choices.chance(28) {
            let reg = choices.pick(&Reg::ALL);
            let value = choices.value();
            return load(reg, value).to_vec();
        }
        let form = &self.0[usize::from(choices.word()) % self.0.len()];
        let mut bytes = Vec::new();
        if choices.chance(20) {
            bytes.push(choices.pick(&EXTRA));
        }
        bytes.extend_from_slice(&form.lead);
        let modrm = choices.pick(&form.modrms);
        let has_displacement = modrm & MOD != MOD && !choices.chance(24);
        bytes.push(if has_displacement {
            modrm & !MOD | MOD_DISPLACEMENT
        } else {
            modrm
        });
        while bytes.len() < MAX_INSTRUCTION_BYTES {
            bytes.push(choices.byte());
        }
        finish(bytes, choices, registers)
    }
}

/// Adds the forms that begin with these bytes.
fn add_forms(forms: &mut BTreeMap<Code, Form>, lead: &[u8]) {
    for modrm in 0..=u8::MAX {
        let mut bytes = [0; MAX_INSTRUCTION_BYTES];
        bytes[..lead.len()].copy_from_slice(lead);
        bytes[lead.len()] = modrm;
        let insn = Decoder::new(32, &bytes, DecoderOptions::NONE).decode();
        if insn.is_invalid() || exclude::by_form(&insn, &bytes).is_some() {
            continue;
        }
        let form = forms.entry(insn.code()).or_insert_with(|| Form {
            lead: lead.to_vec(),
            modrms: Vec::new(),
        });
        if form.lead == lead {
            form.modrms.push(modrm);
        }
    }
}

/// Cuts the instruction out of the bytes that it begins, aims it, and puts loads in front of it.
fn finish(mut bytes: Vec<u8>, choices: &mut Choices, registers: &Registers) -> Vec<u8> {
    let mut decoder = Decoder::new(32, &bytes, DecoderOptions::NONE);
    let insn = decoder.decode();
    let offsets = decoder.get_constant_offsets(&insn);
    if insn.is_invalid() {
        return bytes;
    }
    bytes.truncate(insn.len());
    let mut loaded = registers.clone();
    let mut all = Vec::new();
    for (reg, value) in needed(&insn, choices, registers) {
        loaded.set_gpr(reg, value);
        all.extend(load(reg, value));
    }
    aim(&mut bytes, &insn, offsets, choices, &loaded);
    all.extend(bytes);
    all
}

/// Returns what registers should hold, so that the instruction has something to do.
fn needed(insn: &Instruction, choices: &mut Choices, registers: &Registers) -> Vec<(Reg, u32)> {
    const STACK_BYTES: u32 = 0x1800;
    let mut needed = Vec::with_capacity(MOST_LOADS);
    if insn.is_string_instruction() && !choices.chance(32) {
        needed.push((Reg::Esi, choices.place()));
        needed.push((Reg::Edi, choices.place()));
        needed.push((Reg::Ecx, u32::from(choices.byte() % 40)));
    }
    let is_division = matches!(insn.mnemonic(), Mnemonic::Div | Mnemonic::Idiv);
    if is_division && choices.chance(128) {
        needed.push((Reg::Edx, u32::from(choices.byte() % 4)));
        needed.push((Reg::Eax, choices.value()));
    }
    let depth = STACK_END.wrapping_sub(registers.gpr(Reg::Esp));
    if insn.is_stack_instruction() && depth > STACK_BYTES && choices.chance(192) {
        needed.push((Reg::Esp, STACK_END - u32::from(choices.byte()) * 8));
    }
    if matches!(insn.mnemonic(), Mnemonic::Leave | Mnemonic::Xlatb) && choices.chance(192) {
        needed.push((Reg::Ebp, STACK_END - u32::from(choices.byte()) * 8));
        needed.push((Reg::Ebx, choices.place()));
    }
    needed
}

/// Bytes of the displacements that are set.
const DISPLACEMENT_BYTES: usize = 4;

/// Sets the displacement so that the operand is somewhere, and makes branches go forward.
fn aim(
    bytes: &mut [u8],
    insn: &Instruction,
    offsets: ConstantOffsets,
    choices: &mut Choices,
    registers: &Registers,
) {
    if matches!(insn.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32) {
        let distance = choices.byte() % 24;
        let place = offsets.immediate_offset();
        if let Some(immediate) = bytes.get_mut(place..) {
            immediate.fill(0);
            immediate[0] = distance;
        }
        return;
    }
    if offsets.displacement_size() != DISPLACEMENT_BYTES {
        return;
    }
    let target = choices.place();
    let parts = without_displacement(insn, registers);
    let displacement = target.wrapping_sub(parts).to_le_bytes();
    let start = offsets.displacement_offset();
    bytes[start..start + DISPLACEMENT_BYTES].copy_from_slice(&displacement);
}

/// Returns the linear address of the memory operand, less its displacement.
fn without_displacement(insn: &Instruction, registers: &Registers) -> u32 {
    let segment = match insn.memory_segment() {
        Register::FS => SegmentRegister::Fs,
        Register::GS => SegmentRegister::Gs,
        _ => SegmentRegister::Ds,
    };
    let value = |register: Register| {
        if !register.is_gpr32() {
            return 0;
        }
        let number = u8::try_from(register.number()).expect("there are eight");
        registers.gpr(Reg::from_low_bits(number))
    };
    let base = registers.segment(segment).base().bits();
    let index = value(insn.memory_index()).wrapping_mul(insn.memory_index_scale());
    base.wrapping_add(value(insn.memory_base()))
        .wrapping_add(index)
}

fn load(reg: Reg, value: u32) -> [u8; 5] {
    let [a, b, c, d] = value.to_le_bytes();
    [MOV_REG_IMM + reg.number(), a, b, c, d]
}
