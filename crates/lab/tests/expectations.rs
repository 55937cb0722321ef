//! Expectations are judged by what the machine does.

use pagefault_lab::expect::{
    CheckError, ExpectErrorKind, Expectations, Subject, Surroundings, Update, Verdict, check,
};
use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{DebugInfo, Program};

/// A program that commits a page, protects it, writes to it, and survives by a handler that makes
/// it writable.
const PROGRAM: &str = "
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        include kernel32.inc
        .data?
page    dd ?
old     dd ?
written dd ?
        .data
text    db 'hello', 10
count   dd 0
        .code
repair  proc c record:DWORD, frame:DWORD, context:DWORD, dispatcher:DWORD
        invoke VirtualProtect, page, 4096, PAGE_READWRITE, addr old
        xor eax, eax
        ret
repair  endp
start:
        invoke GetStdHandle, STD_OUTPUT_HANDLE
        invoke WriteFile, eax, addr text, 6, addr written, NULL
alloc:  invoke VirtualAlloc, NULL, 4096, MEM_COMMIT, PAGE_READWRITE
        mov page, eax
        mov dword ptr [eax], 7
protect:
        invoke VirtualProtect, page, 4096, PAGE_READONLY, addr old
        invoke VirtualFree, page, 1, MEM_RELEASE
        assume fs:nothing
        push offset repair
        push fs:[0]
        mov fs:[0], esp
        mov eax, page
store:  mov dword ptr [eax+4], 9
after:  pop fs:[0]
        add esp, 4
        mov ecx, 3
again:  inc count
        dec ecx
        jnz again
        invoke ExitProcess, 5
        end start
";

