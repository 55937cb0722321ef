//! Accesses before and after a change of entries, with or without an invalidation in between.

use std::collections::BTreeMap;

use pagefault_mmu::{AccessKind, Cr0, Cr4, LinearAddr, MmuConfig, Privilege};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict};
use crate::golden::mmu::stage::{DATA, DIRECTORY, Registers, Stage, privilege};
use crate::golden::mmu::text::{EntryText, error_text};
use crate::golden::table::Row;

/// The page that sequences watch, its neighbour under the same table, and a page under the same
/// large page but another table entry.
const ADDR: u32 = 0x400A_5000;
const NEIGHBOUR: u32 = 0x400A_6000;
const FAR: u32 = 0x401A_5000;
const OTHER_4K: u32 = 0x4030_0000;
const OTHER_TABLE: u32 = 0x4040_0000;

const P: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const PS: u64 = 1 << 7;
const G: u64 = 1 << 8;
const ALL: u64 = P | RW | US;

const FRAME_5: u64 = 0x0080_5000;
const FRAME_6: u64 = 0x0080_6000;
const FRAME_9: u64 = 0x0080_9000;
const LARGE_0: u64 = 0x0080_0000;
const LARGE_1: u64 = 0x00C0_0000;
const TABLE: u64 = 0x0020_2000;
const OTHER_TABLE_FRAME: u64 = 0x0020_3000;
/// The second table's entry for [`ADDR`].
const OTHER_ENTRY_AT: u32 = 0x0020_3000 + (ADDR >> 12 & 0x3FF) * 4;
/// The frames that sequences reach: small pages, and pieces of either large page.
const FRAMES: [u32; 8] = [5, 6, 9, 165, 421, 1189, 1190, 1445];
/// Frames in which a written value is looked for.
const WRITTEN_FRAMES: [u32; 2] = [5, 9];

