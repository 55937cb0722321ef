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

/// Whether every repetition has asked for what the run before it had asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    Same,
    /// One asked for something else: what came from there on belongs to a new run.
    Another,
}

/// A file of the host that the program has open, now or in a snapshot.
#[derive(Debug, Default)]
struct HostFile {
    /// `None` until somebody asks for it again in a repeated run.
    file: Option<Box<dyn OpenFile>>,
    /// Who refers to it: with the last one it is closed.
    users: usize,
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
    open: BTreeMap<FileNumber, HostFile>,
    opened: u64,
    story: Story,
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
    /// Returns the next answer: an old one, or a new one from outside, which is written down as
    /// `keep` says. `known` takes an old answer apart, if it is one to such a question.
    fn ask<T: Clone>(
        &mut self,
        keep: impl FnOnce(T) -> Answer,
        known: impl FnOnce(&Answer) -> Option<T>,
        outside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if self.mode == Mode::Look {
            return outside(self);
        }
        let index = self.next.checked_sub(self.first);
        let index = index.and_then(|index| usize::try_from(index).ok());
        if let Some(answer) = index.and_then(|index| self.answers.get(index)) {
            if let Some(answer) = known(answer) {
                self.next += 1;
                return answer;
            }
            self.story = Story::Another;
            self.cut(Mark(self.next));
        }
        let asked = outside(self);
        let answer = keep(asked.clone());
        self.size_bytes = self.size_bytes.saturating_add(answer.size_bytes());
        self.answers.push_back(answer);
        self.next += 1;
        asked
    }

    /// Forgets the answers from there on.
    fn cut(&mut self, mark: Mark) {
        let keep = mark.0.saturating_sub(self.first);
        while self.answers.len() as u64 > keep {
            if let Some(answer) = self.answers.pop_back() {
                self.size_bytes -= answer.size_bytes();
            }
        }
    }

    /// Asks a file, which is opened again if a repeated run goes on to where nobody has been.
    fn of_file<T>(
        &mut self,
        opened: &Opened,
        ask: impl FnOnce(&mut dyn OpenFile) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let host = self.open.entry(opened.number).or_default();
        let file = match &mut host.file {
            Some(file) => file,
            none => none.insert(self.files.open(&opened.path, opened.mode, Creation::Open)?),
        };
        ask(file.as_mut())
    }
}

