//! Two ways to the same frame: a table under two directory entries, or a directory that maps itself.

use pagefault_mmu::{AccessKind, MmuConfig, Privilege};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, number};
use crate::golden::mmu::stage::{DATA, DIRECTORY, Registers, Stage, access_kind, privilege};
use crate::golden::mmu::text::{EntryText, error_text};
use crate::golden::table::Row;

/// The address that both directory entries lead to.
const ADDR: u32 = 0x4000_5000;
/// Where the second directory entry of a shared table maps it, and where a directory maps itself.
const SHARED: u32 = 0x4040_5000;
const SELF_MAP: u32 = 0x4080_0000;
/// What the second table says of the same page: frame 9.
const OTHER_ENTRY: u64 = 0x0080_9007;
const OTHER_FRAME: u32 = 9;

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let privilege = privilege(number(row, "cpl")?);
    // The kernel that maps its tables into themselves looks at the page first.
    let (second_at, first_privilege) = match row.get("kind") {
        Some("shared PT") => (stage.pde_at(SHARED), privilege),
        Some("self map") => (stage.pde_at(SELF_MAP), Privilege::Supervisor),
        _ => {
            return Err(NotRun::Skipped(
                "a kind of alias that the runner does not know",
            ));
        }
    };
    let pte = entry(row, "pte")?;
    stage.map(ADDR, entry(row, "pde0")?, pte);
    let pde1 = entry(row, "pde1")?.ok_or(NotRun::Unreadable("pde1"))?;
    stage.put(second_at, pde1.bits());
    stage.put(stage.pte_at(SHARED), OTHER_ENTRY);
    stage.fill_frames(&[OTHER_FRAME]);
    stage.start()?;

    let mut differences = Differences::default();
    let pte_at = stage.pte_at(ADDR);
    for (access, outcome, privilege) in [
        ("first", "r1", first_privilege),
        ("second", "r2", privilege),
    ] {
        let found = make(&mut stage, row, access, privilege)?;
        differences.compare(outcome, row.get(outcome).unwrap_or_default(), &found);
        if access == "first" {
            let between = entry(row, "pte_between")?.ok_or(NotRun::Unreadable("pte_between"))?;
            differences.compare_entry("pte_between", between, stage.get(pte_at));
        }
    }
    if let Some(expected) = row.get("r3") {
        let _ = stage.mmu.set_cr3(DIRECTORY);
        let found = outcome(
            &mut stage,
            AccessKind::Read,
            ADDR,
            Privilege::Supervisor,
            DATA,
        );
        differences.compare("r3", expected, &found);
    }
    let pde0_at = stage.pde_at(ADDR);
    for (column, at) in [
        ("pde0_after", pde0_at),
        ("pde1_after", second_at),
        ("pte_after", pte_at),
    ] {
        let expected: EntryText = entry(row, column)?.ok_or(NotRun::Unreadable(column))?;
        differences.compare_entry(column, expected, stage.get(at));
    }
    Ok(differences)
}

/// Makes an access written as `read LIN` or `write LIN data=DATA`; `-` is none.
fn make(
    stage: &mut Stage,
    row: Row<'_>,
    column: &'static str,
    privilege: Privilege,
) -> Result<String, NotRun> {
    let text = row.get(column).ok_or(NotRun::Unreadable(column))?;
    if text == "-" {
        return Ok(String::new());
    }
    let mut words = text.split(' ');
    let unreadable = || NotRun::Unreadable(column);
    let kind = words.next().and_then(access_kind).ok_or_else(unreadable)?;
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
    let addr = words.next().and_then(hex).ok_or_else(unreadable)?;
    let data = match words.next() {
        Some(word) => word
            .strip_prefix("data=")
            .and_then(hex)
            .ok_or_else(unreadable)?,
        None => DATA,
    };
    Ok(outcome(stage, kind, addr, privilege, data))
}

/// Makes an access and writes its outcome as rows do.
fn outcome(
    stage: &mut Stage,
    kind: AccessKind,
    addr: u32,
    privilege: Privilege,
    data: u32,
) -> String {
    match stage.access(kind, addr, privilege, data) {
        Ok(value) => format!("{value:08x}"),
        Err(fault) => {
            let code = error_text(fault.error_code());
            format!("#PF({code}) {:08x}", fault.addr.bits())
        }
    }
}
