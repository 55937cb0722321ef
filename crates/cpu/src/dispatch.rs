//! From iced's `Code` to the handler: the only list of instructions.
//!
//! What is not listed here decodes and ends the run as an unsupported instruction. Groups follow
//! `exec`; inside a group one line is one handler.

use iced_x86::Code;

use crate::block::{Flow, Handler};
use crate::context::{Cx, State};
use crate::exception::Stop;
use crate::exec::{
    Done, InMem, InReg, alu, bcd, bits, control, mov, muldiv, packed, segment, shift, simd, sse,
    stack, string, system, x87,
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
                    Ok(done) if !done.has_stored_code() => {
                        let Cx { state, mmu, observer } = cx;
                        (slot.next)(state, mmu, observer, rest)
                    }
                    Ok(_) => leave(cx.state, &slot.op),
                    Err(stop) => halt(cx.state, &slot.op, stop),
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
                        count(cx.state, &slot.op);
                        Flow::Reenter
                    }
                    Ok(flow) => flow,
                    Err(stop) => halt(cx.state, &slot.op, stop),
                }
            },
            end: BlockEnd::Yes,
        }
    };
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
        .or_else(|| system(code))
        .or_else(|| x87(code))
        .or_else(|| mmx(code, kind))
        .or_else(|| sse(code, kind))
        .or_else(|| sse_float(code, kind))
        .unwrap_or_else(|| step!(system::unsupported))
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
    state.regs.eip = state.next_eip(op);
    count(state, op);
    Flow::Reenter
}

/// Counts the instructions of a block up to `op`, which has completed.
fn count(state: &mut State, op: &Op) {
    state.instructions += u64::from(op.before) + u64::from(op.count);
}

