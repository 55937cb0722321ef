//! The program as gdb sees it: the operations of the protocol on a recording.

use std::num::NonZeroUsize;

use gdbstub::common::{Signal, Tid};
use gdbstub::stub::MultiThreadStopReason;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadResume, MultiThreadResumeOps, MultiThreadSchedulerLocking,
    MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::reverse_exec::{
    ReplayLogPosition, ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps,
};
use gdbstub::target::ext::base::single_register_access::{
    SingleRegisterAccess, SingleRegisterAccessOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps,
    SwBreakpoint, SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::memory_map::{MemoryMap, MemoryMapOps};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use pagefault_machine::cpu::{self, SegmentRegister, Watchpoint};
use pagefault_machine::vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_machine::{
    Change, Exceptions, Outcome, Recording, SnapshotError, Status, Stop, Stops, ThreadState,
};

use crate::arch::{Ia32, Register, description};
use crate::{monitor, registers};

/// Linux' number for a bad address, which gdb prints in words.
const EFAULT: u8 = 14;

/// What the program does when gdb lets it go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Continue,
    /// One instruction of this thread.
    Step(u32),
    ContinueBack,
    StepBack,
}

/// A recorded program under gdb.
#[derive(Debug)]
pub(crate) struct Debuggee<'a> {
    pub(crate) recording: &'a mut Recording,
    stops: Stops,
    action: Action,
    /// Instructions that may be executed in all.
    budget: u64,
}

/// How the program stopped, in gdb's words.
pub(crate) type Reason = MultiThreadStopReason<u32>;

impl<'a> Debuggee<'a> {
    pub(crate) fn new(recording: &'a mut Recording, budget: u64) -> Self {
        Self {
            recording,
            stops: Stops {
                exceptions: Exceptions::All,
                ..Stops::NONE
            },
            action: Action::Continue,
            budget,
        }
    }

    /// Goes on for a while; `None` if nothing happened that gdb wants to know.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub(crate) fn go_on(&mut self) -> Result<Option<Reason>, SnapshotError> {
        /// Instructions between two looks at the connection.
        const SLICE: u64 = 5_000_000;
        if self.action == Action::ContinueBack {
            let stop = self.recording.run_back(&self.stops)?;
            return Ok(Some(self.reason(stop)));
        }
        if self.action == Action::StepBack {
            let stop = self.recording.step_back()?;
            return Ok(Some(self.reason(stop)));
        }
        let left = self
            .budget
            .saturating_sub(self.recording.here().instructions);
        if left == 0 && self.recording.ended().is_none() {
            return Ok(Some(self.signal(Signal::SIGXCPU)));
        }
        let stop = match self.action {
            Action::Step(thread) => self.step(thread, left),
            _ => self.recording.run(&self.stops, SLICE.min(left)),
        };
        Ok(match stop {
            Stop::Budget => None,
            stop => Some(self.reason(stop)),
        })
    }

    /// Steps until the thread has made a step, at most `left` times; the others run when it is their
    /// turn, to their breakpoints and watchpoints.
    fn step(&mut self, thread: u32, left: u64) -> Stop {
        /// Steps between two looks at the connection.
        const STEPS: u64 = 10_000;
        for _ in 0..STEPS.min(left) {
            if self.recording.thread() == thread {
                return self.recording.step();
            }
            let stop = self.recording.step_of_run(&self.stops);
            if !matches!(stop, Stop::Stepped) {
                return stop;
            }
        }
        Stop::Budget
    }

    fn reason(&self, stop: Stop) -> Reason {
        let tid = self.tid();
        match stop {
            Stop::Stepped | Stop::Budget | Stop::Call(_) | Stop::Fault(_) | Stop::Entries(_) => {
                self.signal(Signal::SIGTRAP)
            }
            Stop::Breakpoint => Reason::SwBreak(tid),
            Stop::Watch(change) => self.watch(&change),
            Stop::Exception(status) => self.signal(signal(status)),
            Stop::Ended(outcome) => match *outcome {
                Outcome::Exited { code } => Reason::Exited(code.to_le_bytes()[0]),
                Outcome::Exception(report) => Reason::Terminated(signal(report.status)),
                Outcome::UnsupportedInstruction(_) | Outcome::MissingFunction(_) => {
                    Reason::Terminated(Signal::SIGSYS)
                }
                Outcome::BudgetExceeded
                | Outcome::Deadlock { .. }
                | Outcome::EndlessCalls { .. } => Reason::Terminated(Signal::SIGXCPU),
                Outcome::Interrupted => Reason::Terminated(Signal::SIGINT),
            },
            Stop::Beginning => Reason::ReplayLog {
                tid: Some(tid),
                pos: ReplayLogPosition::Begin,
            },
        }
    }

    /// gdb is told the watchpoint that was hit by its own address.
    fn watch(&self, change: &Change) -> Reason {
        let points = &self.stops.watchpoints;
        let hit = points.iter().find(|point| {
            let first = point.addr.bits();
            let last = first.saturating_add(point.size_bytes.saturating_sub(1));
            let end = change
                .addr
                .bits()
                .saturating_add(change.size_bytes.max(1) - 1);
            first <= end && change.addr.bits() <= last
        });
        Reason::Watch {
            tid: self.tid(),
            kind: hit.map_or(WatchKind::Write, |point| match point.kind {
                cpu::WatchKind::Read => WatchKind::Read,
                cpu::WatchKind::Write => WatchKind::Write,
                cpu::WatchKind::Access => WatchKind::ReadWrite,
            }),
            addr: hit.map_or(change.addr, |point| point.addr).bits(),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) -> Reason {
        Reason::SignalWithThread {
            tid: self.tid(),
            signal,
        }
    }

    fn tid(&self) -> Tid {
        tid(self.recording.thread())
    }

    fn registers(&self, tid: Tid) -> TargetResult<&cpu::Registers, Self> {
        let thread = thread(tid).ok_or(TargetError::NonFatal)?;
        self.recording
            .registers_of(thread)
            .ok_or(TargetError::NonFatal)
    }
}

