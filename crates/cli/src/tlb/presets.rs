//! `pagefault tlb presets`.

use pagefault_machine::vmm::mmu::tlb::presets::{self, Assumption, Confidence, LeftOut, PresetRow};
use pagefault_machine::vmm::mmu::{Geometry, PageSizes};

use crate::tlb::args::PresetsArguments;
use crate::tlb::table::{Cell, Table};
use crate::tlb::{Failure, write};

/// Runs the command.
pub(crate) fn run(arguments: &PresetsArguments) -> Result<(), Failure> {
    let presets = if arguments.names.is_empty() {
        presets::all()
    } else {
        let named = arguments.names.iter().map(|name| presets::named(name));
        let named: Result<_, _> = named.collect();
        named.map_err(|error| Failure::Usage(error.to_string()))?
    };
    let rows = presets.iter().flat_map(|preset| {
        preset.rows().iter().map(|row| {
            vec![
                Cell::text(preset.name()),
                Cell::Count(u64::from(preset.year())),
                Cell::text(preset.vendor()),
                Cell::text(preset.core()),
                Cell::text(row.id()),
                Cell::text(model(row)),
                Cell::text(confidence(row.confidence())),
                Cell::text(assumptions(row)),
                Cell::text(row.source()),
                Cell::text(row.note()),
            ]
        })
    });
    let table = Table {
        name: "presets",
        notes: vec![(
            "confidence",
            "vendor: read in a vendor's document, in CPUID's descriptor table or in the output of \
             a measuring tool; secondary: read elsewhere; unverified: general knowledge, read in \
             no source"
                .to_owned(),
        )],
        columns: vec![
            "preset",
            "year",
            "vendor",
            "core",
            "array",
            "model",
            "confidence",
            "assumed",
            "source",
            "note",
        ],
        rows: rows.collect(),
        ..Table::default()
    };
    write(&arguments.output, &[table])
}

/// Returns what the model makes of a row.
fn model(row: &PresetRow) -> String {
    match row.left_out() {
        Some(LeftOut::HugePages) => "left out: 1 GiB pages".to_owned(),
        Some(LeftOut::StoresOnly) => "left out: stores only".to_owned(),
        Some(LeftOut::SecondForInstructions) => "left out: second level of instructions".to_owned(),
        None => {
            let arrays = row.geometries().iter().map(|&geometry| array(geometry));
            arrays.collect::<Vec<_>>().join(" + ")
        }
    }
}

fn array(geometry: Geometry) -> String {
    let sizes = [
        (PageSizes::SMALL, "4K"),
        (PageSizes::MIB2, "2M"),
        (PageSizes::MIB4, "4M"),
    ];
    let held = sizes
        .into_iter()
        .filter(|(size, _)| geometry.sizes().contains(*size));
    let held: Vec<&str> = held.map(|(_, name)| name).collect();
    let (entries, ways, policy) = (
        geometry.entries(),
        geometry.ways(),
        geometry.policy().name(),
    );
    format!("{entries}x{ways}:{policy} for {}", held.join("+"))
}

pub(crate) fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Documented => "vendor",
        Confidence::Secondary => "secondary",
        Confidence::Unverified => "unverified",
    }
}

fn assumptions(row: &PresetRow) -> String {
    let words = row.assumptions().iter().map(|assumption| match assumption {
        Assumption::Policy => "policy",
        Assumption::Ways => "ways",
        Assumption::Index => "index",
    });
    words.collect::<Vec<_>>().join(" ")
}
