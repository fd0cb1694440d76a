//! The messages that one server lacks: the difference between the intent and what the server has been sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::feed::RouteFeed;
use super::intent::Intent;
use crate::client::Route;
use crate::ids::Moment;
use crate::wire::{Action, Message, Vni};

/// A SUBSCRIBE that follows an UNSUBSCRIBE waits until no update of the VNI has come for this time: no mark in the
/// stream separates late updates of the old subscription from the new dump.
const DRAINED: Duration = Duration::from_millis(500);
/// A SUBSCRIBE waits no longer than this.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Messages for one established session.
#[derive(Debug, Default)]
pub(in crate::client) struct AdjRibOut {
    /// VNIs whose subscription may differ between the intent and the messages sent.
    dirty: BTreeSet<Vni>,
    /// VNIs for which the server was sent a SUBSCRIBE.
    subscribed: BTreeSet<Vni>,
    /// VNIs to unsubscribe and subscribe anew, if they are still wanted: the leaf forgot their routes.
    anew: BTreeSet<Vni>,
    draining: BTreeMap<Vni, Drain>,
    routes: RouteFeed,
}

/// When the leaf unsubscribed from a VNI, and when the last update of the VNI came.
#[derive(Debug)]
struct Drain {
    since: Moment,
    last: Moment,
}

impl Drain {
    fn until(&self) -> Moment {
        (self.last + DRAINED).min(self.since + DRAIN_MAX)
    }
}

impl AdjRibOut {
    /// The messages of a new session: all of the intent.
    pub(super) fn replay(intent: &Intent) -> Self {
        let mut this = Self { dirty: intent.subscriptions().collect(), ..Self::default() };
        for route in intent.all_announcements() {
            this.routes.push(Action::Add, route);
        }
        this
    }

    /// The intent to subscribe to `vni` changed.
    pub(super) fn subscription(&mut self, vni: Vni, wanted: bool) {
        self.dirty.insert(vni);
        if !wanted {
            self.anew.insert(vni);
        }
    }

    pub(super) fn route(&mut self, action: Action, route: Route) {
        self.routes.push(action, route);
    }

    /// Whether the server was sent a SUBSCRIBE for `vni` and the leaf has not unsubscribed since.
    pub(super) fn is_subscribed(&self, vni: Vni) -> bool {
        self.subscribed.contains(&vni) && !self.anew.contains(&vni)
    }

    /// An update came for a VNI without a subscription in force.
    pub(super) fn heard(&mut self, now: Moment, vni: Vni) {
        if let Some(drain) = self.draining.get_mut(&vni) {
            drain.last = now;
        }
    }

    /// The next messages, about `max` of them: subscriptions, then routes. Adds to `subscribed` the VNIs that the
    /// messages subscribe to.
    pub(super) fn take(
        &mut self,
        now: Moment,
        max: usize,
        intent: &Intent,
        mut subscribed: impl FnMut(Vni),
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        for vni in std::mem::take(&mut self.dirty) {
            if messages.len() >= max {
                self.dirty.insert(vni);
                continue;
            }
            let (wanted, anew) = (intent.is_subscribed(vni), self.anew.remove(&vni));
            if self.subscribed.contains(&vni) && (!wanted || anew) {
                messages.push(Message::Unsubscribe(vni));
                self.subscribed.remove(&vni);
                self.draining.insert(vni, Drain { since: now, last: now });
                // An UNSUBSCRIBE makes the server withdraw all that was announced in the VNI.
                self.routes.forget(vni);
                for route in intent.announcements(vni) {
                    self.routes.push(Action::Add, route);
                }
            }
            if wanted && !self.subscribed.contains(&vni) {
                if self.draining.get(&vni).is_some_and(|drain| now < drain.until()) {
                    self.dirty.insert(vni);
                } else {
                    self.draining.remove(&vni);
                    self.subscribed.insert(vni);
                    messages.push(Message::Subscribe(vni));
                    subscribed(vni);
                }
            }
        }
        self.draining.retain(|vni, drain| now < drain.until() || self.dirty.contains(vni));
        if messages.len() < max {
            let updates = self.routes.take(max - messages.len());
            messages.extend(updates.into_iter().map(Message::Update));
        }
        messages
    }

    /// When a waiting SUBSCRIBE may go out.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let waiting = self.dirty.iter().filter_map(|vni| self.draining.get(vni));
        waiting.map(Drain::until).min()
    }
}
