//! Who waits and who is being answered, within bounds.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::sources::{self, Counts, Source};

/// Waiting connections, in the order in which they began to wait; the key is the number for [`Hall::leave`].
type Waiting = BTreeMap<u64, (Option<Source>, Arc<Notify>)>;

/// See the module's documentation. Shared by the connections of one listener.
#[derive(Debug)]
pub(super) struct Hall {
    most_waiting: usize,
    most_answers: usize,
    most_per_source: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: Waiting,
    answers: usize,
    by_source: Counts,
}

/// The permit of an answer, until it is dropped.
#[derive(Debug)]
pub(super) struct AnswerPermit {
    hall: Arc<Hall>,
    /// `None` for a client without an address.
    _of_source: Option<sources::SourceShare>,
}

impl Hall {
    pub(super) fn new(most_waiting: usize, most_answers: usize, most_per_source: u64) -> Self {
        Self { most_waiting, most_answers, most_per_source, state: Mutex::default() }
    }

    /// A connection waits from now on, until it leaves or `go` tells it to close. Returns its number
    /// for [`Self::leave`]. Cost: a look at all waiting connections, when there are too many.
    pub(super) fn enter(&self, source: Option<Source>, go: &Arc<Notify>) -> u64 {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, (source, Arc::clone(go)));
        if state.waiting.len() > self.most_waiting {
            state.close_one();
        }
        number
    }

    /// A connection waits no more.
    pub(super) fn leave(&self, number: u64) {
        self.state().waiting.remove(&number);
    }

    /// Tells a waiting connection to close; `false` when none waits.
    pub(super) fn close_one(&self) -> bool {
        self.state().close_one()
    }

    /// A permit for an answer, if one is left.
    pub(super) fn place(self: &Arc<Self>, source: Option<Source>) -> Option<AnswerPermit> {
        let mut state = self.state();
        let is_full = state.answers >= self.most_answers;
        if is_full || source.is_some_and(|it| state.by_source.of(it) >= self.most_per_source) {
            return None;
        }
        state.answers += 1;
        let of_source = source.map(|source| state.by_source.add(source));
        Some(AnswerPermit { hall: Arc::clone(self), _of_source: of_source })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state stays consistent at every step of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Closes the oldest connection of the source that has the most: a source that opens many closes its own.
    fn close_one(&mut self) -> bool {
        let mut counts: HashMap<_, usize> = HashMap::new();
        for (source, _) in self.waiting.values() {
            *counts.entry(*source).or_default() += 1;
        }
        let most = counts.values().copied().max();
        let oldest =
            self.waiting.iter().find(|(_, (source, _))| counts.get(source).copied() == most);
        let Some(number) = oldest.map(|(number, _)| *number) else { return false };
        if let Some((_, go)) = self.waiting.remove(&number) {
            go.notify_one();
        }
        true
    }
}

impl Drop for AnswerPermit {
    fn drop(&mut self) {
        self.hall.state().answers -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a connection has been told to close.
    fn is_notified(go: &Notify) -> bool {
        use futures_util::FutureExt as _;
        go.notified().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_of_the_source_with_the_most_goes() {
        let hall = Hall::new(4, 0, 0);
        let [one, other] = [Some(Source::V4(1)), Some(Source::V4(2))];
        let gos: [Arc<Notify>; 6] = std::array::from_fn(|_| Arc::default());
        let enter = |source, place: usize| hall.enter(source, &gos[place]);
        enter(other, 0);
        let first = enter(one, 1);
        enter(one, 2);
        enter(one, 3);
        hall.leave(first);
        enter(one, 4);
        assert!(!gos.iter().any(|go| is_notified(go)));
        enter(one, 5);
        let notified: Vec<_> = gos.iter().map(|go| is_notified(go)).collect();
        assert_eq!(notified, [false, false, true, false, false, false]);
    }

    #[test]
    fn places_are_bounded_in_all_and_by_source() {
        let hall = Arc::new(Hall::new(0, 3, 2));
        let [one, other] = [Some(Source::V4(1)), Some(Source::V4(2))];
        let first = hall.place(one).unwrap();
        let _second = hall.place(one).unwrap();
        assert!(hall.place(one).is_none());
        let _third = hall.place(other).unwrap();
        assert!(hall.place(other).is_none() && hall.place(None).is_none());
        drop(first);
        let _fourth = hall.place(one).unwrap();
    }
}
