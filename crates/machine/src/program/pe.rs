//! PE32 executables: headers and sections (Microsoft, "PE Format").

use pagefault_vmm::ALLOCATION_GRANULARITY;
use pagefault_vmm::mmu::PAGE_SIZE;
use thiserror::Error;

use super::bytes::{Bytes, Ends, Field};
use super::pe_tables;
use super::{Part, PartRights, Platform, Program, StackSize, USER_END};

/// Why a file is no executable that can be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeReadError {
    /// The file ends too early.
    #[error("the file ends within {field}")]
    Truncated {
        /// The field that is not all there.
        field: Field,
    },
    /// A field does not have the value that it must have.
    #[error("{field} is {value:#x}: {expected}")]
    Value {
        /// The field.
        field: Field,
        /// Its value.
        value: u32,
        /// What it should be.
        expected: &'static str,
    },
    /// Two sections take the same addresses.
    #[error("{field} is {value:#x}: the section overlaps the one before it, or the headers")]
    Overlap {
        /// The address of the second section.
        field: Field,
        /// Its value.
        value: u32,
    },
    /// An address within the program points to nothing.
    #[error("{field} is {value:#x}, which is outside of the image")]
    Outside {
        /// The field that holds the address.
        field: Field,
        /// Its value.
        value: u32,
    },
    /// The entry point is in no section that can be executed.
    #[error("{field} is {value:#x}, which is in no section")]
    Entry {
        /// The field.
        field: Field,
        /// Its value.
        value: u32,
    },
    /// A name is not ended by a zero, or is too long.
    #[error("the name at {field} does not end")]
    Name {
        /// Where the name is.
        field: Field,
    },
    /// Delay-loaded imports.
    #[error(
        "{field}: the functions of {library} are imported when they are first called, which is not supported"
    )]
    DelayImport {
        /// The directory.
        field: Field,
        /// The library.
        library: String,
    },
    /// More imports or relocations than any program has.
    #[error("{field}: the table does not end")]
    Endless {
        /// Where the table is.
        field: Field,
    },
}

impl From<Ends> for PeReadError {
    fn from(Ends(field): Ends) -> Self {
        Self::Truncated { field }
    }
}

const MZ: u16 = 0x5A4D;
const PE_SIGNATURE: u32 = 0x4550;
const MACHINE_I386: u16 = 0x014C;
const PE32_MAGIC: u16 = 0x010B;
const DLL: u16 = 0x2000;
const RELOCATIONS_STRIPPED: u16 = 1;
const GUI: u16 = 2;
const CONSOLE: u16 = 3;
const PE_OFFSET_FIELD: u64 = 0x3C;
/// The most sections that Windows loads.
const MAX_SECTIONS: u16 = 96;
const SECTION_HEADER_BYTES: u64 = 40;
const COFF_HEADER_BYTES: u64 = 20;

/// Fields of the optional header, by offset.
mod optional {
    pub(super) const ENTRY: u64 = 16;
    pub(super) const IMAGE_BASE: u64 = 28;
    pub(super) const SECTION_ALIGNMENT: u64 = 32;
    pub(super) const FILE_ALIGNMENT: u64 = 36;
    pub(super) const SIZE_OF_IMAGE: u64 = 56;
    pub(super) const SIZE_OF_HEADERS: u64 = 60;
    pub(super) const SUBSYSTEM: u64 = 68;
    pub(super) const STACK_RESERVE: u64 = 72;
    pub(super) const STACK_COMMIT: u64 = 76;
    pub(super) const DIRECTORY_COUNT: u64 = 92;
    pub(super) const DIRECTORIES: u64 = 96;
}

/// The data directories, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Directory {
    Import = 1,
    Relocation = 5,
    ThreadLocal = 9,
    DelayImport = 13,
}

/// The headers of a file.
#[derive(Clone, Copy)]
struct Headers<'a> {
    file: Bytes<'a>,
    coff: u64,
    optional: u64,
    sections: u64,
    section_count: u16,
}

/// What the tables of a file are read with.
pub(super) struct Reader<'a> {
    headers: Headers<'a>,
    pub(super) base: u32,
    pub(super) size: u32,
    /// The image as it is in memory at its preferred base, without what is zero at its end.
    pub(super) image: Vec<u8>,
}

/// The most bytes of an image that tables may be in.
const MAX_IMAGE_BYTES: u32 = 256 << 20;

