//! Instructions that move, load and test selectors.

use pagefault_mmu::{AccessKind, Stored};

use super::control::{far_pointer, serialize};
use super::{Rm, size_of};
use crate::block::Flow;
use crate::context::{Context, StackSwitch};
use crate::exception::{Stop, invalid_opcode};
use crate::op::Op;
use crate::registers::Reg;
use crate::segment::{Descriptor, SegmentRegister, SegmentRights, Selector};
use crate::width::Width;

/// `MOV r/m16, Sreg`: memory takes 16 bits at any operand size.
pub(crate) fn mov_rm16_sreg<R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let selector = selector(cx, register(op)?);
    R::write(cx, op, selector)
}

/// `MOV r32, Sreg`: the upper half becomes zero.
pub(crate) fn mov_r32_sreg(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let selector = selector(cx, register(op)?);
    cx.set_reg(op.rm, u32::from(selector));
    Ok(())
}

/// `MOV Sreg, r/m16`. CS is not a destination.
pub(crate) fn mov_sreg_rm16<R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let register = register(op)?;
    if register == SegmentRegister::Cs {
        return Err(invalid_opcode());
    }
    let selector = R::read::<u16>(cx, op)?;
    load(cx, register, selector)?;
    note_stack_switch(cx, register);
    Ok(serialize(cx, op))
}

/// `PUSH Sreg`: ESP moves by the operand size, 16 bits are written.
pub(crate) fn push_sreg<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    // Quirk: intel
    let selector = selector(cx, register(op)?);
    let esp = cx.reg::<u32>(Reg::Esp).wrapping_sub(size_of::<T>());
    let addr = cx
        .state()
        .stack_linear(op, esp, size_of::<u16>(), AccessKind::Write)?;
    let stored = cx.write(addr, selector)?;
    cx.set_reg(Reg::Esp, esp);
    Ok(stored)
}

/// `POP Sreg`: 16 bits are read, ESP moves by the operand size.
pub(crate) fn pop_sreg<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let esp = cx.reg::<u32>(Reg::Esp);
    let addr = cx
        .state()
        .stack_linear(op, esp, size_of::<u16>(), AccessKind::Read)?;
    let selector = cx.read::<u16>(addr)?;
    let register = register(op)?;
    load(cx, register, selector)?;
    note_stack_switch(cx, register);
    cx.set_reg(Reg::Esp, esp.wrapping_add(size_of::<T>()));
    Ok(serialize(cx, op))
}

/// LDS, LES, LFS, LGS, LSS.
pub(crate) fn load_far<T: Width, const REGISTER: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Flow, Stop> {
    let register = SegmentRegister::from_number(REGISTER).ok_or_else(invalid_opcode)?;
    let (offset, selector) = far_pointer::<T>(cx, op)?;
    load(cx, register, selector)?;
    cx.set_reg(op.reg, offset);
    Ok(serialize(cx, op))
}

/// ARPL: raises the requested privilege level of a selector to that of another. It reads, and writes
/// only what changes: it faults as a read first.
pub(crate) fn arpl<R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let floor = cx.reg::<u16>(op.reg) & Selector::USER;
    let selector = R::read::<u16>(cx, op)?;
    let is_lower = selector & Selector::USER < floor;
    let stored = if is_lower {
        R::write(cx, op, selector & !Selector::USER | floor)?
    } else {
        Stored::Plain
    };
    cx.flags_mut().set_zf(is_lower);
    Ok(stored)
}

/// VERR and VERW.
pub(crate) fn verify<R: Rm, const RIGHT: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let needed = SegmentRights::from_bits_truncate(RIGHT);
    let found = operand_descriptor::<R>(cx, op)?;
    let is_allowed = found.is_some_and(|descriptor| descriptor.rights.contains(needed));
    cx.flags_mut().set_zf(is_allowed);
    Ok(())
}

/// LAR: the access byte and the attributes, where a descriptor in memory has them.
pub(crate) fn lar<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let found = operand_descriptor::<R>(cx, op)?;
    cx.flags_mut().set_zf(found.is_some());
    if let Some(descriptor) = found {
        cx.set_reg(op.reg, T::truncate(descriptor.access_rights()));
    }
    Ok(())
}

/// LSL: the limit in bytes.
pub(crate) fn lsl<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let found = operand_descriptor::<R>(cx, op)?;
    cx.flags_mut().set_zf(found.is_some());
    if let Some(descriptor) = found {
        cx.set_reg(op.reg, T::truncate(descriptor.limit));
    }
    Ok(())
}

fn operand_descriptor<R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Option<Descriptor>, Stop> {
    let selector = Selector::new(R::read::<u16>(cx, op)?);
    Ok(cx.state().descriptors.descriptor(selector))
}

fn note_stack_switch(cx: &mut impl Context, register: SegmentRegister) {
    if register == SegmentRegister::Ss {
        cx.state_mut().stack_switch = StackSwitch::Begun;
    }
}

fn load(cx: &mut impl Context, register: SegmentRegister, selector: u16) -> Result<(), Stop> {
    let segment = cx
        .state()
        .descriptors
        .load(register, Selector::new(selector))?;
    cx.state_mut().regs.set_segment(register, segment);
    Ok(())
}

fn register(op: &Op) -> Result<SegmentRegister, Stop> {
    SegmentRegister::from_number(op.reg.number()).ok_or_else(invalid_opcode)
}

fn selector(cx: &impl Context, register: SegmentRegister) -> u16 {
    cx.state().regs.segment(register).selector().bits()
}
