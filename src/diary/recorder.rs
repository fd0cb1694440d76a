//! [`Recorder`]: the flight recorder.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::cut;
use super::names::is_named;
use crate::ids::PeerId;

/// The most events kept. With the longest texts they take 2 MiB.
pub(super) const EVENTS_MAX: usize = 4096;
/// The most bytes kept of a node's name, and of the details in words.
const NODE_MAX: usize = 128;
const TEXT_MAX: usize = 256;

/// An event of the flight recorder: of a session, or a command of an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// Its time, in microseconds since 1970.
    pub at: u64,
    /// Its kind: a short, stable name.
    pub kind: Cow<'static, str>,
    /// The session; `None` if the event is not about a session.
    pub peer: Option<PeerId>,
    /// The session's node, at most 128 bytes; empty if there is none.
    pub node: Box<str>,
    /// Details in words, at most 256 bytes.
    pub text: Box<str>,
}

impl Recorded {
    pub(crate) fn new(
        at: u64,
        kind: impl Into<Cow<'static, str>>,
        peer: Option<PeerId>,
        node: &str,
        text: &str,
    ) -> Self {
        Self { at, kind: kind.into(), peer, node: cut(node, NODE_MAX), text: cut(text, TEXT_MAX) }
    }
}

/// A filter of the recorder's events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct RecordedFilter {
    /// Events of these kinds; an empty list means all kinds.
    pub kinds: Vec<String>,
    /// Events of sessions that this text names: by number, node, or node and number.
    pub peer: Option<String>,
    /// Events recorded after the event of this time ([`Recorded::at`]); all events if that event is no longer kept.
    pub after: Option<u64>,
}

impl RecordedFilter {
    fn has(&self, event: &Recorded) -> bool {
        let is_kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| *kind == event.kind);
        let is_about = |text: &String| {
            event.peer.is_some_and(|peer| is_named(text, (peer, &event.node), None))
        };
        is_kind && self.peer.as_ref().is_none_or(is_about)
    }
}

/// See the module's documentation. The oldest event goes when there are more than [`EVENTS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Recorder(VecDeque<Arc<Recorded>>);

impl Recorder {
    pub(super) fn push(&mut self, recorded: Recorded) {
        if self.0.len() == EVENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Arc::new(recorded));
    }

    /// The latest `most` events, the oldest first.
    pub(super) fn latest(&self, most: usize) -> Vec<Recorded> {
        let latest = self.0.iter().skip(self.0.len().saturating_sub(most));
        latest.map(|event| Recorded::clone(event)).collect()
    }

    /// The latest `most` events that pass a filter, the oldest first, and the time of the latest of all. Cost: a look
    /// at each event.
    pub(super) fn find(
        &self,
        filter: &RecordedFilter,
        most: usize,
    ) -> (Vec<Arc<Recorded>>, Option<u64>) {
        let is_last = |at: u64| self.0.iter().rposition(|event| event.at == at);
        // Several events may share a microsecond: those after the first of them are returned again.
        let begin = filter.after.and_then(|at| is_last(at).map(|last| (at, last)));
        let begin = begin.map_or(0, |(at, last)| {
            let same = self.0.iter().take(last + 1).rev().take_while(|event| event.at == at);
            last + 2 - same.count()
        });
        let new = self.0.iter().skip(begin).rev().filter(|event| filter.has(event));
        let mut rows: Vec<_> = new.take(most).cloned().collect();
        rows.reverse();
        (rows, self.0.back().map(|event| event.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_events_are_kept() {
        let mut recorder = Recorder::default();
        let count = 3 * EVENTS_MAX as u64;
        for at in 0..count {
            recorder.push(Recorded::new(at, "closed", None, &"n".repeat(999), &"t".repeat(999)));
        }
        let all = recorder.latest(usize::MAX);
        assert_eq!((all.len(), all[EVENTS_MAX - 1].at), (EVENTS_MAX, count - 1));
        assert!(all.iter().all(|it| it.node.len() == NODE_MAX && it.text.len() == TEXT_MAX));
        assert_eq!(recorder.latest(1), all[EVENTS_MAX - 1..]);
    }
    #[test]
    fn events_are_found_by_kind_by_peer_and_from_another_on() {
        let mut recorder = Recorder::default();
        let events = [
            (1, "established", 1, "a"),
            (2, "established", 2, "b"),
            (5, "closed", 1, "a"),
            (5, "closed", 2, "b"),
            (5, "drain", 0, ""),
        ];
        for (at, kind, peer, node) in events {
            let peer = (peer > 0).then_some(PeerId(peer));
            recorder.push(Recorded::new(at, kind, peer, node, ""));
        }
        let find = |filter: RecordedFilter, most| -> Vec<(String, u64)> {
            let (rows, latest) = recorder.find(&filter, most);
            assert_eq!(latest, Some(5));
            rows.iter().map(|it| (it.kind.to_string(), it.peer.map_or(0, |it| it.0))).collect()
        };
        let of = |kinds: &[&str], peer: Option<&str>, after| RecordedFilter {
            kinds: kinds.iter().map(ToString::to_string).collect(),
            peer: peer.map(str::to_owned),
            after,
        };
        let is = |kind: &str, peer| (kind.to_owned(), peer);
        let closed = || [is("closed", 1), is("closed", 2)];
        assert_eq!(find(of(&["closed"], None, None), 9), closed());
        assert_eq!(find(of(&["closed"], None, None), 1), closed()[1..]);
        for name in ["b", "2", "#2", "b#2"] {
            let found = find(of(&[], Some(name), None), 9);
            assert_eq!(found, [is("established", 2), is("closed", 2)], "{name}");
        }
        assert_eq!(find(of(&[], None, Some(2)), 9).len(), 3);
        // Of several events of one microsecond the later ones are returned again, so that none is lost.
        assert_eq!(find(of(&[], None, Some(5)), 9), [is("closed", 2), is("drain", 0)]);
        // The event is no longer kept, or belongs to another process.
        assert_eq!(find(of(&[], None, Some(3)), 9).len(), 5);
    }
}
