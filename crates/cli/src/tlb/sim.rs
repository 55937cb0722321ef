//! `pagefault tlb sim`.

use std::path::Path;

use pagefault_machine::vmm::mmu::TlbConfig;
use pagefault_tlbsim::Region;
use pagefault_tlbsim::engine::all_lru::AllLru;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::session::{Batch, Culprits, Plan, Planner, Run};
use pagefault_tlbsim::system::{Classify, Level, System};
use rayon::prelude::*;

use crate::tlb::args::{InputArguments, RunArguments, SimArguments};
use crate::tlb::input::{self, Input};
use crate::tlb::metrics::{self, Context};
use crate::tlb::spec::TlbSpec;
use crate::tlb::table::{Across, Cell, Table};
use crate::tlb::{Failure, chart, html, regions, sampled, write, write_file};

/// Runs the command.
pub(crate) fn run(arguments: &SimArguments) -> Result<(), Failure> {
    let named = match &arguments.regions {
        Some(path) => regions::read(path)?,
        None => Vec::new(),
    };
    let mut input = Input::open(&arguments.input)?;
    if input
        .format()
        .is_some_and(pagefault_tlbsim::Format::is_sampled)
    {
        return sampled::run(arguments, &mut input);
    }
    let specs: Vec<&TlbSpec> = match arguments.shard {
        Some(shard) => {
            let mine = arguments
                .tlb
                .iter()
                .enumerate()
                .filter(|(item, _)| shard.has(*item));
            mine.map(|(_, spec)| spec).collect()
        }
        None => arguments.tlb.iter().collect(),
    };
    let mut plan = input::plan(&arguments.input, &input);
    plan.warm_up = arguments.run.warm_up;
    plan.flush_every = arguments.run.flush_every;
    let culprits = (arguments.top > 0).then(Culprits::default);
    let mut bench = Bench::new(&specs, &arguments.input, culprits.as_ref());
    if arguments.html.is_some() {
        bench.curves = Some(Curves::default());
    }
    let planner = bench.run(&mut input, plan)?;
    input.warn();
    report(arguments, &input, &plan, &bench, &planner, &named)
}

/// TLBs side by side, fed with the same look-ups.
pub(crate) struct Bench {
    names: Vec<String>,
    runs: Vec<Run>,
    curves: Option<Curves>,
}

/// The engines of the report.
#[derive(Default)]
struct Curves {
    all: AllLru<u64>,
    distances: StackDistances<u64>,
    pages: Vec<u64>,
}

impl Bench {
    pub(crate) fn new(
        specs: &[&TlbSpec],
        input: &InputArguments,
        culprits: Option<&Culprits>,
    ) -> Self {
        let run = |spec: &&TlbSpec| {
            let config = TlbConfig {
                seed: input.seed,
                ..spec.config.clone()
            };
            Run {
                system: System::new(&config, Classify::Yes),
                culprits: culprits.cloned(),
            }
        };
        Self {
            names: specs.iter().map(|spec| spec.name.clone()).collect(),
            runs: specs.iter().map(run).collect(),
            curves: None,
        }
    }

    /// Runs the whole input through all TLBs, in parallel where there are several.
    pub(crate) fn run(&mut self, input: &mut Input, plan: Plan) -> Result<Planner, Failure> {
        let mut planner = Planner::new(plan);
        let (mut records, mut batch) = (Vec::new(), Batch::default());
        loop {
            input.read(&mut records)?;
            if records.is_empty() || planner.is_done() {
                return Ok(planner);
            }
            planner.plan(&records, &mut batch);
            match self.runs.as_mut_slice() {
                [only] => only.take(&batch),
                several => several.par_iter_mut().for_each(|run| run.take(&batch)),
            }
            if let Some(curves) = &mut self.curves {
                curves.take(&batch);
            }
        }
    }

    /// Returns the result: a row for each TLB.
    pub(crate) fn table(&self, context: &Context) -> Table {
        let mut columns = vec!["tlb"];
        columns.extend(metrics::COLUMNS);
        let rows = self.names.iter().zip(&self.runs).map(|(name, run)| {
            let mut row = vec![Cell::text(name.clone())];
            row.extend(context.row(&run.system));
            row
        });
        Table {
            name: "tlbs",
            columns,
            rows: rows.collect(),
            across: Across::Columns,
            ..Table::default()
        }
    }

