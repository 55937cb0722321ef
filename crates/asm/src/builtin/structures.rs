//! Structures of the Windows ABI, with the member names that MASM programs use.

/// The definitions, as source text.
pub(super) const STRUCTURES: &str = "\
BOOL typedef DWORD
BOOLEAN typedef BYTE
CHAR typedef BYTE
UCHAR typedef BYTE
UINT typedef DWORD
ULONG typedef DWORD
LONG typedef DWORD
USHORT typedef WORD
DWORDLONG typedef QWORD
LPVOID typedef DWORD
LPSTR typedef DWORD
LPCSTR typedef DWORD
LPTSTR typedef DWORD
LPCTSTR typedef DWORD
LPDWORD typedef DWORD
PVOID typedef DWORD
HANDLE typedef DWORD
HINSTANCE typedef DWORD
HMODULE typedef DWORD
HWND typedef DWORD
HDC typedef DWORD
HICON typedef DWORD
HCURSOR typedef DWORD
HBRUSH typedef DWORD
HMENU typedef DWORD
WPARAM typedef DWORD
LPARAM typedef DWORD
LRESULT typedef DWORD
COLORREF typedef DWORD
SIZE_T typedef DWORD
LARGE_INTEGER union
 struct
  LowPart DWORD ?
  HighPart DWORD ?
 ends
 QuadPart QWORD ?
LARGE_INTEGER ends
ULARGE_INTEGER typedef LARGE_INTEGER
MEMORY_BASIC_INFORMATION struct
 BaseAddress DWORD ?
 AllocationBase DWORD ?
 AllocationProtect DWORD ?
 RegionSize DWORD ?
 State DWORD ?
 Protect DWORD ?
 lType DWORD ?
MEMORY_BASIC_INFORMATION ends
SYSTEM_INFO struct
 union
  dwOemId DWORD ?
  struct
   wProcessorArchitecture WORD ?
   wReserved WORD ?
  ends
 ends
 dwPageSize DWORD ?
 lpMinimumApplicationAddress DWORD ?
 lpMaximumApplicationAddress DWORD ?
 dwActiveProcessorMask DWORD ?
 dwNumberOfProcessors DWORD ?
 dwProcessorType DWORD ?
 dwAllocationGranularity DWORD ?
 wProcessorLevel WORD ?
 wProcessorRevision WORD ?
SYSTEM_INFO ends
SYSTEM_INFO_ typedef SYSTEM_INFO
MEMORYSTATUS struct
 dwLength DWORD ?
 dwMemoryLoad DWORD ?
 dwTotalPhys DWORD ?
 dwAvailPhys DWORD ?
 dwTotalPageFile DWORD ?
 dwAvailPageFile DWORD ?
 dwTotalVirtual DWORD ?
 dwAvailVirtual DWORD ?
MEMORYSTATUS ends
MEMORYSTATUSEX struct
 dwLength DWORD ?
 dwMemoryLoad DWORD ?
 ullTotalPhys QWORD ?
 ullAvailPhys QWORD ?
 ullTotalPageFile QWORD ?
 ullAvailPageFile QWORD ?
 ullTotalVirtual QWORD ?
 ullAvailVirtual QWORD ?
 ullAvailExtendedVirtual QWORD ?
MEMORYSTATUSEX ends
EXCEPTION_RECORD struct
 ExceptionCode DWORD ?
 ExceptionFlags DWORD ?
 pExceptionRecord DWORD ?
 ExceptionAddress DWORD ?
 NumberParameters DWORD ?
 ExceptionInformation DWORD 15 dup(?)
EXCEPTION_RECORD ends
EXCEPTION_POINTERS struct
 pExceptionRecord DWORD ?
 ContextRecord DWORD ?
EXCEPTION_POINTERS ends
EXCEPTION_REGISTRATION struct
 prev DWORD ?
 handler DWORD ?
EXCEPTION_REGISTRATION ends
FLOATING_SAVE_AREA struct
 ControlWord DWORD ?
 StatusWord DWORD ?
 TagWord DWORD ?
 ErrorOffset DWORD ?
 ErrorSelector DWORD ?
 DataOffset DWORD ?
 DataSelector DWORD ?
 RegisterArea BYTE 80 dup(?)
 Cr0NpxState DWORD ?
FLOATING_SAVE_AREA ends
CONTEXT struct
 ContextFlags DWORD ?
 iDr0 DWORD ?
 iDr1 DWORD ?
 iDr2 DWORD ?
 iDr3 DWORD ?
 iDr6 DWORD ?
 iDr7 DWORD ?
 FloatSave FLOATING_SAVE_AREA <>
 regGs DWORD ?
 regFs DWORD ?
 regEs DWORD ?
 regDs DWORD ?
 regEdi DWORD ?
 regEsi DWORD ?
 regEbx DWORD ?
 regEdx DWORD ?
 regEcx DWORD ?
 regEax DWORD ?
 regEbp DWORD ?
 regEip DWORD ?
 regCs DWORD ?
 regFlag DWORD ?
 regEsp DWORD ?
 regSs DWORD ?
 ExtendedRegisters BYTE 512 dup(?)
CONTEXT ends
NT_TIB struct
 ExceptionList DWORD ?
 StackBase DWORD ?
 StackLimit DWORD ?
 SubSystemTib DWORD ?
 FiberData DWORD ?
 ArbitraryUserPointer DWORD ?
 Self DWORD ?
