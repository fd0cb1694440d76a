//! The cores on which shards run.
//!
//! A shard that has a core of its own keeps its caches warm, and its peers' threads find it where it was: in a network of
//! small windows that saves up to 40 % of the CPU time. So by default each shard is pinned to a core. If there are
//! fewer shards than cores, the first shard gets the core on which the process starts, where the scheduler found room,
//! and the others get the cores behind it; so two reflectors on one machine seldom choose the same cores. If they do,
//! the balancer unpins the shard that does not get its core. Shards that are more than the cores, and no multiple of
//! them, are left to the scheduler, because it can share the cores out more evenly.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The highest number that a core may have: far above the numbers of any kernel.
const CPU_MAX: usize = 8191;

/// The cores of shards, as the configuration names them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Pin {
    /// The shards in turn on the cores that the process may use, from the core on which it starts if there are fewer
    /// shards than cores. Like `Off` if there are more shards than cores, and not a multiple of them.
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
    /// The core of each shard, or `None` if shards are not pinned. `allowed` are the cores that the process may use,
    /// and `here` is the core on which the caller runs.
    ///
    /// # Errors
    /// [`PinError::NotAllowed`]
    pub fn places(
        &self,
        shards: usize,
        allowed: &[usize],
        here: usize,
    ) -> Result<Option<Vec<usize>>, PinError> {
        let (cpus, first) = match self {
            Self::Off => return Ok(None),
            Self::Auto if shards < allowed.len() => {
                (allowed, allowed.iter().position(|cpu| *cpu == here).unwrap_or(0))
            }
            Self::Auto if shards.is_multiple_of(allowed.len().max(1)) => (allowed, 0),
            Self::Auto => return Ok(None),
            Self::Cpus(cpus) => (&cpus[..], 0),
        };
        if let Some(&cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            return Err(PinError::NotAllowed { cpu, allowed: allowed.to_vec() });
        }
        Ok(Some(cpus.iter().copied().cycle().skip(first).take(shards).collect()))
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
    fn shards_are_pinned_unless_some_would_share_a_core_and_others_not() {
        let allowed = [2, 3, 5];
        for (shards, here, expected) in [
            (1, 5, Some(vec![5])),
            (2, 2, Some(vec![2, 3])),
            (2, 5, Some(vec![5, 2])),
            (2, 4, Some(vec![2, 3])),
            (3, 5, Some(vec![2, 3, 5])),
            (4, 5, None),
            (6, 5, Some(vec![2, 3, 5, 2, 3, 5])),
        ] {
            assert_eq!(Pin::Auto.places(shards, &allowed, here), Ok(expected), "{shards}, {here}");
        }
        assert_eq!(Pin::Off.places(3, &allowed, 2), Ok(None));
        let named = Pin::Cpus(vec![5, 2]);
        assert_eq!(named.places(1, &allowed, 2), Ok(Some(vec![5])));
        assert_eq!(named.places(3, &allowed, 2), Ok(Some(vec![5, 2, 5])));
        let error = Pin::Cpus(vec![2, 4]).places(1, &allowed, 2).unwrap_err();
        assert!(error.to_string().contains("--pin 4 is not a core"), "{error}");
        assert!(error.to_string().contains("the cores 2-3,5, or"), "{error}");
    }
}
