//! One instruction's access to one page: the MMU's half of it.

use pagefault_mmu::{LinearAddr, MmuConfig};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, hex, number};
use crate::golden::mmu::operation::{self, Effect, Inputs};
use crate::golden::mmu::stage::{Registers, Stage, privilege};
use crate::golden::table::Row;

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let addr = hex(row, "lin")?;
    let name = row.get("ins").ok_or(NotRun::Unreadable("ins"))?;
    let inputs = Inputs {
        eax: hex(row, "eax")?,
        edx: hex(row, "edx")?,
    };
    let privilege = privilege(number(row, "cpl")?);
    let pte = entry(row, "pte")?.ok_or(NotRun::Unreadable("pte"))?;
    stage.map(addr, entry(row, "pde")?, Some(pte));
    stage.start()?;

    let made = operation::make(
        name,
        &mut stage.mmu,
        LinearAddr::new(addr),
        privilege,
        inputs,
    );
    let result = made.ok_or(NotRun::Skipped(
        "needs the interpreter: an instruction of its own",
    ))?;

    let mut differences = Differences::default();
    differences.compare_result(row, &stage.mmu, result.map(|_| ()))?;
    if let Some(pde) = entry(row, "pde_after")? {
        differences.compare_entry("pde_after", pde, stage.get(stage.pde_at(addr)));
    }
    if let Some(pte) = entry(row, "pte_after")? {
        differences.compare_entry("pte_after", pte, stage.get(stage.pte_at(addr)));
    }
    if result != Ok(Effect::MemoryUnknown) {
        let at = (pte.bits_32() & !0xFFF) + (addr & 0xFFF);
        differences.compare_hex("mem", hex(row, "mem")?, stage.dword(at));
        differences.compare_hex("mem4", hex(row, "mem4")?, stage.dword(at + 4));
    }
    compare_eax(row, result.ok(), &mut differences);
    Ok(differences)
}

/// Compares EAX where the instruction has loaded it and the row lists it.
pub(super) fn compare_eax(row: Row<'_>, effect: Option<Effect>, differences: &mut Differences) {
    let changed = row.get("regs_changed").unwrap_or_default();
    let eax = changed
        .split(' ')
        .find_map(|change| change.strip_prefix("eax="));
    let expected = eax.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if let (Some(expected), Some(Effect::Known { eax: Some(found) })) = (expected, effect) {
        differences.compare_hex("eax", expected, found);
    }
}
