//! What reserve, commit, the first touch, protection and release write into a page-table entry.
//!
//! `cargo run -p pagefault-vmm --example life_of_a_page`

use std::io::{self, Write};

use pagefault_vmm::mmu::{LinearAddr, Mmu, MmuConfig, PhysMemory, Privilege};
use pagefault_vmm::{
    AllocRequest, AllocationType, Caller, ProtectRequest, Protection, Resolution, Vmm, VmmConfig,
};

const RAM_BYTES: u64 = 1 << 20;
const REGION_BYTES: u32 = 64 << 10;
const PAGE_BYTES: u32 = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut mmu = Mmu::new(PhysMemory::new(RAM_BYTES)?, &MmuConfig::default())?;
    let mut vmm = Vmm::new(&mmu, VmmConfig::default());
    let process = vmm.create_process(&mut mmu)?;
    vmm.switch_to(&mut mmu, process);
    let caller = Caller::of(process);

    let mut request = AllocRequest {
        address: LinearAddr::new(0),
        size_bytes: REGION_BYTES,
        allocation_type: AllocationType::RESERVE.bits(),
        protect: Protection::NO_ACCESS.bits(),
    };
    let base = vmm.alloc(&mut mmu, caller, &request)?;
    show("reserved", &mmu, base)?;

    request.address = base;
    request.size_bytes = PAGE_BYTES;
    request.allocation_type = AllocationType::COMMIT.bits();
    request.protect = Protection::READ_WRITE.bits();
    vmm.alloc(&mut mmu, caller, &request)?;
    show("committed", &mmu, base)?;

    touch(&mut vmm, &mut mmu, base)?;
    show("written to", &mmu, base)?;

    let request = ProtectRequest {
        address: base,
        size_bytes: PAGE_BYTES,
        protect: Protection::READ_ONLY.bits(),
    };
    let old = vmm.protect(&mut mmu, caller, &request)?;
    show(&format!("protected, was {old}"), &mmu, base)?;

    touch(&mut vmm, &mut mmu, base)
}

/// Writes to a page; page faults are the memory manager's, as far as it resolves them.
fn touch(vmm: &mut Vmm, mmu: &mut Mmu, addr: LinearAddr) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    while let Err(fault) = mmu.write(addr, 1_u32, Privilege::User) {
        match vmm.handle_fault(mmu, &fault) {
            Resolution::Resumed(what) => writeln!(out, "  a fault is resolved: {what:?}")?,
            Resolution::AccessViolation(violation) => {
                writeln!(out, "  the program is told: {violation}")?;
                break;
            }
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
    Ok(())
}

fn show(what: &str, mmu: &Mmu, addr: LinearAddr) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{what}\n{}", mmu.walk(addr))
}
