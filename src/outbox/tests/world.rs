//! Peers with outboxes, real VNIs that fill them, and a naive model of what should come out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ahash::RandomState;

use super::ops::OpBounds;
use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::{CONTROL_MAX, Gather, OfferRefusal, OutBuf, Outbox};
use crate::policy::{Rights, Selection};
use crate::session::Cut;
use crate::table::tests::ops::{Model, forget, owed};
use crate::table::{Audience, Origin, Vnet};
use crate::wire::{Action, Destination, Message, NextHop, Vni, split};

/// Three clients and two servers. All may announce and subscribe.
pub(super) const PEERS: [u64; 5] = [1, 2, 3, 1001, 1002];
pub(super) const VNIS: [Vni; 2] = [Vni(1), Vni(2)];

type Route = (Destination, NextHop);

/// The state of a subscription on the outbox's side, and the routes that the peer was sent.
#[derive(Debug, Default)]
struct Subscription {
    in_sync: bool,
    /// A refusal that is not yet reported to the VNI.
    refusal: Option<OfferRefusal>,
    view: BTreeSet<Route>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Peer {
    outbox: Outbox,
    /// Control messages that wait.
    control: VecDeque<Message>,
    subscriptions: BTreeMap<Vni, Subscription>,
}

#[derive(Debug)]
pub(super) struct World {
    bounds: OpBounds,
    now: Moment,
    vnets: BTreeMap<Vni, (Vnet, Model<Route>)>,
    peers: BTreeMap<u64, Peer>,
}

/// The content of one write.
#[derive(Debug, Default)]
struct Written {
    len: usize,
    control: usize,
    /// The number of other messages than control messages, and their bytes.
    bulk: usize,
    bulk_bytes: usize,
}

fn route(dest: u8, hop: u16) -> Route {
    let destination = match dest {
        0 => Destination::new([0; 4].into(), 0),
        1 => Destination::new([0u16; 8].into(), 0),
        other => Destination::new([10, 0, 0, other].into(), 32),
    };
    let hop = NextHop::standard([0xfd00, 0, 0, 0, 0, 0, 0, hop].into());
    (destination.expect("a prefix"), hop)
}

fn is_server(peer: u64) -> bool {
    peer > 1000
}

impl World {
    pub(super) fn new(bounds: OpBounds) -> Self {
        let vnet = |vni| Vnet::new(vni, bounds.table, RandomState::with_seeds(1, 2, 3, 4));
        Self {
            bounds,
            now: Moment(0),
            vnets: VNIS.into_iter().map(|vni| (vni, (vnet(vni), Model::new()))).collect(),
            peers: PEERS.into_iter().map(|peer| (peer, Peer::default())).collect(),
        }
    }

    fn vnet(&mut self, vni: Vni) -> &mut Vnet {
        &mut self.vnets.get_mut(&vni).expect("a VNI").0
    }

    fn peer(&mut self, peer: u64) -> &mut Peer {
        self.peers.get_mut(&peer).expect("a peer")
    }

    fn member(&mut self, peer: u64, vni: Vni) -> u32 {
        let (id, is_server) = (PeerId(peer), is_server(peer));
        self.vnet(vni).member(Origin {
            peer: id,
            shard: ShardId(0),
            is_server,
            rights: Rights::default(),
            selection: Selection::default(),
        })
    }

    pub(super) fn update(&mut self, peer: u64, vni: Vni, action: Action, dest: u8, hop: u16) {
        let route = route(dest, hop);
        let member = self.member(peer, vni);
        let (vnet, model) = self.vnets.get_mut(&vni).expect("a VNI");
        vnet.update(member, action, &route.0, &route.1);
        let by = model.entry(route).or_default();
        match action {
            Action::Add => by.insert(peer),
            Action::Remove => by.remove(&peer),
        };
        self.deliver(vni);
    }

    pub(super) fn flush(&mut self, vni: Vni) {
        self.vnet(vni).seal();
        self.deliver(vni);
    }

    pub(super) fn subscribe(&mut self, peer: u64, vni: Vni) {
        if self.peers[&peer].subscriptions.contains_key(&vni) {
            return;
        }
        let member = self.member(peer, vni);
        assert!(self.vnet(vni).subscribe(member));
        self.peer(peer).subscriptions.insert(vni, Subscription::default());
        self.deliver(vni);
    }

