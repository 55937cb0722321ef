//! Any bytes as a source: what is wrong with it is said, and shown in its line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_asm::{assemble, listing};
use pagefault_fuzz::sources;

#[allow(dead_code, reason = "the target renders, and does not print")]
#[path = "../../crates/cli/src/diagnostics.rs"]
mod diagnostics;

fuzz_target!(|data: &[u8]| {
    let (source, includes) = sources::split(data);
    let (found, files) = match assemble("fuzz.asm", source, &includes, &sources::limits()) {
        Ok(assembled) => {
            _ = listing(&assembled);
            (assembled.warnings, assembled.files)
        }
        Err(failed) => (failed.diagnostics, failed.files),
    };
    for diagnostic in &found {
        _ = diagnostics::rendered(diagnostic, &files);
        _ = diagnostic.one_line(&files);
    }
});
