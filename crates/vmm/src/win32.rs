//! The Win32 error codes that the calls answer with.

use std::fmt;

/// A Win32 error code, as `GetLastError` returns it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Win32Code(u32);

impl Win32Code {
    /// `ERROR_ACCESS_DENIED`
    pub const ACCESS_DENIED: Self = Self(5);
    /// `ERROR_INVALID_HANDLE`
    pub const INVALID_HANDLE: Self = Self(6);
    /// `ERROR_NOT_ENOUGH_MEMORY`
    pub const NOT_ENOUGH_MEMORY: Self = Self(8);
    /// `ERROR_BAD_LENGTH`
    pub const BAD_LENGTH: Self = Self(24);
    /// `ERROR_INVALID_PARAMETER`
    pub const INVALID_PARAMETER: Self = Self(87);
    /// `ERROR_CALL_NOT_IMPLEMENTED`
    pub const CALL_NOT_IMPLEMENTED: Self = Self(120);
    /// `ERROR_DISCARDED`
    pub const DISCARDED: Self = Self(157);
    /// `ERROR_NOT_LOCKED`
    pub const NOT_LOCKED: Self = Self(158);
    /// `ERROR_PARTIAL_COPY`
    pub const PARTIAL_COPY: Self = Self(299);
    /// `ERROR_INVALID_ADDRESS`
    pub const INVALID_ADDRESS: Self = Self(487);
    /// `ERROR_NOACCESS`
    pub const NOACCESS: Self = Self(998);
    /// `ERROR_SWAPERROR`, what `STATUS_IN_PAGE_ERROR` becomes.
    pub const SWAPERROR: Self = Self(999);
    /// `ERROR_STACK_OVERFLOW`
    pub const STACK_OVERFLOW: Self = Self(1001);
    /// `ERROR_MAPPED_ALIGNMENT`
    pub const MAPPED_ALIGNMENT: Self = Self(1132);
    /// `ERROR_PRIVILEGE_NOT_HELD`
    pub const PRIVILEGE_NOT_HELD: Self = Self(1314);
    /// `ERROR_NO_SYSTEM_RESOURCES`
    pub const NO_SYSTEM_RESOURCES: Self = Self(1450);
    /// `ERROR_WORKING_SET_QUOTA`
    pub const WORKING_SET_QUOTA: Self = Self(1453);
    /// `ERROR_COMMITMENT_LIMIT`
    pub const COMMITMENT_LIMIT: Self = Self(1455);
    /// `STATUS_GUARD_PAGE_VIOLATION`, which has no Win32 code of its own and is passed on raw.
    pub const GUARD_PAGE_VIOLATION: Self = Self(0x8000_0001);

    /// Returns the code with this number.
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// Returns the code as a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Win32Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Win32Code({})", self.0)
    }
}

impl fmt::Display for Win32Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
