//! One shard's thread: turns the loop that `shard` describes.
//!
//! A turn runs after every task that was ready before it: the first task with news wakes the turn, which then queues
//! behind the others. So the updates that arrived on many sockets at once are sealed together. The thread sleeps until
//! news, a parcel of another shard, a new connection, or the moment that the shard has asked for.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::checks::{check_paths, check_stalled};
use super::connection::{self, Connection};
use super::follow::Followed;
use super::guest::Guests;
use super::mesh::{Inlet, Port};
use super::moves::Shortage;
use super::orders::{Done, obey};
use super::wake_flag::WakeFlag;
use crate::access::AccessList;
use crate::diary::{ClosedSession, Diary, Reporter};
use crate::ids::{Moment, ShardId};
use crate::io::{Alarm, Backend, LocalRuntime, thread_time};
use crate::monitor::MonitorSenders;
use crate::session::CloseReason;
use crate::shard::inspect::Histogram;
use crate::shard::moves::Answer;
use crate::shard::{Closed, Layout, Output, READ_MAX, Shard, ShardConfig, Slot, Turn};
use crate::threads::{Answers, Gauge, Mover, Service, ShardOrder};

/// Rounds of writing in one turn: a peer gets at most so many writes before news of other peers is heard.
const ROUNDS: usize = 8;
/// When to try again to send to a shard whose channel is full.
const CHANNEL_RETRY: Duration = Duration::from_millis(1);
/// Waits up to this long are kept to the microsecond, by a timer of the kernel's.
const PRECISE: Duration = Duration::from_millis(2);

/// Everything that a shard's thread starts from. It is `Send`; the [`Core`] made of it is not.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) id: ShardId,
    pub(super) layout: Layout,
    pub(super) settings: ShardConfig,
    /// The sources that may connect.
    pub(super) list: Arc<AccessList>,
    pub(super) service: Arc<Service>,
    pub(super) hash_seeds: [u64; 4],
    pub(super) backend: Backend,
    pub(super) began: Instant,
    pub(super) port: Port,
    pub(super) orders: Inlet<ShardOrder>,
    pub(super) gauge: Arc<Gauge>,
    /// The channel to the coordinator of moves.
    pub(super) answers: Answers,
    pub(super) diary: Arc<Diary>,
}

/// The state that the tasks of one shard share. Never leaves its thread.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) id: ShardId,
    pub(super) shard: RefCell<Shard>,
    connections: RefCell<Vec<Option<Rc<Connection>>>>,
    /// The sources that may connect, by the latest settings.
    list: RefCell<Arc<AccessList>>,
    /// Connections that came from another shard and whose sockets can't be served: the shard has closed them, and the
    /// driver has not yet handled their ends.
    pub(super) unserved: RefCell<Vec<(Slot, SocketAddr)>>,
    /// Wakes the loop.
    pub(super) wake: WakeFlag,
    /// The buffer into which connections read.
    pub(super) buffer: RefCell<Vec<u8>>,
    pub(super) is_draining: Cell<bool>,
    /// Whether all connections leave, for another process.
    pub(super) all_leave: Cell<bool>,
    pub(super) shortage: Shortage,
    pub(super) began: Instant,
    pub(super) gauge: Arc<Gauge>,
    answers: Answers,
    service: Arc<Service>,
    pub(super) reporter: Reporter,
    /// The monitors of this shard.
    pub(super) monitors: RefCell<MonitorSenders>,
    /// Sessions that an operator follows.
    pub(super) followed: Followed,
    pub(super) guests: Guests,
    pub(super) hash_seeds: [u64; 4],
    /// The time that turns, and questions, took.
    pub(super) turns: RefCell<Histogram>,
}

impl Core {
    pub(super) fn now(&self) -> Moment {
        Moment(0) + self.began.elapsed()
    }

    pub(super) fn remote(&self, slot: Slot) -> Option<SocketAddr> {
        if let Some(connection) = self.connection(slot) {
            return Some(connection.remote);
        }
        self.unserved.borrow().iter().find(|(unserved, _)| *unserved == slot).map(|it| it.1)
    }

    pub(super) fn connection(&self, slot: Slot) -> Option<Rc<Connection>> {
        self.connections.borrow().get(slot.index())?.clone()
    }

