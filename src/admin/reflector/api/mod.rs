//! `/api/v1/`: the answers of the inspector, as JSON. Read-only.
//!
//! * `params` and `wanted`: read the parameters of a request; `named`: finds sessions by their names.
//! * `rows` and `counts`: the rows of answers.
//! * `peers`, `closed`, `routes`, `shards`, `limits`, `policy`, `blocks`, `digests`, `verify`, `federation`, `proxy`,
//!   `handover`, `identity` and `events`: answer requests.
//! * `sorted`: finds the rows of a sorted page among all rows.

pub(in crate::admin) mod blocks;
mod closed;
mod counts;
mod digests;
pub(in crate::admin) mod error;
mod events;
mod federation;
mod handover;
mod identity;
mod limits;
pub(in crate::admin) mod named;
pub(in crate::admin) mod params;
mod peers;
pub(in crate::admin) mod policy;
mod proxy;
mod routes;
mod rows;
mod shards;
mod sorted;
mod verify;
mod wanted;

use axum::Router;
use axum::routing::get;

use super::live;
use super::others::Others;
use super::state::AppState;
use super::streams::Streams;
pub(in crate::admin) use error::ApiError;

pub(super) fn router() -> Router<AppState> {
    let (streams, others) = (Streams::default(), Others::default());
    Router::new()
        .route("/peers", get(peers::list))
        .route("/peers/{id}", get(peers::detail))
        .route("/closed", get(closed::list))
        .route("/recorder", get(closed::recorder))
        .route("/subscriptions", get(peers::subscriptions))
        .route("/explain", get(routes::explain))
        .route("/vnis", get(routes::vnis))
        .route("/vnis/{vni}", get(routes::vni))
        .route("/vnis/{vni}/routes", get(routes::list))
        .route("/vnis/{vni}/filtered", get(routes::filtered))
        .route("/routes", get(routes::search))
        .route("/routes/lookup", get(routes::lookup))
        .route("/counters", get(shards::counters))
        .route("/shards", get(shards::list))
        .route("/limits", get(limits::limits))
        .route("/digests", get(digests::list))
        .route("/verify", get(verify::list))
        .route("/policy", get(policy::policy))
        .route("/blocks", get(blocks::list))
        .route("/federation", get(federation::federation))
        .route("/proxy", get(proxy::proxy))
        .route("/handover", get(handover::handovers))
        .route("/reflector", get(identity::identity))
        .route("/reflectors", get(async move |state| others.list(state).await))
        .route(
            "/events",
            get(async move |state, asked| events::stream(&streams, state, asked).await),
        )
        .route("/history", get(live::history))
        .route("/live", get(live::live))
        .fallback(async || ApiError::NotFound("there is no such page".into()))
        .method_not_allowed_fallback(async || ApiError::ReadOnly)
}
