//! [`Sites`]: the other sites, as their messages show them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::{AHashMap, RandomState};

use super::settings::SITES;
use crate::ids::link::SiteId;
use crate::ids::{Moment, is_site_name};
use crate::wire::Vni;

/// The presence of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SitePresence {
    /// Its name is known, but no heartbeat has come.
    Unheard,
    Live,
    /// Silent, draining, or above its limit: its routes are kept for a while.
    Stale,
    /// It was stale for too long: its routes are withdrawn.
    Gone,
}

/// The VNIs of a check.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    All,
    Some(Vec<Vni>),
}

/// Another site.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: Arc<str>,
    pub(super) state: SitePresence,
    /// The epoch of its process; 0 before the first message.
    pub(super) epoch: u64,
    /// When the last message of this process came.
    pub(super) heard: Moment,
    /// Since when it is stale.
    pub(super) stale_since: Moment,
    /// The number of its latest heartbeat.
    pub(super) heartbeat: u64,
    /// The epoch of its latest process that has ended its warming.
    pub(super) warm: u64,
    pub(super) is_draining: bool,
    /// A bit for each reason for which a refusal of its present process has been reported.
    pub(super) told: u16,
    /// It had more routes than its limit: nothing is taken from it before this moment.
    pub(super) barred_until: Option<Moment>,
    /// The process and the generation of its latest interest.
    pub(super) interest: (u64, u64),
    /// When its interest was last asked for.
    pub(super) interest_asked: Moment,
    /// The checks to be made.
    pub(super) checks: BTreeMap<Moment, Scope>,
    /// VNIs whose snapshot is needed, each with the moment to request it.
    pub(super) needs: BTreeSet<(Moment, Vni)>,
    /// The number of VNIs that it wants.
    pub(super) wants: usize,
    /// The number of its routes here, as the owners of VNIs count them.
    pub(super) routes: u64,
    /// The number of its VNIs that are in sync here.
    pub(super) in_sync: u64,
    /// Since when it has more routes than its limit.
    pub(super) above_since: Option<Moment>,
    /// The agent in its heartbeats.
    pub(super) agent: Box<str>,
    pub(super) vnis: u64,
    pub(super) uptime: u64,
    /// The delay of the latest change by the sender's clock and ours, in microseconds.
    pub(super) lag: i64,
    pub(super) counts: SiteCounts,
}

/// Counts of events of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SiteCounts {
    /// Changes of routes that were taken in, as deltas and as snapshots.
    pub(crate) changes: u64,
    /// Snapshots of a VNI that are complete.
    pub(crate) snapshots: u64,
    /// Snapshots that failed.
    pub(crate) failed: u64,
    /// Gaps in the messages of a VNI.
    pub(crate) gaps: u64,
    /// Digests that differed although no message was lost.
    pub(crate) mismatches: u64,
    /// Messages that could not be read.
    pub(crate) poisoned: u64,
    /// Times at which it became stale.
    pub(crate) stale: u64,
}

impl Site {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            state: SitePresence::Unheard,
            epoch: 0,
            heard: Moment(0),
            stale_since: Moment(0),
            heartbeat: 0,
            warm: 0,
            is_draining: false,
            told: 0,
            barred_until: None,
            interest: (0, 0),
            interest_asked: Moment(0),
            checks: BTreeMap::new(),
            needs: BTreeSet::new(),
            wants: 0,
            routes: 0,
            in_sync: 0,
            above_since: None,
            agent: Box::default(),
            vnis: 0,
            uptime: 0,
            lag: 0,
            counts: SiteCounts::default(),
        }
    }

    /// Whether some of its clients may not be back.
    pub(super) fn is_warming(&self) -> bool {
        self.warm != self.epoch
    }

    /// Whether it answers requests.
    pub(super) fn answers(&self) -> bool {
        self.state == SitePresence::Live && !self.is_draining && self.barred_until.is_none()
    }

    /// Schedules a check, of some VNIs or of all that are in sync by then. Not of a site that answers none: when it is
    /// back, all VNIs are checked.
    pub(super) fn check_at(&mut self, then: Moment, scope: Scope) {
        if !self.answers() {
            return;
        }
        // Checks of about the same moment are merged.
        let then = Moment(then.0 / 50_000 * 50_000);
        match (self.checks.get_mut(&then), scope) {
            (Some(Scope::All), _) => {}
            (Some(Scope::Some(have)), Scope::Some(more)) => have.extend(more),
            (_, scope) => {
                self.checks.insert(then, scope);
            }
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Sites {
    list: Vec<Site>,
    by_name: AHashMap<Arc<str>, SiteId>,
}

impl Sites {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { list: Vec::new(), by_name: AHashMap::with_hasher(hasher) }
    }

    /// The number of a site, if its name is known.
    pub(super) fn find(&self, name: &str) -> Option<SiteId> {
        self.by_name.get(name).copied()
    }

    /// The number of a site; a new one for a new name. `None` when there are too many, or the name is invalid.
    pub(super) fn named(&mut self, name: &str) -> Option<SiteId> {
        if let Some(site) = self.find(name) {
            return Some(site);
        }
        if self.list.len() >= SITES || !is_site_name(name) {
            return None;
        }
        let site = SiteId(u16::try_from(self.list.len()).ok()?);
        let name: Arc<str> = name.into();
        self.list.push(Site::new(Arc::clone(&name)));
        self.by_name.insert(name, site);
        Some(site)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = SiteId> + use<> {
        (0..u16::try_from(self.list.len()).unwrap_or(u16::MAX)).map(SiteId)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Site> {
        self.list.iter()
    }
}

impl std::ops::Index<SiteId> for Sites {
    type Output = Site;

    fn index(&self, site: SiteId) -> &Site {
        &self.list[site.index()]
    }
}

impl std::ops::IndexMut<SiteId> for Sites {
    fn index_mut(&mut self, site: SiteId) -> &mut Site {
        &mut self.list[site.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_above_the_most_are_not_known() {
        let mut sites = Sites::new(RandomState::with_seeds(1, 2, 3, 4));
        for number in 0..SITES {
            assert_eq!(sites.named(&format!("site-{number}")).map(SiteId::index), Some(number));
        }
        assert_eq!(sites.named("one-more"), None);
        assert_eq!(sites.named("site-5"), sites.find("site-5"));
    }
}
