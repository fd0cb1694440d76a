//! [`ClosedSessions`]: how the latest sessions of each node ended.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::names::is_named;
use super::{cut, now};
use crate::ids::{Moment, PeerId};
use crate::shard::Closed;

/// The most sessions kept of one node.
pub(super) const PER_NODE: usize = 8;
/// The most sessions kept in all. With the longest texts they take 5 MiB.
pub(super) const CLOSED_MAX: usize = 10_000;
/// The most sessions looked at while the lock is held.
const SLICE: usize = 256;
/// The most bytes kept of a node's name, and of a reason in words.
const TEXT_MAX: usize = 128;

/// A session that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ClosedSession {
    /// The number of the session.
    pub peer: PeerId,
    /// The node that its HELLO named, at most 128 bytes; empty if it named none.
    pub node: Box<str>,
    /// Its remote address.
    pub remote: SocketAddr,
    /// When it ended, in microseconds since 1970.
    pub ended: u64,
    /// The time from the connection to the end.
    pub lasted: Duration,
    /// The time from the end of the handshake to the end of the session; `None` if it was never established.
    pub established: Option<Duration>,
    /// Why it ended: a short, stable name.
    pub reason: Box<str>,
    /// Why it ended, in words, at most 128 bytes.
    pub detail: Box<str>,
    /// The number of routes that it announced at its end.
    pub routes: u64,
    /// The number of VNIs that it was subscribed to at its end.
    pub subscriptions: u64,
    /// The number of UPDATEs received from it.
    pub updates_received: u64,
    /// The number of ADDs written to its socket.
    pub adds_sent: u64,
    /// The number of REMOVEs written to its socket.
    pub removes_sent: u64,
    /// The number of bytes received.
    pub bytes_received: u64,
    /// The number of bytes written.
    pub bytes_sent: u64,
}

impl Default for ClosedSession {
    fn default() -> Self {
        Self {
            peer: PeerId(0),
            node: Box::default(),
            remote: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            ended: 0,
            lasted: Duration::ZERO,
            established: None,
            reason: Box::default(),
            detail: Box::default(),
            routes: 0,
            subscriptions: 0,
            updates_received: 0,
            adds_sent: 0,
            removes_sent: 0,
            bytes_received: 0,
            bytes_sent: 0,
        }
    }
}

impl ClosedSession {
    /// A session that has just ended.
    pub(crate) fn of(closed: &Closed, remote: SocketAddr, at: Moment) -> Self {
        let Closed { peer, node, reason, counts, .. } = closed;
        Self {
            peer: *peer,
            node: node.clone(),
            remote,
            ended: now(),
            lasted: at.since(counts.accepted),
            established: counts.established.map(|then| at.since(then)),
            reason: reason.name().into(),
            detail: reason.to_string().into(),
            routes: counts.routes,
            subscriptions: counts.subscriptions,
            updates_received: counts.updates_received,
            adds_sent: counts.updates_sent.adds,
            removes_sent: counts.updates_sent.removes,
            bytes_received: counts.bytes_received,
            bytes_sent: counts.bytes_sent,
        }
    }

    /// Whether a text names it: its number (`7` or `#7`), node, node and number (`a#7`), address, or address and port.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        is_named(text, (self.peer, &self.node), Some(self.remote))
    }

    fn cut(mut self) -> Self {
        for text in [&mut self.node, &mut self.reason, &mut self.detail] {
            if text.len() > TEXT_MAX {
                *text = cut(text, TEXT_MAX);
            }
        }
        self
    }

    /// The key of its node's sessions; a session without a node has its source as key.
    fn key(&self) -> Box<str> {
        if self.node.is_empty() { self.remote.ip().to_string().into() } else { self.node.clone() }
    }
}

/// See the module's documentation. The oldest session of a node goes when the node has more than [`PER_NODE`], and the
/// oldest of all when there are more than [`CLOSED_MAX`]: a node whose sessions end again and again does not displace
/// other nodes' sessions.
#[derive(Debug, Default)]
pub(super) struct ClosedSessions {
    /// By place; later sessions have higher places.
    sessions: BTreeMap<u64, Arc<ClosedSession>>,
    /// The places of each node, ascending.
    of_node: HashMap<Box<str>, VecDeque<u64>>,
    places: HashMap<PeerId, u64>,
    next: u64,
}

impl ClosedSessions {
    pub(super) fn push(&mut self, session: ClosedSession) {
        self.take_over(Arc::new(session.cut()));
    }

