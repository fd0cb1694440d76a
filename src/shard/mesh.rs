//! [`Mesh`]: which shard owns which VNI, and what waits to be sent to each shard.
//!
//! A shard has two lanes to every shard, itself included: [`Request`]s towards the owner of a VNI, and
//! [`Delivery`]s from it. It collects messages during a loop turn and sends each lane's as one parcel, with
//! one wake. A full channel leaves the messages with their sender.
//!
//! Two lanes, because they wait for different things and so can't wait for each other:
//!
//! * Deliveries are always taken in: that only moves references into outboxes, whose bounds turn
//!   into cursors instead of waiting. So a delivery lane always drains.
//! * Requests are served only while the server's own delivery lanes have room. A peer whose requests wait,
//!   here or with their owner, is not read, and TCP slows it down.
//!
//! Order: deliveries as sent; requests as sent by each peer. Nothing relies on any other order.
//!
//! While a peer's connection is on its way to another shard, no shard has it. Deliveries for the peer wait here, with
//! the owner that makes them, until the connection has arrived, stays after all, or has ended; see [`super::moves`].

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::{AHashMap, RandomState};

use super::fair::FairQueue;
use super::layout::{GuestKind, Layout};
use super::message::{Delivery, Request};
use super::moves::LateHold;
use super::placement::{PartitionId, Partitions, Placement};
use crate::ids::{PeerId, ShardId};
use crate::wire::Vni;

/// The largest number of parcels on their way from one shard to another in one lane.
pub(crate) const PARCELS: usize = 16;
/// The largest request cost on its way from one shard to another; the last parcel may exceed it.
pub(crate) const REQUESTS_UNDER_WAY: usize = 4096;
/// The request cost of one parcel. Peers take turns for their places in it.
const PARCEL: usize = 1024;

/// The messages that wait to be sent to one shard.
#[derive(Debug)]
struct Lanes {
    requests: FairQueue,
    deliveries: VecDeque<Delivery>,
}

/// Partitions that are on their way, and the requests about them that wait meanwhile.
#[derive(Debug)]
struct Held {
    partitions: Arc<Partitions>,
    /// The former owner; `None` if the partitions leave for another process.
    from: Option<ShardId>,
    epoch: u64,
    requests: FairQueue,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Mesh {
    id: ShardId,
    layout: Layout,
    placement: Placement,
    held: Option<Box<Held>>,
    hasher: RandomState,
    lanes: Vec<Lanes>,
    /// Deliveries of this shard's tables to its own connections.
    own: VecDeque<Delivery>,
    /// Peers whose connections are on their way, each with the deliveries that it must get where it arrives.
    travelling: AHashMap<PeerId, Vec<Delivery>>,
    /// See [`super::ShardBounds`].
    delivery_room: usize,
    request_room: usize,
}

impl Mesh {
    pub(super) fn new(
        id: ShardId,
        layout: Layout,
        bounds: &super::ShardBounds,
        hash: &RandomState,
    ) -> Self {
        let lanes =
            || Lanes { requests: FairQueue::new(hash.clone()), deliveries: VecDeque::new() };
        Self {
            id,
            layout,
            placement: Placement::even(layout.owners()),
            held: None,
            hasher: hash.clone(),
            lanes: (0..layout.all()).map(|_| lanes()).collect(),
            own: VecDeque::new(),
            travelling: AHashMap::with_hasher(hash.clone()),
            delivery_room: bounds.delivery_room,
            request_room: bounds.request_room,
        }
    }

    pub(super) fn id(&self) -> ShardId {
        self.id
    }

    /// All shards.
    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        ShardId::first(self.lanes.len())
    }

    /// The shard for a guest, if there is one.
    pub(super) fn guest(&self) -> Option<(ShardId, GuestKind)> {
        self.layout.guest()
    }

    /// The owner of a VNI.
    pub(super) fn owner(&self, vni: Vni) -> ShardId {
        self.placement.owner(vni)
    }

    /// Whether requests about a VNI must wait, because it is on its way to another shard.
    #[inline]
    pub(super) fn is_moving(&self, vni: Vni) -> bool {
        self.held.as_ref().is_some_and(|held| held.partitions.contains(PartitionId::of(vni)))
    }

    /// Keeps a request about a VNI that is on its way.
    pub(super) fn hold(&mut self, request: Request) {
        if let Some(held) = &mut self.held {
            held.requests.push(request);
        }
    }

    /// What the kept requests ask to hold.
    pub(super) fn late_holds(&self) -> Vec<LateHold> {
        let held = self.held.iter().flat_map(|held| held.requests.requests());
        held.filter_map(LateHold::of).collect()
    }

