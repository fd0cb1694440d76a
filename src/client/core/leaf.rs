//! The leaf's whole state: events go in, and the changes that each reader lacks come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::adj_rib_in::{AdjRibIn, Changes, Dropped, RETURN, of_vni};
use super::adj_rib_out::AdjRibOut;
use super::feed::RouteFeed;
use super::intent::Intent;
use super::quiet::Quiet;
use super::reports::Reports;
use super::room::{Room, RouteLimits};
use super::{ServerSlot, Servers};
use crate::client::Route;
use crate::ids::Moment;
use crate::wire::{Action, Destination, Installed, Message, NextHopType, Update, Vni};

/// The settings of the core.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct CoreConfig {
    /// How long routes outlive the last server that had them.
    pub(in crate::client) stale_time: Duration,
    /// The most routes that one server may announce.
    pub(in crate::client) routes_per_peer: usize,
    /// The most routes the leaf takes in.
    pub(in crate::client) limits: RouteLimits,
}

/// Identifies a reader of routes other than the dataplane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::client) struct WatchId(pub(in crate::client) u64);

/// An established session.
#[derive(Debug)]
pub(super) struct ServerSession {
    pub(super) adj_rib_out: AdjRibOut,
    /// Whether the server sends END_OF_TABLE.
    end_of_table: bool,
    /// From when on its tables count as all routes: by then announcers have had the time to connect to it.
    trusted: Moment,
    /// VNIs whose table is on its way, if the server sends no END_OF_TABLE.
    pub(super) awaited: BTreeMap<Vni, Quiet>,
    /// The number of routes that the server announces.
    pub(super) routes: usize,
    /// The reports to the server.
    pub(super) reports: Reports,
    /// Whether the peer task is still writing the messages that it took. It takes further messages only afterwards.
    is_writing: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::client) struct Leaf {
    pub(super) settings: CoreConfig,
    pub(super) intent: Intent,
    pub(super) adj_ribs_in: BTreeMap<Vni, AdjRibIn>,
    pub(super) sessions: BTreeMap<ServerSlot, ServerSession>,
    /// Servers whose tables are worth waiting for: connected, or tried for the first time.
    live: Servers,
    pub(super) watches: BTreeMap<WatchId, (Option<Vni>, RouteFeed)>,
    pub(super) dataplane: RouteFeed,
    /// Whether a dataplane takes from its feed.
    pub(super) has_dataplane: bool,
    /// VNIs whose routes the dataplane does not get.
    pub(super) withheld: BTreeSet<Vni>,
    /// Complete VNIs that the dataplane does not know as complete yet, and the round of its feed in
    /// which each became complete.
    pub(super) completed: Vec<(Vni, u64)>,
    /// Changes of which server is in sync in which VNI, for the actor to fetch.
    pub(super) sync: Vec<(ServerSlot, Vni, bool)>,
    /// How many routes there are, and how many there may be.
    pub(super) room: Room,
    /// Stale routes dropped, for the actor to fetch.
    pub(super) dropped: Dropped,
    /// How many routes of each VNI the dataplane has, as the application said last.
    pub(super) installed: BTreeMap<Vni, Installed>,
    /// When time alone may change something in a VNI, or a little before: so that not each turn has
    /// to look at every VNI.
    due: Option<Moment>,
    /// The latest end of settling, while the leaf is settling.
    pub(super) settling: Option<Moment>,
}

impl Leaf {
    pub(in crate::client) fn new(settings: CoreConfig) -> Self {
        Self {
            settings,
            intent: Intent::default(),
            adj_ribs_in: BTreeMap::new(),
            sessions: BTreeMap::new(),
            live: Servers::default(),
            watches: BTreeMap::new(),
            dataplane: RouteFeed::default(),
            has_dataplane: true,
            withheld: BTreeSet::new(),
            completed: Vec::new(),
            sync: Vec::new(),
            room: Room::new(settings.limits),
            dropped: Dropped::default(),
            installed: BTreeMap::new(),
            due: None,
            settling: None,
        }
    }

