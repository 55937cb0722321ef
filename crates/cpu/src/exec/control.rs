//! Jumps, calls, returns, loops, and software interrupts: everything that ends a block.

use pagefault_mmu::{AccessKind, Privilege, Stored};

use super::stack::{self, push, read_stack};
use super::{Rm, either, size_of};
use crate::block::Flow;
use crate::context::{Context, Gate};
use crate::exception::{Exception, Stop, Vector, general_protection, invalid_opcode};
use crate::flags::Condition;
use crate::op::Op;
use crate::registers::Reg;
use crate::segment::{Segment, SegmentRegister, Selector};
use crate::width::Width;

/// The error code of a fault about an interrupt gate: the gate's index, and the IDT bit.
const fn gate_error_code(vector: u8) -> u32 {
    (vector as u32) << 3 | 0b10
}

/// `Jcc rel8` and `Jcc rel32`.
#[inline(always)]
pub(crate) fn jcc<const CODE: u8>(cx: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Ok(branch_if(cx.flags().holds(Condition::of::<CODE>())))
}

/// Jcc with a 16-bit operand: a taken branch truncates EIP.
pub(crate) fn jcc16<const CODE: u8>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let is_taken = cx.flags().holds(Condition::of::<CODE>());
    Ok(branch16_if(cx, op, is_taken))
}

/// `JMP rel8` and `JMP rel32`.
#[inline(always)]
pub(crate) fn jmp_rel(_: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Ok(Flow::Taken)
}

/// JMP with a 16-bit displacement.
pub(crate) fn jmp_rel16(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    Ok(branch16_if(cx, op, true))
}

/// `JMP r/m`.
#[inline(always)]
pub(crate) fn jmp_rm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let target = R::read::<T>(cx, op)?;
    Ok(jump_to(cx, target.zero_extend()))
}

/// `CALL rel32`.
#[inline(always)]
pub(crate) fn call_rel32(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let next = cx.state().next_eip(op);
    if push(cx, op, next)? == Stored::Tracked {
        let target = branch_target(cx, op);
        return Ok(reenter_at(cx, target));
    }
    Ok(Flow::Taken)
}

/// `CALL rel16`.
pub(crate) fn call_rel16(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let next = cx.state().next_eip(op);
    let target = branch_target(cx, op) & 0xFFFF;
    push(cx, op, u16::truncate(next))?;
    Ok(reenter_at(cx, target))
}

/// `CALL r/m`: reads the target, then pushes.
#[inline(always)]
pub(crate) fn call_rm<T: Width, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let target = R::read::<T>(cx, op)?;
    let next = cx.state().next_eip(op);
    if push(cx, op, T::truncate(next))? == Stored::Tracked {
        return Ok(reenter_at(cx, target.zero_extend()));
    }
    Ok(jump_to(cx, target.zero_extend()))
}

/// RET, and `RET imm16`, whose operand is unsigned.
#[inline(always)]
pub(crate) fn ret<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let target = stack::pop::<T>(cx, op)?;
    let esp = cx.reg::<u32>(Reg::Esp).wrapping_add(op.imm);
    cx.set_reg(Reg::Esp, esp);
    Ok(jump_to(cx, target.zero_extend()))
}

/// POPF, which may turn on what has to be looked at before the next instruction.
pub(crate) fn popf<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    stack::popf::<T>(cx, op)?;
    Ok(serialize(cx, op))
}

/// #GP(0) for an encoding of more than 15 bytes.
pub(crate) fn too_long(_: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Err(general_protection())
}

/// #UD for bytes that are no instruction.
pub(crate) fn undefined(_: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Err(invalid_opcode())
}

/// What a LOOP looks at beside the counter.
pub(crate) trait LoopCondition {
    fn holds(is_zero: bool) -> bool;
}

/// LOOP.
#[derive(Debug)]
pub(crate) struct Always;

/// LOOPE.
#[derive(Debug)]
pub(crate) struct WhileEqual;

/// LOOPNE.
#[derive(Debug)]
pub(crate) struct WhileNotEqual;

impl LoopCondition for Always {
    fn holds(_: bool) -> bool {
        true
    }
}

impl LoopCondition for WhileEqual {
    fn holds(is_zero: bool) -> bool {
        is_zero
    }
}

impl LoopCondition for WhileNotEqual {
    fn holds(is_zero: bool) -> bool {
        !is_zero
    }
}

/// `LOOPcc` with a counter of width `T`.
pub(crate) fn loop_rel<L: LoopCondition, T: Width>(
    cx: &mut impl Context,
    _: &Op,
) -> Result<Flow, Stop> {
    Ok(branch_if(count_down::<L, T>(cx)))
}

