//! Limits of the whole reflector: the configuration.

use std::fmt;
use std::str::FromStr;

/// Limits of the whole reflector. At a limit it refuses further routes or VNIs and keeps everything that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capacity {
    /// The number of routes in all VNIs; 0 means no limit.
    pub max_routes: u64,
    /// The number of VNIs in which a peer takes part; 0 means no limit.
    pub max_vnis: u64,
    /// The memory of the process.
    pub memory: MemoryBudget,
}

/// The memory that a reflector may use before it refuses to grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemoryBudget {
    /// [`MemoryBudget::SHARE`] percent of the memory limit of its control group; no limit without one. The rest is for
    /// memory that depends on traffic.
    #[default]
    Auto,
    /// No limit.
    Any,
    /// This number of bytes.
    Bytes(u64),
}

impl MemoryBudget {
    /// The part of the control group's limit, in percent.
    pub const SHARE: u64 = 85;

    /// Bytes, where a control group grants so many.
    pub(crate) fn bytes(self, granted: Option<u64>) -> Option<u64> {
        match self {
            Self::Auto => granted.map(|bytes| bytes / 100 * Self::SHARE),
            Self::Any => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// Units, the largest first.
const UNITS: [(char, u64); 3] = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

impl FromStr for MemoryBudget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected auto, 0 for any amount, or bytes such as 1500M or 2G";
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let unit = UNITS.iter().find_map(|(sign, size)| Some((text.strip_suffix(*sign)?, *size)));
        let (number, size) = unit.unwrap_or((text, 1));
        let number: u64 = number.parse().map_err(|_| EXPECTED)?;
        match number.checked_mul(size).ok_or(EXPECTED)? {
            0 => Ok(Self::Any),
            bytes => Ok(Self::Bytes(bytes)),
        }
    }
}

impl fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self {
            Self::Auto => return f.write_str("auto"),
            Self::Any => return f.write_str("0"),
            Self::Bytes(bytes) => bytes,
        };
        match UNITS.iter().find(|(_, size)| bytes.is_multiple_of(*size)) {
            Some((sign, size)) => write!(f, "{}{sign}", bytes / size),
            None => write!(f, "{bytes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_told_as_they_are_read() {
        for text in ["auto", "0", "1500M", "2G", "7K", "1234567"] {
            assert_eq!(text.parse::<MemoryBudget>().unwrap().to_string(), text);
        }
        assert_eq!("1024M".parse(), Ok(MemoryBudget::Bytes(1 << 30)));
        for text in ["", "M", "-1", "2T", "1.5G", "99999999999G", "any"] {
            assert!(text.parse::<MemoryBudget>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_budget_is_by_default_a_part_of_what_is_granted() {
        assert_eq!(MemoryBudget::Auto.bytes(Some(2_000)), Some(1_700));
        assert_eq!(MemoryBudget::Auto.bytes(None), None);
        assert_eq!(MemoryBudget::Any.bytes(Some(2_000)), None);
        assert_eq!(MemoryBudget::Bytes(3_000).bytes(Some(2_000)), Some(3_000));
    }
}