/// Stops a block at `op`, which has not completed.
#[cold]
#[inline(never)]
fn halt(state: &mut State, op: &Op, stop: Stop) -> Flow {
    state.regs.eip = state.block_eip.wrapping_add(u32::from(op.at));
    state.instructions += u64::from(op.before);
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
        Code::Add_rm8_r8 => rm!(kind, alu::rm_r::<alu::Add, u8, R>),
        Code::Add_r8_rm8 => rm!(kind, alu::r_rm::<alu::Add, u8, R>),
        Code::Add_rm8_imm8 | Code::Add_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::Add, u8, R>),
        Code::Add_AL_imm8 => step!(alu::rm_imm::<alu::Add, u8, InReg>),
        Code::Add_rm16_r16 => rm!(kind, alu::rm_r::<alu::Add, u16, R>),
        Code::Add_r16_rm16 => rm!(kind, alu::r_rm::<alu::Add, u16, R>),
        Code::Add_rm16_imm16 | Code::Add_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::Add, u16, R>),
        Code::Add_AX_imm16 => step!(alu::rm_imm::<alu::Add, u16, InReg>),
        Code::Add_rm32_r32 => rm!(kind, alu::rm_r::<alu::Add, u32, R>),
        Code::Add_r32_rm32 => rm!(kind, alu::r_rm::<alu::Add, u32, R>),
        Code::Add_rm32_imm32 | Code::Add_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::Add, u32, R>),
        Code::Add_EAX_imm32 => step!(alu::rm_imm::<alu::Add, u32, InReg>),
        Code::Or_rm8_r8 => rm!(kind, alu::rm_r::<alu::Or, u8, R>),
        Code::Or_r8_rm8 => rm!(kind, alu::r_rm::<alu::Or, u8, R>),
        Code::Or_rm8_imm8 | Code::Or_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::Or, u8, R>),
        Code::Or_AL_imm8 => step!(alu::rm_imm::<alu::Or, u8, InReg>),
        Code::Or_rm16_r16 => rm!(kind, alu::rm_r::<alu::Or, u16, R>),
        Code::Or_r16_rm16 => rm!(kind, alu::r_rm::<alu::Or, u16, R>),
        Code::Or_rm16_imm16 | Code::Or_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::Or, u16, R>),
        Code::Or_AX_imm16 => step!(alu::rm_imm::<alu::Or, u16, InReg>),
        Code::Or_rm32_r32 => rm!(kind, alu::rm_r::<alu::Or, u32, R>),
        Code::Or_r32_rm32 => rm!(kind, alu::r_rm::<alu::Or, u32, R>),
        Code::Or_rm32_imm32 | Code::Or_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::Or, u32, R>),
        Code::Or_EAX_imm32 => step!(alu::rm_imm::<alu::Or, u32, InReg>),
        Code::Adc_rm8_r8 => rm!(kind, alu::rm_r::<alu::Adc, u8, R>),
        Code::Adc_r8_rm8 => rm!(kind, alu::r_rm::<alu::Adc, u8, R>),
        Code::Adc_rm8_imm8 | Code::Adc_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::Adc, u8, R>),
        Code::Adc_AL_imm8 => step!(alu::rm_imm::<alu::Adc, u8, InReg>),
        Code::Adc_rm16_r16 => rm!(kind, alu::rm_r::<alu::Adc, u16, R>),
        Code::Adc_r16_rm16 => rm!(kind, alu::r_rm::<alu::Adc, u16, R>),
        Code::Adc_rm16_imm16 | Code::Adc_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::Adc, u16, R>),
        Code::Adc_AX_imm16 => step!(alu::rm_imm::<alu::Adc, u16, InReg>),
        Code::Adc_rm32_r32 => rm!(kind, alu::rm_r::<alu::Adc, u32, R>),
        Code::Adc_r32_rm32 => rm!(kind, alu::r_rm::<alu::Adc, u32, R>),
        Code::Adc_rm32_imm32 | Code::Adc_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::Adc, u32, R>),
        Code::Adc_EAX_imm32 => step!(alu::rm_imm::<alu::Adc, u32, InReg>),
        Code::Sbb_rm8_r8 => rm!(kind, alu::rm_r::<alu::Sbb, u8, R>),
        Code::Sbb_r8_rm8 => rm!(kind, alu::r_rm::<alu::Sbb, u8, R>),
        Code::Sbb_rm8_imm8 | Code::Sbb_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::Sbb, u8, R>),
        Code::Sbb_AL_imm8 => step!(alu::rm_imm::<alu::Sbb, u8, InReg>),
        Code::Sbb_rm16_r16 => rm!(kind, alu::rm_r::<alu::Sbb, u16, R>),
        Code::Sbb_r16_rm16 => rm!(kind, alu::r_rm::<alu::Sbb, u16, R>),
        Code::Sbb_rm16_imm16 | Code::Sbb_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::Sbb, u16, R>),
        Code::Sbb_AX_imm16 => step!(alu::rm_imm::<alu::Sbb, u16, InReg>),
        Code::Sbb_rm32_r32 => rm!(kind, alu::rm_r::<alu::Sbb, u32, R>),
        Code::Sbb_r32_rm32 => rm!(kind, alu::r_rm::<alu::Sbb, u32, R>),
        Code::Sbb_rm32_imm32 | Code::Sbb_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::Sbb, u32, R>),
        Code::Sbb_EAX_imm32 => step!(alu::rm_imm::<alu::Sbb, u32, InReg>),
        Code::And_rm8_r8 => rm!(kind, alu::rm_r::<alu::And, u8, R>),
        Code::And_r8_rm8 => rm!(kind, alu::r_rm::<alu::And, u8, R>),
        Code::And_rm8_imm8 | Code::And_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::And, u8, R>),
        Code::And_AL_imm8 => step!(alu::rm_imm::<alu::And, u8, InReg>),
        Code::And_rm16_r16 => rm!(kind, alu::rm_r::<alu::And, u16, R>),
        Code::And_r16_rm16 => rm!(kind, alu::r_rm::<alu::And, u16, R>),
        Code::And_rm16_imm16 | Code::And_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::And, u16, R>),
        Code::And_AX_imm16 => step!(alu::rm_imm::<alu::And, u16, InReg>),
        Code::And_rm32_r32 => rm!(kind, alu::rm_r::<alu::And, u32, R>),
        Code::And_r32_rm32 => rm!(kind, alu::r_rm::<alu::And, u32, R>),
        Code::And_rm32_imm32 | Code::And_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::And, u32, R>),
        Code::And_EAX_imm32 => step!(alu::rm_imm::<alu::And, u32, InReg>),
        Code::Sub_rm8_r8 => rm!(kind, alu::rm_r::<alu::Sub, u8, R>),
        Code::Sub_r8_rm8 => rm!(kind, alu::r_rm::<alu::Sub, u8, R>),
        Code::Sub_rm8_imm8 | Code::Sub_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::Sub, u8, R>),
        Code::Sub_AL_imm8 => step!(alu::rm_imm::<alu::Sub, u8, InReg>),
        Code::Sub_rm16_r16 => rm!(kind, alu::rm_r::<alu::Sub, u16, R>),
        Code::Sub_r16_rm16 => rm!(kind, alu::r_rm::<alu::Sub, u16, R>),
        Code::Sub_rm16_imm16 | Code::Sub_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::Sub, u16, R>),
        Code::Sub_AX_imm16 => step!(alu::rm_imm::<alu::Sub, u16, InReg>),
        Code::Sub_rm32_r32 => rm!(kind, alu::rm_r::<alu::Sub, u32, R>),
        Code::Sub_r32_rm32 => rm!(kind, alu::r_rm::<alu::Sub, u32, R>),
        Code::Sub_rm32_imm32 | Code::Sub_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::Sub, u32, R>),
        Code::Sub_EAX_imm32 => step!(alu::rm_imm::<alu::Sub, u32, InReg>),
        Code::Xor_rm8_r8 => rm!(kind, alu::rm_r::<alu::Xor, u8, R>),
        Code::Xor_r8_rm8 => rm!(kind, alu::r_rm::<alu::Xor, u8, R>),
        Code::Xor_rm8_imm8 | Code::Xor_rm8_imm8_82 => rm!(kind, alu::rm_imm::<alu::Xor, u8, R>),
        Code::Xor_AL_imm8 => step!(alu::rm_imm::<alu::Xor, u8, InReg>),
        Code::Xor_rm16_r16 => rm!(kind, alu::rm_r::<alu::Xor, u16, R>),
        Code::Xor_r16_rm16 => rm!(kind, alu::r_rm::<alu::Xor, u16, R>),
        Code::Xor_rm16_imm16 | Code::Xor_rm16_imm8 => rm!(kind, alu::rm_imm::<alu::Xor, u16, R>),
        Code::Xor_AX_imm16 => step!(alu::rm_imm::<alu::Xor, u16, InReg>),
        Code::Xor_rm32_r32 => rm!(kind, alu::rm_r::<alu::Xor, u32, R>),
        Code::Xor_r32_rm32 => rm!(kind, alu::r_rm::<alu::Xor, u32, R>),
        Code::Xor_rm32_imm32 | Code::Xor_rm32_imm8 => rm!(kind, alu::rm_imm::<alu::Xor, u32, R>),
        Code::Xor_EAX_imm32 => step!(alu::rm_imm::<alu::Xor, u32, InReg>),
        Code::Cmp_rm8_r8 => rm!(kind, alu::cmp_rm_r::<u8, R>),
        Code::Cmp_r8_rm8 => rm!(kind, alu::cmp_r_rm::<u8, R>),
        Code::Cmp_rm8_imm8 | Code::Cmp_rm8_imm8_82 => rm!(kind, alu::cmp_rm_imm::<u8, R>),
        Code::Cmp_AL_imm8 => step!(alu::cmp_rm_imm::<u8, InReg>),
        Code::Test_rm8_r8 => rm!(kind, alu::test_rm_r::<u8, R>),
        Code::Test_rm8_imm8 | Code::Test_rm8_imm8_F6r1 => rm!(kind, alu::test_rm_imm::<u8, R>),
        Code::Test_AL_imm8 => step!(alu::test_rm_imm::<u8, InReg>),
        Code::Inc_rm8 => rm!(kind, alu::rm::<alu::Inc, u8, R>),
        Code::Dec_rm8 => rm!(kind, alu::rm::<alu::Dec, u8, R>),
        Code::Neg_rm8 => rm!(kind, alu::rm::<alu::Neg, u8, R>),
        Code::Not_rm8 => rm!(kind, alu::rm::<alu::Not, u8, R>),
        Code::Mul_rm8 => rm!(kind, muldiv::mul::<u8, R>),
        Code::Imul_rm8 => rm!(kind, muldiv::imul::<u8, R>),
        Code::Div_rm8 => rm!(kind, muldiv::div::<u8, R>),
        Code::Idiv_rm8 => rm!(kind, muldiv::idiv::<u8, R>),
        Code::Cmp_rm16_r16 => rm!(kind, alu::cmp_rm_r::<u16, R>),
        Code::Cmp_r16_rm16 => rm!(kind, alu::cmp_r_rm::<u16, R>),
        Code::Cmp_rm16_imm16 | Code::Cmp_rm16_imm8 => rm!(kind, alu::cmp_rm_imm::<u16, R>),
        Code::Cmp_AX_imm16 => step!(alu::cmp_rm_imm::<u16, InReg>),
        Code::Test_rm16_r16 => rm!(kind, alu::test_rm_r::<u16, R>),
        Code::Test_rm16_imm16 | Code::Test_rm16_imm16_F7r1 => rm!(kind, alu::test_rm_imm::<u16, R>),
        Code::Test_AX_imm16 => step!(alu::test_rm_imm::<u16, InReg>),
        Code::Inc_rm16 => rm!(kind, alu::rm::<alu::Inc, u16, R>),
        Code::Inc_r16 => step!(alu::rm::<alu::Inc, u16, InReg>),
        Code::Dec_rm16 => rm!(kind, alu::rm::<alu::Dec, u16, R>),
        Code::Dec_r16 => step!(alu::rm::<alu::Dec, u16, InReg>),
        Code::Neg_rm16 => rm!(kind, alu::rm::<alu::Neg, u16, R>),
        Code::Not_rm16 => rm!(kind, alu::rm::<alu::Not, u16, R>),
        Code::Mul_rm16 => rm!(kind, muldiv::mul::<u16, R>),
        Code::Imul_rm16 => rm!(kind, muldiv::imul::<u16, R>),
        Code::Div_rm16 => rm!(kind, muldiv::div::<u16, R>),
        Code::Idiv_rm16 => rm!(kind, muldiv::idiv::<u16, R>),
        Code::Imul_r16_rm16 => rm!(kind, muldiv::imul_r_rm::<u16, R>),
        Code::Imul_r16_rm16_imm16 | Code::Imul_r16_rm16_imm8 => {
            rm!(kind, muldiv::imul_r_rm_imm::<u16, R>)
        }
        Code::Cmp_rm32_r32 => rm!(kind, alu::cmp_rm_r::<u32, R>),
        Code::Cmp_r32_rm32 => rm!(kind, alu::cmp_r_rm::<u32, R>),
        Code::Cmp_rm32_imm32 | Code::Cmp_rm32_imm8 => rm!(kind, alu::cmp_rm_imm::<u32, R>),
        Code::Cmp_EAX_imm32 => step!(alu::cmp_rm_imm::<u32, InReg>),
        Code::Test_rm32_r32 => rm!(kind, alu::test_rm_r::<u32, R>),
        Code::Test_rm32_imm32 | Code::Test_rm32_imm32_F7r1 => rm!(kind, alu::test_rm_imm::<u32, R>),
        Code::Test_EAX_imm32 => step!(alu::test_rm_imm::<u32, InReg>),
        Code::Inc_rm32 => rm!(kind, alu::rm::<alu::Inc, u32, R>),
        Code::Inc_r32 => step!(alu::rm::<alu::Inc, u32, InReg>),
        Code::Dec_rm32 => rm!(kind, alu::rm::<alu::Dec, u32, R>),
        Code::Dec_r32 => step!(alu::rm::<alu::Dec, u32, InReg>),
        Code::Neg_rm32 => rm!(kind, alu::rm::<alu::Neg, u32, R>),
        Code::Not_rm32 => rm!(kind, alu::rm::<alu::Not, u32, R>),
        Code::Mul_rm32 => rm!(kind, muldiv::mul::<u32, R>),
        Code::Imul_rm32 => rm!(kind, muldiv::imul::<u32, R>),
        Code::Div_rm32 => rm!(kind, muldiv::div::<u32, R>),
        Code::Idiv_rm32 => rm!(kind, muldiv::idiv::<u32, R>),
        Code::Imul_r32_rm32 => rm!(kind, muldiv::imul_r_rm::<u32, R>),
        Code::Imul_r32_rm32_imm32 | Code::Imul_r32_rm32_imm8 => {
            rm!(kind, muldiv::imul_r_rm_imm::<u32, R>)
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
        Code::Rol_rm8_imm8 | Code::Rol_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rol, u8, R>),
        Code::Rol_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rol, u8, R>),
        Code::Ror_rm8_imm8 | Code::Ror_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Ror, u8, R>),
        Code::Ror_rm8_CL => rm!(kind, shift::rm_cl::<shift::Ror, u8, R>),
        Code::Rcl_rm8_imm8 | Code::Rcl_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u8, R>),
        Code::Rcl_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u8, R>),
        Code::Rcr_rm8_imm8 | Code::Rcr_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u8, R>),
        Code::Rcr_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u8, R>),
        Code::Shl_rm8_imm8 | Code::Shl_rm8_1 | Code::Sal_rm8_imm8 | Code::Sal_rm8_1 => {
            rm!(kind, shift::rm_imm8::<shift::Shl, u8, R>)
        }
        Code::Shl_rm8_CL | Code::Sal_rm8_CL => rm!(kind, shift::rm_cl::<shift::Shl, u8, R>),
        Code::Shr_rm8_imm8 | Code::Shr_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Shr, u8, R>),
        Code::Shr_rm8_CL => rm!(kind, shift::rm_cl::<shift::Shr, u8, R>),
        Code::Sar_rm8_imm8 | Code::Sar_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Sar, u8, R>),
        Code::Sar_rm8_CL => rm!(kind, shift::rm_cl::<shift::Sar, u8, R>),
        Code::Rol_rm16_imm8 | Code::Rol_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rol, u16, R>),
        Code::Rol_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rol, u16, R>),
        Code::Ror_rm16_imm8 | Code::Ror_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Ror, u16, R>),
        Code::Ror_rm16_CL => rm!(kind, shift::rm_cl::<shift::Ror, u16, R>),
        Code::Rcl_rm16_imm8 | Code::Rcl_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u16, R>),
        Code::Rcl_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u16, R>),
        Code::Rcr_rm16_imm8 | Code::Rcr_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u16, R>),
        Code::Rcr_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u16, R>),
        Code::Shl_rm16_imm8 | Code::Shl_rm16_1 | Code::Sal_rm16_imm8 | Code::Sal_rm16_1 => {
            rm!(kind, shift::rm_imm8::<shift::Shl, u16, R>)
        }
        Code::Shl_rm16_CL | Code::Sal_rm16_CL => rm!(kind, shift::rm_cl::<shift::Shl, u16, R>),
        Code::Shr_rm16_imm8 | Code::Shr_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Shr, u16, R>),
        Code::Shr_rm16_CL => rm!(kind, shift::rm_cl::<shift::Shr, u16, R>),
        Code::Sar_rm16_imm8 | Code::Sar_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Sar, u16, R>),
        Code::Sar_rm16_CL => rm!(kind, shift::rm_cl::<shift::Sar, u16, R>),
        Code::Shld_rm16_r16_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shld, u16, R>),
        Code::Shld_rm16_r16_CL => rm!(kind, shift::rm_r_cl::<shift::Shld, u16, R>),
        Code::Shrd_rm16_r16_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shrd, u16, R>),
        Code::Shrd_rm16_r16_CL => rm!(kind, shift::rm_r_cl::<shift::Shrd, u16, R>),
        Code::Bt_rm16_imm8 => rm!(kind, bits::bt_imm::<u16, R>),
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
        Code::Bsf_r16_rm16 => rm!(kind, bits::bsf::<u16, R>),
        Code::Bsr_r16_rm16 => rm!(kind, bits::bsr::<u16, R>),
        Code::Tzcnt_r16_rm16 => rm!(kind, bits::tzcnt::<u16, R>),
        Code::Lzcnt_r16_rm16 => rm!(kind, bits::lzcnt::<u16, R>),
        Code::Popcnt_r16_rm16 => rm!(kind, bits::popcnt::<u16, R>),
        Code::Rol_rm32_imm8 | Code::Rol_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rol, u32, R>),
        Code::Rol_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rol, u32, R>),
        Code::Ror_rm32_imm8 | Code::Ror_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Ror, u32, R>),
        Code::Ror_rm32_CL => rm!(kind, shift::rm_cl::<shift::Ror, u32, R>),
        Code::Rcl_rm32_imm8 | Code::Rcl_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u32, R>),
        Code::Rcl_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u32, R>),
        Code::Rcr_rm32_imm8 | Code::Rcr_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u32, R>),
        Code::Rcr_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u32, R>),
        Code::Shl_rm32_imm8 | Code::Shl_rm32_1 | Code::Sal_rm32_imm8 | Code::Sal_rm32_1 => {
            rm!(kind, shift::rm_imm8::<shift::Shl, u32, R>)
        }
        Code::Shl_rm32_CL | Code::Sal_rm32_CL => rm!(kind, shift::rm_cl::<shift::Shl, u32, R>),
        Code::Shr_rm32_imm8 | Code::Shr_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Shr, u32, R>),
        Code::Shr_rm32_CL => rm!(kind, shift::rm_cl::<shift::Shr, u32, R>),
        Code::Sar_rm32_imm8 | Code::Sar_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Sar, u32, R>),
        Code::Sar_rm32_CL => rm!(kind, shift::rm_cl::<shift::Sar, u32, R>),
        Code::Shld_rm32_r32_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shld, u32, R>),
        Code::Shld_rm32_r32_CL => rm!(kind, shift::rm_r_cl::<shift::Shld, u32, R>),
        Code::Shrd_rm32_r32_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shrd, u32, R>),
        Code::Shrd_rm32_r32_CL => rm!(kind, shift::rm_r_cl::<shift::Shrd, u32, R>),
        Code::Bt_rm32_imm8 => rm!(kind, bits::bt_imm::<u32, R>),
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
        Code::Bsf_r32_rm32 => rm!(kind, bits::bsf::<u32, R>),
        Code::Bsr_r32_rm32 => rm!(kind, bits::bsr::<u32, R>),
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
        Code::Mov_rm8_r8 => rm!(kind, mov::rm_r::<u8, R>),
        Code::Mov_r8_rm8 => rm!(kind, mov::r_rm::<u8, R>),
        Code::Mov_rm8_imm8 => rm!(kind, mov::rm_imm::<u8, R>),
        Code::Mov_r8_imm8 => step!(mov::rm_imm::<u8, InReg>),
        Code::Mov_AL_moffs8 => step!(mov::r_rm::<u8, InMem>),
        Code::Mov_moffs8_AL => step!(mov::rm_r::<u8, InMem>),
        Code::Xchg_rm8_r8 => rm!(kind, mov::xchg::<u8, R>),
        Code::Xadd_rm8_r8 => rm!(kind, mov::xadd::<u8, R>),
        Code::Cmpxchg_rm8_r8 => rm!(kind, mov::cmpxchg::<u8, R>),
        Code::Mov_rm16_r16 => rm!(kind, mov::rm_r::<u16, R>),
        Code::Mov_r16_rm16 => rm!(kind, mov::r_rm::<u16, R>),
        Code::Mov_rm16_imm16 => rm!(kind, mov::rm_imm::<u16, R>),
        Code::Mov_r16_imm16 => step!(mov::rm_imm::<u16, InReg>),
        Code::Mov_AX_moffs16 => step!(mov::r_rm::<u16, InMem>),
        Code::Mov_moffs16_AX => step!(mov::rm_r::<u16, InMem>),
        Code::Xchg_rm16_r16 => rm!(kind, mov::xchg::<u16, R>),
        Code::Xadd_rm16_r16 => rm!(kind, mov::xadd::<u16, R>),
        Code::Cmpxchg_rm16_r16 => rm!(kind, mov::cmpxchg::<u16, R>),
        Code::Xchg_r16_AX => step!(mov::xchg::<u16, InReg>),
        Code::Movzx_r16_rm8 => rm!(kind, mov::movzx::<u16, u8, R>),
        Code::Movsx_r16_rm8 => rm!(kind, mov::movsx::<u16, u8, R>),
        Code::Movzx_r16_rm16 => rm!(kind, mov::movzx::<u16, u16, R>),
        Code::Movsx_r16_rm16 => rm!(kind, mov::movsx::<u16, u16, R>),
        Code::Movbe_r16_m16 => step!(mov::movbe_r_m::<u16>),
        Code::Movbe_m16_r16 => step!(mov::movbe_m_r::<u16>),
        Code::Mov_rm32_r32 => rm!(kind, mov::rm_r::<u32, R>),
        Code::Mov_r32_rm32 => rm!(kind, mov::r_rm::<u32, R>),
        Code::Mov_rm32_imm32 => rm!(kind, mov::rm_imm::<u32, R>),
        Code::Mov_r32_imm32 => step!(mov::rm_imm::<u32, InReg>),
        Code::Mov_EAX_moffs32 => step!(mov::r_rm::<u32, InMem>),
        Code::Mov_moffs32_EAX => step!(mov::rm_r::<u32, InMem>),
        Code::Xchg_rm32_r32 => rm!(kind, mov::xchg::<u32, R>),
        Code::Xadd_rm32_r32 => rm!(kind, mov::xadd::<u32, R>),
        Code::Cmpxchg_rm32_r32 => rm!(kind, mov::cmpxchg::<u32, R>),
        Code::Xchg_r32_EAX => step!(mov::xchg::<u32, InReg>),
        Code::Movzx_r32_rm8 => rm!(kind, mov::movzx::<u32, u8, R>),
        Code::Movsx_r32_rm8 => rm!(kind, mov::movsx::<u32, u8, R>),
        Code::Movzx_r32_rm16 => rm!(kind, mov::movzx::<u32, u16, R>),
        Code::Movsx_r32_rm16 => rm!(kind, mov::movsx::<u32, u16, R>),
        Code::Movbe_r32_m32 => step!(mov::movbe_r_m::<u32>),
        Code::Movbe_m32_r32 => step!(mov::movbe_m_r::<u32>),
        Code::Cmovo_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 0>),
        Code::Cmovo_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 0>),
        Code::Seto_rm8 => rm!(kind, mov::setcc::<R, 0>),
        Code::Cmovno_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 1>),
        Code::Cmovno_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 1>),
        Code::Setno_rm8 => rm!(kind, mov::setcc::<R, 1>),
        Code::Cmovb_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 2>),
        Code::Cmovb_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 2>),
        Code::Setb_rm8 => rm!(kind, mov::setcc::<R, 2>),
        Code::Cmovae_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 3>),
        Code::Cmovae_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 3>),
        Code::Setae_rm8 => rm!(kind, mov::setcc::<R, 3>),
        Code::Cmove_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 4>),
        Code::Cmove_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 4>),
        Code::Sete_rm8 => rm!(kind, mov::setcc::<R, 4>),
        Code::Cmovne_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 5>),
        Code::Cmovne_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 5>),
        Code::Setne_rm8 => rm!(kind, mov::setcc::<R, 5>),
        Code::Cmovbe_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 6>),
        Code::Cmovbe_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 6>),
        Code::Setbe_rm8 => rm!(kind, mov::setcc::<R, 6>),
        Code::Cmova_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 7>),
        Code::Cmova_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 7>),
        Code::Seta_rm8 => rm!(kind, mov::setcc::<R, 7>),
        Code::Cmovs_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 8>),
        Code::Cmovs_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 8>),
        Code::Sets_rm8 => rm!(kind, mov::setcc::<R, 8>),
        Code::Cmovns_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 9>),
        Code::Cmovns_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 9>),
        Code::Setns_rm8 => rm!(kind, mov::setcc::<R, 9>),
        Code::Cmovp_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 10>),
        Code::Cmovp_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 10>),
        Code::Setp_rm8 => rm!(kind, mov::setcc::<R, 10>),
        Code::Cmovnp_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 11>),
        Code::Cmovnp_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 11>),
        Code::Setnp_rm8 => rm!(kind, mov::setcc::<R, 11>),
        Code::Cmovl_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 12>),
        Code::Cmovl_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 12>),
        Code::Setl_rm8 => rm!(kind, mov::setcc::<R, 12>),
        Code::Cmovge_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 13>),
        Code::Cmovge_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 13>),
        Code::Setge_rm8 => rm!(kind, mov::setcc::<R, 13>),
        Code::Cmovle_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 14>),
        Code::Cmovle_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 14>),
        Code::Setle_rm8 => rm!(kind, mov::setcc::<R, 14>),
        Code::Cmovg_r16_rm16 => rm!(kind, mov::cmovcc::<u16, R, 15>),
        Code::Cmovg_r32_rm32 => rm!(kind, mov::cmovcc::<u32, R, 15>),
        Code::Setg_rm8 => rm!(kind, mov::setcc::<R, 15>),
        Code::Lea_r16_m => step!(mov::lea::<u16>),
        Code::Lea_r32_m => step!(mov::lea_r32_m),
        Code::Movnti_m32_r32 => step!(mov::rm_r::<u32, InMem>),
        Code::Cmpxchg8b_m64 => step!(mov::cmpxchg8b_m64),
        Code::Bswap_r32 => step!(mov::bswap_r32),
        Code::Bswap_r16 => step!(mov::bswap_r16),
        Code::Cbw => step!(mov::cbw),
        Code::Cwde => step!(mov::cwde),
        Code::Cwd => step!(mov::cwd::<u16>),
        Code::Cdq => step!(mov::cwd::<u32>),
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
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
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
        Code::Push_r32 => step!(stack::push_rm::<u32, InReg>),
        Code::Pop_r32 => step!(stack::pop_r::<u32>),
        Code::Pop_rm32 => choose!(kind, step!(stack::pop_r::<u32>), step!(stack::pop_m::<u32>)),
        Code::Pushd_imm32 | Code::Pushd_imm8 => step!(stack::push_imm::<u32>),
        Code::Pushad => step!(stack::pusha::<u32>),
        Code::Popad => step!(stack::popa::<u32>),
        Code::Enterd_imm16_imm8 => step!(stack::enter::<u32>),
        Code::Leaved => step!(stack::leave::<u32>),
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
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn control<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Jo_rel8_32 | Code::Jo_rel32_32 => end!(control::jcc::<0>),
        Code::Jo_rel8_16 | Code::Jo_rel16 => end!(control::jcc16::<0>),
        Code::Jno_rel8_32 | Code::Jno_rel32_32 => end!(control::jcc::<1>),
        Code::Jno_rel8_16 | Code::Jno_rel16 => end!(control::jcc16::<1>),
        Code::Jb_rel8_32 | Code::Jb_rel32_32 => end!(control::jcc::<2>),
        Code::Jb_rel8_16 | Code::Jb_rel16 => end!(control::jcc16::<2>),
        Code::Jae_rel8_32 | Code::Jae_rel32_32 => end!(control::jcc::<3>),
        Code::Jae_rel8_16 | Code::Jae_rel16 => end!(control::jcc16::<3>),
        Code::Je_rel8_32 | Code::Je_rel32_32 => end!(control::jcc::<4>),
        Code::Je_rel8_16 | Code::Je_rel16 => end!(control::jcc16::<4>),
        Code::Jne_rel8_32 | Code::Jne_rel32_32 => end!(control::jcc::<5>),
        Code::Jne_rel8_16 | Code::Jne_rel16 => end!(control::jcc16::<5>),
        Code::Jbe_rel8_32 | Code::Jbe_rel32_32 => end!(control::jcc::<6>),
        Code::Jbe_rel8_16 | Code::Jbe_rel16 => end!(control::jcc16::<6>),
        Code::Ja_rel8_32 | Code::Ja_rel32_32 => end!(control::jcc::<7>),
        Code::Ja_rel8_16 | Code::Ja_rel16 => end!(control::jcc16::<7>),
        Code::Js_rel8_32 | Code::Js_rel32_32 => end!(control::jcc::<8>),
        Code::Js_rel8_16 | Code::Js_rel16 => end!(control::jcc16::<8>),
        Code::Jns_rel8_32 | Code::Jns_rel32_32 => end!(control::jcc::<9>),
        Code::Jns_rel8_16 | Code::Jns_rel16 => end!(control::jcc16::<9>),
        Code::Jp_rel8_32 | Code::Jp_rel32_32 => end!(control::jcc::<10>),
        Code::Jp_rel8_16 | Code::Jp_rel16 => end!(control::jcc16::<10>),
        Code::Jnp_rel8_32 | Code::Jnp_rel32_32 => end!(control::jcc::<11>),
        Code::Jnp_rel8_16 | Code::Jnp_rel16 => end!(control::jcc16::<11>),
        Code::Jl_rel8_32 | Code::Jl_rel32_32 => end!(control::jcc::<12>),
        Code::Jl_rel8_16 | Code::Jl_rel16 => end!(control::jcc16::<12>),
        Code::Jge_rel8_32 | Code::Jge_rel32_32 => end!(control::jcc::<13>),
        Code::Jge_rel8_16 | Code::Jge_rel16 => end!(control::jcc16::<13>),
        Code::Jle_rel8_32 | Code::Jle_rel32_32 => end!(control::jcc::<14>),
        Code::Jle_rel8_16 | Code::Jle_rel16 => end!(control::jcc16::<14>),
        Code::Jg_rel8_32 | Code::Jg_rel32_32 => end!(control::jcc::<15>),
        Code::Jg_rel8_16 | Code::Jg_rel16 => end!(control::jcc16::<15>),
        Code::Jmp_rel8_32 | Code::Jmp_rel32_32 => end!(control::jmp_rel),
        Code::Jmp_rel8_16 | Code::Jmp_rel16 => end!(control::jmp_rel16),
        Code::Call_rel32_32 => end!(control::call_rel32),
        Code::Call_rel16 => end!(control::call_rel16),
        Code::Jmp_rm16 => end_rm!(kind, control::jmp_rm::<u16, R>),
        Code::Call_rm16 => end_rm!(kind, control::call_rm::<u16, R>),
        Code::Jmp_ptr1616 => end!(control::jmp_far_imm::<u16>),
        Code::Jmp_m1616 => end!(control::jmp_far_m::<u16>),
        Code::Call_ptr1616 => end!(control::call_far_imm::<u16>),
        Code::Call_m1616 => end!(control::call_far_m::<u16>),
        Code::Jmp_rm32 => end_rm!(kind, control::jmp_rm::<u32, R>),
        Code::Call_rm32 => end_rm!(kind, control::call_rm::<u32, R>),
        Code::Jmp_ptr1632 => end!(control::jmp_far_imm::<u32>),
        Code::Jmp_m1632 => end!(control::jmp_far_m::<u32>),
        Code::Call_ptr1632 => end!(control::call_far_imm::<u32>),
        Code::Call_m1632 => end!(control::call_far_m::<u32>),
        Code::Retnw | Code::Retnw_imm16 => end!(control::ret::<u16>),
        Code::Retfw | Code::Retfw_imm16 => end!(control::retf::<u16>),
        Code::Iretw => end!(control::iret::<u16>),
        Code::Bound_r16_m1616 => step!(control::bound::<u16>),
        Code::Retnd | Code::Retnd_imm16 => end!(control::ret::<u32>),
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
fn system<O: pagefault_mmu::Observer, C: Observer>(code: Code) -> Option<Entry<O, C>> {
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
        | Code::Rdsspd_r32 => step!(system::nop),
        Code::Clflush_m8 | Code::Clflushopt_m8 | Code::Clwb_m8 => step!(system::clflush_m8),
        Code::Hlt
        | Code::Cli
        | Code::Sti
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
        | Code::Invd
        | Code::Wbinvd
        | Code::Wbnoinvd
        | Code::Invlpg_m
        | Code::Mov_r32_cr
        | Code::Mov_cr_r32
        | Code::Mov_r32_dr
        | Code::Mov_dr_r32
        | Code::Rdmsr
        | Code::Wrmsr
        | Code::Rdpmc
        | Code::Sysenter
        | Code::Sysexitd
        | Code::Sgdt_m1632_16
        | Code::Sgdt_m1632
        | Code::Sidt_m1632_16
        | Code::Sidt_m1632
        | Code::Sldt_rm16
        | Code::Sldt_r32m16
        | Code::Str_rm16
        | Code::Str_r32m16
        | Code::Smsw_rm16
        | Code::Smsw_r32m16 => step!(system::privileged),
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
        | Code::Clac
        | Code::Stac
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
        Code::Clc => step!(system::clc),
        Code::Stc => step!(system::stc),
        Code::Cmc => step!(system::cmc),
        Code::Cld => step!(system::cld),
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

/// The floating-point unit.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn x87<O: pagefault_mmu::Observer, C: Observer>(code: Code) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Fadd_m32fp => step!(x87::arith_m::<x87::Add, x87::M32>),
        Code::Fadd_m64fp => step!(x87::arith_m::<x87::Add, x87::M64>),
        Code::Fiadd_m32int => step!(x87::arith_m::<x87::Add, x87::I32>),
        Code::Fiadd_m16int => step!(x87::arith_m::<x87::Add, x87::I16>),
        Code::Fadd_st0_sti => step!(x87::arith_st0_sti::<x87::Add>),
        Code::Fadd_sti_st0 => step!(x87::arith_sti_st0::<x87::Add, 0>),
        Code::Faddp_sti_st0 => step!(x87::arith_sti_st0::<x87::Add, 1>),
        Code::Fmul_m32fp => step!(x87::arith_m::<x87::Mul, x87::M32>),
        Code::Fmul_m64fp => step!(x87::arith_m::<x87::Mul, x87::M64>),
        Code::Fimul_m32int => step!(x87::arith_m::<x87::Mul, x87::I32>),
        Code::Fimul_m16int => step!(x87::arith_m::<x87::Mul, x87::I16>),
        Code::Fmul_st0_sti => step!(x87::arith_st0_sti::<x87::Mul>),
        Code::Fmul_sti_st0 => step!(x87::arith_sti_st0::<x87::Mul, 0>),
        Code::Fmulp_sti_st0 => step!(x87::arith_sti_st0::<x87::Mul, 1>),
        Code::Fsub_m32fp => step!(x87::arith_m::<x87::Sub, x87::M32>),
        Code::Fsub_m64fp => step!(x87::arith_m::<x87::Sub, x87::M64>),
        Code::Fisub_m32int => step!(x87::arith_m::<x87::Sub, x87::I32>),
        Code::Fisub_m16int => step!(x87::arith_m::<x87::Sub, x87::I16>),
        Code::Fsub_st0_sti => step!(x87::arith_st0_sti::<x87::Sub>),
        Code::Fsub_sti_st0 => step!(x87::arith_sti_st0::<x87::Sub, 0>),
        Code::Fsubp_sti_st0 => step!(x87::arith_sti_st0::<x87::Sub, 1>),
        Code::Fsubr_m32fp => step!(x87::arith_m::<x87::Subr, x87::M32>),
        Code::Fsubr_m64fp => step!(x87::arith_m::<x87::Subr, x87::M64>),
        Code::Fisubr_m32int => step!(x87::arith_m::<x87::Subr, x87::I32>),
        Code::Fisubr_m16int => step!(x87::arith_m::<x87::Subr, x87::I16>),
        Code::Fsubr_st0_sti => step!(x87::arith_st0_sti::<x87::Subr>),
        Code::Fsubr_sti_st0 => step!(x87::arith_sti_st0::<x87::Subr, 0>),
        Code::Fsubrp_sti_st0 => step!(x87::arith_sti_st0::<x87::Subr, 1>),
        Code::Fdiv_m32fp => step!(x87::arith_m::<x87::Div, x87::M32>),
        Code::Fdiv_m64fp => step!(x87::arith_m::<x87::Div, x87::M64>),
        Code::Fidiv_m32int => step!(x87::arith_m::<x87::Div, x87::I32>),
        Code::Fidiv_m16int => step!(x87::arith_m::<x87::Div, x87::I16>),
        Code::Fdiv_st0_sti => step!(x87::arith_st0_sti::<x87::Div>),
        Code::Fdiv_sti_st0 => step!(x87::arith_sti_st0::<x87::Div, 0>),
        Code::Fdivp_sti_st0 => step!(x87::arith_sti_st0::<x87::Div, 1>),
        Code::Fdivr_m32fp => step!(x87::arith_m::<x87::Divr, x87::M32>),
        Code::Fdivr_m64fp => step!(x87::arith_m::<x87::Divr, x87::M64>),
        Code::Fidivr_m32int => step!(x87::arith_m::<x87::Divr, x87::I32>),
        Code::Fidivr_m16int => step!(x87::arith_m::<x87::Divr, x87::I16>),
        Code::Fdivr_st0_sti => step!(x87::arith_st0_sti::<x87::Divr>),
        Code::Fdivr_sti_st0 => step!(x87::arith_sti_st0::<x87::Divr, 0>),
        Code::Fdivrp_sti_st0 => step!(x87::arith_sti_st0::<x87::Divr, 1>),
        Code::Fcom_m32fp => step!(x87::com_m::<x87::M32, 0>),
        Code::Fcom_m64fp => step!(x87::com_m::<x87::M64, 0>),
        Code::Ficom_m32int => step!(x87::com_m::<x87::I32, 0>),
        Code::Ficom_m16int => step!(x87::com_m::<x87::I16, 0>),
        Code::Fcom_st0_sti | Code::Fcom_st0_sti_DCD0 => step!(x87::com_sti::<0>),
        Code::Fucom_st0_sti => step!(x87::ucom_sti::<0>),
        Code::Fcomi_st0_sti => step!(x87::comi::<0>),
        Code::Fucomi_st0_sti => step!(x87::ucomi::<0>),
        Code::Fst_m32fp => step!(x87::st_m::<x87::M32, 0>),
        Code::Fst_m64fp => step!(x87::st_m::<x87::M64, 0>),
        Code::Fist_m32int => step!(x87::ist_m::<x87::I32, 0>),
        Code::Fist_m16int => step!(x87::ist_m::<x87::I16, 0>),
        Code::Fcomp_m32fp => step!(x87::com_m::<x87::M32, 1>),
        Code::Fcomp_m64fp => step!(x87::com_m::<x87::M64, 1>),
        Code::Ficomp_m32int => step!(x87::com_m::<x87::I32, 1>),
        Code::Ficomp_m16int => step!(x87::com_m::<x87::I16, 1>),
        Code::Fcomp_st0_sti | Code::Fcomp_st0_sti_DCD8 | Code::Fcomp_st0_sti_DED0 => {
            step!(x87::com_sti::<1>)
        }
        Code::Fucomp_st0_sti => step!(x87::ucom_sti::<1>),
        Code::Fcomip_st0_sti => step!(x87::comi::<1>),
        Code::Fucomip_st0_sti => step!(x87::ucomi::<1>),
        Code::Fstp_m32fp => step!(x87::st_m::<x87::M32, 1>),
        Code::Fstp_m64fp => step!(x87::st_m::<x87::M64, 1>),
        Code::Fistp_m32int => step!(x87::ist_m::<x87::I32, 1>),
        Code::Fistp_m16int => step!(x87::ist_m::<x87::I16, 1>),
        Code::Fistp_m64int => step!(x87::ist_m::<x87::I64, 1>),
        Code::Fisttp_m16int => step!(x87::isttp_m::<x87::I16>),
        Code::Fild_m16int => step!(x87::ld_m::<x87::I16>),
        Code::Fisttp_m32int => step!(x87::isttp_m::<x87::I32>),
        Code::Fild_m32int => step!(x87::ld_m::<x87::I32>),
        Code::Fisttp_m64int => step!(x87::isttp_m::<x87::I64>),
        Code::Fild_m64int => step!(x87::ld_m::<x87::I64>),
        Code::Fst_sti => step!(x87::st_sti::<0>),
        Code::Fstp_sti | Code::Fstpnce_sti | Code::Fstp_sti_DFD0 | Code::Fstp_sti_DFD8 => {
            step!(x87::st_sti::<1>)
        }
        Code::Fcompp => step!(x87::fcompp),
        Code::Fucompp => step!(x87::fucompp),
        Code::Ftst => step!(x87::ftst),
        Code::Fxam => step!(x87::fxam),
        Code::Fld_m32fp => step!(x87::ld_m::<x87::M32>),
        Code::Fld_m64fp => step!(x87::ld_m::<x87::M64>),
        Code::Fld_m80fp => step!(x87::fld_m80),
        Code::Fld_sti => step!(x87::fld_sti),
        Code::Fld1 => step!(x87::fld_constant::<0>),
        Code::Fldl2t => step!(x87::fld_constant::<1>),
        Code::Fldl2e => step!(x87::fld_constant::<2>),
        Code::Fldpi => step!(x87::fld_constant::<3>),
        Code::Fldlg2 => step!(x87::fld_constant::<4>),
        Code::Fldln2 => step!(x87::fld_constant::<5>),
        Code::Fldz => step!(x87::fld_constant::<6>),
        Code::Fstp_m80fp => step!(x87::fstp_m80),
        Code::Fxch_st0_sti | Code::Fxch_st0_sti_DDC8 | Code::Fxch_st0_sti_DFC8 => step!(x87::fxch),
        Code::Fcmovb_st0_sti => step!(x87::fcmov::<2>),
        Code::Fcmove_st0_sti => step!(x87::fcmov::<4>),
        Code::Fcmovbe_st0_sti => step!(x87::fcmov::<6>),
        Code::Fcmovu_st0_sti => step!(x87::fcmov::<10>),
        Code::Fcmovnb_st0_sti => step!(x87::fcmov::<3>),
        Code::Fcmovne_st0_sti => step!(x87::fcmov::<5>),
        Code::Fcmovnbe_st0_sti => step!(x87::fcmov::<7>),
        Code::Fcmovnu_st0_sti => step!(x87::fcmov::<11>),
        Code::Fchs => step!(x87::sign::<0, 0x8000>),
        Code::Fabs => step!(x87::sign::<0x8000, 0>),
        Code::Fsqrt => step!(x87::fsqrt),
        Code::Frndint => step!(x87::frndint),
        Code::Fincstp => step!(x87::fincstp),
        Code::Fdecstp => step!(x87::fdecstp),
        Code::Fnclex => step!(x87::fnclex),
        Code::Fninit => step!(x87::fninit),
        Code::Ffree_sti => step!(x87::ffree),
        Code::Ffreep_sti => step!(x87::ffreep),
        Code::Fldcw_m2byte => step!(x87::fldcw),
        Code::Fnstcw_m2byte => step!(x87::fnstcw),
        Code::Fnstsw_m2byte => step!(x87::fnstsw),
        Code::Fnstsw_AX => step!(x87::fnstsw_ax),
        Code::Wait | Code::Fnop => step!(x87::wait),
        Code::Fneni | Code::Fndisi | Code::Fnsetpm => step!(system::nop),
        _ => return None,
    };
    Some(entry)
}

