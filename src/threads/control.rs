//! What operators have told the reflector, where the control thread and all askers see it. No part
//! of the data path: no shard looks at it.

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

/// A shard that has not turned its loop for so long is stuck.
const STUCK: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Control {
    began: Instant,
    pub(crate) backend: Backend,
    shards: Vec<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    /// The shard for federation, if there is one: the number behind the last of these.
    federation: Option<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    /// The names of other sites.
    pub(crate) roster: Arc<Roster>,
    /// Sessions to end per second while draining.
    pub(crate) drain: watch::Sender<Option<NonZeroU32>>,
    is_listening: AtomicBool,
    /// What is in force, and goes to whoever has to know when it changes.
    pub(crate) config: watch::Sender<ReflectorConfig>,
    pub(crate) log_level: LogLevel,
    /// How many sessions there are and may be.
    pub(crate) lobby: Arc<Lobby>,
    /// What each shard counted when it was asked last, for when it does not answer.
    last: Mutex<BTreeMap<ShardId, Metrics>>,
    /// Counts connections that were not taken.
    pub(crate) refused: RefusedCounters,
    /// Counts what happens to TLS.
    pub(crate) tls: TlsCounters,
    /// Which shard owns which VNI, as of the last move.
    placement: watch::Sender<Placement>,
    /// The first so many shards get connections.
    awake: AtomicUsize,
    /// What the balancer tells of itself.
    balance: watch::Sender<BalanceReport>,
    /// Who serves the sessions.
    pub(crate) phase: watch::Sender<Phase>,
    /// What is asked of the balancer.
    pub(crate) wishes: mpsc::Sender<Wish>,
    /// Whether the acceptor takes connections.
    accepts: watch::Sender<bool>,
    /// The number of the latest connection.
    serial: Relaxed,
    service: Arc<Service>,
    /// What shards counted in earlier processes.
    before: Vec<Metrics>,
    /// Memory in use and granted.
    pub(crate) memory: Arc<MemoryUse>,
    /// What became of handovers.
    pub(crate) handovers: watch::Sender<Handovers>,
    pub(crate) succession: Succession,
    pub(crate) diary: Arc<Diary>,
}

/// What a [`Control`] starts from.
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
    /// What an earlier process has left, if there was one.
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

    /// Gives each shard an order, that of a guest included.
    pub(crate) async fn order_all(&self, order: impl Fn() -> ShardOrder) {
        for (orders, _) in self.shards.iter().chain(&self.federation) {
            drop(orders.send(order()).await);
        }
    }

    /// What the clock of all moments says.
    pub(crate) fn now(&self) -> Moment {
        Moment(0) + self.began.elapsed()
    }

    /// Seconds for which there have been sessions.
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

    /// The acceptor takes connections from now on, or none.
    pub(crate) fn set_accepts(&self, accepts: bool) {
        self.accepts.send_replace(accepts);
    }

    /// Waits until the acceptor has handed over what it had accepted, and takes none.
    pub(crate) async fn accepts_no_more(&self) {
        self.accepts.subscribe().wait_for(|accepts| !accepts).await.ok();
    }

    /// What a shard has counted, in this process and before.
    pub(crate) async fn metrics_of(&self, shard: u16) -> Result<Metrics, InspectError> {
        let mut metrics = self.ask(shard, |core: &dyn ShardThread| core.metrics()).await?;
        if let Some(before) = self.before.get(usize::from(shard)) {
            metrics.merge(before);
        }
        Ok(metrics)
    }

    /// Waits while everything is on its way to another process.
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

    /// How many shards get connections: the first so many.
    pub(crate) fn awake(&self) -> usize {
        self.awake.load(Ordering::Relaxed)
    }

    pub(crate) fn set_awake(&self, shards: usize) {
        self.awake.store(shards, Ordering::Relaxed);
    }

    /// What the balancer did last and why.
    pub(crate) fn balance(&self) -> BalanceReport {
        self.balance.borrow().clone()
    }

    /// The balancer has looked.
    pub(crate) fn balanced(&self, report: &BalanceReport) {
        self.balance.send_replace(report.clone());
    }

    /// VNIs have moved.
    pub(crate) fn moved(&self, placement: &Placement) {
        self.placement.send_replace(placement.clone());
    }

    /// Whether connections are accepted.
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

    /// What there is of federation; `None` when there is none.
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

    /// What a shard counted when it was asked last; nothing when it never was.
    pub(crate) fn last_counters(&self, shard: ShardId) -> Metrics {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(&shard).cloned().unwrap_or_default()
    }

    pub(crate) fn keep_counters(&self, shard: ShardId, metrics: &Metrics) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(shard, metrics.clone());
    }

    /// Connections held, those that have not shaken hands yet included.
    pub(crate) fn connections(&self) -> u64 {
        self.shards.iter().map(|(_, gauge)| gauge.connections.get()).sum()
    }

    /// What the link has agreed with other sites, for another process. Everything has left the shards.
    pub(crate) async fn exported_link(&self) -> Result<Vec<Kind>, InspectError> {
        if self.federation.is_none() {
            return Ok(Vec::new());
        }
        let question =
            |core: &dyn ShardThread| core.federation().map(Federation::export).unwrap_or_default();
        self.ask_now(self.shards(), question).await
    }

    /// Has one shard answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        shard: u16,
        question: impl FnOnce(&dyn ShardThread) -> T + Send + 'static,
    ) -> Result<T, InspectError> {
        self.wait_for_phase().await?;
        self.ask_now(shard, question).await
    }

    /// The same, also while everything is on its way to another process.
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

    /// Has one shard after the other answer until one has something.
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

    /// Ends a session.
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
