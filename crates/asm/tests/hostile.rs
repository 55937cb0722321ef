//! Sources that want to take all memory or all time: one error each, soon.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pagefault_asm::{NoIncludes, Options, assemble};

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

fn refused(source: &str) {
    assert!(!assembles(source));
}

/// Returns whether a source assembles, which has to be known soon.
fn assembles(source: &str) -> bool {
    let source = format!("{HEAD}{source}end\n");
    let start = Instant::now();
    let result = assemble(
        "hostile.asm",
        source.as_bytes(),
        &NoIncludes,
        &Options::default(),
    );
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    result.is_ok()
}