/// MMX.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn mmx<O: pagefault_mmu::Observer, C: Observer>(code: Code, kind: RmKind) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Paddb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddb, R>),
        Code::Paddw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddw, R>),
        Code::Paddd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddd, R>),
        Code::Paddq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddq, R>),
        Code::Psubb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubb, R>),
        Code::Psubw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubw, R>),
        Code::Psubd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubd, R>),
        Code::Psubq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubq, R>),
        Code::Paddusb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddusb, R>),
        Code::Paddusw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddusw, R>),
        Code::Psubusb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubusb, R>),
        Code::Psubusw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubusw, R>),
        Code::Paddsb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddsb, R>),
        Code::Paddsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddsw, R>),
        Code::Psubsb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubsb, R>),
        Code::Psubsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubsw, R>),
        Code::Pminub_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pminub, R>),
        Code::Pmaxub_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmaxub, R>),
        Code::Pminsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pminsw, R>),
        Code::Pmaxsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmaxsw, R>),
        Code::Pavgb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pavgb, R>),
        Code::Pavgw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pavgw, R>),
        Code::Pand_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pand, R>),
        Code::Pandn_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pandn, R>),
        Code::Por_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Por, R>),
        Code::Pxor_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pxor, R>),
        Code::Pcmpeqb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpeqb, R>),
        Code::Pcmpeqw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpeqw, R>),
        Code::Pcmpeqd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpeqd, R>),
        Code::Pcmpgtb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpgtb, R>),
        Code::Pcmpgtw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpgtw, R>),
        Code::Pcmpgtd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpgtd, R>),
        Code::Pmullw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmullw, R>),
        Code::Pmulhw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmulhw, R>),
        Code::Pmulhuw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmulhuw, R>),
        Code::Pmuludq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmuludq, R>),
        Code::Pmaddwd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmaddwd, R>),
        Code::Psadbw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psadbw, R>),
        Code::Packsswb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Packsswb, R>),
        Code::Packuswb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Packuswb, R>),
        Code::Packssdw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Packssdw, R>),
        Code::Punpckhbw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Punpckhbw, R>),
        Code::Punpckhwd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Punpckhwd, R>),
        Code::Punpckhdq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Punpckhdq, R>),
        Code::Psllw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psllw, R>),
        Code::Psrlw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrlw, R>),
        Code::Psraw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psraw, R>),
        Code::Pslld_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pslld, R>),
        Code::Psrld_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrld, R>),
        Code::Psrad_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrad, R>),
        Code::Psllq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psllq, R>),
        Code::Psrlq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrlq, R>),
        Code::Punpcklbw_mm_mmm32 => rm!(kind, simd::mm_mmm32::<packed::Punpcklbw, R>),
        Code::Punpcklwd_mm_mmm32 => rm!(kind, simd::mm_mmm32::<packed::Punpcklwd, R>),
        Code::Punpckldq_mm_mmm32 => rm!(kind, simd::mm_mmm32::<packed::Punpckldq, R>),
        Code::Psllw_mm_imm8 => step!(simd::mm_imm8::<packed::Psllw>),
        Code::Psrlw_mm_imm8 => step!(simd::mm_imm8::<packed::Psrlw>),
        Code::Psraw_mm_imm8 => step!(simd::mm_imm8::<packed::Psraw>),
        Code::Pslld_mm_imm8 => step!(simd::mm_imm8::<packed::Pslld>),
        Code::Psrld_mm_imm8 => step!(simd::mm_imm8::<packed::Psrld>),
        Code::Psrad_mm_imm8 => step!(simd::mm_imm8::<packed::Psrad>),
        Code::Psllq_mm_imm8 => step!(simd::mm_imm8::<packed::Psllq>),
        Code::Psrlq_mm_imm8 => step!(simd::mm_imm8::<packed::Psrlq>),
        Code::Movd_mm_rm32 => rm!(kind, simd::movd_mm_rm32::<R>),
        Code::Movd_rm32_mm => rm!(kind, simd::movd_rm32_mm::<R>),
        Code::Movq_mm_mmm64 => rm!(kind, simd::movq_mm_mmm64::<R>),
        Code::Movq_mmm64_mm => choose!(
            kind,
            step!(simd::movq_mm_mm_store),
            step!(simd::movq_m64_mm)
        ),
        Code::Movntq_m64_mm => step!(simd::movq_m64_mm),
        Code::Movq2dq_xmm_mm => step!(simd::movq2dq),
        Code::Movdq2q_mm_xmm => step!(simd::movdq2q),
        Code::Emms => step!(simd::emms),
        Code::Pmovmskb_r32_mm => step!(simd::pmovmskb_r32_mm),
        Code::Pshufw_mm_mmm64_imm8 => rm!(kind, simd::pshufw::<R>),
        Code::Pinsrw_mm_r32m16_imm8 => rm!(kind, simd::pinsrw_mm::<R>),
        Code::Pextrw_r32_mm_imm8 => step!(simd::pextrw_mm),
        Code::Maskmovq_rDI_mm_mm => step!(simd::maskmovq),
        _ => return None,
    };
    Some(entry)
}

