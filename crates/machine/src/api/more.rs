//! Small functions that programs call in passing: processors, times, consoles, pages of their own.

use pagefault_cpu::Reg;
use pagefault_vmm::mmu::{FrameNumber, LinearAddr};
use pagefault_vmm::{PhysicalError, Win32Code, Window};

use crate::api::text::{Ansi, Text};
use crate::api::threads::{NS_PER_MS, is_process};
use crate::api::{Call, Modules, Stop, TRUE};
use crate::error::MOD_NOT_FOUND;
use crate::watch::Watch;

/// Nanoseconds of a step of a `FILETIME`.
const NS_PER_STEP: u64 = 100;

/// `GetTickCount64`: in EDX and EAX.
pub(super) fn get_tick_count_64<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let low = super::time::get_tick_count(call)?;
    let whole = call.machine.now_ns() / NS_PER_MS;
    let high = u32::try_from(whole >> u32::BITS).unwrap_or(0);
    call.machine.cpu.registers_mut().set_gpr(Reg::Edx, high);
    Ok(low)
}

/// `EncodePointer` and `DecodePointer`: a pointer is its own code.
pub(super) fn same<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    // Quirk: encode-pointer
    let [pointer] = call.arguments();
    Ok(pointer)
}

/// `IsProcessorFeaturePresent`
pub(super) fn is_feature_present<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// CMPXCHG8B, MMX, SSE, RDTSC, SSE2.
    const PRESENT: [u32; 5] = [2, 3, 6, 8, 10];
    let [feature] = call.arguments();
    Ok(u32::from(PRESENT.contains(&feature)))
}

/// `IsWow64Process`: no.
pub(super) fn is_wow64_process<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_process, place] = call.arguments();
    call.put_u32(place, 0)?;
    Ok(TRUE)
}

/// `GetProcessAffinityMask`: one processor.
pub(super) fn get_affinity<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_process, own, system] = call.arguments();
    call.put_u32(own, 1)?;
    call.put_u32(system, 1)?;
    Ok(TRUE)
}

/// `SetProcessAffinityMask` and `SetThreadAffinityMask`: only the one processor can be chosen.
pub(super) fn set_affinity<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_of, mask] = call.arguments();
    Ok(if mask & 1 == 1 {
        TRUE
    } else {
        call.fail(Win32Code::INVALID_PARAMETER)
    })
}

/// `GetProcessTimes` and `GetThreadTimes`: all time is the program's own.
pub(super) fn get_times<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_of, created, exited, kernel, user] = call.arguments();
    let now = call.machine.filetime();
    let used = call.machine.now_ns() / NS_PER_STEP;
    for (place, time) in [
        (created, now.saturating_sub(used)),
        (exited, 0),
        (kernel, 0),
        (user, used),
    ] {
        call.put_bytes(place, &time.to_le_bytes())?;
    }
    Ok(TRUE)
}

/// `GetModuleHandleEx`: by name, or by an address in the module.
pub(super) fn get_module_handle_ex<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// `GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS`
    const FROM_ADDRESS: u32 = 4;
    let [flags, name, place] = call.arguments();
    let image = call.machine.image.clone();
    let found = if name == 0 {
        Some(image.start)
    } else if flags & FROM_ADDRESS != 0 {
        let modules = Modules::all::<W>();
        let own = image.contains(&name).then_some(image.start);
        let of_system = || {
            { modules }.find_map(|(base, size, _)| {
                let offset = name.checked_sub(base)?;
                (offset < size).then_some(base)
            })
        };
        own.or_else(of_system)
    } else {
        let name = call.text::<T>(name)?;
        if call.machine.is_program(&name) {
            Some(image.start)
        } else {
            Modules::named::<W>(&name).map(super::libraries::ModuleId::base)
        }
    };
    call.put_u32(place, found.unwrap_or(0))?;
    Ok(match found {
        Some(_) => TRUE,
        None => call.fail(MOD_NOT_FOUND),
    })
}

/// `FatalAppExit`: shows the message and ends the program.
pub(super) fn fatal_app_exit<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_action, text] = call.arguments();
    let text = call.characters::<Ansi>(text)?;
    call.write_device(crate::stdio::Device::Error, &text)?;
    call.flush_all()?;
    Err(Stop::Exit(0))
}

/// `FatalExit`
pub(super) fn fatal_exit<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [code] = call.arguments();
    call.flush_all()?;
    Err(Stop::Exit(code))
}

