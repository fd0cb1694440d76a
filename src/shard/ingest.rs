//! From a socket's bytes to requests: where a publisher's connection lives.
//!
//! An update for a VNI of this very shard is applied on the spot, without a message in between.

use std::cmp::Reverse;

use super::flow::Flow;
use super::inbox::Side;
use super::mesh::Request;
use super::peer::{Peer, is_current};
use super::runs::{Run, Runs};
use super::state::{Closed, Shard, Slot, Subscriber};
use crate::ids::Moment;
use crate::session::{CloseReason, Event, Pacer, Skipped, Timing};
use crate::table::{Announcement, Origin};
use crate::wire::{
    Action, Capabilities, Extensions, Frame, HEADER_LEN, Hello, MAX_FRAME, Message, Update, Vni,
    split,
};

/// Updates in one request: memory of this size is had and given back cheaply on any core.
const RUN_MAX: usize = 256;
/// Requests among which an update looks for its own: those of VNIs that a publisher takes in turn.
const LATEST: usize = 16;

impl Shard {
    /// Takes bytes that a peer sent, cut anywhere. All of them: the caller bounds how many it reads
    /// at a time, which is the budget of a connection in one turn.
    pub(crate) fn received(&mut self, now: Moment, slot: Slot, bytes: &[u8]) -> Flow {
        self.stats.bytes_received += bytes.len() as u64;
        self.read = self.read.saturating_add(bytes.len());
        let updates = self.stats.updates_received;
        self.read_at = now;
        let Some(peer) = self.peers[slot as usize].as_mut().filter(|peer| !peer.is_closed) else {
            return Flow::Closed;
        };
        if bytes.len() > HEADER_LEN {
            Self::disturb(&mut self.holds, slot, peer);
        }
        peer.counts.heard = now;
        peer.counts.bytes_received += bytes.len() as u64;
        let partial = std::mem::take(&mut peer.partial);
        let mut runs = std::mem::take(&mut self.runs);
        let result = if partial.is_empty() {
            self.frames(now, slot, bytes, &mut runs)
        } else {
            self.frames_after(now, slot, partial, bytes, &mut runs)
        };
        // What an error leaves behind would only be withdrawn.
        let result = result.and_then(|()| self.apply_runs(slot, &mut runs));
        runs.clear();
        self.runs = runs;
        if let Some(peer) = &mut self.peers[slot as usize] {
            peer.counts.updates_received += self.stats.updates_received - updates;
        }
        match result {
            Err(reason) => {
                self.close(slot, reason);
                Flow::Closed
            }
            Ok(()) if self.is_backed_up() => {
                self.pause(slot);
                Flow::Pause
            }
            Ok(()) => Flow::Continue,
        }
    }

    /// Ends a session: its routes are withdrawn and its subscriptions dropped everywhere. Harmless
    /// when it has ended already.
    pub(crate) fn close(&mut self, slot: Slot, reason: CloseReason) {
        let Some(peer) = self.peers[slot as usize].as_mut().filter(|peer| !peer.is_closed) else {
            return;
        };
        peer.is_closed = true;
        (peer.hold, peer.is_held) = (None, false);
        let given_up = peer.outbox.give_up();
        self.counting.sent(peer, given_up);
        self.counting.closed(peer, &reason);
        if peer.session.is_established() {
            self.sessions.1 += 1;
        }
        let id = peer.id;
        let node = peer.session.peer().node.clone();
        let had_begun = peer.session.has_begun();
        let vnis = peer.vnis.take();
        peer.outbox = crate::outbox::Outbox::default();
        peer.partial = Vec::new();
        peer.behind = std::collections::VecDeque::new();
        self.by_id.remove(&id);
        self.lanes.iter_mut().for_each(|lanes| lanes.has_moot = true);
        let closed = if had_begun { &mut self.closed_by } else { &mut self.without_hello };
        *closed.entry(reason.name()).or_default() += 1;
        for (vni, entry) in vnis {
            if let Some((place, _)) = entry.subscription {
                self.remove_subscriber(vni, place);
            }
            self.request(vni, Request::Leave { peer: id, vni });
        }
        self.closed.push(Closed { slot, peer: id, reason, node, had_begun });
    }

