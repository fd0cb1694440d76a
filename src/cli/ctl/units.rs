//! Numbers as people read them. By hand because humantime writes a time in all its units, and a column has room for
//! two.

use std::time::Duration;

use serde_json::Value;

use super::screen::clean;

/// A number or text as it is; nothing for null.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => clean(text),
        other => other.to_string(),
    }
}

/// A whole number.
pub(super) fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".into(), |number| number.to_string())
}

/// Seconds.
pub(super) fn time(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".into(), time_of)
}

/// Bytes.
pub(super) fn size(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".into(), size_of)
}

fn time_of(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).map_or(0, |time| time.as_secs());
    let (days, hours) = (whole / 86_400, whole / 3600 % 24);
    let (minutes, left) = (whole / 60 % 60, whole % 60);
    match whole {
        0 if seconds < 1e-3 => format!("{:.0}us", seconds * 1e6),
        0 => format!("{:.0}ms", seconds * 1e3),
        1..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{minutes}m{left:02}s"),
        3600..86_400 => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

fn size_of(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0us"),
            (0.000_064, "64us"),
            (0.25, "250ms"),
            (3.44, "3.4s"),
            (61.0, "1m01s"),
            (3_725.0, "1h02m"),
            (90_000.0, "1d01h"),
        ] {
            assert_eq!(time(&json!(seconds)), text);
        }
        assert_eq!(time(&Value::Null), "-");
    }

    #[test]
    fn sizes_have_one_digit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
            (1_u64 << 50, "1024.0 TiB"),
        ] {
            assert_eq!(size(&json!(bytes)), text);
        }
    }

    #[test]
    fn names_do_not_reach_the_terminal_as_commands() {
        assert_eq!(shown(&json!("a\u{1b}[2Jb\n")), "a?[2Jb?");
    }
}
