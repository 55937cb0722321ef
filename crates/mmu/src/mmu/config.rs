//! What an MMU is made of.

use thiserror::Error;

use crate::addr::MAX_PHYSICAL_BITS;
use crate::control::{PhysicalBitsError, check_physical_bits};
use crate::front::FrontArray;
use crate::tlb::TlbConfig;
use crate::tlb::geometry::{Geometry, PageSizes};

/// What an MMU is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MmuConfig {
    /// The TLB.
    pub tlb: TlbConfig,
    /// MAXPHYADDR: the width of physical addresses in bits, 32 to 40.
    pub physical_bits: u32,
    /// Whether hits take the host-side shortcut. It changes nothing but speed.
    pub front: FrontArray,
}

impl Default for MmuConfig {
    /// A unified 64-entry 4-way TLB with true LRU, and 40-bit physical addresses.
    fn default() -> Self {
        Self {
            tlb: TlbConfig::default(),
            physical_bits: MAX_PHYSICAL_BITS,
            front: FrontArray::On,
        }
    }
}

/// Why an MMU cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MmuError {
    /// The physical address width is not modelled.
    #[error(transparent)]
    PhysicalBits(#[from] PhysicalBitsError),
    /// There is a second level, or one for instructions, but none for data.
    #[error("a TLB needs a first level for data")]
    NoDataLevel,
    /// A level has arrays, but none for small pages.
    #[error("a level of the TLB needs an array that holds 4 KiB pages")]
    NoSmallPages,
    /// A level is made of too many arrays.
    #[error("{arrays} arrays in one level: at most {}", MmuConfig::MAX_ARRAYS)]
    Arrays {
        /// How many were asked for.
        arrays: usize,
    },
    /// The paging-structure cache is too large.
    #[error(
        "{entries} directory entries cached: at most {}",
        MmuConfig::MAX_DIRECTORY_ENTRIES
    )]
    DirectoryEntries {
        /// How many were asked for.
        entries: u32,
    },
}

impl MmuConfig {
    /// The most arrays of one level.
    pub const MAX_ARRAYS: usize = 8;
    /// The most entries of the paging-structure cache.
    pub const MAX_DIRECTORY_ENTRIES: u32 = 1024;

    pub(super) fn check(&self) -> Result<(), MmuError> {
        check_physical_bits(self.physical_bits)?;
        let TlbConfig {
            data,
            instruction,
            second,
            directory_entries: entries,
            ..
        } = &self.tlb;
        if data.is_empty() && !(instruction.is_empty() && second.is_empty()) {
            return Err(MmuError::NoDataLevel);
        }
        let holds_small = |level: &Vec<Geometry>| {
            level
                .iter()
                .any(|array| array.sizes().contains(PageSizes::SMALL))
        };
        let mut levels = [data, instruction, second].into_iter();
        if levels.any(|level| !level.is_empty() && !holds_small(level)) {
            return Err(MmuError::NoSmallPages);
        }
        let arrays = data.len().max(instruction.len()).max(second.len());
        if arrays > Self::MAX_ARRAYS {
            return Err(MmuError::Arrays { arrays });
        }
        if *entries > Self::MAX_DIRECTORY_ENTRIES {
            return Err(MmuError::DirectoryEntries { entries: *entries });
        }
        Ok(())
    }
}
