//! What the system says of itself.

use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{ALLOCATION_GRANULARITY, Win32Code};

use crate::api::text::Text;
use crate::api::threads::is_process;
use crate::api::{Call, Stop, TRUE};
use crate::watch::Watch;

/// `PROCESSOR_INTEL_PENTIUM`.
const PROCESSOR_TYPE: u32 = 586;
/// Processor level (family) 6 and revision (model and stepping) in one dword.
const PROCESSOR_LEVEL_AND_REVISION: u32 = 0x0101_0006;

/// `GetSystemInfo`: fills a `SYSTEM_INFO`.
pub(super) fn get_system_info<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [info] = call.arguments();
    let user = call.machine.vmm.config().user_space;
    let words = [
        0, // wProcessorArchitecture: Intel
        PAGE_SIZE,
        user.lowest().bits(),
        user.highest().bits(),
        1, // dwActiveProcessorMask
        1, // dwNumberOfProcessors
        PROCESSOR_TYPE,
        ALLOCATION_GRANULARITY,
        PROCESSOR_LEVEL_AND_REVISION,
    ];
    let mut at = LinearAddr::new(info);
    for word in words {
        call.machine.write_user(at, word)?;
        at = at.wrapping_add(4);
    }
    Ok(0)
}

/// `GetSystemDirectory`.
pub(super) fn get_system_directory<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, capacity] = call.arguments();
    call.store_text::<T>(buffer, capacity, "C:\\WINDOWS\\system32")
}

/// `GetWindowsDirectory`.
pub(super) fn get_windows_directory<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [buffer, capacity] = call.arguments();
    call.store_text::<T>(buffer, capacity, "C:\\WINDOWS")
}

/// `GetProcessWorkingSetSize`.
pub(super) fn get_process_working_set_size<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, minimum, maximum] = call.arguments();
    if !is_process(call, process) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    let limits = call.machine.vmm.working_set(call.machine.process).limits;
    call.put_u32(minimum, limits.minimum_bytes())?;
    call.put_u32(maximum, limits.maximum_bytes())?;
    Ok(TRUE)
}

/// `SetProcessWorkingSetSize`.
pub(super) fn set_process_working_set_size<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, minimum, maximum] = call.arguments();
    if !is_process(call, process) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    let machine = &mut *call.machine;
    let set = machine
        .vmm
        .set_working_set(&mut machine.mmu, machine.process, minimum, maximum);
    Ok(match set {
        Ok(()) => TRUE,
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `GlobalMemoryStatus`: fills a `MEMORYSTATUS`.
pub(super) fn global_memory_status<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const MEMORYSTATUS_BYTES: u32 = 32;
    let [place] = call.arguments();
    let status = call.machine.vmm.memory_status(call.machine.process);
    let cut = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let words = [
        MEMORYSTATUS_BYTES,
        status.load_percent,
        cut(status.total_physical_bytes),
        cut(status.available_physical_bytes),
        cut(status.total_page_file_bytes),
        cut(status.available_page_file_bytes),
        cut(status.total_virtual_bytes),
        cut(status.available_virtual_bytes),
    ];
    for (index, word) in (0..).zip(words) {
        call.put_u32(place.wrapping_add(index * 4), word)?;
    }
    Ok(0)
}

/// `GlobalMemoryStatusEx`: fills a `MEMORYSTATUSEX`, which must say its size.
pub(super) fn global_memory_status_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const MEMORYSTATUSEX_BYTES: u32 = 64;
    let [place] = call.arguments();
    if call.get_u32(place)? != MEMORYSTATUSEX_BYTES {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let status = call.machine.vmm.memory_status(call.machine.process);
    call.put_u32(place.wrapping_add(4), status.load_percent)?;
    let amounts = [
        status.total_physical_bytes,
        status.available_physical_bytes,
        status.total_page_file_bytes,
        status.available_page_file_bytes,
        status.total_virtual_bytes,
        status.available_virtual_bytes,
        0, // ullAvailExtendedVirtual
    ];
    for (index, amount) in (0..).zip(amounts) {
        call.put_bytes(place.wrapping_add(8 + index * 8), &amount.to_le_bytes())?;
    }
    Ok(TRUE)
}
