//! Locks that are words in the program's memory: who has them, and who is next.

use pagefault_vmm::mmu::LinearAddr;

use crate::machine::Machine;
use crate::thread::{Awaited, State, ThreadId, Wait};
use crate::watch::Watch;

/// How a slim lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By one thread.
    Exclusive,
    /// By any number of threads.
    Shared,
}

/// A lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// A critical section.
    Section(u32),
    // Quirk: slim-locks
    /// `SRWLOCK`
    Slim { addr: u32, mode: Mode },
}

impl Lock {
    /// Returns its address.
    pub(crate) fn addr(self) -> u32 {
        match self {
            Self::Section(addr) | Self::Slim { addr, .. } => addr,
        }
    }
}

/// The states of `INIT_ONCE`, in its low two bits; above them is the context of one that is done.
pub(crate) const ONCE_STATE: u32 = 3;
pub(crate) const ONCE_FREE: u32 = 0;
pub(crate) const ONCE_RUNS: u32 = 1;
pub(crate) const ONCE_DONE: u32 = 2;

/// A slim lock that is taken; above this bit is the number of threads that share it.
const SLIM_TAKEN: u32 = 1;
/// One thread that shares a slim lock.
const SLIM_SHARE: u32 = 0x10;

/// Fields of `RTL_CRITICAL_SECTION`, as offsets.
pub(crate) mod section {
    /// -1 for one that is free; each thread that has it or waits for it adds one.
    pub(crate) const LOCK_COUNT: u32 = 4;
    /// How often its owner has entered it.
    pub(crate) const RECURSION_COUNT: u32 = 8;
    pub(crate) const OWNING_THREAD: u32 = 12;
    /// `LockCount` of one that is free.
    pub(crate) const FREE: u32 = u32::MAX;
}

impl<W: Watch> Machine<W> {
    /// Takes a lock for a thread, if it is free for it.
    pub(crate) fn try_lock(&mut self, lock: Lock, thread: ThreadId) -> bool {
        match lock {
            Lock::Section(addr) => self.try_enter_section(addr, thread),
            Lock::Slim { addr, mode } => {
                let word = self.word(addr);
                let new = match (mode, word) {
                    (_, 0) if mode == Mode::Exclusive => SLIM_TAKEN,
                    (Mode::Shared, 0) => SLIM_TAKEN + SLIM_SHARE,
                    (Mode::Shared, word) if word >= SLIM_SHARE => word.wrapping_add(SLIM_SHARE),
                    _ => return false,
                };
                self.write_word(addr, new);
                true
            }
        }
    }

    /// Enters a section that is free or the thread's own.
    fn try_enter_section(&mut self, addr: u32, thread: ThreadId) -> bool {
        let count = self.word(addr.wrapping_add(section::LOCK_COUNT));
        let is_own = self.word(addr.wrapping_add(section::OWNING_THREAD)) == thread.0;
        if count != section::FREE && !is_own {
            return false;
        }
        let depth = if is_own {
            let depth = self.word(addr.wrapping_add(section::RECURSION_COUNT));
            depth.wrapping_add(1)
        } else {
            1
        };
        self.write_word(
            addr.wrapping_add(section::LOCK_COUNT),
            count.wrapping_add(1),
        );
        self.write_word(addr.wrapping_add(section::RECURSION_COUNT), depth);
        self.write_word(addr.wrapping_add(section::OWNING_THREAD), thread.0);
        true
    }

    /// Lets a lock go; who has waited longest gets it.
    pub(crate) fn unlock(&mut self, lock: Lock) {
        match lock {
            Lock::Section(addr) => self.leave_section(addr),
            Lock::Slim { addr, mode } => {
                let word = self.word(addr);
                let left = match mode {
                    Mode::Shared if word >= SLIM_SHARE * 2 => word.wrapping_sub(SLIM_SHARE),
                    _ => 0,
                };
                self.write_word(addr, left);
                self.grant(addr);
            }
        }
    }

