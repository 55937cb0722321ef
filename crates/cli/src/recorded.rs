//! A program that is recorded as it runs, for debuggers.

use anyhow::Context;
use pagefault_asm::ImageSymbol;
use pagefault_machine::vmm::MemoryStore;
use pagefault_machine::{Console, Listener, Machine, RecordOptions, Recording};

use crate::args::RunArguments;
use crate::folder::Folder;
use crate::program::{Loadable, read};
use crate::run::config;

/// A program that is loaded and has not begun.
pub(crate) struct Recorded {
    pub(crate) recording: Recording,
    /// The labels of a source.
    pub(crate) symbols: Vec<ImageSymbol>,
}

/// Loads a program to be recorded with at most so many bytes of history; complains and returns
/// `None` if that fails.
///
/// # Errors
///
/// The folder of files cannot be used, or the program not be recorded.
pub(crate) fn load(
    arguments: &RunArguments,
    console: Box<dyn Console>,
    history_bytes: u64,
) -> anyhow::Result<Option<Recorded>> {
    let Some(Loadable {
        program,
        debug,
        symbols,
    }) = read(arguments)
    else {
        return Ok(None);
    };
    let config = config(arguments);
    let loaded = Machine::load_program(&program, debug, &config, console, Listener::deaf());
    let mut machine = match loaded {
        Ok(machine) => machine,
        Err(error) => {
            let name = arguments.program.display();
            anstream::eprintln!("error: cannot load {name}: {error}");
            return Ok(None);
        }
    };
    if let Some(limit_bytes) = arguments.pagefile {
        // Every moment has its own paging file, which a file on the host could not be.
        machine.set_paging_file(Box::new(MemoryStore::new()), limit_bytes);
    }
    if let Some(folder) = &arguments.files {
        let opened = Folder::open(folder);
        let what = || format!("cannot use the folder {}", folder.display());
        machine.set_files(Box::new(opened.with_context(what)?));
    }
    let options = RecordOptions {
        memory_bytes: history_bytes,
        ..RecordOptions::default()
    };
    let recording = Recording::new(machine, options).context("cannot record the program")?;
    Ok(Some(Recorded { recording, symbols }))
}
