//! A course in a box: expectations in sources, quizzes, labs and their marks, reference strings, and
//! the replay of course labs.

pub mod course;
pub mod expect;
mod options;
pub mod pack;
pub mod paging;
pub mod picture;
pub mod quiz;
pub mod variant;

pub use options::{SizeError, TlbError, parse_ram, parse_size, parse_tlb};
