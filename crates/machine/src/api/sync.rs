//! Events, mutexes, semaphores, and waiting for them.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{Handle, HandleError, KernelObject, Win32Code};

use crate::api::text::Text;
use crate::api::threads::{deadline, is_process, object_of};
use crate::api::{Call, Stop, TRUE};
use crate::error::{
    FILE_NOT_FOUND, NAME_TOO_LONG, NO_SYSTEM_RESOURCES, NOT_OWNER, TOO_MANY_OPEN_FILES,
    TOO_MANY_POSTS,
};
use crate::objects::{Amount, Kind, Object, ObjectId, Reset};
use crate::schedule::WAIT_TIMEOUT;
use crate::thread::{Awaited, Wait};
use crate::watch::Watch;

/// `WAIT_FAILED`
const WAIT_FAILED: u32 = u32::MAX;
/// `MAXIMUM_WAIT_OBJECTS`
const MAXIMUM_WAIT_OBJECTS: u32 = 64;
/// `DUPLICATE_CLOSE_SOURCE`
const DUPLICATE_CLOSE_SOURCE: u32 = 1;

/// `CreateEvent`
pub(super) fn create_event<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_security, is_manual, is_signalled, name] = call.arguments();
    let reset = if is_manual == 0 {
        Reset::Auto
    } else {
        Reset::Manual
    };
    let event = Object::Event {
        reset,
        is_signalled: is_signalled != 0,
    };
    create::<W, T>(call, event, Kind::Event, name)
}

/// `CreateMutex`
pub(super) fn create_mutex<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_security, is_owned, name] = call.arguments();
    let owner = (is_owned != 0).then(|| call.machine.threads.current_id());
    let mutex = Object::Mutex {
        owner,
        depth: u32::from(owner.is_some()),
        is_abandoned: false,
    };
    create::<W, T>(call, mutex, Kind::Mutex, name)
}

/// `CreateSemaphore`
pub(super) fn create_semaphore<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_security, count, maximum, name] = call.arguments();
    let (signed_count, signed_maximum) = (count.cast_signed(), maximum.cast_signed());
    if signed_maximum <= 0 || signed_count < 0 || signed_count > signed_maximum {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    create::<W, T>(
        call,
        Object::Semaphore { count, maximum },
        Kind::Semaphore,
        name,
    )
}

/// `OpenEvent`
pub(super) fn open_event<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    open::<W, T>(call, Kind::Event)
}

/// `OpenMutex`
pub(super) fn open_mutex<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    open::<W, T>(call, Kind::Mutex)
}

/// `OpenSemaphore`
pub(super) fn open_semaphore<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    open::<W, T>(call, Kind::Semaphore)
}

/// Makes an object, or opens the one that has the name already.
fn create<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    object: Object,
    kind: Kind,
    name: u32,
) -> Result<u32, Stop> {
    if name == 0 {
        call.set_last_error(Win32Code::new(0));
        let id = call.machine.objects.add(object, None);
        return Ok(opened(call, id));
    }
    let Some(name) = call.name::<T>(name)? else {
        return Ok(call.fail(NAME_TOO_LONG));
    };
    let Some(id) = call.machine.objects.named(&name) else {
        call.set_last_error(Win32Code::new(0));
        let id = call.machine.objects.add(object, Some(name));
        return Ok(opened(call, id));
    };
    if !call.machine.objects.is_of_kind(id, kind) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    call.set_last_error(crate::error::ALREADY_EXISTS);
    Ok(opened(call, id))
}

/// Returns a new handle to an object; 0 with an error code if the process has too many.
pub(super) fn opened<W: Watch>(call: &mut Call<'_, W>, id: ObjectId) -> u32 {
    let machine = &mut *call.machine;
    let others = machine.vmm.handle_count(machine.process);
    let handle = machine.objects.open(id, others);
    handle.unwrap_or_else(|| call.fail(NO_SYSTEM_RESOURCES))
}

fn open<W: Watch, T: Text>(call: &mut Call<'_, W>, kind: Kind) -> Result<u32, Stop> {
    let [_access, _inherit, name] = call.arguments();
    if name == 0 {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let Some(name) = call.name::<T>(name)? else {
        return Ok(call.fail(NAME_TOO_LONG));
    };
    let objects = &call.machine.objects;
    Ok(match objects.named(&name) {
        None => call.fail(FILE_NOT_FOUND),
        Some(id) if objects.is_of_kind(id, kind) => opened(call, id),
        Some(_) => call.fail(Win32Code::INVALID_HANDLE),
    })
}

/// `SetEvent`
pub(super) fn set_event<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(change_event(call, true))
}

/// `ResetEvent`
pub(super) fn reset_event<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(change_event(call, false))
}

