//! [`Shard`]: its parts, its loop turn, and the seam to the program around it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use bytes::Bytes;

use super::ShardConfig;
use super::config::{TICK, TOO_LATE};
use super::connections::{Connections, Flow, Slot, Traveller};
use super::growth::{Ceiling, Growth};
use super::inspect::{Inspection, Metrics, MonitorFilter, MonitoredBatch};
use super::layout::Layout;
use super::mesh::Mesh;
use super::message::{Delivery, Request};
use super::moves::{Answer, MoveOrder};
use super::output::{Output, Write};
use super::owners::Owners;
use super::tables::{Tables, Tenants};
use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::OutBuf;
use crate::policy::Policy;
use crate::session::{CloseReason, TcpInfo, TlsPeer};

/// When a shard wants its next turn if nothing else happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    pub(crate) next: Moment,
}

/// When the next tick is due, and how late the latest was.
#[derive(Debug)]
struct Clock {
    next_tick: Moment,
    late_ticks: u64,
    /// By how much the latest tick was too late, until that is told.
    late: Option<Duration>,
    /// Whether there was nothing that time could have changed.
    slept: bool,
}

/// For how long a shard with nothing to do sleeps, unless something comes.
const SLEEP: Duration = Duration::from_secs(3600);

/// See the folder's documentation.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(super) connections: Connections,
    pub(super) tables: Tables,
    pub(super) mesh: Mesh,
    settings: Arc<ShardConfig>,
    clock: Clock,
    is_draining: bool,
}

impl Shard {
    /// An empty shard. `seeds` make the hash of what comes from the network unpredictable.
    pub(crate) fn new(
        id: ShardId,
        layout: impl Into<Layout>,
        settings: ShardConfig,
        seeds: [u64; 4],
        now: Moment,
    ) -> Self {
        let [a, b, c, d] = seeds;
        let hasher = RandomState::with_seeds(a, b, c, d);
        let settings = Arc::new(settings);
        Self {
            mesh: Mesh::new(id, layout.into(), &settings.bounds, &hasher),
            tables: Tables::new(id, Arc::clone(&settings), hasher.clone(), now),
            connections: Connections::new(id, Arc::clone(&settings), hasher, now),
            settings,
            clock: Clock { next_tick: now + TICK, late_ticks: 0, late: None, slept: false },
            is_draining: false,
        }
    }

    /// Goes on by these. Sessions keep what was decided when they began: keepalive and pacing. A peer
    /// above a lowered limit stays until it adds one more.
    pub(crate) fn set_settings(&mut self, settings: ShardConfig) {
        self.settings = Arc::new(settings);
        self.connections.set_settings(Arc::clone(&self.settings));
        self.tables.set_settings(Arc::clone(&self.settings));
    }

