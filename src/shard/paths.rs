//! What the kernel knows of connections: the shard names the connections, and the driver, which has the sockets, asks.

use std::time::Duration;

use super::Slot;
use super::state::Shard;
use crate::ids::{Moment, PeerId};
use crate::session::TcpInfo;

impl Shard {
    /// Peers that have taken nothing for a while although bytes wait for them: ask the kernel
    /// whether they have acknowledged any, and pass its answer to [`Shard::acknowledged`].
    pub(crate) fn stalled(&self, now: Moment) -> Vec<Slot> {
        self.connections.stalled(now)
    }

    /// Takes the number of bytes of a connection that have been acknowledged in all.
    pub(crate) fn acknowledged(&mut self, now: Moment, slot: Slot, acked: u64) {
        self.connections.acknowledged(now, slot, acked);
    }

    /// Peers to which large packets may or may not get through: ask the kernel, and pass its answer
    /// to [`Shard::looked_at_path`].
    pub(crate) fn unproven_paths(&self) -> Vec<Slot> {
        self.connections.unproven_paths()
    }

    /// Takes the kernel's report on a path. Returns the peer's name when it has just become clear that large
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
