//! MOV and its relatives: loads, stores, extensions, exchanges, conditional moves.

use pagefault_mmu::{AccessKind, Stored, Word};

use super::{Rm, immediate};
use crate::alu;
use crate::context::Context;
use crate::exception::Stop;
use crate::flags::Condition;
use crate::op::{AddressMode, Op};
use crate::registers::Reg;
use crate::width::Width;

/// `MOV r/m, r`; also MOVNTI.
#[inline(always)]
pub(crate) fn rm_r<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = cx.reg::<T>(op.reg);
    R::write(cx, op, value)
}

/// `MOV r, r/m`; also MOV of the accumulator from an absolute address.
#[inline(always)]
pub(crate) fn r_rm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::read::<T>(cx, op)?;
    cx.set_reg(op.reg, value);
    Ok(())
}

/// `MOV r/m, imm`.
#[inline(always)]
pub(crate) fn rm_imm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    R::write(cx, op, immediate::<T>(op))
}

/// MOVZX from `F` to `T`.
#[inline(always)]
pub(crate) fn movzx<T: Width, F: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::read::<F>(cx, op)?;
    cx.set_reg(op.reg, T::truncate(value.zero_extend()));
    Ok(())
}

/// MOVSX from `F` to `T`.
#[inline(always)]
pub(crate) fn movsx<T: Width, F: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::read::<F>(cx, op)?;
    cx.set_reg(op.reg, T::truncate(value.sign_extend()));
    Ok(())
}

/// `LEA r16, m`, and `LEA r32, m` with a segment or a 16-bit address: no access, no check.
pub(crate) fn lea<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let address = cx.state().wrapped_address(op);
    cx.set_reg(op.reg, T::truncate(address));
    Ok(())
}

/// `LEA r32, m` with a 32-bit address.
#[inline(always)]
pub(crate) fn lea_r32_m(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    if op.mode != AddressMode::Flat {
        return lea::<u32>(cx, op);
    }
    let address = cx.state().effective_address(op);
    cx.set_reg(op.reg, address);
    Ok(())
}

/// XCHG: with memory one locked read-modify-write.
#[inline(always)]
pub(crate) fn xchg<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let reg = op.reg;
    R::update::<T>(cx, op, |regs, old| {
        let new = T::get(&regs.gprs, reg);
        T::set(&mut regs.gprs, reg, old);
        new
    })
}

/// XADD: the register gets the old value, then the operand the sum, which wins if they are one.
pub(crate) fn xadd<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let reg = op.reg;
    R::update::<T>(cx, op, |regs, old| {
        let sum = alu::add(&mut regs.flags, old, T::get(&regs.gprs, reg));
        T::set(&mut regs.gprs, reg, old);
        sum
    })
}

/// CMPXCHG: the operand is written in any case, with its old value on a mismatch.
pub(crate) fn cmpxchg<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let reg = op.reg;
    R::update::<T>(cx, op, |regs, old| {
        let new = T::get(&regs.gprs, reg);
        let expected = T::get(&regs.gprs, Reg::Eax);
        alu::sub(&mut regs.flags, expected, old);
        if expected == old {
            return new;
        }
        T::set(&mut regs.gprs, Reg::Eax, old);
        old
    })
}

/// CMPXCHG8B: EDX:EAX against memory, ECX:EBX in its place. Only ZF changes.
pub(crate) fn cmpxchg8b_m64(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    cx.update::<u64>(op, |regs, old| {
        let pair = |high, low| u64::from(regs.gpr(high)) << u32::BITS | u64::from(regs.gpr(low));
        let (expected, new) = (pair(Reg::Edx, Reg::Eax), pair(Reg::Ecx, Reg::Ebx));
        regs.flags.set_zf(expected == old);
        if expected == old {
            return new;
        }
        regs.set_gpr(Reg::Eax, alu::low(old));
        regs.set_gpr(Reg::Edx, alu::low(old >> u32::BITS));
        old
    })
}

/// BSWAP; on 16 bits, which is undefined, processors give zero.
pub(crate) fn bswap_r32(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = cx.reg::<u32>(op.rm);
    cx.set_reg(op.rm, value.swap_bytes());
    Ok(())
}

/// `BSWAP r16`.
pub(crate) fn bswap_r16(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    cx.set_reg(op.rm, 0_u16);
    Ok(())
}

/// `MOVBE r, m`.
pub(crate) fn movbe_r_m<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = cx.load::<T>(op)?;
    cx.set_reg(op.reg, swap_bytes(value));
    Ok(())
}

/// `MOVBE m, r`.
pub(crate) fn movbe_m_r<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = cx.reg::<T>(op.reg);
    cx.store(op, swap_bytes(value))
}

fn swap_bytes<T: Width>(value: T) -> T {
    T::truncate(value.zero_extend().swap_bytes() >> (u32::BITS - T::BITS))
}

/// `CMOVcc`: the operand is read whether or not the condition holds.
#[inline(always)]
pub(crate) fn cmovcc<T: Width, R: Rm, const CODE: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let value = R::read::<T>(cx, op)?;
    if cx.flags().holds(Condition::of::<CODE>()) {
        cx.set_reg(op.reg, value);
    }
    Ok(())
}

/// `SETcc`.
#[inline(always)]
pub(crate) fn setcc<R: Rm, const CODE: u8>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = u8::from(cx.flags().holds(Condition::of::<CODE>()));
    R::write(cx, op, value)
}

/// CBW.
pub(crate) fn cbw(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let value = cx.reg::<u8>(Reg::Eax);
    cx.set_reg(Reg::Eax, u16::truncate(value.sign_extend()));
    Ok(())
}

/// CWDE.
pub(crate) fn cwde(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let value = cx.reg::<u16>(Reg::Eax);
    cx.set_reg(Reg::Eax, value.sign_extend());
    Ok(())
}

/// CWD and CDQ: the sign of the accumulator fills the data register.
pub(crate) fn cwd<T: Width>(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let fill = if cx.reg::<T>(Reg::Eax).is_negative() {
        T::MASK
    } else {
        0
    };
    cx.set_reg(Reg::Edx, T::truncate(fill));
    Ok(())
}

/// XLAT: AL from the table at EBX, indexed by AL.
pub(crate) fn xlat_m8(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let index = u32::from(cx.reg::<u8>(Reg::Eax));
    let addr = cx
        .state()
        .linear_displaced(op, index, u8::SIZE, AccessKind::Read)?;
    let value = cx.read::<u8>(addr)?;
    cx.set_reg(Reg::Eax, value);
    Ok(())
}
