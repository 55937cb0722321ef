//! Labs: a manifest with parameters and checks, a starter, a solution, and how a submission is
//! marked.
//!
//! The texts of a lab have places for parameters, `{{pages}}`, which [`VariantKey`] fills: each
//! student has others. What is right is computed from the parameters whenever it is asked for.

mod answers;
mod manifest;
mod parameters;
mod program;
mod report;

use pagefault_machine::asm::IncludeFiles;
use thiserror::Error;

use crate::quiz::Topic;
use crate::variant::VariantKey;

pub use manifest::{Check, ManifestError, ManifestErrorKind};
pub use parameters::{FillError, Parameters, Value};
pub use program::Limits;
pub use report::{CheckReport, Report, Visibility};

use parameters::Rule;

/// The texts of a lab, as they lie in its folder.
#[derive(Clone, Copy, Debug)]
pub struct LabTexts<'a> {
    /// `lab.txt`
    pub manifest: &'a str,
    /// `README.md`
    pub readme: &'a str,
    /// What the student begins with; of a lab of answers there is none, it is generated.
    pub starter: Option<&'a str>,
    /// What scores full marks; of a lab of answers there is none, it is generated.
    pub solution: Option<&'a str>,
}

/// A lab.
#[derive(Clone, Debug)]
pub struct Lab {
    name: String,
    title: String,
    submission: String,
    rules: Vec<(String, Rule)>,
    work: Work,
    readme: String,
    starter: String,
    solution: String,
}

/// What is handed in.
#[derive(Clone, Debug)]
enum Work {
    /// Answers to generated exercises.
    Answers(Vec<Topic>),
    /// A program, which is run.
    Program(Vec<Check>),
}

/// Why a lab's text cannot be made for a student.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {error}")]
pub struct TextError {
    /// Which text.
    pub place: &'static str,
    /// What is wrong with it.
    pub error: FillError,
}

impl Lab {
    /// Returns the lab of these texts.
    ///
    /// # Errors
    ///
    /// [`ManifestError`]: the first line of the manifest that is wrong.
    pub fn new(name: &str, texts: &LabTexts<'_>) -> Result<Self, ManifestError> {
        let manifest = manifest::read(texts.manifest)?;
        Ok(Self {
            name: name.to_owned(),
            title: manifest.title,
            submission: manifest.submission,
            rules: manifest.rules,
            work: manifest.work,
            readme: texts.readme.to_owned(),
            starter: texts.starter.unwrap_or_default().to_owned(),
            solution: texts.solution.unwrap_or_default().to_owned(),
        })
    }

    /// Returns the name of the lab's folder, `NN-name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the name of the file that is handed in.
    pub fn submission(&self) -> &str {
        &self.submission
    }

    /// Returns whether a program is handed in; otherwise answers are.
    pub fn wants_program(&self) -> bool {
        matches!(self.work, Work::Program(_))
    }

    /// Returns the parameters of a variant; a lab of answers has none.
    pub fn parameters(&self, key: &VariantKey) -> Parameters {
        Parameters::draw(&self.rules, &mut key.draws())
    }

    /// Returns the README of a variant.
    ///
    /// # Errors
    ///
    /// The text has a place that no parameter fills.
    pub fn readme(&self, key: &VariantKey) -> Result<String, TextError> {
        self.fill("README.md", &self.readme, key)
    }

    /// Returns what a student begins with.
    ///
    /// # Errors
    ///
    /// The text has a place that no parameter fills.
    pub fn starter(&self, key: &VariantKey) -> Result<String, TextError> {
        match &self.work {
            Work::Answers(topics) => Ok(answers::starter(topics, key)),
            Work::Program(_) => self.fill("the starter", &self.starter, key),
        }
    }

    /// Returns what scores full marks.
    ///
    /// # Errors
    ///
    /// The text has a place that no parameter fills.
    pub fn solution(&self, key: &VariantKey) -> Result<String, TextError> {
        match &self.work {
            Work::Answers(topics) => Ok(answers::solution(topics, key)),
            Work::Program(_) => self.fill("the solution", &self.solution, key),
        }
    }

    /// Returns the names of the checks of a variant.
    pub fn check_names(&self, key: &VariantKey) -> Vec<String> {
        match &self.work {
            Work::Answers(topics) => {
                let report = answers::mark(topics, key, b"");
                report.checks.into_iter().map(|check| check.name).collect()
            }
            Work::Program(checks) => checks.iter().map(|check| check.name.clone()).collect(),
        }
    }

    /// Returns the expectations of each check of a variant; a lab of answers has none.
    pub fn expectations(&self, key: &VariantKey) -> Vec<Result<String, FillError>> {
        let parameters = self.parameters(key);
        match &self.work {
            Work::Answers(_) => Vec::new(),
            Work::Program(checks) => {
                let filled = checks.iter();
                let filled = filled.map(|check| parameters.fill(&check.expectations.join("\n")));
                filled.collect()
            }
        }
    }

    /// Marks a submission. `includes` are the files that came with it; nothing else is read.
    pub fn mark(
        &self,
        key: &VariantKey,
        submission: &[u8],
        includes: &dyn IncludeFiles,
        limits: &Limits,
    ) -> Report {
        match &self.work {
            Work::Answers(topics) => answers::mark(topics, key, submission),
            Work::Program(checks) => {
                let parameters = self.parameters(key);
                let name = &self.submission;
                program::mark(checks, &parameters, name, submission, includes, limits)
            }
        }
    }

    fn fill(&self, place: &'static str, text: &str, key: &VariantKey) -> Result<String, TextError> {
        let filled = self.parameters(key).fill(text);
        filled.map_err(|error| TextError { place, error })
    }
}
