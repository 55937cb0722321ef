//! The exception codes of Windows.

use std::fmt;

use pagefault_cpu::{Exception, Vector};

/// An exception code (NTSTATUS).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(u32);

impl Status {
    /// `STATUS_GUARD_PAGE_VIOLATION`
    pub const GUARD_PAGE_VIOLATION: Self = Self(0x8000_0001);
    /// `STATUS_DATATYPE_MISALIGNMENT`
    pub const DATATYPE_MISALIGNMENT: Self = Self(0x8000_0002);
    /// `STATUS_BREAKPOINT`
    pub const BREAKPOINT: Self = Self(0x8000_0003);
    /// `STATUS_SINGLE_STEP`
    pub const SINGLE_STEP: Self = Self(0x8000_0004);
    /// `STATUS_ACCESS_VIOLATION`
    pub const ACCESS_VIOLATION: Self = Self(0xC000_0005);
    /// `STATUS_IN_PAGE_ERROR`
    pub const IN_PAGE_ERROR: Self = Self(0xC000_0006);
    /// `STATUS_ILLEGAL_INSTRUCTION`
    pub const ILLEGAL_INSTRUCTION: Self = Self(0xC000_001D);
    /// `STATUS_ARRAY_BOUNDS_EXCEEDED`
    pub const ARRAY_BOUNDS_EXCEEDED: Self = Self(0xC000_008C);
    /// `STATUS_FLOAT_INVALID_OPERATION`
    pub const FLOAT_INVALID_OPERATION: Self = Self(0xC000_0090);
    /// `STATUS_INTEGER_DIVIDE_BY_ZERO`
    pub const INTEGER_DIVIDE_BY_ZERO: Self = Self(0xC000_0094);
    /// `STATUS_INTEGER_OVERFLOW`
    pub const INTEGER_OVERFLOW: Self = Self(0xC000_0095);
    /// `STATUS_PRIVILEGED_INSTRUCTION`
    pub const PRIVILEGED_INSTRUCTION: Self = Self(0xC000_0096);
    /// `STATUS_STACK_OVERFLOW`
    pub const STACK_OVERFLOW: Self = Self(0xC000_00FD);
    /// `STATUS_FLOAT_MULTIPLE_FAULTS`
    pub const FLOAT_MULTIPLE_FAULTS: Self = Self(0xC000_02B4);

    /// The codes with their names, without `STATUS_`.
    const NAMES: [(Self, &'static str); 14] = [
        (Self::GUARD_PAGE_VIOLATION, "guard page violation"),
        (Self::DATATYPE_MISALIGNMENT, "datatype misalignment"),
        (Self::BREAKPOINT, "breakpoint"),
        (Self::SINGLE_STEP, "single step"),
        (Self::ACCESS_VIOLATION, "access violation"),
        (Self::IN_PAGE_ERROR, "in-page error"),
        (Self::ILLEGAL_INSTRUCTION, "illegal instruction"),
        (Self::ARRAY_BOUNDS_EXCEEDED, "array bounds exceeded"),
        (
            Self::FLOAT_INVALID_OPERATION,
            "floating-point invalid operation",
        ),
        (Self::INTEGER_DIVIDE_BY_ZERO, "integer divide by zero"),
        (Self::INTEGER_OVERFLOW, "integer overflow"),
        (Self::PRIVILEGED_INSTRUCTION, "privileged instruction"),
        (Self::STACK_OVERFLOW, "stack overflow"),
        (Self::FLOAT_MULTIPLE_FAULTS, "SIMD floating-point exception"),
    ];

    /// Returns the code as a number.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the code's name in words.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(status, _)| *status == self);
        named.map_or("exception", |(_, name)| name)
    }

    /// Returns the code that Windows gives a processor exception other than a page fault.
    pub(crate) fn of(exception: &Exception, instruction: Privilege) -> Self {
        match exception.vector {
            Vector::DIVIDE => Self::INTEGER_DIVIDE_BY_ZERO,
            Vector::DEBUG => Self::SINGLE_STEP,
            Vector::BREAKPOINT => Self::BREAKPOINT,
            Vector::OVERFLOW => Self::INTEGER_OVERFLOW,
            Vector::BOUND_RANGE => Self::ARRAY_BOUNDS_EXCEEDED,
            Vector::INVALID_OPCODE => Self::ILLEGAL_INSTRUCTION,
            Vector::X87 => Self::FLOAT_INVALID_OPERATION,
            Vector::ALIGNMENT => Self::DATATYPE_MISALIGNMENT,
            Vector::SIMD => Self::FLOAT_MULTIPLE_FAULTS,
            _ if instruction == Privilege::Needed => Self::PRIVILEGED_INSTRUCTION,
            _ => Self::ACCESS_VIOLATION,
        }
    }
}

/// Whether the instruction that raised #GP is one for ring 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    Needed,
    NotNeeded,
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({:#010X})", self.0)
    }
}
