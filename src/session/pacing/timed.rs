//! A pace by the clock, for peers whose window proves nothing.
//!
//! A peer is taken to read at this pace. So what it may have unread drains by the clock, and a
//! little is sent whenever less than [`BURST`] is left of it.

use std::time::Duration;

use super::cut::PART;
use crate::ids::Moment;

/// The default number of bytes in a second: a client that needs 1 ms per route keeps up with it
/// (36 bytes for an IPv4 route, so 778 routes), and a client that stops for 1.5 s has 46,000 bytes unread.
pub(crate) const PACE: u64 = 28_000;
/// Bytes that may be unread before a peer that reads at this pace gets more.
const BURST: u64 = 4096;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Timed {
    /// Bytes per second.
    pub(super) rate: u64,
    /// The part of the sent bytes that is not drained yet, in millionths of a byte, and the time of that value.
    pub(super) level: u64,
    pub(super) at: Moment,
}

impl Timed {
    pub(super) fn new(rate: u64, now: Moment) -> Self {
        Self { rate: rate.max(1), level: 0, at: now }
    }

    /// The number of bytes that may go now, or when to ask again. `slower` divides the pace.
    pub(super) fn allow(&mut self, now: Moment, slower: u64) -> Result<usize, Moment> {
        let rate = (self.rate / slower).max(1);
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        self.level = self.level.saturating_sub(micros.saturating_mul(rate));
        self.at = now;
        // A timer is late by a millisecond or more: the bytes that it missed must not be lost.
        let most = (BURST + self.rate / 64) * 1_000_000;
        if self.level < most {
            return Ok(PART.min(usize::try_from(rate / 50).unwrap_or(PART)).max(COAST));
        }
        let wait = (self.level - most) / rate + 1;
        Err(now + Duration::from_micros(wait.max(1000)))
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        self.level = self.level.saturating_add(bytes.saturating_mul(1_000_000));
    }

    /// Bytes that may be on their way.
    pub(super) fn in_flight_max(&self) -> u64 {
        2 * BURST + self.rate / 4
    }
}

/// Bytes that go at once even at a very slow pace.
const COAST: usize = 128;
