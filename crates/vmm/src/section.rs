//! Sections: memory that any number of views, in any number of processes, map.

use std::collections::BTreeMap;

use pagefault_mmu::{FrameNumber, PageNumber};

use crate::protection::{Protection, Rights};
use crate::software::Slot;
use crate::space::ProcessId;
use crate::store::SectionFile;

/// The number of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionId(u32);

/// Where the contents of a section's page are: the entry that the entries of all views stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prototype {
    /// Committed; nobody touched it, or the file has it.
    Untouched,
    Resident(FrameNumber),
    PagingFile(Slot),
}

/// How the pages of a section are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionCommit {
    /// `SEC_COMMIT`: all of them, when it is made.
    Whole,
    /// `SEC_RESERVE`: by `VirtualAlloc` in a view.
    ByPage,
}

/// A view of a section: which process, and the first page there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) process: ProcessId,
    pub(crate) base: PageNumber,
    /// The section page at `base`.
    pub(crate) first: u32,
    pub(crate) len_pages: u32,
}

/// A section object.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) len_pages: u32,
    pub(crate) protection: Protection,
    pub(crate) commit: SectionCommit,
    /// Only what differs from the section's beginnings.
    pub(crate) prototypes: BTreeMap<u32, Prototype>,
    pub(crate) handles: u32,
    pub(crate) views: Vec<View>,
    /// Pages that count against the commit limit.
    pub(crate) charged_pages: u32,
    /// The file behind it; without one, the paging file is.
    pub(crate) file: Option<Box<dyn SectionFile>>,
}

impl Section {
    /// Returns where the page's contents are, or `None` if it is not committed.
    pub(crate) fn prototype(&self, index: u32) -> Option<Prototype> {
        let unsaid = match self.commit {
            SectionCommit::Whole => Some(Prototype::Untouched),
            SectionCommit::ByPage => None,
        };
        self.prototypes.get(&index).copied().or(unsaid)
    }

    /// Returns each view that shows the page, with the page that shows it.
    pub(crate) fn showing(&self, index: u32) -> impl Iterator<Item = (ProcessId, PageNumber)> {
        self.views.iter().filter_map(move |view| {
            let offset = index
                .checked_sub(view.first)
                .filter(|&offset| offset < view.len_pages)?;
            Some((view.process, PageNumber::new(view.base.bits() + offset)?))
        })
    }
}

/// What a protection of a view's page lets be done, as far as compatibility goes.
///
/// `VirtualProtect` on a view compares sets of these, not protections: so a view for reading can be
/// made `PAGE_WRITECOPY`, which harms nobody, and one mapped `PAGE_WRITECOPY` never `READWRITE`.
pub(crate) fn view_accepts(section: Rights, view: Rights, new: Rights) -> bool {
    let (section, view, new) = (demands(section), demands(view), demands(new));
    view == new || (view != 0 && new & !view == 0 && new & !section == 0)
}

const READ: u8 = 1 << 0;
const WRITE: u8 = 1 << 1;
const EXECUTE: u8 = 1 << 2;
const EXECUTE_A_COPY: u8 = 1 << 3;

const fn demands(rights: Rights) -> u8 {
    match rights {
        Rights::NoAccess => 0,
        Rights::ReadOnly | Rights::WriteCopy => READ,
        Rights::ReadWrite => READ | WRITE,
        Rights::Execute | Rights::ExecuteRead => READ | EXECUTE,
        Rights::ExecuteReadWrite => READ | WRITE | EXECUTE | EXECUTE_A_COPY,
        Rights::ExecuteWriteCopy => READ | EXECUTE | EXECUTE_A_COPY,
    }
}

impl Section {
    fn with_file(&self, file: Option<Box<dyn SectionFile>>) -> Self {
        Self {
            len_pages: self.len_pages,
            protection: self.protection,
            commit: self.commit,
            prototypes: self.prototypes.clone(),
            handles: self.handles,
            views: self.views.clone(),
            charged_pages: self.charged_pages,
            file,
        }
    }
}

/// All sections.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    by_id: BTreeMap<SectionId, Section>,
    next: u32,
}

impl Sections {
    /// Returns sections of their own with the same contents; the error is one whose file cannot be
    /// copied.
    pub(crate) fn copy(&self) -> Result<Self, SectionId> {
        let copies = self.by_id.iter().map(|(&id, section)| {
            let file = match &section.file {
                Some(file) => Some(file.copy_file().ok_or(id)?),
                None => None,
            };
            Ok((id, section.with_file(file)))
        });
        Ok(Self {
            by_id: copies.collect::<Result<_, _>>()?,
            next: self.next,
        })
    }

    pub(crate) fn insert(&mut self, section: Section) -> SectionId {
        let id = SectionId(self.next);
        self.next += 1;
        self.by_id.insert(id, section);
        id
    }

    pub(crate) fn get(&self, id: SectionId) -> Option<&Section> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SectionId) -> Option<&mut Section> {
        self.by_id.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: SectionId) -> Option<Section> {
        self.by_id.remove(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SectionId, &Section)> {
        self.by_id.iter().map(|(&id, section)| (id, section))
    }

    pub(crate) fn is_committed(&self, id: SectionId, index: u32) -> bool {
        self.get(id)
            .is_some_and(|section| section.prototype(index).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_accept_what_windows_tests_accept() {
        use Rights::*;
        let all = [
            NoAccess,
            ReadOnly,
            Execute,
            ExecuteRead,
            ReadWrite,
            WriteCopy,
            ExecuteReadWrite,
            ExecuteWriteCopy,
        ];
        // For each view of a section that allows everything: what it can be changed to.
        let table: [(Rights, &[Rights]); 5] = [
            (ReadOnly, &[NoAccess, ReadOnly, WriteCopy]),
            (WriteCopy, &[NoAccess, ReadOnly, WriteCopy]),
            (ReadWrite, &[NoAccess, ReadOnly, ReadWrite, WriteCopy]),
            (
                ExecuteRead,
                &[NoAccess, ReadOnly, Execute, ExecuteRead, WriteCopy],
            ),
            (NoAccess, &[NoAccess]),
        ];
        for (view, accepted) in table {
            for new in all {
                let expected = accepted.contains(&new);
                assert_eq!(
                    view_accepts(ExecuteReadWrite, view, new),
                    expected,
                    "{view:?} {new:?}"
                );
            }
        }
        assert!(!view_accepts(ReadOnly, ReadWrite, ExecuteRead));
    }
}
