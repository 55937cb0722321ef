//! What a handler works on: the processor's state and the memory behind the MMU.

use pagefault_mmu::{AccessKind, HitRun, LinearAddr, Mmu, PhysMemory, Privilege, Stored, Word};

use crate::exception::{Exception, Stop, Vector};
use crate::flags::{Eflags, Flags};
use crate::observer::Observer;
use crate::op::{AddressMode, Checks, Op};
use crate::registers::{Reg, Registers};
use crate::segment::{DescriptorTable, Segment, SegmentRegister, SegmentRights};
use crate::watch::{Touch, Watch};
use crate::width::Width;

/// On whose behalf operations with flat addresses access memory: only at CPL 3 are there any.
const FLAT_PRIVILEGE: Privilege = Privilege::User;

/// Number of interrupt vectors.
pub(crate) const VECTORS: usize = 256;

/// Whether a repeated instruction stops after one iteration, as single-stepping wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Whole,
    OneIteration,
}

/// Whether the instruction before loaded SS by MOV or POP, so that no #DB comes between it and the
/// load of ESP that follows (SDM Vol. 3A, "Masking Exceptions and Interrupts When Switching
/// Stacks").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackSwitch {
    None,
    Begun,
}

/// The processor, less its cache of decoded blocks.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) regs: Registers,
    /// EIP of the block that runs.
    pub(crate) block_eip: u32,
    /// Instructions completed.
    pub(crate) instructions: u64,
    /// Why the block stopped.
    pub(crate) stop: Option<Stop>,
    /// The operation that stopped it.
    pub(crate) stopped: Option<Op>,
    /// Instructions of the block that were completed when it was left, or interrupted, in its middle.
    pub(crate) passed: Option<u32>,
    pub(crate) pace: Pace,
    pub(crate) stack_switch: StackSwitch,
    pub(crate) watch: Watch,
    pub(crate) checks: Checks,
    /// On whose behalf memory is accessed: CPL, since CS was last looked at.
    pub(crate) privilege: Privilege,
    pub(crate) descriptors: DescriptorTable,
    /// Vectors that INT n may name at CPL 3.
    pub(crate) gates: [Gate; VECTORS],
}

/// Whether a program may call an interrupt vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Closed,
    Open,
}

impl State {
    pub(crate) fn new() -> Self {
        let mut gates = [Gate::Closed; VECTORS];
        for vector in [Vector::BREAKPOINT, Vector::OVERFLOW] {
            gates[usize::from(vector.number())] = Gate::Open;
        }
        Self {
            regs: Registers::new(),
            block_eip: 0,
            instructions: 0,
            stop: None,
            stopped: None,
            passed: None,
            pace: Pace::Whole,
            stack_switch: StackSwitch::None,
            watch: Watch::default(),
            checks: Checks::None,
            privilege: Privilege::User,
            descriptors: DescriptorTable::new(),
            gates,
        }
    }

    /// Returns which checks the registers as they are now ask for.
    pub(crate) fn needed_checks(&self) -> Checks {
        let data = SegmentRights::READ | SegmentRights::WRITE;
        let is_flat = |register, rights| self.regs.segment(register).is_flat(rights);
        let is_plain = [
            SegmentRegister::Ds,
            SegmentRegister::Es,
            SegmentRegister::Ss,
        ]
        .into_iter()
        .all(|register| is_flat(register, data))
            && is_flat(SegmentRegister::Cs, SegmentRights::EXECUTE)
            && !self.regs.flags.system().contains(Eflags::ALIGNMENT_CHECK)
            && self.regs.privilege() == Privilege::User;
        if is_plain { Checks::None } else { Checks::All }
    }

    /// Returns EIP of the instruction after `op`.
    #[inline(always)]
    pub(crate) fn next_eip(&self, op: &Op) -> u32 {
        self.block_eip.wrapping_add(op.end())
    }

    #[inline(always)]
    pub(crate) fn reg<T: Width>(&self, reg: Reg) -> T {
        T::get(&self.regs.gprs, reg)
    }

    #[inline(always)]
    pub(crate) fn set_reg<T: Width>(&mut self, reg: Reg, value: T) {
        T::set(&mut self.regs.gprs, reg, value);
    }

