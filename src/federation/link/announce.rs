//! What a site's two peers announce in a VNI, and when one of them leaves.

use super::frames::{self, Poisoned};
use super::import::{ImportPeer, ImportState};
use super::settings::ABOVE;
use super::{Link, Output};
use crate::ids::PeerId;
use crate::ids::link::SiteId;
use crate::shard::{Counted, Request};
use crate::table::{Announcement, TOGETHER};
use crate::wire::{Action, Vni};

impl Link {
    /// Hands a site's changes to the owner of the VNI, as announced by one of the site's two peers. Every route of a
    /// site passes here, so a policy on it belongs here.
    ///
    /// # Errors
    /// [`Poisoned`], after the readable frames are handed over: that peer is dirty then.
    pub(super) fn told(
        &mut self,
        site: SiteId,
        vni: Vni,
        which: usize,
        bytes: &[u8],
    ) -> Result<(), Poisoned> {
        let Some(import) = self.imports.get_mut(site, vni) else { return Ok(()) };
        let half = &mut import.pair[which];
        half.is_used = true;
        let mut digest = half.digest;
        let origin = self.origin(site.importer(which));
        let received = self.now;
        let mut changes = 0;
        let mut updates: Vec<Announcement> = Vec::new();
        let outputs = &mut self.outputs;
        let mut send = |updates: Vec<Announcement>| {
            let request = Request::Updates { origin, vni, updates, room: i64::MAX, received };
            outputs.push_back(Output::Request(request));
        };
        let result = frames::read(bytes, vni, |update| {
            match update.action {
                Action::Add => digest.add(&update.destination, &update.next_hop),
                Action::Remove => digest.remove(&update.destination, &update.next_hop),
            }
            changes += 1;
            updates.push(update);
            if updates.len() == TOGETHER {
                send(std::mem::take(&mut updates));
            }
        });
        if !updates.is_empty() {
            send(updates);
        }
        let Some(import) = self.imports.get_mut(site, vni) else { return Ok(()) };
        let half = &mut import.pair[which];
        half.digest = digest;
        half.is_dirty |= result.is_err();
        self.sites[site].counts.changes += changes;
        result
    }

    /// The owner of a VNI has counted the routes of a peer there. A site's limit is about these routes: its messages
    /// may announce a route twice, and withdraw routes that it has never announced.
    pub(super) fn counted(&mut self, peer: PeerId, counted: &Counted) {
        let Some(site) = SiteId::of_importer(peer) else { return };
        let Some(import) = self.imports.get_mut(site, counted.vni) else { return };
        let before = import.routes();
        let half = &mut import.pair[usize::from(peer == site.importer(1))];
        if !half.is_used {
            return; // it has left since
        }
        half.held = counted.routes.into();
        let after = import.routes();
        self.count_routes(site, before, after);
    }

    pub(super) fn count_routes(&mut self, site: SiteId, before: u64, after: u64) {
        let (now, limit) = (self.now, self.settings.routes_per_site);
        let entry = &mut self.sites[site];
        entry.routes = (entry.routes + after).saturating_sub(before);
        entry.above_since = match entry.above_since {
            _ if entry.routes <= limit => None,
            since => since.or(Some(now)),
        };
    }

    /// Bars sites that have been above their limit for a moment.
    pub(super) fn tick_limits(&mut self) {
        let now = self.now;
        for site in self.sites.all() {
            if self.sites[site].above_since.is_some_and(|since| now.since(since) >= ABOVE) {
                self.bar(site);
            }
        }
    }

    /// Withdraws the routes of one of a site's two peers in a VNI.
    pub(super) fn leave(&mut self, site: SiteId, vni: Vni, which: usize) {
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if !import.pair[which].is_used {
            return;
        }
        let before = import.routes();
        import.pair[which] = ImportPeer::default();
        let after = import.routes();
        let peer = site.importer(which);
        self.request(Request::Leave { peer, vni });
        self.count_routes(site, before, after);
    }

    /// Withdraws the routes of the peer that takes no deltas, once the owner has the routes of the other peer:
    /// owners serve peers in turn, and a route of both peers must never be away.
    pub(super) fn retire(&mut self, site: SiteId, vni: Vni) {
        let number = self.asks.next_number();
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if !import.pair[import.other()].is_used {
            return;
        }
        import.retires = Some(number);
        let peer = site.importer(import.main);
        let origin = self.origin(peer);
        self.request(Request::Mark { origin, vni, number });
    }

    /// An owner has served all earlier requests of a peer.
    pub(super) fn marked(&mut self, peer: PeerId, vni: Vni, number: u64) {
        let Some(site) = SiteId::of_importer(peer) else { return };
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        if import.retires.take_if(|mark| *mark == number).is_some() {
            let other = import.other();
            self.leave(site, vni, other);
            self.tidy_import(site, vni);
        }
    }

    /// Withdraws all routes of a site in a VNI. The next snapshot goes to the peer that has had longer
    /// to leave.
    pub(super) fn forget_import(&mut self, site: SiteId, vni: Vni) {
        self.asks_no_more(site, vni);
        self.leave(site, vni, 0);
        self.leave(site, vni, 1);
        self.imports.forget_kept(site, vni);
        self.imports.old.remove(&(site, vni));
        self.set_state(site, vni, ImportState::Absent);
        let Some(import) = self.imports.get_mut(site, vni) else { return };
        let need = import.need;
        import.forget();
        if let Some(then) = need {
            self.sites[site].needs.remove(&(then, vni));
        }
    }
}
