//! What a leaf is started with.

use std::time::Duration;

/// How a leaf behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeafConfig {
    /// The keepalive interval to ask for, in seconds; 0 is taken for 1. A session uses the lower of both
    /// sides'. A server is dead that sends nothing for two and a half of these.
    pub keepalive: u32,
    /// How long routes stay when no server is left that has them. Zero: they go at once.
    pub stale_time: Duration,
    /// A stable name of this host, told to servers; at most 255 bytes of it.
    pub node: String,
    /// Routes that one server may announce before its session is closed; and stale ones of one VNI
    /// that are kept.
    pub routes_per_peer: usize,
    /// How long to wait between attempts to connect.
    pub backoff: Backoff,
}

impl Default for LeafConfig {
    /// 5 s keepalive, 120 s stale time, no name, 4,000,000 routes, 0.5 s to 30 s between attempts.
    fn default() -> Self {
        Self {
            keepalive: 5,
            stale_time: Duration::from_secs(120),
            node: String::new(),
            routes_per_peer: 4_000_000,
            backoff: Backoff::default(),
        }
    }
}

/// Pauses between attempts to connect: each is twice as long as the one before and, so that not all
/// leaves of a data centre come at once, up to half as long again; from `min` to `max`. They begin
/// anew when a session has held for ten seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The first pause at least; less than a millisecond is taken for one.
    pub min: Duration,
    /// Any pause at most; less than three halves of `min` is taken for that.
    pub max: Duration,
}

impl Default for Backoff {
    /// 0.5 s to 30 s.
    fn default() -> Self {
        Self { min: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl LeafConfig {
    /// The same, with what makes no sense replaced as documented.
    pub(super) fn sensible(mut self) -> Self {
        self.keepalive = self.keepalive.max(1);
        let Backoff { min, max } = &mut self.backoff;
        *min = (*min).max(Duration::from_millis(1));
        *max = (*max).max(min.saturating_add(*min / 2));
        self
    }
}
