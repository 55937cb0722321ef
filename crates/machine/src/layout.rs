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
pub(crate) const SYSTEM_TEBS: u32 = 14;

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
}

/// Fields of the PEB, as offsets.
pub(crate) mod peb {
    /// `BeingDebugged`, a byte.
    pub(crate) const BEING_DEBUGGED: u32 = 0x02;
    /// `ImageBaseAddress`
    pub(crate) const IMAGE_BASE: u32 = 0x08;
    /// `CrossProcessFlags`: among others, which lists have vectored handlers.
    pub(crate) const CROSS_PROCESS_FLAGS: u32 = 0x28;
}

/// What ends the chain of exception registrations.
pub(crate) const END_OF_EXCEPTION_LIST: u32 = u32::MAX;
/// The id of the only process. Windows' ids are multiples of 4.
pub(crate) const PROCESS_ID: u32 = 0x1000;
/// The id of its first thread.
pub(crate) const THREAD_ID: u32 = 0x1004;