    /// The same with a session that is cut already, or comes from another process.
    pub(super) fn take_over(&mut self, session: Arc<ClosedSession>) {
        let (place, key) = (self.next, session.key());
        self.next += 1;
        self.places.insert(session.peer, place);
        self.sessions.insert(place, session);
        let places = self.of_node.entry(key).or_default();
        places.push_back(place);
        let surplus = if places.len() > PER_NODE { places.front().copied() } else { None };
        let oldest = self.sessions.first_key_value().map(|(place, _)| *place);
        let surplus = surplus.or_else(|| oldest.filter(|_| self.sessions.len() > CLOSED_MAX));
        if let Some(place) = surplus {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: u64) {
        let Some(session) = self.sessions.remove(&place) else { return };
        self.places.remove(&session.peer);
        let key = session.key();
        if let Some(places) = self.of_node.get_mut(&key) {
            places.retain(|known| *known != place);
            if places.is_empty() {
                self.of_node.remove(&key);
            }
        }
    }

    /// The wanted ones of the next 256 sessions before a place, the latest first, at most `most`; and where to go on.
    pub(super) fn slice(
        &self,
        before: u64,
        most: usize,
        is_wanted: &impl Fn(&ClosedSession) -> bool,
    ) -> (Vec<Arc<ClosedSession>>, Option<u64>) {
        let mut rows = Vec::new();
        let mut last = None;
        for (&place, session) in self.sessions.range(..before).rev().take(SLICE) {
            if rows.len() == most {
                break;
            }
            last = Some(place);
            if is_wanted(session) {
                rows.push(Arc::clone(session));
            }
        }
        let has_more = |last: &u64| self.sessions.range(..*last).next().is_some();
        (rows, last.filter(has_more))
    }

    /// All sessions, the oldest first.
    pub(super) fn all(&self) -> Vec<Arc<ClosedSession>> {
        self.sessions.values().cloned().collect()
    }

    /// The node of a session that has ended, if it has named one.
    pub(super) fn node_of(&self, peer: PeerId) -> Option<&str> {
        let session = self.sessions.get(self.places.get(&peer)?)?;
        Some(&*session.node).filter(|node| !node.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(peer: u64, node: &str) -> ClosedSession {
        ClosedSession { peer: PeerId(peer), node: node.into(), ..ClosedSession::default() }
    }

    fn peers(all: &ClosedSessions, node: &str) -> Vec<u64> {
        let (rows, _) = all.slice(u64::MAX, SLICE, &|it| it.is_named(node));
        rows.iter().map(|it| it.peer.0).collect()
    }

    #[test]
    fn a_node_that_flaps_takes_the_place_of_no_other() {
        let mut all = ClosedSessions::default();
        all.push(ended(1, "calm"));
        (2..=100).for_each(|peer| all.push(ended(peer, "flaps")));
        assert_eq!(peers(&all, "calm"), [1]);
        assert_eq!(peers(&all, "flaps"), (93..=100).rev().collect::<Vec<_>>());
        assert_eq!((all.node_of(PeerId(92)), all.node_of(PeerId(93))), (None, Some("flaps")));
        // Sessions without a node are grouped by their source.
        let from =
            |last: u16| SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last), 9));
        for peer in 101..=120 {
            let remote = from(u16::try_from(peer % 2).unwrap());
            all.push(ClosedSession { remote, ..ended(peer, "") });
        }
        assert_eq!(peers(&all, "2001:db8::1").len(), PER_NODE);
        assert_eq!(peers(&all, "2001:db8::"), [120, 118, 116, 114, 112, 110, 108, 106]);
    }

    #[test]
    fn the_number_of_all_is_bounded_and_so_is_each_text() {
        let mut all = ClosedSessions::default();
        let long = "x".repeat(1000);
        for peer in 0..=CLOSED_MAX as u64 {
            let node = format!("{peer:05}{long}");
            all.push(ClosedSession { detail: long.as_str().into(), ..ended(peer, &node) });
        }
        assert_eq!(all.sessions.len(), CLOSED_MAX);
        assert_eq!((all.of_node.len(), all.places.len()), (CLOSED_MAX, CLOSED_MAX));
        assert_eq!((all.node_of(PeerId(0)), all.node_of(PeerId(1)).is_some()), (None, true));
        assert!(
            all.all().iter().all(|it| it.node.len() == TEXT_MAX && it.detail.len() == TEXT_MAX)
        );
    }

    #[test]
    fn pages_have_every_session_once() {
        let mut all = ClosedSessions::default();
        (1..=1000).for_each(|peer| all.push(ended(peer, &format!("n{peer}"))));
        let (mut seen, mut from) = (Vec::new(), Some(u64::MAX));
        while let Some(before) = from {
            let (rows, next) = all.slice(before, 7, &|it| it.peer.0 % 3 == 0);
            seen.extend(rows.iter().map(|it| it.peer.0));
            from = next;
        }
        assert_eq!(seen, (1..=1000).rev().filter(|peer| peer % 3 == 0).collect::<Vec<_>>());
    }

    #[test]
    fn a_session_has_several_names() {
        let remote = "[2001:db8::1]:4711".parse().unwrap();
        let session = ClosedSession { remote, ..ended(7, "a#b") };
        for name in
            ["7", "#7", "a#b", "a#b#7", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711"]
        {
            assert!(session.is_named(name), "{name}");
        }
        for name in ["", "8", "a", "a#7", "a#b#8", "2001:db8::2", "[2001:db8::1]:1"] {
            assert!(!session.is_named(name), "{name}");
        }
    }
}
