//! Shifts and rotates.

use pagefault_mmu::Stored;

use super::Rm;
use crate::alu;
use crate::context::Context;
use crate::exception::Stop;
use crate::flags::Flags;
use crate::op::Op;
use crate::registers::Reg;
use crate::width::Width;

/// A shift or rotate. With memory it is a read-modify-write even if the count is zero.
pub(crate) trait Shift {
    fn apply<T: Width>(flags: &mut Flags, value: T, count: u32) -> T;
}

/// A shift that takes bits from a second operand.
pub(crate) trait DoubleShift {
    fn apply<T: Width>(flags: &mut Flags, value: T, from: T, count: u32) -> T;
}

macro_rules! shifts {
    ($($(#[$doc:meta])* $name:ident = $function:path;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Shift for $name {
                #[inline(always)]
                fn apply<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
                    $function(flags, value, count)
                }
            }
        )*
    };
}

shifts! {
    /// ROL.
    Rol = alu::rol;
    /// ROR.
    Ror = alu::ror;
    /// RCL.
    Rcl = alu::rcl;
    /// RCR.
    Rcr = alu::rcr;
    /// SHL, and SAL, which is the same.
    Shl = alu::shl;
    /// SHR.
    Shr = alu::shr;
    /// SAR.
    Sar = alu::sar;
}

/// SHLD.
#[derive(Debug)]
pub(crate) struct Shld;

impl DoubleShift for Shld {
    fn apply<T: Width>(flags: &mut Flags, value: T, from: T, count: u32) -> T {
        alu::shld(flags, value, from, count)
    }
}

/// SHRD.
#[derive(Debug)]
pub(crate) struct Shrd;

impl DoubleShift for Shrd {
    fn apply<T: Width>(flags: &mut Flags, value: T, from: T, count: u32) -> T {
        alu::shrd(flags, value, from, count)
    }
}

/// `shift r/m, imm8`, and the forms that shift by one.
#[inline(always)]
pub(crate) fn rm_imm8<S: Shift, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let count = op.imm;
    R::update::<T>(cx, op, |regs, value| {
        S::apply(&mut regs.flags, value, count)
    })
}

/// `shift r/m, CL`.
#[inline(always)]
pub(crate) fn rm_cl<S: Shift, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let count = u32::from(cx.reg::<u8>(Reg::Ecx));
    R::update::<T>(cx, op, |regs, value| {
        S::apply(&mut regs.flags, value, count)
    })
}

/// `shift r/m, r, imm8`.
pub(crate) fn rm_r_imm8<S: DoubleShift, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let (from, count) = (cx.reg::<T>(op.reg), op.imm);
    R::update::<T>(cx, op, |regs, value| {
        S::apply(&mut regs.flags, value, from, count)
    })
}

/// `shift r/m, r, CL`.
pub(crate) fn rm_r_cl<S: DoubleShift, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let (from, count) = (cx.reg::<T>(op.reg), u32::from(cx.reg::<u8>(Reg::Ecx)));
    R::update::<T>(cx, op, |regs, value| {
        S::apply(&mut regs.flags, value, from, count)
    })
}
