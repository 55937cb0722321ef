//! Sources that want to take all memory or all time: one error each, soon.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pagefault_asm::{Assembled, DiagnosticKind as Kind, Failure, IncludeFiles, Options, assemble};

/// What every source starts with.
const HEAD: &str = ".386\n.model flat, stdcall\noption casemap:none\n";
/// Far more than any of these takes; without the limits they take minutes, or all memory.
const SOON: Duration = Duration::from_secs(60);
/// The size of the sources in bytes, an eighth of what is measured for the changelog.
const SIZE: usize = 10 << 17;

#[test]
fn texts_that_double_are_stopped() {
    refused(&format!("a textequ <xx>\n{}", "a catstr a,a\n".repeat(60)));
}

#[test]
fn texts_are_stopped_that_a_loop_makes_without_end() {
    refused("a textequ <x>\nwhile 1\na catstr <b>,<a>\nendm\n");
}

#[test]
fn a_line_that_is_continued_without_end_is_read_once() {
    let line = format!(".data\nx dd 1,\\\n{}1\n", "1,\\\n".repeat(SIZE / 4));
    assert!(assembles(&line));
}

#[test]
fn many_procedures_are_listed_once() {
    let mut source = String::from(".code\n");
    for index in 0..SIZE / 50 {
        writeln!(source, "p{index} proc a:dword\n ret\np{index} endp").unwrap();
    }
    assert!(assembles(&source));
}

#[test]
fn brackets_that_are_never_closed_are_not_searched_again_and_again() {
    let call = "<!>,".repeat(SIZE / 4);
    refused(&format!("m macro a:vararg\nendm\nm {call}\n"));
}

#[test]
fn macros_that_call_two_of_the_next_are_stopped() {
    let mut source = String::new();
    for index in 0..40 {
        let next = index + 1;
        writeln!(source, "m{index} macro\n m{next}\n m{next}\nendm").unwrap();
    }
    refused(&format!("{source}m40 macro\nendm\nm0\n"));
}

#[test]
fn a_line_of_percent_signs_is_expanded_a_few_times_only() {
    let line = "%".repeat(SIZE / 4);

    assert_eq!(first_error(&line), Kind::NestedTooDeep { limit: 16 });
}

#[test]
fn functions_within_functions_are_stopped_wherever_they_stand() {
    let nested = |call: &str| {
        let depth = SIZE / 64;
        let close = ")".repeat(call.matches('(').count());
        format!("{}<x>{}", call.repeat(depth), close.repeat(depth))
    };
    let cases = [
        format!("x textequ {}", nested("@catstr(")),
        format!("x textequ {}", nested("@substr(")),
        format!("x textequ {}", nested("@catstr(%@sizestr(")),
        format!("x = {}", nested("@sizestr(")),
        format!("f macro a\nexitm <1>\nendm\nx = {}", nested("f(")),
        format!("f macro a\nexitm <1>\nendm\nx = {}", nested("f(%f(")),
        format!("m macro a\nendm\nm {}", nested("@catstr(")),
    ];
    for case in cases {
        let kind = first_error(&case);
        assert_eq!(kind, Kind::NestedTooDeep { limit: 24 }, "{}", &case[..60]);
    }
}

#[test]
fn functions_in_the_lines_of_functions_and_behind_texts_are_stopped() {
    let mut source = String::new();
    for index in 0..30 {
        let next = index + 1;
        writeln!(source, "f{index} macro a\n v = t{next}_0\n exitm <1>\nendm").unwrap();
        for text in 0..18 {
            let next = text + 1;
            writeln!(source, "t{index}_{text} textequ <t{index}_{next}>").unwrap();
        }
        writeln!(source, "t{index}_18 textequ <f{index}(1)>").unwrap();
    }

    let kind = first_error(&format!("{source}v = t0_0"));

    assert_eq!(kind, Kind::NestedTooDeep { limit: 24 });
}

#[test]
fn names_that_stand_for_later_names_are_followed_a_few_steps() {
    assert!(assembles(&aliases(60)));

    let kind = first_error(&aliases(SIZE / 64));

    assert_eq!(kind, Kind::NestedTooDeep { limit: 64 });
}

