//! Raw bytes, as `nasm -f bin` makes them.

use pagefault_vmm::ALLOCATION_GRANULARITY;
use pagefault_vmm::mmu::PAGE_SIZE;
use thiserror::Error;

use super::{Part, PartRights, Platform, Program, USER_END, USER_START};

/// Why raw bytes are no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FlatError {
    /// There are none.
    #[error("the file is empty")]
    Empty,
    /// They would not be in user space.
    #[error("{size} bytes at {base:#010x} are not in user space, 0x00010000 to 0x7ffdffff")]
    Place {
        /// The address of the first byte.
        base: u32,
        /// How many there are.
        size: usize,
    },
    /// The entry point is outside of them.
    #[error("the entry point {entry:#010x} is outside of the file, {base:#010x} to {last:#010x}")]
    Entry {
        /// The entry point.
        entry: u32,
        /// The address of the first byte.
        base: u32,
        /// The address of the last byte.
        last: u32,
    },
}

/// Returns the program whose bytes are at `base` and which begins at `entry`.
pub(super) fn read(bytes: &[u8], base: u32, entry: u32) -> Result<Program, FlatError> {
    if bytes.is_empty() {
        return Err(FlatError::Empty);
    }
    let size = bytes.len();
    let end = u32::try_from(size)
        .ok()
        .and_then(|len| base.checked_add(len))
        .filter(|&end| base >= USER_START && end <= USER_END)
        .ok_or(FlatError::Place { base, size })?;
    if !(base..end).contains(&entry) {
        let last = end - 1;
        return Err(FlatError::Entry { entry, base, last });
    }
    let image = base - base % ALLOCATION_GRANULARITY;
    let before = base % PAGE_SIZE;
    let mut contents = vec![0; before as usize];
    contents.extend_from_slice(bytes);
    let part = Part {
        offset: base - before - image,
        size: (end - (base - before)).next_multiple_of(PAGE_SIZE),
        bytes: contents,
        rights: PartRights::all(),
    };
    Ok(Program {
        platform: Platform::Bare,
        base: image,
        size: part.offset + part.size,
        entry: entry - image,
        parts: vec![part],
        imports: Vec::new(),
        relocations: None,
        thread_local: None,
        stack: None,
    })
}
