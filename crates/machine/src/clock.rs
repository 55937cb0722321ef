//! A clock that no host has part in: time is what the program has executed and waited for.

use crate::machine::Machine;
use crate::watch::Watch;

// Quirk: clock
/// When a process starts, in 100-nanosecond steps since 1601: 1 January 2026, 00:00 UTC.
const START_FILETIME: u64 = 134_116_992_000_000_000;
/// What the tick count is at the start, in milliseconds: a machine has been on for a while.
const START_TICKS_MS: u64 = 100_000;
/// 100-nanosecond steps from 1601 to 1970.
const UNIX_EPOCH_FILETIME: u64 = 116_444_736_000_000_000;
const STEPS_PER_SECOND: u64 = 10_000_000;
const NS_PER_STEP: u64 = 100;
const NS_PER_MS: u64 = 1_000_000;

/// A date and time of day, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateTime {
    pub(crate) year: u32,
    /// 1 to 12.
    pub(crate) month: u32,
    /// 0 is Sunday.
    pub(crate) weekday: u32,
    /// 1 to 31.
    pub(crate) day: u32,
    /// From 0.
    pub(crate) day_of_year: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) millisecond: u32,
}

impl<W: Watch> Machine<W> {
    /// Returns the tick count in milliseconds.
    pub(crate) fn ticks_ms(&self) -> u64 {
        START_TICKS_MS + self.now_ns() / NS_PER_MS
    }

    /// Returns the time in 100-nanosecond steps since 1601.
    pub(crate) fn filetime(&self) -> u64 {
        START_FILETIME + self.now_ns() / NS_PER_STEP
    }

    /// Returns the seconds since 1970.
    pub(crate) fn unix_time(&self) -> u64 {
        (self.filetime() - UNIX_EPOCH_FILETIME) / STEPS_PER_SECOND
    }
}

/// Returns the date of a time in 100-nanosecond steps since 1601.
pub(crate) fn date_time(filetime: u64) -> DateTime {
    const SECONDS_PER_DAY: u64 = 86_400;
    let seconds = filetime / STEPS_PER_SECOND;
    let mut days = seconds / SECONDS_PER_DAY;
    let second = seconds % SECONDS_PER_DAY;
    // 1 January 1601 was a Monday.
    let weekday = (days + 1) % 7;
    let mut year = 1601;
    loop {
        let len = if is_leap(year) { 366 } else { 365 };
        if days < len {
            break;
        }
        days -= len;
        year += 1;
    }
    let day_of_year = days;
    let mut month = 1;
    while days >= month_days(year, month) {
        days -= month_days(year, month);
        month += 1;
    }
    let small = |value: u64| u32::try_from(value).unwrap_or(0);
    DateTime {
        year: small(year),
        month: small(month),
        weekday: small(weekday),
        day: small(days + 1),
        day_of_year: small(day_of_year),
        hour: small(second / 3600),
        minute: small(second / 60 % 60),
        second: small(second % 60),
        millisecond: small(filetime / (STEPS_PER_SECOND / 1000) % 1000),
    }
}

/// Returns the time of a date in 100-nanosecond steps since 1601; `None` if there is no such date.
pub(crate) fn filetime_of(date: &DateTime) -> Option<u64> {
    let (year, month) = (u64::from(date.year), u64::from(date.month));
    let is_date = (1601..=30_827).contains(&year)
        && (1..=12).contains(&month)
        && date.day >= 1
        && u64::from(date.day) <= month_days(year, month);
    if !is_date || date.hour > 23 || date.minute > 59 || date.second > 59 {
        return None;
    }
    let before: u64 = (1601..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    let months: u64 = (1..month).map(|month| month_days(year, month)).sum();
    let days = before + months + u64::from(date.day) - 1;
    let seconds = ((days * 24 + u64::from(date.hour)) * 60 + u64::from(date.minute)) * 60
        + u64::from(date.second);
    Some(seconds * STEPS_PER_SECOND + u64::from(date.millisecond) * (STEPS_PER_SECOND / 1000))
}

/// Returns the time of a number of seconds since 1970.
pub(crate) fn filetime_of_unix(seconds: u32) -> u64 {
    UNIX_EPOCH_FILETIME + u64::from(seconds) * STEPS_PER_SECOND
}

/// Returns the seconds since 1970 of a time; 0 for earlier ones.
pub(crate) fn unix_of(filetime: u64) -> u64 {
    filetime.saturating_sub(UNIX_EPOCH_FILETIME) / STEPS_PER_SECOND
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_starts_on_new_years_day_of_2026() {
        let date = date_time(START_FILETIME);

        assert_eq!(
            (date.year, date.month, date.day, date.hour),
            (2026, 1, 1, 0)
        );
        assert_eq!((date.weekday, date.day_of_year), (4, 0)); // A Thursday.
        assert_eq!(filetime_of(&date), Some(START_FILETIME));
    }

    #[test]
    fn dates_come_back() {
        for seconds in [0, 951_782_400, 951_868_800, 1_709_164_800, u32::MAX] {
            let time = filetime_of_unix(seconds);
            assert_eq!(filetime_of(&date_time(time)), Some(time), "{seconds}");
        }
        assert_eq!(date_time(filetime_of_unix(951_782_400)).day, 29);
        let mut date = date_time(0);
        date.month = 13;
        assert_eq!(filetime_of(&date), None);
    }
}