pub(super) fn read(bytes: &[u8]) -> Result<Program, PeReadError> {
    let headers = Headers::read(Bytes(bytes))?;
    let base = headers.base()?;
    let size = headers.size()?;
    let parts = headers.parts(size)?;
    let entry = headers.entry(&parts)?;
    let reader = Reader {
        headers,
        base,
        size,
        image: flatten(&parts),
    };
    let is_fixed = headers.characteristics()? & RELOCATIONS_STRIPPED != 0;
    let relocations = pe_tables::relocations(&reader)?.filter(|_| !is_fixed);
    let imports = pe_tables::imports(&reader)?;
    let thread_local = pe_tables::thread_local(&reader)?;
    pe_tables::refuse_delay_imports(&reader)?;
    let stack = Some(StackSize {
        reserve: headers.optional("SizeOfStackReserve", optional::STACK_RESERVE)?,
        commit: headers.optional("SizeOfStackCommit", optional::STACK_COMMIT)?,
    });
    Ok(Program {
        platform: Platform::Windows,
        base,
        size,
        entry,
        parts,
        imports,
        relocations,
        thread_local,
        stack,
    })
}

/// Returns the image from its base to the last byte that a file gives.
fn flatten(parts: &[Part]) -> Vec<u8> {
    let mut image = Vec::new();
    for part in parts {
        let start = part.offset as usize;
        if part.bytes.is_empty() || part.offset >= MAX_IMAGE_BYTES {
            continue;
        }
        image.resize(start.max(image.len()), 0);
        image.truncate(start);
        image.extend_from_slice(&part.bytes);
    }
    image
}

impl<'a> Headers<'a> {
    fn read(file: Bytes<'a>) -> Result<Self, PeReadError> {
        let magic = file.u16("e_magic", 0)?;
        if magic != MZ {
            return Err(wrong(
                "e_magic",
                0,
                magic.into(),
                "an executable starts with MZ",
            ));
        }
        let pe = u64::from(file.u32("e_lfanew", PE_OFFSET_FIELD)?);
        let signature = file.u32("Signature", pe)?;
        if signature != PE_SIGNATURE {
            let expected = "it should be PE and two zeros; is this a 16-bit program?";
            return Err(wrong("Signature", pe, signature, expected));
        }
        let coff = pe + 4;
        let machine = file.u16("Machine", coff)?;
        if machine != MACHINE_I386 {
            let expected = "only 32-bit x86 programs (14ch) can be run";
            return Err(wrong("Machine", coff, machine.into(), expected));
        }
        let section_count = file.u16("NumberOfSections", coff + 2)?;
        if section_count > MAX_SECTIONS {
            let expected = "there can be 96 sections at most";
            return Err(wrong(
                "NumberOfSections",
                coff + 2,
                section_count.into(),
                expected,
            ));
        }
        let optional_bytes = file.u16("SizeOfOptionalHeader", coff + 16)?;
        let optional = coff + COFF_HEADER_BYTES;
        let magic = file.u16("Magic", optional)?;
        if magic != PE32_MAGIC {
            let expected = "only PE32 (10bh) can be loaded";
            return Err(wrong("Magic", optional, magic.into(), expected));
        }
        if u64::from(optional_bytes) < optional::DIRECTORIES {
            let expected = "the optional header is cut short";
            return Err(wrong(
                "SizeOfOptionalHeader",
                coff + 16,
                optional_bytes.into(),
                expected,
            ));
        }
        Ok(Self {
            file,
            coff,
            optional,
            sections: optional + u64::from(optional_bytes),
            section_count,
        })
        .and_then(Self::checked)
    }

    /// Checks what does not depend on the sections.
    fn checked(self) -> Result<Self, PeReadError> {
        let characteristics = self.characteristics()?;
        if characteristics & DLL != 0 {
            let expected = "this is a library and cannot be run by itself";
            let value = u32::from(characteristics);
            return Err(wrong("Characteristics", self.coff + 18, value, expected));
        }
        let alignment = self.optional("SectionAlignment", optional::SECTION_ALIGNMENT)?;
        if !alignment.is_power_of_two() || alignment < PAGE_SIZE {
            let expected = "it should be a power of two, 1000h or more";
            let at = self.optional + optional::SECTION_ALIGNMENT;
            return Err(wrong("SectionAlignment", at, alignment, expected));
        }
        let alignment = self.optional("FileAlignment", optional::FILE_ALIGNMENT)?;
        if !alignment.is_power_of_two() || alignment > ALLOCATION_GRANULARITY {
            let expected = "it should be a power of two, 10000h at most";
            let at = self.optional + optional::FILE_ALIGNMENT;
            return Err(wrong("FileAlignment", at, alignment, expected));
        }
        let at = self.optional + optional::SUBSYSTEM;
        let subsystem = self.file.u16("Subsystem", at)?;
        if subsystem != GUI && subsystem != CONSOLE {
            let expected = "only programs for Windows (2 and 3) can be run";
            return Err(wrong("Subsystem", at, subsystem.into(), expected));
        }
        Ok(self)
    }

