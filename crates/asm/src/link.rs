//! Linking one object to an image: addresses, references, import table.

use std::collections::BTreeMap;

use bitflags::bitflags;
use thiserror::Error;

use crate::builtin::library_of;
use crate::object::{Content, Object, RelocationKind, Symbol, SymbolClass, SymbolPlace};
use crate::pe::IMPORT_SECTION;
use crate::source::{Span, to_u32};

bitflags! {
    /// What may be done with a segment.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub struct Rights: u8 {
        /// It can be read.
        const READ = 1 << 0;
        /// It can be written.
        const WRITE = 1 << 1;
        /// It can be executed.
        const EXECUTE = 1 << 2;
    }
}

/// Size of a page: segments start at multiples of it.
const PAGE_SIZE: u32 = 0x1000;
/// Where executables are linked to.
const DEFAULT_BASE: u32 = 0x0040_0000;
/// Size of an entry of the import address table.
const SLOT_SIZE: u32 = 4;

/// What the caller can set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkOptions {
    /// Linear address of the image; a multiple of 4 KiB. The first segment starts one page above.
    pub image_base: u32,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            image_base: DEFAULT_BASE,
        }
    }
}

/// A name as a linker message shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolName(String);

impl SymbolName {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl std::fmt::Display for SymbolName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an object cannot be linked.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LinkError {
    /// The END directive names no entry point.
    #[error("the program has no entry point: write `end start` with the label to start at")]
    NoEntry,
    /// The entry point is not in code.
    #[error("the entry point is not in a code section")]
    EntryNotInCode,
    /// The image base is no multiple of the page size.
    #[error("image base {base:#010x} is not a multiple of 4 KiB")]
    UnalignedBase {
        /// The base.
        base: u32,
    },
    /// The segments do not fit below 4 GiB.
    #[error("the image does not fit into the address space")]
    TooLarge,
    /// A public or external datum that no library can give.
    #[error("unresolved external symbol {name}")]
    Unresolved {
        /// The symbol.
        name: SymbolName,
    },
    /// An object whose own references are broken.
    #[error("a reference at offset {offset:#x} of {section} lies outside of the section")]
    BadReference {
        /// The section.
        section: SymbolName,
        /// The offset.
        offset: u32,
    },
}

/// A part of an image with rights of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The section's name.
    pub name: String,
    /// Linear address, a multiple of 4 KiB.
    pub addr: u32,
    /// The initial bytes.
    pub bytes: Vec<u8>,
    /// Size in bytes; what the bytes do not cover is zero.
    pub size: u32,
    /// What may be done with it.
    pub rights: Rights,
}

/// An imported function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The name as the library exports it: `ExitProcess`.
    pub name: String,
    /// The library, if the built-in tables know it.
    pub library: Option<String>,
    /// Linear address of the 4 bytes that get the function's address.
    pub slot: u32,
    /// Linear address of the jump through the slot that calls go to.
    pub thunk: u32,
}

/// A label with its address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageSymbol {
    /// The name as in the source.
    pub name: String,
    /// Linear address.
    pub addr: u32,
    /// Size of the datum in bytes; 0 for code.
    pub size: u32,
    /// What it names.
    pub class: SymbolClass,
}

/// The source line of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageLine {
    /// Linear address of the first byte.
    pub addr: u32,
    /// Number of bytes.
    pub len: u32,
    /// The source line.
    pub span: Span,
}

/// A linked program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Linear address of the image.
    pub base: u32,
    /// Linear address of the first instruction.
    pub entry: u32,
    /// The segments by address.
    pub segments: Vec<Segment>,
    /// The imported functions by slot.
    pub imports: Vec<Import>,
    /// The labels by address.
    pub symbols: Vec<ImageSymbol>,
    /// The source lines by address.
    pub lines: Vec<ImageLine>,
}

