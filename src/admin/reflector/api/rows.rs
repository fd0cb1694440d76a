//! What peers, VNIs and routes look like in JSON. Durations are seconds and say so in their names.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::response::Response;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use serde::Serialize;

use super::ApiError;
use super::sorted::{Found, PeerSums, Subscriber, VniSums};
use crate::NoEvidence;
use crate::admin::server::answer::NextHopRow;
use crate::admin::server::listing::{self, PART, Piece};
use crate::ids::PeerId;
use crate::shard::inspect::{
    Cursor, FilteredRoute, Page, PeerInfo, PeerVni, RouteInfo, SubscriptionInfo, SubscriptionState,
    VniInfo,
};
use crate::threads::InspectError;
use crate::wire::Capabilities;

/// The members after the rows of a listing. `next` is the value to go on with, null at the end.
#[derive(Debug, Serialize)]
pub(super) struct End {
    next: Option<String>,
    #[serde(flatten)]
    sorted: Option<Whereabouts>,
}

/// The place of a page in a sorted listing. `previous` is the value to go back with, null at the beginning;
/// `offset` is the number of rows before this page, and `total` that of all. `sums` are over all rows.
#[derive(Debug, Serialize)]
struct Whereabouts {
    previous: Option<String>,
    offset: u64,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sums: Option<Sums>,
}

/// The sums over all rows of a listing, other pages included: in one answer with the rows, so that both come from
/// the same look.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Sums {
    Peers(PeerSums),
    Vnis(VniSums),
}

/// Rows as they are read, from a place on: a part for every [`PART`] of `limit`. `list` gets a place and the most
/// rows of the part. With `Short::Ends`, a part with fewer rows ends the answer, because such a part took
/// long.
pub(super) async fn placed<T, R, F>(
    list: impl Fn(Cursor, usize) -> F + Send + 'static,
    from: Cursor,
    limit: usize,
    short: Short,
) -> Result<Response, ApiError>
where
    T: From<R> + Serialize + Send + 'static,
    R: Send + 'static,
    F: Future<Output = Result<Page<R>, InspectError>> + Send + 'static,
{
    let begin = At::Place(from, limit);
    let pieces = stream::try_unfold(begin, move |at| {
        let page = match at {
            At::Place(from, left) => Ok((list(from, left.min(PART)), left)),
            At::End(next) => Err(Some(next)),
            At::Over => Err(None),
        };
        async move {
            let (page, left) = match page {
                Ok(page) => page,
                Err(Some(next)) => {
                    let end = End { next: next.map(|next| next.to_string()), sorted: None };
                    return Ok(Some((Piece::End(end), At::Over)));
                }
                Err(None) => return Ok(None),
            };
            let Page { rows, next } = page.await?;
            let asked = left.min(PART);
            let goes_on = left > asked && (short == Short::GoesOn || rows.len() == asked);
            let at = match next {
                Some(next) if goes_on => At::Place(next, left - asked),
                next => At::End(next),
            };
            let rows = rows.into_iter().map(T::from).collect();
            Ok::<_, InspectError>(Some((Piece::Rows(rows), at)))
        }
    });
    Ok(listing::respond(pieces).await?)
}

/// The meaning of a part with fewer rows than requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Short {
    GoesOn,
    Ends,
}

/// The progress of an answer of [`placed`].
#[derive(Debug)]
enum At {
    /// The next place, and the number of rows still to write.
    Place(Cursor, usize),
    /// All rows are written; the place where a further page begins.
    End(Option<Cursor>),
    Over,
}

/// Rows that were found and sorted.
pub(super) async fn sorted<T, R>(found: Found<R>, sums: Option<Sums>) -> Result<Response, ApiError>
where
    T: From<R> + Serialize + Send + 'static,
    R: Send + 'static,
{
    let Found { rows, next, previous, offset, total } = found;
    let [next, previous] = [next, previous].map(|key| key.map(|key| key.to_string()));
    of::<T, R>(rows, End { next, sorted: Some(Whereabouts { previous, offset, total, sums }) })
        .await
}

/// A listing of all rows.
pub(super) async fn all<T, R>(rows: Vec<R>) -> Result<Response, ApiError>
where
    T: From<R> + Serialize + Send + 'static,
    R: Send + 'static,
{
    of::<T, R>(rows, End { next: None, sorted: None }).await
}

