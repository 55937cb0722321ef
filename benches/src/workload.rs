//! A workload on its page tables.

mod bare;
mod managed;

use pagefault_cpu::{Cpu, Exit, NoObserver, Reg, Registers};
use pagefault_mmu::{
    FrameNumber, LinearAddr, Mmu, MmuConfig, Observer, PAGE_SIZE, PageFault, PhysMemory, Privilege,
    Statistics, TlbConfig,
};
use thiserror::Error;

use bare::Bare;
use managed::Managed;

/// Where the blob is loaded; `run` begins there.
const CODE: u32 = 0x0040_0000;
/// Bytes of code.
const CODE_BYTES: u32 = 64 << 10;
/// Offset of `init`.
const INIT: u32 = 0x10;
/// The lowest mapped byte of the stack.
const STACK: u32 = 0x0050_0000;
/// The end of the stack.
const STACK_END: u32 = 0x0054_0000;
/// ESP at entry.
const ESP: u32 = 0x0053_FF00;
/// Where a call returns to; reaching it ends the run.
const RETURN: u32 = 0x0040_FFF0;
/// The first byte of data.
const DATA: u32 = 0x0100_0000;
/// Bytes of data.
const DATA_BYTES: u32 = 32 << 20;
/// The page that the writable page changes places with.
const OTHER_PAGE: u32 = 0x1000;
/// RAM: data, code, stack, tables, and frames to map on first touch.
const RAM_BYTES: u64 = 64 << 20;
/// The frame of the page directory.
const DIRECTORY: u32 = 1;
/// The first frame that is free.
const FIRST_FREE: u32 = 16;

/// How memory is mapped, and who answers page faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything is mapped before.
    Plain,
    /// Two pages of which one is writable; a fault exchanges them.
    Alternate,
    /// Pages that are mapped when they are touched.
    FirstTouch,
    /// As [`Kind::Alternate`], through the memory manager's `protect`.
    AlternateManaged,
    /// As [`Kind::FirstTouch`], through the memory manager's demand-zero path.
    FirstTouchManaged,
}

impl Kind {
    /// The kinds with the names that the contract gives them.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("plain", Self::Plain),
        ("w8", Self::Alternate),
        ("w9", Self::FirstTouch),
        ("w8v", Self::AlternateManaged),
        ("w9v", Self::FirstTouchManaged),
    ];

    /// Returns the kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names
            .find(|(known, _)| *known == name)
            .map(|&(_, kind)| kind)
    }
}

/// Why a workload did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WorkloadError {
    /// The blob is larger than the code range.
    #[error("a blob of {len_bytes} bytes does not fit into {CODE_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        len_bytes: usize,
    },
    /// The processor stopped for another reason than the end or a fault that has a handler.
    #[error("the workload stopped: {0:?}")]
    Stopped(Exit),
}

/// Leaves accesses uncounted, to measure what counting costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uncounted;

impl Observer for Uncounted {
    const COUNTING: bool = false;
}

/// Who owns the page tables.
#[derive(Debug)]
enum Memory {
    /// Handlers in Rust on the bare MMU.
    Bare(Bare),
    /// The memory manager.
    Managed(Box<Managed>),
}

/// A loaded workload.
#[derive(Debug)]
pub struct Workload<O: Observer> {
    mmu: Mmu<O>,
    cpu: Cpu<O, NoObserver>,
    memory: Memory,
    kind: Kind,
    n: u32,
    arg: u32,
}