    /// The rest of a message, then whole ones. The rest is joined byte-wise up to one message.
    fn frames_after(
        &mut self,
        now: Moment,
        slot: Slot,
        mut partial: Vec<u8>,
        bytes: &[u8],
        runs: &mut Runs,
    ) -> Result<(), CloseReason> {
        let had = partial.len();
        let take = bytes.len().min(MAX_FRAME - had.min(MAX_FRAME));
        partial.extend_from_slice(&bytes[..take]);
        match split(&partial)? {
            None => {
                // Fewer bytes than a message: keep them all.
                if let Some(peer) = &mut self.peers[slot as usize] {
                    peer.partial = partial;
                }
                Ok(())
            }
            Some(frame) => {
                let used = frame.len() - had;
                self.frame(now, slot, &frame, runs)?;
                self.frames(now, slot, &bytes[used..], runs)
            }
        }
    }

    fn frames(
        &mut self,
        now: Moment,
        slot: Slot,
        mut bytes: &[u8],
        runs: &mut Runs,
    ) -> Result<(), CloseReason> {
        loop {
            bytes = self.usual_updates(now, slot, bytes, runs)?;
            let Some(frame) = split(bytes)? else { break };
            bytes = &bytes[frame.len()..];
            self.frame(now, slot, &frame, runs)?;
        }
        if !bytes.is_empty()
            && let Some(peer) = &mut self.peers[slot as usize]
        {
            // Room for exactly this message, once its length is known.
            let len = match bytes {
                [_, high, low, ..] => HEADER_LEN + usize::from(u16::from_be_bytes([*high, *low])),
                _ => HEADER_LEN,
            };
            peer.partial = Vec::with_capacity(len);
            peer.partial.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn frame(
        &mut self,
        now: Moment,
        slot: Slot,
        frame: &Frame<'_>,
        runs: &mut Runs,
    ) -> Result<(), CloseReason> {
        let timing = Timing { keepalive: self.settings.keepalive };
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(()) };
        let mut event = peer.session.receive(now, timing, frame)?;
        if self.settings.skip_unusable_next_hops
            && let Event::Update(Update { action: Action::Add, next_hop, .. }) = &event
            && let Some(flaw) = next_hop.flaw()
        {
            event = Event::Skipped(Skipped::NextHop(flaw));
        }
        match event {
            Event::Update(update) => self.update(slot, &update, runs)?,
            Event::Hello => self.hello(now, slot),
            Event::Keepalive { established } => {
                peer.outbox.control(&Message::Keepalive);
                Self::mark_ready(&mut self.ready, slot, peer);
                if std::mem::take(&mut peer.is_held) {
                    self.holds.push((slot, false));
                }
                peer.hold = peer.quiet.keepalive(now, peer.session.interval());
                if let Some(hold) = peer.hold {
                    self.held.push(Reverse((hold.from, slot)));
                }
                if established {
                    peer.counts.established = Some(now);
                    self.stats.established += 1;
                    self.sessions.0 += 1;
                    self.established.push(slot);
                }
            }
            Event::Subscribe(vni) => {
                Self::disturb(&mut self.holds, slot, peer);
                self.apply_runs(slot, runs)?;
                runs.clear();
                self.subscribe(slot, vni)?;
            }
            Event::Unsubscribe(vni) => {
                Self::disturb(&mut self.holds, slot, peer);
                self.apply_runs(slot, runs)?;
                runs.clear();
                self.unsubscribe(slot, vni);
            }
            Event::Nothing => {}
            Event::Skipped(skipped) => {
                let reason = skipped.name();
                *self.counting.skipped.entry(reason).or_default() += 1;
                let count = peer.counts.skipped.entry(reason).or_default();
                *count += 1;
                if *count == 1 {
                    self.skipped.push((slot, skipped));
                }
            }
        }
        Ok(())
    }

    /// A peer has sent something else than a KEEPALIVE when it was due.
    fn disturb(holds: &mut Vec<(Slot, bool)>, slot: Slot, peer: &mut Peer) {
        peer.quiet.disturb();
        peer.hold = None;
        if std::mem::take(&mut peer.is_held) {
            holds.push((slot, false));
        }
    }

    fn hello(&mut self, now: Moment, slot: Slot) {
        self.stats.sessions += 1;
        self.begun.push(slot);
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        if self.settings.pacing && !peer.has(Capabilities::STREAM) {
            peer.pacer = Some(Box::new(Pacer::new(now, self.settings.pacing_limits())));
        }
        let capabilities = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
        let agent = concat!("metalbond/", env!("CARGO_PKG_VERSION"));
        let serving = self.serving;
        let extensions =
            peer.session.peer().extended.then(|| {
                Extensions::new(capabilities, agent, &self.settings.node).serving(serving)
            });
        let keepalive_interval = self.settings.keepalive;
        peer.outbox.control(&Message::Hello(Hello {
            keepalive_interval,
            is_server: true,
            extensions,
        }));
        Self::mark_ready(&mut self.ready, slot, peer);
    }

    fn subscribe(&mut self, slot: Slot, vni: Vni) -> Result<(), CloseReason> {
        let shard = self.id;
        let max = self.settings.limits.subscriptions_per_peer;
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(()) };
        let id = peer.next_subscription;
        let others = self.subscribers.get(&vni).map_or(0, |list| list.len());
        let place = u32::try_from(others).unwrap_or(u32::MAX);
        if !peer.subscribe(vni, (place, id), max)? {
            return Ok(());
        }
        self.subscribers.entry(vni).or_default().push(Subscriber { slot, id, in_sync: false });
        self.counting.now.subscriptions += 1;
        peer.next_subscription += 1;
        peer.behind.push_back((vni, id));
        let origin = peer.origin(shard);
        let received = self.read_at;
        self.request(vni, Request::Subscribe { origin, vni, received });
        self.pull(slot);
        Ok(())
    }

