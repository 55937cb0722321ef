//! Exceptions, and the reasons for which a run ends.

use std::fmt;

use iced_x86::Code;
use pagefault_mmu::{AccessKind, LinearAddr, PageFault};

/// An exception or interrupt vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vector(u8);

impl Vector {
    /// #DE: division by zero, or a quotient that does not fit.
    pub const DIVIDE: Self = Self(0);
    /// #DB: single step, or INT1.
    pub const DEBUG: Self = Self(1);
    /// #BP: INT3.
    pub const BREAKPOINT: Self = Self(3);
    /// #OF: INTO.
    pub const OVERFLOW: Self = Self(4);
    /// #BR: BOUND.
    pub const BOUND_RANGE: Self = Self(5);
    /// #UD: an encoding that is not an instruction.
    pub const INVALID_OPCODE: Self = Self(6);
    /// #SS: beyond the stack segment.
    pub const STACK: Self = Self(12);
    /// #GP: everything that protection forbids and that has no vector of its own.
    pub const GENERAL_PROTECTION: Self = Self(13);
    /// #PF: a page fault.
    pub const PAGE: Self = Self(14);
    /// #MF: an unmasked x87 exception, reported by the next waiting instruction.
    pub const X87: Self = Self(16);
    /// #AC: a misaligned access with the check on.
    pub const ALIGNMENT: Self = Self(17);
    /// #XM: an unmasked SIMD floating-point exception.
    pub const SIMD: Self = Self(19);

    /// Returns the vector with this number.
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Where EIP points after an exception (SDM Vol. 3A, "Exception Classifications").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// At the instruction, which has had no effect and can restart.
    Fault,
    /// Behind the instruction, which has completed.
    Trap,
}

/// An exception as the processor raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// Its vector.
    pub vector: Vector,
    /// The error code; zero for a vector that has none.
    pub error_code: u32,
    /// The page fault, for vector 14.
    pub page_fault: Option<PageFault>,
    /// Whether the instruction can restart.
    pub class: Class,
}

impl Exception {
    /// Returns a fault without an error code, or with error code zero.
    pub(crate) const fn fault(vector: Vector) -> Self {
        Self::with_code(vector, 0)
    }

    /// Returns a fault with an error code.
    pub(crate) const fn with_code(vector: Vector, error_code: u32) -> Self {
        Self {
            vector,
            error_code,
            page_fault: None,
            class: Class::Fault,
        }
    }

    /// Returns a trap.
    pub(crate) const fn trap(vector: Vector) -> Self {
        Self {
            vector,
            error_code: 0,
            page_fault: None,
            class: Class::Trap,
        }
    }
}

impl From<PageFault> for Exception {
    fn from(fault: PageFault) -> Self {
        Self {
            vector: Vector::PAGE,
            error_code: fault.error_code(),
            page_fault: Some(fault),
            class: Class::Fault,
        }
    }
}

/// An instruction that decodes and that this interpreter does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnsupportedInstruction {
    /// Where it is.
    pub addr: LinearAddr,
    /// The instruction form; its debug text is the name.
    pub code: Code,
    pub(crate) bytes: [u8; MAX_INSTRUCTION_BYTES],
    pub(crate) len: u8,
}

/// The longest instruction that the processor takes, in bytes.
pub const MAX_INSTRUCTION_BYTES: usize = 15;

impl UnsupportedInstruction {
    /// Returns the bytes of the instruction.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.len))
            .unwrap_or(&self.bytes)
    }
}

impl fmt::Debug for UnsupportedInstruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsupportedInstruction")
            .field("addr", &self.addr)
            .field("code", &self.code)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for UnsupportedInstruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instruction {:?} at {:#010x} is not supported:",
            self.code,
            self.addr.bits()
        )?;
        for byte in self.bytes() {
            write!(f, " {byte:02X}")?;
        }
        Ok(())
    }
}

/// Why a run ended. EIP and all other registers are exact in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The processor raised an exception that the host must deliver.
    Exception {
        /// The exception.
        exception: Exception,
        /// EIP of the instruction that raised it, also where EIP is behind it.
        at: u32,
    },
    /// Control reached the host-call range; EIP is that address and nothing there was executed.
    HostCall {
        /// The address.
        addr: LinearAddr,
    },
    /// Control reached a breakpoint; the instruction there has not been executed.
    Breakpoint {
        /// The address.
        addr: LinearAddr,
    },
    /// An instruction has touched a watchpoint. It has completed, but for a repeated one, of which
    /// an iteration has.
    Watchpoint {
        /// The first byte of the access, which may lie before the watchpoint.
        addr: LinearAddr,
        /// Its size in bytes.
        size_bytes: u32,
        /// What it was; a read-modify-write is a write.
        kind: AccessKind,
        /// EIP of the instruction.
        at: u32,
    },
    /// The instructions that the caller allowed have been executed.
    Budget,
    /// An instruction that is not implemented; it has had no effect.
    Unsupported(UnsupportedInstruction),
}

/// Why a handler did not complete its instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It raised an exception.
    Exception(Exception),
    /// An access was refused, and the MMU has the page fault: it stays there until the run ends.
    PageFault,
    /// There is no such handler.
    Unsupported,
    /// A repeated instruction did one iteration and has more to do: single step.
    Repeat,
    /// It needs more than hits in the TLB, and has done nothing yet.
    Again,
}

impl From<Exception> for Stop {
    fn from(exception: Exception) -> Self {
        Self::Exception(exception)
    }
}

impl From<PageFault> for Stop {
    #[inline(always)]
    fn from(_: PageFault) -> Self {
        Self::PageFault
    }
}

/// Returns #UD as the result of a handler.
#[cold]
pub(crate) fn invalid_opcode() -> Stop {
    Exception::fault(Vector::INVALID_OPCODE).into()
}

/// Returns #GP(0) as the result of a handler.
#[cold]
pub(crate) fn general_protection() -> Stop {
    Exception::fault(Vector::GENERAL_PROTECTION).into()
}
