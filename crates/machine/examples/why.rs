//! Runs a program that writes to a constant, and tells why that cannot be.
//!
//! `cargo run -p pagefault-machine --example why`

use std::io::{self, Write};

use pagefault_asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{Console, DebugInfo, Listener, Machine, MachineConfig, Outcome, Stream};

const SOURCE: &str = "\
    .386
    .model flat, stdcall
    .const
limit dd 1
    .code
start:
    mov limit, 2
    end start
";
/// Instructions that the program may execute.
const BUDGET: u64 = 1000;

/// Takes what the program prints.
#[derive(Debug)]
struct Terminal;

impl Console for Terminal {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) {
        // Nobody is left to be told of an error.
        let _ = io::stdout().write_all(bytes);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = assemble(
        "limit.asm",
        SOURCE.as_bytes(),
        &NoIncludes,
        &Options::default(),
    )
    .map_err(|failure| failure.diagnostics[0].one_line(&failure.files))?;
    let image = link(&program.object, &LinkOptions::default())?;
    let debug = DebugInfo::new(&program, &image);
    let config = MachineConfig::default();
    let mut machine = Machine::load(&image, debug, &config, Box::new(Terminal), Listener::deaf())?;

    let Outcome::Exception(report) = machine.run(BUDGET) else {
        return Err("constants are read-only".into());
    };
    let mut out = io::stdout().lock();
    let line = report.place.source.map_or(String::new(), |line| line.text);
    writeln!(
        out,
        "{} at {:#010x}: {}",
        report.status.name(),
        report.place.addr,
        line.trim()
    )?;
    if let Some(memory) = report.memory {
        writeln!(
            out,
            "it wanted to {} {:#010x}",
            memory.operation(),
            memory.fault.addr.bits()
        )?;
        writeln!(out, "{}", memory.walk)?;
    }
    writeln!(out, "{}", report.advice)?;
    Ok(())
}
