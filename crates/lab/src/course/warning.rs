//! The classic mistakes of course labs, as a step shows them.

use std::fmt;

use pagefault_machine::vmm::mmu::LinearAddr;

use super::{Operation, Place};

/// A mistake that students make, as a step shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Bytes where units are meant.
    UnitsLookLikeBytes {
        /// The units given.
        units: u32,
        /// The bytes of one.
        unit_bytes: u32,
    },
    /// A release with a size.
    ReleaseWithSize {
        /// The bytes that the units are.
        size_bytes: u32,
    },
    /// A reservation does not begin on a multiple of 64 KiB.
    ReserveRoundedDown {
        /// Where it begins.
        base: LinearAddr,
    },
    /// A range begins inside a page.
    StartInsidePage {
        /// How many pages it touches.
        pages: u32,
    },
    /// `PAGE_GUARD` with `PAGE_NOACCESS`.
    GuardWithoutAccess,
    /// A step that needs another one, which failed.
    AfterFailure {
        /// Where that is.
        place: Place,
        /// What it was.
        operation: Operation,
    },
    /// A commit beside every reservation.
    NothingReserved,
    /// A touch that has brought in no page.
    TouchedNothingNew,
    /// Committed pages that were never touched use no frame.
    NeverTouched {
        /// How many they are.
        pages: u32,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnitsLookLikeBytes { units, unit_bytes } => write!(
                f,
                "{units} units of {unit_bytes} bytes: are these bytes where units are meant? {units} bytes are {} of them",
                units / unit_bytes
            ),
            Self::ReleaseWithSize { size_bytes } => write!(
                f,
                "MEM_RELEASE takes the size 0, which is used here; a program that passes {size_bytes} gets error 87"
            ),
            Self::ReserveRoundedDown { base } => write!(
                f,
                "a reservation begins on a multiple of 64 KiB: it was rounded down to {base}"
            ),
            Self::StartInsidePage { pages } => write!(
                f,
                "the address is inside a page: whole pages are meant, {pages} of them"
            ),
            Self::GuardWithoutAccess => f.write_str(
                "PAGE_GUARD is a part of the protection, beside an access that is allowed; PAGE_NOACCESS cannot be guarded",
            ),
            Self::AfterFailure { place, operation } => write!(
                f,
                "the {operation} of {place} failed, and this goes on as if it had not: check every return value",
                operation = operation.name()
            ),
            Self::NothingReserved => f.write_str(
                "nothing is reserved here: reserve first, or ask for MEM_RESERVE and MEM_COMMIT together",
            ),
            Self::TouchedNothingNew => f.write_str(
                "no page came in: they were resident already. To touch is to read or write; to print an address touches nothing",
            ),
            Self::NeverTouched { pages } => write!(
                f,
                "{pages} committed pages were never touched: they were promised, and never used a frame"
            ),
        }
    }
}
