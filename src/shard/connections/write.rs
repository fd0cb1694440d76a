//! From outboxes to sockets.

use super::{Connections, Slot};
use crate::ids::Moment;
use crate::outbox::OutBuf;
use crate::session::{Allowance, TcpInfo};
use crate::shard::config::TICK;
use crate::shard::output::{Output, Write};
use crate::shard::owners::Owners;

impl Connections {
    /// The next bytes to write to a peer. The caller writes them, then calls [`Connections::written`]; until then
    /// there is nothing more. `look` asks the kernel about the connection.
    pub(in crate::shard) fn next_write(
        &mut self,
        now: Moment,
        slot: Slot,
        look: &mut dyn FnMut() -> Option<TcpInfo>,
    ) -> Write {
        let Self { peers, buffers, settings, counting, outputs, .. } = self;
        let Some(peer) = peers.get_mut(slot) else { return Write::Nothing };
        if peer.sending.writing || peer.is_closed || peer.outbox.is_empty() {
            return Write::Nothing;
        }
        let buffer = || buffers.lend();
        let bytes = match &mut peer.pacer {
            // It was counted when the write began.
            _ if peer.outbox.has_rest() => peer.outbox.take_rest(),
            None => peer.outbox.next_write(&settings.bounds.outbox, buffer),
            Some(pacer) => {
                let has_control = peer.outbox.has_control();
                let was_proven = pacer.unproven().is_none();
                let allowance = pacer.allow(now, look);
                if was_proven && let Some(why) = pacer.unproven() {
                    let node = peer.session.peer().node.clone();
                    outputs.push(Output::Unproven(slot, peer.id, node, why));
                }
                let cut = match allowance {
                    Allowance::Send(cut) => Some(cut),
                    Allowance::WaitUntil(_) if has_control => None,
                    Allowance::WaitUntil(then) => return Write::WaitUntil(then),
                };
                let bytes = peer.outbox.next_record(cut, buffer);
                pacer.sent(bytes.as_ref().map_or(0, OutBuf::len));
                bytes
            }
        };
        let Some(bytes) = bytes else { return Write::Nothing };
        peer.sending.path.before_write(now, bytes.len(), look);
        (peer.sending.writing, peer.sending.began) = (true, now);
        peer.counts.in_flight = bytes.len();
        let taken = peer.outbox.take_taken();
        counting.sent(peer, taken);
        Write::Bytes { bytes, record: peer.pacer.is_some() }
    }

    /// Takes back the `bytes` of a write that is done.
    pub(in crate::shard) fn written(
        &mut self,
        now: Moment,
        slot: Slot,
        bytes: OutBuf,
        owners: &mut Owners<'_>,
    ) {
        let Self { peers, buffers, counting, outputs, .. } = self;
        let len = bytes.len();
        counting.stats.writes += 1;
        counting.stats.bytes_sent += len as u64;
        buffers.give_back(bytes);
        let Some(peer) = peers.get_mut(slot) else { return };
        peer.counts.bytes_sent += len as u64;
        peer.outbox.finished(|received| counting.propagation.record(now.since(received)));
        peer.sending.writing = false;
        peer.sending.progress = now;
        if now.since(peer.sending.began) > TICK {
            peer.sending.idle = now; // its window was shut and has opened
        }
        if peer.is_closed {
            return;
        }
        if !peer.outbox.is_empty() {
            Self::mark_ready(outputs, slot, peer);
        }
        if !peer.behind.is_empty() {
            self.pull(slot, owners);
        }
    }
}
