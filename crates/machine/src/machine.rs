//! The machine: a process on the MMU, and the loop that answers the processor's exits.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pagefault_cpu::{Cpu, Exception, Exit, Reg, Registers, UnsupportedInstruction};
use pagefault_vmm::mmu::{LinearAddr, Mmu, MmuConfig, PAGE_SIZE, PageFault, Statistics};
use pagefault_vmm::{
    AllocError, AllocRequest, AllocationType, Caller, Origin, PageRange, PageStore, PeekError,
    ProcessId, Resolution, Resumed, Vmm, VmmConfig,
};

use crate::api::{MissingFunction, Modules, Refused, Stop, Target};
use crate::console::Console;
use crate::context::Context;
use crate::debug::DebugInfo;
use crate::files::Files;
use crate::layout::{
    ENVIRONMENT_BASE, ENVIRONMENT_BYTES, MODULE_BYTES, SHARED_DATA, SYSTEM_CODE_BASE, teb,
};
use crate::linux::{Linux, SYSTEM_CALL};
use crate::objects::Objects;
use crate::program::{StackSize, ThreadLocal};
use crate::queued::Leaving;
use crate::raise::RefusedAccess;
use crate::record::Record;
use crate::report::ExceptionReport;
use crate::services::Services;
use crate::sites::{CallSite, CallSites};
use crate::status::Status;
use crate::stops::{Pause, Stops};
use crate::thread::{Threads, Turns};
use crate::trace::{Event, Topics};
use crate::vectored::Vectored;
use crate::watch::Watch;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// The size of guest RAM in bytes.
    pub ram_bytes: u64,
    /// The MMU with its TLB.
    pub mmu: MmuConfig,
    /// The memory manager's rules and limits.
    pub vmm: VmmConfig,
    /// The address space that the stack reserves, in bytes.
    pub stack_reserve_bytes: u32,
    /// What of it is committed at the start, in bytes.
    pub stack_commit_bytes: u32,
    /// Where the program goes.
    pub aslr: Aslr,
    /// The program's file name, without a folder.
    pub program_name: String,
    /// What follows the name on the command line.
    pub arguments: String,
    /// How threads take turns.
    pub turns: Turns,
}

/// Whether a program that can be anywhere goes elsewhere than it wants: address space layout
/// randomisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aslr {
    /// It goes where it wants to be.
    Off,
    /// It goes to a place that this number decides.
    Seeded(u64),
}

/// The RAM of a machine, unless told otherwise: 64 MiB.
pub const DEFAULT_RAM_BYTES: u64 = 64 << 20;
/// The address space of a stack, unless told otherwise: what MASM's linker gives, 1 MiB.
pub const DEFAULT_STACK_RESERVE_BYTES: u32 = 1 << 20;
/// The file name of a program that was given none.
pub const DEFAULT_PROGRAM_NAME: &str = "program.exe";
/// What of a stack is committed at the start: one page, and one for its guard.
pub const DEFAULT_STACK_COMMIT_BYTES: u32 = 0x1000;

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            ram_bytes: DEFAULT_RAM_BYTES,
            mmu: MmuConfig::default(),
            vmm: VmmConfig::default(),
            stack_reserve_bytes: DEFAULT_STACK_RESERVE_BYTES,
            stack_commit_bytes: DEFAULT_STACK_COMMIT_BYTES,
            aslr: Aslr::Off,
            program_name: DEFAULT_PROGRAM_NAME.to_owned(),
            arguments: String::new(),
            turns: Turns::default(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The program ended itself.
    Exited {
        /// Its exit code.
        code: u32,
    },
    /// The program was ended by an exception that nobody handled.
    Exception(Box<ExceptionReport>),
    /// The program reached an instruction that the interpreter does not have.
    UnsupportedInstruction(UnsupportedInstruction),
    /// The program called a function that is not emulated.
    MissingFunction(Box<MissingCall>),
    /// The instructions that the caller allowed have been executed.
    BudgetExceeded,
    /// The caller has asked for the end: see [`Machine::run_while`].
    Interrupted,
    /// Every thread waits for something that only another one of them could do.
    Deadlock {
        /// How many there are.
        threads: u32,
    },
    /// Functions of the system lead to each other, and no instruction is executed between them: the
    /// program has made a circle of them, on its stack or by a context, which no count of
    /// instructions ends.
    EndlessCalls {
        /// How many calls there were: [`MAX_CALLS_IN_A_ROW`].
        calls: u32,
    },
}

/// Calls of the system without an instruction between them after which a run ends. No program makes
/// more than a few: a function that is called as another returns.
pub const MAX_CALLS_IN_A_ROW: u32 = 1 << 16;

