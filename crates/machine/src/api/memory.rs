//! Virtual memory: the calls that edit page tables.

use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    AllocRequest, FreeError, FreeRequest, LockError, MEM_RELEASE, Pointer, ProtectError,
    ProtectRequest, ResetAfter, UnlockError, Win32Code,
};

use crate::api::process::CURRENT_PROCESS;
use crate::api::{Call, Stop};
use crate::watch::Watch;

/// `TRUE`.
const TRUE: u32 = 1;

/// `VirtualAlloc`: reserves, commits or resets pages and returns the address of the first.
pub(super) fn virtual_alloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let arguments = call.arguments();
    Ok(alloc(call, arguments))
}

/// `VirtualAllocEx`: the same in the process of a handle.
pub(super) fn virtual_alloc_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, address, size, kind, protect] = call.arguments();
    Ok(match check_process(call, process) {
        Ok(()) => alloc(call, [address, size, kind, protect]),
        Err(code) => call.fail(code),
    })
}

/// `VirtualFree`: decommits pages, or releases a whole region.
pub(super) fn virtual_free<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let arguments = call.arguments();
    Ok(free(call, arguments))
}

/// `VirtualFreeEx`: the same in the process of a handle.
pub(super) fn virtual_free_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, address, size, kind] = call.arguments();
    Ok(match check_process(call, process) {
        Ok(()) => free(call, [address, size, kind]),
        Err(code) => call.fail(code),
    })
}

/// `VirtualProtect`: changes the protection of whole pages and stores that of the first.
pub(super) fn virtual_protect<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let arguments = call.arguments();
    Ok(protect(call, arguments))
}

/// `VirtualProtectEx`: the same in the process of a handle.
pub(super) fn virtual_protect_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, address, size, protection, old] = call.arguments();
    Ok(match check_process(call, process) {
        Ok(()) => protect(call, [address, size, protection, old]),
        Err(code) => call.fail(code),
    })
}

/// `VirtualQuery`: fills a `MEMORY_BASIC_INFORMATION` and returns its size.
pub(super) fn virtual_query<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let arguments = call.arguments();
    Ok(query(call, arguments))
}

/// `VirtualQueryEx`: the same in the process of a handle.
pub(super) fn virtual_query_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, address, buffer, len] = call.arguments();
    Ok(match check_process(call, process) {
        Ok(()) => query(call, [address, buffer, len]),
        Err(code) => call.fail(code),
    })
}

/// `VirtualLock`: keeps pages in physical memory.
pub(super) fn virtual_lock<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, size] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let locked = machine
        .vmm
        .lock(&mut machine.mmu, caller, LinearAddr::new(address), size);
    Ok(truth(call, locked.map_err(LockError::win32_code)))
}

/// `VirtualUnlock`: lets them go again.
pub(super) fn virtual_unlock<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, size] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let unlocked = machine
        .vmm
        .unlock(&machine.mmu, caller, LinearAddr::new(address), size);
    Ok(truth(call, unlocked.map_err(UnlockError::win32_code)))
}

fn alloc<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 4]) -> u32 {
    let [address, size_bytes, allocation_type, protect] = arguments;
    let address = LinearAddr::new(address);
    let request = AllocRequest {
        address,
        size_bytes,
        allocation_type,
        protect,
    };
    let caller = call.caller();
    let machine = &mut *call.machine;
    match machine.vmm.alloc(&mut machine.mmu, caller, &request) {
        Ok(base) => base.bits(),
        Err(error) => call.fail(error.win32_code()),
    }
}

fn free<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 3]) -> u32 {
    let [address, size_bytes, free_type] = arguments;
    let address = LinearAddr::new(address);
    let request = FreeRequest {
        address,
        size_bytes,
        free_type,
    };
    let caller = call.caller();
    let machine = &mut *call.machine;
    let extent = (free_type == MEM_RELEASE)
        .then(|| machine.allocation_around(address))
        .flatten();
    let freed = machine.vmm.free(&mut machine.mmu, caller, &request);
    if let (Ok(()), Some(extent)) = (&freed, extent) {
        machine.note_release(extent, caller.origin);
    }
    truth(call, freed.map_err(FreeError::win32_code))
}

fn protect<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 4]) -> u32 {
    let [address, size_bytes, protect, old] = arguments;
    let address = LinearAddr::new(address);
    let request = ProtectRequest {
        address,
        size_bytes,
        protect,
    };
    let caller = call.caller();
    let machine = &mut *call.machine;
    let old = LinearAddr::new(old);
    let protected = machine
        .vmm
        .protect_and_store(&mut machine.mmu, caller, &request, old);
    truth(
        call,
        protected.map(|_| ()).map_err(ProtectError::win32_code),
    )
}

fn query<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 3]) -> u32 {
    let [address, buffer, len_bytes] = arguments;
    let machine = &mut *call.machine;
    let (address, buffer) = (LinearAddr::new(address), LinearAddr::new(buffer));
    let process = machine.process;
    match machine
        .vmm
        .query_and_store(&mut machine.mmu, process, address, buffer, len_bytes)
    {
        Ok(stored) => stored,
        Err(error) => call.fail(error.win32_code()),
    }
}

