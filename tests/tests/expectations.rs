//! `pagefault test`, as a user runs it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use pagefault_tests::command::pagefault;
use serde_json::Value;
use tempfile::TempDir;

/// A program that exits with 3 and writes nothing; the lines go above it.
const PROGRAM: &str = "
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        include kernel32.inc
        .data
count   dd 0
        .code
start:  mov eax, 5
again:  inc count
        dec eax
        jnz again
        invoke ExitProcess, 3
        end start
";

#[test]
fn every_program_of_the_fixtures_is_as_it_expects_itself_to_be() {
    let output = test(&["fixtures/programs"]);

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("test fixtures/programs/write_readonly.asm ... ok"),
        "{text}"
    );
    assert!(text.contains(" 0 failed; 0 broken"), "{text}");
}

#[test]
fn what_is_not_as_expected_is_shown_with_its_line_and_the_fault() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "good.asm", ";! exit 3\n");
    program(
        folder.path(),
        "wrong.asm",
        ";! exit 4\n;! at again: eax < 5\n",
    );
    fs::write(
        folder.path().join("fault.asm"),
        format!(
            ";! exit 3\n{}",
            PROGRAM.replace("mov eax, 5", "mov eax, [eax]")
        ),
    )
    .unwrap();
    program(folder.path(), "ignored.asm", "; no expectations\n");

    let output = test(&[path(folder.path())]);

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let claims = [
        "running 3 programs",
        "good.asm ... ok (1 expectations)",
        "wrong.asm ... FAILED",
        "wrong.asm:1:4",
        "1 | ;! exit 4",
        "expected: exit 4",
        "seen: the program exits with 3",
        "seen: eax is 5",
        "access violation: read at 0x00000000",
        "page walk    CR3",
        "test result: FAILED. 1 passed; 2 failed; 0 broken",
    ];
    for claim in claims {
        assert!(text.contains(claim), "no \"{claim}\" in\n{text}");
    }
}

#[test]
fn malformed_lines_and_broken_programs_are_shown_and_fail() {
    let cases = [
        (
            ";! exit\n",
            "expected a number, a label, a register or `[address]`",
        ),
        (";! at nowhere: eax = 1\n", "`nowhere` is neither a label"),
        (";! at agian: eax = 1\n", "there is a label `again`"),
        (";! at count: eax = 1\n", "`count` is a label of data"),
        (";! at again+1: eax = 1\n", "control never comes there"),
        // The place is one byte of two that are one character.
        (";! exit é\n", "this character means nothing here"),
        (";! exit 3\nnonsense here\n", "error[A2"),
    ];
    for (lines, message) in cases {
        let folder = TempDir::new().unwrap();
        program(folder.path(), "one.asm", lines);

        let output = test(&[path(folder.path())]);

        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{lines}{text}");
        assert!(
            text.contains(message),
            "{lines}: no \"{message}\" in\n{text}"
        );
        assert!(text.contains("one.asm:"), "{lines}: no place in\n{text}");
    }
}

#[test]
fn paths_without_programs_and_files_that_cannot_be_written_are_errors() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "one.asm", ";! exit 3\n");
    let folder_path = path(folder.path());

    let missing = test(&["no/such/folder"]);
    let unmatched = test(&[folder_path, "--filter", "two"]);
    let unwritable = test(&[folder_path, "--junit", "no/such/folder/out.xml"]);

    assert_eq!(missing.status.code(), Some(123));
    assert!(stderr(&missing).starts_with("error: cannot read no/such/folder: "));
    assert_eq!(unmatched.status.code(), Some(123));
    assert!(stderr(&unmatched).contains("and has \"two\" in its path"));
    assert_eq!(unwritable.status.code(), Some(125));
    assert!(stderr(&unwritable).starts_with("error: cannot write the results to no/such/"));
}

#[test]
fn update_rewrites_what_is_exact_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let exact = ";! exit 0h ; the code\r\n  ;! at exit: [count] = 1\n;! stdout file \"one.out\"\n";
    program(folder.path(), "one.asm", exact);
    program(
        folder.path(),
        "two.asm",
        ";! exit 9\n;! at again: eax < 2\n",
    );
    let folder_path = path(folder.path());

    let first = test(&[folder_path, "--update"]);
    let second = test(&[folder_path]);

    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(first.status.code(), Some(1));
    assert!(
        stdout(&first).contains("one.asm ... updated"),
        "{}",
        stdout(&first)
    );
    assert!(stdout(&first).contains("0 passed; 1 failed; 0 broken; 1 updated"));
    let updated =
        ";! exit 3h ; the code\r\n  ;! at exit: [count] = 5\n;! stdout file \"one.out\"\n";
    assert_eq!(read("one.asm"), format!("{updated}{PROGRAM}"));
    assert_eq!(read("one.out"), "");
    assert_eq!(
        read("two.asm"),
        format!(";! exit 3\n;! at again: eax < 2\n{PROGRAM}")
    );
    assert!(
        stdout(&second).contains("1 passed; 1 failed"),
        "{}",
        stdout(&second)
    );
}

