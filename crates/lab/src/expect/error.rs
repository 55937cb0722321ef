//! What can be wrong with an expectation.

use std::fmt;

use thiserror::Error;

use crate::expect::lex::Span;

/// A word of an expectation, as a message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(Box<str>);

impl Word {
    pub(crate) fn new(text: &str) -> Self {
        /// Longer words are cut: a message is one line.
        const SHOWN: usize = 60;
        Self(text.chars().take(SHOWN).collect::<String>().into())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An expectation that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct ExpectError {
    /// Where in the source.
    pub span: Span,
    /// What is wrong.
    pub kind: ExpectErrorKind,
}

/// What is wrong with an expectation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExpectErrorKind {
    /// The line begins with no claim.
    #[error("`{word}` begins no expectation")]
    UnknownClaim {
        /// The word.
        word: Word,
    },
    /// Something else has to stand here.
    #[error("expected {what}")]
    Expected {
        /// What.
        what: &'static str,
    },
    /// Something stands behind the end of an expectation.
    #[error("the expectation is complete before this")]
    Trailing,
    /// A character that begins nothing.
    #[error("this character means nothing here")]
    StrayCharacter,
    /// A number that is none, or has more than 32 bits.
    #[error("`{word}` is not a number of 32 bits")]
    BadNumber {
        /// The number.
        word: Word,
    },
    /// A text without its closing quote.
    #[error("the text has no closing quote")]
    UnclosedText,
    /// A backslash before something that it does not go with.
    #[error("unknown escape")]
    BadEscape,
    /// A name that is neither a label of the program nor a constant of Windows.
    #[error("`{name}` is neither a label of the program nor a constant")]
    UnknownName {
        /// The name.
        name: Word,
        /// A label that looks like it.
        near: Option<Word>,
    },
    /// A label of data where control is to come.
    #[error("`{name}` is a label of data: control does not come there")]
    NotCode {
        /// The label.
        name: Word,
    },
    /// A register or memory where the value has to be known before the run.
    #[error("only labels, constants and numbers can stand here")]
    NotConstant,
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// Expressions within expressions without end.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// A counter that there is not.
    #[error("there is no counter `{word}`")]
    UnknownCounter {
        /// The word.
        word: Word,
    },
    /// An option of the run that there is not.
    #[error("there is no option `{word}`")]
    UnknownOption {
        /// The word.
        word: Word,
    },
    /// The value of an option of the run.
    #[error("{option} is {what}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// What its value has to be.
        what: &'static str,
    },
    /// A path that leads away from the source, which may come from anybody.
    #[error("`{path}` is not in the folder of the source, nor in one below")]
    Outside {
        /// The path.
        path: Word,
    },
    /// A protection that Windows does not know.
    #[error("the protections do not go together: one base protection with at most one modifier")]
    BadProtection,
}

impl ExpectErrorKind {
    /// Returns what to do about it.
    pub fn help(&self) -> Option<String> {
        let known = |names: &[&str]| Some(format!("there are {}", names.join(", ")));
        match self {
            Self::UnknownClaim { .. } => known(&crate::expect::parse::CLAIMS),
            Self::UnknownCounter { .. } => known(&crate::expect::counter::Counter::names()),
            Self::UnknownOption { .. } => known(&crate::expect::settings::OPTIONS),
            Self::UnknownName {
                near: Some(near), ..
            } => Some(format!("there is a label `{near}`")),
            Self::BadEscape => {
                Some("there are \\n, \\r, \\t, \\0, \\\", \\\\ and \\xNN".to_owned())
            }
            Self::NotCode { .. } => {
                Some("say `at exit:` for values at the end of the run".to_owned())
            }
            _ => None,
        }
    }
}
