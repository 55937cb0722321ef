//! `VirtualProtect`.

use pagefault_mmu::{LinearAddr, Mmu, Observer, PageNumber, PteFlags};
use thiserror::Error;

use crate::config::Profile;
use crate::copy::CopyError;
use crate::frames::FrameOwner;
use crate::protection::{InvalidProtection, Protection};
use crate::range::PageRange;
use crate::region::{Source, Unsaid, Vad};
use crate::section::view_accepts;
use crate::software::SoftwarePte;
use crate::space::{Backing, Over, PageState, ProcessId};
use crate::vmm::{Caller, NoFrame, Vmm};
use crate::win32::Win32Code;

/// The arguments of `VirtualProtect` less the pointer, as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectRequest {
    /// Where.
    pub address: LinearAddr,
    /// How many bytes; every page that one of them is in.
    pub size_bytes: u32,
    /// `PAGE_*` bits; anything that is no protection is refused by the call.
    pub protect: u32,
}

/// Why `VirtualProtect` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtectError {
    /// The old protection cannot be stored where the caller wants it.
    #[error("the old protection cannot be stored: {0}")]
    OldProtection(CopyError),
    /// No such protection.
    #[error(transparent)]
    Protection(#[from] InvalidProtection),
    /// A copy-on-write protection for memory that has nothing to copy.
    #[error("{protection} is for views of sections, not for private memory")]
    WriteCopy {
        /// The protection given.
        protection: Protection,
    },
    /// The size is 0.
    #[error("the size is 0")]
    ZeroSize,
    /// The range is not inside user space.
    #[error("{size_bytes:#x} bytes at {address} are not all in user space")]
    OutsideUserSpace {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
    /// No one allocation holds the whole range.
    #[error("{pages} is not inside one allocation")]
    NotAllocated {
        /// The pages that the request touches.
        pages: PageRange,
    },
    /// A page of the range is reserved only.
    #[error("page {page} is reserved but not committed")]
    NotCommitted {
        /// The first such page.
        page: PageNumber,
    },
    /// The protection exceeds what the view or its section allows.
    #[error("{protection} is more than the view allows")]
    ViewProtection {
        /// The protection given.
        protection: Protection,
    },
    /// Large and physical pages keep the protection that they were given.
    #[error("the protection of {pages} is fixed")]
    Fixed {
        /// The pages that the request touches.
        pages: PageRange,
    },
    /// No frame for a page table in which the protection would be noted.
    #[error(transparent)]
    NoFrame(#[from] NoFrame),
}

impl ProtectError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::OldProtection(error) => error.win32_code(),
            Self::Protection(_)
            | Self::WriteCopy { .. }
            | Self::ZeroSize
            | Self::OutsideUserSpace { .. }
            | Self::ViewProtection { .. }
            | Self::Fixed { .. } => Win32Code::INVALID_PARAMETER,
            Self::NotAllocated { .. } | Self::NotCommitted { .. } => Win32Code::INVALID_ADDRESS,
            Self::NoFrame(error) => error.win32_code(),
        }
    }
}

