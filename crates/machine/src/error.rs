//! Win32 error codes beyond those of the memory manager.

use pagefault_vmm::Win32Code;

/// `ERROR_MOD_NOT_FOUND`
pub(crate) const MOD_NOT_FOUND: Win32Code = Win32Code::new(126);
/// `ERROR_PROC_NOT_FOUND`
pub(crate) const PROC_NOT_FOUND: Win32Code = Win32Code::new(127);
/// `ERROR_INSUFFICIENT_BUFFER`
pub(crate) const INSUFFICIENT_BUFFER: Win32Code = Win32Code::new(122);
/// `ERROR_FILE_NOT_FOUND`
pub(crate) const FILE_NOT_FOUND: Win32Code = Win32Code::new(2);
/// `ERROR_SHARING_VIOLATION`
pub(crate) const SHARING_VIOLATION: Win32Code = Win32Code::new(32);
/// `ERROR_DISK_FULL`
pub(crate) const DISK_FULL: Win32Code = Win32Code::new(112);
/// `ERROR_SIGNAL_REFUSED`
pub(crate) const TOO_MANY_SUSPENDS: Win32Code = Win32Code::new(156);
/// `ERROR_NO_SYSTEM_RESOURCES`
pub(crate) const NO_SYSTEM_RESOURCES: Win32Code = Win32Code::new(1450);
/// `ERROR_ALREADY_EXISTS`
pub(crate) const ALREADY_EXISTS: Win32Code = Win32Code::new(183);
/// `ERROR_NOT_OWNER`
pub(crate) const NOT_OWNER: Win32Code = Win32Code::new(288);
/// `ERROR_TOO_MANY_POSTS`
pub(crate) const TOO_MANY_POSTS: Win32Code = Win32Code::new(298);
/// `ERROR_TOO_MANY_OPEN_FILES`
pub(crate) const TOO_MANY_OPEN_FILES: Win32Code = Win32Code::new(4);
/// `ERROR_FILENAME_EXCED_RANGE`
pub(crate) const NAME_TOO_LONG: Win32Code = Win32Code::new(206);
/// `ERROR_PATH_NOT_FOUND`
pub(crate) const PATH_NOT_FOUND: Win32Code = Win32Code::new(3);
/// `ERROR_NO_MORE_FILES`
pub(crate) const NO_MORE_FILES: Win32Code = Win32Code::new(18);
/// `ERROR_NOT_READY`, what a device answers that cannot be read.
pub(crate) const READ_FAULT: Win32Code = Win32Code::new(30);
/// `ERROR_FILE_EXISTS`
pub(crate) const FILE_EXISTS: Win32Code = Win32Code::new(80);
/// `ERROR_NEGATIVE_SEEK`
pub(crate) const NEGATIVE_SEEK: Win32Code = Win32Code::new(131);
/// `ERROR_DIR_NOT_EMPTY`
pub(crate) const DIR_NOT_EMPTY: Win32Code = Win32Code::new(145);
/// `ERROR_ENVVAR_NOT_FOUND`
pub(crate) const ENVVAR_NOT_FOUND: Win32Code = Win32Code::new(203);
/// `ERROR_GEN_FAILURE`
pub(crate) const GEN_FAILURE: Win32Code = Win32Code::new(31);
/// `ERROR_TIMEOUT`
pub(crate) const TIMEOUT: Win32Code = Win32Code::new(1460);
/// `ERROR_RESOURCE_TYPE_NOT_FOUND`
pub(crate) const RESOURCE_TYPE_NOT_FOUND: Win32Code = Win32Code::new(1813);
/// `ERROR_RESOURCE_DATA_NOT_FOUND`
pub(crate) const RESOURCE_DATA_NOT_FOUND: Win32Code = Win32Code::new(1812);
/// `ERROR_RESOURCE_NAME_NOT_FOUND`
pub(crate) const RESOURCE_NAME_NOT_FOUND: Win32Code = Win32Code::new(1814);
/// `ERROR_FILE_INVALID`
pub(crate) const FILE_INVALID: Win32Code = Win32Code::new(1006);
