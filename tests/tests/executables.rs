//! Executables: written by our assembler and loaded again, and broken in every way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pagefault_machine::{PeReadError, Program};
use pagefault_tests::command::{pagefault, project};

const NO_PROGRAM: i32 = 123;
const NOT_EMULATED: i32 = 121;

/// A program with an import, a constant, data and code.
const SOURCE: &str = "
    .386
    .model flat, stdcall
    option casemap:none
    include windows.inc
    include kernel32.inc
    include msvcrt.inc
    .const
format db '%s %d', 10, 0
    .data
text db 'value', 0
    .code
start:
    invoke printf, addr format, addr text, 42
    invoke ExitProcess, 7
    end start
";

/// Offsets in the executables that our assembler writes.
mod offset {
    pub(super) const PE: usize = 0x3C;
    /// From the PE signature.
    pub(super) const SECTION_COUNT: usize = 6;
    pub(super) const CHARACTERISTICS: usize = 22;
    pub(super) const ENTRY: usize = 24 + 16;
    pub(super) const IMAGE_BASE: usize = 24 + 28;
    pub(super) const SIZE_OF_IMAGE: usize = 24 + 56;
    pub(super) const IMPORT_DIRECTORY: usize = 24 + 96 + 8;
    pub(super) const RELOCATION_DIRECTORY: usize = 24 + 96 + 5 * 8;
    pub(super) const DELAY_DIRECTORY: usize = 24 + 96 + 13 * 8;
    pub(super) const SECTIONS: usize = 24 + 224;
    pub(super) const SECTION_BYTES: usize = 40;
    /// Within a section header.
    pub(super) const SECTION_ADDRESS: usize = 12;
    pub(super) const RAW_SIZE: usize = 16;
    pub(super) const RAW_OFFSET: usize = 20;
}

#[test]
fn an_executable_of_ours_does_what_its_source_does() {
    let source = write("again.asm", SOURCE.as_bytes());
    let target = source.with_extension("exe");

    let made = run(&[
        "asm".as_ref(),
        source.as_ref(),
        "-o".as_ref(),
        target.as_ref(),
    ]);
    let direct = run(&["run".as_ref(), source.as_ref()]);
    let again = run(&["run".as_ref(), target.as_ref()]);

    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert_eq!(text(&direct.stdout), "value 42\r\n");
    assert_eq!((direct.stdout, direct.status), (again.stdout, again.status));
}

#[test]
fn every_fixture_does_the_same_as_an_executable() {
    const BUDGET: [&str; 2] = ["--max-insns", "100000000"];
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("executables");
    fs::create_dir_all(&target).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(project().join("fixtures/programs")).unwrap() {
        let source = entry.unwrap().path();
        if source.extension().is_none_or(|ending| ending != "asm") {
            continue;
        }
        // Of the same name, since a program may ask for its own.
        let program = target.join(source.with_extension("exe").file_name().unwrap());
        let made = run(&[
            "asm".as_ref(),
            source.as_ref(),
            "-o".as_ref(),
            program.as_ref(),
        ]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));

        let [direct, again] = [&source, &program].map(|path| {
            let output = pagefault()
                .arg("run")
                .args(BUDGET)
                .arg(path)
                .output()
                .unwrap();
            (output.status.code(), text(&output.stdout))
        });

        assert_eq!(direct, again, "{}", source.display());
        count += 1;
    }
    assert!(count > 80, "there are {count} programs");
}