/// Calls of the system since the last instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CallRow {
    /// How many instructions had been executed then.
    instructions: u64,
    calls: u32,
}

impl CallRow {
    /// Counts a call.
    fn add(&mut self, instructions: u64) -> Result<(), Outcome> {
        if self.instructions != instructions {
            *self = Self {
                instructions,
                calls: 0,
            };
        }
        if self.calls >= MAX_CALLS_IN_A_ROW {
            return Err(Outcome::EndlessCalls { calls: self.calls });
        }
        self.calls += 1;
        Ok(())
    }
}

/// A call of a function that is not emulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingCall {
    /// The function.
    pub function: MissingFunction,
    /// The address behind the call.
    pub return_to: u32,
    /// The first dwords on the stack, which hold its arguments if it takes that many.
    pub stack: Vec<u32>,
}

/// An exception that the program is about to be told.
#[derive(Clone, Debug)]
pub(crate) enum Raise {
    /// The memory manager has refused an access of the instruction at this address.
    Refused(Refused, u32),
    /// The processor has raised it, at the instruction at this address.
    Exception(Exception, u32),
    /// There is no function at this address of the system.
    NoFunction(u32),
}

/// A process that can run.
#[derive(Debug)]
pub struct Machine<W: Watch> {
    pub(crate) cpu: Cpu<W, W>,
    pub(crate) mmu: Mmu<W>,
    pub(crate) vmm: Vmm,
    pub(crate) process: ProcessId,
    pub(crate) watch: W,
    pub(crate) console: Box<dyn Console>,
    pub(crate) modules: Modules,
    pub(crate) sites: CallSites,
    /// Allocations that were released, and by whom, in order.
    pub(crate) released: Vec<(Range<u32>, Origin)>,
    pub(crate) debug: DebugInfo,
    /// The program's file name.
    pub(crate) program_name: String,
    /// Files, environment, clock, streams.
    pub(crate) services: Services,
    /// Where the program's image is.
    pub(crate) image: Range<u32>,
    /// Its threads.
    pub(crate) threads: Threads,
    /// The vectored handlers.
    pub(crate) vectored: Vectored,
    /// Accesses that were refused lately.
    pub(crate) refused: Vec<RefusedAccess>,
    /// The report of the exception that ends the process, while its frames are unwound.
    pub(crate) dying: Option<Box<ExceptionReport>>,
    /// Objects that threads wait for.
    pub(crate) objects: Objects,
    /// Time in which every thread has slept, in nanoseconds.
    pub(crate) slept_ns: u64,
    /// Instructions that are left of the current turn.
    pub(crate) turn_left: u64,
    /// The stack of a thread that asks for no other.
    pub(crate) stack_size: StackSize,
    /// What the program has for each thread.
    pub(crate) thread_local: Option<ThreadLocal>,
    /// Indexes of thread-local storage that are in use.
    pub(crate) tls_indexes: BTreeSet<u32>,
    /// The functions of `FlsAlloc` by index; 0 for none.
    pub(crate) fiber_local: BTreeMap<u32, u32>,
    /// What `SetErrorMode` has set.
    pub(crate) error_mode: u32,
    /// Calls of which no instruction has ended the row.
    pub(crate) call_row: CallRow,
    /// Where a run pauses.
    pub(crate) stops: Stops,
    /// What is kept for a program of Linux.
    pub(crate) linux: Linux,
}

impl<W: Watch> Machine<W> {
    /// Runs until the program ends or `budget` instructions have been executed.
    pub fn run(&mut self, budget: u64) -> Outcome {
        self.run_while(budget, |_| true)
    }

    /// Does it, and asks every 10 million instructions whether to go on: `goes_on` is told how many
    /// have been executed so far. If not, the outcome is [`Outcome::Interrupted`].
    pub fn run_while(&mut self, budget: u64, mut goes_on: impl FnMut(u64) -> bool) -> Outcome {
        let end = self.cpu.instructions().saturating_add(budget);
        loop {
            let left = end.saturating_sub(self.cpu.instructions());
            if let Pause::Ended(outcome) = self.run_to_pause_while(left, &mut goes_on) {
                return outcome;
            }
        }
    }

    /// Runs until there is a pause, or the program ends, or `budget` instructions have been
    /// executed.
    pub(crate) fn advance(&mut self, budget: u64) -> Pause {
        W::advance(self, budget)
    }

