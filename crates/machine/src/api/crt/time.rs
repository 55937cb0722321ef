//! Time in the C library.

use crate::api::text::Ansi;
use crate::api::{Call, Stop};
use crate::clock::{self, DateTime};
use crate::watch::Watch;

/// The size of a `struct tm` in bytes.
const TM_BYTES: u32 = 36;
/// Years are counted from here.
const TM_YEAR: u32 = 1900;
/// Room for `asctime`.
const TEXT_BYTES: u32 = 32;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `time`: seconds since 1970.
pub(in crate::api) fn time<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let now = u32::try_from(call.machine.unix_time()).unwrap_or(u32::MAX);
    if place != 0 {
        call.put_u32(place, now)?;
    }
    Ok(now)
}

/// `clock`: milliseconds since the start.
pub(in crate::api) fn clock<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const NS_PER_MS: u64 = 1_000_000;
    let elapsed = call.machine.now_ns() / NS_PER_MS;
    Ok(u32::try_from(elapsed).unwrap_or(u32::MAX))
}

/// `localtime` and `gmtime`: the time zone is UTC.
pub(in crate::api) fn localtime<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let seconds = call.get_u32(place)?;
    let date = clock::date_time(clock::filetime_of_unix(seconds));
    let buffer = call.static_buffer("localtime", TM_BYTES);
    if buffer != 0 {
        put_tm(call, buffer, &date)?;
    }
    Ok(buffer)
}

fn put_tm<W: Watch>(call: &mut Call<'_, W>, at: u32, date: &DateTime) -> Result<(), Stop> {
    let words = [
        date.second,
        date.minute,
        date.hour,
        date.day,
        date.month - 1,
        date.year.wrapping_sub(TM_YEAR),
        date.weekday,
        date.day_of_year,
        0, // tm_isdst
    ];
    for (index, word) in (0..).zip(words) {
        call.put_u32(at.wrapping_add(index * 4), word)?;
    }
    Ok(())
}

fn get_tm<W: Watch>(call: &mut Call<'_, W>, at: u32) -> Result<DateTime, Stop> {
    let mut words = [0; 8];
    for (index, word) in (0..).zip(&mut words) {
        *word = call.get_u32(at.wrapping_add(index * 4))?;
    }
    let [second, minute, hour, day, month, year, weekday, day_of_year] = words;
    Ok(DateTime {
        year: year.wrapping_add(TM_YEAR),
        month: month.wrapping_add(1),
        weekday,
        day,
        day_of_year,
        hour,
        minute,
        second,
        millisecond: 0,
    })
}

/// `mktime`: seconds since 1970, or -1 if there is no such time.
pub(in crate::api) fn mktime<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [at] = call.arguments();
    let date = get_tm(call, at)?;
    let Some(filetime) = clock::filetime_of(&date) else {
        return Ok(u32::MAX);
    };
    put_tm(call, at, &clock::date_time(filetime))?;
    Ok(u32::try_from(clock::unix_of(filetime)).unwrap_or(u32::MAX))
}

/// `asctime`.
pub(in crate::api) fn asctime<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [at] = call.arguments();
    let date = get_tm(call, at)?;
    shown(call, &date)
}

/// `ctime`.
pub(in crate::api) fn ctime<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [place] = call.arguments();
    let seconds = call.get_u32(place)?;
    shown(call, &clock::date_time(clock::filetime_of_unix(seconds)))
}

fn shown<W: Watch>(call: &mut Call<'_, W>, date: &DateTime) -> Result<u32, Stop> {
    let weekday = WEEKDAYS.get(date.weekday as usize).unwrap_or(&"???");
    let month = MONTHS
        .get(date.month.wrapping_sub(1) as usize)
        .unwrap_or(&"???");
    let text = format!(
        "{weekday} {month} {:02} {:02}:{:02}:{:02} {}\n",
        date.day, date.hour, date.minute, date.second, date.year
    );
    let buffer = call.static_buffer("asctime", TEXT_BYTES);
    if buffer != 0 {
        let text = text.as_bytes();
        let fitting = text.get(..TEXT_BYTES as usize - 1).unwrap_or(text);
        call.put_characters::<Ansi>(buffer, fitting)?;
    }
    Ok(buffer)
}
