//! Hands routes to a [`NetworkClient`].
//!
//! State: what was refused and is to be offered again. One task owns the client, asks the actor for
//! the next batch when the one before is done, and so gets what changed meanwhile as one.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::{NetworkClient, Retry, Route};
use crate::wire::{Action, Update, Vni};

/// A refused change is offered again after this, then after twice as long each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long, at the leaf's end, a call may take that is under way.
const CALL_TIME: Duration = Duration::from_secs(10);
/// How long the client's own end may take: it may have a million routes to remove.
const STOP_TIME: Duration = Duration::from_secs(60);
/// Refusals logged of one batch; of the others only the number.
const LOGGED_MAX: usize = 3;

/// What the dataplane is handed at once.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) changes: Vec<Update>,
    /// VNIs that are complete once `changes` are made.
    pub(super) complete: Vec<Vni>,
}

/// The actor's end.
#[derive(Debug)]
pub(super) struct Driver {
    questions: mpsc::Receiver<oneshot::Sender<Batch>>,
    /// Closed when the client's own end begins.
    ending: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

impl Driver {
    pub(super) fn start(client: impl NetworkClient) -> Self {
        let (sender, questions) = mpsc::channel(1);
        let (begun, ending) = oneshot::channel();
        let task = tokio::spawn(run(client, sender, begun));
        Self { questions, ending, task }
    }

    /// Somebody waits for the next batch; `None` when the task has ended.
    pub(super) async fn question(&mut self) -> Option<oneshot::Sender<Batch>> {
        self.questions.recv().await
    }

    /// Ends the task: the call that is under way is waited for, then the client's own end;
    /// but not for ever.
    pub(super) async fn stop(self) {
        let Self { questions, ending, mut task } = self;
        drop(questions);
        let ended = async {
            // Either way it is closed: there is nothing to be said.
            drop(timeout(CALL_TIME, ending).await.ok()?);
            timeout(STOP_TIME, &mut task).await.ok()
        };
        match ended.await {
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(%error, "the network client failed"),
            None => {
                warn!("the network client does not end; it is left behind");
                task.abort();
            }
        }
    }
}

/// A change to be offered again.
#[derive(Debug)]
struct Refused {
    action: Action,
    at: Instant,
    pause: Duration,
}

async fn run(
    mut client: impl NetworkClient,
    questions: mpsc::Sender<oneshot::Sender<Batch>>,
    ending: oneshot::Sender<()>,
) {
    let mut refused: BTreeMap<Route, Refused> = BTreeMap::new();
    'asking: loop {
        let (question, mut answer) = oneshot::channel();
        if questions.send(question).await.is_err() {
            break;
        }
        let batch = loop {
            let due = refused.values().map(|refused| refused.at).min();
            tokio::select! {
                batch = &mut answer => match batch {
                    Ok(batch) => break batch,
                    Err(_) => break 'asking,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let again = due_again(&refused);
                    offer(&mut client, &again, &mut refused).await;
                }
            }
        };
        for change in &batch.changes {
            refused.remove(&Route::from(*change));
        }
        if !batch.changes.is_empty() {
            offer(&mut client, &batch.changes, &mut refused).await;
        }
        for vni in batch.complete {
            client.complete(vni).await;
        }
    }
    drop(ending);
    client.stop().await;
}

fn due_again(refused: &BTreeMap<Route, Refused>) -> Vec<Update> {
    let now = Instant::now();
    let due = refused.iter().filter(|(_, refused)| refused.at <= now);
    let mut due: Vec<_> = due.map(|(route, refused)| route.update(refused.action)).collect();
    // As at the first offer: of each destination, removals come first.
    due.sort_by_key(|change| (change.vni, change.destination, change.action == Action::Add));
    due
}

/// Makes changes; notes those that are to be offered again, each after its pause.
async fn offer(
    client: &mut impl NetworkClient,
    changes: &[Update],
    refused: &mut BTreeMap<Route, Refused>,
) {
    let mut results = client.apply(changes).await.into_iter();
    let mut failed = 0;
    for change in changes {
        let route = Route::from(*change);
        let before = refused.remove(&route);
        let Some(Err(error)) = results.next() else { continue };
        // Who retries by itself also tells by itself.
        if error.retry != Retry::Own {
            failed += 1;
            if failed <= LOGGED_MAX {
                warn!(%route, action = ?change.action, %error, "a route was refused");
            }
        }
        if error.retry == Retry::Offer {
            let pause = before.map_or(RETRY_MIN, |before| (before.pause * 2).min(RETRY_MAX));
            let at = Instant::now() + pause;
            refused.insert(route, Refused { action: change.action, at, pause });
        }
    }
    if failed > LOGGED_MAX {
        warn!(more = failed - LOGGED_MAX, "more routes were refused");
    }
}
