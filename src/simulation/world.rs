//! The simulated world: time, the cluster, the peers and what moves between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::choices::Choices;
use super::client::{Client, Profile};
use super::cluster::Cluster;
use super::model::Model;
use super::orders::Orders;
use super::plan::{Key, Plan, Sent};
use super::policy::Planned;
use super::rng::Rng;
use crate::ids::{Moment, PeerId};
use crate::outbox::OutBuf;
use crate::policy::Selection;
use crate::session::CloseReason;
use crate::shard::moves::{Coordinator, Handover};
use crate::shard::{Closed, Output, Shard, Slot, Traveller};

/// A driver reads every socket within this time.
pub(super) const LATE_READ: Duration = Duration::from_millis(500);

/// A connection that has ended while the driver still has its last write.
#[derive(Debug)]
struct Ending {
    shard: usize,
    slot: Slot,
    in_flight: Option<OutBuf>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: Moment,
    pub(super) cluster: Cluster,
    pub(super) model: Model,
    pub(super) clients: Vec<Option<Client>>,
    /// The client of each slot, by shard.
    pub(super) slots: Vec<BTreeMap<Slot, usize>>,
    pub(super) coordinator: Coordinator,
    /// The number of active shards, from the first on: nothing moves to the others, and no client connects there.
    pub(super) active: usize,
    pub(super) orders: Orders,
    /// A handover that is under way.
    pub(super) handover: Option<Handover<Traveller>>,
    endings: Vec<Ending>,
    next_id: u64,
    /// The policy in force, and whether some routes may not have been judged by it yet.
    pub(super) policy: Planned,
    pub(super) choices: Choices,
    pub(super) is_judging: bool,
    /// Whether some policy so far has closed sessions.
    pub(super) has_closed: bool,
    /// Shards that do not know that policy yet.
    pub(super) behind_policy: BTreeSet<usize>,
    /// Whether everything moves at once and no client misbehaves.
    pub(super) is_calm: bool,
    pub(super) trace: u64,
}

fn allows(policy: &Planned, plan: &Plan, from: (usize, std::net::IpAddr), key: Key) -> bool {
    let (vni, dest, hop) = (key.0 as usize, key.1 as usize, key.2 as usize);
    policy.allows(from, plan.vnis[vni], &plan.destinations[dest], &plan.hops[hop])
}

impl World {
    pub(super) fn new(seed: u64, is_verbose: bool) -> Self {
        let mut rng = Rng::new(seed);
        let mut plan = Plan::draw(&mut rng, is_verbose);
        // A client that receives its own routes receives those of the time when its subscription begins, which the model
        // does not know if the policy refuses the subscription at first.
        let is_plain = plan.selections.iter().all(|it| *it == Selection::default());
        let hidden = (is_plain && rng.chance(500)).then(|| *rng.pick(&plan.vnis));
        let policy = Planned::open(&plan.selections).hiding(hidden);
        plan.settings.policy = std::sync::Arc::new(policy.policy());
        let seeds = [rng.next(), rng.next(), rng.next(), rng.next()];
        let now = Moment(1_000_000);
        let mut world = Self {
            cluster: Cluster::new(&plan, seeds, now),
            model: Model::default(),
            clients: (0..plan.peers).map(|_| None).collect(),
            slots: vec![BTreeMap::new(); plan.shards],
            coordinator: Coordinator::new(plan.shards),
            active: plan.shards,
            orders: Orders::new(plan.shards),
            handover: None,
            endings: Vec::new(),
            next_id: 0,
            policy,
            choices: Choices::default(),
            is_judging: false,
            has_closed: false,
            behind_policy: BTreeSet::new(),
            is_calm: false,
            trace: seed,
            plan,
            rng,
            now,
        };
        if is_verbose {
            let Plan { shards, peers, settings, rates, .. } = &world.plan;
            println!("{shards} shards, {peers} peers, {settings:?}, {rates:?}");
        }
        world.note(0, || "begins".into());
        world
    }