    /// Does it, compiled for the observer.
    pub(crate) fn advance_here(&mut self, budget: u64) -> Pause {
        let end = self.cpu.instructions().saturating_add(budget);
        loop {
            if let Some(pause) = self.untold() {
                return pause;
            }
            if let Err(outcome) = self.find_runnable() {
                return Pause::Ended(outcome);
            }
            if let Some(pause) = self.at_breakpoint() {
                return pause;
            }
            let exit = self.run_slice(end);
            if let Err(outcome) = self.answer(exit, end) {
                self.note_end(outcome);
            }
        }
    }

    /// Runs the thread whose turn it is, and which can run, up to the processor's next exit, at most
    /// to `end` instructions.
    pub(crate) fn run_slice(&mut self, end: u64) -> Exit {
        let begin = self.cpu.instructions();
        let left = end.saturating_sub(begin);
        let slice = left.min(self.turn_left);
        let exit = self.cpu.run(&mut self.mmu, slice, &mut self.watch);
        let done = self.cpu.instructions().saturating_sub(begin);
        self.turn_left = self.turn_left.saturating_sub(done);
        exit
    }

    fn answer(&mut self, exit: Exit, end: u64) -> Result<(), Outcome> {
        if exit == Exit::Budget && self.cpu.instructions() >= end {
            return Err(Outcome::BudgetExceeded);
        }
        match self.settle(exit)? {
            Some(raise) => self.raise(raise),
            None => Ok(()),
        }
    }

    /// Answers an exit of the processor, up to an exception that the program is to be told.
    pub(crate) fn settle(&mut self, exit: Exit) -> Result<Option<Raise>, Outcome> {
        match exit {
            Exit::HostCall { addr } => {
                self.call_row.add(self.cpu.instructions())?;
                self.answer_call(addr)
            }
            Exit::Exception { exception, .. } if exception.vector == SYSTEM_CALL => {
                self.answer_system_call().map(|()| None)
            }
            Exit::Exception { exception, at } => Ok(self.answer_exception(&exception, at)),
            Exit::Unsupported(instruction) => Err(Outcome::UnsupportedInstruction(instruction)),
            Exit::Budget => self.end_turn().map(|()| None),
            // Whoever has set one tells it.
            Exit::Breakpoint { .. } | Exit::Watchpoint { .. } => Ok(None),
        }
    }

    /// Has the program told of an exception.
    pub(crate) fn raise(&mut self, raise: Raise) -> Result<(), Outcome> {
        match raise {
            Raise::Refused(refused, at) => self.raise_refused(refused, at),
            Raise::Exception(exception, at) => self.raise_exception(&exception, at),
            Raise::NoFunction(at) => {
                let record = Record::new(Status::ILLEGAL_INSTRUCTION, at, &[]);
                let context = Context::of(self.cpu.registers());
                self.raise_record(record, context)
            }
        }
    }

    /// Returns the registers of the thread that runs.
    pub fn registers(&self) -> &Registers {
        self.cpu.registers()
    }

    /// Fills `bytes` from the program's memory, whatever its protection, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`PeekError`]; `bytes` may have been filled in part.
    pub fn peek_bytes(&mut self, addr: LinearAddr, bytes: &mut [u8]) -> Result<(), PeekError> {
        self.vmm.peek(&self.mmu, self.process, addr, bytes)
    }