#[test]
fn the_assembler_writes_objects_raw_bytes_listings_and_symbols() {
    let raw = write(
        "raw.asm",
        b".386\n.model flat\n.code\nstart: mov eax, 1\n ret\nend start\n",
    );
    let listing = raw.with_extension("lst");
    let symbols = raw.with_extension("sym");
    let bin = raw.with_extension("bin");

    let made = pagefault()
        .arg("asm")
        .arg(&raw)
        .args(["--format", "bin", "-o"])
        .arg(&bin)
        .arg("--listing")
        .arg(&listing)
        .arg("--symbols")
        .arg(&symbols)
        .output()
        .unwrap();

    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert_eq!(fs::read(&bin).unwrap(), [0xB8, 1, 0, 0, 0, 0xC3]);
    assert!(fs::read_to_string(&listing).unwrap().contains("mov eax, 1"));
    assert_eq!(
        fs::read_to_string(&symbols).unwrap(),
        "00401000        0 start\n"
    );

    let object = raw.with_extension("obj");
    let made = pagefault()
        .arg("asm")
        .arg(&raw)
        .args(["--format", "coff", "-o"])
        .arg(&object)
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0));
    assert_eq!(fs::read(&object).unwrap()[..2], [0x4C, 0x01]);
}

#[test]
fn every_cut_of_an_executable_is_an_error_or_a_program() {
    let bytes = executable("cut.asm");

    for len in 0..bytes.len() {
        // What is cut off behind the last byte in use changes nothing.
        let _ = Program::from_pe(&bytes[..len]);
    }
    let error = Program::from_pe(&bytes[..0x100]).unwrap_err();
    assert!(matches!(error, PeReadError::Truncated { .. }), "{error}");
}

#[test]
fn every_changed_byte_of_the_headers_is_an_error_or_a_program() {
    let bytes = executable("changed.asm");

    for at in 0..0x400 {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = Program::from_pe(&changed);
        }
    }
}

#[test]
fn an_import_by_ordinal_is_bound_and_named_when_it_is_called() {
    const BY_ORDINAL: u32 = 0x8000_0000;
    let mut bytes = executable("ordinal");
    let directory = word(&bytes, pe(&bytes) + offset::IMPORT_DIRECTORY);
    let descriptor = file_offset(&bytes, directory);
    let lookup = word(&bytes, descriptor);
    let library = word(&bytes, descriptor + 12);
    let entry = file_offset(&bytes, lookup);
    put(&mut bytes, entry, BY_ORDINAL | 0x11);
    let library = file_offset(&bytes, library);
    let library: Vec<u8> = bytes[library..]
        .iter()
        .copied()
        .take_while(|&byte| byte != 0)
        .collect();
    let program = write("ordinal.exe", &bytes);

    let output = run(&["run".as_ref(), program.as_ref()]);

    let message = text(&output.stderr);
    assert!(message.contains("#17"), "{message}");
    let library = text(&library).to_ascii_lowercase();
    assert!(message.to_ascii_lowercase().contains(&library), "{message}");
    assert_eq!(output.status.code(), Some(NOT_EMULATED), "{message}");
}

