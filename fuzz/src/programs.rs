//! Programs that are loaded and run.

use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::vmm::{MemoryStore, PagingMode, VmmConfig};
use pagefault_machine::{
    Aslr, Console, DebugInfo, Listener, Machine, MachineConfig, Outcome, Program, Stream, Turns,
    disassemble,
};

use crate::files::MemoryFiles;

/// Guest RAM of the machines, in bytes: little, so that it ends.
const RAM_BYTES: u64 = 8 << 20;
/// Their paging file, in bytes.
const PAGING_FILE_BYTES: u64 = 8 << 20;
/// How long programs run, in instructions.
const BUDGET: u64 = 60_000;
/// Instructions of a thread's turn.
const QUANTUM: u64 = 200;
/// Nobody reads what they write; they read this, some bytes at a time.
const INPUT: &[u8] = b"12 abc\r\n";

#[derive(Debug)]
struct Deaf {
    at: usize,
}

impl Console for Deaf {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let rest = INPUT.get(self.at..).unwrap_or_default();
        let len = bytes.len().min(rest.len());
        bytes[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        len
    }
}

/// Loads a program, as far as it can be loaded, and runs it for a while. What can be said of it
/// afterwards is said.
///
/// # Panics
///
/// If the memory manager no longer agrees with the page tables.
pub fn run(program: &Program, paging: PagingMode) {
    let config = MachineConfig {
        ram_bytes: RAM_BYTES,
        vmm: VmmConfig {
            paging,
            ..VmmConfig::default()
        },
        aslr: match paging {
            PagingMode::TwoLevel => Aslr::Off,
            PagingMode::Pae => Aslr::Seeded(1),
        },
        turns: Turns {
            quantum: QUANTUM,
            seed: 0,
        },
        arguments: "one \"two three\" 4".to_owned(),
        ..MachineConfig::default()
    };
    let console = Box::new(Deaf { at: 0 });
    let debug = DebugInfo::default();
    let loaded = Machine::load_program(program, debug, &config, console, Listener::deaf());
    let Ok(mut machine) = loaded else { return };
    machine.set_paging_file(Box::new(MemoryStore::new()), PAGING_FILE_BYTES);
    machine.set_files(Box::new(MemoryFiles::new()));
    let outcome = machine.run(BUDGET);
    explain(&mut machine, &outcome);
    let audited = machine.vmm().audit(machine.mmu());
    audited.expect("the memory manager agrees with the tables");
}

/// Asks for everything that a person would be shown.
fn explain(machine: &mut Machine<Listener>, outcome: &Outcome) {
    let mut bytes = [0; 16];
    let eip = machine.eip();
    if machine.peek_bytes(LinearAddr::new(eip), &mut bytes).is_ok() {
        _ = disassemble(&bytes, eip);
    }
    let fault = match outcome {
        Outcome::Exception(report) => report.memory.as_ref().map(|memory| memory.fault.addr),
        _ => None,
    };
    let about = fault.unwrap_or(LinearAddr::new(eip));
    _ = format!("{outcome:?} {:?}", machine.page_report(about));
    _ = machine.address_map();
}
