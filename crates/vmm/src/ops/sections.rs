//! `CreateFileMapping`: sections, their pages, and their end.

use std::collections::BTreeMap;

use bitflags::bitflags;
use pagefault_mmu::{FrameNumber, Mmu, Observer, PAGE_SIZE, PteFlags};
use thiserror::Error;

use crate::frames::Contents;
use crate::protection::{InvalidProtection, Modifier, Protection, Rights};
use crate::region::{Source, Vad};
use crate::section::{Prototype, Section, SectionCommit, SectionId};
use crate::space::{Backing, PageState};
use crate::store::{PageBytes, SectionFile, StoreError};
use crate::vmm::Vmm;
use crate::win32::Win32Code;

bitflags! {
    /// What `CreateFileMapping` takes beside a protection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct SectionFlags: u32 {
        /// `SEC_RESERVE`
        const RESERVE = 0x0400_0000;
        /// `SEC_COMMIT`
        const COMMIT = 0x0800_0000;
        /// `SEC_NOCACHE`
        const NO_CACHE = 0x1000_0000;
        /// `SEC_LARGE_PAGES`
        const LARGE_PAGES = 0x8000_0000;
    }
}

/// The arguments of `CreateFileMapping`, as given.
#[derive(Debug, Default)]
pub struct SectionRequest {
    /// How many bytes; 0 means the size of the file.
    pub size_bytes: u64,
    /// A `PAGE_*` constant, with `SEC_*` bits.
    pub protect: u32,
    /// The file; `None` is `INVALID_HANDLE_VALUE`, the paging file.
    pub file: Option<Box<dyn SectionFile>>,
}

/// Why `CreateFileMapping` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CreateSectionError {
    /// The size is 0, and there is no file to say how large it should be.
    #[error("a section without a file needs a size")]
    ZeroSize,
    /// No protection that a section can have.
    #[error("{bits:#x} is no protection of a section")]
    Protection {
        /// The bits given.
        bits: u32,
    },
    /// Flags that exclude each other, or are not for such a section.
    #[error("section flags {bits:#x} are no valid combination")]
    Flags {
        /// The bits given.
        bits: u32,
    },
    /// Large pages without `SeLockMemoryPrivilege`.
    #[error("SeLockMemoryPrivilege is not held")]
    Privilege,
    /// More than can ever be mapped.
    #[error("a section of {size_bytes:#x} bytes is too large")]
    TooLarge {
        /// The size given.
        size_bytes: u64,
    },
    /// The promise would exceed the commit limit.
    #[error("{wanted_pages} pages exceed the commit limit by {}", wanted_pages - available_pages)]
    CommitLimit {
        /// Pages to be committed.
        wanted_pages: u32,
        /// Pages that can still be committed.
        available_pages: u32,
    },
}

impl CreateSectionError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::ZeroSize | Self::Protection { .. } | Self::Flags { .. } => {
                Win32Code::INVALID_PARAMETER
            }
            Self::Privilege => Win32Code::PRIVILEGE_NOT_HELD,
            Self::TooLarge { .. } => Win32Code::NOT_ENOUGH_MEMORY,
            Self::CommitLimit { .. } => Win32Code::COMMITMENT_LIMIT,
        }
    }
}

impl Vmm {
    /// `CreateFileMapping`: makes a section, which lives until [`Vmm::close_section`] has been
    /// called for it and its last view is gone.
    ///
    /// # Errors
    ///
    /// [`CreateSectionError`]; nothing has changed.
    pub fn create_section(
        &mut self,
        request: SectionRequest,
    ) -> Result<SectionId, CreateSectionError> {
        let SectionRequest {
            size_bytes,
            protect,
            file,
        } = request;
        let (protection, flags) = check_protection(protect)?;
        let size_bytes = match (size_bytes, &file) {
            (0, Some(file)) => file.size_bytes(),
            (size_bytes, _) => size_bytes,
        };
        if size_bytes == 0 {
            return Err(CreateSectionError::ZeroSize);
        }
        let too_large = CreateSectionError::TooLarge { size_bytes };
        let len_pages = size_bytes.div_ceil(u64::from(PAGE_SIZE));
        let len_pages = u32::try_from(len_pages).map_err(|_| too_large)?;
        let commit = if flags.contains(SectionFlags::RESERVE) && file.is_none() {
            SectionCommit::ByPage
        } else {
            SectionCommit::Whole
        };
        let charged_pages = match (commit, &file) {
            (SectionCommit::Whole, None) => len_pages,
            (SectionCommit::ByPage, _) | (_, Some(_)) => 0,
        };
        let available_pages = self.commit.available_pages();
        if charged_pages > available_pages {
            return Err(CreateSectionError::CommitLimit {
                wanted_pages: charged_pages,
                available_pages,
            });
        }
        self.commit.charge(charged_pages);
        Ok(self.sections.insert(Section {
            len_pages,
            protection,
            commit,
            prototypes: BTreeMap::new(),
            handles: 1,
            views: Vec::new(),
            charged_pages,
            file,
        }))
    }

    /// Counts a further handle of a section, as `DuplicateHandle` makes one.
    pub fn reference_section(&mut self, id: SectionId) {
        if let Some(section) = self.sections.get_mut(id) {
            section.handles += 1;
        }
    }

