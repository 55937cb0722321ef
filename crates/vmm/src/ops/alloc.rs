//! `VirtualAlloc`: reserve, commit, reset.

use bitflags::bitflags;
use pagefault_mmu::{LinearAddr, Mmu, Observer, PageNumber};
use thiserror::Error;

use crate::config::{ALLOCATION_GRANULARITY, Profile};
use crate::protection::{InvalidProtection, Protection};
use crate::range::PageRange;
use crate::region::{Region, Source, Unsaid, Vad, Watched};
use crate::space::{PageState, ProcessId, Space};
use crate::vmm::{Caller, NoFrame, Vmm};
use crate::win32::Win32Code;

bitflags! {
    /// The allocation type of `VirtualAlloc`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct AllocationType: u32 {
        /// `MEM_COMMIT`
        const COMMIT = 0x1000;
        /// `MEM_RESERVE`
        const RESERVE = 0x2000;
        /// `MEM_RESET`: the contents no longer matter.
        const RESET = 0x8_0000;
        /// `MEM_TOP_DOWN`: the highest place that is free.
        const TOP_DOWN = 0x10_0000;
        /// `MEM_WRITE_WATCH`: record which pages are written to.
        const WRITE_WATCH = 0x20_0000;
        /// `MEM_PHYSICAL`: address space for physical (AWE) pages.
        const PHYSICAL = 0x40_0000;
        /// `MEM_RESET_UNDO`: the contents matter again.
        const RESET_UNDO = 0x100_0000;
        /// `MEM_LARGE_PAGES`
        const LARGE_PAGES = 0x2000_0000;
    }
}

/// The arguments of `VirtualAlloc`, as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocRequest {
    /// Where; 0 (NULL) lets the system choose.
    pub address: LinearAddr,
    /// How many bytes.
    pub size_bytes: u32,
    /// `MEM_*` bits; unknown ones are refused by the call.
    pub allocation_type: u32,
    /// `PAGE_*` bits; anything that is no protection is refused by the call.
    pub protect: u32,
}

/// Why `VirtualAlloc` refuses. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AllocError {
    /// The address is in the 64 KiB at the bottom that are never given out.
    #[error("{address} is in the lowest 64 KiB, which are never allocated")]
    NullArea {
        /// The address given.
        address: LinearAddr,
    },
    /// No such allocation type, or no such combination.
    #[error("allocation type {bits:#x} is no valid combination")]
    Type {
        /// The bits given.
        bits: u32,
    },
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
    /// Large pages, or physical pages, without `SeLockMemoryPrivilege`.
    #[error("SeLockMemoryPrivilege is not held")]
    Privilege,
    /// A large-page allocation whose address or size is no multiple of the large page.
    #[error("{size_bytes:#x} bytes at {address} are not whole large pages")]
    LargePageAlignment {
        /// The address given.
        address: LinearAddr,
        /// The size given.
        size_bytes: u32,
    },
    /// Part of the range is reserved already.
    #[error("the 64 KiB at {taken} are reserved already")]
    Taken {
        /// The first granule of the range that is taken.
        taken: LinearAddr,
    },
    /// The range to be committed or reset is not inside one reservation.
    #[error("{pages} is not inside one reservation")]
    NotReserved {
        /// The pages that the request touches.
        pages: PageRange,
    },
    /// The pages are committed by other means: physical or large pages, or a file's view.
    #[error("{pages} cannot be committed page by page")]
    NotCommittable {
        /// The pages that the request touches.
        pages: PageRange,
    },
    /// The protection exceeds what the view or its section allows.
    #[error("{protection} is more than the view allows")]
    ViewProtection {
        /// The protection given.
        protection: Protection,
    },
    /// No free range is large enough.
    #[error("no free range of {size_bytes:#x} bytes")]
    NoRoom {
        /// The size given.
        size_bytes: u32,
    },
    /// The promise would exceed the commit limit.
    #[error("{wanted_pages} pages exceed the commit limit by {}", wanted_pages - available_pages)]
    CommitLimit {
        /// Pages to be committed.
        wanted_pages: u32,
        /// Pages that can still be committed.
        available_pages: u32,
    },
    /// `MEM_RESET_UNDO`, and some contents are gone.
    #[error("the contents of page {page} were discarded after MEM_RESET")]
    ContentsLost {
        /// The first such page.
        page: PageNumber,
    },
    /// No frame for a page table, or for large pages.
    #[error(transparent)]
    NoFrame(#[from] NoFrame),
}