/// A chain of names each of which is external when the one before it is made to stand for it.
fn aliases(count: usize) -> String {
    let mut source = String::new();
    for index in 0..=count {
        writeln!(source, "extrn x{index}:dword").unwrap();
    }
    for index in 0..count {
        let next = index + 1;
        writeln!(source, "x{index} equ x{next}").unwrap();
    }
    source
}

#[test]
fn structures_within_structures_are_stopped() {
    let nested = |depth: usize| {
        let (open, close) = ("struct\n".repeat(depth), "ends\n".repeat(depth));
        format!("s struct\n{open}f dd ?\n{close}s ends\n.code\nmov eax,[esi].s.f\n")
    };
    assert!(assembles(&nested(99)));

    let kind = first_error(&nested(SIZE / 16));

    assert_eq!(kind, Kind::NestedTooDeep { limit: 100 });
}

#[test]
fn fields_without_bytes_cannot_be_counted_for_hours() {
    let mut source = String::from("s0 struct\ns0 ends\n");
    for level in 1..8 {
        let inner = level - 1;
        let fields = format!("s{inner} <>\n").repeat(1_000);
        writeln!(source, "s{level} struct\n{fields}s{level} ends").unwrap();
    }
    let limit = 1 << 20;

    let kind = first_error_within(&source, &with(|options| options.max_values = limit));

    assert_eq!(kind, Kind::TooManyValues { limit });
}

#[test]
fn fields_cannot_be_measured_for_hours() {
    let mut source = String::new();
    for index in 0..100_000 {
        writeln!(
            source,
            "s{index} struct\nf db 1000000 dup (1)\ns{index} ends"
        )
        .unwrap();
    }
    let limit = 1 << 20;

    let kind = first_error_within(&source, &with(|options| options.max_values = limit));

    assert_eq!(kind, Kind::TooManyValues { limit });
}

#[test]
fn a_union_of_many_members_is_not_copied_for_each_value() {
    let mut source = String::from("u union\n");
    for index in 0..20_000 {
        writeln!(source, "f{index} db ?").unwrap();
    }
    let values = ",<>".repeat(100_000);
    assert!(assembles(&format!(
        "{source}u ends\n.data\nx u <>{values}\n"
    )));
}

#[test]
fn pointers_to_many_types_are_not_searched_one_by_one() {
    let mut source = String::new();
    for index in 0..300_000 {
        writeln!(source, "p{index} typedef ptr t{index}").unwrap();
    }
    assert!(assembles(&source));
}

#[test]
fn many_segments_and_libraries_are_not_searched_one_by_one() {
    let mut source = String::new();
    for index in 0..100_000 {
        writeln!(source, "s{index} segment\nnop\ns{index} ends").unwrap();
    }
    for index in 0..150_000 {
        writeln!(source, "includelib l{index}.lib").unwrap();
    }
    assert!(assembles(&source));
}

#[test]
fn many_parameters_and_local_names_are_not_searched_one_by_one() {
    let mut names = String::new();
    let mut uses = String::new();
    for index in 0..50_000 {
        write!(names, "p{index},").unwrap();
        writeln!(uses, "p{index} = 1").unwrap();
    }
    let parameters = format!("m macro {names}x\n{uses}{uses}endm\n");
    let locals = format!("n macro\nlocal {names}x\n{uses}{uses}endm\nn\n");
    assert!(assembles(&format!("{parameters}{locals}")));
}

#[test]
fn brackets_that_open_nothing_are_not_searched_for_their_end() {
    let call = "!<".repeat(SIZE / 2);
    assert!(assembles(&format!("m macro a\nendm\nm {call}\n")));
}

