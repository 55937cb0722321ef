//! The public instruction vectors of a real CPU.

use std::path::Path;

use pagefault_tests::golden::cpu;

#[test]
fn every_public_vector_agrees_with_the_real_cpu() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/cpu");

    let report = cpu::run(&dir).unwrap();

    for file in &report.files {
        let failures = file.failures.join("\n");
        assert!(failures.is_empty(), "{}:\n{failures}", file.name);
        // What one microarchitecture happens to write before a fault is not insisted on.
        for reason in file.skipped.keys() {
            assert_eq!(reason, "partial", "{}", file.name);
        }
    }
    assert_eq!((report.passed(), report.skipped()), (22_112, 50));
}
