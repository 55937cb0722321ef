//! Functions of the Windows libraries by name and number of arguments.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// How a function takes its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Convention {
    Stdcall,
    C,
    /// C, with a variable number of arguments after the fixed ones.
    Variable,
}

/// A function of a library.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) library: &'static str,
    pub(crate) convention: Convention,
    pub(crate) arguments: usize,
}

/// Finds a function of the C library by the name that the SDK gives it: `crt_printf`.
fn prefixed(name: &str) -> Option<&'static Function> {
    of_c(name.strip_prefix("crt_")?)
}

/// Finds a function of the C library by its exported name. Nothing is said of its arguments.
fn of_c(name: &str) -> Option<&'static Function> {
    static C_FUNCTION: Function = Function {
        library: "msvcrt.dll",
        convention: Convention::Variable,
        arguments: 0,
    };
    static NAMES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| C_NAMES.split_ascii_whitespace().collect());
    names.contains(name).then_some(&C_FUNCTION)
}

/// Returns the library that exports a function, which a program may have declared itself.
pub(crate) fn library_of(name: &str) -> Option<&'static str> {
    find(name)
        .or_else(|| of_c(name))
        .map(|function| function.library)
}

/// Finds a function by its exported name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS
        .get_or_init(build)
        .get(name)
        .or_else(|| prefixed(name))
}

/// Returns how the function is spelled whose exported name differs by no more than case.
pub(crate) fn spelling(name: &str) -> Option<&'static str> {
    static SPELLINGS: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    let spellings = SPELLINGS.get_or_init(|| {
        let names = FUNCTIONS.get_or_init(build).keys();
        names
            .map(|&name| (name.to_ascii_lowercase(), name))
            .collect()
    });
    spellings.get(&name.to_ascii_lowercase()).copied()
}

static FUNCTIONS: OnceLock<HashMap<&'static str, Function>> = OnceLock::new();

fn build() -> HashMap<&'static str, Function> {
    let mut functions = HashMap::new();
    for &(library, list) in LIBRARIES {
        let mut words = list.split_ascii_whitespace();
        while let (Some(name), Some(shape)) = (words.next(), words.next()) {
            let (convention, count) = match shape.split_at_checked(1) {
                Some(("c", count)) => (Convention::C, count),
                Some(("v", count)) => (Convention::Variable, count),
                _ => (Convention::Stdcall, shape),
            };
            let arguments = count.parse().unwrap_or(0);
            functions.insert(
                name,
                Function {
                    library,
                    convention,
                    arguments,
                },
            );
        }
    }
    functions
}

