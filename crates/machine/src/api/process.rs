//! The process and its last error.

use crate::api::{Call, Stop};
use crate::watch::Watch;

/// The pseudo handle of the current process.
pub(super) const CURRENT_PROCESS: u32 = u32::MAX;

/// `ExitProcess`: ends the program.
pub(super) fn exit_process<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [code] = call.arguments();
    Err(Stop::Exit(code))
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
