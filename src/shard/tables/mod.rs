//! The tables of the VNIs that one shard owns.
//!
//! [`Tables`] knows no connection. Requests come from connections on any shard and wait until they are served, peers in
//! turn. Sealed batches and answers go as [`Delivery`](super::Delivery)s to the shards of the connections.

mod counting;
mod departed;
mod inspect;
pub(super) mod leaving;
mod limits;
mod moves;
mod owned;
mod policing;
mod queue;
mod seal;
mod sealing;
mod serve;
mod stale;
mod trim;
mod withdraw;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use ahash::{AHashMap, RandomState};

use self::counting::Counting;
use self::departed::Departed;
use self::leaving::Leaving;
pub(crate) use self::leaving::Tenants;
pub(super) use self::limits::closes;
pub(super) use self::owned::{Owned, TableId};
use self::policing::Policing;
use self::sealing::Sealing;
use self::stale::Stale;
use super::ShardConfig;
use super::fair::FairQueue;
use super::growth::Growth;
use super::inspect::Monitors;
use super::moves::Answer;
use super::output::VniNotice;
use super::slab::Slab;
use crate::ids::{Moment, ShardId};
use crate::table::{Table, TableBasis, Vnet};
use crate::wire::Vni;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Tables {
    shard: ShardId,
    settings: Arc<ShardConfig>,
    basis: Arc<TableBasis>,
    owned: Slab<TableId, Box<Owned>>,
    index: AHashMap<Vni, TableId>,
    /// Requests that wait.
    queue: FairQueue,
    /// The cost of looks at next hops that updates have made since it was last charged, in updates.
    looks: usize,
    sealing: Sealing,
    lingering: Vec<TableId>,
    /// The lingering VNIs that this tick has yet to look at.
    due: Vec<TableId>,
    /// VNIs in which a trim has not yet forgotten all that it could.
    untidy: VecDeque<TableId>,
    departed: Departed,
    policing: Policing,
    stale: Stale,
    leaving: Leaving,
    /// Answers about moves, for the coordinator.
    answers: VecDeque<Answer<Infallible>>,
    growth: Growth,
    /// Notices of VNIs that are near their limit, or have reached it.
    vni_notices: VecDeque<VniNotice>,
    monitors: Monitors,
    counting: Counting,
}

impl Tables {
    pub(super) fn new(
        shard: ShardId,
        settings: Arc<ShardConfig>,
        hasher: RandomState,
        now: Moment,
    ) -> Self {
        Self {
            shard,
            basis: Arc::new(TableBasis { bounds: settings.bounds.table, hasher: hasher.clone() }),
            settings,
            owned: Slab::new(),
            index: AHashMap::with_hasher(hasher.clone()),
            queue: FairQueue::new(hasher),
            looks: 0,
            sealing: Sealing::new(now),
            lingering: Vec::new(),
            due: Vec::new(),
            untidy: VecDeque::new(),
            departed: Departed::new(now),
            policing: Policing::default(),
            stale: Stale::default(),
            leaving: Leaving::default(),
            answers: VecDeque::new(),
            growth: Growth::default(),
            vni_notices: VecDeque::new(),
            monitors: Monitors::default(),
            counting: Counting::default(),
        }
    }

    pub(super) fn set_settings(&mut self, settings: Arc<ShardConfig>) {
        let before = std::mem::replace(&mut self.settings, settings);
        if before.policy.generation() != self.settings.policy.generation() {
            self.policing.review_all(&before.policy);
        }
    }

    /// Whether there is no table, and no request waits.
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty() && self.queue.is_empty() && self.answers.is_empty()
    }

    /// The table of a VNI, if there is one.
    pub(super) fn find(&self, vni: Vni) -> Option<(TableId, &Table)> {
        let &id = self.index.get(&vni)?;
        Some((id, &self.owned[id].table))
    }

    /// The next answer about a move, for the coordinator.
    pub(super) fn answer(&mut self) -> Option<Answer<Infallible>> {
        self.answers.pop_front()
    }

    /// Whether there are answers for the coordinator.
    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// All tables with their places.
    pub(super) fn owned(&self) -> &Slab<TableId, Box<Owned>> {
        &self.owned
    }

    /// The numbers of leftovers when every peer has gone; they should be 0.
    #[cfg(test)]
    pub(super) fn leftovers(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("VNIs", self.owned.iter().count()),
            ("VNI names", self.index.len()),
            ("dirty VNIs", self.sealing.dirty.len()),
            ("lingering VNIs", self.lingering.len()),
            ("untidy VNIs", self.untidy.len()),
            ("due VNIs", self.due.len()),
            ("requests", self.queue.len()),
            ("request cost", self.queue.cost()),
        ]
    }

    /// The table of a VNI, made if need be.
    fn made(&mut self, vni: Vni) -> TableId {
        if let Some(&id) = self.index.get(&vni) {
            return id;
        }
        let id = self.owned.insert(Box::new(Owned::of(Table::new(vni, Arc::clone(&self.basis)))));
        self.index.insert(vni, id);
        self.growth.grown.vnis += 1;
        // Listed from the start, so that a table which stays empty is found and dropped.
        self.mark_lingering(id);
        id
    }

    /// Unpacks the table of a VNI, for any change. The next ticks look at a table that was packed, and pack it
    /// again if nothing has changed.
    fn opened(&mut self, id: TableId) -> &mut Vnet {
        if self.owned[id].table.opened().is_none() {
            self.mark_lingering(id);
        }
        self.owned[id].table.open()
    }

    /// Lists a VNI as having changes to seal.
    fn mark_dirty(&mut self, id: TableId) {
        self.weigh(id);
        let entry = &mut self.owned[id];
        if !entry.is_dirty {
            entry.is_dirty = true;
            let is_monitored = self.monitors.covers(entry.table.vni());
            entry.table.open().is_monitored = is_monitored;
            self.sealing.dirty.push(id);
        }
    }

    /// Lists a VNI as having something to tidy up at the next tick.
    fn mark_lingering(&mut self, id: TableId) {
        let entry = &mut self.owned[id];
        entry.quiet = 0;
        if !entry.lingers {
            entry.lingers = true;
            self.lingering.push(id);
        }
    }
}
