//! What the policy refuses of all VNIs of a shard, and judging routes anew when the policy changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Tables;
use super::owned::{LOOK_AGAIN, SHARE, TableId};
use crate::ids::Moment;
use crate::policy::{Policy, Refusal, Rights, Terms};
use crate::shard::mesh::Mesh;
use crate::shard::message::Counted;
use crate::shard::message::Delivery;
use crate::shard::slab::Handle as _;
use crate::table::{Notice, Origin};
use crate::wire::Vni;

/// The number of earlier policies that are kept: peers are classified again within a few turns.
const EARLIER: usize = 4;
/// The number of VNIs without anything to judge that a turn looks at.
const LOOKS: u32 = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Policing {
    notices: Vec<(Vni, Notice)>,
    /// Peers that announce one route fewer than their shards count, and their present number of routes.
    lost: Vec<(Vni, Origin, u32)>,
    /// The refusals and warnings since the shard began.
    pub(super) tally: BTreeMap<Refusal, u64>,
    /// VNIs whose routes are being judged again, and VNIs that wait for their subscribers.
    due: VecDeque<TableId>,
    /// The next place to scan for VNIs to judge again; `None` when the scan is over.
    scan: Option<u32>,
    until: Moment,
    /// The policies before the one in force, the latest first.
    earlier: VecDeque<Arc<Policy>>,
}

impl Policing {
    /// Has all VNIs judged by a new policy. `before` is the policy before it, which still judges peers that their
    /// shards have not classified again.
    pub(super) fn review_all(&mut self, before: &Arc<Policy>) {
        self.scan = Some(0);
        self.earlier.truncate(EARLIER - 1);
        self.earlier.push_front(Arc::clone(before));
    }

    /// The terms of a peer in a VNI, by the policy that knows its class.
    pub(super) fn terms<'a>(
        &'a self,
        current: &'a Policy,
        rights: Rights,
        vni: Vni,
    ) -> Option<Terms<'a>> {
        let is_its = |policy: &&Arc<Policy>| policy.generation() == rights.generation;
        if current.generation() != rights.generation
            && let Some(earlier) = self.earlier.iter().find(is_its)
        {
            return earlier.terms(rights, vni);
        }
        current.terms(rights, vni)
    }
}

impl Tables {
    /// Takes the refusals of a VNI.
    pub(super) fn take_refusals(&mut self, id: TableId) {
        let vnet = self.owned[id].table.open();
        let vni = vnet.vni;
        let lost = vnet.take_lost();
        let (notices, tally) = vnet.take_refusals();
        let policing = &mut self.policing;
        policing.lost.extend(lost.into_iter().map(|(origin, routes)| (vni, origin, routes)));
        policing.notices.extend(notices.into_iter().map(|notice| (vni, notice)));
        for (refusal, count) in tally {
            *policing.tally.entry(refusal).or_default() += count;
        }
    }

    /// Tells the shards of peers which of the peers' routes were refused.
    pub(in crate::shard) fn tell_refusals(&mut self, mesh: &mut Mesh) {
        for (vni, notice) in self.policing.notices.drain(..) {
            let Notice { peer, shard, refusal, example } = notice;
            mesh.deliver(shard, Delivery::Refused { peer, vni, refusal, example });
        }
        for (vni, origin, routes) in self.policing.lost.drain(..) {
            let Origin { peer, shard, .. } = origin;
            let counted = Counted::change(vni, -1, routes);
            mesh.deliver(shard, Delivery::Announced { peer, counted });
        }
    }

    /// Judges a peer by other rights from now on.
    pub(super) fn classify(&mut self, origin: Origin, vni: Vni) {
        let Some(&id) = self.index.get(&vni) else { return };
        if self.opened(id).classify(origin.peer, origin.rights) {
            self.begin_review(id);
        }
    }

    /// A table has come that may have been judged by another policy.
    pub(super) fn review_arrived(&mut self, id: TableId) {
        self.owned[id].is_due_for_review = false;
        self.begin_review(id);
    }

    /// Has a VNI judge its routes again, if it has routes to judge and the policy has rules.
    pub(super) fn begin_review(&mut self, id: TableId) {
        let size = self.owned[id].table.size();
        let has_rules = self.settings.policy.has_rules();
        let has_routes = size.routes > 0 || size.tombstones > 0;
        if size.filtered > 0 || (has_rules && has_routes) {
            self.opened(id).begin_review();
            self.list_for_review(id);
        }
    }

    fn list_for_review(&mut self, id: TableId) {
        if !std::mem::replace(&mut self.owned[id].is_due_for_review, true) {
            self.policing.due.push_back(id);
        }
    }

    /// Whether routes are to be judged again.
    pub(in crate::shard) fn has_reviews(&self) -> bool {
        self.policing.scan.is_some() || !self.policing.due.is_empty()
    }

    /// When to go on judging.
    pub(in crate::shard) fn review_until(&self) -> Option<Moment> {
        self.has_reviews().then_some(self.policing.until)
    }

    /// Looks for VNIs to judge again, up to a number of VNIs.
    fn scan(&mut self) {
        let Some(from) = self.policing.scan else { return };
        let end = self.owned.end();
        let until = (from + LOOKS).min(end);
        for id in (from..until).map(TableId::at) {
            if self.owned.get(id).is_some() {
                self.begin_review(id);
            }
        }
        self.policing.scan = (until < end).then_some(until);
    }

    /// Judges up to `budget` routes again. VNIs take turns; a VNI whose subscribers still have much to take waits
    /// for them, but not for long.
    pub(in crate::shard) fn review(&mut self, now: Moment, mut budget: usize) {
        self.scan();
        self.policing.until = now;
        let mut waiting = VecDeque::new();
        while budget > 0
            && let Some(id) = self.policing.due.pop_front()
        {
            let Some(entry) = self.owned.get_mut(id) else { continue };
            if entry.waits_for_subscribers(now) {
                waiting.push_back(id);
                continue;
            }
            let vnet = entry.table.open();
            vnet.clock = now;
            let share = budget.min(SHARE);
            let judged = vnet.review(&self.settings.policy, share);
            vnet.take_looks(); // a part of what is judged
            let (is_under_way, has_stale) = (vnet.is_reviewed(), vnet.has_stale());
            budget = budget.saturating_sub(judged.max(1));
            self.sealing.gathered += judged;
            self.take_refusals(id);
            if has_stale {
                self.take_lost_stale(id);
            }
            if is_under_way {
                self.policing.due.push_back(id);
            } else {
                self.owned[id].is_due_for_review = false;
            }
            self.mark_dirty(id);
        }
        if self.policing.due.is_empty() && self.policing.scan.is_none() {
            self.policing.until = now + LOOK_AGAIN;
        }
        self.policing.due.append(&mut waiting);
    }
}
