//! Interlocked functions: a turn never ends within a call, so that each is one step.

use pagefault_vmm::mmu::LinearAddr;

use crate::api::{Call, Stop};
use crate::watch::Watch;

/// `InterlockedIncrement`: returns the new value.
pub(super) fn increment<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let (_, new) = change(call, place, |value| value.wrapping_add(1))?;
    Ok(new)
}

/// `InterlockedDecrement`: returns the new value.
pub(super) fn decrement<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let (_, new) = change(call, place, |value| value.wrapping_sub(1))?;
    Ok(new)
}

/// `InterlockedExchange`: returns the old value.
pub(super) fn exchange<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place, value] = call.arguments();
    let (old, _) = change(call, place, |_| value)?;
    Ok(old)
}

/// `InterlockedExchangeAdd`: returns the old value.
pub(super) fn exchange_add<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place, value] = call.arguments();
    let (old, _) = change(call, place, |old| old.wrapping_add(value))?;
    Ok(old)
}

/// `InterlockedCompareExchange`: returns the old value.
pub(super) fn compare_exchange<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place, value, comparand] = call.arguments();
    let (old, _) = change(
        call,
        place,
        |old| if old == comparand { value } else { old },
    )?;
    Ok(old)
}

/// Changes a word and returns the old and the new value.
fn change<W: Watch>(
    call: &mut Call<'_, W>,
    place: u32,
    edit: impl Fn(u32) -> u32,
) -> Result<(u32, u32), Stop> {
    let at = LinearAddr::new(place);
    let old = call.machine.read_user(at)?;
    let new = edit(old);
    call.machine.write_user(at, new)?;
    Ok((old, new))
}
