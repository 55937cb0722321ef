//! `tlb-throughput [TRACE.lackey.zst]`: how many look-ups and records a second, on one core.
//!
//! Every figure is the best of several passes over the same trace, in processor time of this
//! process. Without a name, the trace is `fixtures/traces/sqlite32.lackey.zst`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;

use pagefault_benches::clock::CpuClock;
use pagefault_mmu::TlbConfig;
use pagefault_mmu::{Geometry, Policy};
use pagefault_tlbsim::engine::all_lru::AllLru;
use pagefault_tlbsim::engine::array::Array;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::read::recorded::Recorder;
use pagefault_tlbsim::session::{Batch, Plan, Planner};
use pagefault_tlbsim::system::{Classify, System};
use pagefault_tlbsim::{Conventions, Format, Limits, Record, TraceReader};

/// Passes of which the best counts.
const PASSES: u32 = 60;
/// The trace, from the root of the project.
const TRACE: &str = "fixtures/traces/sqlite32.lackey.zst";

fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_else(|| TRACE.to_owned());
    match run(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot measure with {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let compressed = fs::read(path)?;
    let mut text = Vec::new();
    zstd::Decoder::new(&compressed[..])?.read_to_end(&mut text)?;
    let records = records(&text[..])?;
    let pages = Conventions::default()
        .narrow_pages(&records)
        .ok_or("wide addresses")?;
    let look_ups = pages.len() as u64;
    let geometry = Geometry::new(64, 4, Policy::Lru)?;
    let recording = record(&records)?;

    let mut lines = Vec::new();
    lines.push((
        "look-ups, one LRU geometry 64x4, page numbers in memory",
        best(look_ups, || Array::new(geometry, 0).run(&pages)),
    ));
    lines.push((
        "look-ups, one tree-PLRU geometry 64x4",
        best(look_ups, || {
            Array::new(
                Geometry::new(64, 4, Policy::TreePlru).unwrap_or(geometry),
                0,
            )
            .run(&pages)
        }),
    ));
    lines.push((
        "look-ups, 160 LRU geometries in one pass",
        best(look_ups, || {
            let mut all = AllLru::new();
            all.run(&pages);
            all.accesses()
        }),
    ));
    lines.push((
        "look-ups, stack distances",
        best(look_ups, || {
            let mut distances = StackDistances::new();
            distances.run(&pages);
            distances.compulsory()
        }),
    ));
    let count = records.len() as u64;
    lines.push((
        "records, lackey's text in memory",
        best(count, || drain(&text[..], None)),
    ));
    lines.push((
        "records, the binary form in memory",
        best(count, || drain(&recording[..], None)),
    ));
    lines.push((
        "records, end to end from .zst, one 64x4",
        best(count, || simulate(&compressed, geometry)),
    ));
    let mut out = io::stdout().lock();
    for (what, per_second) in lines {
        writeln!(out, "{:10.1} million/s  {what}", per_second / 1e6)?;
    }
    Ok(())
}

/// Returns the best rate of some passes.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn best(count: u64, mut pass: impl FnMut() -> u64) -> f64 {
    let clock = CpuClock::default();
    let mut least = u64::MAX;
    for _ in 0..PASSES {
        let start = clock.nanoseconds();
        std::hint::black_box(pass());
        least = least.min(clock.nanoseconds().saturating_sub(start));
    }
    count as f64 * 1e9 / least.max(1) as f64
}

fn records(source: impl BufRead) -> Result<Vec<Record>, pagefault_tlbsim::ReadError> {
    let mut reader = TraceReader::new(source, Some(Format::Lackey), Limits::default())?;
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    loop {
        reader.read(&mut batch)?;
        if batch.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&batch);
    }
}

fn record(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut recorder = Recorder::new(Vec::new());
    for record in records {
        recorder.record(record);
    }
    Ok(recorder.finish()?.0)
}

/// Reads a trace to its end and returns how many records it has.
fn drain(source: impl BufRead, format: Option<Format>) -> u64 {
    let mut batch = Vec::new();
    let Ok(mut reader) = TraceReader::new(source, format, Limits::default()) else {
        return 0;
    };
    while reader.read(&mut batch).is_ok() && !batch.is_empty() {}
    reader.tally().records
}

/// Does what `pagefault tlb sim` does with one TLB.
fn simulate(compressed: &[u8], geometry: Geometry) -> u64 {
    let mut system = System::new(&TlbConfig::unified(geometry), Classify::Yes);
    let mut planner = Planner::new(Plan::default());
    let (mut records, mut batch) = (Vec::new(), Batch::default());
    let source = zstd::Decoder::new(compressed).ok();
    let source = source.map(|text| BufReader::with_capacity(1 << 18, text));
    let reader = source.and_then(|source| TraceReader::new(source, None, Limits::default()).ok());
    let Some(mut reader) = reader else {
        return 0;
    };
    while reader.read(&mut records).is_ok() && !records.is_empty() {
        planner.plan(&records, &mut batch);
        system.run(&batch.look_ups, |_| {}, |_| {});
    }
    system.counts().first_misses()
}
