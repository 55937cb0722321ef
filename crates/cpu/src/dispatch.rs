//! From iced's `Code` to the handler: the only lists of instructions are those below this module.
//!
//! What is not listed decodes and ends the run as an unsupported instruction. Groups follow `exec`;
//! inside a group one line is one handler.

use iced_x86::Code;

use crate::block::{Flow, Handler};
use crate::context::{Cx, State};
use crate::exception::Stop;
use crate::exec::{Done, control, system};
use crate::observer::Observer;
use crate::op::Op;
use crate::segment::SegmentRights;

/// Whether the operand that ModRM.rm names is memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RmKind {
    Register,
    Memory,
}

/// Whether a block ends with the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockEnd {
    No,
    Yes,
}

/// A handler, as it goes into a block.
pub(crate) struct Entry<O: pagefault_mmu::Observer, C> {
    pub(crate) handler: Handler<O, C>,
    pub(crate) end: BlockEnd,
}

/// Wraps a handler so that it goes on to the next one: by a call in tail position.
macro_rules! step {
    ($($handler:tt)+) => {
        Entry {
            handler: |state, mmu, observer, slots| {
                let Some((slot, rest)) = slots.split_first() else {
                    return Flow::Sequential;
                };
                let mut cx = Cx { state, mmu, observer };
                cx.begin(&slot.op);
                match $($handler)+(&mut cx, &slot.op) {
                    Ok(done) if !done.has_stored_code() && !cx.state.watch.has_hit() => {
                        let Cx { state, mmu, observer } = cx;
                        (slot.next)(state, mmu, observer, rest)
                    }
                    Ok(_) => $crate::dispatch::leave(cx.state, &slot.op),
                    Err($crate::exception::Stop::PageFault) => $crate::dispatch::refuse(cx.state, &slot.op),
                    Err(stop) => $crate::dispatch::halt(cx.state, &slot.op, stop),
                }
            },
            end: BlockEnd::No,
        }
    };
}

/// Wraps a handler that says itself where control goes.
macro_rules! end {
    ($($handler:tt)+) => {
        Entry {
            handler: |state, mmu, observer, slots| {
                let Some((slot, _)) = slots.split_first() else {
                    return Flow::Sequential;
                };
                let mut cx = Cx { state, mmu, observer };
                cx.begin(&slot.op);
                match $($handler)+(&mut cx, &slot.op) {
                    Ok(Flow::Reenter) => {
                        let eip = $crate::dispatch::eip_of(cx.state, &slot.op);
                        cx.state.watch.settle(eip);
                        $crate::dispatch::count(cx.state, &slot.op);
                        Flow::Reenter
                    }
                    Ok(flow) if cx.state.watch.has_hit() => {
                        $crate::dispatch::leave_by(cx.state, &slot.op, flow)
                    }
                    Ok(flow) => flow,
                    Err($crate::exception::Stop::PageFault) => $crate::dispatch::refuse(cx.state, &slot.op),
                    Err(stop) => $crate::dispatch::halt(cx.state, &slot.op, stop),
                }
            },
            end: BlockEnd::Yes,
        }
    };
}

/// As `step!`, for a handler with at most one access and no effect before it: first with hits only,
/// which leaves no stack frame between the handlers, and otherwise by the wrapped handler.
macro_rules! quick {
    ($($handler:tt)+) => { quick_or!([$($handler)+] [$($handler)+]) };
}

/// As `quick!`, with another handler where hits alone do not do.
macro_rules! quick_or {
    ([$($quick:tt)+] [$($whole:tt)+]) => {
        Entry {
            handler: |state, mmu, observer, slots| {
                #[cold]
                #[inline(never)]
                fn slow<O: pagefault_mmu::Observer, C: Observer>(
                    state: &mut State, mmu: &mut Mmu<O>, observer: &mut C, slots: &[Slot<O, C>],
                ) -> Flow {
                    let whole: Entry<O, C> = step!($($whole)+);
                    (whole.handler)(state, mmu, observer, slots)
                }
                let Some((slot, rest)) = slots.split_first() else {
                    return Flow::Sequential;
                };
                if !C::WATCHES {
                    let mut cx = HitCx { state, mmu };
                    if $($quick)+(&mut cx, &slot.op).is_ok() {
                        return (slot.next)(cx.state, cx.mmu, observer, rest);
                    }
                }
                slow(state, mmu, observer, slots)
            },
            end: BlockEnd::No,
        }
    };
}

/// As `end!`, in the way of `quick!`.
macro_rules! quick_end {
    ($($handler:tt)+) => {
        Entry {
            handler: |state, mmu, observer, slots| {
                #[cold]
                #[inline(never)]
                fn slow<O: pagefault_mmu::Observer, C: Observer>(
                    state: &mut State, mmu: &mut Mmu<O>, observer: &mut C, slots: &[Slot<O, C>],
                ) -> Flow {
                    let whole: Entry<O, C> = end!($($handler)+);
                    (whole.handler)(state, mmu, observer, slots)
                }
                let Some((slot, _)) = slots.split_first() else {
                    return Flow::Sequential;
                };
                if !C::WATCHES {
                    let mut cx = HitCx { state, mmu };
                    if let Ok(flow) = $($handler)+(&mut cx, &slot.op) {
                        return flow;
                    }
                }
                slow(state, mmu, observer, slots)
            },
            end: BlockEnd::Yes,
        }
    };
}

