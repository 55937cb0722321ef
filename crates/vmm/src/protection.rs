//! Page protections: `PAGE_*` constants to and from rights, and to and from entry bits.

use std::fmt;

use pagefault_mmu::{AccessKind, Execute, PteFlags};
use thiserror::Error;

/// What a page allows, before modifiers.
///
/// The numbers are the three bits that software entries and the software-available bits of present
/// entries hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rights {
    /// `PAGE_NOACCESS`
    NoAccess = 0,
    /// `PAGE_READONLY`
    ReadOnly = 1,
    /// `PAGE_EXECUTE`; readable, since IA-32 has no way to say otherwise.
    Execute = 2,
    /// `PAGE_EXECUTE_READ`
    ExecuteRead = 3,
    /// `PAGE_READWRITE`
    ReadWrite = 4,
    /// `PAGE_WRITECOPY`: the first write makes a private copy.
    WriteCopy = 5,
    /// `PAGE_EXECUTE_READWRITE`
    ExecuteReadWrite = 6,
    /// `PAGE_EXECUTE_WRITECOPY`
    ExecuteWriteCopy = 7,
}

/// The modifier of a protection. At most one: each excludes the others and `PAGE_NOACCESS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Modifier {
    /// None.
    None = 0,
    /// `PAGE_NOCACHE`
    NoCache = 1,
    /// `PAGE_GUARD`: the first access raises `STATUS_GUARD_PAGE_VIOLATION` and clears it.
    Guard = 2,
    /// `PAGE_WRITECOMBINE`
    WriteCombine = 3,
}

/// A page protection as the Win32 calls name it: one of the eight rights, and at most one modifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protection {
    rights: Rights,
    modifier: Modifier,
}

/// A value that is no page protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{bits:#x} is not one base protection with at most one modifier")]
pub struct InvalidProtection {
    /// The value given.
    pub bits: u32,
}

const PAGE_GUARD: u32 = 0x100;
const PAGE_NOCACHE: u32 = 0x200;
const PAGE_WRITECOMBINE: u32 = 0x400;
const MODIFIER_MASK: u32 = PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE;

/// Where software entries, and [`Protection::to_field`], hold the modifier.
const FIELD_MODIFIER_SHIFT: u32 = 3;
/// How many bits a protection takes in a software entry.
pub(crate) const FIELD_BITS: u32 = 5;

/// The software-available bits of a present entry (AVL, bits 11:9) hold the rights.
const AVL_SHIFT: u32 = 9;
const AVL_MASK: u32 = 0b111 << AVL_SHIFT;

impl Rights {
    const ALL: [Self; 8] = [
        Self::NoAccess,
        Self::ReadOnly,
        Self::Execute,
        Self::ExecuteRead,
        Self::ReadWrite,
        Self::WriteCopy,
        Self::ExecuteReadWrite,
        Self::ExecuteWriteCopy,
    ];

    /// Returns the `PAGE_*` constant.
    pub const fn bits(self) -> u32 {
        match self {
            Self::NoAccess => 0x01,
            Self::ReadOnly => 0x02,
            Self::ReadWrite => 0x04,
            Self::WriteCopy => 0x08,
            Self::Execute => 0x10,
            Self::ExecuteRead => 0x20,
            Self::ExecuteReadWrite => 0x40,
            Self::ExecuteWriteCopy => 0x80,
        }
    }

    /// Returns the constant's name without `PAGE_`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAccess => "NOACCESS",
            Self::ReadOnly => "READONLY",
            Self::ReadWrite => "READWRITE",
            Self::WriteCopy => "WRITECOPY",
            Self::Execute => "EXECUTE",
            Self::ExecuteRead => "EXECUTE_READ",
            Self::ExecuteReadWrite => "EXECUTE_READWRITE",
            Self::ExecuteWriteCopy => "EXECUTE_WRITECOPY",
        }
    }

    /// Returns whether instructions may be fetched, where fetches have rights of their own.
    pub const fn is_executable(self) -> bool {
        use Rights::{Execute, ExecuteRead, ExecuteReadWrite, ExecuteWriteCopy};
        matches!(
            self,
            Execute | ExecuteRead | ExecuteReadWrite | ExecuteWriteCopy
        )
    }

    /// Returns whether a write is allowed, be it to a copy.
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ExecuteReadWrite) || self.is_copy_on_write()
    }

    /// Returns whether the first write makes a private copy.
    pub const fn is_copy_on_write(self) -> bool {
        matches!(self, Self::WriteCopy | Self::ExecuteWriteCopy)
    }

    /// Returns the rights of a private copy of a page with these rights.
    #[must_use]
    pub const fn after_copy(self) -> Self {
        match self {
            Self::WriteCopy => Self::ReadWrite,
            Self::ExecuteWriteCopy => Self::ExecuteReadWrite,
            other => other,
        }
    }

    /// Returns whether the access is within these rights; a fetch is judged as a read where
    /// `fetches` says so.
    pub fn allow(self, kind: AccessKind, fetches: FetchRule) -> bool {
        match (kind, fetches) {
            (AccessKind::Write, _) => self.is_writable(),
            (AccessKind::Fetch, FetchRule::NeedsExecute) => self.is_executable(),
            (AccessKind::Read, _) | (AccessKind::Fetch, FetchRule::LikeReads) => {
                self != Self::NoAccess
            }
        }
    }

    const fn from_field(field: u32) -> Self {
        Self::ALL[(field & 0b111) as usize]
    }
}

