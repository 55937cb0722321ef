//! `pagefault tlb curve`.

use std::collections::BTreeSet;

use pagefault_machine::vmm::mmu::{Geometry, Policy};
use pagefault_tlbsim::engine::array::Array;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::engine::opt::Future;
use rayon::prelude::*;

use crate::tlb::args::{CurveArguments, CurvePolicy};
use crate::tlb::input::{self, Input};
use crate::tlb::sweep::for_each_batch;
use crate::tlb::table::{Cell, Table};
use crate::tlb::{Failure, chart, metrics, write, write_file};

/// The largest array, as a power of two, at which policies that are no curve are run: stepwise
/// search of one set is slow, and no TLB is fully associative beyond it.
const MAX_BITS: u32 = 11;
/// Tree-PLRU keeps its state in a word.
const MAX_PLRU_BITS: u32 = 6;

/// Misses of a policy by size.
struct Line {
    policy: CurvePolicy,
    sizes: Vec<u32>,
    misses: Vec<u64>,
}

/// Runs the command.
pub(crate) fn run(arguments: &CurveArguments) -> Result<(), Failure> {
    let mut input = Input::open(&arguments.input)?;
    input.refuse_samples()?;
    let plan = input::plan(&arguments.input, &input);
    let mut distances = StackDistances::new();
    let mut arrays = arrays(arguments);
    let mut misses = vec![0; arrays.len()];
    // The optimum has to know the future: it alone keeps the whole trace.
    let mut kept = arguments.with.contains(&CurvePolicy::Opt).then(Vec::new);
    for_each_batch(&mut input, &plan, &mut Vec::new(), |pages| {
        distances.run(pages);
        let both = arrays.par_iter_mut().zip(&mut misses);
        both.for_each(|((_, array), misses)| *misses += array.run(pages));
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(pages);
        }
    })?;
    input.warn();

    let mut lines: Vec<Line> = Vec::new();
    for &policy in &arguments.with {
        let mine = arrays
            .iter()
            .zip(&misses)
            .filter(|((of, _), _)| *of == policy);
        let (sizes, misses) = mine
            .map(|((_, array), &misses)| (array.geometry().entries(), misses))
            .unzip();
        lines.push(Line {
            policy,
            sizes,
            misses,
        });
    }
    if let Some(pages) = kept {
        let mut lines = lines.iter_mut();
        if let Some(line) = lines.find(|line| line.policy == CurvePolicy::Opt) {
            *line = optimum(&pages);
        }
    }
    if let Some(path) = &arguments.svg {
        write_file(path, &chart::curves(&drawn(&distances, &lines)))?;
    }
    let mut table = table(&distances, &lines, arguments.all_sizes);
    input::note(&mut table, &input, &plan);
    table.notes.push((
        "events",
        "flushes and invalidations of the trace are left out".to_owned(),
    ));
    write(&arguments.output, &[table])
}

fn arrays(arguments: &CurveArguments) -> Vec<(CurvePolicy, Array<u64>)> {
    let arrays = arguments.with.iter().flat_map(|&with| {
        let (policy, bits) = match with {
            CurvePolicy::Opt => return Vec::new(),
            CurvePolicy::Fifo => (Policy::Fifo, MAX_BITS),
            CurvePolicy::Plru => (Policy::TreePlru, MAX_PLRU_BITS),
        };
        let geometries =
            (0..=bits).filter_map(|bits| Geometry::new(1 << bits, 1 << bits, policy).ok());
        geometries
            .map(|geometry| (with, Array::new(geometry, 0)))
            .collect()
    });
    arrays.collect()
}

fn optimum(pages: &[u64]) -> Line {
    let future = Future::of(pages);
    let sizes: Vec<u32> = (0..=MAX_BITS).map(|bits| 1 << bits).collect();
    let misses = sizes.par_iter().map(|&entries| {
        let geometry = Geometry::new(entries, entries, Policy::Lru);
        geometry.map_or(0, |geometry| future.misses(pages, geometry))
    });
    let misses = misses.collect();
    Line {
        policy: CurvePolicy::Opt,
        sizes,
        misses,
    }
}

fn drawn(distances: &StackDistances<u64>, lines: &[Line]) -> Vec<chart::Curve> {
    let lru = chart::Curve {
        name: "LRU".to_owned(),
        points: chart::points(distances),
        shape: chart::Shape::Steps,
    };
    let accesses = distances.accesses();
    let others = lines.iter().map(|line| chart::Curve {
        name: match line.policy {
            CurvePolicy::Opt => "OPT, the floor",
            CurvePolicy::Fifo => "FIFO",
            CurvePolicy::Plru => "tree-PLRU",
        }
        .to_owned(),
        points: line
            .sizes
            .iter()
            .zip(&line.misses)
            .map(|(&size, &misses)| (u64::from(size), chart::share(misses, accesses)))
            .collect(),
        shape: chart::Shape::Points,
    });
    std::iter::once(lru).chain(others).collect()
}

fn table(distances: &StackDistances<u64>, lines: &[Line], all_sizes: bool) -> Table {
    let largest = distances.histogram().len() as u64;
    let mut sizes: BTreeSet<u64> = lines
        .iter()
        .flat_map(|line| line.sizes.iter().copied().map(u64::from))
        .collect();
    if all_sizes {
        let steps = (1..)
            .zip(distances.histogram())
            .filter(|(_, count)| **count > 0);
        sizes.extend(steps.map(|(size, _)| size));
    } else {
        let powers = (0..u64::BITS - 1).map(|bits| 1_u64 << bits);
        let points = powers.take_while(|power| *power < largest.max(1) * 2);
        sizes.extend(points.flat_map(|power| [power, power + power / 2]));
    }
    let accesses = distances.accesses();
    let mut columns = vec![
        "entries",
        "accesses",
        "lru_misses",
        "lru_miss_ratio",
        "compulsory",
    ];
    columns.extend(lines.iter().map(|line| match line.policy {
        CurvePolicy::Opt => "opt_misses",
        CurvePolicy::Fifo => "fifo_misses",
        CurvePolicy::Plru => "plru_misses",
    }));
    let mut left = Running::new(distances);
    let rows = sizes.iter().map(|&size| {
        let misses = left.misses(size);
        let mut row = vec![
            Cell::Count(size),
            Cell::Count(accesses),
            Cell::Count(misses),
            metrics::ratio(misses, accesses),
            Cell::Count(distances.compulsory()),
        ];
        row.extend(lines.iter().map(|line| {
            let place = line
                .sizes
                .iter()
                .position(|&other| u64::from(other) == size);
            Cell::maybe(place.map(|place| line.misses[place]))
        }));
        row
    });
    let rows = rows.collect();
    Table {
        name: "curve",
        columns,
        rows,
        ..Table::default()
    }
}

/// Misses by rising size, without adding up from the start each time.
struct Running<'a> {
    histogram: &'a [u64],
    size: u64,
    left: u64,
}

impl<'a> Running<'a> {
    fn new(distances: &'a StackDistances<u64>) -> Self {
        Self {
            histogram: distances.histogram(),
            size: 0,
            left: distances.accesses(),
        }
    }

    fn misses(&mut self, size: u64) -> u64 {
        let steps = usize::try_from(size - self.size).unwrap_or(usize::MAX);
        let (taken, rest) = self.histogram.split_at(steps.min(self.histogram.len()));
        self.left -= taken.iter().sum::<u64>();
        (self.histogram, self.size) = (rest, size);
        self.left
    }
}
