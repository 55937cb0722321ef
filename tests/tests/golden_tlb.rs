//! The public TLB simulation data.

use std::path::Path;

use pagefault_tests::golden::tlb;

#[test]
fn every_public_count_is_reproduced() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/tlb");

    let report = tlb::run(&data).unwrap();

    for file in &report.files {
        let failures = file.failures.join("\n");
        assert!(failures.is_empty(), "{}:\n{failures}", file.name);
    }
    assert_eq!((report.passed(), report.skipped()), (988, 0));
}
