//! Sources for the assembler.

use pagefault_asm::{IncludeFiles, Options};

/// What stands between a source and the text of the files that it includes: the record separator,
/// which no source has.
const SEPARATOR: u8 = 0x1E;
/// Files of its own have names that begin with this.
const OWN: u8 = b'o';

/// Returns the source in an input, and what it can include.
pub fn split(data: &[u8]) -> (&[u8], OneText<'_>) {
    let mut parts = data.splitn(2, |&byte| byte == SEPARATOR);
    let source = parts.next().unwrap_or_default();
    (source, OneText(parts.next().unwrap_or_default()))
}

/// Returns limits that an input of a few kilobytes can reach, and soon.
pub fn limits() -> Options {
    Options {
        max_lines: 20_000,
        max_source_bytes: 1 << 23,
        max_values: 1 << 20,
        max_line_bytes: 1 << 18,
        max_output_bytes: 1 << 20,
        ..Options::default()
    }
}

/// Files whose names begin with `o` all have the same text; of the others there are only those that
/// the assembler brings.
#[derive(Clone, Copy, Debug)]
pub struct OneText<'a>(&'a [u8]);

impl IncludeFiles for OneText<'_> {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let is_own = name.first() == Some(&OWN);
        let path = String::from_utf8_lossy(name).into_owned();
        is_own.then(|| (path, self.0.to_vec()))
    }
}
