//! Storing and loading the whole state of the unit, and packed decimal numbers.

use pagefault_mmu::{AccessKind, Stored, Word};

use super::either;
use super::x87::{load_f80, ready, store_f80};
use crate::context::Context;
use crate::exception::{Stop, general_protection};
use crate::float::{self, Env, FloatExceptions, Value};
use crate::fpu::{F80, Fpu, Pops, StackFault, Status};
use crate::op::Op;
use crate::registers::Registers;
use crate::width::Width;

/// The exception masks of the control word.
const ALL_MASKS: u16 = 0x3F;
/// Digits of a packed decimal number.
const DIGITS: u32 = 18;
/// The first number with more.
const DECIMAL_LIMIT: i64 = 1_000_000_000_000_000_000;
/// What FBSTP stores when there is no such number.
const DECIMAL_INDEFINITE: F80 = F80 {
    mantissa: 0xC000_0000_0000_0000,
    sign_exponent: 0xFFFF,
};
/// The sign of a packed decimal number, in its last two bytes; the digits there are the rest.
const DECIMAL_SIGN: u16 = 1 << 15;
const DECIMAL_UPPER: u16 = 0xFF;

/// FNSTENV: masks all exceptions afterwards.
pub(crate) fn fnstenv<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let bytes = environment::<T>(&cx.state().regs.fpu);
    let stored = store_bytes::<T>(cx, op, &bytes)?;
    let fpu = &mut cx.state_mut().regs.fpu;
    fpu.set_control(fpu.control() | ALL_MASKS);
    Ok(stored)
}

/// FLDENV.
pub(crate) fn fldenv<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?;
    let bytes = load_bytes::<T>(cx, op, environment_bytes::<T>())?;
    load_environment::<T>(&mut cx.state_mut().regs.fpu, &bytes);
    Ok(())
}

/// FNSAVE: resets the unit afterwards.
pub(crate) fn fnsave<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let fpu = &cx.state().regs.fpu;
    let mut bytes = environment::<T>(fpu);
    bytes.extend(fpu.register_bytes());
    // Quirk: whole-or-nothing
    let stored = store_bytes::<T>(cx, op, &bytes)?;
    cx.state_mut().regs.fpu.reset();
    Ok(stored)
}

/// FRSTOR.
pub(crate) fn frstor<T: Width>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?;
    let len = environment_bytes::<T>() + Fpu::REGISTERS_BYTES;
    let bytes = load_bytes::<T>(cx, op, len)?;
    let (environment, registers) = bytes.split_at(environment_bytes::<T>());
    let fpu = &mut cx.state_mut().regs.fpu;
    load_environment::<T>(fpu, environment);
    fpu.load_register_bytes(registers);
    Ok(())
}

/// FXSAVE: does not look at pending exceptions, and leaves the reserved end alone.
pub(crate) fn fxsave_m512byte(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    require_aligned(cx, op, AccessKind::Write)?;
    let image = cx.state().regs.extended_image();
    store_bytes::<u32>(cx, op, &image[..Registers::EXTENDED_USED_BYTES])
}

/// FXRSTOR: #GP for bits that MXCSR does not have.
pub(crate) fn fxrstor_m512byte(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    require_aligned(cx, op, AccessKind::Read)?;
    let bytes = load_bytes::<u32>(cx, op, Registers::EXTENDED_USED_BYTES)?;
    let mut image = [0; Registers::EXTENDED_BYTES];
    image[..bytes.len()].copy_from_slice(&bytes);
    let loaded = cx.state_mut().regs.load_extended_image(&image);
    loaded.map_err(|_| general_protection())
}

fn require_aligned(cx: &impl Context, op: &Op, kind: AccessKind) -> Result<(), Stop> {
    let addr = cx.linear(op, u128::SIZE, kind)?;
    if addr.bits().is_multiple_of(u128::SIZE) {
        Ok(())
    } else {
        Err(general_protection())
    }
}

fn environment<T: Width>(fpu: &Fpu) -> Vec<u8> {
    match T::BITS {
        u16::BITS => fpu.environment_16().to_vec(),
        _ => fpu.environment_32().to_vec(),
    }
}

const fn environment_bytes<T: Width>() -> usize {
    match T::BITS {
        u16::BITS => Fpu::ENVIRONMENT_16,
        _ => Fpu::ENVIRONMENT_32,
    }
}