/// `LOOPcc` with a 16-bit operand.
pub(crate) fn loop_rel16<L: LoopCondition, T: Width>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Flow, Stop> {
    let is_taken = count_down::<L, T>(cx);
    Ok(branch16_if(cx, op, is_taken))
}

/// JCXZ and JECXZ.
pub(crate) fn jcxz<T: Width>(cx: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Ok(branch_if(cx.reg::<T>(Reg::Ecx).zero_extend() == 0))
}

/// JCXZ and JECXZ with a 16-bit operand.
pub(crate) fn jcxz16<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let is_taken = cx.reg::<T>(Reg::Ecx).zero_extend() == 0;
    Ok(branch16_if(cx, op, is_taken))
}

/// INT3: a trap of its own, which no gate's privilege stops.
pub(crate) fn int3(_: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Err(Exception::trap(Vector::BREAKPOINT).into())
}

/// INT1.
pub(crate) fn int1(_: &mut impl Context, _: &Op) -> Result<Flow, Stop> {
    Err(Exception::trap(Vector::DEBUG).into())
}

/// `INT imm8`: at CPL 3 #GP naming the gate, unless the gate is open to programs.
pub(crate) fn int_imm8(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let vector = u8::truncate(op.imm);
    let gate = cx.state().gates[usize::from(vector)];
    let exception = if gate == Gate::Open || cx.state().privilege != Privilege::User {
        Exception::trap(Vector::new(vector))
    } else {
        Exception::with_code(Vector::GENERAL_PROTECTION, gate_error_code(vector))
    };
    Err(exception.into())
}

/// INTO.
pub(crate) fn into(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    if cx.flags().of() {
        return Err(Exception::trap(Vector::OVERFLOW).into());
    }
    Ok(())
}

/// BOUND: two signed limits in memory, lower first.
pub(crate) fn bound<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let size = size_of::<T>();
    let signed = |value: T| value.sign_extend().cast_signed();
    let index = signed(cx.reg::<T>(op.reg));
    if index < signed(cx.load::<T>(op)?) {
        return Err(Exception::fault(Vector::BOUND_RANGE).into());
    }
    let upper_at = cx.state().linear_part(op, size, size, AccessKind::Read)?;
    if index > signed(cx.read::<T>(upper_at)?) {
        return Err(Exception::fault(Vector::BOUND_RANGE).into());
    }
    Ok(())
}

/// `JMP ptr16:32`.
pub(crate) fn jmp_far_imm<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let segment = code_segment(cx, u16::truncate(op.disp))?;
    cx.state_mut()
        .regs
        .set_segment(SegmentRegister::Cs, segment);
    Ok(reenter_at(cx, op.imm & T::MASK))
}

/// `JMP m16:32`.
pub(crate) fn jmp_far_m<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let (offset, selector) = far_pointer::<T>(cx, op)?;
    let segment = code_segment(cx, selector)?;
    cx.state_mut()
        .regs
        .set_segment(SegmentRegister::Cs, segment);
    Ok(reenter_at(cx, offset.zero_extend()))
}

/// `CALL ptr16:32`.
pub(crate) fn call_far_imm<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    call_far(cx, op, T::truncate(op.imm), u16::truncate(op.disp))
}

/// `CALL m16:32`.
pub(crate) fn call_far_m<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let (offset, selector) = far_pointer::<T>(cx, op)?;
    call_far(cx, op, offset, selector)
}

fn call_far<T: Width>(
    cx: &mut impl Context,
    op: &Op,
    offset: T,
    selector: u16,
) -> Result<Flow, Stop> {
    let segment = code_segment(cx, selector)?;
    let esp = cx.reg::<u32>(Reg::Esp);
    let old = cx
        .state()
        .regs
        .segment(SegmentRegister::Cs)
        .selector()
        .bits();
    let next = cx.state().next_eip(op);
    let selector_at = esp.wrapping_sub(size_of::<T>());
    let offset_at = selector_at.wrapping_sub(size_of::<T>());
    let first = stack::write_stack(cx, op, selector_at, T::truncate(u32::from(old)))?;
    let second = stack::write_stack(cx, op, offset_at, T::truncate(next))?;
    // Whether decoded code was written does not matter here: re-entering looks anyway.
    let _: Stored = either(first, second);
    cx.set_reg(Reg::Esp, offset_at);
    cx.state_mut()
        .regs
        .set_segment(SegmentRegister::Cs, segment);
    Ok(reenter_at(cx, offset.zero_extend()))
}

