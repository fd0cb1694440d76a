//! From changes to batches: closing the open batch, and encoding what changes mean.

use std::sync::Arc;

use super::batch::{Announcer, Audience, Batch, BatchBuilder, Change, FRAME};
use super::member::Origin;
use super::retention::Pin;
use super::slab::NONE;
use super::view::View;
use super::vnet::Vnet;
use crate::wire::Action;

impl Vnet {
    /// Closes the open batch and encodes it for the subscribers in sync.
    pub(crate) fn seal(&mut self) {
        let (start, end) = (self.open, self.journal.head());
        if start == end {
            return;
        }
        let mut of_clients: Option<Arc<Batch>> = None;
        for audience in Audience::ALL {
            let subscribers = self.members.in_sync(audience);
            if subscribers == 0 && !(self.is_monitored && audience == Audience::Clients) {
                continue;
            }
            // Usually no server announces anything and a destination has one route: then all get the batch for clients.
            if let Some(batch) = of_clients.as_ref().and_then(|it| it.for_audience(audience)) {
                self.keep(audience, batch, subscribers);
                continue;
            }
            let capacity = usize::try_from(end - start).unwrap_or(0) * FRAME + FRAME;
            let mut builder = BatchBuilder::new(self.vni, audience, capacity);
            let mut group = Vec::new();
            let mut at = start;
            while at < end {
                let run = self.journal.run(at);
                for (position, entry) in (at..).zip(run) {
                    let is_done = entry.is_lone(position, start)
                        && self.emit_usual(&mut builder, entry.route, entry.before);
                    if !is_done {
                        self.emit_unusual(&mut builder, &mut group, start, position);
                    }
                }
                at += run.len() as u64;
                if run.is_empty() {
                    self.emit_unusual(&mut builder, &mut group, start, at);
                    at += 1;
                }
            }
            if let Some(mut batch) = builder.finish(start, self.latest_prev) {
                batch.received = self.open_since;
                let batch = Arc::new(batch);
                if audience == Audience::Clients {
                    of_clients = Some(Arc::clone(&batch));
                }
                self.keep(audience, batch, subscribers);
            }
        }
        self.ages.note(end, self.clock);
        self.open = end;
        self.latest_prev = None;
    }

    /// Keeps a batch for sending, and its part of the journal for subscribers that can't take it.
    fn keep(&mut self, audience: Audience, batch: Arc<Batch>, subscribers: usize) {
        let (start, weak) = (batch.start, Arc::downgrade(&batch));
        self.retention.pins.push_back(Pin { start, batch: weak, subscribers });
        self.sealed.push((audience, batch));
    }

    /// Encodes all changes of a destination from `start` on, if the change at `at` is the first of them.
    #[cold]
    fn emit_unusual(
        &self,
        builder: &mut BatchBuilder,
        group: &mut Vec<(u32, View)>,
        start: u64,
        at: u64,
    ) {
        let went_earlier = self.journal.prev(at).is_some_and(|prev| prev >= start);
        if went_earlier || self.journal.get(at).is_none() {
            return; // encoded with the first change of its destination, or no entry is here
        }
        group.clear();
        let mut next = Some(at);
        while let Some(at) = next {
            let entry = self.journal.at(at);
            group.push((entry.route, entry.before));
            next = self.journal.next(at);
        }
        match builder.audience() {
            Audience::Choosers => return self.emit_choice(builder, group, NONE),
            Audience::Clients if self.members.has_choosers() => {
                let routes = group.first().map(|(it, _)| self.routes.with_same_destination(*it));
                let mut standard =
                    routes.into_iter().flatten().filter(|route| self.is_standard(*route));
                if standard.nth(1).is_some() {
                    builder.note_choice();
                }
            }
            Audience::Clients | Audience::Servers => {}
        }
        self.emit(builder, group);
    }

    /// Encodes the only change of a destination if it is a usual one; see `usual`.
    #[inline]
    fn emit_usual(&self, builder: &mut BatchBuilder, route: u32, before: View) -> bool {
        let entry = self.routes.route(route);
        let Some(hop) = entry.plain_hop().filter(|_| entry.is_usual()) else { return false };
        let (action, member) = match (entry.primary(), before.sole_member()) {
            (None, Some(member)) => (Action::Remove, member),
            (Some(member), None) if !before.is_announced() => (Action::Add, member),
            _ => return false,
        };
        let origin = &self.members[member].origin;
        let announcer = Announcer { peer: origin.peer, echo: origin.selection.echo };
        builder.usual(action, entry.destination(), hop, (announcer, !origin.is_server));
        true
    }

    /// Encodes changes of one destination, withdrawals first.
    #[inline]
    pub(super) fn emit(&self, builder: &mut BatchBuilder, group: &[(u32, View)]) {
        let announcer = |member| self.announcer(member);
        if let [(route, before)] = *group {
            let change = self.change(route, before);
            builder.withdraw(&change, announcer);
            builder.announce(&change, announcer);
            return;
        }
        for &(route, before) in group {
            builder.withdraw(&self.change(route, before), announcer);
        }
        for &(route, before) in group {
            builder.announce(&self.change(route, before), announcer);
        }
    }

    /// A route with its former view `before` and its present view.
    pub(super) fn change(&self, route: u32, before: View) -> Change<'_> {
        Change {
            destination: self.routes.route(route).destination(),
            next_hop: self.routes.next_hop_of(route),
            before,
            after: self.view(route),
        }
    }

    /// The peer of a member, and which of its own routes it receives back.
    pub(super) fn announcer(&self, member: u32) -> Announcer {
        let Origin { peer, selection, .. } = self.members[member].origin;
        Announcer { peer, echo: selection.echo }
    }
}