fn load_environment<T: Width>(fpu: &mut Fpu, bytes: &[u8]) {
    match T::BITS {
        u16::BITS => fpu.load_environment_16(bytes),
        _ => fpu.load_environment_32(bytes),
    }
}

/// Stores bytes in words of the operand size, after all of them have been found writable.
fn store_bytes<T: Width>(cx: &mut impl Context, op: &Op, bytes: &[u8]) -> Result<Stored, Stop> {
    let words = || {
        (0_u32..)
            .step_by(T::SIZE as usize)
            .zip(bytes.chunks_exact(T::SIZE as usize))
    };
    for (offset, _) in words() {
        let addr = cx
            .state()
            .linear_part(op, offset, T::SIZE, AccessKind::Write)?;
        cx.probe_write::<T>(addr)?;
    }
    let mut stored = Stored::Plain;
    for (offset, chunk) in words() {
        let addr = cx
            .state()
            .linear_part(op, offset, T::SIZE, AccessKind::Write)?;
        let word = T::load(chunk).unwrap_or(T::ALL_ONES);
        stored = either(stored, cx.write(addr, word)?);
    }
    Ok(stored)
}

fn load_bytes<T: Width>(cx: &mut impl Context, op: &Op, len: usize) -> Result<Vec<u8>, Stop> {
    let mut bytes = vec![0; len];
    for (offset, chunk) in (0_u32..)
        .step_by(T::SIZE as usize)
        .zip(bytes.chunks_exact_mut(T::SIZE as usize))
    {
        let addr = cx
            .state()
            .linear_part(op, offset, T::SIZE, AccessKind::Read)?;
        cx.read::<T>(addr)?.store(chunk);
    }
    Ok(bytes)
}

/// FBLD: eighteen decimal digits; digits above nine count as what they are.
pub(crate) fn fbld_m80bcd(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?;
    let packed = load_f80(cx, op)?;
    let upper = u64::from(packed.sign_exponent & DECIMAL_UPPER);
    let digits = u128::from(upper) << u64::BITS | u128::from(packed.mantissa);
    let magnitude = (0..DIGITS).rev().fold(0_i64, |sum, digit| {
        let digit = (digits >> (4 * digit)).to_le_bytes()[0] & 0xF;
        sum * 10 + i64::from(digit)
    });
    let value = Value {
        negative: packed.sign_exponent & DECIMAL_SIGN != 0,
        ..Value::from_integer(magnitude)
    };
    let fpu = &mut cx.state_mut().regs.fpu;
    let env = fpu.env();
    fpu.push(env, F80::pack(value));
    Ok(())
}

/// FBSTP: rounds to an integer, stores its digits, and pops.
pub(crate) fn fbstp_m80bcd(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let fpu = ready(cx)?;
    let (value, raised, extra) = fpu.stored_value();
    let mut env = fpu.env();
    let packed = pack_decimal(&mut env, value);
    env.raised |= raised;
    let blocking = env.raised & (fpu.unmasked() - FloatExceptions::PRECISION);
    let mut stored = Stored::Plain;
    if blocking.is_empty() {
        stored = store_f80(cx, op, packed)?;
    }
    let fpu = &mut cx.state_mut().regs.fpu;
    if extra.is_empty() {
        fpu.set_c1(env.rounded_up);
        fpu.raise(env.raised, Status::empty());
    } else {
        fpu.stack_fault(StackFault::Underflow);
    }
    if blocking.is_empty() {
        fpu.pop(Pops::One);
    }
    Ok(stored)
}

fn pack_decimal(env: &mut Env, value: Value) -> F80 {
    let before = env.raised;
    let integer = float::to_integer(env, value, i64::BITS);
    let fits = integer.filter(|integer| (-DECIMAL_LIMIT + 1..DECIMAL_LIMIT).contains(integer));
    let Some(integer) = fits else {
        env.raised = before | FloatExceptions::INVALID;
        env.rounded_up = false;
        return DECIMAL_INDEFINITE;
    };
    let mut rest = integer.unsigned_abs();
    let mut digits = 0_u128;
    for digit in 0..DIGITS {
        digits |= u128::from(rest % 10) << (4 * digit);
        rest /= 10;
    }
    let sign = if value.negative { DECIMAL_SIGN } else { 0 };
    F80 {
        mantissa: crate::exec::packed::quadwords(digits)[0],
        sign_exponent: sign | u16::from((digits >> u64::BITS).to_le_bytes()[0]),
    }
}