/// RETF, and `RETF imm16`: the selector, which lies higher, is read first.
pub(crate) fn retf<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let esp = cx.reg::<u32>(Reg::Esp);
    let selector_at = esp.wrapping_add(size_of::<T>());
    let selector = read_stack::<T>(cx, op, selector_at)?;
    let offset = read_stack::<T>(cx, op, esp)?;
    let segment = return_segment(cx, u16::truncate(selector.zero_extend()))?;
    let esp = selector_at
        .wrapping_add(size_of::<T>())
        .wrapping_add(op.imm);
    cx.set_reg(Reg::Esp, esp);
    cx.state_mut()
        .regs
        .set_segment(SegmentRegister::Cs, segment);
    Ok(reenter_at(cx, offset.zero_extend()))
}

/// IRET to the same privilege level, reading from the highest address down.
pub(crate) fn iret<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
    let esp = cx.reg::<u32>(Reg::Esp);
    let selector_at = esp.wrapping_add(size_of::<T>());
    let flags_at = selector_at.wrapping_add(size_of::<T>());
    let flags = read_stack::<T>(cx, op, flags_at)?;
    let selector = read_stack::<T>(cx, op, selector_at)?;
    let offset = read_stack::<T>(cx, op, esp)?;
    let segment = return_segment(cx, u16::truncate(selector.zero_extend()))?;
    cx.set_reg(Reg::Esp, flags_at.wrapping_add(size_of::<T>()));
    stack::load_flags(cx, flags);
    cx.state_mut()
        .regs
        .set_segment(SegmentRegister::Cs, segment);
    Ok(reenter_at(cx, offset.zero_extend()))
}

/// Ends the block behind an instruction that may have changed how code runs.
pub(crate) fn serialize(cx: &mut impl Context, op: &Op) -> Flow {
    let next = cx.state().next_eip(op);
    reenter_at(cx, next)
}

/// Reads the far pointer in memory: offset first, then selector.
pub(super) fn far_pointer<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(T, u16), Stop> {
    let offset = cx.load::<T>(op)?;
    let selector_at =
        cx.state()
            .linear_part(op, size_of::<T>(), size_of::<u16>(), AccessKind::Read)?;
    Ok((offset, cx.read::<u16>(selector_at)?))
}

/// A far jump or call keeps the privilege level, whatever the selector requests. From ring 0 there
/// is nowhere to go: every descriptor is one of ring 3.
fn code_segment(cx: &impl Context, selector: u16) -> Result<Segment, Stop> {
    require_ring_3(cx)?;
    let selector = Selector::new(selector);
    let segment = cx.state().descriptors.load(SegmentRegister::Cs, selector)?;
    let user = Selector::new(selector.bits() | Selector::USER);
    Ok(segment.with_selector(user))
}

/// A return may not ask for more privilege than there is. Returns from ring 0 are not done.
fn return_segment(cx: &impl Context, selector: u16) -> Result<Segment, Stop> {
    require_ring_3(cx)?;
    let selector = Selector::new(selector);
    let segment = cx.state().descriptors.load(SegmentRegister::Cs, selector)?;
    if !selector.is_user() {
        let code = selector.error_code();
        return Err(Exception::with_code(Vector::GENERAL_PROTECTION, code).into());
    }
    Ok(segment)
}

fn require_ring_3(cx: &impl Context) -> Result<(), Stop> {
    match cx.state().privilege {
        Privilege::User => Ok(()),
        Privilege::Supervisor | Privilege::Implicit => Err(Stop::Unsupported),
    }
}

#[inline(always)]
fn branch_if(is_taken: bool) -> Flow {
    if is_taken {
        Flow::Taken
    } else {
        Flow::Sequential
    }
}

fn branch16_if(cx: &mut impl Context, op: &Op, is_taken: bool) -> Flow {
    if !is_taken {
        return Flow::Sequential;
    }
    let target = branch_target(cx, op) & 0xFFFF;
    jump_to(cx, target)
}

#[inline(always)]
fn branch_target(cx: &impl Context, op: &Op) -> u32 {
    cx.state().block_eip.wrapping_add(op.imm)
}

#[inline(always)]
fn jump_to(cx: &mut impl Context, target: u32) -> Flow {
    cx.state_mut().regs.eip = target;
    Flow::Indirect
}

fn reenter_at(cx: &mut impl Context, target: u32) -> Flow {
    cx.state_mut().regs.eip = target;
    Flow::Reenter
}

fn count_down<L: LoopCondition, T: Width>(cx: &mut impl Context) -> bool {
    let count = T::truncate(cx.reg::<T>(Reg::Ecx).zero_extend().wrapping_sub(1));
    cx.set_reg(Reg::Ecx, count);
    count.zero_extend() != 0 && L::holds(cx.flags().zf())
}
