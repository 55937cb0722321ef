//! The processor: its registers, its cache of decoded blocks, and the loop that runs them.

mod pieces;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use pagefault_mmu::{
    AcFlag, FrameNumber, LinearAddr, Mmu, PAGE_SIZE, PageFault, PhysAddr, Privilege,
};

use crate::block::{Block, BlockCache, BlockId, Flow, MAX_BLOCK_OPS, Stride};
use crate::context::{Gate, Pace, StackSwitch, State};
use crate::decode::{self, Limits};
use crate::exception::{
    Class, Exception, Exit, MAX_INSTRUCTION_BYTES, Stop, UnsupportedInstruction, Vector,
};
use crate::flags::Eflags;
use crate::observer::Observer;
use crate::op::Op;
use crate::registers::Registers;
use crate::segment::{DescriptorTable, SegmentRegister};
use crate::watch::{Hit, Watchpoint};

pub use pieces::SavedCpu;

use pieces::Resume;

/// An IA-32 processor.
///
/// It starts in ring 3, where exceptions go to the host. A host that loads CS with a selector of
/// ring 0 has code run there: accesses are supervisor ones, and some privileged instructions work.
///
/// Its parameters are the observer of the MMU that it runs on and its own.
pub struct Cpu<O: pagefault_mmu::Observer, C> {
    state: State,
    cache: BlockCache<O, C>,
    host_calls: Range<u32>,
    breakpoints: BTreeSet<u32>,
    segments: Segments,
    /// Where a run ended inside a block: the fetch there has been counted, and is not counted again.
    resume: Option<Resume>,
}

/// Whether the segments are those that blocks are decoded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segments {
    LookedAt,
    MayHaveChanged,
}

/// Whether a breakpoint at EIP counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breakpoints {
    Heeded,
    PassedOver,
}

/// Why a chain of linked blocks ended.
enum Left {
    /// The block at `at`, which the flow of block `from` leads to, is not linked.
    Unlinked {
        from: BlockId,
        flow: Flow,
        at: PhysAddr,
    },
    /// The block at `at`, of so many instructions, ended in a way that has to be looked at.
    Flow {
        flow: Flow,
        at: PhysAddr,
        instructions: u32,
    },
    /// No more instructions are left than a block may have; EIP has been fetched from.
    NearEnd(PhysAddr),
    /// The run ends.
    Exit(Exit),
}

impl Left {
    fn at_end<O: pagefault_mmu::Observer, C>(block: &Block<O, C>, flow: Flow) -> Self {
        Self::Flow {
            flow,
            at: block.at(),
            instructions: block.instructions,
        }
    }
}

impl<O: pagefault_mmu::Observer, C: Observer> Cpu<O, C> {
    /// Returns a processor with zeroed registers and flat segments.
    pub fn new() -> Self {
        Self {
            state: State::new(),
            cache: BlockCache::new(),
            host_calls: 0..0,
            breakpoints: BTreeSet::new(),
            segments: Segments::MayHaveChanged,
            resume: None,
        }
    }

    /// Returns the registers.
    pub fn registers(&self) -> &Registers {
        &self.state.regs
    }

    /// Returns the registers, to change them.
    pub fn registers_mut(&mut self) -> &mut Registers {
        self.segments = Segments::MayHaveChanged;
        self.resume = None;
        &mut self.state.regs
    }

    /// Returns the descriptors that selectors refer to, to change them.
    pub fn descriptors_mut(&mut self) -> &mut DescriptorTable {
        &mut self.state.descriptors
    }

    /// Returns the number of instructions completed since the processor was made. A repeated string
    /// instruction is one; one that faults does not count, one that traps does.
    pub fn instructions(&self) -> u64 {
        self.state.instructions
    }

    /// Makes control transfers to EIP in this range end the run with [`Exit::HostCall`]. Whether
    /// anything is mapped there does not matter.
    pub fn set_host_calls(&mut self, range: Range<u32>) {
        self.host_calls = range;
        self.cache.clear();
    }

    /// Lets programs raise a vector by INT n, as they may 3 and 4 from the start.
    pub fn open_gate(&mut self, vector: Vector) {
        self.state.gates[usize::from(vector.number())] = Gate::Open;
    }

