//! `/api/v1/`: the state of servers, VNIs, routes and the kernel, as JSON. Read-only.
//!
//! A request asks the leaf for long lists in parts, so no other request waits long. An answer is one page.

mod error;
mod explain;
mod kernel;
mod params;
mod routes;
mod servers;
mod vnis;

use axum::Router;
use axum::routing::get;

use crate::admin::leaf::sources::Sources;
pub(super) use error::ApiError;

pub(super) fn router() -> Router<Sources> {
    Router::new()
        .route("/servers", get(servers::list))
        .route("/vnis", get(vnis::list))
        .route("/routes", get(routes::list))
        .route("/kernel", get(kernel::status))
        .route("/kernel/vnis", get(kernel::vnis))
        .route("/explain", get(explain::explain))
        .fallback(async || ApiError::NoPage)
        .method_not_allowed_fallback(async || ApiError::ReadOnly)
}
