//! Any bytes as an ELF executable; what is one is loaded and runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_fuzz::programs;
use pagefault_machine::Program;
use pagefault_machine::vmm::PagingMode;

fuzz_target!(|data: &[u8]| match Program::from_elf(data) {
    Ok(program) => {
        programs::run(&program, PagingMode::TwoLevel);
        programs::run(&program, PagingMode::Pae);
    }
    Err(error) => assert!(!error.to_string().is_empty()),
});
