//! Which routes one subscriber holds, and everything that it should not have been sent.

use std::ops::AddAssign;

use metalbond::wire::Action;

use crate::catalogue::Catalogue;
use crate::route_set::RouteSet;

/// The faults in what subscribers received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Faults {
    /// Routes that should be held at the end but are not.
    pub(crate) missing: u64,
    /// Routes held at the end that should not be, and routes that were never announced.
    pub(crate) extra: u64,
    /// ADDs of routes already held, and REMOVEs of routes not held.
    pub(crate) duplicate: u64,
    /// Bytes that are no message: each ends a session.
    pub(crate) garbage: u64,
    /// Sessions that ended when they should not.
    pub(crate) lost: u64,
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.missing += other.missing;
        self.extra += other.extra;
        self.duplicate += other.duplicate;
        self.garbage += other.garbage;
        self.lost += other.lost;
    }
}

impl Faults {
    /// The number of each kind, with its name.
    pub(crate) fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("missing", self.missing),
            ("extra", self.extra),
            ("duplicate", self.duplicate),
            ("garbage", self.garbage),
            ("lost_sessions", self.lost),
        ]
    }

    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) held: RouteSet,
    /// UPDATEs received.
    pub(crate) updates: u64,
    pub(crate) faults: Faults,
}

impl Ledger {
    /// A ledger for `routes` routes.
    pub(crate) fn new(routes: u32) -> Self {
        Self { held: RouteSet::new(routes), updates: 0, faults: Faults::default() }
    }

    /// Takes the payload of an UPDATE. `false` when it is not an UPDATE.
    #[inline]
    pub(crate) fn update(&mut self, routes: &Catalogue, payload: &[u8]) -> bool {
        self.apply(routes.recognise(payload))
    }

    /// Takes the result of [`Catalogue::recognise`] for a payload. `false` when it is not an UPDATE.
    #[inline]
    pub(crate) fn apply(&mut self, recognised: Option<(Action, Option<u32>)>) -> bool {
        self.updates += 1;
        let is_news = match recognised {
            Some((Action::Add, Some(route))) => self.held.insert(route),
            Some((Action::Remove, Some(route))) => self.held.remove(route),
            Some((_, None)) => {
                self.faults.extra += 1;
                return true;
            }
            None => return false,
        };
        self.faults.duplicate += u64::from(!is_news);
        true
    }

    /// All faults, if exactly the `expected` routes should be held.
    pub(crate) fn settle(&self, expected: &RouteSet) -> Faults {
        let mut faults = self.faults;
        faults.missing += expected.without(&self.held);
        faults.extra += self.held.without(expected);
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use metalbond::wire::whole_frames;

    fn feed(ledger: &mut Ledger, plan: &Plan, bytes: &[u8]) {
        assert!(whole_frames(bytes).all(|frame| ledger.update(&(*plan).into(), frame.payload)));
    }

    #[test]
    fn every_fault_is_seen() {
        let plan = Plan::new(100, 3, 5);
        let first = |count| RouteSet::of(100, 0..count);
        let mut ledger = Ledger::new(plan.routes);
        feed(&mut ledger, &plan, &plan.frames(Action::Add, 0..100));
        assert_eq!(ledger.settle(&first(100)), Faults::default());
        feed(&mut ledger, &plan, &plan.frames(Action::Remove, 70..100));
        assert_eq!(ledger.settle(&first(70)), Faults::default());
        assert_eq!(ledger.settle(&first(69)), Faults { extra: 1, ..Faults::default() });
        assert_eq!(ledger.settle(&first(73)), Faults { missing: 3, ..Faults::default() });
        feed(&mut ledger, &plan, &plan.frames(Action::Add, 68..71)); // two held, one new
        feed(&mut ledger, &plan, &plan.frames(Action::Remove, 80..81)); // not held
        feed(&mut ledger, &plan, &plan.frames(Action::Add, 100..101)); // not in the plan
        let faults = Faults { extra: 1, duplicate: 3, ..Faults::default() };
        assert_eq!(ledger.settle(&first(71)), faults);
        assert_eq!((ledger.held.len(), ledger.updates), (71, 135));
        assert!(!ledger.update(&plan.into(), &[0xff]));
    }
}
