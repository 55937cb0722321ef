//! Where pages go that are not in RAM: small interfaces, so that files are opened elsewhere.

use std::fmt::Debug;
use std::io::{Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use pagefault_mmu::PAGE_SIZE;
use thiserror::Error;

use crate::software::Slot;

/// The bytes of a page.
pub type PageBytes = [u8; PAGE_SIZE as usize];

/// A store could not give or take a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A page that was written before cannot be read back.
    #[error("page {index:#x} of the store cannot be read")]
    Read {
        /// The page's number in the store.
        index: u32,
    },
    /// A page cannot be written.
    #[error("page {index:#x} of the store cannot be written")]
    Write {
        /// The page's number in the store.
        index: u32,
    },
}

/// Something that keeps numbered pages.
pub trait PageStore: Debug {
    /// Fills `page` with what was last written to `index`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Read`]; `page` then holds no contents to be used.
    fn read(&mut self, index: u32, page: &mut PageBytes) -> Result<(), StoreError>;

    /// Keeps `page` at `index`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`]; what is kept at `index` is then unknown.
    fn write(&mut self, index: u32, page: &PageBytes) -> Result<(), StoreError>;

    /// Returns a store that keeps what this one keeps and goes its own way from then on; `None` if
    /// there cannot be two of it, as of a host's file.
    fn copy(&self) -> Option<Box<dyn PageStore>> {
        None
    }
}

/// The file behind a section. Pages past its end read as zeros.
pub trait SectionFile: PageStore {
    /// Returns the file's size in bytes.
    fn size_bytes(&self) -> u64;

    /// As [`PageStore::copy`].
    fn copy_file(&self) -> Option<Box<dyn SectionFile>> {
        None
    }
}

/// A store in host memory. Copies share the pages that neither has written since.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    pages: Vec<Option<Rc<PageBytes>>>,
}

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl PageStore for MemoryStore {
    fn read(&mut self, index: u32, page: &mut PageBytes) -> Result<(), StoreError> {
        let kept = self.pages.get(index as usize).and_then(Option::as_ref);
        *page = **kept.ok_or(StoreError::Read { index })?;
        Ok(())
    }

    fn write(&mut self, index: u32, page: &PageBytes) -> Result<(), StoreError> {
        let index = index as usize;
        if index >= self.pages.len() {
            self.pages.resize(index + 1, None);
        }
        self.pages[index] = Some(Rc::new(*page));
        Ok(())
    }

    fn copy(&self) -> Option<Box<dyn PageStore>> {
        Some(Box::new(self.clone()))
    }
}

/// A store in anything that can be read, written and sought in: usually an open file.
///
/// Reads and writes go through calls that can fail, so that a file that is truncated or unplugged
/// under the store becomes an in-page error and not a signal, as it would with a memory map.
#[derive(Debug)]
pub struct StreamStore<F> {
    stream: F,
}

impl<F: Read + Write + Seek + Debug> StreamStore<F> {
    /// Returns a store over `stream`, from its beginning.
    pub fn new(stream: F) -> Self {
        Self { stream }
    }

    fn seek(&mut self, index: u32) -> std::io::Result<u64> {
        self.stream
            .seek(SeekFrom::Start(u64::from(index) * u64::from(PAGE_SIZE)))
    }
}

impl<F: Read + Write + Seek + Debug> PageStore for StreamStore<F> {
    fn read(&mut self, index: u32, page: &mut PageBytes) -> Result<(), StoreError> {
        let read = self.seek(index).and_then(|_| self.stream.read_exact(page));
        read.map_err(|_| StoreError::Read { index })
    }

    fn write(&mut self, index: u32, page: &PageBytes) -> Result<(), StoreError> {
        let written = self.seek(index).and_then(|_| self.stream.write_all(page));
        written.map_err(|_| StoreError::Write { index })
    }
}

/// A file behind a section, in anything that can be read, written and sought in.
///
/// Its size stays what it was when this was made: what lies past the end of the file reads as zeros
/// and is not written.
#[derive(Debug)]
pub struct StreamFile<F> {
    stream: F,
    size_bytes: u64,
    access: FileAccess,
}

/// Whether a file takes what is written to its views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAccess {
    /// It does not: a flush of a modified page fails.
    ReadOnly,
    /// It does.
    ReadWrite,
}

