//! The `pagefault` command.

fn main() {}
