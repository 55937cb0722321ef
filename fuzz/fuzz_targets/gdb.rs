//! Any bytes as what a gdb says. Lines of an input are packets, for which the frame and the checksum
//! are made; a line that begins with `!` is a monitor command, and with a first byte that is odd
//! everything is sent as it is.
#![no_main]

use std::collections::VecDeque;
use std::fmt;

use libfuzzer_sys::fuzz_target;
use pagefault_gdb::{Connection, ConnectionExt, serve};
use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, RecordOptions, Recording, Stream,
};

/// What is debugged: it counts, calls the system, and touches what it may not.
const PROGRAM: &[u8] = b"
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
const RAM_BYTES: u64 = 4 << 20;
const RECORD_BYTES: u64 = 16 << 20;
const BUDGET: u64 = 20_000;
const MAX_PACKETS: usize = 40;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let input: VecDeque<u8> = if choice & 1 == 1 {
        data.iter().copied().collect()
    } else {
        let lines = data.split(|&byte| byte == b'\n').take(MAX_PACKETS);
        lines.flat_map(packet).collect()
    };
    let script = Script {
        input,
        interrupts: choice & 2 != 0,
    };
    if let Err(error) = serve(&mut recording(), script, BUDGET) {
        assert!(!error.to_string().is_empty());
    }
});

/// Returns a packet with its frame.
fn packet(line: &[u8]) -> Vec<u8> {
    let body = match line.split_first() {
        Some((b'!', command)) => {
            let digits = command.iter().map(|byte| format!("{byte:02x}"));
            format!("qRcmd,{}", digits.collect::<String>()).into_bytes()
        }
        _ => line.to_vec(),
    };
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut framed = vec![b'$'];
    framed.extend(body);
    framed.extend(format!("#{sum:02x}").bytes());
    framed
}

fn recording() -> Recording {
    let assembled = assemble("fuzz.asm", PROGRAM, &NoIncludes, &Options::default());
    let assembled = assembled.expect("the program assembles");
    let image = link(&assembled.object, &LinkOptions::default()).expect("it links");
    let debug = DebugInfo::new(&assembled, &image);
    let config = MachineConfig {
        ram_bytes: RAM_BYTES,
        ..MachineConfig::default()
    };
    let machine = Machine::load(&image, debug, &config, Box::new(Silent), Listener::deaf());
    let options = RecordOptions {
        memory_bytes: RECORD_BYTES,
        ..RecordOptions::default()
    };
    Recording::new(machine.expect("it can be loaded"), options).expect("nothing is open")
}

#[derive(Debug)]
struct Silent;

impl Console for Silent {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

/// The far end has nothing more to say.
#[derive(Debug)]
struct Over;

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody is there any more")
    }
}

struct Script {
    input: VecDeque<u8>,
    /// Whether what comes next comes while the program runs.
    interrupts: bool,
}

impl Connection for Script {
    type Error = Over;

    fn write(&mut self, _byte: u8) -> Result<(), Over> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Over> {
        Ok(())
    }
}

impl ConnectionExt for Script {
    fn read(&mut self) -> Result<u8, Over> {
        self.input.pop_front().ok_or(Over)
    }

    fn peek(&mut self) -> Result<Option<u8>, Over> {
        let next = self.input.front().copied();
        Ok(next.filter(|_| self.interrupts))
    }
}
