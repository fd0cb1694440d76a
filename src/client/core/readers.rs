//! The changes for readers of routes, which the actor fetches.

use super::ServerSlot;
use super::adj_rib_in::{Changes, Dropped};
use super::feed::RouteFeed;
use super::leaf::{Leaf, WatchId};
use super::room::NearLimit;
use crate::ids::Moment;
use crate::wire::{Action, Update, Vni};

impl Leaf {
    /// Adds a reader, which first gets all routes there are.
    pub(in crate::client) fn watch(&mut self, id: WatchId, vni: Option<Vni>) {
        let mut feed = RouteFeed::default();
        for route in self.adj_ribs_in.keys().filter(|v| vni.is_none_or(|vni| vni == **v)) {
            self.routes(*route).into_iter().for_each(|route| feed.push(Action::Add, route));
        }
        self.watches.insert(id, (vni, feed));
    }

    pub(in crate::client) fn unwatch(&mut self, id: WatchId) {
        self.watches.remove(&id);
    }

    pub(in crate::client) fn feed(&mut self, id: WatchId) -> Option<&mut RouteFeed> {
        self.watches.get_mut(&id).map(|(_, feed)| feed)
    }

    /// The next changes for the dataplane, about `max` of them, and the VNIs that are complete once
    /// the dataplane has made them.
    pub(in crate::client) fn take_for_dataplane(&mut self, max: usize) -> (Vec<Update>, Vec<Vni>) {
        let updates = self.dataplane.take(max);
        let completed = std::mem::take(&mut self.completed);
        // All changes that waited then are taken once the feed has come round twice, whatever came since.
        let waits = |(vni, round): &(Vni, u64)| {
            self.dataplane.has(*vni) && self.dataplane.rounds() < round + 2
        };
        let (later, done): (Vec<_>, Vec<_>) = completed.into_iter().partition(waits);
        self.completed = later;
        (updates, done.into_iter().map(|(vni, _)| vni).collect())
    }

    /// No dataplane takes changes any more, so the leaf keeps none for it.
    pub(in crate::client) fn no_dataplane(&mut self) {
        self.has_dataplane = false;
        self.withheld.clear();
        self.dataplane = RouteFeed::default();
        self.completed.clear();
    }

    pub(in crate::client) fn has_for_dataplane(&self) -> bool {
        !self.dataplane.is_empty() || !self.completed.is_empty()
    }

    /// Changes, since the last call, of which server is in sync in which VNI.
    pub(in crate::client) fn take_sync(&mut self) -> Vec<(ServerSlot, Vni, bool)> {
        std::mem::take(&mut self.sync)
    }

    /// Whether updates of `vni` from `slot` count.
    #[cfg(test)]
    pub(super) fn counts(&self, slot: ServerSlot, vni: Vni) -> bool {
        self.sessions.get(&slot).is_some_and(|session| session.adj_rib_out.is_subscribed(vni))
    }

    /// Takes in waiting routes, as far as there is room.
    pub(super) fn admit(&mut self, now: Moment) {
        for vni in self.subscriptions() {
            let Some(rib) = self.adj_ribs_in.get_mut(&vni) else { continue };
            let mut changes = Changes::new();
            while self.room.has_room(rib.len()) && rib.admit_one(now, &mut changes) {
                self.room.routes += 1;
                self.room.waiting -= 1;
            }
            let routes = rib.len();
            self.room.look(vni, &mut rib.level, routes, false);
            self.note_changed(now, vni);
            self.publish(vni, changes);
        }
    }

    /// Limits on routes that came near, or were reached, since the last call.
    pub(in crate::client) fn take_near_limits(&mut self) -> Vec<NearLimit> {
        self.room.take_notices()
    }

    /// Numbers of stale routes dropped since the last call.
    pub(in crate::client) fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }

    /// How many routes there are in all VNIs together.
    pub(in crate::client) fn route_count(&self) -> usize {
        self.room.routes
    }

    /// How many routes a VNI has, and how many servers are in sync in it.
    pub(in crate::client) fn wholeness(&self, vni: Vni) -> (usize, usize) {
        let rib = self.adj_ribs_in.get(&vni);
        rib.map_or((0, 0), |rib| (rib.len(), rib.in_sync().slots().count()))
    }
}