/// What happens next in a sequence.
#[derive(Clone, Copy)]
enum Step {
    /// An access whose outcome has this name in the row.
    Access(&'static str, AccessKind, u32),
    /// The directory entry or the page's entry is rewritten.
    Pde(u64),
    Pte(u64),
    /// Bits of the page's entry are cleared.
    Clear(u64),
    /// The page's entry is noted under this name.
    Note(&'static str),
    /// INVLPG.
    Invalidate(u32),
    /// MOV CR3.
    LoadCr3,
    /// CR4.PGE is cleared and set again.
    TogglePge,
    /// CR0.WP is cleared.
    ClearWp,
    /// CR0.WP is set.
    SetWp,
}

/// A sequence: how the entries stand, and what happens.
struct Sequence {
    pde: u64,
    pte: u64,
    global_pages: bool,
    privilege: Privilege,
    steps: Vec<Step>,
}

pub(super) fn replay(row: Row<'_>, config: &MmuConfig) -> Verdict {
    let name = row.get("sequence").ok_or(NotRun::Unreadable("sequence"))?;
    let unknown = NotRun::Skipped("a sequence that the runner does not know");
    let sequence = parse(name).ok_or(unknown)?;
    let found = run(&sequence, config)?;

    let architecture = row.get("architecture").unwrap_or_default();
    let bochs = row.get("bochs").ok_or(NotRun::Unreadable("bochs"))?;
    let mut machines = vec![bochs];
    if !architecture.starts_with("guaranteed") {
        let others = ["qemu", "v86"]
            .into_iter()
            .filter_map(|machine| row.get(machine));
        machines.extend(others.filter(|outcome| !matches!(*outcome, "same" | "n/a")));
    }
    let verdicts: Vec<_> = machines
        .iter()
        .map(|outcome| compare(outcome, &found))
        .collect();
    let passed = verdicts.iter().position(Differences::is_empty);
    Ok(verdicts
        .into_iter()
        .nth(passed.unwrap_or(0))
        .unwrap_or_default())
}

/// Compares an outcome, as a row writes it, with what was found.
pub(super) fn compare(outcome: &str, found: &BTreeMap<&'static str, String>) -> Differences {
    let mut differences = Differences::default();
    let faulted = outcome.contains("#PF");
    for token in outcome.split(' ').filter(|token| !token.is_empty()) {
        let (name, expected) = split_token(token);
        let Some(value) = found.get(name) else {
            differences.note(name, &expected, &"nothing");
            continue;
        };
        let entries = (EntryText::parse(expected), u64::from_str_radix(value, 16));
        match entries {
            (Some(entry), Ok(value)) if name.contains("pde") && faulted => {
                differences.compare_entry(name, entry.with_any_accessed(), value);
            }
            (Some(entry), Ok(value)) if name.starts_with('p') => {
                differences.compare_entry(name, entry, value);
            }
            _ => differences.compare(name, expected, value),
        }
    }
    differences
}

/// Splits `NAME:VALUE`, `NAME=VALUE` and `NAME->VALUE` at whichever sign comes first.
fn split_token(token: &str) -> (&str, &str) {
    let signs = ["->", ":", "="].map(|sign| token.find(sign).map(|at| (at, sign.len())));
    match signs.into_iter().flatten().min() {
        Some((at, len)) => (&token[..at], &token[at + len..]),
        None => (token, ""),
    }
}

fn run(sequence: &Sequence, config: &MmuConfig) -> Result<BTreeMap<&'static str, String>, NotRun> {
    let mut registers = Registers::TWO_LEVEL;
    registers.cr4.set(Cr4::PAGE_GLOBAL, sequence.global_pages);
    let mut stage = Stage::new(config, registers)?;
    stage.fill_frames(&FRAMES);
    stage.put(stage.pde_at(ADDR), sequence.pde);
    stage.put(stage.pte_at(ADDR), sequence.pte);
    stage.put(stage.pte_at(NEIGHBOUR), FRAME_6 | ALL);
    stage.put(OTHER_ENTRY_AT, FRAME_9 | ALL);
    stage.start()?;

    let mut found = BTreeMap::new();
    for &step in &sequence.steps {
        take(&mut stage, sequence, step, &mut found);
    }
    found.insert("pte", format!("{:x}", stage.get(stage.pte_at(ADDR))));
    found.insert("pde", format!("{:x}", stage.get(stage.pde_at(ADDR))));
    let written = WRITTEN_FRAMES
        .iter()
        .find(|&&frame| stage.dword(Stage::frame_at(frame)) == DATA);
    if let Some(frame) = written {
        found.insert("write", format!("frame{frame}"));
    }
    Ok(found)
}

fn take(
    stage: &mut Stage,
    sequence: &Sequence,
    step: Step,
    found: &mut BTreeMap<&'static str, String>,
) {
    let (pde_at, pte_at) = (stage.pde_at(ADDR), stage.pte_at(ADDR));
    let cr0 = stage.mmu.control().cr0();
    let cr4 = stage.mmu.control().cr4();
    match step {
        Step::Access(name, kind, addr) => {
            let result = stage.access(kind, addr, sequence.privilege, DATA);
            found.insert(
                name,
                outcome(kind, result.map_err(|fault| fault.error_code())),
            );
        }
        Step::Pde(value) => stage.put(pde_at, value),
        Step::Pte(value) => stage.put(pte_at, value),
        Step::Clear(bits) => stage.put(pte_at, stage.get(pte_at) & !bits),
        Step::Note(name) => {
            found.insert(name, format!("{:x}", stage.get(pte_at)));
        }
        Step::Invalidate(addr) => stage.mmu.invalidate_page(LinearAddr::new(addr)),
        // None of these loads can be refused: the values were loaded before.
        Step::LoadCr3 => {
            let _ = stage.mmu.set_cr3(DIRECTORY);
        }
        Step::TogglePge => {
            let _ = stage.mmu.set_cr4((cr4 ^ Cr4::PAGE_GLOBAL).bits());
            let _ = stage.mmu.set_cr4(cr4.bits());
        }
        Step::ClearWp => {
            let _ = stage.mmu.set_cr0((cr0 - Cr0::WRITE_PROTECT).bits());
        }
        Step::SetWp => {
            let _ = stage.mmu.set_cr0((cr0 | Cr0::WRITE_PROTECT).bits());
        }
    }
}

/// Writes an outcome as rows do.
pub(super) fn outcome(kind: AccessKind, result: Result<u32, u32>) -> String {
    match (result, kind) {
        (Ok(value), AccessKind::Read) => match Stage::frame_of(value) {
            Some(frame) => format!("ok=frame{frame}"),
            None => "ok".to_owned(),
        },
        (Ok(_), _) => "ok".to_owned(),
        (Err(code), _) => format!("#PF({})", error_text(code)),
    }
}

/// Returns the sequence of that name.
fn parse(name: &str) -> Option<Sequence> {
    let mut parts = name.split('/');
    let head = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let option = |key: &str| rest.iter().find_map(|part| part.strip_prefix(key));
    let cpl = option("cpl=").and_then(|cpl| cpl.parse().ok());
    let privilege = privilege(cpl.unwrap_or(3));
    let global = if option("G=") == Some("1") { G } else { 0 };
    let mut sequence = Sequence {
        pde: TABLE | ALL,
        pte: FRAME_5 | ALL,
        global_pages: option("PGE=") != Some("0"),
        privilege,
        steps: Vec::new(),
    };

    let invalidation = option("inv=").and_then(invalidation);
    if let Some(first) = option("first=") {
        small_page(
            &mut sequence,
            head,
            access_of(first)?,
            global,
            &invalidation?,
        )?;
    } else if head.starts_with("pde") || head == "4M->4K" {
        directory_entry(&mut sequence, head, &invalidation?)?;
    } else if head == "4M remap" {
        large_page(&mut sequence, rest.first()?, global)?;
    } else if let Some(fault) = head.strip_prefix("fault ") {
        fixed_fault(&mut sequence, fault)?;
    } else {
        others(&mut sequence, head, global, &rest)?;
    }
    Some(sequence)
}

fn access_of(name: &str) -> Option<AccessKind> {
    match name {
        "rd32" => Some(AccessKind::Read),
        "wr32" => Some(AccessKind::Write),
        "fetch" => Some(AccessKind::Fetch),
        _ => None,
    }
}

fn invalidation(name: &str) -> Option<Vec<Step>> {
    Some(match name {
        "none" => vec![],
        "invlpg" => vec![Step::Invalidate(ADDR)],
        "invlpg_off" => vec![Step::Invalidate(ADDR + 0xABC)],
        "invlpg_other" | "invlpg_neighbour" => vec![Step::Invalidate(NEIGHBOUR)],
        "cr3" => vec![Step::LoadCr3],
        "pge" => vec![Step::TogglePge],
        "wp" => vec![Step::ClearWp, Step::SetWp],
        "wp_to0" => vec![Step::ClearWp],
        _ => return None,
    })
}

/// The entry of a 4 KiB page changes.
fn small_page(
    sequence: &mut Sequence,
    head: &str,
    first: AccessKind,
    global: u64,
    invalidation: &[Step],
) -> Option<()> {
    use AccessKind::{Read, Write};
    let (before, change, second) = match head {
        "P->NP" => (ALL, Some(Step::Pte(FRAME_5)), Read),
        "RW->RO" => (ALL, Some(Step::Pte(FRAME_5 | P | US | A | D)), Write),
        "US->S" => (ALL, Some(Step::Pte(FRAME_5 | P | RW | A | D)), Read),
        "RO->RW" => (P | US, Some(Step::Pte(FRAME_5 | ALL | A | D)), Write),
        "NP->P" => (0, Some(Step::Pte(FRAME_5 | ALL | A | D)), Read),
        "S->US" => (P | RW, Some(Step::Pte(FRAME_5 | ALL | A | D)), Read),
        "frame" => (ALL, Some(Step::Pte(FRAME_9 | ALL)), Read),
        "clearA" => (ALL, Some(Step::Clear(A)), Read),
        "clearD" => (ALL, Some(Step::Clear(D)), Write),
        "Dset_by_second_write" => (ALL, None, Write),
        _ => return None,
    };
    let change = change.map(|step| match step {
        Step::Pte(value) => Step::Pte(value | global),
        other => other,
    });
    sequence.pte = FRAME_5 | before | global;
    sequence.steps = vec![Step::Access("1", first, ADDR), Step::Note("pte1")];
    sequence.steps.extend(change);
    sequence.steps.extend(invalidation);
    sequence.steps.push(Step::Access("2", second, ADDR));
    Some(())
}

/// The directory entry changes.
fn directory_entry(sequence: &mut Sequence, head: &str, invalidation: &[Step]) -> Option<()> {
    use AccessKind::{Read, Write};
    let (before, after, kind) = match head {
        "pde P->NP" => (TABLE | ALL, 0, Read),
        "pde RW->RO" => (TABLE | ALL, TABLE | P | US | A, Write),
        "pde US->S" => (TABLE | ALL, TABLE | P | RW | A, Read),
        "pde->other PT" => (TABLE | ALL, OTHER_TABLE_FRAME | ALL, Read),
        "pde->4M" => (TABLE | ALL, LARGE_1 | ALL | PS, Read),
        "4M->4K" => (LARGE_0 | ALL | PS, OTHER_TABLE_FRAME | ALL, Read),
        _ => return None,
    };
    sequence.pde = before;
    sequence.steps = vec![Step::Access("1", kind, ADDR), Step::Pde(after)];
    sequence.steps.extend(invalidation);
    sequence.steps.push(Step::Access("2", kind, ADDR));
    sequence.steps.push(Step::Access("3", kind, NEIGHBOUR));
    Some(())
}

/// A 4 MiB page moves.
fn large_page(sequence: &mut Sequence, invalidation: &str, global: u64) -> Option<()> {
    let address = match invalidation {
        "invlpg same4k" => ADDR,
        "invlpg other4k" => OTHER_4K,
        "invlpg otherpde" => OTHER_TABLE,
        _ => return None,
    };
    sequence.pde = LARGE_0 | ALL | PS | global;
    sequence.steps = vec![
        Step::Access("1", AccessKind::Read, ADDR),
        Step::Access("1b", AccessKind::Read, FAR),
        Step::Pde(LARGE_1 | ALL | PS | global),
        Step::Invalidate(address),
        Step::Access("2", AccessKind::Read, ADDR),
        Step::Access("2b", AccessKind::Read, FAR),
    ];
    Some(())
}

/// `fault rd32 pte=0, fixed to 7, retried with no flush`
fn fixed_fault(sequence: &mut Sequence, rest: &str) -> Option<()> {
    let (kind, rest) = rest.split_once(" pte=")?;
    let (before, rest) = rest.split_once(", fixed to ")?;
    let (after, _) = rest.split_once(", retried with no flush")?;
    let flags = |digits| u64::from_str_radix(digits, 16).ok();
    let kind = access_of(kind)?;
    sequence.pte = FRAME_5 | flags(before)?;
    if sequence.pte == FRAME_5 {
        sequence.pte = 0;
    }
    sequence.steps = vec![
        Step::Access("1", kind, ADDR),
        Step::Pte(FRAME_5 | flags(after)?),
        Step::Access("2", kind, ADDR),
    ];
    Some(())
}

fn others(sequence: &mut Sequence, head: &str, global: u64, rest: &[&str]) -> Option<()> {
    use AccessKind::{Read, Write};
    let remapped = |last| {
        [
            Step::Access("1", Read, ADDR),
            Step::Pte(FRAME_9 | ALL),
            last,
            Step::Access("2", Read, ADDR),
        ]
    };
    match head {
        "G in PDE of a 4K mapping is ignored" if rest.contains(&"cr3") => {
            sequence.pde |= global;
            sequence.steps = remapped(Step::LoadCr3).to_vec();
        }
        "G in PTE" if rest.contains(&"cr3") => {
            sequence.pte |= global;
            sequence.steps = remapped(Step::LoadCr3).to_vec();
            sequence.steps[1] = Step::Pte(FRAME_9 | ALL | global);
        }
        "read then write sets D" => {
            sequence.steps = vec![
                Step::Access("1", Read, ADDR),
                Step::Note("pte1"),
                Step::Access("2", Write, ADDR),
            ];
        }
        "read, then PTE remapped without flush, then first write (D=0 cached)" => {
            sequence.steps = remapped(Step::Note("pte1")).to_vec();
            sequence.steps[3] = Step::Access("2", Write, ADDR);
        }
        "read, then PTE cleared without flush, then first write (D=0 cached)" => {
            sequence.steps = remapped(Step::Note("pte1")).to_vec();
            sequence.steps[1] = Step::Pte(0);
            sequence.steps[3] = Step::Access("2", Write, ADDR);
        }
        _ => return None,
    }
    Some(())
}
