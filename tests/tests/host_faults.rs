//! What the host may do to a run: a full disk, a reader that goes away, Ctrl-C.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pagefault_tests::command::pagefault;

/// A file that asked for cannot be written.
const NO_OUTPUT: i32 = 125;
const INTERRUPTED: i32 = 130;
/// Always full: on Linux.
const FULL: &str = "/dev/full";
/// Longer than any of these takes.
const SOON: Duration = Duration::from_secs(60);

/// Writes a kilobyte, and touches four pages.
const PROGRAM: &str = "
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        include kernel32.inc
        include msvcrt.inc
        .data
text    db 'a line of some length for the reader, the writer and the disk', 10, 0
        .code
start:  mov ebx, 16
        .while ebx
            invoke printf, addr text
            dec ebx
        .endw
        invoke ExitProcess, 0
        end start
";
/// Never ends.
const LOOP: &str = "
        .386
        .model flat, stdcall
        .code
start:  jmp start
        end start
";

#[test]
fn a_full_disk_is_told_for_every_file_that_a_run_writes() {
    let Some(program) = full_disk("full", PROGRAM) else {
        return;
    };
    for option in [
        &["--trace", "insn", "--trace-out"][..],
        &["--record-trace"],
        &["--report"],
    ] {
        let output = pagefault()
            .arg("run")
            .arg(&program)
            .args(option)
            .arg(FULL)
            .output()
            .unwrap();
        let message = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(NO_OUTPUT),
            "{option:?}: {message}"
        );
        assert!(message.contains("cannot write"), "{option:?}: {message}");
        assert!(message.contains("No space left"), "{option:?}: {message}");
    }
    for (command, option) in [("asm", "-o"), ("map", "--svg")] {
        let output = pagefault()
            .arg(command)
            .arg(&program)
            .args([option, FULL])
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(NO_OUTPUT),
            "{command}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_told_where_the_result_is_lost() {
    let Some(program) = full_disk("full_output", PROGRAM) else {
        return;
    };
    let full = fs::OpenOptions::new().write(true).open(FULL).unwrap();
    let output = pagefault()
        .arg("run")
        .arg(&program)
        .arg("--json")
        .stdout(full)
        .output()
        .unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(NO_OUTPUT), "{message}");
    assert!(message.contains("cannot write the result"), "{message}");
}

#[test]
fn what_was_there_stays_if_a_new_file_cannot_be_completed() {
    let folder = folder("stays");
    let report = folder.join("report.html");
    fs::write(&report, "the one of yesterday").unwrap();

    let output = run(&["run", "no_such_program.asm", "--report", path(&report)]);

    assert_ne!(output.status.code(), Some(0));
    assert_eq!(fs::read_to_string(&report).unwrap(), "the one of yesterday");
    assert_eq!(names(&folder), ["report.html"]);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_guest() {
    let program = write(&folder("pipe"), "pipe.asm", PROGRAM);
    let mut child = pagefault()
        .arg("run")
        .arg(&program)
        .args(["--exit-code", "tool"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();

    let output = wait(child);

    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_its_statistics_and_whole_files() {
    let folder = folder("interrupt");
    let program = write(&folder, "endless.asm", LOOP);
    let report = folder.join("report.html");
    let child = pagefault()
        .arg("run")
        .arg(&program)
        .args(["--report", path(&report), "--stats"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let output = interrupted(child);

    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(INTERRUPTED), "{message}");
    assert!(message.contains("interrupted after"), "{message}");
    assert!(message.contains("endless.asm:5"), "{message}");
    let page = fs::read_to_string(&report).unwrap();
    assert!(
        page.trim_end().ends_with("</html>"),
        "the report is not whole"
    );
    assert_eq!(names(&folder), ["endless.asm", "report.html"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_look_at_a_pattern_with_the_counts_so_far() {
    let child = pagefault()
        .args(["tlb", "sim", "--pattern", "uniform:64", "--accesses"])
        .args(["1000000000000", "--tlb", "64x4:lru"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let output = interrupted(child);

    let result = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(INTERRUPTED),
        "{}",
        text(&output.stderr)
    );
    assert!(result.contains("interrupted with"), "{result}");
    assert!(result.contains("misses"), "{result}");
}

#[test]
fn guest_memory_that_the_host_has_not_is_an_error() {
    let program = write(&folder("memory"), "memory.asm", PROGRAM);

    let output = run(&["run", path(&program), "--ram", "64T"]);

    let message = text(&output.stderr);
    assert_ne!(output.status.code(), Some(0), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    assert!(
        message.contains("ram") || message.contains("RAM"),
        "{message}"
    );
}

/// Returns a program to run with a full disk, if this host has one.
fn full_disk(name: &str, source: &str) -> Option<PathBuf> {
    if !Path::new(FULL).exists() {
        eprintln!("skipped: there is no {FULL} here");
        return None;
    }
    Some(write(&folder(name), "program.asm", source))
}

/// Sends SIGINT when the run is well on its way, and returns how it ends.
#[cfg(unix)]
fn interrupted(child: Child) -> Output {
    thread::sleep(Duration::from_secs(2));
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    wait(child)
}

/// Waits for a process that has to end soon.
fn wait(mut child: Child) -> Output {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > SOON {
            child.kill().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    pagefault().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns the sorted names of a folder's files.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Makes an empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("host_faults")
        .join(name);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(folder: &Path, name: &str, source: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, source).unwrap();
    path
}
