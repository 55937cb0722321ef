//! Stack instructions around the boundary of two pages.

use pagefault_cpu::Reg;
use pagefault_mmu::MmuConfig;

use crate::golden::mmu::judge::{NotRun, Verdict, hex, number};
use crate::golden::mmu::program::{Afterwards, Program};
use crate::golden::mmu::stage::{ACCESSED, Registers, Stage, map_states, privilege};
use crate::golden::mmu::text::EntryText;
use crate::golden::table::Row;

/// The pages: column of the state, linear address, column of the entry afterwards.
const PAGES: [(&str, u32, &str); 2] = [
    ("S0", 0x4003_0000, "pte0_after"),
    ("S1", 0x4003_1000, "pte1_after"),
];
/// Columns of memory: the page, the offset.
const MEMORY: [(&str, usize, u32); 4] = [
    ("mff8", 0, 0xFF8),
    ("mffc", 0, 0xFFC),
    ("m1000", 1, 0),
    ("m1004", 1, 4),
];
/// A user page behind the stack, and its entry: the operand of PUSH and POP, the target of RET.
const BEHIND: u32 = 0x4003_2000;
const BEHIND_ENTRY: u64 = 0x0084_0007;
/// What RET finds on the stack, from the end of the lower page on.
const RETURN_FROM: u32 = 0xFFC;
const RETURN_DWORDS: u32 = 16;

/// EAX, ECX, EDX, EBX, EBP before. EBX is the address of a memory operand.
const REGISTERS: [(Reg, u32); 5] = [
    (Reg::Eax, 0x1122_3344),
    (Reg::Ecx, 0xC0C0_C0C0),
    (Reg::Edx, 0xD0D0_D0D0),
    (Reg::Ebx, BEHIND + 8),
    (Reg::Ebp, 0xB0B0_B0B0),
];

/// Name and code.
const INSTRUCTIONS: [(&str, &[u8]); 10] = [
    ("push32", &[0x50]),
    ("pushm", &[0xFF, 0x33]),
    ("pop32", &[0x58]),
    ("popm", &[0x8F, 0x03]),
    ("call32", &[0xE8, 0, 0, 0, 0]),
    ("ret32", &[0xC3]),
    ("pusha32", &[0x60]),
    ("popa32", &[0x61]),
    ("enter32", &[0xC8, 16, 0, 0]),
    ("leave32", &[0xC9]),
];

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let name = row.get("ins").ok_or(NotRun::Unreadable("ins"))?;
    let (_, code) = INSTRUCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or(NotRun::Skipped(
            "an instruction that the runner does not know",
        ))?;
    let frames = map_states(&mut stage, row, &PAGES)?;
    stage.map(BEHIND, None, Some(EntryText::exactly(BEHIND_ENTRY)));
    if name == "popa32" {
        // The recorded program kept ESP behind the stack, so that the directory entry was used.
        let at = stage.pde_at(BEHIND);
        stage.put(at, stage.get(at) | ACCESSED);
    }
    if name == "ret32" {
        for index in 0..RETURN_DWORDS {
            let offset = RETURN_FROM + index * 4;
            let at = frames[(offset / 0x1000) as usize] + offset % 0x1000;
            stage.set_dword(at, BEHIND);
        }
    }
    let esp = hex(row, "esp")?;
    let mut program = Program::new(privilege(number(row, "cpl")?), code);
    for (reg, value) in REGISTERS {
        program = program.with(reg, value);
    }
    program = program.with(Reg::Esp, esp);
    if name == "leave32" {
        program = program.with(Reg::Ebp, esp);
    }

    let outcome = program.run(&mut stage)?;

    outcome.judge(
        row,
        &stage,
        &Afterwards {
            pages: &PAGES,
            memory: &MEMORY,
            frames: &frames,
        },
    )
}
