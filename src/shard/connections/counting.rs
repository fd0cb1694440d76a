//! What connections count while they work. Plain numbers; every one costs an addition where something
//! happens, or is gathered by the tick that looks at every peer anyway.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::peer::Peer;
use crate::ids::Moment;
use crate::outbox::Taken;
use crate::policy::{Policy, Refusal};
use crate::session::CloseReason;
use crate::shard::config::TICK;
use crate::shard::inspect::{ByAction, Metrics, Occupancy};

/// Metrics whose part for connections is updated at each event. Backlogs are those of the last tick; the number
/// of sessions is always exact.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    metrics: Metrics,
    pub(super) removes_received: u64,
    /// The claims and subscriptions that the policy has refused, or allowed with a warning.
    refused: BTreeMap<Refusal, u64>,
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

    /// A session that began elsewhere goes on here.
    pub(super) fn arrived(&mut self, peer: &Peer) {
        self.now.established += u64::from(peer.session.is_established());
        self.now.subscriptions += peer.memberships.subscriptions();
    }

    /// The policy refuses something.
    pub(super) fn refused(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal).or_default() += 1;
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
            | CloseReason::MaxRoutesPerVni(_)
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

    /// Resets the numbers of backlogs: the tick counts them again, peer by peer.
    pub(super) fn begin_tick(&mut self) {
        self.now = Occupancy { behind: 0, slow_peers: 0, backlog: 0, ..self.now };
    }

    /// A tick counts the backlog of a peer.
    pub(super) fn look(&mut self, now: Moment, peer: &mut Peer) {
        self.now.behind += peer.behind_count();
        self.now.slow_peers += u64::from(peer.is_slow(now));
        self.now.backlog += peer.backlog();
        if peer.sending.writing && now.since(peer.sending.began) > TICK {
            // The hanging write must not keep the journal from forgetting changes that the peer was given already.
            let propagation = &mut self.metrics.propagation;
            peer.outbox.finished(|received| propagation.record(now.since(received)));
        }
    }

    /// Fills in what connections hold and have counted.
    pub(in crate::shard) fn fill(
        &self,
        connections: usize,
        policy: &Policy,
        metrics: &mut Metrics,
    ) {
        metrics.merge(&self.metrics);
        metrics.refused.add(policy, &self.refused);
        metrics.now.connecting += connections as u64 - self.now.established;
        metrics.received += ByAction {
            adds: self.stats.updates_received - self.removes_received,
            removes: self.removes_received,
        };
    }
}
