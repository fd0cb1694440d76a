//! What the HTTP endpoints of the reflector and of the leaf have in common: how things are written.
//!
//! `process` is what the system says of the process, as metrics; `form` is the
//! reference's forms of a table, in JSON and YAML, `date` the date in them; `asked` reads parameters
//! `answer` is how the APIs answer and `listing` how they list; `page` has what the pages share; `serve` takes connections and
//! bounds them. Pure but for `date`, `process` and `serve`.
//!
//! Imports: metrics, shard, sources, wire.

pub(crate) mod answer;
pub(crate) mod asked;
pub(crate) mod date;
pub(crate) mod form;
pub(crate) mod listing;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod serve;

/// Whether a path asks about health.
pub(crate) fn is_health(path: &str) -> bool {
    ["/livez", "/healthz", "/health", "/readyz"].contains(&path)
}
