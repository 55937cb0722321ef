//! An ELF file of names alone: what gdb reads symbols from.

use std::ops::Range;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// Instructions.
    Code,
    /// Data.
    Data,
}

/// A name and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name.
    pub name: String,
    /// The address.
    pub addr: u32,
    /// The size in bytes; 0 if it is not known.
    pub size_bytes: u32,
    /// What is there.
    pub kind: SymbolKind,
}

/// The size of the ELF header in bytes.
const HEADER_BYTES: u32 = 52;
/// The size of a section header in bytes.
const SECTION_BYTES: u32 = 40;
/// The size of a symbol in bytes.
const SYMBOL_BYTES: u32 = 16;
/// Sections: none, the image, symbols, their names, the sections' names.
const SECTION_NAMES: &[u8] = b"\0.text\0.symtab\0.strtab\0.shstrtab\0";
/// The index of the section of the image.
const IMAGE_SECTION: u16 = 1;
/// How many sections there are; the last one has the sections' names.
const SECTIONS: u16 = 5;

/// `SHT_NOBITS`, `SHT_SYMTAB`, `SHT_STRTAB`
const NO_BITS: u32 = 8;
const SYMBOL_TABLE: u32 = 2;
const STRING_TABLE: u32 = 3;
/// `SHF_WRITE | SHF_ALLOC | SHF_EXECINSTR`
const LOADED: u32 = 7;
/// `STB_GLOBAL` with `STT_FUNC` and with `STT_OBJECT`
const GLOBAL_FUNCTION: u8 = 0x12;
const GLOBAL_OBJECT: u8 = 0x11;

/// A section header.
#[derive(Default)]
struct Section {
    /// Where its name begins in the names.
    name: u32,
    kind: u32,
    flags: u32,
    addr: u32,
    offset: u32,
    size: u32,
    link: u32,
    info: u32,
    align: u32,
    entry: u32,
}

/// Returns an ELF executable without contents, for IA-32, that has these symbols in an image at
/// these addresses.
pub fn symbol_file(symbols: &[Symbol], image: Range<u32>) -> Vec<u8> {
    let mut names = vec![0];
    let mut table = vec![0; SYMBOL_BYTES as usize];
    for symbol in symbols {
        let name = length(&names);
        names.extend(symbol.name.bytes().filter(|&byte| byte != 0));
        names.push(0);
        table.extend(name.to_le_bytes());
        table.extend(symbol.addr.to_le_bytes());
        table.extend(symbol.size_bytes.to_le_bytes());
        let info = match symbol.kind {
            SymbolKind::Code => GLOBAL_FUNCTION,
            SymbolKind::Data => GLOBAL_OBJECT,
        };
        table.extend([info, 0]);
        table.extend(IMAGE_SECTION.to_le_bytes());
    }
    let table_at = HEADER_BYTES;
    let names_at = table_at.saturating_add(length(&table));
    let section_names_at = names_at.saturating_add(length(&names));
    let unaligned = section_names_at.saturating_add(length(SECTION_NAMES));
    let sections_at = unaligned.next_multiple_of(4);
    let sections = [
        Section::default(),
        Section {
            name: 1,
            kind: NO_BITS,
            flags: LOADED,
            addr: image.start,
            offset: table_at,
            size: image.end.saturating_sub(image.start),
            align: 1,
            ..Section::default()
        },
        Section {
            name: 7,
            kind: SYMBOL_TABLE,
            offset: table_at,
            size: length(&table),
            link: 3,
            // The first symbol that is not local.
            info: 1,
            align: 4,
            entry: SYMBOL_BYTES,
            ..Section::default()
        },
        Section::strings(15, names_at, length(&names)),
        Section::strings(23, section_names_at, length(SECTION_NAMES)),
    ];
    let mut file = header(image.start, sections_at);
    file.extend(table);
    file.extend(names);
    file.extend(SECTION_NAMES);
    file.resize(sections_at as usize, 0);
    for section in sections {
        file.extend(section.to_bytes());
    }
    file
}

impl Section {
    fn strings(name: u32, offset: u32, size: u32) -> Self {
        Self {
            name,
            kind: STRING_TABLE,
            offset,
            size,
            align: 1,
            ..Self::default()
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let words = [
            self.name,
            self.kind,
            self.flags,
            self.addr,
            self.offset,
            self.size,
            self.link,
            self.info,
            self.align,
            self.entry,
        ];
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

/// System V ABI, "ELF Header".
fn header(entry: u32, sections_at: u32) -> Vec<u8> {
    /// `ET_EXEC`, `EM_386`, `EV_CURRENT`
    const EXECUTABLE: u16 = 2;
    const I386: u16 = 3;
    const VERSION: u32 = 1;
    // 32-bit, little-endian, version 1.
    let mut file = b"\x7FELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [EXECUTABLE, I386] {
        file.extend(half.to_le_bytes());
    }
    for word in [VERSION, entry, 0, sections_at, 0] {
        file.extend(word.to_le_bytes());
    }
    let [header, section] = [HEADER_BYTES, SECTION_BYTES].map(u32::to_le_bytes);
    file.extend([header[0], header[1], 0, 0, 0, 0, section[0], section[1]]);
    for half in [SECTIONS, SECTIONS - 1] {
        file.extend(half.to_le_bytes());
    }
    file
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