    /// Returns a word of the program's memory. Looking changes nothing, and is not counted.
    pub(crate) fn peek_u32(&mut self, addr: LinearAddr) -> Option<u32> {
        let mut bytes = [0; 4];
        self.peek_bytes(addr, &mut bytes).ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    /// Returns what `GetLastError` would say; `None` if the program has taken the TEB away from
    /// itself.
    pub fn last_error_code(&mut self) -> Option<u32> {
        let at = self.threads.current().teb.wrapping_add(teb::LAST_ERROR);
        self.peek_u32(LinearAddr::new(at))
    }

    /// Returns the address of the next instruction.
    pub fn eip(&self) -> u32 {
        self.cpu.registers().eip()
    }

    /// Returns how many instructions have been executed.
    pub fn instructions(&self) -> u64 {
        self.cpu.instructions()
    }

    /// Returns what the MMU has counted.
    pub fn statistics(&self) -> Statistics {
        self.mmu.statistics()
    }

    /// Returns the MMU, whose RAM, tables and TLB can be looked at.
    pub fn mmu(&self) -> &Mmu<W> {
        &self.mmu
    }

    /// Returns the memory manager.
    pub fn vmm(&self) -> &Vmm {
        &self.vmm
    }

    /// Gives the machine a paging file of at most `limit_bytes`, which pages go to when frames run
    /// out. It raises the commit limit.
    pub fn set_paging_file(&mut self, store: Box<dyn PageStore>, limit_bytes: u64) {
        let pages = u32::try_from(limit_bytes / u64::from(PAGE_SIZE)).unwrap_or(u32::MAX);
        self.vmm.set_paging_file(store, pages);
    }

    /// Sets a general register, before the program runs.
    pub fn set_register(&mut self, register: Reg, value: u32) {
        self.cpu.registers_mut().set_gpr(register, value);
    }

    /// Gives the program committed memory at an address, before it runs: whole pages with a
    /// `PAGE_*` protection.
    ///
    /// # Errors
    ///
    /// As `VirtualAlloc`.
    pub fn map_memory(
        &mut self,
        address: LinearAddr,
        size_bytes: u32,
        protect: u32,
    ) -> Result<(), AllocError> {
        let kind = AllocationType::RESERVE | AllocationType::COMMIT;
        let request = AllocRequest {
            address,
            size_bytes,
            allocation_type: kind.bits(),
            protect,
        };
        let caller = Caller::of(self.process);
        self.vmm.alloc(&mut self.mmu, caller, &request).map(|_| ())
    }

    /// Lets the program use a folder of files, which it sees as drive C. Without, it has none.
    pub fn set_files(&mut self, files: Box<dyn Files>) {
        self.services.files = files;
    }

    /// Returns the process.
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// Returns the names and source lines of the program.
    pub fn debug(&self) -> &DebugInfo {
        &self.debug
    }

    /// Returns the call site of this number; `None` for what the loader did.
    pub fn call_site(&self, origin: Origin) -> Option<&CallSite> {
        self.sites.get(origin)
    }

    fn answer_call(&mut self, addr: LinearAddr) -> Result<Option<Raise>, Outcome> {
        let answered = match self.modules.target::<W>(addr) {
            Target::Return => {
                let code = self.cpu.registers().gpr(Reg::Eax);
                self.leave(Leaving::Thread(code))
            }
            Target::Function(function) => match self.call_function(function) {
                Ok(()) => {
                    self.note_called(function.name);
                    Ok(())
                }
                Err(Stop::Resumed) => Ok(()),
                Err(Stop::Exit(code)) => self.leave(Leaving::Process(code)),
                Err(Stop::Refused(refused)) => {
                    return Ok(Some(Raise::Refused(refused, addr.bits())));
                }
                Err(Stop::End(outcome)) => Err(*outcome),
                Err(Stop::ExitThread(code)) => self.leave(Leaving::Thread(code)),
                Err(Stop::Queued(_)) => {
                    self.run_queued(self.threads.current_id());
                    Ok(())
                }
                Err(Stop::Yield(_)) => self.end_turn(),
                Err(Stop::Wait(wait)) => {
                    self.begin_wait(wait);
                    Ok(())
                }
            },
            Target::Missing(function) => {
                let function = function.clone();
                let stack = self.stack_words();
                let return_to = stack.first().copied().unwrap_or(0);
                let stack = stack.into_iter().skip(1).collect();
                let call = MissingCall {
                    function,
                    return_to,
                    stack,
                };
                Err(Outcome::MissingFunction(Box::new(call)))
            }
            Target::Nothing => return Ok(Some(Raise::NoFunction(addr.bits()))),
        };
        answered.map(|()| None)
    }

    fn answer_exception(&mut self, exception: &Exception, at: u32) -> Option<Raise> {
        match exception.page_fault {
            Some(fault) => {
                let refused = self.resolve(fault).err()?;
                Some(Raise::Refused(refused, at))
            }
            None => Some(Raise::Exception(*exception, at)),
        }
    }

    /// Has the memory manager deal with a page fault.
    pub(crate) fn resolve(&mut self, fault: PageFault) -> Result<(), Refused> {
        let resolution = self.vmm.handle_fault(&mut self.mmu, &fault);
        match resolution {
            Resolution::Resumed(how) => {
                if let Resumed::StackGrown { limit, .. } = how {
                    self.write_teb(teb::STACK_LIMIT, limit.bits());
                }
                let addr = fault.addr;
                self.tell(Topics::FAULT, || Event::Resolved {
                    addr,
                    how: describe(how),
                });
                Ok(())
            }
            _ => Err(Refused { fault, resolution }),
        }
    }

    pub(crate) fn tell(&self, topic: Topics, event: impl FnOnce() -> Event) {
        self.watch.tell(topic, event);
    }

    /// Returns the last error of the thread.
    pub(crate) fn last_error(&mut self) -> u32 {
        self.read_teb(teb::LAST_ERROR)
    }

    pub(crate) fn set_last_error(&mut self, code: u32) {
        self.write_teb(teb::LAST_ERROR, code);
    }

    /// Returns a field of the TEB; 0 if the program has taken the TEB away from itself.
    pub(crate) fn read_teb(&mut self, offset: u32) -> u32 {
        let at = LinearAddr::new(self.threads.current().teb.wrapping_add(offset));
        self.vmm.read_u32(&mut self.mmu, at).unwrap_or(0)
    }

    /// Writes a field of the TEB, if the program has left it there.
    pub(crate) fn write_teb(&mut self, offset: u32, value: u32) {
        self.write_word(self.threads.current().teb.wrapping_add(offset), value);
    }

    /// Writes a word of the system's own in the program's memory, if it has left it there.
    pub(crate) fn write_word(&mut self, addr: u32, value: u32) {
        let at = LinearAddr::new(addr);
        let written = self.vmm.copy_out(&mut self.mmu, at, &value.to_le_bytes());
        debug_assert!(
            written.is_ok() || self.vmm.current().is_some(),
            "no process is loaded"
        );
    }

    /// Returns the addresses of the allocation around an address.
    pub(crate) fn allocation_around(&self, addr: LinearAddr) -> Option<Range<u32>> {
        let pages: PageRange = self.vmm.allocation_pages(self.process, addr)?;
        let start = pages.start().start().bits();
        Some(start..start.saturating_add(pages.size_bytes()))
    }

    /// Returns whether a module name is that of the program, with or without its ending.
    pub(crate) fn is_program(&self, name: &str) -> bool {
        let own = &self.program_name;
        let stem = own.rsplit_once('.').map_or(own.as_str(), |(stem, _)| stem);
        let name = name.rsplit(['\\', '/']).next().unwrap_or(name);
        name.eq_ignore_ascii_case(own) || name.eq_ignore_ascii_case(stem)
    }

    /// Returns what the loader has put at an address.
    pub(crate) fn purpose(&self, addr: LinearAddr) -> Option<&'static str> {
        let addr = addr.bits();
        let system = Modules::host_calls();
        let shared = SHARED_DATA..SHARED_DATA + PAGE_SIZE;
        let code = SYSTEM_CODE_BASE..SYSTEM_CODE_BASE + MODULE_BYTES;
        let environment = ENVIRONMENT_BASE..ENVIRONMENT_BASE + ENVIRONMENT_BYTES;
        let heap = self.vmm.made_process_heap(self.process);
        let heap = heap.and_then(|heap| self.allocation_around(heap.0));
        [
            (self.image.clone(), "the program's image"),
            (self.threads.current().stack.clone(), "the stack"),
            (system, "the emulated functions of the system"),
            (code, "the system's code"),
            (shared, "the data that the kernel shares"),
            (environment, "the thread and process environment blocks"),
            (heap.unwrap_or_default(), "the heap of the process"),
        ]
        .into_iter()
        .find_map(|(range, purpose)| range.contains(&addr).then_some(purpose))
        .or_else(|| {
            let mut others = self.threads.iter();
            let is_stack = others.any(|thread| thread.stack.contains(&addr));
            is_stack.then_some("another thread's stack")
        })
    }

