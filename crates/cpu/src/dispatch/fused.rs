//! Operations that stand for more, or for less, than one instruction of the list.

use iced_x86::Code;
use pagefault_mmu::Mmu;

use super::{BlockEnd, Entry, RmKind};
use crate::block::{Flow, Handler, Slot};
use crate::context::{Context, Cx, HitCx, State};
use crate::exception::Stop;
use crate::exec::{Done, InMem, InReg, alu, control, shift};
use crate::flags::Condition;
use crate::observer::Observer;
use crate::op::Op;

/// Returns the condition of a branch that can be fused: one with a 32-bit displacement.
fn condition(branch: Code) -> Option<Condition> {
    let condition = match branch {
        Code::Jb_rel8_32 | Code::Jb_rel32_32 => Condition::B,
        Code::Jae_rel8_32 | Code::Jae_rel32_32 => Condition::Ae,
        Code::Je_rel8_32 | Code::Je_rel32_32 => Condition::E,
        Code::Jne_rel8_32 | Code::Jne_rel32_32 => Condition::Ne,
        Code::Jbe_rel8_32 | Code::Jbe_rel32_32 => Condition::Be,
        Code::Ja_rel8_32 | Code::Ja_rel32_32 => Condition::A,
        Code::Js_rel8_32 | Code::Js_rel32_32 => Condition::S,
        Code::Jns_rel8_32 | Code::Jns_rel32_32 => Condition::Ns,
        Code::Jl_rel8_32 | Code::Jl_rel32_32 => Condition::L,
        Code::Jge_rel8_32 | Code::Jge_rel32_32 => Condition::Ge,
        Code::Jle_rel8_32 | Code::Jle_rel32_32 => Condition::Le,
        Code::Jg_rel8_32 | Code::Jg_rel32_32 => Condition::G,
        _ => return None,
    };
    Some(condition)
}

/// What branches look at behind CMP.
macro_rules! compared {
    ($condition:ident, $($handler:tt)+) => {
        match $condition {
            Condition::B => fused_end!(2, $($handler)+),
            Condition::Ae => fused_end!(3, $($handler)+),
            Condition::E => fused_end!(4, $($handler)+),
            Condition::Ne => fused_end!(5, $($handler)+),
            Condition::Be => fused_end!(6, $($handler)+),
            Condition::A => fused_end!(7, $($handler)+),
            Condition::S => fused_end!(8, $($handler)+),
            Condition::Ns => fused_end!(9, $($handler)+),
            Condition::L => fused_end!(12, $($handler)+),
            Condition::Ge => fused_end!(13, $($handler)+),
            Condition::Le => fused_end!(14, $($handler)+),
            Condition::G => fused_end!(15, $($handler)+),
            _ => return None,
        }
    };
}

/// What branches look at behind TEST.
macro_rules! tested {
    ($condition:ident, $($handler:tt)+) => {
        match $condition {
            Condition::E => fused_end!(4, $($handler)+),
            Condition::Ne => fused_end!(5, $($handler)+),
            Condition::S => fused_end!(8, $($handler)+),
            Condition::Ns => fused_end!(9, $($handler)+),
            Condition::L => fused_end!(12, $($handler)+),
            Condition::Ge => fused_end!(13, $($handler)+),
            Condition::Le => fused_end!(14, $($handler)+),
            Condition::G => fused_end!(15, $($handler)+),
            _ => return None,
        }
    };
}

/// What branches look at behind operations that are not comparisons.
macro_rules! counted {
    ($condition:ident, $($handler:tt)+) => {
        match $condition {
            Condition::E => fused_end!(4, $($handler)+),
            Condition::Ne => fused_end!(5, $($handler)+),
            Condition::S => fused_end!(8, $($handler)+),
            Condition::Ns => fused_end!(9, $($handler)+),
            _ => return None,
        }
    };
}

macro_rules! compared_rm {
    ($kind:ident, $condition:ident, $($handler:tt)+) => {
        choose!(
            $kind,
            { type R = InReg; compared!($condition, $($handler)+) },
            { type R = InMem; compared!($condition, $($handler)+) }
        )
    };
}

