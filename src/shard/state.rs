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
    /// By how much the latest tick was too late, until the driver has taken it.
    late: Option<Duration>,
    /// Whether the shard slept: time could have changed nothing.
    slept: bool,
}

/// For how long a shard with nothing to do sleeps, unless a message or a connection comes.
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
    /// An empty shard. `seeds` make the hash of values from the network unpredictable.
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

    /// Uses these settings from now on. Sessions keep what was decided when they began: keepalive and pacing. A peer
    /// above a lowered limit stays until it adds one more.
    pub(crate) fn set_settings(&mut self, settings: ShardConfig) {
        self.settings = Arc::new(settings);
        self.connections.set_settings(Arc::clone(&self.settings));
        self.tables.set_settings(Arc::clone(&self.settings));
    }

    /// The policy for peers.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.settings.policy
    }

    /// Sets how much the shard may take in from now on.
    pub(crate) fn set_ceiling(&mut self, ceiling: Ceiling) {
        self.tables.set_ceiling(ceiling);
    }

    /// The amounts that it holds and has taken in, as the limits of the whole reflector count them.
    pub(crate) fn growth(&self) -> Growth {
        *self.tables.growth()
    }

    /// Sets the seconds for which the reflector has had sessions. Call it before the HELLOs that are to say so.
    pub(crate) fn set_serving(&mut self, seconds: u32) {
        self.connections.set_serving(seconds);
    }

    /// Its connections, and the owners to which they send requests.
    pub(super) fn split(&mut self) -> (&mut Connections, Owners<'_>) {
        (&mut self.connections, Owners { mesh: &mut self.mesh, tables: &mut self.tables })
    }

    /// Awaits the HELLO of a fresh connection; `from` is the address of its peer, if it has one.
    pub(crate) fn connect(&mut self, now: Moment, id: PeerId, from: Option<IpAddr>) -> Slot {
        self.connect_over(now, id, from, None)
    }

    /// The same, with the facts of a TLS connection.
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

    /// Takes bytes that a peer sent, cut anywhere. It takes all of them: the caller bounds how many it reads at a
    /// time by [`Shard::read_room`].
    pub(crate) fn received(&mut self, now: Moment, slot: Slot, bytes: &[u8]) -> Flow {
        let (connections, mut owners) = self.split();
        connections.received(now, slot, bytes, &mut owners)
    }

    /// The number of route changes per second that one source may make; 0 means no limit.
    pub(crate) fn change_rate(&self) -> u32 {
        self.settings.change_rate_per_source
    }

    /// Takes the number of a peer's accepted changes since the last call.
    pub(crate) fn take_uncharged(&mut self, slot: Slot) -> u32 {
        self.connections.take_uncharged(slot)
    }

    /// Does not read a peer for a while, because its source has changed too much. Returns for how long at most, and
    /// whether this is the first time; `None` when the peer is to be read.
    pub(crate) fn throttle(&mut self, now: Moment, slot: Slot) -> Option<(Duration, bool)> {
        self.connections.throttle(now, slot)
    }

    /// Lets a peer be read again.
    pub(crate) fn go_on_reading(&mut self, slot: Slot) {
        self.connections.go_on_reading(slot);
    }

    /// The driver has read the bytes that waited for the end of a peer's hold.
    pub(crate) fn fetched(&mut self, slot: Slot) {
        self.connections.fetched(slot);
    }

    /// Takes requests from another shard.
    pub(crate) fn requests(&mut self, parcel: Vec<Request>) {
        parcel.into_iter().for_each(|request| self.tables.request(request));
    }

    /// Whether requests from other shards may be handed to [`Shard::requests`].
    pub(crate) fn takes_requests(&self) -> bool {
        !self.mesh.is_congested() && self.tables.takes_requests()
    }

    /// Takes deliveries from another shard.
    pub(crate) fn deliveries(&mut self, now: Moment, parcel: Vec<Delivery>) {
        let (connections, mut owners) = self.split();
        for delivery in parcel {
            connections.deliver(now, delivery, &mut owners);
        }
    }

    /// One loop turn: serves requests, withdraws routes of departed peers, and seals changes if it
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

    /// Whether there is nothing to do, and time can change nothing: no connection, and no VNI.
    pub(crate) fn is_asleep(&self) -> bool {
        self.connections.is_empty() && self.tables.is_empty() && !self.has_outgoing()
    }

    /// Hands the deliveries of this shard's tables to its own connections.
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

    /// Takes the time by which the clock tick of the latest turn was late: for that long no peer was served.
    pub(crate) fn take_late(&mut self) -> Option<Duration> {
        self.clock.late.take()
    }

    /// The number of outputs for [`Shard::poll`] to take, after a look at which peers may be read again.
    /// Taking them makes new outputs: a peer that has taken a write may have something to write again.
    pub(crate) fn outputs(&mut self) -> usize {
        let (connections, mut owners) = self.split();
        connections.resume(&mut owners);
        let notices = usize::from(owners.tables.has_answers()) + owners.tables.vni_notices();
        connections.outputs().len() + notices
    }

    /// The next output, in the order in which the outputs came up.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        let answer = self.tables.answer().map(Output::Answer);
        answer
            .or_else(|| self.tables.take_vni_notice().map(Output::VniNotice))
            .or_else(|| self.connections.poll())
    }

    /// The next bytes to write to a peer. The caller writes them, then calls [`Shard::written`]; until then
    /// there is nothing more. `look` asks the kernel about the connection.
    pub(crate) fn next_write(
        &mut self,
        now: Moment,
        slot: Slot,
        look: &mut dyn FnMut() -> Option<TcpInfo>,
    ) -> Write {
        self.connections.next_write(now, slot, look)
    }

    /// Takes back the `bytes` of a write that is done.
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

    /// Ends a session because an operator wants it. `false` when there is no session of that name.
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

    /// Whether there is work, from outside of [`Shard::turn`], that a turn should do at once.
    pub(crate) fn wants_turn(&mut self) -> bool {
        self.outputs() > 0 || self.has_work()
    }

    /// Whether a turn can go on with withdrawals or reviews now that a peer has taken a write.
    pub(crate) fn awaits_writes(&self) -> bool {
        self.tables.has_departed() || self.has_reviews() || self.has_work() || self.has_outgoing()
    }

    /// Whether routes or classes are being judged again, since the policy has changed.
    pub(crate) fn has_reviews(&self) -> bool {
        self.tables.has_reviews() || self.connections.is_under_review()
    }

    /// Whether a message waits for another shard.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.mesh.has_outgoing()
    }

    /// The reflector is stopping: peers are no longer read, so no peer counts as silent.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether everything that was received has been written to peers, as far as these take it.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.tables.is_dirty()
            && self.tables.is_idle()
            && !self.has_outgoing()
            && !self.tables.has_departed()
            && self.connections.is_flushed()
    }

    /// Carries out an order of a move. Its answer comes as [`Output::Answer`].
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
                let (connections, holds) = (self.connections.part(), self.mesh.late_holds());
                self.connections.answer(Answer::Parts { number, connections, holds });
            }
            MoveOrder::Relocate { peer, to, number } => {
                if !connections.relocate(peer, to, number, &mut owners) {
                    connections.answer(Answer::Gone { number, holds: Vec::new() });
                }
            }
            MoveOrder::Stay { peer, number } => {
                let in_time = connections.stay(now, peer, number, &mut owners);
                connections.answer(Answer::Stays { number, in_time });
            }
        }
    }

    /// Whether a connection that [`Output::Leaves`] named is still to leave.
    pub(crate) fn leaves(&self, slot: Slot) -> bool {
        self.connections.leaves(slot)
    }

    /// Takes out a connection that [`Output::Leaves`] named. `rest` is the unwritten rest of
    /// the write in flight. `None` when the connection stays after all.
    pub(crate) fn leave(&mut self, now: Moment, slot: Slot, rest: Bytes) -> Option<Traveller> {
        self.connections.leave(now, slot, rest)
    }

    /// Takes over tables from another process, before any connection asks for them.
    pub(crate) fn own(&mut self, tables: Tenants) {
        self.tables.put(tables);
    }

    /// Takes over a connection from another shard.
    pub(crate) fn arrive(&mut self, now: Moment, traveller: Traveller) -> Slot {
        let (connections, mut owners) = self.split();
        connections.arrive(now, traveller, &mut owners)
    }

    /// Answers questions, which change nothing.
    pub(crate) fn inspect(&self) -> Inspection<'_> {
        Inspection::new(self.mesh.id(), &self.connections, &self.tables)
    }

    /// A copy of the present numbers and counts. The driver fills in `turns` and `busy`.
    /// Cost: a look at the VNIs with changes to seal.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.connections.fill(&mut metrics);
        self.tables.fill(&mut metrics);
        metrics.stats.late_ticks = self.clock.late_ticks;
        metrics
    }

    /// A monitor begins to watch. Cost: a look at the VNIs with changes to seal.
    pub(crate) fn add_monitor(&mut self, filter: MonitorFilter) {
        self.tables.add_monitor(filter);
    }

    /// A monitor stops watching.
    pub(crate) fn remove_monitor(&mut self, filter: MonitorFilter) {
        self.tables.remove_monitor(filter);
    }

    /// The batches that watched VNIs have sealed since the last call.
    pub(crate) fn take_monitored(&mut self) -> Vec<MonitoredBatch> {
        self.tables.take_monitored()
    }
}
