//! The fast engines against the TLB of the MMU and against plain models.

use std::collections::BTreeSet;

use pagefault_mmu::{
    Cr0, Execute, FrameNumber, Geometry, Index, LevelId, LinearAddr, Mmu, MmuConfig, PageEntry,
    PageNumber, PhysMemory, Policy, Privilege, PteFlags, Root, TlbConfig, tables,
};
use pagefault_tlbsim::engine::all_lru::AllLru;
use pagefault_tlbsim::engine::array::Array;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::engine::opt::Future;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_array_misses_where_the_mmu_does(
        pages in stream(), shape in 0..8_usize, policy in 0..Policy::NAMES.len(),
    ) {
        let (entries, ways) = [(1, 1), (4, 4), (8, 2), (64, 4), (16, 16), (12, 12), (24, 12), (64, 64)][shape];
        let Ok(geometry) = Geometry::new(entries, ways, Policy::NAMES[policy].1) else {
            return Ok(());
        };
        let index = if shape % 2 == 0 { Index::LowBits } else { Index::XorFold };
        let geometry = geometry.indexed(index);

        let mut array = Array::new(geometry, 0);
        let counted: Vec<u64> = pages.iter().map(|page| array.run(&[*page])).collect();

        prop_assert_eq!(counted, mmu_misses(geometry, &pages), "{:?}", geometry);
    }

    #[test]
    fn flushed_and_invalidated_pages_miss_and_others_do_not(
        pages in stream(), more in stream(), policy in 0..Policy::NAMES.len(), dropped in 0..64_u32,
    ) {
        let Ok(geometry) = Geometry::new(64, 4, Policy::NAMES[policy].1) else {
            return Ok(());
        };
        let mut array = Array::new(geometry, 0);
        array.run(&pages);
        let held: BTreeSet<u32> = array.held().collect();

        array.invalidate(dropped);

        let left: BTreeSet<u32> = array.held().collect();
        prop_assert_eq!(&left | &BTreeSet::from([dropped]), &held | &BTreeSet::from([dropped]));
        prop_assert!(!left.contains(&dropped));
        prop_assert_eq!(array.run(&[dropped]), 1);
        array.flush();
        prop_assert_eq!(array.held().count(), 0);
        if Policy::NAMES[policy].1 != Policy::Random {
            prop_assert_eq!(array.run(&more), Array::new(geometry, 0).run(&more));
        }
    }

    #[test]
    fn all_geometries_in_one_pass_are_each_geometry_alone(pages in stream()) {
        let mut all = AllLru::new();
        for part in pages.chunks(100) {
            all.run(part);
        }

        for (level, by_ways) in all.misses().iter().enumerate() {
            for (ways, &misses) in (1..).zip(by_ways) {
                let geometry = Geometry::new(ways << level, ways, Policy::Lru).unwrap();
                prop_assert_eq!(misses, Array::new(geometry, 0).run(&pages), "{:?}", geometry);
            }
        }
        prop_assert_eq!(all.compulsory(), pages.iter().collect::<BTreeSet<_>>().len() as u64);
    }

    #[test]
    fn distances_are_places_in_a_list_of_pages_by_last_use(pages in stream()) {
        let mut distances = StackDistances::new();
        for part in pages.chunks(1000) {
            distances.run(part);
        }

        let (histogram, cold) = naive_distances(&pages);
        let counted = distances.histogram();
        prop_assert_eq!(&counted[..histogram.len().min(counted.len())], &histogram[..]);
        prop_assert!(counted[histogram.len()..].iter().all(|&count| count == 0));
        prop_assert_eq!(distances.compulsory(), cold);
        prop_assert_eq!(distances.misses(0), pages.len() as u64);
        prop_assert_eq!(distances.misses(1 << 20), cold);
    }

    #[test]
    fn no_policy_misses_less_than_the_optimum(
        pages in stream(), policy in 0..Policy::NAMES.len(), shape in 0..3_usize,
    ) {
        let (entries, ways) = [(8, 8), (16, 4), (64, 16)][shape];
        let Ok(geometry) = Geometry::new(entries, ways, Policy::NAMES[policy].1) else {
            return Ok(());
        };

        let optimum = Future::of(&pages).misses(&pages, geometry);

        prop_assert!(optimum <= Array::new(geometry, 0).run(&pages));
        prop_assert_eq!(optimum, naive_optimum(&pages, geometry));
    }
}

