//! Thread-local storage: an index for the process, a value for each thread.

use pagefault_vmm::Win32Code;
use pagefault_vmm::mmu::LinearAddr;

use crate::api::{Call, Stop, TRUE};
use crate::layout::teb;
use crate::thread::ThreadId;
use crate::watch::Watch;

/// `TLS_OUT_OF_INDEXES`
const OUT_OF_INDEXES: u32 = u32::MAX;
/// Values that are in the TEB.
const TEB_SLOTS: u32 = 64;
/// All indexes: the TEB's, and 1024 more.
const SLOTS: u32 = TEB_SLOTS + 1024;

/// `TlsAlloc`: returns the lowest free index; its value is 0 in every thread.
pub(super) fn tls_alloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let used = &mut call.machine.tls_indexes;
    let Some(index) = (0..SLOTS).find(|index| !used.contains(index)) else {
        call.set_last_error(Win32Code::NOT_ENOUGH_MEMORY);
        return Ok(OUT_OF_INDEXES);
    };
    used.insert(index);
    clear(call, index);
    Ok(index)
}

/// `TlsFree`
pub(super) fn tls_free<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [index] = call.arguments();
    if !call.machine.tls_indexes.remove(&index) {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    clear(call, index);
    Ok(TRUE)
}

/// `TlsGetValue`: sets the last error to 0, since 0 is a value, too.
pub(super) fn tls_get_value<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [index] = call.arguments();
    if index >= SLOTS {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    call.set_last_error(Win32Code::new(0));
    if index < TEB_SLOTS {
        return Ok(call.machine.read_teb(slot(index)));
    }
    let local = &call.machine.threads.current().local;
    Ok(local.get(&index).copied().unwrap_or(0))
}

/// `TlsSetValue`
pub(super) fn tls_set_value<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [index, value] = call.arguments();
    if index >= SLOTS {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    if index < TEB_SLOTS {
        let teb = call.machine.threads.current().teb;
        let at = LinearAddr::new(teb.wrapping_add(slot(index)));
        call.machine.write_user(at, value)?;
    } else {
        let local = &mut call.machine.threads.current_mut().local;
        local.insert(index, value);
    }
    Ok(TRUE)
}

/// Clears an index in every thread.
fn clear<W: Watch>(call: &mut Call<'_, W>, index: u32) {
    let threads = &call.machine.threads;
    let threads: Vec<(ThreadId, u32)> = threads
        .iter()
        .map(|thread| (thread.id, thread.teb))
        .collect();
    for (id, teb) in threads {
        if index < TEB_SLOTS {
            call.machine.write_word(teb.wrapping_add(slot(index)), 0);
        } else if let Some(thread) = call.machine.threads.get_mut(id) {
            thread.local.remove(&index);
        }
    }
}

/// Returns the offset of a value in the TEB.
const fn slot(index: u32) -> u32 {
    teb::TLS_SLOTS + index * 4
}
