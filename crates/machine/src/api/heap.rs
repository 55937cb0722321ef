//! Heaps, and the blocks of `GlobalAlloc` and `LocalAlloc`, which are in the process's heap.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{GlobalError, HeapHandle, Move, NewBytes, Unlocked, Win32Code};

use crate::api::{Call, Stop, TRUE};
use crate::watch::Watch;

/// What `HeapSize` answers for what is no block.
const NO_SIZE: u32 = u32::MAX;
/// `HEAP_ZERO_MEMORY`
const ZERO_MEMORY: u32 = 0x08;
/// `HEAP_REALLOC_IN_PLACE_ONLY`
const IN_PLACE_ONLY: u32 = 0x10;

fn heap(handle: u32) -> HeapHandle {
    HeapHandle(LinearAddr::new(handle))
}

fn new_bytes(flags: u32) -> NewBytes {
    if flags & ZERO_MEMORY == 0 {
        NewBytes::Stale
    } else {
        NewBytes::Zeroed
    }
}

/// `GetProcessHeap`.
pub(super) fn get_process_heap<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let caller = call.caller();
    let machine = &mut *call.machine;
    Ok(match machine.vmm.process_heap(&mut machine.mmu, caller) {
        Ok(heap) => heap.0.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `HeapCreate`: a heap that grows, unless a maximum is given.
pub(super) fn heap_create<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_options, initial, maximum] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let created = machine
        .vmm
        .heap_create(&mut machine.mmu, caller, initial, maximum);
    Ok(match created {
        Ok(heap) => heap.0.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `HeapDestroy`.
pub(super) fn heap_destroy<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let destroyed = machine
        .vmm
        .heap_destroy(&mut machine.mmu, caller, heap(handle));
    Ok(call.truth(destroyed.map_err(pagefault_vmm::HeapError::win32_code)))
}

/// `HeapAlloc`.
pub(super) fn heap_alloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, flags, size_bytes] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let block = machine.vmm.heap_alloc(
        &mut machine.mmu,
        caller,
        heap(handle),
        size_bytes,
        new_bytes(flags),
    );
    Ok(match block {
        Ok(block) => block.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `HeapReAlloc`.
pub(super) fn heap_realloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, flags, block, size_bytes] = call.arguments();
    let caller = call.caller();
    let moving = if flags & IN_PLACE_ONLY == 0 {
        Move::Allowed
    } else {
        Move::Forbidden
    };
    let machine = &mut *call.machine;
    let block = machine.vmm.heap_realloc(
        &mut machine.mmu,
        caller,
        heap(handle),
        (LinearAddr::new(block), size_bytes),
        new_bytes(flags),
        moving,
    );
    Ok(match block {
        Ok(block) => block.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `HeapFree`: freeing NULL is no error.
pub(super) fn heap_free<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, _flags, block] = call.arguments();
    if block == 0 {
        return Ok(TRUE);
    }
    let caller = call.caller();
    let block = LinearAddr::new(block);
    let freed = call.machine.vmm.heap_free(caller, heap(handle), block);
    Ok(call.truth(freed.map_err(pagefault_vmm::HeapError::win32_code)))
}

/// `HeapSize`.
pub(super) fn heap_size<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, _flags, block] = call.arguments();
    let caller = call.caller();
    let block = LinearAddr::new(block);
    let size = call.machine.vmm.heap_size(caller, heap(handle), block);
    Ok(size.unwrap_or_else(|error| {
        call.fail(error.win32_code());
        NO_SIZE
    }))
}

/// `HeapValidate`: a heap is always in order, a block may not be one.
pub(super) fn heap_validate<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, _flags, block] = call.arguments();
    let caller = call.caller();
    if block == 0 {
        return Ok(TRUE);
    }
    let block = LinearAddr::new(block);
    let size = call.machine.vmm.heap_size(caller, heap(handle), block);
    Ok(u32::from(size.is_ok()))
}