impl AllocError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::NullArea { .. }
            | Self::Type { .. }
            | Self::Protection(_)
            | Self::WriteCopy { .. }
            | Self::ZeroSize
            | Self::OutsideUserSpace { .. }
            | Self::LargePageAlignment { .. }
            | Self::ViewProtection { .. } => Win32Code::INVALID_PARAMETER,
            Self::Privilege => Win32Code::PRIVILEGE_NOT_HELD,
            Self::Taken { .. } | Self::NotReserved { .. } | Self::NotCommittable { .. } => {
                Win32Code::INVALID_ADDRESS
            }
            Self::CommitLimit { .. } => Win32Code::COMMITMENT_LIMIT,
            // Quirk: reset-undo-error. The documents name no code for contents that are gone.
            Self::NoRoom { .. } | Self::ContentsLost { .. } => Win32Code::NOT_ENOUGH_MEMORY,
            Self::NoFrame(error) => error.win32_code(),
        }
    }
}

/// What a checked request asks for.
#[derive(Clone, Copy, Debug)]
struct Checked {
    kind: AllocationType,
    protection: Protection,
}

impl Vmm {
    /// `VirtualAlloc`, `VirtualAllocEx`: reserves or commits pages, or both, and returns the base.
    ///
    /// A reservation starts on a multiple of 64 KiB and ends with the last page that the request
    /// touches. Committing changes no page table except to say so: the first touch faults, and
    /// [`Vmm::handle_fault`] finds the frame.
    ///
    /// # Errors
    ///
    /// [`AllocError`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn alloc<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        request: &AllocRequest,
    ) -> Result<LinearAddr, AllocError> {
        let checked = self.check_arguments(caller.process, request)?;
        let reserves = checked.kind.contains(AllocationType::RESERVE)
            || (request.address.bits() == 0 && checked.kind.contains(AllocationType::COMMIT));
        if reserves {
            return self.reserve(mmu, caller, request, checked);
        }
        let outside = AllocError::OutsideUserSpace {
            address: request.address,
            size_bytes: request.size_bytes,
        };
        let pages = PageRange::touched(request.address, request.size_bytes).ok_or(outside)?;
        let space = self.space(caller.process);
        let region = space
            .region_around(pages)
            .ok_or(AllocError::NotReserved { pages })?;
        let vad = region.vad;
        if checked.kind.contains(AllocationType::COMMIT) {
            self.commit_in(mmu, caller, &vad, pages, checked.protection)?;
        } else if self.is_file_view(&vad) || vad.source == Source::Large {
            return Err(AllocError::NotCommittable { pages });
        } else if checked.kind.contains(AllocationType::RESET) {
            self.reset(mmu, caller.process, &vad, pages);
        } else {
            self.reset_undo(mmu, caller.process, &vad, pages)?;
        }
        Ok(pages.start().start())
    }

    /// Checks the arguments as far as they can be judged without looking at memory.
    fn check_arguments(
        &self,
        process: ProcessId,
        request: &AllocRequest,
    ) -> Result<Checked, AllocError> {
        let &AllocRequest {
            address,
            size_bytes,
            ..
        } = request;
        if address.bits() != 0 && address.bits() < ALLOCATION_GRANULARITY {
            return Err(AllocError::NullArea { address });
        }
        let kind = check_type(request.allocation_type)?;
        let protection = Protection::from_bits(request.protect)?;
        if self.config.profile == Profile::Win9x && protection.is_guard() {
            // Quirk: win9x-guard. The family has no guard pages.
            return Err(AllocError::Protection(InvalidProtection {
                bits: request.protect,
            }));
        }
        let for_awe = kind.contains(AllocationType::PHYSICAL);
        if for_awe && protection != Protection::READ_WRITE {
            return Err(AllocError::Type {
                bits: request.allocation_type,
            });
        }
        if size_bytes == 0 {
            return Err(AllocError::ZeroSize);
        }
        if !self.space(process).is_user_range(address, size_bytes) {
            return Err(AllocError::OutsideUserSpace {
                address,
                size_bytes,
            });
        }
        let large = kind.contains(AllocationType::LARGE_PAGES);
        if large && self.config.lock_memory_privilege == crate::config::Held::No {
            return Err(AllocError::Privilege);
        }
        Ok(Checked { kind, protection })
    }

    fn reserve<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        request: &AllocRequest,
        Checked { kind, protection }: Checked,
    ) -> Result<LinearAddr, AllocError> {
        if protection.rights().is_copy_on_write() {
            return Err(AllocError::WriteCopy { protection });
        }
        if kind.contains(AllocationType::LARGE_PAGES) {
            return self.reserve_large(mmu, caller, request, protection);
        }
        // Quirk: win9x-top-down.
        let top_down =
            kind.contains(AllocationType::TOP_DOWN) && self.config.profile != Profile::Win9x;
        let search = if top_down {
            Search::Highest
        } else {
            Search::Lowest
        };
        let space = self.space(caller.process);
        let pages = place(space, request.address, request.size_bytes, search)?;
        let commits = kind.contains(AllocationType::COMMIT);
        if commits {
            self.check_commit(pages.len_pages())?;
        }
        let is_physical = kind.contains(AllocationType::PHYSICAL);
        let is_watched = kind.contains(AllocationType::WRITE_WATCH);
        let vad = Vad {
            pages,
            source: if is_physical {
                Source::Physical
            } else {
                Source::Private
            },
            allocation_protection: protection,
            unsaid: if commits {
                Unsaid::Committed(protection)
            } else {
                Unsaid::Reserved
            },
            watched: if is_watched {
                Watched::Yes
            } else {
                Watched::No
            },
        };
        let mut region = Region::new(vad, caller.origin);
        if commits {
            region.charged_pages = pages.len_pages();
            region.history.commit_at_birth();
            self.commit.charge(pages.len_pages());
        }
        self.space_mut(caller.process).insert(region);
        Ok(vad.base())
    }

    pub(crate) fn check_commit(&self, wanted_pages: u32) -> Result<(), AllocError> {
        let available_pages = self.commit.available_pages();
        if wanted_pages > available_pages {
            return Err(AllocError::CommitLimit {
                wanted_pages,
                available_pages,
            });
        }
        Ok(())
    }

    /// Commits pages of a reservation; what is committed already gets the protection.
    fn commit_in<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        caller: Caller,
        vad: &Vad,
        pages: PageRange,
        protection: Protection,
    ) -> Result<(), AllocError> {
        match vad.source {
            Source::View { .. } => {
                return self.commit_in_view(mmu, caller, vad, pages, protection);
            }
            Source::Physical | Source::Large => return Err(AllocError::NotCommittable { pages }),
            Source::Private | Source::Image => {}
        }
        if protection.rights().is_copy_on_write() {
            return Err(AllocError::WriteCopy { protection });
        }
        let protection = vad.cached(protection);
        let process = caller.process;
        let fresh = self.count_reserved(mmu, process, vad, pages);
        self.check_commit(fresh)?;
        let covers_all = pages == vad.pages;
        if !(covers_all && self.space(process).is_unsaid(mmu.mem(), pages)) {
            self.add_tables(mmu, process, pages)?;
        }
        // Nothing below can fail.
        self.apply(mmu, process, vad, pages, protection);
        self.commit.charge(fresh);
        let region = self
            .space_mut(process)
            .region_mut(pages.start())
            .expect("found above");
        region.charged_pages += fresh;
        region.history.commit(pages, caller.origin);
        Ok(())
    }

    /// Returns how many of the pages are reserved and not committed.
    pub(crate) fn count_reserved<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        vad: &Vad,
        pages: PageRange,
    ) -> u32 {
        let space = self.space(process);
        let (mut said, mut reserved) = (0, 0);
        for state in space.said_states(mmu.mem(), &self.sections, vad, pages) {
            said += 1;
            reserved += u32::from(state == PageState::Reserved);
        }
        match vad.unsaid {
            Unsaid::Reserved => reserved + pages.len_pages() - said,
            Unsaid::Committed(_) => reserved,
        }
    }
}

