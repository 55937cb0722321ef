//! The x87 floating-point unit: its register stack, and its exceptions. MMX registers alias it.

use std::cmp::Ordering;

mod image;

pub(crate) use image::{Pointers, from_bytes, to_bytes, word_at};

use crate::float::{self, Env, FloatExceptions, Format, Kind, NanRule, Rounding, Value};

/// An 80-bit extended-precision number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct F80 {
    /// The significand, with its integer bit.
    pub mantissa: u64,
    /// Sign in bit 15, biased exponent below.
    pub sign_exponent: u16,
}

impl F80 {
    const BIAS: i32 = 16383;
    const SIGN: u16 = 1 << 15;
    const EXPONENT: u16 = 0x7FFF;
    const INTEGER_BIT: u64 = 1 << 63;

    /// Returns the number with sign and significand of its own and this exponent field.
    const fn packed(negative: bool, exponent: u16, mantissa: u64) -> Self {
        let sign = if negative { Self::SIGN } else { 0 };
        Self {
            mantissa,
            sign_exponent: sign | exponent,
        }
    }

    pub(crate) fn unpack(self) -> Value {
        let negative = self.sign_exponent & Self::SIGN != 0;
        let exponent = self.sign_exponent & Self::EXPONENT;
        let significand = self.mantissa;
        let is_normal = significand & Self::INTEGER_BIT != 0;
        if exponent == 0 {
            if significand == 0 {
                return Value::zero(negative);
            }
            let shift = significand.leading_zeros();
            let exponent = 1 - Self::BIAS - shift.cast_signed();
            let kind = Kind::Finite {
                exponent,
                significand: significand << shift,
            };
            return Value {
                negative,
                kind,
                is_denormal: true,
            };
        }
        let kind = match exponent {
            _ if !is_normal => Kind::Unsupported,
            Self::EXPONENT if significand == Self::INTEGER_BIT => Kind::Infinity,
            Self::EXPONENT => Kind::Nan { significand },
            _ => Kind::Finite {
                exponent: i32::from(exponent) - Self::BIAS,
                significand,
            },
        };
        Value::of(negative, kind)
    }

    pub(crate) fn pack(value: Value) -> Self {
        let negative = value.negative;
        match value.kind {
            Kind::Zero => Self::packed(negative, 0, 0),
            Kind::Infinity => Self::packed(negative, Self::EXPONENT, Self::INTEGER_BIT),
            Kind::Nan { significand } => Self::packed(negative, Self::EXPONENT, significand),
            Kind::Unsupported => Self::pack(Value::DEFAULT_NAN),
            Kind::Finite {
                exponent,
                significand,
            } => {
                let biased = exponent + Self::BIAS;
                match u16::try_from(biased) {
                    Ok(biased) if biased > 0 => Self::packed(negative, biased, significand),
                    _ => {
                        let shift = (1 - biased).unsigned_abs();
                        let mantissa = significand.checked_shr(shift).unwrap_or(0);
                        Self::packed(negative, 0, mantissa)
                    }
                }
            }
        }
    }
}

bitflags::bitflags! {
    /// The status word, less the top of the stack.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Status: u16 {
        /// IE to PE.
        const EXCEPTIONS = 0x3F;
        /// SF: the invalid operation was a full or empty stack.
        const STACK_FAULT = 1 << 6;
        /// ES: an unmasked exception is pending.
        const SUMMARY = 1 << 7;
        const C0 = 1 << 8;
        const C1 = 1 << 9;
        const C2 = 1 << 10;
        const C3 = 1 << 14;
        /// B: as ES.
        const BUSY = 1 << 15;
    }
}

impl Status {
    pub(crate) const CONDITION: Self = Self::C0.union(Self::C1).union(Self::C2).union(Self::C3);
}

/// The floating-point unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fpu {
    /// The eight registers, by number and not by place on the stack.
    registers: [F80; 8],
    /// The register that is ST(0).
    top: u8,
    /// One bit for each register that holds a value.
    used: u8,
    control: u16,
    status: Status,
    pointers: Pointers,
}

/// An operand of an x87 instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// A register by its place on the stack.
    Stack(u8),
    /// A value from memory.
    Value(Value),
}

/// An operation on two numbers: destination and source.
pub(crate) type Operation = fn(&mut Env, Value, Value, Format) -> Value;

/// How many values an instruction takes off the stack at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pops {
    None,
    One,
    Two,
}

/// What was wrong with the stack; C1 tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackFault {
    Overflow,
    Underflow,
}

/// Whether a comparison minds quiet NaNs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Ordered,
    Unordered,
}

