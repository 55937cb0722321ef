//! Threads: making, ending, suspending, and their contexts.

use pagefault_vmm::Win32Code;
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};

use crate::api::process::CURRENT_PROCESS;
use crate::api::sync::opened;
use crate::api::{Call, Stop, TRUE};
use crate::context::{Context, Parts};
use crate::error::{NO_SYSTEM_RESOURCES, TOO_MANY_SUSPENDS};
use crate::layout::PROCESS_ID;
use crate::machine::Outcome;
use crate::objects::{Object, ObjectId};
use crate::program::StackSize;
use crate::queued::WAIT_IO_COMPLETION;
use crate::spawn::Start;
use crate::thread::{Awaited, ThreadId, Wait};
use crate::watch::Watch;

/// The pseudo handle of the current thread.
const CURRENT_THREAD: u32 = u32::MAX - 1;
/// `CREATE_SUSPENDED`
const CREATE_SUSPENDED: u32 = 0x4;
/// `STACK_SIZE_PARAM_IS_A_RESERVATION`
const SIZE_IS_RESERVATION: u32 = 0x1_0000;
/// `STILL_ACTIVE`
const STILL_ACTIVE: u32 = 0x103;
/// What a function that fails returns in place of a count.
const FAILED: u32 = u32::MAX;
/// `THREAD_PRIORITY_ERROR_RETURN`
const PRIORITY_ERROR: u32 = 0x7FFF_FFFF;
/// Nanoseconds of a millisecond.
pub(super) const NS_PER_MS: u64 = 1_000_000;
/// `INFINITE`
pub(super) const INFINITE: u32 = u32::MAX;

/// `CreateThread`
pub(super) fn create_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_security, stack, function, parameter, flags, id_place] = call.arguments();
    create(call, [stack, function, parameter, flags, id_place])
}

/// `CreateRemoteThread`, in the current process.
pub(super) fn create_remote_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [
        process,
        _security,
        stack,
        function,
        parameter,
        flags,
        id_place,
    ] = call.arguments();
    if !is_process(call, process) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    create(call, [stack, function, parameter, flags, id_place])
}

fn create<W: Watch>(call: &mut Call<'_, W>, arguments: [u32; 5]) -> Result<u32, Stop> {
    let [stack, function, parameter, flags, id_place] = arguments;
    if flags & !(CREATE_SUSPENDED | SIZE_IS_RESERVATION) != 0 {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    if id_place != 0 {
        call.machine.write_user(LinearAddr::new(id_place), 0_u32)?;
    }
    let default = call.machine.stack_size;
    let stack = match (stack, flags & SIZE_IS_RESERVATION != 0) {
        (0, _) => default,
        (reserve, true) => StackSize { reserve, ..default },
        (commit, false) => StackSize {
            reserve: default.reserve.max(commit),
            commit,
        },
    };
    let start = Start {
        function,
        parameter,
        stack,
    };
    let others = call.machine.vmm.handle_count(call.machine.process);
    if !call.machine.objects.has_room(others) {
        return Ok(call.fail(NO_SYSTEM_RESOURCES));
    }
    let Ok((id, object)) = call.machine.spawn(start) else {
        return Ok(call.fail(Win32Code::NOT_ENOUGH_MEMORY));
    };
    let handle = opened(call, object);
    if id_place != 0 {
        call.machine.write_user(LinearAddr::new(id_place), id.0)?;
    }
    if flags & CREATE_SUSPENDED == 0 {
        call.machine.threads.resume(id);
    }
    Ok(handle)
}

/// `ExitThread`
pub(super) fn exit_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [code] = call.arguments();
    Err(Stop::ExitThread(code))
}

/// `_beginthread`: the C convention's function of one argument; its handle is closed at its end.
pub(super) fn begin_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [function, stack, parameter] = call.arguments();
    let handle = create(call, [stack, function, parameter, CREATE_SUSPENDED, 0])?;
    let Some(id) = thread_of(call, handle) else {
        return Ok(FAILED);
    };
    if let Some(thread) = call.machine.threads.get_mut(id) {
        thread.own_handle = Some(handle);
    }
    call.machine.threads.resume(id);
    Ok(handle)
}

/// `_beginthreadex`: as `CreateThread`.
pub(super) fn begin_thread_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_security, stack, function, parameter, flags, id_place] = call.arguments();
    create(call, [stack, function, parameter, flags, id_place])
}

/// `_endthread`
pub(super) fn end_thread<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Err(Stop::ExitThread(0))
}

/// `SetThreadStackGuarantee`: returns the size before. What is left for a handler of a stack
/// overflow is what the guard pages give, whatever was asked for.
pub(super) fn set_stack_guarantee<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let at = LinearAddr::new(place);
    let wanted = call.machine.read_user::<u32>(at)?;
    // Quirk: stack-guarantee
    let thread = call.machine.threads.current_mut();
    let before = thread.stack_guarantee;
    if wanted >= thread.stack.end.wrapping_sub(thread.stack.start) {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    if wanted != 0 {
        thread.stack_guarantee = wanted.next_multiple_of(PAGE_SIZE);
    }
    call.machine.write_user(at, before)?;
    Ok(TRUE)
}

