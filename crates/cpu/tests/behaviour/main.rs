//! What a processor on an MMU does, seen from outside.

mod coverage;
mod faults;
mod float_exceptions;
mod machine;
mod measured;
mod pieces;
mod quirks;
mod random_bytes;
mod run;
mod supervisor;
mod used_memory;
mod watch;
mod x87_functions;
mod x87_parts;
mod x87_reference;
mod x87_state;