/// Gives the sections of an object addresses and fills all references.
///
/// Calls of external functions go to a jump through the import address table, as with an import
/// library; the jumps stand at the end of the code.
///
/// # Errors
///
/// See [`LinkError`].
pub fn link(object: &Object, options: &LinkOptions) -> Result<Image, LinkError> {
    let base = options.image_base;
    if !base.is_multiple_of(PAGE_SIZE) {
        return Err(LinkError::UnalignedBase { base });
    }
    let layout = Layout::new(object, base)?;
    let mut segments = layout.segments(object);
    for (index, section) in object.sections.iter().enumerate() {
        for relocation in &section.relocations {
            let bad = || LinkError::BadReference {
                section: SymbolName(section.name.clone()),
                offset: relocation.offset,
            };
            let symbol = object.symbols.get(relocation.symbol).ok_or_else(bad)?;
            let target = layout.address(relocation.symbol, symbol)?;
            let segment = segments.get_mut(index).ok_or_else(bad)?;
            let start = relocation.offset as usize;
            let place = segment.addr.wrapping_add(relocation.offset);
            let field = segment
                .bytes
                .get_mut(start..start.saturating_add(4))
                .ok_or_else(bad)?;
            let field: &mut [u8; 4] = field.try_into().map_err(|_| bad())?;
            let value = u32::from_le_bytes(*field).wrapping_add(target);
            let value = match relocation.kind {
                RelocationKind::Address => value,
                RelocationKind::Relative => value.wrapping_sub(place.wrapping_add(4)),
                RelocationKind::ImageRelative => value.wrapping_sub(base),
            };
            *field = value.to_le_bytes();
        }
    }
    let entry = entry(object, &layout)?;
    segments.retain(|segment| segment.size > 0);
    segments.sort_by_key(|segment| segment.addr);
    Ok(Image {
        base,
        entry,
        segments,
        imports: layout.imports.clone(),
        symbols: image_symbols(object, &layout),
        lines: image_lines(object, &layout),
    })
}

fn entry(object: &Object, layout: &Layout) -> Result<u32, LinkError> {
    let symbol = object
        .entry
        .and_then(|index| object.symbols.get(index))
        .ok_or(LinkError::NoEntry)?;
    let SymbolPlace::Defined { section, offset } = symbol.place else {
        return Err(LinkError::NoEntry);
    };
    let is_code = object
        .sections
        .get(section)
        .is_some_and(|section| section.content == Content::Code);
    if !is_code {
        return Err(LinkError::EntryNotInCode);
    }
    Ok(layout.start(section).wrapping_add(offset))
}

/// Where everything goes.
struct Layout {
    /// Address of each section of the object.
    starts: Vec<u32>,
    /// The section that the jumps follow, and their bytes.
    thunks: Option<(usize, Vec<u8>)>,
    imports: Vec<Import>,
    /// Address of the jump for each imported symbol.
    thunk_of: BTreeMap<usize, u32>,
    slots_at: u32,
    slots_size: u32,
    /// Address of each datum of COMM, and of all of them.
    commons: BTreeMap<usize, u32>,
    commons_at: u32,
    commons_size: u32,
}

/// `jmp dword ptr [slot]`.
const THUNK_OPCODE: [u8; 2] = [0xFF, 0x25];
const THUNK_SIZE: u32 = 6;
const THUNK_ALIGN: u32 = 2;
/// The section of the data of COMM, and what each of them starts at a multiple of.
const COMMON_SECTION: &str = ".common";
const COMMON_ALIGN: u32 = 16;

