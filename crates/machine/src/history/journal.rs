//! What came from outside while a program ran, so that it comes again when the run is repeated.
//!
//! Console input and all that files answer is written down once and read back on every repetition.
//! What the program sends out goes out the first time only.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::console::{Console, Stream};
use crate::files::{Creation, FileError, FileInfo, FileMode, FilePath, Files, OpenFile};

/// One answer from outside.
#[derive(Clone, Debug)]
enum Answer {
    /// Output was taken.
    Taken,
    /// Input, or bytes of a file.
    Bytes(Result<Rc<[u8]>, FileError>),
    Opened(Result<FileNumber, FileError>),
    Done(Result<(), FileError>),
    Size(Result<u64, FileError>),
    Info(Result<FileInfo, FileError>),
    List(Result<Rc<[FileInfo]>, FileError>),
}

/// A file that was opened, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileNumber(u64);

/// How many answers had been given at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(u64);

/// What becomes of what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It is part of the run.
    Run,
    /// A debugger looks: nothing is written down.
    Look,
}

/// The answers so far, and the outside that gives new ones.
#[derive(Debug)]
struct Journal {
    /// The first one is number `first`.
    answers: VecDeque<Answer>,
    first: u64,
    /// The number of the next answer to be given.
    next: u64,
    mode: Mode,
    console: Box<dyn Console>,
    files: Box<dyn Files>,
    open: BTreeMap<FileNumber, Box<dyn OpenFile>>,
    opened: u64,
    /// Bytes that the answers hold.
    size_bytes: u64,
}

/// What an answer costs beside the bytes that it holds.
const ANSWER_BYTES: u64 = size_of::<Answer>() as u64;

impl Answer {
    fn size_bytes(&self) -> u64 {
        let held = match self {
            Self::Bytes(Ok(bytes)) => bytes.len(),
            Self::List(Ok(list)) => list.len() * size_of::<FileInfo>(),
            _ => 0,
        };
        ANSWER_BYTES.saturating_add(held as u64)
    }
}

impl Journal {
    /// Returns the next answer: an old one, or a new one from outside.
    fn ask(&mut self, outside: impl FnOnce(&mut Self) -> Answer) -> Answer {
        if self.mode == Mode::Look {
            return outside(self);
        }
        let known = self.next.checked_sub(self.first);
        let known = known.and_then(|index| usize::try_from(index).ok());
        if let Some(answer) = known.and_then(|index| self.answers.get(index)) {
            self.next += 1;
            return answer.clone();
        }
        let answer = outside(self);
        self.size_bytes = self.size_bytes.saturating_add(answer.size_bytes());
        self.answers.push_back(answer.clone());
        self.next += 1;
        answer
    }

    fn of_file<T>(
        &mut self,
        number: FileNumber,
        ask: impl FnOnce(&mut dyn OpenFile) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let file = self.open.get_mut(&number).ok_or(FileError::Failed)?;
        ask(file.as_mut())
    }
}

/// A handle to the journal, for whoever stands between the program and the outside.
#[derive(Clone, Debug)]
pub(super) struct JournalHandle(Rc<RefCell<Journal>>);

/// A repetition that asks for something else than the run did is no repetition.
const DIVERGED: &str = "a repeated run asks for what the first one asked for";

impl JournalHandle {
    pub(super) fn new(console: Box<dyn Console>, files: Box<dyn Files>) -> Self {
        Self(Rc::new(RefCell::new(Journal {
            answers: VecDeque::new(),
            first: 0,
            next: 0,
            mode: Mode::Run,
            console,
            files,
            open: BTreeMap::new(),
            opened: 0,
            size_bytes: 0,
        })))
    }

