//! Critical sections: a structure in the program's memory, and threads that wait for it.

use pagefault_vmm::mmu::LinearAddr;

use crate::api::{Call, Stop, TRUE};
use crate::locks::Lock;
use crate::locks::section::{FREE, LOCK_COUNT, OWNING_THREAD, RECURSION_COUNT};
use crate::thread::{Awaited, Wait};
use crate::watch::Watch;

/// Fields of `RTL_CRITICAL_SECTION` that only its making touches, as offsets.
const DEBUG_INFO: u32 = 0;
const LOCK_SEMAPHORE: u32 = 16;
const SPIN_COUNT: u32 = 20;
/// `DebugInfo` of one without it.
const NO_DEBUG_INFO: u32 = u32::MAX;

/// `InitializeCriticalSection`
pub(super) fn initialize<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section] = call.arguments();
    set_up(call, section, 0)?;
    Ok(0)
}

/// `InitializeCriticalSectionAndSpinCount`
pub(super) fn initialize_with_spin<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section, spins] = call.arguments();
    set_up(call, section, spins)?;
    Ok(TRUE)
}

/// `InitializeCriticalSectionEx`
pub(super) fn initialize_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section, spins, _flags] = call.arguments();
    set_up(call, section, spins)?;
    Ok(TRUE)
}

/// `SetCriticalSectionSpinCount`: returns the count before.
pub(super) fn set_spin_count<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section, spins] = call.arguments();
    let before = read(call, section, SPIN_COUNT)?;
    write(call, section, SPIN_COUNT, spins)?;
    Ok(before)
}

/// `DeleteCriticalSection`
pub(super) fn delete<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section] = call.arguments();
    for offset in [
        DEBUG_INFO,
        LOCK_COUNT,
        RECURSION_COUNT,
        OWNING_THREAD,
        LOCK_SEMAPHORE,
        SPIN_COUNT,
    ] {
        write(call, section, offset, 0)?;
    }
    Ok(0)
}

/// `EnterCriticalSection`
pub(super) fn enter<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section] = call.arguments();
    if try_enter_section(call, section)? {
        return Ok(0);
    }
    let count = read(call, section, LOCK_COUNT)?;
    write(call, section, LOCK_COUNT, count.wrapping_add(1))?;
    let lock = Lock::Section(section);
    Err(Stop::Wait(Wait::new(Awaited::Lock(lock), None)))
}

/// `TryEnterCriticalSection`
pub(super) fn try_enter<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section] = call.arguments();
    Ok(u32::from(try_enter_section(call, section)?))
}

/// `LeaveCriticalSection`: the thread that has waited longest gets it.
pub(super) fn leave<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [section] = call.arguments();
    touch(call, section)?;
    call.machine.unlock(Lock::Section(section));
    Ok(0)
}

/// Enters a section that is free or the thread's own.
fn try_enter_section<W: Watch>(call: &mut Call<'_, W>, section: u32) -> Result<bool, Stop> {
    touch(call, section)?;
    let current = call.machine.threads.current_id();
    Ok(call.machine.try_lock(Lock::Section(section), current))
}

/// Makes the accesses of the function itself: one that is refused is the program's exception.
fn touch<W: Watch>(call: &mut Call<'_, W>, section: u32) -> Result<(), Stop> {
    for offset in [LOCK_COUNT, RECURSION_COUNT, OWNING_THREAD] {
        let word = read(call, section, offset)?;
        write(call, section, offset, word)?;
    }
    Ok(())
}

fn set_up<W: Watch>(call: &mut Call<'_, W>, section: u32, spins: u32) -> Result<(), Stop> {
    for (offset, value) in [
        (DEBUG_INFO, NO_DEBUG_INFO),
        (LOCK_COUNT, FREE),
        (RECURSION_COUNT, 0),
        (OWNING_THREAD, 0),
        (LOCK_SEMAPHORE, 0),
        (SPIN_COUNT, spins & 0x00FF_FFFF),
    ] {
        write(call, section, offset, value)?;
    }
    Ok(())
}

fn read<W: Watch>(call: &mut Call<'_, W>, section: u32, offset: u32) -> Result<u32, Stop> {
    call.machine
        .read_user(LinearAddr::new(section).wrapping_add(offset))
}

fn write<W: Watch>(
    call: &mut Call<'_, W>,
    section: u32,
    offset: u32,
    value: u32,
) -> Result<(), Stop> {
    call.machine
        .write_user(LinearAddr::new(section).wrapping_add(offset), value)
}
