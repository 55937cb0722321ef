//! The sections being filled.

use std::collections::HashMap;

use crate::insn::operand::RefKind;
use crate::object::LineOrigin;
use crate::source::{Span, to_u32};
use crate::symbol::{SectionId, SymbolId};

/// What a section holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum SectionKind {
    Code,
    Data,
    /// Uninitialised data.
    Bss,
    /// Read-only data.
    Const,
}

/// What the linker adds into a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Symbol(SymbolId),
    /// The start of a section.
    Section(SectionId),
}

/// A 32-bit field that the linker fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) offset: u32,
    pub(crate) target: Target,
    pub(crate) kind: RefKind,
}

/// A source line that made bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineMark {
    pub(crate) offset: u32,
    pub(crate) len: u32,
    pub(crate) span: Span,
    pub(crate) origin: LineOrigin,
}

/// A section being filled.
#[derive(Clone, Debug)]
pub(crate) struct SectionData {
    pub(crate) name: Box<[u8]>,
    pub(crate) kind: SectionKind,
    /// Alignment in bytes.
    pub(crate) align: u32,
    pub(crate) bytes: Vec<u8>,
    /// Size, which is more than the bytes only for uninitialised data.
    pub(crate) size: u32,
    /// Where the next byte goes.
    pub(crate) offset: u32,
    pub(crate) references: Vec<Reference>,
    pub(crate) lines: Vec<LineMark>,
}

/// A place in a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) section: SectionId,
    pub(crate) offset: u32,
}

/// What a reference counts against the limit of output, in bytes: about the memory it takes.
const REFERENCE_COST: u64 = 16;

/// Why bytes cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OutputError {
    NoSection,
    TooLarge,
}

/// All sections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    pub(crate) sections: Vec<SectionData>,
    pub(crate) current: Option<SectionId>,
    /// Sections by their names in small letters.
    by_name: HashMap<Vec<u8>, SectionId>,
    total: u64,
    /// Bytes that were given a value.
    written: u64,
}

/// How far the current section is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    /// Where the next byte goes.
    pub(crate) offset: u32,
    /// Number of references.
    pub(crate) references: usize,
    /// Bytes that were given a value, in all sections.
    pub(crate) written: u64,
}

impl Progress {
    /// The bytes between an earlier place and this one.
    pub(crate) fn len_from(self, earlier: Self) -> u32 {
        self.offset.saturating_sub(earlier.offset)
    }
}

impl Output {
    /// Empties all sections for another pass.
    pub(crate) fn restart(&mut self) {
        self.current = None;
        self.total = 0;
        for section in &mut self.sections {
            section.bytes.clear();
            section.size = 0;
            section.offset = 0;
            section.references.clear();
            section.lines.clear();
        }
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<SectionId> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    pub(crate) fn add(&mut self, name: &[u8], kind: SectionKind, align: u32) -> SectionId {
        self.sections.push(SectionData {
            name: name.into(),
            kind,
            align,
            bytes: Vec::new(),
            size: 0,
            offset: 0,
            references: Vec::new(),
            lines: Vec::new(),
        });
        let id = SectionId(to_u32(self.sections.len()).saturating_sub(1));
        self.by_name.insert(name.to_ascii_lowercase(), id);
        id
    }

    pub(crate) fn section(&self, id: SectionId) -> Option<&SectionData> {
        self.sections.get(id.0 as usize)
    }

    pub(crate) fn current(&self) -> Option<&SectionData> {
        self.section(self.current?)
    }

    fn current_mut(&mut self) -> Option<&mut SectionData> {
        self.sections.get_mut(self.current?.0 as usize)
    }

    /// Returns where the next byte goes.
    pub(crate) fn place(&self) -> Option<Place> {
        let section = self.current?;
        Some(Place {
            section,
            offset: self.section(section)?.offset,
        })
    }

    /// Returns how far the current section is.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let section = self.current()?;
        Some(Progress {
            offset: section.offset,
            references: section.references.len(),
            written: self.written,
        })
    }

    /// Adds bytes to the current section.
    pub(crate) fn write(&mut self, bytes: &[u8], limit: u64) -> Result<(), OutputError> {
        let len = self.grow(bytes.len() as u64, limit)?;
        self.written = self.written.saturating_add(len.into());
        let section = self.current_mut().ok_or(OutputError::NoSection)?;
        if section.kind != SectionKind::Bss {
            let start = section.offset as usize;
            if section.bytes.len() < start + bytes.len() {
                section.bytes.resize(start + bytes.len(), 0);
            }
            if let Some(field) = section.bytes.get_mut(start..start + bytes.len()) {
                field.copy_from_slice(bytes);
            }
        }
        section.advance(len);
        Ok(())
    }

    /// Adds `len` bytes without a value to the current section.
    pub(crate) fn reserve(&mut self, len: u64, limit: u64) -> Result<(), OutputError> {
        let len = self.grow(len, limit)?;
        let section = self.current_mut().ok_or(OutputError::NoSection)?;
        if section.kind != SectionKind::Bss {
            let end = section.offset as usize + len as usize;
            if section.bytes.len() < end {
                section.bytes.resize(end, 0);
            }
        }
        section.advance(len);
        Ok(())
    }

    fn grow(&mut self, len: u64, limit: u64) -> Result<u32, OutputError> {
        if self.current.is_none() {
            return Err(OutputError::NoSection);
        }
        let total = self.total.saturating_add(len);
        if total > limit {
            return Err(OutputError::TooLarge);
        }
        self.total = total;
        u32::try_from(len).map_err(|_| OutputError::TooLarge)
    }

    /// Moves the current place.
    pub(crate) fn set_offset(&mut self, offset: u32) {
        if let Some(section) = self.current_mut() {
            section.offset = offset;
        }
    }

    /// Notes a field for the linker.
    pub(crate) fn refer(&mut self, offset: u32, target: Target, kind: RefKind) {
        self.total = self.total.saturating_add(REFERENCE_COST);
        if let Some(section) = self.current_mut() {
            section.references.push(Reference {
                offset,
                target,
                kind,
            });
        }
    }

    /// Notes the source line of the bytes from `start` on.
    pub(crate) fn mark_line(&mut self, start: u32, span: Span, origin: LineOrigin) {
        if let Some(section) = self.current_mut() {
            let len = section.offset.saturating_sub(start);
            section.lines.push(LineMark {
                offset: start,
                len,
                span,
                origin,
            });
        }
    }
}

impl SectionData {
    fn advance(&mut self, len: u32) {
        self.offset = self.offset.saturating_add(len);
        self.size = self.size.max(self.offset);
    }
}
