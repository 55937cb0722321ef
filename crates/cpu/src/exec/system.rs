//! Flag instructions, CPUID, RDTSC, and what is no instruction.

use super::InMem;
use super::Rm;
use crate::alu;
use crate::context::Context;
use crate::exception::{Stop, invalid_opcode};
use crate::flags::{Eflags, State};
use crate::op::Op;
use crate::registers::Reg;

/// The twelve bytes that CPUID leaf 0 names the maker with.
const VENDOR: [u8; 12] = *b"PagefaultCPU";
/// The 48 bytes of CPUID leaves 0x80000002 to 0x80000004.
const BRAND: [u8; 48] = *b"pagefault IA-32 interpreter\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// The highest basic leaf.
const LAST_LEAF: u32 = 1;
/// The first extended leaf.
const EXTENDED_LEAF: u32 = 0x8000_0000;
/// The highest extended leaf.
const LAST_EXTENDED_LEAF: u32 = EXTENDED_LEAF + 4;
/// Family 6, model 8, stepping 0: a P6 with SSE.
const SIGNATURE: u32 = 0x680;
/// FPU, TSC, CX8, CMOV, MMX, FXSR, SSE, SSE2.
const FEATURES_EDX: u32 = 1 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;
/// MOVBE and POPCNT.
const FEATURES_ECX: u32 = 1 << 22 | 1 << 23;
/// LZCNT.
const EXTENDED_FEATURES_ECX: u32 = 1 << 5;

/// Does nothing.
#[inline(always)]
pub(crate) fn nop(_: &mut impl Context, _: &Op) -> Result<(), Stop> {
    Ok(())
}

/// CLFLUSH, which is a read for paging.
pub(crate) fn clflush_m8(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    InMem::read::<u8>(cx, op)?;
    Ok(())
}

/// #UD: an encoding that is undefined, or defined to be, or absent at CPL 3.
pub(crate) fn undefined(_: &mut impl Context, _: &Op) -> Result<(), Stop> {
    Err(invalid_opcode())
}

/// An instruction without a handler.
pub(crate) fn unsupported(_: &mut impl Context, _: &Op) -> Result<(), Stop> {
    Err(Stop::Unsupported)
}

/// CLC.
pub(crate) fn clc(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    cx.flags_mut().set_cf(false);
    Ok(())
}

/// STC.
pub(crate) fn stc(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    cx.flags_mut().set_cf(true);
    Ok(())
}

/// CMC.
pub(crate) fn cmc(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let cf = cx.flags().cf();
    cx.flags_mut().set_cf(!cf);
    Ok(())
}

/// CLD.
pub(crate) fn cld(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    cx.flags_mut().set_system(Eflags::DIRECTION, State::Clear);
    Ok(())
}

/// STD.
pub(crate) fn std(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    cx.flags_mut().set_system(Eflags::DIRECTION, State::Set);
    Ok(())
}

/// LAHF: SF, ZF, AF, PF, CF and the constant bit.
pub(crate) fn lahf(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let [low, ..] = cx.flags().eflags().bits().to_le_bytes();
    cx.set_reg(Reg::AH, low);
    Ok(())
}

/// SAHF: as LAHF the other way; OF stays.
pub(crate) fn sahf(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let loaded = Eflags::from_bits_truncate(u32::from(cx.reg::<u8>(Reg::AH)));
    let kept = cx.flags().eflags() & Eflags::OVERFLOW;
    cx.flags_mut()
        .set_status((loaded - Eflags::OVERFLOW) | kept);
    Ok(())
}

/// SALC: AL becomes all copies of CF.
pub(crate) fn salc(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let value = if cx.flags().cf() { u8::MAX } else { 0 };
    cx.set_reg(Reg::Eax, value);
    Ok(())
}

/// CPUID: a fixed processor, so that runs repeat.
pub(crate) fn cpuid(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    // Quirk: cpuid
    let [eax, ebx, ecx, edx] = match cx.reg::<u32>(Reg::Eax) {
        0 => [
            LAST_LEAF,
            word(&VENDOR, 0),
            word(&VENDOR, 2),
            word(&VENDOR, 1),
        ],
        EXTENDED_LEAF => [LAST_EXTENDED_LEAF, 0, 0, 0],
        0x8000_0001 => [SIGNATURE, 0, EXTENDED_FEATURES_ECX, 0],
        leaf @ 0x8000_0002..=LAST_EXTENDED_LEAF => {
            let first = (leaf - 0x8000_0002) as usize * 4;
            [0, 1, 2, 3].map(|index| word(&BRAND, first + index))
        }
        _ => [SIGNATURE, 0, FEATURES_ECX, FEATURES_EDX],
    };
    for (reg, value) in [
        (Reg::Eax, eax),
        (Reg::Ebx, ebx),
        (Reg::Ecx, ecx),
        (Reg::Edx, edx),
    ] {
        cx.set_reg(reg, value);
    }
    Ok(())
}

/// RDTSC: the number of instructions completed, so that runs repeat.
pub(crate) fn rdtsc(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    // Quirk: rdtsc
    let time = cx.state().instructions.wrapping_add(u64::from(op.before));
    cx.set_reg(Reg::Eax, alu::low(time));
    cx.set_reg(Reg::Edx, alu::low(time >> u32::BITS));
    Ok(())
}

/// Returns the `index`th little-endian word of a text.
fn word(text: &[u8], index: usize) -> u32 {
    text.chunks_exact(4).nth(index).map_or(0, |bytes| {
        bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    })
}
