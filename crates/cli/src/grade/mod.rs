//! `pagefault grade`: a class of submissions, each in a process of its own.

pub(crate) mod junit;
mod outputs;
mod page;
mod record;
pub(crate) mod submission;
mod worker;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use indicatif::ProgressBar;
use pagefault_lab::pack::{Lab, Limits};
use pagefault_lab::variant::{VariantKey, fingerprint};
use rayon::prelude::*;

use crate::labs::{Found, LabFolders, VariantArguments};
use crate::output;

use record::StudentRecord;
use submission::Submission;

pub(crate) use worker::{GradeOneArguments, run_one};

/// Some check is not met.
const EXIT_UNMET: u8 = 1;
/// The lab or the class cannot be read.
const EXIT_NO_CLASS: u8 = 123;
/// Folders of the results.
const STUDENTS: &str = "students";
const PAGES: &str = "pages";
const GRADESCOPE: &str = "gradescope";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
DIR holds a folder or a file for each student, named as the student. With --student, DIR is what one student has
handed in. Results go to --out: results.json and results.csv of the class, junit.xml, and for each student
students/NAME.json, gradescope/NAME.json and pages/NAME.html. What is there already is not graded again unless the
submission, the lab or the parameters have changed: a grader that was stopped goes on where it was.
Exit codes: 0 every check of every student is met; 1 some are not; 2 the command line is wrong; 123 the lab or the
class cannot be read; 125 a result cannot be written.")]
pub(crate) struct GradeArguments {
    /// The submissions.
    dir: PathBuf,
    /// The lab: its name or its number.
    #[arg(long)]
    lab: String,
    /// Grade one student, whose submission DIR is.
    #[arg(long, value_name = "ID")]
    student: Option<String>,
    /// The folder of the results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Look at one check only.
    #[arg(long, value_name = "CHECK")]
    only: Option<String>,
    /// Write Gradescope's results.json of the one student.
    #[arg(long, value_name = "FILE", requires = "student")]
    gradescope: Option<PathBuf>,
    /// The seconds that a submission may take, besides its instructions.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// The memory that grading a submission may take on the host, in MiB; where the host can limit it.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(256..=65536))]
    memory: u64,
    #[command(flatten)]
    variant: VariantArguments,
    #[command(flatten)]
    folders: LabFolders,
}

/// What is the same for every student.
struct Class<'a> {
    arguments: &'a GradeArguments,
    found: &'a Found,
    limits: Limits,
}

/// Runs the command and returns its exit code.
///
/// # Errors
///
/// A result cannot be written.
pub(crate) fn run(arguments: &GradeArguments) -> anyhow::Result<u8> {
    let prepared = arguments.folders.find(&arguments.lab).and_then(|found| {
        let students = students(arguments, &found.lab)?;
        check_only(arguments, &found.lab)?;
        // A secret that cannot be read is known before the first submission is graded.
        arguments.variant.key(found.lab.name(), Some(""))?;
        Ok((found, students))
    });
    let (found, students) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            return Ok(EXIT_NO_CLASS);
        }
    };
    let class = Class {
        arguments,
        found: &found,
        limits: Limits::default(),
    };
    if let Some(out) = &arguments.out {
        for folder in [STUDENTS, PAGES, GRADESCOPE] {
            let folder = out.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            output::remove_leftovers(&folder);
        }
        output::remove_leftovers(out);
    }
    let bar = if io::stderr().is_terminal() {
        ProgressBar::new(students.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    let records: anyhow::Result<Vec<StudentRecord>> = students
        .par_iter()
        .map(|(student, place)| class.grade(student, place))
        .inspect(|_| bar.inc(1))
        .collect();
    bar.finish_and_clear();
    let records = records?;
    finish(arguments, &found.lab, &records)?;
    let is_whole = records.iter().all(StudentRecord::is_whole);
    Ok(if is_whole { 0 } else { EXIT_UNMET })
}

/// Returns the students and where their submissions are, in order of their names.
fn students(arguments: &GradeArguments, lab: &Lab) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    if let Some(student) = &arguments.student {
        // Results are files named as the student.
        if student.is_empty() || student.starts_with('.') || student.contains(['/', '\\']) {
            bail!("{student:?} is no student's name: it names files");
        }
        return Ok(BTreeMap::from([(student.clone(), arguments.dir.clone())]));
    }
    let what = || format!("cannot read the submissions in {}", arguments.dir.display());
    let ending = Path::new(lab.submission()).extension();
    let mut students = BTreeMap::new();
    for entry in fs::read_dir(&arguments.dir).with_context(what)? {
        let path = entry.with_context(what)?.path();
        let is_file = !path.is_dir();
        let name = if is_file {
            path.file_stem()
        } else {
            path.file_name()
        };
        let Some(name) = name.and_then(|name| name.to_str()) else {
            bail!("{} has a name that is not text", path.display());
        };
        if name.starts_with('.') || (is_file && path.extension() != ending) {
            continue;
        }
        if let Some(other) = students.insert(name.to_owned(), path.clone()) {
            bail!(
                "{} and {} are both of {name}",
                other.display(),
                path.display()
            );
        }
    }
    if students.is_empty() {
        let kind = lab.submission();
        bail!(
            "{} holds no submission: a folder or a file as {kind} for each student",
            arguments.dir.display()
        );
    }
    Ok(students)
}

