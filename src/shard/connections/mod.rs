//! The connections of one shard: their sessions, the VNIs in which their peers take part, and the data that waits to be
//! written to them.
//!
//! [`Connections`] knows no table. It sends the announcements and subscriptions of peers to the owners of VNIs as
//! [`Request`]s, and the owners send [`Delivery`](super::Delivery)s. Only [`Owners`] knows whether an owner is on this
//! shard.

mod buffers;
mod close;
mod counting;
mod deliver;
mod departure;
mod freeze;
mod holds;
mod intake;
mod limits;
mod memberships;
mod moves;
mod peer;
mod policing;
mod portable;
mod quiet;
mod rare;
mod read;
mod reading;
mod reports;
mod runs;
pub(super) mod slot;
mod stale;
mod subscribe;
mod subscribers;
mod timers;
mod usual;
mod vni_map;
mod write;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::{AHashMap, RandomState};

use self::buffers::Buffers;
use self::counting::Counting;
use self::departure::Freeze;
use self::holds::Holds;
pub(crate) use self::moves::Traveller;
#[cfg(doc)]
pub(crate) use self::peer::PULLS_MAX;
pub(crate) use self::peer::{Peer, PeerCounts};
pub(crate) use self::portable::Importer;
pub(crate) use self::read::Flow;
use self::reading::Reading;
pub(crate) use self::reports::Reported;

use self::runs::Runs;
pub(crate) use self::slot::Slot;
use self::subscribers::Subscribers;
use super::ShardConfig;
use super::inspect::Metrics;
use super::message::Request;
use super::moves::Answer;
use super::output::{Output, Outputs};
use super::owners::Owners;
use super::slab::Slab;
use crate::ids::{Moment, PeerId, ShardId};
use crate::session::TlsPeer;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Connections {
    shard: ShardId,
    settings: Arc<ShardConfig>,
    /// The seconds for which the reflector has had sessions; its HELLO says so.
    serving: u32,
    peers: Slab<Slot, Box<Peer>>,
    by_id: AHashMap<PeerId, Slot>,
    subscribers: Subscribers,
    reading: Reading,
    /// Lent to the `Intake` of the present read.
    runs: Runs,
    buffers: Buffers,
    holds: Holds,
    freeze: Option<Freeze>,
    /// The next peer whose class must be found again, while a review is under way.
    review: Option<u32>,
    /// The number of ticks that have tried unserved subscriptions again.
    retries: usize,
    outputs: Outputs,
    counting: Counting,
}

impl Connections {
    pub(super) fn new(
        shard: ShardId,
        settings: Arc<ShardConfig>,
        hasher: RandomState,
        now: Moment,
    ) -> Self {
        Self {
            shard,
            settings,
            serving: 0,
            peers: Slab::new(),
            by_id: AHashMap::with_hasher(hasher.clone()),
            subscribers: Subscribers::new(hasher),
            reading: Reading::new(now),
            runs: Runs::default(),
            buffers: Buffers::default(),
            holds: Holds::default(),
            freeze: None,
            review: None,
            retries: 0,
            outputs: Outputs::default(),
            counting: Counting::default(),
        }
    }

    pub(super) fn set_settings(&mut self, settings: Arc<ShardConfig>) {
        let before = std::mem::replace(&mut self.settings, settings);
        if before.policy.generation() != self.settings.policy.generation() {
            self.review = Some(0);
        }
    }

    pub(super) fn set_serving(&mut self, seconds: u32) {
        self.serving = seconds;
    }

    /// Awaits the HELLO of a fresh connection.
    pub(super) fn connect(
        &mut self,
        now: Moment,
        id: PeerId,
        from: Option<IpAddr>,
        tls: Option<Arc<TlsPeer>>,
    ) -> Slot {
        let mut peer = Box::new(Peer::new(id, now));
        peer.standing.address = from;
        peer.session = peer.session.over(tls);
        let slot = self.peers.insert(peer);
        self.by_id.insert(id, slot);
        self.freeze_fresh(slot);
        slot
    }

    /// Forgets a closed connection: the driver's tasks for it have ended.
    pub(super) fn release(&mut self, slot: Slot) {
        self.peers.remove(slot);
    }

    /// Whether there is no connection, not even an ended connection that the driver still holds.
    pub(super) fn is_empty(&self) -> bool {
        self.peers.end() == 0
    }

    /// There is no connection, and no tick until there is one: nothing waits for any peer.
    pub(super) fn fall_asleep(&mut self) {
        self.counting.begin_tick();
    }

    /// The place of the session with this name, if there is one.
    pub(super) fn slot_of(&self, id: PeerId) -> Option<Slot> {
        self.by_id.get(&id).copied()
    }

    /// A session by its name.
    pub(super) fn peer(&self, id: PeerId) -> Option<(Slot, &Peer)> {
        let slot = self.slot_of(id)?;
        Some((slot, self.peers.get(slot)?))
    }

    /// All connections with their places; an ended connection stays until it is released.
    pub(super) fn peers(&self) -> &Slab<Slot, Box<Peer>> {
        &self.peers
    }

    /// Fills in what connections hold and have counted.
    pub(super) fn fill(&self, metrics: &mut Metrics) {
        self.counting.fill(self.by_id.len(), &self.settings.policy, metrics);
    }

    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Sends an answer to the coordinator.
    pub(super) fn answer(&mut self, answer: Answer<Infallible>) {
        self.outputs.push(Output::Answer(answer));
    }

    /// The next output.
    pub(super) fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop()?;
        if let Output::Ready(slot) = output
            && let Some(peer) = self.peers.get_mut(slot)
        {
            peer.is_ready = false;
        }
        Some(output)
    }

    /// Whether every peer has been sent all that waits for it.
    pub(super) fn is_flushed(&self) -> bool {
        self.peers.iter().all(|(_, peer)| {
            peer.is_closed || (peer.outbox.is_empty() && !peer.sending.writing && peer.pulls == 0)
        })
    }

    /// The numbers of leftovers when every peer has gone; they should be 0.
    #[cfg(test)]
    pub(super) fn leftovers(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("peers", self.peers.iter().count()),
            ("peer names", self.by_id.len()),
            ("subscriber lists", self.subscribers.len()),
            ("outputs", self.outputs.len()),
            ("paused peers", self.reading.paused()),
        ]
    }

    /// Asks owners whether they can forget a peer in VNIs that it has left. Keeps a few VNIs: most peers that withdraw
    /// their last route soon announce another. Asks nothing while updates of the peer wait in a run: the question
    /// must not overtake them.
    fn forget_unused(&mut self, slot: Slot, owners: &mut Owners<'_>) {
        let peer = &mut self.peers[slot];
        if peer.departure.is_some() {
            return; // its new shard asks owners
        }
        while let Some((vni, version)) =
            peer.memberships.next_unused(self.settings.bounds.unused_vnis)
        {
            let origin = peer.origin(self.shard);
            owners.request(Request::Forget { origin, vni, version });
        }
    }

    /// Lists a peer as having something to write, unless a write is in flight.
    fn mark_ready(outputs: &mut Outputs, slot: Slot, peer: &mut Peer) {
        if !peer.is_ready && !peer.sending.writing && !peer.is_closed {
            peer.is_ready = true;
            outputs.push(Output::Ready(slot));
        }
    }
}
