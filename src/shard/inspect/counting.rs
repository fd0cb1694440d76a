//! What a shard counts while it works. Plain numbers; every one costs an addition where something
//! happens, or is gathered by the tick that looks at every peer anyway.

use std::collections::BTreeMap;

use super::{ByAction, Histogram, Holdings, Metrics};
use crate::ids::Moment;
use crate::outbox::Taken;
use crate::session::CloseReason;
use crate::shard::peer::Peer;
use crate::shard::state::{Owned, Shard};
use crate::shard::timers::TICK;
use crate::table::Size;

/// A write that has hung for so long makes its peer slow.
const SLOW_WRITE: std::time::Duration = std::time::Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    /// Of the tables as of their last seal, of what waits for peers as of the last tick. How many
    /// sessions and VNIs there are is known without.
    pub(crate) now: Holdings,
    /// Sessions that were established and have ended.
    established_ended: u64,
    invalid: BTreeMap<&'static str, u64>,
    limits: BTreeMap<&'static str, u64>,
    /// Messages that were skipped, by reason.
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    pub(crate) removes_received: u64,
    sent: ByAction,
    coalesced: u64,
    pub(crate) propagation: Histogram,
    pub(crate) dumps: Histogram,
}

impl Counting {
    /// A session has ended.
    pub(crate) fn closed(&mut self, peer: &Peer, reason: &CloseReason) {
        self.established_ended += u64::from(peer.session.is_established());
        self.now.subscriptions -= peer.subscriptions;
        let counts = match reason {
            CloseReason::Invalid(_) if peer.session.has_begun() => &mut self.invalid,
            CloseReason::MaxRoutes(_)
            | CloseReason::MaxSubscriptions(_)
            | CloseReason::MaxPeers(_) => &mut self.limits,
            _ => return,
        };
        *counts.entry(reason.name()).or_default() += 1;
    }

    /// Updates were handed to a peer's socket.
    pub(crate) fn sent(&mut self, peer: &mut Peer, taken: Taken) {
        let Taken { adds, removes } = taken;
        let sent = ByAction { adds, removes };
        peer.counts.updates_sent += sent;
        self.sent += sent;
    }

    /// A VNI has been sealed or trimmed, or is about to be dropped.
    pub(crate) fn recount(&mut self, entry: &mut Owned) {
        let after = entry.vnet.size();
        let before = std::mem::replace(&mut entry.counted, after);
        self.now.resize(&before, &after);
        self.coalesced += std::mem::take(&mut entry.vnet.coalesced);
    }

    /// Forgets what was known to wait for peers: a tick is about to look at each.
    pub(crate) fn begin_tick(&mut self) {
        self.now = Holdings { behind: 0, slow_peers: 0, backlog: 0, ..self.now };
    }

    /// A tick looks at a peer.
    pub(crate) fn look(&mut self, now: Moment, peer: &mut Peer) {
        self.now.behind += peer.behind_count();
        self.now.slow_peers += u64::from(peer.is_slow(now));
        self.now.backlog += peer.backlog();
        if peer.writing && now.since(peer.began) > TICK {
            // It must not keep the journal from forgetting what it has been given already.
            let Self { propagation, .. } = self;
            peer.outbox.finished(|received| propagation.record(now.since(received)));
        }
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
    /// Messages that were skipped, by reason; there are few reasons.
    pub(crate) skipped: BTreeMap<&'static str, u64>,
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
            skipped: BTreeMap::new(),
            in_flight: 0,
        }
    }
}

impl Peer {
    /// Subscriptions that are behind, whether or not a part of what they lack is under way. Those
    /// that have ended may still be among them for a moment.
    pub(super) fn behind_count(&self) -> u64 {
        (self.behind.len() as u64 + u64::from(self.pulls)).min(self.subscriptions)
    }

    pub(super) fn is_slow(&self, now: Moment) -> bool {
        self.behind_count() > 0
            || self.path.swallows()
            || (self.writing && now.since(self.began) > SLOW_WRITE)
    }

    /// Bytes that wait or are being written.
    pub(super) fn backlog(&self) -> u64 {
        let in_flight = if self.writing { self.counts.in_flight } else { 0 };
        (self.outbox.bytes() + in_flight) as u64
    }
}

impl Holdings {
    /// A table's part in it changes.
    fn resize(&mut self, before: &Size, after: &Size) {
        let moved = |total: u64, of: fn(&Size) -> u64| total + of(after) - of(before);
        self.routes = moved(self.routes, |size| size.routes);
        self.tombstones = moved(self.tombstones, |size| size.tombstones);
        self.journal = moved(self.journal, |size| size.journal);
    }
}

impl Shard {
    /// A copy of what there is and what was counted. `turns` and `busy` are the driver's to fill in.
    /// Cost: a look at the VNIs with changes to seal, which have not been counted yet.
    pub(crate) fn metrics(&self) -> Metrics {
        let Counting { mut now, mut coalesced, .. } = self.counting;
        for &owned in &self.dirty {
            if let Some(entry) = &self.owned[owned as usize] {
                now.resize(&entry.counted, &entry.vnet.size());
                coalesced += entry.vnet.coalesced;
            }
        }
        now.vnis = self.owned_index.len() as u64;
        now.established = self.stats.established - self.counting.established_ended;
        now.connecting = self.by_id.len() as u64 - now.established;
        let Counting { invalid, limits, skipped, sent, .. } = &self.counting;
        let received = ByAction {
            adds: self.stats.updates_received - self.counting.removes_received,
            removes: self.counting.removes_received,
        };
        Metrics {
            now,
            stats: self.stats,
            closed: self.closed_by.clone(),
            without_hello: self.without_hello.clone(),
            invalid: invalid.clone(),
            limits: limits.clone(),
            skipped: skipped.clone(),
            received,
            sent: *sent,
            coalesced,
            propagation: self.counting.propagation,
            dumps: self.counting.dumps,
            ..Metrics::default()
        }
    }
}
