//! Support for the behaviour tests: the golden runner, which replays recorded cases and judges what
//! our crates do with them; the soak; and the mutations, which hold the tests themselves.

pub mod command;
pub mod golden;
pub mod mutations;
pub mod native;
mod paging;
mod random;
pub mod random_files;
pub mod soak;
