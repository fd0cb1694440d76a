//! One peer as the shard of its connection knows it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::departure::Departure;
use super::memberships::Memberships;
use super::rare::RareQueue;
use super::reports::Reported;
use crate::ids::{Level, Moment, PeerId, ShardId};
use crate::outbox::Outbox;
use crate::policy::{Rights, Selection};
use crate::session::{Pacer, Path, Quiet, Session};
use crate::shard::inspect::ByAction;
use crate::shard::output::LastCounts;
use crate::table::{Audience, Origin};
use crate::wire::{Capabilities, Reassembly, Vni};

/// Chunks that may be on their way to one peer. Two keep a dump across shards busy.
pub(crate) const PULLS_MAX: u32 = 2;

/// A peer is slow if a write to it has hung for this time.
const SLOW_WRITE: std::time::Duration = std::time::Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(in crate::shard) id: PeerId,
    pub(in crate::shard) session: Session,
    pub(in crate::shard) outbox: Outbox,
    /// Bytes of an incomplete message; empty between messages.
    pub(in crate::shard) input: Reassembly,
    /// Every VNI that the peer subscribed to or announced in.
    pub(in crate::shard) memberships: Memberships,
    /// Subscriptions that are behind and have no pull under way.
    pub(in crate::shard) behind: RareQueue<(Vni, u32)>,
    pub(in crate::shard) pulls: u32,
    /// The rhythm of its KEEPALIVEs, and whether they wake no thread now.
    pub(in crate::shard) quiet: Quiet,
    pub(in crate::shard) is_held: bool,
    /// `None` for a peer that may be sent to at any pace.
    pub(in crate::shard) pacer: Option<Box<Pacer>>,
    pub(in crate::shard) sending: Sending,
    pub(in crate::shard) standing: Box<Standing>,
    /// Whether it is listed as having something to write.
    pub(in crate::shard) is_ready: bool,
    /// Whether its reading is suspended.
    pub(in crate::shard) is_paused: bool,
    pub(in crate::shard) is_closed: bool,
    /// Its move to another shard, once that has begun.
    pub(in crate::shard) departure: Option<Box<Departure>>,
    pub(in crate::shard) counts: PeerCounts,
}

/// The facts by which a policy judges the peer.
#[derive(Clone, Debug, Default)]
pub(in crate::shard) struct Standing {
    /// The address from which its connection comes.
    pub(in crate::shard) address: Option<IpAddr>,
    pub(in crate::shard) rights: Rights,
    /// The routes that it receives; fixed for its session.
    pub(in crate::shard) selection: Selection,
    /// Whether it says that it is a server but is treated as a client; fixed for its session.
    pub(in crate::shard) is_denied_server: bool,
    /// One bit for each reason for which a refusal was reported.
    pub(in crate::shard) told: u16,
}

/// How the peer takes the bytes that it is sent.
#[derive(Debug)]
pub(in crate::shard) struct Sending {
    /// Whether a write is in flight.
    pub(in crate::shard) writing: bool,
    /// When the peer last took bytes, or none waited for it.
    pub(in crate::shard) progress: Moment,
    /// When the write in flight began.
    pub(in crate::shard) began: Moment,
    /// When nothing last waited for it, or a write that had hung was completed.
    pub(in crate::shard) idle: Moment,
    /// Whether large packets reach it.
    pub(in crate::shard) path: Path,
    /// Bytes that its kernel had acknowledged at the last look; 0 before the first look.
    acked: u64,
    was_looked_at: bool,
}

impl Sending {
    fn new(now: Moment) -> Self {
        Self {
            writing: false,
            progress: now,
            began: now,
            idle: now,
            path: Path::default(),
            acked: 0,
            was_looked_at: false,
        }
    }

    /// Bytes that its kernel had acknowledged at the last look; `None` before the first look.
    pub(in crate::shard) fn acked(&self) -> Option<u64> {
        self.was_looked_at.then_some(self.acked)
    }

    /// Sets the number of bytes that its kernel has acknowledged. Returns the former [`Sending::acked`].
    pub(in crate::shard) fn set_acked(&mut self, acked: Option<u64>) -> Option<u64> {
        let before = self.acked();
        (self.acked, self.was_looked_at) = (acked.unwrap_or(0), acked.is_some());
        before
    }
}

/// The counts of one peer.
#[derive(Debug)]
pub(crate) struct PeerCounts {
    pub(crate) accepted: Moment,
    pub(crate) established: Option<Moment>,
    pub(crate) heard: Moment,
    pub(crate) updates_received: u64,
    pub(crate) updates_sent: ByAction,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    /// The facts that few peers have.
    pub(crate) rare: Option<Box<Rare>>,
    /// Bytes of the write in flight.
    pub(crate) in_flight: usize,
}

/// Facts that few peers have, so that the others need no memory for them.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// Messages that were skipped, by reason; there are few reasons.
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    /// Announcements that a limit refused.
    pub(crate) refused: u64,
    /// How near it is to its limit on routes.
    pub(in crate::shard) level: Level,
    /// Subscriptions whose VNI had no room.
    pub(in crate::shard) unserved: VecDeque<(Vni, u32)>,
    /// Accepted changes that are still to be charged to its source.
    pub(in crate::shard) uncharged: u32,
    /// Whether it is not read for now because its source has changed too much.
    pub(crate) is_throttled: bool,
    /// When the reflector last sent it a KEEPALIVE because it was throttled.
    pub(in crate::shard) kept_alive: Option<Moment>,
    /// Its last report of each VNI that it subscribes to.
    pub(in crate::shard) reports: BTreeMap<Vni, Reported>,
}