    /// Adds a breakpoint: a run ends before the instruction at this EIP, unless it starts there.
    pub fn add_breakpoint(&mut self, eip: u32) {
        if self.breakpoints.insert(eip) {
            self.cache.clear();
        }
    }

    /// Removes a breakpoint.
    pub fn remove_breakpoint(&mut self, eip: u32) {
        if self.breakpoints.remove(&eip) {
            self.cache.clear();
        }
    }

    /// Adds a watchpoint: a run ends behind an instruction that touches it. Other pages are as fast
    /// as before, and no count changes.
    pub fn add_watchpoint(&mut self, point: Watchpoint) {
        self.state.watch.add(point);
        self.cache.clear();
    }

    /// Removes a watchpoint that is equal to this one.
    pub fn remove_watchpoint(&mut self, point: Watchpoint) {
        self.state.watch.remove(point);
        self.cache.clear();
    }

    /// Runs until something needs the host, at most `budget` instructions.
    ///
    /// Every exit leaves exact registers and an exact instruction count. A fault has changed nothing
    /// but what the processor defines, so that running again retries the instruction. A run that is
    /// cut in two by its budget, by a breakpoint or a watchpoint counts what it would count in one
    /// piece.
    pub fn run(&mut self, mmu: &mut Mmu<O>, budget: u64, observer: &mut C) -> Exit {
        let end = self.state.instructions.saturating_add(budget);
        let mut breakpoints = Breakpoints::PassedOver;
        if self.state.watch.is_armed() {
            mmu.forget_lines();
        }
        loop {
            match self.run_some(mmu, end, observer, breakpoints) {
                Ended::GoesOn => {}
                Ended::Stopped(block_at) => return self.exit_of_stop(mmu, block_at),
                Ended::Exit(exit) => return exit,
            }
            breakpoints = Breakpoints::Heeded;
            self.segments = Segments::MayHaveChanged;
        }
    }

    /// Runs one instruction, or blocks until modes or code may have changed.
    fn run_some(
        &mut self,
        mmu: &mut Mmu<O>,
        end: u64,
        observer: &mut C,
        breakpoints: Breakpoints,
    ) -> Ended {
        if let Some(hit) = self.state.watch.take_hit() {
            return Ended::Exit(watchpoint(hit));
        }
        self.cache.drop_written(mmu);
        self.look_at_modes(mmu);
        let left = end.saturating_sub(self.state.instructions);
        if left == 0 {
            return Ended::Exit(Exit::Budget);
        }
        let eip = self.state.regs.eip;
        if self.host_calls.contains(&eip) {
            return Ended::Exit(Exit::HostCall {
                addr: self.linear_eip(),
            });
        }
        let is_breakpoint = self.breakpoints.contains(&eip);
        if is_breakpoint && breakpoints == Breakpoints::Heeded {
            return Ended::Exit(Exit::Breakpoint {
                addr: self.linear_eip(),
            });
        }
        let resume = match self.resume.take() {
            Some(resume) => resume,
            None => match mmu.fetch_page(self.linear_eip(), self.state.privilege) {
                Ok(at) => Resume { at, left: None },
                Err(fault) => return Ended::Exit(self.fetch_fault(fault)),
            },
        };
        if self.is_single_step() {
            self.segments = Segments::MayHaveChanged;
            return self.trap_after_one(mmu, observer, resume.at).into();
        }
        if is_breakpoint || left <= MAX_BLOCK_OPS as u64 || resume.left.is_some() {
            return self.run_slowly(mmu, end, observer, resume).into();
        }
        self.run_blocks(mmu, end, observer, resume.at)
    }

