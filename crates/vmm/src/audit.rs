//! A check of all the books against one another, for tests.

use std::collections::{BTreeMap, BTreeSet};

use pagefault_mmu::tables;
use pagefault_mmu::{FrameNumber, Mmu, Observer, PageNumber, Rights};
use thiserror::Error;

use crate::frames::FrameOwner;
use crate::range::page as page_of;
use crate::region::{RegionType, Source, Unsaid, Vad};
use crate::section::Prototype;
use crate::software::Slot;
use crate::space::{Backing, PageState, ProcessId, Space};
use crate::vmm::Vmm;

/// Two books that do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuditError {
    /// An entry refers to a frame that is not its page's.
    #[error("page {page} of {process:?} refers to {frame:?}, which is not its own")]
    Owner {
        /// The process.
        process: ProcessId,
        /// The page.
        page: PageNumber,
        /// The frame.
        frame: FrameNumber,
    },
    /// A frame that holds a page belongs to nobody's entry and to no section.
    #[error("{frame:?} holds a page that no entry refers to")]
    Orphan {
        /// The frame.
        frame: FrameNumber,
    },
    /// A frame's counts are wrong.
    #[error("{frame:?} counts {counted} mappings or locks, and there are {found}")]
    Count {
        /// The frame.
        frame: FrameNumber,
        /// What its record says.
        counted: u32,
        /// What the tables say.
        found: u32,
    },
    /// A process's count of resident pages is wrong.
    #[error("{process:?} counts {counted} resident pages, and there are {found}")]
    Resident {
        /// The process.
        process: ProcessId,
        /// What it counts.
        counted: u32,
        /// What its tables say.
        found: u32,
    },
    /// A region's charge is not the number of its committed pages.
    #[error("the region at page {page} of {process:?} is charged {charged}, has {committed} pages")]
    Charge {
        /// The process.
        process: ProcessId,
        /// Its first page.
        page: PageNumber,
        /// What it is charged.
        charged: u32,
        /// What it has committed.
        committed: u32,
    },
    /// The commit charge is not the sum of what is charged.
    #[error("{charged} pages are charged, and the parts add up to {sum}")]
    Commit {
        /// The whole.
        charged: u32,
        /// The sum of the parts.
        sum: u32,
    },
    /// A slot of the paging file is referred to twice.
    #[error("two pages are in {slot:?}")]
    SharedSlot {
        /// The slot.
        slot: Slot,
    },
    /// The paging file counts other slots than are referred to.
    #[error("the paging file counts {counted} slots, and {found} are referred to")]
    Slots {
        /// What it counts.
        counted: u32,
        /// What the entries say.
        found: u32,
    },
    /// The TLB translates a page as its entry does not, or allows what it does not.
    #[error("the TLB's translation of page {page} is stale")]
    StaleTranslation {
        /// The page.
        page: PageNumber,
    },
}

/// What the entries say, added up.
#[derive(Debug, Default)]
struct Found {
    mappings: BTreeMap<FrameNumber, u32>,
    locks: BTreeMap<FrameNumber, u32>,
    held: BTreeSet<FrameNumber>,
    slots: BTreeSet<Slot>,
    charged_pages: u32,
}

impl Found {
    fn slot(&mut self, slot: Slot) -> Result<(), AuditError> {
        if self.slots.insert(slot) {
            Ok(())
        } else {
            Err(AuditError::SharedSlot { slot })
        }
    }
}

impl Vmm {
    /// Checks frames, entries, charges, slots and the TLB against one another.
    ///
    /// Looks at everything there is: for tests.
    ///
    /// # Errors
    ///
    /// [`AuditError`]: the first disagreement. It is a bug of this crate.
    pub fn audit<O: Observer>(&self, mmu: &Mmu<O>) -> Result<(), AuditError> {
        let mut found = Found::default();
        for (number, space) in (0..).zip(&self.spaces) {
            if let Some(space) = space {
                self.audit_space(mmu, ProcessId(number), space, &mut found)?;
            }
        }
        self.audit_sections(&mut found)?;
        self.audit_frames(&found)?;
        let copies = self.frames.in_use().filter_map(|(_, info)| info.copy);
        for slot in copies {
            found.slot(slot)?;
        }
        let (counted, slots) = (self.paging_file.used_slots(), found.slots.len());
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        if counted != slots {
            return Err(AuditError::Slots {
                counted,
                found: slots,
            });
        }
        let tables = self
            .frames
            .in_use()
            .filter(|(_, info)| !info.owner.is_page())
            .count();
        let tables = u32::try_from(tables).unwrap_or(u32::MAX);
        let (charged, sum) = (self.commit.charged_pages, found.charged_pages + tables);
        if charged != sum {
            return Err(AuditError::Commit { charged, sum });
        }
        audit_tlb(mmu)
    }