    fn unsubscribe(&mut self, slot: Slot, vni: Vni) {
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        let Some(place) = peer.unsubscribe(vni) else { return };
        self.counting.now.subscriptions -= 1;
        // What is listed as behind is passed over when its turn comes, or when too much of it piles up.
        if peer.behind.len() as u64 > 2 * peer.subscriptions + 64 {
            let vnis = &peer.vnis;
            peer.behind.retain(|(vni, id)| is_current(vnis, *vni, *id));
        }
        peer.outbox.forget(vni);
        let given_up = peer.outbox.take_taken();
        self.counting.sent(peer, given_up);
        let peer = peer.id;
        self.remove_subscriber(vni, place);
        self.request(vni, Request::Leave { peer, vni });
        self.pull(slot); // what was forgotten may have been all that kept others waiting
    }

    fn remove_subscriber(&mut self, vni: Vni, place: u32) {
        let Some(list) = self.subscribers.get_mut(&vni) else { return };
        list.swap_remove(place as usize);
        let moved = list.get(place as usize).map(|subscriber| subscriber.slot);
        if list.is_empty() {
            self.subscribers.remove(&vni);
        }
        if let Some(slot) = moved
            && let Some(peer) = &mut self.peers[slot as usize]
            && let Some(entry) = peer.vnis.get_mut(vni)
            && let Some((at, _)) = &mut entry.subscription
        {
            *at = place;
        }
    }

