//! The HTTP endpoint: liveness.
//!
//! Runs on a thread of its own and reads gauges only, so that no request can disturb a shard.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::oneshot;

use super::driver::Gauge;

/// A shard that has not turned its loop for so long is stuck.
const STUCK: Duration = Duration::from_secs(2);

/// What the endpoint may look at.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) began: Instant,
    pub(super) gauges: Vec<Arc<Gauge>>,
}

impl Sources {
    /// Shards that have not turned their loop within [`STUCK`].
    pub(super) fn stuck(&self) -> Vec<u32> {
        let now = self.began.elapsed();
        let is_stuck = |gauge: &Gauge| {
            let ticked = Duration::from_millis(gauge.ticked.load(Ordering::Relaxed));
            now.saturating_sub(ticked) > STUCK
        };
        (0..).zip(&self.gauges).filter(|(_, gauge)| is_stuck(gauge)).map(|(id, _)| id).collect()
    }
}

/// Serves until `stop` is dropped. On its own thread.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: TcpListener,
    sources: Sources,
    stop: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let app = Router::new().route("/livez", get(livez)).with_state(sources);
        let serve = axum::serve(listener, app);
        tokio::select! {
            _ = serve.into_future() => {}
            _ = stop => {}
        }
    });
}

/// 200 while every shard has turned its loop within [`STUCK`], else 503 naming those that have not.
async fn livez(State(sources): State<Sources>) -> (StatusCode, String) {
    let stuck = sources.stuck();
    if stuck.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        let stuck: Vec<_> = stuck.iter().map(u32::to_string).collect();
        (StatusCode::SERVICE_UNAVAILABLE, format!("stuck shards: {}\n", stuck.join(", ")))
    }
}

use std::future::IntoFuture as _;