/// Returns gdb's number of a thread, which is never 0.
fn tid(thread: u32) -> Tid {
    usize::try_from(thread)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(NonZeroUsize::MIN)
}

fn thread(tid: Tid) -> Option<u32> {
    u32::try_from(tid.get()).ok()
}

/// Returns the signal that Unix would send for an exception.
fn signal(status: Status) -> Signal {
    match status {
        Status::BREAKPOINT | Status::SINGLE_STEP => Signal::SIGTRAP,
        Status::ILLEGAL_INSTRUCTION | Status::PRIVILEGED_INSTRUCTION => Signal::SIGILL,
        Status::INTEGER_DIVIDE_BY_ZERO
        | Status::INTEGER_OVERFLOW
        | Status::FLOAT_DENORMAL_OPERAND
        | Status::FLOAT_DIVIDE_BY_ZERO
        | Status::FLOAT_INEXACT_RESULT
        | Status::FLOAT_INVALID_OPERATION
        | Status::FLOAT_OVERFLOW
        | Status::FLOAT_UNDERFLOW
        | Status::FLOAT_STACK_CHECK
        | Status::FLOAT_MULTIPLE_FAULTS
        | Status::FLOAT_MULTIPLE_TRAPS => Signal::SIGFPE,
        Status::DATATYPE_MISALIGNMENT => Signal::SIGBUS,
        _ => Signal::SIGSEGV,
    }
}

