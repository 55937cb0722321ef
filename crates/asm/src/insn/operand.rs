//! Operands as the form selection sees them.

use iced_x86::Register;

use crate::symbol::SymbolId;

/// A place whose address the linker fills in: symbol plus the number stored in the field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SymbolRef {
    pub(crate) symbol: SymbolId,
    pub(crate) kind: RefKind,
}

/// What the linker stores for a reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RefKind {
    /// The 32-bit address.
    Address,
    /// The distance from the end of the field.
    Relative,
    /// The address relative to the image base.
    ImageRelative,
    /// The low 16 or 8 bits of the address: not expressible in a COFF object.
    Truncated,
}

/// A memory operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Memory {
    pub(crate) base: Option<Register>,
    pub(crate) index: Option<Register>,
    pub(crate) scale: u8,
    pub(crate) displacement: i32,
    pub(crate) symbol: Option<SymbolRef>,
    /// A segment other than the one that the registers imply.
    pub(crate) segment: Option<Register>,
    /// Size in bytes, if the source tells it.
    pub(crate) size: Option<u32>,
}

/// An immediate operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Immediate {
    pub(crate) value: i128,
    pub(crate) symbol: Option<SymbolRef>,
    /// A size that the source gives: `dword ptr 5`.
    pub(crate) size: Option<u32>,
}

/// An operand of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    Register(Register),
    Memory(Memory),
    Immediate(Immediate),
}

impl Operand {
    /// The size in bytes, as far as the operand alone tells it.
    pub(crate) fn size(&self) -> Option<u32> {
        match self {
            Self::Register(register) => u32::try_from(register.size()).ok(),
            Self::Memory(memory) => memory.size,
            Self::Immediate(immediate) => immediate.size,
        }
    }
}
