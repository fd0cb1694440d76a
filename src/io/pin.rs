//! The cores on which shards run.
//!
//! A shard that has a core of its own keeps its caches warm. But two shards of different processes that are pinned to
//! one core wait for each other while another core idles, and neither process knows of the other. So by default shards
//! are pinned only if their number is that of the cores or a multiple of it, because then no better place is left;
//! otherwise the scheduler chooses.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The highest number that a core may have: far above the numbers of any kernel.
const CPU_MAX: usize = 8191;

/// The cores of shards, as the configuration names them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Pin {
    /// The shards in turn on the cores that the process may use, if the number of shards is that of the cores or a
    /// multiple of it; otherwise like `Off`.
    #[default]
    Auto,
    /// The scheduler chooses.
    Off,
    /// Shards on these cores, one after the other; if there are more shards than cores, from the first core again.
    Cpus(Vec<usize>),
}

/// Why shards cannot be pinned as [`Pin`] says, or a text is not a [`Pin`].
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PinError {
    /// The text is not a [`Pin`].
    #[error("expected auto, off, or cores such as 0-3,8")]
    Syntax,
    /// A core that does not exist, or that the process may not use.
    #[error(
        "--pin {cpu} is not a core that this process may use; give one of the cores {}, or allow \
         the process more cores (taskset, cpuset)",
        Cpus(allowed)
    )]
    NotAllowed {
        /// The core.
        cpu: usize,
        /// The cores that the process may use.
        allowed: Vec<usize>,
    },
}

/// The text of a list of cores, such as `0-3,8`.
#[derive(Debug)]
pub(crate) struct Cpus<'a>(pub(crate) &'a [usize]);

impl Pin {
    /// The core of each shard, or `None` if shards are not pinned. `allowed` are the cores that the process may use.
    ///
    /// # Errors
    /// [`PinError::NotAllowed`]
    pub fn places(&self, shards: usize, allowed: &[usize]) -> Result<Option<Vec<usize>>, PinError> {
        let cpus = match self {
            Self::Off => return Ok(None),
            // With more shards than cores, a further pinned shard would share a core although others are free.
            Self::Auto if !shards.is_multiple_of(allowed.len().max(1)) => return Ok(None),
            Self::Auto => allowed,
            Self::Cpus(cpus) => cpus,
        };
        if let Some(&cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            return Err(PinError::NotAllowed { cpu, allowed: allowed.to_vec() });
        }
        Ok(Some(cpus.iter().copied().cycle().take(shards).collect()))
    }

    /// The cores for shards: those that [`Pin::Cpus`] names, otherwise all `allowed` cores.
    #[must_use]
    pub fn cpus<'a>(&'a self, allowed: &'a [usize]) -> &'a [usize] {
        match self {
            Self::Auto | Self::Off => allowed,
            Self::Cpus(cpus) => cpus,
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Cpus(cpus) => Cpus(cpus).fmt(f),
        }
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        match text {
            "auto" => return Ok(Self::Auto),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let [first, last] = [first, last].map(|number| number.trim().parse::<usize>());
            let (Ok(first), Ok(last)) = (first, last) else { return Err(PinError::Syntax) };
            if first > last || last > CPU_MAX {
                return Err(PinError::Syntax);
            }
            let new: Vec<_> = (first..=last).filter(|cpu| !cpus.contains(cpu)).collect();
            cpus.extend(new);
        }
        Ok(Self::Cpus(cpus))
    }
}

impl fmt::Display for Cpus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        for (n, run) in runs.enumerate() {
            let comma = if n > 0 { "," } else { "" };
            match run {
                [] => {}
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_told_as_the_kernel_tells_them() {
        for (text, expected) in [
            ("auto", Ok(Pin::Auto)),
            ("off", Ok(Pin::Off)),
            ("3", Ok(Pin::Cpus(vec![3]))),
            ("0-2,8", Ok(Pin::Cpus(vec![0, 1, 2, 8]))),
            ("4,0-1,1", Ok(Pin::Cpus(vec![4, 0, 1]))),
            ("", Err(PinError::Syntax)),
            ("on", Err(PinError::Syntax)),
            ("1,", Err(PinError::Syntax)),
            ("3-1", Err(PinError::Syntax)),
            ("-1", Err(PinError::Syntax)),
            ("0-18446744073709551615", Err(PinError::Syntax)),
        ] {
            assert_eq!(text.parse(), expected, "{text:?}");
        }
        assert_eq!(Cpus(&[0, 1, 2, 8, 4, 5]).to_string(), "0-2,8,4-5");
    }

    #[test]
    fn shards_are_pinned_when_they_fill_the_cores() {
        let allowed = [2, 3, 5];
        for (shards, expected) in [
            (1, None),
            (2, None),
            (3, Some(vec![2, 3, 5])),
            (4, None),
            (6, Some(vec![2, 3, 5, 2, 3, 5])),
        ] {
            assert_eq!(Pin::Auto.places(shards, &allowed), Ok(expected), "{shards}");
        }
        assert_eq!(Pin::Off.places(3, &allowed), Ok(None));
        let named = Pin::Cpus(vec![5, 2]);
        assert_eq!(named.places(1, &allowed), Ok(Some(vec![5])));
        assert_eq!(named.places(3, &allowed), Ok(Some(vec![5, 2, 5])));
        let error = Pin::Cpus(vec![2, 4]).places(1, &allowed).unwrap_err();
        assert!(error.to_string().contains("--pin 4 is not a core"), "{error}");
        assert!(error.to_string().contains("the cores 2-3,5, or"), "{error}");
    }
}
