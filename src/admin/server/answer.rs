//! What answers of both APIs have in common, as JSON.

use std::fmt;
use std::net::IpAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::wire::NextHop;

#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// The reason why there is no answer, in one sentence.
pub(crate) fn refusal(status: StatusCode, sentence: &dyn fmt::Display) -> Response {
    (status, Json(Refusal { error: sentence.to_string() })).into_response()
}

/// The next hop of a route.
#[derive(Debug, Serialize)]
pub(crate) struct NextHopRow {
    address: IpAddr,
    target_vni: u32,
    r#type: &'static str,
    nat_from: u32,
    nat_to: u32,
}

impl From<NextHop> for NextHopRow {
    fn from(hop: NextHop) -> Self {
        let (nat_from, nat_to) = hop.nat_ports();
        Self {
            address: hop.address(),
            target_vni: hop.target_vni(),
            r#type: hop.kind().name(),
            nat_from,
            nat_to,
        }
    }
}
