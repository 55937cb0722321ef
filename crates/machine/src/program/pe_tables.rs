//! PE32 executables: imports, relocations, thread-local storage.

use super::bytes::Field;
use super::pe::{Directory, PeReadError, Reader};
use super::{ImportName, ProgramImport, ThreadLocal};

/// The size of an import descriptor in bytes.
const IMPORT_DESCRIPTOR_BYTES: u32 = 20;
/// The size of a delay import descriptor in bytes.
const SLOT_BYTES: u32 = 4;
/// In an import table: the rest is a number.
const BY_ORDINAL: u32 = 0x8000_0000;
/// The most data of one thread, in bytes.
const MAX_THREAD_LOCAL_BYTES: u32 = 16 << 20;
/// The most entries of a table.
const MAX_ENTRIES: u32 = 1 << 16;
/// The most bytes of the names of all imports, with those of their libraries.
const MAX_IMPORT_NAME_BYTES: usize = 16 << 20;

/// The imports so far. Many descriptors can share a table, and many entries a name: what a small
/// file says can be long.
#[derive(Default)]
struct Imports {
    list: Vec<ProgramImport>,
    name_bytes: usize,
}

impl Imports {
    /// Adds an import; `None` if there are too many.
    fn add(&mut self, import: ProgramImport) -> Option<()> {
        let name = match &import.name {
            ImportName::Name(name) => name.len(),
            ImportName::Ordinal(_) => 0,
        };
        let library = import.library.as_ref().map_or(0, String::len);
        self.name_bytes += name + library;
        self.list.push(import);
        let is_fine = self.list.len() <= MAX_ENTRIES as usize;
        (is_fine && self.name_bytes <= MAX_IMPORT_NAME_BYTES).then_some(())
    }
}

/// Returns what the program imports.
pub(super) fn imports(reader: &Reader<'_>) -> Result<Vec<ProgramImport>, PeReadError> {
    let mut imports = Imports::default();
    let Some((field, rva, _)) = reader.directory(Directory::Import)? else {
        return Ok(imports.list);
    };
    for index in 0..MAX_ENTRIES {
        let at = index
            .checked_mul(IMPORT_DESCRIPTOR_BYTES)
            .and_then(|offset| rva.checked_add(offset))
            .ok_or(PeReadError::Endless { field })?;
        let lookup = reader.u32(field, at)?;
        let name = reader.u32(field, at.saturating_add(12))?;
        let slots = reader.u32(field, at.saturating_add(16))?;
        if name == 0 || slots == 0 {
            return Ok(imports.list);
        }
        let library = reader.name(
            Field::new("library name of an import descriptor", at.into()),
            name,
        )?;
        // Old linkers leave out the lookup table; the slots say the same.
        let lookup = if lookup == 0 { slots } else { lookup };
        library_imports(reader, &library, lookup, slots, &mut imports)?;
    }
    Err(PeReadError::Endless { field })
}

fn library_imports(
    reader: &Reader<'_>,
    library: &str,
    lookup: u32,
    slots: u32,
    imports: &mut Imports,
) -> Result<(), PeReadError> {
    let field = Field::new("import lookup table", lookup.into());
    for index in 0..MAX_ENTRIES {
        let offset = index * SLOT_BYTES;
        let outside = |value| PeReadError::Outside { field, value };
        let at = lookup.checked_add(offset).ok_or(outside(lookup))?;
        let slot = slots.checked_add(offset).ok_or(outside(slots))?;
        let entry = reader.u32(field, at)?;
        if entry == 0 {
            return Ok(());
        }
        // The slot has to be in the image too.
        reader.u32(Field::new("import address table", slots.into()), slot)?;
        let name = if entry & BY_ORDINAL != 0 {
            let [low, high, ..] = entry.to_le_bytes();
            ImportName::Ordinal(u16::from_le_bytes([low, high]))
        } else {
            // A hint of two bytes comes before the name.
            let field = Field::new("name of an import", at.into());
            let name = entry.checked_add(2).ok_or(PeReadError::Outside {
                field,
                value: entry,
            })?;
            ImportName::Name(reader.name(field, name)?)
        };
        let library = Some(library.to_owned());
        let import = ProgramImport {
            name,
            library,
            slot,
        };
        imports.add(import).ok_or(PeReadError::Endless { field })?;
    }
    Err(PeReadError::Endless { field })
}

