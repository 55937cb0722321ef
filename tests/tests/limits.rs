//! What a program can have of the system at most: further calls fail with an error code, and the
//! host does not hold more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pagefault_tests::command::pagefault;
use serde_json::Value;

/// Error codes of Windows.
const TOO_MANY_OPEN_FILES: u64 = 4;
const NOT_ENOUGH_MEMORY: u64 = 8;
const NAME_TOO_LONG: u64 = 206;
const NO_SYSTEM_RESOURCES: u64 = 1450;

const HEAD: &str = "
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        include kernel32.inc
        include msvcrt.inc
        _vscprintf proto c :DWORD, :DWORD
        .data?
count   dd ?
";

#[test]
fn the_environment_has_room_for_a_million_characters() {
    let data = "value db 4000 dup('x'), 0";
    let call = "invoke SetEnvironmentVariable, addr named, addr value";

    let (count, code) = calls_until("environment", data, call, "0");

    // A name of 8 characters, the value, and two more; some variables are there already.
    let each = 8 + 4000 + 2;
    let most = (1 << 20) / each;
    assert!((most - 1..=most).contains(&count), "{count} variables");
    assert_eq!(code, NOT_ENOUGH_MEMORY);
}

#[test]
fn calls_can_be_queued_for_threads_up_to_a_number() {
    let ended = calls_until("queued", "", "invoke QueueUserAPC, start, -2, 0", "0");

    assert_eq!(ended, (65_536, NOT_ENOUGH_MEMORY));
}

#[test]
fn vectored_handlers_of_both_lists_have_a_limit() {
    let call = "invoke AddVectoredExceptionHandler, 1, start";
    let exceptions = calls_until("vectored", "", call, "0");
    let call = "invoke AddVectoredContinueHandler, 0, start";
    let going_on = calls_until("continue", "", call, "0");

    assert_eq!(exceptions, (16_384, NOT_ENOUGH_MEMORY));
    assert_eq!(going_on, (16_384, NOT_ENOUGH_MEMORY));
}

#[test]
fn sections_and_objects_share_the_handles_of_a_process() {
    let section = "invoke CreateFileMapping, -1, NULL, PAGE_READWRITE or SEC_RESERVE, 0, 1, NULL";
    let event = "invoke CreateEvent, NULL, 0, 0, NULL";
    let both = format!("{section}\n test eax, eax\n jz done\n {event}");

    let (sections, section_code) = calls_until("sections", "", section, "0");
    let (pairs, pair_code) = calls_until("both", "", &both, "0");

    assert_eq!((sections, section_code), (65_536, NO_SYSTEM_RESOURCES));
    assert_eq!((pairs, pair_code), (32_768, NO_SYSTEM_RESOURCES));
}

#[test]
fn the_name_of_an_object_has_259_characters_at_most() {
    let data = "fits db 259 dup('x'), 0\nlong db 260 dup('x'), 0";
    for (function, call) in [
        ("event", "CreateEvent, NULL, 0, 0, addr NAME"),
        ("open", "OpenMutex, 0, 0, addr NAME"),
        (
            "mapping",
            "CreateFileMapping, -1, NULL, PAGE_READWRITE, 0, 1, addr NAME",
        ),
        ("view", "OpenFileMapping, 0, 0, addr NAME"),
    ] {
        let with = |name| format!("invoke {}", call.replace("NAME", name));
        // One call each: what it returns is not looked at, but for its error.
        let long = last_error(&format!("{function}_long"), data, &with("long"));
        let fits = last_error(&format!("{function}_fits"), data, &with("fits"));

        assert_eq!(long, NAME_TOO_LONG, "{call}");
        assert_ne!(fits, NAME_TOO_LONG, "{call}");
    }
}

#[test]
fn the_name_of_a_section_ends_with_its_last_handle() {
    let body = "
        invoke CreateFileMapping, -1, NULL, PAGE_READWRITE, 0, 4096, addr fits
        invoke CloseHandle, eax
        invoke OpenFileMapping, FILE_MAP_WRITE, 0, addr fits
        mov esi, eax
        invoke CreateFileMapping, -1, NULL, PAGE_READWRITE, 0, 8192, addr fits
        mov ebx, eax
        invoke GetLastError
        mov edi, eax
        invoke MapViewOfFile, ebx, FILE_MAP_WRITE, 0, 0, 8192
        mov dword ptr [eax + 4096], 5
        mov eax, [eax + 4096]
        add eax, esi
        add eax, edi
        invoke ExitProcess, eax";
    let path = program("section_name", "fits db 'name', 0", body);

    let object = json(&path, &[]);

    // 5 was stored; neither a handle nor ERROR_ALREADY_EXISTS came in between.
    assert_eq!(object["exit_code"], 5, "{object}");
}

