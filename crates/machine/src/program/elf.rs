//! ELF32 executables that are linked statically (System V ABI, "Object Files" and "Program
//! Loading"), as NASM and `ld -m elf_i386` make them.

use pagefault_vmm::ALLOCATION_GRANULARITY;
use pagefault_vmm::mmu::PAGE_SIZE;
use thiserror::Error;

use super::bytes::{Bytes, Ends, Field};
use super::{Part, PartRights, Platform, Program, StackSize, USER_END, USER_START};

/// Why a file is no ELF executable that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ElfReadError {
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
    /// Two segments take the same pages.
    #[error("{field} is {value:#x}: the segment overlaps the one before it")]
    Overlap {
        /// The address of the second segment.
        field: Field,
        /// Its value.
        value: u32,
    },
    /// A segment does not fit into user space.
    #[error("{field} is {value:#x}: the segment is outside of user space")]
    Outside {
        /// The field that holds the address.
        field: Field,
        /// Its value.
        value: u32,
    },
    /// No segment is to be loaded.
    #[error("{field} is {value:#x}, and none of the segments is to be loaded")]
    Empty {
        /// The number of program headers.
        field: Field,
        /// Its value.
        value: u32,
    },
    /// The entry point is in no segment that can be executed.
    #[error("{field} is {value:#x}, which is in no segment that can be executed")]
    Entry {
        /// The field.
        field: Field,
        /// Its value.
        value: u32,
    },
}

impl From<Ends> for ElfReadError {
    fn from(Ends(field): Ends) -> Self {
        Self::Truncated { field }
    }
}

/// What an ELF file starts with.
pub(super) const MAGIC: &[u8] = b"\x7FELF";

/// Fields of the file's header, by offset.
mod header {
    pub(super) const CLASS: u64 = 4;
    pub(super) const DATA: u64 = 5;
    pub(super) const TYPE: u64 = 16;
    pub(super) const MACHINE: u64 = 18;
    pub(super) const ENTRY: u64 = 24;
    pub(super) const PROGRAM_HEADERS: u64 = 28;
    pub(super) const HEADER_SIZE: u64 = 42;
    pub(super) const HEADER_COUNT: u64 = 44;
}

/// Fields of a program header, by offset.
mod segment {
    pub(super) const TYPE: u64 = 0;
    pub(super) const OFFSET: u64 = 4;
    pub(super) const ADDRESS: u64 = 8;
    pub(super) const FILE_SIZE: u64 = 16;
    pub(super) const MEMORY_SIZE: u64 = 20;
    pub(super) const FLAGS: u64 = 24;
}

const CLASS_32: u8 = 1;
const LITTLE_ENDIAN: u8 = 1;
const EXECUTABLE: u16 = 2;
const MACHINE_386: u16 = 3;
const SEGMENT_HEADER_BYTES: u16 = 32;
/// `PT_LOAD`
const LOAD: u32 = 1;
/// `PT_INTERP`
const INTERPRETER: u32 = 3;
/// The most program headers that are looked at.
const MAX_SEGMENTS: u16 = 256;
/// The stack of a Linux process, in bytes. It is committed but for its guard, since there any
/// address of the stack may be touched first.
const STACK: StackSize = StackSize {
    reserve: 8 << 20,
    commit: (8 << 20) - (1 << 16),
};

/// Reads an executable.
pub(super) fn read(bytes: &[u8]) -> Result<Program, ElfReadError> {
    let file = Bytes(bytes);
    check_kind(file)?;
    let count = file.u16("e_phnum", header::HEADER_COUNT)?;
    let mut parts: Vec<Part> = Vec::new();
    for at in headers(file, count)? {
        match file.u32("p_type", at + segment::TYPE)? {
            LOAD => add(&mut parts, at, load(file, at)?)?,
            INTERPRETER => {
                let expected = "only programs that are linked statically can be run";
                return Err(wrong("p_type", at + segment::TYPE, INTERPRETER, expected));
            }
            _ => {}
        }
    }
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Err(ElfReadError::Empty {
            field: Field::new("e_phnum", header::HEADER_COUNT),
            value: count.into(),
        });
    };
    let base = first.offset - first.offset % ALLOCATION_GRANULARITY;
    let size = last.offset + last.size - base;
    let entry = entry(file, &parts)? - base;
    for part in &mut parts {
        part.offset -= base;
    }
    Ok(Program {
        platform: Platform::Linux,
        base,
        size,
        entry,
        parts,
        imports: Vec::new(),
        relocations: None,
        thread_local: None,
        stack: Some(STACK),
    })
}

fn check_kind(file: Bytes<'_>) -> Result<(), ElfReadError> {
    if file.take("e_ident", 0, 4)? != MAGIC {
        let value = file.u32("e_ident", 0)?;
        return Err(wrong("e_ident", 0, value, "it should be 7Fh and ELF"));
    }
    let class = file.u8("EI_CLASS", header::CLASS)?;
    if class != CLASS_32 {
        let expected = "only 32-bit programs (1) can be run";
        return Err(wrong("EI_CLASS", header::CLASS, class.into(), expected));
    }
    let data = file.u8("EI_DATA", header::DATA)?;
    if data != LITTLE_ENDIAN {
        let expected = "x86 is little-endian (1)";
        return Err(wrong("EI_DATA", header::DATA, data.into(), expected));
    }
    let machine = file.u16("e_machine", header::MACHINE)?;
    if machine != MACHINE_386 {
        let expected = "only x86 programs (3) can be run";
        return Err(wrong(
            "e_machine",
            header::MACHINE,
            machine.into(),
            expected,
        ));
    }
    let kind = file.u16("e_type", header::TYPE)?;
    if kind != EXECUTABLE {
        let expected = match kind {
            1 => "this is an object file: link it with ld -m elf_i386",
            3 => "programs that can be anywhere are not supported: link with -no-pie -static",
            _ => "only executables (2) can be run",
        };
        return Err(wrong("e_type", header::TYPE, kind.into(), expected));
    }
    Ok(())
}

