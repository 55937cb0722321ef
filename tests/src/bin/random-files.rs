//! `random-files [--files N] [--seed S] [--from N] [--kind KIND]... [--folder DIR] [--command FILE]`:
//! gives files of every kind that the command reads to the command: bytes of any value, valid files
//! with some changes, texts that are nearly valid. `--command` names a build of it; without it, that
//! of this program's profile is built.
//!
//! The command must end in time, within 1 GiB of address space, without a panic or a signal, with
//! an exit code that it documents and a word to say why. What does not is kept in the folder, and
//! can be made again: `--seed S --kind KIND --from NUMBER --files 1`.
//!
//! Exits with 0 if nothing was found, with 1 if something was, and with 2 on wrong use.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use pagefault_tests::command::{binary, project};
use pagefault_tests::random_files::{Campaign, Kind, Seeds, Tally};

/// The exit code of wrong use.
const USAGE: u8 = 2;
const DEFAULT_FILES: u64 = 1000;

struct Options {
    files: u64,
    seed: u64,
    from: u64,
    kinds: Vec<Kind>,
    folder: PathBuf,
    command: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(options) = parse(env::args().skip(1)) else {
        let kinds: Vec<_> = Kind::NAMES.iter().map(|&(name, _)| name).collect();
        say("usage: random-files [--files N] [--seed S] [--from N] [--kind KIND]...");
        say("                    [--folder DIR] [--command FILE]");
        say(&format!("kinds: {}", kinds.join(" ")));
        return ExitCode::from(USAGE);
    };
    match campaign(&options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(USAGE)
        }
    }
}

/// Makes the files and tells what came of them; returns the number of findings.
fn campaign(options: &Options) -> io::Result<usize> {
    let made = tempfile::tempdir()?;
    let command = match &options.command {
        Some(command) => command.canonicalize()?,
        None => binary().to_path_buf(),
    };
    let seeds = Seeds::read(project(), &command, made.path())?;
    let campaign = Campaign {
        binary: &command,
        seeds: &seeds,
        seed: options.seed,
        from: options.from,
        files: options.files,
        folder: &options.folder,
    };
    let mut found = 0;
    for &kind in &options.kinds {
        let mut tally = Tally::default();
        let begin = Instant::now();
        campaign.run(kind, &mut tally)?;
        let outcomes = tally.outcomes.iter();
        let outcomes: Vec<_> = outcomes
            .map(|((_, outcome), count)| format!("{outcome} {count}"))
            .collect();
        let seconds = begin.elapsed().as_secs();
        let name = kind.name();
        say(&format!(
            "{name:<12}  {seconds:>4} s  {}",
            outcomes.join(", ")
        ));
        for finding in &tally.findings {
            say(&format!("FOUND {finding}"));
        }
        found += tally.findings.len();
    }
    say(&format!(
        "seed {}, {} files of {} kinds, {found} findings",
        options.seed,
        options.files,
        options.kinds.len()
    ));
    Ok(found)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        files: DEFAULT_FILES,
        seed: 0,
        from: 0,
        kinds: Vec::new(),
        folder: env::temp_dir().join("random-files"),
        command: None,
    };
    while let Some(argument) = arguments.next() {
        let value = arguments.next()?;
        match argument.as_str() {
            "--files" => options.files = value.parse().ok()?,
            "--seed" => options.seed = value.parse().ok()?,
            "--from" => options.from = value.parse().ok()?,
            "--kind" => options.kinds.push(Kind::named(&value)?),
            "--folder" => options.folder = PathBuf::from(value),
            "--command" => options.command = Some(PathBuf::from(value)),
            _ => return None,
        }
    }
    if options.kinds.is_empty() {
        options.kinds.extend(Kind::NAMES.map(|(_, kind)| kind));
    }
    Some(options)
}

fn say(line: &str) {
    // A reader that has gone away needs no lines.
    _ = writeln!(io::stdout().lock(), "{line}");
}
