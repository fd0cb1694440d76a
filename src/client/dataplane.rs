//! Hands routes to a [`NetworkClient`].
//!
//! State: the routes that the client refused and that will be offered again. One task owns the client. It asks the
//! actor for the next batch when the previous one is done, so all changes that came meanwhile form one batch.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::{NetworkClient, Retry, Route, RouteError};
use crate::wire::{Action, Update, Vni};

/// A refused change is offered again after this, then after twice as long each time.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long, at the leaf's end, a call under way may take.
const CALL_TIME: Duration = Duration::from_secs(10);
/// How long the client's `stop` may take: it may have a million routes to remove.
const STOP_TIME: Duration = Duration::from_secs(60);
/// The most refusals logged in [`LOGGED_TIME`]; the log has only the number of further ones.
const LOGGED_MAX: usize = 3;
const LOGGED_TIME: Duration = Duration::from_secs(10);

/// What the dataplane gets at once.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) changes: Vec<Update>,
    /// VNIs that are complete once `changes` are made.
    pub(super) complete: Vec<Vni>,
}

/// The actor's end of the connection to the driver task.
#[derive(Debug)]
pub(super) struct Driver {
    questions: mpsc::Receiver<oneshot::Sender<Batch>>,
    /// Closed when the client's `stop` begins.
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

    /// The driver asks for the next batch; `None` when its task has ended.
    pub(super) async fn question(&mut self) -> Option<oneshot::Sender<Batch>> {
        self.questions.recv().await
    }

    /// Ends the task: waits for the call under way, then for the client's `stop`, each for
    /// a limited time.
    pub(super) async fn stop(self) {
        let Self { questions, ending, mut task } = self;
        drop(questions);
        let ended = async {
            // The sender is dropped without a message: either result means that `stop` has begun.
            drop(timeout(CALL_TIME, ending).await.ok()?);
            timeout(STOP_TIME, &mut task).await.ok()
        };
        match ended.await {
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(%error, "the network client failed"),
            None => {
                warn!("the network client does not end; the leaf stops waiting for it");
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
    let mut lines = Lines::default();
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
                () = until(due) => {
                    let again = due_again(&refused);
                    offer(&mut client, &again, &mut refused, &mut lines).await;
                }
                () = until(lines.due()) => lines.end(),
            }
        };
        for change in &batch.changes {
            refused.remove(&Route::from(*change));
        }
        if !batch.changes.is_empty() {
            offer(&mut client, &batch.changes, &mut refused, &mut lines).await;
        }
        for vni in batch.complete {
            client.complete(vni).await;
        }
    }
    lines.end();
    drop(ending);
    client.stop().await;
}

/// Waits until a moment; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The lately logged refusals: one route that comes and goes must not fill the log.
#[derive(Debug, Default)]
struct Lines {
    /// When the first of them was logged; `None` if none was logged lately.
    since: Option<Instant>,
    count: usize,
}

impl Lines {
    fn add(&mut self, route: &Route, action: Action, error: &RouteError) {
        let now = Instant::now();
        if self.due().is_some_and(|due| due <= now) {
            self.end();
        }
        if self.admits(now) {
            warn!(%route, ?action, %error, "a route was refused");
        }
    }

    /// Counts one more refusal; whether to log it.
    fn admits(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        self.count += 1;
        self.count <= LOGGED_MAX
    }

    /// When to log the number of the other refusals.
    fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + LOGGED_TIME)
    }

    fn end(&mut self) {
        match self.take_others() {
            0 => {}
            more => warn!(more, "more routes were refused"),
        }
    }

    /// The number of refusals that were not logged; begins anew.
    fn take_others(&mut self) -> usize {
        std::mem::take(self).count.saturating_sub(LOGGED_MAX)
    }
}

fn due_again(refused: &BTreeMap<Route, Refused>) -> Vec<Update> {
    let now = Instant::now();
    let due = refused.iter().filter(|(_, refused)| refused.at <= now);
    let mut due: Vec<_> = due.map(|(route, refused)| route.update(refused.action)).collect();
    // As at the first offer: removals of a destination come first.
    due.sort_by_key(|change| (change.vni, change.destination, change.action == Action::Add));
    due
}

/// Makes changes; notes the refused ones that are to be offered again, each after its pause.
async fn offer(
    client: &mut impl NetworkClient,
    changes: &[Update],
    refused: &mut BTreeMap<Route, Refused>,
    lines: &mut Lines,
) {
    let mut results = client.apply(changes).await.into_iter();
    for change in changes {
        let route = Route::from(*change);
        let before = refused.remove(&route);
        let Some(Err(error)) = results.next() else { continue };
        // A client that retries by itself also logs by itself.
        if error.retry != Retry::Own {
            lines.add(&route, change.action, &error);
        }
        if error.retry == Retry::Offer {
            let pause = before.map_or(RETRY_MIN, |before| (before.pause * 2).min(RETRY_MAX));
            let at = Instant::now() + pause;
            refused.insert(route, Refused { action: change.action, at, pause });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_without_end_are_a_few_lines_and_a_number() {
        let mut lines = Lines::default();
        let start = Instant::now();
        let logged = (0..1000).filter(|_| lines.admits(start)).count();
        assert_eq!(logged, LOGGED_MAX);
        assert_eq!(lines.due(), Some(start + LOGGED_TIME));
        assert_eq!(lines.take_others(), 1000 - LOGGED_MAX);
        assert_eq!(lines.due(), None);
        assert!(lines.admits(start + LOGGED_TIME));
        assert_eq!(lines.take_others(), 0);
    }
}
