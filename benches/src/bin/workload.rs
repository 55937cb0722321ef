//! `workload BLOB N ARG REPS KIND [--tlb GEOMETRY] [--stats on|off]`: measures one workload.
//!
//! Prints a line `T <process-cpu-nanoseconds> <EAX in hex>` for each run, of which the first is a
//! warm-up, then a line `S accesses=… hits=… misses=… walks=… faults=…`. A geometry is that of a
//! processor as in `i486`, or `none`, or entries and ways as in `64x4`, with a replacement policy as
//! in `64x4-fifo`. With `--stats off` accesses are not counted, to see what that costs; misses and
//! replacement stay exact.

use std::io::{self, Write};
use std::process::ExitCode;

use pagefault_benches::clock::CpuClock;
use pagefault_benches::workload::{Kind, Uncounted, Workload};
use pagefault_mmu::tlb::presets;
use pagefault_mmu::{Geometry, LevelId, NoObserver, Observer, Policy, TlbConfig};

/// The exit code of wrong use.
const USAGE: u8 = 2;

/// Whether accesses are counted and the last line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stats {
    On,
    Off,
}

/// What the command line asks for.
struct Options {
    blob: String,
    n: u32,
    arg: u32,
    reps: u32,
    kind: Kind,
    tlb: TlbConfig,
    stats: Stats,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            let _ = writeln!(
                io::stderr(),
                "{message}\nusage: workload BLOB N ARG REPS KIND [--tlb GEOMETRY] [--stats on|off]"
            );
            return ExitCode::from(USAGE);
        }
    };
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    match options.stats {
        Stats::On => measure_observed(options, NoObserver),
        Stats::Off => measure_observed(options, Uncounted),
    }
}

fn measure_observed<O: Observer>(options: &Options, observer: O) -> Result<(), String> {
    let blob =
        std::fs::read(&options.blob).map_err(|error| format!("{}: {error}", options.blob))?;
    let Options { n, arg, kind, .. } = *options;
    let mut workload = Workload::new(&blob, (n, arg), kind, options.tlb.clone(), observer)
        .map_err(|error| error.to_string())?;
    let clock = CpuClock::new();
    let mut out = io::stdout().lock();
    for _ in 0..=options.reps {
        workload.prepare();
        let before = clock.nanoseconds();
        let checksum = workload.run().map_err(|error| error.to_string())?;
        let elapsed = clock.nanoseconds() - before;
        writeln!(out, "T {elapsed} {checksum:08x}").map_err(|error| error.to_string())?;
    }
    if options.stats == Stats::On {
        let statistics = workload.statistics();
        let level = statistics.level(LevelId::L1Data);
        writeln!(
            out,
            "S accesses={} hits={} misses={} walks={} faults={}",
            statistics.accesses.total(),
            level.hits.total(),
            level.misses.total(),
            statistics.walks,
            statistics.faults()
        )
        .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut places = Vec::new();
    let mut tlb = TlbConfig::default();
    let mut stats = Stats::On;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--tlb" => tlb = geometry(&arguments.next().ok_or("--tlb needs a geometry")?)?,
            "--stats" => stats = on_or_off(&arguments.next().unwrap_or_default())?,
            _ => places.push(argument),
        }
    }
    let [blob, n, arg, reps, kind] =
        <[String; 5]>::try_from(places).map_err(|_| "five arguments are needed")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is not a number"));
    Ok(Options {
        blob,
        n: number(&n)?,
        arg: number(&arg)?,
        reps: number(&reps)?,
        kind: Kind::named(&kind).ok_or_else(|| format!("unknown kind {kind}"))?,
        tlb,
        stats,
    })
}

fn on_or_off(text: &str) -> Result<Stats, String> {
    match text {
        "on" => Ok(Stats::On),
        "off" => Ok(Stats::Off),
        _ => Err("--stats needs on or off".to_owned()),
    }
}

fn geometry(text: &str) -> Result<TlbConfig, String> {
    let Some((entries, rest)) = text
        .split_once('x')
        .filter(|(entries, _)| is_number(entries))
    else {
        let preset = presets::named(text).map_err(|error| error.to_string())?;
        return Ok(preset.config().clone());
    };
    let (ways, policy) = rest.split_once('-').unwrap_or((rest, "lru"));
    let policy = Policy::named(policy).map_err(|error| error.to_string())?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is not a number"));
    let geometry = Geometry::new(number(entries)?, number(ways)?, policy)
        .map_err(|error| error.to_string())?;
    Ok(TlbConfig::unified(geometry))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