impl Fpu {
    /// The control word after FNINIT: all exceptions masked, 64-bit precision, to nearest.
    pub const CONTROL_RESET: u16 = 0x37F;
    /// Bit 6 of the control word, which reads as one.
    const CONTROL_FIXED: u16 = 1 << 6;
    const REGISTERS: u8 = 8;
    /// The place of the register that a push would use.
    pub(crate) const LAST_PLACE: u8 = Self::REGISTERS - 1;
    const TOP_SHIFT: u16 = 11;
    const PRECISION_SHIFT: u16 = 8;
    const ROUNDING_SHIFT: u16 = 10;

    pub(crate) fn new() -> Self {
        Self {
            registers: [F80::default(); 8],
            top: 0,
            used: 0,
            control: Self::CONTROL_RESET,
            status: Status::empty(),
            pointers: Pointers::default(),
        }
    }

    /// Returns the control word.
    pub fn control(&self) -> u16 {
        self.control
    }

    /// Sets the control word; an exception that becomes unmasked becomes pending.
    pub fn set_control(&mut self, control: u16) {
        self.control = control & 0x1F3F | Self::CONTROL_FIXED;
        self.summarize();
    }

    /// Returns the status word.
    pub fn status(&self) -> u16 {
        self.status.bits() | u16::from(self.top) << Self::TOP_SHIFT
    }

    /// Sets the status word, and with it the top of the stack.
    pub fn set_status(&mut self, status: u16) {
        self.status = Status::from_bits_truncate(status);
        self.top = (status >> Self::TOP_SHIFT).to_le_bytes()[0] % Self::REGISTERS;
        self.summarize();
    }

    /// Returns a register by its place on the stack, empty or not.
    pub fn st(&self, place: u8) -> F80 {
        self.registers[self.number(place)]
    }

    /// Sets a register by its place on the stack.
    pub fn set_st(&mut self, place: u8, value: F80) {
        let number = self.number(place);
        self.registers[number] = value;
        self.used |= 1 << number;
    }

    /// Returns the bits that tell which registers, by number, hold a value.
    pub fn used(&self) -> u8 {
        self.used
    }

    /// Sets which registers, by number, hold a value.
    pub fn set_used(&mut self, used: u8) {
        self.used = used;
    }

    /// Returns the tag word: two bits for each register, by number.
    pub fn tags(&self) -> u16 {
        (0..8).fold(0, |tags, number| tags | self.tag(number) << (2 * number))
    }

    /// Returns an MMX register.
    pub fn mmx(&self, number: u8) -> u64 {
        self.registers[usize::from(number % Self::REGISTERS)].mantissa
    }

    /// Sets an MMX register, which makes the stack look full from register 0.
    pub fn set_mmx(&mut self, number: u8, value: u64) {
        self.enter_mmx();
        let register = &mut self.registers[usize::from(number % Self::REGISTERS)];
        *register = F80 {
            mantissa: value,
            sign_exponent: 0xFFFF,
        };
    }

    /// Marks the registers as MMX registers.
    pub(crate) fn enter_mmx(&mut self) {
        self.top = 0;
        self.used = 0xFF;
    }

    /// EMMS (SDM Vol. 3A, "Effect of MMX Instructions on x87 FPU State").
    pub(crate) fn leave_mmx(&mut self) {
        self.top = 0;
        self.used = 0;
    }

    /// Tells whether an unmasked exception waits for the next instruction that looks.
    pub(crate) fn is_pending(&self) -> bool {
        self.status.contains(Status::SUMMARY)
    }

    /// Returns EIP of the last instruction that is not one of control.
    pub fn instruction_pointer(&self) -> u32 {
        self.pointers.instruction
    }

    pub(crate) fn pointers(&self) -> Pointers {
        self.pointers
    }

    pub(crate) fn set_pointers(&mut self, pointers: Pointers) {
        self.pointers = pointers;
    }

    /// Notes where an instruction that is not one of control was.
    pub(crate) fn note_instruction(&mut self, eip: u32) {
        self.pointers.instruction = eip;
    }

