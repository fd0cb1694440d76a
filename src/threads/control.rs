//! The state of a reflector that the control thread and operators' questions share. No part of the data path: no shard
//! reads it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::balance::BalanceReport;
use super::error::InspectError;
use super::estate::{Phase, Wish};
use super::gauge::Gauge;
use super::handovers::{HandoverReport, Handovers};
use super::ledger::Ledger;
use super::lobby::Lobby;
use super::log_level::LogLevel;
use super::memory::MemoryUse;
use super::order::ShardOrder;
use super::question::{Question, ShardThread};
use super::service::Service;
use super::succession::Succession;
use crate::config::ReflectorConfig;
use crate::counts::{RefusedCounters, TlsCounters};
use crate::diary::Diary;
use crate::federation::{Federation, Roster};
use crate::ids::{Moment, PeerId, ShardId};
use crate::io::Backend;
use crate::portable::form::piece::Kind;
use crate::relaxed::Relaxed;
use crate::shard::inspect::Metrics;
use crate::shard::placement::Placement;
use crate::wire::Vni;

/// A shard that has had no turn for this time is stuck.
const STUCK: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Control {
    began: Instant,
    pub(crate) backend: Backend,
    shards: Vec<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    /// The shard for federation, if there is one. Its number follows the last of `shards`.
    federation: Option<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    /// The names of other sites.
    pub(crate) roster: Arc<Roster>,
    /// The number of sessions to end per second while draining.
    pub(crate) drain: watch::Sender<Option<NonZeroU32>>,
    is_listening: AtomicBool,
    /// The configuration in force. Its subscribers are notified of each change.
    pub(crate) config: watch::Sender<ReflectorConfig>,
    pub(crate) log_level: LogLevel,
    /// The number of sessions, and its limit.
    pub(crate) lobby: Arc<Lobby>,
    /// The latest counters of each shard, for the time when the shard does not answer.
    last: Mutex<BTreeMap<ShardId, Metrics>>,
    /// The counts of refused connections.
    pub(crate) refused: RefusedCounters,
    /// The counters of TLS.
    pub(crate) tls: TlsCounters,
    /// Which shard owns which VNI, after the latest move.
    placement: watch::Sender<Placement>,
    /// The number of shards, from the first on, that get connections.
    awake: AtomicUsize,
    /// The balancer's report.
    balance: watch::Sender<BalanceReport>,
    /// The process that serves the sessions.
    pub(crate) phase: watch::Sender<Phase>,
    /// The requests to the balancer.
    pub(crate) wishes: mpsc::Sender<Wish>,
    /// Whether the acceptor takes connections.
    accepts: watch::Sender<bool>,
    /// The number of the latest connection.
    serial: Relaxed,
    service: Arc<Service>,
    /// The counters of each shard from earlier processes.
    before: Vec<Metrics>,
    /// Memory in use, and its budget.
    pub(crate) memory: Arc<MemoryUse>,
    /// The results of handovers.
    pub(crate) handovers: watch::Sender<Handovers>,
    pub(crate) succession: Succession,
    pub(crate) diary: Arc<Diary>,
}

/// The parts from which a [`Control`] starts.
#[derive(Debug)]
pub(crate) struct ControlBasis {
    pub(crate) began: Instant,
    pub(crate) backend: Backend,
    pub(crate) shards: Vec<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    pub(crate) federation: Option<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    pub(crate) config: watch::Sender<ReflectorConfig>,
    pub(crate) wishes: mpsc::Sender<Wish>,
    pub(crate) service: Arc<Service>,
    pub(crate) diary: Arc<Diary>,
    /// The ledger of the process before this one, if there was one.
    pub(crate) ledger: Option<Ledger>,
}

