//! What happens by the clock: silent peers, peers that read nothing, and tidying up.

use std::cmp::Reverse;
use std::time::Duration;

use super::state::{Shard, Slot};
use crate::ids::{Moment, PeerId};
use crate::session::{CloseReason, Sight};

/// How often every peer is looked at. Sessions end at most this much late.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// A tick that is later by more than this is told of.
pub(super) const TOO_LATE: Duration = Duration::from_secs(1);

impl Shard {
    /// `is_late` says that the loop itself stood still: what peers sent meanwhile has not been read,
    /// so nobody is called silent this time.
    pub(super) fn tick(&mut self, now: Moment, is_late: bool) {
        self.counting.begin_tick();
        for slot in 0..u32::try_from(self.peers.len()).unwrap_or(u32::MAX) {
            let Some(peer) = &mut self.peers[slot as usize] else { continue };
            if peer.is_closed {
                continue;
            }
            self.counting.look(now, peer);
            peer.rest();
            if !peer.is_owed() {
                (peer.progress, peer.idle) = (now, now);
            }
            if peer.is_paused {
                peer.session.excuse(now);
            }
            let send_hold = self.settings.send_hold;
            if !is_late
                && !self.is_draining
                && let Err(reason) = peer.session.check(now)
            {
                self.close(slot, reason);
            } else if peer.is_owed() && now.since(peer.last_taken()) > send_hold {
                self.close(slot, CloseReason::SendHold(send_hold));
            }
        }
        self.trim_lingering(now);
    }

    /// Begins the holds that are due and ends those that are over; when the next one is.
    pub(super) fn see_to_holds(&mut self, now: Moment) -> Option<Moment> {
        while let Some(&Reverse((due, slot))) = self.held.peek() {
            if due > now {
                return Some(due);
            }
            self.held.pop();
            let Some(peer) = &mut self.peers[slot as usize] else { continue };
            let Some(hold) = peer.hold else { continue };
            if peer.is_held && hold.until == due {
                (peer.hold, peer.is_held) = (None, false);
                peer.quiet.let_go();
                self.holds.push((slot, false));
            } else if !peer.is_held && hold.from == due {
                peer.is_held = true;
                self.held.push(Reverse((hold.until, slot)));
                self.holds.push((slot, true));
            }
        }
        None
    }

    /// Peers that have taken nothing for a while although something waits for them: ask the kernel
    /// whether they have acknowledged anything and say so by [`Shard::acknowledged`].
    pub(crate) fn stalled(&self, now: Moment) -> Vec<Slot> {
        // Often enough to see when it stopped, not only that it has.
        let patience = TICK.min(self.settings.send_hold / 4);
        (0..)
            .zip(&self.peers)
            .filter_map(|(slot, peer)| peer.as_ref().map(|peer| (slot, peer)))
            .filter(|(_, peer)| peer.is_owed() && now.since(peer.progress) > patience)
            .map(|(slot, _)| slot)
            .collect()
    }

    /// Peers of which it is not known yet whether large packets reach them: ask the kernel, and say so
    /// by [`Shard::looked_at_path`].
    pub(crate) fn unproven_paths(&self) -> Vec<Slot> {
        let peers = (0..).zip(&self.peers).filter_map(|(slot, peer)| Some((slot, peer.as_ref()?)));
        peers.filter(|(_, peer)| !peer.is_closed && peer.path.is_open()).map(|it| it.0).collect()
    }

    /// What the kernel says of a path. Returns who the peer is when it has just become clear that large
    /// packets do not reach it.
    pub(crate) fn looked_at_path(
        &mut self,
        now: Moment,
        slot: Slot,
        sight: &Sight,
        heard: Duration,
    ) -> Option<(PeerId, Box<str>)> {
        let peer = self.peers[slot as usize].as_mut()?;
        let is_new = peer.path.look(now, sight, Some(heard));
        is_new.then(|| (peer.id, peer.session.peer().node.clone()))
    }

    /// So many bytes of a connection have been acknowledged in all.
    pub(crate) fn acknowledged(&mut self, now: Moment, slot: Slot, acked: u64) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let before = peer.acked.replace(acked);
        if before.is_some_and(|before| before != acked) {
            peer.progress = now;
        }
    }
}