#[test]
fn what_the_program_does_meets_what_is_expected() {
    let verdict = run(&[
        "exit 5",
        "stdout \"hello\\n\"",
        "stdout contains \"ell\"",
        "stdout lacks \"error\"",
        "stderr \"\"",
        "fault write at [page]+4 by store code 7 times 1",
        "fault access",
        "fault STATUS_ACCESS_VIOLATION times 1",
        "no fault guard",
        "no fault write at [page]",
        "at store: eax = [page]",
        "at store #1: [page] is committed PAGE_READONLY",
        "at store #2: [page] for 4096 is committed READWRITE resident not locked",
        "at after: [[page]] = 7 ; what was written before",
        "at fault: eax = [page]",
        "at fault #1: zf = zf",
        "at exit: [page] is committed PAGE_READWRITE resident not locked",
        "at exit: [page]+4096 is free",
        "at exit: [text] = \"hello\"",
        "at exit: byte [text+1] = 65h",
        "at exit: word ptr [text] <> 0",
        "at exit: (1 + 2) * 2 - 1 = 10 / 2",
        "at exit: lasterror = ERROR_INVALID_PARAMETER",
        "call VirtualAlloc(NULL, 4096, MEM_COMMIT, *) by alloc != 0",
        "call VirtualProtect #1 = TRUE",
        "call VirtualProtect times 2",
        "call VirtualFree = 0 error ERROR_INVALID_PARAMETER",
        "call ExitProcess(5) times 1",
        "call VirtualLock times 0",
        "count page.faults >= 2",
        "count misses > 0",
        "count l2.hits = 0",
        "visits again = 3",
        "visits repair = 1",
        "run ram=8M tlb=16x4:fifo seed=3 budget=100_000 ; as little as that",
    ]);

    let failures: Vec<_> = verdict.failures().collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn each_kind_of_expectation_can_fail_and_says_what_was_seen() {
    let cases = [
        ("exit 0", "the program exits with 5"),
        ("end exception", "the program exits with 5"),
        ("stdout \"bye\"", "the program writes \"hello\\n\""),
        ("stdout lacks \"hell\"", "the program writes \"hello\\n\""),
        ("stdout file \"no.txt\"", "the file cannot be read"),
        ("fault read", "one exception: access violation: write at 0x"),
        ("no fault", "one of that kind"),
        ("fault write times 2", "one of that kind"),
        ("fault write at [page]+8", "one exception"),
        ("fault write by after", "(store) in line"),
        ("at store: [page] is free", "is committed PAGE_READONLY"),
        ("at store: [page] is locked", "is not locked"),
        ("at again: ecx > 2", "ecx is 2 (visit 2)"),
        ("at again #4: ecx = 0", "control comes there only 3 times"),
        ("at start+1: eax = 0", "control never comes there"),
        ("at exit: [0] = 5", "the byte at 0x00000000 cannot be read"),
        ("at exit: [text] = \"jello\"", "the bytes \"hello\""),
        ("at fault #2: eax = 0", "only 1 exceptions were raised"),
        ("call VirtualLock", "VirtualLock is never called"),
        (
            "call VirtualFree = 1",
            "VirtualFree(0x00110000, 1, MEM_RELEASE) = 0, error 87",
        ),
        ("call VirtualAlloc by protect", "and not there"),
        ("call VirtualProtect times 5", "2 such calls"),
        ("count instructions = 1", "instructions ="),
        ("visits again = 4", "visits of again = 3"),
    ];
    for (line, seen) in cases {
        let verdict = run(&[line]);

        let unmet = verdict.unmet[0].as_ref();
        let unmet = unmet.unwrap_or_else(|| panic!("{line} is met"));
        assert_eq!(unmet.expected, line);
        assert!(unmet.seen.contains(seen), "{line}: {}", unmet.seen);
    }
}

#[test]
fn an_end_that_nothing_speaks_of_is_a_failure() {
    let broken = PROGRAM.replace("push offset repair", "push 0");
    let silent = verdict_of(&broken, &["stdout contains \"hello\""]);
    let spoken = verdict_of(&broken, &["fault write by store", "end exception"]);
    let budget = run(&["run budget=20"]);

    let ending = silent.ending.as_ref().unwrap();
    assert!(
        ending.seen.contains("ended by access violation"),
        "{}",
        ending.seen
    );
    assert!(ending.report.is_some());
    assert!(
        spoken.is_met(),
        "{:#?}",
        spoken.failures().collect::<Vec<_>>()
    );
    assert!(budget.ending.is_some());
}

#[test]
fn exact_expectations_say_how_they_would_be_met() {
    let cases = [
        ("exit 0", 6, 1, "5"),
        ("exit 0x0", 6, 3, "0x5"),
        ("stdout \"x\"", 8, 3, "\"hello\\n\""),
        ("fault write times 3", 19, 1, "1"),
        ("at exit: [count] = 0Ah", 20, 3, "3h"),
        ("at exit: [text] = \"jello\"", 19, 7, "\"hello\""),
        ("visits again = 9", 16, 1, "3"),
    ];
    for (line, column, len, text) in cases {
        let verdict = run(&[line]);

        let update = verdict.unmet[0]
            .as_ref()
            .and_then(|unmet| unmet.update.clone());
        let Some(Update::Source { span, text: new }) = update else {
            panic!("{line} has no update: {update:?}");
        };
        assert_eq!(
            (span.column, span.len, new.as_str()),
            (column, len, text),
            "{line}"
        );
    }

    for inexact in [
        "exit 2+2",
        "at exit: [count] > 5",
        "fault read",
        "stdout contains \"z\"",
    ] {
        let verdict = run(&[inexact]);
        assert_eq!(verdict.unmet[0].as_ref().unwrap().update, None, "{inexact}");
    }
}

#[test]
fn what_cannot_be_understood_is_told_with_its_place() {
    let cases = [
        ("exti 0", 1, "`exti` begins no expectation"),
        (
            "exit",
            5,
            "expected a number, a label, a register or `[address]`",
        ),
        ("exit 0 0", 8, "the expectation is complete before this"),
        ("exit 12z", 6, "`12z` is not a number of 32 bits"),
        ("exit \u{a7}", 6, "this character means nothing here"),
        (
            "stdout hello",
            8,
            "expected a text in quotes, or `contains`, `lacks` or `file` before one",
        ),
        ("stdout \"hello", 8, "the text has no closing quote"),
        ("stdout \"\\q\"", 9, "unknown escape"),
        ("fault", 6, "expected a kind of fault: "),
        ("fault stack", 12, "expected `overflow` or `page`"),
        ("at exit eax = 1", 9, "expected `:` and what holds there"),
        (
            "at exit: eax",
            13,
            "expected `=`, `!=`, `<`, `<=`, `>` or `>=`",
        ),
        ("at exit: 0 is", 14, "expected `free`, `reserved`"),
        (
            "at exit: 0 is not free",
            19,
            "expected `locked`, `resident` or `cached`",
        ),
        ("count apples = 1", 7, "there is no counter `apples`"),
        ("run colour=red", 5, "there is no option `colour`"),
        ("run ram=1", 5, "ram is 4K to 4G, whole frames"),
        ("call f #0", 9, "expected a number from 1 on"),
    ];
    for (line, column, message) in cases {
        let errors = Expectations::from_lines(line).expect_err(line);

        assert_eq!(errors.len(), 1, "{line}");
        assert_eq!(errors[0].span.column, column, "{line}");
        assert!(
            errors[0].to_string().starts_with(message),
            "{line}: {}",
            errors[0]
        );
    }
    let deep = format!("exit {}1{}", "(".repeat(99), ")".repeat(99));
    let errors = Expectations::from_lines(&deep).unwrap_err();
    assert_eq!(errors[0].kind, ExpectErrorKind::TooDeep);
}

#[test]
fn no_expectation_names_a_path_outside_of_the_folder_of_its_source() {
    for path in [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "..",
        "C:\\x",
        "\\x",
        "a\\..\\x",
    ] {
        let as_text = path.replace('\\', "\\\\");
        let lines = [
            format!("stdout file \"{as_text}\""),
            format!("run files=\"{path}\""),
        ];
        for line in lines {
            let errors = Expectations::from_lines(&line).expect_err(&line);
            assert!(
                matches!(errors[0].kind, ExpectErrorKind::Outside { .. }),
                "{line}: {}",
                errors[0]
            );
        }
    }
    for line in ["stdout file \"out/x..y\"", "run files=a/b"] {
        assert!(Expectations::from_lines(line).is_ok(), "{line}");
    }
}

#[test]
fn names_that_the_program_does_not_have_are_told_before_the_run() {
    let cases = [
        (
            "at stor: eax = 0",
            4,
            "`stor` is neither a label",
            Some("there is a label `store`"),
        ),
        (
            "at page: eax = 0",
            4,
            "`page` is a label of data",
            Some("say `at exit:`"),
        ),
        ("exit eax", 6, "only labels, constants and numbers", None),
        ("exit 1/0", 6, "division by zero", None),
        (
            "at exit: 0 is committed 5",
            25,
            "the protections do not go together",
            None,
        ),
    ];
    for (line, column, message, help) in cases {
        let expectations = Expectations::from_lines(line).unwrap();
        let (program, debug) = assembled(PROGRAM);
        let subject = Subject {
            program: &program,
            debug: &debug,
        };

        let checked = check(&expectations, subject, Surroundings::default());

        let Err(CheckError::Expectations(errors)) = checked else {
            panic!("{line} is understood");
        };
        assert_eq!(errors[0].span.column, column, "{line}");
        assert!(
            errors[0].to_string().starts_with(message),
            "{line}: {}",
            errors[0]
        );
        let helped = errors[0].kind.help();
        assert_eq!(helped.is_some(), help.is_some(), "{line}: {helped:?}");
        assert!(
            helped
                .unwrap_or_default()
                .starts_with(help.unwrap_or_default()),
            "{line}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of words")]
fn no_line_makes_the_reader_panic() {
    let words: [&[u8]; 44] = [
        b"exit",
        b"end",
        b"stdout",
        b"fault",
        b"no",
        b"at",
        b"call",
        b"count",
        b"visits",
        b"run",
        b"exception",
        b"contains",
        b"file",
        b"stack",
        b"overflow",
        b"by",
        b"code",
        b"times",
        b"is",
        b"for",
        b"not",
        b"committed",
        b"exit:",
        b"[",
        b"]",
        b"(",
        b")",
        b"#",
        b":",
        b"=",
        b"<=",
        b"-",
        b"|",
        b"*",
        b",",
        b"1",
        b"0FFh",
        b"page",
        b"byte",
        b"\"a\\x",
        b"\"",
        b"ram=\"1 ",
        b"\xFF\0",
        b";",
    ];
    // A linear congruential generator: the same lines in every run.
    let mut state = 1_u32;
    let mut next = |limit: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % limit
    };
    let mut understood = 0;
    for _ in 0..50_000 {
        let mut line = b";! ".to_vec();
        for _ in 0..next(9) {
            line.extend(words[next(words.len())]);
            line.extend([b" ".as_slice(), b"", b"\t"][next(3)]);
        }

        let read = Expectations::from_source(&line);

        understood += u32::from(read.is_ok_and(|read| !read.is_empty()));
    }
    assert!(understood > 100, "only {understood} lines say something");
}

#[test]
fn only_lines_with_the_mark_are_read_from_a_source() {
    let source = b"; exit 1\r\n  ;! exit 2\r\n mov eax, 1 ;! exit 3\n;!\n;! ; a comment\n";

    let expectations = Expectations::from_source(source).unwrap();

    let [only] = expectations.list() else {
        panic!("{expectations:?}");
    };
    assert_eq!(only.text(), "exit 2");
    assert_eq!((only.span().line, only.span().column), (2, 6));
}

fn run(lines: &[&str]) -> Verdict {
    verdict_of(PROGRAM, lines)
}

fn verdict_of(source: &str, lines: &[&str]) -> Verdict {
    let expectations = Expectations::from_lines(&lines.join("\n")).unwrap();
    let (program, debug) = assembled(source);
    let subject = Subject {
        program: &program,
        debug: &debug,
    };
    check(&expectations, subject, Surroundings::default()).unwrap()
}

fn assembled(source: &str) -> (Program, DebugInfo) {
    let assembled = assemble(
        "test.asm",
        source.as_bytes(),
        &NoIncludes,
        &Options::default(),
    );
    let assembled = assembled.unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics));
    let image = link(&assembled.object, &LinkOptions::default()).unwrap();
    let program = Program::from_image(&image).unwrap();
    (program, DebugInfo::new(&assembled, &image))
}
