//! The files that a program may use. What is behind them is passed in.

use std::fmt::Debug;

use thiserror::Error;

/// A path within the folder that a program may use: its parts from the top, none of them `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePath(Vec<String>);

impl FilePath {
    /// Returns the path that a program means by a name, seen from its current folder.
    ///
    /// The drive is C: whatever the name says. `..` at the top stays at the top, as on Windows.
    pub fn resolve(current: &Self, name: &str) -> Self {
        let name = name.strip_prefix(r"\\?\").unwrap_or(name);
        // Quirk: drive-c
        let has_drive = name.get(1..2) == Some(":");
        let name = name.get(2..).filter(|_| has_drive).unwrap_or(name);
        let is_absolute = name.starts_with(['\\', '/']);
        let mut parts = if is_absolute {
            Vec::new()
        } else {
            current.0.clone()
        };
        for part in name.split(['\\', '/']) {
            match part {
                "" | "." => {}
                ".." => _ = parts.pop(),
                // Windows takes dots and spaces at the end of a name away.
                part => parts.push(part.trim_end_matches(['.', ' ']).to_owned()),
            }
        }
        Self(parts)
    }

    /// Returns the names of the folders from the top, and last the name of the file.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// Returns the folder that the file is in; `None` at the top.
    #[must_use]
    pub fn folder(&self) -> Option<Self> {
        let (_, folder) = self.0.split_last()?;
        Some(Self(folder.to_vec()))
    }

    /// Returns whether both name the same file, whatever the case.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(a, b): (&String, &String)| a.eq_ignore_ascii_case(b);
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }

    /// Returns the path as a program sees it.
    pub fn shown(&self) -> String {
        format!("C:\\{}", self.0.join("\\"))
    }
}

/// Why a file cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// There is no such folder.
    #[error("there is no such folder")]
    NoFolder,
    /// The file cannot be used in this way.
    #[error("access is denied")]
    Denied,
    /// The file is there already.
    #[error("the file exists")]
    Exists,
    /// The folder is not empty.
    #[error("the folder is not empty")]
    NotEmpty,
    /// As many files are open as can be.
    #[error("too many files are open")]
    TooMany,
    /// The host cannot read or write.
    #[error("the file cannot be read or written")]
    Failed,
}

/// What is to be done with a file that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It must be there.
    Open,
    /// It is made if it is not there.
    OpenOrCreate,
    /// It is made; one that is there is emptied.
    Replace,
    /// It must be there, and is emptied.
    Empty,
    /// It must not be there.
    New,
}

/// What may be done with an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// It is read.
    Read,
    /// It is written, and perhaps read.
    ReadWrite,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name, without the folder.
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether it cannot be written.
    pub is_read_only: bool,
}

/// A file that is open.
pub trait OpenFile: Debug {
    /// Reads from a place; fewer bytes than asked for mean the end of the file.
    ///
    /// # Errors
    ///
    /// [`FileError::Failed`].
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, FileError>;

    /// Writes to a place; what lies between the end of the file and the place becomes zeros.
    ///
    /// # Errors
    ///
    /// [`FileError::Denied`] if it was opened for reading, [`FileError::Failed`].
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError>;

    /// Returns the size in bytes.
    ///
    /// # Errors
    ///
    /// [`FileError::Failed`].
    fn size(&mut self) -> Result<u64, FileError>;

    /// Cuts the file or extends it by zeros.
    ///
    /// # Errors
    ///
    /// As [`OpenFile::write`].
    fn set_size(&mut self, size_bytes: u64) -> Result<(), FileError>;

    /// Returns another handle to what this one is open on; `None` if there cannot be two.
    fn copy(&self) -> Option<Box<dyn OpenFile>> {
        None
    }
}

/// A folder that a program may use.
pub trait Files: Debug {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn open(
        &mut self,
        path: &FilePath,
        mode: FileMode,
        creation: Creation,
    ) -> Result<Box<dyn OpenFile>, FileError>;

    /// Returns what is known of a file.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn info(&mut self, path: &FilePath) -> Result<FileInfo, FileError>;

    /// Returns the files of a folder by name.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn list(&mut self, folder: &FilePath) -> Result<Vec<FileInfo>, FileError>;

    /// Makes a folder.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn create_folder(&mut self, path: &FilePath) -> Result<(), FileError>;

    /// Removes an empty folder.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn remove_folder(&mut self, path: &FilePath) -> Result<(), FileError>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn remove(&mut self, path: &FilePath) -> Result<(), FileError>;

    /// Gives a file or folder another place.
    ///
    /// # Errors
    ///
    /// [`FileError`].
    fn rename(&mut self, from: &FilePath, to: &FilePath) -> Result<(), FileError>;
}

/// No files at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn open(
        &mut self,
        _path: &FilePath,
        _mode: FileMode,
        creation: Creation,
    ) -> Result<Box<dyn OpenFile>, FileError> {
        match creation {
            Creation::Open | Creation::Empty => Err(FileError::NotFound),
            Creation::OpenOrCreate | Creation::Replace | Creation::New => Err(FileError::Denied),
        }
    }

    fn info(&mut self, path: &FilePath) -> Result<FileInfo, FileError> {
        if path.parts().is_empty() {
            return Ok(FileInfo {
                name: String::new(),
                size_bytes: 0,
                is_folder: true,
                is_read_only: false,
            });
        }
        Err(FileError::NotFound)
    }

    fn list(&mut self, folder: &FilePath) -> Result<Vec<FileInfo>, FileError> {
        if folder.parts().is_empty() {
            Ok(Vec::new())
        } else {
            Err(FileError::NoFolder)
        }
    }

    fn create_folder(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::Denied)
    }

    fn remove_folder(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::NotFound)
    }

    fn remove(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::NotFound)
    }

    fn rename(&mut self, _from: &FilePath, _to: &FilePath) -> Result<(), FileError> {
        Err(FileError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let here = FilePath(vec!["work".to_owned()]);
        for (name, expected) in [
            ("a.txt", "C:\\work\\a.txt"),
            ("..\\..\\..\\etc/passwd", "C:\\etc\\passwd"),
            ("D:\\x\\.\\y", "C:\\x\\y"),
            ("/top. ", "C:\\top"),
            ("\\\\?\\C:\\b", "C:\\b"),
            ("", "C:\\work"),
        ] {
            assert_eq!(FilePath::resolve(&here, name).shown(), expected, "{name}");
        }
    }
}
