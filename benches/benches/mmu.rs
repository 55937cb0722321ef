//! The MMU: what a hit, a miss, a fault and an edit cost.
//!
//! `cargo bench -p pagefault-benches --bench mmu`. The names give the TLB and the pattern:
//! `tlb/64x4/stride-4k` is a 64-entry, 4-way TLB with true LRU, read at a stride of 4 KiB.
//! Times are for one access, or one round trip; only ratios carry over to other machines.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

use pagefault_benches::clock::CpuClock;
use pagefault_benches::loops::{
    ACCESSES, HOT_PAGES, PAGES, fault_all, fetch_all, hot, mix_all, mmu, page_entry, pages,
    read_all, roots, two_level, uniform, write_all,
};
use pagefault_benches::workload::Uncounted;
use pagefault_mmu::{
    AccessKind, FrontArray, Geometry, LevelId, LinearAddr, MmuConfig, NoObserver, Observer, Policy,
    TlbConfig, ranges, tables,
};

/// Spreads numbers: 2^32 divided by the golden ratio.
const SCATTER: u32 = 2_654_435_769;
criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime::default());
    targets = host, hits, misses, policies, strides, front_array, observers, editing, faults
}
criterion_main!(benches);

/// The processor time of this process, so that other programs on the host count less.
#[derive(Default)]
struct CpuTime {
    clock: CpuClock,
}

impl Measurement for CpuTime {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        self.clock.nanoseconds()
    }

    fn end(&self, start: u64) -> u64 {
        self.clock.nanoseconds().saturating_sub(start)
    }

    fn add(&self, left: &u64, right: &u64) -> u64 {
        left + right
    }

    fn zero(&self) -> u64 {
        0
    }

    #[expect(clippy::cast_precision_loss, reason = "a benchmark is short")]
    fn to_f64(&self, nanoseconds: &u64) -> f64 {
        *nanoseconds as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// What the other figures can be divided by: a multiplication and an XOR wait for each other, four
/// cycles on most hosts.
fn host(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "host");
    group.bench_function("multiplication-chain", |bencher| {
        bencher.iter(|| {
            let links = 0..black_box(ACCESSES);
            links.fold(black_box(3_u32), |product, _| {
                (product ^ 1).wrapping_mul(SCATTER)
            })
        });
    });
    group.finish();
}

fn hits(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "hit/64x4");
    for (name, root) in roots() {
        let mut mmu = mmu(root, &MmuConfig::default(), NoObserver);
        let addrs = hot();
        read_all(&mut mmu, &addrs);
        group.bench_function(format!("{name}/read"), |bencher| {
            bencher.iter(|| read_all(&mut mmu, &addrs));
        });
        write_all(&mut mmu, &addrs);
        group.bench_function(format!("{name}/write"), |bencher| {
            bencher.iter(|| write_all(&mut mmu, &addrs));
        });
        group.bench_function(format!("{name}/fetch"), |bencher| {
            bencher.iter(|| fetch_all(&mut mmu, &addrs));
        });
    }
    group.finish();
}

fn misses(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "miss/64x4");
    for (name, root) in roots() {
        let mut mmu = mmu(root, &MmuConfig::default(), NoObserver);
        // Every page once, then again: nothing that is asked for is still there. The offsets vary,
        // or the host's own cache would miss more often than the TLB.
        let offset = |page: u32| page.wrapping_mul(SCATTER) >> 16 & 0xFFC;
        let addrs: Vec<_> = (0..ACCESSES)
            .map(|page| LinearAddr::new(page << 12 | offset(page)))
            .collect();
        read_all(&mut mmu, &addrs);
        group.bench_function(format!("{name}/read"), |bencher| {
            bencher.iter(|| read_all(&mut mmu, &addrs));
        });
        let statistics = mmu.statistics();
        assert_eq!(statistics.level(LevelId::L1Data).hits.total(), 0);
    }
    let mut without = mmu(two_level(), &config(TlbConfig::none()), NoObserver);
    let addrs = uniform(HOT_PAGES);
    group.bench_function("none/two-level/read", |bencher| {
        bencher.iter(|| read_all(&mut without, &addrs));
    });
    group.finish();
}