    /// Runs blocks, finding or decoding those that are not linked yet.
    fn run_blocks(
        &mut self,
        mmu: &mut Mmu<O>,
        end: u64,
        observer: &mut C,
        first: PhysAddr,
    ) -> Ended {
        let mut at = first;
        let mut link = None;
        loop {
            let id = match self.find(mmu, at) {
                Ok(id) => id,
                Err(fault) => return Ended::Exit(self.fetch_fault(fault)),
            };
            if self.cache.get(id).stride == Stride::Instruction {
                let resume = Resume { at, left: None };
                return self.run_slowly(mmu, end, observer, resume).into();
            }
            if let Some((from, flow)) = link {
                self.cache.link(from, flow, id);
            }
            let left = self.run_linked(mmu, end, observer, id, self.state.privilege);
            match left {
                Left::Unlinked {
                    from,
                    flow,
                    at: next,
                } => {
                    if let Some(exit) = self.breakpoint_behind_fetch(next) {
                        return Ended::Exit(exit);
                    }
                    at = next;
                    link = Some((from, flow));
                }
                Left::NearEnd(at) => {
                    let exit = self.breakpoint_behind_fetch(at);
                    let resume = Resume { at, left: None };
                    let exit = exit.or_else(|| self.run_slowly(mmu, end, observer, resume));
                    return exit.into();
                }
                Left::Flow {
                    flow,
                    at,
                    instructions,
                } => {
                    self.keep_place(mmu, at, instructions);
                    return if flow == Flow::Stopped && self.is_stopped() {
                        Ended::Stopped(at)
                    } else {
                        Ended::GoesOn
                    };
                }
                Left::Exit(exit) => return Ended::Exit(exit),
            }
        }
    }

