//! The x87 instructions.

use std::cmp::Ordering;

use pagefault_mmu::{AccessKind, LinearAddr, Stored, Word};

use super::either;
use crate::context::Context;
use crate::exception::{Exception, Stop, Vector};
use crate::flags::Eflags;
use crate::float::{self, Env, FloatExceptions, Format, Kind, Rounding, Value};
use crate::fpu::{Comparison, F80, Fpu, Operation, Pops, Source, StackFault, Status};
use crate::op::Op;
use crate::registers::Reg;

/// The two-operand operations, destination first.
pub(crate) trait FloatOperation {
    const APPLY: Operation;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $function:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl FloatOperation for $name {
                const APPLY: Operation = $function;
            }
        )*
    };
}

operations! {
    /// FADD.
    Add = float::add;
    /// FMUL.
    Mul = float::mul;
    /// FSUB.
    Sub = float::sub;
    /// FSUBR.
    Subr = |env, dst, src, format| float::sub(env, src, dst, format);
    /// FDIV.
    Div = float::div;
    /// FDIVR.
    Divr = |env, dst, src, format| float::div(env, src, dst, format);
}

/// A number in memory.
pub(crate) trait InMemory {
    type Bits: Word;
    /// The format that a store rounds to; `None` for integers.
    const FORMAT: Option<Format>;
    fn unpack(bits: Self::Bits) -> Value;
    fn pack(value: Value) -> Self::Bits;
    /// The bits of an integer.
    fn integer(value: i64) -> Self::Bits;
}

/// A single-precision number.
#[derive(Debug)]
pub(crate) struct M32;

/// A double-precision number.
#[derive(Debug)]
pub(crate) struct M64;

impl InMemory for M32 {
    type Bits = u32;
    const FORMAT: Option<Format> = Some(Format::SINGLE);

    fn unpack(bits: u32) -> Value {
        float::from_f32(bits)
    }

    fn pack(value: Value) -> u32 {
        float::to_f32(value)
    }

    fn integer(value: i64) -> u32 {
        crate::alu::low(value.cast_unsigned())
    }
}

impl InMemory for M64 {
    type Bits = u64;
    const FORMAT: Option<Format> = Some(Format::DOUBLE);

    fn unpack(bits: u64) -> Value {
        float::from_f64(bits)
    }

    fn pack(value: Value) -> u64 {
        float::to_f64(value)
    }

    fn integer(value: i64) -> u64 {
        value.cast_unsigned()
    }
}

macro_rules! integers {
    ($($(#[$doc:meta])* $name:ident = $bits:ty as $signed:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl InMemory for $name {
                type Bits = $bits;
                const FORMAT: Option<Format> = None;

                fn unpack(bits: $bits) -> Value {
                    Value::from_integer(i64::from(bits.cast_signed()))
                }

                fn pack(_: Value) -> $bits {
                    0
                }

                fn integer(value: i64) -> $bits {
                    // It has been checked to fit.
                    <$signed>::try_from(value).unwrap_or(<$signed>::MIN).cast_unsigned()
                }
            }
        )*
    };
}

integers! {
    /// A 16-bit integer.
    I16 = u16 as i16;
    /// A 32-bit integer.
    I32 = u32 as i32;
    /// A 64-bit integer.
    I64 = u64 as i64;
}

/// #MF for an exception that an instruction before this one left pending.
pub(super) fn ready<X: Context>(cx: &mut X) -> Result<&mut Fpu, Stop> {
    let fpu = &mut cx.state_mut().regs.fpu;
    if fpu.is_pending() {
        return Err(Exception::fault(Vector::X87).into());
    }
    Ok(fpu)
}

fn pops<const POPS: u8>() -> Pops {
    match POPS {
        0 => Pops::None,
        1 => Pops::One,
        _ => Pops::Two,
    }
}

fn load<M: InMemory>(cx: &mut impl Context, op: &Op) -> Result<Source, Stop> {
    ready(cx)?;
    let bits = cx.load::<M::Bits>(op)?;
    Ok(Source::Value(M::unpack(bits)))
}

