//! Long sequences of edits, invalidations, register loads and accesses, one step a line.
//!
//! They are well-behaved: whoever lowers rights invalidates, so that every TLB gives one outcome.

use pagefault_mmu::{AcFlag, Cr0, Cr4, LinearAddr, MmuConfig};

use crate::golden::mmu::judge::{self, Differences, NotRun, Verdict, hex};
use crate::golden::mmu::stage::{DIRECTORY, Registers, Stage, access_kind, privilege};
use crate::golden::mmu::text::EntryText;
use crate::golden::report::FileReport;
use crate::golden::table::{Row, Table};

/// Directory B; directory A is that of all other cases.
const DIRECTORY_B: u32 = 0x0020_1000;
/// The directory entries 256 and 257 of each directory, and the tables they name at first.
const TEST_ENTRY: u32 = 256;
const TABLES: [[u32; 2]; 2] = [[0x0020_2000, 0x0020_3000], [0x0020_4000, 0x0020_6000]];
/// Where `readx` and `writex` access a page: four bytes, one of them on the next page.
const UNREADABLE: NotRun = NotRun::Unreadable("args");

pub(super) fn replay(table: &Table, config: &MmuConfig, report: &mut FileReport) {
    let mut current = None;
    let mut stage = Err(NotRun::Skipped("a trace without its first step"));
    for row in table.rows() {
        if row.get("trace") != current {
            current = row.get("trace");
            stage = Stage::new(config, Registers::TWO_LEVEL).map(|mut stage| {
                stage.fill_all();
                stage
            });
        }
        let verdict = match &mut stage {
            Ok(stage) => step(stage, row),
            Err(not_run) => Err(*not_run),
        };
        judge::record(report, row, verdict);
    }
}

fn step(stage: &mut Stage, row: Row<'_>) -> Verdict {
    let args = row.get("args").unwrap_or_default();
    let mut differences = Differences::default();
    match row.get("op").ok_or(NotRun::Unreadable("op"))? {
        "cr" => set_registers(stage, args)?,
        "pde" | "pte" => {
            let (place, value) = args.split_once(' ').ok_or(UNREADABLE)?;
            let value = EntryText::parse(value).ok_or(UNREADABLE)?;
            stage.put(entry_at(place).ok_or(UNREADABLE)?, value.bits());
        }
        "flushall" => stage.mmu.flush_all(),
        "invlpg" => {
            let addr = u32::from_str_radix(args, 16).map_err(|_| UNREADABLE)?;
            stage.mmu.invalidate_page(LinearAddr::new(addr));
        }
        "cr3" => {
            let root = if args == "A" { DIRECTORY } else { DIRECTORY_B };
            let loaded = stage.mmu.set_cr3(root);
            loaded.map_err(|_| NotRun::Skipped("the registers refuse their values"))?;
        }
        "access" => access(stage, row, args, &mut differences)?,
        "check" => {
            let place = args.trim_start_matches("pde").trim_start_matches("pte");
            let at = entry_at(place).ok_or(UNREADABLE)?;
            let expected = row.get("result").and_then(EntryText::parse);
            let expected = expected.ok_or(NotRun::Unreadable("result"))?;
            differences.compare_entry("entry", expected, stage.get(at));
        }
        _ => return Err(NotRun::Skipped("a step that the runner does not know")),
    }
    Ok(differences)
}

/// Returns where the entry `A1` of a directory, or `A1.700` of a table under it, lies.
fn entry_at(place: &str) -> Option<u32> {
    let (table, index) = match place.split_once('.') {
        Some((table, index)) => (table, Some(index.parse::<u32>().ok()?)),
        None => (place, None),
    };
    let mut letters = table.chars();
    let space = match letters.next()? {
        'A' => 0,
        'B' => 1,
        _ => return None,
    };
    let entry = letters.as_str().parse::<u32>().ok()?;
    match index {
        None => {
            let directory = if space == 0 { DIRECTORY } else { DIRECTORY_B };
            Some(directory + (TEST_ENTRY + entry) * 4)
        }
        Some(index) => {
            let table: &[u32; 2] = TABLES.get(space)?;
            Some(table.get(entry as usize)? + index * 4)
        }
    }
}

/// `wp=1 pse=1 pge=0 smep=0 smap=0`; the first one turns paging on.
fn set_registers(stage: &mut Stage, args: &str) -> Result<(), NotRun> {
    let mut cr0 = Registers::TWO_LEVEL.cr0;
    let mut cr4 = Cr4::empty();
    for setting in args.split(' ') {
        let (name, value) = setting.split_once('=').ok_or(UNREADABLE)?;
        let is_set = value == "1";
        match name {
            "wp" => cr0.set(Cr0::WRITE_PROTECT, is_set),
            "pse" => cr4.set(Cr4::PAGE_SIZE_EXTENSIONS, is_set),
            "pge" => cr4.set(Cr4::PAGE_GLOBAL, is_set),
            "smep" => cr4.set(Cr4::SMEP, is_set),
            "smap" => cr4.set(Cr4::SMAP, is_set),
            _ => return Err(UNREADABLE),
        }
    }
    if !stage.mmu.control().is_paging() {
        stage.start()?;
    }
    let loads = [stage.mmu.set_cr4(cr4.bits()), stage.mmu.set_cr0(cr0.bits())];
    let is_loaded = loads.iter().all(Result::is_ok);
    is_loaded
        .then_some(())
        .ok_or(NotRun::Skipped("the registers refuse their values"))
}

/// `write cpl=3 ac=0 lin=406bcbf0 data=15166570`
fn access(
    stage: &mut Stage,
    row: Row<'_>,
    args: &str,
    differences: &mut Differences,
) -> Result<(), NotRun> {
    let option = |key: &str| args.split(' ').find_map(|word| word.strip_prefix(key));
    let number = |key| option(key).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let kind = args
        .split(' ')
        .next()
        .map(|name| name.trim_end_matches('x'));
    let kind = kind.and_then(access_kind).ok_or(UNREADABLE)?;
    let addr = number("lin=").ok_or(UNREADABLE)?;
    let cpl = number("cpl=").ok_or(UNREADABLE)?;
    let data = number("data=").unwrap_or_default();
    let ac = if number("ac=") == Some(1) {
        AcFlag::Set
    } else {
        AcFlag::Clear
    };

    stage.mmu.set_alignment_check(ac);
    stage.mmu.set_cr2(LinearAddr::new(0));
    let result = stage.access(kind, addr, privilege(cpl), data);

    differences.compare_result(row, &stage.mmu, result.map(|_| ()))?;
    if let (Ok(value), Some(_)) = (result, row.get("value")) {
        differences.compare_hex("value", hex(row, "value")?, value);
    }
    Ok(())
}
