//! The table of emulated functions, by library.
//!
//! A row is a name, the number of arguments, and the handler. CONTRIBUTING.md says how to add one.

use crate::api::text::{Ansi, Wide};
use crate::api::{Call, Convention, Function, Stop};
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
        guest("DebugBreak"),
        stdcall("ExitProcess", 1, process::exit_process),
        stdcall("FreeLibrary", 1, modules::free_library),
        stdcall("GetCurrentProcess", 0, process::get_current_process),
        stdcall("GetErrorMode", 0, exceptions::get_error_mode),
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
        stdcall("IsDebuggerPresent", 0, exceptions::is_debugger_present),
        stdcall("LoadLibraryA", 1, modules::load_library::<W, Ansi>),
        stdcall("LoadLibraryExA", 3, modules::load_library_ex::<W, Ansi>),
        stdcall("LoadLibraryExW", 3, modules::load_library_ex::<W, Wide>),
        stdcall("LoadLibraryW", 1, modules::load_library::<W, Wide>),
        guest("RaiseException"),
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
        guest("RtlCaptureContext"),
        stdcall("RtlFillMemory", 3, strings::rtl_fill_memory),
        stdcall("RtlMoveMemory", 3, strings::rtl_move_memory),
        guest("RtlUnwind"),
        stdcall("RtlZeroMemory", 2, strings::rtl_zero_memory),
        stdcall("SetErrorMode", 1, exceptions::set_error_mode),
        stdcall("SetLastError", 1, process::set_last_error),
        stdcall(
            "SetProcessWorkingSetSize",
            3,
            system::set_process_working_set_size,
        ),
        guest("SetUnhandledExceptionFilter"),
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
        guest("RtlDispatchException"),
        stdcall("RtlFillMemory", 3, strings::rtl_fill_memory),
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
