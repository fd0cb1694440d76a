//! All watches, the changes that each lacks, and the watches that wait for an answer.

use std::collections::BTreeMap;
use std::sync::Weak;

use super::PeerStatus;
use super::changes::{PeerChange, RouteBatch, SyncChange};
use super::core::{Latest, Leaf, WatchId};
use super::messages::{Reply, answer};
use crate::wire::Vni;

/// The most route changes in one batch of a watch.
const CHANGES_MAX: usize = 4096;

/// The actor's record of a watch.
#[derive(Debug)]
struct Reader<F, T> {
    /// The watch holds the other end.
    alive: Weak<()>,
    feed: F,
    waiting: Option<Reply<T>>,
}

/// Whether the reader gets nothing while the leaf is settling.
#[derive(Debug)]
struct Waits(bool);

type Feed<K, V, T> = Reader<Latest<K, V>, Vec<T>>;

/// All watches. A watch whose other end is gone is forgotten when a change for it comes.
#[derive(Debug, Default)]
pub(super) struct Readers {
    last: u64,
    /// The feeds of these watches are in the leaf's core.
    routes: BTreeMap<WatchId, Reader<Waits, RouteBatch>>,
    peers: BTreeMap<WatchId, Feed<String, Option<PeerStatus>, PeerChange>>,
    sync: BTreeMap<WatchId, Feed<(String, Vni), bool, SyncChange>>,
}

impl Readers {
    /// Adds a watch; with `waits` it gets nothing while the leaf is settling.
    pub(super) fn routes(
        &mut self,
        leaf: &mut Leaf,
        vni: Option<Vni>,
        waits: bool,
        alive: Weak<()>,
    ) -> WatchId {
        let id = self.next();
        leaf.watch(id, vni);
        self.routes.insert(id, Reader { alive, feed: Waits(waits), waiting: None });
        id
    }

    pub(super) fn peers(
        &mut self,
        all: impl Iterator<Item = (String, Option<PeerStatus>)>,
        alive: Weak<()>,
    ) -> WatchId {
        let id = self.next();
        self.peers.insert(id, Reader { alive, feed: all.collect(), waiting: None });
        id
    }

    pub(super) fn sync(
        &mut self,
        all: impl Iterator<Item = ((String, Vni), bool)>,
        alive: Weak<()>,
    ) -> WatchId {
        let id = self.next();
        self.sync.insert(id, Reader { alive, feed: all.collect(), waiting: None });
        id
    }

    fn next(&mut self) -> WatchId {
        self.last += 1;
        WatchId(self.last)
    }

    pub(super) fn pull_routes(&mut self, id: WatchId, reply: Reply<RouteBatch>) {
        if let Some(reader) = self.routes.get_mut(&id) {
            reader.waiting = Some(reply);
        }
    }

    pub(super) fn pull_peers(&mut self, id: WatchId, reply: Reply<Vec<PeerChange>>) {
        if let Some(reader) = self.peers.get_mut(&id) {
            reader.waiting = Some(reply);
        }
    }

    pub(super) fn pull_sync(&mut self, id: WatchId, reply: Reply<Vec<SyncChange>>) {
        if let Some(reader) = self.sync.get_mut(&id) {
            reader.waiting = Some(reply);
        }
    }

    pub(super) fn peer_changed(&mut self, address: &str, status: Option<PeerStatus>) {
        for reader in self.peers.values_mut() {
            reader.feed.push(address.to_owned(), status.clone());
        }
    }

    pub(super) fn sync_changed(&mut self, address: &str, vni: Vni, in_sync: bool) {
        for reader in self.sync.values_mut() {
            reader.feed.push((address.to_owned(), vni), in_sync);
        }
    }

    /// Answers the waiting readers that have changes.
    pub(super) fn serve(&mut self, leaf: &mut Leaf) {
        let is_settling = leaf.is_settling();
        self.routes.retain(|id, reader| {
            if reader.alive.strong_count() == 0 {
                leaf.unwatch(*id);
                return false;
            }
            let Some(feed) = leaf.feed(*id) else { return false };
            // The first answer comes in any case: an empty snapshot is news too.
            let has_news = !feed.is_empty() || !feed.was_taken();
            let waits = is_settling && reader.feed.0;
            if has_news
                && !waits
                && let Some(reply) = reader.waiting.take()
            {
                let changes = feed.take(CHANGES_MAX);
                answer(reply, RouteBatch { changes, caught_up: feed.is_empty() });
            }
            true
        });
        serve(&mut self.peers, |(address, status)| PeerChange { address, status });
        serve(&mut self.sync, |((peer, vni), in_sync)| SyncChange { peer, vni, in_sync });
    }
}

fn serve<K: Ord, V, T>(
    readers: &mut BTreeMap<WatchId, Feed<K, V, T>>,
    mut change: impl FnMut((K, V)) -> T,
) {
    readers.retain(|_, reader| {
        if !reader.feed.is_empty()
            && let Some(reply) = reader.waiting.take()
        {
            answer(reply, reader.feed.take().into_iter().map(&mut change).collect());
        }
        reader.alive.strong_count() > 0
    });
}