#[test]
fn import_tables_that_are_shared_are_not_read_without_end() {
    // 600 libraries of 600 functions each would be 360,000 imports.
    let source = "
    .386
    .model flat, stdcall
    option casemap:none
    .data
mark dd 4D41524Bh, 54434553h
descriptors dd 600 dup (tables - 400000h, 0, 0, names - 400000h, tables - 400000h)
    dd 5 dup (0)
names db 'x.dll', 0, 0, 0
tables dd 600 dup (80000001h), 0
    .code
start: mov eax, tables
    ret
    end start
";
    let path = write("imports.asm", source.as_bytes());
    let made = path.with_extension("made.exe");
    let output = run(&["asm".as_ref(), path.as_ref(), "-o".as_ref(), made.as_ref()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut bytes = fs::read(made).unwrap();
    let mark = b"KRAMSECT";
    let at = bytes.windows(mark.len()).position(|window| window == mark);
    let rva = rva(&bytes, at.unwrap() + mark.len());
    let pe = pe(&bytes);
    put(&mut bytes, pe + offset::IMPORT_DIRECTORY, rva);

    let error = Program::from_pe(&bytes).unwrap_err();

    assert!(matches!(error, PeReadError::Endless { .. }), "{error}");
}

#[test]
fn overlapping_sections_are_named() {
    let mut bytes = executable("overlap.asm");
    let second = pe(&bytes) + offset::SECTIONS + offset::SECTION_BYTES + 12;
    put(&mut bytes, second, 0x1000);

    let error = Program::from_pe(&bytes).unwrap_err();

    assert!(matches!(error, PeReadError::Overlap { .. }), "{error}");
    assert!(
        error.to_string().contains("VirtualAddress at offset"),
        "{error}"
    );
}

#[test]
fn sections_outside_of_the_image_and_of_the_file_are_named() {
    let mut bytes = executable("outside.asm");
    let at = pe(&bytes) + offset::SIZE_OF_IMAGE;
    put(&mut bytes, at, 0x2000);
    let error = Program::from_pe(&bytes).unwrap_err();
    assert!(matches!(error, PeReadError::Outside { .. }), "{error}");

    // So many bytes cannot even be rounded up to pages.
    let mut bytes = executable("outside.asm");
    let at = pe(&bytes) + offset::SECTIONS + 8;
    put(&mut bytes, at, u32::MAX);
    let error = Program::from_pe(&bytes).unwrap_err();
    assert!(error.to_string().starts_with("VirtualSize at"), "{error}");

    let mut bytes = executable("outside.asm");
    let at = pe(&bytes) + offset::SECTIONS + 20;
    put(&mut bytes, at, 0x7000_0000);
    let error = Program::from_pe(&bytes).unwrap_err();
    assert!(matches!(error, PeReadError::Truncated { .. }), "{error}");
}

#[test]
fn an_entry_point_in_no_section_is_named() {
    let mut bytes = executable("entry.asm");
    let at = pe(&bytes) + offset::ENTRY;
    put(&mut bytes, at, 0x0900_0000);

    let error = Program::from_pe(&bytes).unwrap_err();

    assert!(matches!(error, PeReadError::Entry { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        format!("AddressOfEntryPoint at offset {at:#x} is 0x9000000, which is in no section")
    );
}

#[test]
fn directories_that_point_nowhere_are_named() {
    for (directory, name) in [
        (offset::IMPORT_DIRECTORY, "import directory"),
        (offset::RELOCATION_DIRECTORY, "relocation directory"),
        (offset::DELAY_DIRECTORY, "delay import directory"),
    ] {
        let mut bytes = executable("directory.asm");
        let at = pe(&bytes) + directory;
        put(&mut bytes, at, 0x7FFF_FFF0);
        put(&mut bytes, at + 4, 0x100);

        let error = Program::from_pe(&bytes).unwrap_err();

        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_relocation_outside_of_the_image_is_named() {
    let mut bytes = executable("relocation.asm");
    let start = pe(&bytes);
    // The data section becomes a table with one entry for a page far away.
    let section = start + offset::SECTIONS + offset::SECTION_BYTES;
    let (rva, raw) = (
        word(&bytes, section + 12),
        word(&bytes, section + 20) as usize,
    );
    put(&mut bytes, raw, 0x0800_0000);
    put(&mut bytes, raw + 4, 10);
    bytes[raw + 8..raw + 10].copy_from_slice(&0x3004_u16.to_le_bytes());
    put(&mut bytes, start + offset::RELOCATION_DIRECTORY, rva);
    put(&mut bytes, start + offset::RELOCATION_DIRECTORY + 4, 10);

    let error = Program::from_pe(&bytes).unwrap_err();

    assert!(matches!(error, PeReadError::Outside { .. }), "{error}");
    assert!(
        error.to_string().starts_with("relocation at offset"),
        "{error}"
    );
}

#[test]
fn what_is_no_program_for_this_machine_is_told_in_one_line() {
    for (at, value, expected) in [
        (offset::SECTION_COUNT, 0xFFFF_u32, "NumberOfSections"),
        (offset::CHARACTERISTICS, 0x2102, "library"),
        (4, 0x8664, "Machine"),
        (24, 0x20B, "PE32"),
    ] {
        let mut bytes = executable("kind.asm");
        let at = pe(&bytes) + at;
        let [low, high, ..] = value.to_le_bytes();
        bytes[at..at + 2].copy_from_slice(&[low, high]);
        let path = write("kind.exe", &bytes);

        let output = run(&["run".as_ref(), path.as_ref()]);

        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(NO_PROGRAM), "{message}");
        assert!(message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let mut bytes = executable("kind.asm");
    let at = pe(&bytes) + offset::IMAGE_BASE;
    put(&mut bytes, at, 0x7FFF_0000);
    assert!(Program::from_pe(&bytes).is_err());
}

#[test]
fn a_program_uses_the_folder_that_it_was_given_and_no_other() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("In.txt"), "one\r\ntwo\r\n").unwrap();
    let source = write(
        "files.asm",
        b"
    .386
    .model flat, stdcall
    option casemap:none
    include windows.inc
    include kernel32.inc
    include msvcrt.inc
    .data
inName db 'in.TXT', 0
outside db '..\\..\\files.asm', 0
reads db 'r', 0
writes db 'w', 0
outName db 'out.txt', 0
format db '%s!', 10, 0
line db 64 dup (?)
    .code
start:
    invoke fopen, addr inName, addr reads
    .if !eax
        invoke ExitProcess, 1
    .endif
    mov esi, eax
    invoke fopen, addr outName, addr writes
    mov edi, eax
    .while 1
        invoke fgets, addr line, 64, esi
        .break .if !eax
        invoke fputs, addr line, edi
    .endw
    invoke fclose, esi
    invoke fclose, edi
    invoke fopen, addr outside, addr reads
    .if eax
        invoke ExitProcess, 2
    .endif
    invoke ExitProcess, 3
    end start
",
    );

    let with = pagefault()
        .arg("run")
        .arg(&source)
        .arg("--files")
        .arg(&folder)
        .output()
        .unwrap();
    let without = run(&["run".as_ref(), source.as_ref()]);

    assert_eq!(with.status.code(), Some(3), "{}", text(&with.stderr));
    assert_eq!(fs::read(folder.join("out.txt")).unwrap(), b"one\r\ntwo\r\n");
    assert_eq!(without.status.code(), Some(1));
}

/// Returns the executable of [`SOURCE`].
fn executable(name: &str) -> Vec<u8> {
    let source = write(name, SOURCE.as_bytes());
    let target = source.with_extension("made.exe");
    let made = run(&[
        "asm".as_ref(),
        source.as_ref(),
        "-o".as_ref(),
        target.as_ref(),
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    fs::read(target).unwrap()
}

fn run(arguments: &[&std::ffi::OsStr]) -> Output {
    pagefault().args(arguments).output().unwrap()
}

fn pe(bytes: &[u8]) -> usize {
    word(bytes, offset::PE) as usize
}

/// Returns where in the file the byte at an address of the image is.
fn file_offset(bytes: &[u8], rva: u32) -> usize {
    let headers = pe(bytes) + offset::SECTIONS;
    let section = (headers..)
        .step_by(offset::SECTION_BYTES)
        .find(|at| {
            let start = word(bytes, at + 12);
            (start..start + word(bytes, at + 8)).contains(&rva)
        })
        .expect("the address is in a section");
    (rva - word(bytes, section + 12) + word(bytes, section + 20)) as usize
}

/// Returns the address within the image of what is at an offset of the file.
fn rva(bytes: &[u8], at: usize) -> u32 {
    let pe = pe(bytes);
    let sections = pe + offset::SECTIONS;
    let mut starts = (0..usize::from(bytes[pe + offset::SECTION_COUNT])).filter_map(|index| {
        let section = sections + index * offset::SECTION_BYTES;
        let raw = word(bytes, section + offset::RAW_OFFSET) as usize;
        let len = word(bytes, section + offset::RAW_SIZE) as usize;
        let place = word(bytes, section + offset::SECTION_ADDRESS);
        let within = u32::try_from(at.checked_sub(raw)?).ok()?;
        (at < raw + len).then(|| place + within)
    });
    starts.next_back().expect("a section holds it")
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a file into the tests' own folder.
fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path
}
