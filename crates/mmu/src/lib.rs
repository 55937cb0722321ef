//! The memory-management unit of a 32-bit x86 processor: physical memory, page tables that are
//! words in guest frames, a walk that reads them, a modelled TLB on the path of every access, and
//! page faults as values.
//!
//! # A first program
//!
//! Four steps: RAM, tables, registers, accesses. The directory lies in frame 1, its table in frame
//! 2; page 0x403 is mapped to frame 0x12, for reading only, and page 0x404 is not mapped.
//!
//! ```
//! use pagefault_mmu::{
//!     Cr0, ErrorCode, Execute, FaultCause, FrameNumber, LinearAddr, Mmu, MmuConfig,
//!     PageEntry, PageNumber, PhysMemory, Privilege, PteFlags, Root, tables,
//! };
//!
//! let frame = |number| FrameNumber::new(number).unwrap();
//! let page = PageNumber::new(0x403).unwrap();
//! let root = Root::TwoLevel(frame(1));
//!
//! // 1 MiB of RAM, and a TLB of 64 entries in 4 ways.
//! let mem = PhysMemory::new(1 << 20)?;
//! let mut mmu = Mmu::new(mem, &MmuConfig::default())?;
//!
//! // The tables are words in RAM; nothing else says what is mapped.
//! tables::add_table(mmu.mem_mut(), root, page, frame(2))?;
//! let entry = PageEntry {
//!     frame: frame(0x12),
//!     flags: PteFlags::USER,
//!     execute: Execute::Allowed,
//! };
//! assert_eq!(tables::set_page(mmu.mem_mut(), root, page, entry)?, None);
//! mmu.mem_mut().write(frame(0x12).byte(0x123), 0xC0DE_u16);
//! mmu.set_cr3(root.cr3())?;
//! mmu.set_cr0((Cr0::PROTECTED_MODE | Cr0::PAGING | Cr0::WRITE_PROTECT).bits())?;
//!
//! // A read walks, sets A in both entries, and leaves the translation in the TLB.
//! let addr = LinearAddr::new(0x0040_3123);
//! assert_eq!(mmu.read::<u16>(addr, Privilege::User)?, 0xC0DE);
//! assert_eq!(mmu.mem().read::<u32>(frame(2).byte(3 * 4)), 0x0001_2025);
//! assert_eq!(mmu.statistics().walks, 1);
//!
//! // A write is refused: P (the page is there), W/R, U/S.
//! let fault = mmu.write(addr, 0_u16, Privilege::User).unwrap_err();
//! assert_eq!(fault.cause, FaultCause::Protection);
//! assert_eq!(fault.code, ErrorCode::PRESENT | ErrorCode::WRITE | ErrorCode::USER);
//!
//! // The handler allows it, pays the invalidation that it owes, and the access is made again.
//! let stale = tables::update_page(mmu.mem_mut(), root, page, |entry| {
//!     entry.with(PteFlags::WRITABLE)
//! })?;
//! stale.invalidate(&mut mmu);
//! mmu.write(addr, 0xBEEF_u16, Privilege::User)?;
//! assert_eq!(
//!     mmu.walk(addr).to_string(),
//!     "PDE 001 at 0x00001004: 00002027  table 0x00002  A U W P\n\
//!      PTE 003 at 0x0000200c: 00012067  page  0x00012  D A U W P\n\
//!      0x00403123 is 0x00012123, in a 4 KiB page: user, writable",
//! );
//!
//! // The next page is not there: CR2 tells where, the error code that a user has read.
//! let fault = mmu.read::<u8>(LinearAddr::new(0x0040_4000), Privilege::User).unwrap_err();
//! assert_eq!((fault.addr, fault.error_code()), (LinearAddr::new(0x0040_4000), 0b00100));
//! assert_eq!(mmu.control().cr2(), fault.addr);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! | part | what it does |
//! |---|---|
//! | [`PhysMemory`], [`FrameAllocator`] | guest RAM, committed by the host as it is touched; who owns which frame |
//! | [`Pde`], [`Pte`], [`PaeEntry`], [`PageEntry`] | entries as values, with pure edits |
//! | [`tables`] | the editor of page tables: build, map, unmap, re-protect |
//! | [`ranges()`], [`Dump`] | tables as ranges of equal entries, and in print |
//! | [`walk()`], [`Walk`] | the one walk; it only reads, and prints itself |
//! | [`Control`] | CR0, CR2, CR3, CR4, EFER and EFLAGS.AC, as far as paging asks |
//! | [`Access`], [`PageFault`] | what is wanted, and what the processor says when it is refused |
//! | [`tlb`], [`tlb::presets`] | levels, geometries, policies; the TLBs of real processors |
//! | [`Mmu`] | all of it together: look-up, walk, A and D, loads and stores |
//! | [`Statistics`], [`Observer`] | what was counted, and events while they happen |
//!
//! # The way of an access
//!
//! An access is judged page by page, the first page first; a word that crosses into a second page
//! moves only once both have been translated. For each page, the first level of the TLB is asked,
//! then the second, then the tables are walked. A translation that is found serves if its rights
//! allow the access under the present settings and, for a write, if D is known to be set; if not,
//! the tables are walked again, so that a fault is never raised from the TLB alone. A walk that
//! succeeds sets A in every entry and D in the leaf of a write. One that fails raises the page
//! fault, drops what is cached of the page, and has changed nothing in memory.
//!
//! A read-modify-write is one access with write intent. Implicit accesses of the processor
//! ([`Privilege::Implicit`]) are supervisor accesses that EFLAGS.AC does not excuse.
//!
//! # Staleness
//!
//! The TLB is on the path, not beside it: an entry that has been changed in memory translates as it
//! was cached until it is invalidated, displaced or flushed. The editors of [`tables`] return a
//! [`Stale`] for each present entry that they change, to be paid with [`Stale::invalidate`] or left
//! with a reason. Who writes entries through [`Mmu::mem_mut`], or as a guest through the tables'
//! own pages, calls [`Mmu::invalidate_page`].
//!
//! # What is modelled
//!
//! - Two-level paging with 4 KiB and 4 MiB pages (CR4.PSE, PSE-36), and PAE paging with 4 KiB and
//!   2 MiB pages, PDPTE registers and EFER.NXE. The mode is a value of the running program.
//! - U/S, R/W, XD; CR0.WP, CR4.SMEP, CR4.SMAP with EFLAGS.AC; reserved bits up to MAXPHYADDR, which
//!   is configured; G with CR4.PGE.
//! - A and D, CR2, and every bit of the error code.
//! - TLBs of two levels, the first split or not, with the policies of [`Policy`] to the last hit,
//!   and a paging-structure cache.
//!
//! # What is not
//!
//! - PCID and INVPCID, protection keys, control-flow enforcement, four-level and nested paging, VM86
//!   and segmentation. Linear addresses come in, wherever they are from.
//! - Memory types: PAT, PCD and PWT are kept and reported as an index, and change nothing. There is
//!   no data cache.
//! - Time. [`Statistics::estimated_cycles`] is a stated formula, not a measurement.
//! - Speculation: nothing is cached that no access has asked for.
//!
//! # Speed
//!
//! A hit takes a host-side shortcut, the [`FrontArray`]: a compare, the exact replacement state, and
//! the load. It is a subset of the model and can change no result and no count; a test drives both,
//! and a plain reference beside them, through millions of random operations.
//!
//! # Features
//!
//! `mmap`, on by default, backs RAM with an anonymous memory map. Without it RAM is an ordinary
//! allocation, and the crate compiles for hosts without memory maps. No code here reads files, asks
//! a clock or starts a thread; the same inputs give the same run.
//!
//! Sections of the manual are cited by title; `docs/REFERENCES.md` of the repository names the
//! editions, `docs/QUIRKS.md` the known differences from hardware.

