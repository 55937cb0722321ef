//! A decoded instruction: the operands in the form in which handlers want them.

use iced_x86::{Code, Instruction, OpCodeOperandKind, OpKind, Register};

use crate::registers::{AddressReg, Reg};
use crate::segment::SegmentRegister;

/// How an effective address becomes a linear one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressMode {
    /// The 32-bit effective address is the linear address.
    Flat,
    /// The effective address goes through the segment, with its checks.
    Segmented,
    /// As `Segmented`, and the effective address has 16 bits.
    Segmented16,
}

/// The repeat prefix of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatPrefix {
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
pub struct Op {
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
    /// Returns the plain data of an instruction that starts `at` bytes into its block.
    pub(crate) fn new(insn: &Instruction, at: u16, before: u8, checks: Checks) -> Self {
        let mut op = Self {
            disp: 0,
            imm: 0,
            at,
            code: insn.code(),
            len: u8::try_from(insn.len()).unwrap_or(u8::MAX),
            before,
            reg: Reg::Eax,
            rm: Reg::Eax,
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
        let info = insn.op_code();
        for index in 0..insn.op_count() {
            match insn.op_kind(index) {
                OpKind::Register => {
                    op.set_register(info.op_kind(index), insn.op_register(index));
                }
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

    fn set_register(&mut self, kind: OpCodeOperandKind, register: Register) {
        use OpCodeOperandKind as Kind;
        let number = register_number(register);
        match kind {
            Kind::r8_reg
            | Kind::r16_reg
            | Kind::r16_reg_mem
            | Kind::r32_reg
            | Kind::r32_reg_mem
            | Kind::mm_reg
            | Kind::xmm_reg
            | Kind::seg_reg
            | Kind::cr_reg
            | Kind::dr_reg
            | Kind::es
            | Kind::cs
            | Kind::ss
            | Kind::ds
            | Kind::fs
            | Kind::gs => self.reg = number,
            Kind::r8_or_mem
            | Kind::r16_or_mem
            | Kind::r32_or_mem
            | Kind::mm_or_mem
            | Kind::xmm_or_mem
            | Kind::r16_rm
            | Kind::r32_rm
            | Kind::mm_rm
            | Kind::xmm_rm
            | Kind::r8_opcode
            | Kind::r16_opcode
            | Kind::r32_opcode
            | Kind::sti_opcode => self.rm = number,
            // Implied registers: the handler knows them.
            _ => {}
        }
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

fn register_number(register: Register) -> Reg {
    let number = if register.is_st() {
        register as usize - Register::ST0 as usize
    } else if register.is_mm() {
        register as usize - Register::MM0 as usize
    } else {
        register.number()
    };
    Reg::from_low_bits(u8::try_from(number).unwrap_or(0))
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