    /// Returns the effective address with the general registers as they are.
    #[inline(always)]
    pub(crate) fn effective_address(&self, op: &Op) -> u32 {
        let gprs = &self.regs.gprs;
        let index = gprs
            .address_part(op.index)
            .wrapping_shl(u32::from(op.scale));
        gprs.address_part(op.base)
            .wrapping_add(index)
            .wrapping_add(op.disp)
    }

    /// Returns the effective address as LEA gives it: 16-bit sums wrap.
    pub(crate) fn wrapped_address(&self, op: &Op) -> u32 {
        let sum = self.effective_address(op);
        if op.mode == AddressMode::Segmented16 {
            sum & 0xFFFF
        } else {
            sum
        }
    }

    /// Returns the linear address of the memory operand.
    #[inline(always)]
    pub(crate) fn linear(
        &self,
        op: &Op,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        let offset = self.effective_address(op);
        if op.mode == AddressMode::Flat {
            return Ok(LinearAddr::new(offset));
        }
        self.checked_operand(op, offset, size_bytes, kind)
    }

    #[cold]
    #[inline(never)]
    fn checked_operand(
        &self,
        op: &Op,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        let offset = if op.mode == AddressMode::Segmented16 {
            offset & 0xFFFF
        } else {
            offset
        };
        self.checked(op.segment, offset, size_bytes, kind)
    }

    /// Returns the linear address of a memory operand part `skip` bytes further, as the second
    /// half of a far pointer or of BOUND's limits. It lies behind the first part as the bytes of one
    /// operand lie behind each other: a 16-bit address does not wrap in between.
    pub(crate) fn linear_part(
        &self,
        op: &Op,
        skip: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        let offset = self.wrapped_address(op).wrapping_add(skip);
        self.segment_linear(op.segment, offset, size_bytes, kind)
    }

    /// Returns the linear address of an offset in a segment.
    #[inline(always)]
    pub(crate) fn segment_linear(
        &self,
        segment: SegmentRegister,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        let is_plain = matches!(
            segment,
            SegmentRegister::Ds | SegmentRegister::Es | SegmentRegister::Ss
        );
        if self.checks == Checks::None && is_plain {
            return Ok(LinearAddr::new(offset));
        }
        self.checked(segment, offset, size_bytes, kind)
    }

    /// Returns the linear address of an element of a string instruction.
    #[inline(always)]
    pub(crate) fn string_linear(
        &self,
        op: &Op,
        segment: SegmentRegister,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        if op.mode == AddressMode::Flat {
            return Ok(LinearAddr::new(offset));
        }
        self.segment_linear(segment, offset, size_bytes, kind)
    }

    /// Returns the linear address `distance` bytes from the operand; the sum has the address size.
    pub(crate) fn linear_displaced(
        &self,
        op: &Op,
        distance: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        let mut offset = self.wrapped_address(op).wrapping_add(distance);
        if op.mode == AddressMode::Segmented16 {
            offset &= 0xFFFF;
        }
        self.segment_linear(op.segment, offset, size_bytes, kind)
    }

    /// Returns the linear address of a stack slot.
    #[inline(always)]
    pub(crate) fn stack_linear(
        &self,
        op: &Op,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        // A stack operand beside a memory operand in FS has the mode of the latter: check again.
        if op.mode == AddressMode::Flat || self.checks == Checks::None {
            return Ok(LinearAddr::new(offset));
        }
        self.checked(SegmentRegister::Ss, offset, size_bytes, kind)
    }

    /// Segment limit, rights and null check, then alignment (SDM Vol. 3A, "Limit Checking",
    /// "Alignment Check Exception").
    #[cold]
    #[inline(never)]
    fn checked(
        &self,
        register: SegmentRegister,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        let Some(linear) = self.segment(register).translate(offset, size_bytes, kind) else {
            let vector = match register {
                SegmentRegister::Ss => Vector::STACK,
                _ => Vector::GENERAL_PROTECTION,
            };
            return Err(Exception::fault(vector).into());
        };
        let is_checked = self.privilege == Privilege::User
            && self.regs.flags.system().contains(Eflags::ALIGNMENT_CHECK);
        if is_checked && !linear.bits().is_multiple_of(alignment(size_bytes)) {
            return Err(Exception::fault(Vector::ALIGNMENT).into());
        }
        Ok(linear)
    }