    /// Begins to move partitions: requests about them are held from now on.
    pub(super) fn reassign(
        &mut self,
        partitions: Arc<Partitions>,
        from: ShardId,
        to: ShardId,
        epoch: u64,
    ) {
        self.placement.assign(&partitions, to);
        self.hold_from(partitions, Some(from), epoch);
    }

    /// Holds requests about partitions that leave an owner; `from` is `None` when all partitions leave for another
    /// process.
    pub(super) fn hold_from(
        &mut self,
        partitions: Arc<Partitions>,
        from: Option<ShardId>,
        epoch: u64,
    ) {
        debug_assert!(self.held.is_none(), "one move at a time");
        let requests = FairQueue::new(self.hasher.clone());
        self.held = Some(Box::new(Held { partitions, from, epoch, requests }));
    }

    /// Ends the move and returns the held requests, which the caller sends on. With `back`, the partitions belong to
    /// the former owner again.
    pub(super) fn release(&mut self, epoch: u64, back: bool) -> Option<FairQueue> {
        let held = self.held.take_if(|held| held.epoch == epoch)?;
        if back && let Some(from) = held.from {
            self.placement.assign(&held.partitions, from);
        }
        Some(held.requests)
    }

    /// Puts a request into the lane to another shard.
    pub(super) fn request(&mut self, to: ShardId, request: Request) {
        self.lanes[to.index()].requests.push(request);
    }

    /// Keeps deliveries for a peer from now on: its connection is about to leave its shard.
    pub(super) fn departs(&mut self, peer: PeerId) {
        self.travelling.entry(peer).or_default();
    }

    /// Sends a peer's kept deliveries, in order, to the shard where its connection is now. Harmless when there are none.
    pub(super) fn settles(&mut self, peer: PeerId, at: ShardId) {
        for delivery in self.travelling.remove(&peer).into_iter().flatten() {
            self.deliver(at, delivery);
        }
    }

    /// Puts a delivery into the lane to a shard, which may be this one.
    pub(super) fn deliver(&mut self, to: ShardId, delivery: Delivery) {
        if !self.travelling.is_empty()
            && let Some(peer) = delivery.follows()
            && let Some(kept) = self.travelling.get_mut(&peer)
        {
            kept.push(delivery);
        } else if to == self.id {
            self.own.push_back(delivery);
        } else {
            self.lanes[to.index()].deliveries.push_back(delivery);
        }
    }

    /// The next delivery to this shard's own connections.
    pub(super) fn take_own(&mut self) -> Option<Delivery> {
        self.own.pop_front()
    }

    /// The requests of one parcel to another shard.
    pub(super) fn take_requests(&mut self, to: ShardId) -> Option<Vec<Request>> {
        let lane = &mut self.lanes[to.index()].requests;
        let (mut requests, mut cost) = (Vec::new(), 0);
        while cost < PARCEL
            && let Some(request) = lane.take()
        {
            lane.served(request.peer(), request.cost());
            cost += request.cost();
            requests.push(request);
        }
        (!requests.is_empty()).then_some(requests)
    }

    /// The deliveries of one parcel to another shard.
    pub(super) fn take_deliveries(&mut self, to: ShardId) -> Option<Vec<Delivery>> {
        let lane = &mut self.lanes[to.index()].deliveries;
        (!lane.is_empty()).then(|| std::mem::take(lane).into())
    }

    /// The queues of requests that wait here to be sent.
    pub(super) fn queues(&mut self) -> impl Iterator<Item = &mut FairQueue> {
        let held = self.held.iter_mut().map(|held| &mut held.requests);
        self.lanes.iter_mut().map(|lanes| &mut lanes.requests).chain(held)
    }

    /// Whether deliveries pile up: then do no work that makes deliveries.
    pub(super) fn is_congested(&self) -> bool {
        self.lanes.iter().any(|lanes| lanes.deliveries.len() > self.delivery_room)
    }

    /// Whether requests pile up, of however many peers: then read no peer.
    pub(super) fn is_backed_up(&self) -> bool {
        self.is_congested()
            || self.lanes.iter().any(|lanes| lanes.requests.cost() >= self.request_room)
    }

    /// Whether a message waits for another shard.
    pub(super) fn has_outgoing(&self) -> bool {
        self.lanes.iter().any(|lanes| !lanes.requests.is_empty() || !lanes.deliveries.is_empty())
    }

    /// The number of peers for which deliveries are kept.
    #[cfg(test)]
    pub(super) fn travelling(&self) -> usize {
        self.travelling.len()
    }

    /// The numbers of requests and of deliveries that wait to be sent.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        let held = self.held.as_ref().map_or(0, |held| held.requests.len());
        self.lanes.iter().fold((held, 0), |(requests, deliveries), lanes| {
            (requests + lanes.requests.len(), deliveries + lanes.deliveries.len())
        })
    }
}
