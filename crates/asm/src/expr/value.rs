//! What an expression stands for.

use iced_x86::Register;

use crate::insn::operand::RefKind;
use crate::symbol::{Shape, SymbolId};
use crate::types::Type;

/// A jump distance that the source asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Distance {
    Short,
    Near,
    Far,
}

/// A register of an address with its factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scaled {
    pub(crate) register: Register,
    pub(crate) scale: i128,
    pub(crate) is_explicit: bool,
    /// EBP that a local variable brings with it: always the base.
    pub(crate) is_frame: bool,
}

/// The value of an expression.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a separate fact about the operand"
)]
#[derive(Clone, Debug, Default)]
pub(crate) struct Value {
    /// The constant part.
    pub(crate) number: i128,
    /// The relocatable part.
    pub(crate) symbol: Option<SymbolId>,
    /// Registers of an address, in the order written.
    pub(crate) registers: [Option<Scaled>; 2],
    /// A register as such, not as part of an address.
    pub(crate) register: Option<Register>,
    /// The type of the datum, or the type itself.
    pub(crate) ty: Option<Type>,
    /// Whether `ptr` gave the type.
    pub(crate) is_cast: bool,
    /// The type that ASSUME gives the base register's target.
    pub(crate) assumed: Option<Type>,
    /// Whether the value names memory rather than a number.
    pub(crate) is_memory: bool,
    /// Whether it was written in square brackets.
    pub(crate) in_brackets: bool,
    /// Whether OFFSET was applied: an address as a number.
    pub(crate) is_offset: bool,
    /// Whether it is a type.
    pub(crate) is_type: bool,
    pub(crate) segment: Option<Register>,
    pub(crate) distance: Option<Distance>,
    /// The shape of the datum, for `sizeof` and `lengthof`.
    pub(crate) shape: Option<Shape>,
    /// The token of a string that is the whole value.
    pub(crate) string: Option<usize>,
    /// The token of a real number that is the whole value.
    pub(crate) real: Option<RealToken>,
    /// Whether a symbol that is not defined so far takes part.
    pub(crate) is_forward: bool,
    /// What the linker stores for the symbol.
    pub(crate) ref_kind: Option<RefKind>,
    /// Whether the value is a bit field of a record.
    pub(crate) bit_field: Option<(crate::types::RecordId, u32)>,
}

/// A real number in the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RealToken {
    pub(crate) token: usize,
    pub(crate) is_negative: bool,
}

impl Value {
    pub(crate) fn number(number: i128) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Whether registers take part in the address.
    pub(crate) fn has_registers(&self) -> bool {
        self.registers.iter().any(Option::is_some)
    }

    /// Whether the value is a plain number.
    pub(crate) fn is_constant(&self) -> bool {
        self.symbol.is_none()
            && self.register.is_none()
            && !self.has_registers()
            && self.real.is_none()
            && self.segment.is_none()
    }

    /// The number, if the value is plain.
    pub(crate) fn constant(&self) -> Option<i128> {
        self.is_constant().then_some(self.number)
    }

    /// The type that decides about sizes: the cast, the datum's, or the assumed one.
    pub(crate) fn effective_type(&self) -> Option<Type> {
        self.ty.or(self.assumed)
    }
}