    /// Returns whether there is such a section still: a handle or a view keeps it.
    pub fn has_section(&self, id: SectionId) -> bool {
        self.sections.get(id).is_some()
    }

    /// Closes a handle of a section; with the last handle and the last view the section goes.
    pub fn close_section<O: Observer>(&mut self, mmu: &Mmu<O>, id: SectionId) {
        if let Some(section) = self.sections.get_mut(id) {
            section.handles = section.handles.saturating_sub(1);
        }
        self.remove_unused_section(mmu, id);
    }

    /// Takes the D flags of a section's page out of the entries of all views.
    pub(crate) fn collect_dirty<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        id: SectionId,
        index: u32,
    ) {
        let Some(frame) = self.section_frame(id, index) else {
            return;
        };
        let showing: Vec<_> = self
            .sections
            .get(id)
            .map(|section| section.showing(index).collect())
            .unwrap_or_default();
        for (process, page) in showing {
            let space = self.space(process);
            let Some(vad) = space.region(page).map(|region| region.vad) else {
                continue;
            };
            let state = self.page_state(mmu, space, &vad, page);
            if let PageState::Committed(_, Backing::Mapped(entry)) = state
                && entry.frame == frame
                && entry.flags.contains(PteFlags::DIRTY)
            {
                let clean = entry.without(PteFlags::DIRTY);
                self.editor(mmu, process).set_page(page, clean);
                self.frames.info_mut(frame).contents = Contents::Modified;
            }
        }
    }

    /// Writes a page of a section to its file, if it is in a frame and modified.
    pub(crate) fn write_back<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        id: SectionId,
        index: u32,
    ) -> Result<(), StoreError> {
        let Some(frame) = self.section_frame(id, index) else {
            return Ok(());
        };
        if self.frames.info(frame).contents != Contents::Modified {
            return Ok(());
        }
        let section = self.sections.get_mut(id).expect("it has a frame");
        if let Some(file) = &mut section.file
            && let Some(bytes) = mmu.mem().frame(frame)
        {
            let bytes: &PageBytes = bytes;
            file.write(index, bytes)?;
            self.counters.pages_out += 1;
            self.frames.info_mut(frame).contents = Contents::Clean;
        }
        Ok(())
    }

    /// Returns whether the region is a view of a file.
    pub(crate) fn is_file_view(&self, vad: &Vad) -> bool {
        match vad.source {
            Source::View { section, .. } => self
                .sections
                .get(section)
                .is_some_and(|section| section.file.is_some()),
            _ => false,
        }
    }

    /// Returns the frame of a section's page, if it is in one.
    pub(crate) fn section_frame(&self, id: SectionId, index: u32) -> Option<FrameNumber> {
        match self.sections.get(id)?.prototype(index)? {
            Prototype::Resident(frame) => Some(frame),
            Prototype::Untouched | Prototype::PagingFile(_) => None,
        }
    }

    /// Takes a section away that has no handle and no view: modified pages go to its file.
    pub(crate) fn remove_unused_section<O: Observer>(&mut self, mmu: &Mmu<O>, id: SectionId) {
        let is_unused = |section: &Section| section.handles == 0 && section.views.is_empty();
        if !self.sections.get(id).is_some_and(is_unused) {
            return;
        }
        let indices: Vec<u32> = self
            .sections
            .get(id)
            .expect("found above")
            .prototypes
            .keys()
            .copied()
            .collect();
        for index in indices {
            // Nobody is left to be told that the file did not take the page.
            let _ = self.write_back(mmu, id, index);
        }
        let section = self.sections.remove(id).expect("found above");
        self.commit.release(section.charged_pages);
        for prototype in section.prototypes.into_values() {
            match prototype {
                Prototype::Untouched => {}
                Prototype::Resident(frame) => self.free_frame(frame),
                Prototype::PagingFile(slot) => self.paging_file.free(slot),
            }
        }
    }
}

/// Returns the protection and the flags that the bits name, if a section can have them.
fn check_protection(bits: u32) -> Result<(Protection, SectionFlags), CreateSectionError> {
    let flags = SectionFlags::from_bits_truncate(bits);
    let refused = CreateSectionError::Protection { bits };
    let base = bits & !SectionFlags::all().bits();
    let protection = Protection::from_bits(base).map_err(|InvalidProtection { .. }| refused)?;
    let is_bare = protection.modifier() == Modifier::None;
    if !is_bare || matches!(protection.rights(), Rights::NoAccess | Rights::Execute) {
        return Err(refused);
    }
    let refused = CreateSectionError::Flags { bits };
    if flags.contains(SectionFlags::RESERVE | SectionFlags::COMMIT) {
        return Err(refused);
    }
    match flags & (SectionFlags::LARGE_PAGES | SectionFlags::COMMIT) {
        SectionFlags::LARGE_PAGES => return Err(refused),
        both if both.contains(SectionFlags::LARGE_PAGES) => {
            return Err(CreateSectionError::Privilege);
        }
        _ => {}
    }
    let uncached = flags.contains(SectionFlags::NO_CACHE);
    let caching = if uncached {
        Modifier::NoCache
    } else {
        Modifier::None
    };
    Ok((protection.with_caching(caching), flags))
}
