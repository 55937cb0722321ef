//! A few pages with code, data and a stack, and a processor on them.

use pagefault_cpu::{Cpu, Exit, Observer, Reg};
use pagefault_mmu::{
    Cr0, Execute, FrameNumber, LinearAddr, Mmu, MmuConfig, PAGE_SIZE, PageEntry, PageNumber,
    PhysMemory, PteFlags, Root, tables,
};

/// The first of two pages of code, which is writable.
pub(crate) const CODE: u32 = 0x0001_0000;
/// The first of four pages of data.
pub(crate) const DATA: u32 = 0x0002_0000;
/// The top of two pages of stack.
pub(crate) const STACK_TOP: u32 = 0x0003_2000;

const RAM_BYTES: u64 = 1 << 20;
const DIRECTORY: u32 = 1;
const TABLE: u32 = 2;
const FIRST_FREE: u32 = 4;

/// The machine.
pub(crate) struct Machine<C: Observer> {
    pub(crate) mmu: Mmu,
    pub(crate) cpu: Cpu<pagefault_mmu::NoObserver, C>,
    pub(crate) observer: C,
    next_frame: u32,
}

impl<C: Observer> Machine<C> {
    /// Returns a machine with all pages mapped, writable, and filled with INT3.
    pub(crate) fn new(observer: C) -> Self {
        Self::with_config(observer, &MmuConfig::default())
    }

    /// Returns a machine on an MMU of this kind.
    pub(crate) fn with_config(observer: C, config: &MmuConfig) -> Self {
        let mut mem = PhysMemory::new(RAM_BYTES).unwrap();
        mem.zero_frame(frame(DIRECTORY));
        mem.zero_frame(frame(TABLE));
        let first = LinearAddr::new(CODE).page();
        tables::add_table(
            &mut mem,
            Root::TwoLevel(frame(DIRECTORY)),
            first,
            frame(TABLE),
        )
        .unwrap();
        let mmu = Mmu::new(mem, config).unwrap();
        let mut machine = Self {
            mmu,
            cpu: Cpu::new(),
            observer,
            next_frame: FIRST_FREE,
        };
        for (start, pages) in [(CODE, 2), (DATA, 4), (STACK_TOP - 2 * PAGE_SIZE, 2)] {
            for page in 0..pages {
                machine.map_new(start + page * PAGE_SIZE);
            }
        }
        machine.mmu.set_cr3(root().cr3()).unwrap();
        let cr0 = Cr0::PROTECTED_MODE | Cr0::WRITE_PROTECT | Cr0::PAGING;
        machine.mmu.set_cr0(cr0.bits()).unwrap();
        machine
    }

    /// Puts code at an address and registers at their start: EIP there, ESP at the top.
    pub(crate) fn load(&mut self, at: u32, code: &[u8]) {
        for (addr, byte) in (at..).zip(code) {
            let page = LinearAddr::new(addr).page();
            let tables::Entry::Page(entry) = tables::entry(self.mmu.mem(), root(), page) else {
                panic!("{addr:#x} is not mapped");
            };
            self.mmu
                .mem_mut()
                .write(entry.frame.byte(addr % PAGE_SIZE), *byte);
            self.mmu.note_write(entry.frame);
        }
        let registers = self.cpu.registers_mut();
        registers.set_eip(at);
        registers.set_gpr(Reg::Esp, STACK_TOP);
    }

    /// Runs at most `budget` instructions.
    pub(crate) fn run(&mut self, budget: u64) -> Exit {
        self.cpu.run(&mut self.mmu, budget, &mut self.observer)
    }

    /// Returns a general register.
    pub(crate) fn reg(&self, reg: Reg) -> u32 {
        self.cpu.registers().gpr(reg)
    }

    /// Maps a page, writable, to a frame of its own.
    pub(crate) fn map_new(&mut self, addr: u32) {
        let frame = frame(self.next_frame);
        self.next_frame += 1;
        self.mmu.mem_mut().frame_mut(frame).unwrap().fill(0xCC);
        self.map(addr, frame, PteFlags::WRITABLE);
    }

    /// Maps a page to a frame, with the user's right to read it and these flags.
    pub(crate) fn map(&mut self, addr: u32, frame: FrameNumber, flags: PteFlags) {
        self.map_leaving_stale(addr, frame, flags);
        self.mmu.invalidate_page(LinearAddr::new(addr));
    }

    /// As `map`, and what the TLB holds of the page stays.
    pub(crate) fn map_leaving_stale(&mut self, addr: u32, frame: FrameNumber, flags: PteFlags) {
        let page = PageNumber::containing(LinearAddr::new(addr));
        let flags = PteFlags::USER | flags;
        let entry = PageEntry {
            frame,
            flags,
            execute: Execute::Allowed,
        };
        if let Some(stale) = tables::set_page(self.mmu.mem_mut(), root(), page, entry).unwrap() {
            stale.leave(tables::LeaveReason::Experiment);
        }
    }

    /// Returns the frame that an address is mapped to.
    pub(crate) fn frame_of(&self, addr: u32) -> FrameNumber {
        let page = LinearAddr::new(addr).page();
        match tables::entry(self.mmu.mem(), root(), page) {
            tables::Entry::Page(entry) => entry.frame,
            other => panic!("{addr:#x} is {other:?}"),
        }
    }
}

fn root() -> Root {
    Root::TwoLevel(frame(DIRECTORY))
}

fn frame(number: u32) -> FrameNumber {
    FrameNumber::new(number).unwrap()
}

/// xorshift64*: the same numbers everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Returns the upper half, which is the better one.
    pub(crate) fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap()
    }
}