/// Whether a page can be readable and yet not executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchRule {
    /// Two-level paging: what can be read can be executed.
    LikeReads,
    /// PAE with no-execute: a fetch needs one of the `EXECUTE` protections.
    NeedsExecute,
}

impl Protection {
    /// `PAGE_NOACCESS`
    pub const NO_ACCESS: Self = Self::of(Rights::NoAccess);
    /// `PAGE_READONLY`
    pub const READ_ONLY: Self = Self::of(Rights::ReadOnly);
    /// `PAGE_READWRITE`
    pub const READ_WRITE: Self = Self::of(Rights::ReadWrite);
    /// `PAGE_WRITECOPY`
    pub const WRITE_COPY: Self = Self::of(Rights::WriteCopy);
    /// `PAGE_EXECUTE_READ`
    pub const EXECUTE_READ: Self = Self::of(Rights::ExecuteRead);
    /// `PAGE_EXECUTE_READWRITE`
    pub const EXECUTE_READ_WRITE: Self = Self::of(Rights::ExecuteReadWrite);
    /// `PAGE_EXECUTE_WRITECOPY`
    pub const EXECUTE_WRITE_COPY: Self = Self::of(Rights::ExecuteWriteCopy);

    /// Returns the protection with these rights and no modifier.
    pub const fn of(rights: Rights) -> Self {
        Self {
            rights,
            modifier: Modifier::None,
        }
    }

    /// Returns a guard page with these rights.
    pub(crate) const fn guarded(rights: Rights) -> Self {
        Self {
            rights,
            modifier: Modifier::Guard,
        }
    }

    /// Returns the protection that a caller means by these `PAGE_*` bits.
    ///
    /// # Errors
    ///
    /// [`InvalidProtection`] unless exactly one base constant is given, with at most one of
    /// `PAGE_GUARD`, `PAGE_NOCACHE` and `PAGE_WRITECOMBINE`, and none of them with `PAGE_NOACCESS`.
    pub fn from_bits(bits: u32) -> Result<Self, InvalidProtection> {
        let invalid = InvalidProtection { bits };
        let base = bits & !MODIFIER_MASK;
        let rights = Rights::ALL
            .into_iter()
            .find(|rights| rights.bits() == base)
            .ok_or(invalid)?;
        let modifier = match bits & MODIFIER_MASK {
            0 => Modifier::None,
            PAGE_GUARD => Modifier::Guard,
            PAGE_NOCACHE => Modifier::NoCache,
            PAGE_WRITECOMBINE => Modifier::WriteCombine,
            _ => return Err(invalid),
        };
        if rights == Rights::NoAccess && modifier != Modifier::None {
            return Err(invalid);
        }
        Ok(Self { rights, modifier })
    }

    /// Returns the `PAGE_*` bits.
    pub const fn bits(self) -> u32 {
        let modifier = match self.modifier {
            Modifier::None => 0,
            Modifier::NoCache => PAGE_NOCACHE,
            Modifier::Guard => PAGE_GUARD,
            Modifier::WriteCombine => PAGE_WRITECOMBINE,
        };
        self.rights.bits() | modifier
    }

    /// Returns what the page allows.
    pub const fn rights(self) -> Rights {
        self.rights
    }

    /// Returns the modifier.
    pub const fn modifier(self) -> Modifier {
        self.modifier
    }

    /// Returns whether the next access raises a guard-page violation.
    pub const fn is_guard(self) -> bool {
        matches!(self.modifier, Modifier::Guard)
    }

    /// Returns the protection with other rights and the same modifier.
    #[must_use]
    pub const fn with_rights(self, rights: Rights) -> Self {
        Self { rights, ..self }
    }

    /// Returns the protection with `caching` in place of its own caching, as a page of an
    /// allocation made with `caching` has it.
    ///
    /// Guard pages and pages without access have none: those bits exclude each other.
    #[must_use]
    pub(crate) const fn with_caching(self, caching: Modifier) -> Self {
        let modifier = match (self.rights, self.modifier, caching) {
            (_, Modifier::Guard, _) => Modifier::Guard,
            (Rights::NoAccess, _, _) | (_, _, Modifier::Guard) => Modifier::None,
            (_, _, caching) => caching,
        };
        Self { modifier, ..self }
    }

