//! A program that is loaded with all that its command line gives it, and has not begun.

use std::io;

use anyhow::Context;
use pagefault_machine::vmm::mmu::{LinearAddr, MmuConfig};
use pagefault_machine::vmm::{MemoryStore, PageStore, StreamStore, VmmConfig};
use pagefault_machine::{Aslr, Console, DebugInfo, Machine, MachineConfig, Program, Turns, Watch};

use crate::args::RunArguments;
use crate::folder::Folder;

/// Where the pages of a paging file are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PagingFile {
    /// In a temporary file.
    OnDisk,
    /// In memory: each moment of a recording has its own.
    InMemory,
}

impl PagingFile {
    fn store(self) -> io::Result<Box<dyn PageStore>> {
        Ok(match self {
            Self::OnDisk => Box::new(StreamStore::new(tempfile::tempfile()?)),
            Self::InMemory => Box::new(MemoryStore::new()),
        })
    }
}

/// Loads a program; complains and returns `None` if that fails.
///
/// # Errors
///
/// There is no paging file to be had.
pub(crate) fn load<W: Watch>(
    arguments: &RunArguments,
    program: &Program,
    debug: DebugInfo,
    console: Box<dyn Console>,
    watch: W,
    paging_file: PagingFile,
) -> anyhow::Result<Option<Machine<W>>> {
    let loaded = Machine::load_program(program, debug, &config(arguments), console, watch);
    let mut machine = match loaded {
        Ok(machine) => machine,
        Err(error) => {
            let name = arguments.program.display();
            anstream::eprintln!("error: cannot load {name}: {error}");
            return Ok(None);
        }
    };
    if let Some(limit_bytes) = arguments.pagefile {
        let store = paging_file.store().context("cannot make a paging file")?;
        machine.set_paging_file(store, limit_bytes);
    }
    if let Err(reason) = prepare(arguments, &mut machine) {
        anstream::eprintln!("error: {reason}");
        return Ok(None);
    }
    Ok(Some(machine))
}

/// Gives the program the registers, the memory and the files that were asked for; returns why that
/// cannot be.
fn prepare<W: Watch>(arguments: &RunArguments, machine: &mut Machine<W>) -> Result<(), String> {
    for &(register, value) in &arguments.reg {
        machine.set_register(register, value);
    }
    for mapping in &arguments.map {
        let addr = LinearAddr::new(mapping.addr);
        machine
            .map_memory(addr, mapping.size_bytes, mapping.protect)
            .map_err(|error| format!("cannot map memory at {:#010x}: {error}", mapping.addr))?;
    }
    if let Some(path) = &arguments.files {
        let cannot = |error| format!("cannot use the folder {}: {error}", path.display());
        let folder = Folder::open(path).map_err(cannot)?;
        machine.set_files(Box::new(folder));
    }
    Ok(())
}

fn config(arguments: &RunArguments) -> MachineConfig {
    let stem = arguments.program.file_stem().unwrap_or_default();
    MachineConfig {
        program_name: format!("{}.exe", stem.to_string_lossy()),
        arguments: arguments.command_line(),
        aslr: arguments.aslr.map_or(Aslr::Off, Aslr::Seeded),
        ram_bytes: arguments.ram,
        mmu: MmuConfig {
            tlb: arguments.tlb.clone(),
            ..MmuConfig::default()
        },
        vmm: VmmConfig {
            paging: arguments.paging.mode(),
            profile: arguments.profile.rules(),
            replacement: arguments.replacement,
            ..VmmConfig::default()
        },
        turns: Turns {
            quantum: arguments.quantum,
            seed: arguments.seed,
        },
        ..MachineConfig::default()
    }
}
