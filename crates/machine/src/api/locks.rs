//! Slim locks, condition variables and one-time initialisation: words in the program's memory, and
//! threads that wait for them.

use pagefault_vmm::Win32Code;
use pagefault_vmm::mmu::LinearAddr;

use crate::api::threads::deadline;
use crate::api::{Call, Stop, TRUE};
use crate::error::TIMEOUT;
use crate::locks::{Lock, Mode, ONCE_DONE, ONCE_FREE, ONCE_RUNS, ONCE_STATE};
use crate::thread::{Awaited, Wait};
use crate::watch::Watch;

/// `CONDITION_VARIABLE_LOCKMODE_SHARED`
const LOCKMODE_SHARED: u32 = 1;
/// `INIT_ONCE_CHECK_ONLY`
const CHECK_ONLY: u32 = 1;
/// `INIT_ONCE_ASYNC`
const ASYNC: u32 = 2;
/// `INIT_ONCE_INIT_FAILED`
const INIT_FAILED: u32 = 4;

/// `InitializeSRWLock`, `InitializeConditionVariable`, `InitOnceInitialize`: a word of zeros.
pub(super) fn initialize<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    call.put_u32(place, 0)?;
    Ok(0)
}

/// `AcquireSRWLockExclusive`
pub(super) fn acquire_exclusive<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    acquire(call, Mode::Exclusive)
}

/// `AcquireSRWLockShared`
pub(super) fn acquire_shared<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    acquire(call, Mode::Shared)
}

/// `TryAcquireSRWLockExclusive`
pub(super) fn try_acquire_exclusive<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(u32::from(try_acquire(call, Mode::Exclusive)?))
}

/// `TryAcquireSRWLockShared`
pub(super) fn try_acquire_shared<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(u32::from(try_acquire(call, Mode::Shared)?))
}

/// `ReleaseSRWLockExclusive`
pub(super) fn release_exclusive<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    release(call, Mode::Exclusive)
}

/// `ReleaseSRWLockShared`
pub(super) fn release_shared<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    release(call, Mode::Shared)
}

fn try_acquire<W: Watch>(call: &mut Call<'_, W>, mode: Mode) -> Result<bool, Stop> {
    let [addr] = call.arguments();
    touch(call, addr)?;
    let current = call.machine.threads.current_id();
    // Those that wait already come first.
    let is_wanted = call.machine.is_awaited(addr);
    Ok(!is_wanted && call.machine.try_lock(Lock::Slim { addr, mode }, current))
}

fn acquire<W: Watch>(call: &mut Call<'_, W>, mode: Mode) -> Result<u32, Stop> {
    let [addr] = call.arguments();
    if try_acquire(call, mode)? {
        return Ok(0);
    }
    Err(Stop::Wait(Wait {
        granted: 0,
        ..Wait::new(Awaited::Lock(Lock::Slim { addr, mode }), None)
    }))
}

fn release<W: Watch>(call: &mut Call<'_, W>, mode: Mode) -> Result<u32, Stop> {
    let [addr] = call.arguments();
    touch(call, addr)?;
    call.machine.unlock(Lock::Slim { addr, mode });
    Ok(0)
}

/// `SleepConditionVariableCS`
pub(super) fn sleep_with_section<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [variable, section, milliseconds] = call.arguments();
    sleep(call, variable, Lock::Section(section), milliseconds)
}

/// `SleepConditionVariableSRW`
pub(super) fn sleep_with_slim<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [variable, addr, milliseconds, flags] = call.arguments();
    let mode = if flags & LOCKMODE_SHARED == 0 {
        Mode::Exclusive
    } else {
        Mode::Shared
    };
    sleep(call, variable, Lock::Slim { addr, mode }, milliseconds)
}

fn sleep<W: Watch>(
    call: &mut Call<'_, W>,
    variable: u32,
    lock: Lock,
    milliseconds: u32,
) -> Result<u32, Stop> {
    touch(call, variable)?;
    touch(call, lock.addr())?;
    if milliseconds == 0 {
        return Ok(call.fail(TIMEOUT));
    }
    call.machine.unlock(lock);
    let awaited = Awaited::Condition { variable, lock };
    Err(Stop::Wait(Wait {
        granted: TRUE,
        ..Wait::new(awaited, deadline(call, milliseconds))
    }))
}

/// `WakeConditionVariable`
pub(super) fn wake_one<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [variable] = call.arguments();
    touch(call, variable)?;
    if let Some(&first) = call.machine.sleepers(variable).first() {
        call.machine.wake_with_lock(first, TRUE);
    }
    Ok(0)
}

/// `WakeAllConditionVariable`
pub(super) fn wake_all<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [variable] = call.arguments();
    touch(call, variable)?;
    for id in call.machine.sleepers(variable) {
        call.machine.wake_with_lock(id, TRUE);
    }
    Ok(0)
}

/// `InitOnceBeginInitialize`: the first caller is to initialise; the others wait for it.
pub(super) fn once_begin<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [once, flags, pending, context] = call.arguments();
    let state = call.machine.read_user::<u32>(LinearAddr::new(once))?;
    match state & ONCE_STATE {
        ONCE_DONE => {
            call.put_u32(pending, 0)?;
            if context != 0 {
                call.put_u32(context, state & !ONCE_STATE)?;
            }
            Ok(TRUE)
        }
        ONCE_FREE if flags & CHECK_ONLY == 0 => {
            call.put_u32(once, ONCE_RUNS)?;
            call.put_u32(pending, TRUE)?;
            Ok(TRUE)
        }
        ONCE_RUNS if flags & ASYNC != 0 => {
            call.put_u32(pending, TRUE)?;
            Ok(TRUE)
        }
        ONCE_RUNS if flags & CHECK_ONLY == 0 => Err(Stop::Wait(Wait {
            granted: TRUE,
            ..Wait::new(
                Awaited::Once {
                    once,
                    pending,
                    context,
                },
                None,
            )
        })),
        _ => Ok(call.fail(crate::error::GEN_FAILURE)),
    }
}

/// `InitOnceComplete`: lets those go on that wait; if it has failed, the first of them is to try.
pub(super) fn once_complete<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [once, flags, context] = call.arguments();
    let state = call.machine.read_user::<u32>(LinearAddr::new(once))?;
    let has_failed = flags & INIT_FAILED != 0;
    if context & ONCE_STATE != 0 || (has_failed && context != 0) {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    if state & ONCE_STATE != ONCE_RUNS {
        return Ok(call.fail(crate::error::GEN_FAILURE));
    }
    let state = if has_failed {
        ONCE_FREE
    } else {
        context | ONCE_DONE
    };
    call.put_u32(once, state)?;
    call.machine.once_changed(once, state);
    Ok(TRUE)
}

/// Makes an access as the function itself does it: one that is refused is the program's exception.
fn touch<W: Watch>(call: &mut Call<'_, W>, addr: u32) -> Result<(), Stop> {
    let at = LinearAddr::new(addr);
    let word = call.machine.read_user::<u32>(at)?;
    call.machine.write_user(at, word)
}