#![expect(
    clippy::inline_always,
    reason = "the path of a TLB hit is inlined into the interpreter's handlers; measured by benches/mmu"
)]

mod addr;
mod control;
mod directory;
mod dump;
mod entry;
mod fault;
mod frames;
mod front;
mod mmu;
mod observer;
mod packed;
mod phys;
mod ranges;
pub mod tables;
pub mod tlb;
mod tracked;
mod walk;
mod word;

pub use addr::{
    FrameNumber, LinearAddr, MAX_PHYSICAL_BITS, PAGE_SHIFT, PAGE_SIZE, PageNumber, PhysAddr,
};
pub use control::{AcFlag, Control, ControlFault, Cr0, Cr4, Efer, PhysicalBitsError};
pub use dump::Dump;
pub use entry::{
    Execute, PaeEntry, PageEntry, PageSize, Pde, PdeFlags, Pdpte, Pte, PteFlags, Rights,
    SoftwareEntry,
};
pub use fault::{Access, AccessKind, ErrorCode, FaultCause, PageFault, Privilege};
pub use frames::FrameAllocator;
pub use front::FrontArray;
pub use mmu::{HitRun, Mmu, MmuConfig, MmuError, SavedMmu, Stored};
pub use observer::{DropCause, NoObserver, Observer};
pub use phys::{MAX_RAM_BYTES, PhysMemory, PhysMemoryError};
pub use ranges::{EntryRange, ranges};
pub use tables::{Entry, LeaveReason, NoTable, NotMapped, Root, Stale, TableView};
pub use tlb::geometry::{Geometry, GeometryError, Index, PageSizes};
pub use tlb::policy::{Policy, UnknownPolicy};
pub use tlb::statistics::{ByKind, LevelStatistics, Statistics};
pub use tlb::view::TlbEntry;
pub use tlb::{LevelId, TlbConfig};
pub use walk::{Leaf, Level, Step, Walk, walk};
pub use word::Word;