    /// Adds an event to the trace; as text only if it is printed.
    pub(super) fn note(&mut self, number: u64, text: impl FnOnce() -> String) {
        for word in [self.now.0, number] {
            self.trace = (self.trace ^ word).wrapping_mul(0x100_0000_01B3).rotate_left(23);
        }
        if self.plan.is_verbose {
            println!("{:>10} {}", self.now.0, text());
        }
    }

    pub(super) fn connect(&mut self, place: usize, profile: Profile) {
        let shard = self.rng.below(self.active);
        self.next_id += 1;
        let id = PeerId(self.next_id);
        let slot = self.cluster.shards[shard].connect(self.now, id, Some(profile.from.1));
        self.note(id.0, || format!("{id} connects to shard {shard}: {profile:?}"));
        self.slots[shard].insert(slot, place);
        self.clients[place] = Some(Client::new(id, shard, slot, profile, self.now));
    }

    /// One turn of a shard's loop, in the order that the shard's documentation gives. Returns whether the
    /// shard wants the next turn at once.
    pub(super) fn turn(&mut self, shard: usize) -> Result<bool, String> {
        let now = self.now;
        self.take_orders(shard);
        if (self.is_calm || self.rng.chance(300)) && self.behind_policy.remove(&shard) {
            self.cluster.shards[shard].set_settings(self.plan.settings.clone());
        }
        let places: Vec<usize> = self.slots[shard].values().copied().collect();
        for &place in &places {
            let is_late = |client: &Client| now.since(client.heard) > LATE_READ;
            let is_late = self.clients[place].as_ref().is_some_and(is_late);
            if self.is_calm || is_late || self.rng.chance(self.plan.socket_moves) {
                self.receive(place)?;
            }
        }
        for slot in self.cluster.shards[shard].stalled(now) {
            let client =
                self.slots[shard].get(&slot).and_then(|&place| self.clients[place].as_ref());
            if let Some(client) = client {
                let left = client.in_flight.as_ref().map_or(0, |(bytes, done)| bytes.len() - done);
                let acked = client.handed - left as u64;
                self.cluster.shards[shard].acknowledged(now, slot, acked);
            }
        }
        let moves = if self.is_calm { 1000 } else { self.plan.parcel_moves };
        self.cluster.take_in(&mut self.rng, shard, moves, now);
        let turn = self.cluster.shards[shard].turn(now);
        if turn.next < now {
            return Err(format!("shard {shard} wants a turn at {:?}, before now", turn.next));
        }
        for &place in &places {
            let due = |client: &Client| client.wake.is_some_and(|wake| wake <= now);
            if let Some(client) = self.clients[place].as_ref().filter(|client| due(client)) {
                let slot = client.slot;
                self.write(shard, slot)?;
            }
        }
        self.cluster.send_out(shard);
        self.cluster.shards[shard].outputs();
        while let Some(output) = self.cluster.shards[shard].poll() {
            self.obey(shard, output)?;
        }
        for place in places {
            // A connection that is about to leave is not read, however long the move takes. Nor is one that stays
            // after all or has just arrived, until its shard tells the driver to read.
            if let Some(client) = &mut self.clients[place]
                && client.shard == shard
                && !client.is_travelling
                && self.cluster.shards[shard].is_paused(client.slot)
            {
                client.unread_until = now;
            }
        }
        self.check_turn(shard)?;
        // A table on its way to another shard may have routes to judge again. A connection that is prepared to leave
        // gets its class by the new policy when it arrives, or when its shard takes the order to serve it again.
        let is_told = self.behind_policy.is_empty()
            && self.coordinator.is_free()
            && self.handover.is_none()
            && self.orders.is_empty();
        self.is_judging &= !(self.cluster.is_settled() && is_told);
        if self.cluster.is_settled() && !self.is_judging {
            self.model.settled = self.model.now();
        }
        Ok(turn.next == now)
    }

