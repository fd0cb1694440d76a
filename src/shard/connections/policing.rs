//! What the policy says of a peer: its class, whether it may be a server, what it may subscribe to.

use super::{Connections, Peer, Slot};
use crate::policy::{Example, Judgement, OnRefusal, Policy, Refusal, Rights, Subject};
use crate::session::{CloseReason, Identity};
use crate::shard::message::Request;
use crate::shard::output::{Output, Refused};
use crate::shard::owners::Owners;
use crate::shard::slab::Handle as _;
use crate::wire::Vni;

/// Peers whose class is found again in one turn, after the policy has changed.
const PEERS: u32 = 256;

impl Peer {
    /// The facts by which a policy finds its class.
    fn subject(&self) -> Subject<'_> {
        let identity = self.session.identity();
        Subject {
            address: self.standing.address,
            node: Some(&self.session.peer().node)
                .filter(|node| !node.is_empty())
                .map(|node| &**node),
            name: identity.and_then(Identity::name),
            proven: identity.map(Identity::addresses).unwrap_or_default(),
            site: None,
        }
    }
}

impl Connections {
    /// Finds the class of a peer whose HELLO has come, and judges the claims of the HELLO.
    ///
    /// # Errors
    /// The reason, if the session must be closed.
    pub(super) fn find_class(&mut self, slot: Slot) -> Result<(), CloseReason> {
        let rights = self.rights_of(slot);
        self.peers[slot].standing.rights = rights;
        self.peers[slot].standing.selection = self.settings.selection_of(rights.class);
        self.look_for_block(slot, rights)?;
        let peer = &mut self.peers[slot];
        if !peer.session.peer().is_server {
            return Ok(());
        }
        let judgement = self.settings.policy.serves(rights.class);
        peer.standing.is_denied_server = !judgement.allows();
        self.obey(slot, judgement, None).map(|_| ())
    }

    fn rights_of(&self, slot: Slot) -> Rights {
        self.settings.policy.rights(&self.peers[slot].subject())
    }

    /// Whether an operator has blocked a peer.
    ///
    /// # Errors
    /// The reason, if the session must be closed.
    fn look_for_block(&mut self, slot: Slot, rights: Rights) -> Result<(), CloseReason> {
        let subject = self.peers[slot].subject();
        let Some((refusal, block)) = self.settings.policy.block_of(rights.class, &subject) else {
            return Ok(());
        };
        self.counting.refused(refusal);
        Err(CloseReason::Blocked(block.id))
    }

    /// Whether a peer may subscribe to a VNI. It may not yet, if this shard does not have the policy that knows it.
    pub(super) fn judge_subscription(&mut self, slot: Slot, vni: Vni) -> Result<bool, CloseReason> {
        if self.is_ahead(slot) {
            return Ok(false);
        }
        let class = self.peers[slot].standing.rights.class;
        let judgement = self.settings.policy.subscribes(class, vni);
        self.obey(slot, judgement, Some(vni))
    }

    /// Whether a newer policy than this shard has knows the peer: it has come from a shard that adopted that policy
    /// earlier. This shard is about to adopt it, too, and judges the peer then.
    fn is_ahead(&self, slot: Slot) -> bool {
        let Rights { generation, .. } = self.peers[slot].standing.rights;
        generation != Rights::UNKNOWN.generation && generation > self.settings.policy.generation()
    }

    /// The policy for peers.
    pub(in crate::shard) fn policy(&self) -> &Policy {
        &self.settings.policy
    }

    /// Why a peer that subscribes to a VNI gets nothing of it, if the policy refuses that.
    pub(in crate::shard) fn refused_subscription(&self, peer: &Peer, vni: Vni) -> Option<String> {
        let rights = peer.standing.rights;
        match self.settings.policy.subscribes(rights.class, vni) {
            Judgement::Refused(refusal) if peer.memberships.is_refused(vni) => {
                Some(self.settings.policy.explain(&refusal, rights, vni, None))
            }
            _ => None,
        }
    }

