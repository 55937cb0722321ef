//! A loop of three instructions, and what the processor and the TLB count of it.
//!
//! `cargo run -p pagefault-cpu --example count_down`

use std::io::{self, Write};

use pagefault_cpu::{Cpu, Exit, NoObserver, Vector};
use pagefault_mmu::{
    Cr0, Execute, FrameNumber, LinearAddr, Mmu, MmuConfig, PageEntry, PhysMemory, PteFlags, Root,
    tables,
};

const RAM_BYTES: u64 = 64 << 10;
const CODE: u32 = 0x0040_0000;
const DATA: u32 = 0x0040_1000;
const BUDGET: u64 = 1_000_000;
/// `mov ecx, 1000`, `again: add [401000h], ecx`, `dec ecx`, `jnz again`, `int 3`.
const PROGRAM: [u8; 15] = [
    0xB9, 0xE8, 0x03, 0x00, 0x00, 0x01, 0x0D, 0x00, 0x10, 0x40, 0x00, 0x49, 0x75, 0xF7, 0xCC,
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frame = |number| FrameNumber::new(number).ok_or("no such frame");
    let root = Root::TwoLevel(frame(1)?);
    let mut mem = PhysMemory::new(RAM_BYTES)?;
    tables::add_table(&mut mem, root, LinearAddr::new(CODE).page(), frame(2)?)?;
    for (addr, number) in [(CODE, 3), (DATA, 4)] {
        let entry = PageEntry {
            frame: frame(number)?,
            flags: PteFlags::USER | PteFlags::WRITABLE,
            execute: Execute::Allowed,
        };
        let page = LinearAddr::new(addr).page();
        assert_eq!(tables::set_page(&mut mem, root, page, entry)?, None);
    }
    let code = mem.frame_mut(frame(3)?).ok_or("no such frame")?;
    code[..PROGRAM.len()].copy_from_slice(&PROGRAM);

    let mut mmu = Mmu::new(mem, &MmuConfig::default())?;
    mmu.set_cr3(root.cr3())?;
    mmu.set_cr0((Cr0::PROTECTED_MODE | Cr0::PAGING | Cr0::WRITE_PROTECT).bits())?;
    let mut cpu = Cpu::new();
    cpu.registers_mut().set_eip(CODE);
    let exit = cpu.run(&mut mmu, BUDGET, &mut NoObserver);

    let is_breakpoint =
        matches!(exit, Exit::Exception { exception, .. } if exception.vector == Vector::BREAKPOINT);
    assert!(is_breakpoint, "{exit:?}");
    let sum: u32 = mmu.mem().read(frame(4)?.byte(0));
    let statistics = mmu.statistics();
    writeln!(
        io::stdout().lock(),
        "sum {sum}, {} instructions, {} walks, A and D set {} times",
        cpu.instructions(),
        statistics.walks,
        statistics.accessed_marks + statistics.dirty_marks,
    )?;
    Ok(())
}
