//! What each instruction does. Handlers are named after the forms of their operands; the
//! instructions of one form and width share a generic.

#![expect(
    clippy::unnecessary_wraps,
    reason = "handlers share one signature, whether or not they can fail"
)]

use pagefault_mmu::{Stored, Word};

use crate::context::Context;
use crate::exception::Stop;
use crate::op::Op;
use crate::registers::Registers;
use crate::width::Width;

pub(crate) mod alu;
pub(crate) mod bcd;
pub(crate) mod bits;
pub(crate) mod control;
pub(crate) mod mov;
pub(crate) mod muldiv;
pub(crate) mod packed;
pub(crate) mod segment;
pub(crate) mod shift;
pub(crate) mod simd;
pub(crate) mod sse;
pub(crate) mod stack;
pub(crate) mod string;
pub(crate) mod supervisor;
pub(crate) mod system;
pub(crate) mod x87;
pub(crate) mod x87_functions;
pub(crate) mod x87_parts;
pub(crate) mod x87_state;

/// The operand that ModRM.rm names: a register or memory.
pub(crate) trait Rm {
    /// Reads it.
    fn read<T: Width>(cx: &mut impl Context, op: &Op) -> Result<T, Stop>;

    /// Writes it.
    fn write<T: Width>(cx: &mut impl Context, op: &Op, value: T) -> Result<Stored, Stop>;

    /// Replaces it; `f` runs only when nothing can fail any more.
    fn update<T: Width>(
        cx: &mut impl Context,
        op: &Op,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop>;
}

/// ModRM.mod = 3: a register.
#[derive(Debug)]
pub(crate) struct InReg;

/// ModRM.mod < 3: memory.
#[derive(Debug)]
pub(crate) struct InMem;

impl Rm for InReg {
    #[inline(always)]
    fn read<T: Width>(cx: &mut impl Context, op: &Op) -> Result<T, Stop> {
        Ok(cx.reg(op.rm))
    }

    #[inline(always)]
    fn write<T: Width>(cx: &mut impl Context, op: &Op, value: T) -> Result<Stored, Stop> {
        cx.set_reg(op.rm, value);
        Ok(Stored::Plain)
    }

    #[inline(always)]
    fn update<T: Width>(
        cx: &mut impl Context,
        op: &Op,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop> {
        let value = cx.reg(op.rm);
        let value = f(&mut cx.state_mut().regs, value);
        cx.set_reg(op.rm, value);
        Ok(Stored::Plain)
    }
}

impl Rm for InMem {
    #[inline(always)]
    fn read<T: Width>(cx: &mut impl Context, op: &Op) -> Result<T, Stop> {
        cx.load(op)
    }

    #[inline(always)]
    fn write<T: Width>(cx: &mut impl Context, op: &Op, value: T) -> Result<Stored, Stop> {
        cx.store(op, value)
    }

    #[inline(always)]
    fn update<T: Width>(
        cx: &mut impl Context,
        op: &Op,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop> {
        cx.update(op, f)
    }
}

/// What a handler says about having written memory.
pub(crate) trait Done {
    /// Tells whether a store may have changed decoded code.
    fn has_stored_code(self) -> bool;
}

impl Done for () {
    #[inline(always)]
    fn has_stored_code(self) -> bool {
        false
    }
}

impl Done for Stored {
    #[inline(always)]
    fn has_stored_code(self) -> bool {
        self == Stored::Tracked
    }
}

/// Returns the stronger of two answers of stores.
pub(crate) fn either(first: Stored, second: Stored) -> Stored {
    if first == Stored::Tracked {
        first
    } else {
        second
    }
}

/// Returns the immediate operand at the width of the operation.
#[inline(always)]
pub(crate) fn immediate<T: Width>(op: &Op) -> T {
    T::truncate(op.imm)
}

/// Number of bytes of a word, to step over it.
pub(crate) const fn size_of<T: Word>() -> u32 {
    T::SIZE
}