    /// Returns the dwords at the top of the stack, as far as they can be read.
    fn stack_words(&mut self) -> Vec<u32> {
        let esp = LinearAddr::new(self.cpu.registers().gpr(Reg::Esp));
        (0..STACK_WORDS)
            .map_while(|index| {
                self.vmm
                    .read_u32(&mut self.mmu, esp.wrapping_add(index * 4))
                    .ok()
            })
            .collect()
    }
}

/// Says what the memory manager did about a page fault.
fn describe(resumed: Resumed) -> String {
    match resumed {
        Resumed::DemandZero { frame } => format!("first touch, frame {frame} of zeros"),
        Resumed::SoftFault { frame } => format!("mapped again, frame {frame}"),
        Resumed::PagedIn { frame, slot } => {
            format!(
                "read from slot {} of the paging file into frame {frame}",
                slot.bits()
            )
        }
        Resumed::ReadFromFile { frame } => format!("read from the file into frame {frame}"),
        Resumed::CopiedOnWrite { from, to } => format!("copied on write, frame {from} to {to}"),
        Resumed::WriteWatched => "first write to a watched page".to_owned(),
        Resumed::StackGrown { guard, limit } => {
            format!("the stack grew to {limit}, its guard is page {guard}")
        }
        Resumed::AlreadyMapped => "allowed by now".to_owned(),
    }
}

/// Dwords of the stack that are shown of a call that is not emulated: the return address and four
/// possible arguments.
const STACK_WORDS: u32 = 5;
