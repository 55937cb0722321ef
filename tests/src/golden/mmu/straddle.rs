//! An access, or an instruction, that lies on two pages.

use pagefault_mmu::{LinearAddr, MmuConfig, PageFault, Privilege};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, hex, number};
use crate::golden::mmu::operation::{self, Effect, Inputs};
use crate::golden::mmu::rmw::compare_eax;
use crate::golden::mmu::stage::{Registers, Stage, privilege};
use crate::golden::mmu::text::EntryText;
use crate::golden::table::Row;

/// PS of a directory entry.
const LARGE: u32 = 1 << 7;

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let addr = hex(row, "lin")?;
    let second = (addr & !0xFFF).wrapping_add(0x1000);
    let name = row.get("ins").ok_or(NotRun::Unreadable("ins"))?;
    let privilege = privilege(number(row, "cpl")?);
    let entries = |pde, pte| -> Result<_, NotRun> { Ok((entry(row, pde)?, entry(row, pte)?)) };
    let (of_first, of_second) = (entries("pdeA", "pteA")?, entries("pdeB", "pteB")?);
    stage.map(addr, of_first.0, of_first.1);
    stage.map(second, of_second.0, of_second.1);
    stage.start()?;

    let result = if is_fetched(name) {
        fetch_both(&mut stage, addr, second, privilege)
    } else {
        let addr = LinearAddr::new(addr);
        let made = operation::make(name, &mut stage.mmu, addr, privilege, Inputs::DEFAULT);
        made.ok_or(NotRun::Skipped(
            "needs the interpreter: an instruction of its own",
        ))?
    };

    let mut differences = Differences::default();
    differences.compare_result(row, &stage.mmu, result.map(|_| ()))?;
    for (column, at) in [
        ("pdeA_after", stage.pde_at(addr)),
        ("pdeB_after", stage.pde_at(second)),
        ("pteA_after", stage.pte_at(addr)),
        ("pteB_after", stage.pte_at(second)),
    ] {
        if let Some(expected) = entry(row, column)? {
            differences.compare_entry(column, expected, stage.get(at));
        }
    }
    // Where code is fetched, the pages hold the snippet instead of the patterns.
    if !is_fetched(name) && result != Ok(Effect::MemoryUnknown) {
        let first_at = frame(addr, of_first) + 0xFFC;
        differences.compare_hex("memA_ffc", hex(row, "memA_ffc")?, stage.dword(first_at));
        let second_at = frame(second, of_second);
        differences.compare_hex("memB_0", hex(row, "memB_0")?, stage.dword(second_at));
        compare_eax(row, result.ok(), &mut differences);
    }
    Ok(differences)
}

/// Returns whether the case is about the fetch of the snippet itself.
fn is_fetched(name: &str) -> bool {
    name == "fnop" || name.starts_with("fstr")
}

/// Fetches on both pages: one instruction that lies on both, or one on each.
fn fetch_both(
    stage: &mut Stage,
    first: u32,
    second: u32,
    privilege: Privilege,
) -> Result<Effect, PageFault> {
    for addr in [first, second] {
        stage.mmu.fetch_page(LinearAddr::new(addr), privilege)?;
    }
    Ok(Effect::MemoryUnknown)
}

/// Returns the address of the page's frame, which its entries name even where they are not present.
fn frame(addr: u32, (pde, pte): (Option<EntryText>, Option<EntryText>)) -> u32 {
    match (pde, pte) {
        (_, Some(pte)) => pte.bits_32() & !0xFFF,
        (Some(pde), None) if pde.bits_32() & LARGE != 0 => {
            pde.bits_32() & 0xFFC0_0000 | addr & 0x003F_F000
        }
        _ => 0,
    }
}