/// Returns the handler of a comparison, or of another operation on a register, together with the
/// branch behind it, if there is one.
pub(crate) fn fused<O: pagefault_mmu::Observer, C: Observer>(
    first: Code,
    kind: RmKind,
    branch: Code,
) -> Option<Handler<O, C>> {
    let condition = condition(branch)?;
    let entry: Entry<O, C> = match (first, kind) {
        (Code::Cmp_r32_rm32, _) => compared_rm!(kind, condition, alu::cmp_r_rm::<u32, R>),
        (Code::Cmp_rm32_r32, _) => compared_rm!(kind, condition, alu::cmp_rm_r::<u32, R>),
        (Code::Cmp_rm32_imm8 | Code::Cmp_rm32_imm32 | Code::Cmp_EAX_imm32, _) => {
            compared_rm!(kind, condition, alu::cmp_rm_imm::<u32, R>)
        }
        (Code::Cmp_rm8_imm8 | Code::Cmp_AL_imm8, _) => {
            compared_rm!(kind, condition, alu::cmp_rm_imm::<u8, R>)
        }
        (Code::Cmp_r8_rm8, _) => compared_rm!(kind, condition, alu::cmp_r_rm::<u8, R>),
        (Code::Test_rm32_r32, RmKind::Register) => {
            tested!(condition, alu::test_rm_r::<u32, InReg>)
        }
        (Code::Test_rm8_r8, RmKind::Register) => tested!(condition, alu::test_rm_r::<u8, InReg>),
        (Code::Dec_r32 | Code::Dec_rm32, RmKind::Register) => {
            counted!(condition, alu::rm::<alu::Dec, u32, InReg>)
        }
        (Code::Inc_r32 | Code::Inc_rm32, RmKind::Register) => {
            counted!(condition, alu::rm::<alu::Inc, u32, InReg>)
        }
        (Code::Add_rm32_imm8 | Code::Add_rm32_imm32, RmKind::Register) => {
            counted!(condition, alu::rm_imm::<alu::Add, u32, InReg>)
        }
        (Code::Sub_rm32_imm8 | Code::Sub_rm32_imm32, RmKind::Register) => {
            counted!(condition, alu::rm_imm::<alu::Sub, u32, InReg>)
        }
        (Code::Sub_r32_rm32, RmKind::Register) => {
            counted!(condition, alu::r_rm::<alu::Sub, u32, InReg>)
        }
        (Code::And_rm32_imm8 | Code::And_rm32_imm32, RmKind::Register) => {
            counted!(condition, alu::rm_imm::<alu::And, u32, InReg>)
        }
        _ => return None,
    };
    Some(entry.handler)
}

macro_rules! quiet {
    ($($handler:tt)+) => {{
        let entry: Entry<O, C> = quick!($($handler)+);
        entry.handler
    }};
}

macro_rules! quiet_in_memory {
    ($operation:ident, $operand:ident) => {{
        // What a store into code, or a watchpoint, stops behind has its flags.
        let entry: Entry<O, C> = quick_or!(
            [alu::$operand::<alu::Quiet<alu::$operation>, u32, InMem>]
                [alu::$operand::<alu::$operation, u32, InMem>]
        );
        entry.handler
    }};
}

/// Returns the handler of an operation in memory that leaves the flags alone unless it is the last
/// of its block to complete.
fn quiet_in_memory<O: pagefault_mmu::Observer, C: Observer>(code: Code) -> Option<Handler<O, C>> {
    let handler = match code {
        Code::Add_rm32_r32 => quiet_in_memory!(Add, rm_r),
        Code::Add_rm32_imm8 | Code::Add_rm32_imm32 => quiet_in_memory!(Add, rm_imm),
        Code::Sub_rm32_r32 => quiet_in_memory!(Sub, rm_r),
        Code::Sub_rm32_imm8 | Code::Sub_rm32_imm32 => quiet_in_memory!(Sub, rm_imm),
        Code::Xor_rm32_r32 => quiet_in_memory!(Xor, rm_r),
        Code::Or_rm32_r32 => quiet_in_memory!(Or, rm_r),
        Code::And_rm32_r32 => quiet_in_memory!(And, rm_r),
        Code::Inc_rm32 => quiet_in_memory!(Inc, rm),
        Code::Dec_rm32 => quiet_in_memory!(Dec, rm),
        _ => return None,
    };
    Some(handler)
}