impl Target for Debuggee<'_> {
    type Arch = Ia32;
    type Error = SnapshotError;

    fn base_ops(&mut self) -> BaseOps<'_, Self::Arch, Self::Error> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_memory_map(&mut self) -> Option<MemoryMapOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Debuggee<'_> {
    fn read_registers(
        &mut self,
        regs: &mut gdbstub_arch::x86::reg::X86CoreRegs,
        tid: Tid,
    ) -> TargetResult<(), Self> {
        *regs = registers::to_gdb(self.registers(tid)?);
        Ok(())
    }

    fn write_registers(
        &mut self,
        regs: &gdbstub_arch::x86::reg::X86CoreRegs,
        tid: Tid,
    ) -> TargetResult<(), Self> {
        let new = registers::from_gdb(self.registers(tid)?, regs);
        let new = new.ok_or(TargetError::NonFatal)?;
        let thread = thread(tid).ok_or(TargetError::NonFatal)?;
        self.recording
            .set_registers_of(thread, new)
            .map_err(TargetError::Fatal)
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    /// Reads as many bytes as there are up to the first page that has none.
    fn read_addrs(&mut self, start: u32, data: &mut [u8], _tid: Tid) -> TargetResult<usize, Self> {
        let mut done = 0;
        for part in parts(start, data.len()) {
            let (at, len) = part;
            let Some(bytes) = data.get_mut(done..done + len) else {
                break;
            };
            if self.recording.peek(LinearAddr::new(at), bytes).is_err() {
                break;
            }
            done += len;
        }
        if done == 0 && !data.is_empty() {
            return Err(TargetError::Errno(EFAULT));
        }
        Ok(done)
    }

    fn write_addrs(&mut self, start: u32, data: &[u8], _tid: Tid) -> TargetResult<(), Self> {
        self.recording
            .poke(LinearAddr::new(start), data)
            .map_err(|_| TargetError::Errno(EFAULT))
    }

    fn list_active_threads(
        &mut self,
        thread_is_active: &mut dyn FnMut(Tid),
    ) -> Result<(), Self::Error> {
        for (thread, _) in self.recording.threads() {
            thread_is_active(tid(thread));
        }
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

/// Returns the parts of a range that lie on one page each: address and length.
fn parts(start: u32, len: usize) -> impl Iterator<Item = (u32, usize)> {
    let mut at = Some(start);
    let mut left = len;
    std::iter::from_fn(move || {
        let from = at.filter(|_| left > 0)?;
        let in_page = usize::try_from(PAGE_SIZE - from % PAGE_SIZE).ok()?;
        let len = in_page.min(left);
        left -= len;
        at = from.checked_add(u32::try_from(len).ok()?);
        Some((from, len))
    })
}

impl ThreadExtraInfo for Debuggee<'_> {
    fn thread_extra_info(&self, wanted: Tid, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let threads = self.recording.threads();
        let known = threads.iter().find(|&&(thread, _)| tid(thread) == wanted);
        let text = match known {
            Some((_, ThreadState::Current)) => "running",
            Some((_, ThreadState::Ready)) => "ready",
            Some((_, ThreadState::Waiting)) => "waiting",
            Some((_, ThreadState::Suspended)) => "suspended",
            None => "ended",
        };
        Ok(copied(text.as_bytes(), 0, buf.len(), buf))
    }
}

impl SingleRegisterAccess<Tid> for Debuggee<'_> {
    fn read_register(
        &mut self,
        tid: Tid,
        register: Register,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let regs = self.registers(tid)?;
        let control = self.recording.machine().mmu().control();
        let base = |register| regs.segment(register).base().bits();
        let value = match register {
            Register::FsBase => base(SegmentRegister::Fs),
            Register::GsBase => base(SegmentRegister::Gs),
            Register::Cr0 => control.cr0().bits(),
            Register::Cr2 => control.cr2().bits(),
            Register::Cr3 => control.cr3(),
            // gdb reads the others all at once.
            Register::Core => return Err(TargetError::NonFatal),
        };
        Ok(copied(&value.to_le_bytes(), 0, buf.len(), buf))
    }

    fn write_register(&mut self, _: Tid, _: Register, _: &[u8]) -> TargetResult<(), Self> {
        // gdb then writes all of them, but for those that a program cannot write either.
        Err(TargetError::NonFatal)
    }
}

impl MultiThreadResume for Debuggee<'_> {
    fn resume(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Self::Error> {
        self.action = Action::Continue;
        Ok(())
    }

    fn set_resume_action_continue(
        &mut self,
        _tid: Tid,
        _signal: Option<Signal>,
    ) -> Result<(), Self::Error> {
        // The program is always told of its exceptions.
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Debuggee<'_> {
    fn set_resume_action_step(
        &mut self,
        tid: Tid,
        _signal: Option<Signal>,
    ) -> Result<(), Self::Error> {
        let thread = thread(tid).unwrap_or_else(|| self.recording.thread());
        self.action = Action::Step(thread);
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Debuggee<'_> {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Self::Error> {
        // Whose turn it is decides the machine, or the run would be another one.
        Ok(())
    }
}

impl ReverseStep<Tid> for Debuggee<'_> {
    fn reverse_step(&mut self, _tid: Tid) -> Result<(), Self::Error> {
        self.action = Action::StepBack;
        Ok(())
    }
}

impl ReverseCont<Tid> for Debuggee<'_> {
    fn reverse_cont(&mut self) -> Result<(), Self::Error> {
        self.action = Action::ContinueBack;
        Ok(())
    }
}

