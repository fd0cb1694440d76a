//! Whether leaves have the routes that they should have, by what they report.

use std::collections::{BTreeMap, HashMap};

use super::{InspectError, Inspector, walk};
use crate::ids::{Moment, PeerId, ShardId};
use crate::shard::inspect::{
    LeafFacts, LeafReport, PeerInfo, ROWS_MAX, SubscriptionInfo, SubscriptionState, Sums,
};
use crate::threads::ShardThread;
use crate::wire::Vni;

/// The subscribers of a VNI, and their reports.
#[derive(Debug)]
pub(crate) struct VniReports {
    vni: Vni,
    subscriptions: Vec<SubscriptionInfo>,
    facts: HashMap<PeerId, LeafFacts>,
}

impl VniReports {
    /// When the newest report came; `None` without any.
    pub(crate) fn newest(&self) -> Option<Moment> {
        self.facts.values().filter_map(LeafFacts::reported_at).max()
    }

    /// The peers that have reported the VNI.
    pub(crate) fn reporting(&self) -> impl Iterator<Item = PeerId> {
        self.facts.values().filter(|facts| facts.has_report()).map(|facts| facts.peer)
    }

    /// The number of subscriptions.
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.len()
    }
}

impl Inspector {
    /// The reports of the subscribers of a VNI, compared with what they should have: one row each, in the order of
    /// their places; with a peer, its row alone. Reads the whole table of a VNI with reports, in slices; a VNI that
    /// changes meanwhile is compared as far as that is possible.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn verify(
        &self,
        vni: Vni,
        peer: Option<PeerId>,
    ) -> Result<Vec<LeafReport>, InspectError> {
        let reports = self.reports(vni, peer).await?;
        self.compare(&reports).await
    }

    /// The VNIs to which peers subscribe, in ascending order; with a peer, those of this peer.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn subscribed_vnis(&self, peer: Option<&PeerInfo>) -> Result<Vec<Vni>, InspectError> {
        let mut vnis = Vec::new();
        let Some(peer) = peer else {
            let list = |from| self.vnis(from, ROWS_MAX);
            walk(list, |info| vnis.extend((info.subscribers > 0).then_some(info.vni))).await?;
            vnis.sort_unstable();
            vnis.dedup();
            return Ok(vnis);
        };
        let mut from = Some(Vni(0));
        while let Some(first) = from {
            let (parts, next) = self.parts_of(peer, first).await?;
            let subscribed = parts.into_iter().filter(|part| part.subscription.is_some());
            vnis.extend(subscribed.map(|part| part.vni));
            from = next;
        }
        Ok(vnis)
    }

    /// The reports of the subscribers of a VNI. Cost: a listing of its subscriptions, and a question for every 512
    /// subscribers of one shard.
    pub(crate) async fn reports(
        &self,
        vni: Vni,
        peer: Option<PeerId>,
    ) -> Result<VniReports, InspectError> {
        let mut subscriptions = Vec::new();
        let is_meant = |it: &SubscriptionInfo| peer.is_none_or(|peer| it.peer == peer);
        let list = |from| self.subscriptions(Some(vni), from, ROWS_MAX);
        walk(list, |it| subscriptions.extend(is_meant(&it).then_some(it))).await?;
        let mut by_shard: BTreeMap<ShardId, Vec<PeerId>> = BTreeMap::new();
        for subscription in &subscriptions {
            by_shard.entry(subscription.shard).or_default().push(subscription.peer);
        }
        let mut facts = HashMap::new();
        for (shard, ids) in by_shard {
            for some in ids.chunks(ROWS_MAX).map(<[_]>::to_vec) {
                let question = move |core: &dyn ShardThread| {
                    core.shard().borrow().inspect().reports(core.now(), vni, &some)
                };
                let found = self.control.ask(shard.0, question).await?;
                facts.extend(found.into_iter().map(|facts| (facts.peer, facts)));
            }
        }
        Ok(VniReports { vni, subscriptions, facts })
    }

    /// Compares reports with the routes that the table has for their senders.
    pub(crate) async fn compare(
        &self,
        reports: &VniReports,
    ) -> Result<Vec<LeafReport>, InspectError> {
        let VniReports { vni, subscriptions, facts } = reports;
        let has_any = facts.values().any(LeafFacts::has_report);
        let (sums, is_changing) = match has_any {
            true => self.sums(*vni).await?,
            false => (Sums::default(), true),
        };
        let row = |subscription: &SubscriptionInfo| {
            let facts = facts.get(&subscription.peer)?;
            let is_in_sync = subscription.state == SubscriptionState::InSync;
            let name = self.name_of(subscription.peer);
            let report = facts.judge(*vni, &sums, is_in_sync, is_changing);
            Some(LeafReport { name, ..report })
        };
        Ok(subscriptions.iter().filter_map(row).collect())
    }

    /// Whether any leaf reports. Cost: a question to each shard.
    pub(crate) async fn has_reports(&self) -> Result<bool, InspectError> {
        for shard in 0..self.shards() {
            let question = |core: &dyn ShardThread| core.shard().borrow().inspect().has_reports();
            if self.control.ask(shard, question).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The position of the next change of a VNI; `None` while it moves to another shard.
    pub(crate) async fn head_of(&self, vni: Vni) -> Result<Option<u64>, InspectError> {
        let question = move |core: &dyn ShardThread| {
            Some(core.shard().borrow().inspect().sums(core.now(), vni, u32::MAX)?.head)
        };
        self.ask_owner(vni, question).await
    }

    /// The sums of a VNI's routes, and whether the VNI has changed meanwhile.
    async fn sums(&self, vni: Vni) -> Result<(Sums, bool), InspectError> {
        let mut sums = Sums::default();
        let (mut from, mut first) = (Some(0), None);
        while let Some(place) = from {
            let question = move |core: &dyn ShardThread| {
                core.shard().borrow().inspect().sums(core.now(), vni, place)
            };
            // The VNI moves to another shard.
            let Some(slice) = self.ask_owner(vni, question).await? else { return Ok((sums, true)) };
            first.get_or_insert(slice.head);
            sums.append(&slice);
            from = slice.next;
        }
        let is_changing = first != Some(sums.head);
        Ok((sums, is_changing))
    }
}
