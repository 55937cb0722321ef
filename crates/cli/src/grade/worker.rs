//! Grading in a process of its own, with bounds on what it may take of the host.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pagefault_lab::pack::Limits;
use pagefault_lab::variant::VariantKey;
use thiserror::Error;

use super::record::StudentRecord;
use super::submission::Submission;
use crate::labs::LabFolders;
use crate::output;

/// The most bytes of a record that are taken.
const MAX_RECORD_BYTES: u64 = 4 << 20;
/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);
/// The digits of a key, and the end of its line.
const KEY_LINE_BYTES: u64 = 65;
/// Kibibytes of a mebibyte.
const KIB_PER_MIB: u64 = 1024;
/// A record could not be made.
const EXIT_LOST: u8 = 123;

#[derive(Debug, clap::Args)]
pub(crate) struct GradeOneArguments {
    lab: String,
    place: PathBuf,
    #[command(flatten)]
    folders: LabFolders,
}

/// What a submission may take of the host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) wall: Duration,
    pub(super) memory_mib: u64,
}

/// Why there is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Lost {
    #[error("the submission took longer than {seconds} seconds and was stopped")]
    Time { seconds: u64 },
    #[error("grading the submission took too much memory, or failed")]
    Failed,
    #[error("the grader cannot be started")]
    NotStarted,
}

/// Marks one submission and prints its record; the key comes on standard input.
///
/// # Errors
///
/// The record cannot be written.
pub(crate) fn run_one(arguments: &GradeOneArguments) -> anyhow::Result<u8> {
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .take(KEY_LINE_BYTES)
        .read_to_string(&mut line);
    let key = VariantKey::from_hex(line.trim());
    let (Ok(_), Ok(key)) = (read, key) else {
        return Ok(EXIT_LOST);
    };
    let lab = arguments.folders.find(&arguments.lab)?.lab;
    let limits = Limits::default();
    let Ok(submission) =
        Submission::read(&arguments.place, lab.submission(), limits.submission_bytes)
    else {
        return Ok(EXIT_LOST);
    };
    let report = lab.mark(&key, &submission.bytes, &submission.includes, &limits);
    output::print(&StudentRecord::of_report(&report).to_text())?;
    Ok(0)
}

/// Has a submission marked by another process.
pub(super) fn grade(
    folders: &LabFolders,
    lab: &str,
    key: &VariantKey,
    place: &Path,
    bounds: Bounds,
) -> Result<StudentRecord, Lost> {
    let mut command = limited(bounds.memory_mib).ok_or(Lost::NotStarted)?;
    command.args(["grade-one", lab]).arg(place);
    command.arg("--labs").arg(&folders.labs);
    command.arg("--staff").arg(&folders.staff);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|_| Lost::NotStarted)?;
    let sent = child
        .stdin
        .take()
        .map(|mut input| input.write_all(key.to_hex().as_bytes()));
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        // One that writes without end is cut off here, and cannot be read as a record.
        let read = output.map(|output| output.take(MAX_RECORD_BYTES).read_to_end(&mut bytes));
        (read, bytes)
    });
    let ended = wait(&mut child, bounds.wall);
    let (_, bytes) = reader.join().map_err(|_| Lost::Failed)?;
    match (ended, sent) {
        (Some(true), Some(Ok(()))) => StudentRecord::read(&bytes).ok_or(Lost::Failed),
        (Some(_), _) => Err(Lost::Failed),
        (None, _) => Err(Lost::Time {
            seconds: bounds.wall.as_secs(),
        }),
    }
}

/// Returns whether a process has ended well; `None` if it had to be stopped.
fn wait(child: &mut Child, wall: Duration) -> Option<bool> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if start.elapsed() < wall => thread::sleep(POLL),
            _ => {
                // It may have ended by itself meanwhile; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Returns a command that runs this program; on Unix the shell limits its memory first.
fn limited(memory_mib: u64) -> Option<Command> {
    let this = std::env::current_exe().ok()?;
    if cfg!(unix) {
        let mut command = Command::new("/bin/sh");
        let limit = memory_mib * KIB_PER_MIB;
        // A host whose shell cannot limit memory grades without; instructions and time still bound it.
        let script = format!("ulimit -v {limit} 2>/dev/null; exec \"$0\" \"$@\"");
        command.arg("-c").arg(script).arg(this);
        Some(command)
    } else {
        Some(Command::new(this))
    }
}