/// From which end room is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    Lowest,
    Highest,
}

/// Returns the pages of a reservation that is asked for at `address`, or anywhere for NULL.
pub(crate) fn place(
    space: &Space,
    address: LinearAddr,
    size_bytes: u32,
    search: Search,
) -> Result<PageRange, AllocError> {
    let outside = AllocError::OutsideUserSpace {
        address,
        size_bytes,
    };
    let touched = PageRange::touched(address, size_bytes).ok_or(outside)?;
    if address.bits() == 0 {
        let free = match search {
            Search::Lowest => space.granules.lowest_free(touched.len_pages()),
            Search::Highest => space.granules.highest_free(touched.len_pages()),
        };
        return free.ok_or(AllocError::NoRoom { size_bytes });
    }
    // The base moves down to the granule; the end stays where the request put it.
    let base = LinearAddr::new(address.bits() & !(ALLOCATION_GRANULARITY - 1));
    let pages = PageRange::new(base.page(), touched.end()).ok_or(outside)?;
    match space.granules.first_taken(pages) {
        Some(taken) => Err(AllocError::Taken {
            taken: taken.start(),
        }),
        None => Ok(pages),
    }
}

fn check_type(bits: u32) -> Result<AllocationType, AllocError> {
    use AllocationType as Type;
    let refused = AllocError::Type { bits };
    let kind = Type::from_bits(bits).ok_or(refused)?;
    let acts = Type::COMMIT | Type::RESERVE | Type::RESET | Type::RESET_UNDO;
    let resets = Type::RESET | Type::RESET_UNDO;
    let reserve_only = Type::WRITE_WATCH | Type::PHYSICAL;
    let not_with_physical = Type::COMMIT | Type::WRITE_WATCH | Type::LARGE_PAGES;
    let is_wrong = !kind.intersects(acts)
        || (kind.intersects(resets) && kind.iter().count() > 1)
        || (kind.intersects(reserve_only) && !kind.contains(Type::RESERVE))
        || (kind.contains(Type::PHYSICAL) && kind.intersects(not_with_physical))
        || (kind.contains(Type::LARGE_PAGES)
            && (!kind.contains(Type::COMMIT) || kind.intersects(reserve_only)));
    if is_wrong { Err(refused) } else { Ok(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocation_types_are_accepted_as_documented() {
        let ok = [
            0x1000, 0x2000, 0x3000, 0x8_0000, 0x10_3000, 0x20_2000, 0x40_2000, 0x100_0000,
        ];
        for bits in ok {
            assert!(check_type(bits).is_ok(), "{bits:#x}");
        }
        let refused = [
            0,
            0x4000,
            0x8000,
            0x1_0000,
            0x10_0000,
            0x8_1000,
            0x18_0000,
            0x20_1000,
            0x20_0000,
            0x40_3000,
            0x40_0000,
            0x2000_2000,
            0x2020_3000,
            0x108_0000,
            0x2080,
            u32::MAX,
        ];
        for bits in refused {
            assert_eq!(
                check_type(bits),
                Err(AllocError::Type { bits }),
                "{bits:#x}"
            );
        }
    }
}