    /// All connections.
    pub(super) fn connections(&self) -> Vec<Rc<Connection>> {
        self.connections.borrow().iter().flatten().cloned().collect()
    }

    /// Sends an answer to the coordinator of moves. If the coordinator is gone, the reflector is stopping.
    pub(super) fn answer(&self, answer: Answer<Mover>) {
        self.answers.send((self.id, answer)).ok();
    }

    /// Serves a connection at this place from now on.
    pub(super) fn enter(self: &Rc<Self>, connection: Rc<Connection>) {
        let place = connection.slot.index();
        let mut connections = self.connections.borrow_mut();
        if connections.len() <= place {
            connections.resize(place + 1, None);
        }
        connections[place] = Some(Rc::clone(&connection));
        drop(connections);
        tokio::task::spawn_local(connection::Task::new(connection, Rc::clone(self)));
    }

    /// A connection has left for another shard.
    pub(super) fn left(&self, slot: Slot) {
        self.connections.borrow_mut()[slot.index()] = None;
        self.gauge.connections.subtract(1);
    }

    /// A connection's tasks have ended.
    pub(super) fn released(&self, slot: Slot) {
        self.left(slot);
        self.shard.borrow_mut().release(slot);
    }

    /// The end of an unserved connection has been handled: nothing names its slot any more.
    fn released_unserved(&self, slot: Slot) {
        self.unserved.borrow_mut().retain(|(unserved, _)| *unserved != slot);
        self.gauge.connections.subtract(1);
        self.shard.borrow_mut().release(slot);
    }
}

/// A [`Seed`] may travel to its thread; the [`Core`] can't leave it.
const _: () = {
    trait IsSend<T> {
        fn check() {}
    }
    impl<T: ?Sized> IsSend<()> for T {}
    struct Yes;
    impl<T: ?Sized + Send> IsSend<Yes> for T {}
    let _ = <Seed as IsSend<Yes>>::check;
    // If `Core` were `Send`, this would be ambiguous and so an error.
    let _ = <Core as IsSend<_>>::check;
};

/// Runs a shard on its own thread until it is told to exit. Calls `ready` once, with whether the event
/// loop could be set up.
pub(super) fn run(seed: Seed, ready: impl FnOnce(std::io::Result<()>)) {
    let runtime = match LocalRuntime::new(seed.backend) {
        Ok(runtime) => runtime,
        Err(error) => return ready(Err(error)),
    };
    runtime.block_on(async {
        match Alarm::new() {
            Ok(alarm) => {
                ready(Ok(()));
                drive(seed, alarm).await;
            }
            Err(error) => ready(Err(error)),
        }
    });
}

async fn drive(seed: Seed, alarm: Alarm) {
    let Seed { id, layout, settings, list, service, hash_seeds, backend, began, .. } = seed;
    let Seed { port, orders, answers, diary, gauge, .. } = seed;
    let now = Moment(0) + began.elapsed();
    let core = Core {
        id,
        shard: RefCell::new(Shard::new(id, layout, settings, hash_seeds, now)),
        connections: RefCell::default(),
        list: RefCell::new(list),
        unserved: RefCell::default(),
        wake: WakeFlag::default(),
        buffer: RefCell::new(vec![0; READ_MAX]),
        is_draining: Cell::new(false),
        all_leave: Cell::new(false),
        shortage: Shortage::new(),
        began,
        gauge,
        answers,
        service,
        reporter: Reporter::new(id, diary),
        monitors: RefCell::new(MonitorSenders::new(id)),
        followed: Followed::default(),
        guests: Guests::default(),
        hash_seeds,
        turns: RefCell::default(),
    };
    serve(Rc::new(core), alarm, port, orders, backend).await;
}

