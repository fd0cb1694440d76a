//! What the kernel knows of connections: the shard names the connections, and the driver, which has the sockets, asks.

use std::time::Duration;

use super::Slot;
use super::state::Shard;
use crate::ids::{Moment, PeerId};
use crate::session::TcpInfo;

impl Shard {
    /// Peers that have taken nothing for a while although something waits for them: ask the kernel
    /// whether they have acknowledged anything and say so by [`Shard::acknowledged`].
    pub(crate) fn stalled(&self, now: Moment) -> Vec<Slot> {
        self.connections.stalled(now)
    }

    /// So many bytes of a connection have been acknowledged in all.
    pub(crate) fn acknowledged(&mut self, now: Moment, slot: Slot, acked: u64) {
        self.connections.acknowledged(now, slot, acked);
    }

    /// Peers of which it is not known yet whether large packets reach them: ask the kernel, and say so
    /// by [`Shard::looked_at_path`].
    pub(crate) fn unproven_paths(&self) -> Vec<Slot> {
        self.connections.unproven_paths()
    }

    /// What the kernel says of a path. Returns who the peer is when it has just become clear that large
    /// packets do not reach it.
    pub(crate) fn looked_at_path(
        &mut self,
        now: Moment,
        slot: Slot,
        tcp_info: &TcpInfo,
        heard: Duration,
    ) -> Option<(PeerId, Box<str>)> {
        self.connections.looked_at_path(now, slot, tcp_info, heard)
    }
}
