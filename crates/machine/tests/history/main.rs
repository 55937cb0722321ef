//! A recorded program: what is gone back to is what was there.

mod common;
mod replay;
mod search;
