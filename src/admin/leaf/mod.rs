//! The leaf's HTTP endpoint: a page, health, metrics, its routes in the forms of the reference, and an API.
//!
//! It runs in the task that awaits [`Http::serve`], and asks the leaf as any application does. It changes nothing and
//! keeps no state.

mod api;
mod dump;
#[cfg_attr(
    not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))),
    path = "kernel_absent.rs"
)]
mod kernel;
mod kernel_rows;
mod metrics;
mod page;
mod readiness;
mod sources;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::admin::control::{self, Socket as ControlSocket};
use crate::admin::server::entry::EntryRule;
use crate::admin::server::health;
use crate::admin::server::serve::serve;
use crate::client::{Error, MetalBond, SyncWatch};
use crate::http_guard::HttpGuard;
use api::ApiError;
use kernel::Kernel;
use sources::STUCK;

pub(super) use sources::Sources;

/// The HTTP endpoint of a leaf.
#[derive(Clone, Debug)]
pub struct Http {
    leaf: MetalBond,
    kernel: Option<Kernel>,
    guard: HttpGuard,
}

impl Http {
    /// An endpoint for a leaf.
    #[must_use]
    pub fn new(leaf: MetalBond) -> Self {
        Self { leaf, kernel: None, guard: HttpGuard::default() }
    }

    /// Adds the leaf's routes in the kernel.
    #[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
    #[must_use]
    pub fn with_kernel(self, kernel: crate::netlink::NetlinkStatus) -> Self {
        Self { kernel: Some(kernel), ..self }
    }

    /// Sets the check of requests.
    #[must_use]
    pub fn with_guard(self, guard: HttpGuard) -> Self {
        Self { guard, ..self }
    }

    /// Answers requests until the future is dropped or the leaf ends.
    ///
    /// # Errors
    /// [`Error::Stopped`] as an I/O error, if the leaf has ended.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let (ended, guard) = (self.ended().await?, self.guard.clone());
        tokio::select! {
            () = serve(listener, EntryRule::Bearing(guard), self.router()) => Ok(()),
            () = ended => Err(std::io::Error::other(Error::Stopped)),
        }
    }

    /// The router of all pages.
    pub(super) fn router(self) -> Router {
        let Self { leaf, kernel, .. } = self;
        health(get(livez), get(readyz))
            .route("/metrics", get(metrics::metrics))
            .route("/routes.json", get(dump::json))
            .route("/routes.yaml", get(dump::yaml))
            .merge(page::router())
            .method_not_allowed_fallback(async || ApiError::ReadOnly)
            .nest("/api/v1", api::router())
            .fallback(async || ApiError::NoPage)
            .with_state(Sources { leaf, kernel })
    }

    /// Answers all requests over a control socket, without a token, until the future is dropped or the leaf ends. The
    /// mode and owner of the socket's file decide who may connect. Call it within a tokio runtime.
    ///
    /// # Errors
    /// As [`Http::serve`].
    pub async fn serve_control(self, socket: ControlSocket) -> std::io::Result<()> {
        let ended = self.ended().await?;
        tokio::select! {
            () = control::serve_leaf(socket, self.router()) => Ok(()),
            () = ended => Err(std::io::Error::other(Error::Stopped)),
        }
    }

    /// Answers requests for health and metrics alone, without a token, until the future is dropped or the leaf ends.
    ///
    /// # Errors
    /// As [`Http::serve`].
    pub async fn serve_health(self, listener: TcpListener) -> std::io::Result<()> {
        let ended = self.ended().await?;
        let Self { leaf, kernel, guard } = self;
        let router = health(get(livez), get(readyz))
            .route("/metrics", get(metrics::metrics))
            .method_not_allowed_fallback(async || ApiError::ReadOnly)
            .fallback(async || ApiError::NoPage)
            .with_state(Sources { leaf, kernel });
        tokio::select! {
            () = serve(listener, EntryRule::Named(guard), router) => Ok(()),
            () = ended => Err(std::io::Error::other(Error::Stopped)),
        }
    }

    /// Ends with the leaf.
    ///
    /// # Errors
    /// [`Error::Stopped`] as an I/O error, if the leaf has ended.
    pub(super) async fn ended(&self) -> std::io::Result<impl Future<Output = ()> + use<>> {
        let watch = self.leaf.watch_sync().await.map_err(std::io::Error::other)?;
        Ok(end(watch))
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

/// 200 while the leaf has a complete table of every subscribed VNI and a session is
/// established; else 503 with what is missing.
async fn readyz(State(sources): State<Sources>) -> (StatusCode, String) {
    match tokio::time::timeout(STUCK, sources.missing()).await {
        Ok(Ok(None)) => (StatusCode::OK, "ok\n".to_owned()),
        Ok(Ok(Some(missing))) => (StatusCode::SERVICE_UNAVAILABLE, missing + "\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the leaf does not answer\n".to_owned()),
    }
}
