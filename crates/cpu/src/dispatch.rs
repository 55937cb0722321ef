//! From iced's `Code` to the handler: the only list of instructions.
//!
//! What is not listed here decodes and ends the run as an unsupported instruction. Groups follow
//! `exec`; inside a group one line is one handler.

use iced_x86::Code;

use pagefault_mmu::Mmu;

use crate::block::{Flow, Handler, Slot};
use crate::context::{Cx, HitCx, State};
use crate::exception::Stop;
use crate::exec::{
    Done, InMem, InReg, alu, bcd, bits, control, mov, muldiv, segment, shift, stack, string,
    supervisor, system,
};
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

pub(crate) use fused::{fused, quiet};

/// Returns the handler of an instruction; every code has one.
pub(crate) fn entry<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Entry<O, C> {
    arithmetic(code, kind)
        .or_else(|| shifts_and_bits(code, kind))
        .or_else(|| moves(code, kind))
        .or_else(|| stack_and_segments(code, kind))
        .or_else(|| control(code, kind))
        .or_else(|| system(code, kind))
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
    state.regs.eip = eip_of(state, op);
    state.watch.settle(state.regs.eip);
    state.instructions += u64::from(op.before);
    state.passed = (stop == Stop::Repeat).then_some(u32::from(op.before));
    state.stop = Some((stop, *op));
    Flow::Stopped
}

