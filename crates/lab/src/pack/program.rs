//! Labs whose hand-in is a program: assembled, run, and looked at.

use std::collections::BTreeMap;

use pagefault_machine::asm::{
    Failure, IncludeFiles, LinkError, LinkOptions, Options, assemble, link,
};
use pagefault_machine::{DebugInfo, FromImageError, MachineConfig, Outcome, Program};
use thiserror::Error;

use super::manifest::Check;
use super::parameters::Parameters;
use super::report::{CheckReport, Report};
use crate::expect::{CheckError, Expectations, Subject, Surroundings, Verdict, check};

/// What a submission may use. The budget is deterministic: the same submission gets the same marks
/// on any host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions that a program may execute in each check.
    pub instructions: u64,
    /// Guest RAM in bytes, unless the lab says otherwise.
    pub ram_bytes: u64,
    /// Bytes of a source or an answer sheet.
    pub submission_bytes: usize,
}

/// The instructions of a check, unless the lab says otherwise.
const DEFAULT_INSTRUCTIONS: u64 = 20_000_000;
/// The most bytes of a submission.
const DEFAULT_SUBMISSION_BYTES: usize = 1 << 20;
/// The most lines of one message that a report keeps.
const MAX_LINES: usize = 40;
/// The most letters of one line that a report keeps.
const MAX_LINE_CHARS: usize = 300;

impl Default for Limits {
    fn default() -> Self {
        Self {
            instructions: DEFAULT_INSTRUCTIONS,
            ram_bytes: MachineConfig::default().ram_bytes,
            submission_bytes: DEFAULT_SUBMISSION_BYTES,
        }
    }
}

/// Why a submission cannot be run.
#[derive(Debug, Error)]
enum NoProgram {
    #[error("the program does not assemble")]
    Assemble(Vec<String>),
    #[error("the program does not link: {0}")]
    Link(#[from] LinkError),
    #[error("the program cannot be loaded: {0}")]
    Image(#[from] FromImageError),
}

/// Marks a program. `includes` are the files that came with it; no other file is read.
pub(super) fn mark(
    checks: &[Check],
    parameters: &Parameters,
    name: &str,
    source: &[u8],
    includes: &dyn IncludeFiles,
    limits: &Limits,
) -> Report {
    let mut report = Report::default();
    let program = if source.len() > limits.submission_bytes {
        let most = limits.submission_bytes;
        report
            .remarks
            .push(format!("the source is larger than {most} bytes"));
        None
    } else {
        match build(name, source, includes) {
            Ok(built) => Some(built),
            Err(error) => {
                report.remarks.push(error.to_string());
                if let NoProgram::Assemble(messages) = error {
                    report.remarks.extend(bounded(&messages));
                }
                None
            }
        }
    };
    for check in checks {
        let seen = match &program {
            Some((program, debug)) => {
                let subject = Subject { program, debug };
                look(check, parameters, subject, limits, &mut report)
            }
            None => vec!["there is no program to look at".to_owned()],
        };
        report.checks.push(CheckReport {
            name: check.name.clone(),
            says: parameters
                .fill(&check.says)
                .unwrap_or_else(|_| check.says.clone()),
            points: check.points,
            is_met: seen.is_empty(),
            visibility: check.visibility,
            seen,
        });
    }
    report
}

fn build(
    name: &str,
    source: &[u8],
    includes: &dyn IncludeFiles,
) -> Result<(Program, DebugInfo), NoProgram> {
    let assembled = assemble(name, source, includes, &Options::default());
    let assembled = assembled.map_err(|Failure { diagnostics, files }| {
        let lines = diagnostics.iter().map(|found| found.one_line(&files));
        NoProgram::Assemble(lines.collect())
    })?;
    let image = link(&assembled.object, &LinkOptions::default())?;
    let debug = DebugInfo::new(&assembled, &image);
    Ok((Program::from_image(&image)?, debug))
}

/// Runs a check, and returns what was seen that is not right.
fn look(
    check: &Check,
    parameters: &Parameters,
    subject: Subject<'_>,
    limits: &Limits,
    report: &mut Report,
) -> Vec<String> {
    let lines = check.expectations.join("\n");
    let lines = match parameters.fill(&lines) {
        Ok(lines) => lines,
        Err(error) => return vec![format!("the lab's check is wrong: {error}")],
    };
    let expectations = match Expectations::from_lines(&lines) {
        Ok(expectations) => expectations,
        Err(errors) => {
            let wrong = errors.iter();
            let wrong = wrong.map(|error| format!("the lab's check is wrong: {error}"));
            return bounded(&wrong.collect::<Vec<_>>());
        }
    };
    let surroundings = Surroundings {
        config: MachineConfig {
            ram_bytes: limits.ram_bytes,
            ..MachineConfig::default()
        },
        // The lab's own number, not one of the submission.
        budget: expectations
            .settings()
            .budget
            .unwrap_or(limits.instructions),
        files: None,
        texts: BTreeMap::new(),
    };
    match self::check(&expectations, subject, surroundings) {
        Ok(verdict) => {
            // How the run ended is a check of its own: a crash at the end does not take away what was
            // right until then.
            let unmet: Vec<String> = verdict
                .unmet
                .iter()
                .flatten()
                .map(|unmet| unmet.seen.clone())
                .collect();
            if !unmet.is_empty() && report.explanation.is_empty() {
                explain(&verdict, report);
            }
            bounded(&unmet)
        }
        Err(CheckError::Load(error)) => vec![format!("the program cannot be loaded: {error}")],
        Err(CheckError::Expectations(errors)) => {
            let missing = errors.iter();
            let missing =
                missing.map(|error| format!("the program lacks what the lab asks for: {error}"));
            bounded(&missing.collect::<Vec<_>>())
        }
    }
}

/// Says how a run ended that went wrong.
fn explain(verdict: &Verdict, report: &mut Report) {
    let mut lines = Vec::new();
    match &verdict.outcome {
        Outcome::Exited { code } => lines.push(format!("the program exits with {code}")),
        Outcome::Exception(exception) => {
            lines.push(format!(
                "the program ends by an exception: {}",
                exception.status.name()
            ));
            if let Some(line) = &exception.place.source {
                lines.push(format!(
                    "at {}:{}: {}",
                    line.file,
                    line.line,
                    line.text.trim()
                ));
            }
            if let Some(memory) = &exception.memory {
                let fault = &memory.fault;
                lines.push(fault.to_string());
                lines.extend(memory.walk.to_string().lines().map(str::to_owned));
                report.picture = Some(crate::picture::page_walk(memory));
            }
            lines.push(exception.advice.clone());
        }
        Outcome::UnsupportedInstruction(instruction) => lines.push(instruction.to_string()),
        Outcome::MissingFunction(call) => {
            lines.push(format!("{} is not emulated", call.function.name));
        }
        Outcome::BudgetExceeded => lines.push(format!(
            "stopped after {} instructions: does a loop never end?",
            verdict.instructions
        )),
        Outcome::Interrupted => lines.push("the run was interrupted".to_owned()),
        Outcome::Deadlock { threads } => {
            lines.push(format!("all {threads} threads wait, and nobody can end it"));
        }
        Outcome::EndlessCalls { calls } => lines.push(format!(
            "stopped after {calls} calls without an instruction between them"
        )),
    }
    report.explanation = bounded(&lines);
}

/// Cuts off what a hostile program could make long.
fn bounded(lines: &[String]) -> Vec<String> {
    let cut = |line: &str| match line.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    };
    let split = lines.iter().flat_map(|line| line.lines());
    split.take(MAX_LINES).map(cut).collect()
}
