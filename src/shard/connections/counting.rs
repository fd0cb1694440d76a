//! What connections count while they work. Plain numbers; every one costs an addition where something
//! happens, or is gathered by the tick that looks at every peer anyway.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::peer::Peer;
use super::timers::TICK;
use crate::ids::Moment;
use crate::outbox::Taken;
use crate::session::CloseReason;
use crate::shard::inspect::{ByAction, Metrics, Occupancy};

/// A write that has hung for so long makes its peer slow.
const SLOW_WRITE: std::time::Duration = std::time::Duration::from_secs(1);

/// Metrics with the part of connections filled in as things happen. What waits for peers is as of the
/// last tick; how many sessions there are is known without.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    metrics: Metrics,
    pub(super) removes_received: u64,
}

impl Deref for Counting {
    type Target = Metrics;

    fn deref(&self) -> &Metrics {
        &self.metrics
    }
}

impl DerefMut for Counting {
    fn deref_mut(&mut self) -> &mut Metrics {
        &mut self.metrics
    }
}

impl Counting {
    /// A session has become established.
    pub(super) fn established(&mut self) {
        self.stats.established += 1;
        self.now.established += 1;
    }

    /// A session ends here, or goes on elsewhere.
    pub(super) fn left(&mut self, peer: &Peer) {
        self.now.established -= u64::from(peer.session.is_established());
        self.now.subscriptions -= peer.memberships.subscriptions();
    }

    /// A session goes on here.
    pub(super) fn arrived(&mut self, peer: &Peer) {
        self.now.established += u64::from(peer.session.is_established());
        self.now.subscriptions += peer.memberships.subscriptions();
    }

    /// A session has ended.
    pub(super) fn closed(&mut self, peer: &Peer, reason: &CloseReason) {
        let has_begun = peer.session.has_begun();
        let Metrics { closed, without_hello, .. } = &mut self.metrics;
        let closed = if has_begun { closed } else { without_hello };
        *closed.entry(reason.name()).or_default() += 1;
        self.left(peer);
        let counts = match reason {
            CloseReason::Invalid(_) if has_begun => &mut self.invalid,
            CloseReason::MaxRoutes(_)
            | CloseReason::MaxSubscriptions(_)
            | CloseReason::MaxPeers(_) => &mut self.limits,
            _ => return,
        };
        *counts.entry(reason.name()).or_default() += 1;
    }

    /// Updates were handed to a peer's socket.
    pub(super) fn sent(&mut self, peer: &mut Peer, taken: Taken) {
        let Taken { adds, removes } = taken;
        let sent = ByAction { adds, removes };
        peer.counts.updates_sent += sent;
        self.sent += sent;
    }

    /// Forgets what was known to wait for peers: a tick is about to look at each.
    pub(super) fn begin_tick(&mut self) {
        self.now = Occupancy { behind: 0, slow_peers: 0, backlog: 0, ..self.now };
    }

    /// A tick looks at a peer.
    pub(super) fn look(&mut self, now: Moment, peer: &mut Peer) {
        self.now.behind += peer.behind_count();
        self.now.slow_peers += u64::from(peer.is_slow(now));
        self.now.backlog += peer.backlog();
        if peer.sending.writing && now.since(peer.sending.began) > TICK {
            // It must not keep the journal from forgetting what it has been given already.
            let propagation = &mut self.metrics.propagation;
            peer.outbox.finished(|received| propagation.record(now.since(received)));
        }
    }

    /// Fills in what connections hold and have counted.
    pub(in crate::shard) fn fill(&self, connections: usize, metrics: &mut Metrics) {
        metrics.merge(&self.metrics);
        metrics.now.connecting += connections as u64 - self.now.established;
        metrics.received += ByAction {
            adds: self.stats.updates_received - self.removes_received,
            removes: self.removes_received,
        };
    }
}

/// What is counted of one peer.
#[derive(Debug)]
pub(crate) struct PeerCounts {
    pub(crate) accepted: Moment,
    pub(crate) established: Option<Moment>,
    pub(crate) heard: Moment,
    pub(crate) updates_received: u64,
    pub(crate) updates_sent: ByAction,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    /// Messages that were skipped, by reason; there are few reasons, and few peers give any.
    #[expect(clippy::box_collection, reason = "each peer has room for it, and few need it")]
    pub(crate) skipped: Option<Box<BTreeMap<&'static str, u64>>>,
    /// Bytes of the write in flight.
    pub(crate) in_flight: usize,
}

impl PeerCounts {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            accepted: now,
            established: None,
            heard: now,
            updates_received: 0,
            updates_sent: ByAction::default(),
            bytes_received: 0,
            bytes_sent: 0,
            skipped: None,
            in_flight: 0,
        }
    }
}

impl Peer {
    /// Subscriptions that are behind, whether or not a part of what they lack is under way. Those
    /// that have ended may still be among them for a moment.
    pub(in crate::shard) fn behind_count(&self) -> u64 {
        (self.behind.len() as u64 + u64::from(self.pulls)).min(self.memberships.subscriptions())
    }

    pub(in crate::shard) fn is_slow(&self, now: Moment) -> bool {
        self.behind_count() > 0
            || self.sending.path.swallows()
            || (self.sending.writing && now.since(self.sending.began) > SLOW_WRITE)
    }

    /// Bytes that wait or are being written.
    pub(in crate::shard) fn backlog(&self) -> u64 {
        let in_flight = if self.sending.writing { self.counts.in_flight } else { 0 };
        (self.outbox.bytes() + in_flight) as u64
    }
}
