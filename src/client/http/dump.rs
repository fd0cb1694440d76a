//! The routes that the leaf knows, in the forms of the reference: VNI by VNI, each sent before the
//! next is asked for.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::Sources;
use crate::client::{Error, MetalBond};
use crate::http::date;
use crate::http::form::{Form, Json, Yaml};
use crate::shard::inspect::DestinationInfo;
use crate::wire::Vni;

/// What may be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    vni: Option<u32>,
}

pub(super) async fn json(sources: State<Sources>, which: Query<Which>) -> Response {
    respond(sources, which, Json::default()).await
}

pub(super) async fn yaml(sources: State<Sources>, which: Query<Which>) -> Response {
    respond(sources, which, Yaml::default()).await
}

async fn respond<F: Form>(
    State(sources): State<Sources>,
    Query(which): Query<Which>,
    form: F,
) -> Response {
    let Ok(mut vnis) = sources.leaf.subscribed_vnis().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the leaf has ended\n").into_response();
    };
    vnis.retain(|vni| which.vni.is_none_or(|wanted| wanted == vni.0));
    let dump = Dump { leaf: sources.leaf, form, vnis: Some(vnis.into_iter()), has_begun: false };
    let chunks = stream::try_unfold(dump, Dump::next);
    ([(CONTENT_TYPE, F::CONTENT_TYPE)], Body::from_stream(chunks)).into_response()
}

#[derive(Debug)]
struct Dump<F> {
    leaf: MetalBond,
    form: F,
    /// Those that are still to come; `None` at the end.
    vnis: Option<std::vec::IntoIter<Vni>>,
    has_begun: bool,
}

impl<F: Form> Dump<F> {
    /// The next part of the text.
    async fn next(mut self) -> Result<Option<(String, Self)>, Error> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            self.form.begin(&mut text, &date::now());
        }
        // Some VNIs have no routes, and an empty part would be the last.
        while text.is_empty() {
            let Some(vnis) = &mut self.vnis else { return Ok(None) };
            match vnis.next() {
                Some(vni) => self.vni(&mut text, vni).await?,
                None => {
                    self.vnis = None;
                    self.form.end(&mut text);
                }
            }
        }
        Ok(Some((text, self)))
    }

    async fn vni(&mut self, text: &mut String, vni: Vni) -> Result<(), Error> {
        let routes = self.leaf.routes(vni).await?;
        for group in routes.chunk_by(|one, next| one.destination == next.destination) {
            let next_hops = group.iter().map(|route| route.next_hop).collect();
            let mut row = DestinationInfo { destination: group[0].destination, next_hops };
            self.form.destination(text, vni, &mut row);
        }
        Ok(())
    }
}
