//! What a program can have of the system at most, where each takes memory of the host that no other
//! bound counts. `docs/LIMITS.md` has them with those of other files.

/// The most characters of all environment variables with their names, each counted with its `=`
/// and its zero. Windows had 32,767 for all of them once and has none now.
pub(crate) const ENVIRONMENT_CHARACTERS: usize = 1 << 20;
/// The most environment variables.
pub(crate) const ENVIRONMENT_VARIABLES: usize = 1 << 14;
/// The most vectored handlers, those for exceptions and those for going on together.
pub(crate) const VECTORED_HANDLERS: usize = 1 << 14;
/// The most calls that are queued for all threads together.
pub(crate) const QUEUED_CALLS: usize = 1 << 16;
/// The most files that are open at a time, and the most searches: what the C library of Windows
/// allows, and fewer than hosts do.
pub(crate) const OPEN_FILES: usize = 512;
/// The most names that all open searches hold together.
pub(crate) const FOUND_FILES: usize = 1 << 18;
/// The largest file that `CopyFile` copies, in bytes: the host does it within one call.
pub(crate) const COPIED_BYTES: usize = 1 << 28;
/// The most characters that a call of the `scanf` family takes.
pub(crate) const SCANNED_CHARACTERS: u32 = 1 << 22;
/// The longest number that it reads, in characters: more than the longest `double` in full.
pub(crate) const NUMBER_CHARACTERS: usize = 512;
/// The longest name of an object or a section, in characters: `MAX_PATH`.
pub(crate) const NAME_CHARACTERS: usize = 260;
/// The most allocations of which it is remembered who released them.
pub(crate) const RELEASED: usize = 1 << 16;
/// The most characters that a call of the `printf` family makes.
pub(crate) const PRINTED_CHARACTERS: usize = 1 << 22;
/// The longest text that is converted by one call, in bytes.
pub(crate) const CONVERTED_BYTES: u32 = 1 << 24;
