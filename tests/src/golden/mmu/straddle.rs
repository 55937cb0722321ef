//! An access, or an instruction, that lies on two pages.

use pagefault_mmu::{MmuConfig, Privilege};

use crate::golden::mmu::instruction::{self, Inputs};
use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, hex, number};
use crate::golden::mmu::program::{END, Outcome, Program};
use crate::golden::mmu::stage::{Registers, Stage, phys, privilege};
use crate::golden::mmu::text::EntryText;
use crate::golden::table::Row;

/// PS of a directory entry.
const LARGE: u32 = 1 << 7;
/// Pages of stack below ESP.
const STACK_PAGES: u32 = 2;
/// NOP.
const NOP: u8 = 0x90;
/// MOV EAX, 44332211h.
const MOV_EAX: [u8; 5] = [0xB8, 0x11, 0x22, 0x33, 0x44];
/// Where the first page's last dword begins.
const LAST_DWORD: u32 = 0xFFC;

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
    let frames = [frame(addr, of_first), frame(second, of_second)];

    let outcome = if is_fetched(name) {
        run_across(&mut stage, name, privilege, addr, frames)?
    } else {
        let inputs = Inputs::DEFAULT;
        let program = instruction::program(name, privilege, addr, inputs, STACK_PAGES).ok_or(
            NotRun::Skipped("an instruction that the runner does not know"),
        )?;
        program.run(&mut stage)?
    };

    let mut differences = Differences::default();
    outcome.compare(row, &stage, &mut differences)?;
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
    let last = stage.dword(frames[0] + LAST_DWORD);
    differences.compare_hex("memA_ffc", hex(row, "memA_ffc")?, last);
    differences.compare_hex("memB_0", hex(row, "memB_0")?, stage.dword(frames[1]));
    Ok(differences)
}

/// Returns whether the case is about the fetch of the program itself.
fn is_fetched(name: &str) -> bool {
    name == "fnop" || name.starts_with("fstr")
}

/// Runs a program that begins with NOP at the end of the first page and goes on in the second, or
/// whose first instruction lies on both.
fn run_across(
    stage: &mut Stage,
    name: &str,
    privilege: Privilege,
    start: u32,
    frames: [u32; 2],
) -> Result<Outcome, NotRun> {
    let mut code = [NOP; 4].to_vec();
    code.truncate((start % 0x1000 - LAST_DWORD) as usize);
    if name == "fnop" {
        code.push(NOP);
    }
    code.extend(MOV_EAX);
    code.extend(END);
    code.push(NOP);
    for (offset, byte) in (LAST_DWORD..).zip(code) {
        let at = match offset.checked_sub(0x1000) {
            None => frames[0] + offset,
            Some(offset) => frames[1] + offset,
        };
        stage.mmu.mem_mut().write(phys(at), byte);
    }
    Program::new(privilege, &[]).run_at(stage, start)
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
