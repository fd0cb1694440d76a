//! Who may connect, from where and how often.
//!
//! Pure: addresses and the time go in, verdicts come out. The acceptor asks about each new connection. When the lists
//! change, the shards ask about each of their sessions.
//!
//! Imports: session, sources, wire.

mod ao_keys;
mod keys;
mod list;
mod prefix;
mod rate;

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use ao_keys::{AoEntry, AoKeys};
pub use keys::KeyFileError;
pub(crate) use keys::{KeyFile, TcpKeys};
pub use list::AccessList;
pub use prefix::{Prefix, PrefixError};

use self::rate::Rates;
use crate::session::CloseReason;
pub(crate) use crate::sources::SourceShare;
use crate::sources::{Counts, Source};

/// The sources that may connect, and how often. By default every source may have 64 sessions and make 100 new
/// connections per second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// The allowed and denied prefixes of sources.
    pub list: AccessList,
    /// The number of sessions that one source may have at a time; 0 means no limit.
    pub max_peers_per_source: u64,
    /// The number of new connections per second that one source may make, with bursts of twice as many; 0 means no
    /// limit.
    pub connect_rate_per_source: u32,
    /// Whether the limits also apply to loopback addresses. By default they do not: programs on the reflector's
    /// own machine, such as a proxy for many peers, share that one source.
    pub limits_loopback: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            list: AccessList::default(),
            max_peers_per_source: 64,
            connect_rate_per_source: 100,
            limits_loopback: false,
        }
    }
}

/// Applies [`Access`] to new connections.
#[derive(Debug)]
pub(crate) struct Gate {
    access: Access,
    rates: Rates,
    counts: Counts,
}

impl Gate {
    pub(crate) fn new(access: Access) -> Self {
        Self { access, rates: Rates::default(), counts: Counts::default() }
    }

    /// Replaces the rules. Keeps the counts of sources.
    pub(crate) fn set(&mut self, access: Access) {
        self.access = access;
    }

    /// Whether a connection may stay, and its share of its source's count. `now` is the time
    /// since any fixed moment.
    ///
    /// The rate is checked last: a connection refused for another reason does not use it up.
    pub(crate) fn admit(
        &mut self,
        now: Duration,
        remote: SocketAddr,
    ) -> Result<SourceShare, CloseReason> {
        let Access { list, max_peers_per_source, connect_rate_per_source, limits_loopback } =
            &self.access;
        if !list.allows(remote.ip()) {
            return Err(CloseReason::Denied);
        }
        let source = Source::of(remote);
        if !limits_loopback && is_loopback(remote) {
            return Ok(self.counts.add(source).unlimited());
        }
        let max = *max_peers_per_source;
        if max > 0 && self.counts.of(source) >= max {
            return Err(CloseReason::MaxPeersPerSource(max));
        }
        let rate = *connect_rate_per_source;
        if rate > 0 && !self.rates.take(now, source, rate) {
            return Err(CloseReason::ConnectRate(rate));
        }
        Ok(self.counts.add(source))
    }

    /// Whether the list allows a source now; it may have changed since the connection was admitted.
    pub(crate) fn allows(&self, remote: SocketAddr) -> bool {
        self.access.list.allows(remote.ip())
    }

    /// The share of a connection that was admitted elsewhere.
    pub(crate) fn readmit(&mut self, remote: SocketAddr) -> SourceShare {
        let share = self.counts.add(Source::of(remote));
        if !self.access.limits_loopback && is_loopback(remote) { share.unlimited() } else { share }
    }
}

fn is_loopback(remote: SocketAddr) -> bool {
    remote.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(gate: &mut Gate, second: u64, source: &str) -> Result<SourceShare, &'static str> {
        let remote = SocketAddr::new(source.parse().unwrap(), 47);
        gate.admit(Duration::from_secs(second), remote).map_err(|reason| reason.name())
    }

    #[test]
    fn a_source_has_64_sessions_unless_told_otherwise_and_the_loopback_any_number() {
        let mut gate = Gate::new(Access::default());
        let _places: Vec<_> = (0..64).map(|_| admit(&mut gate, 0, "192.0.2.1").unwrap()).collect();
        assert_eq!(admit(&mut gate, 0, "192.0.2.1").unwrap_err(), "max_peers_per_source");
        for loopback in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            let places: Vec<_> =
                (0..1000).map(|_| admit(&mut gate, 0, loopback).unwrap()).collect();
            assert_eq!(places.len(), 1000);
        }
        gate.set(Access {
            max_peers_per_source: 0,
            connect_rate_per_source: 0,
            ..Access::default()
        });
        let places: Vec<_> = (0..1000).map(|_| admit(&mut gate, 0, "192.0.2.1").unwrap()).collect();
        assert_eq!(places.len(), 1000);
    }

    #[test]
    fn a_source_connects_100_times_a_second_unless_told_otherwise() {
        let mut gate = Gate::new(Access::default());
        let coming = |gate: &mut Gate, source: &str, second| {
            (0..1000).filter(|_| admit(gate, second, source).is_ok()).count()
        };
        assert_eq!(coming(&mut gate, "192.0.2.1", 0), 200);
        assert_eq!(coming(&mut gate, "192.0.2.1", 1), 100);
        assert_eq!(coming(&mut gate, "::1", 0), 1000);
    }

    #[test]
    fn each_reason_has_its_name() {
        let list = AccessList::new([], ["10.0.0.0/8".parse().unwrap()]);
        let mut gate = Gate::new(Access {
            list,
            max_peers_per_source: 3,
            connect_rate_per_source: 1,
            ..Access::default()
        });
        assert_eq!(admit(&mut gate, 0, "10.0.0.1").unwrap_err(), "denied");
        assert_eq!(admit(&mut gate, 0, "::ffff:10.0.0.1").unwrap_err(), "denied");
        let first = admit(&mut gate, 0, "192.0.2.1").unwrap();
        let _second = admit(&mut gate, 0, "192.0.2.1").unwrap();
        assert_eq!(admit(&mut gate, 0, "192.0.2.1").unwrap_err(), "connect_rate_per_source");
        let _third = admit(&mut gate, 1, "192.0.2.1").unwrap();
        assert_eq!(admit(&mut gate, 2, "192.0.2.1").unwrap_err(), "max_peers_per_source");
        drop(first);
        let _fourth = admit(&mut gate, 2, "192.0.2.1").unwrap();
    }

    #[test]
    fn sessions_are_counted_before_there_is_a_limit() {
        let mut gate = Gate::new(Access::default());
        let _place = admit(&mut gate, 0, "2001:db8::1").unwrap();
        gate.set(Access { max_peers_per_source: 1, ..Access::default() });
        assert_eq!(admit(&mut gate, 0, "2001:db8::2").unwrap_err(), "max_peers_per_source");
        let _place = admit(&mut gate, 0, "2001:db8:0:1::1").unwrap();
    }
}
