//! The usual change: of a route that was there, that is its destination's only one, and that nobody but
//! the one who changes it announces, before or after.
//!
//! Nearly every update is one. What it does follows from the route's entry alone: no view is computed, no
//! set of announcers touched, and the route's last change is its destination's. Everything else goes the
//! general way, [`Vnet::changed`], which would come to the same result for these.

use super::apply::Announcement;
use super::journal::{Journal, View};
use super::member::Subscription;
use super::slab::NONE;
use super::vnet::{Outcome, Vnet};
use crate::wire::Action;

impl Vnet {
    /// Carries out an update of a route if it is a usual one. `sole` is the view of a route that only the
    /// member announces.
    #[inline]
    pub(super) fn update_usual(
        &mut self,
        member: u32,
        sole: View,
        update: &Announcement,
        route: u32,
    ) -> Option<Outcome> {
        let Self { routes, journal, members, open, .. } = self;
        let removes = update.action == Action::Remove;
        let (was, is) = if removes { (member, NONE) } else { (NONE, member) };
        let entry = routes.route_mut(route);
        if !entry.is_usual() || entry.primary != was {
            return None;
        }
        let last = journal.position(entry.changed);
        let last = last.filter(|&position| journal.at(position).route == route);
        let is_open = last.is_some_and(|position| position >= *open);
        if !is_open {
            entry.changed = Journal::stamp(journal.head());
        }
        let announcer = &mut members[member as usize];
        routes.hand_over(route, is, &mut announcer.first);
        if removes {
            announcer.routes -= 1;
            if announcer.routes == 0 && matches!(announcer.subscription, Subscription::None) {
                self.idle.push(member);
            }
        } else {
            announcer.routes += 1;
        }
        if is_open {
            self.coalesced += 1;
        } else {
            self.append(route, if removes { sole } else { View::NOBODY }, last);
            self.seal_if_full();
        }
        Some(if removes { Outcome::Removed } else { Outcome::Added })
    }

    /// Appends a change to the journal whose destination last changed at `prev`, before the open batch
    /// if at all.
    #[inline]
    pub(super) fn append(&mut self, route: u32, before: View, prev: Option<u64>) -> u64 {
        if self.journal.head() == self.open {
            self.open_since = self.clock;
        }
        if let Some(prev) = prev.filter(|&p| p < self.open) {
            self.latest_prev = Some(self.latest_prev.map_or(prev, |latest| latest.max(prev)));
        }
        self.journal.push(route, before, prev)
    }

    #[inline]
    pub(super) fn seal_if_full(&mut self) {
        if self.journal.head() - self.open >= self.bounds.seal_at {
            self.seal();
        }
    }
}
