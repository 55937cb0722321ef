//! Heaps: blocks, and what a heap does with segments and pages that are no longer its own.

mod common;

use common::{MIB, Machine};
use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{HeapError, MEM_RELEASE, Move, NewBytes, Protection, VmmConfig, Win32Code};

const PAGE: u32 = 4096;
const RAM: u64 = 32 << 20;
/// Before each block.
const HEADER_BYTES: u32 = 8;

fn machine() -> Machine {
    Machine::new(RAM, VmmConfig::default())
}

#[test]
fn heap_blocks_do_not_overlap_and_keep_their_contents() {
    let mut machine = machine();
    let caller = machine.caller();
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let heap = vmm.heap_create(mmu, caller, 0, 0).unwrap();
    let mut blocks: Vec<(LinearAddr, u32)> = Vec::new();
    for step in 1..200_u32 {
        let size = step * 37 % 5000;
        let block = vmm
            .heap_alloc(mmu, caller, heap, size, NewBytes::Zeroed)
            .unwrap();
        vmm.copy_out(
            mmu,
            block,
            &vec![u8::try_from(step % 256).unwrap(); size as usize],
        )
        .unwrap();
        blocks.push((block, size));
        if step % 3 == 0 {
            let (freed, _) = blocks.swap_remove(step as usize % blocks.len());
            vmm.heap_free(caller, heap, freed).unwrap();
        }
    }
    let mut sorted = blocks.clone();
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        assert!(pair[0].0.bits() + pair[0].1 <= pair[1].0.bits(), "{pair:?}");
    }
    let (block, size) = blocks[0];
    let mut before = vec![0; size as usize];
    vmm.copy_in(mmu, block, &mut before).unwrap();

    let to = (block, size + 100_000);
    let moved = vmm
        .heap_realloc(mmu, caller, heap, to, NewBytes::Zeroed, Move::Allowed)
        .unwrap();

    let mut after = vec![1; size as usize + 100_000];
    vmm.copy_in(mmu, moved, &mut after).unwrap();
    assert_eq!(&after[..before.len()], before);
    assert!(after[before.len()..].iter().all(|&byte| byte == 0));
    assert_eq!(vmm.heap_size(caller, heap, moved), Ok(size + 100_000));
    assert!(vmm.heap_free(caller, heap, LinearAddr::new(12)).is_err());
    vmm.heap_destroy(mmu, caller, heap).unwrap();
    machine.audit("heap");
}

#[test]
fn a_segment_that_the_program_releases_is_forgotten_with_its_blocks() {
    let mut machine = machine();
    let caller = machine.caller();
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let heap = vmm.heap_create(mmu, caller, 0, 0).unwrap();
    let alloc = |machine: &mut Machine, size| {
        let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
        vmm.heap_alloc(mmu, caller, heap, size, NewBytes::Stale)
    };
    let kept = alloc(&mut machine, 12 * MIB).unwrap();
    let freed = alloc(&mut machine, 8 * MIB).unwrap();
    machine.vmm.heap_free(caller, heap, freed).unwrap();
    for block in [kept, freed] {
        machine
            .free(block.bits() - HEADER_BYTES, 0, MEM_RELEASE)
            .unwrap();
    }

    let gone = machine.vmm.heap_free(caller, heap, kept);
    let larger = alloc(&mut machine, 16 * MIB).unwrap();
    let smaller = alloc(&mut machine, 6 * MIB).unwrap();

    assert_eq!(gone, Err(HeapError::NoBlock { address: kept }));
    let ends = [larger.bits() + 16 * MIB, smaller.bits() + 6 * MIB];
    assert!(ends[0] <= smaller.bits() || ends[1] <= larger.bits());
    machine.write(smaller.bits(), 1).unwrap();
    machine.audit("segments released");
}

#[test]
fn a_heap_that_is_destroyed_releases_only_what_is_its_own() {
    let mut machine = machine();
    let caller = machine.caller();
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let heap = vmm.heap_create(mmu, caller, 0, 0).unwrap();
    let block = vmm
        .heap_alloc(mmu, caller, heap, 4 * MIB, NewBytes::Stale)
        .unwrap();
    let base = block.bits() - HEADER_BYTES;
    machine.free(base, 0, MEM_RELEASE).unwrap();
    let own = machine.commit(4 * MIB, Protection::READ_WRITE);
    assert_eq!(own, base, "the hole is the lowest that is large enough");

    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    vmm.heap_destroy(mmu, caller, heap).unwrap();

    machine.write(own, 1).unwrap();
    machine.audit("destroyed");
}

#[test]
fn a_block_that_cannot_be_had_leaves_nothing_behind() {
    let mut machine = machine();
    let caller = machine.caller();
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let heap = vmm.heap_create(mmu, caller, 0, 0).unwrap();

    let refused = vmm.heap_alloc(mmu, caller, heap, 512 * MIB, NewBytes::Stale);
    let next = vmm.heap_alloc(mmu, caller, heap, 4 * MIB, NewBytes::Stale);

    assert_eq!(
        refused.unwrap_err().win32_code(),
        Win32Code::NOT_ENOUGH_MEMORY
    );
    let again = machine.commit(4 * MIB, Protection::READ_WRITE);
    let next = next.unwrap().bits();
    assert!(again - next < 8 * MIB, "{next:#x} {again:#x}");
    machine.audit("refused");
}

#[test]
fn a_block_that_cannot_be_zeroed_or_copied_is_as_it_was() {
    let mut machine = machine();
    let caller = machine.caller();
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let heap = vmm.heap_create(mmu, caller, 0, 0).unwrap();
    let alloc = |machine: &mut Machine, new_bytes| {
        let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
        vmm.heap_alloc(mmu, caller, heap, 4 * PAGE, new_bytes)
    };
    let first = alloc(&mut machine, NewBytes::Stale).unwrap();
    machine.vmm.heap_free(caller, heap, first).unwrap();
    let page = first.bits() + PAGE;
    machine.protect(page, PAGE, Protection::READ_ONLY).unwrap();

    let refused = alloc(&mut machine, NewBytes::Zeroed);

    assert!(matches!(refused, Err(HeapError::Copy(_))), "{refused:?}");
    assert_eq!(alloc(&mut machine, NewBytes::Stale), Ok(first));
    machine.protect(page, PAGE, Protection::NO_ACCESS).unwrap();
    let larger = (first, 64 * PAGE);
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let moved = vmm.heap_realloc(mmu, caller, heap, larger, NewBytes::Stale, Move::Allowed);
    assert!(matches!(moved, Err(HeapError::Copy(_))), "{moved:?}");
    assert_eq!(vmm.heap_size(caller, heap, first), Ok(4 * PAGE));
    let next = vmm.heap_alloc(mmu, caller, heap, 64 * PAGE, NewBytes::Stale);
    let behind = LinearAddr::new(first.bits() + 4 * PAGE + HEADER_BYTES);
    assert_eq!(next, Ok(behind), "the place of the copy is free again");
    machine.audit("not zeroed, not copied");
}
