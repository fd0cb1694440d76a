//! What happens by the clock: silent peers, peers that read nothing, and tidying up.

use std::time::Duration;

use super::{Connections, Slot};
use crate::ids::{Moment, PeerId};
use crate::session::{CloseReason, TcpInfo};
use crate::shard::config::TICK;
use crate::shard::owners::Owners;

impl Connections {
    /// `is_late` says that the loop itself stood still: the bytes that peers sent have not been read,
    /// so no peer counts as silent this time.
    pub(in crate::shard) fn tick(
        &mut self,
        now: Moment,
        is_late: bool,
        is_draining: bool,
        owners: &mut Owners<'_>,
    ) {
        self.counting.begin_tick();
        let send_hold = self.settings.send_hold;
        let mut ended = Vec::new();
        for (slot, peer) in self.peers.iter_mut() {
            if peer.is_closed {
                continue;
            }
            self.counting.look(now, peer);
            peer.rest();
            if !peer.is_owed() {
                (peer.sending.progress, peer.sending.idle) = (now, now);
            }
            if peer.is_paused || peer.counts.is_throttled() {
                peer.session.excuse(now);
            }
            if !is_late
                && !is_draining
                && let Err(reason) = peer.session.check(now)
            {
                ended.push((slot, reason));
            } else if peer.is_owed() && now.since(peer.last_taken()) > send_hold {
                ended.push((slot, CloseReason::SendHold(send_hold)));
            }
        }
        for (slot, reason) in ended {
            self.close(slot, reason, owners);
        }
        self.retry_unserved(now, owners);
    }

    /// Peers that have taken nothing for a while although bytes wait for them: ask the kernel
    /// whether they have acknowledged any, and pass its answer to [`Connections::acknowledged`].
    pub(in crate::shard) fn stalled(&self, now: Moment) -> Vec<Slot> {
        // Ask often enough to learn when the peer stopped, not only that it stopped.
        let patience = TICK.min(self.settings.send_hold / 4);
        self.peers
            .iter()
            .filter(|(_, peer)| peer.is_owed() && now.since(peer.sending.progress) > patience)
            .map(|(slot, _)| slot)
            .collect()
    }

    /// Peers to which large packets may or may not get through: ask the kernel, and pass its answer
    /// to [`Connections::looked_at_path`].
    pub(in crate::shard) fn unproven_paths(&self) -> Vec<Slot> {
        self.peers
            .iter()
            .filter(|(_, peer)| !peer.is_closed && peer.sending.path.is_open())
            .map(|it| it.0)
            .collect()
    }

    /// Takes the kernel's report on a path. Returns the peer's name when it has just become clear that large
    /// packets do not reach it.
    pub(in crate::shard) fn looked_at_path(
        &mut self,
        now: Moment,
        slot: Slot,
        tcp_info: &TcpInfo,
        heard: Duration,
    ) -> Option<(PeerId, Box<str>)> {
        let peer = self.peers.get_mut(slot)?;
        let is_new = peer.sending.path.look(now, tcp_info, Some(heard));
        is_new.then(|| (peer.id, peer.session.peer().node.clone()))
    }

    /// Takes the number of bytes of a connection that have been acknowledged in all.
    pub(in crate::shard) fn acknowledged(&mut self, now: Moment, slot: Slot, acked: u64) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        let before = peer.sending.set_acked(Some(acked));
        if before.is_some_and(|before| before != acked) {
            peer.sending.progress = now;
        }
    }
}