    /// Runs a block, and then those that it is linked with.
    // A call, so that the loop has the registers to itself.
    #[inline(never)]
    #[expect(
        clippy::too_many_lines,
        reason = "the hottest loop: its parts share registers"
    )]
    fn run_linked(
        &mut self,
        mmu: &mut Mmu<O>,
        end: u64,
        observer: &mut C,
        id: BlockId,
        privilege: Privilege,
    ) -> Left {
        let Self {
            state,
            cache,
            host_calls,
            ..
        } = self;
        let cs_base = state.segment(SegmentRegister::Cs).base();
        // Behind a block at least one instruction is left: a fetch that is counted is made use of.
        let soft_end = end.saturating_sub(MAX_BLOCK_OPS as u64 + 1);
        let mut eip = state.regs.eip;
        let mut block = cache.get(id);
        loop {
            state.block_eip = eip;
            let flow = (block.entry)(state, mmu, observer, &block.slots);
            // Each way has its own code up to the next block: a real branch, which is predicted,
            // and not a choice of data, which would have to wait for the flags.
            let next = if flow == Flow::Taken {
                eip = eip.wrapping_add(block.target);
                follow(
                    mmu,
                    cache,
                    cs_base.wrapping_add(eip),
                    privilege,
                    block.taken.get(),
                )
            } else if flow == Flow::Sequential {
                eip = eip.wrapping_add(block.len);
                follow(
                    mmu,
                    cache,
                    cs_base.wrapping_add(eip),
                    privilege,
                    block.behind.get(),
                )
            } else if flow == Flow::Indirect {
                eip = state.regs.eip;
                follow_jump(mmu, cache, cs_base.wrapping_add(eip), privilege)
            } else {
                return Left::at_end(block, flow);
            };
            state.instructions += u64::from(block.instructions);
            if C::BRANCHES && flow != Flow::Sequential {
                observer.branch(state.block_eip.wrapping_add(block.len), eip);
            }
            if let Some(next) = next
                && state.instructions <= soft_end
            {
                block = next;
                continue;
            }
            state.regs.eip = eip;
            let from = block.id;
            if host_calls.contains(&eip) {
                return Left::at_end(block, Flow::Reenter);
            }
            let addr = cs_base.wrapping_add(eip);
            let at = match mmu.peek_fetch_hit(addr, privilege) {
                // That fetch was counted.
                Some(at) => at,
                None => match mmu.fetch_page(addr, privilege) {
                    Ok(at) => at,
                    Err(fault) => return Left::Exit(page_fault(fault, eip)),
                },
            };
            if state.instructions > soft_end {
                return Left::NearEnd(at);
            }
            let linked = match flow {
                Flow::Taken => cache.linked(block.taken.get(), at),
                Flow::Sequential => cache.linked(block.behind.get(), at),
                _ => cache.jump_target(at),
            };
            match linked {
                Some(next) => block = next,
                None => return Left::Unlinked { from, flow, at },
            }
        }
    }

    /// Returns the block at `at`, decoding it if need be.
    ///
    /// # Errors
    ///
    /// The page fault of the second page, if the instruction at `at` continues there.
    #[inline(always)]
    fn find(&mut self, mmu: &mut Mmu<O>, at: PhysAddr) -> Result<BlockId, PageFault> {
        // A run that a fault has ended goes on where one did before.
        match self.cache.jump_target(at) {
            Some(block) if block.tail.is_none() => Ok(block.id),
            _ => self.find_or_decode(mmu, at),
        }
    }

    /// As [`Self::find`], of a block that lies on two pages or is not where the last jumps went.
    #[inline(never)]
    fn find_or_decode(&mut self, mmu: &mut Mmu<O>, at: PhysAddr) -> Result<BlockId, PageFault> {
        if let Some(id) = self.cache.find(at) {
            let Some(tail) = self.cache.get(id).tail else {
                return Ok(id);
            };
            let now = self.fetch_tail(mmu)?;
            if now == tail {
                return Ok(id);
            }
            self.cache.drop_block(id);
            let block = decode::decode_straddling(mmu, &self.state, at, now);
            return Ok(self.cache.insert(mmu, block));
        }
        if let Ok(mut block) = decode::decode(mmu, &self.state, at, Limits::BLOCK) {
            if self.may_break_in(at, block.len) {
                block.stride = Stride::Instruction;
            }
            return Ok(self.cache.insert(mmu, block));
        }
        let tail = self.fetch_tail(mmu)?;
        let block = decode::decode_straddling(mmu, &self.state, at, tail);
        Ok(self.cache.insert(mmu, block))
    }

    /// Runs the instruction at EIP by itself, without the cache.
    fn run_one(&mut self, mmu: &mut Mmu<O>, observer: &mut C, at: PhysAddr) -> Option<Exit> {
        let block = match decode::decode(mmu, &self.state, at, Limits::ONE) {
            Ok(block) => block,
            Err(decode::Straddles) => match self.fetch_tail(mmu) {
                Ok(tail) => decode::decode_straddling(mmu, &self.state, at, tail),
                Err(fault) => return Some(self.fetch_fault(fault)),
            },
        };
        match self.run_decoded(mmu, observer, &block) {
            Flow::Stopped => self.stopped(mmu, at),
            _ => None,
        }
    }

    /// Runs one instruction, or one iteration of a repeated one, and raises #DB behind it, unless it
    /// has loaded SS.
    fn trap_after_one(&mut self, mmu: &mut Mmu<O>, observer: &mut C, at: PhysAddr) -> Option<Exit> {
        let eip = self.state.regs.eip;
        self.state.pace = Pace::OneIteration;
        self.state.stack_switch = StackSwitch::None;
        let exit = self.run_one(mmu, observer, at);
        self.state.pace = Pace::Whole;
        if self.state.stack_switch == StackSwitch::Begun {
            return exit;
        }
        exit.or(Some(Exit::Exception {
            exception: Exception::trap(Vector::DEBUG),
            at: eip,
        }))
    }

    /// Tells why a block stopped; `None` if it is only to be run again.
    fn stopped(&mut self, mmu: &Mmu<O>, block_at: PhysAddr) -> Option<Exit> {
        self.is_stopped().then(|| self.exit_of_stop(mmu, block_at))
    }

    /// Returns whether a block that stopped is not only to be run again.
    fn is_stopped(&self) -> bool {
        !matches!(self.state.stop, None | Some(Stop::Repeat | Stop::Again))
    }

    /// Returns the exit of a block that stopped.
    fn exit_of_stop(&mut self, mmu: &Mmu<O>, block_at: PhysAddr) -> Exit {
        let at = self.state.regs.eip;
        match (self.state.stop, self.state.stopped) {
            (Some(Stop::Exception(exception)), Some(op)) if exception.class == Class::Trap => {
                self.state.regs.eip = self.state.next_eip(&op);
                self.state.instructions += 1;
                Exit::Exception { exception, at }
            }
            (Some(Stop::Exception(exception)), _) => {
                self.state.watch.take_hit();
                Exit::Exception { exception, at }
            }
            (Some(Stop::Unsupported), Some(op)) => {
                self.state.watch.take_hit();
                Exit::Unsupported(self.unsupported(mmu, &op, block_at))
            }
            _ => {
                self.state.watch.take_hit();
                page_fault(mmu.last_fault(), at)
            }
        }
    }

    /// Describes an instruction without a handler; its bytes are those that were decoded.
    fn unsupported(&self, mmu: &Mmu<O>, op: &Op, block_at: PhysAddr) -> UnsupportedInstruction {
        let mut bytes = [0; MAX_INSTRUCTION_BYTES];
        let len = usize::from(op.len).min(MAX_INSTRUCTION_BYTES);
        let in_page = PAGE_SIZE - block_at.page_offset();
        let tail = self.cache.tail_at(block_at);
        for (offset, byte) in (u32::from(op.at)..).zip(bytes.iter_mut().take(len)) {
            let at = match tail {
                Some(tail) if offset >= in_page => tail.byte(offset - in_page),
                _ => block_at.frame().byte(block_at.page_offset() + offset),
            };
            *byte = mmu.mem().read(at);
        }
        UnsupportedInstruction {
            addr: self.linear_eip(),
            code: op.code,
            bytes,
            len: op.len,
        }
    }

    /// Fetches from the page behind the one that EIP is in.
    fn fetch_tail(&self, mmu: &mut Mmu<O>) -> Result<FrameNumber, PageFault> {
        let start = self.linear_eip();
        let next = start.wrapping_add(PAGE_SIZE - start.page_offset());
        Ok(mmu.fetch_page(next, self.state.privilege)?.frame())
    }

    fn is_single_step(&self) -> bool {
        self.state.regs.flags.system().contains(Eflags::TRAP)
    }

    /// Takes over what CS and EFLAGS say of accesses, and drops the decoded blocks if they were
    /// decoded for other segments, alignment checks or privileges.
    fn look_at_modes(&mut self, mmu: &mut Mmu<O>) {
        self.state.privilege = self.state.regs.privilege();
        let flags = self.state.regs.flags.system();
        mmu.set_alignment_check(if flags.contains(Eflags::ALIGNMENT_CHECK) {
            AcFlag::Set
        } else {
            AcFlag::Clear
        });
        if self.segments == Segments::LookedAt {
            return;
        }
        self.segments = Segments::LookedAt;
        let needed = self.state.needed_checks();
        if needed != self.state.checks {
            self.state.checks = needed;
            self.cache.clear();
        }
    }

    fn linear_eip(&self) -> LinearAddr {
        self.state
            .segment(SegmentRegister::Cs)
            .base()
            .wrapping_add(self.state.regs.eip)
    }

    fn fetch_fault(&self, fault: PageFault) -> Exit {
        page_fault(fault, self.state.regs.eip)
    }
}

