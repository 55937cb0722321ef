//! The exception codes of Windows.

use std::fmt;

use pagefault_cpu::{Exception, Fpu, Vector};

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
    /// `STATUS_INVALID_PARAMETER`
    pub const INVALID_PARAMETER: Self = Self(0xC000_000D);
    /// `STATUS_ILLEGAL_INSTRUCTION`
    pub const ILLEGAL_INSTRUCTION: Self = Self(0xC000_001D);
    /// `STATUS_ARRAY_BOUNDS_EXCEEDED`
    pub const ARRAY_BOUNDS_EXCEEDED: Self = Self(0xC000_008C);
    /// `STATUS_FLOAT_DENORMAL_OPERAND`
    pub const FLOAT_DENORMAL_OPERAND: Self = Self(0xC000_008D);
    /// `STATUS_FLOAT_DIVIDE_BY_ZERO`
    pub const FLOAT_DIVIDE_BY_ZERO: Self = Self(0xC000_008E);
    /// `STATUS_FLOAT_INEXACT_RESULT`
    pub const FLOAT_INEXACT_RESULT: Self = Self(0xC000_008F);
    /// `STATUS_FLOAT_OVERFLOW`
    pub const FLOAT_OVERFLOW: Self = Self(0xC000_0091);
    /// `STATUS_FLOAT_STACK_CHECK`
    pub const FLOAT_STACK_CHECK: Self = Self(0xC000_0092);
    /// `STATUS_FLOAT_UNDERFLOW`
    pub const FLOAT_UNDERFLOW: Self = Self(0xC000_0093);
    /// `STATUS_FLOAT_MULTIPLE_TRAPS`
    pub const FLOAT_MULTIPLE_TRAPS: Self = Self(0xC000_02B5);
    /// `STATUS_NONCONTINUABLE_EXCEPTION`
    pub const NONCONTINUABLE_EXCEPTION: Self = Self(0xC000_0025);
    /// `STATUS_INVALID_DISPOSITION`
    pub const INVALID_DISPOSITION: Self = Self(0xC000_0026);
    /// `STATUS_UNWIND`
    pub const UNWIND: Self = Self(0xC000_0027);
    /// `STATUS_BAD_STACK`
    pub const BAD_STACK: Self = Self(0xC000_0028);
    /// `STATUS_INVALID_UNWIND_TARGET`
    pub const INVALID_UNWIND_TARGET: Self = Self(0xC000_0029);
    /// `STATUS_STACK_BUFFER_OVERRUN`
    pub const STACK_BUFFER_OVERRUN: Self = Self(0xC000_0409);
    /// `STATUS_ASSERTION_FAILURE`
    pub const ASSERTION_FAILURE: Self = Self(0xC000_0420);
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
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::GUARD_PAGE_VIOLATION, "guard page violation"),
        (Self::DATATYPE_MISALIGNMENT, "datatype misalignment"),
        (Self::BREAKPOINT, "breakpoint"),
        (Self::SINGLE_STEP, "single step"),
        (Self::ACCESS_VIOLATION, "access violation"),
        (Self::IN_PAGE_ERROR, "in-page error"),
        (Self::INVALID_PARAMETER, "invalid parameter"),
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
        (Self::FLOAT_MULTIPLE_TRAPS, "SIMD floating-point exception"),
        (
            Self::FLOAT_DENORMAL_OPERAND,
            "floating-point denormal operand",
        ),
        (Self::FLOAT_DIVIDE_BY_ZERO, "floating-point divide by zero"),
        (Self::FLOAT_INEXACT_RESULT, "floating-point inexact result"),
        (Self::FLOAT_OVERFLOW, "floating-point overflow"),
        (Self::FLOAT_STACK_CHECK, "floating-point stack check"),
        (Self::FLOAT_UNDERFLOW, "floating-point underflow"),
        (Self::NONCONTINUABLE_EXCEPTION, "noncontinuable exception"),
        (Self::INVALID_DISPOSITION, "invalid disposition"),
        (Self::UNWIND, "unwind without a target"),
        (Self::BAD_STACK, "bad stack"),
        (Self::INVALID_UNWIND_TARGET, "invalid unwind target"),
        (Self::STACK_BUFFER_OVERRUN, "fast fail"),
        (Self::ASSERTION_FAILURE, "assertion failure"),
    ];

    /// Returns the status with this code.
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// Returns the code as a number.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns the code's name in words.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(status, _)| *status == self);
        named.map_or("exception", |(_, name)| name)
    }

    /// Returns the code of an unmasked x87 exception, the first one in Windows' order.
    pub(crate) fn of_x87(fpu: &Fpu) -> Self {
        /// SF of the status word: the stack was full or empty.
        const STACK_FAULT: u16 = 1 << 6;
        /// The bits of IE, ZE, DE, OE, UE and PE in the status word.
        const CODES: [(u16, Status); 6] = [
            (1 << 0, Status::FLOAT_INVALID_OPERATION),
            (1 << 2, Status::FLOAT_DIVIDE_BY_ZERO),
            (1 << 1, Status::FLOAT_DENORMAL_OPERAND),
            (1 << 3, Status::FLOAT_OVERFLOW),
            (1 << 4, Status::FLOAT_UNDERFLOW),
            (1 << 5, Status::FLOAT_INEXACT_RESULT),
        ];
        let unmasked = fpu.status() & !fpu.control();
        let code = CODES.iter().find(|(bit, _)| unmasked & bit != 0);
        match code.map(|&(_, status)| status) {
            Some(Self::FLOAT_INVALID_OPERATION) if fpu.status() & STACK_FAULT != 0 => {
                Self::FLOAT_STACK_CHECK
            }
            Some(status) => status,
            None => Self::FLOAT_INVALID_OPERATION,
        }
    }

    /// Returns the code of an unmasked SIMD exception: one of an operand, or one of a result.
    pub(crate) fn of_simd(mxcsr: u32) -> Self {
        /// IE, DE and ZE of MXCSR, which are found before the operation.
        const FAULTS: u32 = 0b111;
        /// Where the masks are.
        const MASK_SHIFT: u32 = 7;
        if mxcsr & !(mxcsr >> MASK_SHIFT) & FAULTS != 0 {
            Self::FLOAT_MULTIPLE_FAULTS
        } else {
            Self::FLOAT_MULTIPLE_TRAPS
        }
    }

    /// Returns the code that Windows gives a processor exception that is neither a page fault nor
    /// one of floating point.
    pub(crate) fn of(exception: &Exception, instruction: Privilege) -> Self {
        match exception.vector {
            Vector::DIVIDE => Self::INTEGER_DIVIDE_BY_ZERO,
            Vector::DEBUG => Self::SINGLE_STEP,
            Vector::BREAKPOINT => Self::BREAKPOINT,
            Vector::OVERFLOW => Self::INTEGER_OVERFLOW,
            Vector::BOUND_RANGE => Self::ARRAY_BOUNDS_EXCEEDED,
            Vector::INVALID_OPCODE => Self::ILLEGAL_INSTRUCTION,
            Vector::ALIGNMENT => Self::DATATYPE_MISALIGNMENT,
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
