//! Compares a leaf's report with the routes that the leaf is owed. Pure.

use std::fmt;
use std::time::Duration;

use super::questions::{Inspection, ROWS_MAX};
use crate::ids::{Moment, PeerId};
use crate::policy::Selection;
use crate::shard::connections::Reported;
use crate::table::{Origin, Sums};
use crate::wire::{Capabilities, Installed, Vni};

/// Places summed up for one answer at most: each costs a hash and a look at memory that is in no cache.
const PLACES_MAX: u32 = 2048;
/// A leaf reports within this time after a change.
const REPORTED: Duration = Duration::from_secs(2);
/// A kernel that lacks routes for longer than this is a difference.
const INSTALLED: Duration = Duration::from_secs(5);

/// Whether a leaf has the routes of a VNI that it should have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LeafState {
    /// It reports nothing, or receives other routes than most peers do (`echo`).
    Silent,
    /// It has reported the routes that it should have.
    Agrees,
    /// The VNI has just changed, or the leaf has not been sent everything.
    Behind,
    /// It has reported other routes.
    Differs(Difference),
}

/// The kind of a difference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Difference {
    /// The leaf has other routes than it has been sent.
    Routes,
    /// It has the right routes, and its kernel lacks some.
    Kernel,
    /// Its report is older than the latest change.
    Old,
    /// It reports other VNIs, and not this one.
    Missing,
}

impl LeafState {
    /// The names of all states.
    pub(crate) const NAMES: [&str; 4] = ["silent", "agrees", "behind", "differs"];

    /// A short, stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let [silent, agrees, behind, differs] = Self::NAMES;
        match self {
            Self::Silent => silent,
            Self::Agrees => agrees,
            Self::Behind => behind,
            Self::Differs(_) => differs,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routes => "routes",
            Self::Kernel => "kernel",
            Self::Old => "old",
            Self::Missing => "missing",
        })
    }
}

/// What a leaf has reported of a VNI, compared with what it should have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeafReport {
    /// The leaf.
    pub peer: PeerId,
    /// Its name for people. Filled in by the inspector.
    pub name: String,
    /// The VNI.
    pub vni: Vni,
    /// The outcome.
    pub state: LeafState,
    /// The number of routes that it should have; `None` if it reports nothing.
    pub owed: Option<u64>,
    /// The number of routes that it has reported; `None` without a report.
    pub reported: Option<u64>,
    /// What it has reported of its kernel; `None` if it writes no routes of the VNI to a kernel.
    pub installed: Option<Installed>,
    /// The age of its report.
    pub age: Option<Duration>,
}

/// The facts that the shard of a leaf's connection knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LeafFacts {
    pub(crate) peer: PeerId,
    is_server: bool,
    /// Whether it has reported any VNI.
    reports: bool,
    report: Option<Reported>,
    /// Whether bytes wait to be written to it.
    is_owed: bool,
    established: Option<Moment>,
    now: Moment,
}

impl LeafFacts {
    /// Whether its report of the VNI can be compared.
    pub(crate) fn has_report(&self) -> bool {
        self.report.is_some()
    }

    /// When its report came.
    pub(crate) fn reported_at(&self) -> Option<Moment> {
        self.report.map(|report| report.at)
    }

    /// Compares its report. `is_in_sync`: it has been given all changes; `is_changing`: the VNI has changed while
    /// `sums` were made.
    pub(crate) fn judge(
        &self,
        vni: Vni,
        sums: &Sums,
        is_in_sync: bool,
        is_changing: bool,
    ) -> LeafReport {
        let owed = sums.owed(self.peer, self.is_server);
        let is_settled = is_in_sync
            && !is_changing
            && !self.is_owed
            && sums.changed.is_none_or(|at| self.now.since(at) >= REPORTED);
        let state = match &self.report {
            None if !self.reports => LeafState::Silent,
            None if is_settled && self.is_old() => LeafState::Differs(Difference::Missing),
            None => LeafState::Behind,
            Some(report) if report.routes == owed => self.judge_kernel(report),
            Some(_) if !is_settled => LeafState::Behind,
            Some(report) if sums.changed.is_some_and(|at| report.at < at) => {
                LeafState::Differs(Difference::Old)
            }
            Some(_) => LeafState::Differs(Difference::Routes),
        };
        LeafReport {
            peer: self.peer,
            name: String::new(),
            vni,
            state,
            owed: self.reports.then_some(owed.routes),
            reported: self.report.map(|report| report.routes.routes),
            installed: self.report.and_then(|report| report.installed),
            age: self.report.map(|report| self.now.since(report.at)),
        }
    }

    fn judge_kernel(&self, report: &Reported) -> LeafState {
        match report.short_since {
            None => LeafState::Agrees,
            Some(since) if self.now.since(since) < INSTALLED => LeafState::Behind,
            Some(_) => LeafState::Differs(Difference::Kernel),
        }
    }