/// Returns where the program headers are.
fn headers(file: Bytes<'_>, count: u16) -> Result<impl Iterator<Item = u64>, ElfReadError> {
    let first = u64::from(file.u32("e_phoff", header::PROGRAM_HEADERS)?);
    let size = file.u16("e_phentsize", header::HEADER_SIZE)?;
    if count > 0 && size != SEGMENT_HEADER_BYTES {
        let expected = "a program header has 32 bytes";
        return Err(wrong(
            "e_phentsize",
            header::HEADER_SIZE,
            size.into(),
            expected,
        ));
    }
    if count > MAX_SEGMENTS {
        let expected = "there can be 256 program headers at most";
        return Err(wrong(
            "e_phnum",
            header::HEADER_COUNT,
            count.into(),
            expected,
        ));
    }
    Ok((0..u64::from(count)).map(move |index| first + index * u64::from(SEGMENT_HEADER_BYTES)))
}

/// Returns the pages of a segment, whose offset is its linear address. As on Linux, they are those
/// of the file: what stands there before and behind the segment is in memory, too.
fn load(file: Bytes<'_>, at: u64) -> Result<Option<Part>, ElfReadError> {
    let offset = file.u32("p_offset", at + segment::OFFSET)?;
    let addr = file.u32("p_vaddr", at + segment::ADDRESS)?;
    let file_size = file.u32("p_filesz", at + segment::FILE_SIZE)?;
    let size = file.u32("p_memsz", at + segment::MEMORY_SIZE)?;
    let flags = file.u32("p_flags", at + segment::FLAGS)?;
    if size == 0 {
        return Ok(None);
    }
    let before = addr % PAGE_SIZE;
    if offset % PAGE_SIZE != before && file_size > 0 {
        let expected = "it should be at the same place of a page as p_vaddr";
        return Err(wrong("p_offset", at + segment::OFFSET, offset, expected));
    }
    if file_size > size {
        let expected = "the segment has fewer bytes in memory than in the file";
        return Err(wrong(
            "p_filesz",
            at + segment::FILE_SIZE,
            file_size,
            expected,
        ));
    }
    let end = addr
        .checked_add(size)
        .and_then(|end| end.checked_next_multiple_of(PAGE_SIZE))
        .filter(|&end| addr >= USER_START && end <= USER_END)
        .ok_or(ElfReadError::Outside {
            field: Field::new("p_vaddr", at + segment::ADDRESS),
            value: addr,
        })?;
    // All of what the segment names has to be there.
    file.take("segment data (p_offset)", offset.into(), file_size.into())?;
    let bytes = if file_size == 0 {
        Vec::new()
    } else {
        let start = u64::from(offset - before);
        let wanted = if file_size == size {
            u64::from(before + size).next_multiple_of(PAGE_SIZE.into())
        } else {
            u64::from(before + file_size)
        };
        let available = (file.0.len() as u64).saturating_sub(start);
        file.take("segment data (p_offset)", start, wanted.min(available))?
            .to_vec()
    };
    Ok(Some(Part {
        offset: addr - before,
        size: end - (addr - before),
        bytes,
        rights: rights(flags),
    }))
}

fn rights(flags: u32) -> PartRights {
    [
        (1, PartRights::EXECUTE | PartRights::READ),
        (2, PartRights::WRITE | PartRights::READ),
        (4, PartRights::READ),
    ]
    .into_iter()
    .filter(|(bit, _)| flags & bit != 0)
    .fold(PartRights::empty(), |all, (_, right)| all | right)
}

/// Adds a segment behind the others. Where it begins in the last page of the one before, the page
/// is its own, as on Linux, where it is mapped over that one.
fn add(parts: &mut Vec<Part>, at: u64, part: Option<Part>) -> Result<(), ElfReadError> {
    let Some(part) = part else { return Ok(()) };
    if let Some(last) = parts.last_mut() {
        let end = last.offset + last.size;
        let keeps = part
            .offset
            .checked_sub(last.offset)
            .filter(|&keeps| keeps >= last.size || (end - part.offset == PAGE_SIZE && keeps > 0));
        let Some(keeps) = keeps else {
            return Err(ElfReadError::Overlap {
                field: Field::new("p_vaddr", at + segment::ADDRESS),
                value: part.offset,
            });
        };
        if keeps < last.size {
            last.size = keeps;
            last.bytes.truncate(keeps as usize);
        }
    }
    parts.push(part);
    Ok(())
}

fn entry(file: Bytes<'_>, parts: &[Part]) -> Result<u32, ElfReadError> {
    let value = file.u32("e_entry", header::ENTRY)?;
    let inside = parts.iter().any(|part| {
        let within = value.checked_sub(part.offset);
        part.rights.contains(PartRights::EXECUTE) && within.is_some_and(|at| at < part.size)
    });
    let field = Field::new("e_entry", header::ENTRY);
    inside
        .then_some(value)
        .ok_or(ElfReadError::Entry { field, value })
}

/// Returns the error of a field that has not the value that it must have.
fn wrong(name: &'static str, offset: u64, value: u32, expected: &'static str) -> ElfReadError {
    let field = Field::new(name, offset);
    ElfReadError::Value {
        field,
        value,
        expected,
    }
}
