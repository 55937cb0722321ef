//! What a processor on an MMU does, seen from outside.

mod machine;
mod quirks;
mod random_bytes;
mod run;
mod supervisor;
mod used_memory;
mod x87_parts;
