//! `CreateFileMapping`, `MapViewOfFile`, `UnmapViewOfFile`, `FlushViewOfFile`.

use std::collections::BTreeMap;

use bitflags::bitflags;
use pagefault_mmu::{FrameNumber, LinearAddr, Mmu, Observer, PAGE_SIZE, PteFlags};
use thiserror::Error;

use crate::config::ALLOCATION_GRANULARITY;
use crate::frames::Contents;
use crate::ops::alloc::{AllocError, Search, place};
use crate::protection::{InvalidProtection, Modifier, Protection, Rights};
use crate::range::PageRange;
use crate::region::{Region, Source, Unsaid, Vad, Watched};
use crate::section::{Prototype, Section, SectionCommit, SectionId, View};
use crate::space::{Backing, PageState};
use crate::store::{PageBytes, SectionFile, StoreError};
use crate::vmm::{Caller, Vmm};
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

bitflags! {
    /// What `MapViewOfFile` asks for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct ViewAccess: u32 {
        /// `FILE_MAP_COPY`
        const COPY = 0x01;
        /// `FILE_MAP_WRITE`
        const WRITE = 0x02;
        /// `FILE_MAP_READ`
        const READ = 0x04;
        /// `FILE_MAP_EXECUTE`
        const EXECUTE = 0x20;
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

/// The arguments of `MapViewOfFileEx`, as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRequest {
    /// `FILE_MAP_*` bits.
    pub access: u32,
    /// Where in the section the view starts.
    pub offset_bytes: u64,
    /// How many bytes; 0 means to the end of the section.
    pub size_bytes: u32,
    /// Where; 0 (NULL) lets the system choose.
    pub address: LinearAddr,
}

/// Why `MapViewOfFile` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MapError {
    /// There is no such section.
    #[error("there is no such section")]
    NoSection,
    /// The offset or the address is no multiple of 64 KiB.
    #[error("offset and address of a view are multiples of 64 KiB")]
    Alignment,
    /// The address is not in user space.
    #[error("{address} is not in user space")]
    OutsideUserSpace {
        /// The address given.
        address: LinearAddr,
    },
    /// The view would go past the end of the section.
    #[error("the view goes past the end of the section")]
    PastEnd,
    /// The section does not allow the access.
    #[error("the section's protection does not allow access {access:#x}")]
    Access {
        /// The bits given.
        access: u32,
    },
    /// Part of the range is reserved already.
    #[error("the 64 KiB at {taken} are reserved already")]
    Taken {
        /// The first granule of the range that is taken.
        taken: LinearAddr,
    },
    /// No free range is large enough.
    #[error("no free range of {size_bytes:#x} bytes")]
    NoRoom {
        /// The size of the view.
        size_bytes: u32,
    },
}

impl MapError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NoSection => Win32Code::INVALID_HANDLE,
            Self::Alignment => Win32Code::MAPPED_ALIGNMENT,
            Self::OutsideUserSpace { .. } => Win32Code::INVALID_PARAMETER,
            Self::PastEnd | Self::Access { .. } => Win32Code::ACCESS_DENIED,
            Self::Taken { .. } => Win32Code::INVALID_ADDRESS,
            Self::NoRoom { .. } => Win32Code::NOT_ENOUGH_MEMORY,
        }
    }
}

/// Why `UnmapViewOfFile` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnmapError {
    /// The address is in no view.
    #[error("{address} is in no view of a section")]
    NotMapped {
        /// The address given.
        address: LinearAddr,
    },
}

impl UnmapError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NotMapped { .. } => Win32Code::INVALID_ADDRESS,
        }
    }
}

