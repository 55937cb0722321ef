//! Who misses: pages, instructions, and named ranges.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use pagefault_tlbsim::Region;
use pagefault_tlbsim::session::{Blame, Culprits};

use crate::tlb::Failure;
use crate::tlb::table::{Cell, Table};

/// Where no region is named.
const ELSEWHERE: &str = "(no region)";

/// Reads names of ranges: CSV with the columns name, start and bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<Region>, Failure> {
    let what = || format!("cannot read {}", path.display());
    let text = fs::read_to_string(path)
        .with_context(what)
        .map_err(Failure::Trace)?;
    let mut regions = Vec::new();
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        let wrong = || anyhow!("line {number}: expected name,start,bytes").context(what());
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [name, start, bytes] = fields[..] else {
            return Err(Failure::Trace(wrong()));
        };
        let numbers = number_of(start).zip(number_of(bytes));
        let (start, len_bytes) = numbers.ok_or_else(|| Failure::Trace(wrong()))?;
        regions.push(Region {
            name: name.to_owned(),
            start,
            len_bytes,
        });
    }
    Ok(regions)
}

fn number_of(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Returns the `top` culprits of a TLB by page, by instruction and by region.
pub(crate) fn tables(tlb: &str, culprits: &Culprits, regions: &[Region], top: usize) -> Vec<Table> {
    let name = |addr: u64| {
        find(regions, addr)
            .map_or("", |region| region.name.as_str())
            .to_owned()
    };
    let rows = |blames: &BTreeMap<u64, Blame>| {
        let named = blames.iter().map(|(&addr, &blame)| {
            (
                vec![Cell::text(format!("{addr:#x}")), Cell::text(name(addr))],
                blame,
            )
        });
        ranked(named.collect(), top)
    };
    let table = |name, columns: &[&'static str], rows| Table {
        name,
        notes: vec![("most misses of", tlb.to_owned())],
        columns: columns
            .iter()
            .copied()
            .chain(["l1_misses", "walks"])
            .collect(),
        rows,
        ..Table::default()
    };
    let mut tables = vec![table("pages", &["page", "region"], rows(&culprits.pages))];
    if !culprits.sites.is_empty() {
        tables.push(table(
            "instructions",
            &["instruction", "region"],
            rows(&culprits.sites),
        ));
    }
    if !regions.is_empty() {
        tables.push(table(
            "regions",
            &["region"],
            by_region(culprits, regions, top),
        ));
    }
    tables
}

fn by_region(culprits: &Culprits, regions: &[Region], top: usize) -> Vec<Vec<Cell>> {
    let mut sums: BTreeMap<&str, Blame> = BTreeMap::new();
    for (&page, blame) in &culprits.pages {
        // A page belongs to the region that its first byte or, failing that, a later one is in.
        let region = find(regions, page).or_else(|| first_behind(regions, page));
        let sum = sums
            .entry(region.map_or(ELSEWHERE, |region| &region.name))
            .or_default();
        sum.misses += blame.misses;
        sum.walks += blame.walks;
    }
    let named = sums
        .into_iter()
        .map(|(name, blame)| (vec![Cell::text(name)], blame));
    ranked(named.collect(), top)
}

fn find(regions: &[Region], addr: u64) -> Option<&Region> {
    regions.iter().find(|region| {
        (region.start..region.start.saturating_add(region.len_bytes)).contains(&addr)
    })
}

/// The smallest page.
const PAGE_BYTES: u64 = 4096;

fn first_behind(regions: &[Region], page: u64) -> Option<&Region> {
    regions
        .iter()
        .find(|region| (page..page.saturating_add(PAGE_BYTES)).contains(&region.start))
}

fn ranked(mut rows: Vec<(Vec<Cell>, Blame)>, top: usize) -> Vec<Vec<Cell>> {
    rows.sort_by_key(|(_, blame)| std::cmp::Reverse(blame.misses));
    rows.truncate(top);
    let cells = |(mut cells, blame): (Vec<Cell>, Blame)| {
        cells.extend([Cell::Count(blame.misses), Cell::Count(blame.walks)]);
        cells
    };
    rows.into_iter().map(cells).collect()
}
