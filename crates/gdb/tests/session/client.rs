//! A client that says what it has to say and keeps the answers.

use std::collections::VecDeque;
use std::fmt;

use pagefault_gdb::{Connection, ConnectionExt, End, ServeError, serve};
use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, RecordOptions, Recording, Stream,
};

/// The program that is debugged: it counts, calls the system, and touches what it may not.
pub(crate) const PROGRAM: &[u8] = b"
    .386
    .model flat, stdcall
VirtualAlloc proto :dword, :dword, :dword, :dword
    .data
counter dd 0
    .code
start:
    mov ecx, 5
again:
    inc counter
    loop again
    invoke VirtualAlloc, 0, 1000h, 2000h, 4
fatal:
    mov dword ptr [eax], 1
    ret
    end start
";

#[derive(Debug)]
struct Silent;

impl Console for Silent {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

/// Returns the program, recorded from its beginning.
pub(crate) fn recording() -> Recording {
    recording_of(PROGRAM)
}

/// Returns a program, recorded from its beginning.
pub(crate) fn recording_of(source: &[u8]) -> Recording {
    let assembled = assemble("test.asm", source, &NoIncludes, &Options::default()).unwrap();
    let image = link(&assembled.object, &LinkOptions::default()).unwrap();
    let debug = DebugInfo::new(&assembled, &image);
    let config = MachineConfig::default();
    let machine =
        Machine::load(&image, debug, &config, Box::new(Silent), Listener::deaf()).unwrap();
    Recording::new(machine, RecordOptions::default()).unwrap()
}

/// The far end has nothing more to say.
#[derive(Debug)]
pub(crate) struct Over;

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody is there any more")
    }
}

struct Script<'a> {
    input: VecDeque<u8>,
    output: &'a mut Vec<u8>,
}

impl Connection for Script<'_> {
    type Error = Over;

    fn write(&mut self, byte: u8) -> Result<(), Over> {
        self.output.push(byte);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Over> {
        Ok(())
    }
}

impl ConnectionExt for Script<'_> {
    fn read(&mut self) -> Result<u8, Over> {
        self.input.pop_front().ok_or(Over)
    }

    // The program is never interrupted: what comes next is said when it has stopped.
    fn peek(&mut self) -> Result<Option<u8>, Over> {
        Ok(None)
    }
}

/// Sends bytes, and returns the answers and how the session ended.
pub(crate) fn send(
    recording: &mut Recording,
    bytes: Vec<u8>,
) -> (Vec<String>, Result<End, ServeError>) {
    send_within(1_000_000, recording, bytes)
}

/// Sends bytes for a program that executes at most `budget` instructions.
pub(crate) fn send_within(
    budget: u64,
    recording: &mut Recording,
    bytes: Vec<u8>,
) -> (Vec<String>, Result<End, ServeError>) {
    let mut output = Vec::new();
    let script = Script {
        input: bytes.into(),
        output: &mut output,
    };
    let end = serve(recording, script, budget);
    (answers(&output), end)
}

/// Sends packets, which break off without a good-bye, and returns the answers.
pub(crate) fn say(recording: &mut Recording, packets: &[&str]) -> Vec<String> {
    let bytes = packets.iter().flat_map(|packet| framed(packet.as_bytes()));
    let (answers, end) = send(recording, bytes.collect());
    assert!(matches!(end, Err(ServeError::Connection(_))), "{end:?}");
    answers
}

/// Returns a packet with its checksum.
pub(crate) fn framed(packet: &[u8]) -> Vec<u8> {
    let sum = packet
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut framed = vec![b'$'];
    framed.extend(packet);
    framed.extend(format!("#{sum:02x}").bytes());
    framed
}

/// Returns the packets in what was sent, with their runs written out.
fn answers(output: &[u8]) -> Vec<String> {
    let mut answers = Vec::new();
    let mut rest = output;
    while let Some(start) = rest.iter().position(|&byte| byte == b'$') {
        let body = &rest[start + 1..];
        let end = body.iter().position(|&byte| byte == b'#').unwrap();
        answers.push(written_out(&body[..end]));
        rest = &body[end..];
    }
    answers
}

fn written_out(packet: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = packet.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'*' {
            let count = rest.next().unwrap() - 29;
            let last = *bytes.last().unwrap();
            bytes.extend(std::iter::repeat_n(last, usize::from(count)));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the text in hexadecimal digits.
pub(crate) fn hex(text: &str) -> String {
    text.bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

/// Returns what the monitor has said in a list of answers.
pub(crate) fn monitor_text(answers: &[String]) -> String {
    let parts = answers.iter().filter_map(|answer| answer.strip_prefix('O'));
    let digits: Vec<u8> = parts
        .filter(|part| *part != "K")
        .flat_map(|part| part.as_bytes().to_vec())
        .collect();
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    String::from_utf8(bytes.collect()).unwrap()
}