impl<O: Observer> Workload<O> {
    /// Loads a blob and calls its `init`.
    ///
    /// # Errors
    ///
    /// [`WorkloadError`] if the blob is too large, or `init` does not return.
    ///
    /// # Panics
    ///
    /// If the host has no memory.
    pub fn new(
        blob: &[u8],
        (n, arg): (u32, u32),
        kind: Kind,
        tlb: TlbConfig,
        observer: O,
    ) -> Result<Self, WorkloadError> {
        if blob.len() > CODE_BYTES as usize {
            let len_bytes = blob.len();
            return Err(WorkloadError::TooLarge { len_bytes });
        }
        let mem = PhysMemory::new(RAM_BYTES).expect("64 MiB of RAM");
        let config = MmuConfig {
            tlb,
            ..MmuConfig::default()
        };
        let mut mmu = Mmu::with_observer(mem, &config, observer).expect("a TLB that can be built");
        let memory = match kind {
            Kind::Plain | Kind::Alternate | Kind::FirstTouch => Memory::Bare(Bare::new(&mut mmu)),
            Kind::AlternateManaged | Kind::FirstTouchManaged => {
                Memory::Managed(Box::new(Managed::new(&mut mmu)))
            }
        };
        let mut workload = Self {
            mmu,
            cpu: Cpu::new(),
            memory,
            kind,
            n,
            arg,
        };
        for (addr, &byte) in (CODE..).zip(blob) {
            workload.store(addr, byte);
        }
        workload.cpu.set_host_calls(RETURN..RETURN + 1);
        workload.call(CODE + INIT)?;
        workload.mmu.reset_statistics();
        Ok(workload)
    }

    /// Sets memory as the kind wants it before each run. This is not part of the time.
    pub fn prepare(&mut self) {
        match &mut self.memory {
            Memory::Bare(memory) => memory.prepare(&mut self.mmu, self.kind, self.n),
            Memory::Managed(memory) => memory.prepare(&mut self.mmu, self.kind, self.n),
        }
    }

    /// Calls `run` once and returns its checksum.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Stopped`] if it does not return.
    pub fn run(&mut self) -> Result<u32, WorkloadError> {
        self.call(CODE)
    }

    /// Returns what the MMU has counted since `init`.
    pub fn statistics(&self) -> Statistics {
        self.mmu.statistics()
    }

    /// Returns the number of instructions executed so far.
    pub fn instructions(&self) -> u64 {
        self.cpu.instructions()
    }

    fn call(&mut self, entry: u32) -> Result<u32, WorkloadError> {
        let registers = self.cpu.registers_mut();
        *registers = Registers::new();
        registers.set_gpr(Reg::Esp, ESP);
        registers.set_eip(entry);
        let words = [RETURN, self.n, self.arg];
        for (addr, word) in (ESP..).step_by(4).zip(words) {
            self.store(addr, word);
        }
        loop {
            let exit = self.cpu.run(&mut self.mmu, u64::MAX, &mut NoObserver);
            match exit {
                Exit::HostCall { .. } => return Ok(self.cpu.registers().gpr(Reg::Eax)),
                Exit::Exception { exception, .. } => match exception.page_fault {
                    Some(fault) if self.resolve(fault) => {}
                    _ => return Err(WorkloadError::Stopped(exit)),
                },
                _ => return Err(WorkloadError::Stopped(exit)),
            }
        }
    }

    /// Writes to memory as the program would.
    fn store<T: pagefault_mmu::Word>(&mut self, addr: u32, value: T) {
        let addr = LinearAddr::new(addr);
        while let Err(fault) = self.mmu.write(addr, value, Privilege::User) {
            assert!(
                self.resolve(fault),
                "code and stack can be written: {fault}"
            );
        }
    }

    /// The fault handlers of the contract. Returns whether the instruction can restart.
    fn resolve(&mut self, fault: PageFault) -> bool {
        match &mut self.memory {
            Memory::Bare(memory) => memory.resolve(&mut self.mmu, self.kind, fault),
            Memory::Managed(memory) => memory.resolve(&mut self.mmu, self.kind, fault),
        }
    }
}

/// Frames that code and stack take, and the tables of all: data follows.
const fn frames_before_data() -> u32 {
    const TABLES: u32 = 1 + DATA_BYTES / (PAGE_SIZE * 1024);
    (CODE_BYTES + (STACK_END - STACK)) / PAGE_SIZE + TABLES
}

fn frame(number: u32) -> FrameNumber {
    FrameNumber::new(number).expect("a frame of the RAM")
}
