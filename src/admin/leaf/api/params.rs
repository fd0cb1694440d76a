//! The parameters of requests.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::admin::server::asked::{Wrong, destination, optional, parse, required, vni};
use crate::client::Route;
use crate::wire::{Destination, Lookup, NextHop, NextHopType, Vni};

/// Rows of a page by default; [`LIMIT_MAX`] at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;
const NEXT: &str = "the value next of an earlier page";

/// Of a page without parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The parameters of a listing of VNIs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VnisAsked {
    vni: Option<String>,
    whole: Option<String>,
    limit: Option<String>,
    after: Option<String>,
}

/// The same, parsed.
#[derive(Debug)]
pub(super) struct VnisQuery {
    pub(super) vni: Option<Vni>,
    pub(super) whole: Option<bool>,
    pub(super) limit: usize,
    pub(super) after: Option<Vni>,
}

/// The parameters of a listing of routes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutesAsked {
    vni: Option<String>,
    address: Option<String>,
    prefix: Option<String>,
    within: Option<String>,
    limit: Option<String>,
    after: Option<String>,
}

/// The same, parsed.
#[derive(Debug)]
pub(super) struct RoutesQuery {
    pub(super) vni: Vni,
    pub(super) what: Option<Lookup>,
    /// Only the routes within this prefix.
    pub(super) within: Option<Destination>,
    pub(super) limit: usize,
    pub(super) after: Option<RouteCursor>,
}

impl VnisAsked {
    pub(super) fn read(&self) -> Result<VnisQuery, Wrong> {
        Ok(VnisQuery {
            vni: self.vni.as_deref().map(|text| vni("vni", text)).transpose()?,
            whole: optional("whole", "true or false", self.whole.as_deref())?,
            limit: limit(self.limit.as_deref())?,
            after: optional("after", NEXT, self.after.as_deref())?.map(Vni),
        })
    }
}

impl RoutesAsked {
    pub(super) fn read(&self) -> Result<RoutesQuery, Wrong> {
        let what = match (&self.address, &self.prefix) {
            (None, None) => None,
            (Some(address), None) => {
                Some(Lookup::Longest(parse("address", "an address", address)?))
            }
            (None, Some(prefix)) => Some(Lookup::Exact(destination("prefix", prefix)?)),
            _ => return Err(Wrong("only one of address and prefix may be given".into())),
        };
        Ok(RoutesQuery {
            vni: vni("vni", required("vni", self.vni.as_deref())?)?,
            what,
            within: self.within.as_deref().map(|text| destination("within", text)).transpose()?,
            limit: limit(self.limit.as_deref())?,
            after: optional("after", NEXT, self.after.as_deref())?,
        })
    }
}

fn limit(text: Option<&str>) -> Result<usize, Wrong> {
    let limit: Option<usize> = optional("limit", "a number", text)?;
    Ok(limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX))
}

/// A place among the routes of a VNI: the next page begins after this route. As text its fields with
/// dashes between them, for example `10.0.0.1/32-2001:db8::1-0-0-0-0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RouteCursor(Destination, NextHop);

impl RouteCursor {
    pub(super) fn of(route: &Route) -> Self {
        Self(route.destination, route.next_hop)
    }

    pub(super) fn route(self, vni: Vni) -> Route {
        Route { vni, destination: self.0, next_hop: self.1 }
    }
}

impl fmt::Display for RouteCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(destination, hop) = self;
        let (address, vni, kind) = (hop.address(), hop.target_vni(), hop.kind() as u8);
        let (from, to) = hop.nat_ports();
        write!(f, "{destination}-{address}-{vni}-{kind}-{from}-{to}")
    }
}

impl FromStr for RouteCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let fields: Vec<_> = text.splitn(7, '-').collect();
        let [prefix, address, vni, kind, from, to] = fields[..] else { return Err(()) };
        let number = |text: &str| text.parse::<u32>().map_err(drop);
        let kind = match kind {
            "0" => NextHopType::Standard,
            "1" => NextHopType::Nat,
            "2" => NextHopType::LoadBalancerTarget,
            _ => return Err(()),
        };
        let address = address.parse().map_err(drop)?;
        let hop = NextHop::new(address, number(vni)?, kind, number(from)?, number(to)?);
        Ok(Self(destination("after", prefix).map_err(drop)?, hop.map_err(drop)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for text in [
            "10.0.0.1/32-2001:db8::1-0-0-0-0",
            "2001:db8::/48-192.0.2.1-7-1-1024-2047",
            "0.0.0.0/0-::-4294967295-2-4294967295-0",
        ] {
            assert_eq!(text.parse::<RouteCursor>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "-----",
            "10.0.0.1/33-::1-0-0-0-0",
            "10.0.0.1/32-::1-0-3-0-0",
            "10.0.0.1/32-::1-0-1-2-1",
            "10.0.0.1/32-::1-0-0-0",
            "10.0.0.1/32-::1-0-0-0-0-0",
            "10.0.0.1/32-::1-0-0-0-4294967296",
        ] {
            assert_eq!(text.parse::<RouteCursor>(), Err(()), "{text}");
        }
    }
}
