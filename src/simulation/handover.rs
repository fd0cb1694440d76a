//! Everything goes through the portable form into shards of another number, as when one process takes over
//! from another; or does not, and goes back.

use ahash::RandomState;

use super::cluster::Cluster;
use super::orders::Orders;
use super::world::World;
use crate::ids::ShardId;
use crate::portable::{Pieces, write};
use crate::shard::moves::{Coordinator, Handover};
use crate::shard::{Restored, Restorer, snapshot};

impl World {
    /// Begins a handover, if nothing moves.
    pub(super) fn begin_handover(&mut self) {
        self.note(0, || "begins a handover".into());
        let number = self.coordinator.next_number();
        let (handover, commands) = Handover::begin(number, self.plan.shards);
        self.handover = Some(handover);
        self.send(commands);
    }

    /// Goes on with the handover, or gives it up.
    pub(super) fn see_to_handover(&mut self) -> Result<(), String> {
        let Some(handover) = &mut self.handover else { return Ok(()) };
        // No peer is read meanwhile, so none counts as silent.
        for client in self.clients.iter_mut().flatten() {
            client.unread_until = self.now;
        }
        if handover.is_over() {
            self.handover = None;
            return Ok(());
        }
        let is_ready = handover.is_ready();
        let gives_up = if is_ready {
            self.rng.chance(300)
        } else {
            !self.is_calm && self.rng.chance(self.plan.rates.give_up)
        };
        if gives_up {
            let commands = handover.give_up();
            self.note(0, || "gives the handover up".into());
            self.send(commands);
        } else if is_ready && (self.is_calm || self.rng.chance(300)) {
            self.succeed()?;
        }
        Ok(())
    }

    /// Other shards take over the tables and connections that have left these.
    fn succeed(&mut self) -> Result<(), String> {
        let Some(mut handover) = self.handover.take() else { return Ok(()) };
        handover.hold_late(self.now);
        let mut bytes = Vec::new();
        let mut each = |kind| write(kind, &mut bytes);
        snapshot(self.now, handover.connections(), &[], handover.tables(), &mut each);
        drop(handover);
        self.plan.shards = self.rng.between(1, 4);
        let (length, shards) = (bytes.len(), self.plan.shards);
        self.note(length as u64, || format!("{length} bytes go to {shards} shards"));
        let Restored { now, connections, tables, .. } = self.restore(&bytes)?;
        if now != self.now {
            return Err(format!("the snapshot was written at {now:?}"));
        }
        let seeds = [self.rng.next(), self.rng.next(), self.rng.next(), self.rng.next()];
        self.cluster = Cluster::new(&self.plan, seeds, self.now);
        self.slots = vec![std::collections::BTreeMap::new(); shards];
        self.coordinator = Coordinator::new(shards);
        self.active = shards;
        self.orders = Orders::new(shards);
        self.behind_policy.clear();
        self.forget_endings();
        for (shard, tables) in self.cluster.shards.iter_mut().zip(tables) {
            shard.own(tables);
        }
        for (ShardId(shard), connection) in connections {
            self.take_over(usize::from(shard), connection);
        }
        Ok(())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<Restored, String> {
        let seeds = [self.rng.next(), self.rng.next(), self.rng.next(), self.rng.next()];
        let [a, b, c, d] = seeds;
        let hasher = RandomState::with_seeds(a, b, c, d);
        let bounds = self.plan.settings.bounds.table;
        let mut restorer = Restorer::new(self.plan.shards, bounds, hasher);
        let mut pieces = Pieces::default();
        let length = self.rng.between(1, bytes.len());
        for read in bytes.chunks(length) {
            pieces.feed(read);
            while let Some(kind) = pieces.next().map_err(|error| error.to_string())? {
                restorer.take(kind).map_err(|error| error.to_string())?;
            }
        }
        restorer.finish().map_err(|error| error.to_string())
    }
}