/// Returns whether the handle is one by which memory can be changed.
fn check_process<W: Watch>(call: &Call<'_, W>, process: u32) -> Result<(), Win32Code> {
    if !call.machine.vmm.config().profile.has_ex_calls() {
        return Err(Win32Code::CALL_NOT_IMPLEMENTED); // Quirk: win9x-ex-calls.
    }
    if process == CURRENT_PROCESS {
        Ok(())
    } else {
        Err(Win32Code::INVALID_HANDLE)
    }
}

fn truth<W: Watch>(call: &mut Call<'_, W>, result: Result<(), Win32Code>) -> u32 {
    match result {
        Ok(()) => TRUE,
        Err(code) => call.fail(code),
    }
}

/// `GetWriteWatch`: stores the addresses of pages that were written to; 0 is success.
pub(super) fn get_write_watch<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [flags, base, size_bytes, addresses, count, granularity] = call.arguments();
    if count == 0 || granularity == 0 || addresses == 0 {
        return Ok(watch_failed(call, Win32Code::NOACCESS));
    }
    let room = call.get_u32(count)?;
    let reset = match ResetAfter::from_bits(flags) {
        Ok(reset) => reset,
        Err(error) => return Ok(watch_failed(call, error.win32_code())),
    };
    let machine = &mut *call.machine;
    let process = machine.process;
    let written = machine.vmm.write_watch(
        &mut machine.mmu,
        process,
        LinearAddr::new(base),
        size_bytes,
        reset,
        room,
    );
    let written = match written {
        Ok(written) => written,
        Err(error) => return Ok(watch_failed(call, error.win32_code())),
    };
    for (page, index) in written.iter().zip(0..) {
        let at = addresses.wrapping_add(index * 4);
        call.put_u32(at, page.start().bits())?;
    }
    call.put_u32(count, u32::try_from(written.len()).unwrap_or(u32::MAX))?;
    call.put_u32(granularity, PAGE_SIZE)?;
    Ok(0)
}

/// `ResetWriteWatch`: 0 is success.
pub(super) fn reset_write_watch<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [base, size_bytes] = call.arguments();
    let machine = &mut *call.machine;
    let process = machine.process;
    let reset =
        machine
            .vmm
            .reset_write_watch(&mut machine.mmu, process, LinearAddr::new(base), size_bytes);
    Ok(match reset {
        Ok(()) => 0,
        Err(error) => watch_failed(call, error.win32_code()),
    })
}

/// What the functions for write watches answer on failure.
const WATCH_FAILED: u32 = u32::MAX;

fn watch_failed<W: Watch>(call: &mut Call<'_, W>, code: Win32Code) -> u32 {
    call.fail(code);
    WATCH_FAILED
}

/// `ReadProcessMemory`, of the program itself.
pub(super) fn read_process_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, from, to, len_bytes, done] = call.arguments();
    copy(call, process, [from, to, len_bytes, done])
}

/// `WriteProcessMemory`, of the program itself.
pub(super) fn write_process_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, to, from, len_bytes, done] = call.arguments();
    copy(call, process, [from, to, len_bytes, done])
}

fn copy<W: Watch>(call: &mut Call<'_, W>, process: u32, place: [u32; 4]) -> Result<u32, Stop> {
    let [from, to, len_bytes, done] = place;
    if process != CURRENT_PROCESS {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    let machine = &mut *call.machine;
    let (source, target) = (LinearAddr::new(from), LinearAddr::new(to));
    let readable = machine.vmm.probe_read(&mut machine.mmu, source, len_bytes);
    let writable = machine.vmm.probe_write(&mut machine.mmu, target, len_bytes);
    if readable.is_err() || writable.is_err() {
        return Ok(call.fail(if writable.is_err() {
            Win32Code::NOACCESS
        } else {
            Win32Code::PARTIAL_COPY
        }));
    }
    call.move_bytes(to, from, len_bytes)?;
    if done != 0 {
        call.put_u32(done, len_bytes)?;
    }
    Ok(TRUE)
}

/// `IsBadReadPtr`: returns whether memory cannot be read.
pub(super) fn is_bad_read_ptr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, size_bytes] = call.arguments();
    let machine = &mut *call.machine;
    let address = LinearAddr::new(address);
    let pointer = machine
        .vmm
        .is_bad_read_ptr(&mut machine.mmu, address, size_bytes);
    Ok((pointer == Pointer::Bad).into())
}

/// `IsBadWritePtr`: returns whether memory cannot be written.
pub(super) fn is_bad_write_ptr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, size_bytes] = call.arguments();
    let machine = &mut *call.machine;
    let address = LinearAddr::new(address);
    let pointer = machine
        .vmm
        .is_bad_write_ptr(&mut machine.mmu, address, size_bytes);
    Ok((pointer == Pointer::Bad).into())
}

/// `IsBadCodePtr`: returns whether code cannot be there.
pub(super) fn is_bad_code_ptr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address] = call.arguments();
    let machine = &mut *call.machine;
    let address = LinearAddr::new(address);
    let pointer = machine.vmm.is_bad_code_ptr(&mut machine.mmu, address);
    Ok((pointer == Pointer::Bad).into())
}

/// `IsBadStringPtr`: returns whether a string cannot be read.
pub(super) fn is_bad_string_ptr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, limit] = call.arguments();
    let machine = &mut *call.machine;
    let address = LinearAddr::new(address);
    let pointer = machine
        .vmm
        .is_bad_string_ptr(&mut machine.mmu, address, limit);
    Ok((pointer == Pointer::Bad).into())
}
