//! SSE and SSE2 floating point.

use std::cmp::Ordering;

use super::Rm;
use super::packed::{doublewords, from_doublewords, from_quadwords, quadwords};
use super::simd::{VectorRm, mmx_ready};
use super::x87::relation_flags;
use crate::context::Context;
use crate::exception::{Exception, Stop, Vector};
use crate::float::{self, Denormals, Env, FloatExceptions, Format, NanRule, Rounding, Value};
use crate::op::Op;

/// MXCSR bit 6, DAZ.
const DENORMALS_ARE_ZERO: u32 = 1 << 6;
/// MXCSR bit 15, FTZ.
const FLUSH_TO_ZERO: u32 = 1 << 15;
/// Where the rounding field begins.
const ROUNDING_SHIFT: u32 = 13;
/// Where the exception masks begin.
const MASK_SHIFT: u32 = 7;
/// The integer that conversions give for what has none.
const INDEFINITE: u32 = 0x8000_0000;

/// A lane format: single or double precision.
pub(crate) trait Lane {
    const FORMAT: Format;
    /// Lanes of a register.
    const COUNT: usize;
    fn unpack(register: u128, lane: usize) -> Value;
    fn pack(value: Value) -> u64;
    fn join(lanes: [u64; 4]) -> u128;
    fn split(register: u128) -> [u64; 4];
    /// Reads the scalar operand.
    fn scalar<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<u128, Stop>;
}

/// Single precision.
#[derive(Debug)]
pub(crate) struct Single;

/// Double precision.
#[derive(Debug)]
pub(crate) struct Double;

impl Lane for Single {
    const FORMAT: Format = Format::SINGLE;
    const COUNT: usize = 4;

    fn unpack(register: u128, lane: usize) -> Value {
        float::from_f32(doublewords(register)[lane])
    }

    fn pack(value: Value) -> u64 {
        u64::from(float::to_f32(value))
    }

    fn join(lanes: [u64; 4]) -> u128 {
        from_doublewords(lanes.map(crate::alu::low))
    }

    fn split(register: u128) -> [u64; 4] {
        doublewords(register).map(u64::from)
    }

    fn scalar<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<u128, Stop> {
        Ok(u128::from(R::low32(cx, op)?))
    }
}

impl Lane for Double {
    const FORMAT: Format = Format::DOUBLE;
    const COUNT: usize = 2;

    fn unpack(register: u128, lane: usize) -> Value {
        float::from_f64(quadwords(register)[lane])
    }

    fn pack(value: Value) -> u64 {
        float::to_f64(value)
    }

    fn join(lanes: [u64; 4]) -> u128 {
        from_quadwords([lanes[0], lanes[1]])
    }

    fn split(register: u128) -> [u64; 4] {
        let [low, high] = quadwords(register);
        [low, high, 0, 0]
    }

    fn scalar<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<u128, Stop> {
        Ok(u128::from(R::low64(cx, op)?))
    }
}

