//! Which VNIs a session is subscribed to, where that changes during a run.
//!
//! Who unsubscribes forgets the view at once, and what the server had sent before it knew comes all
//! the same and means nothing. A session's writer and the thread that reads it must agree on that
//! without waiting for each other: the writer counts up a number for each VNI, before it sends what
//! makes it true, and the reader forgets when it sees a new number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ledger::Ledger;
use crate::plan::Plan;

/// The writer's subscriptions: how often each VNI's has changed, so an odd number means subscribed.
#[derive(Debug)]
pub(crate) struct Interest {
    plan: Plan,
    changes: Box<[AtomicU32]>,
}

impl Interest {
    /// No subscriptions.
    pub(crate) fn new(plan: &Plan) -> Arc<Self> {
        let changes = (0..plan.vnis).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { plan: *plan, changes })
    }

    /// Call this before each SUBSCRIBE and each UNSUBSCRIBE.
    pub(crate) fn toggle(&self, vni: u32) {
        self.changes[vni as usize].fetch_add(1, Ordering::Release);
    }
}

/// The reader's view of an [`Interest`].
#[derive(Debug)]
pub(super) struct Watch {
    interest: Arc<Interest>,
    seen: Box<[u32]>,
}

impl Watch {
    pub(super) fn new(interest: Arc<Interest>) -> Self {
        let seen = vec![0; interest.changes.len()].into();
        Self { interest, seen }
    }

    /// Takes the payload of an UPDATE. `false` when it is not an UPDATE.
    pub(super) fn update(&mut self, ledger: &mut Ledger, payload: &[u8]) -> bool {
        let plan = self.interest.plan;
        let recognised = plan.recognise(payload);
        if let Some((_, Some(route))) = recognised {
            let vni = plan.vni_of(route);
            self.look(ledger, vni);
            if self.seen[vni as usize].is_multiple_of(2) {
                ledger.updates += 1;
                return true;
            }
        }
        ledger.apply(recognised)
    }

    /// Forgets the routes of VNIs whose subscription has changed.
    pub(super) fn look_at_all(&mut self, ledger: &mut Ledger) {
        for vni in 0..self.interest.plan.vnis {
            self.look(ledger, vni);
        }
    }

    fn look(&mut self, ledger: &mut Ledger, vni: u32) {
        let now = self.interest.changes[vni as usize].load(Ordering::Acquire);
        let seen = &mut self.seen[vni as usize];
        if *seen != now {
            *seen = now;
            for route in self.interest.plan.routes_in(vni) {
                ledger.held.remove(route);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metalbond::wire::{Action, split};

    #[test]
    fn what_comes_after_the_end_of_a_subscription_means_nothing() {
        let plan = Plan::new(10, 2, 1);
        let interest = Interest::new(&plan);
        let mut watch = Watch::new(Arc::clone(&interest));
        let mut ledger = Ledger::new(plan.routes);
        let add = |watch: &mut Watch, ledger: &mut Ledger, route| {
            let bytes = plan.frames(Action::Add, [route]);
            assert!(watch.update(ledger, split(&bytes).unwrap().unwrap().payload));
        };
        interest.toggle(0);
        interest.toggle(1);
        add(&mut watch, &mut ledger, 2);
        add(&mut watch, &mut ledger, 3);
        interest.toggle(0);
        add(&mut watch, &mut ledger, 4); // it was on its way
        assert_eq!(ledger.held.len(), 1, "route 3 is in the other VNI");
        interest.toggle(0);
        add(&mut watch, &mut ledger, 2);
        interest.toggle(1);
        watch.look_at_all(&mut ledger);
        assert_eq!((ledger.held.len(), ledger.faults.any()), (1, false));
    }
}
