//! PE32 console executables.

use thiserror::Error;

use crate::link::{Image, Import, Rights, Segment, SymbolName};
use crate::source::to_u32;

const PAGE_SIZE: u32 = 0x1000;
/// Sections in the file start at multiples of this.
const FILE_ALIGNMENT: u32 = 0x200;
/// Where the PE header starts, after the DOS header and its program.
const PE_OFFSET: u32 = 0x80;
const OPTIONAL_HEADER_SIZE: u16 = 0xE0;
const COFF_HEADER_SIZE: u32 = 24;
const SECTION_HEADER_SIZE: u32 = 40;
const DIRECTORIES: u32 = 16;
/// Places in the table of data directories.
const IMPORT_DIRECTORY: usize = 1;
const IAT_DIRECTORY: usize = 12;
const DESCRIPTOR_SIZE: u32 = 20;

/// Flags of sections: `IMAGE_SCN_CNT_*` and `IMAGE_SCN_MEM_*`.
mod flags {
    pub(super) const CODE: u32 = 0x20;
    pub(super) const INITIALIZED: u32 = 0x40;
    pub(super) const UNINITIALIZED: u32 = 0x80;
    pub(super) const EXECUTE: u32 = 0x2000_0000;
    pub(super) const READ: u32 = 0x4000_0000;
    pub(super) const WRITE: u32 = 0x8000_0000;
}

/// What the header of an executable says beyond the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeOptions {
    /// Bytes of address space for the stack.
    pub stack_reserve: u32,
    /// Bytes of the stack that are committed at the start.
    pub stack_commit: u32,
    /// Library for imports that the built-in tables do not know, such as `mylib.dll`.
    pub default_library: Option<String>,
}

impl Default for PeOptions {
    fn default() -> Self {
        Self {
            stack_reserve: 0x10_0000,
            stack_commit: 0x1000,
            default_library: None,
        }
    }
}

/// Why an image cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PeError {
    /// Nobody knows which library exports a function.
    #[error("no library is known for the imported function {name}: name one with includelib")]
    UnknownLibrary {
        /// The function.
        name: SymbolName,
    },
    /// A segment lies below the image or overlaps another one.
    #[error("segment {name} at {addr:#010x} does not fit the image")]
    BadSegment {
        /// The segment.
        name: SymbolName,
        /// Its address.
        addr: u32,
    },
}

/// A section of the file.
struct FileSection {
    name: String,
    rva: u32,
    size: u32,
    bytes: Vec<u8>,
    flags: u32,
}

/// The import tables.
#[derive(Default)]
struct ImportTables {
    directory: (u32, u32),
    addresses: (u32, u32),
}

/// Writes a linked image as an executable that Windows loads.
///
/// # Errors
///
/// See [`PeError`].
pub fn write_pe(image: &Image, options: &PeOptions) -> Result<Vec<u8>, PeError> {
    let mut sections = Vec::new();
    for segment in &image.segments {
        sections.push(file_section(image, segment)?);
    }
    let tables = match sections
        .iter_mut()
        .find(|section| section.name == IMPORT_SECTION)
    {
        Some(section) => import_tables(image, options, section)?,
        None => ImportTables::default(),
    };
    let header_size = PE_OFFSET
        + COFF_HEADER_SIZE
        + u32::from(OPTIONAL_HEADER_SIZE)
        + SECTION_HEADER_SIZE * to_u32(sections.len());
    let headers = header_size.next_multiple_of(FILE_ALIGNMENT);
    let mut out = dos_header();
    write_coff_header(&sections, &mut out);
    write_optional_header(image, options, &sections, headers, &mut out);
    write_directories(&tables, &mut out);
    let mut at = headers;
    for section in &sections {
        let raw = to_u32(section.bytes.len()).next_multiple_of(FILE_ALIGNMENT);
        write_section_header(section, if raw > 0 { at } else { 0 }, raw, &mut out);
        at = at.wrapping_add(raw);
    }
    out.resize(headers as usize, 0);
    for section in &sections {
        out.extend_from_slice(&section.bytes);
        out.resize(out.len().next_multiple_of(FILE_ALIGNMENT as usize), 0);
    }
    Ok(out)
}

/// The section that the linker reserves for import addresses.
pub(crate) const IMPORT_SECTION: &str = ".idata";