/// The integer part of SSE and SSE2, and moves.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn sse<O: pagefault_mmu::Observer, C: Observer>(code: Code, kind: RmKind) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Paddb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddb, R>),
        Code::Paddw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddw, R>),
        Code::Paddd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddd, R>),
        Code::Paddq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddq, R>),
        Code::Psubb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubb, R>),
        Code::Psubw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubw, R>),
        Code::Psubd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubd, R>),
        Code::Psubq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubq, R>),
        Code::Paddusb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddusb, R>),
        Code::Paddusw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddusw, R>),
        Code::Psubusb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubusb, R>),
        Code::Psubusw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubusw, R>),
        Code::Paddsb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddsb, R>),
        Code::Paddsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddsw, R>),
        Code::Psubsb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubsb, R>),
        Code::Psubsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubsw, R>),
        Code::Pminub_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pminub, R>),
        Code::Pmaxub_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmaxub, R>),
        Code::Pminsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pminsw, R>),
        Code::Pmaxsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmaxsw, R>),
        Code::Pavgb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pavgb, R>),
        Code::Pavgw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pavgw, R>),
        Code::Pand_xmm_xmmm128 | Code::Andps_xmm_xmmm128 | Code::Andpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Pand, R>)
        }
        Code::Pandn_xmm_xmmm128 | Code::Andnps_xmm_xmmm128 | Code::Andnpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Pandn, R>)
        }
        Code::Por_xmm_xmmm128 | Code::Orps_xmm_xmmm128 | Code::Orpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Por, R>)
        }
        Code::Pxor_xmm_xmmm128 | Code::Xorps_xmm_xmmm128 | Code::Xorpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Pxor, R>)
        }
        Code::Pcmpeqb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpeqb, R>),
        Code::Pcmpeqw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpeqw, R>),
        Code::Pcmpeqd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpeqd, R>),
        Code::Pcmpgtb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpgtb, R>),
        Code::Pcmpgtw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpgtw, R>),
        Code::Pcmpgtd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpgtd, R>),
        Code::Pmullw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmullw, R>),
        Code::Pmulhw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmulhw, R>),
        Code::Pmulhuw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmulhuw, R>),
        Code::Pmuludq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmuludq, R>),
        Code::Pmaddwd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmaddwd, R>),
        Code::Psadbw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psadbw, R>),
        Code::Packsswb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Packsswb, R>),
        Code::Packuswb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Packuswb, R>),
        Code::Packssdw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Packssdw, R>),
        Code::Punpckhbw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpckhbw, R>),
        Code::Punpckhwd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpckhwd, R>),
        Code::Punpckhdq_xmm_xmmm128 | Code::Unpckhps_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpckhdq, R>)
        }
        Code::Psllw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psllw, R>),
        Code::Psrlw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrlw, R>),
        Code::Psraw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psraw, R>),
        Code::Pslld_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pslld, R>),
        Code::Psrld_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrld, R>),
        Code::Psrad_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrad, R>),
        Code::Psllq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psllq, R>),
        Code::Psrlq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrlq, R>),
        Code::Punpcklbw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpcklbw, R>),
        Code::Punpcklwd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpcklwd, R>),
        Code::Punpckldq_xmm_xmmm128 | Code::Unpcklps_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpckldq, R>)
        }
        Code::Punpcklqdq_xmm_xmmm128 | Code::Unpcklpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpcklqdq, R>)
        }
        Code::Punpckhqdq_xmm_xmmm128 | Code::Unpckhpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpckhqdq, R>)
        }
        Code::Psllw_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psllw>),
        Code::Psrlw_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrlw>),
        Code::Psraw_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psraw>),
        Code::Pslld_xmm_imm8 => step!(simd::xmm_imm8::<packed::Pslld>),
        Code::Psrld_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrld>),
        Code::Psrad_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrad>),
        Code::Psllq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psllq>),
        Code::Psrlq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrlq>),
        Code::Pslldq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Pslldq>),
        Code::Psrldq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrldq>),
        Code::Movhlps_xmm_xmm => step!(simd::xmm_xmmm128::<packed::Movhlps, InReg>),
        Code::Movlhps_xmm_xmm => step!(simd::xmm_xmmm128::<packed::Movlhps, InReg>),
        Code::Movaps_xmm_xmmm128 | Code::Movapd_xmm_xmmm128 | Code::Movdqa_xmm_xmmm128 => {
            rm!(kind, simd::mova_xmm_xmmm128::<R>)
        }
        Code::Movups_xmm_xmmm128 | Code::Movupd_xmm_xmmm128 | Code::Movdqu_xmm_xmmm128 => {
            rm!(kind, simd::movu_xmm_xmmm128::<R>)
        }
        Code::Movaps_xmmm128_xmm | Code::Movapd_xmmm128_xmm | Code::Movdqa_xmmm128_xmm => {
            choose!(kind, step!(simd::mov_rm_xmm), step!(simd::mova_m128_xmm))
        }
        Code::Movups_xmmm128_xmm | Code::Movupd_xmmm128_xmm | Code::Movdqu_xmmm128_xmm => {
            choose!(kind, step!(simd::mov_rm_xmm), step!(simd::movu_m128_xmm))
        }
        Code::Movntps_m128_xmm | Code::Movntpd_m128_xmm | Code::Movntdq_m128_xmm => {
            step!(simd::mova_m128_xmm)
        }
        Code::Movss_xmm_xmmm32 => choose!(kind, step!(simd::movss_reg::<0>), step!(simd::load32)),
        Code::Movss_xmmm32_xmm => choose!(kind, step!(simd::movss_reg::<1>), step!(simd::store32)),
        Code::Movsd_xmm_xmmm64 => choose!(
            kind,
            step!(simd::movsd_reg::<0>),
            step!(simd::load64::<InMem>)
        ),
        Code::Movsd_xmmm64_xmm => choose!(kind, step!(simd::movsd_reg::<1>), step!(simd::store64)),
        Code::Movq_xmm_xmmm64 => rm!(kind, simd::load64::<R>),
        Code::Movq_xmmm64_xmm => {
            choose!(kind, step!(simd::movq_xmm_xmm_store), step!(simd::store64))
        }
        Code::Movd_xmm_rm32 => choose!(kind, step!(simd::movd_xmm_r32), step!(simd::load32)),
        Code::Movd_rm32_xmm => choose!(kind, step!(simd::movd_r32_xmm), step!(simd::store32)),
        Code::Movlps_xmm_m64 | Code::Movlpd_xmm_m64 => step!(simd::load_low64),
        Code::Movlps_m64_xmm | Code::Movlpd_m64_xmm => step!(simd::store64),
        Code::Movhps_xmm_m64 | Code::Movhpd_xmm_m64 => step!(simd::load_high64),
        Code::Movhps_m64_xmm | Code::Movhpd_m64_xmm => step!(simd::store_high64),
        Code::Pmovmskb_r32_xmm => step!(simd::pmovmskb_r32_xmm),
        Code::Movmskps_r32_xmm => step!(simd::movmskps),
        Code::Movmskpd_r32_xmm => step!(simd::movmskpd),
        Code::Pshufd_xmm_xmmm128_imm8 => rm!(kind, simd::pshufd::<R>),
        Code::Pshuflw_xmm_xmmm128_imm8 => rm!(kind, simd::pshuf_words::<R, 0>),
        Code::Pshufhw_xmm_xmmm128_imm8 => rm!(kind, simd::pshuf_words::<R, 4>),
        Code::Shufps_xmm_xmmm128_imm8 => rm!(kind, simd::shufps::<R>),
        Code::Shufpd_xmm_xmmm128_imm8 => rm!(kind, simd::shufpd::<R>),
        Code::Pinsrw_xmm_r32m16_imm8 => rm!(kind, simd::pinsrw_xmm::<R>),
        Code::Pextrw_r32_xmm_imm8 => step!(simd::pextrw_xmm),
        Code::Maskmovdqu_rDI_xmm_xmm => step!(simd::maskmovdqu),
        Code::Ldmxcsr_m32 => step!(simd::ldmxcsr),
        Code::Stmxcsr_m32 => step!(simd::stmxcsr),
        _ => return None,
    };
    Some(entry)
}

