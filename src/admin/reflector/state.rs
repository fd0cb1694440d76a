//! The parts of the program from which requests are answered.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::live::history::History;
use super::verifier::Verified;
use crate::admin::upstream::ProxyUpstream;
use crate::inspector::Inspector;

/// Listings that are sorted at a time. Each asks the shards for everything there is, one slice
/// after the other; more of them wait for their turn.
const WALKS: usize = 4;

/// What requests are answered from.
#[derive(Clone, Debug)]
pub(super) struct AppState {
    pub(super) inspector: Inspector,
    pub(super) history: History,
    /// What leaves came to that report.
    pub(super) verified: Verified,
    /// In a proxy, its other side.
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

    /// Waits for leave to go through everything; it ends when what is returned is dropped.
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