    pub(super) fn unsubscribe(&mut self, peer: u64, vni: Vni) {
        let Peer { outbox, subscriptions, .. } = self.peer(peer);
        if subscriptions.remove(&vni).is_some() {
            outbox.forget(vni);
        }
        let (vnet, model) = self.vnets.get_mut(&vni).expect("a VNI");
        vnet.leave(PeerId(peer));
        forget(model, peer);
        self.deliver(vni);
    }

    /// Reports a refusal, if there is one, then asks for the next chunk.
    pub(super) fn pull(&mut self, peer: u64, vni: Vni, limit: usize) {
        let Some(subscription) = self.peer(peer).subscriptions.get_mut(&vni) else { return };
        if subscription.in_sync {
            return;
        }
        if let Some(OfferRefusal { from }) = subscription.refusal.take() {
            assert_eq!(self.vnet(vni).fell_behind(PeerId(peer), from.start), None);
        }
        let now = self.now;
        let (_, chunk) = self.vnet(vni).chunk(PeerId(peer), limit, now).expect("it is behind");
        self.deliver(vni); // batches that building the chunk sealed go first
        let Peer { outbox, subscriptions, .. } = self.peer(peer);
        outbox.catch_up(PeerId(peer), vni, chunk.batch.as_deref(), chunk.end_of_table);
        subscriptions.get_mut(&vni).expect("still there").in_sync = chunk.in_sync;
    }

    /// Offers the sealed batches to all subscribers in sync.
    fn deliver(&mut self, vni: Vni) {
        for (audience, batch) in self.vnet(vni).take_sealed() {
            for (&id, peer) in &mut self.peers {
                let Some(subscription) = peer.subscriptions.get_mut(&vni) else { continue };
                if !subscription.in_sync || is_server(id) != (audience == Audience::Servers) {
                    continue;
                }
                let before = peer.outbox.bytes();
                match peer.outbox.offer(&self.bounds.outbox, PeerId(id), &batch) {
                    Ok(is_queued) => assert_eq!(peer.outbox.bytes() > before, is_queued),
                    Err(refusal) => {
                        assert!(peer.outbox.bytes() <= before);
                        subscription.in_sync = false;
                        subscription.refusal = Some(refusal);
                    }
                }
            }
        }
    }

    pub(super) fn control(&mut self, id: u64, message: Message) {
        let peer = self.peer(id);
        // Behind many bytes a KEEPALIVE may be dropped; then the KEEPALIVEs in front of it say the same.
        let waiting: usize = peer.control.iter().map(encoded_len).sum();
        peer.outbox.control(&message);
        if message != Message::Keepalive || waiting < CONTROL_MAX {
            peer.control.push_back(message);
        }
    }

    pub(super) fn write(&mut self, id: u64) -> bool {
        let bounds = self.bounds.outbox;
        let peer = self.peer(id);
        let (is_empty, before) = (peer.outbox.is_empty(), peer.outbox.bytes());
        let Some(write) = peer.outbox.next_write(&bounds, Gather::default) else {
            assert!(is_empty, "nothing to write");
            return false;
        };
        peer.outbox.finished(|_| {});
        let is_joined = write.slices(0).count() > 1;
        let written = peer.read(&write, before);
        assert!(written.len > 0, "an empty write");
        assert!(!is_joined || written.control > 0 || written.len <= bounds.write_max);
        true
    }

    pub(super) fn record(&mut self, id: u64, limit: usize) -> bool {
        let peer = self.peer(id);
        let before = peer.outbox.bytes();
        let has_something = !peer.control.is_empty() || (limit > 0 && before > 0);
        let Some(write) =
            peer.outbox.next_record((limit > 0).then_some(Cut::Most(limit)), Gather::default)
        else {
            assert!(!has_something, "nothing to write");
            return false;
        };
        peer.outbox.finished(|_| {});
        let written = peer.read(&write, before);
        assert!(written.len > 0, "an empty write");
        // Only a single message may exceed the limit.
        assert!(
            written.len <= limit
                || written.bulk == 0
                || (written.control, written.bulk, limit > 0) == (0, 1, true)
        );
        true
    }