    pub(super) fn update(
        &mut self,
        slot: Slot,
        update: &Update,
        runs: &mut Runs,
    ) -> Result<(), CloseReason> {
        self.stats.updates_received += 1;
        let Update { action, vni, destination, next_hop } = *update;
        self.counting.removes_received += u64::from(action == Action::Remove);
        let announcement = Announcement { action, destination, next_hop };
        let run = runs.place(vni);
        if run.is_of(vni) {
            run.updates.push(announcement);
            return if run.is_full() { self.apply_run(slot, run) } else { Ok(()) };
        }
        // Before this update is on its way, not between: its VNI is of use.
        self.forget_unused(slot);
        let shard = self.id;
        let max = self.settings.limits.subscriptions_per_peer;
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(()) };
        let origin = peer.origin(shard);
        if !peer.touch(vni, action == Action::Add, max)? {
            self.stats.updates_ignored += 1; // it announces nothing there
            return Ok(());
        }
        let owner = self.owner(vni);
        if owner != shard {
            let lanes = &mut self.lanes[owner.index()];
            lanes.request_cost += 1;
            let request = join(lanes.requests.iter_mut().rev(), origin, update, self.read_at);
            lanes.requests.extend(request);
            return Ok(());
        }
        if !self.inbox.has_none_of(Side::Own) {
            // Something of this peer may wait there, an UNSUBSCRIBE say: stay behind it.
            return self.later(origin, update);
        }
        let owned = self.owned_for(vni);
        let Some(entry) = &mut self.owned[owned as usize] else { return Ok(()) };
        if !entry.vnet.finish_leaving(origin.peer, 0) {
            return self.later(origin, update);
        }
        entry.vnet.clock = self.read_at;
        let member = entry.vnet.member(origin);
        self.apply_run(slot, run)?; // of another VNI that has the same place
        run.begin(vni, owned, member);
        run.updates.push(announcement);
        Ok(())
    }

    /// Applies what waits of every VNI.
    fn apply_runs(&mut self, slot: Slot, runs: &mut Runs) -> Result<(), CloseReason> {
        runs.all().try_for_each(|run| self.apply_run(slot, run))
    }

    /// Applies what waits of one VNI.
    pub(super) fn apply_run(&mut self, slot: Slot, run: &mut Run) -> Result<(), CloseReason> {
        if run.updates.is_empty() {
            return Ok(());
        }
        let Some(vni) = run.vni() else { return Ok(()) };
        let (change, routes) = self.apply(run.owned, run.member, &run.updates);
        run.updates.clear();
        self.count_routes(slot, vni, change, routes)
    }

    /// Puts an update behind what waits for this shard's tables.
    fn later(&mut self, origin: Origin, update: &Update) -> Result<(), CloseReason> {
        let received = self.read_at;
        self.inbox.join_own(|latest| join(latest, origin, update, received));
        Ok(())
    }

    /// Keeps count of what a peer announces: in a VNI it is `routes` now.
    pub(super) fn count_routes(
        &mut self,
        slot: Slot,
        vni: Vni,
        change: i64,
        routes: u32,
    ) -> Result<(), CloseReason> {
        let limits = &self.settings.limits;
        let (max, max_vnis) = (limits.routes_per_peer, limits.subscriptions_per_peer);
        let Some(peer) = &mut self.peers[slot as usize] else { return Ok(()) };
        peer.routes += change;
        peer.counted(vni, routes);
        if change > 0 && peer.routes > i64::try_from(max).unwrap_or(i64::MAX) {
            return Err(CloseReason::MaxRoutes(max));
        }
        // What was on its way when the limit was reached: the owner counts.
        if change > 0 && peer.used_vnis() > max_vnis {
            return Err(CloseReason::MaxSubscriptions(max_vnis));
        }
        self.forget_unused(slot);
        Ok(())
    }

    /// Asks whether a peer may be forgotten where it has left VNIs. A few are kept: most who withdraw
    /// their last route announce another soon.
    pub(super) fn forget_unused(&mut self, slot: Slot) {
        let (kept, shard) = (self.settings.bounds.unused_vnis, self.id);
        while let Some(peer) = &mut self.peers[slot as usize]
            && let Some((vni, version)) = peer.next_unused(kept)
        {
            let origin = peer.origin(shard);
            self.request(vni, Request::Forget { origin, vni, version });
        }
    }
}

/// Adds an update to a request of its peer and VNI that is among the latest; else a request of its own.
/// What changes who takes part is not overtaken.
fn join<'a>(
    latest: impl Iterator<Item = &'a mut Request>,
    origin: Origin,
    update: &Update,
    received: Moment,
) -> Option<Request> {
    let Update { action, vni, destination, next_hop } = *update;
    let announcement = Announcement { action, destination, next_hop };
    for request in latest.take(LATEST) {
        let Request::Updates { origin: its_origin, vni: its_vni, updates, .. } = request else {
            break;
        };
        if *its_origin == origin && *its_vni == vni {
            if updates.len() >= RUN_MAX {
                break;
            }
            updates.push(announcement);
            return None;
        }
    }
    Some(Request::Updates { origin, vni, updates: vec![announcement], received })
}
