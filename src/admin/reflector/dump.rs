//! The whole table in the forms of the reference: `/routes.json` and `/routes.yaml`.
//!
//! The dump asks for one slice of destinations, writes and sends it, and asks for the next slice when the reader has
//! room. So a million routes need no copy of the table, and a reader that stalls holds only a cursor. The dump is no
//! snapshot of one moment, but it contains each route that stays throughout exactly once.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::api::{ApiError, params};
use crate::admin::server::date;
use crate::admin::server::format::{DumpFormat, Json, Yaml};
use crate::inspector::Inspector;
use crate::inspector::walk::first_vnis_with_routes;
use crate::shard::inspect::Cursor;
use crate::threads::InspectError;
use crate::wire::Vni;

/// The most VNIs found by one listing, and held by a reader.
const VNIS: usize = 16_384;

/// The known parameters. Other parameters are ignored, as the reference ignores them.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    vni: Option<String>,
}

type Asked = Result<Query<Which>, axum::extract::rejection::QueryRejection>;

pub(super) async fn json(State(inspector): State<Inspector>, which: Asked) -> Response {
    respond(inspector, which, Json::default()).await.into_response()
}

pub(super) async fn yaml(State(inspector): State<Inspector>, which: Asked) -> Response {
    respond(inspector, which, Yaml::default()).await.into_response()
}

async fn respond<F: DumpFormat>(
    inspector: Inspector,
    which: Asked,
    format: F,
) -> Result<Response, ApiError> {
    let Query(Which { vni }) = which?;
    let (vnis, has_more) = match vni {
        Some(vni) => (vec![params::vni("vni", &vni)?], false),
        None => {
            let vnis = first_vnis_with_routes(&inspector, None, VNIS).await?;
            let has_more = vnis.len() == VNIS;
            (vnis, has_more)
        }
    };
    let dump = Dump { inspector, format, vnis: vnis.into_iter(), has_more, at: At::Start };
    let chunks = stream::try_unfold(dump, Dump::next);
    Ok(([(CONTENT_TYPE, F::CONTENT_TYPE)], Body::from_stream(chunks)).into_response())
}

/// How far a dump has come.
#[derive(Debug)]
enum At {
    Start,
    Vni(Vni, Cursor),
    End,
}

#[derive(Debug)]
struct Dump<F> {
    inspector: Inspector,
    format: F,
    vnis: std::vec::IntoIter<Vni>,
    /// There may be further VNIs.
    has_more: bool,
    at: At,
}

impl<F: DumpFormat> Dump<F> {
    /// The next part of the text.
    async fn next(mut self) -> Result<Option<(String, Self)>, InspectError> {
        let mut text = String::new();
        // Some parts are empty, and an empty chunk would end the answer.
        while text.is_empty() {
            match self.at {
                At::End => return Ok(None),
                At::Start => {
                    self.format.begin(&mut text, &date::now());
                    self.at = self.next_vni(None).await?;
                }
                At::Vni(vni, from) => {
                    let page = self.inspector.destinations(vni, from).await?;
                    for mut row in page.rows {
                        self.format.destination(&mut text, vni, &mut row);
                    }
                    self.at = match page.next {
                        Some(next) => At::Vni(vni, next),
                        None => self.next_vni(Some(vni)).await?,
                    };
                }
            }
            if matches!(self.at, At::End) {
                self.format.end(&mut text);
            }
        }
        Ok(Some((text, self)))
    }

    async fn next_vni(&mut self, last: Option<Vni>) -> Result<At, InspectError> {
        if self.vnis.as_slice().is_empty() && self.has_more {
            let vnis = first_vnis_with_routes(&self.inspector, last, VNIS).await?;
            self.has_more = vnis.len() == VNIS;
            self.vnis = vnis.into_iter();
        }
        Ok(self.vnis.next().map_or(At::End, |vni| At::Vni(vni, Cursor::default())))
    }
}