impl Control {
    pub(crate) fn new(basis: ControlBasis) -> Self {
        let ControlBasis {
            began,
            backend,
            shards,
            federation,
            config,
            wishes,
            service,
            diary,
            ledger,
        } = basis;
        let lobby = Lobby::new(config.borrow().max_peers);
        let now = HandoverReport::now();
        let sessions_since = ledger.as_ref().map_or(now, |ledger| ledger.since);
        let mut ledger = ledger.unwrap_or_default();
        diary.go_on_from(std::mem::take(&mut ledger.diary));
        let refused = RefusedCounters::default();
        refused.go_on_from(&ledger.refused);
        let tls = TlsCounters::default();
        tls.go_on_from(&ledger.refused);
        Self {
            phase: watch::Sender::default(),
            wishes,
            accepts: watch::Sender::new(false),
            serial: Relaxed::new(ledger.serial),
            service,
            before: ledger.metrics(shards.len()),
            memory: Arc::default(),
            handovers: watch::Sender::new(Handovers {
                process: std::process::id(),
                version: env!("CARGO_PKG_VERSION"),
                serving_since: now,
                generation: ledger.generation,
                sessions_since,
                ..Handovers::default()
            }),
            succession: Succession::default(),
            diary,
            placement: watch::Sender::new(Placement::even(shards.len())),
            awake: AtomicUsize::new(shards.len()),
            balance: watch::Sender::default(),
            began,
            backend,
            shards,
            federation,
            roster: Arc::default(),
            drain: watch::Sender::new(ledger.drains),
            is_listening: AtomicBool::new(false),
            config,
            lobby: Arc::new(lobby),
            log_level: LogLevel::default(),
            last: Mutex::default(),
            refused,
            tls,
        }
    }

    /// Sends an order to each shard, including the shard of a guest.
    pub(crate) async fn order_all(&self, order: impl Fn() -> ShardOrder) {
        for (orders, _) in self.shards.iter().chain(&self.federation) {
            drop(orders.send(order()).await);
        }
    }

    /// The present moment, by the clock that all threads share.
    pub(crate) fn now(&self) -> Moment {
        Moment(0) + self.began.elapsed()
    }

    /// The seconds for which there have been sessions.
    pub(crate) fn serving(&self) -> u32 {
        self.service.seconds(self.now())
    }

