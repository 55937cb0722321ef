//! `malloc` and its kin, over the process's heap, and blocks of bytes.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{Move, NewBytes};

use crate::api::crt::errno;
use crate::api::{Call, Stop};
use crate::watch::Watch;

/// What `memcmp` answers: less, equal, greater.
pub(super) const COMPARED: [u32; 3] = [u32::MAX, 0, 1];

/// Returns a comparison as a number.
pub(super) fn compared(ordering: std::cmp::Ordering) -> u32 {
    match ordering {
        std::cmp::Ordering::Less => COMPARED[0],
        std::cmp::Ordering::Equal => COMPARED[1],
        std::cmp::Ordering::Greater => COMPARED[2],
    }
}

/// `malloc`.
pub(in crate::api) fn malloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [size_bytes] = call.arguments();
    take(call, Some(size_bytes), NewBytes::Stale)
}

/// `calloc`.
pub(in crate::api) fn calloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [count, size] = call.arguments();
    take(call, count.checked_mul(size), NewBytes::Zeroed)
}

fn take<W: Watch>(
    call: &mut Call<'_, W>,
    size_bytes: Option<u32>,
    new_bytes: NewBytes,
) -> Result<u32, Stop> {
    let block = size_bytes.map_or(0, |size_bytes| call.allocate(size_bytes, new_bytes));
    if block == 0 {
        call.set_errno(errno::NOMEM)?;
    }
    Ok(block)
}

/// `realloc`: NULL is a new block, size 0 frees.
pub(in crate::api) fn realloc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [block, size_bytes] = call.arguments();
    if block == 0 {
        return take(call, Some(size_bytes), NewBytes::Stale);
    }
    if size_bytes == 0 {
        release(call, block);
        return Ok(0);
    }
    let caller = call.caller();
    let machine = &mut *call.machine;
    let heap = machine.vmm.process_heap(&mut machine.mmu, caller);
    let moved = heap.and_then(|heap| {
        machine.vmm.heap_realloc(
            &mut machine.mmu,
            caller,
            heap,
            (LinearAddr::new(block), size_bytes),
            NewBytes::Stale,
            Move::Allowed,
        )
    });
    if let Ok(block) = moved {
        return Ok(block.bits());
    }
    call.set_errno(errno::NOMEM)?;
    Ok(0)
}

/// `free`: NULL is no block, and no error.
pub(in crate::api) fn free<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [block] = call.arguments();
    if block != 0 {
        release(call, block);
    }
    Ok(0)
}

fn release<W: Watch>(call: &mut Call<'_, W>, block: u32) {
    let caller = call.caller();
    let machine = &mut *call.machine;
    if let Ok(heap) = machine.vmm.process_heap(&mut machine.mmu, caller) {
        // The library ignores what is no block of its heap.
        let _ = machine.vmm.heap_free(caller, heap, LinearAddr::new(block));
    }
}

/// `_msize`.
pub(in crate::api) fn msize<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [block] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let heap = machine.vmm.process_heap(&mut machine.mmu, caller);
    let size = heap.and_then(|heap| machine.vmm.heap_size(caller, heap, LinearAddr::new(block)));
    Ok(size.unwrap_or(u32::MAX))
}

/// `memcpy` and `memmove`.
pub(in crate::api) fn memcpy<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from, len_bytes] = call.arguments();
    call.move_bytes(to, from, len_bytes)?;
    Ok(to)
}

/// `memset`.
pub(in crate::api) fn memset<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, value, len_bytes] = call.arguments();
    call.fill(to, len_bytes, value.to_le_bytes()[0])?;
    Ok(to)
}

/// `memcmp`.
pub(in crate::api) fn memcmp<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second, len_bytes] = call.arguments();
    for index in 0..len_bytes {
        let [a, b] = [first, second].map(|addr| LinearAddr::new(addr).wrapping_add(index));
        let (a, b) = (
            call.machine.read_user::<u8>(a)?,
            call.machine.read_user::<u8>(b)?,
        );
        if a != b {
            return Ok(compared(a.cmp(&b)));
        }
    }
    Ok(0)
}

/// `memchr`.
pub(in crate::api) fn memchr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [block, value, len_bytes] = call.arguments();
    for index in 0..len_bytes {
        let at = LinearAddr::new(block).wrapping_add(index);
        if call.machine.read_user::<u8>(at)? == value.to_le_bytes()[0] {
            return Ok(at.bits());
        }
    }
    Ok(0)
}