fn policies(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "tlb");
    for (policy_name, policy) in Policy::NAMES {
        let (entries, ways) = if policy == Policy::Mru3Plru4 {
            (96, 12)
        } else {
            (64, 4)
        };
        let geometry = Geometry::new(entries, ways, policy).expect("a geometry that exists");
        for (pattern, pages) in [("hot-32", HOT_PAGES), ("uniform-256", 256)] {
            let mut mmu = mmu(
                two_level(),
                &config(TlbConfig::unified(geometry)),
                NoObserver,
            );
            let addrs = uniform(pages);
            group.bench_function(
                format!("{entries}x{ways}-{policy_name}/{pattern}"),
                |bencher| {
                    bencher.iter(|| read_all(&mut mmu, &addrs));
                },
            );
        }
    }
    group.finish();
}

fn strides(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "tlb/64x4");
    for (name, stride) in [
        ("64", 64),
        ("1k", 1 << 10),
        ("4k", 1 << 12),
        ("64k", 1 << 16),
    ] {
        let mut mmu = mmu(two_level(), &MmuConfig::default(), NoObserver);
        let span = PAGES << 12;
        let addrs: Vec<_> = (0..ACCESSES)
            .map(|index| LinearAddr::new(index * stride % span))
            .collect();
        group.bench_function(format!("stride-{name}"), |bencher| {
            bencher.iter(|| read_all(&mut mmu, &addrs));
        });
    }
    group.finish();
}

fn front_array(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "front");
    for (name, front) in [("on", FrontArray::On), ("off", FrontArray::Off)] {
        let config = MmuConfig {
            front,
            ..MmuConfig::default()
        };
        for (pattern, pages) in [("hot-32", HOT_PAGES), ("uniform-256", 256)] {
            let mut mmu = mmu(two_level(), &config, NoObserver);
            let addrs = uniform(pages);
            group.bench_function(format!("{name}/{pattern}"), |bencher| {
                bencher.iter(|| read_all(&mut mmu, &addrs));
            });
        }
    }
    group.finish();
}

/// Counts look-ups once more, outside.
#[derive(Default)]
struct CountsLookUps {
    hits: u64,
    misses: u64,
}

impl Observer for CountsLookUps {
    fn look_up(&mut self, _: LevelId, _: LinearAddr, _: AccessKind, hit: bool) {
        self.hits += u64::from(hit);
        self.misses += u64::from(!hit);
    }
}

fn observers(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "observer");
    mixed(&mut group, "counting/on", NoObserver);
    mixed(&mut group, "counting/off", Uncounted);
    mixed(&mut group, "look-ups", CountsLookUps::default());
    group.finish();
}

/// Reads, writes and fetches in turn.
fn mixed<O: Observer>(group: &mut BenchmarkGroup<'_, CpuTime>, name: &str, observer: O) {
    let mut mmu = mmu(two_level(), &MmuConfig::default(), observer);
    let addrs = uniform(HOT_PAGES);
    write_all(&mut mmu, &addrs);
    group.bench_function(name, |bencher| bencher.iter(|| mix_all(&mut mmu, &addrs)));
}

fn editing(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "tables");
    for (name, root) in roots() {
        let mut mmu = mmu(root, &MmuConfig::default(), NoObserver);
        let entry = page_entry(7);
        group.bench_function(format!("{name}/set-page"), |bencher| {
            bencher.iter(|| {
                for page in pages(ACCESSES) {
                    let stale = tables::set_page(mmu.mem_mut(), root, page, entry);
                    if let Ok(Some(stale)) = stale {
                        stale.leave(tables::LeaveReason::FlushFollows);
                    }
                }
            });
        });
        group.bench_function(format!("{name}/walk"), |bencher| {
            bencher.iter(|| {
                let walks = pages(ACCESSES).map(|page| mmu.walk(page.start()));
                walks.filter(|walk| black_box(walk).leaf().is_ok()).count()
            });
        });
        group.bench_function(format!("{name}/ranges-8192-pages"), |bencher| {
            bencher.iter(|| ranges(mmu.mem(), root).count());
        });
    }
    group.finish();
}

/// A write fault, answered by making the page writable and another one read-only, and the retry.
fn faults(criterion: &mut Criterion<CpuTime>) {
    let mut group = group(criterion, "fault");
    for (name, root) in roots() {
        let mut mmu = mmu(root, &MmuConfig::default(), NoObserver);
        group.bench_function(format!("{name}/edit-2-invalidate-2-retry"), |bencher| {
            bencher.iter(|| fault_all(&mut mmu, root));
        });
    }
    group.finish();
}

fn group<'a>(criterion: &'a mut Criterion<CpuTime>, name: &str) -> BenchmarkGroup<'a, CpuTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(30);
    group.throughput(Throughput::Elements(u64::from(ACCESSES)));
    group
}

fn config(tlb: TlbConfig) -> MmuConfig {
    MmuConfig {
        tlb,
        ..MmuConfig::default()
    }
}
