//! The date as the reference and as HTTP write it, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// From Thursday on, which 1970-01-01 was.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970; 0 before.
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Now, for example `2006-01-02 15:04:05`.
pub(crate) fn now() -> String {
    of(seconds())
}

/// A moment in seconds since 1970 as HTTP writes it, for example `Mon, 02 Jan 2006 15:04:05 GMT`.
pub(crate) fn http(seconds: u64) -> String {
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let pick = |names: &[&'static str], at: u64| names[usize::try_from(at).unwrap_or(0)];
    let (weekday, month) = (pick(&DAYS, days % 7), pick(&MONTHS, month - 1));
    let (hour, minute, second) = time(seconds);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// A moment in seconds since 1970.
fn of(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = time(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Hour, minute and second of the day.
fn time(seconds: u64) -> (u64, u64, u64) {
    let second = seconds % 86_400;
    (second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of a day since 1970-01-01. Years are counted from March, so that the leap
/// day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::{http, of};

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