    /// Whether its session is old enough for it to have reported each VNI.
    fn is_old(&self) -> bool {
        self.established.is_some_and(|at| self.now.since(at) >= INSTALLED)
    }
}

impl Inspection<'_> {
    /// The sums of the routes that members are owed, from a place on; `None` if this shard does not own the VNI.
    pub(crate) fn sums(&self, now: Moment, vni: Vni, from: u32) -> Option<Sums> {
        Some(self.table(vni)?.sums(now, from, PLACES_MAX))
    }

    /// Whether any peer has reported. Costs a look at each peer up to the first that has.
    pub(crate) fn has_reports(&self) -> bool {
        self.connections.peers().iter().any(|(_, peer)| peer.has_reported())
    }

    /// The reports of a VNI by the peers of `ids` that exist. Costs a look at each.
    pub(crate) fn reports(&self, now: Moment, vni: Vni, ids: &[PeerId]) -> Vec<LeafFacts> {
        let facts = |id: &PeerId| {
            let (_, peer) = self.connections.peer(*id)?;
            let Origin { is_server, selection, .. } = peer.origin(self.shard);
            // Other peers may have been sent some of their own routes, depending on when these came.
            let is_comparable = selection == Selection::default();
            Some(LeafFacts {
                peer: *id,
                is_server,
                reports: is_comparable && peer.has(Capabilities::REPORT) && peer.has_reported(),
                report: peer.reported(vni).filter(|_| is_comparable).copied(),
                is_owed: peer.is_owed(),
                established: peer.counts.established,
                now,
            })
        };
        ids.iter().take(ROWS_MAX).filter_map(facts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Digest;

    const PEER: PeerId = PeerId(7);

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    fn digest(routes: u64) -> Digest {
        Digest { routes, sum: routes * 11 }
    }

    fn facts(routes: u64, reported: u64) -> LeafFacts {
        let report = Reported {
            routes: digest(routes),
            installed: None,
            at: at(reported),
            short_since: None,
        };
        LeafFacts {
            peer: PEER,
            is_server: false,
            reports: true,
            report: Some(report),
            is_owed: false,
            established: Some(at(1)),
            now: at(100),
        }
    }

    /// A VNI of ten routes; only the peer announces two of them.
    fn sums(changed: u64) -> Sums {
        let own = [(PEER, digest(2))].into_iter().collect();
        Sums { clients: digest(10), own, changed: Some(at(changed)), ..Sums::default() }
    }

    fn state(facts: &LeafFacts, sums: &Sums) -> LeafState {
        facts.judge(Vni(1), sums, true, false).state
    }

    #[test]
    fn a_leaf_agrees_that_has_what_others_announce() {
        assert_eq!(state(&facts(8, 50), &sums(40)), LeafState::Agrees);
        // The age of the report does not matter: the same routes are the same.
        assert_eq!(state(&facts(8, 30), &sums(100)), LeafState::Agrees);
    }

    #[test]
    fn what_differs_is_told_once_it_cannot_be_on_its_way() {
        let differs = |why| LeafState::Differs(why);
        assert_eq!(state(&facts(7, 50), &sums(40)), differs(Difference::Routes));
        assert_eq!(state(&facts(7, 30), &sums(40)), differs(Difference::Old));
        assert_eq!(state(&facts(7, 99), &sums(99)), LeafState::Behind, "it has just changed");
        let of = |in_sync, changing| facts(7, 50).judge(Vni(1), &sums(40), in_sync, changing).state;
        assert_eq!((of(false, false), of(true, true)), (LeafState::Behind, LeafState::Behind));
        let unread = LeafFacts { is_owed: true, ..facts(7, 50) };
        assert_eq!(state(&unread, &sums(40)), LeafState::Behind);
    }

    #[test]
    fn a_kernel_may_lack_routes_for_a_while() {
        let short = |since| {
            let mut facts = facts(8, 99);
            facts.report.as_mut().unwrap().short_since = Some(at(since));
            state(&facts, &sums(40))
        };
        assert_eq!(short(96), LeafState::Behind);
        assert_eq!(short(95), LeafState::Differs(Difference::Kernel));
    }

    #[test]
    fn a_vni_without_a_report_is_missing_only_if_the_leaf_reports() {
        let silent = LeafFacts { report: None, reports: false, ..facts(0, 0) };
        assert_eq!(state(&silent, &sums(40)), LeafState::Silent);
        let lacks = LeafFacts { report: None, ..facts(0, 0) };
        assert_eq!(state(&lacks, &sums(40)), LeafState::Differs(Difference::Missing));
        let young = LeafFacts { established: Some(at(96)), ..lacks };
        assert_eq!(state(&young, &sums(40)), LeafState::Behind);
    }
}
