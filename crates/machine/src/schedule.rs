//! The scheduler: whose turn it is, who waits, and what time it is. All of it is a function of the
//! instructions that have been executed, so that a run is the same every time.

use pagefault_cpu::{Descriptor, SegmentRights, Selector};
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{Caller, FreeRequest, MEM_RELEASE, PageRange};

use crate::error::TIMEOUT;
use crate::layout::{THREAD_ID, teb};
use crate::machine::{Machine, Outcome};
use crate::objects::Taken;
use crate::thread::{Awaited, State, ThreadId, Wait};
use crate::watch::Watch;

/// The selector that FS holds in a 32-bit Windows process.
pub(crate) const FS_SELECTOR: Selector = Selector::new(0x3B);
/// Instructions of a turn that nobody waits for.
pub(crate) const LONE_TURN: u64 = 1_000_000;
/// The pace of the machine's clock.
const NS_PER_INSTRUCTION: u64 = 10;
/// `WAIT_TIMEOUT`
pub(crate) const WAIT_TIMEOUT: u32 = 0x102;
/// `WAIT_ABANDONED_0`
const WAIT_ABANDONED: u32 = 0x80;

impl Taken {
    /// Returns what a wait function returns.
    pub(crate) fn result(self) -> u32 {
        let base = if self.is_abandoned { WAIT_ABANDONED } else { 0 };
        base.wrapping_add(self.index)
    }
}

impl<W: Watch> Machine<W> {
    /// Returns the machine's time in nanoseconds: that of the instructions, and what all threads
    /// together have slept.
    pub(crate) fn now_ns(&self) -> u64 {
        // Quirk: instruction-time
        let worked = self.cpu.instructions().saturating_mul(NS_PER_INSTRUCTION);
        worked.saturating_add(self.slept_ns)
    }

    /// Makes a thread current that can run, if the current one cannot.
    ///
    /// # Errors
    ///
    /// The end of the process, if none can ever run again.
    pub(crate) fn find_runnable(&mut self) -> Result<(), Outcome> {
        if self.threads.current_runs() {
            return Ok(());
        }
        self.switch_thread()
    }

    /// Ends the turn of the current thread, if there are others.
    pub(crate) fn end_turn(&mut self) -> Result<(), Outcome> {
        self.tick();
        if !self.threads.has_others() {
            self.turn_left = LONE_TURN;
            return Ok(());
        }
        self.threads.give_way();
        self.switch_thread()
    }

    /// Gives the turn to the next thread that can run; if all wait, the time passes.
    fn switch_thread(&mut self) -> Result<(), Outcome> {
        loop {
            self.end_overdue_waits();
            if let Some(next) = self.threads.take_next() {
                self.make_current(next);
                return Ok(());
            }
            let Some(deadline) = self.threads.earliest_deadline() else {
                self.threads.give_way();
                let any = self.threads.iter().next().map(|thread| thread.id);
                if let Some(any) = any {
                    self.make_current(any);
                }
                return Err(Outcome::Deadlock {
                    threads: u32::try_from(self.threads.iter().count()).unwrap_or(u32::MAX),
                });
            };
            let missing = deadline.saturating_sub(self.now_ns());
            self.slept_ns = self.slept_ns.saturating_add(missing);
            self.tick();
        }
    }

    fn make_current(&mut self, next: ThreadId) {
        self.turn_left = self.threads.next_turn();
        let old = self.threads.current_id();
        if next == old {
            return;
        }
        let Some(thread) = self.threads.get(next) else {
            return;
        };
        let (stack, teb) = (thread.stack.clone(), thread.teb);
        let registers = thread.registers.clone();
        let saved = std::mem::replace(self.cpu.registers_mut(), registers);
        if let Some(old) = self.threads.get_mut(old) {
            old.registers = saved;
        }
        self.threads.set_current(next);
        self.set_teb(teb);
        let size = stack.end.wrapping_sub(stack.start);
        let pages = PageRange::touched(LinearAddr::new(stack.start), size);
        self.vmm.set_stack(self.process, pages);
    }

    /// Makes the selector of FS refer to a TEB.
    pub(crate) fn set_teb(&mut self, teb: u32) {
        let descriptor = teb_descriptor(teb);
        self.cpu.descriptors_mut().set(FS_SELECTOR, descriptor);
    }