    fn characteristics(&self) -> Result<u16, Ends> {
        self.file.u16("Characteristics", self.coff + 18)
    }

    fn optional(&self, name: &'static str, offset: u64) -> Result<u32, Ends> {
        self.file.u32(name, self.optional + offset)
    }

    fn base(&self) -> Result<u32, PeReadError> {
        let base = self.optional("ImageBase", optional::IMAGE_BASE)?;
        if !base.is_multiple_of(ALLOCATION_GRANULARITY) || base == 0 || base >= USER_END {
            let expected = "it should be a multiple of 10000h in user space";
            let at = self.optional + optional::IMAGE_BASE;
            return Err(wrong("ImageBase", at, base, expected));
        }
        Ok(base)
    }

    fn size(&self) -> Result<u32, PeReadError> {
        let size = self.optional("SizeOfImage", optional::SIZE_OF_IMAGE)?;
        let rounded = size.checked_next_multiple_of(PAGE_SIZE);
        rounded
            .filter(|&size| size > 0 && size < USER_END)
            .ok_or_else(|| {
                let expected = "the image does not fit into user space";
                let at = self.optional + optional::SIZE_OF_IMAGE;
                wrong("SizeOfImage", at, size, expected)
            })
    }

    /// Returns the parts that are mapped: the headers and the sections.
    fn parts(&self, size: u32) -> Result<Vec<Part>, PeReadError> {
        let headers = self.optional("SizeOfHeaders", optional::SIZE_OF_HEADERS)?;
        let header_bytes = self.file.take("SizeOfHeaders", 0, headers.into())?;
        let mut parts = vec![Part {
            offset: 0,
            size: headers,
            bytes: header_bytes.to_vec(),
            rights: PartRights::READ,
        }];
        let mut end = headers.next_multiple_of(PAGE_SIZE);
        for index in 0..u64::from(self.section_count) {
            let at = self.sections + index * SECTION_HEADER_BYTES;
            let part = self.section(at)?;
            let field = Field::new("VirtualAddress", at + 12);
            if part.offset < end {
                let value = part.offset;
                return Err(PeReadError::Overlap { field, value });
            }
            let section_end = part.offset.checked_add(part.size);
            end = section_end
                .and_then(|end| end.checked_next_multiple_of(PAGE_SIZE))
                .filter(|&end| end <= size)
                .ok_or(PeReadError::Outside {
                    field,
                    value: part.offset,
                })?;
            parts.push(part);
        }
        Ok(parts)
    }

    fn section(&self, at: u64) -> Result<Part, PeReadError> {
        const WRITE: u32 = 0x8000_0000;
        const READ: u32 = 0x4000_0000;
        const EXECUTE: u32 = 0x2000_0000;
        let file = self.file;
        let virtual_size = file.u32("VirtualSize", at + 8)?;
        let offset = file.u32("VirtualAddress", at + 12)?;
        let raw_size = file.u32("SizeOfRawData", at + 16)?;
        let raw_at = file.u32("PointerToRawData", at + 20)?;
        let characteristics = file.u32("Characteristics", at + 36)?;
        if !offset.is_multiple_of(PAGE_SIZE) {
            let expected = "sections start on multiples of 1000h";
            return Err(wrong("VirtualAddress", at + 12, offset, expected));
        }
        let (size, size_field) = if virtual_size == 0 {
            (raw_size, Field::new("SizeOfRawData", at + 16))
        } else {
            (virtual_size, Field::new("VirtualSize", at + 8))
        };
        let whole_pages = size.checked_next_multiple_of(PAGE_SIZE);
        let whole_pages = whole_pages.ok_or(PeReadError::Outside {
            field: size_field,
            value: size,
        })?;
        // Windows rounds the place in the file down to a sector.
        let raw_at = u64::from(raw_at) & !0x1FF;
        let raw_size = if raw_at == 0 {
            0
        } else {
            raw_size.min(whole_pages)
        };
        let available = (self.file.0.len() as u64).saturating_sub(raw_at);
        // The last section may be cut to what of it is in use.
        let wanted = u64::from(raw_size.min(size));
        if wanted > available {
            return Err(PeReadError::Truncated {
                field: Field::new("section data (PointerToRawData)", at + 20),
            });
        }
        let len = u64::from(raw_size).min(available);
        let bytes = file.take("PointerToRawData", raw_at, len)?.to_vec();
        let mut rights = PartRights::empty();
        for (bit, right) in [
            (READ, PartRights::READ),
            (WRITE, PartRights::WRITE | PartRights::READ),
            (EXECUTE, PartRights::EXECUTE | PartRights::READ),
        ] {
            if characteristics & bit != 0 {
                rights |= right;
            }
        }
        let size = size.max(1);
        Ok(Part {
            offset,
            size,
            bytes,
            rights,
        })
    }

