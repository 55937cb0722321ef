//! Calls and accesses on the memory manager against the slow model of its tests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_fuzz::bytes::Bytes;
use pagefault_vmm::mmu::PAGE_SIZE;
use pagefault_vmm::{MEM_RELEASE, PagingMode, PolicyKind};

#[path = "../../crates/vmm/tests/common/mod.rs"]
mod common;
#[path = "../../crates/vmm/tests/model/play.rs"]
mod play;
#[path = "../../crates/vmm/tests/model/slow.rs"]
mod slow;

use play::Call;
use slow::{WINDOW, WINDOW_PAGES};

/// Calls of a run.
const MAX_CALLS: usize = 200;
/// Types of allocations and protections that mean something; any others come, too. The model knows
/// no large pages, and no views of physical pages.
const KINDS: [u32; 8] = [
    0x3000, 0x3000, 0x1000, 0x1000, 0x2000, 0x20_3000, 0x8_0000, 0x10_3000,
];
const MAX_KIND: u32 = 0x40_0000;
const PROTECTIONS: [u32; 8] = [0x04, 0x04, 0x02, 0x01, 0x104, 0x20, 0x40, 0x08];
const MAX_PROTECTION: u32 = 0x800;
const FREE_KINDS: [u32; 3] = [0x4000, 0x4000, MEM_RELEASE];

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let choice = bytes.byte();
    let paging = if choice & 1 == 0 {
        PagingMode::TwoLevel
    } else {
        PagingMode::Pae
    };
    let policy = usize::from(choice >> 1) % PolicyKind::NAMES.len();
    let mut calls = Vec::new();
    while !bytes.is_empty() && calls.len() < MAX_CALLS {
        calls.push(call(&mut bytes));
    }
    play::play(paging, PolicyKind::NAMES[policy].1, &calls);
});

fn call(bytes: &mut Bytes<'_>) -> Call {
    match bytes.byte() % 16 {
        0..3 => Call::Alloc {
            address: address(bytes),
            size: size(bytes),
            kind: one_of(bytes, &KINDS, MAX_KIND),
            protect: one_of(bytes, &PROTECTIONS, MAX_PROTECTION),
        },
        3..5 => free(bytes),
        5..7 => Call::Protect {
            address: address(bytes),
            size: size(bytes),
            protect: one_of(bytes, &PROTECTIONS, MAX_PROTECTION),
        },
        7 => Call::Lock {
            address: address(bytes),
            size: size(bytes),
        },
        8 => Call::Unlock {
            address: address(bytes),
            size: size(bytes),
        },
        9..11 => Call::Read {
            address: address(bytes),
        },
        11..14 => Call::Write {
            address: address(bytes),
            value: bytes.byte().max(1),
        },
        14 => Call::WriteWatch {
            address: address(bytes),
            size: size(bytes),
            reset: bytes.byte() & 1 == 1,
        },
        _ => Call::EmptyWorkingSet,
    }
}

fn free(bytes: &mut Bytes<'_>) -> Call {
    let kind = one_of(bytes, &FREE_KINDS, 0x1_0000);
    let address = address(bytes);
    // What lies above the window stays.
    let is_fence = address >= WINDOW + WINDOW_PAGES * PAGE_SIZE;
    Call::Free {
        address: if is_fence && kind == MEM_RELEASE {
            0
        } else {
            address
        },
        size: if bytes.byte() & 1 == 0 {
            0
        } else {
            size(bytes)
        },
        kind,
    }
}

fn address(bytes: &mut Bytes<'_>) -> u32 {
    match bytes.byte() {
        0xF8.. => bytes.dword(),
        0xF4..0xF8 => 0x7FFF_0000,
        0xF0..0xF4 => 0,
        0xC0..0xF0 => WINDOW + u32::from(bytes.word()) % (WINDOW_PAGES * PAGE_SIZE),
        page => WINDOW + u32::from(page) % WINDOW_PAGES * PAGE_SIZE,
    }
}

fn size(bytes: &mut Bytes<'_>) -> u32 {
    match bytes.byte() {
        0xF8.. => bytes.dword(),
        0xC0..0xF8 => u32::from(bytes.word()),
        pages => u32::from(pages) % 24 * PAGE_SIZE,
    }
}

/// Returns mostly one of these, and sometimes any number below the limit.
fn one_of(bytes: &mut Bytes<'_>, usual: &[u32], limit: u32) -> u32 {
    match bytes.byte() {
        0xF0.. => bytes.dword() % limit,
        choice => usual[usize::from(choice) % usual.len()],
    }
}
