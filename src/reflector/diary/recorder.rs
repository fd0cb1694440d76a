//! [`Recorder`]: the flight recorder.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::cut;
use crate::ids::PeerId;

/// Events that are kept. With the longest texts they take 2 MiB.
pub(super) const EVENTS_MAX: usize = 4096;
/// Bytes that are kept of a node's name, and of what is said.
const NODE_MAX: usize = 128;
const TEXT_MAX: usize = 256;

/// What has happened to a session, or what an operator has done.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// What: a short, stable name.
    pub kind: Cow<'static, str>,
    /// Whose session, if it is about one.
    pub peer: Option<PeerId>,
    /// Its node; may be empty. The first 128 bytes.
    pub node: Box<str>,
    /// More, in words. The first 256 bytes.
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

/// See the module's documentation. The oldest event goes when there are more than [`EVENTS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Recorder(VecDeque<Recorded>);

impl Recorder {
    pub(super) fn push(&mut self, recorded: Recorded) {
        if self.0.len() == EVENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(recorded);
    }

    /// The latest so many, the oldest of them first.
    pub(super) fn latest(&self, most: usize) -> Vec<Recorded> {
        self.0.iter().skip(self.0.len().saturating_sub(most)).cloned().collect()
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
}
