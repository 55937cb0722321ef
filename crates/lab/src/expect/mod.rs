//! Expectations: what a program's source says of its run, in lines that begin with `;!`.
//!
//! `docs/EXPECTATIONS.md` describes the language. [`Expectations`] are read from a source, and
//! [`check`] runs the program on a machine and looks at the machine, never at what the program says
//! of itself. Nothing here reads a file: what the run needs is handed in.
//!
//! ```
//! use pagefault_lab::expect::{Expectations, Subject, Surroundings, check};
//! use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
//! use pagefault_machine::{DebugInfo, Program};
//!
//! let source = b"
//! ;! fault write at limit by change
//! ;! at change: [limit] = 1
//!     .386
//!     .model flat, stdcall
//!     .const
//! limit dd 1
//!     .code
//! start:
//! change: mov limit, 2
//!     end start
//! ";
//! let expectations = Expectations::from_source(source).unwrap();
//! let assembled = assemble("limit.asm", source, &NoIncludes, &Options::default()).unwrap();
//! let image = link(&assembled.object, &LinkOptions::default()).unwrap();
//! let (program, debug) = (Program::from_image(&image).unwrap(), DebugInfo::new(&assembled, &image));
//!
//! let subject = Subject { program: &program, debug: &debug };
//! let verdict = check(&expectations, subject, Surroundings::default()).unwrap();
//!
//! assert!(verdict.is_met());
//! ```

mod bind;
mod check;
mod claim;
mod condition;
mod counter;
mod describe;
mod error;
mod evaluate;
mod expr;
mod lex;
mod names;
mod parse;
mod settings;
mod verdict;
mod witness;

pub use check::{DEFAULT_BUDGET, Subject, Surroundings, check};
pub use claim::Expectation;
pub use error::{ExpectError, ExpectErrorKind, Word};
pub use evaluate::Expression;
pub use expr::NoValue;
pub use lex::Span;
pub use parse::Expectations;
pub use settings::Settings;
pub use verdict::{CheckError, Unmet, Update, Verdict};
