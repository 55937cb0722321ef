//! The virtual memory manager: what calls and page faults cost.
//!
//! `cargo bench -p pagefault-benches --bench vmm`. Times are for one iteration, unless a throughput
//! in elements says how many pages or faults it has; only ratios carry over to other machines. The
//! cost of a first touch is that of `touch/first` less that of `touch/zeroing`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use pagefault_vmm::mmu::{FrameNumber, LinearAddr, Mmu, MmuConfig, PhysMemory, Privilege};
use pagefault_vmm::{
    AllocRequest, Caller, FreeRequest, MEM_RELEASE, MemoryStore, PolicyKind, ProcessId,
    ProtectRequest, Resolution, Vmm, VmmConfig,
};

const PAGE: u32 = 4096;
const MIB: u32 = 1 << 20;
const GIB: u32 = 1 << 30;
const RESERVE: u32 = 0x2000;
const COMMIT: u32 = 0x1000;
const NOACCESS: u32 = 0x01;
const READONLY: u32 = 0x02;
const READWRITE: u32 = 0x04;
const EXECUTE_READ: u32 = 0x20;

criterion_group!(benches, touch, violation, ranges, regions, query, thrash);
criterion_main!(benches);

/// A machine with one process.
struct Machine {
    mmu: Mmu,
    vmm: Vmm,
    process: ProcessId,
}

impl Machine {
    fn new(ram_bytes: u64, replacement: PolicyKind) -> Self {
        let mem = PhysMemory::new(ram_bytes).expect("the host has room");
        let mut mmu = Mmu::new(mem, &MmuConfig::default()).expect("the default can be modelled");
        let mut vmm = Vmm::new(
            &mmu,
            VmmConfig {
                replacement,
                ..VmmConfig::default()
            },
        );
        vmm.set_paging_file(Box::new(MemoryStore::new()), GIB / PAGE);
        let process = vmm.create_process(&mut mmu).expect("RAM is empty");
        vmm.switch_to(&mut mmu, process);
        Self { mmu, vmm, process }
    }

    fn alloc(&mut self, address: u32, size_bytes: u32, kind: u32, protect: u32) -> LinearAddr {
        let address = LinearAddr::new(address);
        let request = AllocRequest {
            address,
            size_bytes,
            allocation_type: kind,
            protect,
        };
        let caller = Caller::of(self.process);
        self.vmm
            .alloc(&mut self.mmu, caller, &request)
            .expect("there is room")
    }

    fn release(&mut self, address: LinearAddr) {
        let request = FreeRequest {
            address,
            size_bytes: 0,
            free_type: MEM_RELEASE,
        };
        self.vmm
            .free(&mut self.mmu, Caller::of(self.process), &request)
            .expect("it is allocated");
    }

    fn protect(&mut self, address: LinearAddr, protect: u32) {
        let request = ProtectRequest {
            address,
            size_bytes: 1,
            protect,
        };
        let caller = Caller::of(self.process);
        self.vmm
            .protect(&mut self.mmu, caller, &request)
            .expect("it is committed");
    }

    /// Writes, resolving page faults.
    fn write(&mut self, at: LinearAddr, value: u32) {
        while let Err(fault) = self.mmu.write(at, value, Privilege::User) {
            let resolution = self.vmm.handle_fault(&mut self.mmu, &fault);
            assert!(
                matches!(resolution, Resolution::Resumed(_)),
                "{resolution:?}"
            );
        }
    }
}

/// First touch of committed pages, and what of it is filling frames with zeros.
fn touch(criterion: &mut Criterion) {
    const PAGES: u32 = 4096;
    let mut machine = Machine::new(64 << 20, PolicyKind::Clock);
    let mut group = criterion.benchmark_group("touch");
    group.throughput(Throughput::Elements(u64::from(PAGES)));
    group.bench_function("zeroing", |bencher| {
        bencher.iter(|| {
            for number in (PAGES..2 * PAGES).filter_map(FrameNumber::new) {
                machine.mmu.mem_mut().zero_frame(black_box(number));
            }
        });
    });
    group.bench_function("first", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..rounds {
                let base = machine.alloc(0, PAGES * PAGE, RESERVE | COMMIT, READWRITE);
                let start = std::time::Instant::now();
                for page in 0..PAGES {
                    machine.write(base.wrapping_add(page * PAGE), page);
                }
                spent += start.elapsed();
                machine.release(base);
            }
            spent
        });
    });
    group.finish();
}

