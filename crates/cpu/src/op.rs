//! A decoded instruction: the operands in the form in which handlers want them.

use iced_x86::{Code, Instruction, OpKind, Register};

use crate::registers::{AddressReg, Reg};
use crate::segment::SegmentRegister;

/// How an effective address becomes a linear one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressMode {
    /// The 32-bit effective address is the linear address.
    Flat,
    /// The effective address goes through the segment, with its checks.
    Segmented,
    /// As `Segmented`, and the effective address has 16 bits.
    Segmented16,
}

/// The repeat prefix of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RepeatPrefix {
    /// None.
    None,
    /// REP or REPE.
    Equal,
    /// REPNE.
    NotEqual,
}

/// Whether segment and alignment checks can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    /// CS, SS, DS and ES are flat and there is no alignment check.
    None,
    /// Every access is checked.
    All,
}

/// A decoded instruction, as plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op {
    /// Displacement of the memory operand; selector of a far pointer.
    pub(crate) disp: u32,
    /// Immediate operand; for ENTER the size, and the nesting level in bits 23:16.
    pub(crate) imm: u32,
    /// Bytes from the start of the block to the instruction.
    pub(crate) at: u16,
    /// Which instruction it is.
    pub(crate) code: Code,
    /// Length of the instruction in bytes.
    pub(crate) len: u8,
    /// Number of instructions in the block before it.
    pub(crate) before: u8,
    /// The register that ModRM.reg names, or a segment register's number.
    pub(crate) reg: Reg,
    /// The register that ModRM.rm or the opcode names.
    pub(crate) rm: Reg,
    /// Base of the memory operand.
    pub(crate) base: AddressReg,
    /// Index of the memory operand.
    pub(crate) index: AddressReg,
    /// Shift of the index, 0 to 3.
    pub(crate) scale: u8,
    /// How the address is formed.
    pub(crate) mode: AddressMode,
    /// The segment of the memory operand.
    pub(crate) segment: SegmentRegister,
    /// The repeat prefix.
    pub(crate) repeat: RepeatPrefix,
    /// How many instructions it stands for: two when a comparison and its branch are one.
    pub(crate) count: u8,
}

impl Op {
    /// Returns the plain data of an instruction that starts `at` bytes into its block; its bytes are
    /// the first of `bytes`.
    pub(crate) fn new(
        insn: &Instruction,
        bytes: &[u8],
        at: u16,
        before: u8,
        checks: Checks,
    ) -> Self {
        let (reg, rm) = encoded_registers(bytes);
        let mut op = Self {
            disp: 0,
            imm: 0,
            at,
            code: insn.code(),
            len: u8::try_from(insn.len()).unwrap_or(u8::MAX),
            before,
            reg,
            rm,
            base: AddressReg::None,
            index: AddressReg::None,
            scale: 0,
            mode: AddressMode::Flat,
            segment: segment(insn.memory_segment()),
            repeat: repeat_prefix(insn),
            count: 1,
        };
        if checks == Checks::All {
            op.mode = AddressMode::Segmented;
        }
        for index in 0..insn.op_count() {
            match insn.op_kind(index) {
                // The encoding has told which ones are meant.
                OpKind::Register => {}
                OpKind::NearBranch16 | OpKind::NearBranch32 => op.imm = insn.near_branch32(),
                OpKind::FarBranch16 => op.set_far(u32::from(insn.far_branch16()), insn),
                OpKind::FarBranch32 => op.set_far(insn.far_branch32(), insn),
                OpKind::Memory => op.set_memory(insn),
                OpKind::Immediate8_2nd => op.imm |= u32::from(insn.immediate8_2nd()) << 16,
                OpKind::MemorySegSI | OpKind::MemorySegDI | OpKind::MemoryESDI => {
                    op.set_address_size(is_16_bit_string(insn));
                    op.set_string_segment(insn);
                }
                OpKind::MemorySegESI | OpKind::MemorySegEDI | OpKind::MemoryESEDI => {
                    op.set_string_segment(insn);
                }
                _ => op.imm = low_immediate(insn, index),
            }
        }
        op
    }

    /// Returns the bytes from the start of the block to the next instruction.
    pub(crate) fn end(&self) -> u32 {
        u32::from(self.at) + u32::from(self.len)
    }

    fn set_memory(&mut self, insn: &Instruction) {
        self.base = address_register(insn.memory_base());
        self.index = address_register(insn.memory_index());
        self.scale = scale_shift(insn.memory_index_scale());
        self.disp = insn.memory_displacement32();
        let is_16_bit = uses_16_bit_address(insn);
        self.set_address_size(is_16_bit);
        if matches!(self.segment, SegmentRegister::Fs | SegmentRegister::Gs) || self.is_cs_write() {
            self.mode = if is_16_bit {
                AddressMode::Segmented16
            } else {
                AddressMode::Segmented
            };
        }
    }

    /// A code segment is never writable, so that an access through CS is always checked.
    fn is_cs_write(&self) -> bool {
        self.segment == SegmentRegister::Cs
    }

    fn set_address_size(&mut self, is_16_bit: bool) {
        if is_16_bit {
            self.mode = AddressMode::Segmented16;
        }
    }

