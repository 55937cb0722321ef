//! Reading fields of a file of which nothing is known to be right.

use std::fmt;

/// A field of a file: what it is called, and where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    name: &'static str,
    offset: u64,
}

impl Field {
    pub(super) const fn new(name: &'static str, offset: u64) -> Self {
        Self { name, offset }
    }

    /// Returns the field's name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the field's offset in the file, in bytes.
    pub const fn offset(self) -> u64 {
        self.offset
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {:#x}", self.name, self.offset)
    }
}

/// The file ends within a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ends(pub(super) Field);

/// Bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// Returns `len` bytes.
    pub(super) fn take(self, name: &'static str, offset: u64, len: u64) -> Result<&'a [u8], Ends> {
        let ends = Ends(Field::new(name, offset));
        let start = usize::try_from(offset).map_err(|_| ends)?;
        let len = usize::try_from(len).map_err(|_| ends)?;
        let end = start.checked_add(len).ok_or(ends)?;
        self.0.get(start..end).ok_or(ends)
    }

    pub(super) fn u8(self, name: &'static str, offset: u64) -> Result<u8, Ends> {
        let bytes = self.take(name, offset, 1)?;
        let ends = Ends(Field::new(name, offset));
        bytes.first().copied().ok_or(ends)
    }

    pub(super) fn u16(self, name: &'static str, offset: u64) -> Result<u16, Ends> {
        let bytes = self.take(name, offset, 2)?;
        let bytes = bytes
            .try_into()
            .map_err(|_| Ends(Field::new(name, offset)))?;
        Ok(u16::from_le_bytes(bytes))
    }

    pub(super) fn u32(self, name: &'static str, offset: u64) -> Result<u32, Ends> {
        let bytes = self.take(name, offset, 4)?;
        let bytes = bytes
            .try_into()
            .map_err(|_| Ends(Field::new(name, offset)))?;
        Ok(u32::from_le_bytes(bytes))
    }
}
