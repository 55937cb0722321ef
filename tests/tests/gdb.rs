//! `pagefault run --gdb` with a real gdb, where one is installed, and its errors without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use pagefault_tests::command::{binary, pagefault, project};

const PROGRAM: &str = "fixtures/programs/gdb_session.asm";

#[test]
#[expect(clippy::too_many_lines, reason = "one session")]
fn a_gdb_session_goes_there_and_back() {
    if Command::new("gdb").arg("--version").output().is_err() {
        // Not captured: whoever reads the log should know.
        _ = writeln!(
            std::io::stderr(),
            "gdb is not installed: a_gdb_session_goes_there_and_back checked nothing"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let symbols = folder.path().join("symbols.elf");
    let mut server = Server::start(&["--gdb-symbols", symbols.to_str().unwrap()]);

    let file = format!("file {}", symbols.display());
    let target = format!("target remote {}", server.addr);
    let commands = [
        "set confirm off",
        "set pagination off",
        &file,
        &target,
        "break again",
        "continue",
        "printf \"first counter %d\\n\", *(int*)&counter",
        "stepi",
        "reverse-stepi",
        "delete",
        "watch *(int*)&counter",
        "continue",
        "printf \"watched counter %d\\n\", *(int*)&counter",
        "reverse-continue",
        "printf \"back counter %d\\n\", *(int*)&counter",
        "delete",
        "monitor walk counter",
        "info threads",
        "continue",
        "monitor explain",
        "printf \"cr2 %x\\n\", $cr2",
        "reverse-stepi",
        "reverse-continue",
        "kill",
    ];
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx"]).env("HOME", folder.path());
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let output = gdb.stdin(Stdio::null()).output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    // What the monitor says goes the other way.
    let told = String::from_utf8_lossy(&output.stderr);

    let expected = [
        "Breakpoint 1, ",
        "again ()",
        "first counter 0",
        "Hardware watchpoint 2",
        "Old value = 0",
        "New value = 1",
        "watched counter 1",
        "Old value = 1",
        "New value = 0",
        "back counter 0",
        "Thread",
        "SIGSEGV",
        "fatal ()",
        "cr2 110000",
        "No more reverse-execution history",
    ];
    follow(&expected, &seen);
    let expected = [
        "directory index",
        "frame",
        "access violation",
        "reserved by VirtualAlloc",
    ];
    follow(&expected, &told);
    assert_eq!(server.end(), Some(0));
}

/// Checks that the parts follow one another in a text.
fn follow(expected: &[&str], seen: &str) {
    let mut rest = seen;
    for part in expected {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("{part:?} does not follow in\n{seen}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn an_address_that_others_reach_is_refused_unless_it_is_meant() {
    let output = run(&["--gdb", "0.0.0.0:0"]);

    assert_eq!(output.0, Some(2), "{}", output.1);
    assert!(output.1.contains("--gdb-any-address"), "{}", output.1);
}

#[test]
fn a_port_in_use_and_a_place_that_is_none_are_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (place, told) in [
        (port.as_str(), "choose another port"),
        ("nowhere", "is no address for gdb"),
        ("127.0.0.1:99999", "is no address for gdb"),
    ] {
        let (code, told_by) = run(&["--gdb", place]);

        assert_eq!(code, Some(125), "{place}: {told_by}");
        assert!(told_by.contains(told), "{place}: {told_by}");
    }
}

#[test]
fn labels_that_cannot_be_written_are_an_error() {
    let (code, told) = run(&["--gdb", "0", "--gdb-symbols", "no/such/folder/x.elf"]);

    assert_eq!(code, Some(125), "{told}");
    assert!(
        told.contains("cannot write the labels to no/such/folder/x.elf"),
        "{told}"
    );
}

#[test]
fn a_client_that_talks_nonsense_is_told_from_one_that_goes_away() {
    for (sent, told) in [
        (&b"$m0,4#zz"[..], "gdb is gone"),
        (b"GET / HTTP/1.1\r\n\r\n", "gdb is gone"),
    ] {
        let mut server = Server::start(&[]);
        let mut stream = std::net::TcpStream::connect(&server.addr).unwrap();
        stream.write_all(sent).unwrap();
        drop(stream);

        assert_eq!(server.end(), Some(125));
        let mut rest = String::new();
        server.stderr.read_to_string(&mut rest).unwrap();
        assert!(rest.contains(told), "{rest}");
    }
}

/// What a program is given when it runs, it is given when gdb has it, too.
#[test]
fn registers_memory_files_and_reports_of_the_end_are_those_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("given.asm");
    let source = "
        .386
        .model flat, stdcall
        include kernel32.inc
        .code
name_   db 'there.txt', 0
start:  mov eax, 500000h
        mov [eax], ebx
        invoke GetFileAttributes, offset name_
        mov ecx, ds:[500000h]
        inc eax
        jz missing
        add ecx, 100
missing: invoke ExitProcess, ecx
        end start\n";
    std::fs::write(&program, source).unwrap();
    std::fs::write(folder.path().join("there.txt"), "x").unwrap();
    let program = program.to_str().unwrap();
    let files = folder.path().to_str().unwrap();
    let given = [
        "--reg",
        "ebx=7",
        "--map",
        "0x500000:0x1000:rw",
        "--files",
        files,
        "--stats",
        "--map-at-exit",
    ];

    let ran = pagefault().args(["run", program]).args(given).output();
    let mut server = Server::start_with(program, &given);
    let mut stream = std::net::TcpStream::connect(&server.addr).unwrap();
    stream.write_all(b"$D#44").unwrap();

    assert_eq!(server.end(), Some(107));
    let mut told = String::new();
    server.stderr.read_to_string(&mut told).unwrap();
    let ran = ran.unwrap();
    assert_eq!(ran.status.code(), Some(107));
    assert_eq!(told, String::from_utf8_lossy(&ran.stderr));
    assert!(told.contains("00500000"), "{told}");
}

#[test]
fn a_folder_that_is_none_is_an_input_that_cannot_be_used() {
    for arguments in [
        &["--files", "no-such-folder"][..],
        &["--files", "README.md"],
    ] {
        for gdb in [&[][..], &["--gdb", "0"]] {
            let (code, told) = run(&[arguments, gdb].concat());

            assert_eq!(code, Some(123), "{told}");
            assert!(told.contains("cannot use the folder"), "{told}");
        }
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = pagefault()
        .args(["run", PROGRAM])
        .args(arguments)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told)
}

/// `pagefault run --gdb` that waits.
struct Server {
    child: Child,
    addr: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(PROGRAM, arguments)
    }

    fn start_with(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.current_dir(project()).env("NO_COLOR", "1");
        command
            .args(["run", program, "--gdb", "127.0.0.1:0"])
            .args(arguments);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("waiting for gdb: target remote ");
        let addr = addr.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self {
            child,
            addr,
            stderr,
        }
    }

    fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
    }
}
