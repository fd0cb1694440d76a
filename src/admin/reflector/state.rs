//! The parts of the program from which requests are answered.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::live::history::History;
use super::verifier::Verified;
use crate::admin::upstream::ProxyUpstream;
use crate::inspector::Inspector;

/// How many sorted listings run at a time. Each asks the shards for everything there is, one slice
/// after the other; further listings wait for their turn.
const WALKS: usize = 4;

/// The sources of answers to requests.
#[derive(Clone, Debug)]
pub(super) struct AppState {
    pub(super) inspector: Inspector,
    pub(super) history: History,
    /// The latest comparison with the leaves that report.
    pub(super) verified: Verified,
    /// The upstream side of a proxy.
    pub(super) upstream: Option<ProxyUpstream>,
    walks: Arc<Semaphore>,
}

impl AppState {
    pub(super) fn new(
        inspector: Inspector,
        history: History,
        verified: Verified,
        upstream: Option<ProxyUpstream>,
    ) -> Self {
        Self { inspector, history, verified, upstream, walks: Arc::new(Semaphore::new(WALKS)) }
    }

    /// Waits for the permission to go through everything; dropping the result returns it.
    pub(super) async fn walk(&self) -> Option<SemaphorePermit<'_>> {
        // An error means that the semaphore is closed, and no code closes it.
        self.walks.acquire().await.ok()
    }
}

impl FromRef<AppState> for Inspector {
    fn from_ref(app: &AppState) -> Self {
        app.inspector.clone()
    }
}
