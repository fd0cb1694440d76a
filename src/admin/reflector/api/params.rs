//! Reads the parameters of requests, which come as text, so every mistake is reported in the same words. An unknown
//! parameter is an error.

use serde::Deserialize;

use super::sorted::{
    Best, PagePosition, PeersWanted, RoutesWanted, Sort, SortKey, Subscriber, SubscribersWanted,
};
use super::{ApiError, named};
use crate::admin::server::asked::{Wrong, parse};
pub(in crate::admin) use crate::admin::server::asked::{
    destination, optional, required, vni, wrong,
};
use crate::ids::PeerId;
use crate::inspector::Inspector;
use crate::inspector::PAGE_MAX;
use crate::shard::inspect::{
    Cursor, Lookup, PeerInfo, RouteFilter, RouteInfo, SessionState, VniInfo,
};
use crate::wire::Vni;

/// Rows of a page by default.
const LIMIT: usize = 100;
/// The most rows of a sorted page, which has to be held whole.
const SORTED_MAX: usize = 1000;

/// The form of a listing.
#[derive(Debug)]
pub(super) enum Asked<W, T: 'static> {
    /// From a place on, in the order of places.
    Placed(Cursor, usize),
    /// Sorted, or with a search that only a look at every row can answer.
    Sorted(W, Best<T>),
}

/// The parameters of a listing of sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeersAsked {
    cursor: Option<String>,
    limit: Option<String>,
    slow: Option<String>,
    name: Option<String>,
    sort: Option<String>,
    after: Option<String>,
    before: Option<String>,
    r#match: Option<String>,
    state: Option<String>,
}

/// The parameters of a listing of VNIs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VnisAsked {
    cursor: Option<String>,
    limit: Option<String>,
    sort: Option<String>,
    after: Option<String>,
    before: Option<String>,
    r#match: Option<String>,
}

/// The parameters of a listing of routes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutesAsked {
    cursor: Option<String>,
    limit: Option<String>,
    sort: Option<String>,
    after: Option<String>,
    before: Option<String>,
    within: Option<String>,
    address: Option<String>,
    prefix: Option<String>,
    next_hop: Option<String>,
    announcer: Option<String>,
}

/// The parameters of a listing of filtered routes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilteredAsked {
    cursor: Option<String>,
    limit: Option<String>,
}

impl FilteredAsked {
    pub(super) fn read(&self) -> Result<(Cursor, usize), ApiError> {
        paging(self.cursor.as_deref(), self.limit.as_deref())
    }
}

/// The parameters of a listing of subscriptions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionsAsked {
    cursor: Option<String>,
    limit: Option<String>,
    sort: Option<String>,
    after: Option<String>,
    before: Option<String>,
    vni: Option<String>,
    r#match: Option<String>,
}

/// The parameters of a lookup.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupAsked {
    vni: Option<String>,
    address: Option<String>,
    prefix: Option<String>,
}

