//! What leaves say of the routes that they have: the last report of each VNI, and nothing of those before.

use super::intake::Intake;
use super::peer::Peer;
use crate::ids::Moment;
use crate::wire::{Capabilities, Digest, Installed, Report, Vni};

/// The last report of one peer and VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reported {
    pub(crate) routes: Digest,
    pub(crate) installed: Option<Installed>,
    /// When it came.
    pub(crate) at: Moment,
    /// Since when the peer's kernel lacks routes by all reports that have come; `None` if it lacks none.
    pub(crate) short_since: Option<Moment>,
}

impl Reported {
    /// Takes the place of the report before, if there was one.
    fn new(report: &Report, before: Option<&Self>, at: Moment) -> Self {
        let Report { routes, installed, .. } = *report;
        let is_short = installed.is_some_and(|it| {
            it.accepted < it.wanted || it.wanted.saturating_add(it.left_out) < routes.routes
        });
        let short_since = before.and_then(|before| before.short_since).unwrap_or(at);
        Self { routes, installed, at, short_since: is_short.then_some(short_since) }
    }
}

impl Peer {
    /// The last report of a VNI; `None` without one.
    pub(in crate::shard) fn reported(&self, vni: Vni) -> Option<&Reported> {
        self.counts.rare.as_ref()?.reports.get(&vni)
    }

    /// Whether it has reported anything.
    pub(in crate::shard) fn has_reported(&self) -> bool {
        self.counts.rare.as_ref().is_some_and(|rare| !rare.reports.is_empty())
    }

    /// Its subscription to a VNI has ended, and what it reported of that.
    pub(super) fn forget_report(&mut self, vni: Vni) {
        if let Some(rare) = &mut self.counts.rare {
            rare.reports.remove(&vni);
        }
    }
}

impl Intake<'_, '_> {
    /// A peer reports. Only what is reported of a subscription is kept: so many there may be.
    pub(super) fn report(&mut self, report: &Report) {
        let (now, vni) = (self.now, report.vni);
        let peer = self.peer();
        if peer.has(Capabilities::REPORT) && peer.memberships.subscription(vni).is_some() {
            let reported = Reported::new(report, peer.reported(vni), now);
            peer.counts.rare().reports.insert(vni, reported);
        }
    }
}
