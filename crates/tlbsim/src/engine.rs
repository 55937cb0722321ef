//! Engines: page numbers in, exact counts out.
//!
//! Every engine takes slices of page numbers and can be fed piece by piece, so that memory is
//! bounded by the pages that a trace touches and not by its length. [`opt`] is the exception: it
//! has to know the future.

pub mod all_lru;
pub mod array;
pub mod distances;
pub mod opt;
pub(crate) mod page;
pub(crate) mod positions;
pub(crate) mod window;
