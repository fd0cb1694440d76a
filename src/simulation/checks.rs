//! What must hold of writes, of ends of sessions, after turns and when all is quiet.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::Client;
use super::world::World;
use crate::session::CloseReason;
use crate::shard::ShardConfig;
use crate::shard::inspect::Occupancy;
use crate::wire::{Action, Capabilities, MAX_FRAME, Message, Vni, split};

/// By how much the clock that ends sessions may be off: the tick, and the longest leap of time.
const LATE: Duration = Duration::from_millis(1100);

impl World {
    /// Checks a write: whole messages, KEEPALIVE answers first, withdrawals before announcements.
    pub(super) fn check_write(
        &mut self,
        place: usize,
        bytes: &[u8],
        record: bool,
        is_mixed: bool,
    ) -> Result<(), String> {
        let Some(client) = &mut self.clients[place] else { return Err("nobody".into()) };
        if client.rest > 0 {
            // It was checked when the shard that had begun the write handed it out.
            let rest = std::mem::take(&mut client.rest);
            let is_whole = rest == bytes.len() as u64;
            return if is_whole { Ok(()) } else { Err(format!("{rest} bytes should come first")) };
        }
        let is_paced = self.plan.settings.pacing && !client.profile.has(Capabilities::STREAM);
        if record != (is_paced && client.has_said_hello) {
            return Err(format!("record {record} for {:?}", client.profile));
        }
        if is_paced && client.profile.mss.is_some() && client.handed - client.read >= 65_535 {
            return Err(format!("{} bytes unread", client.handed - client.read));
        }
        let mut rest = bytes;
        let (mut answers, mut is_bulk, mut updates) = (0, false, 0);
        let mut added: BTreeMap<(Vni, String), ()> = BTreeMap::new();
        while let Some(frame) = split(rest).map_err(|error| error.to_string())? {
            rest = &rest[frame.len()..];
            match Message::decode(&frame).map_err(|error| error.to_string())? {
                Message::Keepalive if is_bulk => return Err("KEEPALIVE behind updates".into()),
                Message::Keepalive => answers += 1,
                Message::Hello(_) if is_bulk => return Err("HELLO behind updates".into()),
                Message::Update(update) => {
                    is_bulk = true;
                    updates += 1;
                    let key = (update.vni, update.destination.to_string());
                    match update.action {
                        _ if is_mixed => {}
                        Action::Add => {
                            added.insert(key, ());
                        }
                        Action::Remove if added.contains_key(&key) => {
                            return Err(format!("{update:?} behind an ADD there"));
                        }
                        Action::Remove => {}
                    }
                }
                _ => is_bulk = is_bulk || answers > 0,
            }
        }
        if !rest.is_empty() {
            return Err(format!("a write ends with {} bytes of a message", rest.len()));
        }
        if bytes.is_empty() {
            return Err("an empty write".into());
        }
        if is_paced && bytes.len() > MAX_FRAME.max(client.profile.mss.unwrap_or(1400) as usize) {
            return Err(format!("{} bytes in one record, {updates} updates", bytes.len()));
        }
        if answers < client.unanswered.min(30) || answers > client.unanswered {
            return Err(format!("{answers} answers to {} KEEPALIVEs", client.unanswered));
        }
        client.unanswered = 0;
        Ok(())
    }

    /// Checks that a session's end has a cause in the simulation.
    pub(super) fn check_end(&self, client: &Client, reason: &CloseReason) -> Result<(), String> {
        let silent = self.now.since(client.heard);
        let ShardConfig { limits, send_hold, .. } = &self.plan.settings;
        let is_fair = match reason {
            _ if client.expected_end.as_ref() == Some(reason) => true,
            _ if client.sent_bad => true,
            CloseReason::HelloTimeout => {
                !client.has_said_hello && silent >= Duration::from_secs(10)
            }
            CloseReason::HoldTime(hold) => {
                client.is_silent && *hold == self.hold(client) && silent >= *hold
            }
            // The time counts from the last tick at which nothing waited for the peer.
            CloseReason::SendHold(_) => {
                let took = client.last_write.min(client.took.0);
                self.now.since(took) + LATE > *send_hold
            }
            CloseReason::MaxRoutes(max) => *max == limits.routes_per_peer && *max < 1000,
            CloseReason::TooFarBehind => self.plan.gives_up(),
            CloseReason::Policy(_) => self.has_closed,
            _ => false,
        };
        if is_fair { Ok(()) } else { Err(format!("closed for no good reason: {reason}")) }
    }

    fn hold(&self, client: &Client) -> Duration {
        let interval = client.profile.interval.min(self.plan.settings.keepalive);
        Duration::from_millis(2500) * interval
    }