/// `GetDriveType`: drive C is a disk, and the only one.
pub(super) fn get_drive_type<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const NO_ROOT: u32 = 1;
    const FIXED: u32 = 3;
    let [root] = call.arguments();
    if root == 0 {
        return Ok(FIXED);
    }
    let root = call.text::<T>(root)?;
    let is_known = root.to_ascii_uppercase().starts_with("C:");
    Ok(if is_known { FIXED } else { NO_ROOT })
}

/// `GetLogicalDrives`: C.
pub(super) fn get_logical_drives<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const DRIVE_C: u32 = 1 << 2;
    Ok(DRIVE_C)
}

/// `CharToOem` and `OemToChar`: the two code pages agree on ASCII, and the rest stays as it is.
pub(super) fn copy_characters<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let text = call.characters::<Ansi>(from)?;
    call.put_characters::<Ansi>(to, &text)?;
    Ok(TRUE)
}

/// `CharToOemBuff` and `OemToCharBuff`
pub(super) fn copy_buffer<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to, len] = call.arguments();
    call.move_bytes(to, from, len)?;
    Ok(TRUE)
}

/// `GetLargePageMinimum`
pub(super) fn get_large_page_minimum<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(call.machine.vmm.large_page_bytes())
}

/// `AllocateUserPhysicalPages`
pub(super) fn allocate_physical<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, count_place, array] = call.arguments();
    if !is_process(call, process) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    let count = call
        .machine
        .read_user::<u32>(LinearAddr::new(count_place))?;
    // Where the numbers go has to be there before pages are taken.
    for index in 0..count.min(MAX_PAGES) {
        call.put_u32(array.wrapping_add(index.wrapping_mul(4)), 0)?;
    }
    let machine = &mut *call.machine;
    let taken =
        machine
            .vmm
            .allocate_physical(&mut machine.mmu, machine.process, count.min(MAX_PAGES));
    let frames = match taken {
        Ok(frames) => frames,
        Err(error) => return Ok(call.fail(error.win32_code())),
    };
    for (index, frame) in (0..).zip(&frames) {
        call.put_u32(array.wrapping_add(index * 4), frame.bits())?;
    }
    call.put_u32(count_place, u32::try_from(frames.len()).unwrap_or(0))?;
    Ok(TRUE)
}

/// The most pages of one call: all that 4 GiB have.
const MAX_PAGES: u32 = 1 << 20;

/// `FreeUserPhysicalPages`
pub(super) fn free_physical<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [process, count_place, array] = call.arguments();
    if !is_process(call, process) {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    let count = call
        .machine
        .read_user::<u32>(LinearAddr::new(count_place))?;
    let frames = match frames_at(call, array, count)? {
        Ok(frames) => frames,
        Err(code) => return Ok(call.fail(code)),
    };
    let machine = &mut *call.machine;
    let freed = machine
        .vmm
        .free_physical(&mut machine.mmu, machine.process, &frames);
    Ok(call.truth(freed.map_err(PhysicalError::win32_code)))
}

/// `MapUserPhysicalPages`: without an array, the window is cleared.
pub(super) fn map_physical<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, count, array] = call.arguments();
    let frames = if array == 0 {
        Vec::new()
    } else {
        match frames_at(call, array, count)? {
            Ok(frames) => frames,
            Err(code) => return Ok(call.fail(code)),
        }
    };
    let window = if array == 0 {
        Window::Clear { len_pages: count }
    } else {
        Window::Show(&frames)
    };
    let caller = call.caller();
    let machine = &mut *call.machine;
    let at = LinearAddr::new(address);
    let mapped = machine
        .vmm
        .map_physical(&mut machine.mmu, caller, at, window);
    Ok(call.truth(mapped.map_err(PhysicalError::win32_code)))
}

/// Reads numbers of physical pages.
fn frames_at<W: Watch>(
    call: &mut Call<'_, W>,
    array: u32,
    count: u32,
) -> Result<Result<Vec<FrameNumber>, Win32Code>, Stop> {
    let mut frames = Vec::new();
    for index in 0..count.min(MAX_PAGES) {
        let at = LinearAddr::new(array).wrapping_add(index * 4);
        let number = call.machine.read_user::<u32>(at)?;
        match FrameNumber::new(number) {
            Some(frame) => frames.push(frame),
            None => return Ok(Err(Win32Code::INVALID_PARAMETER)),
        }
    }
    Ok(Ok(frames))
}
