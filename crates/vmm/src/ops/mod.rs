//! The calls, one file each. Every call checks everything first and then changes everything.

pub(crate) mod alloc;
pub(crate) mod bad_ptr;
pub(crate) mod free;
pub(crate) mod image;
pub(crate) mod large;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod peek;
pub(crate) mod physical;
pub(crate) mod protect;
pub(crate) mod query;
pub(crate) mod reset;
pub(crate) mod sections;
pub(crate) mod views;
pub(crate) mod working_set;
pub(crate) mod write_watch;