    pub(crate) fn segment(&self, register: SegmentRegister) -> &Segment {
        &self.regs.segments[register as usize]
    }
}

/// Returns the boundary that an operand of this size has to lie on under the alignment check.
fn alignment(size_bytes: u32) -> u32 {
    match size_bytes {
        1 | 2 | 4 | 8 => size_bytes,
        10 | 16 => 8,
        _ => 4,
    }
}

/// A run of accesses inside one page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) hit: HitRun,
    pub(crate) addr: LinearAddr,
    pub(crate) kind: AccessKind,
}

/// Registers and memory, as handlers see them.
pub(crate) trait Context {
    fn state(&self) -> &State;
    fn state_mut(&mut self) -> &mut State;

    /// Reads memory.
    fn read<T: Word>(&mut self, addr: LinearAddr) -> Result<T, Stop>;

    /// Writes memory; on a fault nothing is written.
    fn write<T: Word>(&mut self, addr: LinearAddr, value: T) -> Result<Stored, Stop>;

    /// Reads and writes memory in one access with write intent; `f` runs only when it is allowed.
    fn modify<T: Word>(
        &mut self,
        addr: LinearAddr,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop>;

    /// Does all that a write does, except moving data.
    fn probe_write<T: Word>(&mut self, addr: LinearAddr) -> Result<(), Stop>;

    /// Returns the page of `addr` if further accesses of this kind only need to be counted.
    fn peek(&self, addr: LinearAddr, kind: AccessKind) -> Option<HitRun>;

    /// Counts `elements` accesses of `size_bytes` each.
    fn count_run(&mut self, run: Run, elements: u32, size_bytes: u32);

    /// Counts `elements` pairs of accesses of `size_bytes` each, made in turn.
    fn count_runs(&mut self, first: Run, second: Run, elements: u32, size_bytes: u32);

    /// Returns physical memory, for runs.
    fn memory(&mut self) -> &mut PhysMemory;

    #[inline(always)]
    fn reg<T: Width>(&self, reg: Reg) -> T {
        self.state().reg(reg)
    }

    #[inline(always)]
    fn set_reg<T: Width>(&mut self, reg: Reg, value: T) {
        self.state_mut().set_reg(reg, value);
    }

    #[inline(always)]
    fn flags(&self) -> &Flags {
        &self.state().regs.flags
    }

    #[inline(always)]
    fn flags_mut(&mut self) -> &mut Flags {
        &mut self.state_mut().regs.flags
    }

    /// Returns the linear address of the memory operand.
    #[inline(always)]
    fn linear(&self, op: &Op, size_bytes: u32, kind: AccessKind) -> Result<LinearAddr, Stop> {
        self.state().linear(op, size_bytes, kind)
    }

    /// Returns the linear address of a stack slot.
    #[inline(always)]
    fn stack_linear(
        &self,
        op: &Op,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        self.state().stack_linear(op, offset, size_bytes, kind)
    }

    /// Reads the memory operand.
    #[inline(always)]
    fn load<T: Word>(&mut self, op: &Op) -> Result<T, Stop> {
        let addr = self.linear(op, T::SIZE, AccessKind::Read)?;
        self.read(addr)
    }

    /// Writes the memory operand.
    #[inline(always)]
    fn store<T: Word>(&mut self, op: &Op, value: T) -> Result<Stored, Stop> {
        let addr = self.linear(op, T::SIZE, AccessKind::Write)?;
        self.write(addr, value)
    }

    /// Reads and writes the memory operand in one access.
    #[inline(always)]
    fn update<T: Word>(
        &mut self,
        op: &Op,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop> {
        let addr = self.linear(op, T::SIZE, AccessKind::Write)?;
        self.modify(addr, f)
    }
}

/// A context in which only TLB hits at flat addresses that need nothing but counting succeed.
/// Whatever else an access needs is the error, and the instruction is done again in a [`Cx`].
pub(crate) struct HitCx<'a, O: pagefault_mmu::Observer> {
    pub(crate) state: &'a mut State,
    pub(crate) mmu: &'a mut Mmu<O>,
}

/// Returns the linear address of an offset, if that is all there is to it.
#[inline(always)]
fn flat(op: &Op, offset: u32) -> Result<LinearAddr, Stop> {
    match op.mode {
        AddressMode::Flat => Ok(LinearAddr::new(offset)),
        AddressMode::Segmented | AddressMode::Segmented16 => Err(Stop::Again),
    }
}

impl<O: pagefault_mmu::Observer> Context for HitCx<'_, O> {
    #[inline(always)]
    fn state(&self) -> &State {
        self.state
    }

