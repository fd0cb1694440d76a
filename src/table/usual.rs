//! The usual change: of a route that exists and is the only one of its destination, and that no peer announces, before
//! or after the change, except the one that makes the change.
//!
//! Nearly every update is one. What it does follows from the route's entry alone: no view is computed, no
//! set of announcers touched, and the route's last change is its destination's. Everything else goes the
//! general way, [`Vnet::changed`], which would come to the same result for these.

use super::journal::Journal;
use super::rib::Announcement;
use super::view::View;
use super::vnet::{UpdateOutcome, Vnet};
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
    ) -> Option<UpdateOutcome> {
        let Self { routes, journal, members, open, .. } = self;
        let removes = update.action == Action::Remove;
        let before = if removes { sole } else { View::NOBODY };
        let position = journal.head();
        let mut appended = None;
        let is_usual = routes.toggle(route, member, removes, |changed| {
            appended = journal.push_lone(route, before, changed, *open);
            if appended.is_some() { Journal::stamp(position) } else { changed }
        });
        if !is_usual {
            return None;
        }
        let announcer = &mut members[member];
        if removes {
            announcer.routes -= 1;
            if announcer.routes == 0 {
                members.note_idle(member);
            }
        } else {
            announcer.routes += 1;
        }
        match appended {
            Some(prev) => self.appended(position, prev),
            None => self.coalesced += 1,
        }
        Some(if removes { UpdateOutcome::Removed } else { UpdateOutcome::Added })
    }

    /// Notes that a change was appended to the journal whose destination last changed at `prev`. Seals when the open
    /// batch is full: the caller must have noted everything else about the change before.
    #[inline]
    fn appended(&mut self, position: u64, prev: Option<u64>) {
        self.note_appended(position, prev);
        self.seal_if_full();
    }

    /// The same, without sealing.
    #[inline]
    pub(super) fn note_appended(&mut self, position: u64, prev: Option<u64>) {
        if position == self.open {
            self.open_since = self.clock;
        }
        if let Some(prev) = prev.filter(|&p| p < self.open) {
            self.latest_prev = Some(self.latest_prev.map_or(prev, |latest| latest.max(prev)));
        }
    }

    /// Seals when the open batch is full.
    #[inline]
    pub(super) fn seal_if_full(&mut self) {
        if self.journal.head() - self.open >= self.bounds.seal_at {
            self.seal();
        }
    }
}
