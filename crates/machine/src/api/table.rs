//! The table of emulated functions, by library.
//!
//! A row is a name, the number of arguments, and the handler. CONTRIBUTING.md says how to add one.

use crate::api::text::{Ansi, Wide};
use crate::api::{Call, Convention, Function, Stop};
use crate::api::{critical, interlocked, sync, threads, tls};
use crate::api::{exceptions, memory, modules, output, process, strings, system};
use crate::watch::Watch;

/// A library: its name and the functions that the machine emulates.
#[derive(Debug)]
pub(crate) struct Library<W: Watch> {
    /// The file's name in lower case.
    pub(crate) name: &'static str,
    pub(crate) functions: &'static [Function<W>],
}

/// The tables.
pub(crate) struct Table<W>(std::marker::PhantomData<W>);

impl<W: Watch> Table<W> {
    /// The libraries in the order of their addresses.
    pub(crate) const LIBRARIES: &'static [Library<W>] = &[
        Library {
            name: "kernel32.dll",
            functions: Self::KERNEL32,
        },
        Library {
            name: "msvcrt.dll",
            functions: Self::MSVCRT,
        },
        Library {
            name: "ntdll.dll",
            functions: Self::NTDLL,
        },
        Library {
            name: "user32.dll",
            functions: Self::USER32,
        },
    ];

    const KERNEL32: &'static [Function<W>] = &[
        stdcall(
            "AddVectoredContinueHandler",
            2,
            exceptions::add_continue_handler,
        ),
        stdcall(
            "AddVectoredExceptionHandler",
            2,
            exceptions::add_exception_handler,
        ),
        stdcall("CloseHandle", 1, sync::close_handle),
        stdcall("CreateEventA", 4, sync::create_event::<W, Ansi>),
        stdcall("CreateEventW", 4, sync::create_event::<W, Wide>),
        stdcall("CreateMutexA", 3, sync::create_mutex::<W, Ansi>),
        stdcall("CreateMutexW", 3, sync::create_mutex::<W, Wide>),
        stdcall("CreateRemoteThread", 7, threads::create_remote_thread),
        stdcall("CreateSemaphoreA", 4, sync::create_semaphore::<W, Ansi>),
        stdcall("CreateSemaphoreW", 4, sync::create_semaphore::<W, Wide>),
        stdcall("CreateThread", 6, threads::create_thread),
        guest("DebugBreak"),
        stdcall("DeleteCriticalSection", 1, critical::delete),
        stdcall("DuplicateHandle", 7, sync::duplicate_handle),
        stdcall("EnterCriticalSection", 1, critical::enter),
        stdcall("ExitProcess", 1, process::exit_process),
        stdcall("ExitThread", 1, threads::exit_thread),
        stdcall("FreeLibrary", 1, modules::free_library),
        stdcall("GetCurrentProcess", 0, process::get_current_process),
        stdcall("GetCurrentProcessId", 0, threads::get_current_process_id),
        stdcall("GetCurrentThread", 0, threads::get_current_thread),
        stdcall("GetCurrentThreadId", 0, threads::get_current_thread_id),
        stdcall("GetErrorMode", 0, exceptions::get_error_mode),
        stdcall("GetExitCodeProcess", 2, threads::get_exit_code_process),
        stdcall("GetExitCodeThread", 2, threads::get_exit_code_thread),
        stdcall("GetLastError", 0, process::get_last_error),
        stdcall(
            "GetModuleFileNameA",
            3,
            modules::get_module_file_name::<W, Ansi>,
        ),
        stdcall(
            "GetModuleFileNameW",
            3,
            modules::get_module_file_name::<W, Wide>,
        ),
        stdcall("GetModuleHandleA", 1, modules::get_module_handle::<W, Ansi>),
        stdcall("GetModuleHandleW", 1, modules::get_module_handle::<W, Wide>),
        stdcall("GetProcAddress", 2, modules::get_proc_address),
        stdcall("GetProcessId", 1, threads::get_process_id),
        stdcall(
            "GetProcessWorkingSetSize",
            3,
            system::get_process_working_set_size,
        ),
        stdcall("GetStdHandle", 1, output::get_std_handle),
        stdcall(
            "GetSystemDirectoryA",
            2,
            system::get_system_directory::<W, Ansi>,
        ),
        stdcall(
            "GetSystemDirectoryW",
            2,
            system::get_system_directory::<W, Wide>,
        ),
        stdcall("GetSystemInfo", 1, system::get_system_info),
        stdcall("GetThreadContext", 2, threads::get_thread_context),
        stdcall("GetThreadId", 1, threads::get_thread_id),
        stdcall("GetThreadPriority", 1, threads::get_thread_priority),
        stdcall(
            "GetWindowsDirectoryA",
            2,
            system::get_windows_directory::<W, Ansi>,
        ),
        stdcall(
            "GetWindowsDirectoryW",
            2,
            system::get_windows_directory::<W, Wide>,
        ),
        stdcall("InitializeCriticalSection", 1, critical::initialize),
        stdcall(
            "InitializeCriticalSectionAndSpinCount",
            2,
            critical::initialize_with_spin,
        ),
        stdcall("InitializeCriticalSectionEx", 3, critical::initialize_ex),
        stdcall(
            "InterlockedCompareExchange",
            3,
            interlocked::compare_exchange,
        ),
        stdcall("InterlockedDecrement", 1, interlocked::decrement),
        stdcall("InterlockedExchange", 2, interlocked::exchange),
        stdcall("InterlockedExchangeAdd", 2, interlocked::exchange_add),
        stdcall("InterlockedIncrement", 1, interlocked::increment),
        stdcall("IsDebuggerPresent", 0, exceptions::is_debugger_present),
        stdcall("LeaveCriticalSection", 1, critical::leave),
        stdcall("LoadLibraryA", 1, modules::load_library::<W, Ansi>),
        stdcall("LoadLibraryExA", 3, modules::load_library_ex::<W, Ansi>),
        stdcall("LoadLibraryExW", 3, modules::load_library_ex::<W, Wide>),
        stdcall("LoadLibraryW", 1, modules::load_library::<W, Wide>),
        stdcall("OpenEventA", 3, sync::open_event::<W, Ansi>),
        stdcall("OpenEventW", 3, sync::open_event::<W, Wide>),
        stdcall("OpenMutexA", 3, sync::open_mutex::<W, Ansi>),
        stdcall("OpenMutexW", 3, sync::open_mutex::<W, Wide>),
        stdcall("OpenSemaphoreA", 3, sync::open_semaphore::<W, Ansi>),
        stdcall("OpenSemaphoreW", 3, sync::open_semaphore::<W, Wide>),
        stdcall("PulseEvent", 1, sync::pulse_event),
        guest("RaiseException"),
        stdcall("ReleaseMutex", 1, sync::release_mutex),
        stdcall("ReleaseSemaphore", 3, sync::release_semaphore),
        stdcall(
            "RemoveVectoredContinueHandler",
            1,
            exceptions::remove_continue_handler,
        ),
        stdcall(
            "RemoveVectoredExceptionHandler",
            1,
            exceptions::remove_exception_handler,
        ),
        stdcall("ResetEvent", 1, sync::reset_event),
        stdcall("ResumeThread", 1, threads::resume_thread),
        guest("RtlCaptureContext"),
        stdcall("RtlFillMemory", 3, strings::rtl_fill_memory),
        stdcall("RtlMoveMemory", 3, strings::rtl_move_memory),
        guest("RtlUnwind"),
        stdcall("RtlZeroMemory", 2, strings::rtl_zero_memory),
        stdcall("SetCriticalSectionSpinCount", 2, critical::set_spin_count),
        stdcall("SetErrorMode", 1, exceptions::set_error_mode),
        stdcall("SetEvent", 1, sync::set_event),
        stdcall("SetLastError", 1, process::set_last_error),
        stdcall(
            "SetProcessWorkingSetSize",
            3,
            system::set_process_working_set_size,
        ),
        stdcall("SetThreadContext", 2, threads::set_thread_context),
        stdcall("SetThreadPriority", 2, threads::set_thread_priority),
        guest("SetUnhandledExceptionFilter"),
        stdcall("SignalObjectAndWait", 4, sync::signal_object_and_wait),
        stdcall("Sleep", 1, threads::sleep),
        stdcall("SleepEx", 2, threads::sleep_ex),
        stdcall("SuspendThread", 1, threads::suspend_thread),
        stdcall("SwitchToThread", 0, threads::switch_to_thread),
        stdcall("TerminateProcess", 2, threads::terminate_process),
        stdcall("TerminateThread", 2, threads::terminate_thread),
        stdcall("TlsAlloc", 0, tls::tls_alloc),
        stdcall("TlsFree", 1, tls::tls_free),
        stdcall("TlsGetValue", 1, tls::tls_get_value),
        stdcall("TlsSetValue", 2, tls::tls_set_value),
        stdcall("TryEnterCriticalSection", 1, critical::try_enter),
        guest("UnhandledExceptionFilter"),
        stdcall("VirtualAlloc", 4, memory::virtual_alloc),
        stdcall("VirtualAllocEx", 5, memory::virtual_alloc_ex),
        stdcall("VirtualFree", 3, memory::virtual_free),
        stdcall("VirtualFreeEx", 4, memory::virtual_free_ex),
        stdcall("VirtualLock", 2, memory::virtual_lock),
        stdcall("VirtualProtect", 4, memory::virtual_protect),
        stdcall("VirtualProtectEx", 5, memory::virtual_protect_ex),
        stdcall("VirtualQuery", 3, memory::virtual_query),
        stdcall("VirtualQueryEx", 4, memory::virtual_query_ex),
        stdcall("VirtualUnlock", 2, memory::virtual_unlock),
        stdcall("WaitForMultipleObjects", 4, sync::wait_for_multiple_objects),
        stdcall(
            "WaitForMultipleObjectsEx",
            5,
            sync::wait_for_multiple_objects_ex,
        ),
        stdcall("WaitForSingleObject", 2, sync::wait_for_single_object),
        stdcall("WaitForSingleObjectEx", 3, sync::wait_for_single_object_ex),
        stdcall("WriteConsoleA", 5, output::write_console),
        stdcall("WriteFile", 5, output::write_file),
        stdcall("lstrcat", 2, strings::lstrcat::<W, Ansi>),
        stdcall("lstrcatA", 2, strings::lstrcat::<W, Ansi>),
        stdcall("lstrcatW", 2, strings::lstrcat::<W, Wide>),
        stdcall("lstrcmp", 2, strings::lstrcmp::<W, Ansi>),
        stdcall("lstrcmpA", 2, strings::lstrcmp::<W, Ansi>),
        stdcall("lstrcmpW", 2, strings::lstrcmp::<W, Wide>),
        stdcall("lstrcmpi", 2, strings::lstrcmpi::<W, Ansi>),
        stdcall("lstrcmpiA", 2, strings::lstrcmpi::<W, Ansi>),
        stdcall("lstrcmpiW", 2, strings::lstrcmpi::<W, Wide>),
        stdcall("lstrcpy", 2, strings::lstrcpy::<W, Ansi>),
        stdcall("lstrcpyA", 2, strings::lstrcpy::<W, Ansi>),
        stdcall("lstrcpyW", 2, strings::lstrcpy::<W, Wide>),
        stdcall("lstrcpyn", 3, strings::lstrcpyn::<W, Ansi>),
        stdcall("lstrcpynA", 3, strings::lstrcpyn::<W, Ansi>),
        stdcall("lstrcpynW", 3, strings::lstrcpyn::<W, Wide>),
        stdcall("lstrlen", 1, strings::lstrlen::<W, Ansi>),
        stdcall("lstrlenA", 1, strings::lstrlen::<W, Ansi>),
        stdcall("lstrlenW", 1, strings::lstrlen::<W, Wide>),
    ];

    const MSVCRT: &'static [Function<W>] = &[
        guest("_XcptFilter"),
        guest("_abnormal_termination"),
        guest("_except_handler3"),
        guest("_global_unwind2"),
        guest("_local_unwind2"),
        guest("_setjmp"),
        guest("_setjmp3"),
        guest("longjmp"),
    ];

    const NTDLL: &'static [Function<W>] = &[
        guest("DbgBreakPoint"),
        guest("KiUserExceptionDispatcher"),
        stdcall("NtContinue", 2, exceptions::nt_continue),
        stdcall("NtRaiseException", 3, exceptions::nt_raise_exception),
        stdcall("PagefaultEndProcess", 1, exceptions::end_process),
        stdcall("PagefaultIsCode", 1, exceptions::is_code),
        stdcall("PagefaultNextHandler", 3, exceptions::next_handler),
        stdcall("PagefaultUnhandled", 2, exceptions::unhandled),
        stdcall(
            "RtlAddVectoredContinueHandler",
            2,
            exceptions::add_continue_handler,
        ),
        stdcall(
            "RtlAddVectoredExceptionHandler",
            2,
            exceptions::add_exception_handler,
        ),
        guest("RtlCaptureContext"),
        stdcall("RtlCompareMemory", 3, strings::rtl_compare_memory),
        stdcall("RtlDeleteCriticalSection", 1, critical::delete),
        guest("RtlDispatchException"),
        stdcall("RtlEnterCriticalSection", 1, critical::enter),
        stdcall("RtlFillMemory", 3, strings::rtl_fill_memory),
        stdcall("RtlInitializeCriticalSection", 1, critical::initialize),
        stdcall("RtlLeaveCriticalSection", 1, critical::leave),
        stdcall("RtlMoveMemory", 3, strings::rtl_move_memory),
        guest("RtlRaiseException"),
        guest("RtlRaiseStatus"),
        stdcall(
            "RtlRemoveVectoredContinueHandler",
            1,
            exceptions::remove_continue_handler,
        ),
        stdcall(
            "RtlRemoveVectoredExceptionHandler",
            1,
            exceptions::remove_exception_handler,
        ),
        stdcall("RtlTryEnterCriticalSection", 1, critical::try_enter),
        guest("RtlUnwind"),
        stdcall("RtlZeroMemory", 2, strings::rtl_zero_memory),
        stdcall("ZwContinue", 2, exceptions::nt_continue),
        stdcall("ZwRaiseException", 3, exceptions::nt_raise_exception),
    ];

    const USER32: &'static [Function<W>] = &[
        stdcall("MessageBoxA", 4, output::message_box::<W, Ansi>),
        stdcall("MessageBoxW", 4, output::message_box::<W, Wide>),
        cdecl("wsprintfA", 2, strings::wsprintf::<W, Ansi>),
        cdecl("wsprintfW", 2, strings::wsprintf::<W, Wide>),
        stdcall("wvsprintfA", 3, strings::wvsprintf::<W, Ansi>),
        stdcall("wvsprintfW", 3, strings::wvsprintf::<W, Wide>),
    ];
}

/// A handler.
type Run<W> = fn(&mut Call<'_, W>) -> Result<u32, Stop>;

const fn stdcall<W: Watch>(name: &'static str, arguments: u8, run: Run<W>) -> Function<W> {
    let convention = Convention::Stdcall(arguments);
    Function {
        name,
        convention,
        run,
    }
}

/// A function that is code of the program's own mode.
const fn guest<W: Watch>(name: &'static str) -> Function<W> {
    Function {
        name,
        convention: Convention::Guest,
        run: |_| unreachable!("its address is elsewhere"),
    }
}

const fn cdecl<W: Watch>(name: &'static str, arguments: u8, run: Run<W>) -> Function<W> {
    let convention = Convention::Cdecl(arguments);
    Function {
        name,
        convention,
        run,
    }
}