/// `PulseEvent`: lets those go on that wait at this moment.
pub(super) fn pulse_event<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let was_known = change_event(call, true);
    Ok(if was_known == TRUE {
        change_event(call, false)
    } else {
        was_known
    })
}

fn change_event<W: Watch>(call: &mut Call<'_, W>, wanted: bool) -> u32 {
    let [handle] = call.arguments();
    let object = call.machine.objects.of_kind(handle, Kind::Event);
    let Some(Object::Event { is_signalled, .. }) = object else {
        return call.fail(Win32Code::INVALID_HANDLE);
    };
    *is_signalled = wanted;
    call.machine.end_waits();
    TRUE
}

/// `ReleaseMutex`
pub(super) fn release_mutex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let current = call.machine.threads.current_id();
    let object = call.machine.objects.of_kind(handle, Kind::Mutex);
    let Some(Object::Mutex { owner, depth, .. }) = object else {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    };
    if *owner != Some(current) {
        return Ok(call.fail(NOT_OWNER));
    }
    *depth = depth.saturating_sub(1);
    if *depth == 0 {
        *owner = None;
        call.machine.end_waits();
    }
    Ok(TRUE)
}

/// `ReleaseSemaphore`: fails and changes nothing if the count would exceed its maximum, or the
/// count before cannot be stored.
pub(super) fn release_semaphore<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, add, place] = call.arguments();
    let object = call.machine.objects.of_kind(handle, Kind::Semaphore);
    let Some(Object::Semaphore { count, maximum }) = object else {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    };
    let (before, maximum) = (*count, *maximum);
    if add.cast_signed() <= 0 {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let Some(sum) = before.checked_add(add).filter(|&sum| sum <= maximum) else {
        return Ok(call.fail(TOO_MANY_POSTS));
    };
    if place != 0
        && let Err(code) = call.copy_out(place, &before.to_le_bytes())
    {
        return Ok(call.fail(code));
    }
    let object = call.machine.objects.of_kind(handle, Kind::Semaphore);
    if let Some(Object::Semaphore { count, .. }) = object {
        *count = sum;
    }
    call.machine.end_waits();
    Ok(TRUE)
}

/// `WaitForSingleObject`
pub(super) fn wait_for_single_object<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, milliseconds] = call.arguments();
    wait_for_one(call, handle, milliseconds)
}

/// `WaitForSingleObjectEx`: calls that are queued for the thread may end the wait.
pub(super) fn wait_for_single_object_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, milliseconds, alertable] = call.arguments();
    let result = wait_for_one(call, handle, milliseconds);
    result.map_err(|stop| call.alertable(stop, alertable))
}

fn wait_for_one<W: Watch>(
    call: &mut Call<'_, W>,
    handle: u32,
    milliseconds: u32,
) -> Result<u32, Stop> {
    let Some(id) = object_of(call, handle) else {
        call.set_last_error(Win32Code::INVALID_HANDLE);
        return Ok(WAIT_FAILED);
    };
    wait(call, vec![id], Amount::Any, milliseconds)
}

/// `WaitForMultipleObjects`
pub(super) fn wait_for_multiple_objects<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [count, handles, all, milliseconds] = call.arguments();
    wait_for_many(call, [count, handles, all, milliseconds])
}

/// `WaitForMultipleObjectsEx`: calls that are queued for the thread may end the wait.
pub(super) fn wait_for_multiple_objects_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [count, handles, all, milliseconds, alertable] = call.arguments();
    let result = wait_for_many(call, [count, handles, all, milliseconds]);
    result.map_err(|stop| call.alertable(stop, alertable))
}

fn wait_for_many<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 4]) -> Result<u32, Stop> {
    let [count, handles, all, milliseconds] = arguments;
    if count == 0 || count > MAXIMUM_WAIT_OBJECTS {
        call.set_last_error(Win32Code::INVALID_PARAMETER);
        return Ok(WAIT_FAILED);
    }
    let mut ids: Vec<ObjectId> = Vec::new();
    for index in 0..count {
        let at = LinearAddr::new(handles).wrapping_add(index * 4);
        let machine = &mut *call.machine;
        let handle = match machine.vmm.read_u32(&mut machine.mmu, at) {
            Ok(handle) => handle,
            Err(error) => {
                call.set_last_error(error.win32_code());
                return Ok(WAIT_FAILED);
            }
        };
        let Some(id) = object_of(call, handle) else {
            call.set_last_error(Win32Code::INVALID_HANDLE);
            return Ok(WAIT_FAILED);
        };
        if all != 0 && ids.contains(&id) {
            call.set_last_error(Win32Code::INVALID_PARAMETER);
            return Ok(WAIT_FAILED);
        }
        ids.push(id);
    }
    let amount = if all == 0 { Amount::Any } else { Amount::All };
    wait(call, ids, amount, milliseconds)
}

