//! Threads: what the machine keeps of each, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use pagefault_cpu::Registers;

use crate::layout::THREAD_ID;
use crate::locks::Lock;
use crate::objects::{Amount, ObjectId};
use crate::queued::{Leaving, QueuedCall};

/// A thread by its id, as programs see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ThreadId(pub(crate) u32);

/// The distance between two thread ids.
const ID_STEP: u32 = 4;

/// What a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Nothing but the time.
    Time,
    /// Objects.
    Objects(Vec<ObjectId>, Amount),
    /// A lock.
    Lock(Lock),
    /// The condition variable at an address; then, the lock.
    Condition { variable: u32, lock: Lock },
    /// The end of an initialisation, and where its outcome goes.
    Once {
        once: u32,
        pending: u32,
        context: u32,
    },
}

/// A wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) awaited: Awaited,
    /// When it ends at the latest, in nanoseconds of the machine's clock; `None` is never.
    pub(crate) deadline_ns: Option<u64>,
    /// What the call returns when a lock is granted.
    pub(crate) granted: u32,
    /// Whether queued calls end it.
    pub(crate) is_alertable: bool,
}

impl Wait {
    /// Returns a wait that queued calls do not end.
    pub(crate) fn new(awaited: Awaited, deadline_ns: Option<u64>) -> Self {
        Self {
            awaited,
            deadline_ns,
            granted: 0,
            is_alertable: false,
        }
    }
}

/// What a thread does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs, or would if it had its turn.
    Ready,
    Waiting(Wait),
}

/// A thread.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) id: ThreadId,
    /// The linear address of its TEB.
    pub(crate) teb: u32,
    /// Its stack, all of the reservation.
    pub(crate) stack: Range<u32>,
    /// Its registers, while it does not run.
    pub(crate) registers: Registers,
    pub(crate) state: State,
    /// How often it is suspended.
    pub(crate) suspended: u32,
    /// What `SetThreadPriority` has set. Every thread gets its turn all the same.
    pub(crate) priority: u32,
    /// Thread-local values beyond those of the TEB, by their index.
    pub(crate) local: BTreeMap<u32, u32>,
    /// Values of `FlsSetValue`, by their index.
    pub(crate) fiber_local: BTreeMap<u32, u32>,
    /// Calls that it makes when it may be interrupted.
    pub(crate) queued: VecDeque<QueuedCall>,
    /// Whether it makes them now.
    pub(crate) is_diverted: bool,
    /// Whether it has had a turn.
    pub(crate) has_begun: bool,
    /// That it is about to end, and how.
    pub(crate) leaving: Option<Leaving>,
    /// A handle of its own, which is closed when it ends: that of `_beginthread`.
    pub(crate) own_handle: Option<u32>,
    /// What `SetThreadStackGuarantee` has set, in bytes.
    pub(crate) stack_guarantee: u32,
    /// What `rand` goes on from.
    pub(crate) seed: u32,
    /// Where `strtok` goes on.
    pub(crate) token: u32,
}

/// What `rand` begins with in every thread.
const FIRST_SEED: u32 = 1;

impl Thread {
    /// Returns a thread that is ready to run.
    pub(crate) fn new(id: ThreadId, teb: u32, stack: Range<u32>, registers: Registers) -> Self {
        Self {
            id,
            teb,
            stack,
            registers,
            state: State::Ready,
            suspended: 0,
            priority: 0,
            local: BTreeMap::new(),
            fiber_local: BTreeMap::new(),
            queued: VecDeque::new(),
            is_diverted: false,
            has_begun: false,
            leaving: None,
            own_handle: None,
            stack_guarantee: 0,
            seed: FIRST_SEED,
            token: 0,
        }
    }

    fn is_runnable(&self) -> bool {
        self.state == State::Ready && self.suspended == 0
    }
}

/// How turns are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// Instructions of one turn, at least 1.
    pub quantum: u64,
    /// 0 gives every turn its full length; another number draws the lengths from it.
    pub seed: u64,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            quantum: DEFAULT_QUANTUM,
            seed: 0,
        }
    }
}

/// Instructions of one turn, unless told otherwise.
pub const DEFAULT_QUANTUM: u64 = 20_000;

/// The threads of the process. One of them is current: the registers of the processor are its own.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    living: BTreeMap<ThreadId, Thread>,
    current: ThreadId,
    /// Those whose turn will come, the next one first. The current one is not among them.
    ready: VecDeque<ThreadId>,
    /// Those that wait, in the order in which they began to.
    waiting: Vec<ThreadId>,
    turns: Turns,
    random: u64,
    given: u32,
}

impl Threads {
    /// Returns the threads of a new process: its first one, which is current.
    pub(crate) fn new(first: Thread, turns: Turns) -> Self {
        let current = first.id;
        let first = Thread {
            has_begun: true,
            ..first
        };
        Self {
            living: BTreeMap::from([(current, first)]),
            current,
            ready: VecDeque::new(),
            waiting: Vec::new(),
            turns,
            random: turns.seed,
            given: 1,
        }
    }

    /// Returns a new id.
    pub(crate) fn new_id(&mut self) -> ThreadId {
        let id = ThreadId(THREAD_ID.wrapping_add(self.given.wrapping_mul(ID_STEP)));
        self.given = self.given.wrapping_add(1);
        id
    }