impl Vmm {
    /// `VirtualProtect` with its pointer: stores the old protection of the first page at `old`, in
    /// the process whose tables are loaded.
    ///
    /// The pointer is probed before anything changes; a NULL one is refused, except by Windows 9x.
    ///
    /// # Errors
    ///
    /// [`ProtectError`]; no protection has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn protect_and_store<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        request: &ProtectRequest,
        old: LinearAddr,
    ) -> Result<Protection, ProtectError> {
        // Quirk: win9x-null-old-protection.
        let is_unwanted = old.bits() == 0 && self.config.profile == Profile::Win9x;
        if !is_unwanted {
            self.probe_write(mmu, old, OLD_PROTECTION_BYTES)
                .map_err(ProtectError::OldProtection)?;
        }
        let previous = self.protect(mmu, caller, request)?;
        if !is_unwanted {
            // The call itself may have made the place read-only; then the value is lost, as the
            // kernel ignores a fault here.
            let _ = self.copy_out(mmu, old, &previous.bits().to_le_bytes());
        }
        Ok(previous)
    }

    /// `VirtualProtect`, `VirtualProtectEx`: changes the protection of whole pages, and returns
    /// what the first of them had.
    ///
    /// # Errors
    ///
    /// [`ProtectError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn protect<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        request: &ProtectRequest,
    ) -> Result<Protection, ProtectError> {
        let &ProtectRequest {
            address,
            size_bytes,
            protect,
        } = request;
        let process = caller.process;
        let protection = Protection::from_bits(protect)?;
        if self.config.profile == Profile::Win9x && protection.is_guard() {
            return Err(InvalidProtection { bits: protect }.into()); // Quirk: win9x-guard.
        }
        if size_bytes == 0 {
            return Err(ProtectError::ZeroSize);
        }
        let space = self.space(process);
        let outside = ProtectError::OutsideUserSpace {
            address,
            size_bytes,
        };
        if !space.is_user_range(address, size_bytes) {
            return Err(outside);
        }
        let pages = PageRange::touched(address, size_bytes).ok_or(outside)?;
        let not_allocated = ProtectError::NotAllocated { pages };
        let vad = space.region_around(pages).ok_or(not_allocated)?.vad;
        self.check_rights(&vad, pages, protection)?;
        let first = self.first_state(mmu, process, &vad, pages)?;

        let new = vad.cached(protection);
        let is_one_mapped =
            pages.len_pages() == 1 && matches!(first, PageState::Committed(_, Backing::Mapped(_)));
        if !is_one_mapped {
            self.add_tables_unless_silent(mmu, process, &vad, pages)?;
        }
        // Nothing below can fail. A table that was added cannot have changed the state of a page
        // that had none.
        match pages.len_pages() {
            1 => self.set_protection_of(mmu, process, &vad, pages.start(), new, first),
            _ => self.apply(mmu, process, &vad, pages, new),
        }
        let region = self
            .space_mut(process)
            .region_mut(pages.start())
            .expect("found above");
        region.history.protect(pages, caller.origin);
        match first {
            PageState::Committed(old, _) => Ok(old),
            PageState::Reserved => unreachable!("each page is committed"),
        }
    }

    /// Returns whether the region's kind lets its pages have the protection.
    fn check_rights(
        &self,
        vad: &Vad,
        pages: PageRange,
        protection: Protection,
    ) -> Result<(), ProtectError> {
        match vad.source {
            Source::Private if protection.rights().is_copy_on_write() => {
                Err(ProtectError::WriteCopy { protection })
            }
            Source::Private | Source::Image => Ok(()),
            Source::View {
                section, rights, ..
            } => {
                if self.view_accepts(section, rights, protection) {
                    Ok(())
                } else {
                    Err(ProtectError::ViewProtection { protection })
                }
            }
            // Quirk: large-protect.
            Source::Physical | Source::Large => Err(ProtectError::Fixed { pages }),
        }
    }

    pub(crate) fn view_accepts(
        &self,
        section: crate::section::SectionId,
        view: crate::protection::Rights,
        protection: Protection,
    ) -> bool {
        let section = self.sections.get(section);
        section.is_some_and(|section| {
            view_accepts(section.protection.rights(), view, protection.rights())
        })
    }

    /// Returns the state of the first page, if all are committed.
    fn first_state<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
    ) -> Result<PageState, ProtectError> {
        let space = self.space(process);
        let first = self.page_state(mmu, space, vad, pages.start());
        let silent_are_committed = vad.unsaid != Unsaid::Reserved && is_plain(vad);
        let not_committed =
            |&page: &PageNumber| self.page_state(mmu, space, vad, page) == PageState::Reserved;
        let reserved = if first == PageState::Reserved {
            Some(pages.start())
        } else if pages.len_pages() == 1 {
            None
        } else if silent_are_committed {
            space.said(mmu.mem(), pages).into_iter().find(not_committed)
        } else {
            pages.pages().find(not_committed)
        };
        match reserved {
            Some(page) => Err(ProtectError::NotCommitted { page }),
            None => Ok(first),
        }
    }

    /// Returns whether the whole region is concerned and no entry of it says anything: then the
    /// region can say it all.
    fn is_silent<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
    ) -> bool {
        is_plain(vad) && pages == vad.pages && self.space(process).is_unsaid(mmu.mem(), pages)
    }

    fn add_tables_unless_silent<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
    ) -> Result<(), NoFrame> {
        let is_silent = pages.len_pages() > 1 && self.is_silent(mmu, process, vad, pages);
        if is_silent {
            Ok(())
        } else {
            self.add_tables(mmu, process, pages)
        }
    }

    /// Gives pages a protection, committing those that are not committed. Tables must cover them,
    /// unless they are a whole region of which no entry says anything.
    pub(crate) fn apply<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
        protection: Protection,
    ) {
        if self.is_silent(mmu, process, vad, pages) {
            let region = self
                .space_mut(process)
                .region_mut(pages.start())
                .expect("has a VAD");
            region.vad.unsaid = Unsaid::Committed(protection);
            return;
        }
        if !is_plain(vad) {
            for page in pages.pages() {
                self.set_protection(mmu, process, vad, page, protection);
            }
            return;
        }
        for page in self.space(process).said(mmu.mem(), pages) {
            self.set_protection(mmu, process, vad, page, protection);
        }
        let new = vad.shortest(SoftwarePte::DemandZero(protection));
        if new != SoftwarePte::AskRegion {
            self.fill(mmu, process, pages, Over::Silent, new);
        }
    }

    /// Gives a page a protection, committing it if it is not committed. A table must cover it.
    pub(crate) fn set_protection<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        page: PageNumber,
        protection: Protection,
    ) {
        let state = self.page_state(mmu, self.space(process), vad, page);
        self.set_protection_of(mmu, process, vad, page, protection, state);
    }

    /// The same for a page whose state is known.
    fn set_protection_of<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        page: PageNumber,
        protection: Protection,
        state: PageState,
    ) {
        let PageState::Committed(_, backing) = state else {
            let new = match vad.source {
                Source::View { .. } => SoftwarePte::Prototype(protection),
                _ => SoftwarePte::DemandZero(protection),
            };
            return self
                .editor(mmu, process)
                .set_software(page, vad.shortest(new));
        };
        let protection = self.own_protection(vad, backing, protection);
        let new = match backing {
            Backing::Mapped(entry) if protection.is_mappable() => {
                let used = entry.flags & (PteFlags::ACCESSED | PteFlags::DIRTY);
                let new = self
                    .entry_for(process, vad, page, entry.frame, protection)
                    .with(used);
                return self.editor(mmu, process).set_page(page, new);
            }
            Backing::Mapped(entry) => {
                let new = match self.frames.info(entry.frame).owner {
                    FrameOwner::Section { .. } => SoftwarePte::Prototype(protection),
                    _ => SoftwarePte::Transition(entry.frame, protection),
                };
                return self.unmap(mmu, process, page, entry, vad.shortest(new));
            }
            Backing::Zero => SoftwarePte::DemandZero(protection),
            Backing::Discarded => SoftwarePte::Discarded(protection),
            Backing::PagingFile(slot) => SoftwarePte::PagingFile(slot, protection),
            Backing::Transition(frame) => SoftwarePte::Transition(frame, protection),
            Backing::Section => SoftwarePte::Prototype(protection),
        };
        self.editor(mmu, process)
            .set_software(page, vad.shortest(new));
    }

    /// Returns the protection as the page can have it: a page that was copied already has nothing
    /// left to copy.
    fn own_protection(&self, vad: &Vad, backing: Backing, protection: Protection) -> Protection {
        let is_shared = match backing {
            Backing::Section => true,
            Backing::Mapped(entry) => {
                matches!(
                    self.frames.info(entry.frame).owner,
                    FrameOwner::Section { .. }
                )
            }
            _ => false,
        };
        if matches!(vad.source, Source::View { .. }) && !is_shared {
            protection.with_rights(protection.rights().after_copy())
        } else {
            protection
        }
    }
}

/// The size of the old protection in the caller's memory: a DWORD.
const OLD_PROTECTION_BYTES: u32 = 4;

/// Returns whether the region's pages begin as zeros that nobody shares.
fn is_plain(vad: &Vad) -> bool {
    matches!(vad.source, Source::Private | Source::Image)
}
