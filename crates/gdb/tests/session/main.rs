//! Conversations in gdb's remote protocol, without a gdb.

mod broken;
mod client;
mod conversation;
