//! Whatever the user gives to `pagefault run`: one clear error and a documented exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pagefault_tests::command::pagefault;

/// The command line is wrong.
const USAGE: i32 = 2;
/// Something is not emulated.
const NOT_EMULATED: i32 = 121;
/// The budget of instructions was used up.
const BUDGET: i32 = 122;
/// There is no program that could run.
const NO_PROGRAM: i32 = 123;
/// A file cannot be written.
const OUTPUT: i32 = 125;

/// A program around the lines of a test.
const HEAD: &str = ".386\n.model flat, stdcall\noption casemap:none\n";

#[test]
fn a_syntax_error_is_shown_with_file_line_and_caret() {
    let path = source(
        "syntax.asm",
        format!("{HEAD}.code\nstart:\n  mov eax,\n  end start\n"),
    );

    let output = run(&path);

    let message = failed(&output, NO_PROGRAM);
    assert!(message.contains("syntax.asm:6:"), "{message}");
    assert!(message.contains("mov eax,"), "{message}");
    assert!(message.contains('^'), "{message}");
}

#[test]
fn several_errors_are_reported_in_one_run() {
    let body = ".code\nstart:\n  mov eax, nowhere\n  mov bl, ecx\n  frob eax\n  end start\n";
    let output = run(&source("several.asm", format!("{HEAD}{body}")));

    let message = failed(&output, NO_PROGRAM);
    for line in [":6:", ":7:", ":8:"] {
        assert!(message.contains(line), "line {line} is missing:\n{message}");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    assert!(failed(&run(Path::new("no/such.asm")), NO_PROGRAM).contains("no/such.asm"));
    assert!(failed(&run(Path::new("fixtures")), NO_PROGRAM).contains("directory"));
}

#[test]
fn files_that_are_no_programs_give_an_error_and_no_panic() {
    failed(&run(&source("empty.asm", "")), NO_PROGRAM);
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    failed(&run(&source("binary.asm", binary)), NO_PROGRAM);
    failed(&run(&source("zeros.asm", vec![0; 1 << 20])), NO_PROGRAM);
    failed(
        &run(&source("long_line.asm", vec![b'a'; 10 << 20])),
        NO_PROGRAM,
    );
    let head_and_long_line = [HEAD.as_bytes(), &vec![b','; 10 << 20]].concat();
    failed(
        &run(&source("long_list.asm", head_and_long_line)),
        NO_PROGRAM,
    );
}

#[test]
fn what_is_neither_an_executable_nor_a_source_is_called_that_and_not_assembled() {
    let bytes: Vec<u8> = (0_u8..=255).rev().cycle().take(10_000).collect();
    for (name, content) in [
        ("random.exe", &bytes[..]),
        ("empty.exe", b""),
        ("page.EXE", b"<html>not found</html>\n"),
        ("random", &bytes),
        ("random.txt", b"text and \0 then bytes"),
    ] {
        let message = failed(&run(&source(name, content)), NO_PROGRAM);

        assert!(message.contains("no executable"), "{name}: {message}");
        assert!(message.contains("no assembler source"), "{name}: {message}");
        assert_eq!(message.lines().count(), 1, "{name}: {message}");
    }
    let text = format!("{HEAD}.code\nstart:\n  mov eax,\n  end start\n\x1A");
    let message = failed(&run(&source("source.txt", text)), NO_PROGRAM);
    assert!(message.contains("source.txt:6:"), "{message}");
}

#[test]
fn unknown_words_are_named() {
    let directive = source("directive.asm", format!("{HEAD}.frobnicate\nend\n"));
    assert!(failed(&run(&directive), NO_PROGRAM).contains(".frobnicate"));

    let body = ".code\nstart:\n  invoke Frobnicate, 1\n  end start\n";
    let function = source("function.asm", format!("{HEAD}{body}"));
    assert!(failed(&run(&function), NO_PROGRAM).contains("Frobnicate"));
}

#[test]
fn a_function_that_is_not_emulated_stops_the_program_when_called() {
    let body = "Frobnicate proto :DWORD\n.code\nstart:\n  invoke Frobnicate, 1\n  end start\n";
    let output = run(&source("missing.asm", format!("{HEAD}{body}")));

    let message = failed(&output, NOT_EMULATED);
    assert!(message.contains("Frobnicate is not emulated"), "{message}");
    assert!(message.contains("missing.asm:7"), "{message}");
}

#[test]
fn an_endless_loop_ends_with_the_budget() {
    let path = source(
        "endless.asm",
        format!("{HEAD}.code\nstart:\n  jmp start\n  end start\n"),
    );

    let output = pagefault()
        .arg("run")
        .arg(&path)
        .args(["--max-insns", "1000000"])
        .output()
        .unwrap();

    let message = failed(&output, BUDGET);
    assert!(
        message.contains("stopped after 1000000 instructions"),
        "{message}"
    );
}

#[test]
fn wrong_options_are_usage_errors() {
    let program = "fixtures/programs/exit_code.asm";
    for options in [
        &["--ram", "0"][..],
        &["--ram", "5000"],
        &["--ram", "8G"],
        &["--ram", "much"],
        &["--ram", "1T"],
        &["--ram", "99999999999G"],
        &["--tlb", "64"],
        &["--tlb", "0x0:lru"],
        &["--tlb", "64x4:best"],
        &["--tlb", "64x5"],
        &["--tlb", "i4004"],
        &["--replacement", "best"],
        &["--tlb", "48x4:lru"],
        &["--trace", "everything"],
        &["--max-insns", "-1"],
        &["--frobnicate"],
    ] {
        let output = pagefault()
            .args(["run", program])
            .args(options)
            .output()
            .unwrap();
        failed(&output, USAGE);
    }
    assert_eq!(pagefault().output().unwrap().status.code(), Some(USAGE));
}

#[test]
fn sizes_and_tlbs_are_taken_in_every_form() {
    let program = "fixtures/programs/exit_code.asm";
    for options in [
        &["--ram", "8192K"][..],
        &["--ram", "8388608"],
        &["--ram", "1g"],
        &["--tlb", "none"],
        &["--tlb", "i486"],
        &["--tlb", "16x16:fifo"],
        &["--trace", "api, tlb"],
        &["--pagefile", "1M", "--replacement", "aging"],
    ] {
        let output = pagefault()
            .args(["run", program])
            .args(options)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(7), "{options:?}");
    }
    let unknown = pagefault()
        .args(["run", program, "--tlb", "i4004"])
        .output()
        .unwrap();
    assert!(failed(&unknown, USAGE).contains("i486"));
}

#[test]
fn a_trace_that_cannot_be_written_is_an_error() {
    let output = pagefault()
        .args(["run", "fixtures/programs/exit_code.asm", "--trace", "api"])
        .args(["--trace-out", "no/such/folder/trace.txt"])
        .output()
        .unwrap();

    assert!(failed(&output, OUTPUT).contains("no/such/folder/trace.txt"));
}

/// Returns what the command said, having checked that it failed as it should.
fn failed(output: &Output, code: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains("error"), "no error is reported: {message}");
    assert!(!message.contains("panicked"), "{message}");
    assert!(
        message.len() < 20_000,
        "the message is {} bytes long",
        message.len()
    );
    message
}

fn run(program: &Path) -> Output {
    pagefault().arg("run").arg(program).output().unwrap()
}

/// Writes a source file into the tests' own folder.
fn source(name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}
