//! Programs as the loader wants them, whatever file they come from.

mod bytes;
mod elf;
mod flat;
mod pe;
mod pe_tables;

use bitflags::bitflags;
use pagefault_asm::{Image, PeError, PeOptions, write_pe};

pub use bytes::Field;
pub use elf::ElfReadError;
pub use flat::FlatError;
pub use pe::PeReadError;

use crate::layout::SHARED_DATA;

/// The first address that a program may be at.
const USER_START: u32 = 0x1_0000;
/// The first address behind that is the system's: the page that it shares with every process.
const USER_END: u32 = SHARED_DATA;

bitflags! {
    /// What may be done with a part of a program.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct PartRights: u8 {
        /// It can be read.
        const READ = 1 << 0;
        /// It can be written.
        const WRITE = 1 << 1;
        /// It can be executed.
        const EXECUTE = 1 << 2;
    }
}

/// A part of a program with rights of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Where it is, from the program's base; a multiple of 4 KiB.
    pub offset: u32,
    /// Its size in bytes; what the bytes do not cover is zero.
    pub size: u32,
    /// The initial bytes.
    pub bytes: Vec<u8>,
    /// What may be done with it.
    pub rights: PartRights,
}

/// How an import is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportName {
    /// By name.
    Name(String),
    /// By number.
    Ordinal(u16),
}

/// An imported function or datum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramImport {
    /// What is imported.
    pub name: ImportName,
    /// The library that should have it; `None` if nobody knows.
    pub library: Option<String>,
    /// Where its address goes, from the program's base.
    pub slot: u32,
}

/// Data of which each thread has its own copy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadLocal {
    /// Where the initial bytes are, from the program's base.
    pub template: u32,
    /// How many there are.
    pub template_bytes: u32,
    /// Zeros that follow them, in bytes.
    pub zero_bytes: u32,
    /// Where the number of the block goes, from the program's base.
    pub index: u32,
    /// Functions to call when a process or a thread starts or ends, from the program's base.
    pub callbacks: Vec<u32>,
}

/// How much memory a program wants for its stack, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackSize {
    /// The address space.
    pub reserve: u32,
    /// What of it is committed at the start.
    pub commit: u32,
}

/// The system that a program is written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    /// Windows: a process with thread and process environment blocks and structured exceptions.
    Windows,
    /// Linux: arguments on the stack, `int 80h`. An exception ends the process.
    Linux,
    /// None: a process as of Windows, which may also use `int 80h`.
    Bare,
}

/// A program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// The system that it is written for.
    pub platform: Platform,
    /// The linear address that it wants to be at.
    pub base: u32,
    /// How many bytes it takes from there.
    pub size: u32,
    /// The first instruction, from the base.
    pub entry: u32,
    /// The parts by offset; they do not overlap.
    pub parts: Vec<Part>,
    /// What it imports.
    pub imports: Vec<ProgramImport>,
    /// Where addresses are that have to be changed if it is elsewhere; `None` if it cannot be.
    pub relocations: Option<Vec<u32>>,
    /// Data of threads.
    pub thread_local: Option<ThreadLocal>,
    /// What it says of its stack.
    pub stack: Option<StackSize>,
}

/// The library that stands for none in an executable of ours.
const NO_LIBRARY: &str = "?";

impl Program {
    /// Reads a PE32 executable.
    ///
    /// # Errors
    ///
    /// [`PeReadError`]: the first field that is wrong, and where it is.
    pub fn from_pe(bytes: &[u8]) -> Result<Self, PeReadError> {
        let mut program = pe::read(bytes)?;
        for import in &mut program.imports {
            if import.library.as_deref() == Some(NO_LIBRARY) {
                import.library = None;
            }
        }
        Ok(program)
    }

    /// Reads an ELF32 executable that is linked statically.
    ///
    /// # Errors
    ///
    /// [`ElfReadError`]: the first field that is wrong, and where it is.
    pub fn from_elf(bytes: &[u8]) -> Result<Self, ElfReadError> {
        elf::read(bytes)
    }

    /// Returns raw bytes as a program that is at `base` and begins at `entry`, both linear
    /// addresses. All of it can be read, written and executed.
    ///
    /// # Errors
    ///
    /// [`FlatError`] if it is no such program.
    pub fn from_flat(bytes: &[u8], base: u32, entry: u32) -> Result<Self, FlatError> {
        flat::read(bytes, base, entry)
    }

    /// Returns whether a file is an ELF file.
    pub fn is_elf(bytes: &[u8]) -> bool {
        bytes.starts_with(elf::MAGIC)
    }

    /// Returns an image that the assembler has linked, as the executable that it would be.
    ///
    /// # Errors
    ///
    /// [`FromImageError`] if it would be none.
    pub fn from_image(image: &Image) -> Result<Self, FromImageError> {
        let options = PeOptions {
            default_library: Some(NO_LIBRARY.to_owned()),
            ..PeOptions::default()
        };
        Ok(Self::from_pe(&write_pe(image, &options)?)?)
    }
}

/// Why an image is no executable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FromImageError {
    /// It cannot be written as one.
    #[error(transparent)]
    Write(#[from] PeError),
    /// What was written cannot be read.
    #[error(transparent)]
    Read(#[from] PeReadError),
}
