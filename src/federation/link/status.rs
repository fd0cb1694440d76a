//! What operators see of a link.

use std::sync::Arc;
use std::time::Duration;

use super::sites::{SiteCounts, SitePresence};
use super::{Link, LinkCounts};

/// The status of another site, for operators.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SiteStatus {
    pub(crate) site: Arc<str>,
    pub(crate) state: SitePresence,
    pub(crate) is_warming: bool,
    pub(crate) is_draining: bool,
    /// Whether it has more routes than it may have here.
    pub(crate) is_above_limit: bool,
    /// The time since its last message; `None` before the first.
    pub(crate) heard: Option<Duration>,
    /// The number of its routes here.
    pub(crate) routes: u64,
    /// The number of VNIs that clients here want, as far as they are in sync with the site.
    pub(crate) vnis_in_sync: u64,
    /// The age of its latest change at its arrival, by both clocks, in seconds.
    pub(crate) lag: f64,
    pub(crate) agent: Box<str>,
    pub(crate) uptime: Duration,
    pub(crate) counts: SiteCounts,
}

/// The status of a link, for operators.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LinkStatus {
    /// The name of this site.
    pub(crate) site: Arc<str>,
    pub(crate) epoch: u64,
    pub(crate) is_connected: bool,
    pub(crate) is_draining: bool,
    /// `None` unless another process uses the name of this site; `Some(true)` when this one came later and is silent.
    pub(crate) twin: Option<bool>,
    /// The number of VNIs that clients here want.
    pub(crate) vnis_wanted: u64,
    /// The numbers of VNIs that other sites want, and of those that wait for the engine.
    pub(crate) vnis_exported: u64,
    pub(crate) vnis_behind: u64,
    /// The numbers of VNIs whose snapshot is on its way here, and of answers under way.
    pub(crate) snapshots_awaited: u64,
    pub(crate) answers: u64,
    /// The numbers of messages and bytes that wait for the engine.
    pub(crate) queued: (usize, usize),
    pub(crate) counts: LinkCounts,
    /// The other sites, by number.
    pub(crate) sites: Vec<SiteStatus>,
}

impl Link {
    /// The status for operators. Cost: a look at every site and at every request under way.
    pub(crate) fn status(&self) -> LinkStatus {
        let site = |site: &super::sites::Site| SiteStatus {
            site: Arc::clone(&site.name),
            state: site.state,
            is_warming: site.is_warming(),
            is_draining: site.is_draining,
            is_above_limit: site.barred_until.is_some(),
            heard: (site.epoch != 0).then(|| self.now.since(site.heard)),
            routes: site.routes,
            vnis_in_sync: site.in_sync,
            lag: site.lag as f64 / 1e6,
            agent: site.agent.clone(),
            uptime: Duration::from_secs(site.uptime),
            counts: site.counts,
        };
        LinkStatus {
            site: Arc::clone(&self.settings.site),
            epoch: self.epoch,
            is_connected: self.is_connected,
            is_draining: self.is_draining,
            twin: self.twin.is_there().then(|| self.twin.is_later()),
            vnis_wanted: self.imports.len() as u64,
            vnis_exported: self.exports.len() as u64,
            vnis_behind: self.exports.behind() as u64,
            snapshots_awaited: self.asks.vnis() as u64,
            answers: self.answers.len() as u64,
            queued: self.uplink.waiting(),
            counts: self.counts,
            sites: self.sites.iter().map(site).collect(),
        }
    }

    /// The name of this site.
    #[cfg(feature = "federation")]
    pub(crate) fn site(&self) -> Arc<str> {
        Arc::clone(&self.settings.site)
    }

    /// Whether the engine is reachable.
    #[cfg(feature = "federation")]
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// The number of outputs not taken yet.
    #[cfg(feature = "federation")]
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The VNIs to which it listens.
    pub(crate) fn listens(&self) -> Vec<crate::wire::Vni> {
        self.imports.joined()
    }

    /// The names of sites by their numbers, without the first `known`.
    #[cfg(feature = "federation")]
    pub(crate) fn names_from(&self, known: usize) -> Vec<Arc<str>> {
        self.sites.iter().skip(known).map(|site| Arc::clone(&site.name)).collect()
    }
}
