//! Time: a clock that goes by executed instructions.

use pagefault_vmm::Win32Code;

use crate::api::files::halves;
use crate::api::{Call, Stop, TRUE};
use crate::clock::{self, DateTime};
use crate::watch::Watch;

/// What `QueryPerformanceFrequency` tells: steps of a second.
const PERFORMANCE_FREQUENCY: u64 = 10_000_000;

/// `GetTickCount`: milliseconds.
pub(super) fn get_tick_count<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [low, _] = halves(call.machine.ticks_ms());
    Ok(low)
}

/// `QueryPerformanceCounter`.
pub(super) fn query_performance_counter<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let count = call.machine.now_ns() / (1_000_000_000 / PERFORMANCE_FREQUENCY);
    call.put_bytes(place, &count.to_le_bytes())?;
    Ok(TRUE)
}

/// `QueryPerformanceFrequency`.
pub(super) fn query_performance_frequency<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    call.put_bytes(place, &PERFORMANCE_FREQUENCY.to_le_bytes())?;
    Ok(TRUE)
}

/// `GetSystemTime` and `GetLocalTime`: the time zone is UTC.
pub(super) fn get_system_time<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let date = clock::date_time(call.machine.filetime());
    put_system_time(call, place, &date)?;
    Ok(0)
}

/// Fills a `SYSTEMTIME`.
fn put_system_time<W: Watch>(
    call: &mut Call<'_, W>,
    place: u32,
    date: &DateTime,
) -> Result<(), Stop> {
    let fields = [
        date.year,
        date.month,
        date.weekday,
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.millisecond,
    ];
    let bytes: Vec<u8> = fields
        .iter()
        .flat_map(|field| field.to_le_bytes().into_iter().take(2))
        .collect();
    call.put_bytes(place, &bytes)
}

/// `GetSystemTimeAsFileTime`.
pub(super) fn get_system_time_as_file_time<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let time = call.machine.filetime();
    call.put_bytes(place, &time.to_le_bytes())?;
    Ok(0)
}

/// `FileTimeToSystemTime`.
pub(super) fn file_time_to_system_time<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let time = filetime(call, from)?;
    if time > i64::MAX.unsigned_abs() {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    put_system_time(call, to, &clock::date_time(time))?;
    Ok(TRUE)
}

fn filetime<W: Watch>(call: &mut Call<'_, W>, place: u32) -> Result<u64, Stop> {
    let bytes = call.get_bytes(place, 8)?;
    Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
}

/// `SystemTimeToFileTime`.
pub(super) fn system_time_to_file_time<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const SYSTEMTIME_BYTES: u32 = 16;
    let [from, to] = call.arguments();
    let bytes = call.get_bytes(from, SYSTEMTIME_BYTES)?;
    let fields = bytes.as_chunks::<2>().0.iter();
    let fields: Vec<u32> = fields
        .map(|pair| u16::from_le_bytes(*pair).into())
        .collect();
    let [year, month, weekday, day, hour, minute, second, millisecond] = fields[..] else {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    };
    let date = DateTime {
        year,
        month,
        weekday,
        day,
        day_of_year: 0,
        hour,
        minute,
        second,
        millisecond,
    };
    match clock::filetime_of(&date) {
        Some(time) => {
            call.put_bytes(to, &time.to_le_bytes())?;
            Ok(TRUE)
        }
        None => Ok(call.fail(Win32Code::INVALID_PARAMETER)),
    }
}

/// `FileTimeToLocalFileTime` and back: the time zone is UTC.
pub(super) fn file_time_to_local<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let time = filetime(call, from)?;
    call.put_bytes(to, &time.to_le_bytes())?;
    Ok(TRUE)
}

/// `CompareFileTime`.
pub(super) fn compare_file_time<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second] = call.arguments();
    let (first, second) = (filetime(call, first)?, filetime(call, second)?);
    Ok((first.cmp(&second) as i32).cast_unsigned())
}