/// How a part of a run has ended.
enum Ended {
    /// The run goes on.
    GoesOn,
    /// A block of code that lies here has stopped, and with it the run.
    Stopped(PhysAddr),
    Exit(Exit),
}

impl From<Option<Exit>> for Ended {
    fn from(exit: Option<Exit>) -> Self {
        exit.map_or(Self::GoesOn, Self::Exit)
    }
}

/// Fetches from `addr` and returns the block there, if the fetch is a plain hit and the block the one
/// that is linked.
#[inline(always)]
fn follow<'a, O: pagefault_mmu::Observer, C>(
    mmu: &mut Mmu<O>,
    cache: &'a BlockCache<O, C>,
    addr: LinearAddr,
    privilege: Privilege,
    link: BlockId,
) -> Option<&'a Block<O, C>> {
    let at = mmu.fetch_hit(addr, privilege)?;
    cache.linked(link, at)
}

/// As `follow`, for a jump whose target is not known beforehand.
#[inline(always)]
fn follow_jump<'a, O: pagefault_mmu::Observer, C>(
    mmu: &mut Mmu<O>,
    cache: &'a BlockCache<O, C>,
    addr: LinearAddr,
    privilege: Privilege,
) -> Option<&'a Block<O, C>> {
    let at = mmu.fetch_hit(addr, privilege)?;
    cache.jump_target(at)
}

fn watchpoint(hit: Hit) -> Exit {
    let Hit {
        addr,
        size_bytes,
        kind,
        at,
    } = hit;
    Exit::Watchpoint {
        addr,
        size_bytes,
        kind,
        at,
    }
}

fn page_fault(fault: PageFault, at: u32) -> Exit {
    Exit::Exception {
        exception: fault.into(),
        at,
    }
}

impl<O: pagefault_mmu::Observer, C: Observer> Default for Cpu<O, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: pagefault_mmu::Observer, C> fmt::Debug for Cpu<O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu")
            .field("registers", &self.state.regs)
            .field("instructions", &self.state.instructions)
            .field("breakpoints", &self.breakpoints)
            .finish_non_exhaustive()
    }
}
