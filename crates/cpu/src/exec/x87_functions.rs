//! The x87 functions: sine and its kin, powers and logarithms of two.

use super::x87::ready;
use crate::context::Context;
use crate::exception::Stop;
use crate::float::{self, Env, Value};
use crate::fpu::{F80, Fpu, Pops, Source, StackFault, Status};
use crate::op::Op;

/// A function of one number whose argument may be out of its range.
type Ranged = fn(&mut Env, Value) -> Option<Value>;

// Quirk: x87-functions
/// FSIN.
pub(crate) fn fsin(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    replace(ready(cx)?, float::sine);
    Ok(())
}

/// FCOS.
pub(crate) fn fcos(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    replace(ready(cx)?, float::cosine);
    Ok(())
}

/// FSINCOS: the sine in place, the cosine above it.
pub(crate) fn fsincos(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    replace_and_push(ready(cx)?, float::sine, float::cosine);
    Ok(())
}

/// FPTAN: the tangent in place, and above it 1, or the same NaN.
pub(crate) fn fptan(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let one_or_nan = |env: &mut Env, value: Value| {
        let tangent = float::tangent(&mut env.clone(), value)?;
        Some(if tangent.is_nan() {
            tangent
        } else {
            Value::from_integer(1)
        })
    };
    replace_and_push(ready(cx)?, float::tangent, one_or_nan);
    Ok(())
}

/// FPATAN.
pub(crate) fn fpatan(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    combine(ready(cx)?, float::arc_tangent);
    Ok(())
}

/// FYL2X.
pub(crate) fn fyl2x(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    combine(ready(cx)?, float::logarithm);
    Ok(())
}

/// FYL2XP1.
pub(crate) fn fyl2xp1(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    combine(ready(cx)?, float::logarithm_of_sum);
    Ok(())
}

/// F2XM1.
pub(crate) fn f2xm1(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.unary(|env, value, _| float::power_less_one(env, value));
    Ok(())
}

/// `ST(0) = function(ST(0))`; out of range C2 is set and nothing else happens.
fn replace(fpu: &mut Fpu, function: Ranged) {
    let Some(value) = fpu.fetch(Source::Stack(0)) else {
        fpu.empty_operand();
        return;
    };
    let mut env = fpu.env();
    let Some(result) = function(&mut env, value) else {
        fpu.set_c2(Status::C2);
        return;
    };
    fpu.set_c2(Status::empty());
    if fpu.finish(env) {
        fpu.set_st(0, F80::pack(result));
    }
}

/// Replaces ST(0) by one function of it and pushes another.
fn replace_and_push(
    fpu: &mut Fpu,
    below: Ranged,
    above: impl Fn(&mut Env, Value) -> Option<Value>,
) {
    let Some(value) = fpu.fetch_with_room() else {
        return;
    };
    let mut env = fpu.env();
    let (Some(below), Some(above)) = (below(&mut env, value), above(&mut env, value)) else {
        fpu.set_c2(Status::C2);
        return;
    };
    fpu.set_c2(Status::empty());
    if fpu.finish(env) {
        fpu.set_st(0, F80::pack(below));
        fpu.push_unchecked(F80::pack(above));
    }
}

/// `ST(1) = function(ST(1), ST(0))`, then a pop.
fn combine(fpu: &mut Fpu, function: fn(&mut Env, Value, Value) -> Value) {
    let operands = (fpu.fetch(Source::Stack(1)), fpu.fetch(Source::Stack(0)));
    let result = if let (Some(lhs), Some(rhs)) = operands {
        let mut env = fpu.env();
        let result = function(&mut env, lhs, rhs);
        if !fpu.finish(env) {
            return;
        }
        result
    } else {
        if !fpu.stack_fault(StackFault::Underflow) {
            return;
        }
        Value::DEFAULT_NAN
    };
    fpu.set_st(1, F80::pack(result));
    fpu.pop(Pops::One);
}