    /// Returns how far the run has come.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.0.borrow().next)
    }

    /// Has the run go on from there.
    pub(super) fn go_to(&self, mark: Mark) {
        self.0.borrow_mut().next = mark.0;
    }

    /// Forgets the answers from there on: the run will be another one.
    pub(super) fn cut(&self, mark: Mark) {
        let mut journal = self.0.borrow_mut();
        let keep = mark.0.saturating_sub(journal.first);
        while journal.answers.len() as u64 > keep {
            if let Some(answer) = journal.answers.pop_back() {
                journal.size_bytes -= answer.size_bytes();
            }
        }
    }

    /// Forgets the answers before there: nobody goes back so far.
    pub(super) fn forget_before(&self, mark: Mark) {
        let mut journal = self.0.borrow_mut();
        while journal.first < mark.0 {
            let Some(answer) = journal.answers.pop_front() else {
                break;
            };
            journal.size_bytes -= answer.size_bytes();
            journal.first += 1;
        }
    }

    /// Returns the bytes of memory that the answers take.
    pub(super) fn size_bytes(&self) -> u64 {
        self.0.borrow().size_bytes
    }

    /// Does something that is no part of the run.
    pub(super) fn looking<T>(&self, look: impl FnOnce() -> T) -> T {
        let old = std::mem::replace(&mut self.0.borrow_mut().mode, Mode::Look);
        let seen = look();
        self.0.borrow_mut().mode = old;
        seen
    }

    fn done(
        &self,
        ask: impl FnOnce(&mut Journal) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let answer = self
            .0
            .borrow_mut()
            .ask(|journal| Answer::Done(ask(journal)));
        match answer {
            Answer::Done(done) => done,
            other => unreachable!("{DIVERGED}: {other:?}"),
        }
    }

    /// Fills `into` with the bytes that `ask` gives, and returns how many there are.
    fn bytes(
        &self,
        into: &mut [u8],
        ask: impl FnOnce(&mut Journal, &mut [u8]) -> Result<usize, FileError>,
    ) -> Result<usize, FileError> {
        let answer = self.0.borrow_mut().ask(|journal| {
            let read = ask(journal, into);
            Answer::Bytes(read.map(|len| into.get(..len).unwrap_or_default().into()))
        });
        match answer {
            Answer::Bytes(read) => {
                let bytes = read?;
                let len = bytes.len().min(into.len());
                into[..len].copy_from_slice(&bytes[..len]);
                Ok(len)
            }
            other => unreachable!("{DIVERGED}: {other:?}"),
        }
    }
}

impl Console for JournalHandle {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.0.borrow_mut().ask(|journal| {
            journal.console.write(stream, bytes);
            Answer::Taken
        });
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let read = self.bytes(bytes, |journal, bytes| Ok(journal.console.read(bytes)));
        read.unwrap_or(0)
    }
}

impl Files for JournalHandle {
    fn open(
        &mut self,
        path: &FilePath,
        mode: FileMode,
        creation: Creation,
    ) -> Result<Box<dyn OpenFile>, FileError> {
        let answer = self.0.borrow_mut().ask(|journal| {
            let opened = journal.files.open(path, mode, creation).map(|file| {
                let number = FileNumber(journal.opened);
                journal.opened += 1;
                journal.open.insert(number, file);
                number
            });
            Answer::Opened(opened)
        });
        match answer {
            Answer::Opened(opened) => Ok(Box::new(JournalFile {
                number: opened?,
                journal: self.clone(),
            })),
            other => unreachable!("{DIVERGED}: {other:?}"),
        }
    }

    fn info(&mut self, path: &FilePath) -> Result<FileInfo, FileError> {
        let answer = self
            .0
            .borrow_mut()
            .ask(|journal| Answer::Info(journal.files.info(path)));
        match answer {
            Answer::Info(info) => info,
            other => unreachable!("{DIVERGED}: {other:?}"),
        }
    }

    fn list(&mut self, folder: &FilePath) -> Result<Vec<FileInfo>, FileError> {
        let answer = self.0.borrow_mut().ask(|journal| {
            let list = journal.files.list(folder);
            Answer::List(list.map(Into::into))
        });
        match answer {
            Answer::List(list) => list.map(|list| list.to_vec()),
            other => unreachable!("{DIVERGED}: {other:?}"),
        }
    }

    fn create_folder(&mut self, path: &FilePath) -> Result<(), FileError> {
        self.done(|journal| journal.files.create_folder(path))
    }

    fn remove_folder(&mut self, path: &FilePath) -> Result<(), FileError> {
        self.done(|journal| journal.files.remove_folder(path))
    }

    fn remove(&mut self, path: &FilePath) -> Result<(), FileError> {
        self.done(|journal| journal.files.remove(path))
    }

    fn rename(&mut self, from: &FilePath, to: &FilePath) -> Result<(), FileError> {
        self.done(|journal| journal.files.rename(from, to))
    }
}

/// A file whose answers are written down.
#[derive(Debug)]
struct JournalFile {
    number: FileNumber,
    journal: JournalHandle,
}

impl OpenFile for JournalFile {
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
        let number = self.number;
        self.journal.bytes(bytes, |journal, bytes| {
            journal.of_file(number, |file| file.read(offset, bytes))
        })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let number = self.number;
        self.journal
            .done(|journal| journal.of_file(number, |file| file.write(offset, bytes)))
    }

    fn size(&mut self) -> Result<u64, FileError> {
        let number = self.number;
        let answer = self
            .journal
            .0
            .borrow_mut()
            .ask(|journal| Answer::Size(journal.of_file(number, |file| file.size())));
        match answer {
            Answer::Size(size) => size,
            other => unreachable!("{DIVERGED}: {other:?}"),
        }
    }

    fn set_size(&mut self, size_bytes: u64) -> Result<(), FileError> {
        let number = self.number;
        self.journal
            .done(|journal| journal.of_file(number, |file| file.set_size(size_bytes)))
    }

    fn copy(&self) -> Option<Box<dyn OpenFile>> {
        Some(Box::new(Self {
            number: self.number,
            journal: self.journal.clone(),
        }))
    }
}