/// `HeapLock` and `HeapUnlock`: one thread at a time uses a heap anyway.
pub(super) fn heap_lock<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(TRUE)
}

/// `GlobalAlloc` and `LocalAlloc`.
pub(super) fn global_alloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [flags, size_bytes] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let block = machine
        .vmm
        .global_alloc(&mut machine.mmu, caller, flags, size_bytes);
    Ok(match block {
        Ok(block) => block.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `GlobalReAlloc` and `LocalReAlloc`.
pub(super) fn global_realloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, size_bytes, flags] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let handle = LinearAddr::new(handle);
    let block = machine
        .vmm
        .global_realloc(&mut machine.mmu, caller, handle, size_bytes, flags);
    Ok(match block {
        Ok(block) => block.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `GlobalFree` and `LocalFree`: NULL is success, the handle is failure.
pub(super) fn global_free<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    if handle == 0 {
        return Ok(0);
    }
    let caller = call.caller();
    let freed = call
        .machine
        .vmm
        .global_free(caller, LinearAddr::new(handle));
    Ok(match freed {
        Ok(()) => 0,
        Err(error) => {
            call.fail(error.win32_code());
            handle
        }
    })
}

/// `GlobalLock` and `LocalLock`: the address of the block.
pub(super) fn global_lock<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let caller = call.caller();
    let block = call
        .machine
        .vmm
        .global_lock(caller, LinearAddr::new(handle));
    Ok(match block {
        Ok(block) => block.bits(),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `GlobalUnlock` and `LocalUnlock`: FALSE without an error if the block is not locked any more.
pub(super) fn global_unlock<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let caller = call.caller();
    let unlocked = call
        .machine
        .vmm
        .global_unlock(caller, LinearAddr::new(handle));
    Ok(match unlocked {
        Ok(Unlocked::StillLocked) => TRUE,
        Ok(Unlocked::Now) => call.fail(Win32Code::new(0)),
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `GlobalSize` and `LocalSize`.
pub(super) fn global_size<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let caller = call.caller();
    let size = call
        .machine
        .vmm
        .global_size(caller, LinearAddr::new(handle));
    Ok(size.unwrap_or_else(|error| call.fail(error.win32_code())))
}

/// `GlobalFlags` and `LocalFlags`.
pub(super) fn global_flags<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// `GMEM_INVALID_HANDLE`
    const INVALID_HANDLE: u32 = 0x8000;
    let [handle] = call.arguments();
    let caller = call.caller();
    let flags = call
        .machine
        .vmm
        .global_flags(caller, LinearAddr::new(handle));
    Ok(flags.unwrap_or_else(|error| {
        call.fail(error.win32_code());
        INVALID_HANDLE
    }))
}

/// `GlobalHandle` and `LocalHandle`: of a fixed block, the address itself.
pub(super) fn global_handle<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [block] = call.arguments();
    let caller = call.caller();
    let size = call.machine.vmm.global_size(caller, LinearAddr::new(block));
    Ok(match size {
        Ok(_) => block,
        Err(error) => call.fail(GlobalError::win32_code(error)),
    })
}

impl<W: Watch> Call<'_, W> {
    /// Returns TRUE, or FALSE with the last error.
    pub(super) fn truth(&mut self, result: Result<(), Win32Code>) -> u32 {
        match result {
            Ok(()) => TRUE,
            Err(code) => self.fail(code),
        }
    }

    /// Returns a new block of the process's heap for a function of the C library; 0 if there is
    /// no memory.
    pub(super) fn allocate(&mut self, size_bytes: u32, new_bytes: NewBytes) -> u32 {
        let caller = self.caller();
        let machine = &mut *self.machine;
        let heap = machine.vmm.process_heap(&mut machine.mmu, caller);
        let block = heap.and_then(|heap| {
            machine
                .vmm
                .heap_alloc(&mut machine.mmu, caller, heap, size_bytes, new_bytes)
        });
        block.map_or(0, LinearAddr::bits)
    }
}