/// WAIT.
pub(crate) fn wait(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx).map(|_| ())
}

/// `Fop m`.
pub(crate) fn arith_m<F: FloatOperation, M: InMemory>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = load::<M>(cx, op)?;
    cx.state_mut()
        .regs
        .fpu
        .arithmetic(F::APPLY, 0, source, Pops::None);
    Ok(())
}

/// `Fop ST(0), ST(i)`.
pub(crate) fn arith_st0_sti<F: FloatOperation>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?.arithmetic(F::APPLY, 0, Source::Stack(op.rm.number()), Pops::None);
    Ok(())
}

/// `Fop ST(i), ST(0)`, with a pop or without.
pub(crate) fn arith_sti_st0<F: FloatOperation, const POPS: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    ready(cx)?.arithmetic(F::APPLY, op.rm.number(), Source::Stack(0), pops::<POPS>());
    Ok(())
}

/// `FCOM m` and `FICOM m`.
pub(crate) fn com_m<M: InMemory, const POPS: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = load::<M>(cx, op)?;
    cx.state_mut()
        .regs
        .fpu
        .compare(source, Comparison::Ordered, pops::<POPS>());
    Ok(())
}

/// `FCOM ST(i)`.
pub(crate) fn com_sti<const POPS: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?.compare(
        Source::Stack(op.rm.number()),
        Comparison::Ordered,
        pops::<POPS>(),
    );
    Ok(())
}

/// `FUCOM ST(i)`.
pub(crate) fn ucom_sti<const POPS: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?.compare(
        Source::Stack(op.rm.number()),
        Comparison::Unordered,
        pops::<POPS>(),
    );
    Ok(())
}

/// FCOMPP.
pub(crate) fn fcompp(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.compare(Source::Stack(1), Comparison::Ordered, Pops::Two);
    Ok(())
}

/// FUCOMPP.
pub(crate) fn fucompp(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.compare(Source::Stack(1), Comparison::Unordered, Pops::Two);
    Ok(())
}

/// FTST.
pub(crate) fn ftst(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.compare(
        Source::Value(Value::zero(false)),
        Comparison::Ordered,
        Pops::None,
    );
    Ok(())
}

/// FCOMI.
pub(crate) fn comi<const POPS: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    compare_to_flags(cx, op, Comparison::Ordered, pops::<POPS>())
}

/// FUCOMI.
pub(crate) fn ucomi<const POPS: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    compare_to_flags(cx, op, Comparison::Unordered, pops::<POPS>())
}

/// The flags are set also where an exception is not masked, and C1 stays unless a register is empty:
/// so processors do, other than the manual says.
fn compare_to_flags(
    cx: &mut impl Context,
    op: &Op,
    comparison: Comparison,
    pops: Pops,
) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    let place = op.rm.number();
    let is_fault = fpu.is_empty(0) || fpu.is_empty(place);
    let c1 = fpu.c1();
    let (result, is_done) = fpu.relation(Source::Stack(place), comparison);
    if !is_fault {
        fpu.set_c1(c1);
    }
    if is_done {
        fpu.pop(pops);
    }
    cx.flags_mut().set_status(relation_flags(result));
    Ok(())
}

/// ZF, PF and CF of a comparison; the other status flags are clear.
pub(super) fn relation_flags(result: Option<Ordering>) -> Eflags {
    match result {
        Some(Ordering::Greater) => Eflags::empty(),
        Some(Ordering::Less) => Eflags::CARRY,
        Some(Ordering::Equal) => Eflags::ZERO,
        None => Eflags::ZERO | Eflags::PARITY | Eflags::CARRY,
    }
}