    /// Sets other limits. Routes that are there stay; waiting routes come in as far as there is room now.
    pub(in crate::client) fn set_limits(&mut self, now: Moment, limits: RouteLimits) {
        self.settings.limits = limits;
        self.room.set_limits(now, limits);
    }

    // Queries.

    /// All pairs of a server and a VNI in which it is in sync.
    pub(in crate::client) fn in_sync(&self) -> Vec<(ServerSlot, Vni)> {
        let sessions = self.sessions.keys();
        let pairs =
            sessions.flat_map(|slot| self.adj_ribs_in.iter().map(move |pair| (*slot, pair)));
        pairs
            .filter(|(slot, (_, rib))| rib.is_in_sync(*slot))
            .map(|(slot, (vni, _))| (slot, *vni))
            .collect()
    }

    // Events of servers.

    /// A server was configured; the leaf waits for its first attempt to connect.
    pub(in crate::client) fn added(&mut self, slot: ServerSlot) {
        self.live.insert(slot);
        self.adj_ribs_in.values_mut().for_each(|rib| rib.added(slot));
    }

    /// A session is established with a server that has had sessions for `serving`.
    pub(in crate::client) fn established(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        end_of_table: bool,
        serving: Duration,
    ) {
        self.live.insert(slot);
        self.settle(now);
        let trusted = now + RETURN.saturating_sub(serving);
        let adj_rib_out = AdjRibOut::replay(&self.intent);
        let awaited = BTreeMap::new();
        let reports = Reports::default();
        let session = ServerSession {
            adj_rib_out,
            end_of_table,
            trusted,
            awaited,
            routes: 0,
            reports,
            is_writing: false,
        };
        self.sessions.insert(slot, session);
    }

    /// A session, or an attempt at one, has ended.
    pub(in crate::client) fn ended(&mut self, now: Moment, slot: ServerSlot) {
        self.end(now, slot, false);
    }

    /// A server announced too much: routes that only it had go at once, so that it can't do so again and again.
    pub(in crate::client) fn expel(&mut self, now: Moment, slot: ServerSlot) {
        self.end(now, slot, true);
    }

    fn end(&mut self, now: Moment, slot: ServerSlot, forget: bool) {
        self.live.remove(slot);
        let had_session = self.sessions.remove(&slot).is_some();
        for vni in self.subscriptions() {
            let Some(rib) = self.adj_ribs_in.get_mut(&vni) else { continue };
            if rib.is_in_sync(slot) {
                self.sync.push((slot, vni, false));
            }
            let mut changes = Changes::new();
            self.room.waiting -= rib.waiting.len();
            let complete = if had_session {
                rib.end(now, slot, self.live, forget, &mut changes)
            } else {
                rib.settle(now, self.live, &mut changes)
            };
            self.room.waiting += rib.waiting.len();
            self.finish(vni, changes, complete);
        }
        self.room.note_room(now);
    }