    /// Counts and reports a refusal. Returns whether the judgement allows the request.
    fn obey(
        &mut self,
        slot: Slot,
        judgement: Judgement,
        vni: Option<Vni>,
    ) -> Result<bool, CloseReason> {
        if let Judgement::Warned(refusal) | Judgement::Refused(refusal) = judgement {
            self.counting.refused(refusal);
            self.report_refusal(slot, refusal, vni, None)?;
        }
        Ok(judgement.allows())
    }

    /// Reports a refusal, once for each session and reason.
    ///
    /// # Errors
    /// The reason, if the session must be closed.
    pub(super) fn report_refusal(
        &mut self,
        slot: Slot,
        refusal: Refusal,
        vni: Option<Vni>,
        example: Option<Example>,
    ) -> Result<(), CloseReason> {
        let Self { peers, outputs, .. } = self;
        let peer = &mut peers[slot];
        let bit = 1 << (refusal.reason as u16);
        if peer.standing.told & bit == 0 {
            peer.standing.told |= bit;
            let (node, rights) = (peer.session.peer().node.clone(), peer.standing.rights);
            let refused = Refused { peer: peer.id, node, rights, refusal, vni, example };
            outputs.push(Output::Refused(slot, Box::new(refused)));
        }
        match refusal.then {
            OnRefusal::Close => Err(CloseReason::Policy(refusal.reason.name())),
            OnRefusal::Ignore | OnRefusal::Warn => Ok(()),
        }
    }

    /// Whether a review of classes is under way.
    pub(in crate::shard) fn is_under_review(&self) -> bool {
        self.review.is_some()
    }

    /// Finds the classes of some peers again, after the policy has changed. Not of a peer that leaves: its owners know
    /// already where it goes, and answers to further requests from here would be lost. [`Connections::go_on`] finds its
    /// class, wherever that is.
    pub(in crate::shard) fn review(&mut self, owners: &mut Owners<'_>) {
        let Some(from) = self.review else { return };
        let until = (from + PEERS).min(self.peers.end());
        for slot in (from..until).map(Slot::at) {
            let peer = self.peers.get(slot).filter(|it| !it.is_closed && it.departure.is_none());
            if peer.is_some_and(|peer| peer.session.has_begun()) {
                self.reclassify(slot, owners);
            }
        }
        self.review = (until < self.peers.end()).then_some(until);
    }

    /// Finds the class of a peer again, and tells the owners of its VNIs, which then judge it by this policy. Refused
    /// subscriptions that are allowed now begin. A session that subscribes to a VNI which it may no longer see is
    /// closed, since only the end of its session makes a deployed client forget.
    pub(super) fn reclassify(&mut self, slot: Slot, owners: &mut Owners<'_>) {
        if !self.peers[slot].session.has_begun() || self.is_ahead(slot) {
            return;
        }
        let rights = self.rights_of(slot);
        if let Err(reason) = self.look_for_block(slot, rights) {
            return self.close(slot, reason, owners);
        }
        let peer = &mut self.peers[slot];
        if std::mem::replace(&mut peer.standing.rights, rights) != rights {
            let origin = peer.origin(self.shard);
            for vni in peer.memberships.vnis_from(Vni(0)) {
                owners.request(Request::Classify { origin, vni });
            }
        }
        let policy = &self.settings.policy;
        let may = |vni: Vni| policy.subscribes(rights.class, vni);
        let subscribed = peer.memberships.subscriptions_mut().map(|(vni, _)| vni);
        let forbidden = subscribed.map(may).find_map(|judgement| match judgement {
            Judgement::Refused(refusal) => Some(refusal),
            Judgement::Allowed | Judgement::Warned(_) => None,
        });
        if let Some(refusal) = forbidden {
            let reason = CloseReason::Policy(refusal.reason.name());
            self.counting.refused(refusal);
            return self.close(slot, reason, owners);
        }
        let allowed: Vec<Vni> =
            peer.memberships.refused().filter(|vni| may(*vni).allows()).collect();
        for vni in allowed {
            self.peers[slot].memberships.no_longer_refused(vni);
            if let Err(reason) = self.subscribe(slot, vni, owners) {
                return self.close(slot, reason, owners);
            }
        }
    }
}