impl Layout {
    fn new(object: &Object, base: u32) -> Result<Self, LinkError> {
        let imported: Vec<_> = object
            .symbols
            .iter()
            .enumerate()
            .filter(|(_, symbol)| symbol.place == SymbolPlace::External)
            .collect();
        let code = object
            .sections
            .iter()
            .position(|section| section.content == Content::Code);
        let thunk_bytes = to_u32(imported.len())
            .checked_mul(THUNK_SIZE)
            .ok_or(LinkError::TooLarge)?;
        let mut at = base.checked_add(PAGE_SIZE).ok_or(LinkError::TooLarge)?;
        let mut starts = Vec::new();
        let mut thunks_at = 0;
        for (index, section) in object.sections.iter().enumerate() {
            starts.push(at);
            let mut size = section.size;
            if Some(index) == code {
                size = size
                    .checked_next_multiple_of(THUNK_ALIGN)
                    .ok_or(LinkError::TooLarge)?;
                thunks_at = at.wrapping_add(size);
                size = size.checked_add(thunk_bytes).ok_or(LinkError::TooLarge)?;
            }
            at = at
                .checked_add(size)
                .and_then(|end| end.checked_next_multiple_of(PAGE_SIZE))
                .ok_or(LinkError::TooLarge)?;
        }
        let mut layout = Self {
            starts,
            thunks: None,
            imports: Vec::new(),
            thunk_of: BTreeMap::new(),
            slots_at: at,
            slots_size: 0,
            commons: BTreeMap::new(),
            commons_at: 0,
            commons_size: 0,
        };
        // A slot takes fewer bytes than a jump, even with the empty ones between libraries.
        at.checked_add(thunk_bytes.saturating_mul(2))
            .ok_or(LinkError::TooLarge)?;
        if let Some(code) = code {
            layout.add_imports(&imported, code, thunks_at);
        } else if let Some((_, symbol)) = imported.first() {
            return Err(LinkError::Unresolved {
                name: SymbolName(symbol.decorated.clone()),
            });
        }
        layout.add_commons(object)?;
        Ok(layout)
    }

    /// Gives each datum of COMM its place, behind everything else.
    fn add_commons(&mut self, object: &Object) -> Result<(), LinkError> {
        let start = self
            .slots_at
            .checked_add(self.slots_size)
            .and_then(|end| end.checked_next_multiple_of(PAGE_SIZE))
            .ok_or(LinkError::TooLarge)?;
        let mut at = start;
        for (index, symbol) in object.symbols.iter().enumerate() {
            if let SymbolPlace::Common { size_bytes } = symbol.place {
                self.commons.insert(index, at);
                at = at
                    .checked_add(size_bytes)
                    .and_then(|end| end.checked_next_multiple_of(COMMON_ALIGN))
                    .ok_or(LinkError::TooLarge)?;
            }
        }
        self.commons_at = start;
        self.commons_size = at - start;
        Ok(())
    }

    /// Gives each import a slot and a jump. The slots of one library follow each other and end
    /// with an empty one, as the import tables of executables want it.
    fn add_imports(&mut self, imported: &[(usize, &Symbol)], code: usize, thunks_at: u32) {
        let mut bytes = Vec::new();
        let mut imports = Vec::new();
        for (place, (index, symbol)) in (0_u32..).zip(imported) {
            let thunk = thunks_at.wrapping_add(place.wrapping_mul(THUNK_SIZE));
            self.thunk_of.insert(*index, thunk);
            let name = slot_name(&symbol.name).unwrap_or(&symbol.name);
            let library = symbol
                .library
                .clone()
                .or_else(|| library_of(name).map(String::from));
            let name = exported_name(name);
            imports.push(Import {
                name,
                library,
                slot: 0,
                thunk,
            });
        }
        let mut libraries: Vec<Option<String>> = Vec::new();
        for import in &imports {
            if !libraries.contains(&import.library) {
                libraries.push(import.library.clone());
            }
        }
        let mut slot = self.slots_at;
        for library in &libraries {
            for import in imports
                .iter_mut()
                .filter(|import| import.library == *library)
            {
                import.slot = slot;
                slot = slot.wrapping_add(SLOT_SIZE);
            }
            slot = slot.wrapping_add(SLOT_SIZE);
        }
        self.slots_size = slot.wrapping_sub(self.slots_at);
        for import in &imports {
            bytes.extend(THUNK_OPCODE);
            bytes.extend(import.slot.to_le_bytes());
        }
        for ((index, symbol), import) in imported.iter().zip(&imports) {
            if slot_name(&symbol.name).is_some() {
                self.thunk_of.insert(*index, import.slot);
            }
        }
        imports.sort_by_key(|import| import.slot);
        self.imports = imports;
        self.thunks = Some((code, bytes));
    }