    /// A server announces or withdraws. `Err` when it announces more routes than it may.
    pub(in crate::client) fn updates(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        updates: &[Update],
    ) -> Result<(), TooManyRoutes> {
        let Some(session) = self.sessions.get_mut(&slot) else { return Ok(()) };
        let mut visible = Vec::new();
        let mut touched = Vec::new();
        let mut changes = Changes::new();
        let mut frees = false;
        let mut result = Ok(());
        for update in updates {
            let vni = update.vni;
            // `None` for an update of a VNI that the leaf has unsubscribed from, or never asked for.
            let rib =
                self.adj_ribs_in.get_mut(&vni).filter(|_| session.adj_rib_out.is_subscribed(vni));
            let Some(rib) = rib else {
                session.adj_rib_out.heard(now, vni);
                continue;
            };
            if let Some(quiet) = session.awaited.get_mut(&vni) {
                quiet.last = now;
            }
            let (destination, next_hop) = (update.destination, update.next_hop);
            let before = (rib.len(), rib.waiting.len(), rib.waiting.count());
            match update.action {
                Action::Add => {
                    let new = rib.add(now, slot, destination, next_hop, &self.room, &mut changes);
                    session.routes += usize::from(new);
                    if session.routes > self.settings.routes_per_peer {
                        result = Err(TooManyRoutes(self.settings.routes_per_peer));
                    }
                }
                Action::Remove => {
                    let had = rib.remove(now, slot, destination, next_hop, &mut changes);
                    session.routes -= usize::from(had);
                }
            }
            let (routes, waiting, refused) = before;
            frees |= rib.len() < routes;
            self.room.routes = self.room.routes + rib.len() - routes;
            self.room.waiting = self.room.waiting + rib.waiting.len() - waiting;
            let (routes, hit) = (rib.len(), rib.waiting.count() > refused);
            self.room.look(vni, &mut rib.level, routes, hit);
            visible.extend(of_vni(vni, std::mem::take(&mut changes)));
            if touched.last() != Some(&vni) {
                touched.push(vni);
            }
            if result.is_err() {
                break;
            }
        }
        if frees {
            self.room.note_room(now);
        }
        touched.into_iter().for_each(|vni| self.note_changed(now, vni));
        self.publish_all(visible);
        result
    }

    /// A server says that its table of `vni` is complete.
    pub(in crate::client) fn end_of_table(&mut self, now: Moment, slot: ServerSlot, vni: Vni) {
        let Some(session) = self.sessions.get_mut(&slot) else { return };
        if !session.adj_rib_out.is_subscribed(vni) {
            return session.adj_rib_out.heard(now, vni);
        }
        session.awaited.remove(&vni);
        let Some(rib) = self.adj_ribs_in.get_mut(&vni) else { return };
        // A repeated END_OF_TABLE has no effect, and must not cost a walk over all routes each time.
        if rib.is_in_sync(slot) {
            return;
        }
        self.sync.push((slot, vni, true));
        session.reports.changed(now, vni);
        // Without END_OF_TABLE a table that pauses looks like one that has ended.
        let trusted = if session.end_of_table { session.trusted } else { now + RETURN };
        let mut changes = Changes::new();
        let complete = rib.synced(now, slot, trusted, self.live, &mut changes);
        self.finish(vni, changes, complete);
        self.room.note_room(now);
    }

    /// The messages taken for a server are written.
    pub(in crate::client) fn written(&mut self, now: Moment, slot: ServerSlot) {
        let Some(session) = self.sessions.get_mut(&slot) else { return };
        session.is_writing = false;
        // The quiet time of a table begins when its SUBSCRIBE is written.
        for quiet in session.awaited.values_mut().filter(|quiet| quiet.last == quiet.since) {
            (quiet.since, quiet.last) = (now, now);
        }
    }

    // Time.

    /// When [`Self::tick`] is due, or a message that waits for the time may go to a server.
    pub(in crate::client) fn deadline(&self) -> Option<Moment> {
        let quiet = self.sessions.values().flat_map(|session| session.awaited.values());
        // While a server takes no data, a SUBSCRIBE that is due cannot go out: its time would wake the actor endlessly.
        let takers = self.sessions.values().filter(|session| !session.is_writing);
        let drains = takers.filter_map(|session| session.adj_rib_out.deadline());
        let reports = self.sessions.values().filter_map(|session| session.reports.deadline());
        let drains = drains.chain(self.room.deadline()).chain(reports);
        let due = self.due.into_iter().chain(self.settling);
        due.chain(quiet.map(Quiet::until)).chain(drains).min()
    }

