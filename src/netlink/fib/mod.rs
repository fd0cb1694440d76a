//! The state machine behind the writer: the routes that the kernel should have, and the routes that it has.
//!
//! State: announced routes, installed routes and nexthop objects, the tunnel device, failures, and the times of the
//! next attempts. Pure: changes, dumps, events, results and the time go in; requests, queries to be carried out, and
//! lines for the log come out. Only the writer calls it. Bounds: memory for the announced and the installed routes; one
//! round of requests is for at most [`plan::ROUND`] routes.
//!
//! For each flush the writer first carries out the queries that are due. As long as there is a plan, it carries out the
//! plan and hands in the results. Then it asks what became of each change.
//!
//! * `config`: what an announcement means for the kernel.
//! * `routes`: a slot for each route, with its wanted and its installed state.
//! * `objects`: nexthop objects, found by their content.
//! * `strangers`: nexthop objects that other leaves use, or have left behind.
//! * `plan`: turns routes that need work into requests in a safe order, and takes in the results.
//! * `adopt`: takes in dumps; `tables`: gives VNIs other tables.
//! * `work`: the round of requests that is under way.
//! * `unusable`, `refusals`, `refuse`: next hops that cannot be used, and the host's own addresses.
//! * `drift`: changes that other programs make to the leaf's routes, its objects and the device; `link`: the device.
//! * `standing`: the state of single routes and of whole VNIs, for questions.
//! * `retry`, `schedule`, `notes`: when to try again, to query, to log.
//!
//! Imports: dataplane, ids, netlink::model, netlink::standing, wire.

mod adopt;
mod config;
mod drift;
mod link;
mod notes;
mod objects;
mod plan;
mod refusals;
mod refuse;
mod retry;
mod routes;
mod schedule;
mod standing;
mod strangers;
mod tables;
#[cfg(test)]
mod tests;
mod unusable;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ahash::RandomState;

pub(crate) use self::config::{FibConfig, VNI_MAX};
pub(crate) use self::link::Link;
pub(crate) use self::notes::NoteKind;
pub(crate) use self::schedule::Query;
pub(crate) use self::unusable::KINDS as UNUSABLE_KINDS;

use self::config::Meaning;
use self::notes::Notes;
use self::objects::{Lost, Objects};
use self::refusals::Refusals;
use self::retry::{Failures, Why};
use self::routes::{Actual, Routes, WANTED_MAX};
use self::schedule::QuerySchedule;
use self::unusable::Unusable;
use self::work::Work;
use crate::dataplane::{Retry, Route, RouteError};
use crate::ids::Moment;
use crate::netlink::model::Request;
use crate::wire::{Action, Update, Vni};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Fib {
    config: FibConfig,
    tables: BTreeSet<u32>,
    link: Link,
    routes: Routes,
    objects: Objects,
    failures: Failures,
    refusals: Refusals,
    /// Announced routes whose destination had too many next hops: they do not count among those that announce a hop.
    crowded: BTreeSet<Route>,
    schedule: QuerySchedule,
    notes: Notes,
    /// Routes to be examined.
    dirty: VecDeque<u32>,
    /// Routes that may be neither wanted nor installed any more.
    dead: Vec<u32>,
    /// Routes found before their VNI was complete, by table.
    adopted: BTreeMap<u32, Vec<u32>>,
    /// VNIs that are complete; `complete` has the tables whose VNIs all are.
    known: BTreeSet<Vni>,
    complete: BTreeSet<u32>,
    /// Tables that no VNI has any more, until their last query.
    leaving: BTreeSet<u32>,
    /// Own objects deleted according to events, which may be old: to be queried.
    lost: BTreeSet<u32>,
    /// Whether unused objects may be deleted now.
    sweeps: bool,
    work: Work,
    /// When the log last named a program that may delete routes.
    hinted: Option<Moment>,
    /// Whether the log has already said that a set of hops was cut off.
    cut: bool,
    counts: Counts,
}

