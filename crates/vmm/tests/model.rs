//! The manager against a slow model that keeps a record for each page, on random calls.
//!
//! RAM is so small that pages are stolen all the time; none of that may ever be seen.

mod common;
#[path = "model/play.rs"]
mod play;
#[path = "model/slow.rs"]
mod slow;

use pagefault_vmm::mmu::PAGE_SIZE;
use pagefault_vmm::{PagingMode, PolicyKind};
use play::{Call, play};
use proptest::prelude::*;
use slow::{WINDOW, WINDOW_PAGES};

fn address() -> impl Strategy<Value = u32> {
    let page = 0..WINDOW_PAGES;
    let offset = prop_oneof![3 => Just(0_u32), 1 => 0..PAGE_SIZE];
    prop_oneof![
        20 => (page, offset).prop_map(|(page, offset)| WINDOW + page * PAGE_SIZE + offset),
        1 => Just(0_u32),
        1 => any::<u32>(),
        1 => Just(0x7fff_0000_u32),
    ]
}

fn size() -> impl Strategy<Value = u32> {
    prop_oneof![
        10 => (0..20_u32).prop_map(|pages| pages * PAGE_SIZE),
        5 => 0..0x2_0000_u32,
        1 => Just(1_u32),
        1 => any::<u32>(),
    ]
}

fn protect() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => Just(0x04_u32),
        3 => Just(0x02_u32),
        2 => Just(0x01_u32),
        2 => Just(0x104_u32),
        2 => Just(0x20_u32),
        1 => Just(0x40_u32),
        1 => Just(0x08_u32),
        1 => 0..0x800_u32,
    ]
}

fn kind() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(0x3000_u32),
        4 => Just(0x1000_u32),
        3 => Just(0x2000_u32),
        2 => Just(0x20_3000_u32),
        1 => Just(0x8_0000_u32),
        1 => Just(0x10_3000_u32),
        1 => 0..0x40_0000_u32,
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let free_kind = prop_oneof![6 => Just(0x4000_u32), 3 => Just(0x8000_u32), 1 => 0..0x1_0000_u32];
    let free_size = prop_oneof![1 => Just(0_u32), 1 => size()];
    prop_oneof![
        4 => (address(), size(), kind(), protect())
            .prop_map(|(address, size, kind, protect)| Call::Alloc { address, size, kind, protect }),
        2 => (address(), free_size, free_kind)
            .prop_map(|(address, size, kind)| Call::Free { address, size, kind }),
        3 => (address(), size(), protect())
            .prop_map(|(address, size, protect)| Call::Protect { address, size, protect }),
        1 => (address(), size()).prop_map(|(address, size)| Call::Lock { address, size }),
        1 => (address(), size()).prop_map(|(address, size)| Call::Unlock { address, size }),
        6 => address().prop_map(|address| Call::Read { address }),
        12 => (address(), 1..=u8::MAX).prop_map(|(address, value)| Call::Write { address, value }),
        1 => (address(), size(), any::<bool>())
            .prop_map(|(address, size, reset)| Call::WriteWatch { address, size, reset }),
        1 => Just(Call::EmptyWorkingSet),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_manager_does_what_the_model_does(
        calls in prop::collection::vec(call(), 1..160),
        pae in any::<bool>(),
        policy in 0..PolicyKind::NAMES.len(),
    ) {
        let paging = if pae { PagingMode::Pae } else { PagingMode::TwoLevel };
        play(paging, PolicyKind::NAMES[policy].1, &calls);
    }
}