/// Arithmetic and logic.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn arithmetic<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Add_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Add, u8, R>),
        Code::Add_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Add, u8, R>),
        Code::Add_rm8_imm8 | Code::Add_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Add, u8, R>)
        }
        Code::Add_AL_imm8 => quick!(alu::rm_imm::<alu::Add, u8, InReg>),
        Code::Add_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Add, u16, R>),
        Code::Add_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Add, u16, R>),
        Code::Add_rm16_imm16 | Code::Add_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Add, u16, R>)
        }
        Code::Add_AX_imm16 => quick!(alu::rm_imm::<alu::Add, u16, InReg>),
        Code::Add_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Add, u32, R>),
        Code::Add_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Add, u32, R>),
        Code::Add_rm32_imm32 | Code::Add_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Add, u32, R>)
        }
        Code::Add_EAX_imm32 => quick!(alu::rm_imm::<alu::Add, u32, InReg>),
        Code::Or_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Or, u8, R>),
        Code::Or_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Or, u8, R>),
        Code::Or_rm8_imm8 | Code::Or_rm8_imm8_82 => quick_rm!(kind, alu::rm_imm::<alu::Or, u8, R>),
        Code::Or_AL_imm8 => quick!(alu::rm_imm::<alu::Or, u8, InReg>),
        Code::Or_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Or, u16, R>),
        Code::Or_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Or, u16, R>),
        Code::Or_rm16_imm16 | Code::Or_rm16_imm8 => quick_rm!(kind, alu::rm_imm::<alu::Or, u16, R>),
        Code::Or_AX_imm16 => quick!(alu::rm_imm::<alu::Or, u16, InReg>),
        Code::Or_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Or, u32, R>),
        Code::Or_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Or, u32, R>),
        Code::Or_rm32_imm32 | Code::Or_rm32_imm8 => quick_rm!(kind, alu::rm_imm::<alu::Or, u32, R>),
        Code::Or_EAX_imm32 => quick!(alu::rm_imm::<alu::Or, u32, InReg>),
        Code::Adc_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Adc, u8, R>),
        Code::Adc_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Adc, u8, R>),
        Code::Adc_rm8_imm8 | Code::Adc_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Adc, u8, R>)
        }
        Code::Adc_AL_imm8 => quick!(alu::rm_imm::<alu::Adc, u8, InReg>),
        Code::Adc_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Adc, u16, R>),
        Code::Adc_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Adc, u16, R>),
        Code::Adc_rm16_imm16 | Code::Adc_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Adc, u16, R>)
        }
        Code::Adc_AX_imm16 => quick!(alu::rm_imm::<alu::Adc, u16, InReg>),
        Code::Adc_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Adc, u32, R>),
        Code::Adc_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Adc, u32, R>),
        Code::Adc_rm32_imm32 | Code::Adc_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Adc, u32, R>)
        }
        Code::Adc_EAX_imm32 => quick!(alu::rm_imm::<alu::Adc, u32, InReg>),
        Code::Sbb_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Sbb, u8, R>),
        Code::Sbb_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Sbb, u8, R>),
        Code::Sbb_rm8_imm8 | Code::Sbb_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sbb, u8, R>)
        }
        Code::Sbb_AL_imm8 => quick!(alu::rm_imm::<alu::Sbb, u8, InReg>),
        Code::Sbb_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Sbb, u16, R>),
        Code::Sbb_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Sbb, u16, R>),
        Code::Sbb_rm16_imm16 | Code::Sbb_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sbb, u16, R>)
        }
        Code::Sbb_AX_imm16 => quick!(alu::rm_imm::<alu::Sbb, u16, InReg>),
        Code::Sbb_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Sbb, u32, R>),
        Code::Sbb_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Sbb, u32, R>),
        Code::Sbb_rm32_imm32 | Code::Sbb_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sbb, u32, R>)
        }
        Code::Sbb_EAX_imm32 => quick!(alu::rm_imm::<alu::Sbb, u32, InReg>),
        Code::And_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::And, u8, R>),
        Code::And_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::And, u8, R>),
        Code::And_rm8_imm8 | Code::And_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::And, u8, R>)
        }
        Code::And_AL_imm8 => quick!(alu::rm_imm::<alu::And, u8, InReg>),
        Code::And_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::And, u16, R>),
        Code::And_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::And, u16, R>),
        Code::And_rm16_imm16 | Code::And_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::And, u16, R>)
        }
        Code::And_AX_imm16 => quick!(alu::rm_imm::<alu::And, u16, InReg>),
        Code::And_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::And, u32, R>),
        Code::And_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::And, u32, R>),
        Code::And_rm32_imm32 | Code::And_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::And, u32, R>)
        }
        Code::And_EAX_imm32 => quick!(alu::rm_imm::<alu::And, u32, InReg>),
        Code::Sub_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Sub, u8, R>),
        Code::Sub_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Sub, u8, R>),
        Code::Sub_rm8_imm8 | Code::Sub_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sub, u8, R>)
        }
        Code::Sub_AL_imm8 => quick!(alu::rm_imm::<alu::Sub, u8, InReg>),
        Code::Sub_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Sub, u16, R>),
        Code::Sub_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Sub, u16, R>),
        Code::Sub_rm16_imm16 | Code::Sub_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sub, u16, R>)
        }
        Code::Sub_AX_imm16 => quick!(alu::rm_imm::<alu::Sub, u16, InReg>),
        Code::Sub_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Sub, u32, R>),
        Code::Sub_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Sub, u32, R>),
        Code::Sub_rm32_imm32 | Code::Sub_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sub, u32, R>)
        }
        Code::Sub_EAX_imm32 => quick!(alu::rm_imm::<alu::Sub, u32, InReg>),
        Code::Xor_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Xor, u8, R>),
        Code::Xor_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Xor, u8, R>),
        Code::Xor_rm8_imm8 | Code::Xor_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Xor, u8, R>)
        }
        Code::Xor_AL_imm8 => quick!(alu::rm_imm::<alu::Xor, u8, InReg>),
        Code::Xor_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Xor, u16, R>),
        Code::Xor_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Xor, u16, R>),
        Code::Xor_rm16_imm16 | Code::Xor_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Xor, u16, R>)
        }
        Code::Xor_AX_imm16 => quick!(alu::rm_imm::<alu::Xor, u16, InReg>),
        Code::Xor_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Xor, u32, R>),
        Code::Xor_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Xor, u32, R>),
        Code::Xor_rm32_imm32 | Code::Xor_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Xor, u32, R>)
        }
        Code::Xor_EAX_imm32 => quick!(alu::rm_imm::<alu::Xor, u32, InReg>),
        Code::Cmp_rm8_r8 => quick_rm!(kind, alu::cmp_rm_r::<u8, R>),
        Code::Cmp_r8_rm8 => quick_rm!(kind, alu::cmp_r_rm::<u8, R>),
        Code::Cmp_rm8_imm8 | Code::Cmp_rm8_imm8_82 => quick_rm!(kind, alu::cmp_rm_imm::<u8, R>),
        Code::Cmp_AL_imm8 => quick!(alu::cmp_rm_imm::<u8, InReg>),
        Code::Test_rm8_r8 => quick_rm!(kind, alu::test_rm_r::<u8, R>),
        Code::Test_rm8_imm8 | Code::Test_rm8_imm8_F6r1 => {
            quick_rm!(kind, alu::test_rm_imm::<u8, R>)
        }
        Code::Test_AL_imm8 => quick!(alu::test_rm_imm::<u8, InReg>),
        Code::Inc_rm8 => quick_rm!(kind, alu::rm::<alu::Inc, u8, R>),
        Code::Dec_rm8 => quick_rm!(kind, alu::rm::<alu::Dec, u8, R>),
        Code::Neg_rm8 => quick_rm!(kind, alu::rm::<alu::Neg, u8, R>),
        Code::Not_rm8 => quick_rm!(kind, alu::rm::<alu::Not, u8, R>),
        Code::Mul_rm8 => quick_rm!(kind, muldiv::mul::<u8, R>),
        Code::Imul_rm8 => quick_rm!(kind, muldiv::imul::<u8, R>),
        Code::Div_rm8 => quick_rm!(kind, muldiv::div::<u8, R>),
        Code::Idiv_rm8 => quick_rm!(kind, muldiv::idiv::<u8, R>),
        Code::Cmp_rm16_r16 => quick_rm!(kind, alu::cmp_rm_r::<u16, R>),
        Code::Cmp_r16_rm16 => quick_rm!(kind, alu::cmp_r_rm::<u16, R>),
        Code::Cmp_rm16_imm16 | Code::Cmp_rm16_imm8 => quick_rm!(kind, alu::cmp_rm_imm::<u16, R>),
        Code::Cmp_AX_imm16 => quick!(alu::cmp_rm_imm::<u16, InReg>),
        Code::Test_rm16_r16 => quick_rm!(kind, alu::test_rm_r::<u16, R>),
        Code::Test_rm16_imm16 | Code::Test_rm16_imm16_F7r1 => {
            quick_rm!(kind, alu::test_rm_imm::<u16, R>)
        }
        Code::Test_AX_imm16 => quick!(alu::test_rm_imm::<u16, InReg>),
        Code::Inc_rm16 => quick_rm!(kind, alu::rm::<alu::Inc, u16, R>),
        Code::Inc_r16 => quick!(alu::rm::<alu::Inc, u16, InReg>),
        Code::Dec_rm16 => quick_rm!(kind, alu::rm::<alu::Dec, u16, R>),
        Code::Dec_r16 => quick!(alu::rm::<alu::Dec, u16, InReg>),
        Code::Neg_rm16 => quick_rm!(kind, alu::rm::<alu::Neg, u16, R>),
        Code::Not_rm16 => quick_rm!(kind, alu::rm::<alu::Not, u16, R>),
        Code::Mul_rm16 => quick_rm!(kind, muldiv::mul::<u16, R>),
        Code::Imul_rm16 => quick_rm!(kind, muldiv::imul::<u16, R>),
        Code::Div_rm16 => quick_rm!(kind, muldiv::div::<u16, R>),
        Code::Idiv_rm16 => quick_rm!(kind, muldiv::idiv::<u16, R>),
        Code::Imul_r16_rm16 => quick_rm!(kind, muldiv::imul_r_rm::<u16, R>),
        Code::Imul_r16_rm16_imm16 | Code::Imul_r16_rm16_imm8 => {
            quick_rm!(kind, muldiv::imul_r_rm_imm::<u16, R>)
        }
        Code::Cmp_rm32_r32 => quick_rm!(kind, alu::cmp_rm_r::<u32, R>),
        Code::Cmp_r32_rm32 => quick_rm!(kind, alu::cmp_r_rm::<u32, R>),
        Code::Cmp_rm32_imm32 | Code::Cmp_rm32_imm8 => quick_rm!(kind, alu::cmp_rm_imm::<u32, R>),
        Code::Cmp_EAX_imm32 => quick!(alu::cmp_rm_imm::<u32, InReg>),
        Code::Test_rm32_r32 => quick_rm!(kind, alu::test_rm_r::<u32, R>),
        Code::Test_rm32_imm32 | Code::Test_rm32_imm32_F7r1 => {
            quick_rm!(kind, alu::test_rm_imm::<u32, R>)
        }
        Code::Test_EAX_imm32 => quick!(alu::test_rm_imm::<u32, InReg>),
        Code::Inc_rm32 => quick_rm!(kind, alu::rm::<alu::Inc, u32, R>),
        Code::Inc_r32 => quick!(alu::rm::<alu::Inc, u32, InReg>),
        Code::Dec_rm32 => quick_rm!(kind, alu::rm::<alu::Dec, u32, R>),
        Code::Dec_r32 => quick!(alu::rm::<alu::Dec, u32, InReg>),
        Code::Neg_rm32 => quick_rm!(kind, alu::rm::<alu::Neg, u32, R>),
        Code::Not_rm32 => quick_rm!(kind, alu::rm::<alu::Not, u32, R>),
        Code::Mul_rm32 => quick_rm!(kind, muldiv::mul::<u32, R>),
        Code::Imul_rm32 => quick_rm!(kind, muldiv::imul::<u32, R>),
        Code::Div_rm32 => quick_rm!(kind, muldiv::div::<u32, R>),
        Code::Idiv_rm32 => quick_rm!(kind, muldiv::idiv::<u32, R>),
        Code::Imul_r32_rm32 => quick_rm!(kind, muldiv::imul_r_rm::<u32, R>),
        Code::Imul_r32_rm32_imm32 | Code::Imul_r32_rm32_imm8 => {
            quick_rm!(kind, muldiv::imul_r_rm_imm::<u32, R>)
        }
        Code::Daa => step!(bcd::daa),
        Code::Das => step!(bcd::das),
        Code::Aaa => step!(bcd::aaa),
        Code::Aas => step!(bcd::aas),
        Code::Aam_imm8 => step!(bcd::aam_imm8),
        Code::Aad_imm8 => step!(bcd::aad_imm8),
        _ => return None,
    };
    Some(entry)
}

