//! Every program of `fixtures/programs` does what is written beside it.
//!
//! `NAME.asm` says how it ends in a line `;! exit N` or `;! end HOW`, from which the exit code of the
//! command follows; `NAME.out` is what it prints and `NAME.err` how the command explains its end. A
//! missing file stands for no output. `UPDATE_EXPECT=1` rewrites both.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use pagefault_tests::command::{binary, pagefault, project};

/// Both ways of running a program must agree, but for what only PAE can forbid.
const PAGING_MODES: [&str; 2] = ["two-level", "pae"];

/// Programs whose result depends on the paging mode, and what the other mode makes of them: exit
/// code 120, since a page that is not executable cannot be run with PAE.
const NEEDS_TWO_LEVEL: [&str; 1] = ["readonly_is_executable"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = project().join("fixtures/programs");
    let mut programs: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("there are programs")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "asm"))
        .collect();
    programs.sort();
    assert!(!programs.is_empty(), "no programs in {}", folder.display());
    if !arguments.list {
        binary();
    }
    let trials = programs.iter().flat_map(|program| {
        PAGING_MODES.map(|paging| {
            let name = format!("{}::{paging}", stem(program));
            let program = program.clone();
            Trial::test(name, move || check(&program, paging))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn check(program: &Path, paging: &str) -> Result<(), Failed> {
    let shown = program.strip_prefix(project())?;
    let source = fs::read_to_string(program)?;
    let output = pagefault()
        .arg("run")
        .arg(shown)
        .args(["--paging", paging])
        .output()?;
    let code = output.status.code().ok_or("the command was killed")?;

    let refuses_data = paging == "pae" && NEEDS_TWO_LEVEL.contains(&stem(program).as_str());
    if refuses_data {
        return if code == 120 {
            Ok(())
        } else {
            Err(format!("exit code {code}").into())
        };
    }
    let expected_code = exit_code(&source).ok_or("no line `;! exit N` or `;! end HOW`")?;
    if code != expected_code {
        let explained = String::from_utf8_lossy(&output.stderr);
        return Err(format!("exit code {code}, expected {expected_code}\n{explained}").into());
    }
    agree(&program.with_extension("out"), &output.stdout)?;
    // Explanations show the tables, whose format is the mode's.
    if paging == PAGING_MODES[0] {
        agree(&program.with_extension("err"), &output.stderr)?;
    }
    Ok(())
}

/// Compares what a program printed with what it should, or writes it down.
fn agree(expected: &Path, actual: &[u8]) -> Result<(), Failed> {
    if env::var_os("UPDATE_EXPECT").is_some() {
        return match actual {
            [] => fs::remove_file(expected).or(Ok(())),
            _ => Ok(fs::write(expected, actual)?),
        };
    }
    let wanted = fs::read(expected).unwrap_or_default();
    if wanted == actual {
        return Ok(());
    }
    let (wanted, actual) = (
        String::from_utf8_lossy(&wanted),
        String::from_utf8_lossy(actual),
    );
    let name = expected.file_name().unwrap_or_default().display();
    Err(format!("{name} differs\nexpected:\n{wanted}\nseen:\n{actual}").into())
}

/// Returns the exit code of the command for a program that ends as its source says.
fn exit_code(source: &str) -> Option<i32> {
    let end = |line: &str| match line.strip_prefix(";! end ")?.trim() {
        "exception" => Some(120),
        "unemulated" => Some(121),
        "budget" | "deadlock" => Some(122),
        _ => None,
    };
    let exit = |line: &str| {
        let code = line.strip_prefix(";! exit ")?.trim();
        let code: u32 = match code.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => code.parse().ok()?,
        };
        Some(i32::from(code.to_le_bytes()[0]))
    };
    source
        .lines()
        .find_map(|line| end(line).or_else(|| exit(line)))
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
