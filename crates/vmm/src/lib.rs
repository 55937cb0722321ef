//! Windows' virtual memory calls as edits of x86 page-table entries.

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
mod software;
mod space;
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
pub use ops::protect::{ProtectError, ProtectRequest};
pub use ops::query::{
    Allocation, MEMORY_BASIC_INFORMATION_BYTES, MemoryInfo, MemoryState, QueryError,
};
pub use ops::sections::{
    CreateSectionError, FlushError, MapError, MapRequest, SectionRequest, UnmapError,
};
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
pub use software::{Slot, SoftwarePte};
pub use space::ProcessId;
pub use store::{MemoryStore, PageBytes, PageStore, SectionFile, StoreError, StreamStore};
pub use vmm::{Caller, NoFrame, Vmm};
pub use win32::Win32Code;