/// FXAM: the class in C3, C2, C0, and the sign in C1, also of an empty register.
pub(crate) fn fxam(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    let value = fpu.st(0).unpack();
    let class = match value.kind {
        _ if fpu.is_empty(0) => Status::C3 | Status::C0,
        Kind::Unsupported => Status::empty(),
        Kind::Nan { .. } => Status::C0,
        Kind::Infinity => Status::C2 | Status::C0,
        Kind::Zero => Status::C3,
        Kind::Finite { .. } if value.is_denormal => Status::C3 | Status::C2,
        Kind::Finite { .. } => Status::C2,
    };
    let sign = if value.negative {
        Status::C1
    } else {
        Status::empty()
    };
    fpu.set_condition(class | sign);
    Ok(())
}

/// `FLD m32`, `FLD m64`, `FILD m`.
pub(crate) fn ld_m<M: InMemory>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?;
    let value = M::unpack(cx.load::<M::Bits>(op)?);
    let fpu = &mut cx.state_mut().regs.fpu;
    let mut env = fpu.env();
    let value = float::convert(&mut env, value, Format::EXTENDED);
    if env.raised == FloatExceptions::DENORMAL {
        // Loaded also when that is not masked.
        fpu.push_denormal(F80::pack(value));
    } else {
        fpu.push(env, F80::pack(value));
    }
    Ok(())
}

/// `FLD m80`: the bits as they are.
pub(crate) fn fld_m80(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?;
    let value = load_f80(cx, op)?;
    let fpu = &mut cx.state_mut().regs.fpu;
    let env = fpu.env();
    fpu.push(env, value);
    Ok(())
}

/// `FLD ST(i)`.
pub(crate) fn fld_sti(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let place = op.rm.number();
    let fpu = ready(cx)?;
    if fpu.is_empty(place) {
        // It does not matter any more whether there is room.
        if fpu.stack_fault(StackFault::Underflow) {
            fpu.push_unchecked(F80::pack(Value::DEFAULT_NAN));
        }
        return Ok(());
    }
    let (env, value) = (fpu.env(), fpu.st(place));
    fpu.push(env, value);
    Ok(())
}

/// Constants to 128 bits: the exponent, and the significand.
const CONSTANTS: [(i32, u128); 7] = [
    (0, 1 << 127),
    (1, 0xD49A_784B_CD1B_8AFE_492B_F6FF_4DAF_DB4C),
    (0, 0xB8AA_3B29_5C17_F0BB_BE87_FED0_691D_3E88),
    (1, 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1),
    (-2, 0x9A20_9A84_FBCF_F798_8F89_59AC_0B7C_9178),
    (-1, 0xB172_17F7_D1CF_79AB_C9E3_B398_03F2_F6AF),
    (0, 0),
];

/// FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ, rounded as the control word says.
pub(crate) fn fld_constant<const INDEX: usize>(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    let (exponent, significand) = CONSTANTS[INDEX];
    let mut env = fpu.env();
    let value = float::round(&mut env, false, exponent, significand, Format::EXTENDED);
    let env = fpu.env();
    fpu.push(env, F80::pack(value));
    Ok(())
}

/// `FST m32`, `FST m64`, and with a pop.
pub(crate) fn st_m<M: InMemory, const POPS: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let fpu = ready(cx)?;
    let (value, raised, extra) = fpu.stored_value();
    let mut env = fpu.env();
    let format = M::FORMAT.unwrap_or(Format::EXTENDED);
    let rounded = float::convert(
        &mut env,
        Value {
            is_denormal: false,
            ..value
        },
        format,
    );
    env.raised |= raised;
    store(cx, op, env, extra, M::pack(rounded), pops::<POPS>())
}

/// FIST and FISTP, rounding as the control word says.
pub(crate) fn ist_m<M: InMemory, const POPS: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Stored, Stop> {
    let rounding = ready(cx)?.rounding();
    store_integer::<M>(cx, op, rounding, pops::<POPS>())
}

/// FISTTP, which truncates.
pub(crate) fn isttp_m<M: InMemory>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    ready(cx)?;
    store_integer::<M>(cx, op, Rounding::TowardZero, Pops::One)
}

