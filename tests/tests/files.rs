//! Programs that use the files of a folder: through handles, through streams, through mappings.

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;

use pagefault_tests::command::pagefault;
use tempfile::TempDir;

const HEAD: &str = "
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        include kernel32.inc
        include msvcrt.inc
        .data?
handle  dd ?
copy    dd ?
stream  dd ?
done    dd ?
buffer  db 10000h dup (?)
        .data
line    db '%d', 10, 0
text    db '%s', 10, 0
file    db 'file.txt', 0
other   db 'other.txt', 0
same    db 'C:\\FILE.txt', 0
root    db 'C:\\', 0
letters db 'XY'
reads   db 'r', 0
        .const
constant dd 0
        .code
; Shows what a call returned, and the last error if that is 0 or -1.
Result  proc    value:DWORD
        invoke  crt_printf, addr line, value
        mov     eax, value
        inc     eax
        .if     eax <= 1
            invoke GetLastError
            invoke crt_printf, addr line, eax
        .endif
        ret
Result  endp
start:
";

#[test]
fn a_file_is_not_its_own_copy() {
    let folder = folder();
    fs::write(folder.path().join("file.txt"), "contents").unwrap();

    let printed = run(
        &folder,
        "
        invoke  CopyFile, addr file, addr same, FALSE
        invoke  Result, eax
        invoke  CopyFile, addr same, addr file, TRUE
        invoke  Result, eax
        invoke  CopyFile, addr file, addr other, FALSE
        invoke  Result, eax",
    );

    assert_eq!(printed, ["0", "32", "0", "80", "1"]);
    for name in ["file.txt", "other.txt"] {
        assert_eq!(read(&folder, name), "contents", "{name}");
    }
}

#[test]
fn a_file_that_is_too_large_to_be_copied_at_once_leaves_no_part() {
    let folder = folder();
    sparse(&folder, (256 << 20) + 1);

    let printed = run(
        &folder,
        "
        invoke  CopyFile, addr file, addr other, FALSE
        invoke  Result, eax",
    );

    assert_eq!(printed, ["0", "112"]);
    assert!(!folder.path().join("other.txt").exists());
}

#[test]
fn the_folder_of_a_program_cannot_be_removed_or_moved() {
    let folder = folder();

    let printed = run(
        &folder,
        "
        invoke  RemoveDirectory, addr root
        invoke  Result, eax
        invoke  DeleteFile, addr root
        invoke  Result, eax
        invoke  MoveFile, addr root, addr other
        invoke  Result, eax",
    );

    assert_eq!(printed, ["0", "5", "0", "5", "0", "5"]);
    assert!(folder.path().is_dir());
}

#[test]
fn the_right_to_append_writes_at_the_end_and_nowhere_else() {
    let folder = folder();
    fs::write(folder.path().join("file.txt"), "ORIGINAL").unwrap();

    // FILE_APPEND_DATA is 4.
    let printed = run(
        &folder,
        "
        invoke  CreateFile, addr file, 4, 0, NULL, OPEN_ALWAYS, 0, NULL
        mov     handle, eax
        invoke  SetFilePointer, handle, 2, NULL, FILE_BEGIN
        invoke  WriteFile, handle, addr letters, 2, addr done, NULL
        invoke  Result, eax
        invoke  SetEndOfFile, handle
        invoke  Result, eax
        invoke  CreateFileMapping, handle, NULL, PAGE_READWRITE, 0, 0, NULL
        invoke  Result, eax",
    );

    assert_eq!(printed, ["1", "0", "5", "0", "5"]);
    assert_eq!(read(&folder, "file.txt"), "ORIGINALXY");
}

#[cfg(unix)]
#[test]
fn open_always_for_reading_opens_a_file_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let path = folder.path().join("file.txt");
    fs::write(&path, "ORIGINAL").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();

    let printed = run(
        &folder,
        "
        invoke  CreateFile, addr file, GENERIC_READ, 0, NULL, OPEN_ALWAYS, 0, NULL
        invoke  ReadFile, eax, addr buffer, 100, addr done, NULL
        invoke  Result, done
        invoke  CreateFile, addr other, GENERIC_READ, 0, NULL, OPEN_ALWAYS, 0, NULL
        invoke  ReadFile, eax, addr buffer, 100, addr done, NULL
        invoke  Result, eax",
    );

    assert_eq!(printed, ["8", "1"]);
    assert_eq!(read(&folder, "other.txt"), "");
}

#[test]
fn handles_of_one_file_share_its_position_and_the_last_one_closes_it() {
    let folder = folder();
    fs::write(folder.path().join("file.txt"), "0123456789").unwrap();

    // FILE_FLAG_DELETE_ON_CLOSE
    let printed = run(
        &folder,
        "
        invoke  CreateFile, addr file, GENERIC_READ, 0, NULL, OPEN_EXISTING, 4000000h, NULL
        mov     handle, eax
        invoke  DuplicateHandle, -1, handle, -1, addr copy, 0, 0, DUPLICATE_SAME_ACCESS
        invoke  Result, eax
        invoke  ReadFile, handle, addr buffer, 4, addr done, NULL
        invoke  CloseHandle, handle
        invoke  ReadFile, handle, addr buffer, 4, addr done, NULL
        invoke  Result, eax
        invoke  ReadFile, copy, addr buffer, 4, addr done, NULL
        movzx   eax, buffer
        invoke  Result, eax
        invoke  GetFileAttributes, addr file
        invoke  Result, eax
        invoke  CloseHandle, copy
        invoke  GetFileAttributes, addr file
        invoke  Result, eax",
    );

    assert_eq!(printed, ["1", "0", "6", "52", "32", "-1", "2"]);
}

