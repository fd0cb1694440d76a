//! What a policy says of other sites: each is of a class, as peers are.

use std::sync::Arc;

use super::{Link, LinkEvent, SiteRefusal};
use crate::ids::PeerId;
use crate::ids::link::SiteId;
use crate::policy::{Example, Policy, Refusal, Rights, Selection, Subject};
use crate::shard::Request;
use crate::table::Origin;
use crate::wire::Vni;

impl Link {
    /// Judges other sites by this policy from now on. Cost: nothing if it is the same as before; else a request
    /// for each VNI of each site.
    pub(crate) fn judge_by(&mut self, policy: &Arc<Policy>) {
        if self.policy.as_ref().is_some_and(|it| it.generation() == policy.generation()) {
            return;
        }
        self.policy = Some(Arc::clone(policy));
        for vni in self.imports.joined() {
            for site in self.sites.all() {
                let Some(import) = self.imports.get(site, vni) else { continue };
                let pair = import.pair.map(|half| half.is_used);
                for (which, _) in pair.into_iter().enumerate().filter(|(_, is_used)| *is_used) {
                    let origin = self.origin(site.importer(which));
                    self.request(Request::Classify { origin, vni });
                }
            }
        }
    }

    /// A peer of the link, in the form for owners.
    pub(super) fn origin(&self, peer: PeerId) -> Origin {
        let rights = SiteId::of_importer(peer).map(|site| self.rights_of(site)).unwrap_or_default();
        Origin { peer, shard: self.shard, is_server: true, rights, selection: Selection::default() }
    }

    /// Reports the policy's judgement on a route of a site, once for each process of the site and reason: so endless
    /// refusals of one site do not hide those of another.
    pub(super) fn refused(&mut self, peer: PeerId, vni: Vni, refusal: &Refusal, example: &Example) {
        let (Some(site), Some(policy)) = (SiteId::of_importer(peer), self.policy.clone()) else {
            return;
        };
        let bit = 1 << (refusal.reason as u16);
        let rights = self.rights_of(site);
        let entry = &mut self.sites[site];
        if entry.told & bit != 0 {
            return;
        }
        entry.told |= bit;
        let event = SiteRefusal {
            site: Arc::clone(&entry.name),
            class: policy.name(refusal.class).to_owned(),
            rule: refusal.rule,
            reason: refusal.reason.name(),
            verdict: refusal.then.name(),
            vni,
            route: example.to_string(),
            why: policy.explain(refusal, rights, vni, Some(example)),
        };
        self.event(LinkEvent::Refused(Box::new(event)));
    }

    fn rights_of(&self, site: SiteId) -> Rights {
        let name = &*self.sites[site].name;
        let subject = Subject { site: Some(name), ..Subject::default() };
        self.policy.as_ref().map(|policy| policy.rights(&subject)).unwrap_or_default()
    }
}
