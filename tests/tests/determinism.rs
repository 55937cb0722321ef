//! The same run twice, beside others or alone: the command writes the same bytes.
//!
//! `soak -- --digests` compares builds: CONTRIBUTING.md says how.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use pagefault_tests::command::{pagefault, project};

/// Runs at a time.
const WORKERS: usize = 2;
/// Instructions of a run of which every event is written.
const TRACED: &str = "1000";
/// Instructions of a run that is reported.
const REPORTED: &str = "20000";

#[test]
fn traces_statistics_results_and_reports_of_all_fixtures_are_the_same_again() {
    let programs = fixtures();
    assert!(programs.len() > 90, "there are {} programs", programs.len());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("determinism");

    let first = written(&programs, &folder.join("first"));
    let backwards: Vec<_> = programs.iter().rev().cloned().collect();
    let mut again = written(&backwards, &folder.join("again"));
    again.reverse();

    for (program, (first, again)) in programs.iter().zip(first.iter().zip(&again)) {
        for (name, (first, again)) in NAMES.iter().zip(first.iter().zip(again)) {
            assert!(first == again, "{name} of {} differs", program.display());
        }
        let [result, statistics, trace, report] = first;
        assert!(
            !result.is_empty() && !statistics.is_empty(),
            "{}",
            program.display()
        );
        assert!(
            !trace.is_empty() && !report.is_empty(),
            "{}",
            program.display()
        );
    }
}

/// What a program's runs write.
const NAMES: [&str; 4] = ["the result", "the statistics", "the trace", "the report"];
type Written = [Vec<u8>; 4];

/// Runs the programs, some at a time, and returns what was written for each.
fn written(programs: &[PathBuf], folder: &Path) -> Vec<Written> {
    fs::create_dir_all(folder).unwrap();
    let part = programs.len().div_ceil(WORKERS);
    thread::scope(|scope| {
        let parts = programs.chunks(part).enumerate();
        let threads: Vec<_> = parts
            .map(|(number, part)| {
                let folder = folder.join(number.to_string());
                scope.spawn(move || {
                    fs::create_dir_all(&folder).unwrap();
                    let each = part.iter().map(|program| of_program(program, &folder));
                    each.collect::<Vec<_>>()
                })
            })
            .collect();
        let all = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        all.collect()
    })
}

fn of_program(program: &Path, folder: &Path) -> Written {
    let (trace, report) = (folder.join("trace"), folder.join("report.html"));
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // Some of these call the system without end, with gigabytes of accesses.
    let topics = if name.starts_with("hostile_") {
        "api,fault,insn"
    } else {
        "api,fault,walk,tlb,insn,mem"
    };
    let traced = pagefault()
        .arg("run")
        .arg(program)
        .args(["--json", "--max-insns", TRACED])
        .args(["--trace", topics, "--trace-out"])
        .arg(&trace)
        .output()
        .unwrap();
    let reported = pagefault()
        .arg("run")
        .arg(program)
        .args([
            "--stats",
            "--map-at-exit",
            "--max-insns",
            REPORTED,
            "--report",
        ])
        .arg(&report)
        .output()
        .unwrap();
    [
        [traced.stdout, traced.stderr].concat(),
        [reported.stdout, reported.stderr].concat(),
        fs::read(&trace).unwrap(),
        fs::read(&report).unwrap(),
    ]
}

/// Returns the programs that lie in the tree: sources, executables for Windows and for Linux.
fn fixtures() -> Vec<PathBuf> {
    let folders = [("programs", "asm"), ("c", "exe"), ("elf", "elf")];
    let mut all = Vec::new();
    for (folder, ending) in folders {
        let entries = fs::read_dir(project().join("fixtures").join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        all.extend(paths.filter(|path| path.extension().is_some_and(|found| found == ending)));
    }
    all.sort();
    all
}
