//! `soak [--minutes N] [--round R] [--rounds N] [--digests]`: random programs and calls under all
//! invariants, for as long as wanted.
//!
//! Each round runs a program twice with every event heard, once unheard and once recorded, there
//! and back; results, counters, memory and events must be the same, and the memory manager must
//! agree with the tables and the TLB. `--digests` prints a number for each fixture program instead,
//! to compare builds.
//!
//! Exits with 0 if nothing was found, with 1 if something was, and with 2 on wrong use.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use pagefault_tests::command::project;
use pagefault_tests::soak::{Soak, Subject, digests};

/// The exit code of wrong use.
const USAGE: u8 = 2;
const DEFAULT_MINUTES: u64 = 1;
/// Where the fixtures are.
const FOLDERS: [&str; 3] = ["fixtures/programs", "fixtures/c", "fixtures/elf"];
/// What the host's memory may grow by after the first minute, in KiB.
const FLAT_KIB: u64 = 64 << 10;

struct Options {
    minutes: u64,
    round: u64,
    rounds: Option<u64>,
    digests: bool,
}

fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        say("usage: soak [--minutes N] [--round R] [--rounds N] [--digests]");
        return ExitCode::from(USAGE);
    };
    let mut subjects = Vec::new();
    for folder in FOLDERS.map(|folder| project().join(folder)) {
        match Subject::of_folder(&folder) {
            Ok(found) => subjects.extend(found),
            Err(error) => {
                say(&format!("cannot read {}: {error}", folder.display()));
                return ExitCode::from(USAGE);
            }
        }
    }
    if options.digests {
        for (name, digest) in digests(&subjects) {
            say(&format!("{digest:016x}  {name}"));
        }
        return ExitCode::SUCCESS;
    }
    soak(subjects, &options)
}

fn soak(subjects: Vec<Subject>, options: &Options) -> ExitCode {
    let count = subjects.len();
    let mut soak = Soak::new(subjects, options.round);
    let mut memory = Vec::new();
    let findings = match options.rounds {
        Some(rounds) => (0..rounds)
            .filter_map(|_| soak.play_round().err())
            .collect(),
        None => soak.run(Duration::from_secs(options.minutes * 60), |soak| {
            let kib = resident_kib();
            memory.extend(kib);
            let shown = kib.map_or("unknown".to_owned(), |kib| format!("{kib} KiB"));
            say(&format!(
                "round {}, {} instructions, memory {shown}",
                soak.round(),
                soak.instructions()
            ));
        }),
    };
    for finding in &findings {
        say(&format!("FOUND {finding}"));
    }
    let rounds = soak.round() - options.round;
    say(&format!(
        "{count} fixtures and random programs, {rounds} rounds, {} instructions, {} findings",
        soak.instructions(),
        findings.len()
    ));
    let first = memory.first().copied().unwrap_or(0);
    let grows = memory.last().is_some_and(|&last| last > first + FLAT_KIB);
    if grows {
        say(&format!("FOUND memory grows: {memory:?} KiB"));
    }
    if findings.is_empty() && !grows {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the host memory of this process; `None` where the system does not tell.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        minutes: DEFAULT_MINUTES,
        round: 0,
        rounds: None,
        digests: false,
    };
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next()?.parse().ok();
        match argument.as_str() {
            "--minutes" => options.minutes = number()?,
            "--round" => options.round = number()?,
            "--rounds" => options.rounds = Some(number()?),
            "--digests" => options.digests = true,
            _ => return None,
        }
    }
    Some(options)
}

fn say(line: &str) {
    // A reader that has gone away needs no lines.
    _ = writeln!(io::stdout().lock(), "{line}");
}
