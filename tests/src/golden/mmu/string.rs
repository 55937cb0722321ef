//! String instructions over two source pages and two destination pages.

use pagefault_cpu::{Eflags, Reg};
use pagefault_mmu::MmuConfig;

use crate::golden::mmu::judge::{NotRun, Verdict, hex, number};
use crate::golden::mmu::program::{Afterwards, Program};
use crate::golden::mmu::stage::{Registers, Stage, map_states, privilege};
use crate::golden::table::Row;

/// The pages: column of the state, linear address, column of the entry afterwards.
const PAGES: [(&str, u32, &str); 4] = [
    ("S0", 0x4001_0000, "pteS0"),
    ("S1", 0x4001_1000, "pteS1"),
    ("D0", 0x4002_0000, "pteD0"),
    ("D1", 0x4002_1000, "pteD1"),
];
/// Columns of memory: the page, the offset.
const MEMORY: [(&str, usize, u32); 4] = [
    ("d0_ff8", 2, 0xFF8),
    ("d0_ffc", 2, 0xFFC),
    ("d1_0", 3, 0),
    ("d1_4", 3, 4),
];
/// EAX before.
const EAX: u32 = 0xA5A5_A5A5;
/// REP or REPE, and REPNE.
const REPEAT: [(&str, u8); 3] = [("repne", 0xF2), ("repe", 0xF3), ("rep", 0xF3)];
/// The instructions on bytes; those on words and dwords have the next opcode.
const OPCODES: [(&str, u8); 5] = [
    ("movs", 0xA4),
    ("cmps", 0xA6),
    ("stos", 0xAA),
    ("lods", 0xAC),
    ("scas", 0xAE),
];

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let mut stage = Stage::new(config, Registers::of(row)?)?;
    let name = row.get("ins").ok_or(NotRun::Unreadable("ins"))?;
    let code = code(name).ok_or(NotRun::Skipped(
        "an instruction that the runner does not know",
    ))?;
    let frames = map_states(&mut stage, row, &PAGES)?;
    let mut program = Program::new(privilege(number(row, "cpl")?), &code)
        .with(Reg::Eax, EAX)
        .with(Reg::Ecx, number(row, "ecx")?)
        .with(Reg::Esi, hex(row, "esi")?)
        .with(Reg::Edi, hex(row, "edi")?);
    program
        .flags
        .set(Eflags::DIRECTION, number(row, "df")? != 0);

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

/// Reads a name as `repmovsb`, `repnescasb` or `movs32`.
fn code(name: &str) -> Option<Vec<u8>> {
    let repeat = REPEAT
        .iter()
        .find_map(|(prefix, byte)| Some((name.strip_prefix(prefix)?, *byte)));
    let (rest, repeat) = match repeat {
        Some((rest, byte)) => (rest, Some(byte)),
        None => (name, None),
    };
    let (size, opcode) = OPCODES
        .iter()
        .find_map(|(known, opcode)| Some((rest.strip_prefix(known)?, *opcode)))?;
    let (operand_size, opcode) = match size {
        "b" | "8" => (None, opcode),
        "w" | "16" => (Some(0x66), opcode + 1),
        "d" | "32" => (None, opcode + 1),
        _ => return None,
    };
    Some(
        [operand_size, repeat, Some(opcode)]
            .into_iter()
            .flatten()
            .collect(),
    )
}