impl PeerCounts {
    /// Announcements that a limit refused.
    pub(crate) fn refused(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.refused)
    }

    /// Whether it is not read for now because its source has changed too much.
    pub(crate) fn is_throttled(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.is_throttled)
    }

    /// Whether the subscription to a VNI waits until the VNI has room.
    pub(crate) fn is_unserved(&self, vni: Vni) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.unserved.iter().any(|(unserved, _)| *unserved == vni))
    }

    /// The rare facts of this peer, made if there are none.
    pub(in crate::shard) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn new(now: Moment) -> Self {
        Self {
            accepted: now,
            established: None,
            heard: now,
            updates_received: 0,
            updates_sent: ByAction::default(),
            bytes_received: 0,
            bytes_sent: 0,
            rare: None,
            in_flight: 0,
        }
    }
}

/// There are many peers, and the allocator has room for 512 or 640 bytes.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Peer>() <= 512);

impl Peer {
    /// The counts of its session so far.
    pub(super) fn last_counts(&self) -> LastCounts {
        let counts = &self.counts;
        LastCounts {
            accepted: counts.accepted,
            established: counts.established,
            routes: u64::try_from(self.memberships.routes()).unwrap_or(0),
            subscriptions: self.memberships.subscriptions(),
            updates_received: counts.updates_received,
            updates_sent: counts.updates_sent,
            bytes_received: counts.bytes_received,
            bytes_sent: counts.bytes_sent,
        }
    }

    pub(in crate::shard) fn new(id: PeerId, now: Moment) -> Self {
        Self {
            id,
            session: Session::new(now),
            outbox: Outbox::default(),
            input: Reassembly::default(),
            memberships: Memberships::default(),
            behind: RareQueue::default(),
            pulls: 0,
            quiet: Quiet::default(),
            is_held: false,
            pacer: None,
            sending: Sending::new(now),
            standing: Box::default(),
            is_ready: false,
            is_paused: false,
            is_closed: false,
            departure: None,
            counts: PeerCounts::new(now),
        }
    }

    pub(in crate::shard) fn audience(&self) -> Audience {
        self.origin(ShardId(0)).audience()
    }

    pub(in crate::shard) fn origin(&self, shard: ShardId) -> Origin {
        let is_server = self.session.peer().is_server && !self.standing.is_denied_server;
        let Standing { rights, selection, .. } = *self.standing;
        Origin { peer: self.id, shard, is_server, rights, selection }
    }

    /// When the peer last took bytes, or none waited for it. The kernel of a peer takes and
    /// acknowledges bytes that the program never reads. So for a paced peer, this counts only until its
    /// pacer has proof that the program reads nothing.
    pub(in crate::shard) fn last_taken(&self) -> Moment {
        match self.pacer.as_ref().and_then(|pacer| pacer.stuck_since()) {
            // While a write hangs, the pacer is not asked and learns nothing.
            Some(taken) if self.sending.writing => taken.max(self.sending.progress),
            Some(taken) => taken.max(self.sending.idle),
            None => self.sending.progress,
        }
    }

    /// Whether something waits for the peer to take it.
    pub(in crate::shard) fn is_owed(&self) -> bool {
        !self.is_closed && (self.sending.writing || !self.outbox.is_empty())
    }

    /// Gives back memory that only a busy peer needs, if it is not busy now.
    pub(in crate::shard) fn rest(&mut self) {
        self.outbox.rest();
        self.behind.rest();
        self.memberships.rest();
    }

    pub(in crate::shard) fn has(&self, capability: Capabilities) -> bool {
        self.session.peer().capabilities.contains(capability)
    }

    /// Subscriptions that are behind, whether or not a chunk for them is under way. Subscriptions
    /// that have ended may be counted for a moment.
    pub(in crate::shard) fn behind_count(&self) -> u64 {
        (self.behind.len() as u64 + u64::from(self.pulls)).min(self.memberships.subscriptions())
    }

    pub(in crate::shard) fn is_slow(&self, now: Moment) -> bool {
        self.behind_count() > 0
            || self.sending.path.swallows()
            || (self.sending.writing && now.since(self.sending.began) > SLOW_WRITE)
    }

    /// Bytes that wait to be written or are being written.
    pub(in crate::shard) fn backlog(&self) -> u64 {
        let in_flight = if self.sending.writing { self.counts.in_flight } else { 0 };
        (self.outbox.bytes() + in_flight) as u64
    }
}

impl Peer {
    /// The last report of a VNI; `None` without one.
    pub(in crate::shard) fn reported(&self, vni: Vni) -> Option<&Reported> {
        self.counts.rare.as_ref()?.reports.get(&vni)
    }

    /// Whether it has reported anything.
    pub(in crate::shard) fn has_reported(&self) -> bool {
        self.counts.rare.as_ref().is_some_and(|rare| !rare.reports.is_empty())
    }

    /// Forgets the report of a VNI whose subscription has ended.
    pub(super) fn forget_report(&mut self, vni: Vni) {
        if let Some(rare) = &mut self.counts.rare {
            rare.reports.remove(&vni);
        }
    }
}
