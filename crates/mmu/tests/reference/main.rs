//! The fast MMU against a plain reference: millions of random operations, every result, every
//! counter, every A and D bit, everything that the TLB holds.
//!
//! The seeds are fixed. A failure names the configuration, the seed, the step and the operation.

#![expect(
    clippy::cast_possible_truncation,
    reason = "random numbers are cut to size, and the model's counts are small"
)]

mod check;
mod model;
mod naive;
mod operation;

use pagefault_mmu::{FrontArray, Geometry, Index, MmuConfig, PageSizes, Policy, TlbConfig};

use operation::Generator;

/// Operations for each configuration and front array.
const STEPS: u32 = 120_000;

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
    check(&config(TlbConfig::unified(array(12, 3, Policy::Lru))), 9);
    let folded = array(16, 4, Policy::Lru).indexed(Index::XorFold);
    check(&config(TlbConfig::unified(folded)), 10);
}

#[test]
fn a_split_first_level_alone_equals_the_reference() {
    for (seed, policy) in (41..).zip(POLICIES) {
        let tlb = TlbConfig {
            data: vec![array(16, 4, policy)],
            instruction: vec![array(8, 2, policy)],
            ..TlbConfig::none()
        };
        check(&config(tlb), seed);
    }
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

fn check(config: &MmuConfig, seed: u32) {
    for front in [FrontArray::On, FrontArray::Off] {
        let config = MmuConfig {
            front,
            ..config.clone()
        };
        let operations = Generator::new(seed, STEPS);
        check::run(&config, operations, &format!("seed {seed}"));
    }
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
