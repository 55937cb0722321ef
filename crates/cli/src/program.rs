//! What is to be run: a source or an executable, by what is in the file.

use std::fmt::Display;
use std::path::Path;

use pagefault_asm::{Assembled, Image, ImageSymbol, LinkOptions, Options, assemble, link};
use pagefault_machine::{DebugInfo, Program};

use crate::args::RunArguments;
use crate::{diagnostics, files};

/// A program that can be loaded, and what is known of it.
pub(crate) struct Loadable {
    pub(crate) program: Program,
    pub(crate) debug: DebugInfo,
    /// The labels of a source.
    pub(crate) symbols: Vec<ImageSymbol>,
}

/// What an executable starts with.
const MZ: &[u8] = b"MZ";

/// Reads the program, and assembles it if it is a source; complains and returns `None` if that
/// fails.
pub(crate) fn read(arguments: &RunArguments) -> Option<Loadable> {
    let path = &arguments.program;
    let name = path.display().to_string();
    let bytes = match files::read(path) {
        Ok(bytes) => bytes,
        Err(reason) => {
            anstream::eprintln!("error: cannot read {name}: {reason}");
            return None;
        }
    };
    match executable(arguments, &bytes) {
        Some(Ok(program)) => {
            return Some(Loadable {
                program,
                debug: DebugInfo::default(),
                symbols: Vec::new(),
            });
        }
        Some(Err(reason)) => {
            anstream::eprintln!("error: cannot load {name}: {reason}");
            return None;
        }
        None => {}
    }
    let (assembled, image) = assembled(&name, &bytes)?;
    let debug = DebugInfo::new(&assembled, &image);
    match Program::from_image(&image) {
        Ok(program) => Some(Loadable {
            program,
            debug,
            symbols: image.symbols,
        }),
        Err(error) => {
            anstream::eprintln!("error: cannot load {name}: {error}");
            None
        }
    }
}

/// Returns the program that is no source, or why it cannot be loaded; `None` for a source.
fn executable(arguments: &RunArguments, bytes: &[u8]) -> Option<Result<Program, String>> {
    fn told<E: Display>(read: Result<Program, E>) -> Result<Program, String> {
        read.map_err(|error| error.to_string())
    }
    if let Some(base) = arguments.base {
        let entry = arguments.entry.unwrap_or(base);
        return Some(told(Program::from_flat(bytes, base, entry)));
    }
    if bytes.starts_with(MZ) {
        return Some(told(Program::from_pe(bytes)));
    }
    if Program::is_elf(bytes) {
        return Some(told(Program::from_elf(bytes)));
    }
    if has_ending(&arguments.program, &["bin"]) {
        let reason = "raw bytes need an address: give one, as in --base 0x401000";
        return Some(Err(reason.to_owned()));
    }
    if !can_be_source(&arguments.program, bytes) {
        let reason = "it is no executable, which begins with MZ or with 7Fh and ELF, and no \
            assembler source; raw bytes need an address, as in --base 0x401000";
        return Some(Err(reason.to_owned()));
    }
    None
}

/// Returns whether a file that is no executable can be a source, by its name and its first bytes.
/// Otherwise the assembler would complain of characters that nobody has written.
fn can_be_source(path: &Path, bytes: &[u8]) -> bool {
    /// How much of the file is looked at, in bytes.
    const HEAD_BYTES: usize = 4096;
    /// What ends a text for DOS.
    const CONTROL_Z: u8 = 0x1A;
    if has_ending(path, &["asm", "inc"]) {
        return true;
    }
    if has_ending(path, &["exe", "dll", "com", "scr", "elf", "o", "obj", "so"]) {
        return false;
    }
    let mut head = bytes.iter().take(HEAD_BYTES);
    head.all(|&byte| !byte.is_ascii_control() || byte.is_ascii_whitespace() || byte == CONTROL_Z)
}

/// Returns whether a file's name ends in one of these, whatever the case.
fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().unwrap_or_default();
    let mut endings = endings.iter();
    endings.any(|known| ending.eq_ignore_ascii_case(known))
}

/// Assembles and links a source; complains and returns `None` if that fails.
pub(crate) fn assembled(name: &str, source: &[u8]) -> Option<(Assembled, Image)> {
    let assembled = assembled_only(name, source)?;
    match link(&assembled.object, &LinkOptions::default()) {
        Ok(image) => Some((assembled, image)),
        Err(error) => {
            anstream::eprintln!("error: cannot link {name}: {error}");
            None
        }
    }
}

/// Assembles a source; complains and returns `None` if that fails.
pub(crate) fn assembled_only(name: &str, source: &[u8]) -> Option<Assembled> {
    match assemble(name, source, &files::Includes, &Options::default()) {
        Ok(assembled) => {
            diagnostics::print(&assembled.warnings, &assembled.files);
            Some(assembled)
        }
        Err(failure) => {
            diagnostics::print(&failure.diagnostics, &failure.files);
            None
        }
    }
}
