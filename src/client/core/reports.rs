//! The reports to one server about the routes that it has sent: one REPORT per VNI in which something changed.
//!
//! State: the VNIs that changed since they were reported. All of them are reported together, a little after the first
//! change and a second after the reports before, so that a server is woken once a second at most.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ids::Moment;
use crate::wire::Vni;

/// How long after a change reports are sent: changes within this time share a report.
const GATHER: Duration = Duration::from_millis(250);
/// The least time between two rounds of reports.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Whether the server wants reports; if not, the other fields do not matter.
    is_wanted: bool,
    /// How much this leaf delays its reports: all leaves have the same changes at the same moment.
    spread: Duration,
    changed: BTreeSet<Vni>,
    /// When the VNIs in `changed` become due.
    due: Option<Moment>,
    /// When reports were due last.
    last: Option<Moment>,
    /// VNIs whose reports are due.
    ripe: BTreeSet<Vni>,
}

impl Reports {
    /// For a server that wants reports, each delayed by `spread`.
    pub(super) fn wanted(spread: Duration) -> Self {
        Self { is_wanted: true, spread, ..Self::default() }
    }

    /// The report of a VNI changed.
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

    /// VNIs to report now, at most `max`.
    pub(super) fn take(&mut self, max: usize) -> Vec<Vni> {
        let mut vnis = Vec::new();
        while vnis.len() < max
            && let Some(vni) = self.ripe.pop_first()
        {
            vnis.push(vni);
        }
        vnis
    }
}
