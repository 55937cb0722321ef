//! Virtual memory: the calls that edit page tables.

use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    AllocRequest, CopyError, FreeError, FreeRequest, LockError, MEM_RELEASE, Pointer, ProtectError,
    ProtectRequest, ReadMemoryError, ResetAfter, UnlockError, Win32Code, WriteMemoryError,
    WriteWatchError,
};

use crate::api::threads::is_process;
use crate::api::{Call, Stop};
use crate::watch::Watch;

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
    Ok(call.truth(locked.map_err(LockError::win32_code)))
}

/// `VirtualUnlock`: lets them go again.
pub(super) fn virtual_unlock<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, size] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let unlocked = machine
        .vmm
        .unlock(&machine.mmu, caller, LinearAddr::new(address), size);
    Ok(call.truth(unlocked.map_err(UnlockError::win32_code)))
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
    call.truth(freed.map_err(FreeError::win32_code))
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
    call.truth(protected.map(|_| ()).map_err(ProtectError::win32_code))
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
    if is_process(call, process) {
        Ok(())
    } else {
        Err(Win32Code::INVALID_HANDLE)
    }
}

/// `GetWriteWatch`: stores the addresses of pages that were written to; 0 is success.
///
/// The pointers are the kernel's to check, before any mark is taken away.
pub(super) fn get_write_watch<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let arguments = call.arguments();
    Ok(match written_pages(call, arguments) {
        Ok(()) => 0,
        Err(code) => watch_failed(call, code),
    })
}

fn written_pages<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 6]) -> Result<(), Win32Code> {
    let [flags, base, size_bytes, addresses, count, granularity] = arguments;
    let machine = &mut *call.machine;
    let (vmm, mmu, process) = (&mut machine.vmm, &mut machine.mmu, machine.process);
    let no_access = |_: CopyError| Win32Code::NOACCESS;
    let [base, addresses, count, granularity] =
        [base, addresses, count, granularity].map(LinearAddr::new);
    let reset = ResetAfter::from_bits(flags).map_err(WriteWatchError::win32_code)?;
    let room = vmm.read_u32(mmu, count).map_err(no_access)?;
    let room_bytes = room.checked_mul(WORD_BYTES);
    let room_bytes = room_bytes.ok_or(Win32Code::INVALID_PARAMETER)?;
    for (place, size_bytes) in [
        (count, WORD_BYTES),
        (granularity, WORD_BYTES),
        (addresses, room_bytes),
    ] {
        let probed = vmm.probe_write(mmu, place, size_bytes);
        probed.map_err(no_access)?;
    }
    let written = vmm
        .write_watch(mmu, process, base, size_bytes, reset, room)
        .map_err(WriteWatchError::win32_code)?;
    let pages: Vec<u8> = written
        .iter()
        .flat_map(|page| page.start().bits().to_le_bytes())
        .collect();
    let written = u32::try_from(written.len()).unwrap_or(u32::MAX);
    for (place, bytes) in [
        (addresses, pages.as_slice()),
        (count, &written.to_le_bytes()),
        (granularity, &PAGE_SIZE.to_le_bytes()),
    ] {
        vmm.copy_out(mmu, place, bytes).map_err(no_access)?;
    }
    Ok(())
}

/// The size of a word in bytes.
const WORD_BYTES: u32 = 4;

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
    Ok(copied(call, process, done, len_bytes, |call| {
        read_process(call, from, to, len_bytes)
    }))
}

/// `WriteProcessMemory`, of the program itself.
pub(super) fn write_process_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, to, from, len_bytes, done] = call.arguments();
    Ok(copied(call, process, done, len_bytes, |call| {
        write_process(call, to, from, len_bytes)
    }))
}

/// Copies memory, and stores how much of it was copied if the program wants to know: all or nothing.
fn copied<W: Watch>(
    call: &mut Call<'_, W>,
    process: u32,
    done: u32,
    len_bytes: u32,
    copy: impl FnOnce(&mut Call<'_, W>) -> Result<(), Win32Code>,
) -> u32 {
    if done != 0
        && let Err(code) = call.probe_out(done, WORD_BYTES)
    {
        return call.fail(code);
    }
    let result = if is_process(call, process) {
        copy(call)
    } else {
        Err(Win32Code::INVALID_HANDLE)
    };
    if done != 0 {
        let count = if result.is_ok() { len_bytes } else { 0 };
        // It was there just now; if its page cannot be had any more nobody is told, as on Windows.
        _ = call.copy_out(done, &count.to_le_bytes());
    }
    call.truth(result)
}

/// How much is copied at a time, in bytes.
const CHUNK_BYTES: u32 = 1 << 16;

/// Returns the pieces of a range: where each begins, from the start of the range, and its length.
fn pieces(len_bytes: u32) -> impl Iterator<Item = (u32, u32)> {
    let starts = (0..len_bytes).step_by(CHUNK_BYTES as usize);
    starts.map(move |start| (start, CHUNK_BYTES.min(len_bytes - start)))
}

fn read_process<W: Watch>(
    call: &mut Call<'_, W>,
    from: u32,
    to: u32,
    len_bytes: u32,
) -> Result<(), Win32Code> {
    let machine = &mut *call.machine;
    let (vmm, mmu, process) = (&mut machine.vmm, &mut machine.mmu, machine.process);
    let (source, target) = (LinearAddr::new(from), LinearAddr::new(to));
    let writable = vmm.probe_write(mmu, target, len_bytes);
    writable.map_err(|_| Win32Code::NOACCESS)?;
    let readable = vmm.probe_read(mmu, source, len_bytes);
    readable.map_err(|_| Win32Code::PARTIAL_COPY)?;
    for (start, len) in pieces(len_bytes) {
        let mut piece = vec![0; len as usize];
        vmm.read_process_memory(mmu, process, source.wrapping_add(start), &mut piece)
            .map_err(ReadMemoryError::win32_code)?;
        let put = vmm.copy_out(mmu, target.wrapping_add(start), &piece);
        put.map_err(|_| Win32Code::NOACCESS)?;
    }
    Ok(())
}

fn write_process<W: Watch>(
    call: &mut Call<'_, W>,
    to: u32,
    from: u32,
    len_bytes: u32,
) -> Result<(), Win32Code> {
    let machine = &mut *call.machine;
    let (vmm, mmu, process) = (&mut machine.vmm, &mut machine.mmu, machine.process);
    let (source, target) = (LinearAddr::new(from), LinearAddr::new(to));
    vmm.check_process_write(mmu, process, target, len_bytes)
        .map_err(WriteMemoryError::win32_code)?;
    let readable = vmm.probe_read(mmu, source, len_bytes);
    readable.map_err(|_| Win32Code::PARTIAL_COPY)?;
    for (start, len) in pieces(len_bytes) {
        let mut piece = vec![0; len as usize];
        let got = vmm.copy_in(mmu, source.wrapping_add(start), &mut piece);
        got.map_err(|_| Win32Code::PARTIAL_COPY)?;
        vmm.write_process_memory(mmu, process, target.wrapping_add(start), &piece)
            .map_err(WriteMemoryError::win32_code)?;
    }
    Ok(())
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
