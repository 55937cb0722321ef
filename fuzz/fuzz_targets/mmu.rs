//! Operations on the MMU against the plain reference of its tests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_mmu::{FrontArray, Geometry, Index, MmuConfig, PageSizes, Policy, TlbConfig};

#[path = "../../crates/mmu/tests/reference/check.rs"]
mod check;
#[allow(dead_code, reason = "the tests of the MMU use more of it")]
#[path = "../../crates/mmu/tests/reference/model.rs"]
mod model;
#[allow(dead_code, reason = "the tests of the MMU use more of it")]
#[path = "../../crates/mmu/tests/reference/naive.rs"]
mod naive;
#[allow(dead_code, reason = "the tests of the MMU use more of it")]
#[path = "../../crates/mmu/tests/reference/operation.rs"]
mod operation;

use operation::Generator;

const POLICIES: [Policy; 6] = [
    Policy::Lru,
    Policy::TreePlru,
    Policy::TreePlruPointed,
    Policy::BitPlru,
    Policy::Fifo,
    Policy::Random,
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, operations)) = data.split_first() else {
        return;
    };
    let policy = POLICIES[usize::from(choice >> 1) % POLICIES.len()];
    let config = MmuConfig {
        tlb: tlb(choice / 12, policy),
        front: if choice & 1 == 0 {
            FrontArray::On
        } else {
            FrontArray::Off
        },
        ..MmuConfig::default()
    };
    check::run(&config, Generator::from_bytes(operations), "an input");
});

/// Returns one of some TLBs, none of them large.
fn tlb(choice: u8, policy: Policy) -> TlbConfig {
    let array =
        |entries, ways| Geometry::new(entries, ways, policy).expect("an array of whole sets");
    let holding = |sizes| move |array: Geometry| array.holding(sizes).expect("a size is held");
    let (small, large) = (holding(PageSizes::SMALL), holding(PageSizes::LARGE));
    match choice % 6 {
        0 => TlbConfig::unified(array(16, 4)),
        1 => TlbConfig::unified(array(2, 2)),
        2 => TlbConfig {
            data: vec![small(array(8, 2)), large(array(4, 4))],
            instruction: vec![array(4, 4)],
            second: vec![array(16, 4)],
            directory_entries: 3,
            seed: 5,
        },
        3 => TlbConfig {
            data: vec![large(array(2, 1)), small(array(8, 2))],
            instruction: vec![small(array(4, 1))],
            second: vec![small(array(16, 2))],
            directory_entries: 2,
            seed: 3,
        },
        4 => {
            let skylake =
                Geometry::new(48, 12, Policy::Mru3Plru4).expect("four sets of twelve ways");
            TlbConfig::unified(skylake.indexed(Index::XorFold))
        }
        _ => TlbConfig {
            directory_entries: 3,
            ..TlbConfig::none()
        },
    }
}
