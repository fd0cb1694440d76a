//! One VNI with subscribers that keep exact views, driven by short scripts.

#![cfg_attr(not(test), allow(dead_code, reason = "fuzzing needs no scripts"))]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::RandomState;

use crate::ids::{Kin, Moment, PeerId, ShardId};
use crate::policy::{Echo, Policy, Rights, Selection};
use crate::portable::form::piece::Kind;
use crate::portable::{Defect, Pieces, write};
use crate::table::packed::Packed;
use crate::table::rib::Announcement;
use crate::table::vnet::UpdateOutcome;
use crate::table::{
    Batch, Chunk, Hold, Importer, Lookup, Origin, TableBasis, TableBounds, Vnet, VniInfo,
};
use crate::wire::{Action, Destination, Message, NextHop, Vni, split};

/// Bytes asked for in one chunk unless a test says otherwise.
pub(super) const CHUNK: usize = 4096;

/// The routes that a subscriber has.
#[derive(Debug, Default)]
pub(super) struct Reader {
    in_sync: bool,
    is_slow: bool,
    pub(super) ended: bool,
    pub(super) view: BTreeSet<String>,
    /// Messages since the last look, such as `+10.0.0.0/8 1`.
    log: Vec<String>,
}

/// A VNI and its subscribers. Peers above 1000 are servers.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) vnet: Vnet,
    pub(super) now: Moment,
    bounds: TableBounds,
    /// Whether the latest update would have been one next hop too many.
    pub(super) was_full: bool,
    readers: BTreeMap<u64, Reader>,
    /// Peers whose session ended without notice.
    gone: BTreeSet<u64>,
}

/// The kin of a peer, the same in each of its sessions.
fn kin(peer: u64) -> Kin {
    Kin::from_numbers([peer % 10_000, 0])
}

/// Whether a peer is a server: peers above 1000 are, in each of their sessions. Sessions of a peer are 10,000 apart.
fn is_server(peer: u64) -> bool {
    peer % 10_000 > 1000
}

/// The routes that a peer receives: 5 and 6 one next hop of each destination, 7 also its own, 8 its own in a dump.
fn selection(peer: u64) -> Selection {
    let echo = match peer % 10_000 {
        7 => Echo::All,
        8 => Echo::Dump,
        _ => Echo::None,
    };
    Selection::new(echo, is_chooser(peer))
}

/// Whether a peer receives one next hop of each destination.
pub(super) fn is_chooser(peer: u64) -> bool {
    matches!(peer % 10_000, 5 | 6)
}

/// A plain next hop.
pub(super) fn standard(hop: u16) -> NextHop {
    NextHop::standard([0xfd00, 0, 0, 0, 0, 0, 0, hop].into())
}

impl Table {
    pub(super) fn new() -> Self {
        Self::with(TableBounds::default())
    }

