//! A folder in memory, so that functions on files come further than to their first check.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use pagefault_machine::{Creation, FileError, FileInfo, FileMode, FilePath, Files, OpenFile};

/// No file becomes longer, in bytes.
const MAX_BYTES: usize = 1 << 20;

type Contents = Rc<RefCell<Vec<u8>>>;

/// Files, without folders.
#[derive(Debug)]
pub struct MemoryFiles(BTreeMap<String, Contents>);

impl MemoryFiles {
    /// Returns a folder with one file, `file.txt`.
    pub fn new() -> Self {
        let text = b"line 1\r\n-12 0x1F 3.5e4\r\n\xFF\x1A".to_vec();
        Self(BTreeMap::from([("file.txt".to_owned(), contents(text))]))
    }

    fn find(&self, path: &FilePath) -> Result<&Contents, FileError> {
        self.0.get(&name_of(path)).ok_or(FileError::NotFound)
    }
}

impl Default for MemoryFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl Files for MemoryFiles {
    fn open(
        &mut self,
        path: &FilePath,
        mode: FileMode,
        creation: Creation,
    ) -> Result<Box<dyn OpenFile>, FileError> {
        let found = self.find(path).cloned();
        let bytes = match (creation, found) {
            (Creation::New, Ok(_)) => return Err(FileError::Exists),
            (Creation::Open | Creation::Empty, Err(error)) => return Err(error),
            (Creation::Open | Creation::OpenOrCreate, Ok(found)) => found,
            (Creation::Replace | Creation::Empty, Ok(found)) => {
                found.borrow_mut().clear();
                found
            }
            (_, Err(_)) => {
                let new = contents(Vec::new());
                self.0.insert(name_of(path), Rc::clone(&new));
                new
            }
        };
        Ok(Box::new(MemoryFile { bytes, mode }))
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
        let found = self.find(path)?;
        Ok(info(&name_of(path), found))
    }

    fn list(&mut self, folder: &FilePath) -> Result<Vec<FileInfo>, FileError> {
        if !folder.parts().is_empty() {
            return Err(FileError::NoFolder);
        }
        Ok(self.0.iter().map(|(name, file)| info(name, file)).collect())
    }

    fn create_folder(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::Denied)
    }

    fn remove_folder(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::NotFound)
    }

    fn remove(&mut self, path: &FilePath) -> Result<(), FileError> {
        let removed = self.0.remove(&name_of(path));
        removed.map(|_| ()).ok_or(FileError::NotFound)
    }

    fn rename(&mut self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        let moved = self.0.remove(&name_of(from)).ok_or(FileError::NotFound)?;
        self.0.insert(name_of(to), moved);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryFile {
    bytes: Contents,
    mode: FileMode,
}

impl MemoryFile {
    fn resize(&mut self, len: u64) -> Result<(), FileError> {
        let len = usize::try_from(len).map_err(|_| FileError::Failed)?;
        if self.mode == FileMode::Read {
            return Err(FileError::Denied);
        }
        if len > MAX_BYTES {
            return Err(FileError::Failed);
        }
        self.bytes.borrow_mut().resize(len, 0);
        Ok(())
    }
}

impl OpenFile for MemoryFile {
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
        let held = self.bytes.borrow();
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(held.len());
        let len = bytes.len().min(held.len() - start);
        bytes[..len].copy_from_slice(&held[start..start + len]);
        Ok(len)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(FileError::Failed)?;
        let len = self.size()?;
        self.resize(end.max(len))?;
        let start = usize::try_from(offset).map_err(|_| FileError::Failed)?;
        self.bytes.borrow_mut()[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn size(&mut self) -> Result<u64, FileError> {
        Ok(self.bytes.borrow().len() as u64)
    }

    fn set_size(&mut self, size_bytes: u64) -> Result<(), FileError> {
        self.resize(size_bytes)
    }

    fn copy(&self) -> Option<Box<dyn OpenFile>> {
        let bytes = Rc::clone(&self.bytes);
        let mode = self.mode;
        Some(Box::new(Self { bytes, mode }))
    }
}

fn contents(bytes: Vec<u8>) -> Contents {
    Rc::new(RefCell::new(bytes))
}

fn name_of(path: &FilePath) -> String {
    path.parts().join("\\").to_ascii_lowercase()
}

fn info(name: &str, file: &Contents) -> FileInfo {
    FileInfo {
        name: name.to_owned(),
        size_bytes: file.borrow().len() as u64,
        is_folder: false,
        is_read_only: false,
    }
}