/// An operation on one pair of lanes.
pub(crate) trait LaneOperation {
    fn apply(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value;
}

macro_rules! operations {
    ($($name:ident = $function:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`.")]
            #[derive(Debug)]
            pub(crate) struct $name;

            impl LaneOperation for $name {
                fn apply(env: &mut Env, lhs: Value, rhs: Value, format: Format) -> Value {
                    $function(env, lhs, rhs, format)
                }
            }
        )*
    };
}

operations! {
    Add = float::add;
    Sub = float::sub;
    Mul = float::mul;
    Div = float::div;
    Sqrt = |env: &mut Env, _, rhs, format| float::sqrt(env, rhs, format);
    Min = |env: &mut Env, lhs, rhs, _| choose(env, lhs, rhs, Ordering::Less);
    Max = |env: &mut Env, lhs, rhs, _| choose(env, lhs, rhs, Ordering::Greater);
}

/// MIN and MAX: the source, unless the destination is strictly better. Any NaN is invalid.
fn choose(env: &mut Env, lhs: Value, rhs: Value, better: Ordering) -> Value {
    let (lhs, rhs) = (float::flushed(*env, lhs), float::flushed(*env, rhs));
    match float::compare(env, lhs, rhs) {
        Some(ordering) if ordering == better => lhs,
        Some(_) => rhs,
        None => {
            env.raised |= FloatExceptions::INVALID;
            rhs
        }
    }
}

fn env(cx: &impl Context) -> Env {
    let mxcsr = cx.state().regs.mxcsr();
    let denormals = |bit| {
        if mxcsr & bit != 0 {
            Denormals::Zero
        } else {
            Denormals::Kept
        }
    };
    Env {
        operands: denormals(DENORMALS_ARE_ZERO),
        results: denormals(FLUSH_TO_ZERO),
        unmasked: unmasked(mxcsr),
        ..Env::new(
            Rounding::from_field(mxcsr >> ROUNDING_SHIFT),
            NanRule::First,
        )
    }
}

fn unmasked(mxcsr: u32) -> FloatExceptions {
    let [masks, ..] = (mxcsr >> MASK_SHIFT).to_le_bytes();
    FloatExceptions::from_bits_truncate(!masks)
}

/// Adds the exceptions to MXCSR; #XM if one is unmasked, and then there is no result. If that was
/// found in the operands of some lane, no lane has been computed.
fn finish(cx: &mut impl Context, env: Env) -> Result<(), Stop> {
    let mut raised = env.raised;
    if raised.intersects(FloatExceptions::BEFORE & env.unmasked) {
        raised &= FloatExceptions::BEFORE;
    }
    let mxcsr = cx.state().regs.mxcsr();
    let bits = u32::from(raised.bits());
    cx.state_mut().regs.set_mxcsr(mxcsr | bits);
    if raised.intersects(env.unmasked) {
        return Err(Exception::fault(Vector::SIMD).into());
    }
    Ok(())
}

/// `OPps xmm, xmm/m128` and `OPpd`.
pub(crate) fn packed<F: LaneOperation, L: Lane, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let rhs = R::xmm(cx, op)?;
    let lhs = cx.state().regs.xmm(op.reg);
    let mut env = env(cx);
    let mut lanes = [0; 4];
    for (index, lane) in lanes.iter_mut().enumerate().take(L::COUNT) {
        let (lhs, rhs) = (L::unpack(lhs, index), L::unpack(rhs, index));
        *lane = L::pack(F::apply(&mut env, lhs, rhs, L::FORMAT));
    }
    finish(cx, env)?;
    cx.state_mut().regs.set_xmm(op.reg, L::join(lanes));
    Ok(())
}

/// `OPss xmm, xmm/m32` and `OPsd`.
pub(crate) fn scalar<F: LaneOperation, L: Lane, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let rhs = L::scalar::<R>(cx, op)?;
    let lhs = cx.state().regs.xmm(op.reg);
    let mut env = env(cx);
    let result = F::apply(&mut env, L::unpack(lhs, 0), L::unpack(rhs, 0), L::FORMAT);
    finish(cx, env)?;
    set_low::<L>(cx, op, L::pack(result));
    Ok(())
}

fn set_low<L: Lane>(cx: &mut impl Context, op: &Op, bits: u64) {
    let mut lanes = L::split(cx.state().regs.xmm(op.reg));
    lanes[0] = bits;
    cx.state_mut().regs.set_xmm(op.reg, L::join(lanes));
}

/// The eight predicates of CMPPS; the third bit negates.
fn predicate(env: &mut Env, lhs: Value, rhs: Value, code: u32) -> bool {
    let ordering = float::compare(env, lhs, rhs);
    let (holds, is_signaling) = match code & 3 {
        0 => (ordering == Some(Ordering::Equal), false),
        1 => (ordering == Some(Ordering::Less), true),
        2 => (
            matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            true,
        ),
        _ => (ordering.is_none(), false),
    };
    if is_signaling && ordering.is_none() {
        env.raised |= FloatExceptions::INVALID;
    }
    holds != (code & 4 != 0)
}

/// CMPPS and CMPPD: lanes of ones or zeros.
pub(crate) fn cmp_packed<L: Lane, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let rhs = R::xmm(cx, op)?;
    let lhs = cx.state().regs.xmm(op.reg);
    let mut env = env(cx);
    let mut lanes = [0; 4];
    for (index, lane) in lanes.iter_mut().enumerate().take(L::COUNT) {
        let (lhs, rhs) = (L::unpack(lhs, index), L::unpack(rhs, index));
        *lane = if predicate(&mut env, lhs, rhs, op.imm) {
            u64::MAX
        } else {
            0
        };
    }
    finish(cx, env)?;
    cx.state_mut().regs.set_xmm(op.reg, L::join(lanes));
    Ok(())
}

/// CMPSS and CMPSD.
pub(crate) fn cmp_scalar<L: Lane, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let rhs = L::scalar::<R>(cx, op)?;
    let lhs = cx.state().regs.xmm(op.reg);
    let mut env = env(cx);
    let holds = predicate(&mut env, L::unpack(lhs, 0), L::unpack(rhs, 0), op.imm);
    finish(cx, env)?;
    set_low::<L>(cx, op, if holds { u64::MAX } else { 0 });
    Ok(())
}

/// COMISS and COMISD, which mind quiet NaNs.
pub(crate) fn comis<L: Lane, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    compare_to_flags::<L, R>(cx, op, FloatExceptions::INVALID)
}

/// UCOMISS and UCOMISD.
pub(crate) fn ucomis<L: Lane, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    compare_to_flags::<L, R>(cx, op, FloatExceptions::empty())
}

fn compare_to_flags<L: Lane, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
    unordered: FloatExceptions,
) -> Result<(), Stop> {
    let rhs = L::scalar::<R>(cx, op)?;
    let lhs = cx.state().regs.xmm(op.reg);
    let mut env = env(cx);
    let ordering = float::compare(&mut env, L::unpack(lhs, 0), L::unpack(rhs, 0));
    if ordering.is_none() {
        env.raised |= unordered;
    }
    finish(cx, env)?;
    cx.flags_mut().set_status(relation_flags(ordering));
    Ok(())
}

/// CVTSI2SS and CVTSI2SD.
pub(crate) fn cvtsi2<L: Lane, R: Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let integer = R::read::<u32>(cx, op)?;
    let mut env = env(cx);
    let value = float::convert(&mut env, integer_value(integer), L::FORMAT);
    finish(cx, env)?;
    set_low::<L>(cx, op, L::pack(value));
    Ok(())
}

/// CVTSS2SI and CVTSD2SI.
pub(crate) fn cvt2si<L: Lane, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let rounding = env(cx).rounding;
    scalar_to_integer::<L, R>(cx, op, rounding)
}

/// CVTTSS2SI and CVTTSD2SI.
pub(crate) fn cvtt2si<L: Lane, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    scalar_to_integer::<L, R>(cx, op, Rounding::TowardZero)
}

fn scalar_to_integer<L: Lane, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
    rounding: Rounding,
) -> Result<(), Stop> {
    let source = L::scalar::<R>(cx, op)?;
    let mut env = Env {
        rounding,
        ..env(cx)
    };
    let integer = integer_bits(&mut env, L::unpack(source, 0));
    finish(cx, env)?;
    cx.set_reg(op.reg, integer);
    Ok(())
}

fn integer_value(bits: u32) -> Value {
    Value::from_integer(i64::from(bits.cast_signed()))
}

fn integer_bits(env: &mut Env, value: Value) -> u32 {
    let integer = float::to_integer(env, value, u32::BITS);
    integer.map_or(INDEFINITE, |integer| {
        crate::alu::low(integer.cast_unsigned())
    })
}

/// CVTSS2SD and CVTSD2SS.
pub(crate) fn cvt_scalar<F: Lane, T: Lane, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = F::scalar::<R>(cx, op)?;
    let mut env = env(cx);
    let value = float::convert(&mut env, F::unpack(source, 0), T::FORMAT);
    finish(cx, env)?;
    set_low::<T>(cx, op, T::pack(value));
    Ok(())
}

/// How a packed conversion makes one lane.
type ConvertLane = fn(&mut Env, u128, usize) -> u64;

fn convert_lanes<L: Lane>(
    cx: &mut impl Context,
    source: u128,
    count: usize,
    mut env: Env,
    lane: ConvertLane,
) -> Result<u128, Stop> {
    let mut lanes = [0; 4];
    for (index, bits) in lanes.iter_mut().enumerate().take(count) {
        *bits = lane(&mut env, source, index);
    }
    finish(cx, env)?;
    Ok(L::join(lanes))
}

/// CVTPS2PD, from the low two lanes.
pub(crate) fn cvtps2pd<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = u128::from(R::low64(cx, op)?);
    let env = env(cx);
    let result = convert_lanes::<Double>(cx, source, 2, env, |env, source, lane| {
        Double::pack(float::convert(
            env,
            Single::unpack(source, lane),
            Format::DOUBLE,
        ))
    })?;
    cx.state_mut().regs.set_xmm(op.reg, result);
    Ok(())
}

/// CVTPD2PS, to the low two lanes.
pub(crate) fn cvtpd2ps<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = R::xmm(cx, op)?;
    let env = env(cx);
    let result = convert_lanes::<Single>(cx, source, 2, env, |env, source, lane| {
        Single::pack(float::convert(
            env,
            Double::unpack(source, lane),
            Format::SINGLE,
        ))
    })?;
    cx.state_mut().regs.set_xmm(op.reg, result);
    Ok(())
}

/// CVTDQ2PS.
pub(crate) fn cvtdq2ps<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = R::xmm(cx, op)?;
    let env = env(cx);
    let result = convert_lanes::<Single>(cx, source, 4, env, integer_to_single)?;
    cx.state_mut().regs.set_xmm(op.reg, result);
    Ok(())
}

/// CVTDQ2PD, from the low two lanes.
pub(crate) fn cvtdq2pd<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = u128::from(R::low64(cx, op)?);
    let env = env(cx);
    let result = convert_lanes::<Double>(cx, source, 2, env, integer_to_double)?;
    cx.state_mut().regs.set_xmm(op.reg, result);
    Ok(())
}

fn integer_to_single(env: &mut Env, source: u128, lane: usize) -> u64 {
    let value = integer_value(doublewords(source)[lane]);
    Single::pack(float::convert(env, value, Format::SINGLE))
}

fn integer_to_double(env: &mut Env, source: u128, lane: usize) -> u64 {
    let value = integer_value(doublewords(source)[lane]);
    Double::pack(float::convert(env, value, Format::DOUBLE))
}

/// CVTPS2DQ and CVTTPS2DQ, CVTPD2DQ and CVTTPD2DQ: `TRUNCATES` is 1 for those with two Ts.
pub(crate) fn cvt2dq<L: Lane, R: VectorRm, const TRUNCATES: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = R::xmm(cx, op)?;
    let env = truncating::<TRUNCATES>(env(cx));
    let result = convert_lanes::<Single>(cx, source, L::COUNT, env, lane_to_integer::<L>)?;
    cx.state_mut().regs.set_xmm(op.reg, result);
    Ok(())
}

fn lane_to_integer<L: Lane>(env: &mut Env, source: u128, lane: usize) -> u64 {
    u64::from(integer_bits(env, L::unpack(source, lane)))
}

fn truncating<const TRUNCATES: u8>(env: Env) -> Env {
    if TRUNCATES == 1 {
        Env {
            rounding: Rounding::TowardZero,
            ..env
        }
    } else {
        env
    }
}

/// CVTPS2PI, CVTTPS2PI.
pub(crate) fn cvtps2pi<R: VectorRm, const TRUNCATES: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let source = u128::from(R::low64(cx, op)?);
    to_mmx::<Single, TRUNCATES>(cx, op, source)
}

/// CVTPD2PI, CVTTPD2PI.
pub(crate) fn cvtpd2pi<R: VectorRm, const TRUNCATES: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let source = R::xmm(cx, op)?;
    to_mmx::<Double, TRUNCATES>(cx, op, source)
}

fn to_mmx<L: Lane, const TRUNCATES: u8>(
    cx: &mut impl Context,
    op: &Op,
    source: u128,
) -> Result<(), Stop> {
    let env = truncating::<TRUNCATES>(env(cx));
    let result = convert_lanes::<Single>(cx, source, 2, env, lane_to_integer::<L>)?;
    cx.state_mut()
        .regs
        .fpu
        .set_mmx(op.reg.number(), quadwords(result)[0]);
    Ok(())
}

/// CVTPI2PS: the upper half stays. An operand in memory leaves x87 alone.
pub(crate) fn cvtpi2ps<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = u128::from(R::mmx_operand(cx, op)?);
    let env = env(cx);
    let result = convert_lanes::<Single>(cx, source, 2, env, integer_to_single)?;
    let [_, high] = quadwords(cx.state().regs.xmm(op.reg));
    let joined = from_quadwords([quadwords(result)[0], high]);
    cx.state_mut().regs.set_xmm(op.reg, joined);
    Ok(())
}

/// CVTPI2PD. An operand in memory leaves x87 alone.
pub(crate) fn cvtpi2pd<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = u128::from(R::mmx_operand(cx, op)?);
    let env = env(cx);
    let result = convert_lanes::<Double>(cx, source, 2, env, integer_to_double)?;
    cx.state_mut().regs.set_xmm(op.reg, result);
    Ok(())
}

/// An approximation with the precision that the processor promises and no exceptions.
pub(crate) trait Approximation {
    fn apply(value: Value) -> Value;
}

/// RCPPS, RCPSS.
#[derive(Debug)]
pub(crate) struct Reciprocal;

/// RSQRTPS, RSQRTSS.
#[derive(Debug)]
pub(crate) struct ReciprocalRoot;

/// Enough bits for a relative error below 1.5 * 2^-12.
const APPROXIMATE: Format = Format {
    precision: 13,
    ..Format::SINGLE
};

impl Approximation for Reciprocal {
    fn apply(value: Value) -> Value {
        let mut env = approximate_env();
        float::div(&mut env, Value::from_integer(1), value, APPROXIMATE)
    }
}

impl Approximation for ReciprocalRoot {
    fn apply(value: Value) -> Value {
        let mut env = approximate_env();
        let root = float::sqrt(&mut env, value, Format::EXTENDED);
        float::div(&mut env, Value::from_integer(1), root, APPROXIMATE)
    }
}

fn approximate_env() -> Env {
    Env {
        operands: Denormals::Zero,
        results: Denormals::Zero,
        ..Env::new(Rounding::Nearest, NanRule::First)
    }
}

/// RCPPS and RSQRTPS.
pub(crate) fn approximate_packed<A: Approximation, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = R::xmm(cx, op)?;
    let lanes = doublewords(source).map(|bits| Single::pack(A::apply(float::from_f32(bits))));
    cx.state_mut().regs.set_xmm(op.reg, Single::join(lanes));
    Ok(())
}

/// RCPSS and RSQRTSS.
pub(crate) fn approximate_scalar<A: Approximation, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = R::low32(cx, op)?;
    let result = A::apply(float::from_f32(source));
    set_low::<Single>(cx, op, Single::pack(result));
    Ok(())
}
