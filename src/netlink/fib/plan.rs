//! From routes that need work to requests in a safe order, and from results to what is known.
//!
//! State: the round under way. Objects are made before the routes that use them and deleted after
//! the last of them, in requests of their own, so a refused object refuses no route unseen.

use std::collections::BTreeMap;
use std::io;

use smallvec::SmallVec;

use super::notes::NoteKind;
use super::retry::Why;
use super::routes::{Actual, RouteSlot};
use super::work::WorkStage;
use super::{Fib, Link, Query};
use crate::ids::Moment;
use crate::netlink::model::{Hop, KernelError, Request, TunnelKind, Via, is_shared_with_host};
use crate::wire::IpVersion;

/// The most routes of one round: bounds memory, and how long other work waits.
pub(crate) const ROUND: usize = 4096;
/// The most hops of one route. A kernel shows a route with all its hops in one message of at most 32 KiB,
/// about a hundred bytes for each hop.
pub(crate) const HOPS: usize = 128;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const ENETDOWN: i32 = 100;

impl Fib {
    /// Makes the next requests. False when there are none for now.
    pub(crate) fn plan(&mut self, now: Moment) -> bool {
        if self.work.routes.is_empty() {
            while self.work.routes.len() < ROUND
                && let Some(id) = self.dirty.pop_front()
            {
                self.examine(id, now);
            }
        }
        let work = &mut self.work;
        work.stage = WorkStage::Objects;
        self.objects.additions(&mut work.requests, &mut work.about);
        if work.requests.is_empty() {
            work.stage = WorkStage::Routes;
            std::mem::swap(&mut work.requests, &mut work.routes);
            std::mem::swap(&mut work.about, &mut work.routes_about);
        }
        if work.requests.is_empty() && self.sweeps {
            work.stage = WorkStage::Sweep;
            self.objects.deletions(&mut work.requests, &mut work.about);
        }
        !self.work.requests.is_empty()
    }

    /// Compares the wanted state of a route with the kernel's.
    fn examine(&mut self, id: u32, now: Moment) {
        let slot = &mut self.routes[id];
        slot.dirty = false;
        if slot.wanted.is_empty() {
            if slot.actual == Actual::Absent {
                slot.done = true;
                self.dead.push(id);
                self.failures.clear(id);
            } else if !slot.adopted {
                self.delete(id);
            }
            return;
        }
        // Without a device nothing can be done; all routes are examined again when it comes.
        let Link::Up { index, kind, abilities } = self.link else { return };
        let failure = self.failures.get(id);
        let conflict = failure.is_some_and(|failure| matches!(failure.why, Why::Conflict(_)));
        if self.waits(id, now) {
            return;
        }
        let slot = &self.routes[id];
        let is_ipv6 = slot.key.destination.version() == IpVersion::V6;
        if is_ipv6
            && slot.actual == Actual::Absent
            && let Some(words) = self.link.no_ipv6(&self.config.device)
        {
            // No event tells for sure when IPv6 comes to the device.
            self.schedule.ask(Query::Device, now);
            self.refuse(id, &words, now);
            return;
        }
        let hops = self.hops(id, index, kind);
        let slot = &self.routes[id];
        if slot.adopted && self.covers(slot, &hops) {
            self.routes[id].done = true;
            return;
        }
        if self.config.objects
            && let Actual::Object(object) = slot.actual
            && self.objects.hops(object)[..] == hops[..]
        {
            // The IP version of the objects does not matter here.
            self.settle_done(id, conflict);
            return;
        }
        let version = if is_ipv6 || abilities.ipv6 { IpVersion::V6 } else { IpVersion::V4 };
        let Some(via) = self.via(&hops, version) else {
            self.refuse(id, "all ids reserved for nexthop objects are in use", now);
            return;
        };
        let slot = &mut self.routes[id];
        if slot.actual.is(&via) {
            self.settle_done(id, conflict);
            return;
        }
        let replace = slot.actual != Actual::Absent;
        if conflict && replace {
            // A replacement might hit the foreign route.
            self.delete(id);
            return;
        }
        if let Via::Object(object) = via {
            self.objects.hold(object);
        }
        let (key, protocol) = (slot.key, self.config.protocol);
        self.work.routes.push(Request::SetRoute { key, protocol, via, replace });
        self.work.routes_about.push(id);
    }

