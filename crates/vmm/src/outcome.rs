//! What came of a page fault: values that explain themselves.

use std::fmt;

use pagefault_mmu::{AccessKind, FrameNumber, LinearAddr, PageNumber};

use crate::history::History;
use crate::ops::query::Allocation;
use crate::protection::{FetchRule, Protection};
use crate::range::PageRange;
use crate::software::Slot;
use crate::store::StoreError;

/// What the manager did about a page fault, or why it did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The entry now allows the access: the instruction restarts.
    Resumed(Resumed),
    /// The access is not allowed: `STATUS_ACCESS_VIOLATION`.
    AccessViolation(AccessViolation),
    /// A guard page was hit and is one no longer: `STATUS_GUARD_PAGE_VIOLATION`.
    GuardPage(GuardPage),
    /// The guard page of the running thread's stack was hit, and the stack cannot grow further:
    /// `STATUS_STACK_OVERFLOW`.
    StackOverflow(StackOverflow),
    /// The contents cannot be had: `STATUS_IN_PAGE_ERROR`.
    InPageError(InPageError),
}

/// How a page was made accessible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// First touch of a committed page: a frame of zeros.
    DemandZero {
        /// The frame.
        frame: FrameNumber,
    },
    /// The contents were still in a frame, which is mapped again.
    SoftFault {
        /// The frame.
        frame: FrameNumber,
    },
    /// The contents were read from the paging file.
    PagedIn {
        /// The frame.
        frame: FrameNumber,
        /// Where they were.
        slot: Slot,
    },
    /// The contents were read from the file behind a section.
    ReadFromFile {
        /// The frame.
        frame: FrameNumber,
    },
    /// First write to a copy-on-write page: the process has a copy of its own now.
    CopiedOnWrite {
        /// The frame that stays shared.
        from: FrameNumber,
        /// The copy.
        to: FrameNumber,
    },
    /// First write since the last reset to a page of a write-watch region.
    WriteWatched,
    /// The stack grew by a page.
    StackGrown {
        /// The page that holds the guard now.
        guard: PageNumber,
        /// The lowest byte that the stack can use: the TEB's `StackLimit`.
        limit: LinearAddr,
    },
    /// The entry allowed the access already; a stale translation was in the way.
    AlreadyMapped,
}

/// The rule that an access broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The address is not the program's: the lowest 64 KiB, or above user space.
    NotUserSpace,
    /// Nothing is allocated there.
    Free,
    /// The page is reserved and not committed.
    Reserved,
    /// The page was decommitted.
    Decommitted,
    /// `PAGE_NOACCESS`
    NoAccess,
    /// A write to a page that can only be read.
    ReadOnly,
    /// A fetch from a page that is not executable.
    NotExecutable,
}

/// A refused access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessViolation {
    /// The first byte of the access that could not be reached.
    pub addr: LinearAddr,
    /// What the access wanted.
    pub kind: AccessKind,
    /// Why it may not.
    pub rule: Rule,
    /// The page's protection, if it is committed.
    pub protection: Option<Protection>,
    /// The allocation around it.
    pub allocation: Option<Allocation>,
    /// The pages of that allocation.
    pub pages: Option<PageRange>,
    /// Who made it so.
    pub history: History,
    /// Whether fetches are told apart from reads.
    pub fetches: FetchRule,
}

impl AccessViolation {
    /// Returns `ExceptionInformation[0]`: 0 for a read, 1 for a write, 8 for a fetch where the
    /// paging mode tells fetches from reads.
    pub const fn operation(&self) -> u32 {
        operation(self.kind, self.fetches)
    }
}

/// A guard page that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardPage {
    /// The byte that was accessed.
    pub addr: LinearAddr,
    /// What the access wanted.
    pub kind: AccessKind,
    /// The protection that holds from now on.
    pub protection: Protection,
    /// Who made it so.
    pub history: History,
    /// Whether fetches are told apart from reads.
    pub fetches: FetchRule,
}

impl GuardPage {
    /// Returns `ExceptionInformation[0]`, as [`AccessViolation::operation`].
    pub const fn operation(&self) -> u32 {
        operation(self.kind, self.fetches)
    }
}

/// A stack that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackOverflow {
    /// The byte that was accessed.
    pub addr: LinearAddr,
    /// The whole stack.
    pub stack: PageRange,
    /// The lowest byte that can be used from now on.
    pub limit: LinearAddr,
}

/// Contents that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InPageError {
    /// The byte that was accessed.
    pub addr: LinearAddr,
    /// What the access wanted.
    pub kind: AccessKind,
    /// Why they cannot.
    pub cause: InPageCause,
}

/// Why contents cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InPageCause {
    /// The paging file, or a mapped file, cannot be read.
    Store(StoreError),
    /// No frame can be made free.
    NoFrame,
    /// A private copy would exceed the commit limit.
    CommitLimit,
}

impl InPageCause {
    /// Returns the NTSTATUS that the exception carries as `ExceptionInformation[2]`.
    pub const fn ntstatus(self) -> u32 {
        const STATUS_NO_MEMORY: u32 = 0xC000_0017;
        const STATUS_COMMITMENT_LIMIT: u32 = 0xC000_012D;
        const STATUS_UNEXPECTED_IO_ERROR: u32 = 0xC000_00E9;
        match self {
            Self::Store(_) => STATUS_UNEXPECTED_IO_ERROR,
            Self::NoFrame => STATUS_NO_MEMORY,
            Self::CommitLimit => STATUS_COMMITMENT_LIMIT,
        }
    }
}

const fn operation(kind: AccessKind, fetches: FetchRule) -> u32 {
    match (kind, fetches) {
        (AccessKind::Write, _) => 1,
        (AccessKind::Fetch, FetchRule::NeedsExecute) => 8,
        (AccessKind::Read, _) | (AccessKind::Fetch, FetchRule::LikeReads) => 0,
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUserSpace => "the address is outside the program's address space",
            Self::Free => "nothing is allocated there",
            Self::Reserved => "the page is reserved but not committed",
            Self::Decommitted => "the page was decommitted",
            Self::NoAccess => "the page allows no access",
            Self::ReadOnly => "the page can only be read",
            Self::NotExecutable => "the page is not executable",
        })
    }
}

impl fmt::Display for AccessViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            AccessKind::Read => "read of",
            AccessKind::Write => "write to",
            AccessKind::Fetch => "fetch from",
        };
        write!(f, "{kind} {}: {}", self.addr, self.rule)
    }
}

impl fmt::Display for InPageCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::NoFrame => f.write_str("no frame of physical memory can be made free"),
            Self::CommitLimit => f.write_str("the commit limit is reached"),
        }
    }
}
