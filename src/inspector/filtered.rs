//! Routes that the policy or a block refuses.

use super::Inspector;
use crate::policy::{Example, Policy, Refusal};
use crate::shard::inspect::{Cursor, FilteredFacts, FilteredRoute, Page};
use crate::threads::{InspectError, ShardThread};
use crate::wire::{Destination, Vni};

impl Inspector {
    /// A page of the routes of a VNI that peers announce and that the policy or a block refuses, peer by peer, from
    /// `from` on: at most `limit` rows, and at most [`PAGE_MAX`](super::PAGE_MAX). Continue until `next` is `None`. A
    /// route that is there from the first to the last page is listed; if others are withdrawn meanwhile, it may be
    /// listed twice.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn filtered(
        &self,
        vni: Vni,
        from: Cursor,
        limit: usize,
    ) -> Result<Page<FilteredRoute>, InspectError> {
        let slice = move |core: &dyn ShardThread, from, rows| {
            core.shard().borrow().inspect().filtered(vni, from, rows)
        };
        let Page { rows, next } = self.gather_of_owner(vni, from, limit, slice).await?;
        let policy = self.in_force().config.settings.policy;
        let rows = rows.iter().map(|(to, facts)| self.filtered_route(&policy, vni, *to, facts));
        Ok(Page { rows: rows.collect(), next })
    }

    fn filtered_route(
        &self,
        policy: &Policy,
        vni: Vni,
        destination: Destination,
        facts: &FilteredFacts,
    ) -> FilteredRoute {
        let FilteredFacts { next_hop, peer, rights, refusal } = *facts;
        let site = self.control.roster.site_of(peer);
        let (class, reason, why) = if refusal == Refusal::UNKNOWN {
            (rights.class, "unknown", "the policy has not judged it yet".to_owned())
        } else {
            let example = Example { destination, next_hop };
            let why = policy.explain(&refusal, rights, vni, Some(&example));
            (refusal.class, refusal.reason.name(), why)
        };
        FilteredRoute {
            vni,
            destination,
            next_hop,
            peer: site.is_none().then_some(peer),
            name: site.map_or_else(|| self.name_of(peer), |site| site.to_string()),
            class: policy.name(class).to_owned(),
            rule: refusal.rule,
            reason,
            why,
        }
    }
}
