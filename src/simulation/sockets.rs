//! What a driver does with sockets: bytes in, bytes out, cut anywhere.

use super::plan::Sent;
use super::world::{LATE_READ, World};
use crate::session::TcpInfo;
use crate::shard::{Flow, Slot, Write};
use crate::wire::Action;
use crate::wire::MAX_FRAME;

impl World {
    /// A shard takes in bytes that a client has sent.
    pub(super) fn receive(&mut self, place: usize) -> Result<(), String> {
        let Self { clients, rng, cluster, now, is_calm, .. } = self;
        let Some(client) = &mut clients[place] else { return Ok(()) };
        if client.is_paused
            || client.is_travelling
            || !client.has_news()
            || client.expected_end.is_some()
        {
            return Ok(());
        }
        let room = cluster.shards[client.shard].read_room(client.slot);
        if room == 0 {
            client.is_paused = true;
            // A read was under way when the connection was told to leave.
            if cluster.shards[client.shard].is_leaving(client.slot) && rng.chance(300) {
                let bytes = client.take_outgoing(rng.between(1, client.outgoing.len().min(4096)));
                client.has_kept = true;
                cluster.shards[client.shard].received(*now, client.slot, &bytes);
            }
            return Ok(());
        }
        let all = client.outgoing.len().min(room);
        let len = match rng.below(4) {
            _ if *is_calm || now.since(client.heard) > LATE_READ => all,
            0 => rng.between(1, all.min(8)),
            1 => rng.between(1, all),
            _ => all.min(4096),
        };
        let (id, shard, slot) = (client.id, client.shard, client.slot);
        let bytes = client.take_outgoing(len);
        let flow = cluster.shards[shard].received(*now, slot, &bytes);
        self.note(len as u64, || format!("{id}: {len} bytes received, {flow:?}"));
        self.processed(place);
        let Some(client) = &mut self.clients[place] else { return Ok(()) };
        match flow {
            Flow::Continue => {}
            Flow::Pause => client.is_paused = true,
            Flow::Closed => {
                client.is_next_bad();
                self.forget(id);
            }
        }
        let is_bad = self.clients[place].as_ref().is_some_and(|client| client.sent_bad);
        if is_bad && flow != Flow::Closed {
            return Err(format!("{id}: bad bytes were accepted"));
        }
        Ok(())
    }

    /// Takes in the bytes that were read while connections of a shard were about to leave, wherever these go on.
    pub(super) fn take_in_kept(&mut self, shard: usize) {
        for place in 0..self.clients.len() {
            let Some(client) = &mut self.clients[place] else { continue };
            let is_here = client.shard == shard && !client.is_travelling;
            if !is_here || self.cluster.shards[shard].is_leaving(client.slot) {
                continue;
            }
            if std::mem::take(&mut client.has_kept) {
                self.processed(place);
                if let Some(client) = &mut self.clients[place]
                    && self.cluster.shards[shard].has_ended(client.slot)
                {
                    client.is_next_bad();
                    let id = client.id;
                    self.forget(id);
                }
            }
        }
    }

    /// Tells the model which messages a shard has just taken in.
    fn processed(&mut self, place: usize) {
        let now = self.now;
        while let Some(client) = &mut self.clients[place]
            && let Some(what) = client.next_processed()
        {
            let (id, is_server) = (client.id, client.profile.is_server);
            let from = client.profile.from;
            if self.plan.is_verbose {
                println!("{:>10} {id}: {}", now.0, self.plan.show_sent(what));
            }
            if !client.sent_bad && !matches!(what, Sent::Bad) {
                client.hear(now);
            }
            match what {
                _ if client.sent_bad => {}
                Sent::Hello | Sent::Skipped => {}
                Sent::Keepalive => client.unanswered += 1,
                Sent::Bad => client.sent_bad = true,
                Sent::Subscribe(vni) => {
                    let mut due = self.model.settled_view(client.dump_reader(), vni);
                    due.retain(|(_, hop)| {
                        !(client.profile.one_next_hop && self.plan.is_standard(*hop))
                    });
                    client.subscribed(vni, due);
                }
                Sent::Unsubscribe(vni) => {
                    if client.unsubscribed(vni) {
                        self.choices.left(vni);
                        for key in self.model.leave(id, Some(vni)) {
                            self.no_longer_due(key);
                        }
                    }
                }
                Sent::Update(Action::Add, key) => {
                    let is_allowed = self.is_allowed(from, key);
                    self.model.announce(id, is_server, is_allowed, key);
                }
                Sent::Update(Action::Remove, key) => {
                    self.model.withdraw(id, key);
                    self.no_longer_due(key);
                }
            }
        }
    }