fn file_section(image: &Image, segment: &Segment) -> Result<FileSection, PeError> {
    let bad = || PeError::BadSegment {
        name: SymbolName::new(&segment.name),
        addr: segment.addr,
    };
    let rva = segment
        .addr
        .checked_sub(image.base)
        .filter(|rva| *rva >= PAGE_SIZE)
        .ok_or_else(bad)?;
    let mut bits = match (
        segment.rights.contains(Rights::EXECUTE),
        segment.bytes.is_empty(),
    ) {
        (true, _) => flags::CODE,
        (false, false) => flags::INITIALIZED,
        (false, true) if segment.name == IMPORT_SECTION => flags::INITIALIZED,
        (false, true) => flags::UNINITIALIZED,
    };
    for (right, flag) in [
        (Rights::READ, flags::READ),
        (Rights::WRITE, flags::WRITE),
        (Rights::EXECUTE, flags::EXECUTE),
    ] {
        if segment.rights.contains(right) {
            bits |= flag;
        }
    }
    Ok(FileSection {
        name: segment.name.clone(),
        rva,
        size: segment.size,
        bytes: segment.bytes.clone(),
        flags: bits,
    })
}

/// Imports of one library, in the order of their slots.
struct Library<'i> {
    name: String,
    imports: Vec<&'i Import>,
}

fn libraries<'i>(image: &'i Image, options: &PeOptions) -> Result<Vec<Library<'i>>, PeError> {
    let mut list: Vec<Library<'i>> = Vec::new();
    for import in &image.imports {
        let known = import
            .library
            .clone()
            .or_else(|| options.default_library.clone());
        let name = known
            .map(|name| name.replace(".lib", ".dll"))
            .ok_or_else(|| PeError::UnknownLibrary {
                name: SymbolName::new(&import.name),
            })?;
        match list.last_mut().filter(|last| last.name == name) {
            Some(last) => last.imports.push(import),
            None => list.push(Library {
                name,
                imports: vec![import],
            }),
        }
    }
    Ok(list)
}

/// Fills the import section: the address table that the code uses stays at its start; the
/// descriptors, the lookup tables and the names follow.
fn import_tables(
    image: &Image,
    options: &PeOptions,
    section: &mut FileSection,
) -> Result<ImportTables, PeError> {
    let libraries = libraries(image, options)?;
    let slots = section.size;
    let descriptors_at = slots;
    let descriptors = DESCRIPTOR_SIZE * (to_u32(libraries.len()) + 1);
    let lookup_at = descriptors_at + descriptors;
    let mut names_at = lookup_at + slots;
    let mut table = vec![0_u8; slots as usize];
    let mut names = Vec::new();
    let mut records = Vec::new();
    for library in &libraries {
        let first = library.imports.first().map_or(0, |import| import.slot);
        let first = first.wrapping_sub(image.base).wrapping_sub(section.rva);
        for import in &library.imports {
            let slot = import
                .slot
                .wrapping_sub(image.base)
                .wrapping_sub(section.rva) as usize;
            let hint_name = section.rva.wrapping_add(names_at);
            if let Some(field) = table.get_mut(slot..slot + 4) {
                field.copy_from_slice(&hint_name.to_le_bytes());
            }
            // A hint of zero, the name, its end, and a byte to keep the next one even.
            let mut entry = vec![0, 0];
            entry.extend_from_slice(import.name.as_bytes());
            entry.resize((entry.len() + 1).next_multiple_of(2), 0);
            names_at += to_u32(entry.len());
            names.extend(entry);
        }
        let name_rva = section.rva.wrapping_add(names_at);
        let mut name = library.name.clone().into_bytes();
        name.resize((name.len() + 1).next_multiple_of(2), 0);
        names_at += to_u32(name.len());
        names.extend(name);
        let lookup = section.rva.wrapping_add(lookup_at + first);
        let addresses = section.rva.wrapping_add(first);
        for value in [lookup, 0, 0, name_rva, addresses] {
            records.extend(value.to_le_bytes());
        }
    }
    records.resize(descriptors as usize, 0);
    section.bytes = [&table[..], &records, &table, &names].concat();
    section.size = to_u32(section.bytes.len());
    Ok(ImportTables {
        directory: (section.rva + descriptors_at, descriptors),
        addresses: (section.rva, slots),
    })
}

