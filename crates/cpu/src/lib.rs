//! An IA-32 interpreter whose every access goes through a modelled MMU.
//!
//! # What it models
//!
//! The user-mode instruction set of a 32-bit x86 processor at CPL 3: all integer instructions in
//! 8, 16 and 32 bits with every addressing form and prefix, x87, MMX, SSE and SSE2, exact in
//! results, flags and faults. Segments have base, limit and rights; their descriptors come from a
//! [`DescriptorTable`] that the host fills. Privileged instructions raise #GP, undefined ones #UD.
//!
//! # What it does not model
//!
//! Rings 1 and 2, interrupt delivery, task switches, 16-bit code segments, debug registers. Of ring
//! 0 there is what memory accesses show: supervisor accesses, INVLPG, MOV to and from control
//! registers, CLI and STI, CLAC and STAC. An exception, also a page fault, ends the run as a value ([`Exit`]); the host resolves it and runs
//! again, or delivers it. An instruction that decodes and has no handler is an exit of its own.
//! RCPPS and RSQRTPS give other bits than a particular processor's tables, within the promised
//! error. RDTSC counts instructions, so that runs repeat.
//!
//! # How it runs
//!
//! iced-x86 decodes basic blocks, which are kept by physical address as plain operations. Each
//! handler ends in a call of the next one; blocks are linked. A store into a page with decoded
//! code ends the block behind the storing instruction and drops the page's blocks, so that
//! self-modifying code is exact. Each block counts as one instruction fetch a page.
//!
//! # Example
//!
//! A program stores into a page that is not there; the host maps it and lets the program go on.
//!
//! ```
//! use pagefault_cpu::{Cpu, Exit, NoObserver, Reg, Vector};
//! use pagefault_mmu::{
//!     Cr0, Execute, FrameNumber, LinearAddr, Mmu, MmuConfig, PageEntry, PhysMemory, PteFlags,
//!     Root, tables,
//! };
//!
//! let frame = |number| FrameNumber::new(number).unwrap();
//! let root = Root::TwoLevel(frame(1));
//! let mut mem = PhysMemory::new(64 << 10)?;
//! let page = |addr| LinearAddr::new(addr).page();
//! let map = |mem: &mut PhysMemory, addr, to| {
//!     let flags = PteFlags::USER | PteFlags::WRITABLE;
//!     let entry = PageEntry { frame: frame(to), flags, execute: Execute::Allowed };
//!     tables::set_page(mem, root, page(addr), entry)
//! };
//! tables::add_table(&mut mem, root, page(0x40_0000), frame(2))?;
//! assert_eq!(map(&mut mem, 0x40_0000, 3)?, None);
//! // mov dword ptr [00401008h], 7; int 3
//! let code = [0xC7, 0x05, 0x08, 0x10, 0x40, 0x00, 0x07, 0x00, 0x00, 0x00, 0xCC];
//! mem.frame_mut(frame(3)).unwrap()[..code.len()].copy_from_slice(&code);
//!
//! let mut mmu = Mmu::new(mem, &MmuConfig::default())?;
//! mmu.set_cr3(root.cr3())?;
//! mmu.set_cr0((Cr0::PROTECTED_MODE | Cr0::WRITE_PROTECT | Cr0::PAGING).bits())?;
//! let mut cpu = Cpu::new();
//! cpu.registers_mut().set_eip(0x40_0000);
//!
//! let Exit::Exception { exception, at } = cpu.run(&mut mmu, 100, &mut NoObserver) else {
//!     panic!("the page is missing");
//! };
//! let fault = exception.page_fault.unwrap();
//! assert_eq!((exception.vector, exception.error_code), (Vector::PAGE, 0b110)); // U/S, W/R
//! assert_eq!((fault.addr, at), (LinearAddr::new(0x40_1008), 0x40_0000));
//! assert_eq!(cpu.instructions(), 0);
//!
//! assert_eq!(map(mmu.mem_mut(), 0x40_1000, 4)?, None);
//! let exit = cpu.run(&mut mmu, 100, &mut NoObserver);
//! assert!(matches!(exit, Exit::Exception { exception, .. } if exception.vector == Vector::BREAKPOINT));
//! assert_eq!(mmu.mem().read::<u32>(frame(4).byte(8)), 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use cpu::{Cpu, SavedCpu};
pub use exception::{
    Class, Exception, Exit, MAX_INSTRUCTION_BYTES, UnsupportedInstruction, Vector,
};
pub use extended::ReservedMxcsrBit;
pub use flags::Eflags;
pub use fpu::{F80, Fpu};
pub use observer::{NoObserver, Observer};
pub use registers::{Reg, Registers};
pub use segment::{
    Descriptor, DescriptorTable, Segment, SegmentRegister, SegmentRights, Selector, TableRegister,
};
pub use watch::{WatchKind, Watchpoint};

mod alu;
mod block;
mod context;
mod cpu;
mod decode;
mod dispatch;
mod exception;
mod exec;
mod extended;
mod flags;
mod float;
mod fpu;
mod observer;
mod op;
mod optimize;
mod registers;
mod segment;
mod watch;
mod width;
