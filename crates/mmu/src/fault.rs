//! What an access wants, and the page fault it gets when it may not.

use std::fmt;

use bitflags::bitflags;
use thiserror::Error;

use crate::addr::LinearAddr;

/// What an access does with the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// A data read.
    Read,
    /// A data write. A read-modify-write is one access of this kind.
    Write,
    /// An instruction fetch.
    Fetch,
}

impl AccessKind {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [Self::Read, Self::Write, Self::Fetch];
}

/// On whose behalf an access is made.
///
/// SDM Vol. 3A, "Access Rights": supervisor-mode accesses are those made at CPL 0 to 2, and the
/// implicit ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// An access of the program at CPL 3.
    User,
    /// An access of the program at CPL 0, 1 or 2.
    Supervisor,
    /// An access that the processor makes to a system structure (descriptor table, TSS) at any CPL.
    Implicit,
}

impl Privilege {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [Self::User, Self::Supervisor, Self::Implicit];
}

/// An access as the MMU judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// What is done.
    pub kind: AccessKind,
    /// On whose behalf.
    pub privilege: Privilege,
}

/// Why a walk or a rights check stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultCause {
    /// An entry on the way has P=0.
    NotPresent,
    /// The page is mapped, but its rights do not allow the access.
    Protection,
    /// A present entry has a reserved bit set.
    Reserved,
}

bitflags! {
    /// The error code of a page fault.
    ///
    /// SDM Vol. 3A, "Page-Fault Exceptions". Of the 32 bits that the processor pushes, those that
    /// are modelled lie in the low byte.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ErrorCode: u8 {
        /// P: the walk reached present entries only; clear when an entry was not present.
        const PRESENT = 1 << 0;
        /// W/R: the access was a write.
        const WRITE = 1 << 1;
        /// U/S: the access was made at CPL 3, and not by the processor itself.
        const USER = 1 << 2;
        /// RSVD: a reserved bit was set in a present entry. P is set with it.
        const RESERVED = 1 << 3;
        /// I/D: the access was a fetch; reported only where fetches have rights of their own.
        const FETCH = 1 << 4;
    }
}

/// Whether fetches have access rights of their own: CR4.SMEP=1, or PAE paging with EFER.NXE=1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchRights {
    /// A fetch is judged, and reported, like a read.
    LikeReads,
    /// A fetch can be refused where a read is allowed; the error code says that it was one.
    Separate,
}

/// A page fault (#PF, vector 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("page fault at {addr} ({access}): {cause}, error code {:#x}", code.bits())]
pub struct PageFault {
    /// What CR2 receives: the first byte of the access on the page that faulted.
    pub addr: LinearAddr,
    /// The access that was refused.
    pub access: Access,
    /// Why.
    pub cause: FaultCause,
    /// The error code that the processor pushes.
    pub code: ErrorCode,
}

impl PageFault {
    /// What stands where no page fault was raised yet.
    pub(crate) const NONE_YET: Self = Self {
        addr: LinearAddr::new(0),
        access: Access {
            kind: AccessKind::Read,
            privilege: Privilege::User,
        },
        cause: FaultCause::NotPresent,
        code: ErrorCode::empty(),
    };

    pub(crate) fn new(
        addr: LinearAddr,
        access: Access,
        cause: FaultCause,
        fetches: FetchRights,
    ) -> Self {
        let mut code = match cause {
            FaultCause::NotPresent => ErrorCode::empty(),
            FaultCause::Protection => ErrorCode::PRESENT,
            FaultCause::Reserved => ErrorCode::PRESENT | ErrorCode::RESERVED,
        };
        code.set(ErrorCode::WRITE, access.kind == AccessKind::Write);
        code.set(ErrorCode::USER, access.privilege == Privilege::User);
        let is_fetch = access.kind == AccessKind::Fetch;
        code.set(
            ErrorCode::FETCH,
            is_fetch && fetches == FetchRights::Separate,
        );
        Self {
            addr,
            access,
            cause,
            code,
        }
    }

    /// Returns the error code as the number that the processor pushes.
    pub fn error_code(&self) -> u32 {
        u32::from(self.code.bits())
    }
}

/// A fault, and with it the result of any access to a small word, travels in one register.
const _: () = assert!(size_of::<Result<u32, PageFault>>() == size_of::<u64>());

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let privilege = match self.privilege {
            Privilege::User => "user",
            Privilege::Supervisor => "supervisor",
            Privilege::Implicit => "implicit supervisor",
        };
        let kind = match self.kind {
            AccessKind::Read => "read",
            AccessKind::Write => "write",
            AccessKind::Fetch => "fetch",
        };
        write!(f, "{privilege} {kind}")
    }
}

impl fmt::Display for FaultCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPresent => "an entry is not present",
            Self::Protection => "the rights do not allow it",
            Self::Reserved => "a reserved bit is set in an entry",
        })
    }
}