/// Shifts, rotates and bits.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn shifts_and_bits<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Rol_rm8_imm8 | Code::Rol_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Rol, u8, R>)
        }
        Code::Rol_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Rol, u8, R>),
        Code::Ror_rm8_imm8 | Code::Ror_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Ror, u8, R>)
        }
        Code::Ror_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Ror, u8, R>),
        Code::Rcl_rm8_imm8 | Code::Rcl_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u8, R>),
        Code::Rcl_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u8, R>),
        Code::Rcr_rm8_imm8 | Code::Rcr_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u8, R>),
        Code::Rcr_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u8, R>),
        Code::Shl_rm8_imm8 | Code::Shl_rm8_1 | Code::Sal_rm8_imm8 | Code::Sal_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shl, u8, R>)
        }
        Code::Shl_rm8_CL | Code::Sal_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Shl, u8, R>),
        Code::Shr_rm8_imm8 | Code::Shr_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shr, u8, R>)
        }
        Code::Shr_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Shr, u8, R>),
        Code::Sar_rm8_imm8 | Code::Sar_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Sar, u8, R>)
        }
        Code::Sar_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Sar, u8, R>),
        Code::Rol_rm16_imm8 | Code::Rol_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Rol, u16, R>)
        }
        Code::Rol_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Rol, u16, R>),
        Code::Ror_rm16_imm8 | Code::Ror_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Ror, u16, R>)
        }
        Code::Ror_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Ror, u16, R>),
        Code::Rcl_rm16_imm8 | Code::Rcl_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u16, R>),
        Code::Rcl_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u16, R>),
        Code::Rcr_rm16_imm8 | Code::Rcr_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u16, R>),
        Code::Rcr_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u16, R>),
        Code::Shl_rm16_imm8 | Code::Shl_rm16_1 | Code::Sal_rm16_imm8 | Code::Sal_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shl, u16, R>)
        }
        Code::Shl_rm16_CL | Code::Sal_rm16_CL => {
            quick_rm!(kind, shift::rm_cl::<shift::Shl, u16, R>)
        }
        Code::Shr_rm16_imm8 | Code::Shr_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shr, u16, R>)
        }
        Code::Shr_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Shr, u16, R>),
        Code::Sar_rm16_imm8 | Code::Sar_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Sar, u16, R>)
        }
        Code::Sar_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Sar, u16, R>),
        Code::Shld_rm16_r16_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shld, u16, R>),
        Code::Shld_rm16_r16_CL => rm!(kind, shift::rm_r_cl::<shift::Shld, u16, R>),
        Code::Shrd_rm16_r16_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shrd, u16, R>),
        Code::Shrd_rm16_r16_CL => rm!(kind, shift::rm_r_cl::<shift::Shrd, u16, R>),
        Code::Bt_rm16_imm8 => quick_rm!(kind, bits::bt_imm::<u16, R>),
        Code::Bt_rm16_r16 => choose!(
            kind,
            step!(bits::bt_r_r::<u16, InReg>),
            step!(bits::bt_m_r::<u16>)
        ),
        Code::Bts_rm16_imm8 => rm!(kind, bits::change_imm::<bits::Set, u16, R>),
        Code::Bts_rm16_r16 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Set, u16, InReg>),
            step!(bits::change_m_r::<bits::Set, u16>)
        ),
        Code::Btr_rm16_imm8 => rm!(kind, bits::change_imm::<bits::Reset, u16, R>),
        Code::Btr_rm16_r16 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Reset, u16, InReg>),
            step!(bits::change_m_r::<bits::Reset, u16>)
        ),
        Code::Btc_rm16_imm8 => rm!(kind, bits::change_imm::<bits::Complement, u16, R>),
        Code::Btc_rm16_r16 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Complement, u16, InReg>),
            step!(bits::change_m_r::<bits::Complement, u16>)
        ),
        Code::Bsf_r16_rm16 => quick_rm!(kind, bits::bsf::<u16, R>),
        Code::Bsr_r16_rm16 => quick_rm!(kind, bits::bsr::<u16, R>),
        Code::Tzcnt_r16_rm16 => rm!(kind, bits::tzcnt::<u16, R>),
        Code::Lzcnt_r16_rm16 => rm!(kind, bits::lzcnt::<u16, R>),
        Code::Popcnt_r16_rm16 => rm!(kind, bits::popcnt::<u16, R>),
        Code::Rol_rm32_imm8 | Code::Rol_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Rol, u32, R>)
        }
        Code::Rol_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Rol, u32, R>),
        Code::Ror_rm32_imm8 | Code::Ror_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Ror, u32, R>)
        }
        Code::Ror_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Ror, u32, R>),
        Code::Rcl_rm32_imm8 | Code::Rcl_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u32, R>),
        Code::Rcl_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u32, R>),
        Code::Rcr_rm32_imm8 | Code::Rcr_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u32, R>),
        Code::Rcr_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u32, R>),
        Code::Shl_rm32_imm8 | Code::Shl_rm32_1 | Code::Sal_rm32_imm8 | Code::Sal_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shl, u32, R>)
        }
        Code::Shl_rm32_CL | Code::Sal_rm32_CL => {
            quick_rm!(kind, shift::rm_cl::<shift::Shl, u32, R>)
        }
        Code::Shr_rm32_imm8 | Code::Shr_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shr, u32, R>)
        }
        Code::Shr_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Shr, u32, R>),
        Code::Sar_rm32_imm8 | Code::Sar_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Sar, u32, R>)
        }
        Code::Sar_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Sar, u32, R>),
        Code::Shld_rm32_r32_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shld, u32, R>),
        Code::Shld_rm32_r32_CL => rm!(kind, shift::rm_r_cl::<shift::Shld, u32, R>),
        Code::Shrd_rm32_r32_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shrd, u32, R>),
        Code::Shrd_rm32_r32_CL => rm!(kind, shift::rm_r_cl::<shift::Shrd, u32, R>),
        Code::Bt_rm32_imm8 => quick_rm!(kind, bits::bt_imm::<u32, R>),
        Code::Bt_rm32_r32 => choose!(
            kind,
            step!(bits::bt_r_r::<u32, InReg>),
            step!(bits::bt_m_r::<u32>)
        ),
        Code::Bts_rm32_imm8 => rm!(kind, bits::change_imm::<bits::Set, u32, R>),
        Code::Bts_rm32_r32 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Set, u32, InReg>),
            step!(bits::change_m_r::<bits::Set, u32>)
        ),
        Code::Btr_rm32_imm8 => rm!(kind, bits::change_imm::<bits::Reset, u32, R>),
        Code::Btr_rm32_r32 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Reset, u32, InReg>),
            step!(bits::change_m_r::<bits::Reset, u32>)
        ),
        Code::Btc_rm32_imm8 => rm!(kind, bits::change_imm::<bits::Complement, u32, R>),
        Code::Btc_rm32_r32 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Complement, u32, InReg>),
            step!(bits::change_m_r::<bits::Complement, u32>)
        ),
        Code::Bsf_r32_rm32 => quick_rm!(kind, bits::bsf::<u32, R>),
        Code::Bsr_r32_rm32 => quick_rm!(kind, bits::bsr::<u32, R>),
        Code::Tzcnt_r32_rm32 => rm!(kind, bits::tzcnt::<u32, R>),
        Code::Lzcnt_r32_rm32 => rm!(kind, bits::lzcnt::<u32, R>),
        Code::Popcnt_r32_rm32 => rm!(kind, bits::popcnt::<u32, R>),
        _ => return None,
    };
    Some(entry)
}