fn check_only(arguments: &GradeArguments, lab: &Lab) -> anyhow::Result<()> {
    let Some(only) = &arguments.only else {
        return Ok(());
    };
    let key = VariantKey::of_seed(lab.name(), 0);
    let names = lab.check_names(&key);
    if names.contains(only) {
        return Ok(());
    }
    Err(anyhow!(
        "there is no check {only}; there are {}",
        names.join(", ")
    ))
}

impl Class<'_> {
    /// Grades a student, or takes what was graded before.
    fn grade(&self, student: &str, place: &Path) -> anyhow::Result<StudentRecord> {
        let lab = &self.found.lab;
        let key = self.arguments.variant.key(lab.name(), Some(student))?;
        let read = Submission::read(place, lab.submission(), self.limits.submission_bytes);
        let mark = self.mark(&key, &read);
        let path = self.path(student, STUDENTS, "json");
        if let Some(path) = &path
            && let Some(before) = StudentRecord::load(path, &mark)
        {
            return Ok(before);
        }
        let mut record = match read {
            Ok(_) => self.work(&key, place),
            // What cannot be read is marked as an empty submission, so that every check is there.
            Err(missing) => {
                let report = lab.mark(&key, b"", &submission::Handed::default(), &self.limits);
                let mut record = StudentRecord::of_report(&report);
                record.remarks = vec![missing.to_string()];
                record
            }
        };
        student.clone_into(&mut record.student);
        record.mark = mark;
        if let Some(only) = &self.arguments.only {
            record.checks.retain(|check| check.name == *only);
        }
        if let Some(path) = &path {
            self.save(student, &record, path)?;
        }
        Ok(record)
    }

    /// Grades in a process of its own: whatever happens there, this one goes on.
    fn work(&self, key: &VariantKey, place: &Path) -> StudentRecord {
        let lab = &self.found.lab;
        let limits = worker::Bounds {
            wall: Duration::from_secs(self.arguments.timeout),
            memory_mib: self.arguments.memory,
        };
        match worker::grade(&self.arguments.folders, lab.name(), key, place, limits) {
            Ok(record) => record,
            Err(lost) => {
                let names = lab.mark(key, b"", &submission::Handed::default(), &self.limits);
                let mut record = StudentRecord::of_report(&names);
                for check in &mut record.checks {
                    check.is_met = false;
                    check.seen = vec![lost.to_string()];
                }
                record.remarks = vec![lost.to_string()];
                record
            }
        }
    }

    /// Returns what tells whether a submission has to be graded again.
    fn mark(&self, key: &VariantKey, read: &Result<Submission, submission::Missing>) -> String {
        let missing = read
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        let key = key.to_hex();
        let only = self.arguments.only.as_deref().unwrap_or_default();
        let limits = format!(
            "{:?} {} {}",
            self.limits, self.arguments.timeout, self.arguments.memory
        );
        let mut parts: Vec<&[u8]> = vec![
            env!("CARGO_PKG_VERSION").as_bytes(),
            self.found.fingerprint.as_bytes(),
            key.as_bytes(),
            only.as_bytes(),
            limits.as_bytes(),
            missing.as_bytes(),
        ];
        if let Ok(submission) = read {
            parts.push(&submission.bytes);
            parts.extend(submission.includes.parts());
        }
        fingerprint(&parts)
    }

    fn path(&self, student: &str, folder: &str, ending: &str) -> Option<PathBuf> {
        let out = self.arguments.out.as_ref()?;
        Some(out.join(folder).join(format!("{student}.{ending}")))
    }

    fn save(&self, student: &str, record: &StudentRecord, path: &Path) -> anyhow::Result<()> {
        let lab = &self.found.lab;
        if let Some(page) = self.path(student, PAGES, "html") {
            output::write_file(&page, page::page(lab.title(), record).as_bytes())?;
        }
        if let Some(results) = self.path(student, GRADESCOPE, "json") {
            output::write_file(&results, outputs::gradescope(record).as_bytes())?;
        }
        // Last: what is there tells that the student is done.
        output::write_file(path, record.to_text().as_bytes())
    }
}

/// Writes the results of the class, and says them.
fn finish(arguments: &GradeArguments, lab: &Lab, records: &[StudentRecord]) -> anyhow::Result<()> {
    if let Some(out) = &arguments.out {
        output::write_file(
            &out.join("results.json"),
            outputs::class(lab, records).as_bytes(),
        )?;
        output::write_file(&out.join("results.csv"), outputs::csv(records).as_bytes())?;
        output::write_file(
            &out.join("junit.xml"),
            outputs::junit(lab, records)?.as_bytes(),
        )?;
    }
    if let (Some(path), [record]) = (&arguments.gradescope, records) {
        output::write_file(path, outputs::gradescope(record).as_bytes())?;
    }
    output::print(&outputs::summary(records))
}
