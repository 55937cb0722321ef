//! A 32-bit Windows process on an emulated MMU.
//!
//! [`Machine::load`] maps an image that the assembler has linked, makes a stack, and binds the
//! imported functions; [`Machine::run`] runs it until it exits, or until something happens that
//! nobody handles. Then the [`ExceptionReport`] explains it: the instruction and its source line,
//! the walk of the address, the region, and the calls that made the page what it is.
//!
//! This is the only crate that joins the processor and the memory manager. It reads no files and
//! asks no clock: what it needs is passed in, and what the program prints goes to a [`Console`].
//!
//! # Example
//!
//! ```
//! use pagefault_asm::{LinkOptions, NoIncludes, Options, assemble, link};
//! use pagefault_machine::{Console, DebugInfo, Listener, Machine, MachineConfig, Outcome, Stream};
//!
//! #[derive(Debug)]
//! struct Silent;
//! impl Console for Silent {
//!     fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}
//! }
//!
//! let source = b"
//!     .386
//!     .model flat, stdcall
//!     .const
//! limit dd 1
//!     .code
//! start:
//!     mov limit, 2
//!     end start
//! ";
//! let program = assemble("limit.asm", source, &NoIncludes, &Options::default()).unwrap();
//! let image = link(&program.object, &LinkOptions::default()).unwrap();
//! let debug = DebugInfo::new(&program, &image);
//! let config = MachineConfig::default();
//! let mut machine = Machine::load(&image, debug, &config, Box::new(Silent), Listener::deaf()).unwrap();
//!
//! let Outcome::Exception(report) = machine.run(1000) else { panic!("constants are read-only") };
//!
//! let memory = report.memory.unwrap();
//! assert_eq!(memory.operation(), "write");
//! assert_eq!(memory.fault.error_code(), 0b111); // U/S, W/R, P
//! assert_eq!(report.place.source.unwrap().text.trim(), "mov limit, 2");
//! ```

mod advice;
mod api;
mod cformat;
mod clock;
mod codepage;
mod collate;
mod command_line;
mod console;
mod context;
mod debug;
mod decimal;
mod environment;
mod error;
mod files;
mod format;
mod history;
mod layout;
mod limits;
mod linux;
mod load;
mod local;
mod locks;
mod machine;
mod map;
mod objects;
mod page;
mod program;
mod queued;
mod raise;
mod record;
mod report;
mod schedule;
mod services;
mod sites;
mod spawn;
mod status;
mod stdio;
mod stops;
mod system;
mod thread;
mod trace;
mod variables;
mod vectored;
mod watch;

pub use pagefault_asm as asm;
pub use pagefault_cpu as cpu;
pub use pagefault_vmm as vmm;

pub use api::{MissingFunction, emulated_functions};
pub use console::{Console, Stream};
pub use debug::{DebugInfo, NearSymbol, SourceLine};
pub use files::{Creation, FileError, FileInfo, FileMode, FilePath, Files, NoFiles, OpenFile};
pub use history::{
    Change, DEFAULT_RECORD_BYTES, EntryChange, Exceptions, FaultStops, Moment, PokeError,
    RecordOptions, Recording, SnapshotError, Stop, Stops, ThreadState,
};
pub use load::LoadError;
pub use local::ThreadLocalError;
pub use machine::{
    Aslr, DEFAULT_PROGRAM_NAME, DEFAULT_RAM_BYTES, DEFAULT_STACK_COMMIT_BYTES,
    DEFAULT_STACK_RESERVE_BYTES, MAX_CALLS_IN_A_ROW, Machine, MachineConfig, MissingCall, Outcome,
};
pub use map::MapEntry;
pub use page::PageReport;
pub use program::{
    ElfReadError, Field, FlatError, FromImageError, ImportName, Part, PartRights, PeReadError,
    Platform, Program, ProgramImport, StackSize, ThreadLocal,
};
pub use report::{Deed, ExceptionReport, HistoryLine, MemoryReport, Place, disassemble};
pub use sites::CallSite;
pub use status::Status;
pub use stops::{Catch, Pause};
pub use thread::{DEFAULT_QUANTUM, Turns};
pub use trace::{Event, Topics, TraceSink, Tracer};
pub use watch::{Listener, Watch};