/// Moves, exchanges, conversions, strings.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn moves<O: pagefault_mmu::Observer, C: Observer>(code: Code, kind: RmKind) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Mov_rm8_r8 => quick_rm!(kind, mov::rm_r::<u8, R>),
        Code::Mov_r8_rm8 => quick_rm!(kind, mov::r_rm::<u8, R>),
        Code::Mov_rm8_imm8 => quick_rm!(kind, mov::rm_imm::<u8, R>),
        Code::Mov_r8_imm8 => quick!(mov::rm_imm::<u8, InReg>),
        Code::Mov_AL_moffs8 => quick!(mov::r_rm::<u8, InMem>),
        Code::Mov_moffs8_AL => quick!(mov::rm_r::<u8, InMem>),
        Code::Xchg_rm8_r8 => quick_rm!(kind, mov::xchg::<u8, R>),
        Code::Xadd_rm8_r8 => rm!(kind, mov::xadd::<u8, R>),
        Code::Cmpxchg_rm8_r8 => rm!(kind, mov::cmpxchg::<u8, R>),
        Code::Mov_rm16_r16 => quick_rm!(kind, mov::rm_r::<u16, R>),
        Code::Mov_r16_rm16 => quick_rm!(kind, mov::r_rm::<u16, R>),
        Code::Mov_rm16_imm16 => quick_rm!(kind, mov::rm_imm::<u16, R>),
        Code::Mov_r16_imm16 => quick!(mov::rm_imm::<u16, InReg>),
        Code::Mov_AX_moffs16 => quick!(mov::r_rm::<u16, InMem>),
        Code::Mov_moffs16_AX => quick!(mov::rm_r::<u16, InMem>),
        Code::Xchg_rm16_r16 => quick_rm!(kind, mov::xchg::<u16, R>),
        Code::Xadd_rm16_r16 => rm!(kind, mov::xadd::<u16, R>),
        Code::Cmpxchg_rm16_r16 => rm!(kind, mov::cmpxchg::<u16, R>),
        Code::Xchg_r16_AX => quick!(mov::xchg::<u16, InReg>),
        Code::Movzx_r16_rm8 => quick_rm!(kind, mov::movzx::<u16, u8, R>),
        Code::Movsx_r16_rm8 => quick_rm!(kind, mov::movsx::<u16, u8, R>),
        Code::Movzx_r16_rm16 => quick_rm!(kind, mov::movzx::<u16, u16, R>),
        Code::Movsx_r16_rm16 => quick_rm!(kind, mov::movsx::<u16, u16, R>),
        Code::Movbe_r16_m16 => step!(mov::movbe_r_m::<u16>),
        Code::Movbe_m16_r16 => step!(mov::movbe_m_r::<u16>),
        Code::Mov_rm32_r32 => quick_rm!(kind, mov::rm_r::<u32, R>),
        Code::Mov_r32_rm32 => quick_rm!(kind, mov::r_rm::<u32, R>),
        Code::Mov_rm32_imm32 => quick_rm!(kind, mov::rm_imm::<u32, R>),
        Code::Mov_r32_imm32 => quick!(mov::rm_imm::<u32, InReg>),
        Code::Mov_EAX_moffs32 => quick!(mov::r_rm::<u32, InMem>),
        Code::Mov_moffs32_EAX => quick!(mov::rm_r::<u32, InMem>),
        Code::Xchg_rm32_r32 => quick_rm!(kind, mov::xchg::<u32, R>),
        Code::Xadd_rm32_r32 => rm!(kind, mov::xadd::<u32, R>),
        Code::Cmpxchg_rm32_r32 => rm!(kind, mov::cmpxchg::<u32, R>),
        Code::Xchg_r32_EAX => quick!(mov::xchg::<u32, InReg>),
        Code::Movzx_r32_rm8 => quick_rm!(kind, mov::movzx::<u32, u8, R>),
        Code::Movsx_r32_rm8 => quick_rm!(kind, mov::movsx::<u32, u8, R>),
        Code::Movzx_r32_rm16 => quick_rm!(kind, mov::movzx::<u32, u16, R>),
        Code::Movsx_r32_rm16 => quick_rm!(kind, mov::movsx::<u32, u16, R>),
        Code::Movbe_r32_m32 => step!(mov::movbe_r_m::<u32>),
        Code::Movbe_m32_r32 => step!(mov::movbe_m_r::<u32>),
        Code::Cmovo_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 0>),
        Code::Cmovo_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 0>),
        Code::Seto_rm8 => quick_rm!(kind, mov::setcc::<R, 0>),
        Code::Cmovno_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 1>),
        Code::Cmovno_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 1>),
        Code::Setno_rm8 => quick_rm!(kind, mov::setcc::<R, 1>),
        Code::Cmovb_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 2>),
        Code::Cmovb_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 2>),
        Code::Setb_rm8 => quick_rm!(kind, mov::setcc::<R, 2>),
        Code::Cmovae_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 3>),
        Code::Cmovae_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 3>),
        Code::Setae_rm8 => quick_rm!(kind, mov::setcc::<R, 3>),
        Code::Cmove_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 4>),
        Code::Cmove_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 4>),
        Code::Sete_rm8 => quick_rm!(kind, mov::setcc::<R, 4>),
        Code::Cmovne_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 5>),
        Code::Cmovne_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 5>),
        Code::Setne_rm8 => quick_rm!(kind, mov::setcc::<R, 5>),
        Code::Cmovbe_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 6>),
        Code::Cmovbe_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 6>),
        Code::Setbe_rm8 => quick_rm!(kind, mov::setcc::<R, 6>),
        Code::Cmova_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 7>),
        Code::Cmova_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 7>),
        Code::Seta_rm8 => quick_rm!(kind, mov::setcc::<R, 7>),
        Code::Cmovs_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 8>),
        Code::Cmovs_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 8>),
        Code::Sets_rm8 => quick_rm!(kind, mov::setcc::<R, 8>),
        Code::Cmovns_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 9>),
        Code::Cmovns_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 9>),
        Code::Setns_rm8 => quick_rm!(kind, mov::setcc::<R, 9>),
        Code::Cmovp_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 10>),
        Code::Cmovp_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 10>),
        Code::Setp_rm8 => quick_rm!(kind, mov::setcc::<R, 10>),
        Code::Cmovnp_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 11>),
        Code::Cmovnp_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 11>),
        Code::Setnp_rm8 => quick_rm!(kind, mov::setcc::<R, 11>),
        Code::Cmovl_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 12>),
        Code::Cmovl_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 12>),
        Code::Setl_rm8 => quick_rm!(kind, mov::setcc::<R, 12>),
        Code::Cmovge_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 13>),
        Code::Cmovge_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 13>),
        Code::Setge_rm8 => quick_rm!(kind, mov::setcc::<R, 13>),
        Code::Cmovle_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 14>),
        Code::Cmovle_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 14>),
        Code::Setle_rm8 => quick_rm!(kind, mov::setcc::<R, 14>),
        Code::Cmovg_r16_rm16 => quick_rm!(kind, mov::cmovcc::<u16, R, 15>),
        Code::Cmovg_r32_rm32 => quick_rm!(kind, mov::cmovcc::<u32, R, 15>),
        Code::Setg_rm8 => quick_rm!(kind, mov::setcc::<R, 15>),
        Code::Lea_r16_m => quick!(mov::lea::<u16>),
        Code::Lea_r32_m => quick!(mov::lea_r32_m),
        Code::Movnti_m32_r32 => quick!(mov::rm_r::<u32, InMem>),
        Code::Cmpxchg8b_m64 => step!(mov::cmpxchg8b_m64),
        Code::Bswap_r32 => quick!(mov::bswap_r32),
        Code::Bswap_r16 => step!(mov::bswap_r16),
        Code::Cbw => quick!(mov::cbw),
        Code::Cwde => quick!(mov::cwde),
        Code::Cwd => quick!(mov::cwd::<u16>),
        Code::Cdq => quick!(mov::cwd::<u32>),
        Code::Xlat_m8 => step!(mov::xlat_m8),
        Code::Movsb_m8_m8 => step!(string::movs::<u8>),
        Code::Movsw_m16_m16 => step!(string::movs::<u16>),
        Code::Movsd_m32_m32 => step!(string::movs::<u32>),
        Code::Cmpsb_m8_m8 => step!(string::cmps::<u8>),
        Code::Cmpsw_m16_m16 => step!(string::cmps::<u16>),
        Code::Cmpsd_m32_m32 => step!(string::cmps::<u32>),
        Code::Stosb_m8_AL => step!(string::stos::<u8>),
        Code::Stosw_m16_AX => step!(string::stos::<u16>),
        Code::Stosd_m32_EAX => step!(string::stos::<u32>),
        Code::Lodsb_AL_m8 => step!(string::lods::<u8>),
        Code::Lodsw_AX_m16 => step!(string::lods::<u16>),
        Code::Lodsd_EAX_m32 => step!(string::lods::<u32>),
        Code::Scasb_AL_m8 => step!(string::scas::<u8>),
        Code::Scasw_AX_m16 => step!(string::scas::<u16>),
        Code::Scasd_EAX_m32 => step!(string::scas::<u32>),
        _ => return None,
    };
    Some(entry)
}

