//! Where things are in a process.

/// The first module of the system, in the range where Windows has its libraries.
pub(crate) const SYSTEM_BASE: u32 = 0x7C80_0000;
/// The distance between two modules of the system, in bytes.
pub(crate) const MODULE_BYTES: u32 = 0x1_0000;
/// The distance between two functions of a module, in bytes.
pub(crate) const API_SLOT_BYTES: u32 = 16;

/// Where the system's code that runs in the program's own mode is linked.
pub(crate) const SYSTEM_CODE_BASE: u32 = 0x7CB0_0000;

/// The region of the thread and process environment blocks.
pub(crate) const ENVIRONMENT_BASE: u32 = 0x7FFD_0000;
/// Its size.
pub(crate) const ENVIRONMENT_BYTES: u32 = 0x1_0000;
/// The process environment block.
pub(crate) const PEB: u32 = 0x7FFD_E000;
/// The thread environment block, to which FS points.
pub(crate) const TEB: u32 = 0x7FFD_F000;

/// TEBs for which there is room below the PEB, beside that of the first thread.
pub(crate) const SYSTEM_TEBS: u32 = 8;
/// Texts that the PEB refers to, at the start of the region.
pub(crate) const STRINGS: u32 = ENVIRONMENT_BASE;
/// The room for them: two pages.
pub(crate) const STRINGS_BYTES: u32 = 0x2000;
/// The page that the kernel shares with every process, `KUSER_SHARED_DATA`.
pub(crate) const SHARED_DATA: u32 = 0x7FFE_0000;

/// Fields of the TEB, as offsets. Public Windows headers document the first ones as `NT_TIB`.
pub(crate) mod teb {
    /// `ExceptionList`: the innermost exception registration; -1 ends the chain.
    pub(crate) const EXCEPTION_LIST: u32 = 0x00;
    /// `StackBase`: the first address above the stack.
    pub(crate) const STACK_BASE: u32 = 0x04;
    /// `StackLimit`: the lowest address of the stack that can be used.
    pub(crate) const STACK_LIMIT: u32 = 0x08;
    /// `Self`: the TEB's linear address.
    pub(crate) const SELF: u32 = 0x18;
    /// The process id.
    pub(crate) const PROCESS_ID: u32 = 0x20;
    /// The thread id.
    pub(crate) const THREAD_ID: u32 = 0x24;
    /// `ThreadLocalStoragePointer`
    pub(crate) const LOCAL_STORAGE: u32 = 0x2C;
    /// The linear address of the PEB.
    pub(crate) const PEB: u32 = 0x30;
    /// `LastErrorValue`.
    pub(crate) const LAST_ERROR: u32 = 0x34;
    /// `CurrentLocale`
    pub(crate) const CURRENT_LOCALE: u32 = 0xC4;
    /// `RealClientId`: the process id.
    pub(crate) const REAL_PROCESS_ID: u32 = 0x6B4;
    /// `RealClientId`: the thread id.
    pub(crate) const REAL_THREAD_ID: u32 = 0x6B8;
    /// `DeallocationStack`: the lowest address of the stack's reservation.
    pub(crate) const DEALLOCATION_STACK: u32 = 0xE0C;
    /// `TlsSlots`: 64 thread-local values.
    pub(crate) const TLS_SLOTS: u32 = 0xE10;
    /// `errno` of the C library, behind all that Windows has in a TEB: `system/msvcrt.asm`.
    pub(crate) const ERRNO: u32 = 0xFF0;
}

/// Fields of the PEB, as offsets.
pub(crate) mod peb {
    /// `BeingDebugged`, a byte.
    pub(crate) const BEING_DEBUGGED: u32 = 0x02;
    /// `Mutant`
    pub(crate) const MUTANT: u32 = 0x04;
    /// `ImageBaseAddress`
    pub(crate) const IMAGE_BASE: u32 = 0x08;
    /// `Ldr`
    pub(crate) const LOADER: u32 = 0x0C;
    /// `ProcessParameters`
    pub(crate) const PARAMETERS: u32 = 0x10;
    /// `ProcessHeap`
    pub(crate) const PROCESS_HEAP: u32 = 0x18;
    /// `CrossProcessFlags`: among others, which lists have vectored handlers.
    pub(crate) const CROSS_PROCESS_FLAGS: u32 = 0x28;
    /// `NumberOfProcessors`
    pub(crate) const PROCESSORS: u32 = 0x64;
    /// `OSMajorVersion`
    pub(crate) const MAJOR_VERSION: u32 = 0xA4;
    /// `OSMinorVersion`
    pub(crate) const MINOR_VERSION: u32 = 0xA8;
    /// `OSBuildNumber`, 16 bits
    pub(crate) const BUILD: u32 = 0xAC;
    /// `OSPlatformId`
    pub(crate) const PLATFORM: u32 = 0xB0;
    /// `ImageSubsystem`
    pub(crate) const SUBSYSTEM: u32 = 0xB4;
    /// `ImageSubsystemMajorVersion`
    pub(crate) const SUBSYSTEM_MAJOR: u32 = 0xB8;
}

/// Fields of `KUSER_SHARED_DATA`, as offsets. Times have their upper half twice.
pub(crate) mod shared {
    /// `TickCountMultiplier`
    pub(crate) const TICK_MULTIPLIER: u32 = 0x04;
    /// `InterruptTime`
    pub(crate) const INTERRUPT_TIME: u32 = 0x08;
    /// `SystemTime`
    pub(crate) const SYSTEM_TIME: u32 = 0x14;
    /// `NtSystemRoot`
    pub(crate) const SYSTEM_ROOT: u32 = 0x30;
    /// `NtProductType`
    pub(crate) const PRODUCT_TYPE: u32 = 0x264;
    /// `ProductTypeIsValid`
    pub(crate) const PRODUCT_TYPE_VALID: u32 = 0x268;
    /// `NtMajorVersion`
    pub(crate) const MAJOR_VERSION: u32 = 0x26C;
    /// `NtMinorVersion`
    pub(crate) const MINOR_VERSION: u32 = 0x270;
    /// `TickCount`
    pub(crate) const TICK_COUNT: u32 = 0x320;
}

/// What ends the chain of exception registrations.
pub(crate) const END_OF_EXCEPTION_LIST: u32 = u32::MAX;
/// The id of the only process. Windows' ids are multiples of 4.
pub(crate) const PROCESS_ID: u32 = 0x1000;
/// The id of its first thread.
pub(crate) const THREAD_ID: u32 = 0x1004;