/// Rows are converted only when they are written.
async fn of<T, R>(rows: Vec<R>, end: End) -> Result<Response, ApiError>
where
    T: From<R> + Serialize + Send + 'static,
    R: Send + 'static,
{
    let pieces = listing::of::<R, End, InspectError>(rows, end).map_ok(|piece| match piece {
        Piece::Rows(rows) => Piece::Rows(rows.into_iter().map(T::from).collect()),
        Piece::End(end) => Piece::End(end),
    });
    Ok(listing::respond(pieces).await?)
}

/// A session.
#[derive(Debug, Serialize)]
pub(super) struct PeerRow {
    id: u64,
    shard: u16,
    remote: Option<SocketAddr>,
    node: Box<str>,
    /// The session's name.
    name: Box<str>,
    /// The name that its certificate proves; `node` is only claimed.
    name_proven: Option<String>,
    /// Next hops that its certificate proves to belong to it.
    addresses_proven: Vec<IpAddr>,
    /// `tcp` or `tls`.
    transport: &'static str,
    /// The holder of its TLS keys: `kernel` or `process`.
    tls_carrier: Option<&'static str>,
    agent: Box<str>,
    state: String,
    class: Box<str>,
    is_server: bool,
    capabilities: Vec<&'static str>,
    is_paced: bool,
    fixed_pace_reason: Option<&'static str>,
    is_paused: bool,
    is_slow: bool,
    loses_large_packets: bool,
    uptime_seconds: f64,
    established_seconds: Option<f64>,
    keepalive_seconds: Option<f64>,
    last_heard_seconds: f64,
    routes: u64,
    subscriptions: u64,
    behind: u64,
    backlog_bytes: u64,
    writing_seconds: Option<f64>,
    updates_received: u64,
    messages_skipped: BTreeMap<&'static str, u64>,
    announcements_refused: u64,
    adds_sent: u64,
    removes_sent: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

impl From<PeerInfo> for PeerRow {
    fn from(peer: PeerInfo) -> Self {
        let known =
            [(Capabilities::STREAM, "stream"), (Capabilities::END_OF_TABLE, "end_of_table")];
        let known = known.into_iter().filter(|(one, _)| peer.capabilities.contains(*one));
        let identity = peer.tls.as_ref().map(|tls| &tls.identity);
        Self {
            id: peer.id.0,
            shard: peer.shard.0,
            remote: peer.remote,
            name_proven: identity.and_then(|it| it.name()).map(str::to_owned),
            addresses_proven: identity.map(|it| it.addresses().to_vec()).unwrap_or_default(),
            transport: if peer.tls.is_some() { "tls" } else { "tcp" },
            tls_carrier: peer.tls.as_ref().map(|tls| tls.carrier.name()),
            node: peer.node,
            name: peer.name,
            agent: peer.agent,
            state: peer.state.to_string(),
            class: peer.class,
            is_server: peer.is_server,
            capabilities: known.map(|(_, name)| name).collect(),
            is_paced: peer.is_paced,
            fixed_pace_reason: peer.unproven.map(NoEvidence::reason),
            is_paused: peer.is_paused,
            is_slow: peer.is_slow,
            loses_large_packets: peer.loses_large_packets,
            uptime_seconds: peer.uptime.as_secs_f64(),
            established_seconds: seconds(peer.established_for),
            keepalive_seconds: seconds(peer.keepalive),
            last_heard_seconds: peer.last_heard.as_secs_f64(),
            routes: peer.routes,
            subscriptions: peer.subscriptions,
            behind: peer.behind,
            backlog_bytes: peer.backlog,
            writing_seconds: seconds(peer.writing_for),
            updates_received: peer.updates_received,
            messages_skipped: peer.skipped,
            announcements_refused: peer.refused,
            adds_sent: peer.updates_sent.adds,
            removes_sent: peer.updates_sent.removes,
            bytes_received: peer.bytes_received,
            bytes_sent: peer.bytes_sent,
        }
    }
}

/// A peer's part in a VNI.
#[derive(Debug, Serialize)]
pub(super) struct PeerVniRow {
    vni: u32,
    routes: u64,
    subscription: Option<Progress>,
}

impl From<PeerVni> for PeerVniRow {
    fn from(part: PeerVni) -> Self {
        let subscription = part.subscription.map(Progress::from);
        Self { vni: part.vni.0, routes: part.routes, subscription }
    }
}

/// The progress of a subscription.
#[derive(Debug, Serialize)]
struct Progress {
    state: &'static str,
    behind_entries: u64,
    behind_places: u64,
}

impl From<SubscriptionState> for Progress {
    fn from(state: SubscriptionState) -> Self {
        let (state, behind_entries, behind_places) = match state {
            SubscriptionState::InSync => ("in_sync", 0, 0),
            SubscriptionState::Behind { entries, places } => ("behind", entries, places),
        };
        Self { state, behind_entries, behind_places }
    }
}

/// A subscription and its session; without the session's members if it has just ended.
#[derive(Debug, Serialize)]
pub(super) struct SubscriptionRow {
    peer: u64,
    shard: u16,
    vni: u32,
    #[serde(flatten)]
    progress: Progress,
    remote: Option<SocketAddr>,
    node: Option<Box<str>>,
    name: Option<Box<str>>,
    peer_state: Option<String>,
    is_slow: Option<bool>,
}

impl From<Subscriber> for SubscriptionRow {
    fn from(Subscriber { subscription, session }: Subscriber) -> Self {
        let SubscriptionInfo { peer, shard, vni, state } = subscription;
        Self {
            peer: peer.0,
            shard: shard.0,
            vni: vni.0,
            progress: state.into(),
            remote: session.as_ref().and_then(|session| session.remote),
            peer_state: session.as_ref().map(|session| session.state.to_string()),
            is_slow: session.as_ref().map(|session| session.is_slow),
            name: session.as_ref().map(|session| session.name.clone()),
            node: session.map(|session| session.node),
        }
    }
}

/// A VNI.
#[derive(Debug, Serialize)]
pub(super) struct VniRow {
    vni: u32,
    shard: u16,
    routes: u64,
    tombstones: u64,
    members: u64,
    subscribers: u64,
    behind: u64,
    journal: u64,
    filtered: u64,
}

impl From<VniInfo> for VniRow {
    fn from(info: VniInfo) -> Self {
        Self {
            vni: info.vni.0,
            shard: info.shard.0,
            routes: info.routes,
            tombstones: info.tombstones,
            members: info.members,
            subscribers: info.subscribers,
            behind: info.behind,
            journal: info.journal,
            filtered: info.filtered,
        }
    }
}

/// A route and its announcers.
#[derive(Debug, Serialize)]
pub(super) struct RouteRow {
    vni: u32,
    destination: String,
    next_hop: NextHopRow,
    announcers: Vec<u64>,
    /// The names of the announcers.
    announcer_names: Vec<String>,
    announcer_count: u64,
    /// Announcers whose session has ended.
    stale_announcers: Vec<u64>,
    /// Other sites among the announcers.
    sites: Vec<String>,
    age_seconds: f64,
}

impl From<RouteInfo> for RouteRow {
    fn from(route: RouteInfo) -> Self {
        Self {
            vni: route.vni.0,
            destination: route.destination.to_string(),
            next_hop: route.next_hop.into(),
            announcers: numbers(&route.announcers),
            stale_announcers: numbers(&route.stale_announcers),
            announcer_names: route.announcer_names,
            announcer_count: route.announcer_count,
            sites: route.sites,
            age_seconds: route.age.as_secs_f64(),
        }
    }
}

/// A route that the policy or a block refuses. `rule` 0 is the class itself.
#[derive(Debug, Serialize)]
pub(super) struct FilteredRow {
    vni: u32,
    destination: String,
    next_hop: NextHopRow,
    /// Null if the route comes from another site.
    peer: Option<u64>,
    name: String,
    class: String,
    rule: u16,
    reason: &'static str,
    why: String,
}

impl From<FilteredRoute> for FilteredRow {
    fn from(route: FilteredRoute) -> Self {
        Self {
            vni: route.vni.0,
            destination: route.destination.to_string(),
            next_hop: route.next_hop.into(),
            peer: route.peer.map(|peer| peer.0),
            name: route.name,
            class: route.class,
            rule: route.rule,
            reason: route.reason,
            why: route.why,
        }
    }
}

fn numbers(peers: &[PeerId]) -> Vec<u64> {
    peers.iter().map(|peer| peer.0).collect()
}

fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}
