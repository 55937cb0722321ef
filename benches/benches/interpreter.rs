//! The workloads W1 to W9, a part of each, so that criterion can repeat them.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pagefault_benches::workload::{Kind, Workload};
use pagefault_mmu::{NoObserver, TlbConfig};

/// Name, blob, n, argument, kind, units per run.
const WORKLOADS: [(&str, &str, u32, u32, Kind, u64); 13] = [
    ("w1/registers", "w1_alu", 50_000, 0, Kind::Plain, 500_000),
    ("w2/rmw-64k", "w2_rmw", 3, 0, Kind::Plain, 3 * 16_384),
    (
        "w3/stride-16-pages",
        "w3_stride",
        1000,
        16,
        Kind::Plain,
        16_000,
    ),
    (
        "w3/stride-64-pages",
        "w3_stride",
        250,
        64,
        Kind::Plain,
        16_000,
    ),
    (
        "w3/stride-512-pages",
        "w3_stride",
        32,
        512,
        Kind::Plain,
        16_384,
    ),
    (
        "w3/stride-4096-pages",
        "w3_stride",
        4,
        4096,
        Kind::Plain,
        16_384,
    ),
    ("w4/chase-16m", "w4_chase", 10_000, 0, Kind::Plain, 10_000),
    (
        "w5a/rep-movsd-64k",
        "w5a_movsd",
        10,
        0,
        Kind::Plain,
        163_840,
    ),
    ("w5b/copy-loop-64k", "w5b_copy", 2, 0, Kind::Plain, 32_768),
    (
        "w8/fault-round-trip",
        "w8_fault",
        2000,
        0,
        Kind::Alternate,
        2000,
    ),
    (
        "w9/first-touch",
        "w9_touch",
        2560,
        0,
        Kind::FirstTouch,
        2560,
    ),
    (
        "w8v/fault-round-trip-managed",
        "w8_fault",
        2000,
        0,
        Kind::AlternateManaged,
        2000,
    ),
    (
        "w9v/first-touch-managed",
        "w9_touch",
        256,
        0,
        Kind::FirstTouchManaged,
        256,
    ),
];

fn interpreter(criterion: &mut Criterion) {
    for (name, blob, n, arg, kind, units) in WORKLOADS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("workloads")
            .join(blob);
        let blob = std::fs::read(path.with_extension("bin")).expect("the blob is committed");
        let tlb = TlbConfig::default();
        let mut workload =
            Workload::new(&blob, (n, arg), kind, tlb, NoObserver).expect("init returns");
        let mut group = criterion.benchmark_group("interpreter");
        group.throughput(Throughput::Elements(units));
        group.bench_function(BenchmarkId::new(name, "64x4-lru"), |bencher| {
            bencher.iter(|| {
                workload.prepare();
                black_box(workload.run().expect("run returns"))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, interpreter);
criterion_main!(benches);
