//! Exceptions: the services that the dispatcher in `system/dispatch.asm` calls, and what programs
//! tell the system about handlers.

use pagefault_vmm::mmu::{AccessKind, LinearAddr};
use pagefault_vmm::{MemoryState, Win32Code};

use crate::api::{Call, Modules, Stop, TRUE};
use crate::context::{Context, Parts};
use crate::layout::{PEB, peb};
use crate::machine::Outcome;
use crate::record::{RECORD_BYTES, Record};
use crate::vectored::{End, List};
use crate::watch::Watch;

/// `STATUS_ACCESS_VIOLATION`, as a service returns it.
const ACCESS_VIOLATION: u32 = 0xC000_0005;
/// `STATUS_INVALID_PARAMETER`
const INVALID_PARAMETER: u32 = 0xC000_000D;

/// `NtContinue`: goes on with the registers of a context.
pub(super) fn nt_continue<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [context, _alert] = call.arguments();
    let Some(context) = read_context(call, context) else {
        return Ok(ACCESS_VIOLATION);
    };
    if context.parts() == Parts::empty() {
        return Ok(INVALID_PARAMETER);
    }
    call.machine.load_context(&context);
    Err(Stop::Resumed)
}

/// `NtRaiseException`: raises an exception with a context of the program's own, or ends the process
/// if the program has already had its chance.
pub(super) fn nt_raise_exception<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [record, context, is_first_chance] = call.arguments();
    let (Some(record), Some(context)) = (read_record(call, record), read_context(call, context))
    else {
        return Ok(ACCESS_VIOLATION);
    };
    let machine = &mut *call.machine;
    if is_first_chance == 0 {
        return Err(Stop::End(Box::new(machine.unhandled(&record, &context))));
    }
    machine.load_context(&context);
    match machine.raise_record(record, context) {
        Ok(()) => Err(Stop::Resumed),
        Err(outcome) => Err(Stop::End(Box::new(outcome))),
    }
}

/// `PagefaultNextHandler(list, previous, handler)`: stores the vectored handler that comes behind
/// one, and returns its handle; 0 if there is none.
pub(super) fn next_handler<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [list, previous, place] = call.arguments();
    let list = List::numbered(list);
    let next = list.and_then(|list| call.machine.vectored.next(list, previous));
    let Some((handle, handler)) = next else {
        return Ok(0);
    };
    call.machine.write_user(LinearAddr::new(place), handler)?;
    Ok(handle)
}

/// `PagefaultIsCode(address)`: returns whether a handler can be called there.
pub(super) fn is_code<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [addr] = call.arguments();
    if Modules::host_calls().contains(&addr) {
        return Ok(TRUE);
    }
    let machine = &*call.machine;
    let queried = machine
        .vmm
        .query(&machine.mmu, machine.process, LinearAddr::new(addr));
    let fetches = machine.vmm.config().paging.fetch_rule();
    let is_code = queried.is_ok_and(|info| {
        let allowed = info
            .protection
            .is_some_and(|protection| protection.rights().allow(AccessKind::Fetch, fetches));
        info.state == MemoryState::Commit && allowed
    });
    Ok(u32::from(is_code))
}

/// `PagefaultUnhandled(record, context)`: nobody handles the exception. Its report is made now; the
/// process ends when its frames are unwound.
pub(super) fn unhandled<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [record, context] = call.arguments();
    if let (Some(record), Some(context)) = (read_record(call, record), read_context(call, context))
    {
        call.machine.dying = Some(call.machine.explain(&record, &context));
    }
    Ok(0)
}

/// `PagefaultEndProcess(code)`: ends the process after an exception, with its code.
pub(super) fn end_process<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [code] = call.arguments();
    Err(match call.machine.dying.take() {
        Some(report) => Stop::End(Box::new(Outcome::Exception(report))),
        None => Stop::Exit(code),
    })
}

/// `AddVectoredExceptionHandler`
pub(super) fn add_exception_handler<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(add(call, List::Exception))
}

/// `AddVectoredContinueHandler`
pub(super) fn add_continue_handler<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(add(call, List::Continue))
}

/// `RemoveVectoredExceptionHandler`
pub(super) fn remove_exception_handler<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(remove(call, List::Exception))
}

/// `RemoveVectoredContinueHandler`
pub(super) fn remove_continue_handler<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(remove(call, List::Continue))
}

/// `IsDebuggerPresent`: what the PEB says, which a program may have changed.
pub(super) fn is_debugger_present<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let at = LinearAddr::new(PEB + peb::BEING_DEBUGGED);
    let flag: u8 = call.machine.read_user(at)?;
    Ok(u32::from(flag))
}

/// `GetErrorMode`
pub(super) fn get_error_mode<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(call.machine.error_mode)
}

/// `SetErrorMode`: returns the mode before. No mode shows a box here.
pub(super) fn set_error_mode<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [mode] = call.arguments();
    Ok(std::mem::replace(&mut call.machine.error_mode, mode))
}

fn add<W: Watch>(call: &mut Call<'_, W>, list: List) -> u32 {
    let [first, handler] = call.arguments();
    let end = if first == 0 { End::Last } else { End::First };
    let Some(handle) = call.machine.vectored.add(list, end, handler) else {
        return call.fail(Win32Code::NOT_ENOUGH_MEMORY);
    };
    call.machine.tell_vectored(list);
    handle
}

fn remove<W: Watch>(call: &mut Call<'_, W>, list: List) -> u32 {
    let [handle] = call.arguments();
    let was_there = call.machine.vectored.remove(list, handle);
    call.machine.tell_vectored(list);
    u32::from(was_there)
}

fn read_context<W: Watch>(call: &mut Call<'_, W>, addr: u32) -> Option<Context> {
    let mut context = Context::empty();
    let machine = &mut *call.machine;
    let at = LinearAddr::new(addr);
    let read = machine
        .vmm
        .copy_in(&mut machine.mmu, at, context.bytes_mut());
    read.ok().map(|()| context)
}

/// Reads a record; one at the end of readable memory may be as short as its parameters.
fn read_record<W: Watch>(call: &mut Call<'_, W>, addr: u32) -> Option<Record> {
    /// The place of the number of parameters, and the size up to the parameters, in bytes.
    const COUNT_AT: u32 = 16;
    const HEAD_BYTES: usize = 20;
    let machine = &mut *call.machine;
    let at = LinearAddr::new(addr);
    let count_at = at.wrapping_add(COUNT_AT);
    let count = machine.vmm.read_u32(&mut machine.mmu, count_at).ok()?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let len = HEAD_BYTES.saturating_add(count.saturating_mul(4));
    let mut bytes = [0; RECORD_BYTES];
    let part = bytes.get_mut(..len.min(RECORD_BYTES))?;
    machine.vmm.copy_in(&mut machine.mmu, at, part).ok()?;
    Some(Record::from_bytes(&bytes))
}
