//! Times as text. By hand because humantime takes `1min 30sec` as well and writes `1m 30s`.

use std::time::Duration;

/// Parses a time with its unit, such as `500ms`; 0 needs no unit.
///
/// # Errors
/// The expected form.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "expected a number and a unit, such as 500us".to_owned())?;
    match unit {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        "" if number == 0 => Ok(Duration::ZERO),
        _ => Err("expected one of the units us, ms, s, m, h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit_unless_zero() {
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), duration("300s"));
        assert_eq!(duration("2h"), duration("120m"));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("5").is_err());
        assert!(duration("ms").is_err() && duration("1d").is_err());
        assert!(duration("99999999999999999999s").is_err());
    }
}