/// Counts of events since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) refusals: u64,
    pub(crate) repairs: u64,
    pub(crate) reconciles: u64,
}

/// The present numbers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Summary {
    pub(crate) wanted: usize,
    pub(crate) installed: usize,
    pub(crate) objects: usize,
    pub(crate) refused: usize,
    pub(crate) conflicts: usize,
    /// The numbers of routes whose next hop can't be used, by reason.
    pub(crate) unusable: [(&'static str, usize); UNUSABLE_KINDS],
    pub(crate) device_up: bool,
    pub(crate) counts: Counts,
}

/// A change between its application and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ticket {
    /// Nothing had to be done.
    Done,
    /// The route can't be installed.
    Unusable(Unusable),
    /// The destination has too many next hops: some must be withdrawn first.
    Crowded,
    /// The change is done when this route is.
    Route(u32),
}

impl Fib {
    /// A state without any wanted or known route. Hand in the device first, then take the queries that
    /// are due.
    pub(crate) fn new(config: FibConfig, hasher: &RandomState) -> Self {
        Self {
            tables: config.tables.values().copied().collect(),
            link: Link::Gone,
            routes: Routes::new(hasher),
            objects: Objects::new(config.protocol, config.ids.clone(), hasher),
            failures: Failures::new(hasher),
            refusals: Refusals::default(),
            crowded: BTreeSet::new(),
            schedule: QuerySchedule::new(),
            notes: Notes::default(),
            dirty: VecDeque::new(),
            dead: Vec::new(),
            adopted: BTreeMap::new(),
            known: BTreeSet::new(),
            complete: BTreeSet::new(),
            leaving: BTreeSet::new(),
            lost: BTreeSet::new(),
            sweeps: true,
            work: Work::default(),
            cut: false,
            hinted: None,
            counts: Counts::default(),
            config,
        }
    }

    /// Nexthop objects used by routes outside of our tables: another leaf's. Call this before the
    /// first query.
    pub(crate) fn used_elsewhere(&mut self, ids: BTreeSet<u32>) {
        self.objects.used_elsewhere(ids);
    }

    /// Takes in a change.
    pub(crate) fn apply(&mut self, change: &Update) -> Ticket {
        let (key, target) = match self.config.read(change) {
            Meaning::Ignored => return Ticket::Done,
            Meaning::Excluded(_) => {
                self.refusals.exclude(change.vni, change.action);
                return Ticket::Done;
            }
            Meaning::Unusable(why) => return self.refuse_or_forget(change, why),
            Meaning::Route(key, target) => (key, target),
        };
        // Another route with other host bits may announce the same hop, and must keep it.
        if self.crowded.remove(&Route::from(*change)) && change.action == Action::Remove {
            return Ticket::Done;
        }
        let leads_here = match change.action {
            Action::Add => self.refusals.hold(key, target),
            Action::Remove => self.refusals.release(key, target),
        };
        if leads_here {
            return self.refuse_or_forget(change, Unusable::OwnAddress);
        }
        let id = match change.action {
            Action::Add => {
                let id = self.routes.find_or_insert(&key);
                let before = self.routes[id].source();
                if !self.routes.announce(id, target) {
                    self.crowded.insert(Route::from(*change));
                    return Ticket::Crowded;
                }
                if let Some(other) = before.filter(|other| *other != target.source) {
                    self.contested(id, other, target.source);
                }
                id
            }
            Action::Remove => {
                let Some(id) = self.routes.find(&key) else { return Ticket::Done };
                let was_contested = self.routes[id].is_contested();
                self.routes.withdraw(id, target);
                if was_contested && !self.routes[id].is_contested() {
                    self.no_longer_contested(id);
                }
                // The announcements tell more than the adopted route: it counts no more.
                self.routes[id].adopted = false;
                id
            }
        };
        self.touch(id);
        Ticket::Route(id)
    }