impl PeersAsked {
    pub(super) fn read(self) -> Result<Peers, ApiError> {
        let is_slow = optional("slow", "true or false", self.slow.as_deref())?.unwrap_or(false);
        let page = self.page(is_slow)?;
        let Some(name) = self.name else { return Ok(page) };
        let others = [&self.cursor, &self.limit, &self.slow, &self.sort];
        let more = [&self.after, &self.before, &self.r#match, &self.state];
        if others.into_iter().chain(more).all(Option::is_none) {
            Ok(Peers::Named(name))
        } else {
            Err(ApiError::Asked("name cannot be combined with other parameters".into()))
        }
    }

    fn page(&self, is_slow: bool) -> Result<Peers, ApiError> {
        let state = match self.state.as_deref() {
            None => None,
            Some("connecting") => Some(SessionState::Connecting),
            Some("established") => Some(SessionState::Established),
            Some("closing") => Some(SessionState::Closing),
            Some(other) => {
                return Err(wrong("state", "connecting, established or closing", other).into());
            }
        };
        let text = small(self.r#match.as_deref());
        let sorting =
            Sorting::of(&self.cursor, &self.limit, &self.sort, [&self.after, &self.before])?;
        if text.is_none() && state.is_none() && !sorting.is_asked() {
            let (from, limit) = (sorting.cursor.unwrap_or_default(), sorting.limit);
            return Ok(Peers::Page { is_slow, from, limit });
        }
        let wanted = PeersWanted { text, state, is_slow };
        Ok(Peers::Sorted(wanted, sorting.best("id", Sort::of_peers)?))
    }
}

impl VnisAsked {
    pub(super) fn read(&self) -> Result<Asked<String, VniInfo>, ApiError> {
        let sorting =
            Sorting::of(&self.cursor, &self.limit, &self.sort, [&self.after, &self.before])?;
        if self.r#match.is_none() && !sorting.is_asked() {
            return Ok(Asked::Placed(sorting.cursor.unwrap_or_default(), sorting.limit));
        }
        let digits = self.r#match.as_deref().unwrap_or_default().trim().to_owned();
        Ok(Asked::Sorted(digits, sorting.best("vni", Sort::of_vnis)?))
    }
}

/// A question about sessions.
pub(super) enum Peers {
    /// The sessions that a text names.
    Named(String),
    /// A page of the slow sessions, or of all.
    Page { is_slow: bool, from: Cursor, limit: usize },
    /// Sorted, or searched.
    Sorted(PeersWanted, Best<PeerInfo>),
}

impl RoutesAsked {
    /// The routes of one VNI.
    pub(super) fn read(
        &self,
        vni: Vni,
    ) -> Result<(RouteFilter, Asked<RoutesWanted, RouteInfo>), ApiError> {
        let sorting =
            Sorting::of(&self.cursor, &self.limit, &self.sort, [&self.after, &self.before])?;
        let wanted = self.wanted(Some(vni))?;
        let filter = wanted.filter;
        if wanted.lookup.is_none() && !sorting.is_asked() {
            let from = sorting.cursor.unwrap_or_default();
            return Ok((filter, Asked::Placed(from, sorting.limit)));
        }
        Ok((filter, Asked::Sorted(wanted, sorting.best("destination", Sort::of_routes)?)))
    }

    /// The same with the number of the announcer in place of another name. The number of an ended session
    /// finds nothing and is no error.
    pub(super) async fn named(mut self, inspector: &Inspector) -> Result<Self, ApiError> {
        if let Some(name) = &self.announcer
            && peer("announcer", name).is_err()
        {
            self.announcer = Some(named::session(inspector, name).await?.id.to_string());
        }
        Ok(self)
    }

    /// The routes of all VNIs.
    pub(super) fn read_all(&self) -> Result<(RoutesWanted, Best<RouteInfo>), ApiError> {
        let sorting =
            Sorting::of(&self.cursor, &self.limit, &self.sort, [&self.after, &self.before])?;
        Ok((self.wanted(None)?, sorting.best("vni", Sort::of_routes)?))
    }

    fn wanted(&self, vni: Option<Vni>) -> Result<RoutesWanted, ApiError> {
        let within = self.within.as_deref().map(|text| destination("within", text)).transpose()?;
        let next_hop = optional("next_hop", "an address", self.next_hop.as_deref())?;
        let announcer =
            self.announcer.as_deref().map(|text| peer("announcer", text)).transpose()?;
        let lookup = match (&self.address, &self.prefix, within) {
            (None, None, _) => None,
            (Some(address), None, None) => {
                Some(Lookup::Longest(parse("address", "an address", address)?))
            }
            (None, Some(prefix), None) => Some(Lookup::Exact(destination("prefix", prefix)?)),
            _ => {
                let sentence = "only one of address, prefix and within may be given";
                return Err(ApiError::Asked(sentence.into()));
            }
        };
        Ok(RoutesWanted { vni, filter: RouteFilter { within, next_hop, announcer }, lookup })
    }
}

/// The place of a page, and its order.
struct Sorting<'a> {
    cursor: Option<Cursor>,
    limit: usize,
    sort: Option<&'a str>,
    place: PagePosition,
}

