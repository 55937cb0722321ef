//! A gdb remote server over a recorded machine.
//!
//! [`serve`] speaks gdb's remote protocol on a connection that the caller has opened: registers,
//! memory, breakpoints, watchpoints, steps in both directions, threads. `monitor help` in gdb lists
//! what is said about memory management. [`symbol_file`] makes an ELF file of names alone, for
//! programs whose names gdb cannot read elsewhere.
//!
//! # Example
//!
//! ```
//! use pagefault_gdb::{Symbol, SymbolKind, symbol_file};
//!
//! let symbols = [Symbol {
//!     name: "start".to_owned(),
//!     addr: 0x0040_1000,
//!     size_bytes: 0,
//!     kind: SymbolKind::Code,
//! }];
//! let elf = symbol_file(&symbols, 0x0040_0000..0x0040_3000);
//!
//! assert_eq!(elf[..4], *b"\x7FELF");
//! assert_eq!(elf[18..20], [3, 0]); // EM_386
//! ```

mod arch;
mod debuggee;
mod monitor;
mod registers;
mod session;
mod symbols;

pub use gdbstub::conn::{Connection, ConnectionExt};

pub use session::{End, ServeError, serve};
pub use symbols::{Symbol, SymbolKind, symbol_file};