/// Library, then names each followed by the number of arguments: `c` stands for the C convention,
/// `v` for the C convention with further arguments.
const LIBRARIES: &[(&str, &str)] = &[
    (
        "kernel32.dll",
        "_lclose 1 _lcreat 2 _llseek 3 _lopen 2 _lread 3 _lwrite 3 AcquireSRWLockExclusive 1
        AcquireSRWLockShared 1 AddVectoredContinueHandler 2 AddVectoredExceptionHandler 2
        AllocateUserPhysicalPages 3 AllocConsole 0 AttachConsole 1 Beep 2 CloseHandle 1
        CompareFileTime 2 CompareStringA 6 ContinueDebugEvent 3 CopyFileA 3 CopyFileW 3
        CreateDirectoryA 2 CreateDirectoryW 2 CreateEventA 4 CreateEventW 4 CreateFileA 7
        CreateFileMappingA 6 CreateFileMappingW 6 CreateFileW 7 CreateMutexA 3 CreateMutexW 3
        CreatePipe 4 CreateProcessA 10 CreateProcessW 10 CreateRemoteThread 7 CreateSemaphoreA 4
        CreateSemaphoreW 4 CreateThread 6 CreateToolhelp32Snapshot 2 DebugBreak 0 DecodePointer
        1 DecodeSystemPointer 1 DeleteCriticalSection 1 DeleteFileA 1 DeleteFileW 1
        DeviceIoControl 8 DisableThreadLibraryCalls 1 DuplicateHandle 7 EncodePointer 1
        EncodeSystemPointer 1 EnterCriticalSection 1 ExitProcess 1 ExitThread 1
        ExpandEnvironmentStringsA 3 ExpandEnvironmentStringsW 3 FatalAppExitA 2 FatalExit 1
        FileTimeToLocalFileTime 2 FileTimeToSystemTime 2 FillConsoleOutputAttribute 5
        FillConsoleOutputCharacterA 5 FillConsoleOutputCharacterW 5 FindClose 1 FindFirstFileA 2
        FindFirstFileW 2 FindNextFileA 2 FindNextFileW 2 FindResourceA 3 FindResourceW 3
        FlsAlloc 1 FlsFree 1 FlsGetValue 1 FlsSetValue 2 FlushConsoleInputBuffer 1
        FlushFileBuffers 1 FlushInstructionCache 3 FlushViewOfFile 2 FormatMessageA 7
        FreeConsole 0 FreeEnvironmentStringsA 1 FreeEnvironmentStringsW 1 FreeLibrary 1
        FreeResource 1 FreeUserPhysicalPages 3 GetACP 0 GetCommandLineA 0 GetCommandLineW 0
        GetComputerNameA 2 GetComputerNameW 2 GetConsoleCP 0 GetConsoleCursorInfo 2
        GetConsoleMode 2 GetConsoleOutputCP 0 GetConsoleScreenBufferInfo 2 GetConsoleTitleA 2
        GetCurrentDirectoryA 2 GetCurrentDirectoryW 2 GetCurrentProcess 0 GetCurrentProcessId 0
        GetCurrentThread 0 GetCurrentThreadId 0 GetDateFormatA 6 GetDiskFreeSpaceA 5
        GetDriveTypeA 1 GetDriveTypeW 1 GetEnvironmentStringsA 0 GetEnvironmentStringsW 0
        GetEnvironmentVariableA 3 GetEnvironmentVariableW 3 GetErrorMode 0 GetExitCodeProcess 2
        GetExitCodeThread 2 GetFileAttributesA 1 GetFileAttributesW 1 GetFileInformationByHandle
        2 GetFileSize 2 GetFileSizeEx 2 GetFileTime 4 GetFileType 1 GetFullPathNameA 4
        GetFullPathNameW 4 GetLargePageMinimum 0 GetLastError 0 GetLocaleInfoA 4 GetLocalTime 1
        GetLogicalDrives 0 GetLogicalDriveStringsA 2 GetModuleFileNameA 3 GetModuleFileNameW 3
        GetModuleHandleA 1 GetModuleHandleExA 3 GetModuleHandleExW 3 GetModuleHandleW 1
        GetNativeSystemInfo 1 GetNumberOfConsoleInputEvents 2 GetOEMCP 0 GetOverlappedResult 4
        GetPriorityClass 1 GetPrivateProfileIntA 4 GetPrivateProfileStringA 6 GetProcAddress 2
        GetProcessAffinityMask 3 GetProcessHeap 0 GetProcessHeaps 2 GetProcessId 1
        GetProcessTimes 5 GetProcessVersion 1 GetProcessWorkingSetSize 3 GetShortPathNameA 3
        GetStartupInfoA 1 GetStartupInfoW 1 GetStdHandle 1 GetStringTypeA 5
        GetSystemDefaultLangID 0 GetSystemDirectoryA 2 GetSystemDirectoryW 2 GetSystemInfo 1
        GetSystemTime 1 GetSystemTimeAsFileTime 1 GetSystemTimePreciseAsFileTime 1
        GetTempFileNameA 4 GetTempPathA 2 GetTempPathW 2 GetThreadContext 2 GetThreadId 1
        GetThreadPriority 1 GetThreadTimes 5 GetTickCount 0 GetTickCount64 0 GetTimeFormatA 6
        GetTimeZoneInformation 1 GetUserDefaultLangID 0 GetVersion 0 GetVersionExA 1
        GetVersionExW 1 GetVolumeInformationA 8 GetWindowsDirectoryA 2 GetWindowsDirectoryW 2
        GetWriteWatch 6 GlobalAddAtomA 1 GlobalAlloc 2 GlobalDeleteAtom 1 GlobalFlags 1
        GlobalFree 1 GlobalHandle 1 GlobalLock 1 GlobalMemoryStatus 1 GlobalMemoryStatusEx 1
        GlobalReAlloc 3 GlobalSize 1 GlobalUnlock 1 HeapAlloc 3 HeapCompact 2 HeapCreate 3
        HeapDestroy 1 HeapFree 3 HeapLock 1 HeapReAlloc 4 HeapSetInformation 4 HeapSize 3
        HeapUnlock 1 HeapValidate 3 HeapWalk 2 InitializeConditionVariable 1
        InitializeCriticalSection 1 InitializeCriticalSectionAndSpinCount 2
        InitializeCriticalSectionEx 3 InitializeSRWLock 1 InitOnceBeginInitialize 4
        InitOnceComplete 3 InitOnceExecuteOnce 4 InitOnceInitialize 1 InterlockedCompareExchange
        3 InterlockedDecrement 1 InterlockedExchange 2 InterlockedExchangeAdd 2
        InterlockedIncrement 1 IsBadCodePtr 1 IsBadReadPtr 2 IsBadStringPtrA 2 IsBadStringPtrW 2
        IsBadWritePtr 2 IsDBCSLeadByte 1 IsDBCSLeadByteEx 2 IsDebuggerPresent 0
        IsProcessorFeaturePresent 1 IsWow64Process 2 LeaveCriticalSection 1 LoadLibraryA 1
        LoadLibraryExA 3 LoadLibraryExW 3 LoadLibraryW 1 LoadResource 2 LocalAlloc 2 LocalFlags
        1 LocalFree 1 LocalHandle 1 LocalLock 1 LocalReAlloc 3 LocalSize 1 LocalUnlock 1
        LockFile 5 LockResource 1 lstrcatA 2 lstrcatW 2 lstrcmpA 2 lstrcmpiA 2 lstrcmpiW 2
        lstrcmpW 2 lstrcpyA 2 lstrcpynA 3 lstrcpynW 3 lstrcpyW 2 lstrlenA 1 lstrlenW 1
        MapUserPhysicalPages 3 MapViewOfFile 5 MapViewOfFileEx 6 MoveFileA 2 MoveFileExA 3
        MoveFileW 2 MulDiv 3 MultiByteToWideChar 6 OpenEventA 3 OpenEventW 3 OpenFile 3
        OpenFileMappingA 3 OpenFileMappingW 3 OpenMutexA 3 OpenMutexW 3 OpenProcess 3
        OpenSemaphoreA 3 OpenSemaphoreW 3 OpenThread 3 OutputDebugStringA 1 OutputDebugStringW 1
        PeekConsoleInputA 4 PeekNamedPipe 6 PrefetchVirtualMemory 4 Process32First 2
        Process32Next 2 PulseEvent 1 QueryPerformanceCounter 1 QueryPerformanceFrequency 1
        QueueUserAPC 3 RaiseException 4 ReadConsoleA 5 ReadConsoleInputA 4 ReadConsoleInputW 4
        ReadConsoleOutputA 5 ReadConsoleW 5 ReadFile 5 ReadProcessMemory 5 ReclaimVirtualMemory
        2 ReleaseMutex 1 ReleaseSemaphore 3 ReleaseSRWLockExclusive 1 ReleaseSRWLockShared 1
        RemoveDirectoryA 1 RemoveDirectoryW 1 RemoveVectoredContinueHandler 1
        RemoveVectoredExceptionHandler 1 ResetEvent 1 ResetWriteWatch 2 ResumeThread 1
        RtlCaptureContext 1 RtlFillMemory 3 RtlMoveMemory 3 RtlUnwind 4 RtlZeroMemory 2
        SearchPathA 6 SetConsoleActiveScreenBuffer 1 SetConsoleCP 1 SetConsoleCtrlHandler 2
        SetConsoleCursorInfo 2 SetConsoleCursorPosition 2 SetConsoleMode 2 SetConsoleOutputCP 1
        SetConsoleScreenBufferSize 2 SetConsoleTextAttribute 2 SetConsoleTitleA 1
        SetConsoleTitleW 1 SetConsoleWindowInfo 3 SetCriticalSectionSpinCount 2
        SetCurrentDirectoryA 1 SetCurrentDirectoryW 1 SetEndOfFile 1 SetEnvironmentVariableA 2
        SetEnvironmentVariableW 2 SetErrorMode 1 SetEvent 1 SetFileAttributesA 2
        SetFileAttributesW 2 SetFilePointer 4 SetFilePointerEx 5 SetFileTime 4 SetHandleCount 1
        SetHandleInformation 3 SetLastError 1 SetLocalTime 1 SetPriorityClass 2
        SetProcessAffinityMask 2 SetProcessPriorityBoost 2 SetProcessWorkingSetSize 3
        SetStdHandle 2 SetSystemTime 1 SetThreadAffinityMask 2 SetThreadContext 2
        SetThreadIdealProcessor 2 SetThreadPriority 2 SetThreadPriorityBoost 2
        SetThreadStackGuarantee 1 SetUnhandledExceptionFilter 1 SignalObjectAndWait 4
        SizeofResource 2 Sleep 1 SleepConditionVariableCS 3 SleepConditionVariableSRW 4 SleepEx
        2 SuspendThread 1 SwitchToThread 0 SystemTimeToFileTime 2 TerminateProcess 2
        TerminateThread 2 Thread32First 2 Thread32Next 2 TlsAlloc 0 TlsFree 1 TlsGetValue 1
        TlsSetValue 2 TryAcquireSRWLockExclusive 1 TryAcquireSRWLockShared 1
        TryEnterCriticalSection 1 UnhandledExceptionFilter 1 UnlockFile 5 UnmapViewOfFile 1
        VirtualAlloc 4 VirtualAllocEx 5 VirtualFree 3 VirtualFreeEx 4 VirtualLock 2
        VirtualProtect 4 VirtualProtectEx 5 VirtualQuery 3 VirtualQueryEx 4 VirtualUnlock 2
        WaitForDebugEvent 2 WaitForMultipleObjects 4 WaitForMultipleObjectsEx 5
        WaitForSingleObject 2 WaitForSingleObjectEx 3 WakeAllConditionVariable 1
        WakeConditionVariable 1 WideCharToMultiByte 8 WinExec 2 WriteConsoleA 5
        WriteConsoleOutputA 5 WriteConsoleOutputCharacterA 5 WriteConsoleW 5 WriteFile 5
        WritePrivateProfileStringA 4 WriteProcessMemory 5",
    ),
    (
        "user32.dll",
        "AdjustWindowRect 3 AppendMenuA 4 BeginPaint 2 CallWindowProcA 5 CharLowerA 1
        CharLowerBuffA 2 CharLowerBuffW 2 CharLowerW 1 CharNextA 1 CharNextW 1 CharToOemA 2
        CharToOemBuffA 3 CharUpperA 1 CharUpperBuffA 2 CharUpperBuffW 2 CharUpperW 1
        CheckDlgButton 3 CheckMenuItem 3 ClientToScreen 2 CloseClipboard 0 CreateDialogParamA 5
        CreateMenu 0 CreatePopupMenu 0 CreateWindowExA 12 CreateWindowExW 12 DefWindowProcA 4
        DestroyMenu 1 DestroyWindow 1 DialogBoxParamA 5 DispatchMessageA 1 DrawTextA 5
        EmptyClipboard 0 EnableMenuItem 3 EnableWindow 2 EndDialog 2 EndPaint 2 EnumWindows 2
        FillRect 3 FindWindowA 2 GetAsyncKeyState 1 GetClassNameA 3 GetClientRect 2
        GetClipboardData 1 GetCursorPos 1 GetDC 1 GetDesktopWindow 0 GetDlgItem 2 GetDlgItemInt
        4 GetDlgItemTextA 4 GetFocus 0 GetForegroundWindow 0 GetKeyState 1 GetMenu 1 GetMessageA
        4 GetParent 1 GetSubMenu 2 GetSysColor 1 GetSystemMetrics 1 GetWindowLongA 2
        GetWindowRect 2 GetWindowTextA 3 GetWindowTextLengthA 1 GetWindowThreadProcessId 2
        InvalidateRect 3 IsDialogMessageA 2 IsDlgButtonChecked 2 IsWindow 1 KillTimer 2
        LoadAcceleratorsA 2 LoadBitmapA 2 LoadCursorA 2 LoadIconA 2 LoadImageA 6 LoadMenuA 2
        LoadStringA 4 MessageBeep 1 MessageBoxA 4 MessageBoxExA 5 MessageBoxIndirectA 1
        MessageBoxW 4 ModifyMenuA 5 MoveWindow 6 OemToCharA 2 OemToCharBuffA 3 OpenClipboard 1
        PeekMessageA 5 PostMessageA 4 PostQuitMessage 1 PostThreadMessageA 4 RegisterClassA 1
        RegisterClassExA 1 RegisterWindowMessageA 1 ReleaseCapture 0 ReleaseDC 2 ScreenToClient
        2 SendDlgItemMessageA 5 SendMessageA 4 SetCapture 1 SetClipboardData 2 SetCursor 1
        SetCursorPos 2 SetDlgItemInt 4 SetDlgItemTextA 3 SetFocus 1 SetForegroundWindow 1
        SetMenu 2 SetRect 5 SetTimer 4 SetWindowLongA 3 SetWindowPos 7 SetWindowsHookExA 4
        SetWindowTextA 2 ShowWindow 2 SystemParametersInfoA 4 TrackPopupMenu 7
        TranslateAcceleratorA 3 TranslateMessage 1 UnhookWindowsHookEx 1 UpdateWindow 1
        WaitMessage 0 wsprintfA v2 wsprintfW v2 wvsprintfA 3 wvsprintfW 3",
    ),
    (
        "gdi32.dll",
        "BitBlt 9 CreateBrushIndirect 1 CreateCompatibleBitmap 3 CreateCompatibleDC 1
        CreateFontA 14 CreateFontIndirectA 1 CreatePen 3 CreateSolidBrush 1 DeleteDC 1
        DeleteObject 1 Ellipse 5 ExtTextOutA 8 GetObjectA 3 GetPixel 3 GetStockObject 1
        GetTextExtentPoint32A 4 LineTo 3 MoveToEx 4 PatBlt 6 Polygon 3 Rectangle 5 SelectObject 2
        SetBkColor 2 SetBkMode 2 SetPixel 4 SetTextColor 2 StretchBlt 11 TextOutA 5",
    ),
    (
        "advapi32.dll",
        "AdjustTokenPrivileges 6 GetUserNameA 2 GetUserNameW 2 LookupPrivilegeValueA 3
        OpenProcessToken 3 RegCloseKey 1 RegCreateKeyExA 9 RegDeleteKeyA 2 RegDeleteValueA 2
        RegEnumKeyExA 8 RegOpenKeyExA 5 RegQueryValueExA 6 RegSetValueExA 6",
    ),
    (
        "comctl32.dll",
        "InitCommonControls 0 InitCommonControlsEx 1",
    ),
    (
        "comdlg32.dll",
        "ChooseColorA 1 ChooseFontA 1 GetOpenFileNameA 1 GetSaveFileNameA 1",
    ),
    (
        "shell32.dll",
        "DragQueryFileA 4 ShellAboutA 4 ShellExecuteA 6 Shell_NotifyIconA 2",
    ),
    (
        "winmm.dll",
        "PlaySoundA 3 timeBeginPeriod 1 timeEndPeriod 1 timeGetTime 0",
    ),
    (
        "psapi.dll",
        "EmptyWorkingSet 1 GetProcessMemoryInfo 3 QueryWorkingSet 3",
    ),
    (
        "ntdll.dll",
        "DbgBreakPoint 0 NtAllocateVirtualMemory 6 NtContinue 2 NtFreeVirtualMemory 4
        NtProtectVirtualMemory 5 NtQueryVirtualMemory 6 NtRaiseException 3
        RtlAcquireSRWLockExclusive 1 RtlAcquireSRWLockShared 1 RtlAddVectoredContinueHandler 2
        RtlAddVectoredExceptionHandler 2 RtlAllocateHeap 3 RtlCompareMemory 3 RtlDecodePointer 1
        RtlDeleteCriticalSection 1 RtlEncodePointer 1 RtlEnterCriticalSection 1
        RtlExitUserProcess 1 RtlExitUserThread 1 RtlFreeHeap 3 RtlGetLastWin32Error 0
        RtlInitializeConditionVariable 1 RtlInitializeCriticalSection 1 RtlInitializeSRWLock 1
        RtlLeaveCriticalSection 1 RtlRaiseException 1 RtlRaiseStatus 1 RtlReAllocateHeap 4
        RtlReleaseSRWLockExclusive 1 RtlReleaseSRWLockShared 1 RtlRemoveVectoredContinueHandler
        1 RtlRemoveVectoredExceptionHandler 1 RtlSetLastWin32Error 1 RtlSizeHeap 3
        RtlTryAcquireSRWLockExclusive 1 RtlTryAcquireSRWLockShared 1 RtlTryEnterCriticalSection
        1 RtlWakeAllConditionVariable 1 RtlWakeConditionVariable 1 ZwContinue 2 ZwRaiseException
        3",
    ),
    (
        "masm32.lib",
        "ArgClC 2 ArgCl 2 ClearScreen 0 GetCL 2 MemCopy 3 MemFill 3 StdErr 1 StdIn 2 StdOut 1
        StripLF 1 a2dw 1 atodw 1 atol_ex 1 atohex 1 cmdline 0 dw2a 2 dw2ah 2 dw2bin_ex 2 dw2hex 2
        dw2hex_ex 2 dwtoa 2 exist 1 filesize 1 getcl_ex 2 htodw 1 locate 2 lcase 1 ltok 2 nrandom 1
        nseed 1 ucase 1 szCatStr 2 szCmp 2 szCmpi 3 szCopy 2 szLeft 3 szLen 1 szLower 1 szLtrim 2
        szMid 4 szMonospace 1 szMultiCat v2 szRemove 3 szRep 4 szRev 2 szRight 3 szRtrim 2
        szTrim 1 szUpper 1 szappend 3 udw2str 2 ustr2dw 1 wait_key 0 ret_key 0",
    ),
    (
        "msvcrt.dll",
        "_cprintf v1 _exit c1 _getch c0 _getche c0 _itoa c3 _kbhit c0 _ltoa c3 _putch c1
        _snprintf v3 _stricmp c2 _strdup c1 _strlwr c1 _strnicmp c3 _strrev c1 _strupr c1
        _ultoa c3 abort c0 abs c1 atof c1 atoi c1 atol c1 bsearch c5 calloc c2 clock c0 exit c1
        fclose c1 feof c1 ferror c1 fflush c1 fgetc c1 fgets c3 fopen c2 fprintf v2 fputc c2
        fputs c2 fread c4 free c1 fscanf v2 fseek c3 ftell c1 fwrite c4 getc c1 getchar c0 gets c1
        isalnum c1 isalpha c1 isdigit c1 islower c1 isspace c1 isupper c1 isxdigit c1 labs c1
        malloc c1 memchr c3 memcmp c3 memcpy c3 memmove c3 memset c3 perror c1 printf v1 putc c2
        putchar c1 puts c1 qsort c4 rand c0 realloc c2 remove c1 rename c2 rewind c1 scanf v1
        setlocale c2 signal c2 sprintf v2 srand c1 sscanf v2 strcat c2 strchr c2 strcmp c2
        strcpy c2 strcspn c2 strlen c1 strncat c3 strncmp c3 strncpy c3 strpbrk c2 strrchr c2
        strspn c2 strstr c2 strtok c2 strtol c3 strtoul c3 system c1 time c1 tolower c1 toupper c1
        ungetc c2 vprintf c2 vsprintf c3",
    ),
];

