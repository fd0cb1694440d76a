//! Announcements and withdrawals of members.
//!
//! Several are looked up before the first is carried out: in a large table a lookup waits for memory
//! a few times, and those that do not depend on each other wait together.

use super::journal::Journal;
use super::rib::{Announcement, Found, Lookup, TOGETHER};
use super::view::View;
use super::vnet::{UpdateOutcome, Vnet};
use crate::policy::Terms;
use crate::wire::{Action, Destination, NextHop};

/// The effects of several updates on the announcer's own routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Applied {
    /// The number of routes that it announces more; below 0: fewer.
    pub(crate) change: i64,
    /// The number of updates that changed nothing; see [`UpdateOutcome::Ignored`].
    pub(crate) ignored: u64,
}

impl Vnet {
    /// Applies announcements and withdrawals of a member, in order. `terms` are the policy's requirements for it here.
    pub(crate) fn update_all(
        &mut self,
        member: u32,
        updates: &[Announcement],
        terms: Option<&Terms<'_>>,
    ) -> Applied {
        if self.has_stale() {
            return self.update_beside_stale(member, updates, terms);
        }
        let mut applied = Applied::default();
        let mut lookup = Lookup::new();
        let sole = View::sole(member, self.members[member].origin.is_server);
        for updates in updates.chunks(TOGETHER) {
            self.routes.find_all(updates, &mut lookup);
            for (update, found) in updates.iter().zip(lookup.found()) {
                let usual =
                    found.route().and_then(|route| self.update_usual(member, sole, update, route));
                applied.count(
                    usual.unwrap_or_else(|| self.update_found(member, update, found, terms)),
                );
            }
        }
        applied
    }

    /// Applies one update alone.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn update(
        &mut self,
        member: u32,
        action: Action,
        destination: &Destination,
        hop: &NextHop,
    ) -> UpdateOutcome {
        let update = Announcement { action, destination: *destination, next_hop: *hop };
        match self.update_all(member, &[update], None) {
            Applied { change: 1, .. } => UpdateOutcome::Added,
            Applied { change: -1, .. } => UpdateOutcome::Removed,
            _ => UpdateOutcome::Ignored,
        }
    }

    /// Applies one of them. Nothing is freed between the lookup and this, but the route may have come
    /// meanwhile.
    #[inline(never)]
    pub(super) fn update_found(
        &mut self,
        member: u32,
        update: &Announcement,
        found: Found,
        terms: Option<&Terms<'_>>,
    ) -> UpdateOutcome {
        let Announcement { action, destination, next_hop } = update;
        match (action, terms) {
            (Action::Add, terms) => {
                let announcer = &self.members[member];
                let own = announcer.origin.rights.own;
                let is_usual =
                    terms.is_none_or(|terms| terms.allow_usual(own, destination, next_hop));
                if is_usual && announcer.filtered == 0 {
                    self.announce(member, destination, next_hop, found)
                } else {
                    self.announce_judged(member, update, found, terms)
                }
            }
            (Action::Remove, _) => {
                match found.route().or_else(|| self.routes.find(destination, next_hop)) {
                    Some(route) if self.withdraw(route, member) => UpdateOutcome::Removed,
                    _ if self.unfilter(member, &(*destination, *next_hop)) => {
                        UpdateOutcome::Removed
                    }
                    _ => UpdateOutcome::Ignored,
                }
            }
        }
    }

    pub(super) fn announce(
        &mut self,
        member: u32,
        destination: &Destination,
        hop: &NextHop,
        found: Found,
    ) -> UpdateOutcome {
        let Some(route) = found.route().or_else(|| {
            let fresh = Journal::stamp(self.journal.base().wrapping_sub(1));
            self.routes.find_or_insert(found.hash(), destination, hop, fresh)
        }) else {
            return UpdateOutcome::Ignored;
        };
        let before = self.view(route);
        let entry = &mut self.members[member];
        let is_server = entry.origin.is_server;
        if !self.routes.add_announcer(route, member, is_server, &mut entry.further) {
            return UpdateOutcome::Ignored;
        }
        let after = if before.is_announced() {
            View::many(before.has_client() || !is_server).preferred(before.is_preferred())
        } else {
            self.enlist(route, member);
            View::sole(member, is_server)
        };
        self.members[member].routes += 1;
        self.changed(route, before, after);
        UpdateOutcome::Added
    }
}
