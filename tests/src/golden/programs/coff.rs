//! COFF objects, read back from the bytes that our assembler has written.

use std::fmt::Write as _;

const HEADER_BYTES: usize = 20;
const SECTION_HEADER_BYTES: usize = 40;
const RELOCATION_BYTES: usize = 10;
const SYMBOL_BYTES: usize = 18;
const NAME_BYTES: usize = 8;

/// An object file.
#[derive(Debug)]
pub(super) struct Coff<'a> {
    sections: Vec<Section<'a>>,
    symbols: Vec<Symbol>,
}

#[derive(Debug)]
struct Section<'a> {
    name: String,
    size: u32,
    flags: u32,
    contents: &'a [u8],
    relocations: Vec<(u32, u16, u32)>,
}

#[derive(Debug)]
struct Symbol {
    name: String,
    value: u32,
    section: i16,
    kind: u16,
    class: u8,
}

impl<'a> Coff<'a> {
    /// Reads an object; `None` if it is cut short.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let section_count = usize::from(u16_at(bytes, 2)?);
        let symbols_at = u32_at(bytes, 8)? as usize;
        let symbol_count = u32_at(bytes, 12)? as usize;
        let strings = bytes.get(symbols_at + symbol_count * SYMBOL_BYTES..)?;
        let sections = (0..section_count)
            .map(|index| Section::read(bytes, HEADER_BYTES + index * SECTION_HEADER_BYTES, strings))
            .collect::<Option<Vec<_>>>()?;
        let symbols = (0..symbol_count)
            .map(|index| Symbol::read(bytes.get(symbols_at + index * SYMBOL_BYTES..)?, strings))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { sections, symbols })
    }

    /// Returns the bytes of a section; none if there is no such section.
    pub(super) fn contents(&self, name: &str) -> &[u8] {
        let section = self.sections.iter().find(|section| section.name == name);
        section.map_or(&[], |section| section.contents)
    }

    /// Returns sections, relocations and symbols in the form of the `.sections.txt` files.
    pub(super) fn listing(&self) -> String {
        let mut text = String::new();
        for (number, section) in (1..).zip(&self.sections) {
            let Section {
                name,
                size,
                flags,
                relocations,
                ..
            } = section;
            let count = relocations.len();
            _ = writeln!(
                text,
                "section {number} {name} size {size:#x} flags {flags:08X} relocations {count}"
            );
            for &(offset, kind, symbol) in relocations {
                let symbol = self.symbols.get(symbol as usize);
                let symbol = symbol.map_or("?", |symbol| symbol.name.as_str());
                _ = writeln!(text, "  {offset:08X} {} {symbol}", relocation(kind));
            }
        }
        text += "symbols\n";
        for symbol in &self.symbols {
            let Symbol {
                name,
                value,
                kind,
                class,
                ..
            } = symbol;
            let section = self.section_name(symbol.section);
            let class = storage_class(*class);
            _ = writeln!(
                text,
                "  {name} value {value:08X} section {section} type {kind:x} class {class}"
            );
        }
        text
    }

    fn section_name(&self, number: i16) -> &str {
        let index = usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1));
        let section = index.and_then(|index| self.sections.get(index));
        section.map_or("undefined", |section| section.name.as_str())
    }
}

impl<'a> Section<'a> {
    fn read(bytes: &'a [u8], at: usize, strings: &[u8]) -> Option<Self> {
        let header = bytes.get(at..at + SECTION_HEADER_BYTES)?;
        let size = u32_at(header, 16)?;
        let contents_at = u32_at(header, 20)? as usize;
        let relocations_at = u32_at(header, 24)? as usize;
        let count = usize::from(u16_at(header, 32)?);
        let contents = if contents_at == 0 {
            &[]
        } else {
            bytes.get(contents_at..contents_at + size as usize)?
        };
        let relocations = (0..count)
            .map(|index| {
                let entry = bytes.get(relocations_at + index * RELOCATION_BYTES..)?;
                Some((u32_at(entry, 0)?, u16_at(entry, 8)?, u32_at(entry, 4)?))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            name: section_name(header.get(..NAME_BYTES)?, strings)?,
            size,
            flags: u32_at(header, 36)?,
            contents,
            relocations,
        })
    }
}

impl Symbol {
    fn read(entry: &[u8], strings: &[u8]) -> Option<Self> {
        let name = match u32_at(entry, 0)? {
            0 => string(strings, u32_at(entry, 4)? as usize)?,
            _ => text(entry.get(..NAME_BYTES)?),
        };
        Some(Self {
            name,
            value: u32_at(entry, 8)?,
            section: u16_at(entry, 12)?.cast_signed(),
            kind: u16_at(entry, 14)?,
            class: *entry.get(16)?,
        })
    }
}

/// Returns the name of a section: eight bytes, or a slash and a place in the string table.
fn section_name(bytes: &[u8], strings: &[u8]) -> Option<String> {
    let name = text(bytes);
    match name.strip_prefix('/') {
        Some(place) => string(strings, place.parse().ok()?),
        None => Some(name),
    }
}

fn string(strings: &[u8], at: usize) -> Option<String> {
    strings.get(at..).map(text)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0);
    let bytes = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the name of an `IMAGE_REL_I386_*` type.
fn relocation(kind: u16) -> &'static str {
    match kind {
        0x06 => "DIR32",
        0x07 => "DIR32NB",
        0x0A => "SECTION",
        0x0B => "SECREL",
        0x14 => "REL32",
        _ => "unknown",
    }
}

/// Returns the name of an `IMAGE_SYM_CLASS_*` value.
fn storage_class(class: u8) -> &'static str {
    match class {
        2 => "external",
        3 => "static",
        6 => "label",
        103 => "file",
        _ => "unknown",
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}
