//! Results on standard output, and files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

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

/// Writes a file that is whole or not there: what was there before stays until the new one is
/// complete.
///
/// # Errors
///
/// It cannot be written.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    WholeFile::create("", path)?.fill(bytes)
}

/// A file that gets its name when it is complete. Until then, and if it never is, nothing is under
/// that name but what was there before.
#[derive(Debug)]
pub(crate) struct WholeFile {
    /// What an error says that cannot be done.
    failure: String,
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A file in the same folder, which is renamed.
    Beside(BufWriter<NamedTempFile>),
    /// A pipe or a device, which must not be replaced.
    Direct(BufWriter<File>),
}

impl WholeFile {
    /// Begins a file; an error says that `what`, as in "the report to ", cannot be written.
    ///
    /// # Errors
    ///
    /// Its folder is not there or cannot be written, or the name is that of a folder.
    pub(crate) fn create(what: &str, path: &Path) -> anyhow::Result<Self> {
        let failure = format!("cannot write {what}{}", path.display());
        // A link stays one; what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let target = if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            let opened = OpenOptions::new().write(true).open(&path);
            Target::Direct(BufWriter::new(opened.context(failure.clone())?))
        } else {
            let file = beside(&path).context(failure.clone())?;
            Target::Beside(BufWriter::new(file))
        };
        Ok(Self {
            failure,
            path,
            target,
        })
    }

    /// Writes all that the file is to hold, and finishes it.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn fill(mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.write_all(bytes);
        written.with_context(|| self.failure.clone())?;
        self.finish()
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// The last bytes cannot be written, or the file not be renamed.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let done = match self.target {
            Target::Beside(file) => file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| file.persist(&self.path).map_err(|failed| failed.error))
                .map(|_| ()),
            Target::Direct(mut file) => file.flush(),
        };
        done.context(self.failure)
    }
}

/// What the names of files begin and end with that are not complete.
const PART_PREFIX: &str = ".pagefault-";
const PART_SUFFIX: &str = ".part";

/// Removes files that were never completed, since whoever wrote them was killed. Nobody else may
/// write to that folder now.
pub(crate) fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_file = entry.file_type().is_ok_and(|found| found.is_file());
        if is_file && name.starts_with(PART_PREFIX) && name.ends_with(PART_SUFFIX) {
            // One that cannot be removed harms nobody.
            _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a file without a lasting name in the folder of another.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(PART_PREFIX).suffix(PART_SUFFIX);
    // Others may read a result, as any file that a command writes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The name that it has for now means nothing to a user.
    builder.tempfile_in(folder).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" at path ").next().unwrap_or_default();
        io::Error::new(error.kind(), reason)
    })
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Beside(file) => file.write(bytes),
            Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Beside(file) => file.flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}
