//! What the system keeps for a process beside its memory: files, environment, clock, streams.

use std::collections::BTreeMap;

use pagefault_vmm::SectionId;

use crate::files::{FileInfo, FilePath, Files, NoFiles, OpenFile};
use crate::limits::{FOUND_FILES, OPEN_FILES};
use crate::stdio::Streams;
use crate::variables::Variables;

/// What the system keeps for a process.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) files: Box<dyn Files>,
    /// The current folder.
    pub(crate) folder: FilePath,
    pub(crate) handles: FileHandles,
    pub(crate) streams: Streams,
    pub(crate) environment: Variables,
    /// What follows the program's name on the command line.
    pub(crate) arguments: String,
    /// The handles that `GetStdHandle` gives.
    pub(crate) standard: [u32; 3],
    /// Sections that have a name.
    pub(crate) sections: BTreeMap<String, SectionId>,
    /// Buffers that functions of the C library return, by name of the function.
    pub(crate) buffers: BTreeMap<&'static str, u32>,
    /// What has been asked for by `FindFirstFile`, by handle.
    pub(crate) searches: BTreeMap<u32, Search>,
}

/// A search for files.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) found: Vec<FileInfo>,
    pub(crate) next: usize,
}

/// What of [`Services`] a program can change: all but the folder of files itself.
#[derive(Debug)]
pub(crate) struct SavedServices {
    folder: FilePath,
    handles: FileHandles,
    streams: Streams,
    environment: Variables,
    standard: [u32; 3],
    sections: BTreeMap<String, SectionId>,
    buffers: BTreeMap<&'static str, u32>,
    searches: BTreeMap<u32, Search>,
}

impl SavedServices {
    /// Returns what is kept; `None` if there is an open file that there cannot be two of.
    pub(crate) fn of(services: &Services) -> Option<Self> {
        let Services {
            files: _,
            folder,
            handles,
            streams,
            environment,
            arguments: _,
            standard,
            sections,
            buffers,
            searches,
        } = services;
        Some(Self {
            folder: folder.clone(),
            handles: handles.copy()?,
            streams: streams.clone(),
            environment: environment.clone(),
            standard: *standard,
            sections: sections.clone(),
            buffers: buffers.clone(),
            searches: searches.clone(),
        })
    }

    /// Puts it back; `None` as above, and then nothing has changed.
    pub(crate) fn put_back(&self, services: &mut Services) -> Option<()> {
        services.handles = self.handles.copy()?;
        services.folder = self.folder.clone();
        services.streams = self.streams.clone();
        services.environment = self.environment.clone();
        services.standard = self.standard;
        services.sections = self.sections.clone();
        services.buffers = self.buffers.clone();
        services.searches = self.searches.clone();
        Some(())
    }
}

impl Services {
    pub(crate) fn new(arguments: &str) -> Self {
        let mut environment = Variables::default();
        for (name, value) in ENVIRONMENT {
            let set = environment.set(name, value.to_owned());
            debug_assert!(set.is_ok(), "a new environment has room");
        }
        Self {
            files: Box::new(NoFiles),
            folder: FilePath::default(),
            handles: FileHandles::default(),
            streams: Streams::new(),
            environment,
            arguments: arguments.to_owned(),
            standard: STANDARD_HANDLES,
            sections: BTreeMap::new(),
            buffers: BTreeMap::new(),
            searches: BTreeMap::new(),
        }
    }
}

impl Services {
    /// Keeps what a search has found, and returns its handle; `None` if there are too many.
    pub(crate) fn begin_search(&mut self, found: Vec<FileInfo>) -> Option<u32> {
        let held: usize = self
            .searches
            .values()
            .map(|search| search.found.len())
            .sum();
        if self.searches.len() >= OPEN_FILES || held.saturating_add(found.len()) > FOUND_FILES {
            return None;
        }
        let handle = self.handles.number();
        self.searches.insert(handle, Search { found, next: 1 });
        Some(handle)
    }
}

/// The handles of standard input, output and error.
pub(crate) const STANDARD_HANDLES: [u32; 3] = [3, 7, 11];