async fn serve(
    core: Rc<Core>,
    alarm: Alarm,
    mut port: Port,
    mut orders: Inlet<ShardOrder>,
    backend: Backend,
) {
    let mut stall_check = core.now();
    let mut cpu = thread_time();
    loop {
        let done = obey(&core, backend, &mut orders);
        if let Done::Exit(deadline) = done {
            return exit(&core, deadline).await;
        }
        if orders.is_abandoned() {
            return exit(&core, core.began).await; // a later step of the start failed
        }
        let now = core.now();
        if now >= stall_check {
            check_stalled(&core, now);
            check_paths(&core, now);
            core.monitors.borrow_mut().tick(&mut core.shard.borrow_mut());
            core.reporter.tick();
            stall_check = now + Duration::from_secs(1);
        }
        let turn = turn(&core, &mut port, now);
        if let Some(late) = core.shard.borrow_mut().take_late() {
            core.reporter.late(late, thread_time().saturating_sub(cpu));
        }
        if now + Duration::from_secs(1) == stall_check {
            cpu = thread_time();
        }
        let end = core.now();
        core.turns.borrow_mut().record(end.since(now));
        core.gauge.ticked.set(now.0 / 1000);
        if core.follows_any() {
            core.say_changes();
        }
        if core.is_draining.get() {
            core.gauge.is_flushed.store(core.is_flushed(), Ordering::Relaxed);
        }
        if done == Done::Answered {
            crate::io::yield_turn().await; // connections get a turn, however many questions wait
        } else {
            let is_asleep = core.is_asleep();
            core.gauge.is_asleep.store(is_asleep, Ordering::Relaxed);
            idle(&core, &alarm, &mut port, &mut orders, turn.next, end).await;
            if is_asleep {
                // Before it counts as awake: so nobody takes it for a shard that stands still.
                core.gauge.ticked.set(core.now().0 / 1000);
            }
            core.gauge.is_asleep.store(false, Ordering::Release);
        }
    }
}

/// One turn: takes in parcels, lets the shard work, writes, and sends parcels.
fn turn(core: &Core, port: &mut Port, now: Moment) -> Turn {
    let mut shard = core.shard.borrow_mut();
    while let Some(parcel) = port.deliveries.take() {
        let parcel = parcel.open();
        core.show_guest(now, &parcel);
        shard.deliveries(now, parcel);
    }
    while shard.takes_requests()
        && let Some(parcel) = port.requests.take()
    {
        shard.requests(parcel.open());
    }
    shard.set_serving(core.service.seconds(now));
    let mut turn = shard.turn(now);
    if let Some(next) = core.turn_of_guest(now, &mut shard) {
        turn.next = turn.next.min(next);
    }
    port.flush(&mut shard);
    drop(shard);
    for _ in 0..ROUNDS {
        let outputs = core.shard.borrow_mut().outputs();
        if outputs == 0 {
            break;
        }
        for _ in 0..outputs {
            let output = core.shard.borrow_mut().poll();
            output.into_iter().for_each(|output| act(core, now, output));
        }
    }
    let mut shard = core.shard.borrow_mut();
    core.monitors.borrow_mut().sealed(&mut shard);
    core.gauge.growth.show(&shard.growth());
    port.flush(&mut shard);
    let mut next = turn.next;
    if shard.has_outgoing() {
        next = next.min(now + CHANNEL_RETRY);
    }
    if shard.wants_turn() {
        next = now;
    }
    Turn { next }
}

/// Handles an output of the shard.
fn act(core: &Core, now: Moment, output: Output) {
    match output {
        Output::Ready(slot) => {
            if let Some(connection) = core.connection(slot) {
                connection.begin_write(core);
            }
        }
        Output::Resumed(slot) => {
            if let Some(connection) = core.connection(slot) {
                connection.resume();
            }
        }
        Output::Hold(slot, hold) => match core.connection(slot) {
            Some(connection) if hold => connection.hold(),
            Some(connection) => connection.end_hold(core),
            None => {}
        },
        Output::Begun(slot) => {
            let begun = core.connection(slot).map_or(Ok(()), |it| it.begin_session());
            if let Err(reason) = begun {
                core.shard.borrow_mut().close(slot, reason);
            }
        }
        Output::Established(slot, peer, about) => {
            core.service.began(now);
            core.reporter.diary.established(peer, &about.node);
            if let Some(remote) = core.remote(slot) {
                core.monitors.borrow_mut().established(peer, remote, &about.node);
                core.reporter.established(peer, remote, &about.node, &about.agent);
            }
        }
        Output::Skipped(slot, peer, node, skipped) => {
            if let Some(remote) = core.remote(slot) {
                core.reporter.skipped(peer, remote, &node, skipped);
            }
        }
        Output::Refused(slot, refused) => {
            if let Some(remote) = core.remote(slot) {
                core.reporter.refused(&refused, core.shard.borrow().policy(), remote);
            }
        }
        Output::NearLimit(slot, peer, near) => {
            if let Some(remote) = core.remote(slot) {
                core.reporter.near_limit(peer, remote, &near);
            }
        }
        Output::VniNotice(notice) => core.reporter.vni_near_limit(&notice),
        Output::Unproven(slot, peer, node, why) => {
            if let Some(remote) = core.remote(slot) {
                core.reporter.unproven(peer, remote, &node, why);
            }
        }
        Output::Leaves(slot) => {
            if let Some(connection) = core.connection(slot) {
                connection.leave();
            }
        }
        Output::Answer(answer) => core.answer(answer.widen()),
        Output::Closed(closed) => closed_now(core, now, &closed),
    }
}

