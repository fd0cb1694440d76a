//! One shard with peers that say what a script has them say, and read only when told to.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::OutBuf;
use crate::shard::inspect::{ExplainQuery, Explanation, explain};
use crate::shard::{Output, Shard, ShardConfig, Slot, Write};
use crate::wire::{
    Action, Capabilities, Destination, Extensions, Hello, Message, NextHop, Update, Vni,
};

/// The only VNI of most tests.
pub(super) const VNI: Vni = Vni(7);

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) shard: Shard,
    pub(super) now: Moment,
    /// Writes in flight.
    hanging: Vec<(Slot, OutBuf)>,
    /// Peers that have something to write and were left out.
    left_out: Vec<Slot>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(ShardConfig::default())
    }

    pub(super) fn with(settings: ShardConfig) -> Self {
        let shard = Shard::new(ShardId(0), 1, settings, [1, 2, 3, 4], Moment(0));
        Self { shard, now: Moment(0), hanging: Vec::new(), left_out: Vec::new() }
    }

    /// Connects a client and establishes its session.
    pub(super) fn establish(&mut self, id: u64) -> Slot {
        self.greet(id, false)
    }

    /// The same for a reflector.
    pub(super) fn establish_server(&mut self, id: u64) -> Slot {
        self.greet(id, true)
    }

    fn greet(&mut self, id: u64, is_server: bool) -> Slot {
        let slot = self.shard.connect(self.now, PeerId(id), None);
        let extensions = Extensions::new(Capabilities::STREAM, "test", format!("node-{id}"));
        let hello = Hello { keepalive_interval: 4, is_server, extensions: Some(extensions) };
        self.say(slot, &Message::Hello(hello));
        self.say(slot, &Message::Keepalive);
        self.read_all();
        slot
    }

    pub(super) fn say(&mut self, slot: Slot, message: &Message) {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        self.shard.received(self.now, slot, &bytes);
    }

    pub(super) fn announce(&mut self, slot: Slot, prefix: &str) {
        self.update(slot, Action::Add, VNI, prefix);
    }

    pub(super) fn announce_hop(&mut self, slot: Slot, prefix: &str, next_hop: NextHop) {
        let (action, destination) = (Action::Add, destination(prefix));
        self.say(slot, &Message::Update(Update { action, vni: VNI, destination, next_hop }));
    }

    pub(super) fn withdraw(&mut self, slot: Slot, prefix: &str) {
        self.update(slot, Action::Remove, VNI, prefix);
    }

    pub(super) fn update(&mut self, slot: Slot, action: Action, vni: Vni, prefix: &str) {
        let update = Update { action, vni, destination: destination(prefix), next_hop: hop(1) };
        self.say(slot, &Message::Update(update));
    }

    pub(super) fn subscribe(&mut self, slot: Slot) {
        self.say(slot, &Message::Subscribe(VNI));
    }

    /// Runs turns until nothing is left to do, while all peers read everything.
    pub(super) fn read_all(&mut self) {
        for _ in 0..100 {
            self.shard.turn(self.now);
            self.now = self.now + Duration::from_millis(1);
            for (slot, bytes) in std::mem::take(&mut self.hanging) {
                self.shard.written(self.now, slot, bytes);
            }
            std::mem::take(&mut self.left_out).into_iter().for_each(|slot| self.begin_write(slot));
            self.begin_writes(&[]);
        }
    }

    /// Runs turns and begins writes that do not end; the peers in `left_out` get no write at all.
    pub(super) fn turn_without_reading(&mut self, left_out: &[Slot]) {
        self.now = self.now + Duration::from_millis(1);
        self.shard.turn(self.now);
        self.begin_writes(left_out);
    }

    fn begin_writes(&mut self, left_out: &[Slot]) {
        self.shard.outputs();
        while let Some(output) = self.shard.poll() {
            match output {
                Output::Ready(slot) if left_out.contains(&slot) => self.left_out.push(slot),
                Output::Ready(slot) => self.begin_write(slot),
                _ => {}
            }
        }
    }

    fn begin_write(&mut self, slot: Slot) {
        if let Write::Bytes { bytes, .. } = self.shard.next_write(self.now, slot, &mut || None) {
            self.hanging.push((slot, bytes));
        }
    }

    pub(super) fn explain(&self, peer: u64, prefix: &str) -> Explanation {
        self.explain_hop(peer, prefix, None)
    }

    /// Explains one next hop.
    pub(super) fn explain_hop(
        &self,
        peer: u64,
        prefix: &str,
        next_hop: Option<NextHop>,
    ) -> Explanation {
        let query = ExplainQuery {
            peer: PeerId(peer),
            vni: VNI,
            destination: destination(prefix),
            next_hop,
        };
        let ExplainQuery { peer, vni, destination, .. } = query;
        let connection = self.shard.inspect().connection(self.now, &query, &nowhere);
        let facts = self.shard.inspect().delivery_facts(peer, vni, &destination, next_hop.as_ref());
        explain(&query, connection.as_ref(), &facts, self.shard.policy())
    }
}

pub(super) fn nowhere(_: Slot) -> Option<SocketAddr> {
    None
}

pub(super) fn destination(prefix: &str) -> Destination {
    let (address, length) = prefix.split_once('/').unwrap();
    Destination::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

pub(super) fn hop(n: u16) -> NextHop {
    NextHop::standard(IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n)))
}