/// `SignalObjectAndWait`
pub(super) fn signal_object_and_wait<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [signal, handle, milliseconds, alertable] = call.arguments();
    let Some(id) = object_of(call, handle) else {
        call.set_last_error(Win32Code::INVALID_HANDLE);
        return Ok(WAIT_FAILED);
    };
    let current = call.machine.threads.current_id();
    let object = call
        .machine
        .objects
        .behind(signal)
        .and_then(|signal| call.machine.objects.get_mut(signal));
    let refused = match object {
        Some(Object::Event { is_signalled, .. }) => {
            *is_signalled = true;
            None
        }
        Some(Object::Mutex { owner, depth, .. }) if *owner == Some(current) => {
            *depth = depth.saturating_sub(1);
            if *depth == 0 {
                *owner = None;
            }
            None
        }
        Some(Object::Mutex { .. }) => Some(NOT_OWNER),
        Some(Object::Semaphore { count, maximum }) if *count < *maximum => {
            *count += 1;
            None
        }
        Some(Object::Semaphore { .. }) => Some(TOO_MANY_POSTS),
        Some(Object::Thread { .. } | Object::Process) | None => Some(Win32Code::INVALID_HANDLE),
    };
    if let Some(code) = refused {
        call.set_last_error(code);
        return Ok(WAIT_FAILED);
    }
    call.machine.end_waits();
    let result = wait(call, vec![id], Amount::Any, milliseconds);
    result.map_err(|stop| call.alertable(stop, alertable))
}

/// Waits for objects, or only looks at them if the time is 0.
fn wait<W: Watch>(
    call: &mut Call<'_, W>,
    ids: Vec<ObjectId>,
    amount: Amount,
    milliseconds: u32,
) -> Result<u32, Stop> {
    let current = call.machine.threads.current_id();
    if let Some(taken) = call.machine.objects.try_take(&ids, amount, current) {
        return Ok(taken.result());
    }
    if milliseconds == 0 {
        return Ok(WAIT_TIMEOUT);
    }
    let awaited = Awaited::Objects(ids, amount);
    Err(Stop::Wait(Wait::new(awaited, deadline(call, milliseconds))))
}

/// `DuplicateHandle`, within the process: of objects, sections and files.
pub(super) fn duplicate_handle<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [source, handle, target, place, _access, _inherit, options] = call.arguments();
    let is_here = is_process(call, source) && is_process(call, target);
    if !is_here {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    if place != 0
        && let Err(code) = call.probe_out(place, HANDLE_BYTES)
    {
        return Ok(call.fail(code));
    }
    let copy = match duplicate(call, handle) {
        Ok(copy) => copy,
        Err(code) => return Ok(call.fail(code)),
    };
    if options & DUPLICATE_CLOSE_SOURCE != 0 {
        // A pseudo handle stays.
        _ = close(call, handle);
    }
    let stored = match place {
        0 => Ok(()),
        place => call.copy_out(place, &copy.to_le_bytes()),
    };
    Ok(call.truth(stored))
}

/// The size of a handle in bytes.
const HANDLE_BYTES: u32 = 4;

/// Returns another handle to what a handle refers to.
fn duplicate<W: Watch>(call: &mut Call<'_, W>, handle: u32) -> Result<u32, Win32Code> {
    if super::output::is_standard(handle) {
        // Quirk: standard-duplicate. Closing it closes nothing, so that it may be its own copy.
        return Ok(handle);
    }
    let files = &mut call.machine.services.handles;
    if files.get(handle).is_some() {
        return files.duplicate(handle).ok_or(TOO_MANY_OPEN_FILES);
    }
    let id = object_of(call, handle);
    let machine = &mut *call.machine;
    let others = machine.vmm.handle_count(machine.process);
    if let Some(id) = id {
        let copy = machine.objects.open(id, others);
        return copy.ok_or(NO_SYSTEM_RESOURCES);
    }
    let section = machine.vmm.section_behind(machine.process, Handle(handle));
    let section = section.map_err(HandleError::win32_code)?;
    if !machine.objects.has_room(others) {
        return Err(NO_SYSTEM_RESOURCES);
    }
    machine.vmm.reference_section(section);
    let object = KernelObject::Section(section);
    Ok(machine.vmm.open_handle(machine.process, object).0)
}

/// `CloseHandle`
pub(super) fn close_handle<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let closed = close(call, handle);
    Ok(call.truth(closed))
}

fn close<W: Watch>(call: &mut Call<'_, W>, handle: u32) -> Result<(), Win32Code> {
    if call.close_open(handle).is_some() || super::output::is_standard(handle) {
        return Ok(());
    }
    let machine = &mut *call.machine;
    if machine.objects.close(handle).is_some() {
        return Ok(());
    }
    let closed = machine
        .vmm
        .close_handle(&machine.mmu, machine.process, Handle(handle));
    closed.map_err(HandleError::win32_code)
}
