//! Virtual memory scenarios: what the Win32 calls answer.
//!
//! A scenario is a list of calls, each with the line that it must print; it runs in a process of
//! its own, on an MMU of its own. The language is told in `fixtures/golden/vmm/README.md`.

mod calls;
mod sections;
mod stage;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use pagefault_vmm::PagingMode;

use crate::golden::GoldenError;
use crate::golden::report::{FileReport, Report};
use crate::golden::vmm::stage::Stage;

/// The ending of the files that are read.
const ENDING: &str = "gold";

/// Replays every file of a directory in a paging mode.
///
/// # Errors
///
/// [`GoldenError`] if the directory or a file in it cannot be read.
pub fn run(dir: &Path, paging: PagingMode) -> Result<Report, GoldenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GoldenError::Read { path, source }
    };
    let entries = fs::read_dir(dir).map_err(failed(dir))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(failed(dir))?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    paths.sort();
    let mut report = Report::default();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        report.files.push(replay(&name, &text, paging));
    }
    Ok(report)
}

/// What a line of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Nothing,
    Scenario(&'a str),
    Requires(&'a str),
    /// A strict result.
    Expected(&'a str),
    /// A result for information.
    Informational,
    Call(&'a str),
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            Self::Nothing
        } else if let Some(name) = line.strip_prefix("scenario ") {
            Self::Scenario(name)
        } else if let Some(tags) = line.strip_prefix("requires ") {
            Self::Requires(tags)
        } else if let Some(result) = line.strip_prefix("=> ").or(line.strip_prefix("!> ")) {
            Self::Expected(result)
        } else if line.starts_with("?> ") {
            Self::Informational
        } else {
            Self::Call(line)
        }
    }
}

/// How a scenario stands.
enum Play {
    /// It runs.
    On(Box<Stage>),
    /// It needs something that is not there.
    Skipped,
}

/// The tags of what every machine here has.
const TAGS: [&str; 10] = [
    "lock",
    "ws",
    "writewatch",
    "section",
    "rpm",
    "badptr",
    "child",
    "rights",
    "topdown",
    "global",
];

/// Replays a file: one case for each strict result.
fn replay(name: &str, text: &str, paging: PagingMode) -> FileReport {
    let mut report = FileReport::new(name);
    let mut scenario = "";
    let mut play = Play::Skipped;
    let mut answer: Option<(&str, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match Line::of(line) {
            Line::Nothing => {}
            Line::Scenario(name) => {
                scenario = name;
                play = Play::On(Box::new(Stage::new(paging)));
            }
            Line::Requires(tags) => {
                if let Some(missing) = tags.split(' ').find(|tag| !is_met(tag, paging)) {
                    report.skip(&format!("needs {missing}"));
                    play = Play::Skipped;
                }
            }
            Line::Call(call) => {
                if let Play::On(stage) = &mut play {
                    answer = Some((call, stage.call(call)));
                }
            }
            Line::Informational => answer = None,
            Line::Expected(expected) => match answer.take() {
                None => {}
                Some((_, found)) if found == expected => report.passed += 1,
                Some((call, found)) => report.failures.push(format!(
                    "{name}:{number} {scenario}: {call}\n    expected {expected}\n    found    {found}"
                )),
            },
        }
    }
    report
}

fn is_met(tag: &str, paging: PagingMode) -> bool {
    TAGS.contains(&tag) || (tag == "nx" && paging == PagingMode::Pae)
}