    fn entry(&self, parts: &[Part]) -> Result<u32, PeReadError> {
        let value = self.optional("AddressOfEntryPoint", optional::ENTRY)?;
        let inside = parts.iter().skip(1).any(|part| {
            let pages = part
                .size
                .checked_next_multiple_of(PAGE_SIZE)
                .unwrap_or(u32::MAX);
            value
                .checked_sub(part.offset)
                .is_some_and(|within| within < pages)
        });
        let field = Field::new("AddressOfEntryPoint", self.optional + optional::ENTRY);
        if inside {
            Ok(value)
        } else {
            Err(PeReadError::Entry { field, value })
        }
    }
}

/// Returns the error of a field that has not the value that it must have.
fn wrong(name: &'static str, offset: u64, value: u32, expected: &'static str) -> PeReadError {
    let field = Field::new(name, offset);
    PeReadError::Value {
        field,
        value,
        expected,
    }
}

impl Reader<'_> {
    /// Returns where a directory is and how large, with the field that says so; `None` if there
    /// is none.
    pub(super) fn directory(
        &self,
        directory: Directory,
    ) -> Result<Option<(Field, u32, u32)>, PeReadError> {
        let headers = self.headers;
        let count = headers.optional("NumberOfRvaAndSizes", optional::DIRECTORY_COUNT)?;
        if directory as u32 >= count {
            return Ok(None);
        }
        let name = match directory {
            Directory::Import => "import directory",
            Directory::Relocation => "relocation directory",
            Directory::ThreadLocal => "TLS directory",
            Directory::DelayImport => "delay import directory",
        };
        let at = optional::DIRECTORIES + directory as u64 * 8;
        let rva = headers.optional(name, at)?;
        let len = headers.optional(name, at + 4)?;
        let field = Field::new(name, headers.optional + at);
        Ok((rva != 0).then_some((field, rva, len)))
    }

    /// Checks that bytes are in the image.
    pub(super) fn check(&self, field: Field, rva: u32, len: u32) -> Result<(), PeReadError> {
        let end = rva.checked_add(len).filter(|&end| end <= self.size);
        end.map(|_| ())
            .ok_or(PeReadError::Outside { field, value: rva })
    }

    /// Returns `len` bytes of the image; zeros where the file gives none.
    pub(super) fn bytes(&self, field: Field, rva: u32, len: u32) -> Result<Vec<u8>, PeReadError> {
        let outside = PeReadError::Outside { field, value: rva };
        let end = rva.checked_add(len).filter(|&end| end <= self.size);
        let end = end.ok_or(outside)? as usize;
        let start = rva as usize;
        let present = self
            .image
            .get(start.min(self.image.len())..end.min(self.image.len()));
        let mut bytes = present.unwrap_or_default().to_vec();
        bytes.resize(len as usize, 0);
        Ok(bytes)
    }

    pub(super) fn u32(&self, field: Field, rva: u32) -> Result<u32, PeReadError> {
        let bytes = self.bytes(field, rva, 4)?;
        Ok(bytes.try_into().map_or(0, u32::from_le_bytes))
    }

    pub(super) fn u16(&self, field: Field, rva: u32) -> Result<u16, PeReadError> {
        let bytes = self.bytes(field, rva, 2)?;
        Ok(bytes.try_into().map_or(0, u16::from_le_bytes))
    }

    /// Returns the string at an address, at most 4 KiB long.
    pub(super) fn name(&self, field: Field, rva: u32) -> Result<String, PeReadError> {
        if rva >= self.size {
            return Err(PeReadError::Outside { field, value: rva });
        }
        let rest = self.image.get(rva as usize..).unwrap_or_default();
        let rest = rest.get(..PAGE_SIZE as usize).unwrap_or(rest);
        let end = rest.iter().position(|&byte| byte == 0);
        let name = end
            .and_then(|end| rest.get(..end))
            .ok_or(PeReadError::Name { field })?;
        Ok(name.iter().map(|&byte| char::from(byte)).collect())
    }
}
