//! What a student has handed in: one file, and what it includes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pagefault_asm::IncludeFiles;
use thiserror::Error;

/// The most files that are read beside the one that is handed in.
const MAX_INCLUDES: usize = 64;

/// A submission that was read.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) bytes: Vec<u8>,
    pub(crate) includes: Handed,
}

/// Why there is nothing to mark.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Missing {
    #[error("nothing was handed in: there is no {}", .0.display())]
    File(PathBuf),
    #[error("{} is no plain file", .0.display())]
    NotPlain(PathBuf),
    #[error("{} is larger than {most_bytes} bytes", path.display())]
    TooLarge { path: PathBuf, most_bytes: usize },
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf),
}

impl Submission {
    /// Reads what lies in a folder, or is the file itself.
    pub(crate) fn read(place: &Path, name: &str, most_bytes: usize) -> Result<Self, Missing> {
        let (folder, path) = if place.is_dir() {
            (Some(place), chosen(place, name)?)
        } else {
            (None, place.to_owned())
        };
        let bytes = plain(&path, most_bytes)?;
        let includes = folder.map_or_else(Handed::default, |folder| {
            Handed::read(folder, &path, most_bytes)
        });
        Ok(Self { bytes, includes })
    }
}

/// Returns the file of this name, or else the only one with the same ending.
fn chosen(folder: &Path, name: &str) -> Result<PathBuf, Missing> {
    let exact = folder.join(name);
    if fs::symlink_metadata(&exact).is_ok() {
        return Ok(exact);
    }
    let ending = Path::new(name).extension();
    let mut found = entries(folder);
    found.retain(|path| path.extension() == ending && path.is_file());
    match &found[..] {
        [only] => Ok(only.clone()),
        _ => Err(Missing::File(exact)),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// Reads a file that is no link: a link could lead to any file of the host.
fn plain(path: &Path, most_bytes: usize) -> Result<Vec<u8>, Missing> {
    let metadata = fs::symlink_metadata(path).map_err(|_| Missing::File(path.to_owned()))?;
    if !metadata.is_file() {
        return Err(Missing::NotPlain(path.to_owned()));
    }
    if metadata.len() > most_bytes as u64 {
        return Err(Missing::TooLarge {
            path: path.to_owned(),
            most_bytes,
        });
    }
    fs::read(path).map_err(|_| Missing::Unreadable(path.to_owned()))
}

/// The files that were handed in, which a source may include. No other file of the host is read.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    /// By name in lower case.
    files: BTreeMap<String, Vec<u8>>,
}

impl Handed {
    fn read(folder: &Path, but: &Path, most_bytes: usize) -> Self {
        let paths = entries(folder).into_iter().filter(|path| path != but);
        let read = paths.filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_ascii_lowercase();
            Some((name, plain(&path, most_bytes).ok()?))
        });
        Self {
            files: read.take(MAX_INCLUDES).collect(),
        }
    }

    /// Returns the names and bytes, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.files
            .iter()
            .flat_map(|(name, bytes)| [name.as_bytes(), &bytes[..]])
    }
}

impl IncludeFiles for Handed {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        let bytes = self.files.get(&name)?;
        Some((name, bytes.clone()))
    }
}
