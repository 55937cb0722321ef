//! The code of every error, as the documents and the NTSTATUS table give it.

use pagefault_vmm::mmu::{FrameNumber, LinearAddr, PageNumber};
use pagefault_vmm::{
    AllocError as E, CreateSectionError, FlushError, FreeError as F, GlobalError, Handle,
    HandleError, HeapError, HeapHandle, InvalidProtection, LockError, MapError, NoFrame, PageRange,
    PhysicalError, ProcessRights, ProtectError as P, Protection, QueryError, StoreError,
    UnlockError, UnmapError, Win32Code, WorkingSetError, WriteMemoryError, WriteWatchError,
};

const ADDRESS: LinearAddr = LinearAddr::new(0x1_0000);
const INVALID_PROTECTION: InvalidProtection = InvalidProtection { bits: 0 };
const STORE: StoreError = StoreError::Write { index: 0 };

fn page() -> PageNumber {
    ADDRESS.page()
}

fn pages() -> PageRange {
    PageRange::touched(ADDRESS, 1).unwrap()
}

fn check(codes: &[(Win32Code, u32)]) {
    for (place, (code, expected)) in codes.iter().enumerate() {
        assert_eq!(code.get(), *expected, "entry {place}");
    }
}

#[test]
fn alloc_errors_have_their_documented_codes() {
    let (address, size_bytes, protection) = (ADDRESS, 1, Protection::READ_WRITE);
    check(&[
        (E::NullArea { address }.win32_code(), 87),
        (E::Type { bits: 0 }.win32_code(), 87),
        (E::Protection(INVALID_PROTECTION).win32_code(), 87),
        (E::WriteCopy { protection }.win32_code(), 87),
        (E::ZeroSize.win32_code(), 87),
        (
            E::OutsideUserSpace {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
        (
            E::LargePageAlignment {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
        (E::ViewProtection { protection }.win32_code(), 87),
        (E::Privilege.win32_code(), 1314),
        (E::Taken { taken: address }.win32_code(), 487),
        (E::NotReserved { pages: pages() }.win32_code(), 487),
        (E::NotCommittable { pages: pages() }.win32_code(), 487),
        (E::NoRoom { size_bytes }.win32_code(), 8),
        (E::ContentsLost { page: page() }.win32_code(), 8),
        (
            E::CommitLimit {
                wanted_pages: 2,
                available_pages: 1,
            }
            .win32_code(),
            1455,
        ),
        (E::NoFrame(NoFrame).win32_code(), 1450),
    ]);
}

#[test]
fn free_and_protect_errors_have_their_documented_codes() {
    let (address, size_bytes, protection) = (ADDRESS, 1, Protection::READ_WRITE);
    check(&[
        (F::Type { bits: 0 }.win32_code(), 87),
        (F::SizeOnRelease { size_bytes }.win32_code(), 87),
        (
            F::OutsideUserSpace {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
        (
            F::PastEnd {
                pages: pages(),
                allocation: pages(),
            }
            .win32_code(),
            87,
        ),
        (F::View { address }.win32_code(), 87),
        (F::NotDecommittable { pages: pages() }.win32_code(), 87),
        (
            F::MixedStates {
                allocation: pages(),
            }
            .win32_code(),
            87,
        ),
        (F::NotAllocated { address }.win32_code(), 487),
        (
            F::NotAtBase {
                address,
                base: address,
            }
            .win32_code(),
            487,
        ),
        (F::NoFrame(NoFrame).win32_code(), 1450),
    ]);
    check(&[
        (P::Protection(INVALID_PROTECTION).win32_code(), 87),
        (P::WriteCopy { protection }.win32_code(), 87),
        (P::ZeroSize.win32_code(), 87),
        (
            P::OutsideUserSpace {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
        (P::ViewProtection { protection }.win32_code(), 87),
        (P::Fixed { pages: pages() }.win32_code(), 87),
        (P::NotAllocated { pages: pages() }.win32_code(), 487),
        (P::NotCommitted { page: page() }.win32_code(), 487),
        (P::NoFrame(NoFrame).win32_code(), 1450),
    ]);
}

#[test]
fn query_lock_and_watch_errors_have_their_documented_codes() {
    let (address, size_bytes) = (ADDRESS, 1);
    check(&[
        (QueryError::Length { len_bytes: 27 }.win32_code(), 24),
        (QueryError::OutsideUserSpace { address }.win32_code(), 87),
        (LockError::ZeroSize.win32_code(), 87),
        (
            LockError::OutsideUserSpace {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
        (
            LockError::Quota {
                wanted_pages: 31,
                limit_pages: 30,
            }
            .win32_code(),
            1453,
        ),
        (UnlockError::ZeroSize.win32_code(), 87),
        (
            UnlockError::OutsideUserSpace {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
        (UnlockError::NotLocked { page: page() }.win32_code(), 158),
        (WorkingSetError::ZeroMinimum.win32_code(), 87),
        (WorkingSetError::MinimumAboveMaximum.win32_code(), 87),
        (WorkingSetError::MaximumTooSmall.win32_code(), 87),
        (WriteWatchError::Flags { bits: 2 }.win32_code(), 87),
        (WriteWatchError::Empty.win32_code(), 87),
        (
            WriteWatchError::NotWatched {
                address,
                size_bytes,
            }
            .win32_code(),
            87,
        ),
    ]);
}

#[test]
fn section_and_memory_errors_have_their_documented_codes() {
    let (address, size_bytes) = (ADDRESS, 1);
    check(&[
        (CreateSectionError::ZeroSize.win32_code(), 87),
        (CreateSectionError::Protection { bits: 0 }.win32_code(), 87),
        (CreateSectionError::Flags { bits: 0 }.win32_code(), 87),
        (CreateSectionError::Privilege.win32_code(), 1314),
        (
            CreateSectionError::TooLarge {
                size_bytes: u64::MAX,
            }
            .win32_code(),
            8,
        ),
        (MapError::NoSection.win32_code(), 6),
        (MapError::Alignment.win32_code(), 1132),
        (MapError::OutsideUserSpace { address }.win32_code(), 87),
        (MapError::PastEnd.win32_code(), 5),
        (MapError::Access { access: 2 }.win32_code(), 5),
        (MapError::Taken { taken: address }.win32_code(), 487),
        (MapError::NoRoom { size_bytes }.win32_code(), 8),
        (UnmapError::NotMapped { address }.win32_code(), 487),
        (FlushError::NotMapped { address }.win32_code(), 487),
        (FlushError::Store(STORE).win32_code(), 999),
        (
            WriteMemoryError::NotWritable { page: page() }.win32_code(),
            998,
        ),
        (
            WriteMemoryError::Wraps {
                address,
                size_bytes,
            }
            .win32_code(),
            998,
        ),
    ]);
    let limit = CreateSectionError::CommitLimit {
        wanted_pages: 2,
        available_pages: 1,
    };
    check(&[(limit.win32_code(), 1455)]);
}

#[test]
fn handle_and_heap_errors_have_their_documented_codes() {
    let (address, size_bytes, handle) = (ADDRESS, 1, Handle(0));
    let missing = ProcessRights::VM_OPERATION;
    let frame = FrameNumber::new(0).unwrap();
    check(&[
        (HandleError::Invalid(handle).win32_code(), 6),
        (
            HandleError::AccessDenied { handle, missing }.win32_code(),
            5,
        ),
        (HeapError::NoHeap(HeapHandle(address)).win32_code(), 6),
        (HeapError::NoBlock { address }.win32_code(), 87),
        (HeapError::NoRoom { size_bytes }.win32_code(), 8),
        (HeapError::Alloc(E::ZeroSize).win32_code(), 8),
        (GlobalError::NoHandle(address).win32_code(), 6),
        (GlobalError::NotLocked(address).win32_code(), 158),
        (GlobalError::Discarded(address).win32_code(), 157),
        (GlobalError::CannotMove(address).win32_code(), 8),
        (PhysicalError::Privilege.win32_code(), 1314),
        (PhysicalError::NotPhysical { address }.win32_code(), 87),
        (PhysicalError::NotOwned { frame }.win32_code(), 87),
        (PhysicalError::Mapped { frame, at: page() }.win32_code(), 87),
        (PhysicalError::NoFrame(NoFrame).win32_code(), 1450),
    ]);
}
