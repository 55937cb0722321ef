//! Functions of the system, in any order and with any arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_fuzz::{calls, programs};
use pagefault_machine::vmm::PagingMode;

fuzz_target!(|data: &[u8]| {
    let paging = match data.first() {
        Some(byte) if byte & 2 != 0 => PagingMode::Pae,
        _ => PagingMode::TwoLevel,
    };
    programs::run(&calls::program(data), paging);
});