    /// The number of the latest connection.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.get()
    }

    /// A number for a new connection.
    pub(crate) fn next_peer(&self) -> PeerId {
        PeerId(self.serial.add(1) + 1)
    }

    /// Sets whether the acceptor takes connections.
    pub(crate) fn set_accepts(&self, accepts: bool) {
        self.accepts.send_replace(accepts);
    }

    /// Waits until the acceptor takes no connections and has handed over all that it had accepted.
    pub(crate) async fn accepts_no_more(&self) {
        self.accepts.subscribe().wait_for(|accepts| !accepts).await.ok();
    }

    /// The counters of a shard, of this process and of earlier ones.
    pub(crate) async fn metrics_of(&self, shard: u16) -> Result<Metrics, InspectError> {
        let mut metrics = self.ask(shard, |core: &dyn ShardThread| core.metrics()).await?;
        if let Some(before) = self.before.get(usize::from(shard)) {
            metrics.merge(before);
        }
        Ok(metrics)
    }

    /// Waits while all connections and tables are on their way to another process.
    async fn wait_for_phase(&self) -> Result<(), InspectError> {
        if *self.phase.borrow() == Phase::Here {
            return Ok(());
        }
        let mut phase = self.phase.subscribe();
        match phase.wait_for(|phase| *phase != Phase::UnderWay).await.as_deref() {
            Ok(Phase::Here) => Ok(()),
            _ => Err(InspectError::Stopped),
        }
    }

    /// Which shard owns a VNI.
    pub(crate) fn owner(&self, vni: Vni) -> ShardId {
        self.placement.borrow().owner(vni)
    }

    /// The number of shards, from the first on, that get connections.
    pub(crate) fn awake(&self) -> usize {
        self.awake.load(Ordering::Relaxed)
    }

    pub(crate) fn set_awake(&self, shards: usize) {
        self.awake.store(shards, Ordering::Relaxed);
    }

    /// The balancer's latest report.
    pub(crate) fn balance(&self) -> BalanceReport {
        self.balance.borrow().clone()
    }

    /// Publishes the balancer's report.
    pub(crate) fn balanced(&self, report: &BalanceReport) {
        self.balance.send_replace(report.clone());
    }

    /// Publishes which shard owns which VNI after a move.
    pub(crate) fn moved(&self, placement: &Placement) {
        self.placement.send_replace(placement.clone());
    }

    /// Sets whether connections are accepted.
    pub(crate) fn listening(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.borrow().is_some()
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::Relaxed)
    }

    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    /// Asks the shard for federation; `None` if there is none.
    pub(crate) async fn federation<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Federation) -> T + Send + 'static,
    ) -> Result<Option<T>, InspectError> {
        if self.federation.is_none() {
            return Ok(None);
        }
        self.ask(self.shards(), move |core| core.federation().map(question)).await
    }

    pub(crate) fn stuck(&self) -> Vec<ShardId> {
        let now = self.began.elapsed();
        (0..)
            .map(ShardId)
            .zip(self.shards.iter().chain(&self.federation))
            .filter(|(_, (_, gauge))| {
                if gauge.is_asleep.load(Ordering::Acquire) {
                    return false;
                }
                let ticked = Duration::from_millis(gauge.ticked.get());
                now.saturating_sub(ticked) > STUCK
            })
            .map(|(shard, _)| shard)
            .collect()
    }

    /// The latest counters of a shard; all 0 if the shard has never been asked.
    pub(crate) fn last_counters(&self, shard: ShardId) -> Metrics {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(&shard).cloned().unwrap_or_default()
    }

    pub(crate) fn keep_counters(&self, shard: ShardId, metrics: &Metrics) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(shard, metrics.clone());
    }

    /// The number of connections, including those before their HELLO.
    pub(crate) fn connections(&self) -> u64 {
        self.shards.iter().map(|(_, gauge)| gauge.connections.get()).sum()
    }

    /// The link's state with other sites, for another process. Call this when everything has left the shards.
    pub(crate) async fn exported_link(&self) -> Result<Vec<Kind>, InspectError> {
        if self.federation.is_none() {
            return Ok(Vec::new());
        }
        let question =
            |core: &dyn ShardThread| core.federation().map(Federation::export).unwrap_or_default();
        self.ask_now(self.shards(), question).await
    }

    /// Asks one shard.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        shard: u16,
        question: impl FnOnce(&dyn ShardThread) -> T + Send + 'static,
    ) -> Result<T, InspectError> {
        self.wait_for_phase().await?;
        self.ask_now(shard, question).await
    }

    /// Asks one shard, also while everything is on its way to another process.
    async fn ask_now<T: Send + 'static>(
        &self,
        shard: u16,
        question: impl FnOnce(&dyn ShardThread) -> T + Send + 'static,
    ) -> Result<T, InspectError> {
        let (reply, answer) = oneshot::channel();
        let question = Question::new(move |core| drop(reply.send(question(core))));
        let mut all = self.shards.iter().chain(&self.federation);
        let (orders, _) = all.nth(usize::from(shard)).ok_or(InspectError::Stopped)?;
        orders.send(ShardOrder::Answer(question)).await.map_err(|_| InspectError::Stopped)?;
        answer.await.map_err(|_| InspectError::Stopped)
    }

    /// Asks one shard after the other until one has an answer.
    pub(crate) async fn find<T: Send + 'static>(
        &self,
        question: impl Fn(&dyn ShardThread) -> Option<T> + Clone + Send + 'static,
    ) -> Result<Option<T>, InspectError> {
        for shard in 0..self.shards() {
            if let Some(found) = self.ask(shard, question.clone()).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Ends a session; `false` if no shard has it.
    pub(crate) async fn close(
        &self,
        peer: PeerId,
        reason: crate::CloseReason,
    ) -> Result<bool, InspectError> {
        let close = move |core: &dyn ShardThread| {
            core.shard().borrow_mut().reset(peer, reason.clone()).then_some(())
        };
        Ok(self.find(close).await?.is_some())
    }
}
