//! VNIs and connections move from shard to shard, or are about to when it is called off.

use bytes::Bytes;

use super::world::World;
use crate::ids::{PeerId, ShardId};
use crate::shard::moves::{Answer, MoveCommand};
use crate::shard::placement::{PartitionId, Partitions};
use crate::shard::{Slot, Traveller};

impl World {
    /// The coordinator takes answers. Then it may begin a move or give one up.
    pub(super) fn coordinate(&mut self) -> Result<(), String> {
        while self.is_calm || self.rng.chance(500) {
            let Some((shard, answer)) = self.orders.answers.pop_front() else { break };
            let commands = match &mut self.handover {
                Some(handover) => handover.answered(shard, answer),
                None => self.coordinator.answered(answer),
            };
            self.send(commands);
        }
        if self.handover.is_some() {
            return self.see_to_handover();
        }
        if self.is_calm {
            return Ok(());
        }
        if self.coordinator.is_free() && self.rng.chance(self.plan.rates.handovers) {
            self.begin_handover();
        } else if self.plan.shards > 1 {
            self.see_to_moves();
        }
        Ok(())
    }

    fn see_to_moves(&mut self) {
        if !self.coordinator.is_free() {
            if self.rng.chance(self.plan.rates.give_up) {
                self.note(0, || "gives a move up".into());
                let commands = self.coordinator.give_up();
                self.send(commands);
            }
        } else if self.rng.chance(self.plan.rates.moves) {
            if self.rng.chance(self.plan.rates.active) {
                self.active = self.rng.between(1, self.plan.shards);
                let active = self.active;
                self.note(active as u64, || format!("{active} shards are to be active"));
            }
            let commands = if self.rng.chance(500) {
                self.empty_a_shard()
            } else if self.rng.chance(500) {
                self.move_tables()
            } else {
                self.move_connection()
            };
            self.send(commands);
        }
    }

    /// Takes the next step to empty a shard that should not be active: moves all its partitions, then one connection
    /// after the other.
    fn empty_a_shard(&mut self) -> Vec<(ShardId, MoveCommand<Traveller>)> {
        for from in (self.active..self.plan.shards).map(ShardId::at) {
            let to = ShardId::at(self.rng.below(self.active));
            let partitions: Partitions = self.coordinator.placement().of(from).collect();
            if partitions.iter().next().is_some() {
                self.note(0, || format!("all VNIs go from shard {from} to {to}"));
                return self.coordinator.move_tables(partitions, from, to);
            }
            let slots = &self.slots[from.index()];
            let place = slots.values().next().copied();
            if let Some(client) = place.and_then(|place| self.clients[place].as_ref()) {
                let id = client.id;
                self.note(id.0, || format!("{id} leaves shard {from} for {to}"));
                return self.coordinator.move_connection(id, from, to);
            }
        }
        Vec::new()
    }

    /// A shard takes orders.
    pub(super) fn take_orders(&mut self, shard: usize) {
        while self.is_calm || self.rng.chance(500) {
            let Some(command) = self.orders.to[shard].pop_front() else { return };
            match command {
                MoveCommand::Order(order) => {
                    self.note(0, || format!("shard {shard}: {order:?}"));
                    self.cluster.shards[shard].order(self.now, order);
                    self.take_in_kept(shard);
                }
                MoveCommand::Adopt { number, connection } => self.adopt(shard, number, connection),
            }
        }
    }

    pub(super) fn send(&mut self, commands: Vec<(ShardId, MoveCommand<Traveller>)>) {
        for (shard, command) in commands {
            self.orders.to[shard.index()].push_back(command);
        }
    }

    /// Moves some of the VNIs in use, and others, from the shard that owns them to another.
    fn move_tables(&mut self) -> Vec<(ShardId, MoveCommand<Traveller>)> {
        let vni = *self.rng.pick(&self.plan.vnis);
        let from = self.coordinator.placement().owner(vni);
        let Some(to) = self.other_than(from) else { return Vec::new() };
        let share = self.rng.between(1, 4);
        let all: Vec<_> = self.coordinator.placement().of(from).collect();
        let own = PartitionId::of(vni);
        let some = all.into_iter().enumerate().filter(|(n, it)| n % share == 0 || *it == own);
        let partitions: Partitions = some.map(|(_, partition)| partition).collect();
        self.note(0, || format!("VNI {} and others go from shard {from} to {to}", vni.0));
        self.coordinator.move_tables(partitions, from, to)
    }

    fn move_connection(&mut self) -> Vec<(ShardId, MoveCommand<Traveller>)> {
        let place = self.rng.below(self.clients.len());
        let Some(client) = &self.clients[place] else { return Vec::new() };
        let (id, from) = (client.id, ShardId::at(client.shard));
        let Some(to) = self.other_than(from) else { return Vec::new() };
        self.note(id.0, || format!("{id} goes from shard {from} to {to}"));
        self.coordinator.move_connection(id, from, to)
    }

    /// An active shard other than this one.
    fn other_than(&mut self, shard: ShardId) -> Option<ShardId> {
        let others: Vec<_> = (0..self.active).map(ShardId::at).filter(|it| *it != shard).collect();
        (!others.is_empty()).then(|| *self.rng.pick(&others))
    }

    /// Takes a connection out of its shard, with the bytes that its socket has not taken yet.
    pub(super) fn take_out(&mut self, shard: usize, slot: Slot) -> Result<(), String> {
        let now = self.now;
        let Some(place) = self.slots[shard].get(&slot).copied() else { return Ok(()) };
        let Some(client) = &mut self.clients[place] else { return Ok(()) };
        let rest = client.in_flight.as_ref().map_or_else(Vec::new, |(bytes, done)| {
            bytes.slices(*done).flatten().copied().collect()
        });
        let left = rest.len() as u64;
        let Some(traveller) = self.cluster.shards[shard].leave(now, slot, Bytes::from(rest)) else {
            return Ok(());
        };
        client.in_flight = None;
        client.handed -= left;
        client.rest = left;
        client.is_paused = true;
        (client.is_travelling, client.is_held, client.wake) = (true, false, None);
        self.slots[shard].remove(&slot);
        self.orders.answer(shard, Answer::Moves { connection: traveller });
        Ok(())
    }

    fn adopt(&mut self, shard: usize, number: u64, connection: Traveller) {
        self.take_over(shard, connection);
        self.orders.answer(shard, Answer::Arrived { number });
    }

    /// A connection goes on at another shard.
    pub(super) fn take_over(&mut self, shard: usize, connection: Traveller) {
        let id = connection.peer();
        let slot = self.cluster.shards[shard].arrive(self.now, connection);
        let place = self.place_of(id);
        self.note(id.0, || format!("{id} has arrived on shard {shard}"));
        if let Some((place, client)) =
            place.and_then(|place| Some((place, self.clients[place].as_mut()?)))
        {
            (client.shard, client.slot, client.is_travelling) = (shard, slot, false);
            self.slots[shard].insert(slot, place);
            if let Some(reason) = client.expected_end.clone() {
                // The client hung up during the move.
                self.cluster.shards[shard].close(slot, reason);
            }
        }
        self.take_in_kept(shard);
    }

    fn place_of(&self, id: PeerId) -> Option<usize> {
        self.clients.iter().position(|client| client.as_ref().is_some_and(|it| it.id == id))
    }
}
