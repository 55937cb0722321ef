//! Objects that threads wait for, and their handles.

use std::collections::BTreeMap;

use crate::thread::ThreadId;

/// An object by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectId(u32);

/// What becomes of an event that lets a thread go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    /// It stays signalled until it is reset.
    Manual,
    /// It is reset at once.
    Auto,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Event {
        reset: Reset,
        is_signalled: bool,
    },
    Mutex {
        owner: Option<ThreadId>,
        depth: u32,
        /// Whether its owner has ended without letting it go.
        is_abandoned: bool,
    },
    Semaphore {
        count: u32,
        maximum: u32,
    },
    Thread {
        id: ThreadId,
        /// That of a thread that has ended.
        exit_code: Option<u32>,
    },
    /// The process itself, which cannot have ended.
    Process,
}

/// Which kind of named object a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Mutex,
    Semaphore,
}

impl Object {
    fn is(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Event { .. }, Kind::Event)
                | (Self::Mutex { .. }, Kind::Mutex)
                | (Self::Semaphore { .. }, Kind::Semaphore)
        )
    }

    /// Returns whether a wait by `thread` would end.
    fn is_free_for(&self, thread: ThreadId) -> bool {
        match *self {
            Self::Event { is_signalled, .. } => is_signalled,
            Self::Mutex { owner, .. } => owner.is_none_or(|owner| owner == thread),
            Self::Semaphore { count, .. } => count > 0,
            Self::Thread { exit_code, .. } => exit_code.is_some(),
            Self::Process => false,
        }
    }

    /// Ends a wait by `thread`; returns whether it got a mutex that was abandoned.
    fn take(&mut self, thread: ThreadId) -> bool {
        match self {
            Self::Event {
                reset,
                is_signalled,
            } => *is_signalled = *is_signalled && *reset == Reset::Manual,
            Self::Mutex {
                owner,
                depth,
                is_abandoned,
            } => {
                *owner = Some(thread);
                *depth = depth.saturating_add(1);
                return std::mem::take(is_abandoned);
            }
            Self::Semaphore { count, .. } => *count = count.saturating_sub(1),
            Self::Thread { .. } | Self::Process => {}
        }
        false
    }
}

#[derive(Clone, Debug)]
struct Entry {
    object: Object,
    name: Option<String>,
    handles: u32,
    /// Threads that wait for it keep it, too.
    waits: u32,
}

/// The first handle of an object, in a range of its own.
const FIRST_HANDLE: u32 = 0x80_0000;
const HANDLE_STEP: u32 = 4;
/// The most handles that a process has. Windows allows 16 million; a program that opens more than
/// this has a leak, and each takes memory of the host.
const MAX_HANDLES: usize = 1 << 16;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    Any,
    All,
}

/// What came of looking at objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The index of the object that ended the wait; 0 for all of them.
    pub(crate) index: u32,
    pub(crate) is_abandoned: bool,
}

/// The objects of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    entries: BTreeMap<ObjectId, Entry>,
    handles: BTreeMap<u32, ObjectId>,
    made: u32,
    given: u32,
}

impl Objects {
    /// Adds an object without a handle.
    pub(crate) fn add(&mut self, object: Object, name: Option<String>) -> ObjectId {
        let id = ObjectId(self.made);
        self.made = self.made.wrapping_add(1);
        let entry = Entry {
            object,
            name,
            handles: 0,
            waits: 0,
        };
        self.entries.insert(id, entry);
        id
    }

