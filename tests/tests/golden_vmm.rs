//! The public virtual memory scenarios, in both paging modes.

use std::path::{Path, PathBuf};

use pagefault_tests::golden::vmm;
use pagefault_vmm::PagingMode;

#[test]
fn every_public_scenario_passes_with_two_level_paging() {
    // Without no-execute, four scenarios cannot run.
    assert_eq!(passed_and_skipped(PagingMode::TwoLevel), (2_574, 4));
}

#[test]
fn every_public_scenario_passes_with_pae() {
    assert_eq!(passed_and_skipped(PagingMode::Pae), (2_596, 0));
}

fn passed_and_skipped(paging: PagingMode) -> (u64, u64) {
    let report = vmm::run(&data(), paging).unwrap();
    for file in &report.files {
        assert!(
            file.failures.is_empty(),
            "{}:\n{}",
            file.name,
            file.failures.join("\n")
        );
        for reason in file.skipped.keys() {
            assert_eq!(
                (reason.as_str(), paging),
                ("needs nx", PagingMode::TwoLevel)
            );
        }
    }
    (report.passed(), report.skipped())
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/vmm")
}