    fn audit_space<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        space: &Space,
        found: &mut Found,
    ) -> Result<(), AuditError> {
        let mut resident = 0;
        for region in space.regions.values() {
            let (committed, mapped) = self.audit_region(mmu, process, space, &region.vad, found)?;
            resident += mapped;
            let charged = region.charged_pages;
            found.charged_pages += charged;
            if charged != committed {
                let page = region.vad.pages.start();
                return Err(AuditError::Charge {
                    process,
                    page,
                    charged,
                    committed,
                });
            }
        }
        let counted = space.resident_pages;
        if resident == counted {
            return Ok(());
        }
        Err(AuditError::Resident {
            process,
            counted,
            found: resident,
        })
    }

    /// Returns how many pages of a region count against the commit limit, and how many are mapped
    /// and can be paged out.
    fn audit_region<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        space: &Space,
        vad: &Vad,
        found: &mut Found,
    ) -> Result<(u32, u32), AuditError> {
        let is_fixed = matches!(vad.source, Source::Large | Source::Physical);
        let says_committed =
            matches!(vad.unsaid, Unsaid::Committed(_)) && vad.kind() != RegionType::Mapped;
        let (mut committed, mut mapped) = (0, 0);
        let end = vad.pages.end().bits();
        let mut at = vad.pages.start().bits();
        while at < end {
            let covered = space.next_covered(at, end).unwrap_or(end);
            committed += if says_committed { covered - at } else { 0 };
            if covered == end {
                break;
            }
            at = covered + 1;
            let page = page_of(covered);
            let state = self.page_state(mmu, space, vad, page);
            let PageState::Committed(_, backing) = state else {
                continue;
            };
            let is_own = match backing {
                Backing::Section => false,
                Backing::Mapped(entry) => self.is_private(entry.frame),
                _ => true,
            };
            committed += u32::from(is_own);
            match backing {
                Backing::Mapped(_) if is_fixed => continue,
                Backing::Mapped(entry) => {
                    mapped += 1;
                    *found.mappings.entry(entry.frame).or_default() += 1;
                }
                Backing::PagingFile(slot) => found.slot(slot)?,
                _ => {}
            }
            if let Some(frame) = self.frame_behind(process, page, backing) {
                self.audit_owner(process, space, page, frame)?;
                found.held.insert(frame);
                let locks = u32::from(space.locked.contains(&page));
                *found.locks.entry(frame).or_default() += locks;
            }
        }
        Ok((committed, mapped))
    }

    fn audit_owner(
        &self,
        process: ProcessId,
        space: &Space,
        page: PageNumber,
        frame: FrameNumber,
    ) -> Result<(), AuditError> {
        let vad = space.region(page).map(|region| region.vad);
        let is_right = match self.frames.info(frame).owner {
            FrameOwner::Private {
                process: owner,
                page: of,
            } => (owner, of) == (process, page),
            FrameOwner::Section { section, index } => {
                vad.and_then(|vad| vad.section_page(page)) == Some((section, index))
                    && self.section_frame(section, index) == Some(frame)
            }
            FrameOwner::Nobody | FrameOwner::Tables(_) | FrameOwner::Physical { .. } => false,
        };
        if is_right {
            Ok(())
        } else {
            Err(AuditError::Owner {
                process,
                page,
                frame,
            })
        }
    }

    fn audit_sections(&self, found: &mut Found) -> Result<(), AuditError> {
        for (_, section) in self.sections.iter() {
            found.charged_pages += section.charged_pages;
            for prototype in section.prototypes.values() {
                match *prototype {
                    Prototype::Untouched => {}
                    Prototype::Resident(frame) => {
                        found.held.insert(frame);
                    }
                    Prototype::PagingFile(slot) => found.slot(slot)?,
                }
            }
        }
        Ok(())
    }

    fn audit_frames(&self, found: &Found) -> Result<(), AuditError> {
        for (frame, info) in self.frames.in_use() {
            let is_large = matches!(info.owner, FrameOwner::Private { process, page }
            if self.space(process).region(page).is_some_and(|region| {
                region.vad.source == Source::Large
            }));
            if !info.owner.is_page() || is_large {
                continue;
            }
            if !found.held.contains(&frame) {
                return Err(AuditError::Orphan { frame });
            }
            let mappings = found.mappings.get(&frame).copied().unwrap_or_default();
            let locks = found.locks.get(&frame).copied().unwrap_or_default();
            for (counted, found) in [(info.mappings, mappings), (info.locks, locks)] {
                if counted != found {
                    return Err(AuditError::Count {
                        frame,
                        counted,
                        found,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Checks that the TLB holds nothing that a walk would not find, or allow.
fn audit_tlb<O: Observer>(mmu: &Mmu<O>) -> Result<(), AuditError> {
    for held in mmu.tlb_entries() {
        let stale = AuditError::StaleTranslation { page: held.page };
        let leaf = mmu.walk(held.page.start()).leaf().map_err(|_| stale)?;
        let offset = held.page.bits() & (leaf.size.small_pages() - 1);
        let frame = FrameNumber::new(leaf.frame.bits() + offset);
        let is_same = leaf.frame == held.frame || frame == Some(held.frame);
        let gives = Rights::WRITABLE | Rights::USER;
        let too_much = (held.rights & gives).difference(leaf.rights);
        let forbids = leaf.rights & Rights::NO_EXECUTE;
        if !is_same || !too_much.is_empty() || !held.rights.contains(forbids) {
            return Err(stale);
        }
    }
    Ok(())
}

impl Vmm {
    /// Returns each page of a process that its tables map, with its frame, in order.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn resident_pages<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
    ) -> Vec<(PageNumber, FrameNumber)> {
        let space = self.space(process);
        let mut pages = Vec::new();
        for region in space.regions.values() {
            let end = region.vad.pages.end().bits();
            let mut at = region.vad.pages.start().bits();
            while let Some(covered) = space.next_covered(at, end) {
                if let tables::Entry::Page(entry) =
                    tables::entry(mmu.mem(), space.root, page_of(covered))
                {
                    pages.push((page_of(covered), entry.frame));
                }
                at = covered + 1;
            }
        }
        pages
    }
}
