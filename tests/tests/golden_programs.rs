//! The public programs, in both paging modes: sources, executables, objects, mistakes.

use std::path::{Path, PathBuf};

use pagefault_tests::golden::programs;
use pagefault_vmm::PagingMode;

/// 27 sources in four ways, 9 compiled programs, 7 sources with mistakes.
const CHECKS: u64 = 27 * 4 + 9 + 7;

#[test]
fn every_public_program_gives_what_it_must_with_two_level_paging() {
    assert_eq!(passed(PagingMode::TwoLevel), CHECKS);
}

#[test]
fn every_public_program_gives_what_it_must_with_pae() {
    assert_eq!(passed(PagingMode::Pae), CHECKS);
}

fn passed(paging: PagingMode) -> u64 {
    let report = programs::run(&data(), paging).unwrap();
    for file in &report.files {
        let failures = file.failures.join("\n");
        assert!(file.failures.is_empty(), "{}:\n{failures}", file.name);
    }
    assert_eq!(report.skipped(), 0);
    report.passed()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/programs")
}