    #[inline(always)]
    fn state_mut(&mut self) -> &mut State {
        self.state
    }

    #[inline(always)]
    fn linear(&self, op: &Op, _: u32, _: AccessKind) -> Result<LinearAddr, Stop> {
        flat(op, self.state.effective_address(op))
    }

    #[inline(always)]
    fn stack_linear(
        &self,
        op: &Op,
        offset: u32,
        _: u32,
        _: AccessKind,
    ) -> Result<LinearAddr, Stop> {
        flat(op, offset)
    }

    #[inline(always)]
    fn read<T: Word>(&mut self, addr: LinearAddr) -> Result<T, Stop> {
        self.mmu.read_hit(addr, FLAT_PRIVILEGE).ok_or(Stop::Again)
    }

    #[inline(always)]
    fn write<T: Word>(&mut self, addr: LinearAddr, value: T) -> Result<Stored, Stop> {
        let hit = self.mmu.write_hit(addr, value, FLAT_PRIVILEGE);
        hit.map(|()| Stored::Plain).ok_or(Stop::Again)
    }

    #[inline(always)]
    fn modify<T: Word>(
        &mut self,
        addr: LinearAddr,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop> {
        let regs = &mut self.state.regs;
        let hit = self
            .mmu
            .modify_hit(addr, FLAT_PRIVILEGE, |value| f(regs, value));
        hit.map(|()| Stored::Plain).ok_or(Stop::Again)
    }

    fn probe_write<T: Word>(&mut self, _: LinearAddr) -> Result<(), Stop> {
        Err(Stop::Again)
    }

    fn peek(&self, _: LinearAddr, _: AccessKind) -> Option<HitRun> {
        None
    }

    fn count_run(&mut self, _: Run, _: u32, _: u32) {}

    fn count_runs(&mut self, _: Run, _: Run, _: u32, _: u32) {}

    fn memory(&mut self) -> &mut PhysMemory {
        self.mmu.mem_mut()
    }
}

/// The context of a running block.
pub(crate) struct Cx<'a, O: pagefault_mmu::Observer, C: Observer> {
    pub(crate) state: &'a mut State,
    pub(crate) mmu: &'a mut Mmu<O>,
    pub(crate) observer: &'a mut C,
}

