//! A course in a box: expectations in sources, quizzes, grading, and the replay of course labs.

pub mod expect;
mod options;

pub use options::{SizeError, TlbError, parse_ram, parse_size, parse_tlb};