#[test]
fn distances_stay_exact_when_pages_outgrow_the_axis() {
    let pages: Vec<u64> = (0..3)
        .flat_map(|_| 0..20_000)
        .chain((0..20_000).rev())
        .collect();
    let mut distances = StackDistances::new();

    distances.run(&pages);

    assert_eq!(distances.compulsory(), 20_000);
    assert_eq!(distances.histogram()[19_999], 40_000 + 1);
    assert_eq!(distances.histogram()[0], 1);
    assert_eq!(distances.misses(20_000), 20_000);
}

#[test]
fn wide_and_narrow_page_numbers_give_the_same_counts() {
    let narrow: Vec<u32> = (0..100_000_u32)
        .map(|i| i.wrapping_mul(2_654_435_761) >> 22)
        .collect();
    let wide: Vec<u64> = narrow.iter().map(|&page| u64::from(page)).collect();
    let geometry = Geometry::new(64, 4, Policy::TreePlru).unwrap();

    assert_eq!(
        Array::new(geometry, 0).run(&narrow),
        Array::new(geometry, 0).run(&wide)
    );
}

/// Streams with repetition, loops, and pages that share sets and places of the front table.
fn stream() -> impl Strategy<Value = Vec<u32>> {
    let far = (0..6_u32).prop_map(|page| page << 12);
    let page = prop_oneof![4 => 0..8_u32, 3 => 0..64_u32, 2 => 0..600_u32, 1 => far];
    prop::collection::vec(page, 1..3000)
}

/// Returns the misses, look-up by look-up, of the TLB of an MMU that has every page mapped.
fn mmu_misses(geometry: Geometry, pages: &[u32]) -> Vec<u64> {
    const ROOT: u32 = 1;
    const TABLES: u32 = 16;
    let frame = |number| FrameNumber::new(number).unwrap();
    let root = Root::TwoLevel(frame(ROOT));
    let config = MmuConfig {
        tlb: TlbConfig::unified(geometry),
        ..MmuConfig::default()
    };
    let mut mmu = Mmu::new(PhysMemory::new(4 << 20).unwrap(), &config).unwrap();
    let distinct: BTreeSet<u32> = pages.iter().copied().collect();
    let directories: BTreeSet<u32> = distinct.iter().map(|page| page >> 10).collect();
    for (table, directory) in (TABLES..).zip(directories) {
        let page = PageNumber::new(directory << 10).unwrap();
        tables::add_table(mmu.mem_mut(), root, page, frame(table)).unwrap();
    }
    for page in distinct {
        let entry = PageEntry {
            frame: frame(2),
            flags: PteFlags::USER,
            execute: Execute::Allowed,
        };
        tables::set_page(mmu.mem_mut(), root, PageNumber::new(page).unwrap(), entry).unwrap();
    }
    mmu.set_cr3(root.cr3()).unwrap();
    mmu.set_cr0((Cr0::PROTECTED_MODE | Cr0::PAGING).bits())
        .unwrap();
    let mut before = 0;
    let misses = pages.iter().map(|&page| {
        mmu.read::<u8>(LinearAddr::new(page << 12), Privilege::User)
            .unwrap();
        let total = mmu.statistics().level(LevelId::L1Data).misses.total();
        let missed = total - before;
        before = total;
        missed
    });
    misses.collect()
}

fn naive_distances(pages: &[u32]) -> (Vec<u64>, u64) {
    let (mut stack, mut histogram, mut cold) = (Vec::new(), Vec::new(), 0);
    for page in pages {
        match stack.iter().rev().position(|other| other == page) {
            Some(distance) => {
                stack.remove(stack.len() - 1 - distance);
                if histogram.len() <= distance {
                    histogram.resize(distance + 1, 0);
                }
                histogram[distance] += 1;
            }
            None => cold += 1,
        }
        stack.push(*page);
    }
    (histogram, cold)
}

/// Belady by looking ahead every time.
fn naive_optimum(pages: &[u32], geometry: Geometry) -> u64 {
    let mut sets = vec![Vec::new(); geometry.sets() as usize];
    let mut misses = 0;
    for (index, page) in pages.iter().enumerate() {
        let set: &mut Vec<u32> = &mut sets[(page % geometry.sets()) as usize];
        if set.contains(page) {
            continue;
        }
        misses += 1;
        if set.len() == geometry.ways() as usize {
            let next = |held: &u32| pages[index..].iter().position(|page| page == held);
            let farthest = (0..set.len()).max_by_key(|&way| next(&set[way]).unwrap_or(usize::MAX));
            set.remove(farthest.unwrap());
        }
        set.push(*page);
    }
    misses
}
