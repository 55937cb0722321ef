//! Programs to record, and everything that is to be seen of them at a moment.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pagefault_machine::asm::{IncludeFiles, LinkOptions, Options, assemble, link};
use pagefault_machine::cpu::Registers;
use pagefault_machine::vmm::mmu::{Statistics, TlbEntry};
use pagefault_machine::vmm::{Counters, MemoryStore};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, MapEntry, RecordOptions, Recording,
    Stream,
};

/// What a program has printed.
pub(crate) type Printed = Rc<RefCell<Vec<u8>>>;

#[derive(Debug)]
struct Screen {
    printed: Printed,
    input: &'static [u8],
}

impl Console for Screen {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) {
        self.printed.borrow_mut().extend_from_slice(bytes);
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let len = bytes.len().min(self.input.len());
        let (now, later) = self.input.split_at(len);
        bytes[..len].copy_from_slice(now);
        self.input = later;
        len
    }
}

struct Includes(PathBuf);

impl IncludeFiles for Includes {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = String::from_utf8_lossy(name).into_owned();
        let bytes = fs::read(self.0.join(&name)).ok()?;
        Some((name, bytes))
    }
}

/// Returns the folder of the programs.
pub(crate) fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/programs")
}

/// Returns a machine with the program of this source, and what it prints.
pub(crate) fn load(source: &[u8], config: &MachineConfig) -> (Machine<Listener>, Printed) {
    let includes = Includes(programs());
    let assembled = assemble("test.asm", source, &includes, &Options::default())
        .unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics));
    let image = link(&assembled.object, &LinkOptions::default()).unwrap();
    let printed = Printed::default();
    let console = Screen {
        printed: Rc::clone(&printed),
        input: b"12\r\n34\r\nabc\r\n",
    };
    let debug = DebugInfo::new(&assembled, &image);
    let mut machine =
        Machine::load(&image, debug, config, Box::new(console), Listener::deaf()).unwrap();
    machine.set_paging_file(Box::new(MemoryStore::new()), 64 << 20);
    (machine, printed)
}

/// Returns a recording of the program of this source.
pub(crate) fn record(source: &[u8], options: RecordOptions) -> Recording {
    let (machine, _) = load(source, &MachineConfig::default());
    Recording::new(machine, options).unwrap()
}

/// All that can be seen of a machine.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    instructions: u64,
    registers: Registers,
    statistics: Statistics,
    tlb: Vec<TlbEntry>,
    counters: Counters,
    map: Vec<MapEntry>,
    slots: (u32, u32),
    /// The frames in use and what they hold, summed up.
    frames: Vec<(u32, u64)>,
}

impl Seen {
    pub(crate) fn of(machine: &Machine<Listener>) -> Self {
        let mem = machine.mmu().mem();
        let frames = machine.vmm().frames_in_use().map(|frame| {
            let sum = mem.frame(frame).unwrap().iter().fold(0_u64, |sum, &byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
            (frame.bits(), sum)
        });
        Self {
            instructions: machine.instructions(),
            registers: machine.registers().clone(),
            statistics: machine.statistics(),
            tlb: machine.mmu().tlb_entries().collect(),
            counters: *machine.vmm().counters(),
            map: machine.address_map(),
            slots: machine.vmm().paging_file_slots(),
            frames: frames.collect(),
        }
    }
}