impl<F: Read + Write + Seek + Debug> StreamFile<F> {
    /// Returns the file in `stream`.
    ///
    /// # Errors
    ///
    /// Whatever finding the end of the stream gives.
    pub fn new(mut stream: F, access: FileAccess) -> std::io::Result<Self> {
        let size_bytes = stream.seek(SeekFrom::End(0))?;
        Ok(Self {
            stream,
            size_bytes,
            access,
        })
    }

    /// Goes to a page, and returns how many of its bytes are the file's.
    fn seek(&mut self, index: u32) -> std::io::Result<usize> {
        let at = u64::from(index) * u64::from(PAGE_SIZE);
        self.stream.seek(SeekFrom::Start(at))?;
        let left = self.size_bytes.saturating_sub(at).min(u64::from(PAGE_SIZE));
        Ok(usize::try_from(left).unwrap_or_default())
    }
}

impl<F: Read + Write + Seek + Debug> PageStore for StreamFile<F> {
    fn read(&mut self, index: u32, page: &mut PageBytes) -> Result<(), StoreError> {
        page.fill(0);
        let read = self
            .seek(index)
            .and_then(|len| self.stream.read_exact(&mut page[..len]));
        read.map_err(|_| StoreError::Read { index })
    }

    fn write(&mut self, index: u32, page: &PageBytes) -> Result<(), StoreError> {
        if self.access == FileAccess::ReadOnly {
            return Err(StoreError::Write { index });
        }
        let written = self
            .seek(index)
            .and_then(|len| self.stream.write_all(&page[..len]));
        written.map_err(|_| StoreError::Write { index })
    }
}

impl<F: Read + Write + Seek + Debug> SectionFile for StreamFile<F> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

/// The paging file: a store, and which of its slots are in use.
#[derive(Debug)]
pub(crate) struct PagingFile {
    store: Option<Box<dyn PageStore>>,
    limit_slots: u32,
    /// Slots below `next` that are free.
    free: Vec<Slot>,
    /// The lowest slot that was never used: the file is no larger than it had to be.
    next: u32,
}

impl PagingFile {
    pub(crate) fn none() -> Self {
        Self {
            store: None,
            limit_slots: 0,
            free: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn new(store: Box<dyn PageStore>, limit_slots: u32) -> Self {
        let limit_slots = limit_slots.min(Slot::LIMIT);
        Self {
            store: Some(store),
            limit_slots,
            free: Vec::new(),
            next: 0,
        }
    }

    /// Returns a paging file of its own with the same contents, if its store can be copied.
    pub(crate) fn copy(&self) -> Option<Self> {
        let store = match &self.store {
            Some(store) => Some(store.copy()?),
            None => None,
        };
        Some(Self {
            store,
            limit_slots: self.limit_slots,
            free: self.free.clone(),
            next: self.next,
        })
    }

    pub(crate) fn limit_slots(&self) -> u32 {
        self.limit_slots
    }

    pub(crate) fn used_slots(&self) -> u32 {
        self.next - u32::try_from(self.free.len()).unwrap_or(self.next)
    }

    /// Returns the most slots that were ever in use at a time.
    pub(crate) fn peak_slots(&self) -> u32 {
        self.next
    }

    /// Returns a slot that is now the caller's.
    pub(crate) fn allocate(&mut self) -> Option<Slot> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let slot = Slot::new(self.next).filter(|slot| slot.bits() < self.limit_slots)?;
        self.next += 1;
        Some(slot)
    }

    pub(crate) fn free(&mut self, slot: Slot) {
        debug_assert!(slot.bits() < self.next, "{slot:?} was never handed out");
        self.free.push(slot);
    }

    pub(crate) fn read(&mut self, slot: Slot, page: &mut PageBytes) -> Result<(), StoreError> {
        let missing = StoreError::Read { index: slot.bits() };
        self.store.as_mut().ok_or(missing)?.read(slot.bits(), page)
    }

    pub(crate) fn write(&mut self, slot: Slot, page: &PageBytes) -> Result<(), StoreError> {
        let missing = StoreError::Write { index: slot.bits() };
        self.store.as_mut().ok_or(missing)?.write(slot.bits(), page)
    }
}
