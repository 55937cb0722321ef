//! Traces and patterns against TLBs: exact counts, sweeps and curves.
//!
//! [`TraceReader`] turns what any tracer wrote into [`Record`]s; [`Conventions`] say which look-ups
//! a record makes; the engines count what an array of entries makes of them:
//!
//! - [`engine::array::Array`]: one array under any policy, of any index.
//! - [`engine::all_lru::AllLru`]: all LRU geometries of 1 to 512 sets and 1 to 16 ways in one pass.
//! - [`engine::distances::StackDistances`]: fully associative LRU of every size in one pass.
//! - [`engine::opt::Future`]: Belady's optimum, the floor under them.
//!
//! Policies, geometries and the TLBs of real processors are those of `pagefault-mmu`, and property
//! tests hold the engines against its TLB. Nothing here reads files, starts threads or asks a
//! clock.
//!
//! ```
//! use pagefault_mmu::{Geometry, Policy};
//! use pagefault_tlbsim::engine::array::Array;
//! use pagefault_tlbsim::{Conventions, Limits, TraceReader};
//!
//! let trace = b"I  08048000,5\n L 0bfff000,4\n S 0bffeffe,4\n M 0bfff004,4\n";
//! let mut reader = TraceReader::new(&trace[..], None, Limits::default())?;
//! let mut records = Vec::new();
//! reader.read(&mut records)?;
//!
//! // Data look-ups: the store touches two pages, the read and write of one operand counts once.
//! let mut pages = Vec::new();
//! Conventions::default().wide_pages(&records, &mut pages);
//! assert_eq!(pages, [0xbfff, 0xbffe, 0xbfff, 0xbfff]);
//!
//! let mut tlb = Array::new(Geometry::new(64, 4, Policy::Lru)?, 0);
//! assert_eq!(tlb.run(&pages), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod engine;
mod pattern;
pub mod read;
mod record;
mod select;
pub mod session;
pub mod system;

pub use engine::page::Page;
pub use pattern::{DEFAULT_SEED, MAX_REMEMBERED, Pages, Pattern, PatternError};
pub use read::{BadRecord, Format, Limits, ReadError, Tally, TraceReader, UnknownFormat};
pub use record::{MAX_SIZE_BYTES, Op, Record, Region};
pub use select::{Conventions, Modify, PageShift, PageShiftError, Straddle, Stream};