/// The DOS header with the offset of the PE header; its program is a bare return to DOS.
fn dos_header() -> Vec<u8> {
    const OFFSET_FIELD: usize = 0x3C;
    /// `mov ax,4C01h; int 21h`.
    const PROGRAM: [u8; 5] = [0xB8, 0x01, 0x4C, 0xCD, 0x21];
    let mut out = vec![0; PE_OFFSET as usize];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = out.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, b"MZ");
    put(0x02, &[0x90, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0xFF, 0xFF]);
    put(0x10, &[0xB8]);
    put(0x18, &[0x40]);
    put(OFFSET_FIELD, &PE_OFFSET.to_le_bytes());
    put(0x40, &PROGRAM);
    out
}

/// Writes the signature and the COFF header.
fn write_coff_header(sections: &[FileSection], out: &mut Vec<u8>) {
    const MACHINE_I386: u16 = 0x014C;
    /// Relocations stripped, executable, line numbers and symbols stripped, 32-bit.
    const CHARACTERISTICS: u16 = 0x010F;
    /// Bytes of the time stamp and of the place and the size of the symbol table: there are none.
    const NO_SYMBOLS: usize = 12;
    let count = u16::try_from(sections.len()).unwrap_or(u16::MAX);
    out.extend(b"PE\0\0");
    out.extend(MACHINE_I386.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend([0; NO_SYMBOLS]);
    out.extend(OPTIONAL_HEADER_SIZE.to_le_bytes());
    out.extend(CHARACTERISTICS.to_le_bytes());
}

/// Returns the size of the sections with a flag as the optional header sums it up.
fn size_of_all(sections: &[FileSection], flag: u32) -> u32 {
    let sizes = sections
        .iter()
        .filter(|section| section.flags & flag != 0)
        .map(|section| section.size.next_multiple_of(FILE_ALIGNMENT));
    sizes.fold(0, u32::wrapping_add)
}

/// Returns the address of the first section with a flag, relative to the image.
fn first_of(sections: &[FileSection], flag: u32) -> u32 {
    let first = sections.iter().find(|section| section.flags & flag != 0);
    first.map_or(0, |section| section.rva)
}

/// Writes the optional header up to its directories.
fn write_optional_header(
    image: &Image,
    options: &PeOptions,
    sections: &[FileSection],
    headers: u32,
    out: &mut Vec<u8>,
) {
    const PE32_MAGIC: u16 = 0x010B;
    /// The versions of Windows that the file asks for: 4.0.
    const VERSION: u16 = 4;
    const CONSOLE: u16 = 3;
    const HEAP_RESERVE: u32 = 0x10_0000;
    let end = sections
        .last()
        .map_or(PAGE_SIZE, |section| section.rva.wrapping_add(section.size));
    out.extend(PE32_MAGIC.to_le_bytes());
    out.extend([0, 0]);
    write_words(
        &[
            size_of_all(sections, flags::CODE),
            size_of_all(sections, flags::INITIALIZED),
            size_of_all(sections, flags::UNINITIALIZED),
            image.entry.wrapping_sub(image.base),
            first_of(sections, flags::CODE),
            first_of(sections, flags::INITIALIZED),
            image.base,
            PAGE_SIZE,
            FILE_ALIGNMENT,
        ],
        out,
    );
    for version in [VERSION, 0, 0, 0, VERSION, 0] {
        out.extend(version.to_le_bytes());
    }
    write_words(&[0, end.next_multiple_of(PAGE_SIZE), headers, 0], out);
    out.extend(CONSOLE.to_le_bytes());
    out.extend([0, 0]);
    let stack = [options.stack_reserve, options.stack_commit];
    write_words(&stack, out);
    write_words(&[HEAP_RESERVE, PAGE_SIZE, 0, DIRECTORIES], out);
}

/// Writes the data directories, with which the optional header ends.
fn write_directories(tables: &ImportTables, out: &mut Vec<u8>) {
    let mut directories = [(0_u32, 0_u32); DIRECTORIES as usize];
    directories[IMPORT_DIRECTORY] = tables.directory;
    directories[IAT_DIRECTORY] = tables.addresses;
    for (rva, size) in directories {
        write_words(&[rva, size], out);
    }
}

fn write_words(words: &[u32], out: &mut Vec<u8>) {
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

fn write_section_header(section: &FileSection, raw_at: u32, raw_size: u32, out: &mut Vec<u8>) {
    const NAME_SIZE: usize = 8;
    let mut name = [0; NAME_SIZE];
    for (byte, value) in name.iter_mut().zip(section.name.bytes()) {
        *byte = value;
    }
    out.extend(name);
    let place = [section.size, section.rva, raw_size, raw_at];
    write_words(&place, out);
    write_words(&[0, 0, 0, section.flags], out);
}
