//! Programs that are neither sources nor Windows executables: ELF files and raw bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use pagefault_machine::{ElfReadError, FlatError, PartRights, Program};
use pagefault_tests::command::{pagefault, project};

const EXCEPTION: i32 = 120;
const NOT_EMULATED: i32 = 121;
const NO_PROGRAM: i32 = 123;

/// Offsets in an ELF file.
mod offset {
    pub(super) const CLASS: usize = 4;
    pub(super) const DATA: usize = 5;
    pub(super) const TYPE: usize = 16;
    pub(super) const MACHINE: usize = 18;
    pub(super) const ENTRY: usize = 24;
    pub(super) const PROGRAM_HEADERS: usize = 28;
    pub(super) const HEADER_SIZE: usize = 42;
    pub(super) const HEADER_COUNT: usize = 44;
    /// Of the first program header, and their distance.
    pub(super) const FIRST: usize = 52;
    pub(super) const STEP: usize = 32;
    /// Within a program header.
    pub(super) const FILE_OFFSET: usize = 4;
    pub(super) const ADDRESS: usize = 8;
    pub(super) const FILE_SIZE: usize = 16;
    pub(super) const MEMORY_SIZE: usize = 20;
}

#[test]
fn a_program_of_linux_gets_its_arguments_and_its_system_calls_in_both_paging_modes() {
    for paging in ["two-level", "pae"] {
        let output = with_input(
            &["run", "fixtures/elf/memory.elf", "--paging", paging, "x"],
            b"typed\n",
        );

        let errors = text(&output.stderr);
        assert_eq!(
            text(&output.stdout),
            "hello\na y\nb y\nc y\nd y\ne y\nf y\ng y\nh y\ni y\ntyped\n",
            "{errors}"
        );
        assert_eq!(output.status.code(), Some(EXCEPTION), "{errors}");
        assert!(errors.contains("access violation: write at"), "{errors}");
        assert!(errors.contains("protected by mprotect("), "{errors}");
    }
}

#[test]
fn a_program_in_one_segment_returns_its_exit_code() {
    let output = with_input(&["run", "fixtures/elf/exit.elf"], b"");

    assert_eq!(output.status.code(), Some(42), "{}", text(&output.stderr));
}

#[test]
fn a_system_call_that_is_not_emulated_is_named() {
    let output = with_input(&["run", "fixtures/elf/fork.elf"], b"");

    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(NOT_EMULATED), "{errors}");
    assert!(errors.contains("system call 2 is not emulated"), "{errors}");
}

#[test]
fn segments_have_the_rights_and_the_zeros_that_the_file_says() {
    let program = Program::from_elf(&elf()).unwrap();

    assert_eq!((program.base, program.entry), (0x0804_0000, 0x9033));
    let rights: Vec<_> = program.parts.iter().map(|part| part.rights).collect();
    let code = PartRights::READ | PartRights::EXECUTE;
    let data = PartRights::READ | PartRights::WRITE;
    assert_eq!(rights, [PartRights::READ, code, PartRights::READ, data]);
    let data = &program.parts[3];
    assert_eq!(
        (data.offset, data.size, data.bytes.len()),
        (0xB000, 0x1000, 12)
    );
}

#[test]
fn a_segment_that_begins_in_the_last_page_of_another_has_that_page() {
    let mut bytes = elf();
    // The third segment gets the address of the second one's page, at another place of it.
    let second = offset::FIRST + offset::STEP;
    let third = second + offset::STEP;
    put(&mut bytes, second + offset::MEMORY_SIZE, 0x1800);
    put(&mut bytes, second + offset::ADDRESS, 0x0804_9000);
    put(&mut bytes, third + offset::ADDRESS, 0x0804_A000);

    let program = Program::from_elf(&bytes).unwrap();

    let pages: Vec<_> = program
        .parts
        .iter()
        .map(|part| (part.offset, part.size))
        .collect();
    assert_eq!(
        pages,
        [
            (0x8000, 0x1000),
            (0x9000, 0x1000),
            (0xA000, 0x1000),
            (0xB000, 0x1000)
        ]
    );
}

