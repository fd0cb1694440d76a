//! Peers that are gone without a word, and come back.

use std::time::Duration;

use super::peer::Peer;
use super::{Connections, Slot};
use crate::ids::Kin;
use crate::session::{CloseReason, Identity};
use crate::shard::ShardConfig;
use crate::shard::message::Request;
use crate::shard::owners::Owners;
use crate::wire::Vni;

impl Peer {
    /// The facts by which the peer is recognised when it comes back.
    fn kin(&self) -> Option<Kin> {
        let proven = self.session.identity().and_then(Identity::name);
        Kin::of(self.standing.address, &self.session.peer().node, proven)
    }
}

impl Connections {
    /// For how long to keep the routes of a peer whose session ends for this reason, and the kin that may take them over;
    /// `None` to withdraw them at once.
    pub(super) fn hold_of(
        settings: &ShardConfig,
        peer: &Peer,
        reason: &CloseReason,
    ) -> Option<(Kin, Duration)> {
        let time = settings.stale_hold_of(peer.standing.rights.class);
        if time.is_zero() || !reason.is_silent() || peer.session.has_said_goodbye() {
            return None;
        }
        Some((peer.kin()?, time))
    }

    /// Call this before a peer takes part in a VNI for the first time: it gives the peer the routes that its kin left
    /// there. Cost without `--stale-hold`: a look at each class of the policy.
    #[inline]
    pub(super) fn claim(&self, slot: Slot, vni: Vni, owners: &mut Owners<'_>) {
        let peer = &self.peers[slot];
        if !self.settings.may_hold() || peer.memberships.knows(vni) {
            return;
        }
        if let Some(kin) = peer.kin() {
            owners.request(Request::Adopt { origin: peer.origin(self.shard), vni, kin });
        }
    }
}
