//! The routes that the leaf knows, in the forms of the reference. The dump asks the leaf for some routes, sends them, and
//! asks for the next. The reflector's dump walks the places of a table, so both share only the formats.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::api::ApiError;
use super::sources::Sources;
use crate::admin::server::asked;
use crate::admin::server::date;
use crate::admin::server::format::{DumpFormat, Json, Yaml};
use crate::client::{Error, MetalBond, Route};
use crate::wire::{DestinationInfo, Vni};

/// The most routes requested from the leaf at once.
const PART: usize = 512;
/// The most next hops shown for one destination.
const NEXT_HOPS_MAX: usize = 4096;

/// The known parameters. Other parameters are ignored, as the reference ignores them.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    vni: Option<String>,
}

type Asked = Result<Query<Which>, QueryRejection>;

pub(super) async fn json(sources: State<Sources>, which: Asked) -> Result<Response, ApiError> {
    respond(sources, which, Json::default()).await
}

pub(super) async fn yaml(sources: State<Sources>, which: Asked) -> Result<Response, ApiError> {
    respond(sources, which, Yaml::default()).await
}

async fn respond<F: DumpFormat>(
    State(Sources { leaf, .. }): State<Sources>,
    which: Asked,
    format: F,
) -> Result<Response, ApiError> {
    let only = which?.0.vni.map(|text| asked::vni("vni", &text)).transpose()?;
    let mut dump = Dump { leaf, format, only, group: None, at: At::Start };
    // An error at the beginning becomes the answer.
    let first = dump.part().await?;
    let chunks = stream::try_unfold((first, dump), |(first, mut dump)| async {
        let text = match first {
            Some(text) => Some(text),
            None => dump.part().await?,
        };
        Ok::<_, Error>(text.map(|text| (text, (None, dump))))
    });
    Ok(([(CONTENT_TYPE, F::CONTENT_TYPE)], Body::from_stream(chunks)).into_response())
}

/// How far a dump has come.
#[derive(Debug)]
enum At {
    Start,
    /// The routes of a VNI after a route, or from the first.
    Vni(Vni, Option<Route>),
    End,
}

#[derive(Debug)]
struct Dump<F> {
    leaf: MetalBond,
    format: F,
    /// The only VNI to dump, if any.
    only: Option<Vni>,
    /// The last destination read, which may have more next hops.
    group: Option<DestinationInfo>,
    at: At,
}

impl<F: DumpFormat> Dump<F> {
    /// The next part of the text; `None` at the end.
    async fn part(&mut self) -> Result<Option<String>, Error> {
        let mut text = String::new();
        // Some VNIs have no routes, and an empty part would end the answer.
        while text.is_empty() {
            match self.at {
                At::End => return Ok(None),
                At::Start => {
                    self.format.begin(&mut text, &date::now());
                    self.at = vni_behind(&self.leaf, self.only, None).await?;
                }
                At::Vni(vni, after) => self.routes(&mut text, vni, after).await?,
            }
            if matches!(self.at, At::End) {
                self.format.end(&mut text);
            }
        }
        Ok(Some(text))
    }

    async fn routes(
        &mut self,
        text: &mut String,
        vni: Vni,
        after: Option<Route>,
    ) -> Result<(), Error> {
        let part = match self.leaf.route_statuses(vni, None, after, PART).await {
            // The leaf has unsubscribed meanwhile.
            Err(Error::NotSubscribed(_)) => Vec::new(),
            part => part?,
        };
        let is_last = part.len() < PART;
        let last = part.last().map(|row| row.route);
        for Route { destination, next_hop, .. } in part.into_iter().map(|row| row.route) {
            match &mut self.group {
                Some(group) if group.destination == destination => {
                    if group.next_hops.len() < NEXT_HOPS_MAX {
                        group.next_hops.push(next_hop);
                    }
                }
                group => {
                    let next = DestinationInfo { destination, next_hops: vec![next_hop] };
                    if let Some(mut whole) = group.replace(next) {
                        self.format.destination(text, vni, &mut whole);
                    }
                }
            }
        }
        if !is_last {
            self.at = At::Vni(vni, last);
            return Ok(());
        }
        if let Some(mut whole) = self.group.take() {
            self.format.destination(text, vni, &mut whole);
        }
        self.at = vni_behind(&self.leaf, self.only, Some(vni)).await?;
        Ok(())
    }
}

/// The next VNI after `last`; of all VNIs, or only `only`.
async fn vni_behind(leaf: &MetalBond, only: Option<Vni>, last: Option<Vni>) -> Result<At, Error> {
    let after = match (only, last) {
        (Some(_), Some(_)) | (_, Some(Vni(u32::MAX))) => return Ok(At::End),
        (Some(Vni(0)), None) => None,
        (Some(only), None) => Some(Vni(only.0 - 1)),
        (None, last) => last,
    };
    let next = leaf.vni_statuses(after, 1).await?;
    let next = next.first().map(|status| status.vni);
    let next = next.filter(|next| only.is_none_or(|only| only == *next));
    Ok(next.map_or(At::End, |vni| At::Vni(vni, None)))
}