impl Breakpoints for Debuggee<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Debuggee<'_> {
    fn add_sw_breakpoint(&mut self, addr: u32, _kind: usize) -> TargetResult<bool, Self> {
        self.stops.breakpoints.insert(addr);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.stops.breakpoints.remove(&addr))
    }
}

impl HwBreakpoint for Debuggee<'_> {
    fn add_hw_breakpoint(&mut self, addr: u32, kind: usize) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(addr, kind)
    }

    fn remove_hw_breakpoint(&mut self, addr: u32, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(addr, kind)
    }
}

/// The most bytes of a watchpoint: more are a mistake, and each call of the system compares them.
const MAX_WATCHED_BYTES: u32 = 1 << 16;

fn watchpoint(addr: u32, size_bytes: u32, kind: WatchKind) -> Watchpoint {
    Watchpoint {
        addr: LinearAddr::new(addr),
        size_bytes,
        kind: match kind {
            WatchKind::Write => cpu::WatchKind::Write,
            WatchKind::Read => cpu::WatchKind::Read,
            WatchKind::ReadWrite => cpu::WatchKind::Access,
        },
    }
}

impl HwWatchpoint for Debuggee<'_> {
    fn add_hw_watchpoint(
        &mut self,
        addr: u32,
        len: u32,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        let point = watchpoint(addr, len, kind);
        if len == 0 || len > MAX_WATCHED_BYTES {
            return Ok(false);
        }
        if !self.stops.watchpoints.contains(&point) {
            self.stops.watchpoints.push(point);
        }
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        addr: u32,
        len: u32,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        let point = watchpoint(addr, len, kind);
        let count = self.stops.watchpoints.len();
        self.stops.watchpoints.retain(|known| *known != point);
        Ok(self.stops.watchpoints.len() < count)
    }
}

impl MonitorCmd for Debuggee<'_> {
    fn handle_monitor_cmd(
        &mut self,
        cmd: &[u8],
        mut out: ConsoleOutput<'_>,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(cmd);
        out.write_raw(monitor::answer(self.recording, &command).as_bytes());
        Ok(())
    }
}

impl MemoryMap for Debuggee<'_> {
    /// Everything may become memory while the program runs, and gdb asks only once.
    fn memory_map_xml(
        &self,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        const MAP: &str = "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \
            \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\
            <memory-map><memory type=\"ram\" start=\"0x0\" length=\"0x100000000\"/></memory-map>";
        Ok(copied(MAP.as_bytes(), offset, length, buf))
    }
}

impl TargetDescriptionXmlOverride for Debuggee<'_> {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(TargetError::NonFatal);
        }
        Ok(copied(description().as_bytes(), offset, length, buf))
    }
}

/// Copies the part of `bytes` that was asked for, and returns how much there is of it.
fn copied(bytes: &[u8], offset: u64, length: usize, buf: &mut [u8]) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = bytes.get(from..).unwrap_or_default();
    let len = rest.len().min(length).min(buf.len());
    buf[..len].copy_from_slice(&rest[..len]);
    len
}
