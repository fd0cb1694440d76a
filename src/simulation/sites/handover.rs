//! The process of a site hands everything over to another one, in no time of the simulation.

use std::error::Error;
use std::time::Duration;

use ahash::RandomState;

use super::site::Process;
use super::world::World;
use crate::ids::ShardId;
use crate::portable::{Pieces, write};
use crate::shard::moves::Handover;
use crate::shard::{GuestKind, Layout, Restored, Restorer, Traveller, snapshot};

impl World {
    /// Hands over, or gives up at some stage.
    pub(super) fn hand_over(&mut self, site: usize) {
        let now = self.now;
        let entry = &mut self.sites[site];
        if entry.process.is_none() || entry.ends_at.is_some() || entry.is_frozen(now) {
            return;
        }
        self.handovers += 1;
        let layout = Layout::of(self.plan.shards).hosting(Some(GuestKind::Federation));
        let (mut handover, commands) = Handover::begin(self.handovers, layout.all());
        self.command(site, commands);
        let gives_up_after = if self.rng.chance(300) { self.rng.below(20) } else { usize::MAX };
        for round in 0.. {
            assert!(round < 10_000, "site {site} does not let everything go");
            if round == gives_up_after {
                let commands = handover.give_up();
                self.command(site, commands);
            }
            if handover.is_over() {
                return self.note(|| format!("site {site} gives a handover up"));
            }
            if handover.is_ready() && round < gives_up_after {
                break;
            }
            let Some(process) = &mut self.sites[site].process else { return };
            let (_, outputs) = process.round(&mut self.rng, now);
            let answers: Vec<_> = process.answers.drain(..).collect();
            for output in outputs {
                self.obey(site, output).expect("no event of a link goes wrong");
            }
            for (shard, answer) in answers {
                let commands = handover.answered(shard, answer);
                self.command(site, commands);
            }
        }
        self.succeed(site, &handover);
    }

    fn command(
        &mut self,
        site: usize,
        commands: Vec<(ShardId, crate::shard::moves::MoveCommand<Traveller>)>,
    ) {
        let now = self.now;
        if let Some(process) = &mut self.sites[site].process {
            process.obey(now, commands);
        }
        self.settle_in(site);
    }

    /// Clients follow their connections.
    fn settle_in(&mut self, site: usize) {
        let entry = &mut self.sites[site];
        let Some(process) = &mut entry.process else { return };
        for (peer, shard, slot) in process.arrived.drain(..) {
            entry.clients.iter_mut().for_each(|client| client.moved(peer, shard, slot));
        }
    }

    fn succeed(&mut self, site: usize, handover: &Handover<Traveller>) {
        let now = self.now;
        let Some(mut old) = self.sites[site].process.take() else { return };
        let link = old.link.export();
        let mut bytes = Vec::new();
        let mut each = |kind| write(kind, &mut bytes);
        snapshot(now, handover.connections(), &link, handover.tables(), &mut each);
        // The old process sends some of the messages that it still has.
        for _ in 0..self.rng.below(8) {
            let Some(outgoing) = old.link.next_message().filter(|_| old.is_connected) else {
                break;
            };
            let Self { engine, rng, plan, is_trouble, .. } = self;
            engine.send(rng, plan, now, *is_trouble, site, &outgoing);
        }
        let settings = self.settings(site);
        let mut process = Process::new(&self.plan, settings, &mut self.rng, now);
        let restored = self.restore(site, &bytes).expect("the process can read what it wrote");
        process.link.restore(&restored.link);
        for (shard, tables) in process.shards.iter_mut().zip(restored.tables) {
            shard.own(tables);
        }
        for (ShardId(shard), connection) in restored.connections {
            let (peer, place) = (connection.peer(), usize::from(shard));
            let slot = process.shards[place].arrive(now, connection);
            process.arrived.push((peer, place, slot));
        }
        self.sites[site].process = Some(process);
        self.settle_in(site);
        self.engine.forget(site);
        let after = Duration::from_millis(self.rng.below(300) as u64);
        self.sites[site].connects_at = Some(now + after);
        self.note(|| format!("site {site} has handed over {} bytes", bytes.len()));
    }

    fn restore(&mut self, site: usize, bytes: &[u8]) -> Result<Restored, Box<dyn Error>> {
        let [a, b, c, d] = std::array::from_fn(|_| self.rng.next());
        let hasher = RandomState::with_seeds(a, b, c, d);
        let layout = Layout::of(self.plan.shards).hosting(Some(GuestKind::Federation));
        let bounds = crate::shard::ShardConfig::default().bounds.table;
        let place = layout.guest().map(|guest| guest.0).ok_or("no shard for the link")?;
        let name = self.engine.name(site);
        let mut restorer = Restorer::new(layout.owners(), bounds, hasher).with_link(name, place);
        let mut pieces = Pieces::default();
        pieces.feed(bytes);
        while let Some(piece) = pieces.next()? {
            restorer.take(piece)?;
        }
        Ok(restorer.finish()?)
    }
}