    /// Handles an output of a shard.
    fn obey(&mut self, shard: usize, output: Output) -> Result<(), String> {
        let now = self.now;
        match output {
            Output::Ready(slot) => self.write(shard, slot)?,
            Output::Closed(closed) => self.closed(shard, closed)?,
            Output::Hold(slot, hold) => {
                if let Some(client) = self.client_at(shard, slot) {
                    client.is_held = hold;
                }
            }
            Output::Resumed(slot) => {
                if let Some(client) = self.client_at(shard, slot) {
                    client.is_paused = false;
                    client.unread_until = now;
                }
            }
            Output::Leaves(slot) => self.take_out(shard, slot)?,
            Output::Answer(answer) => self.orders.answer(shard, answer.widen()),
            Output::Begun(_)
            | Output::Refused(..)
            | Output::Established(..)
            | Output::Skipped(..)
            | Output::NearLimit(..)
            | Output::VniNotice(_)
            | Output::Unproven(..) => {}
        }
        Ok(())
    }

    fn client_at(&mut self, shard: usize, slot: Slot) -> Option<&mut Client> {
        let &place = self.slots[shard].get(&slot)?;
        self.clients[place].as_mut()
    }

    /// A shard has ended a session.
    fn closed(&mut self, shard: usize, closed: Closed) -> Result<(), String> {
        let place = self.slots[shard].remove(&closed.slot).ok_or("closed twice")?;
        let client = self.clients[place].take().ok_or("closed, but not connected")?;
        let id = client.id;
        if id != closed.peer {
            return Err(format!("{id} is closed as {}", closed.peer));
        }
        self.note(id.0, || format!("{id} is closed: {}", closed.reason));
        self.check_end(&client, &closed.reason).map_err(|error| format!("{id}: {error}"))?;
        self.forget(id);
        let in_flight = client.in_flight.map(|(bytes, _)| bytes);
        self.endings.push(Ending { shard, slot: closed.slot, in_flight });
        Ok(())
    }

    /// The model forgets a peer.
    pub(super) fn forget(&mut self, id: PeerId) {
        (0..self.plan.vnis.len())
            .for_each(|vni| self.choices.left(u32::try_from(vni).unwrap_or(0)));
        for key in self.model.leave(id, None) {
            self.no_longer_due(key);
        }
    }

    /// Another policy comes into force, on every shard.
    pub(super) fn change_policy(&mut self) {
        let selections = self.plan.selections;
        let planned = if self.rng.chance(200) {
            Planned::open(&selections)
        } else {
            Planned::draw(&mut self.rng, &selections)
        };
        // Subscriptions that the policy refuses begin when it allows them. It never refuses those that have begun.
        let hidden = self.policy.hidden().filter(|_| self.rng.chance(500));
        self.adopt_policy(planned.hiding(hidden));
    }

    /// A policy comes into force, on every shard.
    fn adopt_policy(&mut self, planned: Planned) {
        self.note(0, || format!("another policy: {planned:?}"));
        let policy = planned.policy().behind(&self.plan.settings.policy);
        self.plan.settings.policy = std::sync::Arc::new(policy);
        self.behind_policy = (0..self.plan.shards).collect();
        self.policy = planned;
        self.is_judging = true;
        let homes: BTreeMap<_, _> =
            self.clients.iter().flatten().map(|client| (client.id, client.profile.from)).collect();
        let (plan, policy) = (&self.plan, &self.policy);
        self.has_closed |= self.policy.closes;
        let hidden = self.model.judge(policy.closes, |peer, key| {
            homes.get(&peer).is_none_or(|from| allows(policy, plan, *from, key))
        });
        for key in hidden {
            self.no_longer_due(key);
        }
    }

    /// Whether the policy lets others see a route of a client.
    pub(super) fn is_allowed(&self, from: (usize, std::net::IpAddr), key: Key) -> bool {
        allows(&self.policy, &self.plan, from, key)
    }

    pub(super) fn no_longer_due(&mut self, (vni, dest, hop): Key) {
        self.choices.withdrawn((vni, dest, hop));
        for client in self.clients.iter_mut().flatten() {
            if let Some(subscription) = client.subscriptions.get_mut(&vni) {
                subscription.due.remove(&(dest, hop));
            }
        }
    }

