//! Traces that hold samples: which pages they are on, and nothing about misses.

use std::collections::BTreeMap;

use pagefault_tlbsim::Op;

use crate::tlb::args::SimArguments;
use crate::tlb::input::{self, Input};
use crate::tlb::table::{Cell, Table};
use crate::tlb::{Failure, metrics, write};

/// Pages that are shown unless the command line says otherwise.
const SHOWN: usize = 20;

/// Shows the pages that were sampled most.
pub(crate) fn run(arguments: &SimArguments, input: &mut Input) -> Result<(), Failure> {
    let plan = input::plan(&arguments.input, input);
    let mut pages: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut records, mut samples) = (Vec::new(), 0);
    loop {
        input.read(&mut records)?;
        if records.is_empty() {
            break;
        }
        for record in records.iter().filter(|record| record.op != Op::Site) {
            plan.conventions.look_ups(record, |page| {
                *pages.entry(page).or_default() += 1;
                samples += 1;
            });
        }
    }
    input.warn();
    let mut ranked: Vec<(u64, u64)> = pages.into_iter().collect();
    ranked.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    ranked.truncate(if arguments.top == 0 {
        SHOWN
    } else {
        arguments.top
    });
    let shift = plan.conventions.page_size.bits();
    let rows = ranked.into_iter().map(|(page, count)| {
        vec![
            Cell::text(format!("{:#x}", page << shift)),
            Cell::Count(count),
            metrics::ratio(count, samples),
        ]
    });
    let mut table = Table {
        name: "samples",
        columns: vec!["page", "samples", "share"],
        rows: rows.collect(),
        ..Table::default()
    };
    input::note(&mut table, input, &plan);
    let meaning = "a sample is one access of many: hits, misses and ratios cannot be had of them";
    table.notes.push(("samples", meaning.to_owned()));
    write(&arguments.output, &[table])
}