    /// The result of a change, after a flush.
    pub(crate) fn answer(&self, ticket: Ticket) -> Result<(), RouteError> {
        let id = match ticket {
            Ticket::Done => return Ok(()),
            Ticket::Unusable(why) => {
                return Err(RouteError { reason: why.to_string(), retry: Retry::Own });
            }
            Ticket::Crowded => {
                let reason = format!("its destination has {WANTED_MAX} next hops already");
                return Err(RouteError { reason, retry: Retry::Offer });
            }
            Ticket::Route(id) => id,
        };
        if self.routes[id].done {
            return Ok(());
        }
        Err(RouteError { reason: self.why_not(id), retry: Retry::Own })
    }

    /// Why the kernel does not have the wanted route.
    fn why_not(&self, id: u32) -> String {
        match (&self.link, self.failures.get(id).map(|failure| &failure.why)) {
            (Link::Up { .. }, Some(Why::Conflict(protocol))) => conflict(*protocol),
            (Link::Up { .. }, Some(Why::Refused(words))) => format!("the kernel says: {words}"),
            (Link::Up { .. }, Some(Why::Taken)) => {
                "another route has this destination and metric".to_owned()
            }
            (Link::Up { .. }, Some(Why::Fight)) => {
                "other programs keep changing this route".to_owned()
            }
            (Link::Up { .. }, None) => "the leaf has not written the route yet".to_owned(),
            (link, _) => link.describe(&self.config.device),
        }
    }

    /// Call this when all answers of a flush were taken.
    pub(crate) fn answered(&mut self) {
        for id in self.dead.drain(..) {
            if self.routes.release(id) {
                self.failures.forget(id);
            }
        }
    }

    /// All routes of a VNI were announced: its other routes go.
    pub(crate) fn complete(&mut self, vni: Vni) {
        let Some(&table) = self.config.tables.get(&vni) else { return };
        self.known.insert(vni);
        if !self.config.vnis_of(table).all(|vni| self.known.contains(&vni)) {
            return;
        }
        self.complete.insert(table);
        self.release_adopted(table);
        if self.complete.len() == self.tables.len() {
            self.objects.complete();
        }
    }

    /// Adopted routes of a table may go unless they are announced.
    fn release_adopted(&mut self, table: u32) {
        for id in self.adopted.remove(&table).unwrap_or_default() {
            // A released slot may belong to another table by now.
            if self.routes[id].key.table == table {
                self.routes[id].adopted = false;
                self.touch(id);
            }
        }
    }

    /// Two VNIs that have the same table announce one destination.
    fn contested(&mut self, id: u32, one: Vni, other: Vni) {
        let (key, first, last) = (self.routes[id].key, one.min(other), one.max(other));
        let remark = format_args!(
            "{key} is announced in VNI {first} and VNI {last}, which both have this table: the leaf installs the route \
             of VNI {first}"
        );
        self.notes.add(NoteKind::Conflict, remark);
    }

    fn no_longer_contested(&mut self, id: u32) {
        let slot = &self.routes[id];
        if let Some(vni) = slot.source() {
            let remark = format_args!(
                "{} is announced in VNI {vni} alone, of those with this table",
                slot.key
            );
            self.notes.add(NoteKind::Resolved, remark);
        }
    }

    /// Drops all wanted routes: the next flush deletes all installed routes. Objects go in
    /// the flush after [`Self::spare`].
    pub(crate) fn clear(&mut self) {
        self.routes.withdraw_all();
        self.crowded.clear();
        self.complete = self.tables.clone();
        self.adopted.clear();
        let ids: Vec<_> = self.routes.ids().collect();
        for id in ids {
            self.routes[id].adopted = false;
            self.touch(id);
        }
        self.objects.complete();
        self.sweeps = false;
    }

    /// Spares the objects that any route still uses: after [`Self::clear`] those are routes that another leaf has
    /// installed meanwhile. The next flush deletes the other objects.
    pub(crate) fn spare(&mut self, used: BTreeSet<u32>, now: Moment) {
        self.objects.spare(used);
        self.mend(&Lost::default(), now);
        self.sweeps = true;
    }

