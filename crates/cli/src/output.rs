//! Results on standard output.

use std::io::{self, Write};

use anyhow::Context;

/// Writes a result to standard output, which may have gone away, as with `| head`.
///
/// # Errors
///
/// It cannot be written for another reason.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the result")
        }
        _ => Ok(()),
    }
}
