//! A workload on its page tables.

use pagefault_cpu::{Cpu, Exit, NoObserver, Reg, Registers};
use pagefault_mmu::{
    AccessKind, Cr0, Execute, FrameNumber, LinearAddr, Mmu, MmuConfig, PAGE_SIZE, PageEntry,
    PageFault, PageNumber, PhysMemory, PteFlags, Root, SoftwareEntry, Statistics, TlbConfig,
    tables,
};
use thiserror::Error;

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
}

impl Kind {
    /// The kinds with the names that the contract gives them.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("plain", Self::Plain),
        ("w8", Self::Alternate),
        ("w9", Self::FirstTouch),
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

/// A loaded workload.
#[derive(Debug)]
pub struct Workload {
    mmu: Mmu,
    cpu: Cpu<pagefault_mmu::NoObserver, NoObserver>,
    root: Root,
    kind: Kind,
    n: u32,
    arg: u32,
    next_frame: u32,
}

impl Workload {
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
        n: u32,
        arg: u32,
        kind: Kind,
        tlb: TlbConfig,
    ) -> Result<Self, WorkloadError> {
        if blob.len() > CODE_BYTES as usize {
            let len_bytes = blob.len();
            return Err(WorkloadError::TooLarge { len_bytes });
        }
        let mut mem = PhysMemory::new(RAM_BYTES).expect("64 MiB of RAM");
        let root = Root::TwoLevel(frame(DIRECTORY));
        mem.zero_frame(frame(DIRECTORY));
        let config = MmuConfig {
            tlb,
            ..MmuConfig::default()
        };
        let mmu = Mmu::new(mem, &config).expect("a TLB that can be built");
        let mut workload = Self {
            mmu,
            cpu: Cpu::new(),
            root,
            kind,
            n,
            arg,
            next_frame: FIRST_FREE,
        };
        workload.map_all();
        workload.load(blob);
        workload.call(CODE + INIT)?;
        workload.mmu.reset_statistics();
        Ok(workload)
    }

    /// Sets memory as the kind wants it before each run. This is not part of the time.
    pub fn prepare(&mut self) {
        match self.kind {
            Kind::Plain => {}
            Kind::Alternate => {
                self.set_writable(LinearAddr::new(DATA), PteFlags::empty());
                self.set_writable(LinearAddr::new(DATA + OTHER_PAGE), PteFlags::WRITABLE);
            }
            Kind::FirstTouch => {
                let first = LinearAddr::new(DATA).page().bits();
                for page in (first..first + self.n).filter_map(PageNumber::new) {
                    self.unmap(page);
                }
                self.next_frame = FIRST_FREE + frames_before_data();
            }
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

    fn map_all(&mut self) {
        for (start, end) in [
            (CODE, CODE + CODE_BYTES),
            (STACK, STACK_END),
            (DATA, DATA + DATA_BYTES),
        ] {
            for addr in (start..end).step_by(PAGE_SIZE as usize) {
                self.map(LinearAddr::new(addr).page(), PteFlags::WRITABLE);
            }
        }
        let cr0 = Cr0::PROTECTED_MODE | Cr0::WRITE_PROTECT | Cr0::PAGING;
        self.mmu
            .set_cr3(self.root.cr3())
            .expect("a directory has no reserved bits");
        self.mmu.set_cr0(cr0.bits()).expect("paging can be on");
    }

    fn load(&mut self, blob: &[u8]) {
        for (addr, byte) in (CODE..).zip(blob) {
            let page = LinearAddr::new(addr).page();
            let tables::Entry::Page(entry) = tables::entry(self.mmu.mem(), self.root, page) else {
                continue;
            };
            let at = entry.frame.byte(addr % PAGE_SIZE);
            self.mmu.mem_mut().write(at, *byte);
        }
        // INT3, so that a return that is missed does not run on.
        self.cpu.set_host_calls(&mut self.mmu, RETURN..RETURN + 1);
    }

    fn call(&mut self, entry: u32) -> Result<u32, WorkloadError> {
        let registers = self.cpu.registers_mut();
        *registers = Registers::new();
        registers.set_gpr(Reg::Esp, ESP);
        registers.set_eip(entry);
        let words = [RETURN, self.n, self.arg];
        for (addr, word) in (ESP..).step_by(4).zip(words) {
            self.mmu
                .write(LinearAddr::new(addr), word, pagefault_mmu::Privilege::User)
                .expect("the stack is mapped");
        }
        loop {
            let exit = self.cpu.run(&mut self.mmu, u64::MAX, &mut NoObserver);
            match exit {
                Exit::HostCall { .. } => return Ok(self.cpu.registers().gpr(Reg::Eax)),
                Exit::Exception { exception, .. } => match exception.page_fault {
                    Some(fault) if self.resolve(&fault) => {}
                    _ => return Err(WorkloadError::Stopped(exit)),
                },
                _ => return Err(WorkloadError::Stopped(exit)),
            }
        }
    }

    /// The fault handlers of the contract. Returns whether the instruction can restart.
    fn resolve(&mut self, fault: &PageFault) -> bool {
        match self.kind {
            Kind::Alternate if fault.access.kind == AccessKind::Write => {
                let other = LinearAddr::new(fault.addr.bits() ^ OTHER_PAGE);
                self.set_writable(fault.addr, PteFlags::WRITABLE);
                self.set_writable(other, PteFlags::empty());
                true
            }
            Kind::FirstTouch => {
                self.map(fault.addr.page(), PteFlags::WRITABLE);
                true
            }
            _ => false,
        }
    }

    /// Maps a zeroed frame.
    fn map(&mut self, page: PageNumber, writable: PteFlags) {
        if !tables::has_table(self.mmu.mem(), self.root, page) {
            let table = self.allocate();
            self.mmu.mem_mut().zero_frame(table);
            tables::add_table(self.mmu.mem_mut(), self.root, page, table)
                .expect("the directory entry was empty");
        }
        let frame = self.allocate();
        self.mmu.mem_mut().zero_frame(frame);
        self.set_entry(page, frame, writable);
    }

    fn set_writable(&mut self, addr: LinearAddr, writable: PteFlags) {
        let page = addr.page();
        if let tables::Entry::Page(entry) = tables::entry(self.mmu.mem(), self.root, page) {
            self.set_entry(page, entry.frame, writable);
        }
    }

    fn set_entry(&mut self, page: PageNumber, frame: FrameNumber, writable: PteFlags) {
        let entry = PageEntry {
            frame,
            flags: PteFlags::USER | writable,
            execute: Execute::Allowed,
        };
        let stale = tables::set_page(self.mmu.mem_mut(), self.root, page, entry)
            .expect("the page has a table");
        if let Some(stale) = stale {
            stale.invalidate(&mut self.mmu);
        }
    }

    fn unmap(&mut self, page: PageNumber) {
        let stale = tables::set_software(
            self.mmu.mem_mut(),
            self.root,
            page,
            SoftwareEntry::default(),
        )
        .expect("the page has a table");
        if let Some(stale) = stale {
            stale.invalidate(&mut self.mmu);
        }
    }

    fn allocate(&mut self) -> FrameNumber {
        self.next_frame += 1;
        frame(self.next_frame - 1)
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