/// SSE and SSE2 floating point.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
fn sse_float<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Addps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Add, sse::Single, R>),
        Code::Addpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Add, sse::Double, R>),
        Code::Addss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Add, sse::Single, R>),
        Code::Addsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Add, sse::Double, R>),
        Code::Subps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sub, sse::Single, R>),
        Code::Subpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sub, sse::Double, R>),
        Code::Subss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Sub, sse::Single, R>),
        Code::Subsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Sub, sse::Double, R>),
        Code::Mulps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Mul, sse::Single, R>),
        Code::Mulpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Mul, sse::Double, R>),
        Code::Mulss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Mul, sse::Single, R>),
        Code::Mulsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Mul, sse::Double, R>),
        Code::Divps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Div, sse::Single, R>),
        Code::Divpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Div, sse::Double, R>),
        Code::Divss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Div, sse::Single, R>),
        Code::Divsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Div, sse::Double, R>),
        Code::Sqrtps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sqrt, sse::Single, R>),
        Code::Sqrtpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sqrt, sse::Double, R>),
        Code::Sqrtss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Sqrt, sse::Single, R>),
        Code::Sqrtsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Sqrt, sse::Double, R>),
        Code::Minps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Min, sse::Single, R>),
        Code::Minpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Min, sse::Double, R>),
        Code::Minss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Min, sse::Single, R>),
        Code::Minsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Min, sse::Double, R>),
        Code::Maxps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Max, sse::Single, R>),
        Code::Maxpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Max, sse::Double, R>),
        Code::Maxss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Max, sse::Single, R>),
        Code::Maxsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Max, sse::Double, R>),
        Code::Cmpps_xmm_xmmm128_imm8 => rm!(kind, sse::cmp_packed::<sse::Single, R>),
        Code::Cmppd_xmm_xmmm128_imm8 => rm!(kind, sse::cmp_packed::<sse::Double, R>),
        Code::Cmpss_xmm_xmmm32_imm8 => rm!(kind, sse::cmp_scalar::<sse::Single, R>),
        Code::Cmpsd_xmm_xmmm64_imm8 => rm!(kind, sse::cmp_scalar::<sse::Double, R>),
        Code::Comiss_xmm_xmmm32 => rm!(kind, sse::comis::<sse::Single, R>),
        Code::Comisd_xmm_xmmm64 => rm!(kind, sse::comis::<sse::Double, R>),
        Code::Ucomiss_xmm_xmmm32 => rm!(kind, sse::ucomis::<sse::Single, R>),
        Code::Ucomisd_xmm_xmmm64 => rm!(kind, sse::ucomis::<sse::Double, R>),
        Code::Cvtsi2ss_xmm_rm32 => rm!(kind, sse::cvtsi2::<sse::Single, R>),
        Code::Cvtss2si_r32_xmmm32 => rm!(kind, sse::cvt2si::<sse::Single, R>),
        Code::Cvttss2si_r32_xmmm32 => rm!(kind, sse::cvtt2si::<sse::Single, R>),
        Code::Cvtps2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Single, R, 0>),
        Code::Cvttps2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Single, R, 1>),
        Code::Cvtsi2sd_xmm_rm32 => rm!(kind, sse::cvtsi2::<sse::Double, R>),
        Code::Cvtsd2si_r32_xmmm64 => rm!(kind, sse::cvt2si::<sse::Double, R>),
        Code::Cvttsd2si_r32_xmmm64 => rm!(kind, sse::cvtt2si::<sse::Double, R>),
        Code::Cvtpd2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Double, R, 0>),
        Code::Cvttpd2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Double, R, 1>),
        Code::Cvtss2sd_xmm_xmmm32 => rm!(kind, sse::cvt_scalar::<sse::Single, sse::Double, R>),
        Code::Cvtsd2ss_xmm_xmmm64 => rm!(kind, sse::cvt_scalar::<sse::Double, sse::Single, R>),
        Code::Cvtps2pd_xmm_xmmm64 => rm!(kind, sse::cvtps2pd::<R>),
        Code::Cvtpd2ps_xmm_xmmm128 => rm!(kind, sse::cvtpd2ps::<R>),
        Code::Cvtdq2ps_xmm_xmmm128 => rm!(kind, sse::cvtdq2ps::<R>),
        Code::Cvtdq2pd_xmm_xmmm64 => rm!(kind, sse::cvtdq2pd::<R>),
        Code::Cvtps2pi_mm_xmmm64 => rm!(kind, sse::cvtps2pi::<R, 0>),
        Code::Cvttps2pi_mm_xmmm64 => rm!(kind, sse::cvtps2pi::<R, 1>),
        Code::Cvtpd2pi_mm_xmmm128 => rm!(kind, sse::cvtpd2pi::<R, 0>),
        Code::Cvttpd2pi_mm_xmmm128 => rm!(kind, sse::cvtpd2pi::<R, 1>),
        Code::Cvtpi2ps_xmm_mmm64 => rm!(kind, sse::cvtpi2ps::<R>),
        Code::Cvtpi2pd_xmm_mmm64 => rm!(kind, sse::cvtpi2pd::<R>),
        Code::Rcpps_xmm_xmmm128 => rm!(kind, sse::approximate_packed::<sse::Reciprocal, R>),
        Code::Rcpss_xmm_xmmm32 => rm!(kind, sse::approximate_scalar::<sse::Reciprocal, R>),
        Code::Rsqrtps_xmm_xmmm128 => rm!(kind, sse::approximate_packed::<sse::ReciprocalRoot, R>),
        Code::Rsqrtss_xmm_xmmm32 => rm!(kind, sse::approximate_scalar::<sse::ReciprocalRoot, R>),
        _ => return None,
    };
    Some(entry)
}
