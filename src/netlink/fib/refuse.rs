//! Handles routes whose next hops cannot be used, and those whose next hops become usable when the host's own addresses
//! change.

use std::fmt;

use super::config::Target;
use super::notes::NoteKind;
use super::refusals::{Networks, Refusals};
use super::unusable::Unusable;
use super::{Fib, Ticket};
use crate::dataplane::Route;
use crate::wire::{Action, Destination, Update};

impl Fib {
    /// A route that can't be installed is announced or withdrawn.
    pub(super) fn refuse_or_forget(&mut self, change: &Update, why: Unusable) -> Ticket {
        if change.action == Action::Remove {
            self.refusals.withdrawn(change.vni, why);
            return Ticket::Done;
        }
        if self.refusals.add(change.vni, why, 1) {
            self.log(&Route::from(*change), why);
        }
        Ticket::Unusable(why)
    }

    fn log(&mut self, route: &dyn fmt::Display, why: Unusable) {
        let name = why.name();
        let remark = format_args!(
            "{route} is not installed: {why}. Further routes like it are only counted \
             (metalbond_kernel_unusable_routes, reason {name})"
        );
        self.notes.add(NoteKind::Unusable, remark);
    }

    /// Takes in the addresses and prefixes for which this host takes packets.
    pub(crate) fn saw_own(&mut self, networks: Vec<Destination>) {
        let own = Networks::new(networks);
        if self.refusals.own == own {
            return;
        }
        self.refusals.own = own;
        let free = |refusals: &Refusals, target: Target| !refusals.own.contains(target.underlay);
        let freed: Vec<_> = self
            .refusals
            .held
            .iter()
            .filter(|((_, target), _)| free(&self.refusals, *target))
            .map(|(&(key, target), &routes)| (key, target, routes))
            .collect();
        for (key, target, routes) in freed {
            let id = self.routes.find_or_insert(&key);
            // A destination with too many hops keeps this hop waiting.
            for _ in 0..routes {
                if self.routes.announce(id, target) {
                    self.refusals.release(key, target);
                    self.refusals.withdrawn(target.source, Unusable::OwnAddress);
                }
            }
            self.touch(id);
        }
        let caught: Vec<_> = self
            .routes
            .ids()
            .flat_map(|id| self.routes[id].wanted.iter().map(move |wanted| (id, *wanted)))
            .filter(|(_, wanted)| !free(&self.refusals, wanted.target))
            .collect();
        for (id, wanted) in caught {
            let (key, target) = (self.routes[id].key, wanted.target);
            for _ in 0..wanted.routes {
                self.routes.withdraw(id, target);
                self.refusals.hold(key, target);
            }
            let routes = wanted.routes as usize;
            if self.refusals.add(target.source, Unusable::OwnAddress, routes) {
                let route = format!("{key} via {}", target.underlay);
                self.log(&route, Unusable::OwnAddress);
            }
            self.touch(id);
        }
    }
}
