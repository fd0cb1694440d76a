//! Streams of what changes. Each begins with what there is.
//!
//! A watch that is not asked for a while loses nothing and costs no more than what changed: opposite
//! changes cancel out, and of states only the newest is kept. A watch keeps the leaf running, as a
//! handle does, and ends when the leaf is shut down.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::changes::{PeerChange, RouteBatch, SyncChange};
use super::core::WatchId;
use super::messages::{LeafCommand, Reply};

/// One question under way to the actor.
#[derive(Debug)]
struct Puller<T> {
    id: WatchId,
    commands: mpsc::Sender<LeafCommand>,
    waiting: Option<oneshot::Receiver<T>>,
    _alive: Arc<()>,
}

impl<T> Puller<T> {
    /// Keeps the question when it is dropped in between, so that nothing is lost.
    async fn next(&mut self, ask: impl Fn(WatchId, Reply<T>) -> LeafCommand) -> Option<T> {
        if self.waiting.is_none() {
            let permit = self.commands.reserve().await.ok()?;
            let (reply, answer) = oneshot::channel();
            permit.send(ask(self.id, reply));
            self.waiting = Some(answer);
        }
        let answer = self.waiting.as_mut()?.await;
        self.waiting = None;
        answer.ok()
    }
}

macro_rules! watch {
    ($(#[$doc:meta])* $name:ident by $pull:ident yields $item:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Puller<$item>);

        impl $name {
            pub(super) fn new(
                id: WatchId,
                commands: mpsc::Sender<LeafCommand>,
                alive: Arc<()>,
            ) -> Self {
                Self(Puller { id, commands, waiting: None, _alive: alive })
            }

            /// What changed since it was asked last; waits until something has. `None` once the
            /// leaf is shut down. Nothing is lost when the future is dropped and asked for anew.
            pub async fn next(&mut self) -> Option<$item> {
                self.0.next(|id, reply| LeafCommand::$pull { id, reply }).await
            }
        }
    };
}

watch! {
    /// Routes: a snapshot, then changes. At most about 4096 changes at a time; the first answer
    /// comes at once, also when there is nothing yet.
    RouteWatch by PullRoutes yields RouteBatch
}
watch! {
    /// States of peers: all of them, then those that change.
    PeerWatch by PullPeers yields Vec<PeerChange>
}
watch! {
    /// Who is in sync in which VNI: those that are, then what changes.
    SyncWatch by PullSync yields Vec<SyncChange>
}
