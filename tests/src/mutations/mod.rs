//! Mutations: rules of the crates, each broken in one place, and the tests that must see it.
//!
//! The list lies in `tests/mutations`, a file for each crate. The `mutations` binary works on a copy
//! of the sources: it breaks one rule at a time, runs the tests that hold it, and says whether one of
//! them failed. What came of it is a table in `docs/MUTATIONS.md`.

pub mod copy;
pub mod page;
pub mod run;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// The crates that have a list, lower layers first: what is built again is then least.
pub const CRATES: [&str; 9] = [
    "mmu", "vmm", "cpu", "asm", "machine", "tlbsim", "lab", "gdb", "cli",
];

/// A rule of one crate, and how it is broken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// Its name: the crate's, a dash, and a few words.
    pub name: String,
    /// The rule, in a sentence.
    pub rule: String,
    /// Where the rule is said: a manual with the title of the section, or a document of ours.
    pub source: String,
    /// The file, by its path in the project.
    pub file: String,
    /// What is replaced. It stands exactly once in the file.
    pub from: String,
    /// What stands there instead.
    pub to: String,
    /// What `cargo test` gets to run the tests that hold the rule.
    pub test: String,
    /// The test that was written because no other saw the mutation.
    pub test_added: Option<String>,
}

/// What a file of the list holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    mutation: Vec<Mutation>,
}

/// Why the list cannot be used.
#[derive(Debug, Error)]
pub enum ListError {
    /// A file of the list cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file of the list is not in its format.
    #[error("{} is no list of mutations: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: toml::de::Error,
    },
    /// A name does not begin with its crate's.
    #[error("the name {name} does not begin with {krate}-")]
    Name {
        /// The name.
        name: String,
        /// The crate.
        krate: &'static str,
    },
    /// Two mutations have the same name.
    #[error("two mutations have the name {name}")]
    Twice {
        /// The name.
        name: String,
    },
}

/// What cannot be changed as the list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// The text stands nowhere in the file.
    #[error("its text is not in the file")]
    NotFound,
    /// The text stands more than once in the file.
    #[error("its text is in the file {times} times")]
    Ambiguous {
        /// How often.
        times: usize,
    },
    /// Nothing would be changed.
    #[error("it changes nothing")]
    Same,
}

impl Mutation {
    /// Returns the file's text with the rule broken.
    ///
    /// # Errors
    ///
    /// [`TextError`] if the list does not fit the file.
    pub fn apply(&self, text: &str) -> Result<String, TextError> {
        match text.matches(&self.from).count() {
            0 => Err(TextError::NotFound),
            1 if self.from == self.to => Err(TextError::Same),
            1 => Ok(text.replacen(&self.from, &self.to, 1)),
            times => Err(TextError::Ambiguous { times }),
        }
    }
}

/// Reads the list of a project, in the order of [`CRATES`].
///
/// # Errors
///
/// [`ListError`], of the first file or mutation that is wrong.
pub fn read_list(project: &Path) -> Result<Vec<Mutation>, ListError> {
    let mut all = Vec::new();
    let mut names = BTreeSet::new();
    for krate in CRATES {
        let path = project
            .join("tests/mutations")
            .join(krate)
            .with_extension("toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ListError::Read { path, source }),
        };
        let list: ListFile = match toml::from_str(&text) {
            Ok(list) => list,
            Err(source) => return Err(ListError::Format { path, source }),
        };
        for mutation in list.mutation {
            let name = mutation.name.clone();
            if krate_of(&name) != Some(krate) {
                return Err(ListError::Name { name, krate });
            }
            if !names.insert(name.clone()) {
                return Err(ListError::Twice { name });
            }
            all.push(mutation);
        }
    }
    Ok(all)
}

/// Returns the crate whose name a mutation's begins with.
pub fn krate_of(name: &str) -> Option<&'static str> {
    let (first, _) = name.split_once('-')?;
    CRATES.into_iter().find(|krate| *krate == first)
}
