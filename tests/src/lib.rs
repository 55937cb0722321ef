//! Support for the behaviour tests: the golden runner, which replays recorded cases and judges what
//! our crates do with them.

pub mod command;
pub mod golden;
mod random;
pub mod random_files;
pub mod soak;