/// A session has ended, or a connection before its HELLO.
fn closed_now(core: &Core, now: Moment, closed: &Closed) {
    if closed.was_established {
        core.service.ended();
    }
    let diary = &core.reporter.diary;
    let Some(remote) = core.remote(closed.slot) else { return diary.forget(closed.peer) };
    if closed.had_begun {
        core.monitors.borrow_mut().closed(closed, remote);
        diary.closed(ClosedSession::of(closed, remote, now));
    }
    core.reporter.closed(closed, remote);
    let Some(connection) = core.connection(closed.slot) else {
        return core.released_unserved(closed.slot);
    };
    core.follows_no_more(&connection, &closed.reason);
    connection.shut_down();
}

/// Waits for news or for the moment that the shard asked for.
async fn idle(
    core: &Core,
    alarm: &Alarm,
    port: &mut Port,
    orders: &mut Inlet<ShardOrder>,
    next: Moment,
    now: Moment,
) {
    let rests_until = core.federation().and_then(|federation| federation.rests_until(now));
    let next = rests_until.map_or(next, |until| next.min(until));
    let wait = next.since(now);
    if wait.is_zero() {
        return crate::io::yield_turn().await;
    }
    let deadline = core.began + Duration::from_micros(next.0);
    let mut precise = pin!(alarm.until(deadline));
    let mut coarse = pin!(tokio::time::sleep(wait));
    let mut news = pin!(core.guest_has_news());
    let (is_precise, rests) = (wait <= PRECISE, rests_until.is_some());
    poll_fn(|cx| {
        // A parcel or an order stays in its channel: the loop takes it.
        let is_woken = core.wake.poll(cx).is_ready()
            || (!rests && port.deliveries.poll_has(cx))
            || (core.shard.borrow().takes_requests() && port.requests.poll_has(cx))
            || orders.poll_has(cx)
            || (!rests && news.as_mut().poll(cx).is_ready())
            || if is_precise {
                precise.as_mut().poll(cx).is_ready()
            } else {
                coarse.as_mut().poll(cx).is_ready()
            };
        if is_woken { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Core {
    /// Adopts these settings. The next turn tells the connections that are closed here.
    pub(super) fn renew(&self, settings: ShardConfig, list: Arc<AccessList>) {
        let mut shard = self.shard.borrow_mut();
        shard.set_settings(settings);
        for connection in self.connections.borrow().iter().flatten() {
            if !list.allows(connection.remote.ip()) {
                shard.close(connection.slot, CloseReason::Denied);
            }
        }
        *self.list.borrow_mut() = list;
    }

    /// Whether this source may have sessions.
    pub(super) fn allows(&self, remote: SocketAddr) -> bool {
        self.list.borrow().allows(remote.ip())
    }
}

/// Closes everything and waits for the tasks to end.
async fn exit(core: &Core, deadline: Instant) {
    let connections = core.connections();
    // Bytes that the peer's kernel has acknowledged survive a reset; others would not.
    let in_flight = |connection: &Rc<Connection>| {
        !connection.is_closed()
            && connection.tcp_info().is_some_and(|tcp_info| tcp_info.unacked > 0)
    };
    while Instant::now() < deadline && connections.iter().any(in_flight) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for connection in connections {
        core.shard.borrow_mut().close(connection.slot, CloseReason::Stopping);
        connection.shut_down();
    }
    while core.connections.borrow().iter().any(Option::is_some) {
        crate::io::yield_turn().await;
    }
}