/// Stack and segment registers.
fn stack_and_segments<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Push_rm16 => rm!(kind, stack::push_rm::<u16, R>),
        Code::Push_r16 => step!(stack::push_rm::<u16, InReg>),
        Code::Pop_r16 => step!(stack::pop_r::<u16>),
        Code::Pop_rm16 => choose!(kind, step!(stack::pop_r::<u16>), step!(stack::pop_m::<u16>)),
        Code::Push_imm16 | Code::Pushw_imm8 => step!(stack::push_imm::<u16>),
        Code::Pushaw => step!(stack::pusha::<u16>),
        Code::Popaw => step!(stack::popa::<u16>),
        Code::Enterw_imm16_imm8 => step!(stack::enter::<u16>),
        Code::Leavew => step!(stack::leave::<u16>),
        Code::Pushfw => step!(stack::pushf::<u16>),
        Code::Popfw => end!(control::popf::<u16>),
        Code::Pushw_ES => step!(segment::push_sreg::<u16>),
        Code::Popw_ES => end!(segment::pop_sreg::<u16>),
        Code::Pushw_CS => step!(segment::push_sreg::<u16>),
        Code::Pushw_SS => step!(segment::push_sreg::<u16>),
        Code::Popw_SS => end!(segment::pop_sreg::<u16>),
        Code::Pushw_DS => step!(segment::push_sreg::<u16>),
        Code::Popw_DS => end!(segment::pop_sreg::<u16>),
        Code::Pushw_FS => step!(segment::push_sreg::<u16>),
        Code::Popw_FS => end!(segment::pop_sreg::<u16>),
        Code::Pushw_GS => step!(segment::push_sreg::<u16>),
        Code::Popw_GS => end!(segment::pop_sreg::<u16>),
        Code::Les_r16_m1616 => end!(segment::load_far::<u16, 0>),
        Code::Lds_r16_m1616 => end!(segment::load_far::<u16, 3>),
        Code::Lss_r16_m1616 => end!(segment::load_far::<u16, 2>),
        Code::Lfs_r16_m1616 => end!(segment::load_far::<u16, 4>),
        Code::Lgs_r16_m1616 => end!(segment::load_far::<u16, 5>),
        Code::Lar_r16_rm16 => rm!(kind, segment::lar::<u16, R>),
        Code::Lsl_r16_rm16 => rm!(kind, segment::lsl::<u16, R>),
        Code::Push_rm32 => rm!(kind, stack::push_rm::<u32, R>),
        Code::Push_r32 => quick!(stack::push_rm::<u32, InReg>),
        Code::Pop_r32 => quick!(stack::pop_r::<u32>),
        Code::Pop_rm32 => choose!(kind, step!(stack::pop_r::<u32>), step!(stack::pop_m::<u32>)),
        Code::Pushd_imm32 | Code::Pushd_imm8 => quick!(stack::push_imm::<u32>),
        Code::Pushad => step!(stack::pusha::<u32>),
        Code::Popad => step!(stack::popa::<u32>),
        Code::Enterd_imm16_imm8 => step!(stack::enter::<u32>),
        Code::Leaved => quick!(stack::leave::<u32>),
        Code::Pushfd => step!(stack::pushf::<u32>),
        Code::Popfd => end!(control::popf::<u32>),
        Code::Pushd_ES => step!(segment::push_sreg::<u32>),
        Code::Popd_ES => end!(segment::pop_sreg::<u32>),
        Code::Pushd_CS => step!(segment::push_sreg::<u32>),
        Code::Pushd_SS => step!(segment::push_sreg::<u32>),
        Code::Popd_SS => end!(segment::pop_sreg::<u32>),
        Code::Pushd_DS => step!(segment::push_sreg::<u32>),
        Code::Popd_DS => end!(segment::pop_sreg::<u32>),
        Code::Pushd_FS => step!(segment::push_sreg::<u32>),
        Code::Popd_FS => end!(segment::pop_sreg::<u32>),
        Code::Pushd_GS => step!(segment::push_sreg::<u32>),
        Code::Popd_GS => end!(segment::pop_sreg::<u32>),
        Code::Les_r32_m1632 => end!(segment::load_far::<u32, 0>),
        Code::Lds_r32_m1632 => end!(segment::load_far::<u32, 3>),
        Code::Lss_r32_m1632 => end!(segment::load_far::<u32, 2>),
        Code::Lfs_r32_m1632 => end!(segment::load_far::<u32, 4>),
        Code::Lgs_r32_m1632 => end!(segment::load_far::<u32, 5>),
        Code::Lar_r32_r32m16 => rm!(kind, segment::lar::<u32, R>),
        Code::Lsl_r32_r32m16 => rm!(kind, segment::lsl::<u32, R>),
        Code::Mov_rm16_Sreg => rm!(kind, segment::mov_rm16_sreg::<R>),
        Code::Mov_r32m16_Sreg => choose!(
            kind,
            step!(segment::mov_r32_sreg),
            step!(segment::mov_rm16_sreg::<InMem>)
        ),
        Code::Mov_Sreg_rm16 | Code::Mov_Sreg_r32m16 => end_rm!(kind, segment::mov_sreg_rm16::<R>),
        Code::Arpl_rm16_r16 | Code::Arpl_r32m16_r32 => rm!(kind, segment::arpl::<R>),
        Code::Verr_rm16 | Code::Verr_r32m16 => rm!(kind, segment::verify::<R, READABLE>),
        Code::Verw_rm16 | Code::Verw_r32m16 => rm!(kind, segment::verify::<R, WRITABLE>),
        _ => return None,
    };
    Some(entry)
}