    /// Asks a shard for the next write to one of its peers.
    pub(super) fn write(&mut self, shard: usize, slot: Slot) -> Result<(), String> {
        let now = self.now;
        let Some(&place) = self.slots[shard].get(&slot) else { return Ok(()) };
        let Some(client) = &mut self.clients[place] else { return Ok(()) };
        let id = client.id;
        let is_mixed = self.cluster.shards[shard].is_mixed(slot);
        let unacked = client.in_flight.as_ref().map_or(0, |(bytes, done)| bytes.len() - done);
        let window = u32::try_from(client.profile.capacity - client.pipe.len()).unwrap_or(0);
        let acked = client.handed - unacked as u64;
        let tcp_info = client.profile.mss.map(|mss| TcpInfo {
            mss,
            window: Some(window),
            scale: Some(1),
            round_trip: None,
            unacked: unacked as u64,
            acked,
        });
        let was_writing = client.in_flight.is_some();
        match self.cluster.shards[shard].next_write(now, slot, &mut || tcp_info) {
            Write::Nothing => client.wake = None,
            Write::WaitUntil(then) if then > now => client.wake = Some(then),
            Write::WaitUntil(then) => return Err(format!("{id} waits until {then:?}, not later")),
            Write::Bytes { .. } if was_writing => return Err(format!("{id}: two writes at once")),
            Write::Bytes { bytes, record } => {
                client.wake = None;
                client.handed += bytes.len() as u64;
                client.last_write = now;
                self.check_write(place, &bytes.to_vec(), record, is_mixed)
                    .map_err(|error| format!("{id}: {error}"))?;
                let len = bytes.len();
                self.note(len as u64, || format!("{id}: writes {len} bytes"));
                if let Some(client) = &mut self.clients[place] {
                    client.in_flight = Some((bytes, 0));
                }
            }
        }
        Ok(())
    }

    /// Moves bytes of one connection towards its client, and lets the client read.
    pub(super) fn network(&mut self, place: usize) -> Result<(), String> {
        let Self { clients, rng, cluster, now, is_calm, plan, model, .. } = self;
        let Some(client) = &mut clients[place] else { return Ok(()) };
        if client.is_frozen {
            return Ok(());
        }
        let id = client.id;
        let room = client.profile.capacity - client.pipe.len();
        if let Some((bytes, done)) = &mut client.in_flight {
            let most = room.min(bytes.len() - *done);
            let len = if *is_calm || rng.chance(500) { most } else { rng.below(most + 1) };
            client.pipe.extend(bytes.slices(*done).flatten().take(len));
            *done += len;
            if *done == bytes.len() {
                let (bytes, _) = client.in_flight.take().ok_or("no write")?;
                client.last_write = *now;
                cluster.shards[client.shard].written(*now, client.slot, bytes);
            }
        }
        if *is_calm || client.stuck_until <= *now {
            let most = client.pipe.len().min(client.profile.read_max);
            let len = if *is_calm {
                client.pipe.len()
            } else if rng.chance(500) {
                most
            } else {
                rng.below(most + 1)
            };
            client.read(plan, model, len).map_err(|error| format!("{id}: {error}"))?;
            let much = client.profile.capacity.min(4 * MAX_FRAME) as u64;
            if client.read - client.took.1 >= much {
                client.took = (*now, client.read);
            }
            self.note(len as u64, || format!("{id} has read {len} bytes"));
        }
        Ok(())
    }
}