#[test]
fn every_wrong_field_of_an_elf_file_is_named_with_its_offset() {
    for (at, value, name) in [
        (offset::CLASS, 2, "EI_CLASS"),
        (offset::DATA, 2, "EI_DATA"),
        (offset::TYPE, 1, "e_type"),
        (offset::TYPE, 3, "e_type"),
        (offset::MACHINE, 62, "e_machine"),
        (offset::HEADER_SIZE, 56, "e_phentsize"),
        (offset::HEADER_COUNT, 0xFFFF, "e_phnum"),
        (offset::HEADER_COUNT, 0, "e_phnum"),
    ] {
        let mut bytes = elf();
        let [low, high, ..] = u32::to_le_bytes(value);
        bytes[at] = low;
        if at >= offset::TYPE {
            bytes[at + 1] = high;
        }

        let error = Program::from_elf(&bytes).unwrap_err().to_string();

        assert!(
            error.starts_with(&format!("{name} at offset {at:#x}")),
            "{error}"
        );
    }
    for (at, value, name) in [
        (offset::ENTRY, 0x0900_0000, "e_entry"),
        (offset::PROGRAM_HEADERS, 0x7000_0000, "p_type"),
        (offset::FIRST, 3, "p_type"),
        (offset::FIRST + offset::FILE_OFFSET, 0x10, "p_offset"),
        (offset::FIRST + offset::FILE_SIZE, 0x7000_0000, "p_filesz"),
        (offset::FIRST + offset::ADDRESS, 0x7FFE_0000, "p_vaddr"),
        (offset::FIRST + offset::ADDRESS, 0x1000, "p_vaddr"),
        (offset::FIRST + offset::MEMORY_SIZE, 0xFFFF_F000, "p_vaddr"),
        (
            offset::FIRST + offset::STEP + offset::ADDRESS,
            0x0804_8000,
            "p_vaddr",
        ),
    ] {
        let mut bytes = elf();
        put(&mut bytes, at, value);

        let error = Program::from_elf(&bytes).unwrap_err().to_string();

        assert!(
            error.contains(&format!("{name} at offset ")),
            "{name}: {error}"
        );
    }
}

#[test]
fn every_cut_and_every_changed_byte_of_an_elf_file_is_an_error_or_a_program() {
    let bytes = elf();
    for len in 0..bytes.len() {
        let _ = Program::from_elf(&bytes[..len]);
    }
    for at in 0..0x100 {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = Program::from_elf(&changed);
        }
    }
    assert!(matches!(
        Program::from_elf(&bytes[..0x1010]),
        Err(ElfReadError::Truncated { .. })
    ));
}

#[test]
fn a_broken_elf_file_is_one_line_for_the_user() {
    let mut bytes = elf();
    put(&mut bytes, offset::ENTRY, 1);
    let path = write("broken.elf", &bytes);

    let output = pagefault().arg("run").arg(path).output().unwrap();

    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(NO_PROGRAM), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("e_entry at offset 0x18 is 0x1"), "{errors}");
}

#[test]
fn raw_bytes_run_where_they_are_told_with_registers_and_memory() {
    // mov [ebx], eax; mov eax, [ebx]; add eax, 2; ret
    let code = [0x89, 0x03, 0x8B, 0x03, 0x83, 0xC0, 0x02, 0xC3];
    let path = write("flat.bin", &[&[0xCC][..], &code].concat());
    let run = |more: &[&str]| {
        let mut command = pagefault();
        command.arg("run").arg(&path).args(more);
        command.output().unwrap()
    };
    let inside = ["--base", "0x401010", "--entry", "401011h", "--reg", "eax=5"];
    let memory = ["--reg", "ebx=0x500000", "--map", "0x500000:4096:rw"];

    let output = run(&[&inside[..], &memory].concat());
    let read_only = run(&[&inside[..], &memory[..2], &["--map", "0x500000:1:r"]].concat());
    let outside = run(&["--base", "0x401010", "--entry", "0x402000"]);
    let no_base = run(&[]);
    let taken = run(&[&inside[..], &["--map", "0x400000:1:r"]].concat());

    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(read_only.status.code(), Some(EXCEPTION));
    for (output, expected) in [
        (outside, "0x00402000 is outside of the file"),
        (no_base, "--base"),
        (taken, "cannot map memory at 0x00400000"),
    ] {
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(NO_PROGRAM), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}

#[test]
fn raw_bytes_may_use_the_system_calls_of_linux() {
    // mov eax, 1; mov ebx, 9; int 80h
    let code = [0xB8, 1, 0, 0, 0, 0xBB, 9, 0, 0, 0, 0xCD, 0x80];
    let path = write("call.bin", &code);

    let output = pagefault()
        .arg("run")
        .arg(path)
        .args(["--base", "0x100000"])
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(9), "{}", text(&output.stderr));
}

#[test]
fn raw_bytes_outside_of_user_space_are_refused() {
    assert_eq!(Program::from_flat(&[], 0x40_0000, 0), Err(FlatError::Empty));
    for base in [0, 0xFFFF, 0x7FFD_FFFF, 0xFFFF_FFFF] {
        let refused = Program::from_flat(&[0xC3, 0xC3], base, base);
        assert_eq!(
            refused,
            Err(FlatError::Place { base, size: 2 }),
            "{base:#x}"
        );
    }
}

fn elf() -> Vec<u8> {
    fs::read(project().join("fixtures/elf/memory.elf")).unwrap()
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = pagefault();
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
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
