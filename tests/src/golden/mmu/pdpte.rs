//! Loads of the PDPTE registers.

use std::collections::BTreeMap;

use pagefault_mmu::{AccessKind, Cr4, LinearAddr, MmuConfig, Privilege};

use crate::golden::mmu::judge::{NotRun, Verdict};
use crate::golden::mmu::stage::{DATA, PAE_DIRECTORY, PDPT, Registers, Stage};
use crate::golden::mmu::tlb::{compare, outcome};
use crate::golden::table::Row;

/// A user page with frame 5.
const ADDR: u32 = 0x4000_5000;
const PDE: u64 = 0x0020_E007;
const PTE: u64 = 0x0080_5007;
/// The size of a PDPTE in bytes.
const PDPTE_BYTES: u32 = 8;

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let name = row.get("sequence").ok_or(NotRun::Unreadable("sequence"))?;
    let (pdpte, action) =
        parse(name).ok_or(NotRun::Skipped("a sequence that the runner does not know"))?;
    let mut registers = Registers::TWO_LEVEL;
    registers.cr4 = Cr4::PHYSICAL_ADDRESS_EXTENSION;
    let mut stage = Stage::new(config, registers)?;
    stage.put(stage.pde_at(ADDR), PDE);
    stage.put(stage.pte_at(ADDR), PTE);
    stage.fill_frames(&[5]);
    stage.start()?;

    let pdpte_at = PDPT + PDPTE_BYTES;
    stage.put(pdpte_at, pdpte);
    let is_taken = match action {
        Action::LoadCr3 => stage.mmu.set_cr3(PDPT).is_ok(),
        Action::Invalidate => {
            stage.mmu.invalidate_page(LinearAddr::new(ADDR));
            true
        }
        Action::Nothing => true,
    };
    let result = stage.access(AccessKind::Read, ADDR, Privilege::User, DATA);

    let taken = if is_taken { "ok" } else { "#GP" };
    let read = outcome(AccessKind::Read, result.map_err(|fault| fault.error_code()));
    // Rows note the frame with the first outcome or not at all.
    let (read, frame) = read.split_once('=').unwrap_or((&read, ""));
    let bochs = row.get("bochs").ok_or(NotRun::Unreadable("bochs"))?;
    let bochs = bochs.replace("=frame", " frame=frame");
    let found = BTreeMap::from([
        ("1", taken.to_owned()),
        ("2", read.to_owned()),
        ("frame", frame.to_owned()),
        ("pdpte", format!("{:x}", stage.get(pdpte_at))),
    ]);
    Ok(compare(&bochs, &found))
}

/// What follows the change of the PDPTE in memory.
#[derive(Clone, Copy)]
enum Action {
    LoadCr3,
    Invalidate,
    Nothing,
}

/// Reads `PDPTE[1] P=1 extra bit 2: mov cr3`.
fn parse(name: &str) -> Option<(u64, Action)> {
    let (entry, action) = name.split_once(": ")?;
    let (present, extra) = entry
        .strip_prefix("PDPTE[1] P=")?
        .split_once(" extra bit ")?;
    let extra = match extra {
        "None" => 0,
        bit => 1_u64.checked_shl(bit.parse().ok()?)?,
    };
    let action = match action {
        "mov cr3" => Action::LoadCr3,
        "invlpg" => Action::Invalidate,
        "none" | "no reload" => Action::Nothing,
        _ => return None,
    };
    let present = u64::from(present == "1");
    Some((u64::from(PAE_DIRECTORY) | present | extra, action))
}