#[test]
fn searching_counts_as_reading() {
    let blanks = "\n".repeat(10_000);
    let names = "a b c d ".replace(' ', " = 1\n");
    let many = "a".repeat(30_000);
    let cases = [
        format!("m macro\n:a\ngoto b\n{blanks}:b\ngoto a\nendm\nm\n"),
        format!(
            "m macro {}x\nendm\n{}",
            "p,".repeat(10_000),
            "m\n".repeat(10_000)
        ),
        format!("t textequ <{many}>\nu textequ <{many}b>\nx instr t,u\n"),
        format!(
            "{names}{}",
            "option casemap:all\noption casemap:none\n".repeat(10_000)
        ),
    ];
    let limit = 4 << 20;
    for case in cases {
        let kind = first_error_within(&case, &with(|options| options.max_source_bytes = limit));
        assert_eq!(kind, Kind::SourceTooLarge { limit }, "{}", &case[..30]);
    }
}

#[test]
fn lines_and_files_together_have_a_limit() {
    let blanks = " ".repeat(1 << 16);
    let zeros = "0,".repeat(1 << 14);
    let cases = [
        // Lines that are kept, with all their blanks.
        format!(".code\nrepeat 400000\nnop{blanks}\nendm\n"),
        // Short lines that become long ones.
        format!("t textequ <{zeros}>\n.data\nrepeat 400000\ndb t 0\nendm\n"),
        // Long lines of which nothing stays.
        format!("t textequ <{zeros}>\nrepeat 400000\nx = @sizestr(@catstr(t))\nendm\n"),
        // Bodies of macros that are left at once.
        format!("m macro\nexitm\n;;\n{zeros}\nendm\nrepeat 400000\nm\nendm\n"),
        // Bodies that take much more memory than their bytes, and those of which nothing comes.
        format!("m macro a\n{}\nendm\n", "a,".repeat(1 << 19)),
        format!(
            "m macro a\n{}\nendm\nrepeat 400000\nm\nendm\n",
            "a&".repeat(1 << 16)
        ),
        // One file again and again.
        "repeat 400000\ninclude big.inc\nendm\n".into(),
    ];
    let limit = 8 << 20;
    for case in cases {
        let kind = first_error_within(&case, &with(|options| options.max_source_bytes = limit));
        assert_eq!(kind, Kind::SourceTooLarge { limit }, "{}", &case[..30]);
    }
}

#[test]
fn a_source_larger_than_all_lines_may_be_is_not_read() {
    let limit = 1 << 20;
    let source = format!("{}\n", ";".repeat(80)).repeat(SIZE / 64);

    let kind = first_error_within(&source, &with(|options| options.max_source_bytes = limit));

    assert_eq!(kind, Kind::SourceTooLarge { limit });
}

#[test]
fn values_in_uninitialised_data_are_told_once_for_each_line() {
    let values = ",1".repeat(1_000);
    let source = format!(".data?\nx db 1{values}\ny db 1{values}\n");

    let assembled = assembled(&source, &Options::default()).expect("warnings only");

    let kinds: Vec<_> = assembled.warnings.iter().map(|known| &known.kind).collect();
    assert_eq!(kinds, [&Kind::InitializedInBss; 2]);
}

/// A file of 64 KiB under every name.
struct BigFiles;

impl IncludeFiles for BigFiles {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let path = String::from_utf8_lossy(name).into_owned();
        Some((path, vec![b';'; 1 << 16]))
    }
}

fn with(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    set(&mut options);
    options
}

fn refused(source: &str) {
    assert!(!assembles(source));
}

/// Returns whether a source assembles, which has to be known soon.
fn assembles(source: &str) -> bool {
    assembled(source, &Options::default()).is_ok()
}

/// Returns the error for a source, which has to be known soon.
fn first_error(source: &str) -> Kind {
    first_error_within(source, &Options::default())
}

fn first_error_within(source: &str, options: &Options) -> Kind {
    let failure = assembled(source, options).expect_err("a limit is passed");
    failure.diagnostics[0].kind.clone()
}

fn assembled(source: &str, options: &Options) -> Result<Assembled, Failure> {
    let source = format!("{HEAD}{source}\nend\n");
    let start = Instant::now();
    let result = assemble("hostile.asm", source.as_bytes(), &BigFiles, options);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    result
}
