//! The process and its last error.

use crate::api::{Call, Stop};
use crate::watch::Watch;

/// The pseudo handle of the current process.
pub(super) const CURRENT_PROCESS: u32 = u32::MAX;

/// `ExitProcess`: ends the program.
pub(super) fn exit_process<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [code] = call.arguments();
    // The C library writes what its streams hold back when it is unloaded.
    call.flush_all()?;
    Err(Stop::Exit(code))
}

/// `GetPriorityClass`: normal.
pub(super) fn get_priority_class<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const NORMAL: u32 = 0x20;
    Ok(NORMAL)
}

/// `SetHandleCount`: handles are not counted any more.
pub(super) fn set_handle_count<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [count] = call.arguments();
    Ok(count)
}

/// `GetCurrentProcess`: returns the pseudo handle -1.
pub(super) fn get_current_process<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(CURRENT_PROCESS)
}

/// `GetLastError`: returns what the last call that failed has set.
pub(super) fn get_last_error<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(call.machine.last_error())
}

/// `SetLastError`.
pub(super) fn set_last_error<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [code] = call.arguments();
    call.machine.set_last_error(code);
    Ok(0)
}
