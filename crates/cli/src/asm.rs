//! `pagefault asm`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pagefault_asm::{Assembled, Image, PeOptions, listing, write_coff, write_pe};

use crate::args::{AsmArguments, Format};
use crate::program::{assembled, assembled_only};
use crate::run::EXIT_NO_PROGRAM;
use crate::{files, output};

/// Assembles the program and writes what was asked for; returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(arguments: &AsmArguments) -> anyhow::Result<u8> {
    let path = &arguments.program;
    let name = path.display().to_string();
    let source = match files::read(path) {
        Ok(source) => source,
        Err(reason) => {
            anstream::eprintln!("error: cannot read {name}: {reason}");
            return Ok(EXIT_NO_PROGRAM);
        }
    };
    let Some(output) = output(arguments, &name, &source) else {
        return Ok(EXIT_NO_PROGRAM);
    };
    let target = arguments.output.clone().unwrap_or_else(|| {
        let ending = match arguments.format {
            Format::Pe => "exe",
            Format::Coff => "obj",
            Format::Bin => "bin",
        };
        PathBuf::from(path.with_extension(ending).file_name().unwrap_or_default())
    });
    write(&target, &output.bytes)?;
    if let Some(path) = &arguments.listing {
        write(path, listing(&output.assembled).as_bytes())?;
    }
    if let Some(path) = &arguments.symbols {
        write(path, output.symbols.as_bytes())?;
    }
    Ok(0)
}

/// What is made of a source.
struct Output {
    bytes: Vec<u8>,
    assembled: Assembled,
    symbols: String,
}

/// Makes the file that was asked for; complains and returns `None` if that fails.
fn output(arguments: &AsmArguments, name: &str, source: &[u8]) -> Option<Output> {
    if arguments.format == Format::Coff {
        let assembled = assembled_only(name, source)?;
        let bytes = complain(name, write_coff(&assembled.object))?;
        let symbols = object_symbols(&assembled);
        return Some(Output {
            bytes,
            assembled,
            symbols,
        });
    }
    let (assembled, image) = assembled(name, source)?;
    let bytes = if arguments.format == Format::Pe {
        warn_of_static_libraries(&image);
        complain(name, write_pe(&image, &PeOptions::default()))?
    } else {
        raw(name, &image)?
    };
    let symbols = image_symbols(&image);
    Some(Output {
        bytes,
        assembled,
        symbols,
    })
}

fn complain<T, E: std::fmt::Display>(name: &str, result: Result<T, E>) -> Option<T> {
    result
        .inspect_err(|error| anstream::eprintln!("error: cannot write {name}: {error}"))
        .ok()
}

/// Warns of imports that no library of Windows has, because linkers take them from a static one.
fn warn_of_static_libraries(image: &Image) {
    let is_static = |library: &str| {
        Path::new(library)
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("lib"))
    };
    for import in &image.imports {
        if import.library.as_deref().is_some_and(is_static) {
            anstream::eprintln!(
                "warning: {} is code of {}, which is not linked: pagefault runs the program, \
                 Windows does not",
                import.name,
                import.library.as_deref().unwrap_or_default(),
            );
        }
    }
}

/// The largest file of raw bytes.
const MAX_RAW_BYTES: u32 = 256 << 20;

/// Returns the image from its first section on, without headers and without zeros at the end.
fn raw(name: &str, image: &Image) -> Option<Vec<u8>> {
    if let Some(import) = image.imports.first() {
        anstream::eprintln!(
            "error: cannot write {name}: raw bytes have no imports, but {} is one",
            import.name
        );
        return None;
    }
    let mut bytes = Vec::new();
    let start = image
        .segments
        .first()
        .map_or(image.base, |segment| segment.addr);
    for segment in &image.segments {
        let at = segment.addr.wrapping_sub(start);
        if at > MAX_RAW_BYTES {
            anstream::eprintln!("error: cannot write {name}: it is larger than 256 MiB");
            return None;
        }
        if !segment.bytes.is_empty() {
            bytes.resize(at as usize, 0);
            bytes.extend_from_slice(&segment.bytes);
        }
    }
    Some(bytes)
}

/// A line for each label: address, size of the datum, name.
fn image_symbols(image: &Image) -> String {
    let mut text = String::new();
    for symbol in &image.symbols {
        _ = writeln!(
            text,
            "{:08X} {:8X} {}",
            symbol.addr, symbol.size, symbol.name
        );
    }
    text
}

/// The same for an object, whose labels have offsets in their sections.
fn object_symbols(assembled: &Assembled) -> String {
    let mut text = String::new();
    for label in &assembled.object.labels {
        let section = assembled.object.sections.get(label.section);
        let section = section.map_or("", |section| section.name.as_str());
        _ = writeln!(
            text,
            "{section}:{:08X} {:8X} {}",
            label.offset, label.size, label.name
        );
    }
    text
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    output::write_file(path, bytes)
}
