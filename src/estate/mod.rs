//! The part of a handover that concerns the reflector itself: everything that it serves leaves it for another process,
//! or arrives from one. `crate::handover` speaks with the other process.
//!
//! * [`Phase`] says whether this process serves sessions. While it does not, accepting, shards' answers to operators,
//!   new settings and draining wait.
//! * `leave`: the balancer lets all connections and tables leave, as an [`Estate`], and puts them back.
//! * `listeners`: the listening sockets, which are opened, inherited and passed on.
//! * `arrive`: shards that have nothing yet take over the estate of another process.
//! * `succeed`: an operator starts a process that takes over.
//!
//! Imports: config, control, diary, ids, inspector, io, metrics, portable, session, shard, threads.

mod arrive;
mod leave;
mod listeners;
mod succeed;

use tokio::sync::oneshot;

use crate::threads::{Estate, Handovers, NotFrozen, Phase, Wish};

pub(crate) use self::arrive::{Arrival, Legacy};
pub(crate) use self::leave::Leaving;
pub(crate) use self::listeners::Listeners;
pub(crate) use self::listeners::{Inherited, Listening, Use};
use crate::ids::Moment;
use crate::inspector::Inspector;
use crate::threads::{HandoverReport, Outcome};

impl Inspector {
    /// The present moment, by the clock that all threads share.
    pub(crate) fn now(&self) -> Moment {
        self.control.now()
    }

    /// The process that serves the sessions.
    pub(crate) fn phase(&self) -> Phase {
        *self.control.phase.borrow()
    }

    /// Waits until this process serves sessions. Never returns if another process has them.
    pub(crate) async fn serves(&self) {
        let mut phase = self.control.phase.subscribe();
        if phase.wait_for(|phase| *phase == Phase::Here).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this process does not serve sessions.
    pub(crate) async fn serves_no_more(&self) {
        let mut phase = self.control.phase.subscribe();
        phase.wait_for(|phase| *phase != Phase::Here).await.ok();
    }

    /// Lets all connections and tables leave. Blocks, at most some seconds. From then on sessions wait; peers get no
    /// message.
    ///
    /// # Errors
    /// [`NotFrozen`]; then sessions are served as before.
    pub(crate) fn freeze(&self) -> Result<Estate, NotFrozen> {
        let (reply, answer) = oneshot::channel();
        let wishes = &self.control.wishes;
        wishes.blocking_send(Wish::Freeze(reply)).map_err(|_| NotFrozen::Stopped)?;
        answer.blocking_recv().map_err(|_| NotFrozen::Stopped)?
    }

    /// Puts everything back. Blocks until sessions are served again.
    pub(crate) fn thaw(&self, estate: Estate) {
        let (reply, answer) = oneshot::channel();
        let wish = Wish::Thaw(Box::new(estate), reply);
        if self.control.wishes.blocking_send(wish).is_ok() {
            answer.blocking_recv().ok();
        }
    }

    /// Records that a process has asked to take over.
    pub(crate) fn handover_begins(&self) {
        self.control.handovers.send_modify(|handovers| {
            handovers.attempts += 1;
            handovers.is_under_way = true;
        });
    }

    /// Records the result of a handover.
    pub(crate) fn handover_ended(&self, report: HandoverReport) {
        self.control.handovers.send_modify(|handovers| {
            handovers.called_off += u64::from(report.outcome == Outcome::CalledOff);
            handovers.is_under_way = false;
            handovers.latest = Some(report);
        });
    }

    /// Waits while a handover is in progress. Never returns if another process has taken over.
    pub async fn no_handover(&self) {
        let mut handovers = self.control.handovers.subscribe();
        handovers.wait_for(|handovers| !handovers.is_under_way).await.ok();
        self.serves().await;
    }

    /// The handovers so far.
    #[must_use]
    pub fn handovers(&self) -> Handovers {
        self.control.handovers.borrow().clone()
    }

    /// Another process has everything: closes this process's descriptors, which ends no connection.
    pub(crate) fn handed_over(&self, estate: Estate) {
        self.control.phase.send_replace(Phase::Gone);
        drop(estate);
    }
}