/// What the C library exports, for the names with a prefix.
const C_NAMES: &str = "\
    _XcptFilter ___mb_cur_max_func __doserrno __getmainargs __iob_func __pctype_func
    __set_app_type __setusermatherr __wgetmainargs _abnormal_termination _amsg_exit _atoi64
    _beginthread _beginthreadex _cexit _clearfp _configthreadlocale _controlfp _copysign
    _cprintf _cputs _endthread _endthreadex _errno _except_handler3 _exit _fileno _finite
    _flushall _fpreset _ftol _getch _getche _global_unwind2 _hypot _i64toa _initterm _initterm_e
    _isatty _isnan _itoa _kbhit _local_unwind2 _lock _lrotl _lrotr _ltoa _memicmp _msize _onexit
    _putch _putenv _putws _read _rotl _rotr _scprintf _set_invalid_parameter_handler _setjmp
    _setjmp3 _setmode _snprintf _snwprintf _strcmpi _strdup _stricmp _strlwr _strnicmp _strnset
    _strrev _strset _strupr _ui64toa _ultoa _unlink _unlock _vscprintf _vsnprintf _vsnwprintf
    _wcsdup _wcsicmp _wcslwr _wcsnicmp _wcsrev _wcsupr _write _wtoi _wtol abort abs acos asctime
    asin atan atan2 atexit atof atoi atol bsearch calloc ceil clearerr clock cos cosh ctime
    difftime div exit exp fabs fclose feof ferror fflush fgetc fgets floor fmod fopen fprintf
    fputc fputs fread free fscanf fseek ftell fwprintf fwrite getc getchar getenv gets gmtime
    isalnum isalpha iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit
    labs ldexp ldiv localeconv localtime log log10 longjmp malloc mbstowcs memchr memcmp memcpy
    memmove memset mktime modf perror pow printf putc putchar puts qsort raise rand realloc
    remove rename rewind scanf setbuf setlocale setvbuf signal sin sinh sprintf sqrt srand
    sscanf strcat strchr strcmp strcoll strcpy strcspn strerror strlen strncat strncmp strncpy
    strnlen strpbrk strrchr strspn strstr strtod strtok strtol strtoul swprintf system tan tanh
    time tolower toupper ungetc vfprintf vfwprintf vprintf vsprintf vswprintf wcscat wcschr
    wcscmp wcscoll wcscpy wcscspn wcslen wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsspn wcsstr
    wcstok wcstombs wprintf";
