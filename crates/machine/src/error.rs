//! Win32 error codes beyond those of the memory manager.

use pagefault_vmm::Win32Code;

/// `ERROR_MOD_NOT_FOUND`
pub(crate) const MOD_NOT_FOUND: Win32Code = Win32Code::new(126);
/// `ERROR_PROC_NOT_FOUND`
pub(crate) const PROC_NOT_FOUND: Win32Code = Win32Code::new(127);
/// `ERROR_INSUFFICIENT_BUFFER`
pub(crate) const INSUFFICIENT_BUFFER: Win32Code = Win32Code::new(122);
