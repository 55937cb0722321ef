//! What a TLB is made of.

use bitflags::bitflags;
use thiserror::Error;

use crate::entry::PageSize;
use crate::tlb::policy::Policy;

bitflags! {
    /// The page sizes that an array of a TLB can hold.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct PageSizes: u8 {
        /// 4 KiB pages; also the pieces of larger pages that no array of the level can hold.
        const SMALL = 1 << 0;
        /// 2 MiB pages (PAE).
        const MIB2 = 1 << 1;
        /// 4 MiB pages (two-level paging with CR4.PSE).
        const MIB4 = 1 << 2;
    }
}

impl PageSizes {
    /// Both kinds of large pages: which one occurs is a matter of the paging mode.
    pub const LARGE: Self = Self::MIB2.union(Self::MIB4);

    /// Returns the set of just this size.
    #[inline]
    pub const fn of(size: PageSize) -> Self {
        match size {
            PageSize::Small => Self::SMALL,
            PageSize::Mib2 => Self::MIB2,
            PageSize::Mib4 => Self::MIB4,
        }
    }
}

/// How a set is chosen from a page number (the address without the offset in its page).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Index {
    /// The low bits of the page number.
    LowBits,
    /// The low bits exclusive-or the bits above them, as many: Skylake's second level, where 128
    /// sets are indexed by bits 6:0 xor bits 13:7.
    XorFold,
}

/// One set-associative array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    entries: u32,
    ways: u32,
    sizes: PageSizes,
    index: Index,
    policy: Policy,
}

/// Why an array cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GeometryError {
    /// Entries or ways are zero, or entries exceed [`Geometry::MAX_ENTRIES`].
    #[error(
        "{entries} entries in {ways} ways: both from 1 to {}",
        Geometry::MAX_ENTRIES
    )]
    Count {
        /// Entries asked for.
        entries: u32,
        /// Ways asked for.
        ways: u32,
    },
    /// The ways do not divide the entries.
    #[error("{entries} entries cannot be divided into {ways} ways")]
    Ways {
        /// Entries asked for.
        entries: u32,
        /// Ways asked for.
        ways: u32,
    },
    /// The number of sets is no power of two, so that no bits of the page number select one.
    #[error("{sets} sets: the index needs a power of two")]
    Sets {
        /// Entries divided by ways.
        sets: u32,
    },
    /// The policy cannot choose among so many ways.
    #[error("policy {} cannot choose among {ways} ways", policy.name())]
    Policy {
        /// The policy.
        policy: Policy,
        /// Ways asked for.
        ways: u32,
    },
    /// No page size is held.
    #[error("an array that holds no page size")]
    Sizes,
}

impl Geometry {
    /// The most entries of an array.
    pub const MAX_ENTRIES: u32 = 1 << 16;

    /// Returns an array of `entries` entries in sets of `ways`, for 4 KiB pages and all larger
    /// ones, indexed by low bits.
    ///
    /// # Errors
    ///
    /// [`GeometryError`] unless `ways` divides `entries`, the quotient is a power of two, and the
    /// policy fits the ways.
    pub fn new(entries: u32, ways: u32, policy: Policy) -> Result<Self, GeometryError> {
        if entries == 0 || ways == 0 || entries > Self::MAX_ENTRIES {
            return Err(GeometryError::Count { entries, ways });
        }
        if !entries.is_multiple_of(ways) {
            return Err(GeometryError::Ways { entries, ways });
        }
        let sets = entries / ways;
        if !sets.is_power_of_two() {
            return Err(GeometryError::Sets { sets });
        }
        if !policy.fits(ways) {
            return Err(GeometryError::Policy { policy, ways });
        }
        Ok(Self {
            entries,
            ways,
            sizes: PageSizes::all(),
            index: Index::LowBits,
            policy,
        })
    }

    /// Returns the array holding only these page sizes.
    ///
    /// # Errors
    ///
    /// [`GeometryError::Sizes`] for the empty set.
    pub fn holding(self, sizes: PageSizes) -> Result<Self, GeometryError> {
        if sizes.is_empty() {
            Err(GeometryError::Sizes)
        } else {
            Ok(Self { sizes, ..self })
        }
    }

    /// Returns the array with this index function.
    #[must_use]
    pub fn indexed(self, index: Index) -> Self {
        Self { index, ..self }
    }

    /// Returns the number of entries.
    pub fn entries(self) -> u32 {
        self.entries
    }

    /// Returns the number of ways of each set.
    pub fn ways(self) -> u32 {
        self.ways
    }

    /// Returns the number of sets.
    pub fn sets(self) -> u32 {
        self.entries / self.ways
    }

    /// Returns the page sizes held.
    pub fn sizes(self) -> PageSizes {
        self.sizes
    }

    /// Returns the index function.
    pub fn index(self) -> Index {
        self.index
    }

    /// Returns the replacement policy.
    pub fn policy(self) -> Policy {
        self.policy
    }
}
