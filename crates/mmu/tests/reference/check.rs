//! What is compared, after every operation and at times.

use pagefault_mmu::{
    AccessKind, LevelId, LinearAddr, Mmu, MmuConfig, Observer, PageFault, PhysMemory,
};

use crate::model::Model;
use crate::operation::{Generator, Operation, RAM_BYTES, apply_to_mmu, apply_to_model};

/// How often memory and the TLB are compared as a whole.
const MEMORY_PERIOD: u32 = 997;
const CONTENTS_PERIOD: u32 = 61;

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

/// Makes operations on the MMU and on the model, as many as there are, and compares.
pub(crate) fn run(config: &MmuConfig, generator: Generator, name: &str) {
    let mem = PhysMemory::new(RAM_BYTES).unwrap();
    let mut mmu = Mmu::with_observer(mem, config, Told::default()).unwrap();
    let mut model = Model::new(RAM_BYTES, config);

    for (step, operation) in (0_u32..).zip(generator) {
        let place = || format!("{config:?}\n{name}, step {step}: {operation:?}");
        compare(&mut mmu, &mut model, &operation, &place);
        if step % CONTENTS_PERIOD == 0 {
            compare_contents(&mmu, &model, &place);
        }
        if step % MEMORY_PERIOD == 0 {
            compare_memory(&mmu, &model, &place);
        }
    }
    let end = || format!("{config:?}\n{name}, at the end");
    compare_contents(&mmu, &model, &end);
    compare_memory(&mmu, &model, &end);
    compare_told(&mmu, &end());
}

/// Makes an operation on both.
fn compare(
    mmu: &mut Mmu<Told>,
    model: &mut Model,
    operation: &Operation,
    place: &dyn Fn() -> String,
) {
    let found = apply_to_mmu(mmu, operation);
    let expected = apply_to_model(model, operation, &found);
    assert_eq!(found, expected, "{}", place());
    assert_eq!(mmu.statistics(), model.statistics, "{}", place());
    assert_eq!(mmu.control().cr2(), model.cr2, "{}", place());
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
