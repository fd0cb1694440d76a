//! The content of reports: the digest of a server's routes, and how many of them the dataplane has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::reports::Reports;
use super::route_key::RibKey;
use super::{Leaf, ServerSlot};
use crate::ids::Moment;
use crate::wire::{Installed, Message, NextHopType, Report, Vni};

impl Leaf {
    /// The server wants reports; this leaf delays each by `spread`.
    pub(in crate::client) fn reports_to(&mut self, slot: ServerSlot, spread: Duration) {
        if let Some(session) = self.sessions.get_mut(&slot) {
            session.reports = Reports::wanted(spread);
        }
    }

    /// Sets how many routes the dataplane has of each VNI. VNIs missing from `rows` have no dataplane.
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

    /// Routes of a VNI that servers have sent may have changed.
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
        let is_standard = |key: &RibKey| key.1.kind() == NextHopType::Standard;
        let own: BTreeSet<RibKey> = own.filter(is_standard).collect();
        u64::try_from(own.len()).unwrap_or(u64::MAX)
    }

    /// The due reports to a server, at most `max`.
    pub(super) fn take_reports(&mut self, slot: ServerSlot, max: usize) -> Vec<Message> {
        let Some(session) = self.sessions.get_mut(&slot) else { return Vec::new() };
        let vnis = session.reports.take(max);
        let report = |vni: Vni| {
            let rib = self.adj_ribs_in.get(&vni)?;
            // A server wants no report of a table before the table is complete.
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