    /// Whether a foreign route is in the way, and it is too early to try again.
    fn waits(&self, id: u32, now: Moment) -> bool {
        let Some(failure) = self.failures.get(id) else { return false };
        match self.routes[id].actual {
            Actual::Absent => matches!(failure.why, Why::Conflict(_)) && failure.until > now,
            // A query will tell whose route this is now.
            _ => matches!(failure.why, Why::Taken),
        }
    }

    /// The wanted hops of a route, each once and in order.
    fn hops(&mut self, id: u32, index: u32, kind: TunnelKind) -> SmallVec<[Hop; 4]> {
        let slot = &self.routes[id];
        // If two VNIs have the same table, packets of one must not get into the other's network.
        let source = slot.source();
        let of_source = slot.wanted.iter().filter(|wanted| Some(wanted.target.source) == source);
        let mut hops: SmallVec<[Hop; 4]> =
            of_source.map(|wanted| wanted.target.hop(index, kind)).collect();
        if hops.len() > 1 {
            hops.sort_unstable();
            hops.dedup();
        }
        if hops.len() > HOPS {
            if !self.cut {
                let (key, all) = (slot.key, hops.len());
                let remark =
                    format!("{key} has {all} next hops, and the leaf installs only {HOPS} of them");
                self.notes.add(NoteKind::Other, remark);
            }
            self.cut = true;
            hops.truncate(HOPS);
        }
        hops
    }

    /// The form of a route to these hops; `None` when there is no id for another object.
    fn via(&mut self, hops: &[Hop], version: IpVersion) -> Option<Via> {
        if self.config.objects {
            self.objects.need(hops, version).ok().map(Via::Object)
        } else {
            Some(Via::Hops(SmallVec::from_slice(hops)))
        }
    }

    /// The kernel has the wanted route.
    fn settle_done(&mut self, id: u32, conflict: bool) {
        self.routes[id].done = true;
        if !conflict {
            self.failures.clear(id);
        }
    }

    /// Whether an installed route already has all of `hops`.
    fn covers(&self, slot: &RouteSlot, hops: &[Hop]) -> bool {
        match &slot.actual {
            Actual::Object(object) => {
                let there = self.objects.hops(*object);
                hops.iter().all(|hop| there.contains(hop))
            }
            Actual::Hops(there) => hops.iter().all(|hop| there.contains(hop)),
            Actual::Absent | Actual::Other => false,
        }
    }

    fn delete(&mut self, id: u32) {
        let (key, protocol) = (self.routes[id].key, self.config.protocol);
        let is_shared = is_shared_with_host(key.table);
        let via = is_shared.then(|| self.routes[id].actual.via()).flatten();
        self.work.routes.push(Request::DeleteRoute { key, protocol, via });
        self.work.routes_about.push(id);
    }

    /// Takes in the results of [`Fib::requests`]. An error means that no result is known.
    pub(crate) fn settle(
        &mut self,
        results: io::Result<Vec<Result<(), KernelError>>>,
        now: Moment,
    ) {
        let mut requests = std::mem::take(&mut self.work.requests);
        let mut about = std::mem::take(&mut self.work.about);
        let unknown = |text: String| Err(KernelError { errno: EIO, text });
        let mut results = match results {
            Ok(results) => results,
            Err(error) => {
                self.look_at_all(now);
                vec![unknown(error.to_string()); requests.len()]
            }
        };
        results.resize(requests.len(), unknown("no answer".to_owned()));
        self.counts.requests += requests.len() as u64;
        match self.work.stage {
            WorkStage::Objects => self.settle_objects(&about, &results, now),
            WorkStage::Routes => {
                for ((request, &id), result) in requests.iter().zip(&about).zip(&results) {
                    match request {
                        Request::SetRoute { via, replace, .. } => {
                            self.settle_set(id, via, *replace, result, now);
                        }
                        _ => self.settle_delete(id, result, now),
                    }
                }
            }
            WorkStage::Sweep => {
                for (&id, result) in about.iter().zip(&results) {
                    match result {
                        Err(error) if error.errno != ENOENT => {
                            let words = &error.text;
                            self.notes
                                .add(NoteKind::Refused, format_args!("nexthop {id}: {words}"));
                            self.counts.refusals += 1;
                        }
                        _ => self.objects.forget(id),
                    }
                }
            }
        }
        requests.clear();
        about.clear();
        self.work.requests = requests;
        self.work.about = about;
    }