    pub(super) fn with(bounds: TableBounds) -> Self {
        let vnet = Vnet::new(Vni(9), bounds, RandomState::with_seeds(1, 2, 3, 4));
        Self {
            vnet,
            now: Moment(0),
            bounds,
            was_full: false,
            readers: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    /// A session ends without notice, and its routes are kept until `until`. Peers with the same number are kin.
    pub(super) fn vanish(&mut self, peer: u64, until: Moment) {
        self.vanish_as(peer, Hold { kin: kin(peer), until });
    }

    /// The same with a given hold.
    pub(super) fn vanish_as(&mut self, peer: u64, hold: Hold) {
        if self.vnet.hold(PeerId(peer), hold).is_none() {
            self.vnet.leave(PeerId(peer));
        }
        self.readers.remove(&peer);
        self.gone.insert(peer);
    }

    /// A peer is back, under the number of another session. Returns how many routes it takes over.
    pub(super) fn come_back(&mut self, peer: u64) -> u32 {
        self.vnet.adopt(Self::origin(peer), kin(peer)).map_or(0, |adopted| adopted.routes)
    }

    fn origin(peer: u64) -> Origin {
        Origin {
            peer: PeerId(peer),
            shard: ShardId(0),
            is_server: is_server(peer),
            rights: Rights::default(),
            selection: selection(peer),
        }
    }

    pub(super) fn announce(&mut self, peer: u64, prefix: &str, hop: u16) -> UpdateOutcome {
        self.update(peer, Action::Add, prefix, hop)
    }

    pub(super) fn withdraw(&mut self, peer: u64, prefix: &str, hop: u16) -> UpdateOutcome {
        self.update(peer, Action::Remove, prefix, hop)
    }

    fn update(&mut self, peer: u64, action: Action, prefix: &str, hop: u16) -> UpdateOutcome {
        self.update_with(peer, action, prefix, standard(hop))
    }

    /// An update with any next hop.
    pub(super) fn update_with(
        &mut self,
        peer: u64,
        action: Action,
        prefix: &str,
        next_hop: NextHop,
    ) -> UpdateOutcome {
        let member = self.vnet.member(Self::origin(peer));
        let destination: Destination = prefix.parse().expect("a prefix");
        let others = self.vnet.lookup(self.now, Lookup::Exact(destination));
        self.was_full = others.len() >= self.bounds.next_hops as usize
            && !others.iter().any(|route| route.next_hop == next_hop);
        self.vnet.update(member, action, &destination, &next_hop)
    }

    /// A peer takes part with these rights. Returns its number.
    pub(super) fn enter(&mut self, peer: u64, rights: Rights) -> u32 {
        self.vnet.member(Origin { rights, ..Self::origin(peer) })
    }

    /// An announcement that a policy judges.
    pub(super) fn announce_under(&mut self, policy: &Policy, peer: u64, prefix: &str, hop: u16) {
        let member = self.vnet.members.find(PeerId(peer)).expect("a member");
        let destination: Destination = prefix.parse().expect("a prefix");
        let next_hop = standard(hop);
        let terms = policy.terms(self.vnet.members[member].origin.rights, Vni(9));
        let update = Announcement { action: Action::Add, destination, next_hop };
        self.vnet.update_all(member, &[update], terms.as_ref());
    }

    /// The next hops with which a destination is announced.
    pub(super) fn hops(&self, prefix: &str) -> BTreeSet<u16> {
        let destination: Destination = prefix.parse().expect("a prefix");
        let routes = self.vnet.lookup(self.now, Lookup::Exact(destination));
        let hop = |address| match address {
            std::net::IpAddr::V6(address) => address.segments()[7],
            std::net::IpAddr::V4(_) => panic!("v4"),
        };
        routes.iter().map(|route| hop(route.next_hop.address())).collect()
    }

    /// Subscribes a peer, which does not ask for anything yet.
    pub(super) fn join(&mut self, peer: u64) {
        let member = self.vnet.member(Self::origin(peer));
        assert!(self.vnet.subscribe(member), "{peer} is subscribed already");
        self.readers.insert(peer, Reader::default());
    }

    /// Subscribes a peer, which takes the whole dump.
    pub(super) fn subscribe(&mut self, peer: u64) {
        self.join(peer);
        self.catch_up(peer);
    }

    /// Pulls until a subscriber is in sync.
    pub(super) fn catch_up(&mut self, peer: u64) {
        for _ in 0..1_000_000 {
            let Some(chunk) = self.pull(peer, CHUNK) else { return };
            if chunk.in_sync {
                return;
            }
        }
        panic!("{peer} never catches up");
    }

    /// The next chunk for a subscriber that is behind.
    pub(super) fn pull(&mut self, peer: u64, limit: usize) -> Option<Chunk> {
        let chunk = self.vnet.chunk(PeerId(peer), limit, self.now).map(|(_, chunk)| chunk);
        self.deliver(); // batches that building the chunk sealed go first
        let chunk = chunk?;
        let reader = self.readers.get_mut(&peer).expect("a subscriber");
        if let Some(batch) = &chunk.batch {
            reader.take(peer, batch);
        }
        assert!(!(chunk.end_of_table && reader.ended), "the dump ends once");
        reader.ended |= chunk.end_of_table;
        reader.in_sync = chunk.in_sync;
        Some(chunk)
    }

    /// From the next batch on, the subscriber takes nothing until it catches up.
    pub(super) fn slow_down(&mut self, peer: u64) {
        if let Some(reader) = self.readers.get_mut(&peer) {
            reader.is_slow = true;
        }
    }

    /// A session's end, or UNSUBSCRIBE.
    pub(super) fn leave(&mut self, peer: u64) {
        self.vnet.leave(PeerId(peer));
        self.readers.remove(&peer);
    }

    /// Seals the open batch and gives it to all subscribers in sync.
    pub(super) fn flush(&mut self) {
        self.vnet.seal();
        self.deliver();
    }

    pub(super) fn deliver(&mut self) {
        for (audience, batch) in self.vnet.take_sealed() {
            for (peer, reader) in &mut self.readers {
                if !reader.in_sync || Self::origin(*peer).audience() != audience {
                    continue;
                }
                if std::mem::take(&mut reader.is_slow) {
                    reader.in_sync = false;
                    assert_eq!(self.vnet.fell_behind(PeerId(*peer), batch.start), None);
                } else {
                    reader.take(*peer, &batch);
                }
            }
        }
    }

    /// Forgets all that can be forgotten.
    pub(super) fn trim(&mut self) -> Vec<(ShardId, PeerId)> {
        let given_up = self.vnet.trim(true);
        while self.vnet.is_untidy() {
            self.vnet.tidy(1);
        }
        given_up
    }

    /// Packs and unpacks the VNI, if it can be packed.
    pub(super) fn repack(&mut self) -> bool {
        let Some(packed) = Packed::of(&mut self.vnet) else { return false };
        let basis = TableBasis { bounds: self.bounds, hasher: RandomState::with_seeds(1, 2, 3, 4) };
        // The mark of a destination with other routes counts as a tombstone.
        let open = VniInfo { tombstones: 0, ..self.vnet.info(ShardId(0)) };
        assert_eq!(packed.info(self.vnet.vni, ShardId(0)), open);
        self.vnet = packed.unpack(self.vnet.vni, &basis);
        true
    }

    /// The VNI in the portable form, with nothing left to seal.
    pub(super) fn export(&mut self) -> Vec<Kind> {
        self.flush();
        let mut pieces = Vec::new();
        self.vnet.export(&mut |kind| pieces.push(kind));
        pieces
    }

    /// Reads a VNI from the portable form. All peers have connections, except those above 2000.
    pub(super) fn import(&self, pieces: Vec<Kind>) -> Result<Vnet, Defect> {
        let hasher = RandomState::with_seeds(5, 6, 7, 8);
        let basis = Arc::new(TableBasis { bounds: self.bounds, hasher });
        let mut pieces = pieces.into_iter();
        let Some(Kind::Table(first)) = pieces.next() else { panic!("a table begins") };
        let mut importer = Importer::new(first, &basis)?;
        let is_there = |peer: u64| peer % 10_000 <= 2000 && !self.gone.contains(&peer);
        let shard_of = |peer: PeerId| is_there(peer.0).then_some(ShardId(0));
        pieces.try_for_each(|piece| importer.take(piece, &shard_of))?;
        importer.into_vnet()
    }

    /// Takes the VNI through the portable form: then all subscribers go on by asking.
    pub(super) fn port(&mut self) {
        let pieces = self.export();
        let mut bytes = Vec::new();
        pieces.into_iter().for_each(|piece| write(piece, &mut bytes));
        let mut stream = Pieces::default();
        stream.feed(&bytes);
        let read = std::iter::from_fn(|| stream.next().expect("a piece"));
        self.vnet = self.import(read.collect()).expect("what was written can be read");
        for reader in self.readers.values_mut() {
            (reader.in_sync, reader.is_slow) = (false, false);
        }
    }

    /// The messages that a subscriber has been sent since the last call.
    pub(super) fn got(&mut self, peer: u64) -> Vec<String> {
        self.readers.get_mut(&peer).map(|reader| std::mem::take(&mut reader.log)).expect("a reader")
    }

    pub(super) fn reader(&self, peer: u64) -> &Reader {
        &self.readers[&peer]
    }

    pub(super) fn subscribers(&self) -> Vec<u64> {
        self.readers.keys().copied().collect()
    }
}

impl Reader {
    pub(super) fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    fn take(&mut self, peer: u64, batch: &Arc<Batch>) {
        batch.for_each_piece(PeerId(peer), |piece| {
            let mut rest = &piece[..];
            while let Some(frame) = split(rest).expect("a frame") {
                rest = &rest[frame.len()..];
                let Ok(Message::Update(update)) = Message::decode(&frame) else {
                    panic!("{frame:?}")
                };
                let std::net::IpAddr::V6(hop) = update.next_hop.address() else { panic!("v4") };
                let mut route = format!("{} {}", update.destination, hop.segments()[7]);
                let (_, to) = update.next_hop.nat_ports();
                if to > 0 {
                    route += &format!(":{to}");
                }
                let (sign, is_news) = match update.action {
                    Action::Add => ('+', self.view.insert(route.clone())),
                    Action::Remove => ('-', self.view.remove(&route)),
                };
                self.log.push(format!("{sign}{route}"));
                let is_vague = selection(peer).echo == Echo::Dump;
                assert!(is_news || is_vague, "{peer} has {:?} already", self.log.last());
            }
            assert!(rest.is_empty(), "a piece ends within a message");
        });
    }
}
