//! TLB geometries under access patterns: what they cost to simulate.
//!
//! `cargo bench -p pagefault-benches --bench tlb`. The names give the TLB and the pattern:
//! `tlb/64x4/stride-4k` is a 64-entry, 4-way TLB with true LRU, looked up at a stride of 4 KiB;
//! `tlb/64x4-plru/hot` one with tree-PLRU. Criterion's own reports compare geometries. The times are
//! those of the simulation: what a geometry misses, `pagefault tlb sim` tells.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pagefault_mmu::{Geometry, Index, Policy};
use pagefault_tlbsim::engine::all_lru::AllLru;
use pagefault_tlbsim::engine::array::Array;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::{DEFAULT_SEED, Pattern};

criterion_group!(benches, arrays, passes);
criterion_main!(benches);

/// Look-ups of one iteration.
const LOOK_UPS: usize = 1 << 18;

/// The patterns by the names of benchmarks.
const PATTERNS: [(&str, Pattern); 7] = [
    ("stride-4k", Pattern::Stride { stride_bytes: 4096 }),
    ("stride-4160", Pattern::Stride { stride_bytes: 4160 }),
    ("sequential", Pattern::Sequential),
    (
        "hot",
        Pattern::Hot {
            pages: 8192,
            hot: 48,
        },
    ),
    ("loop-65", Pattern::Loop { pages: 65 }),
    ("chase-1000", Pattern::Chase { pages: 1000 }),
    (
        "zipf-4096",
        Pattern::Zipf {
            pages: 4096,
            hundredths: 100,
        },
    ),
];

/// The geometries by the names of benchmarks: entries, ways, policy, index.
const GEOMETRIES: [(&str, u32, u32, Policy, Index); 8] = [
    ("32x4", 32, 4, Policy::Lru, Index::LowBits),
    ("64x4", 64, 4, Policy::Lru, Index::LowBits),
    ("64x4-plru", 64, 4, Policy::TreePlru, Index::LowBits),
    ("64x4-fifo", 64, 4, Policy::Fifo, Index::LowBits),
    ("64x4-random", 64, 4, Policy::Random, Index::LowBits),
    ("64x64", 64, 64, Policy::Lru, Index::LowBits),
    ("512x4", 512, 4, Policy::Lru, Index::LowBits),
    (
        "1536x12-skylake",
        1536,
        12,
        Policy::Mru3Plru4,
        Index::XorFold,
    ),
];

fn arrays(criterion: &mut Criterion) {
    for (name, entries, ways, policy, index) in GEOMETRIES {
        let geometry = Geometry::new(entries, ways, policy)
            .expect("the table has geometries that can be built");
        let geometry = geometry.indexed(index);
        let mut group = criterion.benchmark_group(format!("tlb/{name}"));
        group.throughput(Throughput::Elements(LOOK_UPS as u64));
        for (pattern_name, pattern) in PATTERNS {
            let pages = pages(pattern);
            group.bench_function(pattern_name, |bencher| {
                bencher.iter(|| Array::new(geometry, DEFAULT_SEED).run(black_box(&pages)));
            });
        }
        group.finish();
    }
}

/// All LRU geometries at once, and all sizes at once.
fn passes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tlb/all-160-lru");
    group.throughput(Throughput::Elements(LOOK_UPS as u64));
    for (name, pattern) in PATTERNS {
        let pages = pages(pattern);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut all = AllLru::new();
                all.run(black_box(&pages));
                all.accesses()
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("tlb/stack-distances");
    group.throughput(Throughput::Elements(LOOK_UPS as u64));
    for (name, pattern) in PATTERNS {
        let pages = pages(pattern);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut distances = StackDistances::new();
                distances.run(black_box(&pages));
                distances.compulsory()
            });
        });
    }
    group.finish();
}

fn pages(pattern: Pattern) -> Vec<u32> {
    let pages = pattern.pages(DEFAULT_SEED).take(LOOK_UPS);
    pages.filter_map(|page| u32::try_from(page).ok()).collect()
}
