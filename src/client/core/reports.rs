//! What one server is told of the routes that it has sent: one REPORT per VNI in which something changed.
//!
//! State: the VNIs that changed since they were reported. All of them are reported together, a little after the first
//! change and a second after the reports before, so that a server is woken once a second at most.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::adj_rib_in::Key;
use super::{Leaf, ServerSlot, Servers};
use crate::ids::Moment;
use crate::wire::{Digest, Installed, Message, NextHopType, Report, Vni};

/// How long after a change reports are sent: what comes together is reported together.
const GATHER: Duration = Duration::from_millis(250);
/// Between two times at which reports are sent.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Of a server that does not want any, nothing else is of meaning.
    is_wanted: bool,
    /// How much later than others this leaf reports: all have the same changes at the same moment.
    spread: Duration,
    changed: BTreeSet<Vni>,
    /// When `changed` is reported.
    due: Option<Moment>,
    /// When reports were due last.
    last: Option<Moment>,
    /// VNIs whose reports are due.
    ripe: BTreeSet<Vni>,
}

impl Reports {
    /// Something changed in a VNI that is reported.
    pub(super) fn changed(&mut self, now: Moment, vni: Vni) {
        if !self.is_wanted || self.ripe.contains(&vni) {
            return;
        }
        self.changed.insert(vni);
        let (soon, pause) = (now + GATHER + self.spread, self.last.map(|last| last + PAUSE));
        self.due.get_or_insert_with(|| pause.into_iter().fold(soon, Moment::max));
    }

    pub(super) fn forget(&mut self, vni: Vni) {
        self.changed.remove(&vni);
        self.ripe.remove(&vni);
    }

    /// When [`Reports::tick`] is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due
    }

    pub(super) fn tick(&mut self, now: Moment) {
        if self.due.is_some_and(|due| due <= now) {
            (self.due, self.last) = (None, Some(now));
            self.ripe.append(&mut self.changed);
        }
    }

    /// VNIs to report now, at most so many.
    fn take(&mut self, max: usize) -> Vec<Vni> {
        let mut vnis = Vec::new();
        while vnis.len() < max
            && let Some(vni) = self.ripe.pop_first()
        {
            vnis.push(vni);
        }
        vnis
    }
}

/// The routes of a VNI that each server has here.
#[derive(Debug, Default)]
pub(super) struct Digests {
    of: BTreeMap<ServerSlot, Digest>,
    /// Servers of which one has changed since somebody asked.
    changed: Servers,
}

impl Digests {
    /// A server has one route more.
    pub(super) fn add(&mut self, slot: ServerSlot, (destination, next_hop): &Key) {
        self.of.entry(slot).or_default().add(destination, next_hop);
        self.changed.insert(slot);
    }

    /// It has this route no more.
    pub(super) fn remove(&mut self, slot: ServerSlot, (destination, next_hop): &Key) {
        self.of.entry(slot).or_default().remove(destination, next_hop);
        self.changed.insert(slot);
    }

    /// It has none.
    pub(super) fn end(&mut self, slot: ServerSlot) {
        self.of.remove(&slot);
    }

    fn get(&self, slot: ServerSlot) -> Digest {
        self.of.get(&slot).copied().unwrap_or_default()
    }
}

impl Leaf {
    /// The server wants reports, of which this leaf sends each so much later than it might.
    pub(in crate::client) fn reports_to(&mut self, slot: ServerSlot, spread: Duration) {
        if let Some(session) = self.sessions.get_mut(&slot) {
            session.reports = Reports { is_wanted: true, spread, ..Reports::default() };
        }
    }

    /// How many routes the dataplane has of each VNI. Those that are left out have no dataplane.
    pub(in crate::client) fn set_installed(&mut self, now: Moment, rows: Vec<(Vni, Installed)>) {
        let rows: BTreeMap<_, _> = rows.into_iter().collect();
        let before = std::mem::replace(&mut self.installed, rows);
        let changed: Vec<Vni> = before
            .keys()
            .chain(self.installed.keys())
            .filter(|vni| before.get(vni) != self.installed.get(vni))
            .copied()
            .collect();
        for session in self.sessions.values_mut() {
            changed.iter().for_each(|vni| session.reports.changed(now, *vni));
        }
    }

    /// What servers have sent of a VNI may have changed.
    pub(super) fn note_changed(&mut self, now: Moment, vni: Vni) {
        let Some(rib) = self.adj_ribs_in.get_mut(&vni) else { return };
        for slot in std::mem::take(&mut rib.digests.changed).slots() {
            if let Some(session) = self.sessions.get_mut(&slot) {
                session.reports.changed(now, vni);
            }
        }
    }

    /// How many routes of a VNI are not for the dataplane because this leaf announces their networks.
    fn hidden(&self, vni: Vni) -> u64 {
        let rib = self.adj_ribs_in.get(&vni).into_iter();
        let own = rib.flat_map(|rib| {
            let own = self.intent.announcements(vni).map(|route| route.destination);
            own.flat_map(|destination| rib.of_network(destination))
        });
        let is_standard = |key: &Key| key.1.kind() == NextHopType::Standard;
        let own: BTreeSet<Key> = own.filter(is_standard).collect();
        u64::try_from(own.len()).unwrap_or(u64::MAX)
    }

    /// The reports that are due to a server, at most so many.
    pub(super) fn take_reports(&mut self, slot: ServerSlot, max: usize) -> Vec<Message> {
        let Some(session) = self.sessions.get_mut(&slot) else { return Vec::new() };
        let vnis = session.reports.take(max);
        let report = |vni: Vni| {
            let rib = self.adj_ribs_in.get(&vni)?;
            // Before its end, a table is not what the server wants to hear of.
            let routes = rib.is_in_sync(slot).then(|| rib.digests.get(slot))?;
            let hidden = || self.hidden(vni);
            let installed = self
                .installed
                .get(&vni)
                .map(|it| Installed { left_out: it.left_out.saturating_add(hidden()), ..*it });
            Some(Message::Report(Report { vni, routes, installed }))
        };
        vnis.into_iter().filter_map(report).collect()
    }
}
