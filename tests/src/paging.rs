//! Paging as both stages of instructions have it.

use pagefault_mmu::{Cr0, Cr4, Efer, Mmu, MmuConfig, PhysMemory, Root};

/// Returns an MMU that translates by PAE tables, with NX and CR0.WP.
///
/// # Panics
///
/// If there are no such tables at the root.
pub(crate) fn pae_mmu(mem: PhysMemory, root: Root) -> Mmu {
    let mut mmu = Mmu::new(mem, &MmuConfig::default()).expect("the default can be built");
    mmu.set_efer(Efer::NO_EXECUTE_ENABLE.bits())
        .expect("NXE can be set");
    mmu.set_cr4(Cr4::PHYSICAL_ADDRESS_EXTENSION.bits())
        .expect("PAE can be set");
    mmu.set_cr3(root.cr3()).expect("the PDPTEs are good");
    let cr0 = Cr0::PROTECTED_MODE | Cr0::WRITE_PROTECT | Cr0::PAGING;
    mmu.set_cr0(cr0.bits()).expect("paging can be turned on");
    mmu
}