    /// After a turn of a shard: its counts match what it holds, no answer is held back, and silent peers are
    /// gone.
    pub(super) fn check_turn(&self, shard: usize) -> Result<(), String> {
        let counted = self.cluster.shards[shard].metrics().now;
        let held = self.cluster.shards[shard].held(counted);
        if counted != held {
            return Err(format!("shard {shard} counts {counted:?} but holds {held:?}"));
        }
        for client in self
            .clients
            .iter()
            .flatten()
            .filter(|client| client.shard == shard && !client.is_travelling)
        {
            let id = client.id;
            if client.sent_bad || client.expected_end.is_some() {
                continue;
            }
            if client.unanswered > 0 && client.in_flight.is_none() {
                return Err(format!("{id}: a KEEPALIVE waits for its answer"));
            }
            let hold = self.hold(client).max(Duration::from_secs(10));
            if !client.is_paused && self.now.since(client.unread_until) > hold + LATE {
                return Err(format!("{id} is silent for {:?}", self.now.since(client.heard)));
            }
        }
        Ok(())
    }

    /// When all is quiet: every view is exactly the model's.
    pub(super) fn check_quiet(&mut self) -> Result<(), String> {
        for client in self.clients.iter().flatten() {
            let id = client.id;
            if client.unanswered > 0 {
                return Err(format!("{id}: {} KEEPALIVEs unanswered", client.unanswered));
            }
            let (counted, paced) = self.cluster.shards[client.shard].bytes_sent(client.slot);
            let handed = client.handed;
            if counted != handed || paced.is_some_and(|paced| paced > handed) {
                return Err(format!("{id} was sent {handed} bytes, counted {counted}, {paced:?}"));
            }
            if let Some(key) = self.model.fatal_route_of(id) {
                let route = self.plan.show(key);
                return Err(format!("{id} is not closed for {route}, which the policy refuses"));
            }
            let counted = self.cluster.shards[client.shard].routes_of(client.slot);
            let announced = self.model.routes_of(id);
            if counted != i64::try_from(announced).unwrap_or(i64::MAX) {
                return Err(format!("{id} announces {announced} routes, counted {counted}"));
            }
            let max = self.plan.settings.limits.routes_per_peer;
            if announced as u64 > max {
                return Err(format!("{id} announces more than {max} routes"));
            }
            for (vni, subscription) in &client.subscriptions {
                let mut owed = self.model.view(client.reader(), *vni);
                let mut view = subscription.view.clone();
                if client.profile.one_next_hop {
                    owed.retain(|(_, hop)| !self.is_standard(*hop));
                    view.retain(|(_, hop)| !self.is_standard(*hop));
                }
                if let Some((dest, hop)) = owed.difference(&view).next() {
                    let route = self.plan.show((*vni, *dest, *hop));
                    let peer = self.cluster.shards[client.shard].describe(client.slot);
                    return Err(format!("{id} lacks {route}; {peer}"));
                }
                let mut kept = view.difference(&owed).filter(|(dest, hop)| {
                    let announces = self.model.has_announced(id, (*vni, *dest, *hop)).1;
                    !(announces && client.is_vague(*hop))
                });
                if let Some((dest, hop)) = kept.next() {
                    return Err(format!("{id} keeps {}", self.plan.show((*vni, *dest, *hop))));
                }
                if subscription.ended_dump != client.profile.has(Capabilities::END_OF_TABLE) {
                    let vni = self.plan.vnis[*vni as usize];
                    return Err(format!("{id}: END_OF_TABLE of {vni:?} missing"));
                }
            }
        }
        self.check_choices()?;
        self.check_sleep()?;
        self.check_looks()
    }

    /// Checks that a shard sleeps if it has no connection and all its VNIs are elsewhere.
    fn check_sleep(&self) -> Result<(), String> {
        for (number, shard) in self.cluster.shards.iter().enumerate() {
            let is_empty = self.slots[number].is_empty() && shard.owns_nothing();
            if is_empty && !shard.is_asleep() {
                return Err(format!("shard {number} has nothing to do and doesn't sleep"));
            }
        }
        Ok(())
    }

    /// When all peers have gone: nothing is left.
    pub(super) fn check_empty(&self) -> Result<(), String> {
        for (number, shard) in self.cluster.shards.iter().enumerate() {
            let left = shard.leftovers();
            if !left.is_empty() {
                return Err(format!("shard {number} keeps {left}"));
            }
            let counted = shard.metrics().now;
            if counted != Occupancy::default() {
                return Err(format!("shard {number} holds nothing and counts {counted:?}"));
            }
        }
        Ok(())
    }
}