/// Why `FlushViewOfFile` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FlushError {
    /// The range is not inside one view.
    #[error("the range at {address} is not inside one view of a section")]
    NotMapped {
        /// The address given.
        address: LinearAddr,
    },
    /// The file does not take a page; it counts as modified still.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FlushError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NotMapped { .. } => Win32Code::INVALID_ADDRESS,
            Self::Store(_) => Win32Code::SWAPERROR,
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
        let flags = SectionFlags::from_bits_truncate(protect);
        let protection = section_protection(protect, flags)?;
        let refused = CreateSectionError::Flags { bits: protect };
        if flags.contains(SectionFlags::RESERVE | SectionFlags::COMMIT) {
            return Err(refused);
        }
        if flags.contains(SectionFlags::LARGE_PAGES) {
            let commits = flags.contains(SectionFlags::COMMIT);
            return Err(if commits {
                CreateSectionError::Privilege
            } else {
                refused
            });
        }
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

    /// Closes a handle of a section; with the last handle and the last view the section goes.
    pub fn close_section<O: Observer>(&mut self, mmu: &Mmu<O>, id: SectionId) {
        if let Some(section) = self.sections.get_mut(id) {
            section.handles = section.handles.saturating_sub(1);
        }
        self.remove_unused_section(mmu, id);
    }

    /// `MapViewOfFile`, `MapViewOfFileEx`: returns the address of a new view.
    ///
    /// # Errors
    ///
    /// [`MapError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn map_view(
        &mut self,
        caller: Caller,
        id: SectionId,
        request: &MapRequest,
    ) -> Result<LinearAddr, MapError> {
        let &MapRequest {
            access,
            offset_bytes,
            size_bytes,
            address,
        } = request;
        let section = self.sections.get(id).ok_or(MapError::NoSection)?;
        let space = self.space(caller.process);
        if address > space.user.highest() {
            return Err(MapError::OutsideUserSpace { address });
        }
        let granularity = u64::from(ALLOCATION_GRANULARITY);
        if !offset_bytes.is_multiple_of(granularity)
            || !address.bits().is_multiple_of(ALLOCATION_GRANULARITY)
        {
            return Err(MapError::Alignment);
        }
        let rights = view_rights(access);
        if !section_allows(section.protection.rights(), rights) {
            return Err(MapError::Access { access });
        }
        let first = u32::try_from(offset_bytes / u64::from(PAGE_SIZE));
        let first = first.map_err(|_| MapError::PastEnd)?;
        let rest = section
            .len_pages
            .checked_sub(first)
            .filter(|&rest| rest > 0);
        let rest = rest.ok_or(MapError::PastEnd)?;
        let len_pages = if size_bytes == 0 {
            rest
        } else {
            size_bytes.div_ceil(PAGE_SIZE)
        };
        if len_pages > rest {
            return Err(MapError::PastEnd);
        }
        let no_room = MapError::NoRoom {
            size_bytes: len_pages.saturating_mul(PAGE_SIZE),
        };
        let view_bytes = len_pages.checked_mul(PAGE_SIZE).ok_or(no_room)?;
        let placed = place(space, address, view_bytes, Search::Lowest);
        let pages = placed.map_err(|error| match error {
            AllocError::Taken { taken } => MapError::Taken { taken },
            AllocError::OutsideUserSpace { .. } => MapError::OutsideUserSpace { address },
            _ => no_room,
        })?;
        if pages.end() > space.user.pages().end() {
            return Err(MapError::OutsideUserSpace { address });
        }
        let protection = Protection::of(rights).with_caching(section.protection.modifier());
        let vad = Vad {
            pages,
            source: Source::View {
                section: id,
                first,
                rights,
            },
            allocation_protection: protection,
            unsaid: Unsaid::Committed(protection),
            watched: Watched::No,
        };
        let mut region = Region::new(vad, caller.origin);
        region.history.commit_at_birth();
        self.space_mut(caller.process).insert(region);
        let view = View {
            process: caller.process,
            base: pages.start(),
            first,
            len_pages,
        };
        self.sections
            .get_mut(id)
            .expect("found above")
            .views
            .push(view);
        Ok(vad.base())
    }

    /// `UnmapViewOfFile`: takes away the view that `address` is in.
    ///
    /// # Errors
    ///
    /// [`UnmapError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn unmap_view<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        address: LinearAddr,
    ) -> Result<(), UnmapError> {
        let process = caller.process;
        let region = self.space(process).region(address.page());
        let vad = region
            .map(|region| region.vad)
            .ok_or(UnmapError::NotMapped { address })?;
        let Source::View { section: id, .. } = vad.source else {
            return Err(UnmapError::NotMapped { address });
        };
        self.remove_region(mmu, process, &vad);
        if let Some(section) = self.sections.get_mut(id) {
            let base = vad.pages.start();
            section
                .views
                .retain(|view| (view.process, view.base) != (process, base));
        }
        self.remove_unused_section(mmu, id);
        Ok(())
    }

    /// `FlushViewOfFile`: writes the modified pages of a view to their file; the size 0 means to
    /// the end of the view.
    ///
    /// # Errors
    ///
    /// [`FlushError`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn flush_view<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Result<(), FlushError> {
        let not_mapped = FlushError::NotMapped { address };
        let region = self
            .space(caller.process)
            .region(address.page())
            .ok_or(not_mapped)?;
        let vad = region.vad;
        let pages = match size_bytes {
            0 => PageRange::new(address.page(), vad.pages.end()),
            size_bytes => PageRange::touched(address, size_bytes),
        };
        let pages = pages
            .filter(|&pages| vad.pages.contains_range(pages))
            .ok_or(not_mapped)?;
        let Source::View { section: id, .. } = vad.source else {
            return Err(not_mapped);
        };
        if self
            .sections
            .get(id)
            .is_none_or(|section| section.file.is_none())
        {
            return Ok(());
        }
        for page in pages.pages() {
            let (_, index) = vad.section_page(page).expect("the region is a view");
            self.collect_dirty(mmu, id, index);
            self.write_back(mmu, id, index)?;
        }
        Ok(())
    }

    /// Takes the D flags of a section's page out of the entries of all views.
    fn collect_dirty<O: Observer>(&mut self, mmu: &mut Mmu<O>, id: SectionId, index: u32) {
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

    /// Commits pages of a section through a view, and gives them a protection in this view.
    pub(crate) fn commit_in_view<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        vad: &Vad,
        pages: PageRange,
        protection: Protection,
    ) -> Result<(), AllocError> {
        let Source::View {
            section: id,
            rights,
            ..
        } = vad.source
        else {
            return Err(AllocError::NotCommittable { pages });
        };
        if self
            .sections
            .get(id)
            .is_none_or(|section| section.file.is_some())
        {
            return Err(AllocError::NotCommittable { pages });
        }
        if !self.view_accepts(id, rights, protection) {
            return Err(AllocError::ViewProtection { protection });
        }
        let index_of = |page| vad.section_page(page).map_or(0, |(_, index)| index);
        let section = self.sections.get(id).expect("found above");
        let fresh: Vec<u32> = pages
            .pages()
            .map(index_of)
            .filter(|&index| section.prototype(index).is_none())
            .collect();
        let wanted_pages = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        self.check_commit(wanted_pages)?;
        self.add_tables(mmu, caller.process, pages)?;
        // Nothing below can fail.
        self.commit.charge(wanted_pages);
        let section = self.sections.get_mut(id).expect("found above");
        section.charged_pages += wanted_pages;
        for index in fresh {
            section.prototypes.insert(index, Prototype::Untouched);
        }
        for page in pages.pages() {
            self.set_protection(mmu, caller.process, vad, page, protection);
        }
        let region = self.space_mut(caller.process).region_mut(pages.start());
        region
            .expect("has a VAD")
            .history
            .commit(pages, caller.origin);
        Ok(())
    }

    /// Takes a section away that has no handle and no view: modified pages go to its file.
    fn remove_unused_section<O: Observer>(&mut self, mmu: &Mmu<O>, id: SectionId) {
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

fn section_protection(bits: u32, flags: SectionFlags) -> Result<Protection, CreateSectionError> {
    let refused = CreateSectionError::Protection { bits };
    let base = bits & !SectionFlags::all().bits();
    let protection = Protection::from_bits(base).map_err(|InvalidProtection { .. }| refused)?;
    let is_bare = protection.modifier() == Modifier::None;
    if !is_bare || matches!(protection.rights(), Rights::NoAccess | Rights::Execute) {
        return Err(refused);
    }
    let uncached = flags.contains(SectionFlags::NO_CACHE);
    Ok(if uncached {
        protection.with_caching(Modifier::NoCache)
    } else {
        protection
    })
}

/// Returns the protection that the access bits of `MapViewOfFile` ask for.
fn view_rights(access: u32) -> Rights {
    let access = ViewAccess::from_bits_truncate(access);
    let executes = access.contains(ViewAccess::EXECUTE);
    let pick = |plain, executable| if executes { executable } else { plain };
    if access - ViewAccess::EXECUTE == ViewAccess::COPY {
        pick(Rights::WriteCopy, Rights::ExecuteWriteCopy)
    } else if access.contains(ViewAccess::WRITE) {
        pick(Rights::ReadWrite, Rights::ExecuteReadWrite)
    } else if access.contains(ViewAccess::READ) {
        pick(Rights::ReadOnly, Rights::ExecuteRead)
    } else {
        Rights::NoAccess
    }
}

/// Returns whether a view with these rights can be had of a section.
fn section_allows(section: Rights, view: Rights) -> bool {
    let writes = matches!(view, Rights::ReadWrite | Rights::ExecuteReadWrite);
    let may_write = matches!(section, Rights::ReadWrite | Rights::ExecuteReadWrite);
    (!writes || may_write) && (!view.is_executable() || section.is_executable())
}
