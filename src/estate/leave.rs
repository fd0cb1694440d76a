//! Takes all connections and tables from the shards, and puts them back. Runs on the control thread, as a part of the
//! balancer.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use crate::ids::{Moment, ShardId};
use crate::metrics::Saved;
use crate::shard::moves::{Answer, Coordinator, Handover, MoveCommand};
use crate::threads::{Control, Estate, InspectError, Ledger, Mover, NotFrozen, Phase, saved};

/// How long the shards may take to tell their counters and to let all connections and tables leave.
const PATIENCE: Duration = Duration::from_secs(2);

/// The parts of the balancer that a freeze and a thaw need.
#[derive(Debug)]
pub(crate) struct Leaving<'a, S> {
    pub(crate) control: &'a Control,
    pub(crate) answers: &'a mut UnboundedReceiver<(ShardId, Answer<Mover>)>,
    /// Sends commands to shards.
    pub(crate) send: S,
    pub(crate) shards: usize,
}

type Commands = Vec<(ShardId, MoveCommand<Mover>)>;

impl<S, F> Leaving<'_, S>
where
    S: Fn(Commands) -> F,
    F: Future<Output = ()>,
{
    /// Lets everything leave, and answers the wish. No move may be in progress.
    pub(crate) async fn freeze(
        &mut self,
        coordinator: &mut Coordinator,
        reply: oneshot::Sender<Result<Estate, NotFrozen>>,
    ) {
        let result = self.gather(coordinator).await;
        // The reply's receiver is gone: the process that asked no longer waits.
        if let Err(Ok(estate)) = reply.send(result) {
            self.thaw(estate).await;
        }
    }

    async fn gather(&mut self, coordinator: &mut Coordinator) -> Result<Estate, NotFrozen> {
        let began = Instant::now();
        let deadline = began + PATIENCE;
        // The counters are read while shards still answer.
        let shards = in_time(deadline, saved_counters(self.control)).await??;
        let frozen = self.control.now();
        self.control.phase.send_replace(Phase::UnderWay);
        if let Err(late) = in_time(deadline, self.control.accepts_no_more()).await {
            // The acceptor waits for a shard.
            self.control.phase.send_replace(Phase::Here);
            return Err(late);
        }
        let (mut handover, commands) = Handover::begin(coordinator.next_number(), self.shards);
        (self.send)(commands).await;
        while !handover.is_ready() {
            let answer = match in_time(deadline, self.answers.recv()).await {
                Ok(answer) => answer,
                Err(late) => {
                    self.put_back(handover).await;
                    return Err(late);
                }
            };
            let Some((shard, answer)) = answer else { return Err(NotFrozen::Stopped) };
            debug!(%shard, answer = answer.name(), after = ?began.elapsed(), "everything leaves");
            (self.send)(handover.answered(shard, answer)).await;
        }
        let ledger = ledger(self.control, shards, frozen);
        match in_time(deadline, self.control.exported_link()).await {
            Ok(link) => {
                let (now, link) = (self.control.now(), link?);
                handover.hold_late(now);
                Ok(Estate { handover, now, ledger, link })
            }
            Err(late) => {
                self.put_back(handover).await;
                Err(late)
            }
        }
    }

    /// Puts all connections and tables back.
    pub(crate) async fn thaw(&mut self, estate: Estate) {
        self.put_back(estate.handover).await;
    }

    async fn put_back(&mut self, mut handover: Handover<Mover>) {
        (self.send)(handover.give_up()).await;
        while !handover.is_over() {
            let Some((shard, answer)) = self.answers.recv().await else { return };
            (self.send)(handover.answered(shard, answer)).await;
        }
        self.control.phase.send_replace(Phase::Here);
    }
}

/// What a shard or the acceptor answers, if that comes by the deadline.
async fn in_time<T>(deadline: Instant, answer: impl Future<Output = T>) -> Result<T, NotFrozen> {
    timeout_at(deadline, answer).await.map_err(|_| {
        warn!("a shard stands still, so its sessions cannot be handed over now");
        NotFrozen::Late(PATIENCE)
    })
}

/// The ledger that a reflector leaves to another process.
fn ledger(control: &Control, shards: Vec<Saved>, frozen: Moment) -> Ledger {
    let handovers = control.handovers.borrow();
    let refused = control.refused.read().reasons();
    Ledger {
        serial: control.serial(),
        drains: *control.drain.borrow(),
        serving: control.serving(),
        shards,
        refused: refused
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .chain(control.tls.saved())
            .collect(),
        since: handovers.sessions_since,
        generation: handovers.generation.saturating_add(1),
        frozen,
        blocks: control.config.borrow().settings.policy.blocks().clone(),
        diary: control.diary.pages(),
    }
}

/// The counters of each shard, of this process and of earlier ones.
async fn saved_counters(control: &Control) -> Result<Vec<Saved>, InspectError> {
    let mut all = Vec::new();
    for shard in 0..control.shards() {
        all.push(saved(control.metrics_of(shard).await?));
    }
    Ok(all)
}
