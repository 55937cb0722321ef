//! `native [--minutes N] [--seed N]`: random sequences of instructions on the processor itself and on
//! the interpreter, for as long as wanted.
//!
//! Exits with 0 if both always came to the same state, with 1 if they did not, and with 2 on wrong use
//! or where there is nothing to compare with.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pagefault_tests::native::{Differential, Verdict, inputs};

/// The exit code of wrong use.
const USAGE: u8 = 2;
const DEFAULT_MINUTES: u64 = 1;
/// Inputs that go to the native side at once.
const BATCH: usize = 32;
/// Differences that are shown, of each form.
const SHOWN: u64 = 2;

fn main() -> ExitCode {
    let Some((minutes, seed)) = parse(std::env::args().skip(1)) else {
        say("usage: native [--minutes N] [--seed N]");
        return ExitCode::from(USAGE);
    };
    let mut differential = match Differential::start() {
        Ok(differential) => differential,
        Err(error) => {
            say(&format!("nothing can be compared: {error}"));
            return ExitCode::from(USAGE);
        }
    };
    let begin = Instant::now();
    let time = Duration::from_secs(minutes * 60);
    let mut inputs = inputs(seed);
    let mut counts = [0_u64; 3];
    let mut found = BTreeMap::new();
    while begin.elapsed() < time {
        let batch: Vec<Vec<u8>> = inputs.by_ref().take(BATCH).collect();
        let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        let verdicts = match differential.check(&batch) {
            Ok(verdicts) => verdicts,
            Err(error) => {
                say(&format!("the native side cannot go on: {error}"));
                return ExitCode::from(USAGE);
            }
        };
        for verdict in verdicts {
            match verdict {
                Verdict::Same => counts[0] += 1,
                Verdict::Rejected(_) => counts[1] += 1,
                Verdict::Different(difference) => {
                    counts[2] += 1;
                    let times = found.entry(difference.code).or_insert(0_u64);
                    *times += 1;
                    if *times <= SHOWN {
                        say(&format!("FOUND {difference}"));
                    }
                }
            }
        }
    }
    for (code, times) in &found {
        say(&format!("{times:8} differences at {code:?}"));
    }
    for (reason, times) in differential.excluded() {
        say(&format!("{times:8} ends before {reason:?}"));
    }
    let executed = differential.executed();
    let instructions: u64 = executed.values().sum();
    let [same, rejected, different] = counts;
    say(&format!(
        "{same} sequences agree, {different} differ, {rejected} were not compared; {instructions} \
         instructions of {} forms",
        executed.len()
    ));
    if different == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<(u64, u32)> {
    let (mut minutes, mut seed) = (DEFAULT_MINUTES, 0);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next()?.parse().ok();
        match argument.as_str() {
            "--minutes" => minutes = number()?,
            "--seed" => seed = u32::try_from(number()?).ok()?,
            _ => return None,
        }
    }
    Some((minutes, seed))
}

fn say(line: &str) {
    // A reader that has gone away needs no lines.
    _ = writeln!(io::stdout().lock(), "{line}");
}
