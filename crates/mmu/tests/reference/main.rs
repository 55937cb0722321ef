//! The fast MMU against a plain reference: millions of random operations, every result, every
//! counter, every A and D bit, everything that the TLB holds.
//!
//! The seeds are fixed. A failure names the configuration, the seed, the step and the operation.

#![expect(
    clippy::cast_possible_truncation,
    reason = "random numbers are cut to size, and the model's counts are small"
)]

mod model;
mod naive;
mod operation;

use pagefault_mmu::{
    AccessKind, FrontArray, Geometry, Index, LevelId, LinearAddr, Mmu, MmuConfig, Observer,
    PageFault, PageSizes, PhysMemory, Policy, TlbConfig,
};

use model::Model;
use operation::{Generator, RAM_BYTES, apply_to_mmu, apply_to_model};

/// Operations for each configuration and front array.
const STEPS: u32 = 120_000;
/// How often memory and the TLB are compared as a whole.
const MEMORY_PERIOD: u32 = 997;
const CONTENTS_PERIOD: u32 = 61;

const POLICIES: [Policy; 6] = [
    Policy::Lru,
    Policy::TreePlru,
    Policy::TreePlruPointed,
    Policy::BitPlru,
    Policy::Fifo,
    Policy::Random,
];

#[test]
fn a_unified_tlb_of_every_policy_equals_the_reference() {
    for (seed, policy) in (1..).zip(POLICIES) {
        check(&config(TlbConfig::unified(array(16, 4, policy))), seed);
        check(&config(TlbConfig::unified(array(2, 2, policy))), seed + 100);
    }
    let skylake = array(48, 12, Policy::Mru3Plru4).indexed(Index::XorFold);
    check(&config(TlbConfig::unified(skylake)), 7);
    check(&config(TlbConfig::unified(array(8, 1, Policy::Lru))), 8);
}

#[test]
fn a_split_tlb_with_a_second_level_equals_the_reference() {
    for (seed, policy) in (11..).zip(POLICIES) {
        let tlb = TlbConfig {
            data: vec![small(array(8, 2, policy)), large(array(4, 4, policy))],
            instruction: vec![array(4, 4, policy)],
            second: vec![array(16, 4, policy)],
            directory_entries: seed % 4,
            seed: u64::from(seed),
        };
        check(&config(tlb), seed);
    }
}

#[test]
fn arrays_in_any_order_and_of_any_sizes_equal_the_reference() {
    let lru = |entries, ways| array(entries, ways, Policy::Lru);
    let tlb = TlbConfig {
        data: vec![large(lru(2, 1)), small(lru(8, 2))],
        instruction: vec![small(lru(4, 1))],
        second: vec![small(array(16, 2, Policy::TreePlruPointed))],
        directory_entries: 2,
        seed: 3,
    };
    check(&config(tlb), 21);
    let bits = |entries| array(entries, entries, Policy::BitPlru);
    let large_first = TlbConfig {
        data: vec![large(bits(2)), small(bits(6))],
        ..TlbConfig::none()
    };
    check(&config(large_first), 23);
    let without_split = TlbConfig {
        data: vec![small(lru(4, 2))],
        second: vec![large(lru(4, 4)), small(lru(16, 4))],
        directory_entries: 1,
        ..TlbConfig::none()
    };
    check(&config(without_split), 22);
}

#[test]
fn no_tlb_at_all_equals_the_reference() {
    check(&config(TlbConfig::none()), 31);
    let only_directory = TlbConfig {
        directory_entries: 3,
        ..TlbConfig::none()
    };
    check(&config(only_directory), 32);
}

/// Counts what an observer is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    hits: [u64; LevelId::COUNT],
    misses: [u64; LevelId::COUNT],
    evictions: [u64; LevelId::COUNT],
    walk_steps: u64,
    faults: u64,
}

impl Observer for Told {
    fn look_up(&mut self, level: LevelId, _: LinearAddr, _: AccessKind, hit: bool) {
        let counts = if hit {
            &mut self.hits
        } else {
            &mut self.misses
        };
        counts[level as usize] += 1;
    }

    fn walk_step(&mut self, _: LinearAddr, _: &pagefault_mmu::Step) {
        self.walk_steps += 1;
    }

