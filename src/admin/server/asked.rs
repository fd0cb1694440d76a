//! What is asked by parameters. They come as text and are read here, so that whatever is wrong with
//! one is said in the same words everywhere.

use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::rejection::QueryRejection;
use thiserror::Error;

use crate::wire::{Destination, Vni};

/// What the parser of queries begins its sentences with, which says nothing to who has asked.
const PARSER: &str = "Failed to deserialize query string: ";

/// A parameter that is missing, unknown or can't be read, in a sentence.
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
