//! The events of sessions: log lines about them, and a memory of them for questions of operators that no shard can
//! answer.
//!
//! * `report`: the log lines of sessions; `limiter` bounds them per source and second.
//! * `follow`: the log lines of one session that an operator follows.
//! * `names`: the node of each established session, and which nodes have several.
//! * `closed`: the latest sessions that have ended, by node.
//! * `recorder`: the flight recorder, a ring of the latest events of sessions and commands of operators.
//!
//! Shards write here when a session begins or ends, and for a log line about a session; never for a route. One lock
//! protects all of it: a writer holds it for about a microsecond, and a reader while it reads one slice. In a handover
//! the successor gets the memory of its predecessor ([`Pages`]).
//!
//! Imports: ids, policy, session, shard, sources, wire.

mod closed;
mod follow;
mod limiter;
mod names;
mod recorder;
mod report;

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{SystemTime, UNIX_EPOCH};

pub use self::closed::ClosedSession;
use self::closed::ClosedSessions;
pub(crate) use self::follow::Follower;
pub use self::follow::{Detail, FOLLOWED};
pub(crate) use self::limiter::{LeftOut, Limiter, SourceLimiter};
use self::names::Names;
pub(crate) use self::names::is_named;
use self::recorder::Recorder;
pub use self::recorder::{Recorded, RecordedFilter};
pub(crate) use self::report::Reporter;
use crate::ids::PeerId;

/// Microseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// At most `most` bytes of a text, cut between two characters.
fn cut(text: &str, most: usize) -> Box<str> {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Diary(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    names: Names,
    closed: ClosedSessions,
    recorder: Recorder,
}

/// The contents for another process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pages {
    /// Ended sessions, the oldest first.
    pub(crate) closed: Vec<Arc<ClosedSession>>,
    /// Events, the oldest first.
    pub(crate) recorded: Vec<Recorded>,
}

/// A page of the sessions that have ended, the latest first, and where the next page begins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClosedPage {
    /// The sessions.
    pub rows: Vec<Arc<ClosedSession>>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<u64>,
}

impl Diary {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session is established, here or in an earlier process.
    pub(crate) fn established(&self, peer: PeerId, node: &str) {
        self.state().names.enter(peer, node);
    }

    /// A session has ended.
    pub(crate) fn closed(&self, session: ClosedSession) {
        let mut state = self.state();
        state.names.leave(session.peer);
        state.closed.push(session);
    }

    /// A session has ended of which nothing is kept.
    pub(crate) fn forget(&self, peer: PeerId) {
        self.state().names.leave(peer);
    }

    /// Records an event, under a short stable name.
    pub(crate) fn note(
        &self,
        kind: &'static str,
        (peer, node): (Option<PeerId>, &str),
        text: impl Display,
    ) {
        let recorded = Recorded::new(now(), kind, peer, node, &text.to_string());
        self.state().recorder.push(recorded);
    }

    /// The name of a peer: its node; its node and number if several established sessions have that node; its number
    /// alone if it has named no node. The session may have ended.
    pub(crate) fn name(&self, peer: PeerId) -> String {
        self.state().name(peer)
    }

    /// The names of several peers.
    pub(crate) fn names(&self, peers: &[PeerId]) -> Vec<String> {
        let state = self.state();
        peers.iter().map(|peer| state.name(*peer)).collect()
    }

    /// The wanted sessions that have ended, the latest first, from a place on. Cost: a look at each until there are
    /// `most`; the lock is held for 256 of them at a time.
    pub(crate) fn closed_page(
        &self,
        from: Option<u64>,
        most: usize,
        is_wanted: impl Fn(&ClosedSession) -> bool,
    ) -> ClosedPage {
        let mut page = ClosedPage { rows: Vec::new(), next: Some(from.unwrap_or(u64::MAX)) };
        while let Some(from) = page.next
            && page.rows.len() < most
        {
            let left = most - page.rows.len();
            let (rows, next) = self.state().closed.slice(from, left, &is_wanted);
            page.rows.extend(rows);
            page.next = next;
        }
        page
    }

    /// The latest events, the oldest first.
    pub(crate) fn recorded(&self, most: usize) -> Vec<Recorded> {
        self.state().recorder.latest(most)
    }

    /// The latest events that pass a filter, the oldest first, and the time of the latest of all events.
    pub(crate) fn find(
        &self,
        filter: &RecordedFilter,
        most: usize,
    ) -> (Vec<Arc<Recorded>>, Option<u64>) {
        self.state().recorder.find(filter, most)
    }

    /// The latest events without waiting; `None` while another event is being recorded.
    pub(crate) fn recorded_at_once(&self, most: usize) -> Option<Vec<Recorded>> {
        let state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(state.recorder.latest(most))
    }

    /// The contents for another process.
    pub(crate) fn pages(&self) -> Pages {
        let state = self.state();
        Pages { closed: state.closed.all(), recorded: state.recorder.latest(usize::MAX) }
    }

    /// Takes over the contents from an earlier process.
    pub(crate) fn go_on_from(&self, Pages { closed, recorded }: Pages) {
        let mut state = self.state();
        closed.into_iter().for_each(|session| state.closed.take_over(session));
        recorded.into_iter().for_each(|event| state.recorder.push(event));
    }
}

impl State {
    fn name(&self, peer: PeerId) -> String {
        if let Some(name) = self.names.of(peer) {
            return name;
        }
        match self.closed.node_of(peer) {
            Some(node) if self.names.sessions_of(node) == 0 => node.to_owned(),
            Some(node) => format!("{node}{peer}"),
            None => peer.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(peer: u64, node: &str) -> ClosedSession {
        ClosedSession { peer: PeerId(peer), node: node.into(), ..ClosedSession::default() }
    }

    #[test]
    fn a_peer_is_called_by_its_node_and_by_its_number_to_tell_two_apart() {
        let diary = Diary::default();
        diary.established(PeerId(1), "a");
        diary.established(PeerId(2), "b");
        diary.established(PeerId(3), "b");
        diary.established(PeerId(4), "");
        let of = |all: &[u64]| diary.names(&all.iter().copied().map(PeerId).collect::<Vec<_>>());
        assert_eq!(of(&[1, 2, 3, 4, 5]), ["a", "b#2", "b#3", "#4", "#5"]);
        diary.closed(ended(2, "b"));
        assert_eq!(of(&[2, 3]), ["b#2", "b"]);
        diary.closed(ended(3, "b"));
        diary.closed(ended(4, ""));
        assert_eq!(of(&[2, 3, 4]), ["b", "b", "#4"]);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(&*cut("aé", 2), "a");
        assert_eq!(&*cut("aé", 3), "aé");
        assert_eq!(&*cut("", 3), "");
    }

    #[test]
    fn another_process_goes_on_with_everything() {
        let diary = Diary::default();
        diary.closed(ended(1, "a"));
        diary.note("drain", (None, ""), "100 a second");
        let next = Diary::default();
        next.go_on_from(diary.pages());
        assert_eq!(next.pages(), diary.pages());
        assert_eq!(next.name(PeerId(1)), "a");
    }

    #[test]
    fn a_crash_waits_for_nobody() {
        let diary = Diary::default();
        diary.note("drain", (None, ""), "");
        let state = diary.state();
        assert_eq!(diary.recorded_at_once(9), None);
        drop(state);
        assert_eq!(diary.recorded_at_once(9).unwrap().len(), 1);
    }
}
