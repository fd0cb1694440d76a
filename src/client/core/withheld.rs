//! VNIs whose routes are withheld from the dataplane, because their kernel table is about to change.
//!
//! Taking back and handing over are separate steps, because opposite changes of a route cancel out while they wait: the
//! dataplane would see neither.

use super::Leaf;
use super::adj_rib_in::AdjRibIn;
use crate::client::Route;
use crate::wire::{Action, Vni};

impl Leaf {
    /// Takes the routes of a VNI back from the dataplane, which gets none of the VNI until [`Self::hand_over`].
    pub(in crate::client) fn withhold(&mut self, vni: Vni) {
        if !self.has_dataplane || self.withheld.contains(&vni) {
            return;
        }
        self.completed.retain(|(completed, _)| *completed != vni);
        self.push_all(Action::Remove, vni);
        self.withheld.insert(vni);
    }

    /// Whether changes of a VNI wait for the dataplane.
    pub(in crate::client) fn has_of(&self, vni: Vni) -> bool {
        self.dataplane.has(vni)
    }

    /// Hands all routes of a withheld VNI to the dataplane, and tells it if the VNI is complete. A VNI without a
    /// subscription is complete: it has no routes.
    pub(in crate::client) fn hand_over(&mut self, vni: Vni) {
        if !self.withheld.remove(&vni) {
            return;
        }
        self.push_all(Action::Add, vni);
        if self.adj_ribs_in.get(&vni).is_none_or(AdjRibIn::is_complete) {
            self.completed.push((vni, self.dataplane.rounds()));
        }
    }

    /// Pushes a change for every route that the dataplane should have of a VNI.
    fn push_all(&mut self, action: Action, vni: Vni) {
        for route in self.routes(vni) {
            self.push_for_dataplane(action, route);
        }
    }

    pub(super) fn push_for_dataplane(&mut self, action: Action, route: Route) {
        if self.has_dataplane && !self.withheld.contains(&route.vni) && !self.is_hidden(&route) {
            self.dataplane.push(action, route);
        }
    }
}
