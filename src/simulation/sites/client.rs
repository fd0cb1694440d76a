//! A client of a site: what it announces and wants, and what it makes of the bytes that it reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Moment, PeerId};
use crate::session::CloseReason;
use crate::shard::{Shard, Slot, Write};
use crate::wire::{
    Action, Capabilities, Destination, Extensions, Hello, Message, NextHop, Reassembly, Update, Vni,
};

/// A route by its number, in a VNI.
pub(super) type Key = (u32, u32);

/// A session of a client.
#[derive(Debug)]
struct ClientSession {
    peer: PeerId,
    shard: usize,
    slot: Slot,
    input: Reassembly,
    /// The routes that it has been told, by VNI.
    view: BTreeMap<u32, BTreeSet<u32>>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Client {
    /// The routes that it announces whenever it is connected.
    pub(super) announces: BTreeSet<Key>,
    pub(super) wants: BTreeSet<u32>,
    session: Option<ClientSession>,
}

/// An update that a client was told: a route, and whether it is there.
pub(super) type Told = (Key, bool);

pub(super) fn destination(route: u32) -> Destination {
    let [_, _, high, low] = route.to_be_bytes();
    Destination::new([10, high, low, 0].into(), 24).unwrap_or_else(|_| unreachable!("a prefix"))
}

/// The numbers 3n to 3n + 2 are the routes of one destination, by three next hops.
pub(super) fn route(number: u32) -> (Destination, NextHop) {
    let hop = std::net::Ipv6Addr::from(u128::from(number % 3) + 1);
    (destination(number / 3), NextHop::standard(hop.into()))
}

fn number_of(destination: &Destination, hop: &NextHop) -> u32 {
    let prefix = destination.prefix();
    let base = u32::from(prefix[1]) << 8 | u32::from(prefix[2]);
    let hop = match hop.address() {
        std::net::IpAddr::V6(address) => u32::from(address.octets()[15]),
        std::net::IpAddr::V4(_) => 0,
    };
    3 * base + hop - 1
}

impl Client {
    pub(super) fn new() -> Self {
        Self { announces: BTreeSet::new(), wants: BTreeSet::new(), session: None }
    }

    pub(super) fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// Its connection has moved to another shard, perhaps of another process.
    pub(super) fn moved(&mut self, peer: PeerId, shard: usize, slot: Slot) {
        if let Some(session) = self.session.as_mut().filter(|session| session.peer == peer) {
            (session.shard, session.slot) = (shard, slot);
        }
    }

    /// The routes of a VNI that it has been told.
    pub(super) fn view(&self, vni: u32) -> BTreeSet<u32> {
        let view = self.session.as_ref().and_then(|session| session.view.get(&vni));
        view.cloned().unwrap_or_default()
    }

    /// Connects, subscribes to the VNIs that it wants, and announces its routes.
    pub(super) fn connect(
        &mut self,
        now: Moment,
        peer: PeerId,
        place: usize,
        shards: &mut [Shard],
    ) {
        let slot = shards[place].connect(now, peer, None);
        let view = BTreeMap::new();
        self.session =
            Some(ClientSession { peer, shard: place, slot, input: Reassembly::default(), view });
        let extensions = Some(Extensions::new(Capabilities::OURS, "simulated", "client"));
        let hello = Hello { keepalive_interval: 3600, is_server: false, extensions };
        self.send(now, shards, &Message::Hello(hello));
        self.send(now, shards, &Message::Keepalive);
        for vni in self.wants.clone() {
            self.send(now, shards, &Message::Subscribe(Vni(vni)));
        }
        for key in self.announces.clone() {
            self.update(now, shards, key, Action::Add);
        }
    }

    /// Ends its session.
    pub(super) fn close(&mut self, shards: &mut [Shard], reason: CloseReason) {
        if let Some(ClientSession { shard, slot, .. }) = self.session.take() {
            shards[shard].close(slot, reason);
        }
    }

    /// Its session has ended, and it forgets what it was told.
    pub(super) fn hang_up(&mut self) {
        self.session = None;
    }

    fn send(&self, now: Moment, shards: &mut [Shard], message: &Message) {
        let Some(session) = &self.session else { return };
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        shards[session.shard].received(now, session.slot, &bytes);
    }

    fn update(&self, now: Moment, shards: &mut [Shard], (vni, number): Key, action: Action) {
        let (destination, next_hop) = route(number);
        let update = Update { action, vni: Vni(vni), destination, next_hop };
        self.send(now, shards, &Message::Update(update));
    }

    /// Begins or ceases to announce a route.
    pub(super) fn toggle(&mut self, now: Moment, shards: &mut [Shard], key: Key) -> bool {
        let adds = self.announces.insert(key);
        if !adds {
            self.announces.remove(&key);
        }
        self.update(now, shards, key, if adds { Action::Add } else { Action::Remove });
        adds
    }

    /// Begins or ceases to want a VNI.
    pub(super) fn subscribe(&mut self, now: Moment, shards: &mut [Shard], vni: u32, wants: bool) {
        let changes = if wants { self.wants.insert(vni) } else { self.wants.remove(&vni) };
        if changes && wants {
            self.send(now, shards, &Message::Subscribe(Vni(vni)));
        } else if changes {
            self.send(now, shards, &Message::Unsubscribe(Vni(vni)));
            // An UNSUBSCRIBE also withdraws its routes there.
            self.announces.retain(|(of, _)| *of != vni);
            if let Some(session) = &mut self.session {
                session.view.remove(&vni);
            }
        }
    }

    /// Reads all that its shard has to write. Returns the updates, in order.
    pub(super) fn read(&mut self, now: Moment, shards: &mut [Shard]) -> Result<Vec<Told>, String> {
        let mut told = Vec::new();
        let Some(session) = &mut self.session else { return Ok(told) };
        let shard = &mut shards[session.shard];
        while let Write::Bytes { bytes, .. } = shard.next_write(now, session.slot, &mut || None) {
            let text = bytes.to_vec();
            shard.written(now, session.slot, bytes);
            let mut frames = session.input.feed(&text);
            while let Some(frame) = frames.next().map_err(|error| error.to_string())? {
                let Ok(Message::Update(update)) = Message::decode(&frame) else { continue };
                let key = (update.vni.0, number_of(&update.destination, &update.next_hop));
                if !self.wants.contains(&key.0) {
                    continue; // it crossed an UNSUBSCRIBE
                }
                let view = session.view.entry(key.0).or_default();
                let is_add = update.action == Action::Add;
                let is_new = if is_add { view.insert(key.1) } else { view.remove(&key.1) };
                if !is_new {
                    let what = if is_add { "a second ADD" } else { "a REMOVE of what it lacks" };
                    return Err(format!("{}: {what} of {key:?}", session.peer));
                }
                told.push((key, is_add));
            }
        }
        Ok(told)
    }
}
