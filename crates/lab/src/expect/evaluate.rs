//! Expressions on their own: for debuggers and for addresses on a command line.

use pagefault_machine::{Machine, Watch};

use crate::expect::check::Subject;
use crate::expect::error::ExpectError;
use crate::expect::expr::{Expr, Moment, NoValue};
use crate::expect::names::Names;
use crate::expect::parse::parse_expression;

/// A value of a stopped program: numbers, labels, registers, memory, as in expectations.
#[derive(Clone, Debug)]
pub struct Expression(Expr);

impl Expression {
    /// Reads an expression over the names of a program.
    ///
    /// # Errors
    ///
    /// [`ExpectError`]: what cannot be understood, with its column.
    pub fn new(text: &str, subject: Subject<'_>) -> Result<Self, ExpectError> {
        let Subject { program, debug } = subject;
        let mut expr = parse_expression(text)?;
        expr.bind(&Names { debug, program })?;
        Ok(Self(expr))
    }

    /// Returns the value if it does not depend on registers or memory.
    ///
    /// # Errors
    ///
    /// [`ExpectError`] if it does.
    pub fn constant(&self) -> Result<u32, ExpectError> {
        self.0.constant()
    }

    /// Returns the value at this moment.
    ///
    /// # Errors
    ///
    /// [`NoValue`]: memory that cannot be read, or a division by zero.
    pub fn value<W: Watch>(&self, machine: &mut Machine<W>) -> Result<u32, NoValue> {
        let moment = Moment::now(machine);
        self.0.value(machine, &moment)
    }
}
