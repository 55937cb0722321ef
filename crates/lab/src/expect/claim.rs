//! Claims: what an expectation says of a run.

use pagefault_machine::vmm::MemoryState;

use crate::expect::counter::Counter;
use crate::expect::expr::Expr;
use crate::expect::lex::Span;

/// One expectation.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub(crate) claim: Claim,
    pub(crate) span: Span,
    pub(crate) text: String,
}

impl Expectation {
    /// Returns where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Returns it as it is written, without what begins the line.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What an expectation says.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// The program ends itself with this code.
    Exit(Expr),
    /// The run ends in another way.
    End(Ending),
    /// What the program has written.
    Output(OutputStream, OutputTest),
    /// Exceptions, most of them of page faults.
    Fault(FaultClaim),
    /// A condition at a moment.
    At(Point, Condition),
    /// Calls of a function.
    Call(CallClaim),
    /// A counter at the end.
    Count(Counter, Comparison, Expr),
    /// How often control comes to an address.
    Visits(Expr, Comparison, Expr),
}

/// How a run ends that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exception,
    Budget,
    Deadlock,
    NotEmulated,
}

impl Ending {
    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("exception", Self::Exception),
        ("budget", Self::Budget),
        ("deadlock", Self::Deadlock),
        ("unemulated", Self::NotEmulated),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    Output,
    Error,
}

#[derive(Clone, Debug)]
pub(crate) enum OutputTest {
    /// All of it.
    Is(Vec<u8>, Span),
    /// A part of it.
    Contains(Vec<u8>),
    /// No part of it.
    Lacks(Vec<u8>),
    /// All of it, in a file beside the source.
    File(String),
}

/// Which exceptions are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Any,
    /// Any access violation.
    Access,
    Read,
    Write,
    Execute,
    Guard,
    StackOverflow,
    InPage,
    DivideByZero,
    IllegalInstruction,
    PrivilegedInstruction,
    Breakpoint,
    SingleStep,
    Overflow,
    Bounds,
    Misaligned,
    /// An exception by its number.
    Code(u32),
}

impl FaultKind {
    /// The kinds by their names; those of two words are written with a blank or a dash.
    pub(crate) const NAMES: [(&'static str, Self); 16] = [
        ("any", Self::Any),
        ("access", Self::Access),
        ("read", Self::Read),
        ("write", Self::Write),
        ("execute", Self::Execute),
        ("guard", Self::Guard),
        ("stack overflow", Self::StackOverflow),
        ("in page", Self::InPage),
        ("divide", Self::DivideByZero),
        ("illegal", Self::IllegalInstruction),
        ("privileged", Self::PrivilegedInstruction),
        ("breakpoint", Self::Breakpoint),
        ("step", Self::SingleStep),
        ("overflow", Self::Overflow),
        ("bounds", Self::Bounds),
        ("misaligned", Self::Misaligned),
    ];
}

#[derive(Clone, Debug)]
pub(crate) struct FaultClaim {
    pub(crate) kind: FaultKind,
    /// The address that was accessed.
    pub(crate) at: Option<Expr>,
    /// The instruction.
    pub(crate) by: Option<Expr>,
    /// The error code of the page fault.
    pub(crate) code: Option<Expr>,
    pub(crate) times: Times,
}

/// How often something is to happen.
#[derive(Clone, Debug)]
pub(crate) enum Times {
    /// Once or more.
    Some,
    /// Never.
    None,
    /// Exactly so often.
    Exactly(Expr),
}

/// When a condition is looked at.
#[derive(Clone, Debug)]
pub(crate) enum Point {
    /// When the run has ended.
    Exit,
    /// When control comes to an address; the number is that of the visit, from 1, and without one
    /// each visit counts.
    Address(Expr, Option<u32>),
    /// When an exception is raised; the number is that of the exception.
    Fault(Option<u32>),
}

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Compare(Expr, Comparison, Expr),
    /// The bytes at an address.
    Bytes(Expr, Vec<u8>, Span),
    /// What the pages of a range are.
    Range {
        start: Expr,
        /// In bytes; without it, the page of `start`.
        size: Option<Expr>,
        attributes: Vec<Attribute>,
    },
}

/// What a page is.
#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    State(MemoryState),
    Protection(Expr),
    Locked(Sense),
    Resident(Sense),
    Cached(Sense),
}

/// Whether a word is meant or its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    Is,
    IsNot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) const SIGNS: [(&'static str, Self); 8] = [
        ("=", Self::Equal),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<>", Self::NotEqual),
        ("<", Self::Less),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        (">=", Self::GreaterOrEqual),
    ];

    pub(crate) fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CallClaim {
    pub(crate) function: String,
    /// Which of its calls, from 1.
    pub(crate) which: Option<u32>,
    /// The address behind the call instruction lies within the instruction at this one: the label
    /// stands at the call, or at the pushes before it.
    pub(crate) by: Option<Expr>,
    /// The arguments; `None` for one that may be anything.
    pub(crate) arguments: Option<Vec<Option<Expr>>>,
    pub(crate) result: Option<(Comparison, Expr)>,
    pub(crate) error: Option<Expr>,
    pub(crate) times: Times,
}
