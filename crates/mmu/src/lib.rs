//! The memory-management unit of a 32-bit x86 processor: physical memory, page tables that are
//! words in guest frames, a walk that reads them, a modelled TLB on the path of every access, and
//! page faults as values.

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
pub use mmu::{HitRun, Mmu, MmuConfig, MmuError, Stored};
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