fn store_integer<M: InMemory>(
    cx: &mut impl Context,
    op: &Op,
    rounding: Rounding,
    pops: Pops,
) -> Result<Stored, Stop> {
    let bits = 8 * <M::Bits as Word>::SIZE;
    let fpu = &cx.state().regs.fpu;
    let (value, raised, extra) = fpu.stored_value();
    let mut env = Env {
        rounding,
        ..fpu.env()
    };
    // What has no integer stores the smallest one.
    let integer = float::to_integer(&mut env, value, bits).unwrap_or(i64::MIN >> (64 - bits));
    env.raised |= raised;
    store(cx, op, env, extra, M::integer(integer), pops)
}

/// Stores a result, unless an unmasked exception forbids it.
fn store<T: Word>(
    cx: &mut impl Context,
    op: &Op,
    env: Env,
    extra: Status,
    bits: T,
    pops: Pops,
) -> Result<Stored, Stop> {
    let fpu = &cx.state().regs.fpu;
    let blocking = env.raised & (fpu.unmasked() - FloatExceptions::PRECISION);
    let mut stored = Stored::Plain;
    if blocking.is_empty() {
        stored = cx.store(op, bits)?;
    }
    let fpu = &mut cx.state_mut().regs.fpu;
    if blocking.is_empty() {
        fpu.set_c1(env.rounded_up && extra.is_empty());
        fpu.raise(env.raised, extra);
        fpu.pop(pops);
    } else {
        fpu.set_c1(false);
        fpu.raise(env.raised - FloatExceptions::PRECISION, extra);
    }
    Ok(stored)
}

/// `FSTP m80`: the bits as they are.
pub(crate) fn fstp_m80(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let fpu = ready(cx)?;
    let is_empty = fpu.is_empty(0);
    let value = if is_empty {
        F80::pack(Value::DEFAULT_NAN)
    } else {
        fpu.st(0)
    };
    if is_empty && fpu.unmasked().contains(FloatExceptions::INVALID) {
        fpu.stack_fault(StackFault::Underflow);
        return Ok(Stored::Plain);
    }
    let stored = store_f80(cx, op, value)?;
    let fpu = &mut cx.state_mut().regs.fpu;
    if is_empty {
        fpu.stack_fault(StackFault::Underflow);
    } else {
        fpu.set_c1(false);
    }
    fpu.pop(Pops::One);
    Ok(stored)
}

/// `FST ST(i)`, with a pop or without.
pub(crate) fn st_sti<const POPS: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    let mut value = fpu.st(0);
    if fpu.is_empty(0) {
        if !fpu.stack_fault(StackFault::Underflow) {
            return Ok(());
        }
        value = F80::pack(Value::DEFAULT_NAN);
    } else {
        fpu.set_c1(false);
    }
    fpu.set_st(op.rm.number(), value);
    fpu.pop(pops::<POPS>());
    Ok(())
}

/// FSTPNCE, an encoding of `FSTP ST(i)` that does not mind whether ST(0) is empty.
pub(crate) fn fstpnce(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?.copy_top(op.rm.number());
    Ok(())
}

/// FXCH: an empty register counts as a NaN.
pub(crate) fn fxch(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let place = op.rm.number();
    let fpu = ready(cx)?;
    if fpu.is_empty(0) || fpu.is_empty(place) {
        if !fpu.stack_fault(StackFault::Underflow) {
            return Ok(());
        }
        for place in [0, place] {
            if fpu.is_empty(place) {
                fpu.set_st(place, F80::pack(Value::DEFAULT_NAN));
            }
        }
    } else {
        fpu.set_c1(false);
    }
    let (first, second) = (fpu.st(0), fpu.st(place));
    fpu.set_st(0, second);
    fpu.set_st(place, first);
    Ok(())
}

