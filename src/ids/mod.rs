//! Small types that all folders share: numbers of peers and shards, and moments; the peers by which sites appear in
//! tables (`link`); the identity of a peer that comes back (`kin`); times as text (`duration`); and how near a number
//! is to its limit (`level`).
//!
//! Imports: nothing.

mod duration;
mod kin;
mod level;
pub(crate) mod link;

use std::fmt;
use std::time::Duration;

pub use duration::duration;
pub(crate) use kin::Kin;
pub(crate) use level::Level;

/// The number of a session, from accept to close. The process never uses a number again, so a message about a peer that
/// has left cannot be mistaken for a message about a later peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The number of a shard, the part of the reflector that one thread runs; from 0 on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The shard of an index into per-shard arrays. There are at most 1024 shards.
    pub(crate) fn at(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// The first `count` shards.
    pub(crate) fn first(count: usize) -> impl Iterator<Item = Self> + use<> {
        (0..count).map(Self::at)
    }

    /// The number as an index into an array with one element per shard.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment in microseconds since the process (or the simulation) began. The pure folders read no clock: the code that
/// drives them passes the time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// The time since `earlier`; zero if `earlier` is later than this moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(micros(rhs)))
    }
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whether a text can be the name of a site: 1 to 32 of `a` to `z`, `0` to `9` and `-`, which need no escape in the
/// subjects and permissions of a message bus.
#[must_use]
pub fn is_site_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_subjects_hold() {
        for name in ["fra1", "a", "eu-west-2b", &"x".repeat(32)] {
            assert!(is_site_name(name), "{name}");
        }
        for name in
            ["", "Fra1", "fra.1", "fra*", "fra>", "fra 1", "fra_1", "fränk", &"x".repeat(33)]
        {
            assert!(!is_site_name(name), "{name}");
        }
    }
}