    /// Returns the caching part of the modifier.
    pub(crate) const fn caching(self) -> Modifier {
        if self.is_guard() {
            Modifier::None
        } else {
            self.modifier
        }
    }

    /// Returns whether a present entry can stand for the page: a guard page and a page without
    /// access must fault on each touch.
    pub(crate) const fn is_mappable(self) -> bool {
        !self.is_guard() && !matches!(self.rights, Rights::NoAccess)
    }

    /// Returns the five bits that a software entry holds.
    pub(crate) const fn to_field(self) -> u32 {
        self.rights as u32 | (self.modifier as u32) << FIELD_MODIFIER_SHIFT
    }

    /// Returns the protection in the low five bits of `field`.
    pub(crate) const fn from_field(field: u32) -> Self {
        let modifier = match field >> FIELD_MODIFIER_SHIFT & 0b11 {
            0 => Modifier::None,
            1 => Modifier::NoCache,
            2 => Modifier::Guard,
            _ => Modifier::WriteCombine,
        };
        Self {
            rights: Rights::from_field(field),
            modifier,
        }
    }

    /// Returns the flags of a present entry that stands for a page of this protection, with
    /// WRITABLE, ACCESSED and DIRTY clear.
    pub(crate) fn entry_flags(self) -> PteFlags {
        let rights = PteFlags::from_bits_retain((self.rights as u32) << AVL_SHIFT);
        let caching = match self.modifier {
            Modifier::None | Modifier::Guard => PteFlags::empty(),
            Modifier::NoCache => PteFlags::CACHE_DISABLE | PteFlags::WRITE_THROUGH,
            // Power-on PAT: index 1 is write-through, the nearest that it offers.
            Modifier::WriteCombine => PteFlags::WRITE_THROUGH,
        };
        PteFlags::PRESENT | PteFlags::USER | rights | caching
    }

    /// Returns the protection that a present entry with these flags stands for.
    pub(crate) fn from_entry_flags(flags: PteFlags) -> Self {
        let rights = Rights::from_field((flags.bits() & AVL_MASK) >> AVL_SHIFT);
        let modifier = if flags.contains(PteFlags::CACHE_DISABLE) {
            Modifier::NoCache
        } else if flags.contains(PteFlags::WRITE_THROUGH) {
            Modifier::WriteCombine
        } else {
            Modifier::None
        };
        Self { rights, modifier }
    }

    /// Returns whether a present entry lets instructions be fetched.
    pub(crate) const fn execute(self, fetches: FetchRule) -> Execute {
        match fetches {
            FetchRule::NeedsExecute if !self.rights.is_executable() => Execute::Never,
            _ => Execute::Allowed,
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PAGE_")?;
        f.write_str(self.rights.name())?;
        f.write_str(match self.modifier {
            Modifier::None => "",
            Modifier::NoCache => "|PAGE_NOCACHE",
            Modifier::Guard => "|PAGE_GUARD",
            Modifier::WriteCombine => "|PAGE_WRITECOMBINE",
        })
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protection({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> impl Iterator<Item = Protection> {
        (0..1_u32 << 11).filter_map(|bits| Protection::from_bits(bits).ok())
    }

    #[test]
    fn there_are_29_protections_and_each_survives_every_encoding() {
        assert_eq!(every().count(), 8 + 3 * 7);
        for protection in every() {
            assert_eq!(Protection::from_bits(protection.bits()), Ok(protection));
            assert_eq!(Protection::from_field(protection.to_field()), protection);
            assert!(protection.to_field() < 1 << FIELD_BITS);
            if protection.is_mappable() {
                assert_eq!(
                    Protection::from_entry_flags(protection.entry_flags()),
                    protection
                );
            }
        }
    }

    #[test]
    fn modifiers_exclude_one_another_and_no_access() {
        for bits in [
            0, 0x100, 0x200, 0x06, 0x101, 0x201, 0x401, 0x304, 0x504, 0x604, 0x804,
        ] {
            assert_eq!(Protection::from_bits(bits), Err(InvalidProtection { bits }));
        }
    }

    #[test]
    fn fetches_need_execute_only_where_paging_can_forbid_them() {
        for rights in Rights::ALL {
            let readable = rights != Rights::NoAccess;
            assert_eq!(
                rights.allow(AccessKind::Fetch, FetchRule::LikeReads),
                readable
            );
            let executable = rights.bits() >= 0x10;
            assert_eq!(
                rights.allow(AccessKind::Fetch, FetchRule::NeedsExecute),
                executable
            );
        }
    }
}
