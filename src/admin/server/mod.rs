//! What the HTTP endpoints of the reflector and of the leaf have in common: how things are written.
//!
//! `process` is what the system says of the process, as metrics; `format` is the
//! reference's forms of a table, in JSON and YAML, `date` the date in them; `asked` reads parameters
//! `answer` is how the APIs answer and `listing` how they list; `page` has what the pages share; `serve` takes connections and
//! bounds them; `entry` says which requests get an answer. Pure but for `date`, `process` and `serve`.
//!
//! Imports: http_guard, metrics, sources, wire.

pub(crate) mod answer;
pub(crate) mod asked;
pub(crate) mod date;
pub(crate) mod entry;
pub(crate) mod format;
pub(crate) mod listing;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod serve;

use axum::Router;
use axum::routing::MethodRouter;

/// Paths that ask whether the process lives; `/healthz` and `/health` are other names for it.
const LIVE: [&str; 3] = ["/livez", "/healthz", "/health"];
/// The path that asks whether it is ready.
const READY: &str = "/readyz";

/// Whether a path asks about health.
pub(crate) fn is_health(path: &str) -> bool {
    LIVE.contains(&path) || path == READY
}

/// Answers those paths.
pub(crate) fn health<S>(livez: MethodRouter<S>, readyz: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let router = Router::new().route(READY, readyz);
    LIVE.into_iter().fold(router, |router, path| router.route(path, livez.clone()))
}