#[test]
fn files_and_searches_that_are_open_have_a_limit() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("limits_files");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("there.txt"), "x").unwrap();
    let data = "file db 'there.txt', 0\nall db '*', 0\nfound db 400h dup(0)";
    let open = "invoke CreateFile, addr file, GENERIC_READ, 1, NULL, OPEN_EXISTING, 0, NULL";
    let search = "invoke FindFirstFile, addr all, addr found";
    let of_files = |name, call| {
        let path = counting(name, data, call, "-1");
        counted(&path, &["--files", folder.to_str().unwrap()])
    };

    assert_eq!(of_files("files", open), (512, TOO_MANY_OPEN_FILES));
    assert_eq!(of_files("searches", search), (512, NOT_ENOUGH_MEMORY));
}

#[test]
fn a_format_makes_four_million_characters_at_most() {
    let data = "format db 1000 dup('%65535d'), 0\nlist dd 1000 dup(7)";
    let body = "invoke _vscprintf, addr format, addr list\n invoke ExitProcess, eax";
    let path = program("printf", data, body);

    assert_eq!(json(&path, &[])["exit_code"], 1 << 22);
}

#[test]
fn a_text_that_is_converted_has_16_million_bytes_at_most() {
    let convert = |size: &str| {
        let body = format!(
            "invoke VirtualAlloc, NULL, 2000000h, MEM_COMMIT, PAGE_READWRITE
        invoke MultiByteToWideChar, 0, 0, eax, {size}, NULL, 0
        push eax
        invoke GetLastError
        pop ecx
        add eax, ecx
        invoke ExitProcess, eax"
        );
        json(&program("convert", "", &body), &[])["exit_code"].clone()
    };

    assert_eq!(convert("1000000h"), 0x100_0000);
    assert_eq!(convert("1000001h"), NOT_ENOUGH_MEMORY);
}

#[test]
fn who_released_memory_last_is_known_after_many_releases() {
    let body = "
again:  invoke VirtualAlloc, 20000000h, 1000h, MEM_RESERVE or MEM_COMMIT, PAGE_READWRITE
        invoke VirtualFree, 20000000h, 0, MEM_RELEASE
        inc count
        cmp count, 70000
        jb again
        mov eax, 20000000h
        mov dword ptr [eax], 1
        invoke ExitProcess, 0";
    let path = program("released", "", body);

    let output = run(&path, &[]);

    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(120), "{errors}");
    assert!(errors.contains("released by VirtualFree("), "{errors}");
}

/// Makes a call again and again until it returns `failed`; returns how often it did not, and the
/// last error. `named` is another string of 8 letters each time.
fn calls_until(name: &str, data: &str, call: &str, failed: &str) -> (u64, u64) {
    counted(&counting(name, data, call, failed), &[])
}

fn counting(name: &str, data: &str, call: &str, failed: &str) -> PathBuf {
    let body = format!(
        "
again:  mov eax, count
        mov ecx, 8
        mov edi, offset named
digit:  mov dl, al
        and dl, 0Fh
        add dl, 'A'
        mov [edi], dl
        inc edi
        shr eax, 4
        dec ecx
        jnz digit
        {call}
        cmp eax, {failed}
        je done
        inc count
        cmp count, 100000
        jb again
done:   invoke GetLastError
        shl eax, 20
        or eax, count
        invoke ExitProcess, eax"
    );
    program(name, &format!("named db 9 dup(0)\n{data}"), &body)
}

fn counted(path: &Path, options: &[&str]) -> (u64, u64) {
    let object = json(path, options);
    let code = object["exit_code"].as_u64();
    let code = code.unwrap_or_else(|| panic!("{object}"));
    (code & 0xF_FFFF, code >> 20)
}

/// Returns the last error after a call.
fn last_error(name: &str, data: &str, call: &str) -> u64 {
    let body = format!("{call}\n invoke GetLastError\n invoke ExitProcess, eax");
    let object = json(&program(name, data, &body), &[]);
    object["exit_code"].as_u64().unwrap()
}

fn json(path: &Path, options: &[&str]) -> Value {
    let output = run(
        path,
        &[&["--json", "--max-insns", "50000000"], options].concat(),
    );
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

fn run(path: &Path, options: &[&str]) -> Output {
    let mut command = pagefault();
    command.arg("run").arg(path).args(options);
    command.output().unwrap()
}

/// Writes a program into the tests' own folder.
fn program(name: &str, data: &str, body: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("limit_{name}.asm"));
    let source =
        format!("{HEAD}        .data\n{data}\n        .code\nstart:{body}\n        end start\n");
    fs::write(&path, source).unwrap();
    path
}
