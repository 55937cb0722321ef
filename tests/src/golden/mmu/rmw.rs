//! One instruction's access to one page.

use pagefault_mmu::{MmuConfig, Privilege};

use crate::golden::mmu::instruction::{self, Inputs};
use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, hex, number};
use crate::golden::mmu::stage::{Registers, Stage, privilege};
use crate::golden::table::Row;

/// Pages of stack below ESP.
const STACK_PAGES: u32 = 1;

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
    let program = instruction::program(name, privilege, addr, inputs, STACK_PAGES).ok_or(
        NotRun::Skipped("an instruction that the runner does not know"),
    )?;

    let outcome = program.run(&mut stage)?;

    let mut differences = Differences::default();
    outcome.compare(row, &stage, &mut differences)?;
    if let Some(pde) = entry(row, "pde_after")? {
        differences.compare_entry("pde_after", pde, stage.get(stage.pde_at(addr)));
    }
    if let Some(pte) = entry(row, "pte_after")? {
        differences.compare_entry("pte_after", pte, stage.get(stage.pte_at(addr)));
    }
    let at = (pte.bits_32() & !0xFFF) + (addr & 0xFFF);
    if !pops_unknown(name, privilege) || row.get("result") != Some("ok") {
        differences.compare_hex("mem", hex(row, "mem")?, stage.dword(at));
    }
    differences.compare_hex("mem4", hex(row, "mem4")?, stage.dword(at + 4));
    Ok(differences)
}

/// Tells whether the instruction stores what lay on a stack that each machine had for itself.
fn pops_unknown(name: &str, privilege: Privilege) -> bool {
    name == "popm" && privilege == Privilege::Supervisor
}