#[test]
fn a_mapping_that_cannot_be_made_leaves_the_file_as_long_as_it_was() {
    let folder = folder();
    fs::write(folder.path().join("file.txt"), "short").unwrap();

    let printed = run(
        &folder,
        "
        invoke  CreateFile, addr file, GENERIC_READ or GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL
        mov     handle, eax
        invoke  CreateFileMapping, handle, NULL, PAGE_READWRITE or PAGE_GUARD, 0, 5000h, NULL
        invoke  Result, eax
        invoke  CreateFileMapping, handle, NULL, PAGE_READWRITE, 4000h, 0, NULL
        invoke  Result, eax
        invoke  GetFileSize, handle, NULL
        invoke  Result, eax
        invoke  CreateFileMapping, handle, NULL, PAGE_READWRITE, 0, 5000h, NULL
        invoke  GetFileSize, handle, NULL
        invoke  Result, eax",
    );

    assert_eq!(printed, ["0", "87", "0", "8", "5", "20480"]);
}

#[test]
fn what_cannot_be_stored_is_not_read() {
    let folder = folder();
    fs::write(folder.path().join("file.txt"), "0123456789").unwrap();

    let printed = run(
        &folder,
        "
        invoke  CreateFile, addr file, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL
        mov     handle, eax
        invoke  ReadFile, handle, addr constant, 4, addr done, NULL
        invoke  Result, eax
        invoke  ReadFile, handle, addr buffer, 4, addr done, NULL
        movzx   eax, buffer
        invoke  Result, eax",
    );

    assert_eq!(printed, ["0", "998", "48"]);
}

#[test]
fn a_text_keeps_single_carriage_returns_and_tells_positions_of_its_file() {
    let folder = folder();
    fs::write(folder.path().join("file.txt"), "a\r\nb\rc\r\nd\r\n").unwrap();

    let printed = run(
        &folder,
        "
        invoke  crt_fopen, addr file, addr reads
        mov     stream, eax
        invoke  crt_fgets, addr buffer, 100, stream
        invoke  crt_ftell, stream
        invoke  Result, eax
        invoke  crt_fseek, stream, 2, 1
        invoke  crt_fgetc, stream
        invoke  Result, eax
        invoke  crt_fgetc, stream
        invoke  Result, eax
        invoke  crt_ungetc, eax, stream
        invoke  crt_fseek, stream, 3, 0
        invoke  crt_fgets, addr buffer, 100, stream
        invoke  crt_strlen, addr buffer
        invoke  Result, eax
        invoke  crt_ftell, stream
        invoke  Result, eax",
    );

    // Behind the first line; c, and its line end; b CR c LF, up to the last line.
    assert_eq!(printed, ["3", "99", "10", "4", "8"]);
}

#[test]
fn a_line_end_across_two_blocks_is_one_and_a_text_ends_at_its_control_z() {
    let folder = folder();
    let mut contents = vec![b'x'; 4095];
    contents.extend(b"\r\ny\x1Az");
    contents.extend([b'z'; 8192]);
    fs::write(folder.path().join("file.txt"), contents).unwrap();

    let printed = run(
        &folder,
        "
        invoke  crt_fopen, addr file, addr reads
        mov     stream, eax
        invoke  crt_fread, addr buffer, 1, 10000h, stream
        invoke  Result, eax
        movzx   eax, buffer[4095]
        invoke  Result, eax
        invoke  crt_fgetc, stream
        invoke  crt_printf, addr line, eax
        invoke  crt_ftell, stream
        invoke  Result, eax",
    );

    assert_eq!(printed, ["4097", "10", "-1", "4098"]);
}

#[test]
fn reading_by_a_format_holds_little_and_takes_so_much_at_most() {
    let folder = folder();
    sparse(&folder, 300 << 20);

    let printed = run(
        &folder,
        "
        .data
skip    db '%*s', 0
take    db '%5c', 0
        .code
        invoke  crt_fopen, addr file, addr reads
        mov     stream, eax
        invoke  crt_fscanf, stream, addr skip
        invoke  crt_printf, addr line, eax
        invoke  crt_ftell, stream
        invoke  Result, eax
        mov     buffer[5], 'e'
        invoke  crt_fscanf, stream, addr take, addr buffer
        invoke  Result, eax
        movzx   eax, buffer[5]
        invoke  Result, eax",
    );

    assert_eq!(printed, ["0", "4194304", "1", "101"]);
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

/// Makes `file.txt` so long, without contents.
fn sparse(folder: &TempDir, size_bytes: u64) {
    let file = File::create(folder.path().join("file.txt")).unwrap();
    file.set_len(size_bytes).unwrap();
}

/// Runs code with a folder of files; returns the lines that it prints.
fn run(folder: &TempDir, body: &str) -> Vec<String> {
    let source = folder.path().with_extension("asm");
    let code = format!("{HEAD}{body}\n        invoke  ExitProcess, 0\n        end start\n");
    fs::write(&source, code).unwrap();
    let output = command(&source, folder.path());
    fs::remove_file(&source).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.lines().map(str::to_owned).collect()
}

fn command(source: &Path, folder: &Path) -> Output {
    let mut command = pagefault();
    command.args(["run", "--max-insns", "1000000", "--files"]);
    command.arg(folder).arg(source).output().unwrap()
}
