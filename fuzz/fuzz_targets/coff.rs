//! What assembles can be written, as an object that is read back as it was, and as an executable
//! that can be loaded and run.
//!
//! No program of ours reads objects but the golden runner: its reader takes any bytes here, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_asm::{
    Content, LinkOptions, Object, PeOptions, assemble, link, write_coff, write_pe,
};
use pagefault_fuzz::{programs, sources};
use pagefault_machine::Program;
use pagefault_machine::vmm::PagingMode;

#[path = "../../tests/src/golden/programs/coff.rs"]
mod reader;

/// What an object for this processor begins with.
const MACHINE: [u8; 2] = [0x4C, 0x01];

fuzz_target!(|data: &[u8]| {
    if data.starts_with(&MACHINE) {
        if let Some(read) = reader::Coff::read(data) {
            _ = read.contents(".text");
        }
        return;
    }
    let (source, includes) = sources::split(data);
    if let Ok(assembled) = assemble("fuzz.asm", source, &includes, &sources::limits()) {
        as_object(&assembled.object);
        as_executable(&assembled.object);
    }
});

fn as_object(object: &Object) {
    // What does not fit into the format is refused.
    let Ok(bytes) = write_coff(object) else {
        return;
    };
    let read = reader::Coff::read(&bytes).expect("our objects can be read");
    let listing = read.listing();
    let sections = listing.lines().filter(|line| line.starts_with("section "));
    let written = object.sections.len();
    assert!(
        sections.count() >= written,
        "{written} sections:\n{listing}"
    );
    for section in &object.sections {
        let same = object
            .sections
            .iter()
            .filter(|other| other.name == section.name);
        if section.content != Content::Uninitialized && same.count() == 1 {
            let name = section.name.as_str();
            assert_eq!(read.contents(name), section.bytes.as_slice(), "{name}");
        }
    }
}

fn as_executable(object: &Object) {
    let Ok(image) = link(object, &LinkOptions::default()) else {
        return;
    };
    let options = PeOptions {
        default_library: Some("other.dll".to_owned()),
        ..PeOptions::default()
    };
    let Ok(executable) = write_pe(&image, &options) else {
        return;
    };
    let program = Program::from_pe(&executable).expect("our executables can be read");
    programs::run(&program, PagingMode::TwoLevel);
}