/// `TerminateThread`
pub(super) fn terminate_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, code] = call.arguments();
    let Some(id) = thread_of(call, handle) else {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    };
    if id == call.machine.threads.current_id() {
        return Err(Stop::ExitThread(code));
    }
    match call.machine.end_thread(id, code) {
        Ok(()) => Ok(TRUE),
        Err(outcome) => Err(Stop::End(Box::new(outcome))),
    }
}

/// `GetExitCodeThread`: `STILL_ACTIVE` for one that has not ended.
pub(super) fn get_exit_code_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, place] = call.arguments();
    let id = object_of(call, handle);
    let object = id.and_then(|id| call.machine.objects.get(id));
    let Some(Object::Thread { exit_code, .. }) = object else {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    };
    let code = exit_code.unwrap_or(STILL_ACTIVE);
    call.machine.write_user(LinearAddr::new(place), code)?;
    Ok(TRUE)
}

/// `GetExitCodeProcess`, of the current process, which runs.
pub(super) fn get_exit_code_process<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, place] = call.arguments();
    if !is_process(call, process) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    call.machine
        .write_user(LinearAddr::new(place), STILL_ACTIVE)?;
    Ok(TRUE)
}

/// `TerminateProcess`, of the current process.
pub(super) fn terminate_process<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, code] = call.arguments();
    if is_process(call, process) {
        // Nobody is told.
        Err(Stop::End(Box::new(Outcome::Exited { code })))
    } else {
        Ok(call.fail(Win32Code::INVALID_HANDLE))
    }
}

/// `SuspendThread`: returns how often it was suspended before.
pub(super) fn suspend_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let Some(id) = living(call, handle) else {
        return Ok(FAILED);
    };
    let suspended = call.machine.threads.suspend(id);
    if suspended.is_none() {
        call.set_last_error(TOO_MANY_SUSPENDS);
    }
    Ok(suspended.unwrap_or(FAILED))
}

/// `ResumeThread`: returns how often it was suspended before.
pub(super) fn resume_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let Some(id) = living(call, handle) else {
        return Ok(FAILED);
    };
    Ok(call.machine.threads.resume(id).unwrap_or(0))
}

/// `Sleep`: a time of 0 gives the rest of the turn away.
pub(super) fn sleep<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [milliseconds] = call.arguments();
    Err(sleep_for(call, milliseconds))
}

/// `SleepEx`: an alertable sleep ends when calls are queued for the thread.
pub(super) fn sleep_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [milliseconds, alertable] = call.arguments();
    let stop = sleep_for(call, milliseconds);
    Err(call.alertable(stop, alertable))
}

impl<W: Watch> Call<'_, W> {
    /// Returns what becomes of a wait that queued calls end, if the program wants that.
    pub(super) fn alertable(&self, stop: Stop, alertable: u32) -> Stop {
        if alertable == 0 {
            return stop;
        }
        if !self.machine.threads.current().queued.is_empty() {
            return Stop::Queued(WAIT_IO_COMPLETION);
        }
        match stop {
            Stop::Wait(wait) => Stop::Wait(Wait {
                is_alertable: true,
                ..wait
            }),
            stop => stop,
        }
    }
}

/// `SwitchToThread`: returns whether there was another one that could run.
pub(super) fn switch_to_thread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    if call.machine.threads.someone_is_ready() {
        Err(Stop::Yield(TRUE))
    } else {
        Ok(0)
    }
}

fn sleep_for<W: Watch>(call: &Call<'_, W>, milliseconds: u32) -> Stop {
    if milliseconds == 0 {
        return Stop::Yield(0);
    }
    Stop::Wait(Wait::new(Awaited::Time, deadline(call, milliseconds)))
}

/// Returns the time at which a wait ends; `None` if it never does.
pub(super) fn deadline<W: Watch>(call: &Call<'_, W>, milliseconds: u32) -> Option<u64> {
    let length = u64::from(milliseconds) * NS_PER_MS;
    (milliseconds != INFINITE).then(|| call.machine.now_ns().saturating_add(length))
}

/// `GetCurrentThread`: returns the pseudo handle -2.
pub(super) fn get_current_thread<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(CURRENT_THREAD)
}

/// `GetCurrentThreadId`
pub(super) fn get_current_thread_id<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(call.machine.threads.current_id().0)
}

/// `GetCurrentProcessId`
pub(super) fn get_current_process_id<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(PROCESS_ID)
}

/// `GetThreadId`
pub(super) fn get_thread_id<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    Ok(match thread_of(call, handle) {
        Some(id) => id.0,
        None => call.fail(Win32Code::INVALID_HANDLE),
    })
}

/// `GetProcessId`
pub(super) fn get_process_id<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process] = call.arguments();
    Ok(if is_process(call, process) {
        PROCESS_ID
    } else {
        call.fail(Win32Code::INVALID_HANDLE)
    })
}

