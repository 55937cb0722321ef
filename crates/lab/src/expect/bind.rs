//! Giving names their values before the run.

use pagefault_machine::vmm::Protection;

use crate::expect::claim::{
    Attribute, CallClaim, Claim, Condition, Expectation, FaultClaim, Point, Times,
};
use crate::expect::error::{ExpectError, ExpectErrorKind, Word};
use crate::expect::expr::{Expr, Node};
use crate::expect::names::Names;
use crate::expect::witness::WantedCall;

impl Expectation {
    /// Replaces the names in the claim by their values, and looks at what has to be known before
    /// the run.
    pub(crate) fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        match &mut self.claim {
            Claim::Exit(code) => constant(code, names),
            Claim::End(_) | Claim::Output(..) => Ok(()),
            Claim::Fault(claim) => claim.bind(names),
            Claim::At(point, condition) => {
                if let Point::Address(place, _) = point {
                    code(place, names)?;
                }
                condition.bind(names)
            }
            Claim::Call(claim) => claim.bind(names),
            Claim::Count(_, _, value) => constant(value, names),
            Claim::Visits(place, _, value) => {
                code(place, names)?;
                constant(value, names)
            }
        }
    }
}

impl FaultClaim {
    fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        let parts = [&mut self.at, &mut self.by, &mut self.code];
        parts
            .into_iter()
            .flatten()
            .try_for_each(|part| part.bind(names))?;
        self.times.bind(names)
    }
}

impl Times {
    fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        match self {
            Self::Some | Self::None => Ok(()),
            Self::Exactly(count) => constant(count, names),
        }
    }
}

impl CallClaim {
    fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        let result = self.result.as_mut().map(|(_, result)| result);
        let parts = [self.by.as_mut(), result, self.error.as_mut()];
        let arguments = self.arguments.iter_mut().flatten().flatten();
        for part in parts.into_iter().flatten().chain(arguments) {
            constant(part, names)?;
        }
        self.times.bind(names)
    }

    /// Returns the claim with the values of its expressions, which are bound.
    pub(crate) fn wanted(&self) -> WantedCall {
        let value = |expr: &Expr| expr.constant().unwrap_or(0);
        let arguments = |list: &Vec<Option<Expr>>| {
            let each = list.iter().map(|argument| argument.as_ref().map(value));
            each.collect()
        };
        WantedCall {
            function: self.function.clone(),
            which: self.which,
            by: self.by.as_ref().map(value),
            arguments: self.arguments.as_ref().map(arguments),
            result: self
                .result
                .as_ref()
                .map(|(comparison, result)| (*comparison, value(result))),
            error: self.error.as_ref().map(value),
        }
    }
}

impl Condition {
    fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        match self {
            Self::Compare(left, _, right) => {
                left.bind(names)?;
                right.bind(names)
            }
            Self::Bytes(addr, ..) => addr.bind(names),
            Self::Range {
                start,
                size,
                attributes,
            } => {
                start.bind(names)?;
                size.as_mut().map_or(Ok(()), |size| size.bind(names))?;
                attributes
                    .iter_mut()
                    .try_for_each(|attribute| attribute.bind(names))
            }
        }
    }
}

impl Attribute {
    fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        let Self::Protection(protection) = self else {
            return Ok(());
        };
        constant(protection, names)?;
        let bits = protection.constant()?;
        match Protection::from_bits(bits) {
            Ok(_) => Ok(()),
            Err(_) => Err(ExpectError {
                span: protection.span,
                kind: ExpectErrorKind::BadProtection,
            }),
        }
    }
}

/// Binds an expression whose value has to be known before the run.
fn constant(expr: &mut Expr, names: &Names<'_>) -> Result<(), ExpectError> {
    expr.bind(names)?;
    expr.constant().map(|_| ())
}

/// Binds an address that control is to come to.
fn code(place: &mut Expr, names: &Names<'_>) -> Result<(), ExpectError> {
    let label = match &place.node {
        Node::Name(name) => names.label(name).map(|addr| (addr, Word::new(name))),
        _ => None,
    };
    constant(place, names)?;
    match label {
        Some((addr, name)) if !names.is_code(addr) => Err(ExpectError {
            span: place.span,
            kind: ExpectErrorKind::NotCode { name },
        }),
        _ => Ok(()),
    }
}
