//! What operators see of a link.

use std::sync::Arc;
use std::time::Duration;

use super::sites::{SiteCounts, SitePresence};
use super::{Link, LinkCounts, import};
use crate::ids::link::SiteId;

/// What operators see of another site.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct SiteStatus {
    pub(crate) site: Arc<str>,
    pub(crate) state: SitePresence,
    pub(crate) is_warming: bool,
    pub(crate) is_draining: bool,
    /// It has more routes than it may have here.
    pub(crate) is_above_limit: bool,
    /// Since anything of it was heard; `None` before that.
    pub(crate) heard: Option<Duration>,
    /// Routes of it here.
    pub(crate) routes: u64,
    /// VNIs that clients here want, and how many of them are as the site has them.
    pub(crate) vnis_in_sync: u64,
    /// How old its latest change was when it came, by both clocks, in seconds.
    pub(crate) lag: f64,
    pub(crate) agent: Box<str>,
    pub(crate) uptime: Duration,
    pub(crate) counts: SiteCounts,
}

/// What operators see of a link.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LinkStatus {
    /// The name of this site.
    pub(crate) site: Arc<str>,
    pub(crate) epoch: u64,
    pub(crate) is_connected: bool,
    pub(crate) is_draining: bool,
    /// Another process uses the name of this site; `Some(true)` when this one came later and is silent.
    pub(crate) twin: Option<bool>,
    /// VNIs that clients here want.
    pub(crate) vnis_wanted: u64,
    /// VNIs that other sites want, and those of them that wait for the engine.
    pub(crate) vnis_exported: u64,
    pub(crate) vnis_behind: u64,
    /// VNIs of which a snapshot is on its way here, and answers that go out.
    pub(crate) snapshots_awaited: u64,
    pub(crate) answers: u64,
    /// Messages and bytes that wait for the engine.
    pub(crate) queued: (usize, usize),
    pub(crate) counts: LinkCounts,
    /// By number.
    pub(crate) sites: Vec<SiteStatus>,
}

impl Link {
    /// What operators see. Cost: a look at every VNI of every site.
    pub(crate) fn status(&self) -> LinkStatus {
        let joined = self.imports.joined();
        let in_sync = |site| {
            let is_in_sync = |vni: &&crate::wire::Vni| {
                let import = self.imports.get(site, **vni);
                import.is_some_and(|it| it.state == import::ImportState::InSync)
            };
            joined.iter().filter(is_in_sync).count() as u64
        };
        let site = |(number, site): (SiteId, &super::sites::Site)| SiteStatus {
            site: Arc::clone(&site.name),
            state: site.state,
            is_warming: site.is_warming(),
            is_draining: site.is_draining,
            is_above_limit: site.barred_until.is_some(),
            heard: (site.epoch != 0).then(|| self.now.since(site.heard)),
            routes: site.routes,
            vnis_in_sync: in_sync(number),
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
            vnis_wanted: joined.len() as u64,
            vnis_exported: self.exports.len() as u64,
            vnis_behind: self.exports.behind() as u64,
            snapshots_awaited: self.asks.vnis() as u64,
            answers: self.answers.len() as u64,
            queued: self.uplink.waiting(),
            counts: self.counts,
            sites: self.sites.all().zip(self.sites.iter()).map(site).collect(),
        }
    }

    /// The name of this site.
    #[cfg(feature = "federation")]
    pub(crate) fn site(&self) -> Arc<str> {
        Arc::clone(&self.settings.site)
    }

    /// Whether the engine can be reached.
    #[cfg(feature = "federation")]
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// What it has asked for and has not been taken.
    #[cfg(feature = "federation")]
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The VNIs of which it wants to hear.
    pub(crate) fn listens(&self) -> Vec<crate::wire::Vni> {
        self.imports.joined()
    }

    /// The names of sites by their numbers, but for the first so many.
    #[cfg(feature = "federation")]
    pub(crate) fn names_from(&self, known: usize) -> Vec<Arc<str>> {
        self.sites.iter().skip(known).map(|site| Arc::clone(&site.name)).collect()
    }
}
