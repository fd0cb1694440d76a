//! [`Shard`]: its state, its beginning, and the loop turn.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use ahash::{AHashMap, RandomState};
use smallvec::SmallVec;

use super::inbox::{Inbox, Side};
use super::inspect::{Counting, Taps};
use super::mesh::{Delivery, Lanes, Request};
use super::peer::Peer;
use super::runs::Runs;
use super::timers::{TICK, TOO_LATE};
use super::{Settings, Stats, placement};
use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::{Gather, OutBuf};
use crate::session::{About, CloseReason, NoEvidence, Skipped};
use crate::table::{Size, Vnet};
use crate::wire::Vni;

/// A connection's place on its shard, valid from [`Shard::connect`] to [`Shard::release`].
pub(crate) type Slot = u32;

/// What building one chunk costs against `work_per_turn`.
pub(super) const CHUNK_COST: usize = 512;

/// A VNI whose table this shard owns.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(super) vnet: Vnet,
    /// Since when routes of departed members have waited for subscribers to take earlier ones.
    pub(super) waits: Option<Moment>,
    /// Listed as having changes to seal.
    pub(super) is_dirty: bool,
    /// Listed as having something to trim or to withdraw.
    pub(super) lingers: bool,
    /// What of it is among the shard's holdings.
    pub(super) counted: Size,
}

/// A subscription of a peer of this shard, whoever owns the VNI.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) slot: Slot,
    pub(super) id: u32,
    pub(super) in_sync: bool,
}

/// A session that has ended.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) slot: Slot,
    pub(crate) peer: PeerId,
    pub(crate) reason: CloseReason,
    pub(crate) node: Box<str>,
    /// Whether it was one: before the HELLO there is only a connection.
    pub(crate) had_begun: bool,
}

/// What a peer's socket should be given.
#[derive(Debug)]
pub(crate) enum Write {
    /// One write; `record` asks for a segment of its own (MSG_EOR).
    Bytes {
        bytes: OutBuf,
        record: bool,
    },
    /// Nothing before this moment.
    WaitUntil(Moment),
    Nothing,
}

/// When a shard wants its next turn if nothing else happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    pub(crate) next: Moment,
}

/// See the folder's documentation.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(super) id: ShardId,
    pub(super) shards: usize,
    pub(super) settings: Settings,
    /// For how many seconds the reflector has had sessions, which its HELLO tells.
    pub(super) serving: u32,
    /// Sessions that were established, and those of them that ended, since the last question.
    pub(super) sessions: (u32, u32),
    pub(super) hasher: RandomState,
    pub(super) stats: Stats,
    pub(super) counting: Counting,
    pub(super) taps: Taps,
    /// Ended sessions by the reason's name.
    pub(super) closed_by: BTreeMap<&'static str, u64>,
    /// Connections that ended without a HELLO by the reason's name.
    pub(super) without_hello: BTreeMap<&'static str, u64>,

    // Connections.
    pub(super) peers: Vec<Option<Box<Peer>>>,
    pub(super) free: Vec<Slot>,
    pub(super) by_id: AHashMap<PeerId, Slot>,
    pub(super) subscribers: AHashMap<Vni, SmallVec<[Subscriber; 1]>>,
    pub(super) ready: Vec<Slot>,
    pub(super) paused: Vec<Slot>,
    pub(super) begun: Vec<Slot>,
    pub(super) established: Vec<Slot>,
    pub(super) closed: Vec<Closed>,
    /// The first message of each peer that was skipped for each reason.
    pub(super) skipped: Vec<(Slot, Skipped)>,
    /// Peers that began to be paced by the clock, and why.
    pub(super) unproven: Vec<(Slot, NoEvidence)>,
    pub(super) buffers: Vec<Gather>,
    /// Lent to the read that is being taken in.
    pub(super) runs: Runs,
    /// When peers are to be held, and let go. May mention some for which that is off.
    pub(super) held: BinaryHeap<Reverse<(Moment, Slot)>>,
    /// Peers to hold (`true`) or to let go.
    pub(super) holds: Vec<(Slot, bool)>,

    // Owned VNIs.
    pub(super) owned: Vec<Option<Box<Owned>>>,
    pub(super) owned_free: Vec<u32>,
    pub(super) owned_index: AHashMap<Vni, u32>,
    pub(super) dirty: Vec<u32>,
    pub(super) lingering: Vec<u32>,
    /// VNIs with routes of departed members to withdraw, some perhaps more than once.
    pub(super) departed: VecDeque<u32>,
    /// Until when all of them wait.
    pub(super) departed_until: Moment,

    // Between shards.
    pub(super) inbox: Inbox,
    pub(super) lanes: Vec<Lanes>,

    // Time.
    /// When the read that is being taken in was made.
    pub(super) read_at: Moment,
    /// Bytes taken in since the last turn.
    pub(super) read: usize,
    /// Peers that were resumed together last.
    pub(super) resumed: usize,
    /// When the last seal, or the last write since, was done.
    pub(super) last_send: Moment,
    /// Since when there has been something to seal, as turns go.
    pub(super) dirty_since: Option<Moment>,
    /// Changes since the last seal.
    pub(super) gathered: usize,
    /// Writes since the last seal, and those that it made for another shard at least.
    pub(super) sends: u32,
    pub(super) remote_sends: u32,
    pub(super) next_tick: Moment,
    /// By how much the latest tick was too late, until that is told.
    pub(super) late: Option<Duration>,
    pub(super) is_draining: bool,
}

