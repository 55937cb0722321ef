//! What is done to a block once it is decoded: a comparison and the branch behind it become one
//! operation, and status flags that nobody can see are not computed.

use iced_x86::Code;

use crate::block::Handler;
use crate::decode::Decoded;
use crate::dispatch::{self, RmKind};
use crate::observer::Observer;

/// What an operation does to the status flags, as far as it matters to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Sets all of them and can do nothing but complete.
    SetsAll,
    /// Sets all but CF, which it keeps.
    KeepsCarry,
    /// Neither sets nor looks at them, and can do nothing but complete.
    None,
    /// Looks at them, or can stop, so that they have to be right.
    NeedsAll,
}

/// Fuses the last two operations if they are a comparison and a branch.
pub(crate) fn fuse<O: pagefault_mmu::Observer, C: Observer>(decoded: &mut Vec<Decoded<O, C>>) {
    let [.., first, branch] = decoded.as_slice() else {
        return;
    };
    let Some(handler) = dispatch::fused(first.op.code, first.kind, branch.op.code) else {
        return;
    };
    let mut fused = Decoded { handler, ..*first };
    fused.op.len += branch.op.len;
    fused.op.count += branch.op.count;
    decoded.truncate(decoded.len() - 2);
    decoded.push(fused);
}

/// Replaces the handlers of operations whose flags are overwritten before anything can see them.
pub(crate) fn drop_dead_flags<O: pagefault_mmu::Observer, C: Observer>(
    decoded: &mut [Decoded<O, C>],
) {
    let mut are_dead = false;
    for entry in decoded.iter_mut().rev() {
        let effect = effect(entry.op.code, entry.kind, entry.op.imm);
        let quiet: Option<Handler<O, C>> = if are_dead {
            dispatch::quiet(entry.op.code, entry.kind)
        } else {
            None
        };
        are_dead = match effect {
            Effect::SetsAll => true,
            // Without its flags it does not keep the carry either.
            Effect::KeepsCarry => quiet.is_some(),
            Effect::None => are_dead,
            Effect::NeedsAll => false,
        };
        if let Some(handler) = quiet {
            entry.handler = handler;
        }
    }
}

fn effect(code: Code, kind: RmKind, imm: u32) -> Effect {
    use Code::{
        Add_EAX_imm32, Add_r32_rm32, Add_rm32_imm8, Add_rm32_imm32, Add_rm32_r32, And_EAX_imm32,
        And_r32_rm32, And_rm32_imm8, And_rm32_imm32, And_rm32_r32, Bswap_r32, Cdq, Cmp_EAX_imm32,
        Cmp_r8_rm8, Cmp_r32_rm32, Cmp_rm8_imm8, Cmp_rm8_r8, Cmp_rm32_imm8, Cmp_rm32_imm32,
        Cmp_rm32_r32, Cwde, Dec_r32, Inc_r32, Lea_r32_m, Mov_r8_imm8, Mov_r8_rm8, Mov_r32_imm32,
        Mov_r32_rm32, Mov_rm8_r8, Mov_rm32_imm32, Mov_rm32_r32, Movsx_r32_rm8, Movsx_r32_rm16,
        Movzx_r32_rm8, Movzx_r32_rm16, Neg_rm32, Nopd, Not_rm32, Or_EAX_imm32, Or_r32_rm32,
        Or_rm32_imm8, Or_rm32_imm32, Or_rm32_r32, Sar_rm32_1, Sar_rm32_imm8, Shl_rm32_1,
        Shl_rm32_imm8, Shr_rm32_1, Shr_rm32_imm8, Sub_EAX_imm32, Sub_r32_rm32, Sub_rm32_imm8,
        Sub_rm32_imm32, Sub_rm32_r32, Test_EAX_imm32, Test_rm8_r8, Test_rm32_imm32, Test_rm32_r32,
        Xor_EAX_imm32, Xor_r32_rm32, Xor_rm32_imm8, Xor_rm32_imm32, Xor_rm32_r32,
    };
    /// The part of a shift count that counts.
    const COUNT_MASK: u32 = 31;
    match code {
        Lea_r32_m | Mov_r32_imm32 | Mov_r8_imm8 | Bswap_r32 | Cdq | Cwde | Nopd => Effect::None,
        _ if kind == RmKind::Memory => Effect::NeedsAll,
        Mov_r32_rm32 | Mov_rm32_r32 | Mov_rm32_imm32 | Mov_r8_rm8 | Mov_rm8_r8 | Movzx_r32_rm8
        | Movzx_r32_rm16 | Movsx_r32_rm8 | Movsx_r32_rm16 | Not_rm32 => Effect::None,
        Inc_r32 | Dec_r32 => Effect::KeepsCarry,
        Shl_rm32_imm8 | Shr_rm32_imm8 | Sar_rm32_imm8 if imm & COUNT_MASK == 0 => Effect::NeedsAll,
        Shl_rm32_imm8 | Shr_rm32_imm8 | Sar_rm32_imm8 | Shl_rm32_1 | Shr_rm32_1 | Sar_rm32_1
        | Add_rm32_r32 | Add_r32_rm32 | Add_rm32_imm8 | Add_rm32_imm32 | Add_EAX_imm32
        | Sub_rm32_r32 | Sub_r32_rm32 | Sub_rm32_imm8 | Sub_rm32_imm32 | Sub_EAX_imm32
        | And_rm32_r32 | And_r32_rm32 | And_rm32_imm8 | And_rm32_imm32 | And_EAX_imm32
        | Or_rm32_r32 | Or_r32_rm32 | Or_rm32_imm8 | Or_rm32_imm32 | Or_EAX_imm32
        | Xor_rm32_r32 | Xor_r32_rm32 | Xor_rm32_imm8 | Xor_rm32_imm32 | Xor_EAX_imm32
        | Cmp_rm32_r32 | Cmp_r32_rm32 | Cmp_rm32_imm8 | Cmp_rm32_imm32 | Cmp_EAX_imm32
        | Cmp_rm8_r8 | Cmp_r8_rm8 | Cmp_rm8_imm8 | Test_rm32_r32 | Test_rm32_imm32
        | Test_EAX_imm32 | Test_rm8_r8 | Neg_rm32 => Effect::SetsAll,
        _ => Effect::NeedsAll,
    }
}
