//! One VNI: a publisher, and subscribers that are in sync.

use std::time::Duration;

use ahash::RandomState;

use super::Route;
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::{Rights, Selection};
use crate::table::{Announcement, Chunk, Origin, TableBasis, TableBounds, Vnet};
use crate::wire::{Action, Vni};

/// Changes between two seals: what one full read brings is not much more.
const SEAL_EVERY: usize = 1024;
/// Routes of a departed peer that one turn withdraws of one VNI.
const SHARE: usize = 2048;
/// Bytes of one chunk, as `shard` asks for them.
const CHUNK: usize = 64 * 1024;
/// The one who asks for dumps.
const JOINER: u64 = u64::MAX;

/// A table that is used as its shard would.
#[derive(Debug)]
pub struct Table {
    vnet: Vnet,
    now: Moment,
    publisher: u64,
}

impl Table {
    /// An empty table with so many subscribers in sync.
    #[must_use]
    pub fn new(subscribers: u64) -> Self {
        let vnet = Vnet::new(Vni(1), TableBounds::default(), RandomState::with_seeds(1, 2, 3, 4));
        let mut table = Self { vnet, now: Moment(0), publisher: subscribers };
        for peer in 0..subscribers {
            table.join(peer);
        }
        table
    }

    /// The publisher announces or withdraws routes. What changed is sealed every now and then.
    pub fn update(&mut self, action: Action, routes: &[Route]) {
        for run in routes.chunks(SEAL_EVERY) {
            let member = self.vnet.member(origin(self.publisher));
            let announcement =
                |&(destination, next_hop)| Announcement { action, destination, next_hop };
            self.vnet.update_all(member, &run.iter().map(announcement).collect::<Vec<_>>(), None);
            self.seal();
        }
    }

    /// A peer announces or withdraws routes, as many as one read brings, in one turn.
    pub fn update_by(&mut self, peer: u64, action: Action, routes: &[Route]) {
        let member = self.vnet.member(origin(peer));
        let announcement =
            |&(destination, next_hop)| Announcement { action, destination, next_hop };
        self.vnet.update_all(member, &routes.iter().map(announcement).collect::<Vec<_>>(), None);
        self.seal();
        self.vnet.tidy(SHARE);
    }

    /// The first subscriber takes nothing more.
    pub fn slow_down(&mut self) {
        let at = self.vnet.begins_at();
        self.vnet.fell_behind(PeerId(0), at);
    }

    /// A peer leaves. Its routes go turn by turn.
    pub fn leave(&mut self, peer: u64) {
        self.vnet.leave(PeerId(peer));
    }

    /// A turn in which no update comes. Returns whether there is more to do.
    pub fn turn(&mut self) -> bool {
        self.vnet.work(SHARE);
        self.vnet.seal();
        drop(self.vnet.take_sealed());
        self.vnet.expire(Moment(u64::MAX));
        self.vnet.trim(true);
        self.vnet.tidy(SHARE);
        self.vnet.has_work() || self.vnet.is_untidy()
    }

    /// The publisher is gone, and all its routes with it. The next one is another peer.
    pub fn lose_publisher(&mut self) {
        self.vnet.leave(PeerId(self.publisher));
        self.publisher += 1;
        while self.vnet.has_work() {
            self.vnet.work(SHARE);
            self.seal();
        }
    }

    /// Somebody subscribes, is sent all there is, and leaves. Returns the bytes.
    pub fn dump(&mut self) -> usize {
        self.now = self.now + Duration::from_secs(10); // no chunk of the last dump is remembered
        let bytes = self.join(JOINER);
        self.vnet.leave(PeerId(JOINER));
        bytes
    }

    /// Routes that are announced.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.vnet.routes()
    }

    fn join(&mut self, peer: u64) -> usize {
        let member = self.vnet.member(origin(peer));
        self.vnet.subscribe(member);
        let mut bytes = 0;
        while let Some((_, Chunk { batch, in_sync, .. })) =
            self.vnet.chunk(PeerId(peer), CHUNK, self.now)
        {
            bytes += batch.map_or(0, |batch| batch.len());
            if in_sync {
                break;
            }
        }
        bytes
    }

    /// Seals, and lets go of the batches: subscribers have taken them.
    fn seal(&mut self) {
        self.vnet.seal();
        drop(self.vnet.take_sealed());
        self.vnet.trim(false);
    }
}

/// Many VNIs, each with a subscriber, and with one route of another peer if there is to be one.
#[derive(Debug)]
pub struct Vnis {
    tables: Vec<crate::table::Table>,
}

impl Vnis {
    /// So many VNIs, as they are while something happens in them.
    #[must_use]
    pub fn new(count: u32, route: Option<Route>) -> Self {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let basis = std::sync::Arc::new(TableBasis { bounds: TableBounds::default(), hasher });
        let table = |vni| {
            let mut table = crate::table::Table::new(Vni(vni), std::sync::Arc::clone(&basis));
            let vnet = table.open();
            if let Some((destination, next_hop)) = route {
                let member = vnet.member(origin(1));
                let action = Action::Add;
                vnet.update_all(member, &[Announcement { action, destination, next_hop }], None);
            }
            let member = vnet.member(origin(0));
            vnet.subscribe(member);
            while vnet.chunk(PeerId(0), CHUNK, Moment(0)).is_some_and(|(_, chunk)| !chunk.in_sync) {
            }
            drop(vnet.take_sealed());
            table
        };
        Self { tables: (0..count).map(table).collect() }
    }

    /// Nothing happens in them any more.
    pub fn pack(&mut self) {
        for table in &mut self.tables {
            let vnet = table.open();
            vnet.expire(Moment(u64::MAX));
            vnet.trim(true);
            table.pack();
        }
    }
}

fn origin(peer: u64) -> Origin {
    Origin {
        peer: PeerId(peer),
        shard: ShardId(0),
        is_server: false,
        rights: Rights::default(),
        selection: Selection::default(),
    }
}