/// The environment of every process.
const ENVIRONMENT: [(&str, &str); 10] = [
    ("ComSpec", "C:\\WINDOWS\\system32\\cmd.exe"),
    ("NUMBER_OF_PROCESSORS", "1"),
    ("OS", "Windows_NT"),
    ("PATH", "C:\\WINDOWS\\system32;C:\\WINDOWS"),
    ("PROCESSOR_ARCHITECTURE", "x86"),
    ("SystemDrive", "C:"),
    ("SystemRoot", "C:\\WINDOWS"),
    ("TEMP", "C:\\"),
    ("TMP", "C:\\"),
    ("windir", "C:\\WINDOWS"),
];

bitflags::bitflags! {
    /// What a file was opened for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct FileUse: u8 {
        const READ = 1 << 0;
        const WRITE = 1 << 1;
        /// `FILE_FLAG_DELETE_ON_CLOSE`
        const DELETE_ON_CLOSE = 1 << 2;
        /// With [`Self::WRITE`]: every write goes to the end of the file.
        const APPEND = 1 << 3;
    }
}

impl FileUse {
    /// Returns whether the file may be written at any place, cut, and mapped.
    pub(crate) fn allows_overwriting(self) -> bool {
        self.contains(Self::WRITE) && !self.contains(Self::APPEND)
    }
}

/// A file that a program has opened.
#[derive(Debug)]
pub(crate) struct FileObject {
    pub(crate) file: Box<dyn OpenFile>,
    pub(crate) path: FilePath,
    pub(crate) position: u64,
    pub(crate) uses: FileUse,
}

/// The open files, and their handles: several may share one file and its position.
#[derive(Debug, Default)]
pub(crate) struct FileHandles {
    /// The files, by the handle that each was opened with.
    files: BTreeMap<u32, FileObject>,
    /// For every handle, which file it is to.
    handles: BTreeMap<u32, u32>,
    given: u32,
}

/// What became of a file, of which a handle was closed.
#[derive(Debug)]
pub(crate) enum Closed {
    /// Another handle keeps it.
    Kept,
    /// It was the last one.
    Last(FileObject),
}

impl FileHandles {
    fn copy(&self) -> Option<Self> {
        let copies = self.files.iter().map(|(&number, object)| {
            let file = FileObject {
                file: object.file.copy()?,
                path: object.path.clone(),
                position: object.position,
                uses: object.uses,
            };
            Some((number, file))
        });
        Some(Self {
            files: copies.collect::<Option<_>>()?,
            handles: self.handles.clone(),
            given: self.given,
        })
    }

    /// The first handle of a file, below those of the memory manager.
    const FIRST: u32 = 0x40_0000;
    const STEP: u32 = 4;

    /// Returns a new handle.
    pub(crate) fn number(&mut self) -> u32 {
        let handle = Self::FIRST.wrapping_add(self.given.wrapping_mul(Self::STEP));
        self.given = self.given.wrapping_add(1);
        handle
    }

    /// Returns whether there can be one more handle.
    pub(crate) fn has_room(&self) -> bool {
        self.handles.len() < OPEN_FILES
    }

    pub(crate) fn insert(&mut self, file: FileObject) -> u32 {
        let handle = self.number();
        self.files.insert(handle, file);
        self.handles.insert(handle, handle);
        handle
    }

    /// Returns another handle to the file of a handle; `None` if there is none, or no room.
    pub(crate) fn duplicate(&mut self, handle: u32) -> Option<u32> {
        let file = *self.handles.get(&handle)?;
        if !self.has_room() {
            return None;
        }
        let copy = self.number();
        self.handles.insert(copy, file);
        Some(copy)
    }

    pub(crate) fn get(&mut self, handle: u32) -> Option<&mut FileObject> {
        self.files.get_mut(self.handles.get(&handle)?)
    }

    /// Closes a handle; `None` if there is none.
    pub(crate) fn close(&mut self, handle: u32) -> Option<Closed> {
        let file = self.handles.remove(&handle)?;
        if self.handles.values().any(|&other| other == file) {
            return Some(Closed::Kept);
        }
        self.files.remove(&file).map(Closed::Last)
    }
}
