//! Changes of what the application wants, and what they mean for servers, readers and the dataplane.

use super::Leaf;
use super::adj_rib_in::AdjRibIn;
use crate::client::{Intention, Route};
use crate::ids::Moment;
use crate::wire::{Action, Vni};

impl Leaf {
    /// Carries out changes in order; skips those without effect. [`Intention::Vacate`] walks the VNI's announcements.
    pub(in crate::client) fn intend(&mut self, now: Moment, changes: &[Intention]) {
        for change in changes {
            match *change {
                Intention::Subscribe(vni) => _ = self.subscribe(now, vni),
                Intention::Unsubscribe(vni) => _ = self.unsubscribe(vni),
                Intention::Announce(route) => _ = self.announce(route),
                Intention::Withdraw(route) => _ = self.withdraw(route),
                Intention::Vacate(vni) => {
                    self.announcements(vni).into_iter().for_each(|route| _ = self.withdraw(route));
                }
            }
        }
    }

    /// `false` when the leaf was subscribed to the VNI already.
    pub(in crate::client) fn subscribe(&mut self, now: Moment, vni: Vni) -> bool {
        if !self.intent.subscribe(vni) {
            return false;
        }
        self.adj_ribs_in.insert(
            vni,
            AdjRibIn::new(now, self.settings.stale_time, self.settings.routes_per_peer),
        );
        self.note_deadline(vni);
        for session in self.sessions.values_mut() {
            session.adj_rib_out.subscription(vni, true);
        }
        true
    }

    /// `false` when the leaf was not subscribed to the VNI.
    pub(in crate::client) fn unsubscribe(&mut self, vni: Vni) -> bool {
        if !self.intent.unsubscribe(vni) {
            return false;
        }
        for (slot, session) in &mut self.sessions {
            session.adj_rib_out.subscription(vni, false);
            session.awaited.remove(&vni);
            session.reports.forget(vni);
            if self.adj_ribs_in.get(&vni).is_some_and(|rib| rib.is_in_sync(*slot)) {
                self.sync.push((*slot, vni, false));
            }
        }
        self.completed.retain(|(completed, _)| *completed != vni);
        if let Some(rib) = self.adj_ribs_in.remove(&vni) {
            self.room.routes -= rib.len();
            self.room.waiting -= rib.waiting.len();
            self.room.note_room(Moment::default()); // there is room at once
            for slot in self.sessions.keys().copied().collect::<Vec<_>>() {
                let had = rib.count(slot);
                if let Some(session) = self.sessions.get_mut(&slot) {
                    session.routes -= had;
                }
            }
            let gone = rib.routes().map(|(to, via)| (Action::Remove, to, via)).collect();
            self.publish(vni, gone);
        }
        true
    }

    pub(in crate::client) fn is_subscribed(&self, vni: Vni) -> bool {
        self.intent.is_subscribed(vni)
    }

    pub(in crate::client) fn subscriptions(&self) -> Vec<Vni> {
        self.intent.subscriptions().collect()
    }

    /// `false` when the leaf announced the route already.
    pub(in crate::client) fn announce(&mut self, route: Route) -> bool {
        let first = !self.intent.announces(route.vni, route.destination);
        if !self.intent.announce(route) {
            return false;
        }
        if first {
            self.hide(route.vni, route.destination, Action::Remove);
        }
        for session in self.sessions.values_mut() {
            session.adj_rib_out.route(Action::Add, route);
        }
        true
    }

    /// `false` when the leaf did not announce the route.
    pub(in crate::client) fn withdraw(&mut self, route: Route) -> bool {
        if !self.intent.withdraw(route) {
            return false;
        }
        if !self.intent.announces(route.vni, route.destination) {
            self.hide(route.vni, route.destination, Action::Add);
        }
        for session in self.sessions.values_mut() {
            session.adj_rib_out.route(Action::Remove, route);
        }
        true
    }

    pub(in crate::client) fn is_announced(&self, route: Route) -> bool {
        self.intent.is_announced(route)
    }

    pub(in crate::client) fn announcements(&self, vni: Vni) -> Vec<Route> {
        self.intent.announcements(vni).collect()
    }
}
