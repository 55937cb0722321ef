//! What the caller can set.

/// Gives the text of included files; the library itself reads no files.
pub trait IncludeFiles {
    /// Returns the display path and the bytes of the file that `including` names, or `None` if
    /// there is none: then the built-in files are tried.
    ///
    /// `name` is as written: it may have `\` or `/`, and its case may differ from the disk's.
    fn read(&self, including: &str, name: &[u8]) -> Option<(String, Vec<u8>)>;
}

/// No files but the built-in ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoIncludes;

impl IncludeFiles for NoIncludes {
    fn read(&self, _including: &str, _name: &[u8]) -> Option<(String, Vec<u8>)> {
        None
    }
}

/// Limits of an assembly. All of them exist so that a hostile source ends with an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Errors after which the assembly stops.
    pub max_errors: u32,
    /// Levels of macros and loops within each other, and of structure definitions.
    pub max_depth: u32,
    /// Lines after expansion.
    pub max_lines: u64,
    /// Bytes of all files, of all expansions, and of the lines and macros that are kept, where each
    /// word and each replaced part counts 24 bytes more. What is searched (by INSTR, by GOTO, for
    /// parameters) counts as read.
    pub max_source_bytes: u64,
    /// Bytes of one line after expansion.
    pub max_line_bytes: u32,
    /// Bytes of all sections together.
    pub max_output_bytes: u64,
    /// Values of data and of structures in all passes together, those that a definition only
    /// measures included.
    pub max_values: u64,
    /// Names and values defined before the first line, as text equates.
    pub defines: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_errors: 100,
            max_depth: 100,
            max_lines: 500_000,
            max_source_bytes: 256 << 20,
            max_line_bytes: 16 << 20,
            max_output_bytes: 64 << 20,
            max_values: 64 << 20,
            defines: Vec::new(),
        }
    }
}
