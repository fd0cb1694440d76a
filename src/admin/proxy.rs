//! The HTTP endpoint of a proxy: that of a reflector, which shows agents and the tables as they get them, and
//! below `/upstream/` that of a leaf, which shows the sessions with reflectors and what these have.
//!
//! Runs where [`ProxyHttp::serve`] is awaited. Read-only.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::leaf::{Http, Sources};
use super::reflector;
use super::server::entry::Entry;
use super::server::serve::serve;
use crate::client::Error;
use crate::http_guard::HttpGuard;
use crate::inspector::Inspector;
use crate::proxy::{Proxy, ProxyStatus};

/// How long the leaf may take to answer before it counts as stuck.
const STUCK: Duration = Duration::from_secs(2);
/// Where the leaf's pages are.
const PATH: &str = "/upstream/";

/// The HTTP endpoint of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyHttp {
    inspector: Inspector,
    leaf: Http,
    upstream: Upstream,
    guard: HttpGuard,
}

/// What a reflector's pages tell of a proxy that it is in.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    sources: Sources,
    status: watch::Receiver<ProxyStatus>,
}

impl Upstream {
    /// What goes through.
    pub(super) fn status(&self) -> ProxyStatus {
        *self.status.borrow()
    }

    /// What is missing until agents are served the tables of reflectors.
    pub(super) async fn missing(&self) -> Option<String> {
        match timeout(STUCK, self.sources.missing()).await {
            Ok(Ok(missing)) => missing,
            _ => Some("the leaf does not answer".into()),
        }
    }

    /// Whether the leaf answers.
    pub(super) async fn is_alive(&self) -> bool {
        matches!(timeout(STUCK, self.sources.leaf.peers()).await, Ok(Ok(_)))
    }
}

impl ProxyHttp {
    /// An endpoint for a proxy.
    #[must_use]
    pub fn new(proxy: &Proxy) -> Self {
        let sources = Sources { leaf: proxy.leaf().clone(), kernel: None };
        Self {
            inspector: proxy.inspector(),
            leaf: Http::new(proxy.leaf().clone()),
            guard: proxy.http_guard(),
            upstream: Upstream { sources, status: proxy.statuses() },
        }
    }

    /// Answers requests until the future is dropped or the proxy ends.
    ///
    /// # Errors
    /// [`Error::Stopped`], when the proxy has ended, as an error of I/O.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let ends = self.leaf.ended().await?;
        let (pages, recorder) = reflector::pages(self.inspector, Some(self.upstream));
        let router = Router::new()
            .route(PATH.trim_end_matches('/'), get(async || Redirect::permanent(PATH)))
            .nest_service(PATH, self.leaf.router())
            .fallback_service(pages);
        tokio::select! {
            () = serve(listener, Entry::Bearing(self.guard), router) => Ok(()),
            () = recorder => Ok(()),
            () = ends => Err(io::Error::other(Error::Stopped)),
        }
    }
}