    /// Takes routes whose objects were refused out of the round: they are examined again if only an id
    /// was taken, else tried later.
    fn settle_objects(&mut self, about: &[u32], results: &[Result<(), KernelError>], now: Moment) {
        let mut failed: BTreeMap<u32, Option<String>> = BTreeMap::new();
        for (&id, result) in about.iter().zip(results) {
            let Err(error) = result else {
                self.objects.added(id);
                continue;
            };
            let taken = error.errno == EEXIST;
            if !taken {
                self.look_after(error, now);
            }
            failed.insert(id, (!taken).then(|| error.text.clone()));
            self.objects.refused(id, taken);
        }
        for (group, member) in self.objects.waiting_for(|member| failed.contains_key(&member)) {
            failed.insert(group, failed.get(&member).cloned().flatten());
            self.objects.refused(group, false);
        }
        if failed.is_empty() {
            return;
        }
        let requests = std::mem::take(&mut self.work.routes);
        let ids = std::mem::take(&mut self.work.routes_about);
        for (request, id) in requests.into_iter().zip(ids) {
            let why = match &request {
                Request::SetRoute { via: Via::Object(object), .. } => failed.get(object),
                _ => None,
            };
            match why {
                None => {
                    self.work.routes.push(request);
                    self.work.routes_about.push(id);
                }
                Some(None) => self.touch(id),
                Some(Some(words)) => self.refuse(id, words, now),
            }
        }
    }

    fn settle_set(
        &mut self,
        id: u32,
        via: &Via,
        replace: bool,
        result: &Result<(), KernelError>,
        now: Moment,
    ) {
        if result.is_ok() {
            self.set_actual(id, Actual::of(via));
            let slot = &mut self.routes[id];
            (slot.since, slot.was_found) = (now, false);
            slot.adopted = false;
            slot.stray = false;
            slot.done = !slot.dirty;
            if self.failures.conflict(id).is_some() {
                let key = slot.key;
                self.notes
                    .add(NoteKind::Resolved, format_args!("{key}: no other route is in the way"));
            }
            self.failures.clear(id);
        }
        // The plan held the object; now the route holds it, or no route does.
        if let Via::Object(object) = via {
            self.objects.release(*object);
        }
        let Err(error) = result else { return };
        if error.errno != EEXIST || replace {
            self.look_after(error, now);
            self.refuse(id, &error.text, now);
        } else if let Some(protocol) = self.failures.conflict(id) {
            self.failures.note(id, Why::Conflict(protocol), now);
        } else {
            self.failures.note(id, Why::Taken, now);
            self.schedule.ask(Query::Routes(self.routes[id].key.table), now);
        }
    }

    fn settle_delete(&mut self, id: u32, result: &Result<(), KernelError>, now: Moment) {
        match result {
            Err(error) if error.errno != ESRCH && error.errno != ENOENT => {
                self.refuse(id, &error.text, now);
            }
            _ => {
                self.set_actual(id, Actual::Absent);
                self.routes[id].adopted = false;
                self.routes[id].stray = false;
                // It is not wanted, or it waits until a foreign route goes.
                self.touch(id);
            }
        }
    }

    /// The kernel refused a request about a route.
    fn refuse(&mut self, id: u32, words: &str, now: Moment) {
        self.counts.refusals += 1;
        let why = match self.failures.get(id).map(|failure| &failure.why) {
            // Still true, and keeps the foreign route from being replaced.
            Some(why @ (Why::Conflict(_) | Why::Taken)) => why.clone(),
            _ => Why::Refused(words.to_owned()),
        };
        if self.failures.note(id, why, now) {
            self.notes.add(NoteKind::Refused, format_args!("{}: {words}", self.routes[id].key));
        }
    }

    /// Queries the state that a refusal contradicts.
    fn look_after(&mut self, error: &KernelError, now: Moment) {
        match error.errno {
            ENODEV | ENETDOWN | EACCES => self.schedule.ask(Query::Device, now),
            EINVAL | ENOENT if self.config.objects => self.schedule.ask(Query::Objects, now),
            _ => {}
        }
    }
}
