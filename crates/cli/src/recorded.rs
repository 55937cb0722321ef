//! A program that is recorded as it runs, for debuggers.

use anyhow::Context;
use pagefault_asm::ImageSymbol;
use pagefault_machine::{Console, Listener, RecordOptions, Recording};

use crate::args::RunArguments;
use crate::load::{self, PagingFile};
use crate::program::{Loadable, read};

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
/// The program cannot be recorded.
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
    let listener = Listener::deaf();
    let kept = PagingFile::InMemory;
    let loaded = load::load(arguments, &program, debug, console, listener, kept)?;
    let Some(machine) = loaded else {
        return Ok(None);
    };
    let options = RecordOptions {
        memory_bytes: history_bytes,
        ..RecordOptions::default()
    };
    let recording = Recording::new(machine, options).context("cannot record the program")?;
    Ok(Some(Recorded { recording, symbols }))
}