/// Returns the handler of an operation that leaves the flags alone, if there is one.
pub(crate) fn quiet<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Handler<O, C>> {
    if kind == RmKind::Memory {
        return quiet_in_memory(code);
    }
    let handler = match code {
        Code::Add_rm32_r32 => quiet!(alu::rm_r::<alu::Quiet<alu::Add>, u32, InReg>),
        Code::Add_r32_rm32 => quiet!(alu::r_rm::<alu::Quiet<alu::Add>, u32, InReg>),
        Code::Add_rm32_imm8 | Code::Add_rm32_imm32 | Code::Add_EAX_imm32 => {
            quiet!(alu::rm_imm::<alu::Quiet<alu::Add>, u32, InReg>)
        }
        Code::Sub_rm32_r32 => quiet!(alu::rm_r::<alu::Quiet<alu::Sub>, u32, InReg>),
        Code::Sub_r32_rm32 => quiet!(alu::r_rm::<alu::Quiet<alu::Sub>, u32, InReg>),
        Code::Sub_rm32_imm8 | Code::Sub_rm32_imm32 | Code::Sub_EAX_imm32 => {
            quiet!(alu::rm_imm::<alu::Quiet<alu::Sub>, u32, InReg>)
        }
        Code::And_rm32_r32 => quiet!(alu::rm_r::<alu::Quiet<alu::And>, u32, InReg>),
        Code::And_r32_rm32 => quiet!(alu::r_rm::<alu::Quiet<alu::And>, u32, InReg>),
        Code::And_rm32_imm8 | Code::And_rm32_imm32 | Code::And_EAX_imm32 => {
            quiet!(alu::rm_imm::<alu::Quiet<alu::And>, u32, InReg>)
        }
        Code::Or_rm32_r32 => quiet!(alu::rm_r::<alu::Quiet<alu::Or>, u32, InReg>),
        Code::Or_r32_rm32 => quiet!(alu::r_rm::<alu::Quiet<alu::Or>, u32, InReg>),
        Code::Or_rm32_imm8 | Code::Or_rm32_imm32 | Code::Or_EAX_imm32 => {
            quiet!(alu::rm_imm::<alu::Quiet<alu::Or>, u32, InReg>)
        }
        Code::Xor_rm32_r32 => quiet!(alu::rm_r::<alu::Quiet<alu::Xor>, u32, InReg>),
        Code::Xor_r32_rm32 => quiet!(alu::r_rm::<alu::Quiet<alu::Xor>, u32, InReg>),
        Code::Xor_rm32_imm8 | Code::Xor_rm32_imm32 | Code::Xor_EAX_imm32 => {
            quiet!(alu::rm_imm::<alu::Quiet<alu::Xor>, u32, InReg>)
        }
        Code::Shl_rm32_imm8 | Code::Shl_rm32_1 => {
            quiet!(shift::rm_imm8::<alu::Quiet<shift::Shl>, u32, InReg>)
        }
        Code::Shr_rm32_imm8 | Code::Shr_rm32_1 => {
            quiet!(shift::rm_imm8::<alu::Quiet<shift::Shr>, u32, InReg>)
        }
        Code::Sar_rm32_imm8 | Code::Sar_rm32_1 => {
            quiet!(shift::rm_imm8::<alu::Quiet<shift::Sar>, u32, InReg>)
        }
        Code::Inc_r32 => quiet!(alu::rm::<alu::Quiet<alu::Inc>, u32, InReg>),
        Code::Dec_r32 => quiet!(alu::rm::<alu::Quiet<alu::Dec>, u32, InReg>),
        Code::Neg_rm32 => quiet!(alu::rm::<alu::Quiet<alu::Neg>, u32, InReg>),
        _ => return None,
    };
    Some(handler)
}
