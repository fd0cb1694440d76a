//! What clients do, and the course of a run.

use std::time::Duration;

use super::client::Profile;
use super::plan::{Key, Rates, Sent};
use super::world::World;
use crate::session::CloseReason;
use crate::wire::Action;

impl World {
    /// The whole run: phases of trouble, each followed by quiet and a check of everything.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for _ in 0..self.plan.phases {
            for _ in 0..self.plan.steps {
                self.step()?;
            }
            if self.rng.chance(200) {
                self.wait()?;
            }
            self.settle()?;
            self.check_quiet()?;
            if self.rng.chance(500) {
                self.late_joiners()?;
            }
            if self.rng.chance(300) {
                self.toggle_behind_a_frozen_peer()?;
            }
        }
        for place in 0..self.clients.len() {
            self.hang_up(place, CloseReason::PeerClosed);
        }
        self.settle()?;
        for _ in 0..8 {
            self.now = self.now + Duration::from_millis(500);
            self.settle()?;
        }
        self.check_empty()
    }

    fn step(&mut self) -> Result<(), String> {
        let leap = match self.rng.below(100) {
            0 => self.rng.below(300_000),
            1..=4 => self.rng.below(20_000),
            _ => self.rng.below(300),
        };
        self.now = self.now + Duration::from_micros(leap as u64);
        self.keepalives();
        self.coordinate()?;
        if self.rng.chance(self.plan.rates.policies) {
            self.change_policy();
        }
        for _ in 0..self.rng.between(0, 4) {
            let place = self.rng.below(self.clients.len());
            self.act(place);
        }
        for place in 0..self.clients.len() {
            if self.rng.chance(self.plan.socket_moves) {
                self.network(place)?;
            }
        }
        if leap > 20_000 {
            for shard in 0..self.plan.shards {
                self.turn(shard)?;
            }
        }
        let shard = self.rng.below(self.plan.shards);
        self.turn(shard)?;
        if self.rng.chance(300) {
            self.release();
        }
        Ok(())
    }

    /// Lets seconds pass, in which some peers do not read and their pipes do not move.
    fn wait(&mut self) -> Result<(), String> {
        for place in 0..self.clients.len() {
            let is_frozen = self.rng.chance(self.plan.slow / 3);
            if let Some(client) = &mut self.clients[place] {
                client.is_frozen = is_frozen;
            }
        }
        for _ in 0..self.rng.between(1, 60) {
            self.now = self.now + Duration::from_millis(250);
            self.keepalives();
            self.coordinate()?;
            for shard in 0..self.plan.shards {
                for _ in 0..8 {
                    self.turn(shard)?;
                }
            }
            for place in 0..self.clients.len() {
                self.network(place)?;
            }
            self.release();
        }
        for client in self.clients.iter_mut().flatten() {
            client.is_frozen = false;
        }
        Ok(())
    }

    /// Peers that subscribe to all VNIs when all is quiet get everything, by dump.
    fn late_joiners(&mut self) -> Result<(), String> {
        let free: Vec<usize> =
            (0..self.clients.len()).filter(|place| self.clients[*place].is_none()).collect();
        for place in free.into_iter().take(2) {
            self.greet(place);
            if let Some(client) = self.clients[place].as_mut().filter(|c| c.has_said_hello) {
                for vni in 0..self.plan.vnis.len() {
                    client.send(&self.plan, Sent::Subscribe(u32::try_from(vni).unwrap_or(0)));
                }
            }
        }
        self.settle()?;
        self.check_quiet()
    }

    /// Withdraws a route and announces it again while peers can't be written to: they must get no update about it.
    fn toggle_behind_a_frozen_peer(&mut self) -> Result<(), String> {
        // Only a route with one announcer: with two, the effect of one withdrawal may be merged with
        // earlier changes into a chunk, which then counts as sent.
        let Some((place, key)) = self.clients.iter().enumerate().find_map(|(place, client)| {
            let client = client.as_ref().filter(|client| !client.is_silent)?;
            let alone = client.mine.iter().find(|key| self.model.is_alone(client.id, **key))?;
            Some((place, *alone))
        }) else {
            return Ok(());
        };
        let (vni, dest, hop) = key;
        for client in self.clients.iter_mut().flatten() {
            let sees = client
                .subscriptions
                .get(&vni)
                .is_some_and(|subscription| subscription.view.contains(&(dest, hop)));
            let is_vague = client.is_vague(hop) && self.model.has_announced(client.id, key).0;
            let is_settled = !is_vague && !client.profile.one_next_hop;
            client.is_frozen = sees && is_settled && client.handshake.is_established();
            client.quiet_about = client.is_frozen.then_some(key);
        }
        // Something else must be on its way, so that what follows waits. A single KEEPALIVE of a peer that
        // is held would itself wait.
        for client in self.clients.iter_mut().flatten().filter(|client| client.is_frozen) {
            client.send(&self.plan, Sent::Keepalive);
            client.send(&self.plan, Sent::Keepalive);
        }
        self.settle()?;
        self.note(0, || format!("withdraws {key:?} behind frozen peers"));
        for action in [Action::Remove, Action::Add] {
            if let Some(client) = &mut self.clients[place] {
                client.send(&self.plan, Sent::Update(action, key));
            }
            self.settle()?;
        }
        for client in self.clients.iter_mut().flatten() {
            client.is_frozen = false;
        }
        self.settle()?;
        for client in self.clients.iter_mut().flatten() {
            client.quiet_about = None;
        }
        self.check_quiet()
    }

    /// Connects a client, which sends a HELLO and often more right behind it.
    fn greet(&mut self, place: usize) {
        let profile = Profile::draw(&mut self.rng, &self.plan);
        self.connect(place, profile);
        let is_mute = self.rng.chance(self.plan.rates.silent);
        let Some(client) = self.clients[place].as_mut().filter(|_| !is_mute) else { return };
        client.send(&self.plan, Sent::Hello);
        client.has_said_hello = true;
        client.next_keepalive = self.now + Duration::from_secs(1);
        client.send(&self.plan, Sent::Keepalive);
    }

    fn act(&mut self, place: usize) {
        if self.clients[place].is_none() {
            if self.handover.is_some() {
                return; // no connection is accepted meanwhile
            }
            self.greet(place);
            if self.rng.chance(700) {
                for _ in 0..self.rng.below(4) {
                    self.act(place);
                }
            }
            return;
        }
        if self.clients[place].as_ref().is_some_and(|client| !client.has_said_hello) {
            return; // mute: it never sends anything
        }
        let Rates { unsubscribe, resubscribe, burst, toggle, replace, .. } = self.plan.rates;
        let Rates { stuck, silent, reset, close, bad, .. } = self.plan.rates;
        let vni = u32::try_from(self.rng.below(self.plan.vnis.len())).unwrap_or(0);
        let key = self.any_route();
        let old = self.own_route(place).unwrap_or(key);
        let mut what = Vec::new();
        let mut is = self.rng.below(1000);
        let mut drawn = |rate: usize| {
            let hit = is < rate;
            is = is.wrapping_sub(rate);
            hit
        };
        if drawn(unsubscribe) {
            what.push(Sent::Unsubscribe(vni));
        } else if drawn(resubscribe) {
            what.extend([Sent::Unsubscribe(vni), Sent::Subscribe(vni)]);
        } else if drawn(burst) {
            what = self.burst(place);
        } else if drawn(toggle) {
            what.extend([Sent::Update(Action::Remove, old), Sent::Update(Action::Add, old)]);
        } else if drawn(replace) {
            let new = (old.0, old.1, key.2);
            what.extend([Sent::Update(Action::Remove, old), Sent::Update(Action::Add, new)]);
            if self.rng.chance(500) {
                what.reverse();
            }
        } else if drawn(stuck) {
            let until = self.now + Duration::from_millis(self.rng.between(1, 2000) as u64);
            if let Some(client) = &mut self.clients[place] {
                client.stuck_until = until;
            }
        } else if drawn(silent) {
            if let Some(client) = &mut self.clients[place] {
                client.is_silent = true;
            }
        } else if drawn(reset) {
            let error = std::io::ErrorKind::ConnectionReset;
            return self.hang_up(place, CloseReason::Connection(error));
        } else if drawn(close) {
            return self.hang_up(place, CloseReason::PeerClosed);
        } else if drawn(bad) {
            return self.misbehave(place);
        } else if self.rng.chance(250) {
            what.push(Sent::Subscribe(vni));
        } else if self.rng.chance(600) {
            what.push(Sent::Update(Action::Add, key));
        } else {
            what.push(Sent::Update(Action::Remove, old));
        }
        self.say(place, &what);
    }

    fn say(&mut self, place: usize, what: &[Sent]) {
        let Some(client) = &mut self.clients[place] else { return };
        for what in what {
            match what {
                Sent::Update(Action::Add, key) => client.mine.push(*key),
                Sent::Update(Action::Remove, key) => client.mine.retain(|mine| mine != key),
                _ => {}
            }
            client.send(&self.plan, *what);
        }
    }

    fn any_route(&mut self) -> Key {
        let Self { rng, plan, .. } = self;
        let mut below = |len: usize| u32::try_from(rng.below(len)).unwrap_or(0);
        (below(plan.vnis.len()), below(plan.destinations.len()), below(plan.hops.len()))
    }

    fn own_route(&mut self, place: usize) -> Option<Key> {
        let mine = &self.clients[place].as_ref()?.mine;
        if mine.is_empty() { None } else { Some(*self.rng.pick(mine)) }
    }

    /// Announces, or withdraws, many routes at once.
    fn burst(&mut self, place: usize) -> Vec<Sent> {
        let len = self.rng.between(1, self.plan.burst_max);
        let (vni, first, hop) = self.any_route();
        if self.rng.chance(300)
            && let Some(client) = &self.clients[place]
        {
            let mine = client.mine.iter().rev().take(len);
            return mine.map(|key| Sent::Update(Action::Remove, *key)).collect();
        }
        let dests = u32::try_from(self.plan.destinations.len()).unwrap_or(1);
        (first..first + u32::try_from(len).unwrap_or(1))
            .map(|dest| Sent::Update(Action::Add, (vni, dest % dests, hop)))
            .collect()
    }

    fn misbehave(&mut self, place: usize) {
        let Some(client) = &mut self.clients[place] else { return };
        let (bytes, what): (&[u8], _) = match self.rng.below(8) {
            0 => (&[1, 0, 4, 1, 8, 6, 16, 0], Sent::Bad), // a second HELLO, which differs
            1 => (&[2, 0, 0, 2], Sent::Bad),              // version 2
            2 => (&[1, 0xFF, 0, 5], Sent::Bad),           // too long
            3 => (&[1, 0, 0, 9], Sent::Bad),              // no such type
            4 => (&[1, 0, 1, 3, 0xFF], Sent::Bad),        // not protobuf
            5 => (&[1, 0, 2, 6, 8, 1], Sent::Skipped),    // END_OF_TABLE
            6 => (&[1, 0, 1, 5, 0xFF], Sent::Skipped),    // an UPDATE that is not protobuf
            _ => (&[1, 0, 6, 5, 8, 0, 16, 1, 26, 0], Sent::Skipped), // and one without destination
        };
        client.send_raw(bytes, what);
    }
}