/// Control transfer.
fn control<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Jo_rel8_32 | Code::Jo_rel32_32 => quick_end!(control::jcc::<0>),
        Code::Jo_rel8_16 | Code::Jo_rel16 => end!(control::jcc16::<0>),
        Code::Jno_rel8_32 | Code::Jno_rel32_32 => quick_end!(control::jcc::<1>),
        Code::Jno_rel8_16 | Code::Jno_rel16 => end!(control::jcc16::<1>),
        Code::Jb_rel8_32 | Code::Jb_rel32_32 => quick_end!(control::jcc::<2>),
        Code::Jb_rel8_16 | Code::Jb_rel16 => end!(control::jcc16::<2>),
        Code::Jae_rel8_32 | Code::Jae_rel32_32 => quick_end!(control::jcc::<3>),
        Code::Jae_rel8_16 | Code::Jae_rel16 => end!(control::jcc16::<3>),
        Code::Je_rel8_32 | Code::Je_rel32_32 => quick_end!(control::jcc::<4>),
        Code::Je_rel8_16 | Code::Je_rel16 => end!(control::jcc16::<4>),
        Code::Jne_rel8_32 | Code::Jne_rel32_32 => quick_end!(control::jcc::<5>),
        Code::Jne_rel8_16 | Code::Jne_rel16 => end!(control::jcc16::<5>),
        Code::Jbe_rel8_32 | Code::Jbe_rel32_32 => quick_end!(control::jcc::<6>),
        Code::Jbe_rel8_16 | Code::Jbe_rel16 => end!(control::jcc16::<6>),
        Code::Ja_rel8_32 | Code::Ja_rel32_32 => quick_end!(control::jcc::<7>),
        Code::Ja_rel8_16 | Code::Ja_rel16 => end!(control::jcc16::<7>),
        Code::Js_rel8_32 | Code::Js_rel32_32 => quick_end!(control::jcc::<8>),
        Code::Js_rel8_16 | Code::Js_rel16 => end!(control::jcc16::<8>),
        Code::Jns_rel8_32 | Code::Jns_rel32_32 => quick_end!(control::jcc::<9>),
        Code::Jns_rel8_16 | Code::Jns_rel16 => end!(control::jcc16::<9>),
        Code::Jp_rel8_32 | Code::Jp_rel32_32 => quick_end!(control::jcc::<10>),
        Code::Jp_rel8_16 | Code::Jp_rel16 => end!(control::jcc16::<10>),
        Code::Jnp_rel8_32 | Code::Jnp_rel32_32 => quick_end!(control::jcc::<11>),
        Code::Jnp_rel8_16 | Code::Jnp_rel16 => end!(control::jcc16::<11>),
        Code::Jl_rel8_32 | Code::Jl_rel32_32 => quick_end!(control::jcc::<12>),
        Code::Jl_rel8_16 | Code::Jl_rel16 => end!(control::jcc16::<12>),
        Code::Jge_rel8_32 | Code::Jge_rel32_32 => quick_end!(control::jcc::<13>),
        Code::Jge_rel8_16 | Code::Jge_rel16 => end!(control::jcc16::<13>),
        Code::Jle_rel8_32 | Code::Jle_rel32_32 => quick_end!(control::jcc::<14>),
        Code::Jle_rel8_16 | Code::Jle_rel16 => end!(control::jcc16::<14>),
        Code::Jg_rel8_32 | Code::Jg_rel32_32 => quick_end!(control::jcc::<15>),
        Code::Jg_rel8_16 | Code::Jg_rel16 => end!(control::jcc16::<15>),
        Code::Jmp_rel8_32 | Code::Jmp_rel32_32 => quick_end!(control::jmp_rel),
        Code::Jmp_rel8_16 | Code::Jmp_rel16 => end!(control::jmp_rel16),
        Code::Call_rel32_32 => quick_end!(control::call_rel32),
        Code::Call_rel16 => end!(control::call_rel16),
        Code::Jmp_rm16 => quick_end_rm!(kind, control::jmp_rm::<u16, R>),
        Code::Call_rm16 => end_rm!(kind, control::call_rm::<u16, R>),
        Code::Jmp_ptr1616 => end!(control::jmp_far_imm::<u16>),
        Code::Jmp_m1616 => end!(control::jmp_far_m::<u16>),
        Code::Call_ptr1616 => end!(control::call_far_imm::<u16>),
        Code::Call_m1616 => end!(control::call_far_m::<u16>),
        Code::Jmp_rm32 => quick_end_rm!(kind, control::jmp_rm::<u32, R>),
        Code::Call_rm32 => end_rm!(kind, control::call_rm::<u32, R>),
        Code::Jmp_ptr1632 => end!(control::jmp_far_imm::<u32>),
        Code::Jmp_m1632 => end!(control::jmp_far_m::<u32>),
        Code::Call_ptr1632 => end!(control::call_far_imm::<u32>),
        Code::Call_m1632 => end!(control::call_far_m::<u32>),
        Code::Retnw | Code::Retnw_imm16 => end!(control::ret::<u16>),
        Code::Retfw | Code::Retfw_imm16 => end!(control::retf::<u16>),
        Code::Iretw => end!(control::iret::<u16>),
        Code::Bound_r16_m1616 => step!(control::bound::<u16>),
        Code::Retnd | Code::Retnd_imm16 => quick_end!(control::ret::<u32>),
        Code::Retfd | Code::Retfd_imm16 => end!(control::retf::<u32>),
        Code::Iretd => end!(control::iret::<u32>),
        Code::Bound_r32_m3232 => step!(control::bound::<u32>),
        Code::Loop_rel8_32_CX => end!(control::loop_rel::<control::Always, u16>),
        Code::Loop_rel8_16_CX => end!(control::loop_rel16::<control::Always, u16>),
        Code::Loop_rel8_32_ECX => end!(control::loop_rel::<control::Always, u32>),
        Code::Loop_rel8_16_ECX => end!(control::loop_rel16::<control::Always, u32>),
        Code::Loope_rel8_32_CX => end!(control::loop_rel::<control::WhileEqual, u16>),
        Code::Loope_rel8_16_CX => end!(control::loop_rel16::<control::WhileEqual, u16>),
        Code::Loope_rel8_32_ECX => end!(control::loop_rel::<control::WhileEqual, u32>),
        Code::Loope_rel8_16_ECX => end!(control::loop_rel16::<control::WhileEqual, u32>),
        Code::Loopne_rel8_32_CX => end!(control::loop_rel::<control::WhileNotEqual, u16>),
        Code::Loopne_rel8_16_CX => end!(control::loop_rel16::<control::WhileNotEqual, u16>),
        Code::Loopne_rel8_32_ECX => end!(control::loop_rel::<control::WhileNotEqual, u32>),
        Code::Loopne_rel8_16_ECX => end!(control::loop_rel16::<control::WhileNotEqual, u32>),
        Code::Jcxz_rel8_32 => end!(control::jcxz::<u16>),
        Code::Jcxz_rel8_16 => end!(control::jcxz16::<u16>),
        Code::Jecxz_rel8_32 => end!(control::jcxz::<u32>),
        Code::Jecxz_rel8_16 => end!(control::jcxz16::<u32>),
        Code::Int3 => end!(control::int3),
        Code::Int1 => end!(control::int1),
        Code::Int_imm8 => end!(control::int_imm8),
        Code::Into => step!(control::into),
        _ => return None,
    };
    Some(entry)
}