/// A write to a read-only page: the violation, its answer by a change of protection, the retry.
fn violation(criterion: &mut Criterion) {
    let mut machine = Machine::new(16 << 20, PolicyKind::Clock);
    let at = machine.alloc(0, PAGE, RESERVE | COMMIT, READWRITE);
    machine.write(at, 1);
    let mut group = criterion.benchmark_group("violation");
    group.bench_function("protect-only", |bencher| {
        bencher.iter(|| machine.protect(at, READONLY));
    });
    group.bench_function("protect-violation-protect-resume", |bencher| {
        bencher.iter(|| {
            machine.protect(at, READONLY);
            let fault = machine
                .mmu
                .write(at, 1_u32, Privilege::User)
                .expect_err("read-only");
            black_box(machine.vmm.handle_fault(&mut machine.mmu, &fault));
            machine.protect(at, READWRITE);
            machine.write(at, 2);
        });
    });
    group.finish();
}

/// Calls on ranges, whose cost should not follow the size.
fn ranges(criterion: &mut Criterion) {
    let mut machine = Machine::new(64 << 20, PolicyKind::Clock);
    let mut group = criterion.benchmark_group("ranges");
    for (name, size) in [("64k", 0x1_0000), ("1m", MIB), ("1g", GIB)] {
        group.bench_function(BenchmarkId::new("reserve-release", name), |bencher| {
            bencher.iter(|| {
                let base = machine.alloc(0, black_box(size), RESERVE, NOACCESS);
                machine.release(base);
            });
        });
    }
    group.bench_function("reserve-commit-release/10m", |bencher| {
        bencher.iter(|| {
            let base = machine.alloc(0, 10 * MIB, RESERVE, NOACCESS);
            machine.alloc(base.bits(), 10 * MIB, COMMIT, READWRITE);
            machine.release(base);
        });
    });
    group.bench_function("reserve-commit-part-release/10m-of-64m", |bencher| {
        bencher.iter(|| {
            let base = machine.alloc(0, 64 * MIB, RESERVE, NOACCESS);
            machine.alloc(base.bits() + MIB, 10 * MIB, COMMIT, READWRITE);
            machine.release(base);
        });
    });
    group.finish();
}

/// Allocation and release among many regions; 32,000 nearly fill 2 GiB.
fn regions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("regions");
    for count in [1_000, 32_000_u32] {
        let mut machine = Machine::new(16 << 20, PolicyKind::Clock);
        let bases = (0..count).map(|_| machine.alloc(0, PAGE, RESERVE, NOACCESS));
        let mut bases: Vec<_> = bases.collect();
        let mut next = 0;
        group.bench_function(BenchmarkId::new("release-reserve", count), |bencher| {
            bencher.iter(|| {
                next = (next + 7919) % bases.len();
                machine.release(bases[next]);
                bases[next] = machine.alloc(0, PAGE, RESERVE, NOACCESS);
            });
        });
    }
    group.finish();
}

/// A walk by `VirtualQuery` over 1 GiB of runs of 1 to 64 pages.
fn query(criterion: &mut Criterion) {
    let mut machine = Machine::new(64 << 20, PolicyKind::Clock);
    let base = machine.alloc(0, GIB, RESERVE, READWRITE).bits();
    let end = base + GIB;
    let mut state = 12_345_u32;
    let mut at = base;
    while at < end {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = ((state >> 20) % 64 + 1) * PAGE;
        let size = size.min(end - at);
        let protect = [READONLY, READWRITE, NOACCESS, EXECUTE_READ][(state >> 8) as usize % 4];
        if !state.is_multiple_of(4) {
            machine.alloc(at, size, COMMIT, protect);
        }
        at += size;
    }
    let mut group = criterion.benchmark_group("query");
    group.throughput(Throughput::Elements(u64::from(GIB / PAGE)));
    group.bench_function("mixed-1g", |bencher| {
        bencher.iter(|| {
            let mut at = base;
            while at < end {
                let query = machine
                    .vmm
                    .query(&machine.mmu, machine.process, LinearAddr::new(at));
                at += query.expect("it is user space").size_bytes;
            }
        });
    });
    group.finish();
}

/// 64 frames of pages, and 256 pages that are written in turn.
fn thrash(criterion: &mut Criterion) {
    const PAGES: u32 = 256;
    const FRAMES: u64 = 64;
    /// The directory and one table.
    const TABLES: u64 = 2;
    let mut group = criterion.benchmark_group("thrash");
    group.throughput(Throughput::Elements(u64::from(PAGES)));
    for (name, kind) in PolicyKind::NAMES {
        let mut machine = Machine::new((FRAMES + TABLES) * u64::from(PAGE), kind);
        let base = machine.alloc(0, PAGES * PAGE, RESERVE | COMMIT, READWRITE);
        group.bench_function(BenchmarkId::new("64-of-256", name), |bencher| {
            bencher.iter(|| {
                for page in 0..PAGES {
                    machine.write(base.wrapping_add(page * PAGE), page);
                }
            });
        });
    }
    group.finish();
}