    fn start(&self, section: usize) -> u32 {
        self.starts.get(section).copied().unwrap_or(0)
    }

    fn address(&self, index: usize, symbol: &Symbol) -> Result<u32, LinkError> {
        match symbol.place {
            SymbolPlace::Defined { section, offset } => {
                Ok(self.start(section).wrapping_add(offset))
            }
            SymbolPlace::External | SymbolPlace::Common { .. } => {
                let common = self.commons.get(&index);
                common
                    .or_else(|| self.thunk_of.get(&index))
                    .copied()
                    .ok_or_else(|| LinkError::Unresolved {
                        name: SymbolName(symbol.decorated.clone()),
                    })
            }
        }
    }

    fn segments(&self, object: &Object) -> Vec<Segment> {
        let mut segments = Vec::new();
        for (index, section) in object.sections.iter().enumerate() {
            let mut bytes = section.bytes.clone();
            let mut size = section.size;
            if let Some((code, thunks)) = &self.thunks
                && *code == index
                && !thunks.is_empty()
            {
                /// Fills the gap before the jumps.
                const NOP: u8 = 0x90;
                bytes.resize(bytes.len().next_multiple_of(THUNK_ALIGN as usize), NOP);
                bytes.extend_from_slice(thunks);
                size = to_u32(bytes.len());
            }
            segments.push(Segment {
                name: section.name.clone(),
                addr: self.start(index),
                bytes,
                size,
                rights: rights(section.content),
            });
        }
        if !self.imports.is_empty() {
            segments.push(Segment {
                name: IMPORT_SECTION.into(),
                addr: self.slots_at,
                bytes: Vec::new(),
                size: self.slots_size,
                rights: Rights::READ | Rights::WRITE,
            });
        }
        if self.commons_size > 0 {
            segments.push(Segment {
                name: COMMON_SECTION.into(),
                addr: self.commons_at,
                bytes: Vec::new(),
                size: self.commons_size,
                rights: Rights::READ | Rights::WRITE,
            });
        }
        segments
    }
}

/// Returns the function whose slot in the import table an external name stands for:
/// `_imp__MessageBoxA@16`.
fn slot_name(name: &str) -> Option<&str> {
    let function = name
        .strip_prefix("__imp__")
        .or_else(|| name.strip_prefix("_imp__"))?;
    Some(function.split_once('@').map_or(function, |(name, _)| name))
}

/// The SDK declares the C library's functions with a prefix that the library does not have.
fn exported_name(name: &str) -> String {
    name.strip_prefix("crt_").unwrap_or(name).to_string()
}

fn rights(content: Content) -> Rights {
    match content {
        Content::Code => Rights::READ | Rights::EXECUTE,
        Content::Data | Content::Uninitialized => Rights::READ | Rights::WRITE,
        Content::Constants => Rights::READ,
    }
}

fn image_symbols(object: &Object, layout: &Layout) -> Vec<ImageSymbol> {
    let mut symbols: Vec<_> = object
        .labels
        .iter()
        .map(|label| ImageSymbol {
            name: label.name.clone(),
            addr: layout.start(label.section).wrapping_add(label.offset),
            size: label.size,
            class: label.class,
        })
        .collect();
    symbols.extend(layout.imports.iter().map(|import| ImageSymbol {
        name: import.name.clone(),
        addr: import.thunk,
        size: 0,
        class: SymbolClass::Procedure,
    }));
    symbols.sort_by(|a, b| (a.addr, &a.name).cmp(&(b.addr, &b.name)));
    symbols
}

fn image_lines(object: &Object, layout: &Layout) -> Vec<ImageLine> {
    let mut lines: Vec<_> = object
        .lines
        .iter()
        .map(|line| ImageLine {
            addr: layout.start(line.section).wrapping_add(line.offset),
            len: line.len,
            span: line.span,
        })
        .collect();
    lines.sort_by_key(|line| line.addr);
    lines
}