    /// Adds a thread.
    pub(crate) fn add(&mut self, thread: Thread) {
        if thread.is_runnable() {
            self.ready.push_back(thread.id);
        }
        self.living.insert(thread.id, thread);
    }

    /// Returns the thread that is current.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub(crate) fn current(&self) -> &Thread {
        &self.living[&self.current]
    }

    /// Returns the current thread, to change it.
    pub(crate) fn current_mut(&mut self) -> &mut Thread {
        match self.living.get_mut(&self.current) {
            Some(thread) => thread,
            None => unreachable!("the current thread has not ended"),
        }
    }

    /// Returns a thread that has not ended.
    pub(crate) fn get(&self, id: ThreadId) -> Option<&Thread> {
        self.living.get(&id)
    }

    /// Returns a thread that has not ended, to change it.
    pub(crate) fn get_mut(&mut self, id: ThreadId) -> Option<&mut Thread> {
        self.living.get_mut(&id)
    }

    /// Returns every thread that has not ended.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Thread> {
        self.living.values()
    }

    /// Returns whether another thread waits for its turn.
    pub(crate) fn someone_is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns whether the current thread can go on.
    pub(crate) fn current_runs(&self) -> bool {
        self.get(self.current).is_some_and(Thread::is_runnable)
    }

    /// Returns whether anybody else could run, now or after some time.
    pub(crate) fn has_others(&self) -> bool {
        self.living.len() > 1
    }

    /// Returns how many instructions the next turn has.
    pub(crate) fn next_turn(&mut self) -> u64 {
        // Quirk: turns
        let quantum = self.turns.quantum.max(1);
        if self.turns.seed == 0 {
            return quantum;
        }
        // Marsaglia's xorshift: any sequence would do, if it is the same every time.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        1 + self.random % quantum.saturating_mul(2)
    }

    /// Ends the turn of the current thread, which will have another one.
    pub(crate) fn give_way(&mut self) {
        if self.current_runs() {
            self.ready.push_back(self.current);
        }
    }

    /// Returns the thread whose turn it is now.
    pub(crate) fn take_next(&mut self) -> Option<ThreadId> {
        self.ready.pop_front()
    }

    /// Makes a thread current.
    pub(crate) fn set_current(&mut self, id: ThreadId) {
        self.current = id;
        if let Some(thread) = self.living.get_mut(&id) {
            thread.has_begun = true;
        }
    }

    /// Returns the current thread's id.
    pub(crate) fn current_id(&self) -> ThreadId {
        self.current
    }

    /// Has the current thread wait.
    pub(crate) fn wait(&mut self, wait: Wait) {
        self.current_mut().state = State::Waiting(wait);
        self.waiting.push(self.current);
    }

    /// Has a thread that waits wait for something else, behind the others.
    pub(crate) fn wait_anew(&mut self, id: ThreadId, wait: Wait) {
        self.waiting.retain(|&waiting| waiting != id);
        if let Some(thread) = self.living.get_mut(&id) {
            thread.state = State::Waiting(wait);
            self.waiting.push(id);
        }
    }

    /// Returns those that wait, in the order in which they began to.
    pub(crate) fn waiting(&self) -> Vec<ThreadId> {
        self.waiting.clone()
    }

    /// Ends the wait of a thread.
    pub(crate) fn wake(&mut self, id: ThreadId) -> Option<Wait> {
        self.waiting.retain(|&waiting| waiting != id);
        let thread = self.living.get_mut(&id)?;
        let State::Waiting(wait) = std::mem::replace(&mut thread.state, State::Ready) else {
            return None;
        };
        if thread.is_runnable() {
            self.ready.push_back(id);
        }
        Some(wait)
    }

    /// Suspends a thread once more; returns how often it was before. `None` at the limit.
    pub(crate) fn suspend(&mut self, id: ThreadId) -> Option<u32> {
        /// `MAXIMUM_SUSPEND_COUNT`
        const MAXIMUM: u32 = 127;
        let thread = self.living.get_mut(&id)?;
        let before = thread.suspended;
        if before == MAXIMUM {
            return None;
        }
        thread.suspended += 1;
        self.ready.retain(|&ready| ready != id);
        Some(before)
    }

    /// Resumes a thread once; returns how often it was suspended before.
    pub(crate) fn resume(&mut self, id: ThreadId) -> Option<u32> {
        let thread = self.living.get_mut(&id)?;
        let before = thread.suspended;
        thread.suspended = before.saturating_sub(1);
        if before == 1 && thread.is_runnable() && id != self.current {
            self.ready.push_back(id);
        }
        Some(before)
    }

    /// Takes a thread that ends out; the current one stays current until another one is.
    pub(crate) fn end(&mut self, id: ThreadId) -> Option<Thread> {
        self.ready.retain(|&ready| ready != id);
        self.waiting.retain(|&waiting| waiting != id);
        self.living.remove(&id)
    }

    /// Returns the earliest end of a wait.
    pub(crate) fn earliest_deadline(&self) -> Option<u64> {
        let waits = self.waiting.iter().filter_map(|id| self.living.get(id));
        waits
            .filter_map(|thread| match &thread.state {
                State::Waiting(wait) => wait.deadline_ns,
                State::Ready => None,
            })
            .min()
    }
}