    /// What peers may announce.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.settings.policy
    }

    /// From now on it may take in so much.
    pub(crate) fn set_ceiling(&mut self, ceiling: Ceiling) {
        self.tables.set_ceiling(ceiling);
    }

    /// What it holds of what limits of the whole reflector count, and has taken in.
    pub(crate) fn growth(&self) -> Growth {
        *self.tables.growth()
    }

    /// For how many seconds the reflector has had sessions; told before the HELLOs that are to say so.
    pub(crate) fn set_serving(&mut self, seconds: u32) {
        self.connections.set_serving(seconds);
    }

    /// Its connections, and what they send requests to.
    pub(super) fn split(&mut self) -> (&mut Connections, Owners<'_>) {
        (&mut self.connections, Owners { mesh: &mut self.mesh, tables: &mut self.tables })
    }

    /// Awaits the HELLO of a fresh connection, which comes from this address if from any.
    pub(crate) fn connect(&mut self, now: Moment, id: PeerId, from: Option<IpAddr>) -> Slot {
        self.connect_over(now, id, from, None)
    }

    /// The same, with what is known of a connection over TLS.
    pub(crate) fn connect_over(
        &mut self,
        now: Moment,
        id: PeerId,
        from: Option<IpAddr>,
        tls: Option<Arc<TlsPeer>>,
    ) -> Slot {
        self.connections.connect(now, id, from, tls)
    }

    /// Forgets a closed connection: the driver's tasks for it have ended.
    pub(crate) fn release(&mut self, slot: Slot) {
        self.connections.release(slot);
    }

    /// How many bytes of a peer's socket may be read now; 0 pauses it until [`Output::Resumed`].
    pub(crate) fn read_room(&mut self, slot: Slot) -> usize {
        let (connections, mut owners) = self.split();
        connections.read_room(slot, &mut owners)
    }

    /// Takes bytes that a peer sent, cut anywhere. All of them: the caller bounds how many it reads at a
    /// time by [`Shard::read_room`].
    pub(crate) fn received(&mut self, now: Moment, slot: Slot, bytes: &[u8]) -> Flow {
        let (connections, mut owners) = self.split();
        connections.received(now, slot, bytes, &mut owners)
    }

    /// Changes of routes that one source may make per second; 0 for any number.
    pub(crate) fn change_rate(&self) -> u32 {
        self.settings.change_rate_per_source
    }

    /// Changes of a peer that were accepted since this was asked last.
    pub(crate) fn take_uncharged(&mut self, slot: Slot) -> u32 {
        self.connections.take_uncharged(slot)
    }

    /// A peer is not read for a while because its source has changed too much: for how long at most, and whether it is
    /// the first time. `None` when it is to be read.
    pub(crate) fn throttle(&mut self, now: Moment, slot: Slot) -> Option<(Duration, bool)> {
        self.connections.throttle(now, slot)
    }

    /// A peer is read again.
    pub(crate) fn go_on_reading(&mut self, slot: Slot) {
        self.connections.go_on_reading(slot);
    }

    /// What had waited for the end of a peer's hold has been read.
    pub(crate) fn fetched(&mut self, slot: Slot) {
        self.connections.fetched(slot);
    }

    /// Requests of another shard.
    pub(crate) fn requests(&mut self, parcel: Vec<Request>) {
        parcel.into_iter().for_each(|request| self.tables.request(request));
    }

    /// Whether requests from other shards may be handed to [`Shard::requests`].
    pub(crate) fn takes_requests(&self) -> bool {
        !self.mesh.is_congested() && self.tables.takes_requests()
    }

    /// Deliveries of another shard.
    pub(crate) fn deliveries(&mut self, now: Moment, parcel: Vec<Delivery>) {
        let (connections, mut owners) = self.split();
        for delivery in parcel {
            connections.deliver(now, delivery, &mut owners);
        }
    }

    /// One loop turn: serves requests, withdraws what departed peers left, and seals what changed if it
    /// is time to.
    pub(crate) fn turn(&mut self, now: Moment) -> Turn {
        if std::mem::take(&mut self.clock.slept) {
            self.clock.next_tick = now + TICK;
        }
        self.connections.begin_turn();
        let left = self.tables.serve_waiting(now, &mut self.mesh);
        self.deliver_own(now);
        let most = self.settings.bounds.work_per_turn / 2;
        self.tables.expire_stale(now);
        self.tables.withdraw_departed(now, left.max(most / 2).min(most).max(1));
        self.tables.review(now, most.max(1));
        self.tables.tell_refusals(&mut self.mesh);
        self.tables.tell_lost_stale(&mut self.mesh);
        let (connections, mut owners) = self.split();
        connections.review(&mut owners);
        self.deliver_own(now);
        let seal_at = self.tables.seal_at(now);
        if seal_at.is_some_and(|then| then <= now) {
            self.tables.seal_dirty(now, &mut self.mesh);
            self.deliver_own(now);
        }
        self.tables.tidy(now, &mut self.mesh);
        self.deliver_own(now);
        if now >= self.clock.next_tick {
            self.tick(now);
        }
        let mut next = self.clock.next_tick;
        for then in [
            self.connections.see_to_holds(now),
            seal_at.filter(|_| self.tables.is_dirty()),
            self.tables.departed_until().filter(|_| !self.mesh.is_congested()),
            self.tables.review_until(),
            self.tables.stale_until(),
            self.connections.is_under_review().then_some(now),
        ] {
            next = then.map_or(next, |then| next.min(then));
        }
        if self.has_work() || self.tables.is_untidy() {
            next = now;
        } else if self.is_asleep() {
            self.connections.fall_asleep();
            self.clock.slept = true;
            next = now + SLEEP;
        }
        Turn { next }
    }

    /// Whether there is nothing to do, and nothing that time could change: no connection, and no VNI.
    pub(crate) fn is_asleep(&self) -> bool {
        self.connections.is_empty() && self.tables.is_empty() && !self.has_outgoing()
    }

    /// Carries what the tables have for connections of this shard to them.
    fn deliver_own(&mut self, now: Moment) {
        while let Some(delivery) = self.mesh.take_own() {
            let (connections, mut owners) = self.split();
            connections.deliver(now, delivery, &mut owners);
        }
    }

    fn tick(&mut self, now: Moment) {
        let late = now.since(self.clock.next_tick);
        if late > TOO_LATE {
            self.clock.late_ticks += 1;
            self.clock.late = Some(late);
        }
        let is_draining = self.is_draining;
        let (connections, mut owners) = self.split();
        connections.tick(now, late > TICK, is_draining, &mut owners);
        self.tables.trim_lingering();
        self.deliver_own(now);
        self.clock.next_tick = now + TICK;
    }

    /// By how much the clock tick of the latest turn came too late: for so long nobody was served.
    pub(crate) fn take_late(&mut self) -> Option<Duration> {
        self.clock.late.take()
    }

    /// How many outputs there are for [`Shard::poll`] to take, after a look at whose reading may go on.
    /// Taking them makes new ones: who has taken a write may have something to write again.
    pub(crate) fn outputs(&mut self) -> usize {
        let (connections, mut owners) = self.split();
        connections.resume(&mut owners);
        let notices = usize::from(owners.tables.has_answers()) + owners.tables.vni_notices();
        connections.outputs().len() + notices
    }

    /// The next output, in the order in which they came up.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        let answer = self.tables.answer().map(Output::Answer);
        answer
            .or_else(|| self.tables.take_vni_notice().map(Output::VniNotice))
            .or_else(|| self.connections.poll())
    }

    /// What to write to a peer next. The caller writes it, then calls [`Shard::written`]; until then
    /// there is nothing more. `look` asks the kernel about the connection.
    pub(crate) fn next_write(
        &mut self,
        now: Moment,
        slot: Slot,
        look: &mut dyn FnMut() -> Option<TcpInfo>,
    ) -> Write {
        self.connections.next_write(now, slot, look)
    }

    /// A write is done and `bytes` is given back.
    pub(crate) fn written(&mut self, now: Moment, slot: Slot, bytes: OutBuf) {
        self.tables.sent(now);
        let (connections, mut owners) = self.split();
        connections.written(now, slot, bytes, &mut owners);
    }

    /// Requests for another shard. Call only when its channel has room for one parcel.
    pub(crate) fn take_requests(&mut self, to: ShardId) -> Option<Vec<Request>> {
        self.mesh.take_requests(to)
    }

    /// Deliveries for another shard, in order. Call only when its channel has room for one parcel.
    pub(crate) fn take_deliveries(&mut self, to: ShardId) -> Option<Vec<Delivery>> {
        self.mesh.take_deliveries(to)
    }

    /// Ends a session: its routes are withdrawn and its subscriptions dropped everywhere. Harmless
    /// when it has ended already.
    pub(crate) fn close(&mut self, slot: Slot, reason: CloseReason) {
        let (connections, mut owners) = self.split();
        connections.close(slot, reason, &mut owners);
    }

    /// Ends a session because an operator wants it. `false` when there is none of that name.
    pub(crate) fn reset(&mut self, id: PeerId, reason: CloseReason) -> bool {
        let slot = self.connections.slot_of(id);
        if let Some(slot) = slot {
            self.close(slot, reason);
        }
        slot.is_some()
    }

    /// Ends a connection to make room for others, unless its HELLO has come.
    pub(crate) fn make_room(&mut self, id: PeerId) {
        let (connections, mut owners) = self.split();
        connections.make_room(id, &mut owners);
    }

    /// Whether requests wait that can be served.
    fn has_work(&self) -> bool {
        !self.tables.is_idle() && !self.mesh.is_congested()
    }

    /// Whether something came up, outside of [`Shard::turn`], that a turn should see to at once.
    pub(crate) fn wants_turn(&mut self) -> bool {
        self.outputs() > 0 || self.has_work()
    }

    /// Whether a turn has something to go on with now that a peer has taken a write.
    pub(crate) fn awaits_writes(&self) -> bool {
        self.tables.has_departed() || self.has_reviews() || self.has_work() || self.has_outgoing()
    }

    /// Whether routes or classes are judged anew, since the policy has changed.
    pub(crate) fn has_reviews(&self) -> bool {
        self.tables.has_reviews() || self.connections.is_under_review()
    }

    /// Whether something waits for another shard.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.mesh.has_outgoing()
    }

    /// The reflector is stopping: peers are no longer read, so none is called silent.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether everything that was received has been written out, as far as peers take it.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.tables.is_dirty()
            && self.tables.is_idle()
            && !self.has_outgoing()
            && !self.tables.has_departed()
            && self.connections.is_flushed()
    }

    /// Does its part in a move. What it says to that comes as [`Output::Answer`].
    pub(crate) fn order(&mut self, now: Moment, order: MoveOrder) {
        let (connections, mut owners) = self.split();
        match order {
            MoveOrder::Reassign { partitions, from, to, epoch } => {
                owners.reassign(partitions, (from, to), epoch);
            }
            MoveOrder::GiveUp { epoch } => owners.tables.give_up(epoch),
            MoveOrder::Restore { epoch } => owners.release(epoch, true),
            MoveOrder::Take { epoch, tables } => owners.tables.take(epoch, tables),
            MoveOrder::Release { epoch } => owners.release(epoch, false),
            MoveOrder::Freeze { number } => connections.freeze(number, &mut owners),
            MoveOrder::Thaw { number } => connections.thaw(now, number, &mut owners),
            MoveOrder::Seal { epoch } => owners.seal(epoch),
            MoveOrder::Part { number } => {
                let connections = self.connections.part();
                self.connections.answer(Answer::Parts { number, connections });
            }
            MoveOrder::Relocate { peer, to, number } => {
                if !connections.relocate(peer, to, number, &mut owners) {
                    connections.answer(Answer::Gone { number });
                }
            }
            MoveOrder::Stay { peer, number } => {
                let in_time = connections.stay(now, peer, number, &mut owners);
                connections.answer(Answer::Stays { number, in_time });
            }
        }
    }

    /// Whether a connection of which [`Output::Leaves`] said so is still to leave.
    pub(crate) fn leaves(&self, slot: Slot) -> bool {
        self.connections.leaves(slot)
    }

    /// Takes out a connection of which [`Output::Leaves`] said that it leaves. `rest` is what is left of
    /// the write in flight. `None` when it stays after all.
    pub(crate) fn leave(&mut self, now: Moment, slot: Slot, rest: Bytes) -> Option<Traveller> {
        self.connections.leave(now, slot, rest)
    }

    /// Owns tables that come from another process, before any connection asks for them.
    pub(crate) fn own(&mut self, tables: Tenants) {
        self.tables.put(tables);
    }

    /// Takes over a connection from another shard.
    pub(crate) fn arrive(&mut self, now: Moment, traveller: Traveller) -> Slot {
        let (connections, mut owners) = self.split();
        connections.arrive(now, traveller, &mut owners)
    }

    /// Looks that change nothing.
    pub(crate) fn inspect(&self) -> Inspection<'_> {
        Inspection::new(self.mesh.id(), &self.connections, &self.tables)
    }

    /// A copy of what there is and what was counted. `turns` and `busy` are the driver's to fill in.
    /// Cost: a look at the VNIs with changes to seal.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.connections.fill(&mut metrics);
        self.tables.fill(&mut metrics);
        metrics.stats.late_ticks = self.clock.late_ticks;
        metrics
    }

    /// Somebody begins to watch. Cost: a look at the VNIs with changes to seal.
    pub(crate) fn add_monitor(&mut self, filter: MonitorFilter) {
        self.tables.add_monitor(filter);
    }

    /// Somebody watches no more.
    pub(crate) fn remove_monitor(&mut self, filter: MonitorFilter) {
        self.tables.remove_monitor(filter);
    }

    /// What watched VNIs have sealed since the last call.
    pub(crate) fn take_monitored(&mut self) -> Vec<MonitoredBatch> {
        self.tables.take_monitored()
    }
}
