//! A few shards whose peers say what a script has them say. Nothing goes from shard to shard, and nobody reads,
//! unless the script says so.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::time::Duration;

use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::OutBuf;
use crate::policy::{Rights, Selection};
use crate::shard::connections::Peer;
use crate::shard::placement::Placement;
use crate::shard::{Flow, Output, Request, Shard, ShardConfig, Slot, Write};
use crate::table::{Announcement, Origin};
use crate::wire::{
    Action, Capabilities, Destination, Extensions, Hello, Message, NextHop, Update, Vni,
};

/// The address from which all clients connect.
const HOME: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) shards: Vec<Shard>,
    pub(super) now: Moment,
    /// Peers that have something to write, and writes that have begun.
    ready: Vec<(usize, Slot)>,
    writing: Vec<(usize, Slot, OutBuf)>,
}

impl Cluster {
    pub(super) fn new(shards: u16) -> Self {
        let shard = |id| {
            let count = usize::from(shards);
            Shard::new(ShardId(id), count, ShardConfig::default(), [1, 2, 3, 4], Moment(0))
        };
        let shards = (0..shards).map(shard).collect();
        Self { shards, now: Moment(0), ready: Vec::new(), writing: Vec::new() }
    }

    /// VNIs that a shard owns.
    pub(super) fn vnis(&self, shard: u16) -> impl Iterator<Item = Vni> + use<> {
        let placement = Placement::even(self.shards.len());
        (1..).map(Vni).filter(move |vni| placement.owner(*vni) == ShardId(shard))
    }

    /// Connects a client and establishes its session.
    pub(super) fn establish(&mut self, shard: usize, id: u64) -> Slot {
        let slot = self.shards[shard].connect(self.now, PeerId(id), Some(HOME));
        let extensions = Some(Extensions::new(Capabilities::OURS, "test", "node"));
        let hello = Hello { keepalive_interval: 60, is_server: false, extensions };
        self.say(shard, slot, &encode(&[Message::Hello(hello), Message::Keepalive]));
        slot
    }

    pub(super) fn say(&mut self, shard: usize, slot: Slot, bytes: &[u8]) -> Flow {
        self.shards[shard].received(self.now, slot, bytes)
    }

    /// Runs a turn and its outputs; nothing is written yet. Returns the peers that may be read again.
    pub(super) fn turn(&mut self, shard: usize) -> Vec<Slot> {
        self.shards[shard].turn(self.now);
        self.outputs(shard)
    }

    /// Handles the outputs of a shard as the driver does.
    pub(super) fn outputs(&mut self, shard: usize) -> Vec<Slot> {
        let mut resumed = Vec::new();
        self.shards[shard].outputs();
        while let Some(output) = self.shards[shard].poll() {
            match output {
                Output::Ready(slot) => self.ready.push((shard, slot)),
                Output::Resumed(slot) => resumed.push(slot),
                _ => {}
            }
        }
        resumed
    }

    /// All peers read the bytes that wait for them so far.
    pub(super) fn read_all(&mut self) {
        for (shard, slot) in std::mem::take(&mut self.ready) {
            if let Write::Bytes { bytes, .. } =
                self.shards[shard].next_write(self.now, slot, &mut || None)
            {
                self.writing.push((shard, slot, bytes));
            }
        }
        for (shard, slot, bytes) in std::mem::take(&mut self.writing) {
            self.shards[shard].written(self.now, slot, bytes);
            self.outputs(shard);
        }
    }

    /// Runs a turn of each of two shards, which exchange all their messages. Nobody reads.
    pub(super) fn pass(&mut self) {
        for (from, to) in [(0, 1), (1, 0)] {
            self.turn(from);
            let at = ShardId::at(to);
            if let Some(requests) = self.shards[from].take_requests(at) {
                self.shards[to].requests(requests);
            }
            if let Some(deliveries) = self.shards[from].take_deliveries(at) {
                self.shards[to].deliveries(self.now, deliveries);
            }
        }
    }

    /// Runs turns of two shards, which exchange all their messages, while all peers read.
    pub(super) fn exchange(&mut self) {
        for _ in 0..4 {
            self.pass();
            self.read_all();
        }
    }

    /// Uses these settings on all shards.
    pub(super) fn set_settings(&mut self, settings: &ShardConfig) {
        for shard in &mut self.shards {
            shard.set_settings(settings.clone());
        }
    }

    /// The peer of this name; `None` when its session has ended.
    pub(super) fn peer(&self, shard: usize, id: u64) -> Option<&Peer> {
        Some(self.shards[shard].connections.peer(PeerId(id))?.1)
    }

    /// Runs turns of one shard until there is nothing to do, while all peers read.
    pub(super) fn settle(&mut self, shard: usize) {
        for _ in 0..200 {
            self.now = self.now + Duration::from_millis(1);
            self.turn(shard);
            self.read_all();
        }
    }
}

/// The frames of some messages in a row.
pub(super) fn encode(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message.encode_into(&mut bytes));
    bytes
}

/// The frames that announce or withdraw routes of a VNI.
pub(super) fn updates(action: Action, vni: Vni, routes: Range<u32>) -> Vec<u8> {
    let update = |n| {
        let Announcement { action, destination, next_hop } = announcement(action, n);
        Message::Update(Update { action, vni, destination, next_hop })
    };
    encode(&routes.map(update).collect::<Vec<_>>())
}

/// The longest possible read of whole updates.
pub(super) fn full_read(vni: Vni, len: usize) -> Vec<u8> {
    let one = updates(Action::Add, vni, 0..1).len();
    let bytes = updates(Action::Add, vni, 0..u32::try_from(len / one).unwrap());
    assert!(bytes.len() + one > len && bytes.len() <= len);
    bytes
}

/// Updates of one peer as they come from a shard.
pub(super) fn request(peer: u64, shard: u16, vni: Vni, routes: Range<u32>) -> Request {
    let origin = Origin {
        peer: PeerId(peer),
        shard: ShardId(shard),
        is_server: false,
        rights: Rights::default(),
        selection: Selection::default(),
    };
    let updates = routes.map(|n| announcement(Action::Add, n)).collect();
    Request::Updates { origin, vni, updates, room: i64::MAX, received: Moment(0) }
}

fn announcement(action: Action, n: u32) -> Announcement {
    // All destinations and next hops have the same length.
    let destination = Destination::new((0x6400_0000_u32 + n).to_be_bytes().into(), 32).unwrap();
    let next_hop = NextHop::standard([0xfd00, 0, 0, 0, 0, 0, 0, 1].into());
    Announcement { action, destination, next_hop }
}
