//! What operators ask about other sites.

use super::{InspectError, Inspector};
use crate::federation::{Federation, FederationStatus};
use crate::ids::PeerId;
use crate::shard::inspect::{Explanation, Reason, RouteInfo};

impl Inspector {
    /// Names the other sites among the announcers of routes.
    pub(super) fn name_sites(&self, routes: &mut [RouteInfo]) {
        for route in routes {
            let all = route.announcers.len();
            route.sites = self.take_sites(&mut route.announcers);
            let taken = all - route.announcers.len();
            // A site may announce through both of its peers.
            route.announcer_count -= taken.saturating_sub(route.sites.len()) as u64;
        }
    }

    /// The same in an explanation.
    pub(super) fn name_sites_in(&self, explanation: &mut Explanation) {
        for reason in &mut explanation.reasons {
            if let Reason::Announced { by, sites, .. } = reason {
                *sites = self.take_sites(by);
            }
        }
    }

    /// Takes out the peers that stand for other sites, and returns the names of these sites.
    fn take_sites(&self, peers: &mut Vec<PeerId>) -> Vec<String> {
        let mut sites = Vec::new();
        peers.retain(|peer| match self.control.roster.site_of(*peer) {
            Some(site) => {
                if !sites.iter().any(|known| *known == *site) {
                    sites.push(site.to_string());
                }
                false
            }
            None => true,
        });
        sites
    }

    /// The other sites, and how they are reached; `None` without federation. Cost: one question, for which the shard
    /// looks at every VNI of every site.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn federation(&self) -> Result<Option<FederationStatus>, InspectError> {
        self.control.federation(Federation::status).await
    }
}