    fn evict(&mut self, level: LevelId, _: LinearAddr) {
        self.evictions[level as usize] += 1;
    }

    fn fault(&mut self, _: &PageFault) {
        self.faults += 1;
    }
}

fn check(config: &MmuConfig, seed: u32) {
    for front in [FrontArray::On, FrontArray::Off] {
        let config = MmuConfig {
            front,
            ..config.clone()
        };
        run(&config, seed);
    }
}

fn run(config: &MmuConfig, seed: u32) {
    let mem = PhysMemory::new(RAM_BYTES).unwrap();
    let mut mmu = Mmu::with_observer(mem, config, Told::default()).unwrap();
    let mut model = Model::new(RAM_BYTES, config);
    let mut generator = Generator::new(seed);

    for step in 0..STEPS {
        let operation = generator.next_operation();
        let found = apply_to_mmu(&mut mmu, &operation);
        let expected = apply_to_model(&mut model, &operation, &found);
        let place = || format!("{config:?}\nseed {seed}, step {step}: {operation:?}");
        assert_eq!(found, expected, "{}", place());
        assert_eq!(mmu.statistics(), model.statistics, "{}", place());
        assert_eq!(mmu.control().cr2(), model.cr2, "{}", place());
        if step % CONTENTS_PERIOD == 0 {
            compare_contents(&mmu, &model, &place);
        }
        if step % MEMORY_PERIOD == 0 || step + 1 == STEPS {
            compare_memory(&mmu, &model, &place);
        }
    }
    compare_told(&mmu, &place_of(config, seed));
}

fn place_of(config: &MmuConfig, seed: u32) -> String {
    format!("{config:?}\nseed {seed}")
}

fn compare_contents(mmu: &Mmu<Told>, model: &Model, place: &dyn Fn() -> String) {
    let mut expected = Vec::new();
    for (level, naive) in LevelId::ALL.into_iter().zip(model.levels()) {
        for (array, set, way, held) in naive.contents() {
            let page = (held.first, held.size, held.frame & 0x0FFF_FFFF);
            expected.push((level, array, set, way, page, held.rights, held.memory_type));
        }
    }
    let found: Vec<_> = mmu
        .tlb_entries()
        .map(|entry| {
            let page = (entry.page.bits(), entry.size, entry.frame.bits());
            let (set, way) = (entry.set, entry.way);
            (
                entry.level,
                entry.array,
                set,
                way,
                page,
                entry.rights,
                entry.memory_type,
            )
        })
        .collect();
    assert_eq!(found, expected, "{}", place());
}

fn compare_memory(mmu: &Mmu<Told>, model: &Model, place: &dyn Fn() -> String) {
    for number in 0..mmu.mem().frame_count() {
        let frame = pagefault_mmu::FrameNumber::new(number).unwrap();
        let is_equal = mmu.mem().frame(frame) == model.mem().frame(frame);
        assert!(is_equal, "{frame:?} differs: {}", place());
    }
}

/// Compares what the observer was told since the last reset with what was counted.
fn compare_told(mmu: &Mmu<Told>, place: &str) {
    let told = mmu.observer();
    let counted = mmu.statistics();
    for level in LevelId::ALL {
        let counts = counted.level(level);
        let told_of = |counts: &[u64; LevelId::COUNT]| counts[level as usize];
        assert_eq!(
            told_of(&told.hits),
            counts.hits.total(),
            "{level:?} {place}"
        );
        assert_eq!(
            told_of(&told.misses),
            counts.misses.total(),
            "{level:?} {place}"
        );
        assert_eq!(
            told_of(&told.evictions),
            counts.evictions,
            "{level:?} {place}"
        );
    }
    assert_eq!(told.faults, counted.faults(), "{place}");
    assert!(told.walk_steps >= counted.walk_references, "{place}");
}

fn config(tlb: TlbConfig) -> MmuConfig {
    MmuConfig {
        tlb,
        ..MmuConfig::default()
    }
}

fn array(entries: u32, ways: u32, policy: Policy) -> Geometry {
    Geometry::new(entries, ways, policy).unwrap()
}

fn small(geometry: Geometry) -> Geometry {
    geometry.holding(PageSizes::SMALL).unwrap()
}

fn large(geometry: Geometry) -> Geometry {
    geometry.holding(PageSizes::LARGE).unwrap()
}