    /// Has the current thread wait.
    pub(crate) fn begin_wait(&mut self, wait: Wait) {
        if let Awaited::Objects(ids, _) = &wait.awaited {
            self.objects.hold(ids);
        }
        self.threads.wait(wait);
    }

    /// Ends the waits whose objects are free by now.
    pub(crate) fn end_waits(&mut self) {
        for id in self.threads.waiting() {
            let Some(State::Waiting(wait)) = self.threads.get(id).map(|thread| &thread.state)
            else {
                continue;
            };
            let Awaited::Objects(ids, amount) = &wait.awaited else {
                continue;
            };
            if let Some(taken) = self.objects.try_take(ids, *amount, id) {
                self.wake(id, taken.result());
            }
        }
    }

    fn end_overdue_waits(&mut self) {
        let now = self.now_ns();
        for id in self.threads.waiting() {
            let Some(State::Waiting(wait)) = self.threads.get(id).map(|thread| &thread.state)
            else {
                continue;
            };
            if wait.deadline_ns.is_some_and(|deadline| deadline <= now) {
                match wait.awaited {
                    Awaited::Time | Awaited::Lock(_) | Awaited::Once { .. } => self.wake(id, 0),
                    Awaited::Objects(..) => self.wake(id, WAIT_TIMEOUT),
                    Awaited::Condition { .. } => {
                        let teb = self.threads.get(id).map_or(0, |thread| thread.teb);
                        self.write_word(teb.wrapping_add(teb::LAST_ERROR), TIMEOUT.get());
                        self.wake_with_lock(id, 0);
                    }
                }
            }
        }
    }

    /// Ends the wait of a thread, whose call returns `result`.
    pub(crate) fn wake(&mut self, id: ThreadId, result: u32) {
        let Some(wait) = self.threads.wake(id) else {
            return;
        };
        if let Awaited::Objects(ids, _) = &wait.awaited {
            self.objects.let_go(ids);
        }
        self.set_result(id, result);
    }

    /// Sets what the call in which a thread is returns.
    fn set_result(&mut self, id: ThreadId, result: u32) {
        let registers = if id == self.threads.current_id() {
            self.cpu.registers_mut()
        } else if let Some(thread) = self.threads.get_mut(id) {
            &mut thread.registers
        } else {
            return;
        };
        registers.set_gpr(pagefault_cpu::Reg::Eax, result);
    }

    /// Ends a thread.
    ///
    /// # Errors
    ///
    /// The end of the process, if it was the last one.
    pub(crate) fn end_thread(&mut self, id: ThreadId, code: u32) -> Result<(), Outcome> {
        if self.threads.get(id).is_none() {
            return Ok(());
        }
        if !self.threads.has_others() {
            return Err(Outcome::Exited { code });
        }
        let Some(thread) = self.threads.end(id) else {
            return Ok(());
        };
        if let Some(handle) = thread.own_handle {
            // The program may have closed it by itself.
            _ = self.objects.close(handle);
        }
        if let State::Waiting(Wait {
            awaited: Awaited::Objects(ids, _),
            ..
        }) = &thread.state
        {
            self.objects.let_go(ids);
        }
        self.objects.end_thread(id, code);
        // The first thread's stack and TEB are the process's own.
        if id != ThreadId(THREAD_ID) {
            self.release(thread.stack.start);
            self.free_teb(thread.teb);
        }
        self.end_waits();
        Ok(())
    }

    /// Releases an allocation of the system's own.
    pub(crate) fn release(&mut self, addr: u32) {
        let request = FreeRequest {
            address: LinearAddr::new(addr),
            size_bytes: 0,
            free_type: MEM_RELEASE,
        };
        let freed = self
            .vmm
            .free(&mut self.mmu, Caller::of(self.process), &request);
        // A program may have released its stack itself.
        _ = freed;
    }
}

/// Returns the descriptor of a TEB.
pub(crate) fn teb_descriptor(teb: u32) -> Descriptor {
    Descriptor {
        base: LinearAddr::new(teb),
        limit: PAGE_SIZE - 1,
        rights: SegmentRights::READ | SegmentRights::WRITE,
    }
}
