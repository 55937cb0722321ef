//! The folder of files that a program may use, and nothing outside of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use pagefault_machine::{Creation, FileError, FileInfo, FileMode, FilePath, Files, OpenFile};

use crate::files::entry;

/// A folder of the host.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Without symbolic links.
    top: PathBuf,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// It is not there, or is no folder.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let top = path.canonicalize()?;
        if !top.is_dir() {
            return Err(io::Error::from(ErrorKind::NotADirectory));
        }
        Ok(Self { top })
    }

    /// Returns where a file is or would be, whatever the case of the names.
    fn place(&self, path: &FilePath) -> Result<PathBuf, FileError> {
        let mut place = self.top.clone();
        for (index, part) in path.parts().iter().enumerate() {
            let is_last = index + 1 == path.parts().len();
            let is_name = !part.is_empty() && !part.contains(['/', '\\', ':', '\0']);
            if !is_name {
                return Err(FileError::NotFound);
            }
            place = match entry(&place, part) {
                Some(found) => found,
                None if is_last => place.join(part),
                None => return Err(FileError::NoFolder),
            };
        }
        // A symbolic link may lead out of the folder, also the one that a new file would be in.
        let real = match place.canonicalize() {
            Ok(real) => real,
            Err(_) if place.is_symlink() => return Err(FileError::Denied),
            Err(_) => {
                let folder = place.parent().unwrap_or(&self.top);
                folder.canonicalize().map_err(|_| FileError::NoFolder)?
            }
        };
        if real.starts_with(&self.top) {
            Ok(place)
        } else {
            Err(FileError::Denied)
        }
    }

    /// Returns where a file is or would be that can be taken away: not the folder itself, which is
    /// the user's.
    fn place_inside(&self, path: &FilePath) -> Result<PathBuf, FileError> {
        if path.parts().is_empty() {
            return Err(FileError::Denied);
        }
        self.place(path)
    }
}

fn error(error: &io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound => FileError::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory => FileError::Denied,
        ErrorKind::AlreadyExists => FileError::Exists,
        ErrorKind::DirectoryNotEmpty => FileError::NotEmpty,
        ErrorKind::NotADirectory => FileError::NoFolder,
        _ => FileError::Failed,
    }
}

fn info(path: &Path, name: &str) -> Result<FileInfo, FileError> {
    let metadata = fs::metadata(path).map_err(|failed| error(&failed))?;
    Ok(FileInfo {
        name: name.to_owned(),
        size_bytes: if metadata.is_dir() { 0 } else { metadata.len() },
        is_folder: metadata.is_dir(),
        is_read_only: metadata.permissions().readonly(),
    })
}

impl Files for Folder {
    fn open(
        &mut self,
        path: &FilePath,
        mode: FileMode,
        creation: Creation,
    ) -> Result<Box<dyn OpenFile>, FileError> {
        let place = self.place(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(mode == FileMode::ReadWrite);
        match creation {
            Creation::Open => {}
            Creation::OpenOrCreate => _ = options.create(true),
            Creation::Replace => _ = options.create(true).truncate(true),
            Creation::Empty => _ = options.truncate(true),
            Creation::New => _ = options.create_new(true),
        }
        let file = options.open(place).map_err(|failed| error(&failed))?;
        Ok(Box::new(HostFile(file)))
    }

    fn info(&mut self, path: &FilePath) -> Result<FileInfo, FileError> {
        let name = path.parts().last().map_or("", String::as_str);
        let place = self.place(path)?;
        // The name as it is on the disk.
        let name = place
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(name);
        info(&place, name)
    }

    fn list(&mut self, folder: &FilePath) -> Result<Vec<FileInfo>, FileError> {
        let place = self.place(folder)?;
        let entries = fs::read_dir(place).map_err(|_| FileError::NoFolder)?;
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                info(&entry.path(), &name).ok()
            })
            .collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn create_folder(&mut self, path: &FilePath) -> Result<(), FileError> {
        fs::create_dir(self.place(path)?).map_err(|failed| error(&failed))
    }

    fn remove_folder(&mut self, path: &FilePath) -> Result<(), FileError> {
        fs::remove_dir(self.place_inside(path)?).map_err(|failed| error(&failed))
    }

    fn remove(&mut self, path: &FilePath) -> Result<(), FileError> {
        fs::remove_file(self.place_inside(path)?).map_err(|failed| error(&failed))
    }

    fn rename(&mut self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        let (from, to) = (self.place_inside(from)?, self.place_inside(to)?);
        fs::rename(from, to).map_err(|failed| error(&failed))
    }
}

/// An open file of the host.
#[derive(Debug)]
struct HostFile(File);

impl OpenFile for HostFile {
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
        self.0
            .seek(SeekFrom::Start(offset))
            .map_err(|_| FileError::Failed)?;
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(len) => done += len,
                Err(_) => return Err(FileError::Failed),
            }
        }
        Ok(done)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.0
            .seek(SeekFrom::Start(offset))
            .map_err(|_| FileError::Failed)?;
        self.0
            .write_all(bytes)
            .map_err(|failed| match error(&failed) {
                FileError::Denied => FileError::Denied,
                _ => FileError::Failed,
            })
    }

    fn size(&mut self) -> Result<u64, FileError> {
        let metadata = self.0.metadata().map_err(|_| FileError::Failed)?;
        Ok(metadata.len())
    }

    fn set_size(&mut self, size_bytes: u64) -> Result<(), FileError> {
        self.0.set_len(size_bytes).map_err(|_| FileError::Failed)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_leads_out_of_the_folder_for_what_is_there_or_not() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        let inside = place.path().join("inside");
        fs::create_dir(&outside).unwrap();
        fs::create_dir(&inside).unwrap();
        fs::write(outside.join("old.txt"), "old").unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        symlink(outside.join("none"), inside.join("dangling")).unwrap();
        let mut folder = Folder::open(&inside).unwrap();
        let path = |name| FilePath::resolve(&FilePath::default(), name);

        for name in ["link\\new.txt", "link\\old.txt", "dangling"] {
            let opened = folder.open(&path(name), FileMode::ReadWrite, Creation::OpenOrCreate);
            assert_eq!(opened.err(), Some(FileError::Denied), "{name}");
        }
        let made = folder.create_folder(&path("link\\folder"));
        assert_eq!(made, Err(FileError::Denied));
        let new = folder.open(&path("new.txt"), FileMode::ReadWrite, Creation::New);
        assert!(new.is_ok());

        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(inside.join("new.txt").exists());
    }

    #[test]
    fn the_folder_itself_is_not_taken_away() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut folder = Folder::open(&top).unwrap();
        let root = FilePath::default();
        let other = FilePath::resolve(&root, "other");

        let denied = Err(FileError::Denied);
        assert_eq!(folder.remove_folder(&root), denied);
        assert_eq!(folder.remove(&root), denied);
        assert_eq!(folder.rename(&root, &other), denied);
        assert_eq!(folder.rename(&other, &root), denied);

        assert!(top.is_dir());
    }
}
