//! What can be chosen when a [`Vmm`](crate::Vmm) is made.

use pagefault_mmu::{LinearAddr, PAGE_SIZE};

use crate::protection::FetchRule;
use crate::range::PageRange;
use crate::replacement::PolicyKind;

/// Reservations start on multiples of this many bytes.
pub const ALLOCATION_GRANULARITY: u32 = 0x1_0000;

/// The family of Windows whose rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Windows NT and its descendants.
    #[default]
    Nt,
    /// Windows 95, 98 and Me, where the documents tell of a difference.
    Win9x,
}

impl Profile {
    /// Returns whether the calls that act on another process (`VirtualAllocEx`, …) exist; the
    /// Windows 9x family answers them with `ERROR_CALL_NOT_IMPLEMENTED`.
    pub const fn has_ex_calls(self) -> bool {
        matches!(self, Self::Nt)
    }
}

/// The format of the page tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PagingMode {
    /// Page directory and page tables of 32-bit entries. What can be read can be executed.
    #[default]
    TwoLevel,
    /// Physical address extension with no-execute: 64-bit entries; a fetch needs an `EXECUTE`
    /// protection.
    Pae,
}

impl PagingMode {
    /// Returns whether a fetch has rights of its own.
    pub const fn fetch_rule(self) -> FetchRule {
        match self {
            Self::TwoLevel => FetchRule::LikeReads,
            Self::Pae => FetchRule::NeedsExecute,
        }
    }
}

/// How much of the linear address space is the program's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserSpace {
    /// 0x00010000 to 0x7FFEFFFF.
    #[default]
    TwoGib,
    /// 0x00010000 to 0xBFFEFFFF: Windows started with `/3GB`.
    ThreeGib,
}

impl UserSpace {
    /// Returns the lowest address that can be allocated.
    pub const fn lowest(self) -> LinearAddr {
        LinearAddr::new(ALLOCATION_GRANULARITY)
    }

    /// Returns the highest address that can be allocated.
    pub const fn highest(self) -> LinearAddr {
        LinearAddr::new(match self {
            Self::TwoGib => 0x7FFE_FFFF,
            Self::ThreeGib => 0xBFFE_FFFF,
        })
    }

    /// Returns the pages from the lowest to the highest.
    pub(crate) const fn pages(self) -> PageRange {
        let end = self.highest().page().bits() + 1;
        match PageRange::from_bits(self.lowest().page().bits(), end) {
            Some(pages) => pages,
            None => unreachable!(),
        }
    }
}

/// The working-set limits of a process, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingSetLimits {
    /// Pages that the process may count on.
    pub minimum_pages: u32,
    /// Pages from which on the process is trimmed first.
    pub maximum_pages: u32,
}

impl WorkingSetLimits {
    /// Pages of the minimum that cannot be locked, so that the process can still run.
    pub const LOCK_OVERHEAD_PAGES: u32 = 20;
    /// The lowest minimum: less is raised to this.
    pub const LOWEST_MINIMUM_PAGES: u32 = 20;
    /// The lowest maximum that is accepted.
    pub const LOWEST_MAXIMUM_PAGES: u32 = 13;

    /// Returns the minimum in bytes.
    pub const fn minimum_bytes(self) -> u32 {
        self.minimum_pages.saturating_mul(PAGE_SIZE)
    }

    /// Returns the maximum in bytes.
    pub const fn maximum_bytes(self) -> u32 {
        self.maximum_pages.saturating_mul(PAGE_SIZE)
    }

    /// Returns how many pages can be locked at a time.
    pub const fn lockable_pages(self) -> u32 {
        self.minimum_pages.saturating_sub(Self::LOCK_OVERHEAD_PAGES)
    }
}

impl Default for WorkingSetLimits {
    /// Returns the limits that `SetProcessWorkingSetSize` documents: 50 and 345 pages.
    fn default() -> Self {
        Self {
            minimum_pages: 50,
            maximum_pages: 345,
        }
    }
}

/// Whether processes hold a privilege.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// They do not.
    #[default]
    No,
    /// They do.
    Yes,
}

/// The settings of a [`Vmm`](crate::Vmm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmmConfig {
    /// The format of the page tables.
    pub paging: PagingMode,
    /// Whose rules hold.
    pub profile: Profile,
    /// How large user space is.
    pub user_space: UserSpace,
    /// The limits that a new process starts with.
    pub working_set: WorkingSetLimits,
    /// `SeLockMemoryPrivilege`: large pages and physical (AWE) pages need it.
    pub lock_memory_privilege: Held,
    /// Which page gives up its frame when none is free.
    pub replacement: PolicyKind,
}