    /// Does whatever is due at `now`.
    pub(in crate::client) fn tick(&mut self, now: Moment) {
        let quiet: Vec<_> = self
            .sessions
            .iter()
            .flat_map(|(slot, session)| session.awaited.iter().map(move |pair| (*slot, pair)))
            .filter(|(_, (_, quiet))| quiet.until() <= now)
            .map(|(slot, (vni, _))| (slot, *vni))
            .collect();
        for (slot, vni) in quiet {
            self.end_of_table(now, slot, vni);
        }
        self.sessions.values_mut().for_each(|session| session.reports.tick(now));
        self.look_whether_settled(now);
        if self.room.is_due(now) {
            self.admit(now);
        }
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = None;
        for vni in self.subscriptions() {
            let Some(rib) = self.adj_ribs_in.get_mut(&vni) else { continue };
            let mut changes = Changes::new();
            let complete = rib.expire(now, self.live, &mut changes);
            self.finish(vni, changes, complete);
        }
        self.room.note_room(now);
    }

    // Readers.

    /// The next messages for a server, about `max` of them; empty when there are none. Say [`Self::written`] when they
    /// are written.
    pub(in crate::client) fn take_messages(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        max: usize,
    ) -> Vec<Message> {
        let Some(session) = self.sessions.get_mut(&slot) else { return Vec::new() };
        let ServerSession { adj_rib_out, end_of_table, awaited, .. } = session;
        let mut messages = adj_rib_out.take(now, max, &self.intent, |vni| {
            if !*end_of_table {
                awaited.insert(vni, Quiet { since: now, last: now });
            }
        });
        messages.append(&mut self.take_reports(slot, max.saturating_sub(messages.len())));
        if let Some(session) = self.sessions.get_mut(&slot) {
            session.is_writing |= !messages.is_empty();
        }
        messages
    }

    /// Completes an operation on a VNI: counts and publishes its changes.
    fn finish(&mut self, vni: Vni, changes: Changes, complete: bool) {
        for (action, ..) in &changes {
            match action {
                Action::Add => self.room.routes += 1,
                Action::Remove => self.room.routes -= 1,
            }
        }
        if let Some(rib) = self.adj_ribs_in.get_mut(&vni) {
            let Dropped { expired, unknown } = std::mem::take(&mut rib.dropped);
            self.dropped.expired += expired;
            self.dropped.unknown += unknown;
        }
        self.publish(vni, changes);
        self.note_deadline(vni);
        if complete && self.has_dataplane && !self.withheld.contains(&vni) {
            self.completed.push((vni, self.dataplane.rounds()));
        }
    }

    pub(super) fn note_deadline(&mut self, vni: Vni) {
        let deadline = self.adj_ribs_in.get(&vni).and_then(AdjRibIn::deadline);
        self.due = self.due.into_iter().chain(deadline).min();
    }

    pub(super) fn publish(&mut self, vni: Vni, changes: Changes) {
        self.publish_all(of_vni(vni, changes));
    }

    fn publish_all(&mut self, changes: impl IntoIterator<Item = (Action, Route)>) {
        for (action, route) in changes {
            for (vni, feed) in self.watches.values_mut() {
                if vni.is_none_or(|vni| vni == route.vni) {
                    feed.push(action, route);
                }
            }
            self.push_for_dataplane(action, route);
        }
    }

    /// The dataplane does not get standard next hops for networks that this node announces: traffic would leave it and
    /// come back. Host bits do not matter, since a dataplane does not have them. Targets of load balancers and NAT
    /// ranges on other nodes are not hidden.
    pub(super) fn is_hidden(&self, route: &Route) -> bool {
        route.next_hop.kind() == NextHopType::Standard
            && self.intent.announces(route.vni, route.destination)
    }

    /// A network began or ceased to be announced by this leaf.
    pub(super) fn hide(&mut self, vni: Vni, destination: Destination, action: Action) {
        if !self.has_dataplane || self.withheld.contains(&vni) {
            return;
        }
        let hidden = self.adj_ribs_in.get(&vni).into_iter();
        for (destination, next_hop) in hidden.flat_map(|of_vni| of_vni.of_network(destination)) {
            if next_hop.kind() == NextHopType::Standard {
                self.dataplane.push(action, Route { vni, destination, next_hop });
            }
        }
    }
}

/// A server announced more routes than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::client) struct TooManyRoutes(pub(in crate::client) usize);