/// A handle to the journal, for whoever stands between the program and the outside.
#[derive(Clone, Debug)]
pub(super) struct JournalHandle(Rc<RefCell<Journal>>);

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
            story: Story::Same,
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
        self.0.borrow_mut().cut(mark);
    }

    /// Returns whether every repetition was one since somebody last asked this.
    pub(super) fn take_story(&self) -> Story {
        std::mem::replace(&mut self.0.borrow_mut().story, Story::Same)
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

    fn ask<T: Clone>(
        &self,
        keep: impl FnOnce(T) -> Answer,
        known: impl FnOnce(&Answer) -> Option<T>,
        outside: impl FnOnce(&mut Journal) -> T,
    ) -> T {
        self.0.borrow_mut().ask(keep, known, outside)
    }

    fn done(
        &self,
        ask: impl FnOnce(&mut Journal) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let known = |answer: &Answer| match answer {
            Answer::Done(done) => Some(*done),
            _ => None,
        };
        self.ask(Answer::Done, known, ask)
    }

    /// Fills `into` with the bytes that `ask` gives, and returns how many there are.
    fn bytes(
        &self,
        into: &mut [u8],
        ask: impl FnOnce(&mut Journal, &mut [u8]) -> Result<usize, FileError>,
    ) -> Result<usize, FileError> {
        let known = |answer: &Answer| match answer {
            Answer::Bytes(read) => Some(read.clone()),
            _ => None,
        };
        let read = self.ask(Answer::Bytes, known, |journal| {
            let read = ask(journal, into);
            read.map(|len| into.get(..len).unwrap_or_default().into())
        });
        let bytes = read?;
        let len = bytes.len().min(into.len());
        into[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }
}

impl Console for JournalHandle {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let known = |answer: &Answer| matches!(answer, Answer::Taken).then_some(());
        self.ask(
            |()| Answer::Taken,
            known,
            |journal| journal.console.write(stream, bytes),
        );
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
        let known = |answer: &Answer| match answer {
            Answer::Opened(opened) => Some(*opened),
            _ => None,
        };
        let number = self.ask(Answer::Opened, known, |journal| {
            let file = journal.files.open(path, mode, creation)?;
            let number = FileNumber(journal.opened);
            journal.opened += 1;
            let host = HostFile {
                file: Some(file),
                users: 0,
            };
            journal.open.insert(number, host);
            Ok(number)
        });
        let opened = Opened {
            number: number?,
            path: path.clone(),
            mode,
        };
        Ok(Box::new(JournalFile::new(opened, self.clone())))
    }

    fn info(&mut self, path: &FilePath) -> Result<FileInfo, FileError> {
        let known = |answer: &Answer| match answer {
            Answer::Info(info) => Some(info.clone()),
            _ => None,
        };
        self.ask(Answer::Info, known, |journal| journal.files.info(path))
    }

    fn list(&mut self, folder: &FilePath) -> Result<Vec<FileInfo>, FileError> {
        let known = |answer: &Answer| match answer {
            Answer::List(list) => Some(list.clone()),
            _ => None,
        };
        let list = self.ask(Answer::List, known, |journal| {
            journal.files.list(folder).map(Rc::from)
        });
        list.map(|list| list.to_vec())
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

/// What a file was opened as.
#[derive(Clone, Debug)]
struct Opened {
    number: FileNumber,
    path: FilePath,
    mode: FileMode,
}

/// A file whose answers are written down.
#[derive(Debug)]
struct JournalFile {
    opened: Opened,
    journal: JournalHandle,
}

impl JournalFile {
    fn new(opened: Opened, journal: JournalHandle) -> Self {
        let mut inner = journal.0.borrow_mut();
        inner.open.entry(opened.number).or_default().users += 1;
        drop(inner);
        Self { opened, journal }
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        let mut journal = self.journal.0.borrow_mut();
        let number = self.opened.number;
        let Some(host) = journal.open.get_mut(&number) else {
            return;
        };
        host.users = host.users.saturating_sub(1);
        if host.users == 0 {
            journal.open.remove(&number);
        }
    }
}

impl OpenFile for JournalFile {
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
        let opened = &self.opened;
        self.journal.bytes(bytes, |journal, bytes| {
            journal.of_file(opened, |file| file.read(offset, bytes))
        })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let opened = &self.opened;
        self.journal
            .done(|journal| journal.of_file(opened, |file| file.write(offset, bytes)))
    }

    fn size(&mut self) -> Result<u64, FileError> {
        let opened = &self.opened;
        let known = |answer: &Answer| match answer {
            Answer::Size(size) => Some(*size),
            _ => None,
        };
        self.journal.ask(Answer::Size, known, |journal| {
            journal.of_file(opened, |file| file.size())
        })
    }

    fn set_size(&mut self, size_bytes: u64) -> Result<(), FileError> {
        let opened = &self.opened;
        self.journal
            .done(|journal| journal.of_file(opened, |file| file.set_size(size_bytes)))
    }

    fn copy(&self) -> Option<Box<dyn OpenFile>> {
        let copy = Self::new(self.opened.clone(), self.journal.clone());
        Some(Box::new(copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::NoFiles;

    #[derive(Debug)]
    struct Keys(Vec<u8>);

    impl Console for Keys {
        fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}

        fn read(&mut self, bytes: &mut [u8]) -> usize {
            let len = bytes.len().min(self.0.len());
            for (byte, key) in bytes.iter_mut().zip(self.0.drain(..len)) {
                *byte = key;
            }
            len
        }
    }

    #[test]
    fn a_repetition_that_asks_for_something_else_is_told_and_goes_on_as_another_run() {
        let mut journal = JournalHandle::new(Box::new(Keys(b"abcd".to_vec())), Box::new(NoFiles));
        let mut key = [0];
        journal.read(&mut key);
        journal.read(&mut key);
        journal.go_to(Mark::default());
        journal.read(&mut key);
        assert_eq!((key, journal.take_story()), (*b"a", Story::Same));

        let listed = journal.list(&FilePath::default());

        assert_eq!(listed, Ok(Vec::new()));
        assert_eq!(journal.take_story(), Story::Another);
        journal.read(&mut key);
        assert_eq!((key, journal.take_story()), (*b"c", Story::Same));
    }
}
