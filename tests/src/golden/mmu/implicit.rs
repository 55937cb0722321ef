//! A segment load: the processor itself reads a descriptor, and marks it as accessed.

use pagefault_mmu::{LinearAddr, Mmu, MmuConfig, PageFault, Privilege};

use crate::golden::mmu::judge::{Differences, Verdict, entry, hex, number};
use crate::golden::mmu::stage::{Registers, Stage};
use crate::golden::table::Row;

/// The accessed bit, in the upper dword of a descriptor.
const DESCRIPTOR_ACCESSED: u32 = 1 << 8;

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let addr = hex(row, "lin")?;
    stage.map(addr, entry(row, "pde")?, entry(row, "pte")?);
    stage.start()?;

    let is_accessed = number(row, "desc_accessed")? != 0;
    let descriptor = LinearAddr::new(addr);
    let mut result = stage
        .mmu
        .read::<u64>(descriptor, Privilege::Implicit)
        .map(|_| ());
    if result.is_ok() && !is_accessed {
        result = mark_accessed(&mut stage.mmu, descriptor);
    }

    let mut differences = Differences::default();
    differences.compare_result(row, &stage.mmu, result)?;
    Ok(differences)
}

/// Sets the bit by a locked access to the upper dword.
fn mark_accessed(mmu: &mut Mmu, descriptor: LinearAddr) -> Result<(), PageFault> {
    let upper = descriptor.wrapping_add(4);
    mmu.modify::<u32>(upper, Privilege::Implicit, |word| {
        word | DESCRIPTOR_ACCESSED
    })
    .map(|_| ())
}
