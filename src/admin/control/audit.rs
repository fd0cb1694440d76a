//! Log lines about each request over the control sockets: its caller, its path, its outcome.

use axum::Router;
use axum::extract::{Extension, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::{debug, info};

use crate::admin::server::serve::Caller;
use crate::control::AUDIT;

/// The most characters shown of a request's path, and of its parameters.
const SHOWN: usize = 500;

/// Logs each request to these pages: commands under [`AUDIT`], and reads at level debug.
pub(super) fn audited(pages: Router) -> Router {
    pages.layer(from_fn(audit))
}

/// Logs one line before a command, so that a command without an outcome is known too, and one with the outcome.
async fn audit(caller: Option<Extension<Caller>>, request: Request, next: Next) -> Response {
    let (uid, pid) = caller.map_or((None, None), |Extension(it)| (Some(it.uid), it.pid));
    let path = request.uri().path().chars().take(SHOWN).collect::<String>();
    let asked: String = request.uri().query().unwrap_or_default().chars().take(SHOWN).collect();
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        debug!(uid, pid, path, asked, "asked over the control socket");
        return next.run(request).await;
    }
    info!(target: AUDIT, uid, pid, path, asked, "command over the control socket");
    let answer = next.run(request).await;
    let status = answer.status().as_u16();
    info!(target: AUDIT, uid, pid, path, status, "answered a command over the control socket");
    answer
}
