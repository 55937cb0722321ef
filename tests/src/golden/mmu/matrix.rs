//! One access through one pair of entries.

use pagefault_mmu::{AccessKind, LinearAddr, MmuConfig};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, hex, number};
use crate::golden::mmu::stage::{DATA, Registers, Stage, access_kind, privilege};
use crate::golden::table::Row;

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let addr = hex(row, "lin")?;
    let kind = row.get("access").and_then(access_kind);
    let kind = kind.ok_or(NotRun::Unreadable("access"))?;
    let privilege = privilege(number(row, "cpl")?);
    stage.map(addr, entry(row, "pde")?, entry(row, "pte")?);
    stage.start()?;

    let result = stage.access(kind, addr, privilege, DATA);

    let mut differences = Differences::default();
    differences.compare_result(row, &stage.mmu, result.map(|_| ()))?;
    if let Some(pde) = entry(row, "pde_after")? {
        differences.compare_entry("pde_after", pde, stage.get(stage.pde_at(addr)));
    }
    if let Some(pte) = entry(row, "pte_after")? {
        differences.compare_entry("pte_after", pte, stage.get(stage.pte_at(addr)));
    }
    if let Ok(value) = result {
        compare_value(row, &stage, addr, kind, value, &mut differences)?;
    }
    Ok(differences)
}

/// Compares the value, which tells the frame that was reached.
fn compare_value(
    row: Row<'_>,
    stage: &Stage,
    addr: u32,
    kind: AccessKind,
    value: u32,
    differences: &mut Differences,
) -> Result<(), NotRun> {
    let leaf = stage.mmu.walk(LinearAddr::new(addr)).leaf();
    let frame = leaf.map_err(|_| NotRun::Unreadable("value"))?.frame;
    match row.get("value") {
        None => {}
        Some("unbacked") => {
            let is_backed = stage.mmu.mem().is_backed(frame);
            differences.compare(
                "value",
                "unbacked",
                if is_backed { "backed" } else { "unbacked" },
            );
        }
        Some(_) => {
            let found = if kind == AccessKind::Write {
                stage.mmu.mem().read(frame.byte(addr))
            } else {
                value
            };
            differences.compare_hex("value", hex(row, "value")?, found);
        }
    }
    Ok(())
}
