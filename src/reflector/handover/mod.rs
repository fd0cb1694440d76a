//! Everything that a reflector serves leaves it for another process, or comes from one.
//!
//! `crate::handover` speaks with the other process; here is what the reflector itself does about it:
//!
//! * [`Phase`] says whether sessions are served here. Accepting, the answers of shards to operators, settings
//!   and draining wait while they are not.
//! * `leave`: the balancer lets all connections and tables leave, as an [`Estate`], and puts them back.
//! * `listeners`: the listening sockets, which are opened, inherited and passed on.
//! * `arrive`: shards that have nothing yet take over what another process has left.
//! * `report` and `succeed`: operators see what became of handovers, and start them.
//! * `ledger`: what is neither a table nor a connection.

mod arrive;
mod leave;
mod ledger;
mod listeners;
mod report;
mod succeed;

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

pub(crate) use self::arrive::{Arrival, Legacy};
pub(in crate::reflector) use self::leave::{Leaving, Wish};
pub(crate) use self::ledger::Ledger;
pub(in crate::reflector) use self::listeners::Listeners;
pub(crate) use self::listeners::{Inherited, Listening, Use};
pub use self::report::{Handovers, Outcome, Report, Steps};
pub(in crate::reflector) use self::succeed::Succession;
use super::inspector::{Detail, InspectError, Inspector};
use super::moves::Mover;
use crate::ids::{Moment, PeerId};
use crate::portable::form::piece::Kind;
use crate::shard::moves::Handover;
use crate::shard::snapshot;

/// Who serves the sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    /// This process.
    #[default]
    Here,
    /// Nobody, for as long as everything is on its way.
    UnderWay,
    /// Another process.
    Gone,
}

/// Why not everything could leave.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum NotFrozen {
    /// A shard did not do its part in time.
    #[error("a shard did not let its sessions go within {0:?}")]
    Late(Duration),
    /// It stops.
    #[error("the reflector stops")]
    Stopped,
}

impl From<InspectError> for NotFrozen {
    fn from(InspectError::Stopped: InspectError) -> Self {
        Self::Stopped
    }
}

/// Everything that has left a reflector's shards. Give it back by [`Inspector::thaw`], or say that another
/// process has it by [`Inspector::handed_over`]; dropped, it ends all sessions.
#[derive(Debug)]
pub(crate) struct Estate {
    handover: Handover<Mover>,
    now: Moment,
    ledger: Ledger,
    /// What the link has agreed with other sites.
    link: Vec<Kind>,
}

impl Estate {
    /// What is neither a table nor a connection.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The sockets of all connections, with their numbers, the other ends, and how they are logged.
    pub(crate) fn sockets(
        &self,
    ) -> impl Iterator<Item = (PeerId, SocketAddr, Option<Detail>, BorrowedFd<'_>)> {
        let connections = self.handover.connections();
        connections.map(|it| (it.peer(), it.remote(), it.followed(), it.socket().as_fd()))
    }

    /// Gives the pieces of a snapshot to `each`, in order. Cost: a few hundred ns per route.
    pub(crate) fn snapshot(&self, each: &mut impl FnMut(Kind)) {
        let connections = self.handover.connections().map(Mover::traveller);
        snapshot(self.now, connections, &self.link, self.handover.tables(), each);
    }
}

impl Inspector {
    /// What the clock of all moments says.
    pub(crate) fn now(&self) -> Moment {
        self.control.now()
    }

    /// Who serves the sessions.
    pub(crate) fn phase(&self) -> Phase {
        *self.control.phase.borrow()
    }

    /// Waits until sessions are served here. Never ends when another process has them.
    pub(crate) async fn serves(&self) {
        let mut phase = self.control.phase.subscribe();
        if phase.wait_for(|phase| *phase == Phase::Here).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until sessions are not served here.
    pub(crate) async fn serves_no_more(&self) {
        let mut phase = self.control.phase.subscribe();
        phase.wait_for(|phase| *phase != Phase::Here).await.ok();
    }

    /// Lets everything leave. Blocks, at most some seconds. Sessions wait from then on; no peer is told.
    ///
    /// # Errors
    /// [`NotFrozen`]; sessions are served as before then.
    pub(crate) fn freeze(&self) -> Result<Estate, NotFrozen> {
        let (reply, answer) = oneshot::channel();
        let wishes = &self.control.wishes;
        wishes.blocking_send(Wish::Freeze(reply)).map_err(|_| NotFrozen::Stopped)?;
        answer.blocking_recv().map_err(|_| NotFrozen::Stopped)?
    }

    /// Serves everything again. Blocks until it is served.
    pub(crate) fn thaw(&self, estate: Estate) {
        let (reply, answer) = oneshot::channel();
        let wish = Wish::Thaw(Box::new(estate), reply);
        if self.control.wishes.blocking_send(wish).is_ok() {
            answer.blocking_recv().ok();
        }
    }

    /// A process has asked to take over.
    pub(crate) fn handover_begins(&self) {
        self.control.handovers.send_modify(|handovers| {
            handovers.attempts += 1;
            handovers.is_under_way = true;
        });
    }

    /// What became of a handover.
    pub(crate) fn handover_ended(&self, report: Report) {
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

    /// Another process has everything: its descriptors are closed here, which ends no connection.
    pub(crate) fn handed_over(&self, estate: Estate) {
        self.control.phase.send_replace(Phase::Gone);
        drop(estate);
    }
}
