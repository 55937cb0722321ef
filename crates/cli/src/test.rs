//! `pagefault test`: programs against the expectations in their sources.

mod judge;
mod junit;
mod report;
mod update;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use pagefault_lab::expect::DEFAULT_BUDGET;
use pagefault_lab::parse_size;
use rayon::prelude::*;

use crate::args::{Paging, Profile};
use crate::files;
use crate::output::WholeFile;
use crate::run::EXIT_NO_PROGRAM;
use crate::test::judge::{Judged, Judgement};

/// A program is not as it is expected to be.
const EXIT_FAILED: u8 = 1;
/// What marks a line with an expectation.
const MARK: &[u8] = b";!";
/// How deep folders are searched.
const MAX_DEPTH: u32 = 40;

/// What `--help` says of exit codes.
const EXIT_CODES: &str = "\
Exit codes:
    0  every expectation is met
    1  an expectation is not met, or a program cannot be assembled or loaded
    2  the command line is wrong
  123  a path cannot be read, or no program there states expectations
  125  a file that was asked for cannot be written

docs/EXPECTATIONS.md describes the language of the expectations.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct TestArguments {
    /// Programs, and folders in which every .asm file with a line `;!` is one; what links to folders
    /// lead to is not searched.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run only programs whose path contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Rewrite exact expectations that are not met to what was seen.
    #[arg(long)]
    update: bool,
    #[arg(long, value_name = "FILE", help = "Write the results as JUnit XML")]
    junit: Option<PathBuf>,
    /// Print one JSON object in place of the text.
    #[arg(long)]
    json: bool,
    /// The most instructions of a program; it can state fewer.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUDGET)]
    max_insns: u64,
    /// The most RAM and paging file that a program may state, together.
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_size)]
    max_memory: u64,
    /// The format of the page tables of a program that states none.
    #[arg(long, value_enum, default_value_t)]
    paging: Paging,
    /// Whose rules hold for a program that states none.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
}

/// Runs the programs and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(arguments: &TestArguments) -> anyhow::Result<u8> {
    let programs = match find(arguments) {
        Ok(programs) => programs,
        Err(message) => {
            anstream::eprintln!("error: {message}");
            return Ok(EXIT_NO_PROGRAM);
        }
    };
    let progress = progress(programs.len());
    let judged: Vec<Judged> = programs
        .par_iter()
        .map(|path| {
            let judged = judge::judge(path, arguments);
            progress.inc(1);
            judged
        })
        .collect();
    progress.finish_and_clear();

    let updated = if arguments.update {
        update::apply(&judged)?
    } else {
        update::Updated::default()
    };
    if let Some(path) = &arguments.junit {
        let what = || format!("cannot write the results to {}", path.display());
        let text = junit::text(&judged).with_context(what)?;
        WholeFile::create("the results to ", path)?.fill(text.as_bytes())?;
    }
    let text = if arguments.json {
        format!("{:#}\n", report::json(&judged))
    } else {
        report::text(&judged, &updated)
    };
    print(&text).context("cannot write the results")?;
    let is_fine = |judged: &Judged| {
        matches!(judged.judgement, Judgement::Passed { .. }) || updated.covers(judged)
    };
    Ok(if judged.iter().all(is_fine) {
        0
    } else {
        EXIT_FAILED
    })
}

/// Prints; a reader that has gone away, as `head` does, is no failure.
fn print(text: &str) -> io::Result<()> {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Returns what shows on a terminal how far the programs are.
fn progress(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{pos}/{len} programs  {wide_bar}  {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// Returns the programs that are to be run, by path.
fn find(arguments: &TestArguments) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in &arguments.paths {
        let metadata = fs::metadata(path);
        let metadata =
            metadata.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        if metadata.is_dir() {
            search(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    if let Some(filter) = &arguments.filter {
        found.retain(|path| path.display().to_string().contains(filter.as_str()));
    }
    if found.is_empty() {
        let paths: Vec<_> = arguments
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let filter = match &arguments.filter {
            Some(filter) => format!(" and has \"{filter}\" in its path"),
            None => String::new(),
        };
        let paths = paths.join(", ");
        return Err(format!(
            "no program in {paths} states expectations in lines that begin with `;!`{filter}"
        ));
    }
    Ok(found)
}

/// Adds the sources below a folder that state expectations.
fn search(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(cannot)?;
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        let path = entry.path();
        let is_source = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("asm"));
        // A link to a folder is none here: two that lead to where they are multiply at every level.
        let is_folder = entry.file_type().map_err(cannot)?.is_dir();
        if is_folder {
            if depth < MAX_DEPTH {
                search(&path, depth + 1, found)?;
            }
        } else if is_source && !path.is_dir() && states_expectations(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn states_expectations(path: &Path) -> bool {
    // A file that cannot be read fails when it is to be run.
    files::read(path).map_or(true, |source| {
        source
            .split(|byte| *byte == b'\n' || *byte == b'\r')
            .any(|line| line.trim_ascii_start().starts_with(MARK))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_in_a_circle_are_not_followed_and_a_linked_source_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let sources = folder.path().join("sources");
        fs::create_dir(&sources).unwrap();
        fs::write(folder.path().join("outside.asm"), ";! exit 0\n").unwrap();
        fs::write(sources.join("inside.asm"), ";! exit 0\n").unwrap();
        symlink("../outside.asm", sources.join("linked.asm")).unwrap();
        for circle in ["a", "b", "c.asm"] {
            symlink(".", sources.join(circle)).unwrap();
        }

        let mut found = Vec::new();
        search(&sources, 0, &mut found).unwrap();

        found.sort();
        assert_eq!(
            found,
            ["inside.asm", "linked.asm"].map(|name| sources.join(name))
        );
    }
}
