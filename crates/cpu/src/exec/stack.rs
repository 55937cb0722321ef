//! PUSH, POP and their relatives. Addresses on the stack have 32 bits whatever the operand size.

use pagefault_mmu::{AccessKind, LinearAddr, Privilege, Stored};

use super::{Rm, either, immediate, size_of};
use crate::context::Context;
use crate::exception::Stop;
use crate::flags::Eflags;
use crate::op::Op;
use crate::registers::Reg;
use crate::width::Width;

/// What POPF and IRET change at CPL 0 beside [`Eflags::USER`].
const SUPERVISOR_FLAGS: Eflags = Eflags::INTERRUPT.union(Eflags::IO_PRIVILEGE);

/// Nesting levels of ENTER are taken modulo this.
const ENTER_LEVELS: u32 = 32;

/// Pushes a value. ESP changes only when the store succeeds.
#[inline(always)]
pub(super) fn push<T: Width>(cx: &mut impl Context, op: &Op, value: T) -> Result<Stored, Stop> {
    let esp = cx.reg::<u32>(Reg::Esp).wrapping_sub(size_of::<T>());
    let stored = write_stack(cx, op, esp, value)?;
    cx.set_reg(Reg::Esp, esp);
    Ok(stored)
}

/// Pops a value.
#[inline(always)]
pub(super) fn pop<T: Width>(cx: &mut impl Context, op: &Op) -> Result<T, Stop> {
    let esp = cx.reg::<u32>(Reg::Esp);
    let value = read_stack(cx, op, esp)?;
    cx.set_reg(Reg::Esp, esp.wrapping_add(size_of::<T>()));
    Ok(value)
}

/// Reads the stack at an offset.
#[inline(always)]
pub(super) fn read_stack<T: Width>(cx: &mut impl Context, op: &Op, offset: u32) -> Result<T, Stop> {
    let addr = slot::<T>(cx, op, offset, AccessKind::Read)?;
    cx.read(addr)
}

/// Writes the stack at an offset.
#[inline(always)]
pub(super) fn write_stack<T: Width>(
    cx: &mut impl Context,
    op: &Op,
    offset: u32,
    value: T,
) -> Result<Stored, Stop> {
    let addr = slot::<T>(cx, op, offset, AccessKind::Write)?;
    cx.write(addr, value)
}

#[inline(always)]
fn slot<T: Width>(
    cx: &impl Context,
    op: &Op,
    offset: u32,
    kind: AccessKind,
) -> Result<LinearAddr, Stop> {
    cx.stack_linear(op, offset, size_of::<T>(), kind)
}

/// `PUSH r/m`: reads the operand, with ESP as it was, then writes the stack.
#[inline(always)]
pub(crate) fn push_rm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = R::read::<T>(cx, op)?;
    push(cx, op, value)
}

/// `PUSH imm`.
#[inline(always)]
pub(crate) fn push_imm<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    push(cx, op, immediate::<T>(op))
}

/// `POP r`: POP ESP gives the popped value.
#[inline(always)]
pub(crate) fn pop_r<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = pop::<T>(cx, op)?;
    cx.set_reg(op.rm, value);
    Ok(())
}

/// `POP m`: the address is computed with ESP after the increment, which a fault takes back.
pub(crate) fn pop_m<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let esp = cx.reg::<u32>(Reg::Esp);
    let value = pop::<T>(cx, op)?;
    let result = cx.store(op, value);
    if result.is_err() {
        cx.set_reg(Reg::Esp, esp);
    }
    result
}

/// PUSHA, in the order of the encoding. What was written before a fault stays written.
pub(crate) fn pusha<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let mut esp = cx.reg::<u32>(Reg::Esp);
    let mut stored = Stored::Plain;
    for reg in Reg::ALL {
        esp = esp.wrapping_sub(size_of::<T>());
        let value = cx.reg::<T>(reg);
        // Quirk: partial-frames
        stored = either(stored, write_stack(cx, op, esp, value)?);
    }
    cx.set_reg(Reg::Esp, esp);
    Ok(stored)
}

/// POPA, which skips the slot of ESP. Registers loaded before a fault stay loaded.
pub(crate) fn popa<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let mut esp = cx.reg::<u32>(Reg::Esp);
    for reg in Reg::ALL.into_iter().rev() {
        if reg != Reg::Esp {
            let value = read_stack::<T>(cx, op, esp)?;
            cx.set_reg(reg, value);
        }
        esp = esp.wrapping_add(size_of::<T>());
    }
    cx.set_reg(Reg::Esp, esp);
    Ok(())
}

/// ENTER: allocates a frame; with a nesting level it copies the display of outer frames. The new
/// top of the stack is probed for writing.
pub(crate) fn enter<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let (size, level) = (op.imm & 0xFFFF, (op.imm >> 16) % ENTER_LEVELS);
    let mut esp = cx.reg::<u32>(Reg::Esp).wrapping_sub(size_of::<T>());
    let mut outer = cx.reg::<u32>(Reg::Ebp);
    let mut stored = write_stack(cx, op, esp, T::truncate(outer))?;
    let frame = T::truncate(esp);
    for _ in 1..level {
        outer = outer.wrapping_sub(size_of::<T>());
        let link = read_stack::<T>(cx, op, outer)?;
        esp = esp.wrapping_sub(size_of::<T>());
        stored = either(stored, write_stack(cx, op, esp, link)?);
    }
    if level > 0 {
        esp = esp.wrapping_sub(size_of::<T>());
        stored = either(stored, write_stack(cx, op, esp, frame)?);
    }
    esp = esp.wrapping_sub(size);
    let top = slot::<T>(cx, op, esp, AccessKind::Write)?;
    cx.probe_write::<T>(top)?;
    cx.set_reg(Reg::Esp, esp);
    cx.set_reg(Reg::Ebp, frame);
    Ok(stored)
}

/// LEAVE: a bad EBP leaves ESP alone.
#[inline(always)]
pub(crate) fn leave<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let frame = cx.reg::<u32>(Reg::Ebp);
    let outer = read_stack::<T>(cx, op, frame)?;
    cx.set_reg(Reg::Esp, frame.wrapping_add(size_of::<T>()));
    cx.set_reg(Reg::Ebp, outer);
    Ok(())
}

/// PUSHF.
pub(crate) fn pushf<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let image = cx
        .flags()
        .eflags()
        .difference(Eflags::VIRTUAL_8086 | Eflags::RESUME);
    push(cx, op, T::truncate(image.bits()))
}

/// POPF.
pub(crate) fn popf<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let image = pop::<T>(cx, op)?;
    load_flags(cx, image);
    Ok(())
}

/// Sets the flags that a program at this CPL may set, as far as they fit the operand.
pub(super) fn load_flags<T: Width>(cx: &mut impl Context, image: T) {
    let allowed = match cx.state().privilege {
        Privilege::User => Eflags::USER,
        Privilege::Supervisor | Privilege::Implicit => Eflags::USER | SUPERVISOR_FLAGS,
    };
    let changed = Eflags::from_bits_truncate(T::MASK) & allowed;
    let new = Eflags::from_bits_truncate(image.zero_extend());
    let old = cx.flags().eflags();
    cx.flags_mut().set_eflags((old - changed) | (new & changed));
}