    /// FNINIT: the registers keep their bits.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            registers: self.registers,
            ..Self::new()
        };
    }

    /// FNCLEX.
    pub(crate) fn clear_exceptions(&mut self) {
        self.status &= Status::CONDITION;
    }

    /// Moves the top of the stack by `places`, without looking at registers.
    pub(crate) fn rotate(&mut self, places: i8) {
        self.top = self.top.wrapping_add_signed(places) % Self::REGISTERS;
        self.status -= Status::C1;
    }

    /// Copies ST(0) to a place, unless it is empty, and takes it off the stack.
    pub(crate) fn copy_top(&mut self, place: u8) {
        if !self.is_empty(0) {
            self.set_st(place, self.st(0));
        }
        self.set_c1(false);
        self.pop(Pops::One);
    }

    /// FFREE.
    pub(crate) fn free(&mut self, place: u8) {
        self.used &= !(1 << self.number(place));
    }

    pub(crate) fn is_empty(&self, place: u8) -> bool {
        self.used & 1 << self.number(place) == 0
    }

    pub(crate) fn env(&self) -> Env {
        Env {
            unmasked: self.unmasked(),
            ..Env::new(self.rounding(), NanRule::Larger)
        }
    }

    pub(crate) fn rounding(&self) -> Rounding {
        Rounding::from_field(u32::from(self.control >> Self::ROUNDING_SHIFT))
    }

    /// Returns the format that arithmetic rounds to: the precision field chooses only the length
    /// of the significand.
    pub(crate) fn format(&self) -> Format {
        let precision = match self.control >> Self::PRECISION_SHIFT & 3 {
            0 => 24,
            2 => 53,
            _ => 64,
        };
        Format {
            precision,
            ..Format::EXTENDED
        }
    }

    pub(crate) fn set_condition(&mut self, condition: Status) {
        self.status = (self.status - Status::CONDITION) | condition;
    }

    /// Sets C2 to what `c2` says of it.
    pub(crate) fn set_c2(&mut self, c2: Status) {
        self.status = (self.status - Status::C2) | (c2 & Status::C2);
    }

    pub(crate) fn c1(&self) -> bool {
        self.status.contains(Status::C1)
    }

    pub(crate) fn set_c1(&mut self, c1: bool) {
        self.status.set(Status::C1, c1);
    }

    /// Pushes a value; on a full stack a NaN.
    pub(crate) fn push(&mut self, env: Env, value: F80) {
        let place = Self::REGISTERS - 1;
        if !self.is_empty(place) {
            if self.stack_fault(StackFault::Overflow) {
                self.rotate_raw(-1);
                self.set_st(0, F80::pack(Value::DEFAULT_NAN));
            }
            return;
        }
        if self.finish(env) {
            self.rotate_raw(-1);
            self.set_st(0, value);
        }
    }

    /// Pushes a number that was a denormal in memory; on a full stack a NaN.
    pub(crate) fn push_denormal(&mut self, value: F80) {
        if self.is_empty(Self::LAST_PLACE) {
            self.set_c1(false);
            self.raise(FloatExceptions::DENORMAL, Status::empty());
            self.push_unchecked(value);
        } else {
            self.push(self.env(), value);
        }
    }

    /// Pushes a value onto a stack that is known to have room.
    pub(crate) fn push_unchecked(&mut self, value: F80) {
        self.rotate_raw(-1);
        self.set_st(0, value);
    }

    /// Returns ST(0) for an instruction that replaces it and pushes. If it is empty, or the stack
    /// is full, raises that and, when it is masked, leaves two NaNs.
    pub(crate) fn fetch_with_room(&mut self) -> Option<Value> {
        let fault = match self.fetch(Source::Stack(0)) {
            None => StackFault::Underflow,
            Some(_) if !self.is_empty(Self::LAST_PLACE) => StackFault::Overflow,
            Some(value) => return Some(value),
        };
        if self.stack_fault(fault) {
            self.set_st(0, F80::pack(Value::DEFAULT_NAN));
            self.push_unchecked(F80::pack(Value::DEFAULT_NAN));
        }
        None
    }

    /// `dst = operation(dst, src)`.
    pub(crate) fn arithmetic(&mut self, operation: Operation, dst: u8, src: Source, pops: Pops) {
        let operands = (self.fetch(Source::Stack(dst)), self.fetch(src));
        let (Some(lhs), Some(rhs)) = operands else {
            if self.stack_fault(StackFault::Underflow) {
                self.set_st(dst, F80::pack(Value::DEFAULT_NAN));
                self.pop(pops);
            }
            return;
        };
        let mut env = self.env();
        let result = operation(&mut env, lhs, rhs, self.format());
        if self.finish(env) {
            self.set_st(dst, F80::pack(result));
            self.pop(pops);
        }
    }

    /// `ST(0) = operation(ST(0))`.
    pub(crate) fn unary(&mut self, operation: fn(&mut Env, Value, Format) -> Value) {
        let Some(value) = self.fetch(Source::Stack(0)) else {
            if self.stack_fault(StackFault::Underflow) {
                self.set_st(0, F80::pack(Value::DEFAULT_NAN));
            }
            return;
        };
        let mut env = self.env();
        let result = operation(&mut env, value, self.format());
        if self.finish(env) {
            self.set_st(0, F80::pack(result));
        }
    }

    /// Compares ST(0) and reports in C3, C2, C0.
    pub(crate) fn compare(&mut self, src: Source, comparison: Comparison, pops: Pops) {
        let (result, is_done) = self.relation(src, comparison);
        self.set_condition(match result {
            Some(Ordering::Greater) => Status::empty(),
            Some(Ordering::Less) => Status::C0,
            Some(Ordering::Equal) => Status::C3,
            None => Status::C0 | Status::C2 | Status::C3,
        });
        if is_done {
            self.pop(pops);
        }
    }

    /// Compares ST(0); `None` for unordered. Tells also whether the instruction completes.
    pub(crate) fn relation(
        &mut self,
        src: Source,
        comparison: Comparison,
    ) -> (Option<Ordering>, bool) {
        let operands = (self.fetch(Source::Stack(0)), self.fetch(src));
        let (Some(lhs), Some(rhs)) = operands else {
            return (None, self.stack_fault(StackFault::Underflow));
        };
        let mut env = self.env();
        let result = float::compare(&mut env, lhs, rhs);
        if result.is_none() && comparison == Comparison::Ordered {
            env.raised |= FloatExceptions::INVALID;
        }
        (result, self.finish(env))
    }

    /// Reads ST(0) for a store; an empty one is an invalid operation and reads as a NaN. `Err` if
    /// that is unmasked, so that nothing is stored.
    pub(crate) fn stored_value(&self) -> (Value, FloatExceptions, Status) {
        match self.fetch(Source::Stack(0)) {
            Some(value) => (value, FloatExceptions::empty(), Status::empty()),
            None => (
                Value::DEFAULT_NAN,
                FloatExceptions::INVALID,
                Status::STACK_FAULT,
            ),
        }
    }

    pub(crate) fn fetch(&self, source: Source) -> Option<Value> {
        match source {
            Source::Value(value) => Some(value),
            Source::Stack(place) if self.is_empty(place) => None,
            Source::Stack(place) => Some(self.st(place).unpack()),
        }
    }

    /// Takes values off the stack.
    pub(crate) fn pop(&mut self, pops: Pops) {
        let count = match pops {
            Pops::None => 0,
            Pops::One => 1,
            Pops::Two => 2,
        };
        for _ in 0..count {
            self.free(0);
            self.rotate_raw(1);
        }
    }

    /// Adds the exceptions of an operation to the status. Returns whether its result counts.
    pub(crate) fn finish(&mut self, env: Env) -> bool {
        let before = env.raised & FloatExceptions::BEFORE;
        if before.intersects(self.unmasked()) {
            // Nothing was computed.
            self.set_c1(false);
            return self.raise(before, Status::empty());
        }
        self.set_c1(env.rounded_up);
        self.raise(env.raised, Status::empty())
    }

    /// Adds exceptions to the status. Returns whether the result counts: those found before the
    /// operation are masked.
    pub(crate) fn raise(&mut self, exceptions: FloatExceptions, extra: Status) -> bool {
        let bits = Status::from_bits_truncate(u16::from(exceptions.bits()));
        self.status |= bits | extra;
        self.summarize();
        (exceptions & FloatExceptions::BEFORE & self.unmasked()).is_empty()
    }

    pub(crate) fn unmasked(&self) -> FloatExceptions {
        FloatExceptions::from_bits_truncate(!self.control.to_le_bytes()[0])
    }

    /// Raises the invalid operation of a full or an empty stack. Returns whether it is masked.
    pub(crate) fn stack_fault(&mut self, fault: StackFault) -> bool {
        self.set_c1(fault == StackFault::Overflow);
        self.raise(FloatExceptions::INVALID, Status::STACK_FAULT)
    }

    /// Raises the invalid operation of an empty ST(0) or operand, and puts a NaN into ST(0).
    pub(crate) fn empty_operand(&mut self) {
        if self.stack_fault(StackFault::Underflow) {
            self.set_st(0, F80::pack(Value::DEFAULT_NAN));
        }
    }

    fn summarize(&mut self) {
        let raised = FloatExceptions::from_bits_truncate(self.status.bits().to_le_bytes()[0]);
        let pending = !(raised & self.unmasked()).is_empty();
        self.status.set(Status::SUMMARY | Status::BUSY, pending);
    }

    fn rotate_raw(&mut self, places: i8) {
        self.top = self.top.wrapping_add_signed(places) % Self::REGISTERS;
    }

    fn number(&self, place: u8) -> usize {
        usize::from(self.top.wrapping_add(place) % Self::REGISTERS)
    }

    fn tag(&self, number: u16) -> u16 {
        const VALID: u16 = 0;
        const ZERO: u16 = 1;
        const SPECIAL: u16 = 2;
        const EMPTY: u16 = 3;
        if self.used & 1 << number == 0 {
            return EMPTY;
        }
        let value = self.registers[usize::from(number)].unpack();
        match value.kind {
            Kind::Zero => ZERO,
            Kind::Finite { .. } if !value.is_denormal => VALID,
            _ => SPECIAL,
        }
    }
}
