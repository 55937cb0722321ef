//! What several fuzz targets do: programs that are run, texts with included files, numbers out of
//! bytes.
//!
//! A target may neither panic, nor hang, nor take all memory, nor break an invariant that it checks.

pub mod bytes;
pub mod calls;
pub mod files;
pub mod programs;
pub mod sources;
