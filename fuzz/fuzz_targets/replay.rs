//! Any bytes as a driver file of a course lab, whose steps are done.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_lab::course::replay::{Replay, ReplayConfig};
use pagefault_lab::course::{Format, parse, tracker};
use pagefault_machine::vmm::{MemoryStore, Profile};

const FORMATS: [Format; 3] = [Format::Driver, Format::OperationFile, Format::Script];
/// Little, so that it ends.
const RAM_BYTES: u64 = 1 << 20;
const PAGING_FILE_BYTES: u64 = 1 << 20;
const MAX_STEPS: usize = 100;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let parsed = parse(FORMATS[usize::from(choice >> 2) % FORMATS.len()], data);
    for problem in &parsed.problems {
        assert!(!problem.to_string().is_empty());
    }
    let config = ReplayConfig {
        ram_bytes: RAM_BYTES,
        profile: if choice & 1 == 0 {
            Profile::Nt
        } else {
            Profile::Win9x
        },
    };
    let mut replay = Replay::new(&config).expect("a machine of that size");
    if choice & 2 != 0 {
        replay.set_paging_file(Box::new(MemoryStore::new()), PAGING_FILE_BYTES);
    }
    for (number, step) in (1..).zip(parsed.steps.iter().take(MAX_STEPS)) {
        let done = replay.step(step);
        if let Err(error) = done.result {
            assert!(!error.to_string().is_empty());
            _ = error.win32_code();
        }
        for warning in &done.warnings {
            assert!(!warning.to_string().is_empty());
        }
        assert!(!tracker::report(&replay, number, done.about).is_empty());
    }
    _ = (replay.map(), replay.closing_warnings());
});
