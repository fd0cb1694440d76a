//! What operators have told the reflector, where the control thread and all askers see it. No part
//! of the data path: no shard looks at it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::InspectError;
use super::log::LogLevel;
use crate::ids::{PeerId, ShardId};
use crate::io::Backend;
use crate::reflector::balance::Report;
use crate::reflector::config::ReflectorConfig;
use crate::reflector::driver::{Core, Gauge, ShardOrder};
use crate::reflector::lobby::Lobby;
use crate::reflector::question::Question;
use crate::reflector::refused;
use crate::shard::inspect::Metrics;
use crate::shard::placement::Placement;
use crate::wire::Vni;

/// A shard that has not turned its loop for so long is stuck.
const STUCK: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::reflector) struct Control {
    began: Instant,
    pub(super) backend: Backend,
    shards: Vec<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
    /// Sessions to end per second while draining.
    pub(super) drain: watch::Sender<Option<NonZeroU32>>,
    is_listening: AtomicBool,
    /// What is in force.
    pub(super) config: watch::Receiver<ReflectorConfig>,
    pub(super) log_level: LogLevel,
    /// How many sessions there are and may be.
    pub(in crate::reflector) lobby: Arc<Lobby>,
    /// What each shard counted when it was asked last, for when it does not answer.
    last: Mutex<BTreeMap<ShardId, Metrics>>,
    /// Counts connections that were not taken.
    pub(in crate::reflector) refused: refused::Counters,
    /// Which shard owns which VNI, as of the last move.
    placement: watch::Sender<Placement>,
    /// The first so many shards get connections.
    awake: AtomicUsize,
    /// What the balancer tells of itself.
    balance: watch::Sender<Report>,
}

impl Control {
    pub(in crate::reflector) fn new(
        began: Instant,
        backend: Backend,
        shards: Vec<(mpsc::Sender<ShardOrder>, Arc<Gauge>)>,
        config: watch::Receiver<ReflectorConfig>,
    ) -> Self {
        let lobby = Lobby::new(config.borrow().max_peers);
        Self {
            placement: watch::Sender::new(Placement::even(shards.len())),
            awake: AtomicUsize::new(shards.len()),
            balance: watch::Sender::default(),
            began,
            backend,
            shards,
            drain: watch::Sender::new(None),
            is_listening: AtomicBool::new(false),
            config,
            lobby: Arc::new(lobby),
            log_level: LogLevel::default(),
            last: Mutex::default(),
            refused: refused::Counters::default(),
        }
    }

    /// Which shard owns a VNI.
    pub(super) fn owner(&self, vni: Vni) -> ShardId {
        self.placement.borrow().owner(vni)
    }

    /// How many shards get connections: the first so many.
    pub(in crate::reflector) fn awake(&self) -> usize {
        self.awake.load(Ordering::Relaxed)
    }

    pub(in crate::reflector) fn set_awake(&self, shards: usize) {
        self.awake.store(shards, Ordering::Relaxed);
    }

    /// What the balancer did last and why.
    pub(in crate::reflector) fn balance(&self) -> Report {
        self.balance.borrow().clone()
    }

    /// The balancer has looked.
    pub(in crate::reflector) fn balanced(&self, report: &Report) {
        self.balance.send_replace(report.clone());
    }

    /// VNIs have moved.
    pub(in crate::reflector) fn moved(&self, placement: &Placement) {
        self.placement.send_replace(placement.clone());
    }

    /// Whether connections are accepted.
    pub(in crate::reflector) fn listening(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Ordering::Relaxed);
    }

    pub(in crate::reflector) fn is_draining(&self) -> bool {
        self.drain.borrow().is_some()
    }

    pub(super) fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::Relaxed)
    }

    pub(in crate::reflector) fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    pub(in crate::reflector) fn stuck(&self) -> Vec<ShardId> {
        let now = self.began.elapsed();
        (0..)
            .map(ShardId)
            .zip(&self.shards)
            .filter(|(_, (_, gauge))| {
                if gauge.is_asleep.load(Ordering::Acquire) {
                    return false;
                }
                let ticked = Duration::from_millis(gauge.ticked.load(Ordering::Relaxed));
                now.saturating_sub(ticked) > STUCK
            })
            .map(|(shard, _)| shard)
            .collect()
    }

    /// What a shard counted when it was asked last; nothing when it never was.
    pub(super) fn last_counters(&self, shard: ShardId) -> Metrics {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(&shard).cloned().unwrap_or_default()
    }

    pub(super) fn keep_counters(&self, shard: ShardId, metrics: &Metrics) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(shard, metrics.clone());
    }

    /// Connections held, those that have not shaken hands yet included.
    pub(in crate::reflector) fn connections(&self) -> u64 {
        self.shards
            .iter()
            .map(|(_, gauge)| u64::from(gauge.connections.load(Ordering::Relaxed)))
            .sum()
    }

    /// Has one shard answer.
    pub(in crate::reflector) async fn ask<T: Send + 'static>(
        &self,
        shard: u16,
        question: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, InspectError> {
        let (reply, answer) = oneshot::channel();
        let question = Question::new(move |core| drop(reply.send(question(core))));
        let (orders, _) = self.shards.get(usize::from(shard)).ok_or(InspectError::Stopped)?;
        orders.send(ShardOrder::Answer(question)).await.map_err(|_| InspectError::Stopped)?;
        answer.await.map_err(|_| InspectError::Stopped)
    }

    /// Has one shard after the other answer until one has something.
    pub(super) async fn find<T: Send + 'static>(
        &self,
        question: impl Fn(&Core) -> Option<T> + Clone + Send + 'static,
    ) -> Result<Option<T>, InspectError> {
        for shard in 0..self.shards() {
            if let Some(found) = self.ask(shard, question.clone()).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Ends a session.
    pub(super) async fn close(
        &self,
        peer: PeerId,
        reason: crate::CloseReason,
    ) -> Result<bool, InspectError> {
        let close =
            move |core: &Core| core.shard.borrow_mut().reset(peer, reason.clone()).then_some(());
        Ok(self.find(close).await?.is_some())
    }
}
