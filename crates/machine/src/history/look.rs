//! What debuggers ask of a recording beside its machine: threads, and why it stands where it stands.

use iced_x86::{Decoder, DecoderOptions};
use pagefault_cpu::Registers;
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};

use crate::history::timeline::Keep;
use crate::history::{Recording, SnapshotError};
use crate::machine::{Outcome, Raise};
use crate::raise::RefusedAccess;
use crate::report::{ExceptionReport, FaultKind, Place, disassemble};
use crate::thread::{State, ThreadId};

/// The longest instruction in bytes.
const MAX_INSTRUCTION_BYTES: usize = 15;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// It runs.
    Current,
    /// It waits for its turn.
    Ready,
    /// It waits for an object or for time to pass.
    Waiting,
    /// Another one has suspended it.
    Suspended,
}

impl Recording {
    /// Returns the thread that runs, as the program knows it.
    pub fn thread(&self) -> u32 {
        self.machine.threads.current_id().0
    }

    /// Returns `count` instructions from an address on, as they stand in memory now, touched or not;
    /// where nothing can be read or decoded, one byte each.
    pub fn places(&mut self, from: u32, count: usize) -> Vec<Place> {
        let mut at = from;
        let place = |_| {
            let place = self.place_at(at);
            let len = match &place.instruction {
                Some(_) => u32::try_from(place.bytes.len()).unwrap_or(1).max(1),
                None => 1,
            };
            at = at.wrapping_add(len);
            place
        };
        (0..count).map(place).collect()
    }

    fn place_at(&mut self, addr: u32) -> Place {
        let mut bytes = [0; MAX_INSTRUCTION_BYTES];
        let start = LinearAddr::new(addr);
        // The bytes up to the end of the page may be all that there are.
        let in_page = usize::try_from(PAGE_SIZE - start.page_offset()).unwrap_or(bytes.len());
        let len = match self.peek(start, &mut bytes) {
            Ok(()) => bytes.len(),
            Err(_) => in_page.min(bytes.len()),
        };
        let read = self.peek(start, &mut bytes[..len]);
        let known = read.map_or(&[][..], |()| &bytes[..len]);
        let mut decoder = Decoder::with_ip(32, known, u64::from(addr), DecoderOptions::NONE);
        let instruction = decoder.decode();
        let len = if instruction.is_invalid() {
            0
        } else {
            instruction.len()
        };
        let bytes = known.get(..len).unwrap_or_default();
        let debug = self.machine.debug();
        Place {
            addr,
            instruction: disassemble(bytes, addr).filter(|_| len > 0),
            bytes: bytes.to_vec(),
            source: debug.line(addr).cloned(),
            symbol: debug.symbol(addr),
        }
    }

    /// Returns the threads that have not ended, and what each does.
    pub fn threads(&self) -> Vec<(u32, ThreadState)> {
        let threads = self.machine.threads.iter();
        let state = |thread: &crate::thread::Thread| match thread.state {
            _ if thread.id == self.machine.threads.current_id() => ThreadState::Current,
            _ if thread.suspended > 0 => ThreadState::Suspended,
            State::Ready => ThreadState::Ready,
            State::Waiting(_) => ThreadState::Waiting,
        };
        threads.map(|thread| (thread.id.0, state(thread))).collect()
    }

    /// Returns the registers of a thread; `None` if there is none of that id.
    pub fn registers_of(&self, thread: u32) -> Option<&Registers> {
        if thread == self.thread() {
            return Some(self.machine.cpu.registers());
        }
        let thread = self.machine.threads.get(ThreadId(thread))?;
        Some(&thread.registers)
    }

    /// Changes the registers of a thread, as [`Recording::set_registers`] does. Without such a
    /// thread nothing happens.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn set_registers_of(
        &mut self,
        thread: u32,
        registers: Registers,
    ) -> Result<(), SnapshotError> {
        if thread == self.thread() {
            return self.set_registers(registers);
        }
        if let Some(thread) = self.machine.threads.get_mut(ThreadId(thread)) {
            thread.registers = registers;
        }
        self.forget_later();
        self.keep(Keep::Edit)
    }

    /// Explains the exception that the program is about to be told of, or that has ended it.
    pub fn explain(&mut self) -> Option<Box<ExceptionReport>> {
        if let Some(Outcome::Exception(report)) = &self.ended {
            return Some(report.clone());
        }
        let (kind, at) = match self.pending.as_ref()? {
            Raise::Refused(refused, at) => {
                let known = RefusedAccess {
                    at: *at,
                    refused: refused.clone(),
                    walk: self.machine.mmu.walk(refused.fault.addr),
                };
                (FaultKind::Memory(Box::new(known)), *at)
            }
            Raise::Exception(_, at) | Raise::NoFunction(at) => {
                (FaultKind::Status(self.pending_status()?), *at)
            }
        };
        let machine = &mut self.machine;
        let mmu = machine.mmu.save();
        let report = self.journal.looking(|| machine.report(kind, at));
        // Looking at the stack was counted.
        machine.mmu.restore(&mmu);
        Some(report)
    }
}
