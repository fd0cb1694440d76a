//! Network clients without a dataplane, for tests.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{NetworkClient, Route, RouteError};
use crate::wire::{Action, Update, Vni};

/// Accepts every change and does nothing.
#[derive(Clone, Copy, Default, Debug)]
pub struct DummyClient;

impl NetworkClient for DummyClient {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        vec![Ok(()); changes.len()]
    }
}

/// Records its calls, for tests. Clones share one record.
#[derive(Clone, Default, Debug)]
pub struct RecordingClient {
    shared: Arc<Shared>,
}

#[derive(Default, Debug)]
struct Shared {
    record: Mutex<Record>,
    changed: Notify,
}

/// The calls of a [`RecordingClient`] so far.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Record {
    /// The routes that were added and have not been removed.
    pub routes: BTreeSet<Route>,
    /// Every change, in order.
    pub changes: Vec<Update>,
    /// The VNIs that became complete, in order.
    pub complete: Vec<Vni>,
    /// Wrong changes: additions of a route that was there, and removals of a route that was not.
    pub faults: Vec<Update>,
    /// Whether the leaf has ended.
    pub stopped: bool,
}

impl RecordingClient {
    /// A copy of the record.
    #[must_use]
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    /// Waits until `wanted` returns true for the record; checks after every call.
    pub async fn until(&self, mut wanted: impl FnMut(&Record) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            if wanted(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A panic of another holder leaves valid plain data behind.
        self.shared.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Record)) {
        note(&mut self.lock());
        self.shared.changed.notify_waiters();
    }
}

impl NetworkClient for RecordingClient {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        self.note(|record| {
            for change in changes {
                let route = Route::from(*change);
                let sensible = match change.action {
                    Action::Add => record.routes.insert(route),
                    Action::Remove => record.routes.remove(&route),
                };
                if !sensible {
                    record.faults.push(*change);
                }
            }
            record.changes.extend_from_slice(changes);
        });
        vec![Ok(()); changes.len()]
    }

    async fn complete(&mut self, vni: Vni) {
        self.note(|record| record.complete.push(vni));
    }

    async fn stop(&mut self) {
        self.note(|record| record.stopped = true);
    }
}
