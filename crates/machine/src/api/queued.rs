//! Calls that are queued for threads, and what the system's code asks for to make them.

use pagefault_vmm::Win32Code;

use crate::api::threads::living;
use crate::api::{Call, Stop, TRUE};
use crate::limits::QUEUED_CALLS;
use crate::queued::{Leaving, MAX_ARGUMENTS, QueuedCall};
use crate::watch::Watch;

/// `FLS_OUT_OF_INDEXES`
const OUT_OF_INDEXES: u32 = u32::MAX;
/// The most indexes of `FlsAlloc`. The first one is never given: programs take 0 for none.
const FIRST_INDEX: u32 = 1;
const INDEXES: u32 = 128;

/// `QueueUserAPC`
pub(super) fn queue_user_apc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [function, thread, data] = call.arguments();
    let Some(id) = living(call, thread) else {
        return Ok(0);
    };
    let threads = call.machine.threads.iter();
    let waiting: usize = threads.map(|thread| thread.queued.len()).sum();
    if waiting >= QUEUED_CALLS {
        return Ok(call.fail(Win32Code::NOT_ENOUGH_MEMORY));
    }
    let queued = QueuedCall {
        function,
        arguments: vec![data],
    };
    call.machine.queue_call(id, queued);
    Ok(TRUE)
}

/// Gives the system's code the next call to make: function, number of arguments, arguments. Returns
/// 0 if there is none.
pub(super) fn next_call<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let thread = call.machine.threads.current_mut();
    let Some(queued) = thread.queued.pop_front() else {
        thread.is_diverted = false;
        return Ok(0);
    };
    let count = queued.arguments.len().min(MAX_ARGUMENTS);
    let head = [queued.function, u32::try_from(count).unwrap_or(0)];
    let words = head.iter().chain(queued.arguments.iter().take(count));
    for (index, &word) in (0..).zip(words) {
        call.put_u32(place.wrapping_add(index * 4), word)?;
    }
    Ok(TRUE)
}

/// Ends the thread or the process, after the last calls.
pub(super) fn leave<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let leaving = call.machine.threads.current().leaving;
    if !call.machine.threads.has_others() {
        call.flush_all()?;
    }
    Err(match leaving {
        Some(Leaving::Process(code)) => Stop::Exit(code),
        Some(Leaving::Thread(code)) => Stop::ExitThread(code),
        // The program has jumped here by itself.
        None => Stop::ExitThread(0),
    })
}

/// `FlsAlloc`
pub(super) fn fls_alloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [function] = call.arguments();
    let used = &mut call.machine.fiber_local;
    let Some(index) = (FIRST_INDEX..INDEXES).find(|index| !used.contains_key(index)) else {
        call.set_last_error(Win32Code::NOT_ENOUGH_MEMORY);
        return Ok(OUT_OF_INDEXES);
    };
    used.insert(index, function);
    Ok(index)
}

/// `FlsFree`: calls the index's function for each thread that has a value.
pub(super) fn fls_free<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [index] = call.arguments();
    let Some(function) = call.machine.fiber_local.remove(&index) else {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    };
    let ids: Vec<_> = call
        .machine
        .threads
        .iter()
        .map(|thread| thread.id)
        .collect();
    let mut calls = Vec::new();
    for id in ids {
        let thread = call.machine.threads.get_mut(id);
        let value = thread.and_then(|thread| thread.fiber_local.remove(&index));
        if let Some(value) = value.filter(|&value| value != 0 && function != 0) {
            calls.push(QueuedCall {
                function,
                arguments: vec![value],
            });
        }
    }
    if calls.is_empty() {
        return Ok(TRUE);
    }
    call.machine.threads.current_mut().queued.extend(calls);
    Err(Stop::Queued(TRUE))
}

/// `FlsGetValue`
pub(super) fn fls_get_value<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [index] = call.arguments();
    if !call.machine.fiber_local.contains_key(&index) {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    call.set_last_error(Win32Code::new(0));
    let values = &call.machine.threads.current().fiber_local;
    Ok(values.get(&index).copied().unwrap_or(0))
}

/// `FlsSetValue`
pub(super) fn fls_set_value<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [index, value] = call.arguments();
    if !call.machine.fiber_local.contains_key(&index) {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let values = &mut call.machine.threads.current_mut().fiber_local;
    values.insert(index, value);
    Ok(TRUE)
}