    /// Ends a connection from outside: the peer closed it, or it broke.
    pub(super) fn hang_up(&mut self, place: usize, reason: CloseReason) {
        let Some(client) = &mut self.clients[place] else { return };
        if client.sent_bad || client.expected_end.is_some() {
            return; // closed already
        }
        client.expected_end = Some(reason.clone());
        let (id, shard, slot) = (client.id, client.shard, client.slot);
        if !client.is_travelling {
            self.cluster.shards[shard].close(slot, reason);
        }
        self.note(id.0, || format!("{id} hangs up"));
        self.forget(id);
    }

    /// The driver's tasks of ended connections end.
    pub(super) fn release(&mut self) {
        let count = if self.is_calm { self.endings.len() } else { self.endings.len().min(1) };
        for ending in self.endings.drain(..count) {
            let shard = &mut self.cluster.shards[ending.shard];
            if let Some(bytes) = ending.in_flight {
                shard.written(self.now, ending.slot, bytes);
            }
            shard.release(ending.slot);
        }
    }

    /// Forgets connections that had ended: their shards no longer exist.
    pub(super) fn forget_endings(&mut self) {
        self.endings.clear();
    }

    /// Sends the KEEPALIVEs of all clients that are not silent.
    pub(super) fn keepalives(&mut self) {
        for client in self.clients.iter_mut().flatten() {
            if client.has_said_hello && !client.is_silent && client.next_keepalive <= self.now {
                let interval = client.profile.interval.min(self.plan.settings.keepalive);
                client.next_keepalive = self.now + Duration::from_secs(u64::from(interval));
                client.send(&self.plan, Sent::Keepalive);
            }
        }
    }

    /// Lets everything come to rest.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.is_calm = true;
        self.note(0, || "settles".into());
        if self.policy.hidden().is_some() {
            self.adopt_policy(self.policy.clone().hiding(None));
        }
        // With bounds of one piece of work in a turn, fifty clients need tens of thousands of turns for their dumps.
        for round in 0..100_000 {
            self.keepalives();
            self.coordinate()?;
            for shard in 0..self.plan.shards {
                for _ in 0..64 {
                    if !self.turn(shard)? {
                        break;
                    }
                }
            }
            for place in 0..self.clients.len() {
                // Narrow pipes take a few bytes at a time.
                for _ in 0..64 {
                    self.network(place)?;
                    if self.clients[place].as_ref().is_none_or(|client| client.in_flight.is_none())
                    {
                        break;
                    }
                }
            }
            self.release();
            // Peers whose window is probed can take a message or two in a second.
            let step = if round < 5_000 { 1 } else { 20 };
            self.now = self.now + Duration::from_millis(step);
            let idle = |client: &Client| {
                let is_heard = !client.has_news() && !client.is_paused;
                let is_served = client.pipe.is_empty() && client.in_flight.is_none();
                is_heard && (client.is_frozen || is_served)
            };
            let frozen = self.clients.iter().flatten().any(|client| client.is_frozen);
            let flushed =
                if frozen { self.cluster.is_settled() } else { self.cluster.is_flushed() };
            if round >= 5
                && flushed
                && self.behind_policy.is_empty()
                && self.orders.is_empty()
                && self.handover.is_none()
                && self.coordinator.is_free()
                && self.clients.iter().flatten().all(idle)
                && self.endings.is_empty()
            {
                self.is_calm = false;
                return Ok(());
            }
        }
        Err(format!("does not come to rest: {}", self.unsettled()))
    }

    /// The work that has not come to rest.
    fn unsettled(&self) -> String {
        let shards: Vec<String> = self.cluster.shards.iter().map(Shard::unflushed).collect();
        let clients: Vec<String> = self.clients.iter().flatten().map(Client::unsettled).collect();
        format!(
            "shards {shards:?}, flushed {}, settled {}; orders {}; handover {}; moves {}; endings {}; \
             shards behind the policy {:?}; clients {clients:?}",
            self.cluster.is_flushed(),
            self.cluster.is_settled(),
            !self.orders.is_empty(),
            self.handover.is_some(),
            !self.coordinator.is_free(),
            self.endings.len(),
            self.behind_policy,
        )
    }
}
