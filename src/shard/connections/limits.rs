//! Applies the limits to the peers of this shard.

use std::time::Duration;

use super::{Connections, Peer, Slot};
use crate::ids::{Level, Moment};
use crate::session::CloseReason;
use crate::shard::config::LimitAction;
use crate::shard::inspect::PER_PEER;
use crate::shard::message::Counted;
use crate::shard::message::Request;
use crate::shard::output::{NearLimit, Output};
use crate::shard::owners::Owners;
use crate::shard::tables::closes;
use crate::wire::{Message, Vni};

/// The number of unserved subscriptions (their VNI had no room) that a tick tries again.
const RETRIES: usize = 64;

impl Connections {
    /// Counts the routes that a peer announces. If the peer leaves a VNI by this, [`Connections::forget_unused`]
    /// forgets the VNI.
    pub(super) fn count_routes(&mut self, slot: Slot, counted: Counted) -> Result<(), CloseReason> {
        let Counted { vni, change, routes, accepted, hits } = counted;
        let limits = self.settings.limits_of(self.peers[slot].standing.rights.class);
        let (max, max_vnis) = (limits.routes_per_peer, limits.subscriptions_per_peer);
        let closes_peer = limits.routes_per_peer_action == LimitAction::Close;
        let peer = &mut self.peers[slot];
        if accepted > 0 && self.settings.change_rate_per_source > 0 {
            let uncharged = &mut peer.counts.rare().uncharged;
            *uncharged = uncharged.saturating_add(accepted);
        }
        let memberships = &mut peer.memberships;
        memberships.counted(vni, routes, change);
        if change == 0 && hits.total() == 0 {
            return Ok(());
        }
        let routes = u64::try_from(memberships.routes()).unwrap_or(0);
        if change > 0 && closes_peer && routes > max {
            return Err(CloseReason::MaxRoutes(max));
        }
        // Updates may have been on their way when the peer reached the limit: the owner's count decides.
        if change > 0 && memberships.used_vnis() > max_vnis {
            return Err(CloseReason::MaxSubscriptions(max_vnis));
        }
        let vni_limits = self.settings.vni_limits;
        if closes(vni_limits.action, &hits) {
            return Err(CloseReason::MaxRoutesPerVni(vni_limits.routes));
        }
        if hits.total() > 0 {
            peer.counts.rare().refused += u64::from(hits.total());
        }
        let mut level = peer.counts.rare.as_ref().map_or(Level::Fine, |rare| rare.level);
        let before = level;
        let risen = level.look(routes, max, hits.peer > 0);
        if level != before {
            peer.counts.rare().level = level;
        }
        if let Some(level) = risen {
            if before == Level::Fine {
                *self.counting.near_limits.entry(PER_PEER).or_default() += 1;
            }
            self.note_near(slot, routes, level);
        }
        Ok(())
    }

    /// The accepted changes of a peer since the last call; 0 if change rates have no limit.
    pub(in crate::shard) fn take_uncharged(&mut self, slot: Slot) -> u32 {
        let rare = self.peers.get_mut(slot).and_then(|peer| peer.counts.rare.as_mut());
        rare.map_or(0, |rare| std::mem::take(&mut rare.uncharged))
    }

    /// Does not read a peer for a while, because its source has changed too much. The peer does not count as silent
    /// meanwhile and gets a KEEPALIVE, because its own KEEPALIVEs may wait behind its updates. Returns after what time
    /// the caller must ask again, and whether this is the first time; `None` when the peer is to be read.
    pub(in crate::shard) fn throttle(
        &mut self,
        now: Moment,
        slot: Slot,
    ) -> Option<(Duration, bool)> {
        let peer = self.peers.get_mut(slot).filter(|it| !it.is_closed && it.departure.is_none())?;
        let interval = peer.session.agreed_interval()?;
        let rare = peer.counts.rare();
        let is_first = rare.kept_alive.is_none();
        rare.is_throttled = true;
        let is_due = rare.kept_alive.is_none_or(|then| now.since(then) >= interval / 2);
        if is_due {
            rare.kept_alive = Some(now);
            peer.outbox.control(&Message::Keepalive);
            Self::mark_ready(&mut self.outputs, slot, peer);
        }
        peer.session.excuse(now);
        self.counting.stats.source_pauses += 1;
        Some((interval / 2, is_first))
    }

    /// Lets a peer be read again.
    pub(in crate::shard) fn go_on_reading(&mut self, slot: Slot) {
        let rare = self.peers.get_mut(slot).and_then(|peer| peer.counts.rare.as_mut());
        rare.into_iter().for_each(|rare| rare.is_throttled = false);
    }

    /// Reports that a peer is near its limit on routes, or has reached it.
    fn note_near(&mut self, slot: Slot, routes: u64, level: Level) {
        let limits = self.settings.limits_of(self.peers[slot].standing.rights.class);
        let (most, action) = (limits.routes_per_peer, limits.routes_per_peer_action);
        let peer = &self.peers[slot];
        let node = peer.session.peer().node.clone();
        let near = Box::new(NearLimit { node, routes, most, level, action });
        self.outputs.push(Output::NearLimit(slot, peer.id, near));
    }

    /// Lists a subscription as unserved: its VNI had no room, and the owner knows nothing of the subscription.
    pub(super) fn unserved(
        &mut self,
        slot: Slot,
        (vni, subscription): (Vni, u32),
        owners: &mut Owners<'_>,
    ) {
        let peer = &mut self.peers[slot];
        peer.pulls = peer.pulls.saturating_sub(1);
        if peer.memberships.is_current(vni, subscription) {
            peer.counts.rare().unserved.push_back((vni, subscription));
        }
        self.pull(slot, owners);
    }

    /// Tries some of the unserved subscriptions again; peers take turns. Only the owner of a VNI knows whether there is
    /// room for it now: the VNI may be there by now, because another peer takes part in it.
    pub(super) fn retry_unserved(&mut self, now: Moment, owners: &mut Owners<'_>) {
        let waits =
            |peer: &Peer| peer.counts.rare.as_ref().is_some_and(|it| !it.unserved.is_empty());
        let mut waiting: Vec<Slot> =
            self.peers.iter().filter(|(_, peer)| waits(peer)).map(|(slot, _)| slot).collect();
        if waiting.is_empty() {
            return;
        }
        self.retries = self.retries.wrapping_add(1);
        let first = self.retries % waiting.len();
        waiting.rotate_left(first);
        let share = RETRIES.div_ceil(waiting.len());
        for slot in waiting.into_iter().take(RETRIES) {
            self.retry(now, slot, share, owners);
        }
    }

    fn retry(&mut self, now: Moment, slot: Slot, most: usize, owners: &mut Owners<'_>) {
        let peer = &mut self.peers[slot];
        if peer.departure.is_some() {
            return;
        }
        let origin = peer.origin(self.shard);
        for _ in 0..most {
            let rare = peer.counts.rare.as_mut();
            let Some((vni, subscription)) = rare.and_then(|rare| rare.unserved.pop_front()) else {
                break;
            };
            if peer.memberships.is_current(vni, subscription) {
                owners.request(Request::Subscribe { origin, vni, received: now, is_retry: true });
                peer.behind.push_back((vni, subscription));
            }
        }
        self.pull(slot, owners);
    }
}
