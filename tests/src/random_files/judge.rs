//! Runs the command on a sample, and says whether it ended as it may.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sample::{Asked, Sample};
use crate::command::project;

/// The exit codes that the command documents.
mod code {
    pub(super) const DONE: i32 = 0;
    /// Something that was judged is wrong.
    pub(super) const WRONG: i32 = 1;
    pub(super) const USAGE: i32 = 2;
    pub(super) const EXCEPTION: i32 = 120;
    pub(super) const NOT_EMULATED: i32 = 121;
    pub(super) const BUDGET: i32 = 122;
    pub(super) const UNREADABLE: i32 = 123;
}

/// The most time of a processor that the command may take, in seconds.
const PROCESSOR_SECONDS: u64 = 10;
/// The longest that it may take, on a host that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// The address space that it may use, in KiB.
const MEMORY_KIB: u64 = 1 << 20;
/// Between two looks at a command that runs.
const PAUSE: Duration = Duration::from_micros(500);
/// What is kept of an output.
const KEPT_BYTES: usize = 4 << 20;
/// The longest message for a file that cannot be read.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// What came of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The command did as it says it does; how it ended, in words.
    Expected(String),
    /// It did what it may never do.
    Wrong(String),
}

/// What the command has said.
struct Said {
    /// `None` if it did not end.
    status: Option<ExitStatus>,
    output: Vec<u8>,
    errors: Vec<u8>,
}

/// Runs the command in the folder of the sample.
pub(super) fn judge(binary: &Path, sample: &Sample, folder: &Path) -> io::Result<Verdict> {
    let said = run(binary, sample, folder)?;
    let verdict = match verdict(sample.asked(), &said) {
        Ok(outcome) => Verdict::Expected(outcome),
        Err(what) => Verdict::Wrong(what),
    };
    Ok(verdict)
}

fn verdict(asked: Asked, said: &Said) -> Result<String, String> {
    let errors = String::from_utf8_lossy(&said.errors);
    let Some(status) = said.status else {
        return Err(format!("it takes more than {} s", PATIENCE.as_secs()));
    };
    if let Some(at) = errors.find("panicked at") {
        let message: String = errors[at..].chars().take(300).collect();
        return Err(format!("it panics: {message}"));
    }
    let Some(code) = status.code() else {
        let message: String = errors.chars().take(300).collect();
        return Err(format!("{status}: {message}"));
    };
    if code == code::UNREADABLE && errors.len() > MAX_MESSAGE_BYTES {
        return Err(format!("its message is {} bytes long", errors.len()));
    }
    let complains = errors.contains("error") || errors.contains("line ");
    match (asked, code) {
        (Asked::RunJson, _) if !said.output.is_empty() => ended(&said.output, code),
        (Asked::RunTool, code::DONE) => Ok("exited".to_owned()),
        (Asked::RunTool, code::EXCEPTION) if complains => Ok("exception".to_owned()),
        (Asked::RunTool, code::NOT_EMULATED) if complains => Ok("not emulated".to_owned()),
        (Asked::RunTool, code::BUDGET) if complains => Ok("budget".to_owned()),
        (Asked::Assemble | Asked::Judge | Asked::Show, code::DONE) => Ok("done".to_owned()),
        (Asked::Judge, code::WRONG) => Ok("wrong".to_owned()),
        (Asked::Show, code::USAGE) if complains => Ok("refused".to_owned()),
        (_, code::UNREADABLE) if complains => Ok("unreadable".to_owned()),
        _ => {
            let message: String = errors.chars().take(300).collect();
            Err(format!("exit code {code}, and it says: {message:?}"))
        }
    }
}

/// Returns how the run ended, if the object says what the exit code says.
fn ended(output: &[u8], code: i32) -> Result<String, String> {
    let object: Value = serde_json::from_slice(output)
        .map_err(|error| format!("exit code {code}, and no JSON: {error}"))?;
    let outcome = object["outcome"].as_str().unwrap_or_default();
    let (expected, shown) = match outcome {
        "exited" => {
            let guest = object["exit_code"].as_u64().unwrap_or(u64::MAX);
            (i32::from(guest.to_le_bytes()[0]), "exited")
        }
        "exception" => (code::EXCEPTION, "exception"),
        "unsupported_instruction" | "function_not_emulated" => (code::NOT_EMULATED, "not emulated"),
        "budget_exceeded" | "deadlock" | "endless_calls" => (code::BUDGET, "budget"),
        _ => return Err(format!("exit code {code}, and the outcome {outcome:?}")),
    };
    if code == expected {
        Ok(shown.to_owned())
    } else {
        Err(format!("exit code {code}, and the outcome {outcome:?}"))
    }
}

fn run(binary: &Path, sample: &Sample, folder: &Path) -> io::Result<Said> {
    let mut command = bounded(binary);
    command
        .args(sample.arguments())
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if sample.arguments().first().is_some_and(|name| name == "lab") {
        command.arg("--labs").arg(project().join("fixtures/labs"));
        command
            .arg("--staff")
            .arg(project().join("fixtures/labs-staff"));
    }
    let mut child = command.spawn()?;
    let outputs = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let output = scope.spawn(|| outputs.0.map_or_else(Vec::new, drain));
        let errors = scope.spawn(|| outputs.1.map_or_else(Vec::new, drain));
        let status = wait(&mut child)?;
        Ok(Said {
            status,
            output: output.join().expect("no reader panics"),
            errors: errors.join().expect("no reader panics"),
        })
    })
}

/// Returns the command with bounds on its memory and its time, where the system has them.
fn bounded(binary: &Path) -> Command {
    if !cfg!(unix) {
        return Command::new(binary);
    }
    let mut shell = Command::new("sh");
    let bounds = format!("ulimit -v {MEMORY_KIB}; ulimit -t {PROCESSOR_SECONDS}");
    let script = format!("{bounds}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(binary);
    shell
}

/// Returns how the child ended, or `None` if it had to be ended.
fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Reads to the end, and returns the beginning.
fn drain(mut pipe: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = [0; 0x4000];
    while let Ok(len @ 1..) = pipe.read(&mut piece) {
        let room = KEPT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..len.min(room)]);
    }
    kept
}
