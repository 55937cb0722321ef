//! Single instructions and corner cases.

use std::collections::BTreeMap;

use pagefault_cpu::{Exit, Reg, Vector};
use pagefault_mmu::{AccessKind, LinearAddr, MmuConfig, PageFault};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict};
use crate::golden::mmu::program::{Ended, Program};
use crate::golden::mmu::stage::{
    DATA, DIRECTORY, Registers, Stage, access_kind, privilege, rights_of,
};
use crate::golden::mmu::text::error_text;
use crate::golden::mmu::tlb::{compare, outcome};
use crate::golden::table::Row;

/// Where single instructions look, and where absent entries are met: across a page boundary.
const ADDR: u32 = 0x4000_0123;
const ACROSS: u32 = 0x4000_1FFF;
const PLAIN: u32 = 0x4000_5000;
/// What CR2 holds before.
const CR2_INSTRUCTION: u32 = 0xDEAD_0000;
const CR2_PLAIN: u32 = 0x1234_5678;
const PDE: u64 = 0x0020_2007;
const FRAME_5: u64 = 0x0080_5000;
const UNKNOWN: NotRun = NotRun::Skipped("a case that the runner does not know");

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let case = row.get("case").ok_or(NotRun::Unreadable("case"))?;
    let mut stage = Stage::new(config, Registers::TWO_LEVEL)?;
    stage.fill_frames(&[5]);
    let found = if let Some(rest) = case.strip_prefix("notpresent/") {
        not_present(&mut stage, rest)?
    } else if let Some(bits) = case.strip_prefix("cr3 low bits 0x") {
        let bits = bits
            .split(' ')
            .next()
            .and_then(|bits| u32::from_str_radix(bits, 16).ok());
        low_cr3_bits(&mut stage, bits.ok_or(NotRun::Unreadable("case"))?)?
    } else if case == "cr2 untouched by a successful access" {
        low_cr3_bits(&mut stage, 0)?
    } else {
        instruction(&mut stage, case)?
    };
    let bochs = row.get("bochs").ok_or(NotRun::Unreadable("bochs"))?;
    let differences: Differences = compare(bochs, &found);
    Ok(differences)
}

type Found = BTreeMap<&'static str, String>;

/// `pde=0x202007/pte=0x0/cpl0/read`
fn not_present(stage: &mut Stage, case: &str) -> Result<Found, NotRun> {
    let unreadable = NotRun::Unreadable("case");
    let parts: Vec<&str> = case.split('/').collect();
    let &[pde, pte, cpl, kind] = parts.as_slice() else {
        return Err(unreadable);
    };
    let value = |text: &str, name| {
        let digits = text.strip_prefix(name)?;
        u64::from_str_radix(digits, 16).ok()
    };
    stage.put(
        stage.pde_at(ACROSS),
        value(pde, "pde=0x").ok_or(unreadable)?,
    );
    stage.put(
        stage.pte_at(ACROSS),
        value(pte, "pte=0x").ok_or(unreadable)?,
    );
    stage.start()?;
    let kind = access_kind(kind).ok_or(unreadable)?;
    let result = stage.access(kind, ACROSS, privilege_of(cpl), DATA);
    Ok(found(stage, ACROSS, kind, result))
}

/// Loads CR3 with bits that mean nothing, then reads, writes and fetches.
fn low_cr3_bits(stage: &mut Stage, bits: u32) -> Result<Found, NotRun> {
    stage.put(stage.pde_at(PLAIN), PDE);
    stage.put(stage.pte_at(PLAIN), FRAME_5 | 0b111);
    stage.start()?;
    stage.mmu.set_cr2(LinearAddr::new(CR2_PLAIN));
    let loaded = stage.mmu.set_cr3(DIRECTORY | bits);
    loaded.map_err(|_| NotRun::Skipped("the registers refuse their values"))?;

    let mut all = Found::new();
    let kinds = [
        ("1", AccessKind::Read),
        ("2", AccessKind::Write),
        ("3", AccessKind::Fetch),
    ];
    for (name, kind) in kinds {
        let result = stage.access(kind, PLAIN, privilege(3), DATA);
        all.insert(
            name,
            outcome(kind, result.map_err(|fault| fault.error_code())),
        );
    }
    all.insert("cr2", format!("{:08x}", stage.mmu.control().cr2().bits()));
    Ok(all)
}

/// Name and code of single instructions; a memory operand is at EBX.
const INSTRUCTIONS: [(&str, &[u8]); 10] = [
    ("clflush1", &[0x0F, 0xAE, 0x3B]),
    ("prefetch1", &[0x0F, 0x18, 0x0B]),
    ("lea1", &[0x8D, 0x03]),
    ("invlpg1", &[0x0F, 0x01, 0x3B]),
    ("rdcr0", &[0x0F, 0x20, 0xC0]),
    ("rdcr2", &[0x0F, 0x20, 0xD0]),
    ("rdcr3", &[0x0F, 0x20, 0xD8]),
    ("rdcr4", &[0x0F, 0x20, 0xE0]),
    ("wrcr0", &[0x0F, 0x22, 0xC0]),
    ("wrcr3", &[0x0F, 0x22, 0xD8]),
];

/// `clflush1/cpl3/srw`, and without a page `rdcr0/cpl3`.
fn instruction(stage: &mut Stage, case: &str) -> Result<Found, NotRun> {
    let parts: Vec<&str> = case.split('/').collect();
    let (name, cpl, state) = match *parts.as_slice() {
        [name, cpl, state] => (name, cpl, state),
        [name, cpl] => (name, cpl, "np"),
        _ => return Err(UNKNOWN),
    };
    let (_, code) = INSTRUCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or(UNKNOWN)?;
    let rights = rights_of(state).ok_or(UNKNOWN)?;
    stage.put(stage.pde_at(ADDR), PDE);
    stage.put(stage.pte_at(ADDR), FRAME_5 | rights);
    stage.mmu.set_cr2(LinearAddr::new(CR2_INSTRUCTION));
    let program = Program::new(privilege_of(cpl), code).with(Reg::Ebx, ADDR);
    let ended = program.run(stage)?.ended;
    let mut all = memory(stage, ADDR);
    let outcome = match ended {
        Ended::Done => "ok".to_owned(),
        Ended::PageFault(fault) => format!("#PF({})", error_text(fault.error_code())),
        Ended::Otherwise(Exit::Exception { exception, .. })
            if exception.vector == Vector::GENERAL_PROTECTION =>
        {
            "#GP".to_owned()
        }
        Ended::Otherwise(exit) => format!("{exit:?}"),
    };
    all.insert("1", outcome);
    Ok(all)
}

fn privilege_of(cpl: &str) -> pagefault_mmu::Privilege {
    privilege(if cpl == "cpl3" { 3 } else { 0 })
}

fn found(stage: &Stage, addr: u32, kind: AccessKind, result: Result<u32, PageFault>) -> Found {
    let mut all = memory(stage, addr);
    all.insert(
        "1",
        outcome(kind, result.map_err(|fault| fault.error_code())),
    );
    all
}

/// Returns the entries and CR2 as they are.
fn memory(stage: &Stage, addr: u32) -> Found {
    BTreeMap::from([
        ("pte", format!("{:x}", stage.get(stage.pte_at(addr)))),
        ("pde", format!("{:x}", stage.get(stage.pde_at(addr)))),
        ("cr2", format!("{:08x}", stage.mmu.control().cr2().bits())),
    ])
}