    fn leave_section(&mut self, addr: u32) {
        let depth_at = addr.wrapping_add(section::RECURSION_COUNT);
        let count_at = addr.wrapping_add(section::LOCK_COUNT);
        let depth = self.word(depth_at).wrapping_sub(1);
        let count = self.word(count_at).wrapping_sub(1);
        self.write_word(depth_at, depth);
        self.write_word(count_at, count);
        if depth != 0 {
            return;
        }
        self.write_word(addr.wrapping_add(section::OWNING_THREAD), 0);
        if let Some((next, wait)) = self.waiters(addr).into_iter().next() {
            // It has been counted when it began to wait.
            self.write_word(addr.wrapping_add(section::OWNING_THREAD), next.0);
            self.write_word(depth_at, 1);
            self.wake(next, wait.granted);
        }
    }

    /// Gives a slim lock to those that wait for it, in order, as far as they can have it together.
    fn grant(&mut self, addr: u32) {
        for (id, wait) in self.waiters(addr) {
            let Awaited::Lock(lock) = wait.awaited else {
                continue;
            };
            if !self.try_lock(lock, id) {
                return;
            }
            self.wake(id, wait.granted);
        }
    }

    /// Returns those that wait for a lock, the first one first.
    fn waiters(&self, addr: u32) -> Vec<(ThreadId, Wait)> {
        self.waits(|awaited| matches!(awaited, Awaited::Lock(lock) if lock.addr() == addr))
    }

    /// Returns whether anybody waits for a lock.
    pub(crate) fn is_awaited(&self, addr: u32) -> bool {
        !self.waiters(addr).is_empty()
    }

    /// Returns those that sleep on a condition variable, the first one first.
    pub(crate) fn sleepers(&self, variable: u32) -> Vec<ThreadId> {
        let sleeps = |awaited: &Awaited| matches!(awaited, Awaited::Condition { variable: own, .. } if *own == variable);
        self.waits(sleeps).into_iter().map(|(id, _)| id).collect()
    }

    fn waits(&self, is_wanted: impl Fn(&Awaited) -> bool) -> Vec<(ThreadId, Wait)> {
        let waiting = self.threads.waiting().into_iter();
        let waits = waiting.filter_map(|id| match &self.threads.get(id)?.state {
            State::Waiting(wait) if is_wanted(&wait.awaited) => Some((id, wait.clone())),
            _ => None,
        });
        waits.collect()
    }

    /// Ends the sleep of a thread on a condition variable, whose call returns `result` as soon as
    /// it has its lock again.
    pub(crate) fn wake_with_lock(&mut self, id: ThreadId, result: u32) {
        let state = self.threads.get(id).map(|thread| &thread.state);
        let Some(State::Waiting(wait)) = state else {
            return;
        };
        let Awaited::Condition { lock, .. } = wait.awaited else {
            return;
        };
        if !self.is_awaited(lock.addr()) && self.try_lock(lock, id) {
            self.wake(id, result);
            return;
        }
        if let Lock::Section(addr) = lock {
            let count_at = addr.wrapping_add(section::LOCK_COUNT);
            let count = self.word(count_at).wrapping_add(1);
            self.write_word(count_at, count);
        }
        self.threads.wait_anew(
            id,
            Wait {
                granted: result,
                ..Wait::new(Awaited::Lock(lock), None)
            },
        );
    }

    /// Lets those go on that wait for an initialisation whose word is now `state`.
    pub(crate) fn once_changed(&mut self, changed: u32, state: u32) {
        let waiters =
            self.waits(|awaited| matches!(awaited, Awaited::Once { once, .. } if *once == changed));
        for (id, wait) in waiters {
            let Awaited::Once {
                pending, context, ..
            } = wait.awaited
            else {
                continue;
            };
            if state == ONCE_FREE {
                self.write_word(changed, ONCE_RUNS);
                self.write_word(pending, 1);
                self.wake(id, wait.granted);
                return;
            }
            self.write_word(pending, 0);
            if context != 0 {
                self.write_word(context, state & !ONCE_STATE);
            }
            self.wake(id, wait.granted);
        }
    }

    /// Reads a word that the function has touched before; 0 if it has gone since.
    fn word(&mut self, addr: u32) -> u32 {
        let at = LinearAddr::new(addr);
        self.vmm.read_u32(&mut self.mmu, at).unwrap_or(0)
    }
}
