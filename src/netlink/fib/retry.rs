//! Routes that could not be installed, and when each is tried again.
//!
//! State: the fault of each such route, and a queue of moments. Delays double from one second to a minute. This also
//! notes the routes that others keep deleting or changing. A route that others only delete is put back once a second
//! for as long as that goes on. A route that others keep changing is repaired at growing intervals, so that two
//! programs that disagree do not do so a thousand times a second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::ids::Moment;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);
/// How many repairs of one changed route are made at once.
const REPAIRS: u8 = 3;
/// The least time between two repairs of a deleted route.
const PAUSE: Duration = Duration::from_secs(1);
/// A route without a repair for this time counts as left in peace.
const PEACE: Duration = Duration::from_secs(120);

/// How another program changed a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drift {
    /// No own route has the key any more, or its nexthop object is gone.
    Deleted,
    /// It leads elsewhere.
    Changed,
}

/// The fault of a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// Another protocol's route has the key.
    Conflict(u8),
    /// Some route has the key: a dump will tell which.
    Taken,
    /// The kernel refused the route.
    Refused(String),
    /// Other programs keep changing the route.
    Fight,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: Why,
    attempts: u8,
    pub(crate) until: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Repair {
    last: Moment,
    /// The number of changes; deletions do not count.
    times: u8,
    /// Whether the route was ever deleted.
    was_deleted: bool,
}

/// When a repair may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) at_once: bool,
    /// Whether the route was deleted, and not for the first time.
    pub(crate) again: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Failures {
    failures: HashMap<u32, Failure, RandomState>,
    queue: BinaryHeap<Reverse<(Moment, u32)>>,
    repaired: HashMap<u32, Repair, RandomState>,
}

impl Failures {
    pub(crate) fn new(hasher: &RandomState) -> Self {
        Self {
            failures: HashMap::with_hasher(hasher.clone()),
            queue: BinaryHeap::new(),
            repaired: HashMap::with_hasher(hasher.clone()),
        }
    }

    pub(crate) fn get(&self, route: u32) -> Option<&Failure> {
        self.failures.get(&route)
    }

    /// The protocol of the route that has the key.
    pub(crate) fn conflict(&self, route: u32) -> Option<u8> {
        match self.failures.get(&route)?.why {
            Why::Conflict(protocol) => Some(protocol),
            _ => None,
        }
    }

    /// Notes a fault. Returns whether it is a new one.
    pub(crate) fn note(&mut self, route: u32, why: Why, now: Moment) -> bool {
        let failure = self.failures.entry(route).or_insert(Failure {
            why: Why::Taken,
            attempts: 0,
            until: now,
        });
        let same = std::mem::discriminant(&failure.why) == std::mem::discriminant(&why);
        let new = failure.attempts == 0 || !same;
        failure.until = now + delay(failure.attempts);
        failure.attempts = failure.attempts.saturating_add(1);
        failure.why = why;
        self.queue.push(Reverse((failure.until, route)));
        new
    }

    /// Clears a fault. Returns whether there was one.
    pub(crate) fn clear(&mut self, route: u32) -> bool {
        // Mostly no route has a fault.
        !self.failures.is_empty() && self.failures.remove(&route).is_some()
    }

    /// A route was released.
    pub(crate) fn forget(&mut self, route: u32) {
        self.clear(route);
        if !self.repaired.is_empty() {
            self.repaired.remove(&route);
        }
    }

    /// The kernel's state differs from the installed one: says whether to repair it now. If not, the route
    /// becomes due later.
    pub(crate) fn repair(&mut self, route: u32, drift: Drift, now: Moment) -> Verdict {
        let known = self.repaired.get(&route).filter(|repair| now.since(repair.last) <= PEACE);
        let mut repair =
            known.copied().unwrap_or(Repair { last: Moment(0), times: 0, was_deleted: false });
        let (mut until, mut attempts, mut again) = (now, 0, false);
        match drift {
            Drift::Deleted => {
                again = std::mem::replace(&mut repair.was_deleted, true);
                if known.is_some() {
                    // A repair that is still to come is not put off.
                    let due = if repair.last > now { repair.last } else { repair.last + PAUSE };
                    until = until.max(due);
                }
            }
            Drift::Changed => {
                repair.times = repair.times.saturating_add(1);
                if let Some(extra) = repair.times.checked_sub(REPAIRS + 1) {
                    (until, attempts) = (now + delay(extra), extra);
                }
            }
        }
        repair.last = until;
        self.repaired.insert(route, repair);
        if until > now {
            self.failures.insert(route, Failure { why: Why::Fight, attempts, until });
            self.queue.push(Reverse((until, route)));
        }
        Verdict { at_once: until == now, again }
    }

    /// Forgets repairs that are long past.
    pub(crate) fn tidy(&mut self, now: Moment) {
        self.repaired.retain(|_, repair| now.since(repair.last) <= PEACE);
    }

    /// The next route that is due.
    pub(crate) fn due(&mut self, now: Moment) -> Option<u32> {
        while let Some(&Reverse((moment, route))) = self.queue.peek() {
            if moment > now {
                return None;
            }
            self.queue.pop();
            if self.failures.get(&route).is_some_and(|failure| failure.until == moment) {
                return Some(route);
            }
        }
        None
    }

    /// When the next route is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.queue.peek().map(|Reverse((moment, _))| *moment)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Why)> {
        self.failures.iter().map(|(&route, failure)| (route, &failure.why))
    }
}

fn delay(attempts: u8) -> Duration {
    FIRST.saturating_mul(1 << attempts.min(6)).min(LAST)
}