impl<'a> Sorting<'a> {
    fn of(
        cursor: &'a Option<String>,
        limit: &'a Option<String>,
        sort: &'a Option<String>,
        [after, before]: [&'a Option<String>; 2],
    ) -> Result<Self, ApiError> {
        let expected = "the value next of an earlier page of the same order";
        let after: Option<SortKey> = optional("after", expected, after.as_deref())?;
        let expected = "the value previous of a page of the same order";
        let before = optional("before", expected, before.as_deref())?;
        let place = match (after, before) {
            (None, None) => PagePosition::First,
            (Some(key), None) => PagePosition::After(key),
            (None, Some(key)) => PagePosition::Before(key),
            (Some(_), Some(_)) => {
                let sentence = "only one of after and before may be given";
                return Err(ApiError::Asked(sentence.into()));
            }
        };
        let (from, limit) = paging(cursor.as_deref(), limit.as_deref())?;
        let cursor = cursor.is_some().then_some(from);
        Ok(Self { cursor, limit, sort: sort.as_deref(), place })
    }

    /// Whether an order is given.
    fn is_asked(&self) -> bool {
        self.sort.is_some() || !matches!(self.place, PagePosition::First)
    }

    /// The best rows of a sorted page; sorted by `usual` unless an order is given.
    fn best<T>(self, usual: &str, named: fn(&str) -> Option<Sort<T>>) -> Result<Best<T>, ApiError> {
        if self.cursor.is_some() {
            return Err(ApiError::Asked(
                "a sorted or searched listing continues with after, not with cursor".into(),
            ));
        }
        let name = self.sort.unwrap_or(usual);
        let sort = named(name).ok_or_else(|| wrong("sort", "a column's name", name))?;
        Ok(Best::new(sort, self.place, self.limit.min(SORTED_MAX)))
    }
}

impl SubscriptionsAsked {
    pub(super) fn read(
        &self,
    ) -> Result<(Option<Vni>, Asked<SubscribersWanted, Subscriber>), ApiError> {
        let vni = self.vni.as_deref().map(|text| vni("vni", text)).transpose()?;
        let text = small(self.r#match.as_deref());
        let sorting =
            Sorting::of(&self.cursor, &self.limit, &self.sort, [&self.after, &self.before])?;
        if text.is_none() && !sorting.is_asked() {
            let from = sorting.cursor.unwrap_or_default();
            return Ok((vni, Asked::Placed(from, sorting.limit)));
        }
        let best = sorting.best("peer", Sort::of_subscribers)?;
        Ok((vni, Asked::Sorted(SubscribersWanted { vni, text }, best)))
    }
}

impl LookupAsked {
    pub(super) fn read(&self) -> Result<(Vni, Lookup), ApiError> {
        let vni = vni("vni", required("vni", self.vni.as_deref())?)?;
        let what = match (&self.address, &self.prefix) {
            (Some(address), None) => Lookup::Longest(parse("address", "an address", address)?),
            (None, Some(prefix)) => Lookup::Exact(destination("prefix", prefix)?),
            _ => return Err(ApiError::Asked("either address or prefix must be given".into())),
        };
        Ok((vni, what))
    }
}

/// A search text in lower case.
fn small(text: Option<&str>) -> Option<String> {
    text.map(|text| text.trim().to_lowercase())
}

/// A peer by its number, with or without `#`.
pub(in crate::admin) fn peer(name: &str, text: &str) -> Result<PeerId, Wrong> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map(PeerId).map_err(|_| wrong(name, "a peer's number", text))
}

fn paging(cursor: Option<&str>, limit: Option<&str>) -> Result<(Cursor, usize), ApiError> {
    let cursor = optional("cursor", "the value next of an earlier page", cursor)?;
    let limit: Option<usize> = optional("limit", "a number", limit)?;
    Ok((cursor.unwrap_or_default(), limit.unwrap_or(LIMIT).clamp(1, PAGE_MAX)))
}
