//! What drivers of whole shards share: shards, peers on them, and their writes taken at once.

use std::net::IpAddr;
use std::time::Duration;

use crate::ids::{Moment, PeerId, ShardId};
use crate::shard::{Output, Shard, ShardConfig, Slot, Write};
use crate::wire::{Capabilities, Extensions, Hello, Message, Vni};

/// The one moment there is.
pub(super) const NOW: Moment = Moment(0);
/// Of two shards, the one that does not own [`VNI`].
pub(super) const NEAR: ShardId = ShardId(0);
/// Of two shards, the one that owns [`VNI`].
pub(super) const FAR: ShardId = ShardId(1);
/// A VNI that the second of two shards owns.
pub(super) const VNI: Vni = Vni(1);

/// One of two shards. It seals in each turn.
pub(super) fn shard(id: ShardId) -> Shard {
    let settings = ShardConfig { batch_delay: Duration::ZERO, ..ShardConfig::default() };
    Shard::new(id, 2, settings, [1, 2, 3, 4], NOW)
}

/// A peer that has shaken hands.
pub(super) fn connect(shard: &mut Shard, peer: u64) -> Slot {
    connect_from(shard, peer, None)
}

/// The same, from an address.
pub(super) fn connect_from(shard: &mut Shard, peer: u64, from: Option<IpAddr>) -> Slot {
    let slot = shard.connect(NOW, PeerId(peer), from);
    let extensions = Some(Extensions::new(Capabilities::OURS, "bench", "bench"));
    let hello = Hello { keepalive_interval: 5, is_server: false, extensions };
    receive(shard, slot, &[Message::Hello(hello), Message::Keepalive]);
    slot
}

/// A peer that has shaken hands and subscribed.
pub(super) fn subscribe(shard: &mut Shard, peer: u64) {
    let slot = connect(shard, peer);
    receive(shard, slot, &[Message::Subscribe(VNI)]);
}

fn receive(shard: &mut Shard, slot: Slot, messages: &[Message]) {
    let mut bytes = Vec::new();
    for message in messages {
        message.encode_into(&mut bytes);
    }
    shard.received(NOW, slot, &bytes);
}

/// Takes what peers should be sent, as sockets that take everything. Returns the bytes.
pub(super) fn take_writes(shard: &mut Shard) -> usize {
    let mut taken = 0;
    while shard.outputs() > 0 {
        while let Some(output) = shard.poll() {
            if let Output::Ready(slot) = output
                && let Write::Bytes { bytes, .. } = shard.next_write(NOW, slot, &mut || None)
            {
                taken += bytes.len();
                shard.written(NOW, slot, bytes);
            }
        }
    }
    taken
}
