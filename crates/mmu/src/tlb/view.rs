//! What the TLB holds, to be looked at.

use crate::addr::{FrameNumber, PageNumber};
use crate::entry::{PageSize, Rights};
use crate::mmu::Mmu;
use crate::observer::Observer;
use crate::tlb::LevelId;

/// A translation that the TLB holds, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlbEntry {
    /// The level.
    pub level: LevelId,
    /// The array, counted from 0 within the level.
    pub array: u32,
    /// The set within the array.
    pub set: u32,
    /// The way within the set.
    pub way: u32,
    /// The first page that is translated.
    pub page: PageNumber,
    /// How much is translated. A large page is held in small pieces where no array takes it whole.
    pub size: PageSize,
    /// The frame of `page`.
    pub frame: FrameNumber,
    /// What the translation allows, as the tables said when it was filled.
    pub rights: Rights,
    /// PAT, PCD and PWT of the leaf as an index into the PAT, 0 to 7.
    pub memory_type: u8,
    /// How many translations of the set were used later (FIFO: entered later); `None` under the
    /// policies that do not know.
    pub age: Option<u32>,
}

impl<O: Observer> Mmu<O> {
    /// Returns what the TLB holds, by level, array, set and way. Nothing is counted or aged.
    pub fn tlb_entries(&self) -> impl Iterator<Item = TlbEntry> + '_ {
        let tlb = self.tlb();
        LevelId::ALL.into_iter().flat_map(move |level| {
            tlb.contents(level).map(move |(place, held, translation)| {
                let (set, way) = tlb.set_and_way(place);
                TlbEntry {
                    level,
                    array: tlb.array_in_level(level, place),
                    set,
                    way,
                    page: held.first,
                    size: held.size,
                    frame: translation.frame(),
                    rights: translation.rights(),
                    memory_type: translation.memory_type(),
                    age: tlb.age(place),
                }
            })
        })
    }
}
