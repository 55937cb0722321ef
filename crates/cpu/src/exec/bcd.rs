//! Decimal adjustments: DAA, DAS, AAA, AAS, AAM, AAD.

use crate::context::Context;
use crate::exception::{Exception, Stop, Vector};
use crate::op::Op;
use crate::registers::Reg;
use crate::width::Width;

/// The largest decimal digit.
const NINE: u8 = 9;
/// The largest pair of decimal digits, one in each half.
const NINETY_NINE: u8 = 0x99;
/// What turns a carry out of a digit into one out of a half byte.
const DIGIT_GAP: u8 = 6;
/// The same for the upper digit.
const UPPER_DIGIT_GAP: u8 = 0x60;

/// DAA.
pub(crate) fn daa(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    adjust_packed(cx, u8::overflowing_add)
}

/// DAS.
pub(crate) fn das(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    adjust_packed(cx, u8::overflowing_sub)
}

fn adjust_packed(cx: &mut impl Context, apply: fn(u8, u8) -> (u8, bool)) -> Result<(), Stop> {
    let old = cx.reg::<u8>(Reg::Eax);
    let flags = cx.flags();
    let is_low_off = old & 0xF > NINE || flags.af();
    let is_high_off = old > NINETY_NINE || flags.cf();
    let mut new = old;
    let mut carry = is_high_off;
    if is_low_off {
        let (adjusted, is_out) = apply(new, DIGIT_GAP);
        new = adjusted;
        carry |= is_out;
    }
    if is_high_off {
        (new, _) = apply(new, UPPER_DIGIT_GAP);
    }
    cx.set_reg(Reg::Eax, new);
    cx.flags_mut().set_result(new, carry, false);
    cx.flags_mut().set_af(is_low_off);
    Ok(())
}

/// AAA.
pub(crate) fn aaa(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    adjust_unpacked(cx, |ax| ax.wrapping_add(0x106))
}

/// AAS.
pub(crate) fn aas(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    adjust_unpacked(cx, |ax| ax.wrapping_sub(0x106))
}

fn adjust_unpacked(cx: &mut impl Context, apply: fn(u16) -> u16) -> Result<(), Stop> {
    let ax = cx.reg::<u16>(Reg::Eax);
    let is_off = ax & 0xF > u16::from(NINE) || cx.flags().af();
    let adjusted = if is_off { apply(ax) } else { ax } & 0xFF0F;
    cx.set_reg(Reg::Eax, adjusted);
    cx.flags_mut().set_cf(is_off);
    cx.flags_mut().set_af(is_off);
    Ok(())
}

/// AAM: digits to any base; base zero is a division by zero.
pub(crate) fn aam_imm8(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let (al, base) = (cx.reg::<u8>(Reg::Eax), u8::truncate(op.imm));
    let quotient = al
        .checked_div(base)
        .ok_or(Exception::fault(Vector::DIVIDE))?;
    let remainder = al % base;
    cx.set_reg(Reg::Eax, u16::from_le_bytes([remainder, quotient]));
    cx.flags_mut().set_logic(remainder);
    Ok(())
}

/// AAD: digits from any base.
pub(crate) fn aad_imm8(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let [al, ah] = cx.reg::<u16>(Reg::Eax).to_le_bytes();
    let value = ah.wrapping_mul(u8::truncate(op.imm)).wrapping_add(al);
    cx.set_reg(Reg::Eax, u16::from(value));
    cx.flags_mut().set_logic(value);
    Ok(())
}