impl<O: pagefault_mmu::Observer, C: Observer> Context for Cx<'_, O, C> {
    #[inline(always)]
    fn state(&self) -> &State {
        self.state
    }

    #[inline(always)]
    fn state_mut(&mut self) -> &mut State {
        self.state
    }

    #[inline(always)]
    fn read<T: Word>(&mut self, addr: LinearAddr) -> Result<T, Stop> {
        let value = self.mmu.read(addr, self.state.privilege)?;
        self.touched(addr, T::SIZE, Touch::Read);
        Ok(value)
    }

    #[inline(always)]
    fn write<T: Word>(&mut self, addr: LinearAddr, value: T) -> Result<Stored, Stop> {
        let stored = self.mmu.write(addr, value, self.state.privilege)?;
        self.touched(addr, T::SIZE, Touch::Write);
        Ok(stored)
    }

    #[inline(always)]
    fn modify<T: Word>(
        &mut self,
        addr: LinearAddr,
        f: impl FnOnce(&mut Registers, T) -> T,
    ) -> Result<Stored, Stop> {
        let State {
            regs, privilege, ..
        } = &mut *self.state;
        let stored = self.mmu.modify(addr, *privilege, |value| f(regs, value))?;
        self.touched(addr, T::SIZE, Touch::Modify);
        Ok(stored)
    }

    #[inline(always)]
    fn load<T: Word>(&mut self, op: &Op) -> Result<T, Stop> {
        match op.mode {
            AddressMode::Flat => {
                let addr = LinearAddr::new(self.state.effective_address(op));
                let value = self.mmu.read(addr, FLAT_PRIVILEGE)?;
                self.touched(addr, T::SIZE, Touch::Read);
                Ok(value)
            }
            AddressMode::Segmented | AddressMode::Segmented16 => {
                apart(self.state, self.mmu, self.observer, |cx| {
                    let addr = cx.linear(op, T::SIZE, AccessKind::Read)?;
                    cx.read(addr)
                })
            }
        }
    }

    #[inline(always)]
    fn store<T: Word>(&mut self, op: &Op, value: T) -> Result<Stored, Stop> {
        match op.mode {
            AddressMode::Flat => {
                let addr = LinearAddr::new(self.state.effective_address(op));
                let stored = self.mmu.write(addr, value, FLAT_PRIVILEGE)?;
                self.touched(addr, T::SIZE, Touch::Write);
                Ok(stored)
            }
            AddressMode::Segmented | AddressMode::Segmented16 => {
                apart(self.state, self.mmu, self.observer, |cx| {
                    let addr = cx.linear(op, T::SIZE, AccessKind::Write)?;
                    cx.write(addr, value)
                })
            }
        }
    }

    fn probe_write<T: Word>(&mut self, addr: LinearAddr) -> Result<(), Stop> {
        Ok(self.mmu.probe_write::<T>(addr, self.state.privilege)?)
    }

    fn peek(&self, addr: LinearAddr, kind: AccessKind) -> Option<HitRun> {
        self.mmu.peek_hit(addr, kind, self.state.privilege)
    }

    fn count_run(&mut self, run: Run, elements: u32, size_bytes: u32) {
        self.mmu.count_hits(run.hit, elements);
        self.observe(run.addr, elements * size_bytes, run.kind);
    }

    fn count_runs(&mut self, first: Run, second: Run, elements: u32, size_bytes: u32) {
        self.mmu.count_hit_pairs(first.hit, second.hit, elements);
        self.observe(first.addr, elements * size_bytes, first.kind);
        self.observe(second.addr, elements * size_bytes, second.kind);
    }

    fn memory(&mut self) -> &mut PhysMemory {
        self.mmu.mem_mut()
    }
}

impl<O: pagefault_mmu::Observer, C: Observer> Cx<'_, O, C> {
    /// Tells the observer that `op` is about to be executed.
    #[inline(always)]
    pub(crate) fn begin(&mut self, op: &Op) {
        if C::INSTRUCTIONS {
            let eip = self.state.block_eip.wrapping_add(u32::from(op.at));
            self.observer.instruction(eip, op.len);
        }
    }

    /// Looks for watchpoints and tells the observer.
    #[inline(always)]
    fn touched(&mut self, addr: LinearAddr, size_bytes: u32, touch: Touch) {
        if self.state.watch.is_armed() {
            look_at_watchpoints(self.state, self.mmu, addr, size_bytes, touch);
        }
        self.observe(addr, size_bytes, touch.kind());
    }

    #[inline(always)]
    fn observe(&mut self, addr: LinearAddr, size_bytes: u32, kind: AccessKind) {
        if C::ACCESSES {
            self.observer.access(addr, size_bytes, kind);
        }
    }
}

/// Makes an access that is rare, as one whose address is to be checked, in a function of its own.
/// Whoever calls it keeps its context in registers.
#[cold]
#[inline(never)]
fn apart<O: pagefault_mmu::Observer, C: Observer, R>(
    state: &mut State,
    mmu: &mut Mmu<O>,
    observer: &mut C,
    access: impl FnOnce(&mut Cx<'_, O, C>) -> R,
) -> R {
    access(&mut Cx {
        state,
        mmu,
        observer,
    })
}

/// Notes an access to a watched page. Whoever calls it keeps its context in registers.
#[cold]
#[inline(never)]
fn look_at_watchpoints<O: pagefault_mmu::Observer>(
    state: &mut State,
    mmu: &mut Mmu<O>,
    addr: LinearAddr,
    size_bytes: u32,
    touch: Touch,
) {
    if state.watch.note(addr, size_bytes, touch) {
        mmu.forget_line(addr);
        mmu.forget_line(addr.wrapping_add(size_bytes - 1));
    }
}
