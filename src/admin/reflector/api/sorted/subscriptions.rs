//! Subscriptions and their peers: sorted by any column, and searched.

use super::best::Found;
use super::key::Columns;
use super::peers::{is_named, is_number};
use super::{Best, Sort, SortKey};
use crate::inspector::walk::walk;
use crate::inspector::{Inspector, PAGE_MAX};
use crate::shard::inspect::{
    Cursor, Page, PeerInfo, SessionState, SubscriptionInfo, SubscriptionState,
};
use crate::threads::InspectError;
use crate::wire::Vni;

/// A subscription and its session.
#[derive(Clone, Debug)]
pub(in crate::admin::reflector::api) struct Subscriber {
    pub(in crate::admin::reflector::api) subscription: SubscriptionInfo,
    /// `None` if the session has ended meanwhile.
    pub(in crate::admin::reflector::api) session: Option<PeerInfo>,
}

/// The wanted subscriptions: all given conditions must hold.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct SubscribersWanted {
    pub(in crate::admin::reflector::api) vni: Option<Vni>,
    /// A text in the peer's names or address, whatever the case, or its number. In lower case.
    pub(in crate::admin::reflector::api) text: Option<String>,
}

/// The columns by which subscriptions can be sorted.
const KEYS: &Columns<Subscriber> = &[
    ("peer", |row| named(SortKey::default(), row)),
    ("vni", |row| named(SortKey::default().number(row.subscription.vni.0.into()), row)),
    ("node", |row| {
        named(SortKey::default().text(row.session().map_or("", |peer| &peer.node)), row)
    }),
    ("remote", |row| {
        let remote = row.session().and_then(|peer| peer.remote);
        named(SortKey::default().remote(remote), row)
    }),
    ("peer_state", |row| {
        let state = row.session().map_or(SessionState::Closing, |peer| peer.state);
        named(SortKey::default().number(state as u64), row)
    }),
    ("shard", |row| named(SortKey::default().number(row.subscription.shard.0.into()), row)),
    ("lag", |row| {
        let (entries, places) = match row.subscription.state {
            SubscriptionState::InSync => (0, 0),
            SubscriptionState::Behind { entries, places } => (entries, places),
        };
        named(SortKey::default().number(entries.saturating_add(places)), row)
    }),
];

/// Sorts next by fields that together are unique to a subscription.
fn named(key: SortKey, row: &Subscriber) -> SortKey {
    key.number(row.subscription.peer.0).number(row.subscription.vni.0.into())
}

impl Sort<Subscriber> {
    /// See [`Sort::named`].
    pub(in crate::admin::reflector::api) fn of_subscribers(text: &str) -> Option<Self> {
        Self::named(KEYS, text)
    }
}

impl Subscriber {
    fn session(&self) -> Option<&PeerInfo> {
        self.session.as_ref()
    }

    fn is_named(&self, text: &str) -> bool {
        match &self.session {
            Some(peer) => is_named(peer, text),
            None => is_number(self.subscription.peer, text),
        }
    }
}

/// A page in the order of places. Cost: as [`Inspector::subscriptions`] and then
/// [`Inspector::peers_of`].
pub(in crate::admin::reflector::api) async fn placed(
    inspector: &Inspector,
    vni: Option<Vni>,
    from: Cursor,
    limit: usize,
) -> Result<Page<Subscriber>, InspectError> {
    let Page { rows, next } = inspector.subscriptions(vni, from, limit).await?;
    // A peer may have several subscriptions.
    let peers = inspector.peers_of(&rows).await?;
    let rows = rows.into_iter().map(|subscription| {
        let session = peers.get(&subscription.peer).cloned();
        Subscriber { subscription, session }
    });
    Ok(Page { rows: rows.collect(), next })
}

/// Finds the best of all wanted subscriptions, in large pages: one question to the shards covers the
/// sessions of many subscriptions.
pub(in crate::admin::reflector::api) async fn subscribers(
    inspector: &Inspector,
    wanted: &SubscribersWanted,
    mut best: Best<Subscriber>,
) -> Result<Found<Subscriber>, InspectError> {
    let list = |from| placed(inspector, wanted.vni, from, PAGE_MAX);
    let offer = |row: Subscriber| {
        if wanted.text.as_ref().is_none_or(|text| row.is_named(text)) {
            best.offer(row);
        }
    };
    walk(list, offer).await?;
    Ok(best.finish())
}
