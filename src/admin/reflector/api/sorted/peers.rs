//! Peers by any of their columns, and searched.

use serde::Serialize;

use super::best::Found;
use super::key::Columns;
use super::{Best, Sort, SortKey};
use crate::ids::PeerId;
use crate::inspector::Inspector;
use crate::inspector::walk::walk;
use crate::shard::inspect::{PeerInfo, ROWS_MAX, SessionState};
use crate::threads::InspectError;

/// The wanted peers: all given conditions must hold.
#[derive(Debug, Default)]
pub(in crate::admin::reflector::api) struct PeersWanted {
    /// A text in its node, proven name, agent or address, whatever the case, or its number.
    pub(in crate::admin::reflector::api) text: Option<String>,
    pub(in crate::admin::reflector::api) state: Option<SessionState>,
    /// The peer is slow.
    pub(in crate::admin::reflector::api) is_slow: bool,
}

/// The columns by which peers can be sorted.
const KEYS: &Columns<PeerInfo> = &[
    ("id", |peer| SortKey::default().number(peer.id.0)),
    ("node", |peer| SortKey::default().text(&peer.node).number(peer.id.0)),
    ("remote", |peer| SortKey::default().remote(peer.remote).number(peer.id.0)),
    ("agent", |peer| SortKey::default().text(&peer.agent).number(peer.id.0)),
    ("state", |peer| SortKey::default().number(peer.state as u64).number(peer.id.0)),
    ("shard", |peer| SortKey::default().number(peer.shard.0.into()).number(peer.id.0)),
    ("lag", |peer| SortKey::default().number(peer.behind).number(peer.backlog).number(peer.id.0)),
    ("backlog", |peer| SortKey::default().number(peer.backlog).number(peer.id.0)),
    ("routes", |peer| SortKey::default().number(peer.routes).number(peer.id.0)),
    ("subscriptions", |peer| SortKey::default().number(peer.subscriptions).number(peer.id.0)),
    // Numbers ascend in the order of connecting, and do not change from page to page as times do.
    ("uptime", |peer| SortKey::default().number(!peer.id.0)),
    ("updates_received", |peer| SortKey::default().number(peer.updates_received).number(peer.id.0)),
    ("updates_sent", |peer| {
        let sent = peer.updates_sent;
        SortKey::default().number(sent.adds.saturating_add(sent.removes)).number(peer.id.0)
    }),
];

impl Sort<PeerInfo> {
    /// See [`Sort::named`].
    pub(in crate::admin::reflector::api) fn of_peers(text: &str) -> Option<Self> {
        Self::named(KEYS, text)
    }
}

/// The sums over all wanted peers.
#[derive(Debug, Default, Serialize)]
pub(in crate::admin::reflector::api) struct PeerSums {
    established: u64,
    slow: u64,
    /// Subscriptions that are behind.
    behind: u64,
    backlog_bytes: u64,
}

impl PeerSums {
    fn add(&mut self, peer: &PeerInfo) {
        self.established += u64::from(peer.state == SessionState::Established);
        self.slow += u64::from(peer.is_slow);
        self.behind = self.behind.saturating_add(peer.behind);
        self.backlog_bytes = self.backlog_bytes.saturating_add(peer.backlog);
    }
}

impl PeersWanted {
    fn has(&self, peer: &PeerInfo) -> bool {
        let is_in_state = self.state.is_none_or(|state| state == peer.state);
        let is_in_state = is_in_state && (!self.is_slow || peer.is_slow);
        is_in_state && self.text.as_ref().is_none_or(|text| is_named(peer, text))
    }
}

/// Whether a peer's names contain `text`, which is in lower case.
pub(super) fn is_named(peer: &PeerInfo, text: &str) -> bool {
    let is_in = |name: &str| name.to_lowercase().contains(text);
    is_number(peer.id, text)
        || is_in(&peer.node)
        || peer.tls.as_ref().and_then(|tls| tls.identity.name()).is_some_and(is_in)
        || is_in(&peer.agent)
        || peer.remote.is_some_and(|remote| is_in(&remote.to_string()))
}

/// Whether a text is the number of a peer, as it is or as it is shown.
pub(super) fn is_number(peer: PeerId, text: &str) -> bool {
    text.strip_prefix('#').unwrap_or(text).parse() == Ok(peer.0)
}

/// Finds the best of all wanted peers.
pub(in crate::admin::reflector::api) async fn peers(
    inspector: &Inspector,
    wanted: &PeersWanted,
    mut best: Best<PeerInfo>,
) -> Result<(Found<PeerInfo>, PeerSums), InspectError> {
    let mut sums = PeerSums::default();
    let list = |from| inspector.peers(from, ROWS_MAX);
    let offer = |peer| {
        if wanted.has(&peer) {
            sums.add(&peer);
            best.offer(peer);
        }
    };
    walk(list, offer).await?;
    Ok((best.finish(), sums))
}
