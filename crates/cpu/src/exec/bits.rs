//! Bit tests, bit scans, bit counts.

use pagefault_mmu::{AccessKind, Stored};

use super::{Rm, size_of};
use crate::context::Context;
use crate::exception::Stop;
use crate::flags::Flags;
use crate::op::Op;
use crate::width::Width;

/// What a bit test does with the bit afterwards.
pub(crate) trait BitChange {
    fn apply(value: u32, bit: u32) -> u32;
}

/// BTS.
#[derive(Debug)]
pub(crate) struct Set;

/// BTR.
#[derive(Debug)]
pub(crate) struct Reset;

/// BTC.
#[derive(Debug)]
pub(crate) struct Complement;

impl BitChange for Set {
    fn apply(value: u32, bit: u32) -> u32 {
        value | bit
    }
}

impl BitChange for Reset {
    fn apply(value: u32, bit: u32) -> u32 {
        value & !bit
    }
}

impl BitChange for Complement {
    fn apply(value: u32, bit: u32) -> u32 {
        value ^ bit
    }
}

/// `BT r, r` and `BT r/m, imm8`: the offset stays in the operand.
pub(crate) fn bt_imm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::read::<T>(cx, op)?;
    test_bit(cx.flags_mut(), value, op.imm);
    Ok(())
}

/// `BT r, r`.
pub(crate) fn bt_r_r<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::read::<T>(cx, op)?;
    let offset = cx.reg::<T>(op.reg).zero_extend();
    test_bit(cx.flags_mut(), value, offset);
    Ok(())
}

/// `BT m, r`: the signed offset reaches beyond the operand.
pub(crate) fn bt_m_r<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let offset = cx.reg::<T>(op.reg);
    let addr =
        cx.state()
            .linear_displaced(op, byte_distance(offset), size_of::<T>(), AccessKind::Read)?;
    let value = cx.read::<T>(addr)?;
    test_bit(cx.flags_mut(), value, offset.zero_extend());
    Ok(())
}

/// BTS, BTR, BTC with an immediate offset.
pub(crate) fn change_imm<B: BitChange, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let offset = op.imm;
    R::update::<T>(cx, op, |regs, value| {
        change_bit::<B, T>(&mut regs.flags, value, offset)
    })
}

/// BTS, BTR, BTC of a register by a register.
pub(crate) fn change_r_r<B: BitChange, T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let offset = cx.reg::<T>(op.reg).zero_extend();
    R::update::<T>(cx, op, |regs, value| {
        change_bit::<B, T>(&mut regs.flags, value, offset)
    })
}

/// BTS, BTR, BTC of memory by a register.
pub(crate) fn change_m_r<B: BitChange, T: Width>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let offset = cx.reg::<T>(op.reg);
    let distance = byte_distance(offset);
    let addr = cx
        .state()
        .linear_displaced(op, distance, size_of::<T>(), AccessKind::Write)?;
    cx.modify::<T>(addr, |regs, value| {
        change_bit::<B, T>(&mut regs.flags, value, offset.zero_extend())
    })
}

/// Distance in bytes from the operand to the unit of its size that holds the bit.
fn byte_distance<T: Width>(offset: T) -> u32 {
    let units = offset.sign_extend().cast_signed() >> T::BITS.trailing_zeros();
    units.cast_unsigned().wrapping_mul(size_of::<T>())
}

fn test_bit<T: Width>(flags: &mut Flags, value: T, offset: u32) {
    flags.set_cf(value.zero_extend() >> (offset % T::BITS) & 1 != 0);
}

fn change_bit<B: BitChange, T: Width>(flags: &mut Flags, value: T, offset: u32) -> T {
    test_bit(flags, value, offset);
    T::truncate(B::apply(value.zero_extend(), 1 << (offset % T::BITS)))
}

/// BSF: a source of zero leaves the destination.
pub(crate) fn bsf<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    scan::<T, R>(cx, op, u32::trailing_zeros)
}

/// BSR.
pub(crate) fn bsr<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    scan::<T, R>(cx, op, u32::ilog2)
}

fn scan<T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
    position: fn(u32) -> u32,
) -> Result<(), Stop> {
    let value = R::read::<T>(cx, op)?.zero_extend();
    cx.flags_mut().set_logic(T::truncate(value));
    if value != 0 {
        cx.set_reg(op.reg, T::truncate(position(value)));
    }
    Ok(())
}

/// TZCNT.
pub(crate) fn tzcnt<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    count_zeros::<T, R>(cx, op, |value| value.trailing_zeros().min(T::BITS))
}

/// LZCNT.
pub(crate) fn lzcnt<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    count_zeros::<T, R>(cx, op, |value| {
        value.leading_zeros() - (u32::BITS - T::BITS)
    })
}

fn count_zeros<T: Width, R: Rm>(
    cx: &mut impl Context,
    op: &Op,
    count: impl Fn(u32) -> u32,
) -> Result<(), Stop> {
    let value = R::read::<T>(cx, op)?.zero_extend();
    let zeros = T::truncate(count(value));
    cx.flags_mut().set_result(zeros, value == 0, false);
    cx.set_reg(op.reg, zeros);
    Ok(())
}

/// POPCNT: ZF tells of a zero source, the other status flags are clear.
pub(crate) fn popcnt<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    use crate::flags::Eflags;

    let value = R::read::<T>(cx, op)?.zero_extend();
    let status = if value == 0 {
        Eflags::ZERO
    } else {
        Eflags::empty()
    };
    cx.flags_mut().set_status(status);
    cx.set_reg(op.reg, T::truncate(value.count_ones()));
    Ok(())
}
