//! The HTTP endpoint of a proxy: that of a reflector, which shows agents and the tables as they get them, and
//! below `/upstream/` that of a leaf, which shows the sessions with reflectors and what these have.
//!
//! Runs where [`ProxyHttp::serve`] is awaited. Read-only.

use std::io;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;

use super::leaf::{Http, Sources};
use super::reflector;
use super::server::entry::EntryRule;
use super::server::serve::serve;
use super::upstream::ProxyUpstream;
use crate::client::Error;
use crate::http_guard::HttpGuard;
use crate::inspector::Inspector;
use crate::proxy::Proxy;

/// The path of the leaf's pages.
const PATH: &str = "/upstream/";

/// The HTTP endpoint of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyHttp {
    inspector: Inspector,
    leaf: Http,
    upstream: ProxyUpstream,
    guard: HttpGuard,
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
            upstream: ProxyUpstream { sources, status: proxy.statuses() },
        }
    }

    /// Answers requests until the future is dropped or the proxy ends.
    ///
    /// # Errors
    /// [`Error::Stopped`] as an I/O error, if the proxy has ended.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let ends = self.leaf.ended().await?;
        let (pages, recorder) = reflector::pages(self.inspector, Some(self.upstream));
        let router = Router::new()
            .route(PATH.trim_end_matches('/'), get(async || Redirect::permanent(PATH)))
            .nest_service(PATH, self.leaf.router())
            .fallback_service(pages);
        tokio::select! {
            () = serve(listener, EntryRule::Bearing(self.guard), router) => Ok(()),
            () = recorder => Ok(()),
            () = ends => Err(io::Error::other(Error::Stopped)),
        }
    }
}