    /// Returns the object of that name.
    pub(crate) fn named(&self, name: &str) -> Option<ObjectId> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(_, entry)| entry.name.as_deref() == Some(name));
        found.map(|(&id, _)| id)
    }

    /// Returns whether the process can have one more handle, where it has `others` of the memory
    /// manager's.
    pub(crate) fn has_room(&self, others: usize) -> bool {
        self.handles.len().saturating_add(others) < MAX_HANDLES
    }

    /// Returns a new handle to an object; `None` if there are too many, with `others` of the memory
    /// manager's. Then an object without one is gone.
    pub(crate) fn open(&mut self, id: ObjectId, others: usize) -> Option<u32> {
        if !self.has_room(others) {
            self.forget_unused(id);
            return None;
        }
        let handle = FIRST_HANDLE.wrapping_add(self.given.wrapping_mul(HANDLE_STEP));
        self.given = self.given.wrapping_add(1);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.handles += 1;
        }
        self.handles.insert(handle, id);
        Some(handle)
    }

    /// Closes a handle; `None` if there is none.
    pub(crate) fn close(&mut self, handle: u32) -> Option<()> {
        let id = self.handles.remove(&handle)?;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.handles -= 1;
        }
        self.forget_unused(id);
        Some(())
    }

    /// Drops an object that nobody refers to. A thread keeps its own until it ends.
    fn forget_unused(&mut self, id: ObjectId) {
        let is_unused = self.entries.get(&id).is_some_and(|entry| {
            let lives = match entry.object {
                Object::Thread { exit_code, .. } => exit_code.is_none(),
                Object::Process => true,
                _ => false,
            };
            entry.handles == 0 && entry.waits == 0 && !lives
        });
        if is_unused {
            self.entries.remove(&id);
        }
    }

    /// Returns the object behind a handle.
    pub(crate) fn behind(&self, handle: u32) -> Option<ObjectId> {
        self.handles.get(&handle).copied()
    }

    /// Returns the object of a thread that has not ended.
    pub(crate) fn of_thread(&self, thread: ThreadId) -> Option<ObjectId> {
        let mut entries = self.entries.iter();
        let found = entries
            .find(|(_, entry)| matches!(entry.object, Object::Thread { id, .. } if id == thread));
        found.map(|(&id, _)| id)
    }

    /// Returns the object of the process.
    pub(crate) fn of_process(&mut self) -> ObjectId {
        let mut entries = self.entries.iter();
        let found = entries.find(|(_, entry)| entry.object == Object::Process);
        match found {
            Some((&id, _)) => id,
            None => self.add(Object::Process, None),
        }
    }

    /// Returns an object, to change it.
    pub(crate) fn get_mut(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.entries.get_mut(&id).map(|entry| &mut entry.object)
    }

    /// Returns an object.
    pub(crate) fn get(&self, id: ObjectId) -> Option<&Object> {
        self.entries.get(&id).map(|entry| &entry.object)
    }

    /// Returns the object behind a handle, to change it, if it is of that kind.
    pub(crate) fn of_kind(&mut self, handle: u32, kind: Kind) -> Option<&mut Object> {
        let id = self.behind(handle)?;
        let object = &mut self.entries.get_mut(&id)?.object;
        object.is(kind).then_some(object)
    }

    /// Returns whether an object is of that kind.
    pub(crate) fn is_of_kind(&self, id: ObjectId, kind: Kind) -> bool {
        self.get(id).is_some_and(|object| object.is(kind))
    }

    /// Ends a wait for objects, if it can end now.
    pub(crate) fn try_take(
        &mut self,
        ids: &[ObjectId],
        amount: Amount,
        thread: ThreadId,
    ) -> Option<Taken> {
        let is_free = |id: &ObjectId| {
            self.get(*id)
                .is_some_and(|object| object.is_free_for(thread))
        };
        match amount {
            Amount::Any => {
                let index = ids.iter().position(is_free)?;
                let entry = self.entries.get_mut(&ids[index])?;
                Some(Taken {
                    index: u32::try_from(index).unwrap_or(0),
                    is_abandoned: entry.object.take(thread),
                })
            }
            Amount::All => {
                if !ids.iter().all(is_free) {
                    return None;
                }
                let mut is_abandoned = false;
                for id in ids {
                    if let Some(entry) = self.entries.get_mut(id) {
                        is_abandoned |= entry.object.take(thread);
                    }
                }
                Some(Taken {
                    index: 0,
                    is_abandoned,
                })
            }
        }
    }

    /// Keeps objects for a thread that begins to wait.
    pub(crate) fn hold(&mut self, ids: &[ObjectId]) {
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.waits += 1;
            }
        }
    }

    /// Lets objects go that a thread has waited for.
    pub(crate) fn let_go(&mut self, ids: &[ObjectId]) {
        for &id in ids {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.waits = entry.waits.saturating_sub(1);
            }
            self.forget_unused(id);
        }
    }

    /// Notes that a thread has ended: its object is signalled, its mutexes are abandoned.
    pub(crate) fn end_thread(&mut self, thread: ThreadId, code: u32) {
        let mut ended = None;
        for (&id, entry) in &mut self.entries {
            match &mut entry.object {
                Object::Thread {
                    id: known,
                    exit_code,
                } if *known == thread => {
                    *exit_code = Some(code);
                    ended = Some(id);
                }
                Object::Mutex {
                    owner,
                    depth,
                    is_abandoned,
                } if *owner == Some(thread) => {
                    (*owner, *depth, *is_abandoned) = (None, 0, true);
                }
                _ => {}
            }
        }
        if let Some(id) = ended {
            self.forget_unused(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ThreadId = ThreadId(4);
    const TWO: ThreadId = ThreadId(8);

    #[test]
    fn waiting_for_all_takes_nothing_until_all_are_free() {
        let mut objects = Objects::default();
        let event = objects.add(
            Object::Event {
                reset: Reset::Auto,
                is_signalled: true,
            },
            None,
        );
        let semaphore = objects.add(
            Object::Semaphore {
                count: 0,
                maximum: 1,
            },
            None,
        );
        let handle = objects.open(semaphore, 0).unwrap();

        assert_eq!(
            objects.try_take(&[event, semaphore], Amount::All, ONE),
            None
        );
        if let Some(Object::Semaphore { count, .. }) = objects.of_kind(handle, Kind::Semaphore) {
            *count = 1;
        }

        assert!(
            objects
                .try_take(&[event, semaphore], Amount::All, ONE)
                .is_some()
        );
        assert_eq!(
            objects.try_take(&[event, semaphore], Amount::Any, ONE),
            None
        );
    }

    #[test]
    fn a_handle_too_many_is_refused_and_its_object_dropped() {
        let event = Object::Event {
            reset: Reset::Auto,
            is_signalled: true,
        };
        let mut objects = Objects::default();
        let handles: Vec<_> = (0..MAX_HANDLES)
            .map(|_| {
                let id = objects.add(event.clone(), None);
                objects.open(id, 0).unwrap()
            })
            .collect();

        let one_more = objects.add(event.clone(), None);
        assert_eq!(objects.open(one_more, 0), None);
        assert_eq!(objects.entries.len(), MAX_HANDLES);

        objects.close(handles[0]).unwrap();
        let again = objects.add(event, None);
        assert!(objects.open(again, 0).is_some());
        let with_others = objects.add(Object::Process, None);
        assert_eq!(objects.open(with_others, 1), None);
    }

    #[test]
    fn the_exit_code_of_a_thread_is_known_as_long_as_there_is_a_handle() {
        let mut objects = Objects::default();
        let thread = |id| Object::Thread {
            id,
            exit_code: None,
        };
        let [kept, forgotten] = [ONE, TWO].map(|id| objects.add(thread(id), None));
        let handle = objects.open(kept, 0).unwrap();

        objects.end_thread(ONE, 5);
        objects.end_thread(TWO, 6);

        let ended = Object::Thread {
            id: ONE,
            exit_code: Some(5),
        };
        assert_eq!(objects.get(kept), Some(&ended));
        assert_eq!(objects.get(forgotten), None);
        objects.close(handle).unwrap();
        assert!(objects.entries.is_empty());
    }

    #[test]
    fn the_mutexes_of_a_thread_that_ends_are_abandoned_once() {
        let mut objects = Objects::default();
        let mutex = objects.add(
            Object::Mutex {
                owner: Some(ONE),
                depth: 2,
                is_abandoned: false,
            },
            None,
        );
        assert_eq!(objects.try_take(&[mutex], Amount::Any, TWO), None);

        objects.end_thread(ONE, 0);

        let taken = objects.try_take(&[mutex], Amount::Any, TWO);
        assert!(taken.is_some_and(|taken| taken.is_abandoned));
        let again = objects.try_take(&[mutex], Amount::Any, TWO);
        assert!(again.is_some_and(|taken| !taken.is_abandoned));
    }
}
