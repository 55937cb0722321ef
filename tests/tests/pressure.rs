//! A working set that RAM does not hold, as a program sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pagefault_tests::command::{pagefault, project};

/// The program's pages: 512 MiB. The test takes an eighth of them, in an eighth of the RAM.
const PAGES: u32 = 131_072;
const TESTED_PAGES: u32 = PAGES / 8;

#[test]
fn eight_times_the_ram_runs_to_the_right_checksum_under_every_policy() {
    let program = smaller_program("working_set.asm");

    for policy in ["clock", "fifo", "aging", "wsclock", "random"] {
        let output = run(&program, &["--pagefile", "128M", "--replacement", policy]);

        let printed = String::from_utf8_lossy(&output.stdout);
        let expected = format!("checksum {:08X}\r\n", checksum(TESTED_PAGES));
        assert_eq!(printed, expected, "{policy}");
        assert_eq!(output.status.code(), Some(0), "{policy}");
    }
}

#[test]
fn a_paging_file_that_is_too_small_refuses_the_commit_with_error_1455() {
    const COMMITMENT_LIMIT: i32 = 1455;
    let program = smaller_program("working_set_refused.asm");

    let output = run(&program, &["--pagefile", "8M"]);

    assert!(output.stdout.is_empty());
    // A process's exit code has eight bits on most hosts.
    assert_eq!(output.status.code(), Some(COMMITMENT_LIMIT & 0xFF));
}

/// Returns what the program computes: each page's number, times a constant and as it is.
fn checksum(pages: u32) -> u32 {
    (0..pages).fold(0_u32, |sum, page| {
        let product = page.wrapping_mul(0xC2B2_AE35);
        sum.rotate_left(5).wrapping_add(product) ^ page
    })
}

/// Writes the program with fewer pages, under this name.
fn smaller_program(name: &str) -> PathBuf {
    let source = fs::read_to_string(project().join("fixtures/pressure/working_set.asm")).unwrap();
    let [whole, tested] = [PAGES, TESTED_PAGES].map(|pages| format!("PAGES      equ {pages}"));
    assert!(source.contains(&whole));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, source.replace(&whole, &tested)).unwrap();
    path
}

fn run(program: &Path, options: &[&str]) -> Output {
    pagefault()
        .arg("run")
        .arg(program)
        .args(["--ram", "8M"])
        .args(options)
        .output()
        .unwrap()
}
