//! The date as the reference and as HTTP write it, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The last second of the year 9999, past which HTTP has no dates.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970; 0 for earlier times.
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Microseconds since 1970; 0 for earlier times.
pub(crate) fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// The text of a moment, given in microseconds since 1970, in the form of RFC 3339, for example
/// `2006-01-02T15:04:05.000000Z`.
#[must_use]
pub fn precise(micros: u64) -> String {
    format!("{}.{:06}Z", of(micros / 1_000_000).replace(' ', "T"), micros % 1_000_000)
}

/// A duration in its two largest units, for example `3h05m`.
pub(crate) fn in_words(time: Duration) -> String {
    let s = time.as_secs();
    let (days, hours, minutes) = (s / 86_400, s / 3600 % 24, s / 60 % 60);
    match s {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        60..3600 => format!("{minutes}m{:02}s", s % 60),
        3600..86_400 => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// Now, for example `2006-01-02 15:04:05`.
pub(crate) fn now() -> String {
    of(seconds())
}

/// A moment in seconds since 1970 as HTTP writes it, for example `Mon, 02 Jan 2006 15:04:05 GMT`.
pub(crate) fn http(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST)))
}

/// A moment in seconds since 1970.
fn of(seconds: u64) -> String {
    let date = http(seconds);
    let mut fields = date.split(' ').skip(1);
    let mut next = || fields.next().unwrap_or_default();
    let (day, month, year, time) = (next(), next(), next(), next());
    let month = MONTHS.iter().position(|name| *name == month).map_or(0, |at| at + 1);
    format!("{year}-{month:02}-{day} {time}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{http, in_words, of, precise};

    #[test]
    fn dates_are_civil() {
        let dates = [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_136_214_245, "2006-01-02 15:04:05"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ];
        for (seconds, date) in dates {
            assert_eq!(of(seconds), date);
        }
    }

    #[test]
    fn precise_dates_have_microseconds() {
        assert_eq!(precise(1_136_214_245_000_042), "2006-01-02T15:04:05.000042Z");
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, words) in [(3, "3.0s"), (63, "1m03s"), (11_100, "3h05m"), (90_000, "1d01h")] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn dates_of_http_name_the_day() {
        let dates = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_136_214_245, "Mon, 02 Jan 2006 15:04:05 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        ];
        for (seconds, date) in dates {
            assert_eq!(http(seconds), date);
        }
    }
}