#[test]
fn junit_and_json_tell_the_same_results() {
    let folder = TempDir::new().unwrap();
    program(folder.path(), "good.asm", ";! exit 3\n");
    program(folder.path(), "wrong.asm", ";! exit 4 ; <&>\n");
    program(folder.path(), "broken.asm", ";! exit 3\nnonsense here\n");
    let xml = folder.path().join("out.xml");

    let output = test(&[path(folder.path()), "--json", "--junit", path(&xml)]);

    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!((&json["passed"], &json["programs"]), (&1.into(), &3.into()));
    let results = ["broken", "passed", "failed"];
    for (test, result) in json["tests"].as_array().unwrap().iter().zip(results) {
        assert_eq!(test["result"], result, "{test}");
    }
    assert_eq!(json["tests"][2]["unmet"][0]["line"], 1);
    assert_eq!(
        json["tests"][2]["unmet"][0]["seen"],
        "the program exits with 3"
    );
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.starts_with("<?xml"), "{xml}");
    assert!(
        xml.contains("tests=\"3\"") && xml.contains("failures=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("errors=\"1\""), "{xml}");
    assert!(!xml.contains('\u{1b}'), "{xml}");
}

#[test]
fn a_thousand_small_programs_are_run_at_once() {
    let folder = TempDir::new().unwrap();
    for number in 0..1000 {
        program(
            folder.path(),
            &format!("p{number}.asm"),
            ";! exit 3\n;! visits again = 5\n",
        );
    }

    let output = test(&[path(folder.path())]);

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.ends_with("test result: ok. 1000 passed; 0 failed; 0 broken\n"),
        "{text}"
    );
}

#[test]
fn an_endless_loop_ends_with_its_budget() {
    let folder = TempDir::new().unwrap();
    let source = PROGRAM.replace("dec eax", "");
    let lines = ";! run budget=5000\n;! stdout \"\"\n";
    fs::write(folder.path().join("loop.asm"), format!("{lines}{source}")).unwrap();

    let output = test(&[path(folder.path())]);

    assert_eq!(output.status.code(), Some(1));
    let seen = "not expected: the instructions of the budget are used up";
    assert!(stdout(&output).contains(seen), "{}", stdout(&output));
}

#[test]
fn a_program_does_not_raise_the_bounds_of_who_tests_it() {
    let folder = TempDir::new().unwrap();
    let endless = PROGRAM.replace("dec eax", "");
    let write = |name: &str, line: &str, source: &str| {
        let text = format!("{line}\n;! end budget\n{source}");
        fs::write(folder.path().join(name), text).unwrap();
    };
    write(
        "endless.asm",
        ";! run budget=18446744073709551615",
        &endless,
    );
    write("ram.asm", ";! run budget=5000 ram=2G", &endless);
    write(
        "file.asm",
        ";! run budget=5000 ram=1M pagefile=100G",
        &endless,
    );

    let bounded = test(&[path(folder.path()), "--max-insns", "5000"]);
    let more = ["--max-memory", "3G", "--filter", "ram.asm"];
    let allowed = test(&[&[path(folder.path())][..], &more].concat());

    let text = stdout(&bounded);
    assert_eq!(bounded.status.code(), Some(1), "{text}");
    assert!(text.contains("1 passed; 0 failed; 2 broken"), "{text}");
    assert!(text.contains("asks for 2147483648 bytes"), "{text}");
    assert!(text.contains("--max-memory allows more"), "{text}");
    assert_eq!(allowed.status.code(), Some(0), "{}", stdout(&allowed));
}

#[test]
fn shells_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = pagefault().args(["completions", shell]).output().unwrap();
        let script = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(script.contains("map-at-exit"), "{shell}: {script}");
    }

    let page = stdout(&pagefault().args(["man", "test"]).output().unwrap());
    let unknown = pagefault().args(["man", "nothing"]).output().unwrap();

    assert!(page.contains(".TH pagefault-test 1"), "{page}");
    assert!(page.contains("\\-\\-junit"), "{page}");
    assert_eq!(unknown.status.code(), Some(125));
    assert_eq!(
        stderr(&unknown),
        "error: pagefault has no command nothing\n"
    );
}

fn program(folder: &Path, name: &str, lines: &str) {
    let mut source = String::new();
    _ = write!(source, "{lines}{PROGRAM}");
    fs::write(folder.join(name), source).unwrap();
}

fn test(arguments: &[&str]) -> Output {
    pagefault().arg("test").args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
