//! What Windows 9x does differently, as a program sees it.

use std::process::Output;

use pagefault_tests::command::pagefault;

/// Runs a program of the fixtures under a profile and returns what it prints.
fn printed(program: &str, profile: &str) -> String {
    let output = run(program, profile);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

fn run(program: &str, profile: &str) -> Output {
    let path = format!("fixtures/programs/{program}.asm");
    pagefault()
        .args(["run", &path, "--profile", profile])
        .output()
        .unwrap()
}

#[test]
fn windows_9x_refuses_to_release_pages_in_different_states() {
    assert_eq!(printed("release_mixed", "nt"), "VirtualFree returned 1\n");
    assert_eq!(
        printed("release_mixed", "win9x"),
        "VirtualFree returned 0\n"
    );
}

#[test]
fn windows_9x_protects_without_a_place_for_the_old_protection() {
    let refused = "VirtualProtect returned 0\nfailed with error 998\nthe protection is 04h\n";
    assert_eq!(printed("protect_null_old", "nt"), refused);
    let done = "VirtualProtect returned 1\nthe protection is 02h\n";
    assert_eq!(printed("protect_null_old", "win9x"), done);
}

#[test]
fn windows_9x_has_no_ex_calls_and_ignores_top_down_and_locking() {
    assert!(printed("top_down", "nt").ends_with(": 1\n"));
    assert!(printed("lock_31_pages", "nt").contains("one more: 0\n"));
    assert!(printed("ex_calls", "nt").contains("the page holds 12\n"));

    assert!(printed("lock_31_pages", "win9x").contains("one more: 1\n"));
    let output = run("ex_calls", "win9x");
    // VirtualAllocEx returns NULL, which the program does not test.
    assert_eq!(output.status.code(), Some(120), "{output:?}");
}

#[test]
fn windows_9x_has_no_guard_pages() {
    let refused = run("guard_page", "win9x");

    let explained = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(explained.contains("write at 0x00000000"), "{explained}");
}
