//! COFF object files, as linkers for Windows read them.

use thiserror::Error;

use crate::link::SymbolName;
use crate::object::{
    Content, Object, Relocation, RelocationKind, Section, Symbol, SymbolClass, SymbolPlace,
};
use crate::source::to_u32;

/// `IMAGE_FILE_MACHINE_I386`.
const MACHINE_I386: u16 = 0x014C;
const HEADER_SIZE: u32 = 20;
const SECTION_HEADER_SIZE: u32 = 40;
const RELOCATION_SIZE: u32 = 10;
/// Names of up to this length stand in the record; longer ones in the string table.
const SHORT_NAME: usize = 8;
/// `IMAGE_SCN_LNK_NRELOC_OVFL`: the count of relocations is in the first relocation.
const RELOCATION_OVERFLOW: u32 = 0x0100_0000;
/// `IMAGE_SYM_DTYPE_FUNCTION` in the high byte of the type.
const FUNCTION_TYPE: u16 = 0x20;

/// Storage classes of symbols.
mod class {
    pub(super) const EXTERNAL: u8 = 2;
    pub(super) const STATIC: u8 = 3;
    pub(super) const LABEL: u8 = 6;
}

/// Types of relocations of `IMAGE_REL_I386_*`.
mod relocation {
    pub(super) const DIR32: u16 = 0x06;
    pub(super) const DIR32NB: u16 = 0x07;
    pub(super) const REL32: u16 = 0x14;
}

/// Why an object does not fit the format.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CoffError {
    /// More sections than a COFF file can have.
    #[error("{count} sections are too many for a COFF object")]
    TooManySections {
        /// Number of sections.
        count: usize,
    },
    /// The file would be larger than 4 GiB.
    #[error("the object is too large for the COFF format at section {section}")]
    TooLarge {
        /// The section that does not fit.
        section: SymbolName,
    },
}

/// Returns the flags of a section in object and executable files.
pub(crate) fn characteristics(content: Content) -> u32 {
    match content {
        Content::Code => 0x6000_0020,
        Content::Data => 0xC000_0040,
        Content::Uninitialized => 0xC000_0080,
        Content::Constants => 0x4000_0040,
    }
}

/// Returns the alignment bits of a section's flags.
fn alignment_bits(align: u32) -> u32 {
    const ALIGN_SHIFT: u32 = 20;
    (align.max(1).ilog2() + 1) << ALIGN_SHIFT
}

/// Collects names that do not fit their records.
struct Strings(Vec<u8>);

impl Strings {
    const LEN_SIZE: usize = 4;

    fn new() -> Self {
        Self(vec![0; Self::LEN_SIZE])
    }

    fn add(&mut self, name: &str) -> u32 {
        let at = to_u32(self.0.len());
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        at
    }

    fn finish(mut self) -> Vec<u8> {
        let len = to_u32(self.0.len()).to_le_bytes();
        for (byte, value) in self.0.iter_mut().zip(len) {
            *byte = value;
        }
        self.0
    }
}

/// Writes an object as a COFF file.
///
/// # Errors
///
/// See [`CoffError`]: only objects beyond the limits of the format fail.
pub fn write_coff(object: &Object) -> Result<Vec<u8>, CoffError> {
    const MAX_SECTIONS: usize = 0x7FFF;
    let count = object.sections.len();
    if count > MAX_SECTIONS {
        return Err(CoffError::TooManySections { count });
    }
    let mut strings = Strings::new();
    let mut headers = Vec::new();
    let mut contents = Vec::new();
    let start = HEADER_SIZE + SECTION_HEADER_SIZE * to_u32(count);
    for section in &object.sections {
        let at = start.checked_add(to_u32(contents.len()));
        let too_large = || CoffError::TooLarge {
            section: SymbolName::new(&section.name),
        };
        let at = at
            .filter(|_| contents.len() < i32::MAX as usize)
            .ok_or_else(too_large)?;
        section_header(section, at, &mut headers, &mut strings);
        contents.extend_from_slice(&section.bytes);
        write_relocations(&section.relocations, &mut contents);
    }
    let symbols_at = start.wrapping_add(to_u32(contents.len()));
    let mut out = Vec::new();
    out.extend(MACHINE_I386.to_le_bytes());
    out.extend(u16::try_from(count).unwrap_or(0).to_le_bytes());
    // The time stamp stays zero: two runs give the same file.
    out.extend(0_u32.to_le_bytes());
    out.extend(symbols_at.to_le_bytes());
    out.extend(to_u32(object.symbols.len()).to_le_bytes());
    out.extend([0; 4]);
    out.extend(headers);
    out.extend(contents);
    for symbol in &object.symbols {
        write_symbol(symbol, &mut out, &mut strings);
    }
    out.extend(strings.finish());
    Ok(out)
}

