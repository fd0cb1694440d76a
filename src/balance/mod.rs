//! Which shards are awake, and which partitions and connections each of them has.
//!
//! State: the load of each shard's thread, the number of shards that should be awake, and the move that is under way.
//! Runs on the control thread; shards see only orders.
//!
//! Ten times a second the balancer looks at the threads. [`BalancePolicy`] decides how many shards should be awake,
//! always the first ones. Partitions and connections leave the other shards, one move after the other, and new
//! connections go to shards that are awake. A shard without connections and without VNIs sleeps.
//!
//! A move waits for every shard, so a shard that stands still would hold it up: a move that takes longer than
//! [`PATIENCE`] is given up, and a shard that stands still is not asked to move anything. If a pinned shard does not
//! get its core, its pin is removed, and it may run on any core.
//!
//! Imports: estate, ids, io, shard, threads.

mod load;
mod plan;
mod policy;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver};
use tracing::{debug, info, warn};

use self::load::{Load, Watch};
use self::plan::{Next, Plan};
use self::policy::BalancePolicy;
use crate::estate::Leaving;
use crate::ids::{PeerId, ShardId};
use crate::io;
use crate::shard::Layout;
use crate::shard::moves::{Answer, Coordinator, MoveCommand};
use crate::threads::{
    BalanceReport, Control, Gauge, Moved, Mover, Phase, ShardOrder, ShardReport, ShardThread, Why,
    Wish,
};

/// How often the balancer looks at the loads.
const PERIOD: Duration = Duration::from_millis(100);
/// How long a move may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause after a move, so that few peers notice at a time.
const PAUSE: Duration = Duration::from_millis(2);
/// The most connections that a shard names in one answer.
const NAMED: usize = 64;
/// A shard that waits for its core for this share of the time, for this long, does not get its core.
const STARVED: f64 = 0.9;
const STARVED_FOR: Duration = Duration::from_secs(2);

/// Wakes shards, lets them sleep, and moves partitions and connections between them.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) min_shards: usize,
    /// For how long after the start a fleet wakes all shards.
    pub(crate) wake_all_for: Duration,
    /// The shards that own VNIs and serve sessions.
    pub(crate) shards: Vec<(Sender<ShardOrder>, Arc<Gauge>)>,
    /// The same shards, and behind them the shard for federation, if there is one.
    pub(crate) all: Vec<(Sender<ShardOrder>, Arc<Gauge>)>,
    pub(crate) layout: Layout,
    pub(crate) answers: UnboundedReceiver<(ShardId, Answer<Mover>)>,
    pub(crate) wishes: Receiver<Wish>,
    pub(crate) control: Arc<Control>,
    /// The cores that the process may use.
    pub(crate) cpus: Vec<usize>,
}

/// The state of a balancer.
#[derive(Debug)]
struct State {
    began: Instant,
    coordinator: Coordinator,
    policy: BalancePolicy,
    watches: Vec<Option<Watch>>,
    loads: Vec<Load>,
    /// Since when each shard has waited for its core.
    starved: Vec<Option<Duration>>,
    plan: Plan,
    /// When the move under way began, and its direction.
    moving_since: Option<Duration>,
    moving: Option<Move>,
    report: BalanceReport,
}

/// A move that is under way.
#[derive(Clone, Copy, Debug)]
struct Move {
    from: ShardId,
    to: ShardId,
    is_session: bool,
}

impl Balancer {
    /// Balances while `other` runs, until dropped or until the shards are gone.
    pub(crate) async fn run_beside(self, other: impl Future<Output = ()>) {
        tokio::select! {
            () = self.run() => {}
            () = other => {}
        }
    }

