//! Watches: streams of changes. Each begins with the present state.
//!
//! A watch that is not read for a while loses nothing, and costs memory for the difference alone: opposite
//! changes cancel out, and of states only the newest is kept. A watch keeps the leaf running, as a
//! handle does, and ends when the leaf is shut down.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;

use super::changes::{PeerChange, RouteBatch, SyncChange};
use super::core::WatchId;
use super::messages::{LeafCommand, Reply};

/// Waits for room in the actor's queue of commands; `None` once the leaf is shut down.
type Waiting = Pin<Box<dyn Future<Output = Option<OwnedPermit<LeafCommand>>> + Send + Sync>>;

/// One question to the actor.
struct Puller<T> {
    id: WatchId,
    commands: mpsc::Sender<LeafCommand>,
    /// The wait for room for a question while the queue of commands is full.
    place: Option<Waiting>,
    asked: Option<oneshot::Receiver<T>>,
    _alive: Arc<()>,
}

impl<T> Puller<T> {
    fn new(id: WatchId, commands: mpsc::Sender<LeafCommand>, alive: Arc<()>) -> Self {
        Self { id, commands, place: None, asked: None, _alive: alive }
    }

    /// The answer to the pending question, or to a new one. A question stays pending until its answer is polled, so no
    /// change is lost.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl Fn(WatchId, Reply<T>) -> LeafCommand,
    ) -> Poll<Option<T>> {
        loop {
            if let Some(asked) = &mut self.asked {
                let answer = ready!(Pin::new(asked).poll(cx));
                self.asked = None;
                return Poll::Ready(answer.ok());
            }
            let Some(permit) = ready!(self.poll_place(cx)) else { return Poll::Ready(None) };
            let (reply, answer) = oneshot::channel();
            permit.send(ask(self.id, reply));
            self.asked = Some(answer);
        }
    }

    fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<Option<OwnedPermit<LeafCommand>>> {
        if let Some(place) = &mut self.place {
            let permit = ready!(place.as_mut().poll(cx));
            self.place = None;
            return Poll::Ready(permit);
        }
        match self.commands.clone().try_reserve_owned() {
            Ok(permit) => Poll::Ready(Some(permit)),
            Err(TrySendError::Closed(_)) => Poll::Ready(None),
            Err(TrySendError::Full(commands)) => {
                let place = async move { commands.reserve_owned().await.ok() };
                let place = self.place.insert(Box::pin(place));
                let permit = ready!(place.as_mut().poll(cx));
                self.place = None;
                Poll::Ready(permit)
            }
        }
    }
}

impl<T> fmt::Debug for Puller<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Puller").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Gives up the wait for room if the caller stops polling: others wait for room too.
struct GivesUp<'a, T>(&'a mut Puller<T>);

impl<T> Drop for GivesUp<'_, T> {
    fn drop(&mut self) {
        self.0.place = None;
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
                Self(Puller::new(id, commands, alive))
            }

            /// Waits until something has changed since the last call, and returns the changes. Returns `None` once
            /// the leaf is shut down. Cancel safe: if you drop the future, the next call returns what it would
            /// have returned.
            pub async fn next(&mut self) -> Option<$item> {
                let puller = GivesUp(&mut self.0);
                poll_fn(|cx| puller.0.poll(cx, |id, reply| LeafCommand::$pull { id, reply })).await
            }
        }

        /// The items are those of `next`. If you stop polling a pending stream while the leaf's queue of commands is
        /// full, the stream may keep a place in that queue: drop it or go on polling.
        impl Stream for $name {
            type Item = $item;

            fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<$item>> {
                self.0.poll(cx, |id, reply| LeafCommand::$pull { id, reply })
            }
        }
    };
}

watch! {
    /// A watch of routes: a snapshot, then changes. A batch has at most about 4096 changes. The first batch
    /// comes at once, even if it is empty.
    RouteWatch by PullRoutes yields RouteBatch
}
watch! {
    /// A watch of servers' states: first all of them, then the states that change.
    PeerWatch by PullPeers yields Vec<PeerChange>
}
watch! {
    /// A watch of complete tables, by server and VNI: first the complete tables, then changes.
    SyncWatch by PullSync yields Vec<SyncChange>
}
