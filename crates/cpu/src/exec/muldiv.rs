//! MUL, IMUL, DIV, IDIV.

use super::{Rm, immediate};
use crate::alu;
use crate::context::Context;
use crate::exception::{Exception, Stop, Vector};
use crate::flags::Flags;
use crate::op::Op;
use crate::registers::Reg;
use crate::width::Width;

/// A widening multiplication: the halves of the product, low first.
type Multiply<T> = fn(&mut Flags, T, T) -> (T, T);

/// A narrowing division of high:low: quotient and remainder, or nothing for #DE.
type Divide<T> = fn(T, T, T) -> Option<(T, T)>;

/// `MUL r/m`.
#[inline(always)]
pub(crate) fn mul<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    multiply::<T, R>(cx, op, alu::mul)
}

/// `IMUL r/m`.
#[inline(always)]
pub(crate) fn imul<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    multiply::<T, R>(cx, op, alu::imul)
}

#[inline(always)]
fn multiply<T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
    product: Multiply<T>,
) -> Result<(), Stop> {
    let rhs = R::read::<T>(cx, op)?;
    let lhs = cx.reg::<T>(Reg::Eax);
    let (low, high) = product(cx.flags_mut(), lhs, rhs);
    cx.set_reg(Reg::Eax, low);
    cx.set_reg(high_register::<T>(), high);
    Ok(())
}

/// `IMUL r, r/m`.
#[inline(always)]
pub(crate) fn imul_r_rm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let rhs = R::read::<T>(cx, op)?;
    let lhs = cx.reg::<T>(op.reg);
    let (low, _) = alu::imul(cx.flags_mut(), lhs, rhs);
    cx.set_reg(op.reg, low);
    Ok(())
}

/// `IMUL r, r/m, imm`.
#[inline(always)]
pub(crate) fn imul_r_rm_imm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lhs = R::read::<T>(cx, op)?;
    let (low, _) = alu::imul(cx.flags_mut(), lhs, immediate(op));
    cx.set_reg(op.reg, low);
    Ok(())
}

/// `DIV r/m`: the flags, which are undefined, stay.
#[inline(always)]
pub(crate) fn div<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    divide::<T, R>(cx, op, alu::div)
}

/// `IDIV r/m`.
#[inline(always)]
pub(crate) fn idiv<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    divide::<T, R>(cx, op, alu::idiv)
}

#[inline(always)]
fn divide<T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
    quotient: Divide<T>,
) -> Result<(), Stop> {
    let divisor = R::read::<T>(cx, op)?;
    let high = cx.reg::<T>(high_register::<T>());
    let low = cx.reg::<T>(Reg::Eax);
    let (quotient, remainder) =
        quotient(high, low, divisor).ok_or(Exception::fault(Vector::DIVIDE))?;
    cx.set_reg(Reg::Eax, quotient);
    cx.set_reg(high_register::<T>(), remainder);
    Ok(())
}

/// Where the upper half of a double-width operand is: AH for bytes, else DX or EDX.
const fn high_register<T: Width>() -> Reg {
    if T::BITS == u8::BITS {
        Reg::AH
    } else {
        Reg::Edx
    }
}