impl Shard {
    /// An empty shard. `seeds` make the hash of what comes from the network unpredictable.
    pub(crate) fn new(
        id: ShardId,
        shards: usize,
        settings: Settings,
        seeds: [u64; 4],
        now: Moment,
    ) -> Self {
        let [a, b, c, d] = seeds;
        let hasher = RandomState::with_seeds(a, b, c, d);
        Self {
            id,
            shards,
            settings,
            serving: 0,
            sessions: (0, 0),
            stats: Stats::default(),
            counting: Counting::default(),
            taps: Taps::default(),
            read_at: now,
            read: 0,
            resumed: 0,
            closed_by: BTreeMap::new(),
            without_hello: BTreeMap::new(),
            peers: Vec::new(),
            free: Vec::new(),
            by_id: AHashMap::with_hasher(hasher.clone()),
            subscribers: AHashMap::with_hasher(hasher.clone()),
            ready: Vec::new(),
            paused: Vec::new(),
            begun: Vec::new(),
            established: Vec::new(),
            closed: Vec::new(),
            skipped: Vec::new(),
            unproven: Vec::new(),
            buffers: Vec::new(),
            runs: Runs::default(),
            held: BinaryHeap::new(),
            holds: Vec::new(),
            owned: Vec::new(),
            owned_free: Vec::new(),
            owned_index: AHashMap::with_hasher(hasher.clone()),
            dirty: Vec::new(),
            lingering: Vec::new(),
            departed: VecDeque::new(),
            departed_until: now,
            inbox: Inbox::default(),
            lanes: (0..shards).map(|_| Lanes::default()).collect(),
            last_send: now,
            dirty_since: None,
            gathered: 0,
            sends: 0,
            remote_sends: 0,
            next_tick: now + TICK,
            late: None,
            is_draining: false,
            hasher,
        }
    }

    /// Goes on by these. Sessions keep what was decided when they began: keepalive and pacing. A peer
    /// above a lowered limit stays until it adds one more.
    pub(crate) fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// For how many seconds the reflector has had sessions; told before the HELLOs that are to say so.
    pub(crate) fn set_serving(&mut self, seconds: u32) {
        self.serving = seconds;
    }

    /// How many sessions were established since the last call, and how many that were have ended.
    pub(crate) fn take_sessions(&mut self) -> (u32, u32) {
        std::mem::take(&mut self.sessions)
    }

    /// Awaits the HELLO of a fresh connection.
    pub(crate) fn connect(&mut self, now: Moment, id: PeerId) -> Slot {
        let peer = Some(Box::new(Peer::new(id, now)));
        let slot = if let Some(slot) = self.free.pop() {
            self.peers[slot as usize] = peer;
            slot
        } else {
            self.peers.push(peer);
            u32::try_from(self.peers.len() - 1).unwrap_or(u32::MAX)
        };
        self.by_id.insert(id, slot);
        slot
    }