/// Flags, no-operations, and what programs may not do.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn system<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Nopw
        | Code::Nopd
        | Code::Pause
        | Code::Nop_rm16
        | Code::Nop_rm32
        | Code::Endbr32
        | Code::Endbr64
        | Code::Prefetch_m8
        | Code::Prefetchw_m8
        | Code::Prefetchwt1_m8
        | Code::Prefetchnta_m8
        | Code::Prefetcht0_m8
        | Code::Prefetcht1_m8
        | Code::Prefetcht2_m8
        | Code::Cldemote_m8
        | Code::Reservednop_rm16_r16_0F0D
        | Code::Reservednop_rm32_r32_0F0D
        | Code::Reservednop_rm16_r16_0F18
        | Code::Reservednop_rm32_r32_0F18
        | Code::Reservednop_rm16_r16_0F19
        | Code::Reservednop_rm32_r32_0F19
        | Code::Reservednop_rm16_r16_0F1A
        | Code::Reservednop_rm32_r32_0F1A
        | Code::Reservednop_rm16_r16_0F1B
        | Code::Reservednop_rm32_r32_0F1B
        | Code::Reservednop_rm16_r16_0F1C
        | Code::Reservednop_rm32_r32_0F1C
        | Code::Reservednop_rm16_r16_0F1D
        | Code::Reservednop_rm32_r32_0F1D
        | Code::Reservednop_rm16_r16_0F1E
        | Code::Reservednop_rm32_r32_0F1E
        | Code::Reservednop_rm16_r16_0F1F
        | Code::Reservednop_rm32_r32_0F1F
        | Code::Lfence
        | Code::Mfence
        | Code::Sfence
        | Code::Lfence_E9
        | Code::Lfence_EA
        | Code::Lfence_EB
        | Code::Lfence_EC
        | Code::Lfence_ED
        | Code::Lfence_EE
        | Code::Lfence_EF
        | Code::Mfence_F1
        | Code::Mfence_F2
        | Code::Mfence_F3
        | Code::Mfence_F4
        | Code::Mfence_F5
        | Code::Mfence_F6
        | Code::Mfence_F7
        | Code::Sfence_F9
        | Code::Sfence_FA
        | Code::Sfence_FB
        | Code::Sfence_FC
        | Code::Sfence_FD
        | Code::Sfence_FE
        | Code::Sfence_FF
        | Code::Prefetchreserved3_m8
        | Code::Prefetchreserved4_m8
        | Code::Prefetchreserved5_m8
        | Code::Prefetchreserved6_m8
        | Code::Prefetchreserved7_m8
        | Code::Bndldx_bnd_mib
        | Code::Bndmov_bnd_bndm64
        | Code::Bndcl_bnd_rm32
        | Code::Bndcu_bnd_rm32
        | Code::Bndstx_mib_bnd
        | Code::Bndmov_bndm64_bnd
        | Code::Bndmk_bnd_m32
        | Code::Bndcn_bnd_rm32
        | Code::Rdsspd_r32 => quick!(system::nop),
        Code::Clflush_m8 | Code::Clflushopt_m8 | Code::Clwb_m8 => step!(system::clflush_m8),
        Code::Hlt
        | Code::In_AL_imm8
        | Code::In_AX_imm8
        | Code::In_EAX_imm8
        | Code::Out_imm8_AL
        | Code::Out_imm8_AX
        | Code::Out_imm8_EAX
        | Code::In_AL_DX
        | Code::In_AX_DX
        | Code::In_EAX_DX
        | Code::Out_DX_AL
        | Code::Out_DX_AX
        | Code::Out_DX_EAX
        | Code::Insb_m8_DX
        | Code::Insw_m16_DX
        | Code::Insd_m32_DX
        | Code::Outsb_DX_m8
        | Code::Outsw_DX_m16
        | Code::Outsd_DX_m32
        | Code::Lgdt_m1632_16
        | Code::Lgdt_m1632
        | Code::Lidt_m1632_16
        | Code::Lidt_m1632
        | Code::Lldt_rm16
        | Code::Lldt_r32m16
        | Code::Ltr_rm16
        | Code::Ltr_r32m16
        | Code::Lmsw_rm16
        | Code::Lmsw_r32m16
        | Code::Clts
        | Code::Mov_r32_dr
        | Code::Mov_dr_r32
        | Code::Rdmsr
        | Code::Wrmsr
        | Code::Rdpmc
        | Code::Sysenter
        | Code::Sysexitd => step!(supervisor::privileged),
        Code::Invd | Code::Wbinvd | Code::Wbnoinvd => step!(supervisor::write_back),
        Code::Invlpg_m => step!(supervisor::invlpg_m),
        Code::Mov_r32_cr => step!(supervisor::mov_r32_cr),
        Code::Mov_cr_r32 => end!(supervisor::mov_cr_r32),
        Code::Cli => step!(supervisor::set_interrupt_flag::<0>),
        Code::Sti => step!(supervisor::set_interrupt_flag::<1>),
        Code::Clac => end!(supervisor::set_alignment_check::<0>),
        Code::Stac => end!(supervisor::set_alignment_check::<1>),
        Code::Sgdt_m1632_16 => step!(supervisor::sgdt::<u16, O, C>),
        Code::Sgdt_m1632 => step!(supervisor::sgdt::<u32, O, C>),
        Code::Sidt_m1632_16 => step!(supervisor::sidt::<u16, O, C>),
        Code::Sidt_m1632 => step!(supervisor::sidt::<u32, O, C>),
        Code::Sldt_rm16 | Code::Str_rm16 => {
            rm!(kind, supervisor::store_no_selector::<R, O, C>)
        }
        Code::Sldt_r32m16 | Code::Str_r32m16 => choose!(
            kind,
            step!(supervisor::load_no_selector),
            step!(supervisor::store_no_selector::<InMem, O, C>)
        ),
        Code::Smsw_rm16 => rm!(kind, supervisor::smsw::<u16, R, O, C>),
        Code::Smsw_r32m16 => choose!(
            kind,
            step!(supervisor::smsw::<u32, InReg, O, C>),
            step!(supervisor::smsw::<u16, InMem, O, C>)
        ),
        Code::Ud0
        | Code::Ud0_r16_rm16
        | Code::Ud0_r32_rm32
        | Code::Ud1_r16_rm16
        | Code::Ud1_r32_rm32
        | Code::Ud2
        | Code::Syscall
        | Code::Sysretd
        | Code::Swapgs
        | Code::Rsm
        | Code::Getsecd
        | Code::Vmcall
        | Code::Vmlaunch
        | Code::Vmresume
        | Code::Vmxoff
        | Code::Vmfunc
        | Code::Vmread_rm32_r32
        | Code::Vmwrite_r32_rm32
        | Code::Vmptrld_m64
        | Code::Vmptrst_m64
        | Code::Vmclear_m64
        | Code::Vmxon_m64
        | Code::Monitorw
        | Code::Monitord
        | Code::Mwait
        | Code::Encls
        | Code::Enclu
        | Code::Enclv
        | Code::Xgetbv
        | Code::Xsetbv
        | Code::Xend
        | Code::Xtest
        | Code::Xabort_imm8
        | Code::Xbegin_rel16
        | Code::Xbegin_rel32
        | Code::Rdrand_r16
        | Code::Rdrand_r32
        | Code::Rdseed_r16
        | Code::Rdseed_r32
        | Code::Rdpid_r32
        | Code::Rdtscp
        | Code::Rdpkru
        | Code::Wrpkru
        | Code::Pconfig
        | Code::Vmrunw
        | Code::Vmrund
        | Code::Vmmcall
        | Code::Vmloadw
        | Code::Vmloadd
        | Code::Vmsavew
        | Code::Vmsaved
        | Code::Stgi
        | Code::Clgi
        | Code::Skinit
        | Code::Invlpgaw
        | Code::Invlpgad
        | Code::Monitorxw
        | Code::Monitorxd
        | Code::Mwaitx
        | Code::Clzerow
        | Code::Clzerod
        | Code::Mcommit
        | Code::Rdpru
        | Code::Serialize
        | Code::Xsusldtrk
        | Code::Xresldtrk
        | Code::Setssbsy
        | Code::Saveprevssp
        | Code::Rstorssp_m64
        | Code::Incsspd_r32
        | Code::Clrssbsy_m64
        | Code::Wrssd_m32_r32
        | Code::Wrussd_m32_r32
        | Code::Tpause_r32
        | Code::Umonitor_r16
        | Code::Umonitor_r32
        | Code::Umwait_r32
        | Code::Ptwrite_rm32
        | Code::Xsave_mem
        | Code::Xrstor_mem
        | Code::Xsaveopt_mem
        | Code::Xsavec_mem
        | Code::Xsaves_mem
        | Code::Xrstors_mem
        | Code::Invept_r32_m128
        | Code::Invvpid_r32_m128
        | Code::Invpcid_r32_m128
        | Code::Adcx_r32_rm32
        | Code::Adox_r32_rm32
        | Code::Crc32_r32_rm8
        | Code::Crc32_r32_rm16
        | Code::Crc32_r32_rm32
        | Code::Movdiri_m32_r32
        | Code::Movdir64b_r16_m512
        | Code::Movdir64b_r32_m512
        | Code::Enqcmd_r16_m512
        | Code::Enqcmd_r32_m512
        | Code::Enqcmds_r16_m512
        | Code::Enqcmds_r32_m512
        | Code::Jmpe_rm16
        | Code::Jmpe_rm32
        | Code::Jmpe_disp16
        | Code::Jmpe_disp32
        | Code::Getsecq
        | Code::Vmgexit
        | Code::Vmgexit_F2
        | Code::Rdfsbase_r32
        | Code::Wrfsbase_r32
        | Code::Rdgsbase_r32
        | Code::Wrgsbase_r32
        | Code::Pcommit
        | Code::Femms
        | Code::Storeall
        | Code::Loadall286
        | Code::Loadall386
        | Code::Umov_rm8_r8
        | Code::Hreset_imm8
        | Code::Psmash
        | Code::Pvalidatew
        | Code::Pvalidated
        | Code::Rmpadjust
        | Code::Rmpupdate
        | Code::Invlpgbw
        | Code::Invlpgbd
        | Code::Tlbsync
        | Code::Seamcall
        | Code::Seamops
        | Code::Seamret
        | Code::Tdcall
        | Code::Clui
        | Code::Stui
        | Code::Testui
        | Code::Uiret => step!(system::undefined),
        Code::Clc => quick!(system::clc),
        Code::Stc => quick!(system::stc),
        Code::Cmc => step!(system::cmc),
        Code::Cld => quick!(system::cld),
        Code::Std => step!(system::std),
        Code::Lahf => step!(system::lahf),
        Code::Sahf => step!(system::sahf),
        Code::Salc => step!(system::salc),
        Code::Cpuid => step!(system::cpuid),
        Code::Rdtsc => step!(system::rdtsc),
        _ => return None,
    };
    Some(entry)
}
