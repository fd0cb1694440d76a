//! Names of peers, and sessions that have ended.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Inspector;
use crate::diary::{self, ClosedPage, ClosedSession, Recorded, RecordedFilter};
use crate::ids::PeerId;
use crate::shard::inspect::{PeerInfo, RouteInfo};

/// The most sessions of one page.
const PAGE_MAX: usize = 10_000;

impl Inspector {
    /// The name of a peer for people: its node; its node and number (`host-1#7`) if several established sessions have
    /// that node; its number (`#7`) if it has named no node. Also knows sessions that have ended lately. Cost: a lookup
    /// behind a lock; asks no shard.
    #[must_use]
    pub fn name_of(&self, peer: PeerId) -> String {
        self.control.diary.name(peer)
    }

    /// A page of sessions that have ended, the latest first, at most `limit` rows and at most 10,000. The reflector
    /// keeps the latest 8 of each node and 10,000 in all. `is_wanted` selects rows; it must not call the inspector.
    pub fn closed_sessions(
        &self,
        from: Option<u64>,
        limit: usize,
        is_wanted: impl Fn(&ClosedSession) -> bool,
    ) -> ClosedPage {
        self.control.diary.closed_page(from, limit.clamp(1, PAGE_MAX), is_wanted)
    }

    /// The flight recorder: events of sessions and commands of operators, the oldest first; at most `limit` of the
    /// latest 4096 events. The log has the same events, if its level shows them.
    #[must_use]
    pub fn recorded(&self, limit: usize) -> Vec<Recorded> {
        self.control.diary.recorded(limit)
    }

    /// The events of the flight recorder that pass a filter, the oldest first, at most `limit`; and the time of the
    /// latest of all events, with which [`RecordedFilter::after`] continues. Cost: a look at each event behind a lock;
    /// asks no shard.
    #[must_use]
    pub fn find_recorded(
        &self,
        filter: &RecordedFilter,
        limit: usize,
    ) -> (Vec<Recorded>, Option<u64>) {
        let (events, latest) = self.recorded_events(filter, limit);
        (events.iter().map(|event| Recorded::clone(event)).collect(), latest)
    }

    /// The same, without a copy of any event.
    pub(crate) fn recorded_events(
        &self,
        filter: &RecordedFilter,
        limit: usize,
    ) -> (Vec<Arc<Recorded>>, Option<u64>) {
        self.control.diary.find(filter, limit)
    }

    /// Whether a text names a present or past session: by its number, or by its present or past name. Compares its node
    /// and its remote address too, if they are given.
    pub(crate) fn is_named(
        &self,
        text: &str,
        (peer, node): (PeerId, Option<&str>),
        remote: Option<SocketAddr>,
    ) -> bool {
        if let Some(node) = node {
            return diary::is_named(text, (peer, node), remote);
        }
        let (name, number) = (self.name_of(peer), peer.to_string());
        diary::is_named(text, (peer, name.strip_suffix(&number).unwrap_or(&name)), remote)
    }

    /// The latest events without waiting, for a caller such as a panic hook; `None` while an event is being recorded.
    #[must_use]
    pub fn recorded_at_once(&self, limit: usize) -> Option<Vec<Recorded>> {
        self.control.diary.recorded_at_once(limit)
    }

    /// Sets the names of peers.
    pub(super) fn name_peers(&self, peers: &mut [PeerInfo]) {
        let ids: Vec<_> = peers.iter().map(|peer| peer.id).collect();
        for (peer, name) in peers.iter_mut().zip(self.control.diary.names(&ids)) {
            peer.name = name.into();
        }
    }

    /// Sets the names of the announcers of routes: other sites, and peers.
    pub(super) fn name_announcers(&self, routes: &mut [RouteInfo]) {
        self.name_sites(routes);
        for route in routes {
            route.announcer_names = self.control.diary.names(&route.announcers);
        }
    }
}