    fn set_string_segment(&mut self, insn: &Instruction) {
        let is_source = |kind| {
            matches!(
                kind,
                OpKind::MemorySegSI
                    | OpKind::MemorySegESI
                    | OpKind::MemorySegDI
                    | OpKind::MemorySegEDI
            )
        };
        if (0..insn.op_count()).any(|index| is_source(insn.op_kind(index))) {
            self.segment = segment(insn.memory_segment());
        } else {
            self.segment = SegmentRegister::Es;
        }
        if !matches!(
            self.segment,
            SegmentRegister::Es | SegmentRegister::Ds | SegmentRegister::Ss
        ) && self.mode == AddressMode::Flat
        {
            self.mode = AddressMode::Segmented;
        }
    }

    fn set_far(&mut self, offset: u32, insn: &Instruction) {
        self.imm = offset;
        self.disp = u32::from(insn.far_branch_selector());
    }
}

fn low_immediate(insn: &Instruction, operand: u32) -> u32 {
    crate::alu::low(insn.try_immediate(operand).unwrap_or(0))
}

fn repeat_prefix(insn: &Instruction) -> RepeatPrefix {
    if insn.has_repne_prefix() {
        RepeatPrefix::NotEqual
    } else if insn.has_rep_prefix() {
        RepeatPrefix::Equal
    } else {
        RepeatPrefix::None
    }
}

fn is_16_bit_string(insn: &Instruction) -> bool {
    (0..insn.op_count()).any(|index| {
        matches!(
            insn.op_kind(index),
            OpKind::MemorySegSI | OpKind::MemorySegDI | OpKind::MemoryESDI
        )
    })
}

/// Tells whether the memory operand was encoded with 16-bit addressing: by its registers, or
/// without any by the size of its displacement.
fn uses_16_bit_address(insn: &Instruction) -> bool {
    let is_word = |register: Register| register.is_gpr16();
    is_word(insn.memory_base())
        || is_word(insn.memory_index())
        || (insn.memory_base() == Register::None
            && insn.memory_index() == Register::None
            && insn.memory_displ_size() == 2)
}

fn scale_shift(factor: u32) -> u8 {
    match factor {
        2 => 1,
        4 => 2,
        8 => 3,
        _ => 0,
    }
}

/// Returns the registers that `ModRM` names, reg and rm, or that the opcode names instead of rm. Where
/// nothing names one it is register 0, the accumulator, which is what such forms mean.
///
/// Taken from the bytes, and not from iced's description of the form: that begins by building a
/// table of all five thousand.
fn encoded_registers(bytes: &[u8]) -> (Reg, Reg) {
    /// The first byte of two-byte opcodes.
    const ESCAPE: u8 = 0x0F;
    let mut rest = bytes.iter().copied().skip_while(|byte| is_prefix(*byte));
    let mut next = || rest.next().unwrap_or(0);
    let in_opcode = |opcode: u8| (Reg::Eax, Reg::from_low_bits(opcode));
    let in_modrm = |modrm: u8| (Reg::from_low_bits(modrm >> 3), Reg::from_low_bits(modrm));
    let segment = |opcode: u8| (Reg::from_low_bits(opcode >> 3), Reg::Eax);
    match next() {
        ESCAPE => match next() {
            0x38 | 0x3A => {
                next();
                in_modrm(next())
            }
            opcode @ (0xA0 | 0xA1 | 0xA8 | 0xA9) => segment(opcode),
            opcode @ 0xC8..=0xCF => in_opcode(opcode),
            _ => in_modrm(next()),
        },
        opcode @ (0x06 | 0x07 | 0x0E | 0x16 | 0x17 | 0x1E | 0x1F) => segment(opcode),
        opcode @ (0x40..=0x5F | 0x90..=0x97 | 0xB0..=0xBF) => in_opcode(opcode),
        opcode if has_modrm(opcode) => in_modrm(next()),
        _ => (Reg::Eax, Reg::Eax),
    }
}

/// Tells whether a one-byte opcode is followed by `ModRM` (SDM Vol. 2, "One-Byte Opcode Map").
const fn has_modrm(opcode: u8) -> bool {
    match opcode {
        0x00..=0x3F => opcode & 7 < 4,
        0x62
        | 0x63
        | 0x69
        | 0x6B
        | 0x80..=0x8F
        | 0xC0
        | 0xC1
        | 0xC4..=0xC7
        | 0xD0..=0xD3
        | 0xD8..=0xDF
        | 0xF6
        | 0xF7
        | 0xFE
        | 0xFF => true,
        _ => false,
    }
}

/// Tells whether a byte is a legacy prefix.
pub(crate) const fn is_prefix(byte: u8) -> bool {
    matches!(
        byte,
        0x26 | 0x2E | 0x36 | 0x3E | 0x64 | 0x65 | 0x66 | 0x67 | 0xF0 | 0xF2 | 0xF3
    )
}

fn register_number(register: Register) -> Reg {
    Reg::from_low_bits(u8::try_from(register.number()).unwrap_or(0))
}

fn address_register(register: Register) -> AddressReg {
    // The index of XLAT is AL, which its handler adds.
    if register == Register::None || register.is_gpr8() {
        AddressReg::None
    } else {
        AddressReg::new(register_number(register))
    }
}

fn segment(register: Register) -> SegmentRegister {
    match register {
        Register::ES => SegmentRegister::Es,
        Register::CS => SegmentRegister::Cs,
        Register::SS => SegmentRegister::Ss,
        Register::FS => SegmentRegister::Fs,
        Register::GS => SegmentRegister::Gs,
        _ => SegmentRegister::Ds,
    }
}
