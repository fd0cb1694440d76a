//! The parts that the HTTP endpoints of the reflector and of the leaf share.
//!
//! * `process`: metrics of the process, which come from the system.
//! * `format`: the reference's forms of a table, in JSON and YAML; `date`: the date in them.
//! * `asked`: reads parameters; `answer`: the form of the APIs' answers; `listing`: the form of listings.
//! * `page`: the files that both pages share.
//! * `serve`: takes connections and bounds them; `entry`: decides which requests get an answer.
//!
//! All but `date`, `process` and `serve` are pure.
//!
//! Imports: http_guard, metrics, relaxed, sources, wire.

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

/// Paths of the liveness check; `/healthz` and `/health` are other names for it.
const LIVE: [&str; 3] = ["/livez", "/healthz", "/health"];
/// The path of the readiness check.
const READY: &str = "/readyz";

/// Whether a path is that of a health check.
pub(crate) fn is_health(path: &str) -> bool {
    LIVE.contains(&path) || path == READY
}

/// Answers the health checks.
pub(crate) fn health<S>(livez: MethodRouter<S>, readyz: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let router = Router::new().route(READY, readyz);
    LIVE.into_iter().fold(router, |router, path| router.route(path, livez.clone()))
}
