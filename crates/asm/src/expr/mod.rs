//! Expressions: constants, addresses, registers and types, as operands and initialisers use them.

mod number;
mod ops;
mod parse;
mod value;

pub(crate) use number::real_bits;
pub(crate) use value::{Distance, RealToken, Scaled, Value};