/// Refuses imports that are bound when they are first called.
pub(super) fn refuse_delay_imports(reader: &Reader<'_>) -> Result<(), PeReadError> {
    let Some((field, rva, _)) = reader.directory(Directory::DelayImport)? else {
        return Ok(());
    };
    let name = reader.u32(field, rva.saturating_add(4))?;
    if name == 0 {
        return Ok(());
    }
    let library = reader.name(field, name)?;
    Err(PeReadError::DelayImport { field, library })
}

/// Returns the offsets of the addresses to be changed; `None` if there is no table.
pub(super) fn relocations(reader: &Reader<'_>) -> Result<Option<Vec<u32>>, PeReadError> {
    const BLOCK_HEADER_BYTES: u32 = 8;
    const TYPE_SHIFT: u32 = 12;
    const OFFSET_MASK: u16 = 0xFFF;
    /// Fills up a block.
    const ABSOLUTE: u16 = 0;
    /// All 32 bits.
    const HIGHLOW: u16 = 3;
    let Some((field, rva, len)) = reader.directory(Directory::Relocation)? else {
        return Ok(None);
    };
    let mut places = Vec::new();
    let mut done = 0;
    while done + BLOCK_HEADER_BYTES <= len {
        let at = rva
            .checked_add(done)
            .ok_or(PeReadError::Outside { field, value: rva })?;
        let page = reader.u32(field, at)?;
        let block = reader.u32(field, at.saturating_add(4))?;
        let field = Field::new("size of a relocation block", at.into());
        if block == 0 {
            break;
        }
        if block < BLOCK_HEADER_BYTES || block > len - done {
            let expected = "it should fit the relocation directory";
            return Err(PeReadError::Value {
                field,
                value: block,
                expected,
            });
        }
        for index in 0..(block - BLOCK_HEADER_BYTES) / 2 {
            let entry_at = at + BLOCK_HEADER_BYTES + index * 2;
            let entry = reader.u16(field, entry_at)?;
            let place = page.wrapping_add(u32::from(entry & OFFSET_MASK));
            let field = Field::new("relocation", entry_at.into());
            match entry >> TYPE_SHIFT {
                ABSOLUTE => {}
                HIGHLOW => {
                    reader.u32(field, place)?;
                    places.push(place);
                }
                kind => {
                    let expected = "only relocations of type HIGHLOW (3) can be made";
                    let value = u32::from(kind);
                    return Err(PeReadError::Value {
                        field,
                        value,
                        expected,
                    });
                }
            }
        }
        done += block;
    }
    Ok(Some(places))
}

/// Returns the data of threads.
pub(super) fn thread_local(reader: &Reader<'_>) -> Result<Option<ThreadLocal>, PeReadError> {
    let Some((field, rva, _)) = reader.directory(Directory::ThreadLocal)? else {
        return Ok(None);
    };
    let mut words = [0; 5];
    for (index, word) in (0..).zip(&mut words) {
        let at = rva.checked_add(index * SLOT_BYTES);
        *word = reader.u32(field, at.ok_or(PeReadError::Outside { field, value: rva })?)?;
    }
    // These are addresses at the preferred base, not offsets.
    let offset = |addr: u32| {
        let outside = PeReadError::Outside { field, value: addr };
        addr.checked_sub(reader.base)
            .filter(|&offset| offset < reader.size)
            .ok_or(outside)
    };
    let [start, end, index, callbacks, zero_bytes] = words;
    let template_bytes = end.saturating_sub(start);
    let template = if template_bytes == 0 {
        0
    } else {
        offset(start)?
    };
    reader.check(field, template, template_bytes)?;
    let all_bytes = template_bytes.saturating_add(zero_bytes);
    if all_bytes > MAX_THREAD_LOCAL_BYTES {
        return Err(PeReadError::Value {
            field: Field::new("size of the data of a thread (TLS directory)", rva.into()),
            value: all_bytes,
            expected: "it should be 1000000h (16 MiB) at most",
        });
    }
    let index = if index == 0 { 0 } else { offset(index)? };
    let mut functions = Vec::new();
    if callbacks != 0 {
        let table = offset(callbacks)?;
        for index in 0..MAX_ENTRIES {
            let at = table.saturating_add(index * SLOT_BYTES);
            match reader.u32(Field::new("TLS callbacks", table.into()), at)? {
                0 => break,
                function => functions.push(offset(function)?),
            }
        }
    }
    Ok(Some(ThreadLocal {
        template,
        template_bytes,
        zero_bytes,
        index,
        callbacks: functions,
    }))
}