fn has_overflow(section: &Section) -> bool {
    section.relocations.len() >= usize::from(u16::MAX)
}

fn section_header(section: &Section, at: u32, out: &mut Vec<u8>, strings: &mut Strings) {
    let mut name = [0; SHORT_NAME];
    let long_name = format!(
        "/{}",
        if section.name.len() > SHORT_NAME {
            strings.add(&section.name)
        } else {
            0
        }
    );
    let shown = if section.name.len() > SHORT_NAME {
        &long_name
    } else {
        &section.name
    };
    for (byte, value) in name.iter_mut().zip(shown.bytes()) {
        *byte = value;
    }
    let has_bytes = section.content != Content::Uninitialized && section.size > 0;
    let raw_at = if has_bytes { at } else { 0 };
    let relocations = to_u32(section.relocations.len());
    let relocations_at = if relocations > 0 {
        at.wrapping_add(to_u32(section.bytes.len()))
    } else {
        0
    };
    let mut flags = characteristics(section.content) | alignment_bits(section.align);
    if has_overflow(section) {
        flags |= RELOCATION_OVERFLOW;
    }
    out.extend(name);
    out.extend([0; 8]);
    out.extend(section.size.to_le_bytes());
    out.extend(raw_at.to_le_bytes());
    out.extend(relocations_at.to_le_bytes());
    out.extend([0; 4]);
    out.extend(u16::try_from(relocations).unwrap_or(u16::MAX).to_le_bytes());
    out.extend([0; 2]);
    out.extend(flags.to_le_bytes());
}

fn write_relocations(relocations: &[Relocation], out: &mut Vec<u8>) {
    if relocations.len() >= usize::from(u16::MAX) {
        // The first relocation holds the count, itself included.
        out.extend((to_u32(relocations.len()) + 1).to_le_bytes());
        out.extend([0; RELOCATION_SIZE as usize - 4]);
    }
    for found in relocations {
        let kind = match found.kind {
            RelocationKind::Address => relocation::DIR32,
            RelocationKind::Relative => relocation::REL32,
            RelocationKind::ImageRelative => relocation::DIR32NB,
        };
        out.extend(found.offset.to_le_bytes());
        out.extend(to_u32(found.symbol).to_le_bytes());
        out.extend(kind.to_le_bytes());
    }
}

fn write_symbol(symbol: &Symbol, out: &mut Vec<u8>, strings: &mut Strings) {
    if symbol.decorated.len() <= SHORT_NAME {
        let mut name = [0; SHORT_NAME];
        for (byte, value) in name.iter_mut().zip(symbol.decorated.bytes()) {
            *byte = value;
        }
        out.extend(name);
    } else {
        out.extend([0; 4]);
        out.extend(strings.add(&symbol.decorated).to_le_bytes());
    }
    let (value, section) = match symbol.place {
        SymbolPlace::External => (0, 0),
        SymbolPlace::Common { size_bytes } => (size_bytes, 0),
        SymbolPlace::Defined { section, offset } => {
            (offset, u16::try_from(section + 1).unwrap_or(0))
        }
    };
    let (ty, class) = storage(symbol);
    out.extend(value.to_le_bytes());
    out.extend(section.to_le_bytes());
    out.extend(ty.to_le_bytes());
    out.extend([class, 0]);
}

/// Returns type and storage class of a symbol.
fn storage(symbol: &Symbol) -> (u16, u8) {
    let ty = if symbol.class == SymbolClass::Procedure {
        FUNCTION_TYPE
    } else {
        0
    };
    let class = match (symbol.is_public, symbol.class) {
        (true, _) => class::EXTERNAL,
        (false, SymbolClass::Label) => class::LABEL,
        (false, _) => class::STATIC,
    };
    (ty, class)
}
