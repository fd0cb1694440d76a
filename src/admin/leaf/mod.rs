//! The leaf's HTTP endpoint: a page, health, metrics, its routes in the forms of the reference, and an
//! API.
//!
//! Runs where [`Http::serve`] is awaited and asks the leaf like anybody else. Read-only, and keeps
//! nothing.

mod api;
mod dump;
mod metrics;
mod page;
mod readiness;
mod sources;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::admin::server::health;
use crate::admin::server::serve::serve;
use crate::client::{Error, MetalBond, SyncWatch};
use api::ApiError;
use sources::{Kernel, STUCK, Sources};

/// The HTTP endpoint of a leaf.
#[derive(Clone, Debug)]
pub struct Http {
    leaf: MetalBond,
    kernel: Option<Kernel>,
}

impl Http {
    /// An endpoint that tells of a leaf.
    #[must_use]
    pub fn new(leaf: MetalBond) -> Self {
        Self { leaf, kernel: None }
    }

    /// One that also tells of its routes in the kernel.
    #[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
    #[must_use]
    pub fn with_kernel(self, kernel: crate::netlink::NetlinkStatus) -> Self {
        Self { kernel: Some(kernel), ..self }
    }

    /// Answers until dropped.
    ///
    /// # Errors
    /// [`Error::Stopped`], when the leaf has ended, as an error of I/O.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let Self { leaf, kernel } = self;
        let watch = leaf.watch_sync().await.map_err(std::io::Error::other)?;
        let router = health(get(livez), get(readyz))
            .route("/metrics", get(metrics::metrics))
            .route("/routes.json", get(dump::json))
            .route("/routes.yaml", get(dump::yaml))
            .merge(page::router())
            .method_not_allowed_fallback(async || ApiError::ReadOnly)
            .nest("/api/v1", api::router())
            .fallback(async || ApiError::NoPage)
            .with_state(Sources { leaf, kernel });
        tokio::select! {
            () = serve(listener, router) => Ok(()),
            () = end(watch) => Err(std::io::Error::other(Error::Stopped)),
        }
    }
}

/// Waits until the leaf ends, which a watch of it tells.
async fn end(mut watch: SyncWatch) {
    while watch.next().await.is_some() {}
}

/// 200 while the leaf answers within [`STUCK`], else 503.
async fn livez(State(sources): State<Sources>) -> (StatusCode, &'static str) {
    match tokio::time::timeout(STUCK, sources.leaf.peers()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the leaf does not answer\n"),
    }
}

/// 200 while the table of every VNI that is subscribed to is here whole, and a session is
/// established; else 503 saying what is missing.
async fn readyz(State(sources): State<Sources>) -> (StatusCode, String) {
    match tokio::time::timeout(STUCK, sources.missing()).await {
        Ok(Ok(None)) => (StatusCode::OK, "ok\n".to_owned()),
        Ok(Ok(Some(missing))) => (StatusCode::SERVICE_UNAVAILABLE, missing + "\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the leaf does not answer\n".to_owned()),
    }
}
