//! `MapViewOfFile`, `UnmapViewOfFile`, `FlushViewOfFile`, and `VirtualAlloc` in a view.

use bitflags::bitflags;
use pagefault_mmu::{LinearAddr, Mmu, Observer, PAGE_SIZE};
use thiserror::Error;

use crate::config::ALLOCATION_GRANULARITY;
use crate::ops::alloc::{AllocError, Search, place};
use crate::protection::{Protection, Rights};
use crate::range::PageRange;
use crate::region::{Region, Source, Unsaid, Vad, Watched};
use crate::section::{Prototype, Section, SectionId, View};
use crate::space::Space;
use crate::store::StoreError;
use crate::vmm::{Caller, Vmm};
use crate::win32::Win32Code;

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
        let section = self.sections.get(id).ok_or(MapError::NoSection)?;
        let space = self.space(caller.process);
        let Checked {
            rights,
            first,
            len_pages,
        } = check(section, space, request)?;
        let pages = place_view(space, request.address, len_pages)?;
        // Nothing below can fail.
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
}

/// What a checked request asks for.
#[derive(Clone, Copy, Debug)]
struct Checked {
    rights: Rights,
    /// The section page at the start of the view.
    first: u32,
    len_pages: u32,
}

/// Checks everything about a view but whether there is room for it.
fn check(section: &Section, space: &Space, request: &MapRequest) -> Result<Checked, MapError> {
    let &MapRequest {
        access,
        offset_bytes,
        size_bytes,
        address,
    } = request;
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
    let rest = section.len_pages.saturating_sub(first);
    let len_pages = match size_bytes {
        0 => rest,
        size_bytes => size_bytes.div_ceil(PAGE_SIZE),
    };
    if rest == 0 || len_pages > rest {
        return Err(MapError::PastEnd);
    }
    Ok(Checked {
        rights,
        first,
        len_pages,
    })
}

/// Returns the pages of a view that is wanted at `address`, or anywhere for NULL.
fn place_view(space: &Space, address: LinearAddr, len_pages: u32) -> Result<PageRange, MapError> {
    let size_bytes = len_pages.saturating_mul(PAGE_SIZE);
    let no_room = MapError::NoRoom { size_bytes };
    let size_bytes = len_pages.checked_mul(PAGE_SIZE).ok_or(no_room)?;
    let outside = MapError::OutsideUserSpace { address };
    let pages = place(space, address, size_bytes, Search::Lowest).map_err(|error| match error {
        AllocError::Taken { taken } => MapError::Taken { taken },
        AllocError::OutsideUserSpace { .. } => outside,
        _ => no_room,
    })?;
    if pages.end() > space.user.pages().end() {
        return Err(outside);
    }
    Ok(pages)
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