    /// Returns the misses of the first level by reason, for each TLB.
    fn reasons(&self) -> Vec<chart::Stack> {
        let stack = |(name, run): (&String, &Run)| {
            let counts = run.system.counts();
            let levels = [Level::Data, Level::Instruction]
                .map(|level| counts.levels[level as usize].by_reason());
            let [data, instruction] = levels;
            chart::Stack {
                name: name.clone(),
                parts: [
                    (data.compulsory + instruction.compulsory).cast_signed(),
                    data.capacity + instruction.capacity,
                    data.conflict + instruction.conflict,
                ],
            }
        };
        self.names.iter().zip(&self.runs).map(stack).collect()
    }
}

impl Curves {
    fn take(&mut self, batch: &Batch) {
        self.pages.clear();
        let look_ups = batch.look_ups.iter();
        self.pages
            .extend(look_ups.map(|look_up| look_up.addr >> look_up.page_shift));
        self.all.run(&self.pages);
        self.distances.run(&self.pages);
    }
}

/// Returns the context of the numbers.
pub(crate) fn context(run: &RunArguments, planner: &Planner, plan: &Plan) -> Context {
    let shift = u8::try_from(plan.conventions.page_size.bits()).unwrap_or(0);
    Context::new(run, planner, shift)
}

fn report(
    arguments: &SimArguments,
    input: &Input,
    plan: &Plan,
    bench: &Bench,
    planner: &Planner,
    named: &[Region],
) -> Result<(), Failure> {
    let context = context(&arguments.run, planner, plan);
    let mut table = bench.table(&context);
    input::note(&mut table, input, plan);
    if plan.warm_up > 0 || plan.flush_every.is_some() {
        let flush = plan.flush_every.map_or("never".to_owned(), |every| {
            format!("every {every} look-ups")
        });
        let stretch = format!("{} look-ups of warm-up; emptied {flush}", plan.warm_up);
        table.notes.push(("stretch", stretch));
    }
    table.notes.push(("formula", context.formula()));
    table.notes.push((
        "reasons",
        "capacity: misses of fully associative LRU of as many entries, less the compulsory ones; \
         conflict: the others, negative where the TLB misses less than that"
            .to_owned(),
    ));
    if let Some(path) = &arguments.svg {
        write_file(path, &chart::stacks(&bench.reasons()))?;
    }
    if let (Some(path), Some(curves)) = (&arguments.html, &bench.curves) {
        write_file(path, &page(&table, bench, curves))?;
    }
    let mut tables = vec![table];
    let regions: Vec<Region> = named.iter().chain(input.regions()).cloned().collect();
    for (name, run) in bench.names.iter().zip(&bench.runs) {
        if let Some(culprits) = &run.culprits {
            tables.extend(regions::tables(name, culprits, &regions, arguments.top));
        }
    }
    write(&arguments.output, &tables)
}

fn page(table: &Table, bench: &Bench, curves: &Curves) -> String {
    let points = chart::points(&curves.distances);
    let curve = chart::Curve {
        name: "LRU, fully associative".to_owned(),
        points,
        shape: chart::Shape::Steps,
    };
    let ratios = chart::ratios(&curves.all.misses(), curves.all.accesses());
    let pictures = [
        ("Miss-ratio curve", chart::curves(&[curve])),
        ("All LRU geometries", chart::heat_map(&ratios)),
        (
            "Misses of the first level by reason",
            chart::stacks(&bench.reasons()),
        ),
    ];
    html::page("TLB report", table, &pictures)
}

/// Returns the TLB of a preset, as the command line would name it.
pub(crate) fn preset(name: &str) -> Result<TlbSpec, Failure> {
    name.parse().map_err(Failure::Usage)
}

/// Returns whether a path names a program rather than a trace.
pub(crate) fn is_program(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["asm", "exe", "elf"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}