    pub(super) fn work(&mut self, vni: Vni, budget: usize) {
        self.vnet(vni).work(budget);
        self.deliver(vni);
    }

    pub(super) fn trim(&mut self, vni: Vni) {
        assert_eq!(self.vnet(vni).trim(false), []);
    }

    pub(super) fn wait(&mut self) {
        self.now = Moment(self.now.0 + 2_000_000);
        let now = self.now;
        self.vnets.values_mut().for_each(|(vnet, _)| vnet.expire(now));
    }

    /// Drains all queues until all peers are in sync, and compares; then takes everything down.
    pub(super) fn finish(mut self) {
        for vni in VNIS {
            self.work(vni, usize::MAX);
            self.flush(vni);
        }
        for id in PEERS {
            self.drain(id);
            for vni in VNIS {
                // Each chunk looks at one journal entry or place at least.
                for _ in 0..10_000 {
                    if self.peers[&id].subscriptions.get(&vni).is_none_or(|it| it.in_sync) {
                        break;
                    }
                    self.pull(id, vni, 4096);
                }
            }
            self.drain(id);
        }
        for (&id, peer) in &self.peers {
            for (vni, subscription) in &peer.subscriptions {
                assert!(subscription.in_sync && subscription.ended, "{id} never catches up");
                assert_eq!(subscription.view, owed(&self.vnets[vni].1, id), "{id} {vni:?}");
            }
        }
        for vni in VNIS {
            for id in PEERS {
                self.unsubscribe(id, vni);
            }
            self.work(vni, usize::MAX);
            self.flush(vni);
        }
        self.wait();
        for (vnet, _) in self.vnets.values_mut() {
            assert_eq!(vnet.trim(true), []);
            assert!(vnet.is_empty() && !vnet.lingers());
        }
    }

    fn drain(&mut self, id: u64) {
        while self.write(id) {}
        let peer = self.peer(id);
        assert!(peer.outbox.is_empty() && peer.control.is_empty());
        assert_eq!(peer.outbox.bytes(), 0);
    }
}

impl Peer {
    /// Takes a write, and checks it: whole frames, control first, each update exact, and the outbox has fewer bytes by
    /// the length of the write.
    fn read(&mut self, write: &OutBuf, before: usize) -> Written {
        let mut written = Written { len: write.len(), ..Written::default() };
        let bytes = write.to_vec();
        let mut rest = &bytes[..];
        while let Some(frame) = split(rest).expect("a frame") {
            let message = Message::decode(&frame).expect("a message");
            rest = &rest[frame.len()..];
            if matches!(message, Message::Hello(_) | Message::Keepalive) {
                assert_eq!(written.bulk, 0, "a control message is overtaken");
                assert_eq!(self.control.pop_front(), Some(message));
                written.control += 1;
            } else {
                written.bulk += 1;
                written.bulk_bytes += frame.len();
                self.take(&message);
            }
        }
        assert!(rest.is_empty(), "a write ends within a message");
        assert!(self.control.is_empty(), "a control message is left behind");
        assert_eq!(before - self.outbox.bytes(), written.bulk_bytes);
        written
    }

    fn take(&mut self, message: &Message) {
        let of = |vni| format!("{message:?} of {vni:?}, which is not subscribed");
        match message {
            Message::Update(update) => {
                let Some(subscription) = self.subscriptions.get_mut(&update.vni) else {
                    panic!("{}", of(update.vni))
                };
                let route = (update.destination, update.next_hop);
                let is_news = match update.action {
                    Action::Add => subscription.view.insert(route),
                    Action::Remove => subscription.view.remove(&route),
                };
                assert!(is_news, "{update:?} says nothing new");
            }
            Message::EndOfTable(vni) => {
                let Some(subscription) = self.subscriptions.get_mut(vni) else {
                    panic!("{}", of(*vni))
                };
                assert!(!std::mem::replace(&mut subscription.ended, true), "the dump ends once");
            }
            other => panic!("{other:?}"),
        }
    }
}

fn encoded_len(message: &Message) -> usize {
    let mut frame = Vec::new();
    message.encode_into(&mut frame);
    frame.len()
}