    /// Forgets a closed connection: the driver's tasks for it have ended.
    pub(crate) fn release(&mut self, slot: Slot) {
        self.peers[slot as usize] = None;
        self.free.push(slot);
    }

    /// One loop turn: takes in what other shards asked for, withdraws what departed peers left,
    /// and seals what changed if it is time to.
    pub(crate) fn turn(&mut self, now: Moment) -> Turn {
        self.read = 0;
        let mut budget = self.settings.bounds.work_per_turn;
        while !self.is_congested()
            && budget > 0
            && let Some((side, request)) = self.inbox.take()
        {
            if side == Side::Own && is_moot(&self.by_id, &request) {
                self.inbox.charge(1);
                budget -= 1;
                continue;
            }
            let portion = self.inbox.portion().min(budget);
            let cost = if self.may_serve(now, &request, portion) {
                let is_pull = matches!(request, Request::Pull { .. });
                let cost = if is_pull { CHUNK_COST } else { request.cost() };
                self.serve(now, request);
                cost
            } else {
                self.inbox.put_back(side, request);
                portion
            };
            self.inbox.charge(cost);
            budget = budget.saturating_sub(cost);
        }
        let most = self.settings.bounds.work_per_turn / 2;
        self.withdraw_departed(now, budget.max(most / 2).min(most).max(1));
        let seal_at = self.seal_at(now);
        if seal_at.is_some_and(|then| then <= now) {
            self.seal_dirty(now);
        }
        if now >= self.next_tick {
            let late = now.since(self.next_tick);
            if late > TOO_LATE {
                self.stats.late_ticks += 1;
                self.late = Some(late);
            }
            self.tick(now, late > TICK);
            self.next_tick = now + TICK;
        }
        let mut next =
            self.see_to_holds(now).map_or(self.next_tick, |then| then.min(self.next_tick));
        if let Some(seal_at) = seal_at.filter(|_| !self.dirty.is_empty()) {
            next = next.min(seal_at);
        }
        if !self.is_congested() {
            if !self.inbox.is_empty() {
                next = now;
            } else if !self.departed.is_empty() {
                next = next.min(self.departed_until);
            }
        }
        Turn { next }
    }

    /// By how much the clock tick of the latest turn came too late: for so long nobody was served.
    pub(crate) fn take_late(&mut self) -> Option<Duration> {
        self.late.take()
    }

    /// Peers that have something to write and no write in flight.
    pub(crate) fn take_ready(&mut self, ready: &mut Vec<Slot>) {
        ready.append(&mut self.ready);
        for &slot in ready.iter() {
            if let Some(peer) = &mut self.peers[slot as usize] {
                peer.is_ready = false;
            }
        }
    }

    /// Whether [`Shard::take_ready`] would list anybody.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Peers whose sockets should wake nobody for less than [`LOW_WATER`](crate::session::LOW_WATER)
    /// bytes (`true`), and those for which that is over.
    pub(crate) fn take_holds(&mut self, holds: &mut Vec<(Slot, bool)>) {
        holds.append(&mut self.holds);
    }

