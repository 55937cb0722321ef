//! Windows' virtual memory calls as edits of x86 page-table entries.
//!
//! A [`Vmm`] manages the memory of emulated processes by the rules of Win32: reserve, commit,
//! protect, lock, query, sections, working sets, and what happens when frames run out. It knows no
//! instructions: whoever executes a program asks [`Vmm::handle_fault`] about each page fault and
//! calls the functions named after the Win32 ones.
//!
//! # Where the truth is
//!
//! Page tables are real words in guest RAM. A *present* entry tells the hardware its part, and in
//! its software-available bits the Win32 protection. An entry that is *not present* is a
//! [`SoftwarePte`]. An entry of all zeros says nothing, and the region speaks: it was reserved, or
//! committed, as a whole. Nothing else is known of a page, so that committing maps nothing and the
//! first touch faults.
//!
//! # What is not modelled
//!
//! Kernel space, `MEM_ROTATE`, NUMA, enclaves, page combining, several sessions. Images are mapped
//! as private pages. One processor: no shoot-down of other TLBs.
//!
//! # Example
//!
//! Reserve 64 KiB, commit a page of it, write to it, and meet the page after it:
//!
//! ```
//! use pagefault_vmm::mmu::{LinearAddr, Mmu, MmuConfig, PhysMemory, Privilege};
//! use pagefault_vmm::{
//!     AllocRequest, AllocationType, Caller, Protection, Resolution, Resumed, Rule, Vmm, VmmConfig,
//! };
//!
//! let mut mmu = Mmu::new(PhysMemory::new(1 << 20)?, &MmuConfig::default())?;
//! let mut vmm = Vmm::new(&mmu, VmmConfig::default());
//! let process = vmm.create_process(&mut mmu)?;
//! vmm.switch_to(&mut mmu, process);
//!
//! let caller = Caller::of(process);
//! let mut request = AllocRequest {
//!     address: LinearAddr::new(0),
//!     size_bytes: 0x1_0000,
//!     allocation_type: AllocationType::RESERVE.bits(),
//!     protect: Protection::NO_ACCESS.bits(),
//! };
//! let base = vmm.alloc(&mut mmu, caller, &request)?;
//! request.address = base;
//! request.size_bytes = 1;
//! request.allocation_type = AllocationType::COMMIT.bits();
//! request.protect = Protection::READ_WRITE.bits();
//! vmm.alloc(&mut mmu, caller, &request)?;
//!
//! // The first write faults: committing has mapped nothing.
//! let fault = mmu.write(base, 0x1234_5678_u32, Privilege::User).unwrap_err();
//! let resolution = vmm.handle_fault(&mut mmu, &fault);
//! assert!(matches!(resolution, Resolution::Resumed(Resumed::DemandZero { .. })));
//! mmu.write(base, 0x1234_5678_u32, Privilege::User)?;
//! // Now the entry is present, writable, the user's, accessed and dirty; bits 11:9 say READWRITE.
//! assert_eq!(mmu.walk(base).steps().last().unwrap().value & 0xfff, 0x867);
//!
//! let next = base.wrapping_add(0x1000);
//! let fault = mmu.read::<u8>(next, Privilege::User).unwrap_err();
//! let Resolution::AccessViolation(violation) = vmm.handle_fault(&mut mmu, &fault) else {
//!     panic!("the second page is not committed")
//! };
//! assert_eq!((violation.addr, violation.rule), (next, Rule::Reserved));
//! assert_eq!(violation.to_string(), "read of 0x00011000: the page is reserved but not committed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod config;
mod copy;
mod counters;
mod evict;
mod fault;
mod frames;
mod global;
mod granules;
mod handle;
mod heap;
mod history;
mod ops;
mod outcome;
mod protection;
mod range;
mod region;
pub mod replacement;
mod section;
mod snapshot;
mod software;
mod space;
mod status;
mod store;
mod vmm;
mod win32;

/// The layer below: what `machine` needs of it, it gets from here.
pub use pagefault_mmu as mmu;

pub use audit::AuditError;
pub use config::{
    ALLOCATION_GRANULARITY, Held, PagingMode, Profile, UserSpace, VmmConfig, WorkingSetLimits,
};
pub use copy::CopyError;
pub use counters::{Commit, Counters};
pub use frames::FrameOwner;
pub use global::{GlobalError, GlobalFlags, Unlocked};
pub use handle::{Handle, HandleError, KernelObject, ProcessRights};
pub use heap::{HeapError, HeapHandle, Move, NewBytes};
pub use history::{History, Origin};
pub use ops::alloc::{AllocError, AllocRequest, AllocationType};
pub use ops::bad_ptr::Pointer;
pub use ops::free::{FreeError, FreeRequest, MEM_DECOMMIT, MEM_RELEASE};
pub use ops::lock::{LockError, UnlockError};
pub use ops::memory::{ReadMemoryError, WriteMemoryError};
pub use ops::peek::PeekError;
pub use ops::physical::{PhysicalError, Window};
pub use ops::protect::{ProtectError, ProtectRequest};
pub use ops::query::{
    Allocation, MEMORY_BASIC_INFORMATION_BYTES, MemoryInfo, MemoryState, QueryError,
};
pub use ops::sections::{CreateSectionError, SectionRequest};
pub use ops::views::{FlushError, MapError, MapRequest, UnmapError};
pub use ops::working_set::{WorkingSet, WorkingSetError};
pub use ops::write_watch::{ResetAfter, WriteWatchError};
pub use outcome::{
    AccessViolation, GuardPage, InPageCause, InPageError, Resolution, Resumed, Rule, StackOverflow,
};
pub use protection::{FetchRule, InvalidProtection, Modifier, Protection, Rights};
pub use range::PageRange;
pub use region::RegionType;
pub use replacement::PolicyKind;
pub use section::SectionId;
pub use snapshot::CopyManagerError;
pub use software::{Slot, SoftwarePte};
pub use space::ProcessId;
pub use status::{MapRun, MemoryStatus};
pub use store::{
    FileAccess, MemoryStore, PageBytes, PageStore, SectionFile, StoreError, StreamFile, StreamStore,
};
pub use vmm::{Caller, NoFrame, Vmm};
pub use win32::Win32Code;