NT_TIB ends
FILETIME struct
 dwLowDateTime DWORD ?
 dwHighDateTime DWORD ?
FILETIME ends
SYSTEMTIME struct
 wYear WORD ?
 wMonth WORD ?
 wDayOfWeek WORD ?
 wDay WORD ?
 wHour WORD ?
 wMinute WORD ?
 wSecond WORD ?
 wMilliseconds WORD ?
SYSTEMTIME ends
WIN32_FIND_DATA struct
 dwFileAttributes DWORD ?
 ftCreationTime FILETIME <>
 ftLastAccessTime FILETIME <>
 ftLastWriteTime FILETIME <>
 nFileSizeHigh DWORD ?
 nFileSizeLow DWORD ?
 dwReserved0 DWORD ?
 dwReserved1 DWORD ?
 cFileName BYTE 260 dup(?)
 cAlternate BYTE 14 dup(?)
 align 4
WIN32_FIND_DATA ends
STARTUPINFO struct
 cb DWORD ?
 lpReserved DWORD ?
 lpDesktop DWORD ?
 lpTitle DWORD ?
 dwX DWORD ?
 dwY DWORD ?
 dwXSize DWORD ?
 dwYSize DWORD ?
 dwXCountChars DWORD ?
 dwYCountChars DWORD ?
 dwFillAttribute DWORD ?
 dwFlags DWORD ?
 wShowWindow WORD ?
 cbReserved2 WORD ?
 lpReserved2 DWORD ?
 hStdInput DWORD ?
 hStdOutput DWORD ?
 hStdError DWORD ?
STARTUPINFO ends
PROCESS_INFORMATION struct
 hProcess DWORD ?
 hThread DWORD ?
 dwProcessId DWORD ?
 dwThreadId DWORD ?
PROCESS_INFORMATION ends
SECURITY_ATTRIBUTES struct
 nLength DWORD ?
 lpSecurityDescriptor DWORD ?
 bInheritHandle DWORD ?
SECURITY_ATTRIBUTES ends
OVERLAPPED struct
 Internal DWORD ?
 InternalHigh DWORD ?
 loffset DWORD ?
 OffsetHigh DWORD ?
 hEvent DWORD ?
OVERLAPPED ends
RTL_CRITICAL_SECTION struct
 DebugInfo DWORD ?
 LockCount DWORD ?
 RecursionCount DWORD ?
 OwningThread DWORD ?
 LockSemaphore DWORD ?
 SpinCount DWORD ?
RTL_CRITICAL_SECTION ends
CRITICAL_SECTION typedef RTL_CRITICAL_SECTION
OSVERSIONINFO struct
 dwOSVersionInfoSize DWORD ?
 dwMajorVersion DWORD ?
 dwMinorVersion DWORD ?
 dwBuildNumber DWORD ?
 dwPlatformId DWORD ?
 szCSDVersion BYTE 128 dup(?)
OSVERSIONINFO ends
COORD struct
 x WORD ?
 y WORD ?
COORD ends
SMALL_RECT struct
 Left WORD ?
 Top WORD ?
 Right WORD ?
 Bottom WORD ?
SMALL_RECT ends
CONSOLE_SCREEN_BUFFER_INFO struct
 dwSize COORD <>
 dwCursorPosition COORD <>
 wAttributes WORD ?
 srWindow SMALL_RECT <>
 dwMaximumWindowSize COORD <>
CONSOLE_SCREEN_BUFFER_INFO ends
CONSOLE_CURSOR_INFO struct
 dwSize DWORD ?
 bVisible DWORD ?
CONSOLE_CURSOR_INFO ends
POINT struct
 x DWORD ?
 y DWORD ?
POINT ends
RECT struct
 left DWORD ?
 top DWORD ?
 right DWORD ?
 bottom DWORD ?
RECT ends
MSG struct
 hwnd DWORD ?
 message DWORD ?
 wParam DWORD ?
 lParam DWORD ?
 time DWORD ?
 pt POINT <>
MSG ends
WNDCLASSEX struct
 cbSize DWORD ?
 style DWORD ?
 lpfnWndProc DWORD ?
 cbClsExtra DWORD ?
 cbWndExtra DWORD ?
 hInstance DWORD ?
 hIcon DWORD ?
 hCursor DWORD ?
 hbrBackground DWORD ?
 lpszMenuName DWORD ?
 lpszClassName DWORD ?
 hIconSm DWORD ?
WNDCLASSEX ends
PAINTSTRUCT struct
 hdc DWORD ?
 fErase DWORD ?
 rcPaint RECT <>
 fRestore DWORD ?
 fIncUpdate DWORD ?
 rgbReserved BYTE 32 dup(?)
PAINTSTRUCT ends
DEBUG_EVENT struct
 dwDebugEventCode DWORD ?
 dwProcessId DWORD ?
 dwThreadId DWORD ?
 u BYTE 84 dup(?)
DEBUG_EVENT ends
PROCESS_MEMORY_COUNTERS struct
 cb DWORD ?
 PageFaultCount DWORD ?
 PeakWorkingSetSize DWORD ?
 WorkingSetSize DWORD ?
 QuotaPeakPagedPoolUsage DWORD ?
 QuotaPagedPoolUsage DWORD ?
 QuotaPeakNonPagedPoolUsage DWORD ?
 QuotaNonPagedPoolUsage DWORD ?
 PagefileUsage DWORD ?
 PeakPagefileUsage DWORD ?
PROCESS_MEMORY_COUNTERS ends
";
