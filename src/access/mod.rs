//! Who may connect, from where and how often.
//!
//! Pure: addresses and the time go in, verdicts come out. The acceptor asks for each connection, and
//! the shards ask for the sessions that they hold when the lists change.
//!
//! Imports: session, sources.

mod list;
mod prefix;
mod rate;

use std::net::SocketAddr;
use std::time::Duration;

pub use list::AccessList;
pub use prefix::{Prefix, PrefixError};

use self::rate::Rates;
use crate::session::CloseReason;
pub(crate) use crate::sources::SourceShare;
use crate::sources::{Counts, Source};

/// Who may connect. The default is everybody, as often as they like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// Sources that may connect, and that may not.
    pub list: AccessList,
    /// Sessions at a time of one source; 0 for any number.
    pub max_peers_per_source: u64,
    /// New connections of one source per second, twice as many at once; 0 for any number.
    pub connect_rate_per_source: u32,
}

/// Holds [`Access`] to what comes.
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

    /// From now on by this. What is known of sources is kept.
    pub(crate) fn set(&mut self, access: Access) {
        self.access = access;
    }

    /// Whether a connection may stay, and its place among those of its source. `now` is the time
    /// since any fixed moment.
    ///
    /// The rate is asked last: what is refused for another reason does not use it up.
    pub(crate) fn admit(
        &mut self,
        now: Duration,
        remote: SocketAddr,
    ) -> Result<SourceShare, CloseReason> {
        let Access { list, max_peers_per_source, connect_rate_per_source } = &self.access;
        if !list.allows(remote.ip()) {
            return Err(CloseReason::Denied);
        }
        let source = Source::of(remote);
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

    /// The place of a connection that was admitted elsewhere.
    pub(crate) fn readmit(&mut self, remote: SocketAddr) -> SourceShare {
        self.counts.add(Source::of(remote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(gate: &mut Gate, second: u64, source: &str) -> Result<SourceShare, &'static str> {
        let remote = SocketAddr::new(source.parse().unwrap(), 47);
        gate.admit(Duration::from_secs(second), remote).map_err(|reason| reason.name())
    }

    #[test]
    fn everybody_is_admitted_unless_told_otherwise() {
        let mut gate = Gate::new(Access::default());
        let places: Vec<_> = (0..1000).map(|_| admit(&mut gate, 0, "192.0.2.1").unwrap()).collect();
        assert_eq!(places.len(), 1000);
    }

    #[test]
    fn each_reason_has_its_name() {
        let list = AccessList::new([], ["10.0.0.0/8".parse().unwrap()]);
        let mut gate =
            Gate::new(Access { list, max_peers_per_source: 3, connect_rate_per_source: 1 });
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