/// `FCMOVcc`: C1 stays, unless a register is empty.
pub(crate) fn fcmov<const CODE: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    use crate::flags::Condition;

    let place = op.rm.number();
    let is_met = cx.flags().holds(Condition::of::<CODE>());
    let fpu = ready(cx)?;
    if fpu.is_empty(0) || fpu.is_empty(place) {
        if fpu.stack_fault(StackFault::Underflow) {
            fpu.set_st(0, F80::pack(Value::DEFAULT_NAN));
        }
        return Ok(());
    }
    if is_met {
        let value = fpu.st(place);
        fpu.set_st(0, value);
    }
    Ok(())
}

/// FCHS and FABS: the sign bit, of any encoding.
pub(crate) fn sign<const CLEARS: u16, const FLIPS: u16>(
    cx: &mut impl Context,
    _: &Op,
) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    if fpu.is_empty(0) {
        if fpu.stack_fault(StackFault::Underflow) {
            fpu.set_st(0, F80::pack(Value::DEFAULT_NAN));
        }
        return Ok(());
    }
    let mut value = fpu.st(0);
    value.sign_exponent = value.sign_exponent & !CLEARS ^ FLIPS;
    fpu.set_c1(false);
    fpu.set_st(0, value);
    Ok(())
}

/// FSQRT.
pub(crate) fn fsqrt(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.unary(float::sqrt);
    Ok(())
}

/// FRNDINT.
pub(crate) fn frndint(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.unary(|env, value, _| float::round_to_integer(env, value));
    Ok(())
}

/// FFREE.
pub(crate) fn ffree(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?.free(op.rm.number());
    Ok(())
}

/// FFREEP.
pub(crate) fn ffreep(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let fpu = ready(cx)?;
    fpu.free(op.rm.number());
    fpu.pop(Pops::One);
    Ok(())
}

/// FINCSTP.
pub(crate) fn fincstp(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.rotate(1);
    Ok(())
}

/// FDECSTP.
pub(crate) fn fdecstp(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    ready(cx)?.rotate(-1);
    Ok(())
}

/// FNCLEX.
pub(crate) fn fnclex(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    cx.state_mut().regs.fpu.clear_exceptions();
    Ok(())
}

/// FNINIT: the registers keep their bits.
pub(crate) fn fninit(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    cx.state_mut().regs.fpu.reset();
    Ok(())
}

/// FLDCW.
pub(crate) fn fldcw(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    ready(cx)?;
    let control = cx.load::<u16>(op)?;
    cx.state_mut().regs.fpu.set_control(control);
    Ok(())
}

/// FNSTCW.
pub(crate) fn fnstcw(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let control = cx.state().regs.fpu.control();
    cx.store(op, control)
}

/// `FNSTSW m16`.
pub(crate) fn fnstsw(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let status = cx.state().regs.fpu.status();
    cx.store(op, status)
}

/// `FNSTSW AX`.
pub(crate) fn fnstsw_ax(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    let status = cx.state().regs.fpu.status();
    cx.set_reg(Reg::Eax, status);
    Ok(())
}

pub(super) fn load_f80(cx: &mut impl Context, op: &Op) -> Result<F80, Stop> {
    let mantissa = cx.load::<u64>(op)?;
    let upper = cx.state().linear_part(op, 8, 2, AccessKind::Read)?;
    Ok(F80 {
        mantissa,
        sign_exponent: cx.read::<u16>(upper)?,
    })
}

pub(super) fn store_f80(cx: &mut impl Context, op: &Op, value: F80) -> Result<Stored, Stop> {
    let lower = cx.linear(op, 8, AccessKind::Write)?;
    let upper = cx.state().linear_part(op, 8, 2, AccessKind::Write)?;
    write_f80(cx, lower, upper, value)
}

/// Writes both parts or none.
fn write_f80(
    cx: &mut impl Context,
    lower: LinearAddr,
    upper: LinearAddr,
    value: F80,
) -> Result<Stored, Stop> {
    cx.probe_write::<u64>(lower)?;
    let second = cx.write(upper, value.sign_exponent)?;
    let first = cx.write(lower, value.mantissa)?;
    Ok(either(first, second))
}
