//! Reads parameters, which come as text, so every mistake is reported in the same words everywhere.

use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use thiserror::Error;

use crate::wire::{Destination, NextHop, NextHopType, Vni};

/// The beginning of every sentence of the query parser, which is of no use to the caller.
const PARSER: &str = "Failed to deserialize query string: ";

/// A missing, unknown or unreadable parameter, in a sentence.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

impl From<QueryRejection> for Wrong {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        Self(text.strip_prefix(PARSER).unwrap_or(&text).to_owned())
    }
}

pub(crate) fn vni(name: &str, text: &str) -> Result<Vni, Wrong> {
    parse(name, "a VNI", text).map(Vni)
}

/// A prefix; an address alone is one of full length.
pub(crate) fn destination(name: &str, text: &str) -> Result<Destination, Wrong> {
    let host = text.parse::<IpAddr>().map(Destination::host);
    host.or_else(|_| text.parse()).map_err(|_| wrong(name, "a prefix", text))
}

/// The route to explain. The next hop's other fields are those of a plain one by default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainAsked {
    /// The peer whose route it is; only a reflector takes it.
    pub(crate) peer: Option<String>,
    vni: Option<String>,
    destination: Option<String>,
    next_hop: Option<String>,
    target_vni: Option<String>,
    r#type: Option<String>,
    nat_from: Option<String>,
    nat_to: Option<String>,
}

impl ExplainAsked {
    pub(crate) fn route(&self) -> Result<(Vni, Destination, Option<NextHop>), Wrong> {
        let vni = vni("vni", required("vni", self.vni.as_deref())?)?;
        let destination =
            destination("destination", required("destination", self.destination.as_deref())?)?;
        let Self { target_vni, r#type, nat_from, nat_to, .. } = self;
        let next_hop = next_hop(&self.next_hop, [target_vni, r#type, nat_from, nat_to])?;
        Ok((vni, destination, next_hop))
    }
}

/// A next hop by its address and its other fields: the target VNI, the type, and the first and the last port of NAT.
fn next_hop(
    address: &Option<String>,
    others: [&Option<String>; 4],
) -> Result<Option<NextHop>, Wrong> {
    let number = |name, text: &Option<String>| -> Result<u32, Wrong> {
        Ok(optional(name, "a number", text.as_deref())?.unwrap_or(0))
    };
    let Some(address) = optional("next_hop", "an address", address.as_deref())? else {
        return if others.into_iter().all(Option::is_none) {
            Ok(None)
        } else {
            Err(Wrong("target_vni, type, nat_from and nat_to need next_hop".into()))
        };
    };
    let [target_vni, kind, from, to] = others;
    let kind = match kind.as_deref() {
        None => NextHopType::Standard,
        Some(name) => parse("type", "standard, nat or lb", name)?,
    };
    let target_vni = number("target_vni", target_vni)?;
    let (from, to) = (number("nat_from", from)?, number("nat_to", to)?);
    let hop = NextHop::new(address, target_vni, kind, from, to);
    hop.map(Some).map_err(|error| Wrong(error.to_string()))
}

pub(crate) fn required<'a>(name: &str, text: Option<&'a str>) -> Result<&'a str, Wrong> {
    text.ok_or_else(|| Wrong(format!("{name} must be given")))
}

pub(crate) fn optional<T: FromStr>(
    name: &str,
    expected: &str,
    text: Option<&str>,
) -> Result<Option<T>, Wrong> {
    text.map(|text| parse(name, expected, text)).transpose()
}

pub(crate) fn parse<T: FromStr>(name: &str, expected: &str, text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|_| wrong(name, expected, text))
}

pub(crate) fn wrong(name: &str, expected: &str, text: &str) -> Wrong {
    Wrong(format!("{name}: expected {expected}, found {text:?}"))
}
