//! The user's files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use pagefault_asm::IncludeFiles;

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Reads a source file.
///
/// # Errors
///
/// One sentence for the user, without the path.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a directory".to_owned());
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        // A device or a pipe has no size, and may have no end.
        let mut file = file.take(MAX_FILE_BYTES + 1);
        file.read_to_end(&mut bytes)
    });
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20));
    }
    Ok(bytes)
}

/// Finds included files beside the file that includes them, whatever the case of their names.
#[derive(Debug)]
pub(crate) struct Includes;

impl IncludeFiles for Includes {
    fn read(&self, including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = std::str::from_utf8(name).ok()?;
        let mut path = Path::new(including)
            .parent()
            .unwrap_or(Path::new(""))
            .to_path_buf();
        if name.starts_with(['\\', '/']) {
            path = PathBuf::from("/");
        }
        for part in name
            .split(['\\', '/'])
            .filter(|part| !part.is_empty() && *part != ".")
        {
            path = if part == ".." {
                path.join("..")
            } else {
                entry(&path, part)?
            };
        }
        // Nothing but a file can be included: who reads from a device waits.
        if !path.is_file() {
            return None;
        }
        let bytes = read(&path).ok()?;
        Some((path.display().to_string(), bytes))
    }
}

/// Returns the entry of that name, or of that name in another case.
pub(crate) fn entry(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.exists() {
        return Some(exact);
    }
    let shown = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut found: Vec<_> = fs::read_dir(shown)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .filter(|entry| {
            entry
                .to_str()
                .is_some_and(|entry| entry.eq_ignore_ascii_case(name))
        })
        .collect();
    // The order of a directory is the host's: take the same entry everywhere.
    found.sort();
    found.first().map(|found| folder.join(found))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_no_file_to_include() {
        assert_eq!(Includes.read("x.asm", b"/dev/null"), None);
        assert!(Includes.read("src/x.asm", b"main.rs").is_some());
    }

    #[test]
    fn a_device_without_an_end_is_too_large() {
        let refused = read(Path::new("/dev/zero"));

        assert_eq!(refused, Err("it is larger than 64 MiB".to_owned()));
    }
}
