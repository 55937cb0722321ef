//! ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT.

use std::marker::PhantomData;

use pagefault_mmu::Stored;

use super::shift::Shift;
use super::{Rm, immediate};
use crate::alu;
use crate::context::Context;
use crate::exception::Stop;
use crate::flags::Flags;
use crate::op::Op;
use crate::width::Width;

/// An operation that replaces its first operand.
pub(crate) trait Binary {
    fn apply<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T;
}

/// An operation on one operand.
pub(crate) trait Unary {
    fn apply<T: Width>(flags: &mut Flags, value: T) -> T;
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident = $function:path;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Binary for $name {
                #[inline(always)]
                fn apply<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
                    $function(flags, lhs, rhs)
                }
            }
        )*
    };
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident = $function:path;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Unary for $name {
                #[inline(always)]
                fn apply<T: Width>(flags: &mut Flags, value: T) -> T {
                    $function(flags, value)
                }
            }
        )*
    };
}

binary! {
    /// ADD.
    Add = alu::add;
    /// OR.
    Or = alu::or;
    /// ADC.
    Adc = alu::adc;
    /// SBB.
    Sbb = alu::sbb;
    /// AND.
    And = alu::and;
    /// SUB.
    Sub = alu::sub;
    /// XOR.
    Xor = alu::xor;
}

unary! {
    /// INC.
    Inc = alu::inc;
    /// DEC.
    Dec = alu::dec;
    /// NEG.
    Neg = alu::neg;
}

/// NOT, which leaves the flags.
#[derive(Debug)]
pub(crate) struct Not;

impl Unary for Not {
    #[inline(always)]
    fn apply<T: Width>(_: &mut Flags, value: T) -> T {
        alu::not(value)
    }
}

/// An operation without its effect on the flags, for when nobody can see that.
#[derive(Debug)]
pub(crate) struct Quiet<B>(PhantomData<B>);

impl<B: Binary> Binary for Quiet<B> {
    #[inline(always)]
    fn apply<T: Width>(flags: &mut Flags, lhs: T, rhs: T) -> T {
        let mut unseen = *flags;
        B::apply(&mut unseen, lhs, rhs)
    }
}

impl<U: Unary> Unary for Quiet<U> {
    #[inline(always)]
    fn apply<T: Width>(flags: &mut Flags, value: T) -> T {
        let mut unseen = *flags;
        U::apply(&mut unseen, value)
    }
}

impl<S: Shift> Shift for Quiet<S> {
    #[inline(always)]
    fn apply<T: Width>(flags: &mut Flags, value: T, count: u32) -> T {
        let mut unseen = *flags;
        S::apply(&mut unseen, value, count)
    }
}

/// `op r/m, r`.
#[inline(always)]
pub(crate) fn rm_r<B: Binary, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let rhs = cx.reg::<T>(op.reg);
    R::update(cx, op, |regs, lhs| B::apply(&mut regs.flags, lhs, rhs))
}

/// `op r, r/m`.
#[inline(always)]
pub(crate) fn r_rm<B: Binary, T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let rhs = R::read::<T>(cx, op)?;
    let lhs = cx.reg::<T>(op.reg);
    let result = B::apply(cx.flags_mut(), lhs, rhs);
    cx.set_reg(op.reg, result);
    Ok(())
}

/// `op r/m, imm`, also of the accumulator and with a sign-extended immediate.
#[inline(always)]
pub(crate) fn rm_imm<B: Binary, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let rhs = immediate::<T>(op);
    R::update(cx, op, |regs, lhs| B::apply(&mut regs.flags, lhs, rhs))
}

/// `op r/m`.
#[inline(always)]
pub(crate) fn rm<U: Unary, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    R::update::<T>(cx, op, |regs, value| U::apply(&mut regs.flags, value))
}

/// `CMP r/m, r`.
#[inline(always)]
pub(crate) fn cmp_rm_r<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lhs = R::read::<T>(cx, op)?;
    let rhs = cx.reg::<T>(op.reg);
    alu::sub(cx.flags_mut(), lhs, rhs);
    Ok(())
}

/// `CMP r, r/m`.
#[inline(always)]
pub(crate) fn cmp_r_rm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let rhs = R::read::<T>(cx, op)?;
    let lhs = cx.reg::<T>(op.reg);
    alu::sub(cx.flags_mut(), lhs, rhs);
    Ok(())
}

/// `CMP r/m, imm`.
#[inline(always)]
pub(crate) fn cmp_rm_imm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lhs = R::read::<T>(cx, op)?;
    alu::sub(cx.flags_mut(), lhs, immediate(op));
    Ok(())
}

/// `TEST r/m, r`.
#[inline(always)]
pub(crate) fn test_rm_r<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lhs = R::read::<T>(cx, op)?;
    let rhs = cx.reg::<T>(op.reg);
    alu::and(cx.flags_mut(), lhs, rhs);
    Ok(())
}

/// `TEST r/m, imm`.
#[inline(always)]
pub(crate) fn test_rm_imm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lhs = R::read::<T>(cx, op)?;
    alu::and(cx.flags_mut(), lhs, immediate(op));
    Ok(())
}