/// `GetThreadPriority`
pub(super) fn get_thread_priority<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let Some(id) = living(call, handle) else {
        return Ok(PRIORITY_ERROR);
    };
    let thread = call.machine.threads.get(id);
    Ok(thread.map_or(0, |thread| thread.priority))
}

/// `SetThreadPriority`: kept, and without effect on the turns.
pub(super) fn set_thread_priority<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, priority] = call.arguments();
    let is_known = matches!(priority.cast_signed(), -15 | -2..=2 | 15);
    if !is_known {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let Some(id) = living(call, handle) else {
        return Ok(0);
    };
    if let Some(thread) = call.machine.threads.get_mut(id) {
        thread.priority = priority;
    }
    Ok(TRUE)
}

/// Reads a context from the program's memory.
fn context_at<W: Watch>(call: &mut Call<'_, W>, at: LinearAddr) -> Result<Context, Win32Code> {
    let machine = &mut *call.machine;
    let mut context = Context::empty();
    let read = machine
        .vmm
        .copy_in(&mut machine.mmu, at, context.bytes_mut());
    read.map(|()| context)
        .map_err(pagefault_vmm::CopyError::win32_code)
}

/// `GetThreadContext`: stores the parts that the context's flags ask for.
pub(super) fn get_thread_context<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, place] = call.arguments();
    let Some(id) = living(call, handle) else {
        return Ok(0);
    };
    let at = LinearAddr::new(place);
    let mut context = match context_at(call, at) {
        Ok(context) => context,
        Err(code) => return Ok(call.fail(code)),
    };
    let machine = &mut *call.machine;
    let registers = if id == machine.threads.current_id() {
        machine.cpu.registers().clone()
    } else {
        match machine.threads.get(id) {
            Some(thread) => thread.registers.clone(),
            None => return Ok(call.fail(Win32Code::INVALID_HANDLE)),
        }
    };
    let parts = context.parts();
    context.save(&registers, parts - Parts::I386);
    let written = machine.vmm.copy_out(&mut machine.mmu, at, context.bytes());
    Ok(match written {
        Ok(()) => TRUE,
        Err(error) => call.fail(error.win32_code()),
    })
}

/// `SetThreadContext`: sets the parts that the context's flags name.
pub(super) fn set_thread_context<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, place] = call.arguments();
    let Some(id) = living(call, handle) else {
        return Ok(0);
    };
    let context = match context_at(call, LinearAddr::new(place)) {
        Ok(context) => context,
        Err(code) => return Ok(call.fail(code)),
    };
    let machine = &mut *call.machine;
    if id == machine.threads.current_id() {
        machine.load_context(&context);
        // Where the context says; a thread that leaves EIP out goes on behind the call.
        return if context.parts().contains(Parts::CONTROL) {
            Err(Stop::Resumed)
        } else {
            Ok(TRUE)
        };
    }
    let descriptors = std::mem::take(machine.cpu.descriptors_mut());
    if let Some(thread) = machine.threads.get_mut(id) {
        let own = thread.registers.segment(pagefault_cpu::SegmentRegister::Fs);
        context.load(&mut thread.registers, &descriptors);
        if thread
            .registers
            .segment(pagefault_cpu::SegmentRegister::Fs)
            .selector()
            == own.selector()
        {
            thread
                .registers
                .set_segment(pagefault_cpu::SegmentRegister::Fs, own);
        }
    }
    *machine.cpu.descriptors_mut() = descriptors;
    Ok(TRUE)
}

/// Returns the thread behind a handle.
fn thread_of<W: Watch>(call: &Call<'_, W>, handle: u32) -> Option<ThreadId> {
    if handle == CURRENT_THREAD {
        return Some(call.machine.threads.current_id());
    }
    let objects = &call.machine.objects;
    match objects.get(objects.behind(handle)?)? {
        Object::Thread { id, .. } => Some(*id),
        _ => None,
    }
}

/// Returns the thread behind a handle, if it has not ended; sets the last error otherwise.
pub(super) fn living<W: Watch>(call: &mut Call<'_, W>, handle: u32) -> Option<ThreadId> {
    let Some(id) = thread_of(call, handle) else {
        call.set_last_error(Win32Code::INVALID_HANDLE);
        return None;
    };
    if call.machine.threads.get(id).is_none() {
        call.set_last_error(Win32Code::ACCESS_DENIED);
        return None;
    }
    Some(id)
}

/// Returns whether a handle is one of the current process.
pub(super) fn is_process<W: Watch>(call: &Call<'_, W>, handle: u32) -> bool {
    let objects = &call.machine.objects;
    let object = objects.behind(handle).and_then(|id| objects.get(id));
    handle == CURRENT_PROCESS || object == Some(&Object::Process)
}

/// Returns the object that a handle or pseudo handle refers to.
pub(super) fn object_of<W: Watch>(call: &mut Call<'_, W>, handle: u32) -> Option<ObjectId> {
    let objects = &mut call.machine.objects;
    match handle {
        CURRENT_THREAD => {
            let current = call.machine.threads.current_id();
            objects.of_thread(current)
        }
        CURRENT_PROCESS => Some(objects.of_process()),
        _ => objects.behind(handle),
    }
}
