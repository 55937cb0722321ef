//! Calls that the system makes in a thread's own mode before the thread goes on: procedures that
//! programs queue for a thread, and what is called when a thread or the process ends.

use pagefault_cpu::Reg;
use pagefault_vmm::mmu::{LinearAddr, Word};

use crate::api::{Modules, leave_address};
use crate::machine::{Machine, Outcome};
use crate::system::SystemCode;
use crate::thread::{State, ThreadId};
use crate::watch::Watch;

/// `WAIT_IO_COMPLETION`: a wait ended because of a queued call.
pub(crate) const WAIT_IO_COMPLETION: u32 = 0xC0;
/// `DLL_PROCESS_DETACH`
const PROCESS_DETACH: u32 = 0;
/// `DLL_THREAD_DETACH`
const THREAD_DETACH: u32 = 3;
/// The most arguments of a queued call.
pub(crate) const MAX_ARGUMENTS: usize = 3;

/// A call to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueuedCall {
    pub(crate) function: u32,
    /// At most [`MAX_ARGUMENTS`].
    pub(crate) arguments: Vec<u32>,
}

/// What ends, and with which exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    Thread(u32),
    Process(u32),
}

impl<W: Watch> Machine<W> {
    /// Queues a call for a thread. One that waits so that it may be called is woken for it, and one
    /// that has not begun makes the call first.
    pub(crate) fn queue_call(&mut self, id: ThreadId, call: QueuedCall) {
        let Some(thread) = self.threads.get_mut(id) else {
            return;
        };
        thread.queued.push_back(call);
        let has_begun = thread.has_begun;
        let is_alertable = matches!(&thread.state, State::Waiting(wait) if wait.is_alertable);
        if is_alertable {
            self.wake(id, WAIT_IO_COMPLETION);
        }
        if is_alertable || !has_begun {
            self.run_queued(id);
        }
    }

    /// Has a thread make its queued calls before it goes on where it is. Returns whether that can
    /// be done: its stack has to be there.
    pub(crate) fn run_queued(&mut self, id: ThreadId) -> bool {
        let is_current = id == self.threads.current_id();
        let Some(thread) = self.threads.get_mut(id) else {
            return false;
        };
        if thread.is_diverted {
            return true;
        }
        let registers = if is_current {
            self.cpu.registers()
        } else {
            &thread.registers
        };
        let (eip, esp) = (registers.eip(), registers.gpr(Reg::Esp));
        let esp = esp.wrapping_sub(u32::SIZE);
        let at = LinearAddr::new(esp);
        let pushed = self.vmm.copy_out(&mut self.mmu, at, &eip.to_le_bytes());
        if pushed.is_err() {
            return false;
        }
        let Some(thread) = self.threads.get_mut(id) else {
            return false;
        };
        thread.is_diverted = true;
        let registers = if is_current {
            self.cpu.registers_mut()
        } else {
            &mut thread.registers
        };
        registers.set_gpr(Reg::Esp, esp);
        registers.set_eip(SystemCode::get().entry("RunQueued"));
        true
    }

    /// Ends the current thread or the process, once what is to be called then has been.
    ///
    /// # Errors
    ///
    /// The end of the process, if nothing is to be called.
    pub(crate) fn leave(&mut self, leaving: Leaving) -> Result<(), Outcome> {
        /// What is left of the stack, in bytes, where the stack pointer is not in it.
        const TOP_BYTES: u32 = 64;
        let leaving = match leaving {
            Leaving::Thread(code) if !self.threads.has_others() => Leaving::Process(code),
            other => other,
        };
        if self.threads.current().leaving.is_some() {
            return self.leave_now(leaving);
        }
        if let Leaving::Process(code) = leaving {
            self.end_other_threads(code)?;
        }
        let calls = self.last_calls(leaving);
        let is_due = !calls.is_empty() || self.holds_output(leaving);
        if !is_due {
            return self.leave_now(leaving);
        }
        let stack = self.threads.current().stack.clone();
        let thread = self.threads.current_mut();
        thread.leaving = Some(leaving);
        thread.queued = calls.into();
        thread.is_diverted = false;
        let registers = self.cpu.registers_mut();
        let esp = registers.gpr(Reg::Esp);
        if !stack.contains(&esp) || stack.end.wrapping_sub(esp) < TOP_BYTES {
            registers.set_gpr(Reg::Esp, stack.end.wrapping_sub(TOP_BYTES));
        }
        registers.set_eip(leave_address::<W>());
        if self.run_queued(self.threads.current_id()) {
            return Ok(());
        }
        self.leave_now(leaving)
    }

    /// Ends the current thread or the process.
    pub(crate) fn leave_now(&mut self, leaving: Leaving) -> Result<(), Outcome> {
        match leaving {
            Leaving::Thread(code) => self.end_thread(self.threads.current_id(), code),
            Leaving::Process(code) => Err(Outcome::Exited { code }),
        }
    }

    fn end_other_threads(&mut self, code: u32) -> Result<(), Outcome> {
        let current = self.threads.current_id();
        let others: Vec<ThreadId> = self.threads.iter().map(|thread| thread.id).collect();
        for id in others.into_iter().filter(|&id| id != current) {
            self.end_thread(id, code)?;
        }
        Ok(())
    }

    /// Returns whether streams of the C library have to be written at the end of the process.
    fn holds_output(&self, leaving: Leaving) -> bool {
        matches!(leaving, Leaving::Process(_)) && self.services.streams.hold_output()
    }

    /// Returns what is called when a thread or the process ends: the functions of values of the
    /// thread, and those of the TLS directory.
    fn last_calls(&self, leaving: Leaving) -> Vec<QueuedCall> {
        let values = &self.threads.current().fiber_local;
        let of_values = self.fiber_local.iter().filter_map(|(index, &function)| {
            let value = values.get(index).copied().unwrap_or(0);
            (function != 0 && value != 0).then(|| QueuedCall {
                function,
                arguments: vec![value],
            })
        });
        let reason = match leaving {
            Leaving::Thread(_) => THREAD_DETACH,
            Leaving::Process(_) => PROCESS_DETACH,
        };
        let base = self.image.start;
        let callbacks = self.thread_local.iter().flat_map(|local| &local.callbacks);
        let of_image = callbacks.map(|&callback| QueuedCall {
            function: base.wrapping_add(callback),
            arguments: vec![base, reason, 0],
        });
        of_values.chain(of_image).collect()
    }
}

impl Modules {
    /// Returns the address of a function of the system's own.
    pub(crate) fn own<W: Watch>(name: &str) -> u32 {
        let found = Self::named::<W>("ntdll").and_then(|id| Self::export::<W>(id, name));
        match found {
            Some(addr) => addr,
            None => unreachable!("the table has {name}"),
        }
    }
}
