//! `pagefault lab`: what students do with a lab, and what staff see of it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Subcommand;
use pagefault_lab::pack::{Limits, Report, Value, Visibility};
use pagefault_lab::variant::VariantKey;
use serde_json::{Map, json};

use crate::grade::submission::Submission;
use crate::json::SCHEMA;
use crate::labs::{LabFolders, VariantArguments};
use crate::output;

/// Some check is not met.
const EXIT_UNMET: u8 = 1;
/// The lab or what was handed in cannot be read.
const EXIT_NO_LAB: u8 = 123;
/// The file in a student's folder that says which variant it is.
const KEY_FILE: &str = "lab.key";

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Lists the labs.
    List {
        #[command(flatten)]
        folders: LabFolders,
    },
    /// Makes a student's folder: README, starter, parameters.
    Start {
        /// The lab: its name or its number.
        lab: String,
        /// The folder to make.
        folder: PathBuf,
        /// Whose parameters.
        #[arg(long, value_name = "ID")]
        student: Option<String>,
        #[command(flatten)]
        variant: VariantArguments,
        #[command(flatten)]
        folders: LabFolders,
    },
    /// Runs the visible checks on a student's folder.
    Check {
        /// The folder that `lab start` has made.
        #[arg(default_value = ".")]
        folder: PathBuf,
        #[command(flatten)]
        folders: LabFolders,
    },
    /// Shows staff the parameters of a student, and the solution.
    Show {
        /// The lab: its name or its number.
        lab: String,
        /// Whose parameters.
        #[arg(long, value_name = "ID")]
        student: Option<String>,
        /// Show what scores full marks.
        #[arg(long)]
        solution: bool,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        variant: VariantArguments,
        #[command(flatten)]
        folders: LabFolders,
    },
}

/// Runs the command and returns its exit code.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(command: &LabCommand) -> anyhow::Result<u8> {
    let done = match command {
        LabCommand::List { folders } => list(folders),
        LabCommand::Start {
            lab,
            folder,
            student,
            variant,
            folders,
        } => start(lab, folder, student.as_deref(), variant, folders),
        LabCommand::Check { folder, folders } => check(folder, folders),
        LabCommand::Show {
            lab,
            student,
            solution,
            json,
            variant,
            folders,
        } => {
            let shown = Shown {
                has_solution: *solution,
                is_json: *json,
            };
            show(lab, student.as_deref(), &shown, variant, folders)
        }
    };
    done.or_else(|error| {
        anstream::eprintln!("error: {error:#}");
        Ok(EXIT_NO_LAB)
    })
}

fn list(folders: &LabFolders) -> anyhow::Result<u8> {
    let mut text = String::new();
    for name in folders.names()? {
        let found = folders.find(&name)?;
        let _ = writeln!(
            text,
            "{:<24}  {:<12}  {}",
            found.lab.name(),
            found.lab.submission(),
            found.lab.title()
        );
    }
    output::print(&text)?;
    Ok(0)
}

fn start(
    lab: &str,
    folder: &Path,
    student: Option<&str>,
    variant: &VariantArguments,
    folders: &LabFolders,
) -> anyhow::Result<u8> {
    let lab = folders.find(lab)?.lab;
    let key = variant.key(lab.name(), student)?;
    let submission = folder.join(lab.submission());
    if submission.exists() {
        return Err(anyhow!(
            "{} is there already, and may hold work",
            submission.display()
        ));
    }
    let what = || format!("cannot write to {}", folder.display());
    fs::create_dir_all(folder).with_context(what)?;
    fs::write(folder.join("README.md"), lab.readme(&key)?).with_context(what)?;
    fs::write(&submission, lab.starter(&key)?).with_context(what)?;
    let key = format!("lab {}\nkey {}\n", lab.name(), key.to_hex());
    fs::write(folder.join(KEY_FILE), key).with_context(what)?;
    output::print(&format!(
        "{}: {}\nread {}, work in {}, and run `pagefault lab check {}`\n",
        lab.name(),
        lab.title(),
        folder.join("README.md").display(),
        submission.display(),
        folder.display()
    ))?;
    Ok(0)
}

fn check(folder: &Path, folders: &LabFolders) -> anyhow::Result<u8> {
    let path = folder.join(KEY_FILE);
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| {
        format!(
            "cannot read {}: make the folder with `pagefault lab start`",
            path.display()
        )
    })?;
    let part = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let wrong = || {
        anyhow!(
            "{} is not what `pagefault lab start` has written",
            path.display()
        )
    };
    let lab = folders.find(part("lab ").ok_or_else(wrong)?)?.lab;
    let key = VariantKey::from_hex(part("key ").ok_or_else(wrong)?).map_err(|_| wrong())?;
    let limits = Limits::default();
    let submission = Submission::read(folder, lab.submission(), limits.submission_bytes);
    let submission = submission.map_err(|missing| anyhow!("{missing}"))?;
    let mut report = lab.mark(&key, &submission.bytes, &submission.includes, &limits);
    report
        .checks
        .retain(|check| check.visibility == Visibility::Visible);
    output::print(&text_of(&report))?;
    let is_whole = report.earned() == report.points();
    Ok(if is_whole { 0 } else { EXIT_UNMET })
}

/// Returns a report for a student.
fn text_of(report: &Report) -> String {
    let mut text = String::new();
    for remark in &report.remarks {
        let _ = writeln!(text, "{remark}");
    }
    for check in &report.checks {
        let word = if check.is_met { "ok" } else { "not yet" };
        let _ = writeln!(
            text,
            "{word:8} {:16} {} ({} points)",
            check.name, check.says, check.points
        );
        for seen in &check.seen {
            let _ = writeln!(text, "         seen: {seen}");
        }
    }
    if !report.explanation.is_empty() {
        text += "how the first run that failed ended:\n";
        for line in &report.explanation {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(
        text,
        "{} of {} points of the visible checks",
        report.earned(),
        report.points()
    );
    text
}

/// What of a variant is shown, and how.
struct Shown {
    has_solution: bool,
    is_json: bool,
}

fn show(
    lab: &str,
    student: Option<&str>,
    shown: &Shown,
    variant: &VariantArguments,
    folders: &LabFolders,
) -> anyhow::Result<u8> {
    let lab = folders.find(lab)?.lab;
    let key = variant.key(lab.name(), student)?;
    let parameters = lab.parameters(&key);
    let solution = shown.has_solution.then(|| lab.solution(&key)).transpose()?;
    let text = if shown.is_json {
        let value = |value: &Value| match value {
            Value::Number(number) => json!(number),
            Value::Word(word) => json!(word),
        };
        let parameters: Map<_, _> = parameters
            .iter()
            .map(|(name, found)| (name.to_owned(), value(found)))
            .collect();
        let object = json!({
            "schema": SCHEMA,
            "lab": lab.name(),
            "student": student,
            "parameters": parameters,
            "solution": solution,
        });
        format!("{object:#}\n")
    } else {
        let mut text = format!("{}: {}\n", lab.name(), lab.title());
        for (name, value) in parameters.iter() {
            let _ = match value {
                Value::Number(number) => writeln!(text, "  {name} = {number} ({number:#x})"),
                Value::Word(word) => writeln!(text, "  {name} = {word}"),
            };
        }
        if let Some(solution) = solution {
            let _ = write!(text, "\n{solution}");
        }
        text
    };
    output::print(&text)?;
    Ok(0)
}