/// A comparison, or another operation on registers, and the conditional branch behind it.
macro_rules! fused_end {
    ($code:literal, $($handler:tt)+) => {{
        #[inline(always)]
        fn both(cx: &mut impl Context, op: &Op) -> Result<Flow, Stop> {
            $($handler)+(cx, op)?;
            control::jcc::<$code>(cx, op)
        }
        quick_end!(both)
    }};
}

/// Chooses between the forms of a handler whose name for the operand's place is `R`.
macro_rules! choose {
    ($kind:ident, $register:expr, $memory:expr) => {
        match $kind {
            RmKind::Register => $register,
            RmKind::Memory => $memory,
        }
    };
}

macro_rules! rm {
    ($kind:ident, $($handler:tt)+) => {
        choose!(
            $kind,
            { type R = InReg; step!($($handler)+) },
            { type R = InMem; step!($($handler)+) }
        )
    };
}

macro_rules! quick_rm {
    ($kind:ident, $($handler:tt)+) => {
        choose!(
            $kind,
            { type R = InReg; quick!($($handler)+) },
            { type R = InMem; quick!($($handler)+) }
        )
    };
}

macro_rules! quick_end_rm {
    ($kind:ident, $($handler:tt)+) => {
        choose!(
            $kind,
            { type R = InReg; quick_end!($($handler)+) },
            { type R = InMem; quick_end!($($handler)+) }
        )
    };
}

macro_rules! end_rm {
    ($kind:ident, $($handler:tt)+) => {
        choose!(
            $kind,
            { type R = InReg; end!($($handler)+) },
            { type R = InMem; end!($($handler)+) }
        )
    };
}

const READABLE: u8 = SegmentRights::READ.bits();
const WRITABLE: u8 = SegmentRights::WRITE.bits();

mod float;
mod fused;
mod integer;
mod moves;
mod transfer;

pub(crate) use fused::{fused, quiet};

/// Returns the handler of an instruction; every code has one.
pub(crate) fn entry<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Entry<O, C> {
    integer::arithmetic(code, kind)
        .or_else(|| integer::shifts_and_bits(code, kind))
        .or_else(|| moves::moves(code, kind))
        .or_else(|| moves::stack_and_segments(code, kind))
        .or_else(|| transfer::control(code, kind))
        .or_else(|| transfer::system(code, kind))
        .or_else(|| float::x87(code))
        .or_else(|| float::mmx(code, kind))
        .or_else(|| float::sse(code, kind))
        .or_else(|| float::sse_float(code, kind))
        .unwrap_or_else(unsupported)
}

/// Returns the handler of an instruction that is not in the list.
fn unsupported<O: pagefault_mmu::Observer, C: Observer>() -> Entry<O, C> {
    step!(system::unsupported)
}

/// Returns the handler of bytes that are too long for an instruction.
pub(crate) fn too_long<O: pagefault_mmu::Observer, C: Observer>() -> Entry<O, C> {
    end!(control::too_long)
}

/// Returns the handler of bytes that are no instruction.
pub(crate) fn undefined<O: pagefault_mmu::Observer, C: Observer>() -> Entry<O, C> {
    end!(control::undefined)
}

/// Returns the handler behind the last operation of a block.
pub(crate) fn fall_through<O: pagefault_mmu::Observer, C: Observer>() -> Handler<O, C> {
    |_, _, _, _| Flow::Sequential
}

/// Leaves a block behind `op`, which has completed.
#[cold]
#[inline(never)]
fn leave(state: &mut State, op: &Op) -> Flow {
    state.watch.settle(eip_of(state, op));
    state.regs.eip = state.next_eip(op);
    state.passed = Some(u32::from(op.before) + u32::from(op.count));
    count(state, op);
    Flow::Reenter
}

/// Leaves a block behind `op`, which ends it by `flow`.
#[cold]
#[inline(never)]
fn leave_by(state: &mut State, op: &Op, flow: Flow) -> Flow {
    state.watch.settle(eip_of(state, op));
    match flow {
        Flow::Sequential => state.regs.eip = state.next_eip(op),
        Flow::Taken => state.regs.eip = state.block_eip.wrapping_add(op.imm),
        Flow::Indirect | Flow::Reenter | Flow::Stopped => {}
    }
    count(state, op);
    Flow::Reenter
}

/// Returns EIP of an operation of the block that runs.
fn eip_of(state: &State, op: &Op) -> u32 {
    state.block_eip.wrapping_add(u32::from(op.at))
}

/// Counts the instructions of a block up to `op`, which has completed.
fn count(state: &mut State, op: &Op) {
    state.instructions += u64::from(op.before) + u64::from(op.count);
}

/// Stops a block at `op`, which has not completed.
#[cold]
#[inline(never)]
fn halt(state: &mut State, op: &Op, stop: Stop) -> Flow {
    halt_at(state, op);
    state.passed = (stop == Stop::Repeat).then_some(u32::from(op.before));
    state.stop = Some(stop);
    Flow::Stopped
}

/// As [`halt`], at an access that was refused: nothing is passed through memory in pieces that
/// would be read again as a whole, which takes a processor longer than all the rest.
#[cold]
#[inline(never)]
fn refuse(state: &mut State, op: &Op) -> Flow {
    halt_at(state, op);
    state.passed = None;
    state.stop = Some(Stop::PageFault);
    Flow::Stopped
}

#[inline(always)]
fn halt_at(state: &mut State, op: &Op) {
    state.regs.eip = eip_of(state, op);
    state.watch.settle(state.regs.eip);
    state.instructions += u64::from(op.before);
    state.stopped = Some(*op);
}
