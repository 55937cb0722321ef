//! x87 instructions that take numbers apart: FPREM, FPREM1, FSCALE, FXTRACT.

use super::x87::ready;
use crate::context::Context;
use crate::exception::Stop;
use crate::float::{self, Kind, Quotient};
use crate::fpu::{F80, Fpu, Pops, Source, Status};
use crate::op::Op;

/// FPREM.
pub(crate) fn fprem(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    remainder(ready(cx)?, Quotient::Truncated);
    Ok(())
}

/// FPREM1.
pub(crate) fn fprem1(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    remainder(ready(cx)?, Quotient::Nearest);
    Ok(())
}

/// The low three bits of the quotient go to C0, C3 and C1, and C2 tells that more is to be done.
/// Where there is no quotient, C0 and C3 stay.
fn remainder(fpu: &mut Fpu, quotient: Quotient) {
    let operands = (fpu.fetch(Source::Stack(0)), fpu.fetch(Source::Stack(1)));
    let (Some(lhs), Some(rhs)) = operands else {
        fpu.empty_operand();
        fpu.set_c2(Status::empty());
        return;
    };
    let mut env = fpu.env();
    let (value, count) = float::remainder(&mut env, lhs, rhs, quotient);
    if !fpu.finish(env) {
        fpu.set_c2(Status::empty());
        return;
    }
    fpu.set_st(0, F80::pack(value));
    if matches!(value.kind, Kind::Nan { .. }) {
        fpu.set_c2(Status::empty());
        return;
    }
    let mut condition = Status::empty();
    match count {
        None => condition |= Status::C2,
        Some(count) => {
            condition.set(Status::C0, count & 4 != 0);
            condition.set(Status::C3, count & 2 != 0);
            condition.set(Status::C1, count & 1 != 0);
        }
    }
    fpu.set_condition(condition);
}

/// FSCALE.
pub(crate) fn fscale(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.arithmetic(float::scale, 0, Source::Stack(1), Pops::None);
    Ok(())
}

/// FXTRACT: the exponent in place, the significand above it.
pub(crate) fn fxtract(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    let Some(value) = fpu.fetch_with_room() else {
        return Ok(());
    };
    let mut env = fpu.env();
    let (exponent, significand) = float::extract(&mut env, value);
    if fpu.finish(env) {
        fpu.set_st(0, F80::pack(exponent));
        fpu.push_unchecked(F80::pack(significand));
    }
    Ok(())
}