    /// Does whatever is due at `now`.
    pub(crate) fn tick(&mut self, now: Moment) {
        while let Some(id) = self.failures.due(now) {
            self.touch(id);
        }
        if self.schedule.periodic(self.tables.iter().copied(), now) {
            self.counts.reconciles += 1;
            self.failures.tidy(now);
            self.objects.sweep();
            if self.objects.has_strangers() {
                self.schedule.at(Query::Users, now);
            }
        }
    }

    /// When [`Self::tick`], a flush or [`Self::lines`] has work without any input.
    pub(crate) fn wake(&self) -> Moment {
        let others = self.failures.next().into_iter().chain(self.notes.next());
        others.fold(self.schedule.next(), Moment::min)
    }

    /// The next query that is due; none while a plan is under way.
    pub(crate) fn next_query(&mut self, now: Moment) -> Option<Query> {
        if !self.work.is_idle() {
            return None;
        }
        if !self.lost.is_empty() {
            return Some(Query::Lost);
        }
        self.schedule.take(now)
    }

    /// Schedules all queries.
    pub(crate) fn look_at_all(&mut self, now: Moment) {
        self.schedule.at(Query::Device, now);
        self.schedule.at(Query::OwnAddresses, now);
        self.schedule.at(Query::Objects, now);
        for &table in &self.tables {
            self.schedule.at(Query::Routes(table), now);
        }
    }

    /// A query could not be taken.
    pub(crate) fn query_failed(&mut self, query: Query, words: &str, now: Moment) {
        self.notes.add(NoteKind::Other, format_args!("cannot read {query}: {words}"));
        let again = match query {
            Query::Lost => {
                self.lost.clear();
                Query::Objects
            }
            other => other,
        };
        self.schedule.ask(again, now);
    }

    /// The objects of [`Query::Lost`].
    pub(crate) fn lost(&self) -> Vec<u32> {
        self.lost.iter().copied().collect()
    }

    /// Requests to be carried out, in order, after [`Self::plan`].
    pub(crate) fn requests(&self) -> &[Request] {
        &self.work.requests
    }

    /// Lines for the log.
    pub(crate) fn lines(&mut self, now: Moment) -> Vec<(NoteKind, String)> {
        self.notes.lines(now)
    }

    /// The present numbers.
    pub(crate) fn summary(&self) -> Summary {
        let mut summary = Summary {
            wanted: self.routes.wanted(),
            installed: self.routes.installed(),
            objects: self.objects.len(),
            device_up: matches!(self.link, Link::Up { .. }),
            counts: self.counts,
            unusable: self.refusals.counts(),
            ..Summary::default()
        };
        for (_, why) in self.failures.iter() {
            match why {
                Why::Conflict(_) | Why::Taken => summary.conflicts += 1,
                Why::Refused(_) | Why::Fight => summary.refused += 1,
            }
        }
        summary
    }

    /// A route must be examined.
    fn touch(&mut self, id: u32) {
        let slot = &mut self.routes[id];
        slot.done = false;
        if !slot.dirty && !slot.vacant {
            slot.dirty = true;
            self.dirty.push_back(id);
        }
    }

    /// Sets the kernel's state of a route; holds and releases objects as needed.
    fn set_actual(&mut self, id: u32, actual: Actual) {
        if let Actual::Object(object) = actual {
            self.objects.hold(object);
        }
        if let Actual::Object(object) = self.routes.set_actual(id, actual) {
            self.objects.release(object);
        }
    }
}

/// Describes a conflict with another protocol's route.
fn conflict(protocol: u8) -> String {
    let name = match protocol {
        2 => " (kernel)",
        3 => " (boot)",
        4 => " (static)",
        11 => " (zebra)",
        12 => " (bird)",
        16 => " (dhcp)",
        186 => " (bgp)",
        _ => "",
    };
    format!("a route of protocol {protocol}{name} has this destination and metric")
}
