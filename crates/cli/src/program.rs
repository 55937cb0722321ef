//! What is to be run: a source or an executable, by what is in the file.

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
    if bytes.starts_with(MZ) {
        return match Program::from_pe(&bytes) {
            Ok(program) => Some(Loadable {
                program,
                debug: DebugInfo::default(),
                symbols: Vec::new(),
            }),
            Err(error) => {
                anstream::eprintln!("error: cannot load {name}: {error}");
                None
            }
        };
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