    /// What had waited for the end of a peer's hold has been read.
    pub(crate) fn fetched(&mut self, slot: Slot) {
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.quiet.fetched();
        }
    }

    /// Connections whose HELLO has come since the last call: they are sessions now.
    pub(crate) fn take_begun(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.begun)
    }

    /// Ends a connection to make room for others, unless its HELLO has come.
    pub(crate) fn make_room(&mut self, id: PeerId) {
        let slot = self.by_id.get(&id).copied();
        let peer = slot.and_then(|slot| self.peers[slot as usize].as_ref());
        if let Some(slot) = slot.filter(|_| peer.is_some_and(|peer| !peer.session.has_begun())) {
            self.close(slot, CloseReason::NoRoom);
        }
    }

    /// Sessions that became established since the last call, and what their peers said of
    /// themselves.
    pub(crate) fn take_established(&mut self) -> Vec<(Slot, PeerId, About)> {
        let slots = std::mem::take(&mut self.established);
        let about = |&slot: &Slot| {
            let peer = self.peers[slot as usize].as_ref()?;
            Some((slot, peer.id, peer.session.peer().clone()))
        };
        slots.iter().filter_map(about).collect()
    }

    /// Sessions that ended since the last call.
    pub(crate) fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// Messages that were skipped since the last call: of each session the first for each reason. The
    /// node of their peers is told as well.
    pub(crate) fn take_skipped(&mut self) -> Vec<(Slot, PeerId, Box<str>, Skipped)> {
        let skipped = std::mem::take(&mut self.skipped);
        self.with_peers(skipped)
    }

    /// Peers that began to be paced by the clock since the last call, with their node, and why.
    pub(crate) fn take_unproven(&mut self) -> Vec<(Slot, PeerId, Box<str>, NoEvidence)> {
        let unproven = std::mem::take(&mut self.unproven);
        self.with_peers(unproven)
    }

    /// What happened to sessions, each with its peer and that peer's node, as far as they are held.
    fn with_peers<T>(&self, what: Vec<(Slot, T)>) -> Vec<(Slot, PeerId, Box<str>, T)> {
        let with_peer = |(slot, what): (Slot, T)| {
            let peer = self.peers[slot as usize].as_ref()?;
            Some((slot, peer.id, peer.session.peer().node.clone(), what))
        };
        what.into_iter().filter_map(with_peer).collect()
    }

    /// Requests for another shard, in order. Call only when its channel has room for one parcel.
    pub(crate) fn take_requests(&mut self, to: ShardId) -> Option<Vec<Request>> {
        let Self { lanes, by_id, .. } = self;
        let lanes = &mut lanes[to.index()];
        lanes.request_cost = 0;
        if std::mem::take(&mut lanes.has_moot) {
            lanes.requests.retain(|request| !is_moot(by_id, request));
        }
        (!lanes.requests.is_empty()).then(|| std::mem::take(&mut lanes.requests))
    }

    /// Deliveries for another shard, in order. Call only when its channel has room for one parcel.
    pub(crate) fn take_deliveries(&mut self, to: ShardId) -> Option<Vec<Delivery>> {
        let lanes = &mut self.lanes[to.index()];
        (!lanes.deliveries.is_empty()).then(|| std::mem::take(&mut lanes.deliveries))
    }

    /// Whether something came up, outside of [`Shard::turn`], that a turn should see to at once.
    /// Peers with something to write are not counted: who finishes a write asks for the next.
    pub(crate) fn wants_turn(&self) -> bool {
        !self.closed.is_empty() || (!self.inbox.is_empty() && !self.is_congested())
    }

    /// Whether something may go on now that a peer has taken a write.
    pub(crate) fn awaits_writes(&self) -> bool {
        !self.departed.is_empty()
    }

    /// The reflector is stopping: peers are no longer read, so none is called silent.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether everything that was received has been written out, as far as peers take it.
    pub(crate) fn is_flushed(&self) -> bool {
        self.dirty.is_empty()
            && self.inbox.is_empty()
            && !self.has_outgoing()
            && self.departed.is_empty()
            && self.peers.iter().flatten().all(|peer| {
                peer.is_closed || (peer.outbox.is_empty() && !peer.writing && peer.pulls == 0)
            })
    }

    /// The owner of a VNI.
    pub(super) fn owner(&self, vni: Vni) -> ShardId {
        placement::owner(vni, self.shards)
    }

    /// Sends a request to a VNI's owner, which may be this shard.
    pub(super) fn request(&mut self, vni: Vni, request: Request) {
        let owner = self.owner(vni);
        if owner == self.id {
            self.inbox.push(Side::Own, request);
        } else {
            let lanes = &mut self.lanes[owner.index()];
            lanes.request_cost += request.cost();
            lanes.requests.push(request);
        }
    }

    /// Lists a peer as having something to write, unless a write is in flight.
    pub(super) fn mark_ready(ready: &mut Vec<Slot>, slot: Slot, peer: &mut Peer) {
        if !peer.is_ready && !peer.writing && !peer.is_closed {
            peer.is_ready = true;
            ready.push(slot);
        }
    }

    /// Whether something waits for another shard.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.lanes.iter().any(|lanes| !lanes.requests.is_empty() || !lanes.deliveries.is_empty())
    }
}

/// Whether a request of a peer of this shard is of no use any more, because its session has ended.
fn is_moot(by_id: &AHashMap<PeerId, Slot>, request: &Request) -> bool {
    request.moot_without().is_some_and(|peer| !by_id.contains_key(&peer))
}