    async fn run(mut self) {
        let count = self.shards.len();
        let thread = |(_, gauge): &(_, Arc<Gauge>)| gauge.thread.get().copied().map(Watch::new);
        let mut state = State {
            began: Instant::now(),
            coordinator: Coordinator::new(self.layout),
            policy: BalancePolicy::new(self.min_shards, count, self.wake_all_for),
            watches: self.shards.iter().map(thread).collect(),
            loads: vec![Load::default(); count],
            starved: vec![None; count],
            plan: Plan::new(count),
            moving_since: None,
            moving: None,
            report: BalanceReport {
                shards: vec![ShardReport { is_awake: true, ..ShardReport::default() }; count],
                why: Why::Fixed,
                given_up: 0,
            },
        };
        // Otherwise there is nothing to balance, or no load is known.
        let balances = count >= 2 && state.watches.iter().all(Option::is_some);
        if balances {
            state.report.why = Why::Load(0.0);
            self.set_awake(&mut state, self.min_shards);
        } else {
            self.publish(&mut state);
        }
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // While everything leaves for another process, nothing moves: a table that comes back goes to the shard
            // that it came from.
            let balances = balances && *self.control.phase.borrow() == Phase::Here;
            tokio::select! {
                answer = self.answers.recv() => match answer {
                    Some((_, answer)) => self.answered(&mut state, answer).await,
                    None => return,
                },
                Some(wish) = self.wishes.recv() => {
                    self.grant(&mut state, wish).await;
                    continue;
                }
                _ = ticks.tick(), if balances => self.look(&mut state).await,
            }
            if balances && state.coordinator.is_free() {
                self.go_on(&mut state).await;
            }
        }
    }

    /// Lets all connections and tables leave for another process, or puts them back. Nothing else moves meanwhile.
    async fn grant(&mut self, state: &mut State, wish: Wish) {
        // The reply is dropped, which tells that the wish is not granted. A thaw is always granted: the estate would
        // be lost.
        if matches!(wish, Wish::Freeze(_)) && !self.finish_move(state).await {
            return;
        }
        let Self { all, answers, control, .. } = self;
        let send = |commands| send(all, commands);
        let mut leaving = Leaving { control, answers, send, shards: all.len() };
        match wish {
            Wish::Freeze(reply) => leaving.freeze(&mut state.coordinator, reply).await,
            Wish::Thaw(estate, reply) => {
                leaving.thaw(*estate).await;
                reply.send(()).ok();
            }
        }
    }

    /// Ends the move that is under way: completes it or gives it up. `false` when that takes too long, or when the
    /// shards are gone.
    async fn finish_move(&mut self, state: &mut State) -> bool {
        if !state.coordinator.is_free() {
            let commands = state.coordinator.give_up();
            self.send(commands).await;
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !state.coordinator.is_free() {
            let answer = tokio::time::timeout_at(deadline, self.answers.recv()).await;
            let Ok(Some((_, answer))) = answer else { return false };
            self.answered(state, answer).await;
        }
        true
    }

    async fn answered(&self, state: &mut State, answer: Answer<Mover>) {
        if state.coordinator.is_free() {
            return; // an answer about tables from another process
        }
        debug!(answer = answer.name(), "a move goes on");
        let is_complete = matches!(answer, Answer::Taken { .. } | Answer::Arrived { .. });
        let commands = state.coordinator.answered(answer);
        self.send(commands).await;
        if state.coordinator.is_free() {
            state.moving_since = None;
            if let Some(it) = state.moving.take()
                && is_complete
            {
                let shards = &mut state.report.shards;
                let count = |moved: &mut Moved| match it.is_session {
                    true => moved.sessions += 1,
                    false => moved.partitions += 1,
                };
                count(&mut shards[it.from.index()].left);
                count(&mut shards[it.to.index()].arrived);
            }
            self.control.moved(state.coordinator.placement());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Measures all threads.
    async fn look(&self, state: &mut State) {
        let now = state.began.elapsed();
        for (watch, load) in state.watches.iter_mut().zip(&mut state.loads) {
            *load = watch.as_mut().map_or_else(Load::default, |watch| watch.look(now));
        }
        let loads: Vec<f64> = state.loads.iter().map(|load| load.wanted()).collect();
        let connections = self.shards.iter().map(|(_, gauge)| gauge.connections.get()).sum();
        let awake = state.policy.awake(now, &loads, connections);
        if awake != state.plan.awake() {
            let load: f64 = loads.iter().sum();
            let rounded = format_args!("{load:.2}");
            info!(awake, of = loads.len(), load = %rounded, connections, "shards awake");
            self.set_awake(state, awake);
            let is_fleet = state.policy.is_fleet(now, connections);
            state.report.why =
                if is_fleet { Why::Start(self.wake_all_for) } else { Why::Load(load) };
        }
        self.free_starved(state, now);
        let is_slow = state.moving_since.is_some_and(|since| now.saturating_sub(since) > PATIENCE);
        if is_slow {
            let commands = state.coordinator.give_up();
            state.report.given_up += u64::from(!commands.is_empty());
            self.send(commands).await;
        }
        self.publish(state);
    }

    /// Sets the number of shards that get connections and partitions.
    fn set_awake(&self, state: &mut State, awake: usize) {
        state.plan.set_awake(awake);
        self.control.set_awake(state.plan.awake());
    }

    /// Publishes the report.
    fn publish(&self, state: &mut State) {
        let owned = state.coordinator.placement().counts(state.report.shards.len());
        for (number, shard) in state.report.shards.iter_mut().enumerate() {
            let Load { ran, waited } = state.loads[number];
            shard.is_awake = number < state.plan.awake();
            (shard.ran, shard.waited) = (ran.min(1.0), waited.min(1.0));
            shard.partitions = owned[number];
        }
        self.control.balanced(&state.report);
    }

    /// Unpins shards that don't get their cores.
    fn free_starved(&self, state: &mut State, now: Duration) {
        for (number, (load, starved)) in state.loads.iter().zip(&mut state.starved).enumerate() {
            if load.waited < STARVED {
                *starved = None;
                continue;
            }
            let since = *starved.get_or_insert(now);
            let gauge = &self.shards[number].1;
            if now.saturating_sub(since) < STARVED_FOR
                || !gauge.is_pinned.swap(false, Ordering::Relaxed)
            {
                continue;
            }
            let freed = gauge.thread.get().map_or(Ok(()), |thread| thread.allow(&self.cpus));
            match freed {
                Ok(()) => {
                    state.report.shards[number].is_freed = true;
                    warn!(
                    shard = number,
                    waited = ?now.saturating_sub(since),
                    "the shard does not get its core, because another thread keeps the core busy; \
                     from now on the shard may run on any core"
                    );
                }
                Err(error) => {
                    warn!(shard = number, %error, "cannot let the shard run on other cores");
                }
            }
        }
    }

    /// Begins the next move, if there is one.
    async fn go_on(&self, state: &mut State) {
        let stuck = self.control.stuck();
        if !stuck.is_empty() {
            return;
        }
        let connections: Vec<_> =
            self.shards.iter().map(|(_, gauge)| gauge.connections.get()).collect();
        let next = state.plan.next(state.coordinator.placement(), &connections);
        let commands = match next {
            None => return,
            Some(Next::Partitions { partitions, from, to }) => {
                state.moving = Some(Move { from, to, is_session: false });
                state.coordinator.move_tables(partitions, from, to)
            }
            Some(Next::Connection { from, to }) => match self.pick(state, from).await {
                Some(peer) => {
                    state.moving = Some(Move { from, to, is_session: true });
                    state.coordinator.move_connection(peer, from, to)
                }
                None => return,
            },
        };
        state.moving_since = Some(state.began.elapsed());
        self.send(commands).await;
    }

    /// A session of a shard that can move.
    async fn pick(&self, state: &mut State, from: ShardId) -> Option<PeerId> {
        if let Some(peer) = state.plan.named(from) {
            return Some(peer);
        }
        let question = |core: &dyn ShardThread| core.shard().borrow().inspect().movable(NAMED);
        let named = self.control.ask(from.0, question).await.ok()?;
        state.plan.name(from, named);
        state.plan.named(from)
    }

    async fn send(&self, commands: Vec<(ShardId, MoveCommand<Mover>)>) {
        send(&self.all, commands).await;
    }
}

async fn send(
    shards: &[(Sender<ShardOrder>, Arc<Gauge>)],
    commands: Vec<(ShardId, MoveCommand<Mover>)>,
) {
    for (shard, command) in commands {
        let (orders, gauge) = &shards[shard.index()];
        if matches!(command, MoveCommand::Adopt { .. }) {
            gauge.connections.add(1);
        }
        drop(orders.send(ShardOrder::Move(Box::new(command))).await);
    }
}

/// Stores the calling thread's number, for the balancer.
pub(crate) fn register(gauge: &Gauge, is_pinned: bool) {
    gauge.is_pinned.store(is_pinned, Ordering::Relaxed);
    if let Some(thread) = io::ThreadId::current() {
        gauge.thread.set(thread).ok();
    }
}
