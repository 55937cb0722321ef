//! The public paging cases, on several MMUs: what is guaranteed does not depend on the TLB.

use std::path::{Path, PathBuf};

use pagefault_mmu::{FrontArray, Geometry, MmuConfig, Policy, TlbConfig};
use pagefault_tests::golden::mmu;

#[test]
fn every_public_paging_case_passes() {
    let report = mmu::run(&data(), &mmu::default_config()).unwrap();

    for file in &report.files {
        assert!(
            file.failures.is_empty(),
            "{}:\n{}",
            file.name,
            file.failures.join("\n")
        );
    }
    assert_eq!((report.passed(), report.skipped()), (22_355, 0));
}

#[test]
fn other_tlbs_give_the_same_outcomes() {
    let geometry = |entries, ways| Geometry::new(entries, ways, Policy::Lru).unwrap();
    let split = TlbConfig {
        instruction: vec![geometry(4, 4)],
        second: vec![geometry(32, 2)],
        ..TlbConfig::unified(geometry(8, 1))
    };
    let plain = MmuConfig {
        front: FrontArray::Off,
        ..MmuConfig::default()
    };
    let split = MmuConfig {
        tlb: split,
        ..MmuConfig::default()
    };

    for config in [plain, split] {
        let report = mmu::run(&data(), &config).unwrap();
        for file in &report.files {
            let failures = file.failures.join("\n");
            assert!(failures.is_empty(), "{config:?} {}:\n{failures}", file.name);
        }
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/mmu")
}
